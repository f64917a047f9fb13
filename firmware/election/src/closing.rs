//! Opening and closing of a kiosk (SPEC.md, section 8): counters, the closing hash, what staff sign.
//!
//! The closing hash says everything a kiosk holds at the end, sorted, so that witnesses can write it down and nothing can be
//! added or taken away afterwards. It says nothing of the order of casting, and no tag goes into it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::batch::kiosk_id;
use crate::hash::{Digest, Hasher};
use crate::ledger::{Genesis, StaffRefusal, StaffSignature, check_staff_pair, role};
use crate::sign::{self, PublicKey, SignError, Signer};
use crate::wire::{Bytes, Seq, WireError};

/// Label of the two staff signatures at closing.
pub const LABEL_STAFF_CLOSE: &str = "ippyo/1/sign/staff/close";
/// Label of the two staff signatures at opening.
pub const LABEL_STAFF_OPEN: &str = "ippyo/1/sign/staff/open";
/// Label of the kiosk's signature over its closing hash.
pub const LABEL_CLOSING: &str = "ippyo/1/sign/closing";

/// What a kiosk counted. Sessions, never voters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Sessions that were admitted.
    pub admitted: u32,
    /// Ballots cast and recorded.
    pub recorded: u32,
    /// Sessions that ended without a ballot, confirmed by staff or by the card being pulled.
    pub abandoned: u32,
    /// Sessions that a power cut or a fault ended without a ballot.
    pub interrupted: u32,
    /// Ballots challenged and opened.
    pub spoiled: u32,
    /// Slots of a medium that cannot be read: kept as evidence.
    pub void: u32,
}

impl Counters {
    /// `admitted = recorded + abandoned + interrupted` (requirement F5).
    #[must_use]
    pub fn add_up(&self) -> bool {
        let ended = u64::from(self.recorded) + u64::from(self.abandoned) + u64::from(self.interrupted);
        u64::from(self.admitted) == ended
    }

    /// The six counters as raw u32, in the order of the format.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 24] {
        let all = [
            self.admitted,
            self.recorded,
            self.abandoned,
            self.interrupted,
            self.spoiled,
            self.void,
        ];
        let mut bytes = [0; 24];
        for (to, from) in bytes.chunks_mut(4).zip(all) {
            to.copy_from_slice(&from.to_be_bytes());
        }
        bytes
    }
}

/// Why a closing was refused or cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingError {
    /// The bytes are no closing.
    Wire(WireError),
    /// Leaves or spoiled codes are not strictly ascending.
    Order,
    /// Other than announced: more or fewer leaves or spoiled codes.
    Count,
    /// admitted is not recorded + abandoned + interrupted.
    Counters,
    /// `recorded` is not the number of cast leaves.
    Recorded,
    /// `spoiled` is not the number of spoiled codes.
    Spoiled,
    /// The hash does not follow from what was closed.
    Hash,
    /// The kiosk's signature.
    Signature(SignError),
    /// The staff signatures.
    Staff(StaffRefusal),
}

impl fmt::Display for ClosingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "this is not a closing: {error}"),
            Self::Order => f.write_str("leaves or spoiled codes are not in ascending order"),
            Self::Count => f.write_str("there are other leaves or spoiled codes than announced"),
            Self::Counters => f.write_str("admitted is not recorded + abandoned + interrupted"),
            Self::Recorded => f.write_str("the counter \"recorded\" is not the number of cast ballots"),
            Self::Spoiled => f.write_str("the counter \"spoiled\" is not the number of spoiled ballots"),
            Self::Hash => f.write_str("the closing hash does not follow from the ballots and counters"),
            Self::Signature(error) => write!(f, "the kiosk's signature on the closing: {error}"),
            Self::Staff(error) => write!(f, "the closing: {error}"),
        }
    }
}

impl core::error::Error for ClosingError {}

/// What a closing hash is over, beside ballots, counters and audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosingHead {
    /// Election hash.
    pub election: Digest,
    /// Package hash.
    pub package: Digest,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Epoch.
    pub epoch: u8,
}

