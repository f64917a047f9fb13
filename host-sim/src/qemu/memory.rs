//! The board's external memory, from outside: a file that the running board writes too. And flash in this process's memory, in which the
//! board's own code reads and writes its internal store.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use mcu::stand;

/// The memory.
pub struct Memory(File);

impl Memory {
    /// A new one, all flash erased.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.set_len(stand::SIZE as u64)?;
        file.write_all_at(&vec![0xFF; stand::SIZE - stand::PACKAGE], stand::PACKAGE as u64)?;
        Ok(Self(file))
    }

    /// Bytes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(&self, offset: usize, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, offset as u64)?;
        Ok(bytes)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all_at(bytes, offset as u64)
    }

    /// A word of the control page.
    ///
    /// # Errors
    /// What the file system says.
    pub fn word(&self, word: usize) -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        self.0.read_exact_at(&mut bytes, (stand::CONTROL + word) as u64)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Eight bytes of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn long(&self, word: usize) -> std::io::Result<u64> {
        Ok(u64::from(self.word(word)?) | u64::from(self.word(word + 4)?) << 32)
    }

    /// Sets a word of the control page.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set(&self, word: usize, value: u32) -> std::io::Result<()> {
        self.write(stand::CONTROL + word, &value.to_le_bytes())
    }

    /// Sets eight bytes of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set_long(&self, word: usize, value: u64) -> std::io::Result<()> {
        self.write(stand::CONTROL + word, &value.to_le_bytes())
    }
}

/// NOR flash in memory: programming clears bits, erasing sets them.
pub struct Ram(pub Vec<u8>);

/// An access outside.
#[derive(Debug)]
pub struct Outside;

impl NorFlashError for Outside {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl Ram {
    fn place(&mut self, offset: u32, length: usize) -> Result<&mut [u8], Outside> {
        let from = offset as usize;
        let end = from.checked_add(length).ok_or(Outside)?;
        self.0.get_mut(from..end).ok_or(Outside)
    }
}

impl ErrorType for Ram {
    type Error = Outside;
}

impl ReadNorFlash for Ram {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Outside> {
        bytes.copy_from_slice(self.place(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Ram {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = stand::BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Outside> {
        let length = to.checked_sub(from).ok_or(Outside)? as usize;
        self.place(from, length)?.fill(0xFF);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Outside> {
        for (place, byte) in self.place(offset, bytes.len())?.iter_mut().zip(bytes) {
            *place &= byte;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Ram {}
