//! Storage in memory, for a chain that lives as long as its process.

use super::{Contents, Storage, StorageError};

/// See [`Storage`].
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    contents: Contents,
}

impl MemoryStorage {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Storage that holds what another held.
    #[must_use]
    pub const fn with(contents: Contents) -> Self {
        Self { contents }
    }
}

impl Storage for MemoryStorage {
    fn read(&mut self) -> Result<Contents, StorageError> {
        Ok(self.contents.clone())
    }

    fn append(&mut self, item: &[u8]) -> Result<(), StorageError> {
        self.contents.chain.extend_from_slice(item);
        self.contents.promised = length(&self.contents.chain);
        Ok(())
    }

    fn settle(&mut self, to: u64) -> Result<(), StorageError> {
        self.contents.chain.truncate(usize::try_from(to).unwrap_or(usize::MAX));
        self.contents.promised = length(&self.contents.chain);
        Ok(())
    }

    fn append_evidence(&mut self, item: &[u8]) -> Result<(), StorageError> {
        self.contents.evidence.extend_from_slice(item);
        Ok(())
    }

    fn settle_evidence(&mut self, to: u64) -> Result<(), StorageError> {
        self.contents
            .evidence
            .truncate(usize::try_from(to).unwrap_or(usize::MAX));
        Ok(())
    }
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap_or(u64::MAX)
}
