//! Pictures side by side: what a board has in its framebuffer, and what the panel draws on Linux at the same size.
//!
//! Everything but letters is the same to the pixel: boxes, marks, codes, names (which the desk has drawn). Letters of the panel's own texts are
//! the same ones at the same places, but they are drawn from distances here and from outlines there: strokes are a fraction of a pixel
//! off. So each stretch of a line as wide as a letter is laid on the other picture's as well as it goes (beside the stretch before it by 2 pixels at most), and
//! then no small square, a seventh of a letter wide, may have more or less ink by three tenths of its area: another character has strokes
//! that nothing makes up for, and so has one that lost a dot.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mcu::stand::{HEIGHT, WIDTH};

/// Values of a channel that are the same: an edge blended in 5 bits is up to two of their steps off.
const SAME: i32 = 20;
/// Pixels that a letter may stand further left or right.
const SHIFT: i64 = 3;
/// Pixels that it may stand further left or right than the one before it.
const DRIFT: i64 = 2;
/// Hundredths of a small square's area, a seventh of a letter wide, that may have ink more or less. Letters that a board draws from distances reach
/// 25 (where an advance is rounded within a letter's width; 18 in two whole elections), another character makes 34 at least (未 for 末; 36 is ば for ぱ, 38 士 for 土).
const STRANGE: i32 = 30;

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
    /// Lines of letters that are others, stand elsewhere, or lack some.
    pub lines: usize,
    /// Lines of letters in all.
    pub of: usize,
    /// Pixels of letters that are not the same.
    pub edges: usize,
    /// The most that a small square of any line has ink more or less, in hundredths.
    pub strangest: i32,
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

/// How much ink each pixel of a line has, in 255ths, row by row.
struct Ink {
    cover: Vec<i32>,
    width: usize,
    height: usize,
}

impl Ink {
    /// Of a line in a picture, on its ground, where `full` is as far from the ground as whole ink.
    fn of(pixels: &[[u8; 3]], line: &Letters, ground: [u8; 3], full: i32) -> Self {
        let (right, bottom) = ((line.x + line.width).min(WIDTH), (line.y + line.height).min(HEIGHT));
        let (width, height) = (right.saturating_sub(line.x), bottom.saturating_sub(line.y));
        let cover = (line.y..bottom)
            .flat_map(|y| (line.x..right).map(move |x| y * WIDTH + x))
            .map(|at| {
                pixels
                    .get(at)
                    .map_or(0, |pixel| (apart(pixel, &ground) * 255 / full).min(255))
            })
            .collect();
        Self { cover, width, height }
    }

