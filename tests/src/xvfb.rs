//! A display of a test's own (Xvfb): what stands on it as pixels, and fingers on it through the X server's test extension.
//!
//! `tests/run tools` installs what it needs (xvfb, xdotool); nothing is installed from here.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left.
    pub x: usize,
    /// Top.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// A picture.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Row by row, red, green and blue as 0x00RRGGBB.
    pub pixels: Vec<u32>,
}

impl Picture {
    /// Pixels in which two pictures of one size differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> usize {
        self.pixels
            .iter()
            .zip(&other.pixels)
            .filter(|(one, two)| one != two)
            .count()
    }

    /// Whether two pictures are the same but for a rounded corner: where only a part of the display is drawn anew, the renderer's corners differ
    /// in a few pixels by a few shades, one redrawing from another. No letter and no dot of one does: ink and ground are far apart.
    #[must_use]
    pub fn same_but_for_corners(&self, other: &Self) -> bool {
        const PIXELS: usize = 12;
        const SHADES: u8 = 64;
        self.pixels.len() == other.pixels.len()
            && self.differing(other) <= PIXELS
            && self.pixels.iter().zip(&other.pixels).all(|(one, two)| {
                one.to_be_bytes()
                    .iter()
                    .zip(two.to_be_bytes())
                    .all(|(one, two)| one.abs_diff(two) <= SHADES)
            })
    }

    /// Whether two pictures are the same within a rectangle.
    #[must_use]
    pub fn same_in(&self, other: &Self, rect: Rect) -> bool {
        (rect.y..rect.y + rect.height).all(|y| {
            let row = y * self.width + rect.x..y * self.width + rect.x + rect.width;
            self.pixels.get(row.clone()) == other.pixels.get(row)
        })
    }

    /// A picture a third as wide and high, for lists.
    #[must_use]
    pub fn small(&self) -> Self {
        let (width, height) = (self.width / 3, self.height / 3);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let mut small = 0;
                for shift in [0, 8, 16] {
                    let sum: u32 = (0..9)
                        .map(|at| {
                            let pixel = (y * 3 + at / 3) * self.width + x * 3 + at % 3;
                            self.pixels[pixel] >> shift & 0xFF
                        })
                        .sum();
                    small |= (sum / 9) << shift;
                }
                pixels.push(small);
            }
        }
        Self { width, height, pixels }
    }

    /// Writes it as PNG.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn png(&self, path: &Path) -> Result<()> {
        let file = std::io::BufWriter::new(fs::File::create(path)?);
        let mut encoder = png::Encoder::new(file, u32::try_from(self.width)?, u32::try_from(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let rgb: Vec<u8> = self
            .pixels
            .iter()
            .flat_map(|pixel| {
                let [_, red, green, blue] = pixel.to_be_bytes();
                [red, green, blue]
            })
            .collect();
        encoder.write_header()?.write_image_data(&rgb)?;
        Ok(())
    }
}

/// A running display. Stopped, by its process id, when dropped.
pub struct Display {
    server: Child,
    /// xdotool, which carries out a line of its input at a time.
    hand: Child,
    name: String,
    screen: PathBuf,
    /// The server's file as it was read last, and what it showed: most looks find nothing new.
    bytes: Vec<u8>,
    seen: Picture,
}

