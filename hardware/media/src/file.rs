//! A file or block device as a [`Medium`].
//!
//! A file has its full size from the start, filled with 0xFF (a cell never written, as flash reads): a full file
//! system shows when the medium is prepared, not in the middle of a vote. It goes through the page cache, and `sync` is `fdatasync`. A block device is
//! opened past the page cache (`O_DIRECT`), so that reading back asks the device and not memory, and for this program alone (`O_EXCL`: a mounted one is
//! refused); `fdatasync` there flushes the device's own cache. What was learnt the hard way elsewhere: after a failed `fsync` Linux drops the dirty
//! pages and the next `fsync` succeeds, so the first failure here is final until the medium is opened again. One program at a time: an advisory
//! lock goes with the open file.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use kiosk::ports::{Geometry, Medium, MediumError};

/// Smallest piece that a torn write is assumed to damage: the physical sector of today's disks, and the page of the cache. Also what `O_DIRECT`
/// is aligned to.
pub const SECTOR: u32 = 4096;
/// Bytes moved at once past the page cache.
const CHUNK: usize = 16 * SECTOR as usize;

/// What a medium asks of the operating system; a test gives one that fails.
pub trait Device {
    /// Reads all of `buffer` at `offset`.
    ///
    /// # Errors
    /// The operating system's.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// The operating system's.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Comes back when what was written is durable.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_data(&self) -> io::Result<()>;
    /// Whether it still has a name: a file that was deleted under us takes writes, and loses them when it is closed. What is read at the front next
    /// comes from the device: a drive that was pulled is answered for out of memory otherwise.
    fn is_there(&self) -> bool;
}

impl Device for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, data, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
    fn is_there(&self) -> bool {
        let front = NonZeroU64::new(u64::from(SECTOR));
        // Advice: where a system does not take it, the front is read from memory as before.
        let _ = rustix::fs::fadvise(self, 0, front, rustix::fs::Advice::DontNeed);
        self.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }
}

/// Memory aligned as `O_DIRECT` wants it.
struct Aligned {
    bytes: Vec<u8>,
    from: usize,
}

impl Aligned {
    fn new() -> Self {
        let bytes = vec![0; CHUNK + SECTOR as usize];
        let from = bytes.as_ptr().align_offset(SECTOR as usize).min(SECTOR as usize);
        Self { bytes, from }
    }

    fn part(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + length]
    }
}

/// A medium in a file or on a block device.
pub struct FileMedium<D = File> {
    device: D,
    size: u64,
    /// The first write or sync error. What the device holds is unknown from then on.
    failed: Option<MediumError>,
    /// Where the page cache is passed by.
    direct: Option<Aligned>,
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
        let locked = file.try_lock().map_err(io::Error::from);
        let filled = locked
            .and_then(|()| fill(&mut file, size))
            .and_then(|()| sync_folder(path));
        if let Err(error) = filled {
            // Ours and blank: nothing is lost with it.
            let _ = std::fs::remove_file(path);
            return Err(CreateError::Io(error));
        }
        Ok(Self::over(file, size))
    }

    /// Opens a prepared medium to read and write; nobody else can while it is open.
    ///
    /// # Errors
    /// [`MediumError::Missing`] where there is none, [`MediumError::Write`] where it is write-protected, [`MediumError::Busy`] where somebody else has
    /// it or it is mounted, [`MediumError::Read`] otherwise.
    pub fn open(path: &Path) -> Result<Self, MediumError> {
        Self::with(true, path)
    }

    /// Opens a medium only to read it, as the desk does: writes are refused.
    ///
    /// # Errors
    /// As [`FileMedium::open`].
    pub fn open_read_only(path: &Path) -> Result<Self, MediumError> {
        let mut medium = Self::with(false, path)?;
        medium.failed = Some(MediumError::Write);
        Ok(medium)
    }

    fn with(write: bool, path: &Path) -> Result<Self, MediumError> {
        let block = std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
        let open = |flags: i32| {
            OpenOptions::new()
                .read(true)
                .write(write)
                .custom_flags(flags)
                .open(path)
        };
        let alone = if write { libc::O_EXCL } else { 0 };
        let (opened, direct) = if block {
            match open(alone | libc::O_DIRECT) {
                // A driver without it: then the page cache answers what is read back.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => (open(alone), false),
                opened => (opened, true),
            }
        } else {
            (open(0), false)
        };
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => MediumError::Missing,
            io::ErrorKind::ResourceBusy => MediumError::Busy,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => MediumError::Write,
            _ => MediumError::Read,
        })?;
        let locked = if write { file.try_lock() } else { file.try_lock_shared() };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MediumError::Busy),
            // A file system that knows no locks: two programs at once are then the operator's affair.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(_)) => return Err(MediumError::Read),
        }
        let size = if block {
            // A device's length is where its end is.
            use std::io::Seek as _;
            (&file).seek(io::SeekFrom::End(0)).map_err(|_| MediumError::Read)?
        } else {
            file.metadata().map_err(|_| MediumError::Read)?.len()
        };
        let mut medium = Self::over(file, size);
        medium.direct = direct.then(Aligned::new);
        Ok(medium)
    }
}

