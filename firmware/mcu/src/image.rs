//! The program as it lies in flash: what staff compare with what was published is the hash of these very bytes.
#![allow(unsafe_code)] // Flash is memory, and where the program ends only the linker knows.

use core::slice;

use election::hash::{Digest, hash};

unsafe extern "C" {
    // Names of cortex-m-rt's linker script: where the initial values of variables lie in flash, and where they go.
    static __sidata: u32;
    static mut __sdata: u32;
    static mut __edata: u32;
}

/// Hash of the program that runs, from `begin`, where the vectors lie in flash, to the last initial value.
#[must_use]
pub fn software(begin: usize) -> Digest {
    let data = (&raw const __edata as usize).saturating_sub(&raw const __sdata as usize);
    let end = (&raw const __sidata as usize).saturating_add(data);
    // The linker put the program there, and nothing writes it while it runs.
    let image = unsafe { slice::from_raw_parts(begin as *const u8, end.saturating_sub(begin)) };
    hash("ippyo/1/mcu/software", &[image])
}
