//! The machine's interrupts: timers, and bytes on the lines.

use cortex_m::interrupt::InterruptNumber;

use crate::{serial, time};

/// An entry of the table.
#[derive(Clone, Copy)]
pub union Vector {
    handler: unsafe extern "C" fn(),
    none: usize,
}

unsafe extern "C" {
    fn TIMER0();
    fn TIMER1();
    fn UART1_RX();
    fn UART2_RX();
    fn UART3_RX();
    fn UART4_RX();
}

const NONE: Vector = Vector { none: 0 };

const fn table() -> [Vector; 48] {
    let mut table = [NONE; 48];
    table[3] = Vector { handler: TIMER0 };
    table[4] = Vector { handler: TIMER1 };
    table[34] = Vector { handler: UART1_RX };
    table[36] = Vector { handler: UART2_RX };
    table[38] = Vector { handler: UART3_RX };
    table[40] = Vector { handler: UART4_RX };
    table
}

#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [Vector; 48] = table();

#[derive(Clone, Copy)]
struct Number(u16);

unsafe impl InterruptNumber for Number {
    fn number(self) -> u16 {
        self.0
    }
}

/// Lets them come; the executor's own comes after all others.
pub fn enable() {
    unsafe {
        let mut core = cortex_m::Peripherals::steal();
        core.SCB
            .set_priority(cortex_m::peripheral::scb::SystemHandler::PendSV, 0xFF);
    }
    for number in [3, 4, 34, 36, 38, 40] {
        unsafe { cortex_m::peripheral::NVIC::unmask(Number(number)) };
    }
}

mod handlers {
    use super::{serial, time};

    #[unsafe(no_mangle)]
    extern "C" fn TIMER0() {
        time::round();
    }

    #[unsafe(no_mangle)]
    extern "C" fn TIMER1() {
        time::alarm();
    }

    #[unsafe(no_mangle)]
    extern "C" fn UART1_RX() {
        serial::interrupt(1);
    }

    #[unsafe(no_mangle)]
    extern "C" fn UART2_RX() {
        serial::interrupt(2);
    }

    #[unsafe(no_mangle)]
    extern "C" fn UART3_RX() {
        serial::interrupt(3);
    }

    #[unsafe(no_mangle)]
    extern "C" fn UART4_RX() {
        serial::interrupt(4);
    }
}
