//! Letters of a board: over the boxes that Slint has drawn, this writes a page's lines into the display's memory, those of the definition from the
//! package's pictures and all others from distance fields, 32 points an em (build/letters.rs); and its QR codes.
//!
//! Why not Slint's own text: its renderer takes some 100 instructions a pixel around a letter, drawn or not, and a page of text 60 ms of a Cortex-M33.
//! Here a row of a field is mixed once, and a pixel without ink costs a fifth of that. Slint still knows of every line: where one has changed, it draws the ground anew and says so, and there
//! this writes again (kit.slint, `PanelData.pen`).
//!
//! Letters stand where the layout has measured them; a character that the font lacks leaves its room empty, as in Slint.

use crate::layout::{Line, Page, Picture};
use crate::metrics::line_height;
use crate::pictures::Mask;
use crate::qr::QUIET;
use crate::surface::{margin, place};
use crate::text;

/// A letter's field: its place from pen and baseline in points, and where it begins in the bytes.
struct Letter {
    character: char,
    left: i16,
    top: i16,
    width: u8,
    height: u8,
    at: u32,
}

include!(concat!(env!("OUT_DIR"), "/letters.rs"));

/// Widest field: an em and more.
const WIDEST: usize = 64;

/// Whether every character of a text is one of the letters here. White space needs none.
#[must_use]
pub fn covers(text: &str) -> bool {
    text.chars().all(|character| {
        text::is_blank(character)
            || LETTERS
                .binary_search_by_key(&character, |letter| letter.character)
                .is_ok()
    })
}

/// Puts ink on pixels, in one colour.
pub trait Ink {
    /// A pixel of the display.
    type Pixel;
    /// Nothing but ink.
    fn whole(&self, pixel: &mut Self::Pixel);
    /// So much of 255.
    fn some(&self, pixel: &mut Self::Pixel, alpha: u8);
}

/// A part of the display, from left and top to right and bottom; these two are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// First column.
    pub left: i32,
    /// First row.
    pub top: i32,
    /// Behind the last column.
    pub right: i32,
    /// Behind the last row.
    pub bottom: i32,
}

impl Clip {
    fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        (both.left < both.right && both.top < both.bottom).then_some(both)
    }
}

/// What a page is written in.
pub struct Inks<'a, I> {
    /// Letters.
    pub letters: &'a I,
    /// Letters on a primary button.
    pub on_primary: &'a I,
    /// QR codes: black.
    pub codes: &'a I,
}

/// Writes what of a page's lines and codes lies in `clip`. `pixels` are rows of `width`.
pub fn write<I: Ink>(page: &Page, inks: &Inks<'_, I>, clip: Clip, pixels: &mut [I::Pixel], width: usize) {
    let rows = i32::try_from(pixels.len().checked_div(width).unwrap_or(0)).unwrap_or(i32::MAX);
    let columns = i32::try_from(width).unwrap_or(i32::MAX);
    let display = Clip {
        left: 0,
        top: 0,
        right: columns,
        bottom: rows,
    };
    let Some(clip) = clip.and(display) else { return };
    for line in page.texts.iter().chain(&page.captions) {
        let around = margin(line.em);
        let own = Clip {
            left: line.x - around,
            top: line.y,
            right: line.x + line.width + around,
            bottom: line.y + line.height,
        };
        let Some(clip) = clip.and(own) else { continue };
        let ink = if line.on_primary { inks.on_primary } else { inks.letters };
        match &line.picture {
            Some(mask) => picture(mask, line, ink, clip, pixels, width),
            None => letters(line, ink, clip, pixels, width),
        }
    }
    for picture in &page.pictures {
        code(picture, inks.codes, clip, pixels, width);
    }
}

/// The dark modules of a code, each a square of so many pixels as the layout gave it; Slint has drawn the light ground.
fn code<I: Ink>(picture: &Picture, ink: &I, clip: Clip, pixels: &mut [I::Pixel], width: usize) {
    let size = picture.code.size();
    let module = picture.side / (size + 2 * QUIET);
    for (across, down) in (0..size).flat_map(|down| (0..size).map(move |across| (across, down))) {
        if !picture.code.dark(across, down) {
            continue;
        }
        let (left, top) = (
            picture.x + (across + QUIET) * module,
            picture.y + (down + QUIET) * module,
        );
        let own = Clip {
            left,
            top,
            right: left + module,
            bottom: top + module,
        };
        let Some(own) = clip.and(own) else { continue };
        for y in own.top..own.bottom {
            for pixel in row(pixels, width, y, own.left, own.right) {
                ink.whole(pixel);
            }
        }
    }
}

/// A row of the display between two columns.
fn row<P>(pixels: &mut [P], width: usize, y: i32, left: i32, right: i32) -> &mut [P] {
    let at = |x: i32| Some(usize::try_from(y).ok()? * width + usize::try_from(x).ok()?);
    match (at(left), at(right)) {
        (Some(left), Some(right)) => pixels.get_mut(left..right).unwrap_or_default(),
        _ => &mut [],
    }
}

