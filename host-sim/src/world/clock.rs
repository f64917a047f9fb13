//! A kiosk's clock and random source.

use std::cell::Cell;
use std::rc::Rc;

use chacha20::ChaCha20Rng;
use kiosk::ports::{Clock, Entropy, EntropyError};
use rand_core::Rng as _;

use super::time::Timeline;

/// A clock that shows the world's time, moved by an error that can be changed at any moment.
pub struct ClockPort {
    pub(super) time: Rc<Timeline>,
    /// Seconds since 1970 at the world's beginning.
    pub(super) begin: u64,
    /// Seconds by which the clock is wrong.
    pub(super) error: Rc<Cell<i64>>,
    /// When the kiosk was switched on.
    pub(super) started: u64,
}

impl Clock for ClockPort {
    fn seconds(&self) -> u64 {
        (self.begin + self.time.now() / 1000).saturating_add_signed(self.error.get())
    }

    fn milliseconds(&self) -> u64 {
        self.time.now() - self.started
    }

    async fn sleep(&self, milliseconds: u32) {
        self.time.sleep(u64::from(milliseconds)).await;
    }
}

/// A random source that is random to the kiosk and determined by the seed to us.
pub struct EntropyPort {
    pub(super) rng: ChaCha20Rng,
    /// Whether it works.
    pub(super) works: Rc<Cell<bool>>,
}

impl Entropy for EntropyPort {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if !self.works.get() {
            return Err(EntropyError);
        }
        self.rng.fill_bytes(bytes);
        Ok(())
    }
}
