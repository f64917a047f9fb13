//! Names drawn from the package's signed pictures (SPEC.md, section 7, kind 8) instead of from a font, so that a name is the same
//! pixels on a laptop and on a microcontroller, rare characters and variation sequences included.
//!
//! The layout does not change: a character takes the width that [`text`] says whether it is drawn from a picture or not. Pictures
//! are scaled by whole numbers: each pixel of the panel is the exact mean of what of the picture lies under it.
//!
//! A line is drawn from pictures if the definition says it and every character of it has one; all other text is the font's.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use election::pictures::{EM, PEN, Picture, Pictures};
use kiosk::ports::TooLarge;

use crate::layout::{Line, Page};
use crate::metrics::line_height;
use crate::surface::margin;
use crate::text;

mod kept;
use kept::{Drawn, Kept};

/// How much ink is where: 0 none, 255 all.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    /// Pixels across.
    pub width: i32,
    /// Pixels down: the line's height.
    pub height: i32,
    /// How many of them stand left of the line's beginning, and as many right of its end.
    pub margin: i32,
    /// Row by row.
    pub alpha: Vec<u8>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({}x{})", self.width, self.height)
    }
}

impl Mask {
    /// For Slint: its colour is put in where it is drawn.
    #[must_use]
    pub fn image(&self) -> slint::Image {
        let side = |side: i32| u32::try_from(side).unwrap_or(0);
        let mut buffer = slint::SharedPixelBuffer::<slint::Rgba8Pixel>::new(side(self.width), side(self.height));
        for (pixel, alpha) in buffer.make_mut_slice().iter_mut().zip(&self.alpha) {
            pixel.a = *alpha;
        }
        slint::Image::from_rgba8(buffer)
    }
}

struct Owned {
    /// UTF-8.
    cluster: Box<[u8]>,
    x: u8,
    y: u8,
    width: u8,
    height: u8,
    packed: Box<[u8]>,
}

impl Owned {
    fn picture(&self) -> Picture<'_> {
        Picture {
            // It was a text when it was copied.
            cluster: core::str::from_utf8(&self.cluster).unwrap_or_default(),
            font: 0,
            x: self.x,
            y: self.y,
            width: self.width,
            height: self.height,
            packed: &self.packed,
        }
    }
}

fn copy(bytes: &[u8]) -> Result<Box<[u8]>, TooLarge> {
    let mut out = Vec::new();
    out.try_reserve_exact(bytes.len()).map_err(|_| TooLarge)?;
    out.extend_from_slice(bytes);
    Ok(out.into_boxed_slice())
}

/// So much memory must be left, in one piece, when a package has been taken: for pages, lines and what Slint makes of them. On a board an
/// allocation that finds none ends in a restart, and a package that is there again after it would restart the board for ever.
const SPARE: usize = 128 * 1024;

/// Whether the allocator has [`SPARE`] left.
fn spare() -> bool {
    Vec::<u8>::new().try_reserve_exact(SPARE).is_ok()
}

/// A package's pictures, as a panel keeps them.
#[derive(Default)]
pub struct Set {
    kept: Kept,
    /// Which character in which em is drawn beforehand next.
    next: usize,
    /// Ascending by cluster.
    owned: Vec<Owned>,
    /// Lines of the page shown, so that a page that is drawn again is not scaled again.
    lines: Vec<(String, i32, Rc<Mask>)>,
}

impl Set {
    /// Takes pictures over, into `room` bytes at most; what is left of them is for characters that are drawn beforehand ([`Set::prepare`]). Pictures that
    /// do not decode are none: the section was checked when the package was accepted.
    ///
    /// # Errors
    /// [`TooLarge`]: they need more than `room`, or the allocator has not got as much and [`SPARE`] beside it. Nothing is kept then.
    pub fn new(pictures: &Pictures<'_>, room: usize) -> Result<Self, TooLarge> {
        let all = || pictures.pictures.iter().map_while(Result::ok);
        let bytes = |picture: Picture<'_>| picture.cluster.len() + picture.packed.len();
        let needed = all().map(|picture| size_of::<Owned>() + bytes(picture)).sum::<usize>();
        let left = room.checked_sub(needed).ok_or(TooLarge)?;
        let mut owned = Vec::new();
        owned.try_reserve_exact(all().count()).map_err(|_| TooLarge)?;
        for picture in all() {
            owned.push(Owned {
                cluster: copy(picture.cluster.as_bytes())?,
                x: picture.x,
                y: picture.y,
                width: picture.width,
                height: picture.height,
                packed: copy(picture.packed)?,
            });
        }
        let mut kept = Kept::new(left);
        if !spare() {
            kept = Kept::default();
            if !spare() {
                return Err(TooLarge);
            }
        }
        Ok(Self {
            owned,
            kept,
            ..Self::default()
        })
    }