fn picture<I: Ink>(mask: &Mask, line: &Line, ink: &I, clip: Clip, pixels: &mut [I::Pixel], width: usize) {
    let left = line.x + place(line, mask);
    let own = Clip {
        left,
        top: line.y,
        right: left + mask.width,
        bottom: line.y + mask.height,
    };
    let Some(clip) = clip.and(own) else { return };
    for y in clip.top..clip.bottom {
        let from = (y - line.y) * mask.width + clip.left - left;
        let alphas = usize::try_from(from).ok().and_then(|from| mask.alpha.get(from..));
        let row = row(pixels, width, y, clip.left, clip.right);
        for (pixel, alpha) in row.iter_mut().zip(alphas.unwrap_or_default()) {
            match alpha {
                0 => {}
                255 => ink.whole(pixel),
                alpha => ink.some(pixel, *alpha),
            }
        }
    }
}

fn letters<I: Ink>(line: &Line, ink: &I, clip: Clip, pixels: &mut [I::Pixel], width: usize) {
    let (units, tall) = (text::UNITS.cast_signed(), text::ASCENT.cast_signed());
    let wide = text::width(&line.text, line.em);
    let x = line.x
        + match line.align {
            crate::layout::Align::Left => 0,
            crate::layout::Align::Centre => (line.width - wide) / 2,
            crate::layout::Align::Right => line.width - wide,
        };
    // The font's em stands in the middle of the line.
    let baseline = line.y + (line_height(line.em) - line.em) / 2 + (line.em * tall + units / 2) / units;
    let mut pen = 0;
    for character in line.text.chars() {
        if let Ok(found) = LETTERS.binary_search_by_key(&character, |letter| letter.character)
            && let Some(found) = LETTERS.get(found)
        {
            let at = (x + text::nearest(pen, line.em), baseline);
            letter(found, at, line.em, ink, clip, pixels, width);
        }
        pen += text::cell(character);
    }
}

/// Of points to a pixel, in 65,536ths, the first pixel whose middle lies at `point` or behind it.
fn first(point: i32, step: i32) -> i32 {
    -((step / 2 - (point << 16)).div_euclid(step))
}

fn letter<I: Ink>(
    letter: &Letter,
    (x, baseline): (i32, i32),
    em: i32,
    ink: &I,
    clip: Clip,
    pixels: &mut [I::Pixel],
    width: usize,
) {
    let em = em.clamp(1, 1 << 10);
    let (wide, high) = (usize::from(letter.width), usize::from(letter.height));
    let from = usize::try_from(letter.at).unwrap_or(usize::MAX);
    let Some(field) = FIELDS.get(from..).and_then(|rest| rest.get(..wide * high)) else {
        return;
    };
    let (left, top) = (i32::from(letter.left), i32::from(letter.top));
    let step = (FIELD << 16) / em;
    // Four points are mixed for a pixel, so the last one begins none.
    let own = Clip {
        left: x + first(left, step),
        top: baseline + first(top, step),
        right: x + first(left + i32::from(letter.width) - 1, step),
        bottom: baseline + first(top + i32::from(letter.height) - 1, step),
    };
    let Some(clip) = clip.and(own) else { return };
    // A straight edge is as wide as a pixel, a bit sharper: 9/8 of it. `mixed` below has 256 times the steps of a distance.
    let slope = em * 288 * 256 / (FIELD * STEPS);
    let most = (127 << 16) / slope.max(1);
    let begin = (clip.left - x) * step + step / 2 - (left << 16);
    let mut mixed = [0_i32; WIDEST];
    for y in clip.top..clip.bottom {
        let down = (y - baseline) * step + step / 2 - (top << 16);
        let part = down >> 8 & 255;
        let above = usize::try_from(down >> 16).unwrap_or(usize::MAX).saturating_mul(wide);
        let Some((above, below)) = field.get(above..).and_then(|rest| rest.split_at_checked(wide)) else {
            continue;
        };
        for ((mixed, above), below) in mixed.iter_mut().zip(above).zip(below) {
            let (above, below) = (i32::from(above.cast_signed()), i32::from(below.cast_signed()));
            *mixed = above.wrapping_mul(256 - part).wrapping_add(below.wrapping_mul(part));
        }
        // Never less than 0: `clip` begins behind the first point.
        let mut across = begin.cast_unsigned();
        for pixel in row(pixels, width, y, clip.left, clip.right) {
            let at = usize::try_from(across >> 16).unwrap_or(WIDEST);
            let part = (across >> 8 & 255).cast_signed();
            across = across.wrapping_add(step.cast_unsigned());
            let Some([one, two]) = mixed.get(at..).and_then(<[i32]>::first_chunk) else {
                continue;
            };
            let both = one.wrapping_mul(256 - part).wrapping_add(two.wrapping_mul(part)) >> 8;
            if both <= -most {
                continue;
            }
            if both >= most {
                ink.whole(pixel);
            } else {
                let alpha = 128 + (both.wrapping_mul(slope) >> 16);
                ink.some(pixel, u8::try_from(alpha.clamp(0, 255)).unwrap_or(u8::MAX));
            }
        }
    }
}

#[cfg(test)]
mod tests;
