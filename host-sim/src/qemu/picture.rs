//! Pictures side by side: what a board has in its framebuffer, and what the panel draws on Linux at the same size.
//!
//! Everything but letters is the same to the pixel: boxes, marks, codes, names (which the desk has drawn). Letters of the panel's own texts are
//! the same ones at the same places, but they are drawn from distances here and from outlines there; so of a line of letters it is asked
//! whether each stretch of it as wide as a letter holds as much ink, and whether its ink begins and ends where it should.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mcu::stand::{HEIGHT, WIDTH};

/// Values of a channel that are the same: an edge blended in 5 bits is up to two of their steps off.
const SAME: i32 = 20;
/// Pixels that a line's ink may begin earlier or later.
const SHIFT: usize = 4;

/// A line of letters: where it is, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letters {
    /// From the left.
    pub x: usize,
    /// From the top.
    pub y: usize,
    /// Across.
    pub width: usize,
    /// Down; about a letter's height.
    pub height: usize,
}

/// How two pictures differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Pixels outside letters that are not the same.
    pub outside: usize,
    /// Lines of letters that begin or end elsewhere, or lack some.
    pub lines: usize,
    /// Lines of letters in all.
    pub of: usize,
    /// Pixels of letters that are not the same.
    pub edges: usize,
}

impl Difference {
    /// Whether both show the same.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.outside == 0 && self.lines == 0
    }
}

/// The pictures that were compared.
pub struct Album {
    folder: Option<PathBuf>,
    /// By name of the screen and language.
    pub pictures: BTreeMap<String, Difference>,
}

impl Album {
    /// An empty one; pictures are written to `folder` if there is one.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        Ok(Self {
            folder: folder.map(Path::to_owned),
            pictures: BTreeMap::new(),
        })
    }

    /// Whether there is one of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.pictures.contains_key(name)
    }

    /// Compares a framebuffer with Linux's pixels.
    ///
    /// # Errors
    /// The pictures cannot be written.
    pub fn compare(&mut self, name: String, framebuffer: &[u8], linux: &[[u8; 3]], letters: &[Letters]) -> Result<()> {
        let board = decode(framebuffer);
        let linux: Vec<[u8; 3]> = linux.iter().map(|pixel| coarse(*pixel)).collect();
        let difference = difference(&board, &linux, letters);
        if let Some(folder) = &self.folder {
            write(&folder.join(format!("{name}.board.png")), &board)?;
            write(&folder.join(format!("{name}.linux.png")), &linux)?;
        }
        self.pictures.insert(name, difference);
        Ok(())
    }
}

/// RGB565, little-endian, as RGB.
#[must_use]
pub fn decode(framebuffer: &[u8]) -> Vec<[u8; 3]> {
    framebuffer
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| {
            let value = u16::from_le_bytes(*pair);
            let channel = |value: u16, bits: u32| {
                let most = (1 << bits) - 1;
                u8::try_from(value & most).map_or(255, |value| (u32::from(value) * 255 / u32::from(most)) as u8)
            };
            [channel(value >> 11, 5), channel(value >> 5, 6), channel(value, 5)]
        })
        .collect()
}

/// As it would come back from 5, 6 and 5 bits.
fn coarse([r, g, b]: [u8; 3]) -> [u8; 3] {
    let channel = |value: u8, bits: u32| {
        let most = (1_u32 << bits) - 1;
        ((u32::from(value) >> (8 - bits)) * 255 / most) as u8
    };
    [channel(r, 5), channel(g, 6), channel(b, 5)]
}

fn apart(one: &[u8; 3], two: &[u8; 3]) -> i32 {
    one.iter()
        .zip(two)
        .map(|(one, two)| (i32::from(*one) - i32::from(*two)).abs())
        .max()
        .unwrap_or(0)
}

/// A line of letters in a picture: how much ink each column has, of 255 a pixel.
fn ink(pixels: &[[u8; 3]], line: &Letters) -> Vec<u32> {
    let at = |x: usize, y: usize| pixels.get(y * WIDTH + x).copied().unwrap_or_default();
    // What there is most of is what the letters stand on.
    let mut colours: BTreeMap<[u8; 3], u32> = BTreeMap::new();
    let (right, bottom) = ((line.x + line.width).min(WIDTH), (line.y + line.height).min(HEIGHT));
    for y in line.y..bottom {
        for x in line.x..right {
            *colours.entry(at(x, y)).or_default() += 1;
        }
    }
    let ground = colours
        .iter()
        .max_by_key(|(_, count)| **count)
        .map(|(colour, _)| *colour)
        .unwrap_or_default();
    (line.x..right)
        .map(|x| (line.y..bottom).map(|y| apart(&at(x, y), &ground).unsigned_abs()).sum())
        .collect()
}

/// First and last column with more than a speck of ink.
fn span(ink: &[u32]) -> Option<(usize, usize)> {
    let has = |ink: &u32| *ink > 160;
    Some((ink.iter().position(has)?, ink.iter().rposition(has)?))
}

