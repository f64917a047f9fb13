//! A panic or a fault of the processor: the safe screen, then a restart. The media are whole at every moment, so there is nothing to save; what
//! stood on the screen, a choice perhaps, goes.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m_rt::{ExceptionFrame, exception};
use mcu::safe;
use mcu::screen::Display;
use panel::Panel;

use crate::display;

/// Draws the screen of a panic once and keeps it, before the display is on.
pub fn prepare(surface: &Display, panel: &Panel) {
    if !safe::prepare(surface, panel, display::pixels()) {
        defmt::warn!("the safe screen is too busy to be kept");
    }
}

/// Staff have to see it. Rounds of two or three clocks each: some five seconds at 160 MHz, less than the watchdog waits.
const SHOWN: u32 = 300_000_000;

/// First the screen, then a word to whoever listens: the log itself may be what failed. A second end within the first says nothing more.
pub fn end(say: impl FnOnce()) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    cortex_m::interrupt::disable();
    if !ENDING.swap(true, Ordering::Relaxed) {
        safe::show(display::pixels());
        say();
    }
    cortex_m::asm::delay(SHOWN);
    cortex_m::peripheral::SCB::sys_reset()
}

/// The stack has an end (MSPLIM, memory.x): what goes below it is a fault. The handler of that fault may go below, else it would fault itself.
pub fn keep_the_stack() {
    /// STKOFHFNMIGN in the register CCR.
    const IGNORED_IN_FAULTS: u32 = 1 << 10;
    // Before anything else runs; nobody else writes it.
    unsafe {
        (*cortex_m::peripheral::SCB::PTR)
            .ccr
            .modify(|bits| bits | IGNORED_IN_FAULTS)
    };
}

/// Says where, and what the source says; never what it was computed from, which may be a choice.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("?", 0), |place| (place.file(), place.line()));
    let text = info.message().as_str().unwrap_or_default();
    end(|| defmt::error!("panic at {=str}:{=u32} {=str}", file, line, text))
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    end(|| defmt::error!("fault of the processor at {=u32:#010x}", frame.pc()))
}

/// An interrupt or exception that nobody is there for.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    end(|| defmt::error!("interrupt {=i16} is nobody's", number))
}
