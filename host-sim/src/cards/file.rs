//! A virtual card on disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use card::Pin;
use p256::SecretKey;
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use serde::{Deserialize, Serialize};

use super::jpki::{self, Credential, VirtualJpki};
use super::piv::{Memory, Quirks, Secret, VirtualPiv};
use super::piv_issuing::Manager;
use super::{VirtualCard, piv};

/// Largest card file that is read.
const MAX_FILE: u64 = 64 * 1024;

/// What stands in each card file, so that nobody takes one for more than it is.
const NOTICE: &str = "Ippyo simulator: a virtual card with unprotected test keys. Never enrol it for a real election.";

/// A virtual card with its PIN, its counters and its secret keys, as JSON for developers.
///
/// **Test keys only**: whoever has this file is the card. The PIN counter is in it, so a card that was
/// blocked stays blocked when the simulator starts again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum CardFile {
    /// A PIV card.
    Piv(PivFile),
    /// A My Number card.
    Jpki(JpkiFile),
}

/// A PIN with its counter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    digits: String,
    tries: u8,
    tries_left: u8,
}

/// See [`CardFile`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PivFile {
    notice: String,
    pin: PinFile,
    puk: PinFile,
    /// The issuer's key, 9B.
    manager: Manager,
    /// 9A.
    authentication_key: Option<String>,
    /// 9D.
    management_key: Option<String>,
    /// Data objects by name, in hex.
    objects: BTreeMap<String, String>,
    entropy: String,
    #[serde(default)]
    quirks: Quirks,
}

/// See [`CardFile`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JpkiFile {
    notice: String,
    user: JpkiPart,
    signature: Option<JpkiPart>,
    authority: String,
}

/// A key pair of a My Number card with its PIN; the key as PKCS#1 in hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JpkiPart {
    pin: PinFile,
    key: String,
    certificate: String,
}

impl VirtualPiv {
    /// What is in the card's memory.
    ///
    /// # Errors
    /// Never; as for other cards.
    pub fn to_file(&self) -> Result<CardFile> {
        let memory = &self.memory;
        let pin = |secret: &Secret| PinFile {
            digits: secret
                .padded
                .iter()
                .take_while(|byte| **byte != 0xFF)
                .map(|byte| char::from(*byte))
                .collect(),
            tries: secret.tries,
            tries_left: secret.tries_left,
        };
        let [authentication, management] = memory
            .keys
            .each_ref()
            .map(|key| key.as_ref().map(|key| hex::encode(key.to_bytes())));
        Ok(CardFile::Piv(PivFile {
            notice: NOTICE.to_owned(),
            pin: pin(&memory.pin),
            puk: pin(&memory.puk),
            manager: memory.manager.clone(),
            authentication_key: authentication,
            management_key: management,
            objects: memory
                .objects
                .iter()
                .map(|(name, contents)| (hex::encode(name), hex::encode(contents)))
                .collect(),
            entropy: hex::encode(memory.entropy),
            quirks: memory.quirks,
        }))
    }
}

impl PivFile {
    fn card(&self) -> Result<VirtualPiv> {
        ensure!(
            [5, 9, 11].contains(&self.quirks.longest_aid) && (1..=256).contains(&self.quirks.page),
            "quirks: longest_aid is 5, 9 or 11, page 1 to 256"
        );
        let mut objects = BTreeMap::new();
        for (name, contents) in &self.objects {
            let name: [u8; 3] = bytes("objects", name)?
                .try_into()
                .ok()
                .context("objects: a name has 3 bytes")?;
            objects.insert(name, bytes("objects", contents)?);
        }
        let key = |field, text: &Option<String>| -> Result<Option<SecretKey>> {
            text.as_ref()
                .map(|text| {
                    SecretKey::from_slice(&bytes(field, text)?).with_context(|| format!("{field}: not a P-256 key"))
                })
                .transpose()
        };
        Ok(VirtualPiv::from_memory(Memory {
            pin: self.pin.piv().context("pin")?,
            puk: self.puk.piv().context("puk")?,
            manager: self.manager.clone(),
            keys: [
                key("authentication_key", &self.authentication_key)?,
                key("management_key", &self.management_key)?,
            ],
            objects,
            entropy: bytes("entropy", &self.entropy)?
                .try_into()
                .ok()
                .context("entropy: not 32 bytes")?,
            quirks: self.quirks,
        }))
    }
}