/// Whether a line shows the same letters at the same place.
fn same_line(board: &[u32], linux: &[u32], letter: usize) -> bool {
    let (one, two) = match (span(board), span(linux)) {
        (None, None) => return true,
        (Some(one), Some(two)) => (one, two),
        _ => return false,
    };
    if one.0.abs_diff(two.0) > SHIFT || one.1.abs_diff(two.1) > SHIFT {
        return false;
    }
    // Stretches narrower than a letter, so that a letter that is missing empties one; what is a little beside it counts for the other picture,
    // because strokes are a pixel or two off.
    let letter = letter * 5 / 7;
    let stretch = (letter * 3 / 4).max(6);
    (0..linux.len()).step_by((stretch / 3).max(2)).all(|from| {
        let sum = |ink: &[u32], slack: usize| -> u32 {
            ink.iter()
                .skip(from.saturating_sub(slack))
                .take(stretch + slack + slack.min(from))
                .sum()
        };
        let holds = |what: &[u32], at_least: &[u32]| {
            let wanted = sum(at_least, 0);
            // A stretch that holds next to nothing says nothing.
            wanted < 255 * 14 || sum(what, 3) * 100 >= wanted * 25
        };
        holds(board, linux) && holds(linux, board)
    })
}

/// How two pictures of [`WIDTH`] by [`HEIGHT`] pixels differ.
#[must_use]
pub fn difference(board: &[[u8; 3]], linux: &[[u8; 3]], letters: &[Letters]) -> Difference {
    let mut inside = vec![false; WIDTH * HEIGHT];
    for line in letters {
        // Letters reach a little over their line.
        for y in line.y.saturating_sub(2)..(line.y + line.height + 2).min(HEIGHT) {
            for x in line.x.saturating_sub(3)..(line.x + line.width + 3).min(WIDTH) {
                if let Some(place) = inside.get_mut(y * WIDTH + x) {
                    *place = true;
                }
            }
        }
    }
    let mut difference = Difference {
        // A picture of another size differs by what is missing.
        outside: (WIDTH * HEIGHT).abs_diff(board.len()) + (WIDTH * HEIGHT).abs_diff(linux.len()),
        of: letters.len(),
        ..Difference::default()
    };
    for ((one, two), inside) in board.iter().zip(linux).zip(&inside) {
        if apart(one, two) > SAME {
            if *inside {
                difference.edges += 1;
            } else {
                difference.outside += 1;
            }
        }
    }
    difference.lines = letters
        .iter()
        .filter(|line| !same_line(&ink(board, line), &ink(linux, line), line.height))
        .count();
    difference
}

fn write(path: &Path, pixels: &[[u8; 3]]) -> Result<()> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(pixels.as_flattened())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page with lines of letters of a kind.
    fn page(dx: usize, dy: usize, without: usize) -> Vec<[u8; 3]> {
        let mut pixels = vec![[250; 3]; WIDTH * HEIGHT];
        for line in 0..8 {
            for letter in 0..30 {
                if line * 30 + letter >= 240 - without {
                    continue;
                }
                for y in 0..20 {
                    for x in (0..14).filter(|x| (x * 7 + y * 3 + letter) % 5 < 2) {
                        pixels[(20 + dy + line * 50 + y) * WIDTH + 20 + dx + letter * 22 + x] = [10; 3];
                    }
                }
            }
        }
        pixels
    }

    fn lines() -> Vec<Letters> {
        let line = |line: usize| Letters {
            x: 16,
            y: 16 + line * 50,
            width: 700,
            height: 26,
        };
        (0..8).map(line).collect()
    }

    #[test]
    fn a_page_that_has_moved_or_lacks_letters_is_told_from_one_that_is_the_same() {
        let compare = |board: &[[u8; 3]]| difference(board, &page(0, 0, 0), &lines());
        let same = compare(&page(0, 0, 0));
        assert!(same.is_same() && same.edges == 0 && same.of == 8, "{same:?}");
        // Letters drawn otherwise are a pixel off here and there.
        assert!(compare(&page(1, 1, 0)).is_same());
        for (dx, dy) in [(5, 0), (0, 9)] {
            let moved = compare(&page(dx, dy, 0));
            assert!(!moved.is_same(), "{moved:?}");
        }
        assert!(!compare(&page(0, 0, 1)).is_same(), "the last letter is blank");
        let mut blank = page(0, 0, 0);
        for y in 20..40 {
            blank[y * WIDTH + 20 + 22 * 9..y * WIDTH + 20 + 22 * 10].fill([250; 3]);
        }
        assert!(!compare(&blank).is_same(), "a letter in the middle is blank");
        let mut spot = page(0, 0, 0);
        spot[460 * WIDTH + 400] = [0; 3];
        assert_eq!(compare(&spot).outside, 1, "a pixel outside letters");
        assert!(!compare(&[]).is_same());
    }

    #[test]
    fn pixels_of_sixteen_bits_are_read_as_they_are_meant() {
        assert_eq!(
            decode(&[0x00, 0xF8, 0xE0, 0x07, 0x1F, 0x00]),
            [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
        );
        assert_eq!(coarse([255, 255, 255]), [255; 3]);
    }
}
