//! Ballot-box media for platforms with files: a preformatted file on a removable drive, or a block device.
//!
//! This room moves bytes. It must never know what they mean: the format is the kiosk's (`firmware/kiosk/MEDIA.md`), and
//! nothing here looks at them.

mod file;

pub use file::{CreateError, FileMedium, SECTOR};