    /// Bytes that it holds, without the lines of the page shown.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let owned = |own: &Owned| own.cluster.len() + own.packed.len();
        self.owned.capacity() * size_of::<Owned>() + self.owned.iter().map(owned).sum::<usize>() + self.kept.bytes()
    }

    /// Draws up to `count` characters in these ems, so that nobody waits for them later. Gives whether there is more to draw, and room for it. Only
    /// this puts anything into what is kept.
    pub(crate) fn prepare(&mut self, ems: [i32; 3], count: usize) -> bool {
        for _ in 0..count {
            let em = self.next.checked_div(self.owned.len()).and_then(|at| ems.get(at));
            let place = self.next.checked_rem(self.owned.len()).unwrap_or(0);
            let (Some(em), Some(own)) = (em, self.owned.get(place)) else {
                return false;
            };
            let (drawn, alpha) = draw(&own.picture(), *em);
            if !self.kept.keep((*em, place), drawn, &alpha) {
                self.next = usize::MAX;
                return false;
            }
            self.next += 1;
        }
        true
    }

    /// Which characters are kept, and in which em.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> Vec<(i32, usize)> {
        self.kept.keys()
    }

    /// Whether a line of a page that is not shown any more is still here.
    #[cfg(test)]
    pub(crate) fn holds_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Whether every character of a text has a picture. White space needs none.
    #[must_use]
    pub fn covers(&self, text: &str) -> bool {
        text::clusters(text).all(|cluster| cluster.chars().all(text::is_blank) || self.find(cluster).is_some())
    }

    fn find(&self, cluster: &str) -> Option<usize> {
        self.owned
            .binary_search_by(|own| (*own.cluster).cmp(cluster.as_bytes()))
            .ok()
    }

    /// Puts a character into a line.
    fn put(&self, place: usize, pen: i32, em: i32, mask: &mut Mask) {
        if let Ok((drawn, alpha)) = self.kept.find((em, place)) {
            put(drawn, alpha, pen, em, mask);
            return;
        }
        let Some(own) = self.owned.get(place) else { return };
        let (drawn, alpha) = draw(&own.picture(), em);
        put(&drawn, &alpha, pen, em, mask);
    }

    /// A line in an em; `None` if one of its characters has no picture, and in an em above 512. White space needs no picture.
    #[must_use]
    pub fn line(&self, line: &str, em: i32) -> Option<Mask> {
        if !(1..=MAX_EM).contains(&em) {
            return None;
        }
        let margin = margin(em);
        let mut mask = Mask {
            width: text::width(line, em) + 2 * margin,
            height: line_height(em),
            margin,
            alpha: Vec::new(),
        };
        let size = usize::try_from(mask.width)
            .ok()?
            .checked_mul(usize::try_from(mask.height).ok()?)?;
        // No line is larger than the largest panel.
        mask.alpha = vec![0; (size <= 1 << 26).then_some(size)?];
        let mut units = 0;
        for cluster in text::clusters(line) {
            if !cluster.chars().all(text::is_blank) {
                self.put(self.find(cluster)?, margin + text::nearest(units, em), em, &mut mask);
            }
            units += cluster.chars().map(text::cell).sum::<u32>();
        }
        Some(mask)
    }

    /// Draws the lines of a page that `said` says.
    pub(crate) fn dress(&mut self, page: &mut Page, said: &[String]) {
        if self.owned.is_empty() {
            return;
        }
        let mut kept = Vec::new();
        for line in page.texts.iter_mut().chain(&mut page.captions) {
            let Line { text, em, .. } = line;
            if text.is_empty() || !said.iter().any(|said| said.contains(text.as_str())) {
                continue;
            }
            let known = kept
                .iter()
                .chain(&self.lines)
                .find(|(own, size, _)| own == text && size == em);
            let mask = match known {
                Some((_, _, mask)) => mask.clone(),
                None => match self.line(text, *em) {
                    Some(mask) => Rc::new(mask),
                    None => continue,
                },
            };
            kept.push((text.clone(), *em, mask.clone()));
            line.picture = Some(mask);
        }
        self.lines = kept;
    }
}

/// Largest em that pictures are drawn in; in this all sums below are far from 2^31.
const MAX_EM: i32 = 512;

/// The pixels of a panel under a row of cells: number of the first pixel, and for each cell and pixel that share area, cell, pixel (from the
/// first on) and how much.
fn shares(at: i32, cells: u8, cell: i32, pixel: i32) -> (i32, usize, Vec<(u8, usize, i32)>) {
    let first = at.div_euclid(pixel);
    let mut out = Vec::new();
    let mut count = 0;
    for number in 0..cells {
        let (from, to) = (
            at + i32::from(number) * cell - first * pixel,
            at + (i32::from(number) + 1) * cell - first * pixel,
        );
        for place in from / pixel..=(to - 1) / pixel {
            let index = usize::try_from(place).unwrap_or(0);
            out.push((number, index, to.min((place + 1) * pixel) - from.max(place * pixel)));
            count = index + 1;
        }
    }
    (first, count, out)
}

