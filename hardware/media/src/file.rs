//! A file or block device as a [`Medium`].
//!
//! The file has its full size from the start, filled with 0xFF (a cell never written, as flash reads): a full file
//! system shows when the medium is prepared, not in the middle of a vote. A write goes through the page cache, `sync` is `fdatasync`. What was
//! learnt the hard way elsewhere: after a failed `fsync` Linux drops the dirty pages and the next `fsync` succeeds, so the
//! first failure here is final until the medium is opened again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use kiosk::ports::{Geometry, Medium, MediumError};

/// Smallest piece that a torn write is assumed to damage: the physical sector of today's disks and the page of the cache.
pub const SECTOR: u32 = 4096;

/// A medium in a file or on a block device.
pub struct FileMedium {
    file: File,
    size: u64,
    /// The first write or sync error. What the device holds is unknown from then on.
    failed: Option<MediumError>,
}

/// Why a medium could not be prepared.
#[derive(Debug)]
pub enum CreateError {
    /// Something is there already: media are evidence, nothing is overwritten.
    Exists,
    /// The size is 0 or not a multiple of [`SECTOR`].
    Size,
    /// The operating system refused.
    Io(io::Error),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str(
                "there is already a file of this name: ballot-box media are never overwritten, choose another folder",
            ),
            Self::Size => write!(f, "the size of a medium must be a multiple of {SECTOR} bytes"),
            Self::Io(error) => write!(f, "the medium cannot be prepared: {error}"),
        }
    }
}

impl std::error::Error for CreateError {}

impl FileMedium {
    /// Makes a blank medium of `size` bytes at `path`, durable on return, the name included.
    ///
    /// # Errors
    /// [`CreateError`]; a half-made file is removed.
    pub fn create(path: &Path, size: u64) -> Result<Self, CreateError> {
        if size == 0 || !size.is_multiple_of(u64::from(SECTOR)) {
            return Err(CreateError::Size);
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => CreateError::Exists,
                _ => CreateError::Io(error),
            })?;
        let filled = fill(&mut file, size).and_then(|()| sync_folder(path));
        if let Err(error) = filled {
            // Ours and blank: nothing is lost with it.
            let _ = std::fs::remove_file(path);
            return Err(CreateError::Io(error));
        }
        Ok(Self {
            file,
            size,
            failed: None,
        })
    }

    /// Opens a prepared medium to read and write.
    ///
    /// # Errors
    /// [`MediumError::Missing`] where there is none, [`MediumError::Write`] where it is write-protected, [`MediumError::Read`] otherwise.
    pub fn open(path: &Path) -> Result<Self, MediumError> {
        Self::with(OpenOptions::new().read(true).write(true), path)
    }

    /// Opens a medium only to read it, as the desk does: writes are refused.
    ///
    /// # Errors
    /// As [`FileMedium::open`].
    pub fn open_read_only(path: &Path) -> Result<Self, MediumError> {
        let mut medium = Self::with(OpenOptions::new().read(true), path)?;
        medium.failed = Some(MediumError::Write);
        Ok(medium)
    }

    fn with(options: &OpenOptions, path: &Path) -> Result<Self, MediumError> {
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => MediumError::Missing,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => MediumError::Write,
            _ => MediumError::Read,
        })?;
        let metadata = file.metadata().map_err(|_| MediumError::Read)?;
        let size = if metadata.file_type().is_block_device() {
            // A device's length is where its end is.
            use std::io::Seek as _;
            (&file).seek(io::SeekFrom::End(0)).map_err(|_| MediumError::Read)?
        } else {
            metadata.len()
        };
        Ok(Self {
            file,
            // A tail that is no whole sector cannot be used.
            size: size - size % u64::from(SECTOR),
            failed: None,
        })
    }

    fn check(&self, offset: u64, length: usize) -> Result<(), MediumError> {
        let end = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
        match end {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(MediumError::Bounds),
        }
    }

    fn fail(&mut self, error: &io::Error) -> MediumError {
        let error = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                MediumError::Full
            }
            _ => MediumError::Write,
        };
        self.failed = Some(error);
        error
    }
}

