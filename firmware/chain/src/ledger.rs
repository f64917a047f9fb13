//! The ledger, sans-IO: propose, validate, apply, prove, look up.
//!
//! There is no mempool: whoever makes a block brings the transactions, and what is known by its hash is not included again. A validator
//! must call [`Ledger::validate`] before it signs, and a decided block goes in through [`Ledger::apply`] only, which checks everything
//! again: a ledger that skipped a check would part ways with the others.

use std::collections::HashMap;
use std::fmt;

use election::hash::Digest;
use election::ledger::{
    Applied, Block, BlockError, BlockHeader, Certificate, CertificateError, CommitSignature, Genesis, GenesisError,
    KioskRow, MAX_BLOCK, MAX_TRANSACTION, MAX_TRANSACTIONS, Raw, Refusal, Rules, Transaction, Validators,
    transaction_hash,
};
use election::merkle;
use election::wire::{self, Seq, WireError};

use crate::evidence::{Drawer, Evidence};
use crate::index::{BatchPlace, Changes, Found, Index, Overlay};
use crate::proof::OwnedProof;
use crate::sets::Sets;

/// A decided block without its body.
struct Decision {
    header: BlockHeader,
    hash: Digest,
    round: u32,
    signatures: Vec<CommitSignature>,
    /// Merkle leaves of the transactions.
    leaves: Vec<Digest>,
}

/// The ledger of one chain.
pub struct Ledger {
    genesis: Vec<u8>,
    id: Digest,
    sets: Sets,
    decisions: Vec<Decision>,
    index: Index,
    evidence: Drawer,
}

/// What became of a transaction in a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the proposed block at this index.
    Included(u32),
    /// It is on the ledger already.
    Known,
    /// The rules refuse it.
    Refused(Refusal),
    /// The block is full: bring it again.
    NoRoom,
}

/// A block that may come next.
pub struct Proposal {
    /// The block's encoding.
    pub block: Vec<u8>,
    /// Its header.
    pub header: BlockHeader,
    /// Transactions in it.
    pub included: u32,
    /// One a transaction brought, in the same order.
    pub verdicts: Vec<Verdict>,
}

/// Why a block cannot come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The block itself.
    Block(BlockError),
    /// The transaction of this index.
    Transaction(u32, Refusal),
    /// The certificate.
    Certificate(CertificateError),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(error) => error.fmt(f),
            Self::Transaction(index, refusal) => write!(f, "transaction {index} of the block: {refusal}"),
            Self::Certificate(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ApplyError {}

impl From<BlockError> for ApplyError {
    fn from(error: BlockError) -> Self {
        Self::Block(error)
    }
}

/// What a checked block would do.
struct Checked<'b> {
    hash: Digest,
    changes: Changes,
    transactions: Vec<(&'b [u8], Transaction<'b>, Applied)>,
}

impl Ledger {
    /// An empty ledger.
    ///
    /// # Errors
    /// What does not hold in the genesis.
    pub fn new(genesis: &[u8]) -> Result<Self, GenesisError> {
        let view = Genesis::read(genesis)?;
        Ok(Self {
            id: view.chain_id(),
            sets: Sets::new(genesis)?,
            genesis: genesis.to_vec(),
            decisions: Vec::new(),
            index: Index::default(),
            evidence: Drawer::default(),
        })
    }

