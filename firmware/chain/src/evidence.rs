//! Evidence of forks: a kiosk's key signed two batches of one number.
//!
//! Kept, because nobody else can have made it: either the kiosk is compromised, or two devices hold its key. Header and signature are
//! enough; the other batch is on the ledger. Bounded, so that a mad kiosk fills no disk.

use std::collections::BTreeMap;

use election::batch::{Batch, BatchHeader, LABEL};
use election::hash::Digest;
use election::sign;
use election::wire::{self, Bytes, WireError};
use serde::{Deserialize, Serialize};

use crate::index::Index;

/// Most pieces kept of one kiosk; the first says all, the others show whether it goes on.
pub const MAX_EVIDENCE: usize = 16;

/// A batch that was refused because the ledger holds another of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the kiosk signed beside the batch on the ledger.
    pub header: BatchHeader,
    /// Its signature over the batch hash.
    pub signature: Bytes<64>,
}

/// All evidence, each piece once.
#[derive(Default)]
pub(crate) struct Drawer {
    pieces: BTreeMap<Digest, Vec<Evidence>>,
}

impl Drawer {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.pieces.values().flatten()
    }

    /// Keeps a piece. None if it proves nothing, is known, or the kiosk's share is full.
    pub(crate) fn keep(&mut self, index: &Index, evidence: Evidence) -> Option<Evidence> {
        let hash = evidence.header.hash();
        let row = index.row(&evidence.header.kiosk)?;
        let on_ledger = index.batch_hash(&row.id, evidence.header.number)?;
        if on_ledger == hash || sign::verify(&row.key, LABEL, &hash, &evidence.signature.0).is_err() {
            return None;
        }
        let known = self.pieces.entry(row.id).or_default();
        if known.len() >= MAX_EVIDENCE || known.iter().any(|other| other.header == evidence.header) {
            return None;
        }
        known.push(evidence);
        Some(evidence)
    }
}

impl From<&Batch<'_>> for Evidence {
    fn from(batch: &Batch<'_>) -> Self {
        Self {
            header: batch.header,
            signature: batch.signature,
        }
    }
}

impl Evidence {
    /// As it is written to storage.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut out = vec![0; wire::encoded_len(self)?];
        wire::encode(self, &mut out)?;
        Ok(out)
    }
}
