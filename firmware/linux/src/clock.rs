//! Time: the system's for what staff do, a monotonic one for everything else, and waits on the event loop's timers.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kiosk::ports::Clock;
use panel::slint::{Timer, TimerMode};

/// The clock. Copies are the same one.
#[derive(Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose milliseconds begin now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn seconds(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep(&self, milliseconds: u32) {
        let fired = Rc::new(Cell::new(false));
        let waker: Rc<Cell<Option<Waker>>> = Rc::default();
        // Stopped when this future is dropped.
        let timer = Timer::default();
        let (tell, wake) = (fired.clone(), waker.clone());
        timer.start(
            TimerMode::SingleShot,
            Duration::from_millis(milliseconds.into()),
            move || {
                tell.set(true);
                if let Some(waker) = wake.take() {
                    waker.wake();
                }
            },
        );
        poll_fn(|context| {
            if fired.get() {
                return Poll::Ready(());
            }
            waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        drop(timer);
    }
}
