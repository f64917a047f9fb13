//! What a node keeps on disk: decided blocks with their certificates, undecided bodies, evidence. One redb file.
//!
//! Everything the engine is told was durable before: a commit returns only after the file was synced. What a start reads is judged again
//! from the genesis on by [`Ledger::apply`]; damage ends the start and is never cut away, because the others have the blocks.

use std::fmt;
use std::path::Path;

use election::hash::Digest;
use election::ledger::Decided;
use election::wire::{self, Bytes};
use redb::{Database, ReadableDatabase, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};

use crate::Ledger;
use crate::evidence::Evidence;

const DECIDED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("decided");
const UNDECIDED: TableDefinition<'_, (u64, u32, &[u8]), &[u8]> = TableDefinition::new("undecided");
const BODIES: TableDefinition<'_, (u64, &[u8]), &[u8]> = TableDefinition::new("bodies");
const EVIDENCE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("evidence");
const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");

/// Memory for pages of the file.
const CACHE: usize = 4 << 20;

/// Why the store does not work.
#[derive(Debug)]
pub enum StoreError {
    /// The file: full disk, no access, another process has it, damage.
    Database(String),
    /// The file is of another chain.
    OtherChain,
    /// A decided block does not hold.
    Damaged {
        /// Its height.
        height: u64,
        /// What does not hold.
        why: String,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "chain.redb: {error}"),
            Self::OtherChain => f.write_str("chain.redb is of another chain than genesis.bin"),
            Self::Damaged { height, why } => write!(
                f,
                "chain.redb is damaged at block {height}: {why}; put it aside with `chain-node reset`, the other validators have the blocks"
            ),
        }
    }
}

impl std::error::Error for StoreError {}

fn wrong(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Database(error.into().to_string())
}

/// A block seen for a height and round, before a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// Its hash.
    pub block: Digest,
    /// An earlier round with a polka for it.
    pub valid_round: Option<u32>,
    /// Who proposed it.
    pub proposer: Bytes<33>,
    /// Whether it may come next.
    pub valid: bool,
    /// The proposer's signature of each piece it came in; none for one that came with its certificate.
    pub signatures: Vec<Bytes<64>>,
}

