//! The published chain, replayed: every block, certificate and transaction judged, and what a tally needs to know of it.

use std::collections::{BTreeMap, HashMap};

use election::batch::Kind as EntryKind;
use election::hash::{Digest, hash};
use election::ledger::{Applied, Block, Book, Decided, Full, Genesis, KioskRow, Rules, Standing, Transaction};
use election::wire::Seq;

use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};

/// Where an entry stands on the chain; the lowest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Block height.
    pub height: u64,
    /// Transaction in the block.
    pub transaction: u32,
    /// Entry in the batch.
    pub entry: u32,
}

/// An entry of a batch on the chain.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Cast or spoiled.
    pub kind: EntryKind,
    /// Tracking code.
    pub code: Digest,
    /// Leaf.
    pub leaf: Digest,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Epoch of the batch.
    pub epoch: u8,
    /// Place.
    pub place: Place,
}

/// A closing batch on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Kiosk id.
    pub kiosk: Digest,
    /// Epoch.
    pub epoch: u8,
    /// Closing hash.
    pub hash: Digest,
    /// Audit head of the batch.
    pub audit: Digest,
}

/// What the chain says.
#[derive(Debug, Default)]
pub struct LedgerView {
    /// Blocks.
    pub height: u64,
    /// Validators.
    pub validators: usize,
    /// Batches.
    pub batches: usize,
    /// Kiosks by id.
    pub kiosks: BTreeMap<Digest, KioskRow>,
    /// All entries in chain order.
    pub rows: Vec<Row>,
    /// Closing batches.
    pub closed: Vec<Closed>,
    /// First place of each (kind, code, leaf).
    first: HashMap<(u8, Digest, Digest), Place>,
}

impl LedgerView {
    /// The first place of an entry: of equal leaves only the first one counts.
    #[must_use]
    pub fn place(&self, kind: EntryKind, code: &Digest, leaf: &Digest) -> Option<Place> {
        self.first.get(&(kind.into(), *code, *leaf)).copied()
    }

    /// A kiosk and those whose place it took, newest first.
    #[must_use]
    pub fn line(&self, kiosk: &Digest) -> Vec<Digest> {
        let mut line = vec![*kiosk];
        // The rules let a kiosk take over once and be taken over once: no circle, and the bound is the number of kiosks.
        while line.len() <= self.kiosks.len()
            && let Some(old) = line
                .last()
                .and_then(|id| self.kiosks.get(id))
                .and_then(|row| row.took_over)
        {
            line.push(old);
        }
        line
    }
}

/// Replays a chain: `chain` holds `Decided` items up to its end.
///
/// # Errors
/// The first block, certificate or transaction that does not hold, by height.
pub fn replay(genesis_bytes: &[u8], election: &Digest, chain: &[u8], progress: Progress<'_>) -> Outcome<LedgerView> {
    let refuse = |at: &str, what: String| Problem::new(Kind::Refused, at, what);
    let genesis = Genesis::read(genesis_bytes).map_err(|error| refuse("genesis.bin", error.to_string()))?;
    if genesis.election != *election {
        return Err(refuse("genesis.bin", "is of another election".into()));
    }
    let id = hash("ippyo/1/genesis", &[genesis_bytes]);
    let mut standing = Standing::genesis(genesis.validators);
    let items = Seq::<Decided<'_>>::from_bytes(chain);
    let counter = Counter::new("checking the chain", items.count(), progress);
    let mut rules = Rules::new(genesis, Maps::default());
    let mut view = LedgerView {
        validators: genesis.validators.count(),
        ..LedgerView::default()
    };
    let mut previous = id;
    for item in items.iter() {
        let height = view.height + 1;
        let at = format!("chain.bin, block {height}");
        let decided = item.map_err(|error| refuse(&at, error.to_string()))?;
        let block = Block::read(decided.block.0).map_err(|error| refuse(&at, error.to_string()))?;
        previous = block
            .check(&id, height, &previous, &standing.validators().hash())
            .map_err(|error| refuse(&at, error.to_string()))?;
        decided
            .certificate
            .verify(&block.header, standing.validators())
            .map_err(|error| refuse(&at, error.to_string()))?;
        rules.begin(standing);
        for (number, transaction) in (0u32..).zip(block.transactions.iter()) {
            let at = format!("{at}, transaction {number}");
            let raw = transaction.map_err(|error| refuse(&at, error.to_string()))?;
            let transaction = Transaction::read(raw.0).map_err(|error| refuse(&at, error.to_string()))?;
            let applied = rules
                .apply(&transaction)
                .map_err(|error| refuse(&at, error.to_string()))?;
            standing.note(&transaction, &applied);
            view.note(&transaction, &applied, height, number);
        }
        standing.advance();
        view.height = height;
        counter.step();
    }
    view.kiosks = rules.into_book().kiosks;
    Ok(view)
}

impl LedgerView {
    fn note(&mut self, transaction: &Transaction<'_>, applied: &Applied, height: u64, number: u32) {
        let (Transaction::Batch(batch), Applied::Batch { closing, .. }) = (transaction, applied) else {
            return;
        };
        self.batches += 1;
        let header = &batch.header;
        if let Some(hash) = closing {
            self.closed.push(Closed {
                kiosk: header.kiosk,
                epoch: header.epoch,
                hash: *hash,
                audit: header.audit,
            });
        }
        for (index, entry) in (0u32..).zip(batch.entries.iter().map_while(Result::ok)) {
            let place = Place {
                height,
                transaction: number,
                entry: index,
            };
            self.first
                .entry((entry.kind.into(), entry.code, entry.leaf))
                .or_insert(place);
            self.rows.push(Row {
                kind: entry.kind,
                code: entry.code,
                leaf: entry.leaf,
                kiosk: header.kiosk,
                epoch: header.epoch,
                place,
            });
        }
    }
}

/// The ledger's rows in maps: a published chain has no bound a table could have.
#[derive(Default)]
struct Maps {
    kiosks: BTreeMap<Digest, KioskRow>,
    batches: HashMap<(Digest, u32), Digest>,
    numbers: HashMap<(Digest, Digest), u32>,
}

impl Book for Maps {
    fn kiosk(&self, id: &Digest) -> Option<KioskRow> {
        self.kiosks.get(id).copied()
    }

    fn put_kiosk(&mut self, row: KioskRow) -> Result<(), Full> {
        self.kiosks.insert(row.id, row);
        Ok(())
    }

    fn batch(&self, kiosk: &Digest, number: u32) -> Option<Digest> {
        self.batches.get(&(*kiosk, number)).copied()
    }

    fn batch_number(&self, kiosk: &Digest, hash: &Digest) -> Option<u32> {
        self.numbers.get(&(*kiosk, *hash)).copied()
    }

    fn put_batch(&mut self, kiosk: &Digest, number: u32, hash: Digest) -> Result<(), Full> {
        self.batches.insert((*kiosk, number), hash);
        self.numbers.insert((*kiosk, hash), number);
        Ok(())
    }
}
