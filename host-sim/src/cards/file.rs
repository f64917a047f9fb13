//! A virtual card on disk.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use card::Date;
use p256::SecretKey;
use serde::{Deserialize, Serialize};

use super::piv::{Credential, Memory, Quirks, VirtualPiv};

/// Largest card file that is read.
const MAX_FILE: u64 = 64 * 1024;

/// A virtual card with its PIN, its counters and its secret keys, as JSON for developers.
///
/// **Test keys only**: whoever has this file is the card. The PIN counter is in it, so a card that was
/// blocked stays blocked when the simulator starts again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFile {
    /// Says that this holds test keys.
    pub notice: String,
    guid: String,
    expires: u32,
    pin: String,
    tries: u8,
    tries_left: u8,
    authentication_key: String,
    authentication_certificate: String,
    management_key: String,
    management_certificate: String,
    #[serde(default)]
    quirks: Quirks,
}

impl CardFile {
    const NOTICE: &str =
        "Ippyo simulator: a virtual card with unprotected test keys. Never enrol it for a real election.";

    /// What is in the card's memory.
    #[must_use]
    pub fn of(card: &VirtualPiv) -> Self {
        let memory = &card.memory;
        let pin = memory.pin.iter().take_while(|b| b.is_ascii_digit());
        Self {
            notice: Self::NOTICE.to_owned(),
            guid: hex::encode(memory.guid),
            expires: memory.expires.yyyymmdd(),
            pin: pin.map(|b| char::from(*b)).collect(),
            tries: memory.tries,
            tries_left: memory.tries_left,
            authentication_key: hex::encode(memory.authentication.key.to_bytes()),
            authentication_certificate: hex::encode(&memory.authentication.certificate),
            management_key: hex::encode(memory.management.key.to_bytes()),
            management_certificate: hex::encode(&memory.management.certificate),
            quirks: memory.quirks,
        }
    }

    /// The card, freshly powered.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn card(&self) -> Result<VirtualPiv> {
        let guid = hex::decode(&self.guid).context("guid: not hexadecimal")?;
        let guid = guid.try_into().ok().context("guid: not 16 bytes")?;
        ensure!(
            (1..=15).contains(&self.tries) && self.tries_left <= self.tries,
            "tries: 1 to 15, and tries_left at most as many"
        );
        ensure!(
            [5, 9, 11].contains(&self.quirks.longest_aid) && (1..=256).contains(&self.quirks.page),
            "quirks: longest_aid is 5, 9 or 11, page 1 to 256"
        );
        Ok(VirtualPiv::from_memory(Memory {
            guid,
            expires: Date::new(self.expires).context("expires: no such day (YYYYMMDD)")?,
            pin: super::piv::padded(&self.pin).context("pin")?,
            tries: self.tries,
            tries_left: self.tries_left,
            authentication: credential(&self.authentication_key, &self.authentication_certificate)
                .context("authentication_key, authentication_certificate")?,
            management: credential(&self.management_key, &self.management_certificate)
                .context("management_key, management_certificate")?,
            quirks: self.quirks,
        }))
    }

    /// Writes the file, readable by its owner only. Whole or not at all: a cut leaves the old one.
    ///
    /// # Errors
    /// If the place cannot be written to.
    pub fn save(&self, path: &Path) -> Result<()> {
        let context = || format!("cannot write the card file {}", path.display());
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new).with_context(context)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())
            .with_context(context)?;
        file.sync_all().with_context(context)?;
        fs::rename(&new, path).with_context(context)
    }

    /// Reads a file that [`CardFile::save`] wrote.
    ///
    /// # Errors
    /// If it is missing, too large or not a card file.
    pub fn load(path: &Path) -> Result<Self> {
        let context = || format!("cannot read the card file {}", path.display());
        let size = fs::metadata(path).with_context(context)?.len();
        ensure!(size <= MAX_FILE, "{} is no card file: too large", path.display());
        let text = fs::read_to_string(path).with_context(context)?;
        serde_json::from_str(&text).with_context(|| format!("{} is no card file", path.display()))
    }
}

fn credential(key: &str, certificate: &str) -> Result<Credential> {
    let key = hex::decode(key).context("key: not hexadecimal")?;
    Ok(Credential {
        key: SecretKey::from_slice(&key).context("key: not a P-256 key")?,
        certificate: hex::decode(certificate).context("certificate: not hexadecimal")?,
    })
}
