//! Who this kiosk is: its keys, its registration, the package it accepted, the election secret. The secret halves never leave the
//! store and this module; they have no `Debug`.

use core::fmt;

use election::hash::Digest;
use election::ledger::{Registration, Transaction, kiosk_id};
use election::package::{self, Held, Package, PackageError, SignedHeader};
use election::seal::SealingSecret;
use election::sign::{PublicKey, Signer};
use election::tag::{ElectionSecret, SEALED_SECRET_LEN};
use election::wire::{self, Bytes};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ports::{Item, Store, StoreError};
use crate::random::Random;

/// What the desk needs of a kiosk: the body that two staff cards sign (SPEC.md, section 9), stored as [`Item::Request`].
pub type Request = Registration;

/// Why a package was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackageFault {
    /// There is none.
    Missing,
    /// It is refused.
    Refused(PackageError),
    /// The kiosk's registration is not for this election.
    Registration,
    /// Some text of it has neither pictures nor letters here, and would be blank.
    Letters,
}

impl fmt::Display for PackageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no election package: put one in"),
            Self::Refused(error) => error.fmt(f),
            Self::Registration => f.write_str("this kiosk is registered for another election: provision it again"),
            Self::Letters => f.write_str(
                "this kiosk has no letters for a name of the election: have the package built with pictures of names",
            ),
        }
    }
}

impl core::error::Error for PackageFault {}

/// Which package was accepted last, as [`Item::Accepted`]: it outlives restarts, so that an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its serial.
    pub serial: u32,
    /// Its hash.
    pub package: Digest,
    /// Its election.
    pub election: Digest,
}

impl Accepted {
    const MAX: usize = 5 + 32 + 32;
}

/// The kiosk's keys.
pub struct Identity {
    /// Signs batches and the closing.
    pub signer: Signer,
    /// Opens the election secret.
    pub sealing: SealingSecret,
}

/// Why the identity could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The store fails.
    Store(StoreError),
    /// The stored keys are damaged.
    Damaged,
    /// No new keys could be made.
    Entropy,
}

impl From<StoreError> for IdentityError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Damaged => f.write_str("the kiosk's keys are damaged: use a spare, provision this kiosk again"),
            Self::Entropy => f.write_str("the random source is broken: take this kiosk out of service"),
        }
    }
}

impl core::error::Error for IdentityError {}

impl Identity {
    /// The stored keys, or fresh ones, stored before they are used. Keys that are sealed to other software, and that were never registered, give way
    /// to fresh ones: an image that drew its first screen and went back has left them, and nobody could get at the machine any more.
    ///
    /// # Errors
    /// [`IdentityError`]. Damaged keys are never replaced silently: batches may already be signed by them.
    pub async fn load<S: Store>(store: &mut S, random: &mut Random) -> Result<Self, IdentityError> {
        let mut bytes = Zeroizing::new([0; 64]);
        let stored = match store.read(Item::Identity, bytes.as_mut()).await {
            Err(StoreError::Sealed) if !used(store).await? => {
                retire(store).await?;
                None
            }
            stored => stored?,
        };
        if let Some(length) = stored {
            if length != bytes.len() {
                return Err(IdentityError::Damaged);
            }
            return Self::from_bytes(&bytes).ok_or(IdentityError::Damaged);
        }
        let fresh = Self {
            signer: Signer::generate(random),
            sealing: SealingSecret::generate(random).map_err(|_| IdentityError::Entropy)?,
        };
        let (signing, sealing) = (fresh.signer.to_bytes(), fresh.sealing.to_bytes());
        for (to, from) in bytes.iter_mut().zip(signing.iter().chain(sealing.iter())) {
            *to = *from;
        }
        store.write(Item::Identity, bytes.as_ref()).await?;
        Ok(fresh)
    }

    fn from_bytes(bytes: &[u8; 64]) -> Option<Self> {
        let (signing, sealing) = bytes.split_first_chunk::<32>()?;
        Some(Self {
            signer: Signer::from_bytes(signing).ok()?,
            sealing: SealingSecret::from_bytes(sealing.first_chunk::<32>()?).ok()?,
        })
    }

    /// The kiosk id (SPEC.md, section 8).
    #[must_use]
    pub fn kiosk(&self) -> Digest {
        kiosk_id(&self.signer.public_key())
    }