/// Where in a row of cells the edges of the panel's pixels lie: in which cell, and how far behind its beginning.
fn edges(at: i32, cells: u8, cell: i32, pixel: i32) -> (i32, Vec<(usize, i32)>) {
    let (first, end) = (at.div_euclid(pixel), i32::from(cells) * cell);
    let behind = (at + end - 1).div_euclid(pixel) + 1;
    let edge = |number: i32| {
        let place = (number * pixel - at).clamp(0, end);
        (usize::try_from(place / cell).unwrap_or(0), place % cell)
    };
    (first, (first..=behind).map(edge).collect())
}

/// Draws a picture. In units of which a pixel of the picture has `em` and one of the panel has [`EM`], every
/// length is whole. A row like the one above it, as most are, is added to that one's weight.
fn draw(picture: &Picture<'_>, em: i32) -> (Drawn, Vec<u8>) {
    let pixel = i32::from(EM);
    let left = (i32::from(picture.x) - i32::from(PEN.0)) * em;
    let top = (i32::from(picture.y) - i32::from(PEN.1)) * em;
    let (first_column, across) = edges(left, picture.width, em, pixel);
    let columns = across.len().saturating_sub(1);
    let (first_row, rows, down) = shares(top, picture.height, em, pixel);
    let mut sums = vec![0_i32; columns * rows];
    let mut line = vec![0_i32; columns];
    let mut above = vec![0_u8; usize::from(picture.width)];
    let mut ink = vec![(0_i32, 0_i32); usize::from(picture.width) + 1];
    let mut down = down.into_iter().peekable();
    // What is to be added to which row of pixels: `line`, so many times.
    let (mut row, mut weight) = (0, 0);
    let mut add = |row: usize, line: &[i32], weight: i32| {
        if weight > 0 {
            for (sum, own) in sums.iter_mut().skip(row * columns).zip(line) {
                *sum = sum.wrapping_add(own.wrapping_mul(weight));
            }
        }
    };
    // The section was checked when the package was accepted; rows behind a defect stay empty. No sum wraps: see `MAX_EM`.
    let _ = picture.rows(|number, shades| {
        if above != shades {
            add(row, &line, core::mem::take(&mut weight));
            above.copy_from_slice(shades);
            // Ink left of each cell, then left of each edge; what is between two edges is a pixel's.
            let mut left = 0_i32;
            for (sum, shade) in ink.iter_mut().zip(shades) {
                *sum = (left, i32::from(*shade));
                left = left.wrapping_add(i32::from(*shade));
            }
            if let Some(sum) = ink.get_mut(shades.len()) {
                *sum = (left, 0);
            }
            let mut before = 0_i32;
            for (sum, (cell, part)) in line.iter_mut().zip(across.iter().skip(1)) {
                let (left, own) = ink.get(*cell).copied().unwrap_or_default();
                let here = left.wrapping_mul(em).wrapping_add(own.wrapping_mul(*part));
                *sum = here.wrapping_sub(before);
                before = here;
            }
        }
        while let Some((_, place, share)) = down.next_if(|(cell, _, _)| *cell == number) {
            if place != row {
                add(row, &line, core::mem::take(&mut weight));
                row = place;
            }
            weight += share;
        }
    });
    add(row, &line, weight);
    let whole = 15 * pixel * pixel;
    let alpha = |sum: &i32| u8::try_from((sum * 255 + whole / 2) / whole).unwrap_or(u8::MAX);
    let drawn = Drawn {
        column: first_column,
        row: first_row,
        columns,
    };
    (drawn, sums.iter().map(alpha).collect())
}

/// Puts a character into a line, its pen at a pixel.
fn put(drawn: &Drawn, alpha: &[u8], pen: i32, em: i32, mask: &mut Mask) {
    let (units, tall) = (text::UNITS.cast_signed(), text::ASCENT.cast_signed());
    // As the font's own lines stand: its em in the middle of the line.
    let baseline = (mask.height - em) / 2 + (em * tall + units / 2) / units;
    let width = usize::try_from(mask.width).unwrap_or(0);
    let left = pen + drawn.column;
    let (skip, at) = (
        usize::try_from(-left).unwrap_or(0),
        usize::try_from(left).unwrap_or(0).min(width),
    );
    let top = baseline + drawn.row;
    let rows = alpha.chunks_exact(drawn.columns.max(1));
    for (row, alphas) in (top..mask.height).zip(rows) {
        // What would stand outside of the line is left out.
        let Some(begin) = usize::try_from(row).ok().map(|row| row * width) else {
            continue;
        };
        let Some(line) = mask.alpha.get_mut(begin + at..begin + width) else {
            continue;
        };
        for (alpha, own) in line.iter_mut().zip(alphas.iter().skip(skip)) {
            // Characters may touch: what both cover is not darker than ink.
            *alpha = alpha.saturating_add(*own);
        }
    }
}

#[cfg(test)]
mod tests;
