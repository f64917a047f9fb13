//! A panic or a fault of the processor: the safe screen, then a restart. The media are whole at every moment, so there is nothing to save; what
//! stood on the screen, a choice perhaps, goes.

use core::panic::PanicInfo;

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

fn end() -> ! {
    cortex_m::interrupt::disable();
    safe::show(display::pixels());
    cortex_m::asm::delay(SHOWN);
    cortex_m::peripheral::SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    end()
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("fault of the processor at {=u32:#010x}", frame.pc());
    end()
}
