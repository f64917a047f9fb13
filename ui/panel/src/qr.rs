//! QR codes (versions 1 to 40, error correction low): what is too long for one has none, and the screen says its text only.
//!
//! The mask is always the same one. A maker of codes is to draw all eight and take the most even; but all that is shown here are hashes and what is
//! encrypted, as even under one mask as under another, and the other seven cost a microcontroller more than the whole screen. A reader finds the mask in the code.

use alloc::vec::Vec;
use core::fmt;

use qrcodegen_no_heap::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

/// Bytes of the largest payload: version 40, error correction low.
pub const MAX_PAYLOAD: usize = 2_953;

/// Light modules around a code that a reader needs.
pub const QUIET: i32 = 4;

/// A QR code.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    size: i32,
    modules: Vec<bool>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.size)
    }
}

impl Code {
    /// A code of text: digits and capitals with `-` take less room than bytes.
    #[must_use]
    pub fn text(text: &str) -> Option<Self> {
        let mut buffer = [0; Version::MAX.buffer_len()];
        let mut segment_buffer = [0; 128];
        if text.len() <= 64 && QrSegment::is_alphanumeric(text) {
            let segment = QrSegment::make_alphanumeric(text, &mut segment_buffer);
            return Self::segments(&[segment], &mut buffer);
        }
        Self::bytes(text.as_bytes())
    }

    /// A code of bytes; `None` above [`MAX_PAYLOAD`].
    #[must_use]
    pub fn bytes(payload: &[u8]) -> Option<Self> {
        if payload.len() > MAX_PAYLOAD {
            return None;
        }
        let mut buffer = [0; Version::MAX.buffer_len()];
        Self::segments(&[QrSegment::make_bytes(payload)], &mut buffer)
    }

    fn segments(segments: &[QrSegment<'_>], buffer: &mut [u8]) -> Option<Self> {
        let mut scratch = [0; Version::MAX.buffer_len()];
        let (length, ecc, version) =
            QrCode::encode_segments_to_codewords(segments, buffer, QrCodeEcc::Low, Version::MIN, Version::MAX, true)
                .ok()?;
        let code = QrCode::encode_codewords(buffer, length, &mut scratch, ecc, version, Some(Mask::new(0)));
        let size = code.size();
        let modules = (0..size)
            .flat_map(|y| (0..size).map(move |x| (x, y)))
            .map(|(x, y)| code.get_module(x, y))
            .collect();
        Some(Self { size, modules })
    }

    /// Modules a side, without the quiet zone.
    #[must_use]
    pub const fn size(&self) -> i32 {
        self.size
    }

    /// Whether a module is dark; light outside.
    #[must_use]
    pub fn dark(&self, x: i32, y: i32) -> bool {
        if x < 0 || y < 0 || x >= self.size || y >= self.size {
            return false;
        }
        usize::try_from(y * self.size + x)
            .ok()
            .and_then(|index| self.modules.get(index))
            .copied()
            .unwrap_or(false)
    }

    /// The picture, one pixel a module, with its quiet zone.
    #[must_use]
    pub fn image(&self) -> slint::Image {
        let side = self.size + 2 * QUIET;
        let mut buffer = slint::SharedPixelBuffer::<slint::Rgb8Pixel>::new(side.unsigned_abs(), side.unsigned_abs());
        for ((x, y), pixel) in (0..side)
            .flat_map(|y| (0..side).map(move |x| (x, y)))
            .zip(buffer.make_mut_slice())
        {
            let value = if self.dark(x - QUIET, y - QUIET) { 0 } else { 255 };
            *pixel = slint::Rgb8Pixel::new(value, value, value);
        }
        slint::Image::from_rgb8(buffer)
    }
}
