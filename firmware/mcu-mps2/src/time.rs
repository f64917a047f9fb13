//! Embassy's time: from the machine's timers, or from the host, which then keeps it ([`mcu::stand`]).

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_queue_utils::Queue;
use mcu::stand::word;

use crate::map;

/// TIMER0 counts down for ever, TIMER1 is the alarm; both 20 a microsecond.
const COUNTER: usize = 0x5000_0000;
const ALARM: usize = 0x5000_1000;
const CONTROL: usize = 0x0;
const VALUE: usize = 0x4;
const RELOAD: usize = 0x8;
const CLEAR: usize = 0xC;
const ENABLE: u32 = 1 | 1 << 3;
const PER_MICRO: u64 = 20;

struct Driver {
    queue: Mutex<RefCell<Queue>>,
    /// Times the counter came round.
    rounds: AtomicU32,
}

embassy_time_driver::time_driver_impl!(static DRIVER: Driver = Driver {
    queue: Mutex::new(RefCell::new(Queue::new())),
    rounds: AtomicU32::new(0),
});

fn read(timer: usize, offset: usize) -> u32 {
    unsafe { ((timer + offset) as *const u32).read_volatile() }
}

fn write(timer: usize, offset: usize, value: u32) {
    unsafe { ((timer + offset) as *mut u32).write_volatile(value) };
}

/// Starts the timers.
pub fn start() {
    write(COUNTER, VALUE, u32::MAX);
    write(COUNTER, RELOAD, u32::MAX);
    write(COUNTER, CONTROL, ENABLE);
}

/// The counter came round.
pub fn round() {
    write(COUNTER, CLEAR, 1);
    DRIVER.rounds.fetch_add(1, Ordering::Relaxed);
}

/// The alarm rings, or the host says another time.
pub fn alarm() {
    if !map::kept() {
        write(ALARM, CONTROL, 0);
        write(ALARM, CLEAR, 1);
    }
    critical_section::with(|section| {
        let next = DRIVER.queue.borrow(section).borrow_mut().next_expiration(now());
        set(next);
    });
}

/// Instructions under `-icount shift=0`: the counter itself.
fn now() -> u64 {
    if map::kept() {
        return map::get_long(word::NOW);
    }
    critical_section::with(|_| {
        let mut rounds = DRIVER.rounds.load(Ordering::Relaxed);
        let mut value = read(COUNTER, VALUE);
        // It came round just now and nobody has counted that yet.
        if read(COUNTER, CLEAR) & 1 != 0 {
            rounds = rounds.wrapping_add(1);
            value = read(COUNTER, VALUE);
        }
        (u64::from(rounds) * (1 << 32) + u64::from(u32::MAX - value)) / PER_MICRO
    })
}

/// The counter, upwards: 20 a microsecond of the machine's own time, whoever keeps the kiosk's.
pub fn ticks() -> u32 {
    u32::MAX - read(COUNTER, VALUE)
}

fn set(next: u64) {
    if map::kept() {
        map::set_long(word::ALARM, next);
        return;
    }
    if next == u64::MAX {
        return;
    }
    let ticks = next
        .saturating_sub(now())
        .saturating_mul(PER_MICRO)
        .clamp(PER_MICRO, u64::from(u32::MAX));
    write(ALARM, CONTROL, 0);
    write(ALARM, RELOAD, 0);
    write(ALARM, VALUE, ticks as u32);
    write(ALARM, CONTROL, ENABLE);
}

impl embassy_time_driver::Driver for Driver {
    fn now(&self) -> u64 {
        now()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow(section).borrow_mut();
            if queue.schedule_wake(at, waker) {
                let next = queue.next_expiration(now());
                set(next);
            }
        });
    }
}