    /// What staff sign to register this kiosk.
    #[must_use]
    pub fn request(&self, election: &Digest, station: u16, software: &Digest) -> Request {
        Registration {
            election: *election,
            kiosk: Bytes(self.signer.public_key()),
            sealing: Bytes(self.sealing.public_key()),
            station,
            software: *software,
        }
    }
}

/// Opens a package, if this kiosk may take it, and remembers that it did.
///
/// # Errors
/// [`PackageFault`] in the inner result, [`StoreError`] in the outer.
pub async fn accept<'p, S: Store>(
    store: &mut S,
    bytes: &'p [u8],
    authority: &PublicKey,
    station: u16,
) -> Result<Result<Package<'p>, PackageFault>, StoreError> {
    let mut buffer = [0; Accepted::MAX];
    let length = store.read(Item::Accepted, &mut buffer).await?;
    let before: Option<Accepted> = length
        .and_then(|length| buffer.get(..length))
        .and_then(|bytes| wire::decode(bytes).ok());
    let registered = registration(store, &mut [0; 512]).await?;
    let held = before.map(|before| Held {
        serial: before.serial,
        package: before.package,
        election: before.election,
        registered: registered.is_some_and(|body| body.election == before.election),
    });
    let opened = SignedHeader::open(bytes, authority)
        .and_then(|header| package::accept(&header, station, held.as_ref()))
        .and_then(|()| Package::open(bytes, authority));
    let package = match opened {
        Ok(package) => package,
        Err(error) => return Ok(Err(PackageFault::Refused(error))),
    };
    let now = Accepted {
        serial: package.header.serial,
        package: package.hash,
        election: *package.election(),
    };
    if before != Some(now) {
        let mut out = [0; Accepted::MAX];
        if let Ok(bytes) = wire::encode(&now, &mut out) {
            store.write(Item::Accepted, bytes).await?;
        }
    }
    Ok(Ok(package))
}

/// Forgets the keys of a closed kiosk, so that it can be registered anew for another epoch or election: a closing ends the row of
/// its key on the ledger. Which package was accepted last is kept, so that an older one stays refused.
///
/// # Errors
/// [`StoreError`]; called again it goes on.
pub async fn retire<S: Store>(store: &mut S) -> Result<(), StoreError> {
    for item in [
        Item::Secret,
        Item::Request,
        Item::Registration,
        Item::Progress,
        Item::Identity,
    ] {
        store.erase(item).await?;
    }
    Ok(())
}

/// Whether the stored keys may have signed anything that counts. They sign batches and closings only of a box that was opened, no box is opened before
/// the registration is stored, and both it and what is remembered of the box stay until [`retire`]. Were this wrong, a box would stand there that only a
/// spare can close; so either of the two is enough, whatever is in it, and a store that fails is no "no".
async fn used<S: Store>(store: &mut S) -> Result<bool, StoreError> {
    for item in [Item::Registration, Item::Progress] {
        if store.read(item, &mut [0; 512]).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The stored registration's body.
pub async fn registration<S: Store>(store: &mut S, buffer: &mut [u8; 512]) -> Result<Option<Registration>, StoreError> {
    let Some(length) = store.read(Item::Registration, buffer).await? else {
        return Ok(None);
    };
    match buffer.get(..length).map(Transaction::read) {
        Some(Ok(Transaction::Register { body, .. })) => Ok(Some(body)),
        _ => Ok(None),
    }
}

/// The election secret, if the desk has put one in; the inner `None` if what is there does not fit this kiosk and package.
///
/// # Errors
/// [`StoreError`].
pub async fn secret<S: Store>(
    store: &mut S,
    identity: &Identity,
    package: &Package<'_>,
) -> Result<Option<Option<ElectionSecret>>, StoreError> {
    let mut sealed = [0; SEALED_SECRET_LEN];
    let Some(length) = store.read(Item::Secret, &mut sealed).await? else {
        return Ok(None);
    };
    if length != sealed.len() {
        return Ok(Some(None));
    }
    let kiosk = identity.kiosk();
    let opened = ElectionSecret::open(package.election(), &kiosk, &identity.sealing, &sealed, package.secret);
    Ok(Some(opened.ok()))
}
