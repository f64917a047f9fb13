//! The kiosk's clock over Embassy's time.

use embassy_time::{Duration, Instant, Timer};
use kiosk::ports::Clock;

/// Time since the start, and what the calendar said then.
#[derive(Clone, Copy)]
pub struct BoardClock {
    /// Seconds since 1970 at the start; 0 where the board has no calendar.
    pub begin: u64,
}

impl Clock for BoardClock {
    fn seconds(&self) -> u64 {
        if self.begin == 0 {
            0
        } else {
            self.begin.saturating_add(Instant::now().as_secs())
        }
    }

    fn milliseconds(&self) -> u64 {
        Instant::now().as_millis()
    }

    async fn sleep(&self, milliseconds: u32) {
        Timer::after(Duration::from_millis(milliseconds.into())).await;
    }
}
