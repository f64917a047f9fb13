//! A board in the window: its own picture, fingers on its glass.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::Result;
use kiosk::screen::Touch;
use mcu::finger::Phase;
use mcu::stand;
use slint::{Image, Rgb8Pixel, SharedPixelBuffer};

use crate::qemu::Front;
use crate::world::machine::Machine;

/// The board as a window sees it.
pub struct Board {
    front: Front,
    /// Which picture of which start we have seen.
    known: Cell<(u64, u32)>,
    down: Cell<bool>,
}

impl Board {
    /// Whichever board runs this kiosk.
    pub fn new(machine: &Rc<Machine>) -> Self {
        Self {
            front: machine.front.clone(),
            known: Cell::default(),
            down: Cell::new(false),
        }
    }

    /// The panel that knows where its buttons stand, while it runs.
    pub fn panel(&self) -> Option<panel::Panel> {
        self.front.panel()
    }

    /// Its picture, if it has drawn another one.
    ///
    /// # Errors
    /// Its memory cannot be read.
    pub fn picture(&self) -> Result<Option<Image>> {
        let mut known = self.known.get();
        let Some(bytes) = self.front.picture(&mut known)? else {
            return Ok(None);
        };
        self.known.set(known);
        let mut buffer = SharedPixelBuffer::<Rgb8Pixel>::new(crate::qemu::CONFIG.width, crate::qemu::CONFIG.height);
        let pixels = crate::qemu::picture::decode(&bytes);
        for (place, [red, green, blue]) in buffer.make_mut_slice().iter_mut().zip(pixels) {
            *place = Rgb8Pixel::new(red, green, blue);
        }
        Ok(Some(Image::from_rgb8(buffer)))
    }

    /// A finger: 1 down, 2 moved, 3 up. One that never came down is a mouse that passes by.
    ///
    /// # Errors
    /// The board is gone.
    pub fn finger(&self, phase: i32, x: f32, y: f32) -> Result<Vec<Touch>> {
        let phase = match phase {
            1 => Phase::Down,
            2 if self.down.get() => Phase::Move,
            3 if self.down.get() => Phase::Up,
            _ => return Ok(Vec::new()),
        };
        self.down.set(phase != Phase::Up);
        // A mouse that is held leaves the glass; the finger stays at its edge.
        #[allow(clippy::cast_possible_truncation)] // Within the panel.
        let pixel =
            |at: f32, most: usize| at.clamp(0.0, panel::surface::float(i32::try_from(most).unwrap_or(1) - 1)) as i32;
        self.front.touch(phase, pixel(x, stand::WIDTH), pixel(y, stand::HEIGHT))
    }
}
