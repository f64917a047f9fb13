//! The front of a board for whoever is not of the world: a window that shows its picture, a hand that touches its glass.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::Result;
use kiosk::screen::Touch;
use mcu::finger::Phase;
use panel::Panel;

use super::finger::Finger;

/// The front of whichever board runs now, if one does. Clones are the same one.
#[derive(Clone, Default)]
pub struct Front(Rc<Behind>);

#[derive(Default)]
struct Behind {
    finger: RefCell<Option<Rc<Finger>>>,
    /// Boards that have stood there.
    starts: Cell<u64>,
}

impl Front {
    /// A board stands behind it until what is given goes.
    pub(super) fn stand(&self, finger: &Rc<Finger>) -> Standing {
        *self.0.finger.borrow_mut() = Some(finger.clone());
        self.0.starts.set(self.0.starts.get() + 1);
        Standing(self.clone())
    }

    fn finger(&self) -> Option<Rc<Finger>> {
        self.0.finger.borrow().clone()
    }

    /// The panel that knows where the board's buttons stand.
    #[must_use]
    pub fn panel(&self) -> Option<Panel> {
        Some(self.finger()?.panel().clone())
    }

    /// A finger on the glass; what the kiosk will be told by it. Where no board stands nothing happens.
    ///
    /// # Errors
    /// The board is gone, or there is no such pixel.
    pub fn touch(&self, phase: Phase, x: i32, y: i32) -> Result<Vec<Touch>> {
        let Some(finger) = self.finger() else {
            return Ok(Vec::new());
        };
        finger.event(phase, x, y)?;
        Ok(std::iter::from_fn(|| finger.panel().try_next()).collect())
    }

    /// The board's picture, RGB565 row by row, if it is another than the `known` one: which start, and which picture of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn picture(&self, known: &mut (u64, u32)) -> Result<Option<Vec<u8>>> {
        let Some(finger) = self.finger() else { return Ok(None) };
        if known.0 != self.0.starts.get() {
            *known = (self.0.starts.get(), 0);
        }
        finger.picture(&mut known.1)
    }
}

/// A board stands behind a front.
pub(super) struct Standing(Front);

impl Drop for Standing {
    fn drop(&mut self) {
        *self.0.0.finger.borrow_mut() = None;
    }
}