/// The store.
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens or makes the file for the chain with this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, chain: &Digest) -> Result<Self, StoreError> {
        let database = redb::Builder::new()
            .set_cache_size(CACHE)
            .create(path)
            .map_err(database_error)?;
        let store = Self { database };
        let transaction = store.database.begin_write().map_err(wrong)?;
        {
            // All tables are there from the start, so that reading needs no cases.
            transaction.open_table(DECIDED).map_err(wrong)?;
            transaction.open_table(UNDECIDED).map_err(wrong)?;
            transaction.open_table(BODIES).map_err(wrong)?;
            transaction.open_table(EVIDENCE).map_err(wrong)?;
            let mut facts = transaction.open_table(FACTS).map_err(wrong)?;
            let known = facts.get("chain").map_err(wrong)?.map(|value| value.value().to_vec());
            match known {
                None => {
                    facts.insert("chain", chain.as_slice()).map_err(wrong)?;
                }
                Some(known) if known == chain => {}
                Some(_) => return Err(StoreError::OtherChain),
            }
        }
        transaction.commit().map_err(wrong)?;
        Ok(store)
    }

    /// Brings a new ledger to the tip: every block is judged again.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for the first one that does not hold.
    pub fn replay(&self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let read = self.database.begin_read().map_err(wrong)?;
        let table = read.open_table(DECIDED).map_err(wrong)?;
        for item in table.iter().map_err(wrong)? {
            let height = ledger.height().saturating_add(1);
            let damaged = |why: String| StoreError::Damaged { height, why };
            let (key, value) = item.map_err(|error| damaged(error.to_string()))?;
            if key.value() != height {
                return Err(damaged(format!("block {} follows", key.value())));
            }
            let decided: Decided<'_> = wire::decode(value.value()).map_err(|error| damaged(error.to_string()))?;
            ledger
                .apply(decided.block.0, &decided.certificate)
                .map_err(|error| damaged(error.to_string()))?;
        }
        let table = read.open_table(EVIDENCE).map_err(wrong)?;
        for item in table.iter().map_err(wrong)? {
            let (_, value) = item.map_err(wrong)?;
            if let Ok(evidence) = wire::decode::<Evidence>(value.value()) {
                let _ = ledger.keep_evidence(evidence);
            }
        }
        Ok(())
    }

    /// The encoding of a decided block with its certificate.
    ///
    /// # Errors
    /// The file.
    pub fn decided(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.database.begin_read().map_err(wrong)?;
        let table = read.open_table(DECIDED).map_err(wrong)?;
        let value = table.get(height).map_err(wrong)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Keeps a decided block and forgets what was undecided up to its height. Durable when it returns.
    ///
    /// # Errors
    /// The file; nothing is changed then.
    pub fn decide(&self, height: u64, decided: &[u8]) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(wrong)?;
        {
            let mut table = transaction.open_table(DECIDED).map_err(wrong)?;
            table.insert(height, decided).map_err(wrong)?;
            let after = height.saturating_add(1);
            let mut undecided = transaction.open_table(UNDECIDED).map_err(wrong)?;
            undecided
                .retain_in(..(after, 0, &[][..]), |_, _| false)
                .map_err(wrong)?;
            let mut bodies = transaction.open_table(BODIES).map_err(wrong)?;
            bodies.retain_in(..(after, &[][..]), |_, _| false).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)
    }

    /// Keeps an undecided block, and its body if it may come next: nobody asks for the body of one that may not. What is known of this block
    /// in this round stays as it is: who repeats it under another name changes nothing. Durable when it returns.
    ///
    /// # Errors
    /// The file.
    pub fn keep(&self, height: u64, round: u32, undecided: &Undecided, body: &[u8]) -> Result<(), StoreError> {
        let value = postcard::to_allocvec(undecided).map_err(|error| StoreError::Database(error.to_string()))?;
        let transaction = self.database.begin_write().map_err(wrong)?;
        {
            let mut table = transaction.open_table(UNDECIDED).map_err(wrong)?;
            let key = (height, round, undecided.block.as_slice());
            if table.get(key).map_err(wrong)?.is_none() {
                table.insert(key, value.as_slice()).map_err(wrong)?;
            }
            let mut bodies = transaction.open_table(BODIES).map_err(wrong)?;
            let key = (height, undecided.block.as_slice());
            if undecided.valid && bodies.get(key).map_err(wrong)?.is_none() {
                bodies.insert(key, body).map_err(wrong)?;
            }
        }
        transaction.commit().map_err(wrong)
    }

    /// What was seen for a height and round.
    ///
    /// # Errors
    /// The file.
    pub fn undecided(&self, height: u64, round: u32) -> Result<Vec<Undecided>, StoreError> {
        Ok(self
            .seen(height, round, round)?
            .into_iter()
            .map(|(_, one)| one)
            .collect())
    }

    /// What was seen for a height in the rounds from one to another, each with its round.
    ///
    /// # Errors
    /// The file.
    pub fn seen(&self, height: u64, first: u32, last: u32) -> Result<Vec<(u32, Undecided)>, StoreError> {
        let read = self.database.begin_read().map_err(wrong)?;
        let table = read.open_table(UNDECIDED).map_err(wrong)?;
        let end = [0xff; 33];
        let mut all = Vec::new();
        for item in table
            .range((height, first, &[][..])..(height, last, &end[..]))
            .map_err(wrong)?
        {
            let (key, value) = item.map_err(wrong)?;
            let round = key.value().1;
            all.extend(postcard::from_bytes::<Undecided>(value.value()).map(|one| (round, one)));
        }
        Ok(all)
    }

    /// The body of an undecided block.
    ///
    /// # Errors
    /// The file.
    pub fn body(&self, height: u64, block: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.database.begin_read().map_err(wrong)?;
        let table = read.open_table(BODIES).map_err(wrong)?;
        let value = table.get((height, block.as_slice())).map_err(wrong)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Keeps a piece of evidence.
    ///
    /// # Errors
    /// The file.
    pub fn keep_evidence(&self, evidence: &[u8]) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(wrong)?;
        {
            let mut table = transaction.open_table(EVIDENCE).map_err(wrong)?;
            let next = table
                .last()
                .map_err(wrong)?
                .map_or(0, |(key, _)| key.value().saturating_add(1));
            table.insert(next, evidence).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)
    }

    /// All decided blocks as `chain.bin` of the election record holds them, item by item.
    ///
    /// # Errors
    /// The file, or what `each` says.
    pub fn each_decided<E: From<StoreError>>(&self, each: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        each_decided(&self.database, each)
    }

    /// [`Store::each_decided`] of a stopped node's file, which is not written to: an auditor's copy may be read-only. A file that was not closed is
    /// opened as [`Store::open`] does, because it must be mended first.
    ///
    /// # Errors
    /// As there.
    pub fn read<E: From<StoreError>>(
        path: &Path,
        chain: &Digest,
        each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Ok(database) = redb::Builder::new().set_cache_size(CACHE).open_read_only(path) else {
            return Self::open(path, chain)?.each_decided(each);
        };
        let of = database.begin_read().map_err(wrong).and_then(|read| {
            let facts = read.open_table(FACTS).map_err(wrong)?;
            let of = facts.get("chain").map_err(wrong)?;
            Ok(of.map(|value| value.value().to_vec()))
        })?;
        if of.as_deref() != Some(chain.as_slice()) {
            return Err(StoreError::OtherChain.into());
        }
        each_decided(&database, each)
    }
}

fn each_decided<E: From<StoreError>>(
    database: &impl ReadableDatabase,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let read = database.begin_read().map_err(wrong)?;
    let table = read.open_table(DECIDED).map_err(wrong)?;
    for item in table.iter().map_err(wrong)? {
        let (key, value) = item.map_err(wrong)?;
        each(key.value(), value.value())?;
    }
    Ok(())
}

fn database_error(error: redb::DatabaseError) -> StoreError {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => {
            StoreError::Database("another process has it open (is the node running?)".into())
        }
        other => StoreError::Database(format!(
            "{other}; if it is damaged put it aside with `chain-node reset`, the other validators have the blocks"
        )),
    }
}