impl Medium for FileMedium {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        let metadata = self.file.metadata().map_err(|_| MediumError::Missing)?;
        // A file that was deleted under us still takes writes, and loses them when it is closed.
        if metadata.nlink() == 0 {
            return Err(MediumError::Missing);
        }
        Ok(Geometry {
            size: self.size,
            sector: SECTOR,
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        self.check(offset, buffer.len())?;
        self.file.read_exact_at(buffer, offset).map_err(|_| MediumError::Read)
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        self.check(offset, data.len())?;
        let sector = u64::from(SECTOR);
        if !offset.is_multiple_of(sector) || !data.len().is_multiple_of(SECTOR as usize) {
            return Err(MediumError::Bounds);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.file.write_all_at(data, offset).map_err(|error| self.fail(&error))
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.file.sync_data().map_err(|error| self.fail(&error))
    }
}

fn fill(file: &mut File, size: u64) -> io::Result<()> {
    let blank = [0xFF; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let part = usize::try_from(left).map_or(blank.len(), |left| left.min(blank.len()));
        file.write_all(&blank[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

/// A new name is durable only once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// A file answers at once: a future that waits would be a defect.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a file medium waited"),
        }
    }

    const SIZE: u64 = 16 * SECTOR as u64;

    #[test]
    fn a_blank_medium_reads_as_erased_and_keeps_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("original.box");
        let mut medium = FileMedium::create(&path, SIZE).unwrap();
        assert_eq!(
            now(medium.geometry()),
            Ok(Geometry {
                size: SIZE,
                sector: SECTOR
            })
        );
        let mut buffer = vec![0; SIZE as usize];
        now(medium.read(0, &mut buffer)).unwrap();
        assert!(buffer.iter().all(|byte| *byte == 0xFF));
        now(medium.write(SECTOR.into(), &[7; SECTOR as usize])).unwrap();
        now(medium.sync()).unwrap();
        drop(medium);
        let mut again = FileMedium::open(&path).unwrap();
        now(again.read(0, &mut buffer)).unwrap();
        assert!(buffer[..4096].iter().all(|byte| *byte == 0xFF));
        assert!(buffer[4096..8192].iter().all(|byte| *byte == 7));
        assert!(buffer[8192..].iter().all(|byte| *byte == 0xFF));
    }

    #[test]
    fn f6_media_are_never_overwritten_by_making_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("original.box");
        drop(FileMedium::create(&path, SIZE).unwrap());
        assert!(matches!(FileMedium::create(&path, SIZE), Err(CreateError::Exists)));
        assert!(matches!(
            FileMedium::create(&folder.path().join("b"), 5),
            Err(CreateError::Size)
        ));
    }

    #[test]
    fn f10_accesses_outside_or_across_sectors_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut medium = FileMedium::create(&folder.path().join("m"), SIZE).unwrap();
        let sector = [0; SECTOR as usize];
        assert_eq!(now(medium.write(SIZE, &sector)), Err(MediumError::Bounds));
        assert_eq!(now(medium.write(u64::MAX, &sector)), Err(MediumError::Bounds));
        assert_eq!(now(medium.write(1, &sector)), Err(MediumError::Bounds));
        assert_eq!(now(medium.write(0, &sector[1..])), Err(MediumError::Bounds));
        assert_eq!(now(medium.read(SIZE - 1, &mut [0; 2])), Err(MediumError::Bounds));
    }

    #[test]
    fn f10_a_medium_that_vanished_or_is_only_read_takes_no_vote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        let mut medium = FileMedium::create(&path, SIZE).unwrap();
        let mut reader = FileMedium::open_read_only(&path).unwrap();
        assert_eq!(now(reader.write(0, &[0; SECTOR as usize])), Err(MediumError::Write));
        assert_eq!(now(reader.sync()), Err(MediumError::Write));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(now(medium.geometry()), Err(MediumError::Missing));
        assert!(matches!(FileMedium::open(&path), Err(MediumError::Missing)));
    }

    /// /dev/full takes a write and then has no room: the error is the first and stays.
    #[test]
    fn f10_a_full_file_system_is_said_and_stays_said() {
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let mut medium = FileMedium {
            file,
            size: SIZE,
            failed: None,
        };
        assert_eq!(now(medium.write(0, &[0; SECTOR as usize])), Err(MediumError::Full));
        assert_eq!(now(medium.sync()), Err(MediumError::Full));
    }
}