impl PinFile {
    fn counter(&self) -> Result<()> {
        ensure!(
            (1..=15).contains(&self.tries) && self.tries_left <= self.tries,
            "tries: 1 to 15, and tries_left at most as many"
        );
        Ok(())
    }

    fn piv(&self) -> Result<Secret> {
        self.counter()?;
        let secret = Secret::new(piv::padded(&self.digits)?, self.tries);
        Ok(Secret {
            tries_left: self.tries_left,
            ..secret
        })
    }

    fn jpki(&self) -> Result<jpki::Secret> {
        self.counter()?;
        let mut secret = jpki::Secret::new(&self.digits, self.tries);
        secret.tries_left = self.tries_left;
        Ok(secret)
    }
}

impl VirtualJpki {
    /// What is in the card's memory.
    ///
    /// # Errors
    /// If a key cannot be written down.
    pub fn to_file(&self) -> Result<CardFile> {
        let part = |credential: &Credential, pin: &jpki::Secret| -> Result<JpkiPart> {
            Ok(JpkiPart {
                pin: PinFile {
                    digits: String::from_utf8_lossy(&pin.digits).into_owned(),
                    tries: pin.tries,
                    tries_left: pin.tries_left,
                },
                key: hex::encode(credential.key.to_pkcs1_der()?.as_bytes()),
                certificate: hex::encode(&credential.certificate),
            })
        };
        Ok(CardFile::Jpki(JpkiFile {
            notice: NOTICE.to_owned(),
            user: part(&self.user, &self.user_pin)?,
            signature: match &self.signature {
                Some((credential, pin)) => Some(part(credential, pin)?),
                None => None,
            },
            authority: hex::encode(&self.authority),
        }))
    }
}

impl JpkiPart {
    fn load(&self) -> Result<(Credential, jpki::Secret)> {
        let key = RsaPrivateKey::from_pkcs1_der(&bytes("key", &self.key)?).context("key: not an RSA key")?;
        let certificate = bytes("certificate", &self.certificate)?;
        Ok((Credential { key, certificate }, self.pin.jpki().context("pin")?))
    }
}

impl JpkiFile {
    fn card(&self) -> Result<VirtualJpki> {
        let (user, user_pin) = self.user.load().context("user")?;
        if Pin::new(&user_pin.digits).is_err() || user_pin.digits.len() != 4 {
            bail!("user: the PIN has four digits");
        }
        let signature = self
            .signature
            .as_ref()
            .map(JpkiPart::load)
            .transpose()
            .context("signature")?;
        let card = VirtualJpki::from_memory(user, user_pin, signature, bytes("authority", &self.authority)?);
        card.public_key().context("user: key")?;
        Ok(card)
    }
}

impl CardFile {
    /// The card, freshly powered.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn card(&self) -> Result<VirtualCard> {
        Ok(match self {
            Self::Piv(file) => file.card()?.into(),
            Self::Jpki(file) => file.card()?.into(),
        })
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

    /// The PIN that the file holds, for whoever plays its holder.
    #[must_use]
    pub fn pin(&self) -> &str {
        match self {
            Self::Piv(file) => &file.pin.digits,
            Self::Jpki(file) => &file.user.pin.digits,
        }
    }

    /// `piv` or `jpki`.
    #[must_use]
    pub const fn profile(&self) -> &'static str {
        match self {
            Self::Piv(_) => "piv",
            Self::Jpki(_) => "jpki",
        }
    }
}

fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>> {
    hex::decode(text).with_context(|| format!("{field}: not hexadecimal"))
}
