//! The exchange folder: how a kiosk's registration reaches the desk, and how package, roll delta and sealed election secret come back, on a
//! removable drive or in a folder.
//!
//! | file | from | to |
//! |---|---|---|
//! | `package-STATION.bin` | desk | kiosk; kept in its internal memory when it was accepted |
//! | `request-KIOSK.bin`, `registration-KIOSK.bin` | kiosk | desk (`staff provision --registration`) |
//! | `secret-KIOSK.bin` | desk (`staff provision --out`) | kiosk; taken off the folder |
//! | `delta-STATION.bin` | desk | kiosk |
//!
//! `STATION` is the number, `KIOSK` the first 16 hex digits of the kiosk id. One folder serves many kiosks. Everything is judged by
//! the kiosk when it is used: this only carries.

use std::path::{Path, PathBuf};

use election::ledger::{Registration, Transaction, kiosk_id};
use election::tag::SEALED_SECRET_LEN;
use election::wire;

use crate::log::Log;
use crate::store;

/// The folder, if this kiosk has one.
pub struct Exchange {
    folder: Option<PathBuf>,
    station: u16,
    log: Log,
    /// The secret found last.
    secret: Option<PathBuf>,
}

impl Exchange {
    /// A folder that may or may not be there (a drive that is put in for provisioning and taken out).
    #[must_use]
    pub const fn new(folder: Option<PathBuf>, station: u16, log: Log) -> Self {
        Self {
            folder,
            station,
            log,
            secret: None,
        }
    }

    /// No folder.
    #[must_use]
    pub fn none() -> Self {
        Self::new(None, 0, Log::silent())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        folder.is_dir().then(|| folder.join(name))
    }

    fn read(&self, name: &str, longest: usize) -> Option<Vec<u8>> {
        let path = self.file(name)?;
        match store::read(&path, longest) {
            Ok(bytes) => bytes.map(|bytes| bytes.to_vec()),
            Err(error) => {
                self.log.say(&format!("{}: cannot be read: {error}", path.display()));
                None
            }
        }
    }

    /// The package for this station.
    #[must_use]
    pub fn package(&self) -> Option<Vec<u8>> {
        self.read(&format!("package-{}.bin", self.station), election::package::MAX_PACKAGE)
    }

    /// The roll delta for this station.
    #[must_use]
    pub fn delta(&self) -> Option<Vec<u8>> {
        self.read(&format!("delta-{}.bin", self.station), store::LONGEST)
    }

    /// The secret sealed to the kiosk of this request.
    pub fn secret(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let registration: Registration = wire::decode(request).ok()?;
        let name = format!("secret-{}.bin", short(&registration));
        let secret = self.read(&name, SEALED_SECRET_LEN)?;
        self.secret = self.file(&name);
        Some(secret)
    }

    /// Takes the secret that was found last off the folder, overwritten.
    pub fn take_secret(&mut self) {
        if let Some(path) = self.secret.take()
            && let Err(error) = store::destroy(&path)
        {
            self.log
                .say(&format!("{}: destroy this file yourself: {error}", path.display()));
        }
    }

    /// Puts into the folder what the desk needs from this kiosk. A drive that is not in or is full is no fault of the kiosk: it tries again
    /// at the next start.
    pub fn bring(&self, registration: Option<&[u8]>, request: Option<&[u8]>) {
        let signed = registration.and_then(|bytes| match Transaction::read(bytes) {
            Ok(Transaction::Register { body, .. }) => Some(("registration", short(&body), bytes)),
            _ => None,
        });
        let asked = request.and_then(|bytes| {
            let body: Registration = wire::decode(bytes).ok()?;
            Some(("request", short(&body), bytes))
        });
        for (what, kiosk, bytes) in signed.into_iter().chain(asked) {
            if let Some(path) = self.file(&format!("{what}-{kiosk}.bin")) {
                self.put(&path, bytes);
            }
        }
    }

    fn put(&self, path: &Path, bytes: &[u8]) {
        let there = store::read(path, bytes.len());
        if matches!(&there, Ok(Some(there)) if there.as_slice() == bytes) {
            return;
        }
        if let Err(error) = store::write(path, bytes) {
            self.log.say(&format!("{}: cannot be written: {error}", path.display()));
        }
    }
}

/// What a kiosk is called in names of files.
fn short(registration: &Registration) -> String {
    let id = kiosk_id(&registration.kiosk.0);
    let (front, _) = id.split_at(8);
    hex::encode(front)
}
