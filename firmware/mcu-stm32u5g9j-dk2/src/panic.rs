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

/// Staff have to see it: some five seconds at 160 MHz, less than the watchdog waits.
const SHOWN: u32 = 800_000_000;

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

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    end(|| defmt::error!("{}", defmt::Display2Format(info)))
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
