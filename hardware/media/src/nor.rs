//! Raw NOR flash as a [`Medium`], over the `embedded-storage` traits.
//!
//! The box writes a place once and never again, so an election programs each page at most once and erases nothing: one erase of each block, at
//! formatting, is all the wear (a part endures 100,000). There is no translation layer, so no remnant tells the order of writes: this is the strong option
//! (MEDIA.md). A page that was torn is not erased any more, and so is never programmed a second time.

use embedded_storage_async::nor_flash::{NorFlash, NorFlashError as _, NorFlashErrorKind};
use kiosk::ports::{Geometry, Medium, MediumError};

/// Bytes looked at together.
const CHUNK: usize = 256;

/// A region of a flash, whole erase blocks.
pub struct NorMedium<F> {
    flash: F,
    from: u32,
    size: u32,
}

impl<F: NorFlash> NorMedium<F> {
    /// Smallest piece that a torn write can damage: a page, 512 bytes at least as the format has it.
    const SECTOR: usize = if F::WRITE_SIZE > 512 { F::WRITE_SIZE } else { 512 };
    /// What the format and this room take for granted of a part.
    const FITS: () = assert!(
        F::WRITE_SIZE.is_power_of_two()
            && F::ERASE_SIZE.is_multiple_of(Self::SECTOR)
            && Self::SECTOR <= 65_536
            && CHUNK.is_multiple_of(F::READ_SIZE),
        "a page of a power of two up to 65,536 bytes, erase blocks of whole sectors, reads of 256 bytes"
    );

    /// The region `from..from + size` of a flash.
    ///
    /// # Errors
    /// [`MediumError::Bounds`] if it is not made of whole erase blocks of the part.
    pub fn new(flash: F, from: u32, size: u32) -> Result<Self, MediumError> {
        let () = Self::FITS;
        let block = u32::try_from(F::ERASE_SIZE).map_err(|_| MediumError::Bounds)?;
        let end = from.checked_add(size).ok_or(MediumError::Bounds)?;
        let inside = usize::try_from(end).is_ok_and(|end| end <= flash.capacity());
        if size == 0 || !from.is_multiple_of(block) || !size.is_multiple_of(block) || !inside {
            return Err(MediumError::Bounds);
        }
        Ok(Self { flash, from, size })
    }

    /// Makes the region as never written, for formatting: blocks that are blank already are left alone, all are read back. Gives how many were erased.
    /// After a cut: once more.
    ///
    /// # Errors
    /// [`MediumError::Write`] where a block does not erase: the part is worn out.
    pub async fn erase(&mut self) -> Result<u32, MediumError> {
        let block = u32::try_from(F::ERASE_SIZE).map_err(|_| MediumError::Bounds)?;
        let mut erased = 0;
        for at in 0..self.size / block {
            let from = self.from + at * block;
            if self.is_blank(from, block).await? {
                continue;
            }
            self.flash
                .erase(from, from + block)
                .await
                .map_err(|_| MediumError::Write)?;
            erased += 1;
            if !self.is_blank(from, block).await? {
                return Err(MediumError::Write);
            }
        }
        Ok(erased)
    }

    async fn is_blank(&mut self, from: u32, length: u32) -> Result<bool, MediumError> {
        let mut bytes = [0; CHUNK];
        for at in (from..from + length).step_by(CHUNK) {
            self.flash.read(at, &mut bytes).await.map_err(|_| MediumError::Read)?;
            if bytes.iter().any(|byte| *byte != 0xFF) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn place(&self, offset: u64, length: usize) -> Result<u32, MediumError> {
        let end = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
        match (u32::try_from(offset), end) {
            (Ok(offset), Some(end)) if end <= u64::from(self.size) => Ok(self.from + offset),
            _ => Err(MediumError::Bounds),
        }
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }
}

impl<F: NorFlash> Medium for NorMedium<F> {
    /// Asks the part: one that does not even read is not there.
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        let mut bytes = [0; CHUNK];
        self.flash
            .read(self.from, &mut bytes)
            .await
            .map_err(|_| MediumError::Missing)?;
        Ok(Geometry {
            size: self.size.into(),
            sector: u32::try_from(Self::SECTOR).map_err(|_| MediumError::Bounds)?,
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        let at = self.place(offset, buffer.len())?;
        self.flash.read(at, buffer).await.map_err(|error| match error.kind() {
            NorFlashErrorKind::NotAligned | NorFlashErrorKind::OutOfBounds => MediumError::Bounds,
            _ => MediumError::Read,
        })
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        let at = self.place(offset, data.len())?;
        let sector = u64::try_from(Self::SECTOR).map_err(|_| MediumError::Bounds)?;
        if !offset.is_multiple_of(sector) || !data.len().is_multiple_of(Self::SECTOR) {
            return Err(MediumError::Bounds);
        }
        self.flash.write(at, data).await.map_err(|error| match error.kind() {
            NorFlashErrorKind::NotAligned | NorFlashErrorKind::OutOfBounds => MediumError::Bounds,
            _ => MediumError::Write,
        })
    }

    /// A program is durable when it comes back: flash has no cache.
    async fn sync(&mut self) -> Result<(), MediumError> {
        Ok(())
    }
}
