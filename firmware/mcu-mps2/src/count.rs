//! Instructions, where the emulator runs one a nanosecond (`-icount shift=0`): the machine's timer counts 50 of them a tick. The records go to the
//! memory shared with the host, if that wants them.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};

use critical_section::Mutex;
use mcu::count::{Counts, Event, RECORD, Work};
use mcu::sight::kind;
use mcu::stand::{self, word};

use crate::{map, time};

static COUNTS: Mutex<RefCell<Counts>> = Mutex::new(RefCell::new(Counts::new()));

/// While it lives, the processor works for somebody; then for whoever it worked for before.
pub struct For(Work);

impl For {
    /// From now on.
    pub fn new(work: Work) -> Self {
        Self(switch(work))
    }
}

impl Drop for For {
    fn drop(&mut self) {
        switch(self.0);
    }
}

fn switch(work: Work) -> Work {
    critical_section::with(|section| COUNTS.borrow(section).borrow_mut().switch(work, time::ticks()))
}

/// A future whose turns are work for somebody.
pub async fn counted<T>(work: Work, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _work = For::new(work);
        future.as_mut().poll(context)
    })
    .await
}

/// Whether the screen is one for voters: staff's are looked at for minutes and are drawn anew each second.
static VOTERS: AtomicBool = AtomicBool::new(false);

/// Something happened.
pub fn happened(event: Event) {
    if let Event::Screen(screen) = event {
        // From the idle screen on, until staff come.
        let voters = screen == kind::IDLE || (screen < kind::MENU && VOTERS.load(Ordering::Relaxed));
        VOTERS.store(voters, Ordering::Relaxed);
    }
    if map::get(word::COUNT) != 1 || !VOTERS.load(Ordering::Relaxed) {
        return;
    }
    let record = critical_section::with(|section| COUNTS.borrow(section).borrow_mut().record(event, time::ticks()));
    let number = map::get(word::COUNTED);
    let at = number as usize * RECORD;
    if at + RECORD <= stand::COUNTS_LEN {
        for (index, byte) in record.iter().enumerate() {
            unsafe { map::byte(stand::COUNTS + at + index).write_volatile(*byte) };
        }
    }
    map::set(word::COUNTED, number.wrapping_add(1));
}