impl<D: Device> FileMedium<D> {
    /// A medium over something that is open already. A tail that is no whole sector is not used.
    pub const fn over(device: D, size: u64) -> Self {
        Self {
            device,
            size: size - size % SECTOR as u64,
            failed: None,
            direct: None,
        }
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

    /// Reads in whole sectors through aligned memory, and gives the stretch that was asked for.
    fn read_direct(device: &D, aligned: &mut Aligned, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let sector = u64::from(SECTOR);
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let skip = usize::try_from(at % sector).unwrap_or(0);
            let count = (buffer.len() - done).min(CHUNK - skip);
            let part = aligned.part((skip + count).next_multiple_of(SECTOR as usize));
            device.read_exact_at(part, at - at % sector)?;
            buffer[done..done + count].copy_from_slice(&part[skip..skip + count]);
            done += count;
        }
        Ok(())
    }

    fn write_direct(device: &D, aligned: &mut Aligned, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut at = offset;
        for piece in data.chunks(CHUNK) {
            let part = aligned.part(piece.len());
            part.copy_from_slice(piece);
            device.write_all_at(part, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

impl<D: Device> Medium for FileMedium<D> {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        if !self.device.is_there() {
            return Err(MediumError::Missing);
        }
        Ok(Geometry {
            size: self.size,
            sector: SECTOR,
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        self.check(offset, buffer.len())?;
        match &mut self.direct {
            None => self.device.read_exact_at(buffer, offset),
            Some(aligned) => Self::read_direct(&self.device, aligned, offset, buffer),
        }
        .map_err(|_| MediumError::Read)
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
        match &mut self.direct {
            None => self.device.write_all_at(data, offset),
            Some(aligned) => Self::write_direct(&self.device, aligned, offset, data),
        }
        .map_err(|error| self.fail(&error))
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.device.sync_data().map_err(|error| self.fail(&error))
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
        drop(FileMedium::create(&path, SIZE).unwrap());
        let mut reader = FileMedium::open_read_only(&path).unwrap();
        assert_eq!(now(reader.write(0, &[0; SECTOR as usize])), Err(MediumError::Write));
        assert_eq!(now(reader.sync()), Err(MediumError::Write));
        drop(reader);
        let mut medium = FileMedium::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(now(medium.geometry()), Err(MediumError::Missing));
        assert!(matches!(FileMedium::open(&path), Err(MediumError::Missing)));
    }

    /// /dev/full takes a write and then has no room: the error is the first and stays.
    #[test]
    fn f10_a_full_file_system_is_said_and_stays_said() {
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let mut medium = FileMedium::over(file, SIZE);
        assert_eq!(now(medium.write(0, &[0; SECTOR as usize])), Err(MediumError::Full));
        assert_eq!(now(medium.sync()), Err(MediumError::Full));
    }

    /// As Linux does it: the first `fsync` after a write that could not be done reports the error, and every later one succeeds.
    struct Forgetful {
        errors: std::cell::Cell<u32>,
        bytes: std::cell::RefCell<Vec<u8>>,
    }

    impl Device for Forgetful {
        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            let offset = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(&self.bytes.borrow()[offset..offset + buffer.len()]);
            Ok(())
        }
        fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
            let offset = usize::try_from(offset).unwrap();
            self.bytes.borrow_mut()[offset..offset + data.len()].copy_from_slice(data);
            Ok(())
        }
        fn sync_data(&self) -> io::Result<()> {
            let left = self.errors.get();
            self.errors.set(left.saturating_sub(1));
            if left > 0 {
                Err(io::Error::from_raw_os_error(5))
            } else {
                Ok(())
            }
        }
        fn is_there(&self) -> bool {
            true
        }
    }

    #[test]
    fn f3_a_sync_that_failed_once_is_never_believed_again() {
        let device = Forgetful {
            errors: std::cell::Cell::new(1),
            bytes: std::cell::RefCell::new(vec![0xFF; SIZE as usize]),
        };
        let mut medium = FileMedium::over(device, SIZE);
        now(medium.write(0, &[1; SECTOR as usize])).unwrap();
        assert_eq!(now(medium.sync()), Err(MediumError::Write));
        assert_eq!(medium.device.errors.get(), 0, "the operating system has forgotten it");
        assert_eq!(now(medium.sync()), Err(MediumError::Write), "the medium has not");
        assert_eq!(now(medium.write(0, &[1; SECTOR as usize])), Err(MediumError::Write));
    }

    #[test]
    fn f6_a_medium_that_somebody_has_open_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        let medium = FileMedium::create(&path, SIZE).unwrap();
        assert!(matches!(FileMedium::open(&path), Err(MediumError::Busy)));
        assert!(matches!(FileMedium::open_read_only(&path), Err(MediumError::Busy)));
        drop(medium);
        let one = FileMedium::open_read_only(&path).unwrap();
        assert!(FileMedium::open_read_only(&path).is_ok(), "many may read");
        assert!(matches!(FileMedium::open(&path), Err(MediumError::Busy)));
        drop(one);
        assert!(FileMedium::open(&path).is_ok());
    }

    /// Stretches of any kind through aligned memory are those of the plain way.
    #[test]
    fn stretches_past_the_page_cache_are_the_same() {
        let device = |bytes| Forgetful {
            errors: std::cell::Cell::new(0),
            bytes: std::cell::RefCell::new(bytes),
        };
        let size = 3 * CHUNK as u64;
        let bytes: Vec<u8> = (0..3 * CHUNK).map(|at| (at % 251) as u8).collect();
        let mut plain = FileMedium::over(device(bytes.clone()), size);
        let mut direct = FileMedium::over(device(bytes), size);
        direct.direct = Some(Aligned::new());
        assert_eq!(
            direct
                .direct
                .as_mut()
                .unwrap()
                .part(1)
                .as_ptr()
                .align_offset(SECTOR as usize),
            0
        );
        for (offset, length) in [
            (0, 1),
            (512, 512),
            (4095, 2),
            (1, CHUNK),
            (4096, 2 * CHUNK),
            (size - 1, 1),
            (7, 0),
        ] {
            let (mut one, mut two) = (vec![0; length], vec![1; length]);
            now(plain.read(offset, &mut one)).unwrap();
            now(direct.read(offset, &mut two)).unwrap();
            assert_eq!(one, two, "{offset} {length}");
        }
        let data: Vec<u8> = (0..CHUNK + SECTOR as usize).map(|at| (at % 241) as u8).collect();
        now(plain.write(4096, &data)).unwrap();
        now(direct.write(4096, &data)).unwrap();
        assert_eq!(*plain.device.bytes.borrow(), *direct.device.bytes.borrow());
    }
}