impl Display {
    /// Starts one; the server chooses a number that nobody uses.
    ///
    /// # Errors
    /// Xvfb is missing or does not start.
    pub fn start(folder: &Path, width: u32, height: u32) -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-nolisten",
                "tcp",
                "-noreset",
                "-dpi",
                "96",
                "-screen",
                "0",
            ])
            .arg(format!("{width}x{height}x24"))
            .arg("-fbdir")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("xvfb.log"))?)
            .spawn()
            .context("Xvfb is missing: run `tests/run tools`")?;
        let mut number = String::new();
        let out = server.stdout.take().context("no output")?;
        BufReader::new(out).read_line(&mut number)?;
        let number = number.trim();
        if number.is_empty() {
            let _ = server.kill();
            let _ = server.wait();
            anyhow::bail!(
                "Xvfb does not start: {}",
                fs::read_to_string(folder.join("xvfb.log")).unwrap_or_default()
            );
        }
        let name = format!(":{number}");
        let hand = Command::new("xdotool")
            .arg("-")
            .env("DISPLAY", &name)
            .stdin(Stdio::piped())
            .spawn()
            .context("xdotool is missing: run `tests/run tools`");
        let hand = match hand {
            Ok(hand) => hand,
            Err(error) => {
                let _ = server.kill();
                let _ = server.wait();
                return Err(error);
            }
        };
        Ok(Self {
            server,
            hand,
            name,
            screen: folder.join("Xvfb_screen0"),
            bytes: Vec::new(),
            seen: Picture::default(),
        })
    }

    /// What clients have in `DISPLAY`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands on it now. The server keeps it in a file in the X window dump format (XWDFile.h).
    ///
    /// # Errors
    /// The file is not there or not of the format.
    pub fn picture(&mut self) -> Result<&Picture> {
        let before = std::mem::take(&mut self.bytes);
        self.bytes = Vec::with_capacity(before.len());
        fs::File::open(&self.screen)?.read_to_end(&mut self.bytes)?;
        if self.bytes != before {
            self.seen = decoded(&self.bytes)?;
        }
        Ok(&self.seen)
    }

    fn hand(&mut self, line: &str) -> Result<()> {
        let input = self.hand.stdin.as_mut().context("no input")?;
        writeln!(input, "{line}").with_context(|| format!("xdotool has ended before {line:?}"))?;
        Ok(input.flush()?)
    }

    /// A finger comes down.
    ///
    /// # Errors
    /// xdotool has ended.
    pub fn press(&mut self, x: i32, y: i32) -> Result<()> {
        self.hand(&format!("mousemove {x} {y} mousedown 1"))
    }

    /// It leaves.
    ///
    /// # Errors
    /// As [`Display::press`].
    pub fn release(&mut self) -> Result<()> {
        self.hand("mouseup 1")
    }

    /// A finger for so long; does not wait for it to leave.
    ///
    /// # Errors
    /// As [`Display::press`].
    pub fn touch(&mut self, x: i32, y: i32, long: Duration) -> Result<()> {
        let long = long.as_secs_f32();
        self.hand(&format!("mousemove {x} {y} mousedown 1 sleep {long} mouseup 1"))
    }
}

fn decoded(bytes: &[u8]) -> Result<Picture> {
    let word = |index: usize| -> Result<usize> {
        let word = bytes
            .get(index * 4..index * 4 + 4)
            .context("a header that is cut off")?;
        Ok(u32::from_be_bytes(word.try_into()?) as usize)
    };
    let (header, width, height, big) = (word(0)?, word(4)?, word(5)?, word(7)?);
    let (bits, line, colours) = (word(11)?, word(12)?, word(19)?);
    ensure!(word(1)? == 7 && bits == 32, "not a dump of 32 bits a pixel");
    let start = header + colours * 12;
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = bytes
            .get(start + y * line..start + y * line + width * 4)
            .context("a picture that is cut off")?;
        let pixel = |pixel: &[u8; 4]| match big {
            0 => u32::from_le_bytes(*pixel),
            _ => u32::from_be_bytes(*pixel),
        };
        pixels.extend(row.as_chunks::<4>().0.iter().map(|bytes| pixel(bytes) & 0x00FF_FFFF));
    }
    Ok(Picture { width, height, pixels })
}

impl Drop for Display {
    fn drop(&mut self) {
        for process in [&mut self.hand, &mut self.server] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_dot_is_no_corner() {
        let page = Picture {
            width: 40,
            height: 10,
            pixels: vec![0x00FB_F8F0; 400],
        };
        let with = |count: usize, colour: u32| {
            let mut pixels = page.pixels.clone();
            pixels[100..100 + count].fill(colour);
            Picture {
                width: 40,
                height: 10,
                pixels,
            }
        };
        assert!(page.same_but_for_corners(&with(6, 0x00C6_C3BB)), "some shades");
        assert!(!page.same_but_for_corners(&with(1, 0x0015_202C)), "one pixel of ink");
        assert!(!page.same_but_for_corners(&with(13, 0x00FA_F8F0)), "too many");
    }
}