    /// The genesis.
    #[must_use]
    pub fn genesis(&self) -> Genesis<'_> {
        // The bytes were read by `new`; a genesis without validators, which decides nothing, stands for the impossible.
        wire::decode(&self.genesis).unwrap_or(Genesis {
            version: 0,
            election: [0; 32],
            staff: Seq::from_bytes(&[]),
            validators: Validators::from_bytes(&[]),
        })
    }

    /// The genesis' encoding.
    #[must_use]
    pub fn genesis_bytes(&self) -> &[u8] {
        &self.genesis
    }

    /// Who decides at which height.
    #[must_use]
    pub const fn sets(&self) -> &Sets {
        &self.sets
    }

    /// The rules for the block that comes next.
    fn rules(&self) -> Rules<'_, Overlay<'_>> {
        let mut rules = Rules::new(self.genesis(), Overlay::new(&self.index));
        rules.begin(self.sets.standing(self.height().saturating_add(1)));
        rules
    }

    /// The chain id.
    #[must_use]
    pub const fn id(&self) -> &Digest {
        &self.id
    }

    /// Height of the last decided block; 0 if there is none.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.decisions.len().try_into().unwrap_or(u64::MAX)
    }

    /// Hash of the last decided block; the chain id if there is none.
    #[must_use]
    pub fn tip(&self) -> Digest {
        self.decisions.last().map_or(self.id, |decision| decision.hash)
    }

    /// The header of a decided block.
    #[must_use]
    pub fn header(&self, height: u64) -> Option<&BlockHeader> {
        self.decision(height).map(|decision| &decision.header)
    }

    /// All kiosks, ascending by id.
    pub fn kiosks(&self) -> impl Iterator<Item = &KioskRow> {
        self.index.kiosks()
    }

    /// The row of a kiosk.
    #[must_use]
    pub fn kiosk(&self, id: &Digest) -> Option<&KioskRow> {
        self.index.row(id)
    }

    /// Number of batches.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.index.batch_count()
    }

    /// A batch by its hash.
    #[must_use]
    pub fn batch(&self, hash: &Digest) -> Option<BatchPlace> {
        self.index.batch_place(hash)
    }

    /// The hash of a kiosk's batch by its number.
    #[must_use]
    pub fn batch_of(&self, kiosk: &Digest, number: u32) -> Option<Digest> {
        self.index.batch_hash(kiosk, number)
    }

    /// Height and index of a decided transaction.
    #[must_use]
    pub fn transaction(&self, hash: &Digest) -> Option<(u64, u32)> {
        self.index.transaction(hash)
    }

    /// Every place of a tracking code, the first one first.
    pub fn find(&self, code: &Digest) -> impl Iterator<Item = Found> {
        self.index.code(code)
    }

    /// Forks seen, by kiosk.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.iter()
    }

    /// Keeps a fork as evidence; gives it back if it proves one that was not known.
    pub fn keep_evidence(&mut self, evidence: Evidence) -> Option<Evidence> {
        self.evidence.keep(&self.index, evidence)
    }

    /// Whether a transaction could come next, without making a block. [`Verdict::Included`] means it could.
    #[must_use]
    pub fn check(&self, transaction: &[u8]) -> Verdict {
        if self.index.transaction(&transaction_hash(transaction)).is_some() {
            return Verdict::Known;
        }
        let rules = self.rules();
        match Transaction::read(transaction).and_then(|transaction| rules.check(&transaction)) {
            Ok(()) => Verdict::Included(0),
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    /// Makes the block that comes next of those transactions that may stand in it, in the order given.
    ///
    /// # Errors
    /// [`WireError::OutOfBounds`] if the block cannot be encoded.
    pub fn propose<'t>(&self, transactions: impl IntoIterator<Item = &'t [u8]>) -> Result<Proposal, WireError> {
        let mut rules = self.rules();
        let mut seen = HashMap::new();
        let mut items = Vec::new();
        let mut tree = merkle::Root::new();
        let mut verdicts = Vec::new();
        for bytes in transactions {
            let hash = transaction_hash(bytes);
            let verdict = if let Some(index) = seen.get(&hash) {
                Verdict::Included(*index)
            } else if self.index.transaction(&hash).is_some() {
                Verdict::Known
            } else if bytes.len() > MAX_TRANSACTION {
                Verdict::Refused(Refusal::TooLong)
            // 256 bytes: header and lengths.
            } else if tree.count() >= MAX_TRANSACTIONS || items.len() + bytes.len() + 256 > MAX_BLOCK {
                Verdict::NoRoom
            } else {
                match Transaction::read(bytes).and_then(|transaction| rules.apply(&transaction)) {
                    Ok(_) => {
                        let index = tree.count();
                        append(&mut items, &Raw(bytes))?;
                        tree.push(merkle::leaf(bytes));
                        seen.insert(hash, index);
                        Verdict::Included(index)
                    }
                    Err(refusal) => Verdict::Refused(refusal),
                }
            };
            verdicts.push(verdict);
        }
        let included = tree.count();
        let header = BlockHeader {
            version: 1,
            chain: self.id,
            height: self.height().saturating_add(1),
            previous: self.tip(),
            transactions: tree.finish(),
            validators: self.sets.at(self.height().saturating_add(1)).hash(),
        };
        let mut block = Vec::new();
        append(
            &mut block,
            &Block {
                header,
                transactions: Seq::from_bytes(&items),
            },
        )?;
        Ok(Proposal {
            block,
            header,
            included,
            verdicts,
        })
    }

    /// Whether this block may come next: what a validator asks before it signs. It depends on the bytes and the ledger only, never
    /// on a clock. Gives the block hash.
    ///
    /// # Errors
    /// Why not.
    pub fn validate(&self, block: &[u8]) -> Result<Digest, ApplyError> {
        let block = Block::read(block)?;
        self.judge(&block).map(|checked| checked.hash)
    }

    /// Checks a block and its certificate without applying it.
    ///
    /// # Errors
    /// Why it is not the next decided block.
    pub fn check_decided(&self, block: &[u8], certificate: &Certificate<'_>) -> Result<(), ApplyError> {
        let block = Block::read(block)?;
        self.judge_decided(&block, certificate).map(|_| ())
    }

    /// Applies a decided block.
    ///
    /// # Errors
    /// Why it is not the next decided block; nothing is changed then.
    pub fn apply(&mut self, block: &[u8], certificate: &Certificate<'_>) -> Result<Vec<Applied>, ApplyError> {
        let block = Block::read(block)?;
        let checked = self.judge_decided(&block, certificate)?;
        let height = block.header.height;
        let mut leaves = Vec::with_capacity(checked.transactions.len());
        let mut applied = Vec::with_capacity(checked.transactions.len());
        self.index.merge(checked.changes);
        for ((bytes, transaction, change), index) in checked.transactions.iter().zip(0u32..) {
            let hash = transaction_hash(bytes);
            self.sets.note(hash, transaction, change);
            self.index.note(hash, height, index, transaction, change);
            leaves.push(merkle::leaf(bytes));
            applied.push(*change);
        }
        self.decisions.push(Decision {
            header: block.header,
            hash: checked.hash,
            round: certificate.round,
            signatures: certificate.signatures.iter().flatten().collect(),
            leaves,
        });
        Ok(applied)
    }

    /// The commit proof of a decided transaction, with no more signatures than decide.
    #[must_use]
    pub fn proof(&self, transaction: &Digest) -> Option<OwnedProof> {
        let (height, index) = self.index.transaction(transaction)?;
        let decision = self.decision(height)?;
        let count = u32::try_from(decision.leaves.len()).ok()?;
        let leaf = |index: u32| {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            decision.leaves.get(at).copied().unwrap_or_default()
        };
        let path = merkle::path(index, count, leaf)?.concat();
        let validators = self.sets.at(height);
        let needed = (1..=decision.signatures.len()).find(|count| validators.decides(*count))?;
        let mut signatures = Vec::new();
        for signature in decision.signatures.iter().take(needed) {
            append(&mut signatures, signature).ok()?;
        }
        Some(OwnedProof {
            header: decision.header,
            round: decision.round,
            signatures,
            index,
            count,
            path,
        })
    }

    fn decision(&self, height: u64) -> Option<&Decision> {
        self.decisions.get(usize::try_from(height.checked_sub(1)?).ok()?)
    }

    fn judge_decided<'b>(&self, block: &Block<'b>, certificate: &Certificate<'_>) -> Result<Checked<'b>, ApplyError> {
        // The certificate first: without it the transactions need not be looked at.
        certificate
            .verify(&block.header, self.sets.at(self.height().saturating_add(1)))
            .map_err(ApplyError::Certificate)?;
        self.judge(block)
    }

    fn judge<'b>(&self, block: &Block<'b>) -> Result<Checked<'b>, ApplyError> {
        let height = self.height().saturating_add(1);
        let hash = block.check(&self.id, height, &self.tip(), &self.sets.at(height).hash())?;
        let mut rules = self.rules();
        let mut transactions = Vec::new();
        for (item, index) in block.transactions.iter().zip(0u32..) {
            let Raw(bytes) = item.map_err(BlockError::Wire)?;
            let refused = |refusal| ApplyError::Transaction(index, refusal);
            let transaction = Transaction::read(bytes).map_err(refused)?;
            let applied = rules.apply(&transaction).map_err(refused)?;
            transactions.push((bytes, transaction, applied));
        }
        Ok(Checked {
            hash,
            changes: rules.into_book().into_changes(),
            transactions,
        })
    }
}

/// Appends an encoding.
pub(crate) fn append<T: serde::Serialize>(out: &mut Vec<u8>, value: &T) -> Result<(), WireError> {
    let from = out.len();
    out.resize(from + wire::encoded_len(value)?, 0);
    let free = out.get_mut(from..).ok_or(WireError::OutOfBounds)?;
    wire::encode(value, free).map(|_| ())
}
