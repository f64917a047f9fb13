//! Links the code of a kiosk for a microcontroller without an allocator. It is never run.
//!
//! There is no global allocator here, so a single use of `alloc` in firmware/election, firmware/kiosk or a library below them
//! breaks the build. A check of a library alone would show nothing: only linking asks who allocates. Inputs come through
//! `black_box`, so that nothing is computed away and everything called is really in the binary.
#![no_std]
#![no_main]

mod count;
mod day;
mod inputs;
mod ports;
mod vote;

use core::hint::black_box;
use core::panic::PanicInfo;

/// What starts the binary, if it were run.
#[allow(unsafe_code)] // The symbol the linker looks for.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    black_box(vote::all());
    black_box(count::all());
    black_box(day::all());
    #[cfg(feature = "prove")]
    prove();
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(feature = "prove")]
fn prove() {
    extern crate alloc;
    black_box(alloc::boxed::Box::new(black_box(1)));
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
