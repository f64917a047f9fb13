//! The roll of a station (SPEC.md, sections 5 and 7) and its changes: hashes of card keys, each with a ballot style.
//!
//! No names, no marks: who has voted is known from the ballot box alone. A delta replaces nothing in the package; it is looked
//! at first.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, hash};
use crate::sign::PublicKey;
use crate::signed::{Signed, SignedError};
use crate::wire::{self, Seq, WireError};

/// Bytes of an entry: hash and style.
pub const ENTRY_LEN: usize = 34;
/// Most entries of a roll.
pub const MAX_ENTRIES: usize = 1 << 20;
/// Most entries of a delta.
pub const MAX_DELTA_ENTRIES: usize = 1 << 16;
/// Label of the authority's signature over a delta.
pub const LABEL_DELTA: &str = "ippyo/1/sign/delta";

/// The roll entry of a PIV card: `H("ippyo/1/roll/piv", 9D public key)`.
#[must_use]
pub fn piv_entry(key: &PublicKey) -> Digest {
    hash("ippyo/1/roll/piv", &[key])
}

/// The roll entry of a JPKI card: `H("ippyo/1/roll/jpki", RSA public key as PKCS#1 DER)`.
#[must_use]
pub fn jpki_entry(key: &[u8]) -> Digest {
    hash("ippyo/1/roll/jpki", &[key])
}

/// Why a roll or a delta was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollError {
    /// Its length is not that of whole entries, or above the limit.
    Length,
    /// Entries are not strictly ascending.
    Order {
        /// The first entry that is not above the one before, from 0.
        entry: usize,
    },
    /// An entry has a ballot style that the manifest does not have.
    Style {
        /// The entry, from 0.
        entry: usize,
        /// Its style.
        style: u16,
    },
    /// The delta does not decode.
    Wire(WireError),
    /// The delta's signature does not hold.
    Signature(SignedError),
    /// The delta is of another election.
    Election,
    /// The delta is for another station.
    Station {
        /// The delta's.
        theirs: u16,
    },
    /// The delta is not newer than what is held.
    Older {
        /// The serial that is held.
        held: u32,
        /// The delta's.
        given: u32,
    },
}

impl fmt::Display for RollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("it is cut off or too long"),
            Self::Order { entry } => write!(f, "entry {entry} is not in ascending order, or is there twice"),
            Self::Style { entry, style } => write!(f, "entry {entry} has ballot style {style}, which does not exist"),
            Self::Wire(error) => error.fmt(f),
            Self::Signature(error) => write!(f, "it is not signed by the election authority: {error}"),
            Self::Election => f.write_str("it is of another election"),
            Self::Station { theirs } => write!(f, "it is for station {theirs}"),
            Self::Older { held, given } => write!(f, "it has serial {given}, not newer than {held} which is held"),
        }
    }
}

impl core::error::Error for RollError {}

/// A roll whose entries are strictly ascending and of existing styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roll<'a> {
    entries: &'a [[u8; ENTRY_LEN]],
}

/// Hash and style of an entry.
fn split(entry: &[u8; ENTRY_LEN]) -> (Digest, u16) {
    let (mut hash, mut style) = ([0; 32], [0; 2]);
    for (to, from) in hash.iter_mut().chain(&mut style).zip(entry) {
        *to = *from;
    }
    (hash, u16::from_be_bytes(style))
}

impl<'a> Roll<'a> {
    /// Checks a roll against the number of styles of the manifest.
    ///
    /// # Errors
    /// What does not hold.
    pub fn read(bytes: &'a [u8], styles: u16) -> Result<Self, RollError> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_LEN>();
        if !rest.is_empty() || entries.len() > MAX_ENTRIES {
            return Err(RollError::Length);
        }
        let mut last: Option<Digest> = None;
        for (entry, bytes) in entries.iter().enumerate() {
            let (hash, style) = split(bytes);
            if last.is_some_and(|last| last >= hash) {
                return Err(RollError::Order { entry });
            }
            if style >= styles {
                return Err(RollError::Style { entry, style });
            }
            last = Some(hash);
        }
        Ok(Self { entries })
    }

    /// Number of voters.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody may vote here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The style of a roll entry.
    #[must_use]
    pub fn style(&self, entry: &Digest) -> Option<u16> {
        let found = self.entries.binary_search_by(|other| split(other).0.cmp(entry)).ok()?;
        self.entries.get(found).map(|entry| split(entry).1)
    }

    /// Hashes and styles in order.
    pub fn iter(&self) -> impl Iterator<Item = (Digest, u16)> + use<'a> {
        self.entries.iter().map(split)
    }
}

/// Changes of a roll, complete against the package in force: a later delta replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta<'a> {
    /// Election hash.
    pub election: Digest,
    /// The station's number.
    pub station: u16,
    /// On one line with the serials of the station's packages: a package takes in the deltas below its serial.
    pub serial: u32,
    /// Strictly ascending.
    #[serde(borrow)]
    pub entries: Seq<'a, DeltaEntry>,
}

/// A change of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaEntry {
    /// The roll entry.
    pub entry: Digest,
    /// Its style from now on; None removes it.
    pub style: Option<u16>,
}

impl<'a> Delta<'a> {
    /// Reads a delta file and checks that it is the authority's, well formed, and of this election and station.
    ///
    /// # Errors
    /// What does not hold.
    pub fn open(
        file: &'a [u8],
        authority: &PublicKey,
        election: &Digest,
        station: u16,
        styles: u16,
    ) -> Result<Self, RollError> {
        let body = Signed::open(file, authority, LABEL_DELTA).map_err(RollError::Signature)?;
        let delta: Self = wire::decode(body).map_err(RollError::Wire)?;
        if delta.election != *election {
            return Err(RollError::Election);
        }
        if delta.station != station {
            return Err(RollError::Station { theirs: delta.station });
        }
        let mut last: Option<Digest> = None;
        for (entry, item) in delta.entries.iter().enumerate() {
            let item = item.map_err(RollError::Wire)?;
            if entry >= MAX_DELTA_ENTRIES {
                return Err(RollError::Length);
            }
            if last.is_some_and(|last| last >= item.entry) {
                return Err(RollError::Order { entry });
            }
            if let Some(style) = item.style.filter(|style| *style >= styles) {
                return Err(RollError::Style { entry, style });
            }
            last = Some(item.entry);
        }
        Ok(delta)
    }

    /// Whether a kiosk takes this delta: it must be newer than the package and the delta it holds.
    ///
    /// # Errors
    /// [`RollError::Older`].
    pub fn accept(&self, package: u32, held: Option<u32>) -> Result<(), RollError> {
        let held = held.map_or(package, |held| held.max(package));
        if self.serial > held {
            Ok(())
        } else {
            Err(RollError::Older {
                held,
                given: self.serial,
            })
        }
    }

    /// What the delta says of an entry: nothing, removed, or its style. Walks the list.
    #[must_use]
    pub fn change(&self, entry: &Digest) -> Option<Option<u16>> {
        self.entries
            .iter()
            .map_while(Result::ok)
            .find(|item| item.entry == *entry)
            .map(|item| item.style)
    }
}

/// The style a card has here, after the delta in force.
#[must_use]
pub fn style(roll: &Roll<'_>, delta: Option<&Delta<'_>>, entry: &Digest) -> Option<u16> {
    match delta.and_then(|delta| delta.change(entry)) {
        Some(change) => change,
        None => roll.style(entry),
    }
}

#[cfg(test)]
#[path = "roll_tests.rs"]
mod tests;
