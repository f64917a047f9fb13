//! Mains power of one kiosk. It can fail between any two things the kiosk does with a device.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;

use super::boundary::Boundary;
use super::notify::Notify;

/// Decides at each boundary whether the power fails there; gets the boundary and its number since the first start.
pub type Fuse = Box<dyn FnMut(Boundary, u64) -> bool>;

/// How often a kind of boundary was passed, and how often the power failed there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Passed, those with a cut included.
    pub times: u64,
    /// Cuts.
    pub cuts: u64,
}

/// A kiosk's power. Every device of the kiosk passes [`Power::boundary`] before and after each operation whose effect
/// outlives the kiosk (a write, a sync, an item of the store): there the power can fail.
#[derive(Default)]
pub struct Power {
    boundaries: Cell<u64>,
    countdown: Cell<Option<u64>>,
    fuse: RefCell<Option<Fuse>>,
    passed: RefCell<BTreeMap<Boundary, Passed>>,
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

    /// The same by kind.
    #[must_use]
    pub fn passed(&self) -> BTreeMap<Boundary, Passed> {
        self.passed.borrow().clone()
    }

    /// Lets the power fail at the boundary after so many more: 0 is the next one.
    pub fn fail_after(&self, boundaries: u64) {
        self.countdown.set(Some(boundaries));
    }

    /// Takes the cut that [`Power::fail_after`] planned, for a kiosk whose boundaries are not counted here.
    pub fn planned(&self) -> Option<u64> {
        self.countdown.take()
    }

    /// Lets `fuse` decide at every boundary from now on.
    pub fn set_fuse(&self, fuse: Option<Fuse>) {
        *self.fuse.borrow_mut() = fuse;
    }

    /// A place where the power can fail; the future then never comes back.
    pub async fn boundary(&self, at: Boundary) {
        if self.failed.get() {
            return pending().await;
        }
        let number = self.boundaries.get();
        self.boundaries.set(number + 1);
        let fails = self.fails(at, number);
        {
            let mut passed = self.passed.borrow_mut();
            let passed = passed.entry(at).or_default();
            passed.times += 1;
            passed.cuts += u64::from(fails);
        }
        if fails {
            self.cut();
            pending().await
        }
    }

    fn fails(&self, at: Boundary, number: u64) -> bool {
        let fuse = self.fuse.borrow_mut().as_mut().is_some_and(|fuse| fuse(at, number));
        match self.countdown.get() {
            Some(0) => {
                self.countdown.set(None);
                true
            }
            Some(left) => {
                self.countdown.set(Some(left - 1));
                fuse
            }
            None => fuse,
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
