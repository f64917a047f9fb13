//! A pixel of 16 bits as the display reads it, filled two at a time: half of a picture is ground of one colour.

use panel::slint::platform::software_renderer::{PremultipliedRgbaColor, Rgb565Pixel, TargetPixel};

/// Five bits of red, six of green, five of blue.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pixel(pub u16);

/// White.
pub const WHITE: Pixel = Pixel(u16::MAX);

impl TargetPixel for Pixel {
    #[inline]
    fn blend(&mut self, color: PremultipliedRgbaColor) {
        // Most pixels around a letter have nothing of it, and most others all.
        match color.alpha {
            0 => {}
            u8::MAX => *self = Self::from_rgb(color.red, color.green, color.blue),
            _ => {
                let mut pixel = Rgb565Pixel(self.0);
                pixel.blend(color);
                self.0 = pixel.0;
            }
        }
    }

    fn blend_slice(slice: &mut [Self], color: PremultipliedRgbaColor) {
        if color.alpha != u8::MAX {
            for pixel in slice {
                pixel.blend(color);
            }
            return;
        }
        let full = Self::from_rgb(color.red, color.green, color.blue);
        // Whole words, many in a row.
        let (many, rest) = slice.as_chunks_mut::<32>();
        for pixels in many {
            *pixels = [full; 32];
        }
        rest.fill(full);
    }

    fn from_rgb(red: u8, green: u8, blue: u8) -> Self {
        Self(Rgb565Pixel::from_rgb(red, green, blue).0)
    }
}
