//! A panic or a fault of the processor: the safe screen, a word to the host, a restart. The media are whole at every moment, so there is
//! nothing to save; what stood on the screen, a choice perhaps, goes.

use core::fmt::Write as _;
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use mcu::safe;
use mcu::screen::Display;
use mcu::stand::{End, Said, serial, word};
use panel::Panel;

use crate::map;

/// Draws the screen of a panic once and keeps it.
pub fn prepare(display: &Display, panel: &Panel) {
    if !safe::prepare(display, panel, map::pixels()) {
        defmt::warn!("the safe screen is too busy to be kept");
    }
}

/// The message, as far as there is room for it.
struct Message(usize);

impl core::fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            if self.0 < word::MESSAGE_MOST {
                unsafe { map::byte(mcu::stand::CONTROL + word::MESSAGE + self.0).write_volatile(byte) };
                self.0 += 1;
            }
        }
        Ok(())
    }
}

fn end(write: impl FnOnce(&mut Message) -> core::fmt::Result) -> ! {
    cortex_m::interrupt::disable();
    safe::show(map::pixels());
    let mut message = Message(0);
    let _ = write(&mut message);
    map::set(word::MESSAGE_LEN, message.0 as u32);
    map::set(word::RESTARTS, map::get(word::RESTARTS).wrapping_add(1));
    crate::serial::send(serial::HOST, &[Said::End as u8, End::Panic as u8]);
    // Somebody wants to look at the screen.
    while map::get(word::PANIC) == 2 {
        cortex_m::asm::wfi();
    }
    cortex_m::peripheral::SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    end(|message| write!(message, "{info}"))
}

/// The stack has an end (MSPLIM; memory.x): what goes below it is a fault. Its handler may go below, into what was left for it; without that the
/// first thing it does would be a fault again, and the processor would lock up.
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
    end(|message| {
        if why & OVERFLOW == 0 {
            write!(message, "fault of the processor at {:#010x}, {why:#010x}", frame.pc())
        } else {
            write!(message, "the stack is too small")
        }
    })
}

/// An interrupt or exception that nobody is there for.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    end(|message| write!(message, "interrupt {number} is nobody's"))
}
