//! Sixteen shades, packed: each pixel as its difference to the pixel above, equal differences as one run. Characters are mostly
//! upright strokes and empty ground, so most differences are 0.

use super::{FRAME, PictureError};

/// Longest run of differences that are not 0.
const SHORT: u16 = 16;
/// Longest run of differences that are 0.
const LONG: u16 = SHORT + 255;

/// Longest run of a difference.
const fn longest(difference: u8) -> u16 {
    if difference == 0 { LONG } else { SHORT }
}

/// Reads runs: difference and length. A run that could have been part of the one before it is refused.
struct Runs<'a> {
    bytes: &'a [u8],
    last: Option<(u8, u16)>,
}

impl Runs<'_> {
    fn next(&mut self) -> Result<(u8, u16), PictureError> {
        let (first, mut rest) = self.bytes.split_first().ok_or(PictureError::Packed)?;
        let (difference, mut length) = (first >> 4, u16::from(first & 15) + 1);
        if difference == 0 && length == SHORT {
            let (more, after) = rest.split_first().ok_or(PictureError::Packed)?;
            length += u16::from(*more);
            rest = after;
        }
        if self
            .last
            .is_some_and(|(last, run)| last == difference && run < longest(last))
        {
            return Err(PictureError::Packed);
        }
        self.bytes = rest;
        self.last = Some((difference, length));
        Ok((difference, length))
    }
}

/// See [`super::Picture::rows`].
pub(super) fn unpack(packed: &[u8], width: u8, height: u8, mut row: impl FnMut(u8, &[u8])) -> Result<(), PictureError> {
    let mut pixels = [0_u8; FRAME.0 as usize];
    let pixels = pixels.get_mut(..usize::from(width)).ok_or(PictureError::Frame)?;
    let mut runs = Runs {
        bytes: packed,
        last: None,
    };
    let (mut difference, mut left) = (0_u8, 0_u16);
    for number in 0..height {
        let mut rest = &mut *pixels;
        while !rest.is_empty() {
            if left == 0 {
                (difference, left) = runs.next()?;
            }
            let many = rest.len().min(usize::from(left));
            // At most as many as the row is wide.
            left -= u16::try_from(many).unwrap_or(left);
            let Some((run, after)) = rest.split_at_mut_checked(many) else {
                break;
            };
            // Most runs change nothing, and a microcontroller draws a page of names in a frame.
            if difference != 0 {
                for pixel in run {
                    *pixel = (*pixel + difference) & 15;
                }
            }
            rest = after;
        }
        row(number, pixels);
    }
    // A run that goes on behind the last pixel, or bytes behind the last run.
    if left > 0 || !runs.bytes.is_empty() {
        return Err(PictureError::Packed);
    }
    Ok(())
}

/// Packs pixels of 0 to 15, row by row, `width` a row. Gives the bytes to `sink`, at most two a pixel.
pub fn pack(pixels: &[u8], width: u8, mut sink: impl FnMut(u8)) {
    let width = usize::from(width);
    let mut write = |difference: u8, length: u16| {
        let short = u8::try_from(length.min(SHORT) - 1).unwrap_or(15);
        sink(difference << 4 | short);
        if difference == 0 && length >= SHORT {
            sink(u8::try_from(length - SHORT).unwrap_or(u8::MAX));
        }
    };
    let mut run: Option<(u8, u16)> = None;
    for (place, pixel) in pixels.iter().enumerate() {
        let above = place
            .checked_sub(width)
            .and_then(|place| pixels.get(place))
            .unwrap_or(&0);
        let difference = pixel.wrapping_sub(*above) & 15;
        run = match run {
            Some((same, length)) if same == difference && length < longest(same) => Some((same, length + 1)),
            Some((other, length)) => {
                write(other, length);
                Some((difference, 1))
            }
            None => Some((difference, 1)),
        };
    }
    if let Some((difference, length)) = run {
        write(difference, length);
    }
}