/// Makes a closing hash from leaves and codes that come one by one, in ascending order.
pub struct ClosingHasher {
    hasher: Hasher,
    cast: u32,
    spoiled: u32,
    cast_left: u32,
    spoiled_left: u32,
    last: Option<Digest>,
}

impl ClosingHasher {
    /// Begins the hash over `cast` leaves and `spoiled` codes. Both are below 2^27: parts of a hash are below 4 GiB.
    ///
    /// # Errors
    /// [`ClosingError::Count`] beyond that.
    pub fn new(head: &ClosingHead, cast: u32, spoiled: u32) -> Result<Self, ClosingError> {
        let bytes = cast.checked_mul(32).ok_or(ClosingError::Count)?;
        spoiled.checked_mul(32).ok_or(ClosingError::Count)?;
        let mut hasher = Hasher::new("ippyo/1/closing");
        hasher
            .part(&head.election)
            .part(&head.package)
            .part(&head.kiosk)
            .part(&[head.epoch])
            .begin_part(bytes);
        let mut this = Self {
            hasher,
            cast,
            spoiled,
            cast_left: cast,
            spoiled_left: spoiled,
            last: None,
        };
        this.next_part();
        Ok(this)
    }

    /// After the last cast leaf the spoiled codes begin.
    fn next_part(&mut self) {
        if self.cast_left == 0 {
            self.last = None;
            // Checked in `new`.
            self.hasher.begin_part(self.spoiled.saturating_mul(32));
        }
    }

    fn ascending(&mut self, item: &Digest) -> Result<(), ClosingError> {
        if self.last.is_some_and(|last| last >= *item) {
            return Err(ClosingError::Order);
        }
        self.last = Some(*item);
        self.hasher.chunk(item);
        Ok(())
    }

    /// The next leaf of a cast ballot.
    ///
    /// # Errors
    /// [`ClosingError::Order`], [`ClosingError::Count`].
    pub fn cast(&mut self, leaf: &Digest) -> Result<(), ClosingError> {
        self.cast_left = self.cast_left.checked_sub(1).ok_or(ClosingError::Count)?;
        self.ascending(leaf)?;
        self.next_part();
        Ok(())
    }

    /// The next code of a spoiled ballot; all cast leaves come before.
    ///
    /// # Errors
    /// [`ClosingError::Order`], [`ClosingError::Count`].
    pub fn spoiled(&mut self, code: &Digest) -> Result<(), ClosingError> {
        if self.cast_left != 0 {
            return Err(ClosingError::Count);
        }
        self.spoiled_left = self.spoiled_left.checked_sub(1).ok_or(ClosingError::Count)?;
        self.ascending(code)
    }

    /// The closing hash. The counters must agree with what was fed.
    ///
    /// # Errors
    /// [`ClosingError::Count`], [`ClosingError::Counters`], [`ClosingError::Recorded`], [`ClosingError::Spoiled`].
    pub fn finish(mut self, counters: &Counters, audit: &Digest) -> Result<Digest, ClosingError> {
        if self.cast_left != 0 || self.spoiled_left != 0 {
            return Err(ClosingError::Count);
        }
        if !counters.add_up() {
            return Err(ClosingError::Counters);
        }
        if counters.recorded != self.cast {
            return Err(ClosingError::Recorded);
        }
        if counters.spoiled != self.spoiled {
            return Err(ClosingError::Spoiled);
        }
        self.hasher.part(&counters.to_bytes()).part(audit);
        Ok(self.hasher.finish())
    }
}

/// What the two staff cards sign at closing, with [`LABEL_STAFF_CLOSE`]: eh || kiosk id || epoch.
#[must_use]
pub fn staff_close_message(election: &Digest, kiosk: &Digest, epoch: u8) -> [u8; 65] {
    let mut message = [0; 65];
    let parts = election.iter().chain(kiosk).copied().chain([epoch]);
    for (to, from) in message.iter_mut().zip(parts) {
        *to = from;
    }
    message
}

