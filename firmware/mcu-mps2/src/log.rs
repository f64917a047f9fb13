//! The log: defmt's frames on the first line. `defmt-print -e ELF` reads them.

use core::sync::atomic::{AtomicBool, Ordering};

use mcu::stand::serial;

#[defmt::global_logger]
struct Logger;

static TAKEN: AtomicBool = AtomicBool::new(false);
static mut RESTORE: critical_section::RestoreState = critical_section::RestoreState::invalid();
static mut ENCODER: defmt::Encoder = defmt::Encoder::new();

fn put(bytes: &[u8]) {
    crate::serial::send(serial::LOG, bytes);
}

// One thread at a time: from acquire to release no interrupt comes in between.
#[allow(static_mut_refs)]
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        let restore = unsafe { critical_section::acquire() };
        // A log line inside a log line would be a defect of ours; it is dropped with the program.
        assert!(!TAKEN.swap(true, Ordering::Relaxed), "the log is taken");
        unsafe {
            RESTORE = restore;
            ENCODER.start_frame(put);
        }
    }

    unsafe fn flush() {}

    unsafe fn release() {
        unsafe {
            ENCODER.end_frame(put);
            TAKEN.store(false, Ordering::Relaxed);
            critical_section::release(RESTORE);
        }
    }

    unsafe fn write(bytes: &[u8]) {
        unsafe { ENCODER.write(bytes, put) };
    }
}

defmt::timestamp!("{=u64:ms}", embassy_time::Instant::now().as_millis());
