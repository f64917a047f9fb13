//! Leaves and batches (SPEC.md, section 8): how a kiosk says which ballots it holds, without saying whose or in which order.
//!
//! Entries are sorted by tracking code, so that a batch tells nothing of the order of casting. A batch holds no tag and no ballot:
//! the leaf binds both, and they are opened at the tally.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, hash};
use crate::merkle;
use crate::sign::{self, PublicKey, SignError, Signer};
use crate::wire::{self, Bytes, Seq, WireError};

/// Most entries of one batch.
pub const MAX_ENTRIES: u32 = 65_536;
/// Bytes of an entry.
pub const ENTRY_LEN: usize = 65;
/// Bytes of the longest header.
pub const MAX_HEADER_LEN: usize = 32 + 1 + 32 + 5 + 32 + 32 + 5 + 32 + 1 + 32;
/// `previous` of a first batch that follows nothing.
pub const NO_PREDECESSOR: Digest = [0; 32];
/// The tag in the leaf of a spoiled ballot.
pub const NO_TAG: Digest = [0; 32];

/// What became of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Kind {
    /// Cast: it may count.
    Cast = 1,
    /// Challenged: it is opened and never counts.
    Spoiled = 2,
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Cast => 1,
            Kind::Spoiled => 2,
        }
    }
}

/// A kind that is neither 1 nor 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind(pub u8);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a ballot is cast (1) or spoiled (2), not {}", self.0)
    }
}

impl core::error::Error for UnknownKind {}

impl TryFrom<u8> for Kind {
    type Error = UnknownKind;

    fn try_from(kind: u8) -> Result<Self, UnknownKind> {
        match kind {
            1 => Ok(Self::Cast),
            2 => Ok(Self::Spoiled),
            other => Err(UnknownKind(other)),
        }
    }
}

/// The leaf of a cast ballot: it binds code, ballot and tag, and hides the tag until the tally.
#[must_use]
pub fn cast_leaf(epoch: u8, code: &Digest, ballot_hash: &Digest, tag: &Digest) -> Digest {
    leaf(Kind::Cast, epoch, code, ballot_hash, tag)
}

/// The leaf of a spoiled ballot; it has no tag.
#[must_use]
pub fn spoiled_leaf(epoch: u8, code: &Digest, ballot_hash: &Digest) -> Digest {
    leaf(Kind::Spoiled, epoch, code, ballot_hash, &NO_TAG)
}

fn leaf(kind: Kind, epoch: u8, code: &Digest, ballot_hash: &Digest, tag: &Digest) -> Digest {
    hash("ippyo/1/leaf", &[&[kind.into()], &[epoch], code, ballot_hash, tag])
}

/// One ballot in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Cast or spoiled.
    pub kind: Kind,
    /// The tracking code.
    pub code: Digest,
    /// See [`cast_leaf`] and [`spoiled_leaf`].
    pub leaf: Digest,
}

impl Entry {
    /// The entry's leaf in the batch's Merkle tree: over kind || code || leaf.
    #[must_use]
    pub fn merkle_leaf(&self) -> Digest {
        let mut bytes = [0; ENTRY_LEN];
        let parts = [u8::from(self.kind)].into_iter().chain(self.code).chain(self.leaf);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        merkle::leaf(&bytes)
    }
}

/// What a kiosk signs of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Election hash.
    pub election: Digest,
    /// Epoch that the entries were cast in.
    pub epoch: u8,
    /// Kiosk id.
    pub kiosk: Digest,
    /// From 0, without gaps.
    pub number: u32,
    /// Hash of the batch before, see [`NO_PREDECESSOR`].
    pub previous: Digest,
    /// Merkle root over the entries.
    pub root: Digest,
    /// Number of entries.
    pub count: u32,
    /// Head of the kiosk's audit log.
    pub audit: Digest,
    /// Present in the last batch only: the closing hash.
    pub closing: Option<Digest>,
}

impl BatchHeader {
    /// The batch hash: `H("ippyo/1/batch", header)`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let mut buffer = [0; MAX_HEADER_LEN];
        // The buffer holds the longest header: this never falls back.
        let encoding = wire::encode(self, &mut buffer).unwrap_or_default();
        hash("ippyo/1/batch", &[encoding])
    }
}

/// A batch as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch<'b> {
    /// What is signed.
    pub header: BatchHeader,
    /// Strictly ascending by code.
    #[serde(borrow)]
    pub entries: Seq<'b, Entry>,
    /// The kiosk's, over the batch hash.
    pub signature: Bytes<64>,
}

/// Why a batch was refused or could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes are no batch, or the buffer is too small.
    Wire(WireError),
    /// More than [`MAX_ENTRIES`].
    TooMany,
    /// No entry, and it is not the closing batch.
    Empty,
    /// Entries are not strictly ascending by code.
    Order {
        /// The first entry that is not above the one before.
        entry: u32,
    },
    /// `count` is not the number of entries.
    Count,
    /// `root` is not over the entries.
    Root,
    /// The header names another kiosk than the key.
    Kiosk,
    /// The signature does not hold.
    Signature(SignError),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "this is not a batch: {error}"),
            Self::TooMany => write!(f, "the batch has more than {MAX_ENTRIES} entries"),
            Self::Empty => f.write_str("the batch is empty and not the closing one"),
            Self::Order { entry } => write!(f, "entry {entry} of the batch is not in ascending order of codes"),
            Self::Count => f.write_str("the batch says another number of entries than it has"),
            Self::Root => f.write_str("the batch's root is not over its entries"),
            Self::Kiosk => f.write_str("the batch is of another kiosk than the key"),
            Self::Signature(error) => write!(f, "the batch: {error}"),
        }
    }
}

