//! The stack: painted at the start, so that its deepest point can be found; and used up, to see what happens then.

use core::ptr;

const PAINT: u32 = 0xC0DE_57AC;

unsafe extern "C" {
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

fn bounds() -> (*mut u32, *mut u32) {
    (&raw mut _stack_end, &raw mut _stack_start)
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

/// Goes on until there is none of it: 256 bytes and some a step.
#[inline(never)]
pub fn use_up(step: u32) -> u32 {
    let room = core::hint::black_box([step; 64]);
    if step == u32::MAX {
        return 0;
    }
    use_up(step + 1).wrapping_add(room[step as usize % 64])
}
