//! Whether the software that runs is on trial, and how it is kept: by the kiosk when a card has answered, at the latest before anything is registered or
//! opened with it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use election::hash::Digest;

use super::{client, disk, entries};

/// There while the loader counts the tries of what it has started: left by the initramfs, which asks the firmware.
pub const MARK: &str = "/run/trial";

/// Whether this software has not come up. Where the names cannot be read, it has if nobody counts its tries: a machine whose first partition fails years
/// after an update is not to be started again and again, and a new image that cannot even mount it is.
#[must_use]
pub fn on_trial(starting: &Path, mark: &Path, software: &Digest) -> bool {
    disk::programs(starting).map_or_else(|_| mark.exists(), |programs| entries::on_trial(&programs, software))
}

/// The trial of what runs.
pub struct Trial {
    starting: PathBuf,
    mark: PathBuf,
    software: Digest,
    socket: Option<PathBuf>,
    /// One at a time: there is one updater, and who comes second finds what the first one did.
    turn: Mutex<()>,
}

impl Trial {
    /// Of this software, with its starting programs at `starting`; without a socket there is nobody to keep it.
    #[must_use]
    pub const fn new(starting: PathBuf, mark: PathBuf, software: Digest, socket: Option<PathBuf>) -> Self {
        Self {
            starting,
            mark,
            software,
            socket,
            turn: Mutex::new(()),
        }
    }

    /// It has come up, and is kept from here on; whether it was on trial.
    ///
    /// # Errors
    /// It is on trial as before: nobody blesses it, and the machine goes back to the old software after its tries.
    pub fn keep(&self) -> io::Result<bool> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !on_trial(&self.starting, &self.mark, &self.software) {
            return Ok(false);
        }
        let socket = self.socket.as_deref();
        let socket = socket.ok_or_else(|| io::Error::other("the configuration has no [update]"))?;
        client::bless(socket)?;
        Ok(true)
    }
}
