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

/// Says where, and what the source says; never what it was computed from, which may be a choice.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("?", 0), |place| (place.file(), place.line()));
    let text = info.message().as_str().unwrap_or_default();
    end(|| defmt::error!("panic at {=str}:{=u32} {=str}", file, line, text))
}

/// The stack has an end (MSPLIM; memory.x): what goes below it is a fault. Its handler may go below, into what was left for it; without that the
/// first thing it does would be a fault again, and the processor would lock up. (Tried in the emulator of the other board's processor.)
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn HardFault() -> ! {
    core::arch::naked_asm!("mov r0, #0", "msr MSPLIM, r0", "mov r0, sp", "b {}", sym fault)
}

extern "C" fn fault(frame: &ExceptionFrame) -> ! {
    /// STKOF in the register CFSR: below the end of the stack. Then there is no frame.
    const OVERFLOW: u32 = 1 << 20;
    // Reading it changes nothing.
    let why = unsafe { (*cortex_m::peripheral::SCB::PTR).cfsr.read() };
    end(|| {
        if why & OVERFLOW == 0 {
            defmt::error!("fault of the processor at {=u32:#010x}, {=u32:#010x}", frame.pc(), why);
        } else {
            defmt::error!("the stack is too small");
        }
    })
}

/// An interrupt or exception that nobody is there for.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    end(|| defmt::error!("interrupt {=i16} is nobody's", number))
}
