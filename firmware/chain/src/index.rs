//! What the ledger remembers of decided blocks, and where everything is.
//!
//! Bodies of blocks are not here: rows, hashes and places are enough for the rules, for proofs and for look-ups.

use std::collections::{BTreeMap, HashMap};

use election::batch::Kind;
use election::hash::Digest;
use election::ledger::{Applied, Book, Full, KioskRow, Transaction};

/// Where an entry stands: the order in which equal leaves and tags are judged at the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Height of the block.
    pub height: u64,
    /// Index of the transaction in the block.
    pub transaction: u32,
    /// Index of the entry in the batch.
    pub entry: u32,
}

/// A tracking code on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Epoch of the batch.
    pub epoch: u8,
    /// Cast or spoiled.
    pub kind: Kind,
    /// The leaf.
    pub leaf: Digest,
}

/// A batch on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlace {
    /// Height of the block.
    pub height: u64,
    /// Index of the transaction in the block.
    pub transaction: u32,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Number of the batch.
    pub number: u32,
    /// Entries in it.
    pub count: u32,
}

/// Rows of the rules, and places.
#[derive(Default)]
pub(crate) struct Index {
    kiosks: BTreeMap<Digest, KioskRow>,
    by_number: BTreeMap<(Digest, u32), Digest>,
    batches: HashMap<Digest, BatchPlace>,
    codes: BTreeMap<(Digest, Place), (Digest, u8, Kind, Digest)>,
    transactions: HashMap<Digest, (u64, u32)>,
}

impl Index {
    pub(crate) fn kiosks(&self) -> impl Iterator<Item = &KioskRow> {
        self.kiosks.values()
    }

    pub(crate) fn row(&self, kiosk: &Digest) -> Option<&KioskRow> {
        self.kiosks.get(kiosk)
    }

    pub(crate) fn batch_hash(&self, kiosk: &Digest, number: u32) -> Option<Digest> {
        self.by_number.get(&(*kiosk, number)).copied()
    }

    pub(crate) fn batch_place(&self, hash: &Digest) -> Option<BatchPlace> {
        self.batches.get(hash).copied()
    }

    pub(crate) fn batch_count(&self) -> usize {
        self.batches.len()
    }

    pub(crate) fn transaction(&self, hash: &Digest) -> Option<(u64, u32)> {
        self.transactions.get(hash).copied()
    }

    /// Every place of a code, first place first. Two places are possible: a spare sends again what the kiosk before it had sent.
    pub(crate) fn code(&self, code: &Digest) -> impl Iterator<Item = Found> {
        let first = Place {
            height: 0,
            transaction: 0,
            entry: 0,
        };
        let last = Place {
            height: u64::MAX,
            transaction: u32::MAX,
            entry: u32::MAX,
        };
        self.codes
            .range((*code, first)..=(*code, last))
            .map(|((_, place), (kiosk, epoch, kind, leaf))| Found {
                place: *place,
                kiosk: *kiosk,
                epoch: *epoch,
                kind: *kind,
                leaf: *leaf,
            })
    }

    /// Takes over what a block changed.
    pub(crate) fn merge(&mut self, changes: Changes) {
        self.kiosks.extend(changes.kiosks);
        self.by_number.extend(changes.batches);
    }

    /// Notes the place of a transaction that was applied.
    pub(crate) fn note(
        &mut self,
        hash: Digest,
        height: u64,
        index: u32,
        transaction: &Transaction<'_>,
        applied: &Applied,
    ) {
        self.transactions.insert(hash, (height, index));
        let (
            Transaction::Batch(batch),
            Applied::Batch {
                kiosk, number, hash, ..
            },
        ) = (transaction, applied)
        else {
            return;
        };
        self.batches.insert(
            *hash,
            BatchPlace {
                height,
                transaction: index,
                kiosk: *kiosk,
                number: *number,
                count: batch.header.count,
            },
        );
        // The rules have walked the entries: none is broken, and there are at most 65,536.
        for (entry, place) in batch.entries.iter().flatten().zip(0u32..) {
            let place = Place {
                height,
                transaction: index,
                entry: place,
            };
            self.codes.insert(
                (entry.code, place),
                (*kiosk, batch.header.epoch, entry.kind, entry.leaf),
            );
        }
    }
}

/// What the transactions of one block change, kept apart until the block is decided.
#[derive(Default)]
pub(crate) struct Changes {
    kiosks: BTreeMap<Digest, KioskRow>,
    batches: BTreeMap<(Digest, u32), Digest>,
}

/// The index with the changes of a block on top of it.
pub(crate) struct Overlay<'i> {
    base: &'i Index,
    changes: Changes,
}

impl<'i> Overlay<'i> {
    pub(crate) fn new(base: &'i Index) -> Self {
        Self {
            base,
            changes: Changes::default(),
        }
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }
}

impl Book for Overlay<'_> {
    fn kiosk(&self, id: &Digest) -> Option<KioskRow> {
        self.changes
            .kiosks
            .get(id)
            .or_else(|| self.base.kiosks.get(id))
            .copied()
    }

    fn put_kiosk(&mut self, row: KioskRow) -> Result<(), Full> {
        self.changes.kiosks.insert(row.id, row);
        Ok(())
    }

    fn batch(&self, kiosk: &Digest, number: u32) -> Option<Digest> {
        let key = (*kiosk, number);
        self.changes
            .batches
            .get(&key)
            .or_else(|| self.base.by_number.get(&key))
            .copied()
    }

    fn batch_number(&self, kiosk: &Digest, hash: &Digest) -> Option<u32> {
        let decided = self
            .base
            .batches
            .get(hash)
            .filter(|place| place.kiosk == *kiosk)
            .map(|place| place.number);
        decided.or_else(|| {
            self.changes
                .batches
                .range((*kiosk, 0)..=(*kiosk, u32::MAX))
                .find(|(_, other)| *other == hash)
                .map(|((_, number), _)| *number)
        })
    }

    fn put_batch(&mut self, kiosk: &Digest, number: u32, hash: Digest) -> Result<(), Full> {
        self.changes.batches.insert((*kiosk, number), hash);
        Ok(())
    }
}
