//! A batch as SPEC.md, section 8 says it, until `crate::batch` stands.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::hash::{Digest, hash};
use crate::sign::{self, PublicKey};
use crate::wire::{self, Bytes, Seq};

/// `BatchHeader` of SPEC.md, section 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Election hash.
    pub election: Digest,
    /// Epoch.
    pub epoch: u8,
    /// Kiosk id.
    pub kiosk: Digest,
    /// From 0.
    pub number: u32,
    /// Hash of the batch before.
    pub previous: Digest,
    /// Merkle root over the entries.
    pub root: Digest,
    /// Number of entries.
    pub count: u32,
    /// Audit log head.
    pub audit: Digest,
    /// Closing hash.
    pub closing: Option<Digest>,
}

impl BatchHeader {
    /// The batch hash.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let mut buffer = [0; 256];
        hash("ippyo/1/batch", &[wire::encode(self, &mut buffer).unwrap_or_default()])
    }
}

/// `Batch` of SPEC.md, section 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch<'b> {
    /// What is signed.
    pub header: BatchHeader,
    /// Ascending by code.
    #[serde(borrow)]
    pub entries: Seq<'b, Entry>,
    /// The kiosk's.
    pub signature: Bytes<64>,
}

/// `Entry` of SPEC.md, section 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// 1 cast, 2 spoiled.
    pub kind: u8,
    /// Tracking code.
    pub code: Digest,
    /// Leaf.
    pub leaf: Digest,
}

impl Batch<'_> {
    /// The kiosk's signature.
    ///
    /// # Errors
    /// [`Refusal::Signature`].
    pub fn check(&self, key: &PublicKey) -> Result<(), Refusal> {
        sign::verify(key, "ippyo/1/sign/batch", &self.header.hash(), &self.signature.0).map_err(|_| Refusal::Signature)
    }
}
