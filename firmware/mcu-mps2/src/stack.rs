//! The stack: painted at the start, so that its deepest point can be found.

use core::ptr;

const PAINT: u32 = 0xC0DE_57AC;

unsafe extern "C" {
    static mut __sheap: u32;
    static mut _stack_start: u32;
}

fn bounds() -> (*mut u32, *mut u32) {
    (&raw mut __sheap, &raw mut _stack_start)
}

/// Paints what is free of it.
#[inline(never)]
pub fn paint() {
    let (low, _) = bounds();
    // Well below where we stand.
    let here = cortex_m::register::msp::read() as usize - 512;
    let mut at = low;
    while (at as usize) < here {
        unsafe {
            ptr::write_volatile(at, PAINT);
            at = at.add(1);
        }
    }
}

/// Bytes of it that were ever used.
pub fn deepest() -> usize {
    let (low, high) = bounds();
    let mut at = low;
    while at < high && unsafe { ptr::read_volatile(at) } == PAINT {
        at = unsafe { at.add(1) };
    }
    high as usize - at as usize
}

/// Bytes of it.
pub fn size() -> usize {
    let (low, high) = bounds();
    high as usize - low as usize
}
