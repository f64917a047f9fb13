//! Storage in a folder: `chain.bin` (SPEC.md, section 10), `chain.tip`, `evidence.bin`.
//!
//! An append writes and syncs `chain.bin`, then notes the new length in `chain.tip` and syncs that; only then does it return. The tip has
//! two slots that are written in turn, so that a cut while one is written leaves the other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use election::hash::hash;

use super::{Contents, Storage, StorageError};

/// Bytes of a slot of `chain.tip`: sequence number, length, hash of both.
const SLOT: usize = 8 + 8 + 32;
/// Distance of the slots: they share no sector.
const DISTANCE: u64 = 4_096;

/// See [`Storage`]. The folder is locked for as long as this lives.
pub struct FileStorage {
    chain: File,
    tip: File,
    evidence: File,
    sequence: u64,
}

impl FileStorage {
    /// Opens the storage in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`StorageError::InUse`], [`StorageError::Io`].
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        std::fs::create_dir_all(folder)?;
        let open = |name: &str| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(folder.join(name))
        };
        let tip = open("chain.tip")?;
        match tip.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StorageError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut storage = Self {
            chain: open("chain.bin")?,
            evidence: open("evidence.bin")?,
            tip,
            sequence: 0,
        };
        // The names themselves must survive a cut, not only the bytes.
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        match storage.read_tip()? {
            Some((sequence, _)) => storage.sequence = sequence,
            None if storage.chain.metadata()?.len() == 0 => storage.write_tip(0)?,
            // A chain.bin from elsewhere: `read` promises all of it.
            None => {}
        }
        Ok(storage)
    }

    /// Sequence and length of the newest whole slot.
    fn read_tip(&mut self) -> Result<Option<(u64, u64)>, StorageError> {
        let mut newest = None;
        for place in [0, DISTANCE] {
            let mut slot = Vec::with_capacity(SLOT);
            self.tip.seek(SeekFrom::Start(place))?;
            (&mut self.tip).take(SLOT as u64).read_to_end(&mut slot)?;
            if let Some(read) = read_slot(&slot) {
                newest = newest.max(Some(read));
            }
        }
        Ok(newest)
    }

    fn write_tip(&mut self, length: u64) -> Result<(), StorageError> {
        let sequence = self.sequence.saturating_add(1);
        let place = if sequence.is_multiple_of(2) { 0 } else { DISTANCE };
        self.tip.seek(SeekFrom::Start(place))?;
        self.tip.write_all(&slot(sequence, length))?;
        self.tip.sync_data()?;
        self.sequence = sequence;
        Ok(())
    }
}

fn slot(sequence: u64, length: u64) -> [u8; SLOT] {
    let (sequence, length) = (sequence.to_be_bytes(), length.to_be_bytes());
    let check = hash("ippyo/1/chain/tip", &[&sequence, &length]);
    let mut out = [0; SLOT];
    for (o, b) in out.iter_mut().zip(sequence.into_iter().chain(length).chain(check)) {
        *o = b;
    }
    out
}

fn read_slot(bytes: &[u8]) -> Option<(u64, u64)> {
    let sequence = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let length = u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?);
    (slot(sequence, length) == *bytes).then_some((sequence, length))
}

impl Storage for FileStorage {
    fn read(&mut self) -> Result<Contents, StorageError> {
        let mut contents = Contents::default();
        self.chain.seek(SeekFrom::Start(0))?;
        self.chain.read_to_end(&mut contents.chain)?;
        self.evidence.seek(SeekFrom::Start(0))?;
        self.evidence.read_to_end(&mut contents.evidence)?;
        contents.promised = match self.read_tip()? {
            Some((_, length)) => length,
            None => self.chain.metadata()?.len(),
        };
        Ok(contents)
    }

    fn append(&mut self, item: &[u8]) -> Result<(), StorageError> {
        let end = self.chain.seek(SeekFrom::End(0))?;
        self.chain.write_all(item)?;
        self.chain.sync_data()?;
        self.write_tip(end.saturating_add(item.len() as u64))
    }

    fn settle(&mut self, length: u64) -> Result<(), StorageError> {
        // A whole block behind the last promise may be in the system's memory only.
        self.chain.sync_data()?;
        // The promise before the cut: were the file cut first, losing power in between would look like damage.
        self.write_tip(length)?;
        if self.chain.metadata()?.len() > length {
            self.chain.set_len(length)?;
            self.chain.sync_data()?;
        }
        Ok(())
    }

    fn append_evidence(&mut self, item: &[u8]) -> Result<(), StorageError> {
        self.evidence.seek(SeekFrom::End(0))?;
        self.evidence.write_all(item)?;
        Ok(self.evidence.sync_data()?)
    }

    fn settle_evidence(&mut self, length: u64) -> Result<(), StorageError> {
        self.evidence.set_len(length)?;
        Ok(self.evidence.sync_data()?)
    }
}
