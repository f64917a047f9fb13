//! The machine's addresses, and the memory it shares with the host ([`mcu::stand`]).

use core::sync::atomic::{AtomicU32, Ordering};

use mcu::stand::{self, word};

/// Where the program's vectors lie.
pub const FLASH: usize = 0x1000_0000;
/// Where the shared memory begins.
const SHARED: usize = 0x8000_0000;

fn place(offset: usize) -> *mut u32 {
    debug_assert!(offset < 0x1000);
    (SHARED + stand::CONTROL + offset) as *mut u32
}

/// A word of the control page.
pub fn get(offset: usize) -> u32 {
    // Aligned, inside the machine's memory; the host writes it too, so it is read anew each time.
    unsafe { place(offset).read_volatile() }
}

/// Sets a word of the control page.
pub fn set(offset: usize, value: u32) {
    unsafe { place(offset).write_volatile(value) };
}

/// Eight bytes.
pub fn get_long(offset: usize) -> u64 {
    u64::from(get(offset)) | u64::from(get(offset + 4)) << 32
}

/// Eight bytes.
pub fn set_long(offset: usize, value: u64) {
    set(offset, value as u32);
    set(offset + 4, (value >> 32) as u32);
}

/// Whether the host keeps time.
pub fn kept() -> bool {
    static KEPT: AtomicU32 = AtomicU32::new(2);
    match KEPT.load(Ordering::Relaxed) {
        2 => {
            let kept = get(word::KEPT);
            KEPT.store(kept, Ordering::Relaxed);
            kept == 1
        }
        kept => kept == 1,
    }
}

/// The first bytes of a region of the shared memory, never written while the machine runs.
pub fn region(offset: usize, length: usize) -> &'static [u8] {
    let length = length.min(stand::SIZE - offset);
    unsafe { core::slice::from_raw_parts((SHARED + offset) as *const u8, length) }
}

/// A byte of the shared memory.
pub fn byte(offset: usize) -> *mut u8 {
    (SHARED + offset) as *mut u8
}

/// The picture, for whoever draws it: once, and once more for a panic, after which nobody draws.
pub fn pixels() -> &'static mut [mcu::pixel::Pixel] {
    let first = (SHARED + stand::FRAMEBUFFER) as *mut mcu::pixel::Pixel;
    unsafe { core::slice::from_raw_parts_mut(first, stand::WIDTH * stand::HEIGHT) }
}
