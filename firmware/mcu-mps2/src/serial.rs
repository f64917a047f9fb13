//! The machine's UARTs (Arm CMSDK): bytes in by interrupt into a queue, bytes out at once.

use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use mcu::stand::{serial, word};

use crate::map;

/// Bytes that wait on a line at most; then the line's own flow control holds them back, if anybody is to take them. On a line that nobody
/// ever used, as the network's in a statutory election, they are lost.
const QUEUE: usize = 2_048;

const BASE: usize = 0x5020_0000;
const STATE: usize = 0x4;
const CONTROL: usize = 0x8;
const CLEAR: usize = 0xC;
const DIVIDER: usize = 0x10;
const OUT_FULL: u32 = 1;
const IN_FULL: u32 = 2;
const ENABLE: u32 = 0b11;
const IN_INTERRUPT: u32 = 1 << 3;

static QUEUES: [Pipe<CriticalSectionRawMutex, QUEUE>; serial::COUNT] = [const { Pipe::new() }; serial::COUNT];
/// Bytes read from each line since the host began to count.
static HEARD: [AtomicU32; serial::COUNT] = [const { AtomicU32::new(0) }; serial::COUNT];
/// Lines that somebody has used.
static USED: [AtomicBool; serial::COUNT] = [const { AtomicBool::new(false) }; serial::COUNT];
static SPOKEN: [AtomicU32; serial::COUNT] = [const { AtomicU32::new(0) }; serial::COUNT];

fn register(line: usize, offset: usize) -> *mut u32 {
    (BASE + line * 0x1000 + offset) as *mut u32
}

fn read(line: usize, offset: usize) -> u32 {
    unsafe { register(line, offset).read_volatile() }
}

fn write(line: usize, offset: usize, value: u32) {
    unsafe { register(line, offset).write_volatile(value) };
}

/// Switches all lines on.
pub fn start() {
    for line in 0..serial::COUNT {
        // After a restart by ourselves: what was on its way is gone, on both sides.
        HEARD[line].store(map::get(word::SENT + 4 * line), Ordering::Relaxed);
        SPOKEN[line].store(map::get(word::HEARD + 4 * line), Ordering::Relaxed);
        write(line, DIVIDER, 16);
        write(
            line,
            CONTROL,
            if line == serial::LOG { 1 } else { ENABLE | IN_INTERRUPT },
        );
        // Tells the emulator that bytes are welcome from now on: it looks again only when one is taken.
        let _ = read(line, 0);
    }
}

/// Sends bytes; waits where the other end is slow.
pub fn send(line: usize, bytes: &[u8]) {
    for byte in bytes {
        while read(line, STATE) & OUT_FULL != 0 {}
        write(line, 0, u32::from(*byte));
    }
    SPOKEN[line].fetch_add(bytes.len() as u32, Ordering::Relaxed);
}

/// Bytes have come.
pub fn interrupt(line: usize) {
    write(line, CLEAR, 0b1111);
    take(line);
    // Also if nobody waits for it: the host wants to know that it was heard.
    crate::run_soon();
}

fn take(line: usize) {
    let queue = &QUEUES[line];
    while read(line, STATE) & IN_FULL != 0 {
        if queue.is_full() && USED[line].load(Ordering::Relaxed) {
            // The byte stays where it is until there is room.
            write(line, CONTROL, ENABLE);
            return;
        }
        let byte = read(line, 0) as u8;
        HEARD[line].fetch_add(1, Ordering::Relaxed);
        if line == serial::HOST {
            crate::bell();
        } else {
            // There is room, or nobody will miss it.
            let _ = queue.try_write(&[byte]);
        }
    }
}

/// Whether every byte that the host has sent was read, and how many that are.
pub fn all_heard() -> Option<u32> {
    let mut sum = 0_u32;
    for (line, heard) in HEARD.iter().enumerate() {
        let heard = heard.load(Ordering::Relaxed);
        if heard != map::get(word::SENT + 4 * line) {
            return None;
        }
        sum = sum.wrapping_add(heard);
    }
    for (line, spoken) in SPOKEN.iter().enumerate() {
        map::set(word::HEARD + 4 * line, spoken.load(Ordering::Relaxed));
    }
    Some(sum)
}

/// A line, for whoever speaks on it.
pub struct Serial(pub usize);

impl Serial {
    /// The next byte. Dropping the future loses none.
    pub async fn byte(&mut self) -> u8 {
        USED[self.0].store(true, Ordering::Relaxed);
        let mut byte = [0];
        QUEUES[self.0].read(&mut byte).await;
        self.refill();
        byte[0]
    }

    fn refill(&self) {
        critical_section::with(|_| {
            if read(self.0, CONTROL) & IN_INTERRUPT == 0 {
                write(self.0, CONTROL, ENABLE | IN_INTERRUPT);
                // What came meanwhile raised no interrupt.
                take(self.0);
            }
        });
    }
}

impl embedded_io_async::ErrorType for Serial {
    type Error = Infallible;
}

impl embedded_io_async::Read for Serial {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(place) = buffer.first_mut() else { return Ok(0) };
        *place = self.byte().await;
        Ok(1)
    }
}

impl embedded_io_async::Write for Serial {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        // Whoever asks wants the answer.
        USED[self.0].store(true, Ordering::Relaxed);
        send(self.0, bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl card::uart::Line for Serial {
    fn set_speed(&mut self, _: card::t1::Speed) -> bool {
        // Bytes on a socket have no speed.
        true
    }
}
