//! The screen that a panic shows: the panel's own "out of order", drawn once while everything was well and kept in runs of one colour,
//! because nothing may be asked of a program that has just failed: no allocator, no renderer.

use panel::slint::platform::software_renderer::Rgb565Pixel;

/// Runs that are kept.
pub const RUNS: usize = 24_576;

/// A kept picture.
pub struct Safe {
    /// Length and colour.
    runs: [(u16, u16); RUNS],
    count: usize,
}

impl Default for Safe {
    fn default() -> Self {
        Self::empty()
    }
}

impl Safe {
    /// None yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            runs: [(0, 0); RUNS],
            count: 0,
        }
    }

    /// Keeps a picture; whether it fitted. One that does not leaves none.
    pub fn keep(&mut self, pixels: &[Rgb565Pixel]) -> bool {
        let mut count = 0;
        let mut run: (u16, u16) = (0, 0);
        for pixel in pixels {
            if run.0 > 0 && run.1 == pixel.0 && run.0 < u16::MAX {
                run.0 += 1;
                continue;
            }
            if run.0 > 0 && !self.put(&mut count, run) {
                return false;
            }
            run = (1, pixel.0);
        }
        if !self.put(&mut count, run) {
            return false;
        }
        self.count = count;
        true
    }

    fn put(&mut self, count: &mut usize, run: (u16, u16)) -> bool {
        let Some(place) = self.runs.get_mut(*count) else {
            self.count = 0;
            return false;
        };
        *place = run;
        *count += 1;
        true
    }

    /// Shows it; a white display where none is kept: better than a choice that stands there.
    pub fn show(&self, pixels: &mut [Rgb565Pixel]) {
        let mut pixels = pixels.iter_mut();
        for (length, colour) in self.runs.iter().take(self.count) {
            for pixel in pixels.by_ref().take(usize::from(*length)) {
                *pixel = Rgb565Pixel(*colour);
            }
        }
        for pixel in pixels {
            *pixel = Rgb565Pixel(u16::MAX);
        }
    }
}
