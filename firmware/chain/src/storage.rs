//! Where decided blocks and evidence are kept.
//!
//! The one law: what [`Storage::append`] returned for is there at every later start. Storage therefore remembers how much it has
//! *promised*; behind that point a broken end is a torn write and is cut, before it a broken byte is damage and is never cut away.

mod file;
mod memory;

use std::fmt;
use std::io;

pub use file::FileStorage;
pub use memory::MemoryStorage;

/// What is kept, as it was found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Items `Decided`, one after the other; the end may be torn.
    pub chain: Vec<u8>,
    /// Length up to which `chain` was promised.
    pub promised: u64,
    /// Items `Evidence`, one after the other; the end may be torn.
    pub evidence: Vec<u8>,
}

/// Why storage does not work.
#[derive(Debug)]
pub enum StorageError {
    /// Another process has it open.
    InUse,
    /// The system's error: disk full, no access, a medium that fails.
    Io(io::Error),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process has this chain open"),
            Self::Io(error) => write!(f, "the chain's storage: {error}"),
        }
    }
}

impl std::error::Error for StorageError {}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Append-only storage of one chain.
pub trait Storage {
    /// Reads everything.
    ///
    /// # Errors
    /// [`StorageError`].
    fn read(&mut self) -> Result<Contents, StorageError>;

    /// Appends an item to the chain. When it returns, the item is durable and promised.
    ///
    /// # Errors
    /// [`StorageError`]; the item may then stand there whole, in part or not at all: [`Storage::settle`] decides.
    fn append(&mut self, item: &[u8]) -> Result<(), StorageError>;

    /// Cuts the chain to this length, durably, and promises it.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settle(&mut self, length: u64) -> Result<(), StorageError>;

    /// Appends a piece of evidence, durably.
    ///
    /// # Errors
    /// [`StorageError`].
    fn append_evidence(&mut self, item: &[u8]) -> Result<(), StorageError>;

    /// Cuts the evidence to this length, durably.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settle_evidence(&mut self, length: u64) -> Result<(), StorageError>;
}
