//! Virtual time: it moves only when nobody has anything left to do now, so a day takes as long as its work.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Milliseconds of one hour.
pub const HOUR: u64 = 3_600_000;
/// Milliseconds of one minute.
pub const MINUTE: u64 = 60_000;
/// Milliseconds of one second.
pub const SECOND: u64 = 1_000;

/// The world's clock, in milliseconds since the world began. Everybody in the world shares one.
#[derive(Default)]
pub struct Timeline {
    now: Cell<u64>,
    serial: Cell<u64>,
    /// By deadline, then by the order in which they were set: two sleepers of one moment wake in a fixed order.
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
}

impl Timeline {
    /// Time 0.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// Comes back after so many milliseconds.
    pub fn sleep(self: &Rc<Self>, milliseconds: u64) -> Sleep {
        self.until(self.now().saturating_add(milliseconds))
    }

    /// Comes back at that moment, at once if it is past.
    pub fn until(self: &Rc<Self>, deadline: u64) -> Sleep {
        Sleep {
            time: self.clone(),
            deadline,
            timer: None,
        }
    }

    /// The next moment for which somebody waits.
    pub(super) fn next(&self) -> Option<u64> {
        self.timers.borrow().first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Real time: moves to the next moment for which somebody waits, if it is not after `limit`, and wakes them; else to `limit`.
    pub(super) fn pass(&self, limit: u64) -> bool {
        if self.next().is_some_and(|moment| moment <= limit) {
            return self.advance();
        }
        self.now.set(limit.max(self.now()));
        false
    }

    /// Time as a test says it is; nobody waits.
    #[cfg(test)]
    pub(crate) fn pass_for_tests(&self, now: u64) {
        self.now.set(now);
    }

    /// Moves to the next moment for which somebody waits and wakes them; false if nobody waits.
    pub(super) fn advance(&self) -> bool {
        let Some((&(moment, _), _)) = self.timers.borrow().first_key_value() else {
            return false;
        };
        self.now.set(moment.max(self.now()));
        loop {
            let due = {
                let mut timers = self.timers.borrow_mut();
                match timers.first_key_value() {
                    Some((&(deadline, _), _)) if deadline <= self.now() => timers.pop_first(),
                    _ => None,
                }
            };
            match due {
                Some((_, waker)) => waker.wake(),
                None => return true,
            }
        }
    }
}

/// See [`Timeline::sleep`]. Dropping it takes its timer away.
pub struct Sleep {
    time: Rc<Timeline>,
    deadline: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.time.now() >= self.deadline {
            return Poll::Ready(());
        }
        let key = self.timer.unwrap_or_else(|| {
            let serial = self.time.serial.get();
            self.time.serial.set(serial + 1);
            (self.deadline, serial)
        });
        self.timer = Some(key);
        self.time.timers.borrow_mut().insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            self.time.timers.borrow_mut().remove(&key);
        }
    }
}
