//! The screen that a panic shows: the panel's own "out of order", drawn once while everything was well and kept in runs of one colour,
//! because nothing may be asked of a program that has just failed: no allocator, no renderer.
//!
//! A board calls [`prepare`] before its tasks run and [`show`] from its panic handler; how it then tells somebody and starts again is its own.
#![allow(unsafe_code)] // What a panic reads lies in a static that nobody may be waited for.

use core::sync::atomic::{AtomicU8, Ordering};

use kiosk::screen::{Fault, Screen};
use panel::Panel;

use crate::pixel::{Pixel, WHITE};
use crate::screen::Display;

/// What it says.
const SCREEN: Screen<'static> = Screen::Fault {
    why: Fault::Defect,
    recorded: None,
};

/// [`NONE`], then [`DRAWING`], then [`READY`]: never back. Who has turned the first into the second may write [`KEPT`]; at the third nobody may any more.
static STATE: AtomicU8 = AtomicU8::new(NONE);
const NONE: u8 = 0;
const DRAWING: u8 = 1;
const READY: u8 = 2;
static mut KEPT: Safe = Safe::empty();

/// Draws the screen of a panic on the display's pixels and keeps it, once; whether it is kept. One that is too busy is not, and neither is a second one.
pub fn prepare(display: &Display, panel: &Panel, pixels: &mut [Pixel]) -> bool {
    if STATE
        .compare_exchange(NONE, DRAWING, Ordering::AcqRel, Ordering::Acquire)
        .is_err()
    {
        return false;
    }
    panel.show(&SCREEN);
    display.draw(pixels);
    // Ours alone: see `STATE`.
    let kept = unsafe { (*(&raw mut KEPT)).keep(pixels) };
    STATE.store(READY, Ordering::Release);
    kept
}

/// Shows it: with interrupts off, and nothing drawn afterwards. A white display where none is kept.
pub fn show(pixels: &mut [Pixel]) {
    if STATE.load(Ordering::Acquire) == READY {
        // Nobody writes it any more.
        unsafe { (*(&raw const KEPT)).show(pixels) };
    } else {
        pixels.fill(WHITE);
    }
}

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
    pub fn keep(&mut self, pixels: &[Pixel]) -> bool {
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
    pub fn show(&self, pixels: &mut [Pixel]) {
        let mut pixels = pixels.iter_mut();
        for (length, colour) in self.runs.iter().take(self.count) {
            for pixel in pixels.by_ref().take(usize::from(*length)) {
                *pixel = Pixel(*colour);
            }
        }
        for pixel in pixels {
            *pixel = WHITE;
        }
    }
}
