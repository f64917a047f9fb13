//! The chip's own flash: what runs, and in the second bank the package as it was put there and the internal store.
//!
//! ```text
//! 0x0800_0000  the program                                       2 MiB
//! 0x0820_0000  "IPKI", station, authority, length; the package   1,664 KiB
//! 0x083A_0000  the internal store                                384 KiB
//! ```
//! A quad-word of 16 bytes takes one program, and one more to zeros (RM0456, "programming").

use core::slice;

use embassy_stm32::Peri;
use embassy_stm32::flash::{Blocking, Error, Flash};
use embassy_stm32::peripherals::FLASH;
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
            defmt::warn!("{}", defmt::Display2Format(&error));
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

impl ErrorType for Bank {
    type Error = Wrong;
}

impl ReadNorFlash for Bank {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Wrong> {
        let at = Self::place(offset, bytes.len())?;
        Ok(self.0.blocking_read(at, bytes)?)
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
        Ok(self.0.blocking_erase(from, to)?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Wrong> {
        let at = Self::place(offset, bytes.len())?;
        Ok(self.0.blocking_write(at, bytes)?)
    }
}

impl MultiwriteNorFlash for Bank {}
