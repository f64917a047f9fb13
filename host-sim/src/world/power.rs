//! Mains power of one kiosk. It can fail between any two things the kiosk does with a device.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use super::notify::Notify;

/// A kiosk's power. Every device of the kiosk passes [`Power::boundary`] before and after each operation whose effect
/// outlives the kiosk (a write, a sync, an item of the store): there the power can fail.
#[derive(Default)]
pub struct Power {
    boundaries: Cell<u64>,
    fuse: Cell<Option<u64>>,
    failed: Cell<bool>,
    changed: Notify,
}

impl Power {
    /// Power that holds.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Boundaries passed so far, over all starts.
    #[must_use]
    pub fn boundaries(&self) -> u64 {
        self.boundaries.get()
    }

    /// Lets the power fail at the boundary after so many more: 0 is the next one.
    pub fn fail_after(&self, boundaries: u64) {
        self.fuse.set(Some(boundaries));
    }

    /// A place where the power can fail; the future then never comes back.
    pub async fn boundary(&self) {
        if self.failed.get() {
            return pending().await;
        }
        self.boundaries.set(self.boundaries.get() + 1);
        match self.fuse.get() {
            Some(0) => {
                self.fuse.set(None);
                self.cut();
                pending().await
            }
            Some(left) => self.fuse.set(Some(left - 1)),
            None => {}
        }
    }

    /// Cuts the power now.
    pub fn cut(&self) {
        self.failed.set(true);
        self.changed.notify();
    }

    /// Waits until the power is gone.
    pub async fn failure(&self) {
        self.changed.wait_for(|| self.failed.get().then_some(())).await;
    }

    /// Power is back.
    pub fn restore(&self) {
        self.failed.set(false);
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.failed.get()
    }
}