/// What the two staff cards sign at opening, with [`LABEL_STAFF_OPEN`]: eh || kiosk id || epoch || software hash.
#[must_use]
pub fn staff_open_message(election: &Digest, kiosk: &Digest, epoch: u8, software: &Digest) -> [u8; 97] {
    let mut message = [0; 97];
    let close = staff_close_message(election, kiosk, epoch);
    for (to, from) in message.iter_mut().zip(close.iter().chain(software)) {
        *to = *from;
    }
    message
}

/// The end of a kiosk in one epoch, as it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing<'b> {
    /// Election hash.
    pub election: Digest,
    /// Hash of the package the kiosk ran with.
    pub package: Digest,
    /// The kiosk's signing key (not its id).
    pub kiosk: Bytes<33>,
    /// Its station.
    pub station: u16,
    /// The epoch.
    pub epoch: u8,
    /// What it counted.
    pub counters: Counters,
    /// Head of its audit log.
    pub audit: Digest,
    /// The closing hash.
    pub hash: Digest,
    /// Exactly two, ascending by key.
    #[serde(borrow)]
    pub staff: Seq<'b, StaffSignature>,
    /// The kiosk's, over the closing hash.
    pub signature: Bytes<64>,
}

impl Closing<'_> {
    /// The kiosk id.
    #[must_use]
    pub fn kiosk_id(&self) -> Digest {
        kiosk_id(&self.kiosk.0)
    }

    /// What the closing hash is over, beside ballots, counters and audit log.
    #[must_use]
    pub fn head(&self) -> ClosingHead {
        ClosingHead {
            election: self.election,
            package: self.package,
            kiosk: self.kiosk_id(),
            epoch: self.epoch,
        }
    }

    /// Checks the kiosk's and the two staff signatures (role bit 0).
    ///
    /// # Errors
    /// [`ClosingError::Signature`], [`ClosingError::Staff`].
    pub fn check_signatures(&self, genesis: &Genesis<'_>) -> Result<(), ClosingError> {
        sign::verify(&self.kiosk.0, LABEL_CLOSING, &self.hash, &self.signature.0).map_err(ClosingError::Signature)?;
        let message = staff_close_message(&self.election, &self.kiosk_id(), self.epoch);
        check_staff_pair(genesis, role::POLLS, LABEL_STAFF_CLOSE, &message, self.staff).map_err(ClosingError::Staff)
    }

    /// Checks that the closing hash follows from these leaves and codes (each ascending) and that the counters agree with them.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_hash(
        &self,
        cast: impl ExactSizeIterator<Item = Digest>,
        spoiled: impl ExactSizeIterator<Item = Digest>,
    ) -> Result<(), ClosingError> {
        let count = |length: usize| u32::try_from(length).map_err(|_| ClosingError::Count);
        let mut hasher = ClosingHasher::new(&self.head(), count(cast.len())?, count(spoiled.len())?)?;
        for leaf in cast {
            hasher.cast(&leaf)?;
        }
        for code in spoiled {
            hasher.spoiled(&code)?;
        }
        if hasher.finish(&self.counters, &self.audit)? == self.hash {
            Ok(())
        } else {
            Err(ClosingError::Hash)
        }
    }
}

/// The kiosk's signature over its closing hash.
///
/// # Errors
/// The key cannot sign.
pub fn sign_closing(closing_hash: &Digest, signer: &Signer) -> Result<Bytes<64>, SignError> {
    signer.sign(LABEL_CLOSING, closing_hash).map(Bytes)
}

/// Checks the two staff signatures of an opening (role bit 0).
///
/// # Errors
/// What does not hold.
pub fn check_opening(
    genesis: &Genesis<'_>,
    kiosk: &PublicKey,
    epoch: u8,
    software: &Digest,
    staff: Seq<'_, StaffSignature>,
) -> Result<(), StaffRefusal> {
    let message = staff_open_message(&genesis.election, &kiosk_id(kiosk), epoch, software);
    check_staff_pair(genesis, role::POLLS, LABEL_STAFF_OPEN, &message, staff)
}

#[cfg(test)]
#[path = "closing_tests.rs"]
mod tests;
