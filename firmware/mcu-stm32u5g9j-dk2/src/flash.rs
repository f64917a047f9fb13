//! The chip's own flash: what runs, and in the second bank the package as it was put there and the internal store.
//!
//! ```text
//! 0x0800_0000  the program                                       2 MiB
//! 0x0820_0000  "IPKI", station, authority, length; the package   1,664 KiB
//! 0x083A_0000  the internal store                                384 KiB
//! ```
//! A quad-word of 16 bytes takes one program, and one more to zeros (RM0456, "programming"). One that lost its power while it was
//! programmed may fail its error correction when it is read, which the chip says by an NMI: it is unreadable, and the store passes over it.

use core::slice;
use core::sync::atomic::{AtomicU8, Ordering};

use cortex_m_rt::exception;

use embassy_stm32::flash::{Blocking, Error, Flash};
use embassy_stm32::peripherals::FLASH;
use embassy_stm32::{Peri, pac};
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use kiosk::flash_image;

/// Where the program's vectors lie.
pub const BEGIN: usize = 0x0800_0000;
const PACKAGE: usize = 0x0820_0000;
const PACKAGE_LEN: usize = 1_664 * 1024;
const STORE: u32 = 0x3A_0000;
const STORE_LEN: usize = 384 * 1024;
const PAGE: usize = 8 * 1024;

/// What this kiosk was made for.
pub struct SetUp {
    /// Station.
    pub station: u16,
    /// The election authority's key.
    pub authority: [u8; 33],
    /// The package.
    pub package: Option<&'static [u8]>,
}

/// Reads it from the second bank; station 0 and no package where nothing was put: the panel says that there is none.
pub fn set_up() -> SetUp {
    // Never written while the program runs.
    let bytes = unsafe { slice::from_raw_parts(PACKAGE as *const u8, PACKAGE_LEN) };
    match flash_image::read(bytes) {
        Ok(image) => SetUp {
            station: image.station,
            authority: image.authority,
            package: Some(image.package),
        },
        Err(error) => {
            defmt::warn!("package: {}", defmt::Display2Format(&error));
            SetUp {
                station: 0,
                authority: [0; 33],
                package: None,
            }
        }
    }
}

/// The store's region.
pub struct Bank(Flash<'static, Blocking>);

impl Bank {
    /// Of this flash.
    pub fn new(flash: Peri<'static, FLASH>) -> Self {
        Self(Flash::new_blocking(flash))
    }

    fn place(at: u32, length: usize) -> Result<u32, Wrong> {
        let inside = usize::try_from(at)
            .ok()
            .and_then(|at| at.checked_add(length))
            .is_some_and(|end| end <= STORE_LEN);
        if inside {
            Ok(STORE + at)
        } else {
            Err(Wrong(NorFlashErrorKind::OutOfBounds))
        }
    }
}

/// What went wrong.
#[derive(Debug)]
pub struct Wrong(NorFlashErrorKind);

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::Size => NorFlashErrorKind::OutOfBounds,
            Error::Unaligned => NorFlashErrorKind::NotAligned,
            _ => NorFlashErrorKind::Other,
        })
    }
}

impl NorFlashError for Wrong {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

/// What [`READING`] says: nobody reads the store, somebody does, and what was read is not what was programmed.
const NOBODY: u8 = 0;
const SOMEBODY: u8 = 1;
const UNREADABLE: u8 = 2;
static READING: AtomicU8 = AtomicU8::new(NOBODY);

/// Two wrong bits in a quad-word of flash come as this; so do other ends of the world. Only the first, and only while the store is read, is
/// no reason to start again.
#[exception]
unsafe fn NonMaskableInt() {
    let flash = pac::FLASH.eccr();
    let state = flash.read();
    // The store lies in the second bank.
    let ours = state.eccd() && state.bk_ecc() && READING.load(Ordering::Relaxed) != NOBODY;
    if !ours {
        crate::panic::end(|| defmt::error!("an NMI that is none of the store"));
    }
    READING.store(UNREADABLE, Ordering::Relaxed);
    // Cleared by writing 1.
    flash.modify(|w| w.set_eccd(true));
}

/// Forgets what the instruction cache has kept: data of the flash go through it too, and it does not see that they were programmed or erased.
fn forget() {
    let cache = pac::ICACHE;
    cache.fcr().write(|w| w.set_cbsyendf(true));
    cache.cr().modify(|w| w.set_cacheinv(true));
    // A few hundred clocks; bounded, for a cache that says nothing.
    for _ in 0..100_000 {
        if cache.sr().read().bsyendf() {
            break;
        }
    }
    cache.fcr().write(|w| w.set_cbsyendf(true));
}

impl ErrorType for Bank {
    type Error = Wrong;
}

impl ReadNorFlash for Bank {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Wrong> {
        let at = Self::place(offset, bytes.len())?;
        // Nobody else reads flash meanwhile, so an NMI is ours.
        let (read, state) = critical_section::with(|_| {
            READING.store(SOMEBODY, Ordering::SeqCst);
            let read = self.0.blocking_read(at, bytes);
            cortex_m::asm::dsb();
            cortex_m::asm::isb();
            (read, READING.swap(NOBODY, Ordering::SeqCst))
        });
        if state == UNREADABLE {
            // The cache would give the wrong bytes without a word next time.
            forget();
            return Err(Wrong(NorFlashErrorKind::Other));
        }
        Ok(read?)
    }

    fn capacity(&self) -> usize {
        STORE_LEN
    }
}

impl NorFlash for Bank {
    const WRITE_SIZE: usize = 16;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Wrong> {
        let length = to.checked_sub(from).ok_or(Wrong(NorFlashErrorKind::OutOfBounds))?;
        let length = usize::try_from(length).map_err(|_| Wrong(NorFlashErrorKind::OutOfBounds))?;
        let from = Self::place(from, length)?;
        let to = from + length as u32;
        let erased = self.0.blocking_erase(from, to);
        forget();
        Ok(erased?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Wrong> {
        let at = Self::place(offset, bytes.len())?;
        let written = self.0.blocking_write(at, bytes);
        forget();
        Ok(written?)
    }
}

impl MultiwriteNorFlash for Bank {}
