//! Signed pictures of characters (SPEC.md, section 7, kind 8): how the names of an election look, whatever fonts a kiosk has.
//!
//! The desk draws every character of an election's texts once, large, into this section; a panel scales them down by whole
//! numbers, so that a name is the same pixels on every platform. A picture belongs to a *cluster*: a character with the
//! variation selectors and combining marks behind it (辻 with U+E0100 is another picture than 辻 alone).
//!
//! Must never know: which text a cluster stands in, and any font.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::Digest;
use crate::wire::{self, Seq, WireError};

mod pack;

pub use pack::pack;

/// Version of the format.
pub const VERSION: u8 = 1;
/// Pixels of the em that pictures are drawn in.
pub const EM: u8 = 96;
/// A picture's frame: pixels across and down.
pub const FRAME: (u8, u8) = (240, 134);
/// Where in the frame the pen stands when the cluster begins: from the left, and the baseline from the top. Left of the pen and
/// right of the cluster's own width ink may reach [`MARGIN`] far.
pub const PEN: (u8, u8) = (MARGIN, 104);
/// How far ink may reach over the width of its cluster, at either side.
pub const MARGIN: u8 = 12;
/// Longest section.
pub const MAX_SECTION: usize = 8 << 20;
/// Most pictures: every character of a large election, not every character there is.
pub const MAX_PICTURES: usize = 8_192;
/// Most fonts.
pub const MAX_FONTS: usize = 8;
/// Longest cluster in bytes of UTF-8.
pub const MAX_CLUSTER: usize = 32;

/// The section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pictures<'a> {
    /// [`VERSION`].
    pub version: u8,
    /// SHA-256 of the font files the pictures were drawn from, so that anybody can draw them again and compare.
    #[serde(borrow)]
    pub fonts: Seq<'a, Digest>,
    /// Strictly ascending by the bytes of `cluster`.
    #[serde(borrow)]
    pub pictures: Seq<'a, Picture<'a>>,
}

/// How a cluster looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture<'a> {
    /// The characters.
    pub cluster: &'a str,
    /// Place in [`Pictures::fonts`].
    pub font: u8,
    /// Left of the ink in the frame.
    pub x: u8,
    /// Its top.
    pub y: u8,
    /// Pixels across, at least 1.
    pub width: u8,
    /// Pixels down, at least 1.
    pub height: u8,
    /// The pixels, packed: see [`Picture::rows`].
    pub packed: &'a [u8],
}

/// Why pictures were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureError {
    /// The section is longer than [`MAX_SECTION`], or has too many pictures or fonts, or no font.
    Size,
    /// The bytes do not decode.
    Wire(WireError),
    /// Another version.
    Version(u8),
    /// Clusters are not strictly ascending, empty or too long.
    Cluster,
    /// A font that is not listed.
    Font,
    /// A picture is empty or reaches out of its frame.
    Frame,
    /// Packed pixels are too few, too many, or not in their one form.
    Packed,
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("it is too long, or has too many pictures or fonts, or no font"),
            Self::Wire(error) => error.fmt(f),
            Self::Version(version) => write!(f, "version {version} is not {VERSION}"),
            Self::Cluster => f.write_str("the characters are not strictly ascending, empty or too long"),
            Self::Font => f.write_str("a picture names a font that is not listed"),
            Self::Frame => f.write_str("a picture is empty or reaches out of its frame"),
            Self::Packed => f.write_str("a picture's pixels are too few, too many or not in their one form"),
        }
    }
}

impl core::error::Error for PictureError {}

impl<'a> Pictures<'a> {
    /// Reads a section and checks every picture of it to the last pixel.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PictureError> {
        if bytes.len() > MAX_SECTION {
            return Err(PictureError::Size);
        }
        let section: Self = wire::decode(bytes).map_err(PictureError::Wire)?;
        if section.version != VERSION {
            return Err(PictureError::Version(section.version));
        }
        let fonts = section.fonts.check().map_err(PictureError::Wire)?;
        if fonts == 0 || fonts > MAX_FONTS {
            return Err(PictureError::Size);
        }
        let mut before = "";
        let mut count = 0_usize;
        for picture in section.pictures.iter() {
            let picture = picture.map_err(PictureError::Wire)?;
            count = count.saturating_add(1);
            if count > MAX_PICTURES {
                return Err(PictureError::Size);
            }
            // The empty text is below every other.
            if picture.cluster <= before || picture.cluster.len() > MAX_CLUSTER {
                return Err(PictureError::Cluster);
            }
            before = picture.cluster;
            if usize::from(picture.font) >= fonts {
                return Err(PictureError::Font);
            }
            picture.check()?;
        }
        Ok(section)
    }
}

impl Picture<'_> {
    fn check(&self) -> Result<(), PictureError> {
        let inside = |at: u8, long: u8, frame: u8| long > 0 && at.checked_add(long).is_some_and(|end| end <= frame);
        if !inside(self.x, self.width, FRAME.0) || !inside(self.y, self.height, FRAME.1) {
            return Err(PictureError::Frame);
        }
        self.rows(|_, _| ())
    }

    /// Unpacks the picture row by row: the row's number and its pixels, 0 (nothing) to 15 (ink). Bounded by the frame whatever the
    /// bytes are.
    ///
    /// # Errors
    /// [`PictureError::Packed`]; rows that came before stand.
    pub fn rows(&self, row: impl FnMut(u8, &[u8])) -> Result<(), PictureError> {
        pack::unpack(self.packed, self.width, self.height, row)
    }
}

#[cfg(test)]
mod tests;