impl core::error::Error for BatchError {}

impl From<WireError> for BatchError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// The id of a kiosk: `H("ippyo/1/kiosk", signing key)`.
#[must_use]
pub fn kiosk_id(key: &PublicKey) -> Digest {
    hash("ippyo/1/kiosk", &[key])
}

/// Label of a kiosk's signature over a batch hash.
pub const LABEL: &str = "ippyo/1/sign/batch";

/// Walks entries and gives their number and root; every rule about entries is here.
fn survey(entries: impl Iterator<Item = Result<Entry, WireError>>, closing: bool) -> Result<(u32, Digest), BatchError> {
    let mut tree = merkle::Root::new();
    let mut last: Option<Digest> = None;
    for entry in entries {
        let entry = entry?;
        if tree.count() >= MAX_ENTRIES {
            return Err(BatchError::TooMany);
        }
        if last.is_some_and(|last| last >= entry.code) {
            return Err(BatchError::Order { entry: tree.count() });
        }
        last = Some(entry.code);
        tree.push(entry.merkle_leaf());
    }
    if tree.count() == 0 && !closing {
        return Err(BatchError::Empty);
    }
    Ok((tree.count(), tree.finish()))
}

impl<'b> Batch<'b> {
    /// Reads a batch; see [`Batch::check`].
    ///
    /// # Errors
    /// [`BatchError::Wire`].
    pub fn read(bytes: &'b [u8]) -> Result<Self, BatchError> {
        Ok(wire::decode(bytes)?)
    }

    /// Checks order, count and root of the entries.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_entries(&self) -> Result<(), BatchError> {
        let (count, root) = survey(self.entries.iter(), self.header.closing.is_some())?;
        if count != self.header.count {
            return Err(BatchError::Count);
        }
        if root != self.header.root {
            return Err(BatchError::Root);
        }
        Ok(())
    }

    /// Checks that the batch is of the kiosk with this key and signed by it.
    ///
    /// # Errors
    /// [`BatchError::Kiosk`], [`BatchError::Signature`].
    pub fn check_signature(&self, key: &PublicKey) -> Result<(), BatchError> {
        if self.header.kiosk != kiosk_id(key) {
            return Err(BatchError::Kiosk);
        }
        sign::verify(key, LABEL, &self.header.hash(), &self.signature.0).map_err(BatchError::Signature)
    }

    /// [`Batch::check_entries`] and [`Batch::check_signature`]. Number and predecessor are the ledger's to check.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, key: &PublicKey) -> Result<(), BatchError> {
        self.check_entries()?;
        self.check_signature(key)
    }
}

/// What a kiosk says in a batch beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Election hash.
    pub election: Digest,
    /// Epoch of the entries.
    pub epoch: u8,
    /// See [`BatchHeader::number`].
    pub number: u32,
    /// See [`BatchHeader::previous`].
    pub previous: Digest,
    /// See [`BatchHeader::audit`].
    pub audit: Digest,
    /// See [`BatchHeader::closing`].
    pub closing: Option<Digest>,
}

/// Bytes that suffice for a batch of `count` entries.
#[must_use]
pub const fn max_len(count: usize) -> usize {
    // 5 bytes: the longest length prefix of the entries.
    count.saturating_mul(ENTRY_LEN).saturating_add(MAX_HEADER_LEN + 5 + 64)
}

/// Signs a batch over `entries` (strictly ascending by code, walked twice) and writes it into `out`. Gives its bytes and its hash.
///
/// # Errors
/// [`BatchError::Order`], [`BatchError::TooMany`], [`BatchError::Empty`], a buffer that is too small, a key that cannot sign.
pub fn build<'o>(
    draft: &Draft,
    entries: impl Iterator<Item = Entry> + Clone,
    signer: &Signer,
    out: &'o mut [u8],
) -> Result<(&'o [u8], Digest), BatchError> {
    let (count, root) = survey(entries.clone().map(Ok), draft.closing.is_some())?;
    let header = BatchHeader {
        election: draft.election,
        epoch: draft.epoch,
        kiosk: kiosk_id(&signer.public_key()),
        number: draft.number,
        previous: draft.previous,
        root,
        count,
        audit: draft.audit,
        closing: draft.closing,
    };
    let batch_hash = header.hash();
    let signature = signer.sign(LABEL, &batch_hash).map_err(BatchError::Signature)?;

    // The encoding of `Batch`, written field by field, because the entries do not lie in one piece anywhere.
    let too_small = BatchError::Wire(WireError::BufferTooSmall);
    let mut used = wire::encode(&header, out)?.len();
    let entry_bytes = count.saturating_mul(65);
    used += wire::encode(&entry_bytes, out.get_mut(used..).ok_or(too_small)?)?.len();
    for entry in entries {
        used += wire::encode(&entry, out.get_mut(used..).ok_or(too_small)?)?.len();
    }
    used += wire::encode(&Bytes(signature), out.get_mut(used..).ok_or(too_small)?)?.len();
    Ok((out.get(..used).ok_or(too_small)?, batch_hash))
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
