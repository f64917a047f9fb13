//! NOR flash in the shared memory: programming clears bits, erasing sets them, and the power can fail between any two bytes.

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use kiosk::ballot_box::Role;
use kiosk::ports::{Geometry, Medium, MediumError};
use mcu::stand::{self, word};
use media::NorMedium;

use crate::map;

/// A part.
#[derive(Clone, Copy)]
pub struct Part {
    offset: usize,
    size: usize,
}

/// An access outside the part.
#[derive(Debug)]
pub struct Outside;

impl NorFlashError for Outside {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl Part {
    /// Bytes of the shared memory.
    pub const fn new(offset: usize, size: usize) -> Self {
        Self { offset, size }
    }

    fn place(&self, at: u32, length: usize) -> Result<*mut u8, Outside> {
        let at = at as usize;
        match at.checked_add(length) {
            Some(end) if end <= self.size => Ok(map::byte(self.offset + at)),
            _ => Err(Outside),
        }
    }
}

/// One byte is about to change; the fuse may blow here.
fn burn() {
    let fuse = map::get(word::FUSE);
    if fuse > 0 {
        map::set(word::FUSE, fuse - 1);
        if fuse == 1 {
            crate::dark();
        }
    }
}

impl ErrorType for Part {
    type Error = Outside;
}

impl ReadNorFlash for Part {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Outside> {
        let from = self.place(offset, bytes.len())?;
        unsafe { core::ptr::copy(from, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.size
    }
}

impl NorFlash for Part {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = stand::BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Outside> {
        let length = to.checked_sub(from).ok_or(Outside)? as usize;
        let first = self.place(from, length)?;
        for index in 0..length {
            burn();
            unsafe { first.add(index).write_volatile(0xFF) };
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Outside> {
        let first = self.place(offset, bytes.len())?;
        for (index, byte) in bytes.iter().enumerate() {
            burn();
            unsafe {
                let place = first.add(index);
                place.write_volatile(place.read_volatile() & byte);
            }
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Part {}

/// A slot for a ballot-box medium: the host puts media in and takes them out.
pub struct Slot(pub Role);

impl Slot {
    fn nor(&self) -> Result<NorMedium<Part>, MediumError> {
        let index = self.0 as usize;
        let size = map::get(word::MEDIA[index]);
        if size == 0 || size as usize > stand::MEDIUM_LEN {
            return Err(MediumError::Missing);
        }
        let size = size.next_multiple_of(stand::BLOCK as u32);
        NorMedium::new(Part::new(stand::MEDIA[index], size as usize), 0, size)
    }
}

impl Medium for Slot {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        self.nor()?.geometry().await
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        self.nor()?.read(offset, buffer).await
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        self.nor()?.write(offset, data).await
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        self.nor()?.sync().await
    }
}
