//! The genesis of a ledger: the election it is for, the staff who may register kiosks, the validators who decide.
//!
//! Its hash is the chain id; all that validators, kiosks and staff sign binds it or the election hash in it. A genesis that names
//! one key twice would let one card or one validator stand for two, so it is refused.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, Hasher, hash};
use crate::sign::{self, PublicKey};
use crate::wire::{self, Bytes, Seq, WireError};

/// Most validators of one chain: it bounds a commit proof, and so a kiosk's buffer.
pub const MAX_VALIDATORS: usize = 64;
/// Most staff cards of one chain.
pub const MAX_STAFF: usize = 256;
/// Most bytes of a staff card's name.
const MAX_NAME: usize = 64;

/// Bits of [`StaffCard::roles`].
pub mod role {
    /// Opens and closes polls.
    pub const POLLS: u8 = 1;
    /// Provisions kiosks: registers, takes over, revokes.
    pub const PROVISIONS: u8 = 2;
}

/// `Genesis` of SPEC.md, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis<'b> {
    /// Version of the format: 1.
    pub version: u16,
    /// Election hash.
    pub election: Digest,
    /// The roster.
    #[serde(borrow)]
    pub staff: Seq<'b, StaffCard<'b>>,
    /// Validators' keys, numbered from 0 in this order.
    #[serde(borrow)]
    pub validators: Validators<'b>,
}

/// One card of the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffCard<'b> {
    /// The card's signing key.
    pub key: Bytes<33>,
    /// Bits of [`role`].
    pub roles: u8,
    /// A name for reports; up to 64 bytes.
    pub name: &'b str,
}

/// Why a genesis was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenesisError {
    /// The bytes are not a genesis.
    Wire(WireError),
    /// Not version 1.
    Version(u16),
    /// No validator, or more than [`MAX_VALIDATORS`].
    ValidatorCount,
    /// The validator of this number has a key that is not a point, or one that stands there already.
    Validator(u8),
    /// More than [`MAX_STAFF`] cards.
    StaffCount,
    /// The staff card at this place has no good key, a key that stands there already, unknown roles, or a name that is
    /// empty or too long.
    Staff(u16),
    /// Fewer than two cards may provision: no kiosk could ever be registered.
    NobodyProvisions,
}

impl fmt::Display for GenesisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "this is not a genesis: {error}"),
            Self::Version(version) => write!(f, "the genesis is of version {version}; this program knows version 1"),
            Self::ValidatorCount => write!(f, "the genesis needs 1 to {MAX_VALIDATORS} validators"),
            Self::Validator(index) => write!(f, "validator {index} has a bad key, or the key of another validator"),
            Self::StaffCount => write!(f, "the genesis names more than {MAX_STAFF} staff cards"),
            Self::Staff(index) => write!(
                f,
                "staff card {index} has a bad key, the key of another card, unknown roles or no proper name"
            ),
            Self::NobodyProvisions => f.write_str("fewer than two staff cards may provision kiosks"),
        }
    }
}

impl core::error::Error for GenesisError {}

impl<'b> Genesis<'b> {
    /// Reads a genesis and checks every rule for it.
    ///
    /// # Errors
    /// What does not hold.
    pub fn read(bytes: &'b [u8]) -> Result<Self, GenesisError> {
        let genesis: Self = wire::decode(bytes).map_err(GenesisError::Wire)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Checks every rule for a genesis.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.version != 1 {
            return Err(GenesisError::Version(self.version));
        }
        self.validators.check()?;
        let mut provisions = 0u16;
        for (index, card) in self.staff.iter().enumerate() {
            let place = u16::try_from(index).unwrap_or(u16::MAX);
            let card = card.map_err(GenesisError::Wire)?;
            if index >= MAX_STAFF {
                return Err(GenesisError::StaffCount);
            }
            let known = role::POLLS | role::PROVISIONS;
            let named_before = self
                .staff
                .iter()
                .take(index)
                .flatten()
                .any(|other| other.key == card.key);
            if named_before
                || card.roles & !known != 0
                || card.name.is_empty()
                || card.name.len() > MAX_NAME
                || sign::public_key(&card.key.0).is_err()
            {
                return Err(GenesisError::Staff(place));
            }
            provisions += u16::from(card.roles & role::PROVISIONS != 0);
        }
        if provisions < 2 {
            return Err(GenesisError::NobodyProvisions);
        }
        Ok(())
    }

    /// The chain id: `H("ippyo/1/genesis", Genesis)`.
    #[must_use]
    pub fn chain_id(&self) -> Digest {
        // Rebuilt part by part, because the encoding need not lie in one piece; `decode` made sure there is only one.
        let mut head = [0; 64];
        let head = wire::encode(&(self.version, self.election), &mut head).unwrap_or_default();
        let mut lengths = ([0; 10], [0; 10]);
        let staff = self.staff.as_bytes();
        let validators = self.validators.keys.as_bytes();
        let staff_length = wire::encode(&staff.len(), &mut lengths.0).unwrap_or_default();
        let validators_length = wire::encode(&validators.len(), &mut lengths.1).unwrap_or_default();
        let parts = [head, staff_length, staff, validators_length, validators];
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut hasher = Hasher::new("ippyo/1/genesis");
        hasher.begin_part(u32::try_from(total).unwrap_or(u32::MAX));
        for part in parts {
            hasher.chunk(part);
        }
        hasher.finish()
    }

    /// The card with this key.
    #[must_use]
    pub fn card(&self, key: &PublicKey) -> Option<StaffCard<'b>> {
        self.staff.iter().flatten().find(|card| card.key.0 == *key)
    }
}

/// A validator set: `Seq<[33]>`, numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Validators<'b> {
    #[serde(borrow)]
    keys: Seq<'b, Bytes<33>>,
}

impl<'b> Validators<'b> {
    /// A set over the keys' bytes, one key after the other; see [`Validators::check`].
    #[must_use]
    pub const fn from_bytes(keys: &'b [u8]) -> Self {
        Self {
            keys: Seq::from_bytes(keys),
        }
    }

    /// All keys, one after the other.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.keys.as_bytes()
    }

    /// Number of validators.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.keys.as_bytes().len() / 33
    }

    /// The key of a validator.
    #[must_use]
    pub fn key(&self, index: u8) -> Option<PublicKey> {
        let from = usize::from(index) * 33;
        self.keys.as_bytes().get(from..from + 33)?.try_into().ok()
    }

    /// Whether so many signatures decide: more than two thirds, by number.
    #[must_use]
    pub const fn decides(&self, signatures: usize) -> bool {
        signatures.saturating_mul(3) > self.count().saturating_mul(2)
    }

    /// The validator set hash: `H("ippyo/1/validators", all keys as one part)`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        hash("ippyo/1/validators", &[self.keys.as_bytes()])
    }

    /// 1 to [`MAX_VALIDATORS`] different points.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), GenesisError> {
        let (keys, rest) = self.keys.as_bytes().as_chunks::<33>();
        if !rest.is_empty() || keys.is_empty() || keys.len() > MAX_VALIDATORS {
            return Err(GenesisError::ValidatorCount);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other == key) || sign::public_key(key).is_err() {
                return Err(GenesisError::Validator(u8::try_from(index).unwrap_or(u8::MAX)));
            }
        }
        Ok(())
    }
}
