//! The two media: original first, synced and read back, then the duplicate, never at once (A4, A9).

use super::fault::Role;
use super::frame::erased;
use crate::ports::{Medium, MediumError};

/// Both media.
pub struct Pair<M> {
    /// Counted.
    pub original: M,
    /// Counted where the original cannot be read.
    pub duplicate: M,
    /// The one that cannot be used any more, of a closed box: it reads as erased, and what is to be written to it is left out.
    pub lost: Option<Role>,
}

/// A write that did not end well. `original_done` says whether it stands on the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteFault {
    /// On which medium.
    pub role: Role,
    /// The device's error; `None` if it reported success and what was written does not read back.
    pub error: Option<MediumError>,
    /// Whether the original has it, synced and read back.
    pub original_done: bool,
}

impl<M: Medium> Pair<M> {
    /// One of the two.
    pub const fn at(&mut self, role: Role) -> &mut M {
        match role {
            Role::Original => &mut self.original,
            Role::Duplicate => &mut self.duplicate,
        }
    }

    /// What is in the two slots at this moment: its size in bytes, or why it cannot be read.
    pub async fn look(&mut self) -> [Result<u64, MediumError>; 2] {
        [look(&mut self.original).await, look(&mut self.duplicate).await]
    }

    /// Reads one medium's bytes at `offset`. `Ok(false)` if the device cannot read them: that place is void on it.
    ///
    /// # Errors
    /// Whatever says that the device as a whole is gone.
    pub async fn read(&mut self, role: Role, offset: u64, buffer: &mut [u8]) -> Result<bool, MediumError> {
        if self.lost == Some(role) {
            buffer.fill(0xFF);
            return Ok(true);
        }
        match self.at(role).read(offset, buffer).await {
            Ok(()) => Ok(true),
            Err(MediumError::Read) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the same bytes to the original and then to the duplicate; each is synced and read back before anything else.
    ///
    /// # Errors
    /// The first thing that failed; the other medium is not touched then.
    pub async fn write_both(&mut self, offset: u64, bytes: &[u8]) -> Result<(), WriteFault> {
        for role in [Role::Original, Role::Duplicate] {
            self.write_one(role, offset, bytes).await.map_err(|error| WriteFault {
                role,
                error,
                original_done: role == Role::Duplicate,
            })?;
        }
        Ok(())
    }

    /// Writes to one medium into an erased place, syncs, reads back.
    ///
    /// # Errors
    /// The device's error, or `None` if the place was not erased or does not read back.
    pub async fn write_one(&mut self, role: Role, offset: u64, bytes: &[u8]) -> Result<(), Option<MediumError>> {
        if self.lost == Some(role) {
            return Ok(());
        }
        let medium = self.at(role);
        // What stands there is evidence: it is never written over.
        compare(medium, offset, bytes, |read, _| erased(read)).await?;
        medium.write(offset, bytes).await.map_err(Some)?;
        medium.sync().await.map_err(Some)?;
        compare(medium, offset, bytes, |read, wanted| read == wanted).await
    }

    /// Whether a stretch of one medium was never written. A place that cannot be read is not free.
    ///
    /// # Errors
    /// Whatever says that the device as a whole is gone.
    pub async fn is_free(&mut self, role: Role, offset: u64, length: usize) -> Result<bool, MediumError> {
        let mut chunk = [0; CHUNK];
        let mut done = 0;
        // As many rounds as the stretch has chunks.
        while done < length {
            let count = CHUNK.min(length - done);
            let part = chunk.get_mut(..count).ok_or(MediumError::Bounds)?;
            let at = offset + u64::try_from(done).map_err(|_| MediumError::Bounds)?;
            if !self.read(role, at, part).await? || !erased(part) {
                return Ok(false);
            }
            done += count;
        }
        Ok(true)
    }
}

async fn look<M: Medium>(medium: &mut M) -> Result<u64, MediumError> {
    let geometry = medium.geometry().await?;
    // Some devices say their size when they are gone already: the label has to be there, too.
    medium.read(0, &mut [0; 64]).await?;
    Ok(geometry.size)
}

/// Bytes read at once where there is no buffer.
const CHUNK: usize = 2048;

/// Reads a stretch in chunks and compares each; `Err(None)` where `good` says no.
async fn compare<M: Medium + ?Sized>(
    medium: &mut M,
    offset: u64,
    bytes: &[u8],
    good: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<(), Option<MediumError>> {
    let mut buffer = [0; CHUNK];
    let mut at = offset;
    for wanted in bytes.chunks(CHUNK) {
        let read = buffer.get_mut(..wanted.len()).ok_or(Some(MediumError::Bounds))?;
        medium.read(at, read).await.map_err(Some)?;
        if !good(read, wanted) {
            return Err(None);
        }
        at += u64::try_from(wanted.len()).map_err(|_| Some(MediumError::Bounds))?;
    }
    Ok(())
}
