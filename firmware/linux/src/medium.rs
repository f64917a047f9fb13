//! A ballot-box medium: a folder with one box file in it (a removable drive as it is mounted), a box file, or a block device.
//!
//! Found and opened anew at each start of the loop, so that a medium that was put in later is seen, and so that a failed one stays failed
//! until somebody has done something about it.

use std::path::{Path, PathBuf};

use embassy_futures::block_on;
use kiosk::ports::{Geometry, Medium, MediumError};
use media::FileMedium;

use crate::log::Log;
use crate::worker::Worker;

/// How box files end; the desk names them so.
pub const EXTENSION: &str = "box";
/// Names looked at in a folder.
const MOST_NAMES: usize = 1_000;

struct Device {
    name: &'static str,
    path: PathBuf,
    open: Option<FileMedium>,
    log: Log,
}

/// The port of one slot.
pub struct SlotMedium {
    worker: Worker<Device>,
}

impl SlotMedium {
    /// The slot called `name` ("original", "duplicate") at `path`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(name: &'static str, path: &Path, log: Log) -> std::io::Result<Self> {
        let device = Device {
            name,
            path: path.to_path_buf(),
            open: None,
            log,
        };
        let worker = Worker::new(name, device)?;
        Ok(Self { worker })
    }

    /// Lets go of the medium: the next access looks for it again.
    pub async fn close(&mut self) {
        self.worker.run(|device| device.open = None).await;
    }

    async fn with<R: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut FileMedium) -> Result<R, MediumError> + Send + 'static,
    ) -> Result<R, MediumError> {
        let done = self.worker.run(move |device| match &mut device.open {
            Some(medium) => job(medium),
            None => Err(MediumError::Missing),
        });
        // A device that does not keep up with one question at a time hangs.
        done.await.unwrap_or(Err(MediumError::Read))
    }
}

/// The box at a path: the path itself, or the one box file in the folder.
///
/// # Errors
/// What is wrong, for the log: nothing there, or several boxes.
pub fn find(path: &Path) -> Result<PathBuf, String> {
    if !path.is_dir() {
        return if path.exists() {
            Ok(path.to_path_buf())
        } else {
            Err(format!("{} is not there", path.display()))
        };
    }
    let listed = std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut found = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .take(MOST_NAMES)
        .filter(|file| file.extension().is_some_and(|extension| extension == EXTENSION) && file.is_file());
    match (found.next(), found.next()) {
        (Some(file), None) => Ok(file),
        (None, _) => Err(format!("there is no .{EXTENSION} file in {}", path.display())),
        // Which of two is the ballot box is not to be guessed.
        (Some(_), Some(_)) => Err(format!(
            "there are several .{EXTENSION} files in {}: leave one",
            path.display()
        )),
    }
}

impl Device {
    fn open(&mut self) -> Result<&mut FileMedium, MediumError> {
        if self.open.is_none() {
            let path = find(&self.path).map_err(|why| {
                self.log.say(&format!("{}: {why}", self.name));
                MediumError::Missing
            })?;
            let medium = FileMedium::open(&path).inspect_err(|error| {
                self.log.say(&format!("{}: {}: {error}", self.name, path.display()));
            })?;
            self.open = Some(medium);
        }
        self.open.as_mut().ok_or(MediumError::Missing)
    }
}

impl Medium for SlotMedium {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        let done = self.worker.run(|device| block_on(device.open()?.geometry()));
        done.await.unwrap_or(Err(MediumError::Read))
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        let length = buffer.len();
        let bytes = self
            .with(move |medium| {
                let mut bytes = vec![0; length];
                block_on(medium.read(offset, &mut bytes)).map(|()| bytes)
            })
            .await?;
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        let data = data.to_vec();
        self.with(move |medium| block_on(medium.write(offset, &data))).await
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        self.with(|medium| block_on(medium.sync())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 16 * media::SECTOR as u64;

    #[test]
    fn f6_one_box_in_a_folder_is_found_and_two_are_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(find(path).unwrap_err().contains("no .box"));
        std::fs::write(path.join("readme.txt"), "x").unwrap();
        drop(FileMedium::create(&path.join("a.box"), SIZE).unwrap());
        assert_eq!(find(path).unwrap(), path.join("a.box"));
        assert_eq!(find(&path.join("a.box")).unwrap(), path.join("a.box"));
        drop(FileMedium::create(&path.join("b.box"), SIZE).unwrap());
        assert!(find(path).unwrap_err().contains("several"));
        assert!(find(&path.join("nowhere")).is_err());
    }

    #[test]
    fn a6_a_medium_put_in_later_is_seen_and_one_pulled_out_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut slot = SlotMedium::new("original", folder.path(), Log::silent()).unwrap();
        assert_eq!(block_on(slot.geometry()), Err(MediumError::Missing));
        let path = folder.path().join("a.box");
        drop(FileMedium::create(&path, SIZE).unwrap());
        assert_eq!(block_on(slot.geometry()).unwrap().size, SIZE);
        let sector = [7; media::SECTOR as usize];
        block_on(slot.write(0, &sector)).unwrap();
        block_on(slot.sync()).unwrap();
        let mut read = [0; 8];
        block_on(slot.read(4, &mut read)).unwrap();
        assert_eq!(read, [7; 8]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(block_on(slot.geometry()), Err(MediumError::Missing));
        block_on(slot.close());
        assert_eq!(block_on(slot.read(0, &mut read)), Err(MediumError::Missing));
    }
}
