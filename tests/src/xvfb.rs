//! A display of a test's own (Xvfb): what stands on it as pixels, and fingers on it through the X server's test extension.
//!
//! `tests/run tools` installs what it needs (xvfb, xdotool); nothing is installed from here.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
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

/// A picture: red, green, blue, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Pixels in which two pictures of one size differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> usize {
        self.rgb
            .chunks(3)
            .zip(other.rgb.chunks(3))
            .filter(|(one, two)| one != two)
            .count()
    }

    /// Whether two pictures are the same within a rectangle.
    #[must_use]
    pub fn same_in(&self, other: &Self, rect: Rect) -> bool {
        (rect.y..rect.y + rect.height).all(|y| {
            let row = (y * self.width + rect.x) * 3..(y * self.width + rect.x + rect.width) * 3;
            self.rgb.get(row.clone()) == other.rgb.get(row)
        })
    }

    /// A picture a third as wide and high, for lists.
    #[must_use]
    pub fn small(&self) -> Self {
        let (width, height) = (self.width / 3, self.height / 3);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                for channel in 0..3 {
                    let sum: u32 = (0..9)
                        .map(|at| {
                            let pixel = (y * 3 + at / 3) * self.width + x * 3 + at % 3;
                            u32::from(self.rgb[pixel * 3 + channel])
                        })
                        .sum();
                    rgb.push(u8::try_from(sum / 9).unwrap_or(u8::MAX));
                }
            }
        }
        Self { width, height, rgb }
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
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(())
    }
}

/// A running display. Stopped, by its process id, when dropped.
pub struct Display {
    server: Child,
    name: String,
    screen: PathBuf,
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
        Ok(Self {
            server,
            name: format!(":{number}"),
            screen: folder.join("Xvfb_screen0"),
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
    pub fn picture(&self) -> Result<Picture> {
        let bytes = fs::read(&self.screen)?;
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
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let row = bytes
                .get(start + y * line..start + y * line + width * 4)
                .context("a picture that is cut off")?;
            for pixel in row.chunks(4) {
                match (big, pixel) {
                    (0, &[b, g, r, _]) | (_, &[_, r, g, b]) => rgb.extend([r, g, b]),
                    _ => {}
                }
            }
        }
        Ok(Picture { width, height, rgb })
    }

    fn xdotool(&self, arguments: &[&str]) -> Result<()> {
        let status = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.name)
            .status()
            .context("xdotool is missing: run `tests/run tools`")?;
        ensure!(status.success(), "xdotool {arguments:?}: {status}");
        Ok(())
    }

    /// A finger comes down.
    ///
    /// # Errors
    /// xdotool is missing or fails.
    pub fn press(&self, x: i32, y: i32) -> Result<()> {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "mousedown", "1"])
    }

    /// It leaves.
    ///
    /// # Errors
    /// As [`Display::press`].
    pub fn release(&self) -> Result<()> {
        self.xdotool(&["mouseup", "1"])
    }

    /// A finger for so long.
    ///
    /// # Errors
    /// As [`Display::press`].
    pub fn touch(&self, x: i32, y: i32, long: Duration) -> Result<()> {
        let (x, y, long) = (x.to_string(), y.to_string(), long.as_secs_f32().to_string());
        self.xdotool(&["mousemove", &x, &y, "mousedown", "1", "sleep", &long, "mouseup", "1"])
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::io::stdout().flush();
    }
}
