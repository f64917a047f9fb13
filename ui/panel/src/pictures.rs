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

use election::pictures::{EM, MARGIN, PEN, Picture, PictureError, Pictures};

use crate::layout::{Line, Page};
use crate::metrics::line_height;
use crate::text;

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
    cluster: Box<str>,
    x: u8,
    y: u8,
    width: u8,
    height: u8,
    packed: Box<[u8]>,
}

impl Owned {
    fn picture(&self) -> Picture<'_> {
        Picture {
            cluster: &self.cluster,
            font: 0,
            x: self.x,
            y: self.y,
            width: self.width,
            height: self.height,
            packed: &self.packed,
        }
    }
}

/// A package's pictures, as a panel keeps them.
#[derive(Default)]
pub struct Set {
    /// Ascending by cluster.
    owned: Vec<Owned>,
    /// Lines of the page shown, so that a page that is drawn again is not scaled again.
    lines: Vec<(String, i32, Rc<Mask>)>,
}

impl Set {
    /// Takes pictures over; as many bytes as the section has.
    ///
    /// # Errors
    /// They do not decode.
    pub fn new(pictures: &Pictures<'_>) -> Result<Self, PictureError> {
        let owned = |picture: Result<Picture<'_>, _>| {
            let picture = picture.map_err(PictureError::Wire)?;
            Ok(Owned {
                cluster: picture.cluster.into(),
                x: picture.x,
                y: picture.y,
                width: picture.width,
                height: picture.height,
                packed: picture.packed.into(),
            })
        };
        Ok(Self {
            owned: pictures.pictures.iter().map(owned).collect::<Result<_, _>>()?,
            lines: Vec::new(),
        })
    }

    fn find(&self, cluster: &str) -> Option<Picture<'_>> {
        let place = self.owned.binary_search_by(|own| (*own.cluster).cmp(cluster)).ok()?;
        self.owned.get(place).map(Owned::picture)
    }

    /// A line in an em; `None` if one of its characters has no picture. White space needs none.
    #[must_use]
    pub fn line(&self, line: &str, em: i32) -> Option<Mask> {
        let margin = (em * i32::from(MARGIN)).div_euclid(i32::from(EM)) + 1;
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
                draw(&self.find(cluster)?, margin + text::nearest(units, em), em, &mut mask);
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

/// What of a cell of `cell` units at place `at` lies in each pixel: pixels with their share, at most `cell` each.
fn shares(at: i64, cell: i64, pixel: i64) -> impl Iterator<Item = (i64, i64)> {
    let end = at + cell;
    (at.div_euclid(pixel)..=(end - 1).div_euclid(pixel))
        .map(move |number| (number, end.min((number + 1) * pixel) - at.max(number * pixel)))
}

/// Draws a picture with its pen at a pixel. In units of which a pixel of the picture has `em` and one of the panel has [`EM`], every
/// length is whole.
fn draw(picture: &Picture<'_>, pen: i32, em: i32, mask: &mut Mask) {
    let (em, pixel) = (i64::from(em), i64::from(EM));
    // As the font's own lines stand: its em in the middle of the line.
    let ascent = (em * i64::from(text::ASCENT) + i64::from(text::UNITS) / 2) / i64::from(text::UNITS);
    let baseline = (i64::from(mask.height) - em) / 2 + ascent;
    let left = (i64::from(picture.x) - i64::from(PEN.0)) * em + i64::from(pen) * pixel;
    let top = (i64::from(picture.y) - i64::from(PEN.1)) * em + baseline * pixel;
    // Rows of the panel that are not complete yet, by number: at most two, because rows come from the top down.
    let width = i64::from(mask.width);
    let mut open: Vec<(i64, Vec<i64>)> = Vec::new();
    let mut across: Vec<i64> = vec![0; usize::try_from(width).unwrap_or(0)];
    let finish = |row: i64, sums: &[i64], mask: &mut Mask| {
        let whole = 15 * pixel * pixel;
        let Some(start) = (0..i64::from(mask.height))
            .contains(&row)
            .then(|| usize::try_from(row * width).ok())
            .flatten()
        else {
            return;
        };
        for (alpha, sum) in mask.alpha.iter_mut().skip(start).zip(sums) {
            // Characters may touch: what both cover is not darker than ink.
            let own = u8::try_from((sum * 255 + whole / 2) / whole).unwrap_or(u8::MAX);
            *alpha = alpha.saturating_add(own);
        }
    };
    // The section was checked when the package was accepted; rows behind a defect stay empty.
    let _ = picture.rows(|number, row| {
        across.fill(0);
        for (x, shade) in (0_i64..).zip(row).filter(|(_, shade)| **shade > 0) {
            for (place, share) in shares(left + x * em, em, pixel) {
                if let Some(sum) = usize::try_from(place).ok().and_then(|place| across.get_mut(place)) {
                    *sum += i64::from(*shade) * share;
                }
            }
        }
        for (place, share) in shares(top + i64::from(number) * em, em, pixel) {
            while open.first().is_some_and(|(first, _)| *first + 1 < place) {
                let (done, sums) = open.remove(0);
                finish(done, &sums, mask);
            }
            let sums = match open.iter_mut().find(|(own, _)| *own == place) {
                Some((_, sums)) => sums,
                None => {
                    open.push((place, vec![0; across.len()]));
                    let Some((_, sums)) = open.last_mut() else { return };
                    sums
                }
            };
            for (sum, own) in sums.iter_mut().zip(&across) {
                *sum += own * share;
            }
        }
    });
    for (row, sums) in open {
        finish(row, &sums, mask);
    }
}

#[cfg(test)]
mod tests;