    /// Nothing beside the line.
    fn at(&self, x: i64, y: i64) -> i32 {
        match (usize::try_from(x), usize::try_from(y)) {
            (Ok(x), Ok(y)) if x < self.width && y < self.height => {
                self.cover.get(y * self.width + x).copied().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// In the middle between four pixels, in half pixels; four times the ink.
    fn halves(&self, x: i64, y: i64) -> i32 {
        let (left, top) = (x.div_euclid(2), y.div_euclid(2));
        let (right, bottom) = ((x + 1).div_euclid(2), (y + 1).div_euclid(2));
        self.at(left, top) + self.at(right, top) + self.at(left, bottom) + self.at(right, bottom)
    }
}

/// The ground of a line: the colour there is most of.
fn ground(pixels: &[[u8; 3]], line: &Letters) -> [u8; 3] {
    let mut colours: BTreeMap<[u8; 3], u32> = BTreeMap::new();
    for y in line.y..(line.y + line.height).min(HEIGHT) {
        for x in line.x..(line.x + line.width).min(WIDTH) {
            *colours
                .entry(pixels.get(y * WIDTH + x).copied().unwrap_or_default())
                .or_default() += 1;
        }
    }
    let most = colours.iter().max_by_key(|(_, count)| **count);
    most.map(|(colour, _)| *colour).unwrap_or_default()
}

/// How much a line of letters differs, in hundredths: the most that any small square has more or less ink than it should, when each stretch as
/// wide as a letter is laid on the other as well as it goes.
///
/// Letters drawn in another way have their strokes a fraction of a pixel elsewhere: what a square lacks on one side of a stroke it has on the other.
/// A stroke that is not there, or one too many, is ink that nothing makes up for.
fn strangeness(board: &[[u8; 3]], linux: &[[u8; 3]], line: &Letters) -> i32 {
    const SQUARE: i32 = 100;
    let under = ground(linux, line);
    if apart(&ground(board, line), &under) > SAME {
        return SQUARE;
    }
    let far = |pixels: &[[u8; 3]]| {
        let rows = line.y..(line.y + line.height).min(HEIGHT);
        rows.flat_map(|y| (line.x..(line.x + line.width).min(WIDTH)).map(move |x| y * WIDTH + x))
            .filter_map(|at| pixels.get(at))
            .map(|pixel| apart(pixel, &under))
            .max()
            .unwrap_or(0)
    };
    let full = far(linux);
    if full <= 2 * SAME {
        // Nothing is written there.
        return if far(board) <= 2 * SAME { 0 } else { SQUARE };
    }
    let (one, two) = (Ink::of(board, line, under, full), Ink::of(linux, line, under, full));
    // An em: a line is 1.4 of them high.
    let letter = (line.height * 5 / 7).max(8);
    // Advances are whole pixels there, so a line drifts: each stretch is looked for around the one before it.
    let mut around = None;
    (0..two.width)
        .step_by(letter / 2)
        .map(|from| {
            let (strange, place) = stretch(&one, &two, from, letter, around);
            around = place.or(around);
            strange
        })
        .max()
        .unwrap_or(0)
}

/// The same for one stretch, and where it was found, if there was ink: at most [`SHIFT`] pixels beside its place, or [`DRIFT`] beside the one before it.
fn stretch(board: &Ink, linux: &Ink, from: usize, letter: usize, around: Option<i64>) -> (i32, Option<i64>) {
    let signed = |value: usize| i64::try_from(value).unwrap_or(0);
    let (left, width, height) = (signed(from), signed(letter), signed(linux.height));
    let places = || (0..height).flat_map(|y| (left..left + width).map(move |x| (x, y)));
    if places().all(|(x, y)| linux.at(x, y) < 64 && board.at(x, y) < 64) {
        return (0, None);
    }
    let squared = |difference: i32| i64::from(difference) * i64::from(difference);
    // Where the other picture's letter stands: first in whole pixels, by every second row, then in halves around that.
    let (middle, reach) = around.map_or((0, SHIFT), |before| (before, DRIFT));
    let whole = (middle - reach..=middle + reach).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy)));
    let apart = |(dx, dy): (i64, i64)| -> i64 {
        let rows = places().filter(|(_, y)| y % 2 == 0);
        rows.map(|(x, y)| squared(board.at(x + dx, y + dy) - linux.at(x, y)))
            .sum()
    };
    let (x, y) = whole
        .min_by_key(|place| (apart(*place), (place.0 - middle).abs() + place.1.abs()))
        .unwrap_or((0, 0));
    let difference =
        |(dx, dy): (i64, i64), (x, y): (i64, i64)| board.halves(2 * x + dx, 2 * y + dy) - 4 * linux.at(x, y);
    let near = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (2 * x + dx, 2 * y + dy)));
    let best = near
        .min_by_key(|place| places().map(|at| squared(difference(*place, at))).sum::<i64>())
        .unwrap_or((0, 0));
    let found: Vec<i32> = places().map(|at| difference(best, at)).collect();
    let side = (letter / 7).max(4);
    let sum = |left: usize, top: usize| -> i32 {
        let rows = found.chunks(letter).skip(top).take(side);
        rows.map(|row| row.iter().skip(left).take(side).sum::<i32>()).sum()
    };
    let most = (0..=linux.height.saturating_sub(side))
        .flat_map(|top| (0..=letter.saturating_sub(side)).map(move |left| (left, top)))
        .map(|(left, top)| sum(left, top).abs())
        .max()
        .unwrap_or(0);
    // A little ink at the rim fits in many places: then the next stretch is looked for where this one was.
    let written: i32 = places().map(|(x, y)| linux.at(x, y)).sum();
    let sure = usize::try_from(written / 255).unwrap_or(0) * 12 > letter * letter;
    let area = i32::try_from(side * side).unwrap_or(i32::MAX);
    (most * 100 / (4 * 255 * area), sure.then_some(x))
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
    for line in letters {
        let strange = strangeness(board, linux, line);
        difference.strangest = difference.strangest.max(strange);
        difference.lines += usize::from(strange > STRANGE);
    }
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
    use election::manifest::Text;
    use election::wire::SeqWriter;
    use kiosk::screen::Screen;

    /// A screen that says this, in the panel's own letters.
    fn said(text: &str) -> (Vec<[u8; 3]>, Vec<Letters>) {
        let config = panel::Config {
            width: WIDTH as u32,
            height: HEIGHT as u32,
            diagonal_mm: mcu::stand::DIAGONAL_MM,
        };
        let panel = panel::render::Headless::new(config).unwrap();
        let mut bytes = [0; 512];
        let mut names = SeqWriter::new(&mut bytes);
        for language in ["ja", "en"] {
            names.push(&Text { language, text }).unwrap();
        }
        let name = names.finish();
        panel.panel.show(&Screen::Idle {
            election: name,
            station: name,
        });
        let (_, _, pixels) = panel.pixels();
        let pixels = pixels.iter().map(|pixel| coarse([pixel.r, pixel.g, pixel.b])).collect();
        (pixels, crate::qemu::letters(&panel.panel.page()))
    }

    /// As a renderer of distances might draw it: everything half a pixel off, strokes a little bolder or thinner.
    fn rougher(pixels: &[[u8; 3]], dx: usize, dy: usize, weight: i32) -> Vec<[u8; 3]> {
        let at = |x: usize, y: usize| {
            pixels
                .get(y.min(HEIGHT - 1) * WIDTH + x.min(WIDTH - 1))
                .copied()
                .unwrap_or_default()
        };
        let mean = |x: usize, y: usize, channel: usize| {
            let sum = [at(x, y), at(x + dx, y), at(x, y + dy), at(x + dx, y + dy)];
            let mean = sum.iter().map(|pixel| i32::from(pixel[channel])).sum::<i32>() / 4;
            // Dark on light: what is between becomes darker or lighter.
            let mean = if (60..230).contains(&mean) { mean - weight } else { mean };
            u8::try_from(mean.clamp(0, 255)).unwrap()
        };
        (0..HEIGHT)
            .flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
            .map(|(x, y)| [0, 1, 2].map(|channel| mean(x, y, channel)))
            .collect()
    }

    /// Characters that people mistake for one another, voiced and unvoiced ones, digits.
    #[test]
    fn another_character_is_refused_and_the_same_one_drawn_otherwise_is_not() {
        let mut least = i32::MAX;
        let right = "土木未来日本大人か";
        let (linux, letters) = said(right);
        let same = difference(&linux, &linux, &letters);
        assert!(
            same.is_same() && same.edges == 0 && same.of > 2 && same.strangest == 0,
            "{same:?}"
        );
        let mut most = 0;
        for (dx, dy, weight) in [(1, 0, 0), (0, 1, 0), (1, 1, 25), (1, 1, -25)] {
            let rough = difference(&rougher(&linux, dx, dy, weight), &linux, &letters);
            assert_eq!(rough.lines, 0, "{dx} {dy} {weight}: {rough:?}");
            most = most.max(rough.strangest);
        }
        for wrong in [
            "士木未来日本大人か",
            "土本未来日本大人か",
            "土木末来日本大人か",
            "土木未来目本大人か",
            "土木未来日木大人か",
            "土木未来日本犬人か",
            "土木未来日本太人か",
            "土木未来日本大入か",
            "土木未来日本大人が",
            "土木未来日本大人",
            "土木未来日本大 か",
        ] {
            let (board, _) = said(wrong);
            let other = difference(&board, &linux, &letters);
            assert!(other.lines > 0, "{wrong} passes for {right}: {other:?}");
            least = least.min(other.strangest);
        }
        for (one, two) in [
            ("3つまで", "8つまで"),
            ("はひふ", "ばひふ"),
            ("はひふ", "ぱひふ"),
            ("ばひふ", "ぱひふ"),
            ("1/4", "1/1"),
        ] {
            let ((linux, letters), (board, _)) = (said(one), said(two));
            let other = difference(&board, &linux, &letters);
            assert!(other.lines > 0, "{two} passes for {one}: {other:?}");
            least = least.min(other.strangest);
        }
        println!("the same drawn otherwise: {most} at most; another character: {least} at least; bound {STRANGE}");
    }

    #[test]
    fn a_page_that_has_moved_or_has_a_spot_is_told_from_one_that_is_the_same() {
        let (linux, letters) = said("土木未来");
        let moved = |dx: usize, dy: usize| -> Vec<[u8; 3]> {
            let at = |x: usize, y: usize| {
                linux
                    .get((y + HEIGHT - dy) % HEIGHT * WIDTH + (x + WIDTH - dx) % WIDTH)
                    .copied()
            };
            (0..HEIGHT)
                .flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
                .filter_map(|(x, y)| at(x, y))
                .collect()
        };
        assert_eq!(difference(&moved(1, 1), &linux, &letters).lines, 0);
        for (dx, dy) in [(9, 0), (0, 9)] {
            assert!(difference(&moved(dx, dy), &linux, &letters).lines > 0, "{dx} {dy}");
        }
        let mut spot = linux.clone();
        spot[(HEIGHT - 1) * WIDTH + 3] = [0; 3];
        assert_eq!(
            difference(&spot, &linux, &letters).outside,
            1,
            "a pixel outside letters"
        );
        assert!(!difference(&[], &linux, &letters).is_same());
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
