//! The kiosk's internal memory as files: each item replaced whole or not at all, durable on return, erased by overwriting.
//!
//! The kiosk's keys pass through a [`Protection`] on their way to the disk. [`Unprotected`] leaves them as they are, and the kiosk says so on its
//! zero report; a machine with a TPM gives another one.
//!
//! It must never know what an item means, but for three whose ways lead over the exchange folder ([`crate::exchange`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kiosk::ports::{Item, Space, Store, StoreError};
use kiosk::update::{Ask, Refused, Said};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::exchange::Exchange;
use crate::update::client::Client;
use crate::update::trial::Trial;
use crate::worker::Worker;

/// Longest item: a roll delta.
pub const LONGEST: usize = crate::lent::DELTA;
/// Name of the package beside the items.
const PACKAGE: &str = "package";

/// What is between the kiosk's keys and the disk.
pub trait Protection: Send + 'static {
    /// Whether somebody with the disk alone can still not read them.
    fn protects(&self) -> bool;

    /// Makes of the keys what is written.
    ///
    /// # Errors
    /// [`StoreError`].
    fn seal(&mut self, keys: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError>;

    /// Makes the keys of what was written.
    ///
    /// # Errors
    /// [`StoreError`]: another machine's, or another software's.
    fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError>;
}

/// No protection but the file's mode.
pub struct Unprotected;

impl Protection for Unprotected {
    fn protects(&self) -> bool {
        false
    }

    fn seal(&mut self, keys: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        Ok(Zeroizing::new(keys.to_vec()))
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        Ok(Zeroizing::new(sealed.to_vec()))
    }
}

/// The files, on their thread.
pub struct Files<K> {
    folder: PathBuf,
    protection: K,
    exchange: Exchange,
    /// Held as long as this is: two kiosks with one set of keys would be two kiosks with one name.
    _lock: File,
}

/// The port.
pub struct FileStore<K> {
    worker: Worker<Files<K>>,
    updater: Option<Worker<Client>>,
    trial: Option<Arc<Trial>>,
}

/// Why the folder cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// Another kiosk uses it.
    InUse,
    /// The operating system refused.
    Io(io::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse => f.write_str("another kiosk is running with it: end that one first"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<K: Protection> FileStore<K> {
    /// Opens the folder, made with mode 0700 if it is not there, and takes it for itself.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn new(folder: &Path, protection: K, exchange: Exchange) -> Result<Self, OpenError> {
        if !folder.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => OpenError::InUse,
            fs::TryLockError::Error(error) => OpenError::Io(error),
        })?;
        let files = Files {
            folder: folder.to_path_buf(),
            protection,
            exchange,
            _lock: lock,
        };
        Ok(Self {
            worker: Worker::new("store", files)?,
            updater: None,
            trial: None,
        })
    }

    /// Takes updates from the updater behind this socket.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn with_updates(mut self, socket: Option<&Path>) -> io::Result<Self> {
        let client = socket.map(|socket| Client::new(socket.to_path_buf()));
        self.updater = client.map(|client| Worker::new("updates", client)).transpose()?;
        Ok(self)
    }

    /// Nothing is registered or opened before this trial is over.
    #[must_use]
    pub fn on_trial(mut self, trial: Option<Arc<Trial>>) -> Self {
        self.trial = trial;
        self
    }

    /// The package that is to be used: the one on the exchange folder, else the one kept. Tells the desk's folder what this kiosk has for it.
    pub async fn package(&mut self) -> Option<Vec<u8>> {
        self.worker.run(Files::package).await.flatten()
    }
}

