//! Ballot-box media: a preformatted file on a removable drive or a block device (feature `files`, on by default), and raw NOR flash, with a
//! driver for serial parts on an SPI bus.
//!
//! This room moves bytes. It must never know what they mean: the format is the kiosk's (`firmware/kiosk/MEDIA.md`), and
//! nothing here looks at them. Without `files` it needs neither an operating system nor a heap.
#![cfg_attr(not(feature = "files"), no_std)]

#[cfg(feature = "files")]
mod file;
mod nor;
mod spi_nor;

#[cfg(feature = "files")]
pub use file::{CreateError, Device, FileMedium, SECTOR};
pub use nor::NorMedium;
pub use spi_nor::{SpiNor, SpiNorError};
