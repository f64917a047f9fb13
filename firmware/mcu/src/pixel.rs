//! A pixel of 16 bits as the display reads it, filled two at a time: half of a picture is ground of one colour.

use panel::slint::Color;
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

/// One colour of letters, with all its shades made.
pub struct Ink {
    whole: Pixel,
    /// By alpha, a colour that is blended: as green, red and blue stand apart below.
    shades: [u32; 256],
}

/// Where green (shifted by 16), red and blue stand, so that all three are multiplied at once.
const APART: u32 = 0x07E0_F81F;

impl Ink {
    /// Of a colour that lets nothing through.
    #[must_use]
    pub fn new(color: Color) -> Self {
        let (red, green, blue) = (color.red(), color.green(), color.blue());
        let mut alpha = 0;
        let shades = core::array::from_fn(|_| {
            let part = |channel: u8| u32::from(channel) * alpha / 255;
            // As the renderer's own pixel of 16 bits does it, bit by bit: a name is the same whoever draws it.
            let shade = (part(red) << 13 | part(green) << 24 | part(blue) << 2) & 0xFC1F_03E0;
            alpha += 1;
            shade
        });
        Self {
            whole: Pixel::from_rgb(red, green, blue),
            shades,
        }
    }
}

impl panel::pen::Ink for Ink {
    type Pixel = Pixel;

    #[inline]
    fn whole(&self, pixel: &mut Pixel) {
        *pixel = self.whole;
    }

    #[inline]
    fn some(&self, pixel: &mut Pixel, alpha: u8) {
        let ground = u32::from(pixel.0);
        let ground = (ground | ground << 16) & APART;
        let through = (u32::from(!alpha) + 4) >> 3;
        let shade = self.shades.get(usize::from(alpha)).copied().unwrap_or(0);
        let both = ground.wrapping_mul(through).wrapping_add(shade) >> 5 & APART;
        #[allow(clippy::cast_possible_truncation)] // The halves are what is wanted.
        let both = (both | both >> 16) as u16;
        pixel.0 = both;
    }
}