impl<K: Protection> Store for FileStore<K> {
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let read = self.worker.run(move |files| files.get(item)).await;
        let Some(bytes) = read.unwrap_or(Err(StoreError::Device))? else {
            return Ok(None);
        };
        let place = buffer.get_mut(..bytes.len()).ok_or(StoreError::TooLong)?;
        place.copy_from_slice(&bytes);
        Ok(Some(bytes.len()))
    }

    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() > LONGEST {
            return Err(StoreError::TooLong);
        }
        let bytes = Zeroizing::new(bytes.to_vec());
        let done = self.worker.run(move |files| files.put(item, &bytes)).await;
        done.unwrap_or(Err(StoreError::Device))
    }

    async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        let done = self.worker.run(move |files| files.erase(item)).await;
        done.unwrap_or(Err(StoreError::Device))
    }

    fn updates(&self) -> bool {
        self.updater.is_some()
    }

    async fn update(&mut self, ask: Ask) -> Result<Said, Refused> {
        let Some(updater) = &self.updater else {
            return Err(Refused::Nobody);
        };
        let said = updater.run(move |client| client.ask(ask)).await;
        said.unwrap_or(Err(Refused::Nobody))
    }

    async fn keep(&mut self) -> Result<(), Refused> {
        let Some(trial) = self.trial.clone() else { return Ok(()) };
        let kept = self.worker.run(move |_| trial.keep()).await;
        match kept {
            Some(Ok(_)) => Ok(()),
            _ => Err(Refused::Trial),
        }
    }

    async fn space(&mut self) -> Option<Space> {
        self.worker
            .run(|files| crate::health::space(&files.folder))
            .await
            .flatten()
    }
}

impl<K: Protection> Files<K> {
    fn path(&self, item: Item) -> PathBuf {
        self.folder.join(item.name())
    }

    fn package(&mut self) -> Option<Vec<u8>> {
        let registration = read(&self.path(Item::Registration), LONGEST).ok().flatten();
        let request = read(&self.path(Item::Request), LONGEST).ok().flatten();
        self.exchange
            .bring(registration.as_deref().map(|r| &**r), request.as_deref().map(|r| &**r));
        if let Some(package) = self.exchange.package() {
            return Some(package);
        }
        let kept = read(&self.folder.join(PACKAGE), election::package::MAX_PACKAGE);
        kept.ok().flatten().map(|bytes| bytes.to_vec())
    }

    fn get(&mut self, item: Item) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match item {
            Item::Secret => {
                let request = read(&self.path(Item::Request), LONGEST).map_err(device)?;
                if let Some(secret) = request.and_then(|request| self.exchange.secret(&request)) {
                    write(&self.path(item), &secret).map_err(device)?;
                    // Kept in one place only, so that erasing it at closing erases it.
                    self.exchange.take_secret();
                }
            }
            Item::Delta => {
                if let Some(delta) = self.exchange.delta() {
                    write(&self.path(item), &delta).map_err(device)?;
                }
            }
            _ => {}
        }
        let bytes = read(&self.path(item), LONGEST).map_err(device)?;
        match (item, bytes) {
            (Item::Identity, Some(bytes)) => self.protection.open(&bytes).map(Some),
            (_, bytes) => Ok(bytes),
        }
    }

    fn put(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        match item {
            Item::Identity => {
                let sealed = self.protection.seal(bytes)?;
                return write(&self.path(item), &sealed).map_err(device);
            }
            // A package was accepted: it is kept before that is remembered, so that no cut leaves a kiosk that refuses what it has.
            Item::Accepted => {
                if let Some(package) = self.exchange.package() {
                    write(&self.folder.join(PACKAGE), &package).map_err(device)?;
                }
            }
            _ => {}
        }
        write(&self.path(item), bytes).map_err(device)?;
        match item {
            Item::Registration => self.exchange.bring(Some(bytes), None),
            Item::Request => self.exchange.bring(None, Some(bytes)),
            _ => {}
        }
        Ok(())
    }

    fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        if item == Item::Secret
            && let Ok(Some(request)) = read(&self.path(Item::Request), LONGEST)
            && self.exchange.secret(&request).is_some()
        {
            self.exchange.take_secret();
        }
        destroy(&self.path(item)).map_err(device)
    }
}

fn device(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        StoreError::TooLong
    } else {
        StoreError::Device
    }
}

/// Opens a file that is one: no link to another, and nothing that waits for a writer. Root's updater reads folders of the kiosk's with it.
///
/// # Errors
/// There is none, it cannot be opened, or it is of another kind.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

/// Reads a file of at most `longest` bytes; `None` if there is none.
///
/// # Errors
/// It cannot be read, or is longer.
pub fn read(path: &Path, longest: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX);
    if length > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // All at once: a growing vector would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(length).unwrap_or(0).saturating_add(1),
    ));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Replaces a file: a cut leaves the old one or the new one.
///
/// # Errors
/// What the operating system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    // On a FAT drive the renamed entry has no length until the file itself is synced once more.
    file.sync_all()?;
    sync_folder(path)
}

/// Overwrites a file and removes it; no file is no error.
///
/// # Errors
/// What the operating system says.
pub fn destroy(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()?;
    fs::remove_file(path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
