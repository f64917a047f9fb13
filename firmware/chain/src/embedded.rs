//! The embedded chain: ledger, validators' keys and storage in one process, without an engine.
//!
//! For the simulator and for anchoring batches from a medium. Same ledger, same proofs as a consortium's chain; only the question
//! who decides is answered by keys at hand. A block is durable before it is applied, and applied before anybody hears of it.

use std::fmt;

use election::hash::Digest;
use election::ledger::{
    Block, BlockHeader, Decided, GenesisError, Raw, Refusal, SetChange, Transaction, Validators, transaction_hash,
};
use election::sign::{PublicKey, Signer};
use election::wire::{self, Seq, WireError};

use crate::evidence::Evidence;
use crate::ledger::{ApplyError, Ledger, Verdict, append};
use crate::proof::OwnedProof;
use crate::storage::{MemoryStorage, Storage, StorageError};
use crate::validator::{OwnedCertificate, Validator, ValidatorError};

/// A chain whose validators' keys are at hand.
pub struct Chain<S> {
    ledger: Ledger,
    validators: Vec<Validator>,
    storage: S,
    /// Length of the chain in storage.
    length: u64,
    evidence_length: u64,
    /// Consensus round of the next block: one more after each attempt that storage did not take, because a validator signs no two
    /// blocks of one round.
    round: u32,
    /// Storage could not be brought back to the last decided block: nothing is taken until the chain is opened again.
    stopped: bool,
}

/// Why a chain does not open.
#[derive(Debug)]
pub enum OpenError {
    /// The genesis.
    Genesis(GenesisError),
    /// A key at hand.
    Validator(ValidatorError),
    /// Storage.
    Storage(StorageError),
    /// A block that was promised is damaged or gone: restore the file from a copy or from another validator. Nothing was cut.
    Damaged {
        /// Height of the first block that cannot be read.
        height: u64,
        /// Where it begins in chain.bin.
        offset: u64,
        /// What does not hold; none if it is cut off.
        why: Option<ApplyError>,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genesis(error) => error.fmt(f),
            Self::Validator(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
            Self::Damaged { height, offset, why } => {
                write!(f, "chain.bin is damaged at block {height} (byte {offset}): ")?;
                match why {
                    Some(why) => why.fmt(f)?,
                    None => f.write_str("the block is cut off")?,
                }
                f.write_str("; restore it from a copy or from another validator, nothing was changed")
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a transaction is not on the chain.
#[derive(Debug)]
pub enum SubmitError {
    /// The rules refuse it.
    Refused(Refusal),
    /// Storage failed; the transaction is not on the chain and may be submitted again.
    Storage(StorageError),
    /// Storage failed and could not be brought back: open the chain again.
    Stopped,
    /// The keys at hand do not decide, or refuse to.
    Validator(ValidatorError),
    /// The block made here does not hold: the keys at hand are too few, or this program is wrong.
    Block(ApplyError),
    /// The block cannot be encoded.
    Wire(WireError),
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Storage(error) => error.fmt(f),
            Self::Stopped => f.write_str("the chain's storage failed; open the chain again"),
            Self::Validator(error) => error.fmt(f),
            Self::Block(error) => error.fmt(f),
            Self::Wire(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SubmitError {}

/// A transaction that is on the chain for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its hash.
    pub transaction: Digest,
    /// Height of its block.
    pub height: u64,
    /// Its index in the block.
    pub index: u32,
}

impl Chain<MemoryStorage> {
    /// A new chain in memory.
    ///
    /// # Errors
    /// As [`Chain::open`].
    pub fn in_memory(genesis: &[u8], keys: Vec<Signer>) -> Result<Self, OpenError> {
        Self::open(genesis, keys, MemoryStorage::new())
    }
}

impl<S: Storage> Chain<S> {
    /// Opens a chain: everything kept is read and verified again from the genesis on. A torn end is cut; what was promised is never cut.
    /// `keys` are those of the validators at hand; fewer than decide are enough for reading.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(genesis: &[u8], keys: Vec<Signer>, mut storage: S) -> Result<Self, OpenError> {
        let mut ledger = Ledger::new(genesis).map_err(OpenError::Genesis)?;
        let validators = keys
            .into_iter()
            .map(|key| Validator::new(key, ledger.genesis().validators))
            .collect::<Result<_, _>>()
            .map_err(OpenError::Validator)?;
        let contents = storage.read().map_err(OpenError::Storage)?;
        let (length, broken) = replay(&mut ledger, &contents.chain);
        if length < contents.promised {
            return Err(OpenError::Damaged {
                height: ledger.height().saturating_add(1),
                offset: length,
                why: broken,
            });
        }
        if length != contents.promised || length != size(&contents.chain) {
            storage.settle(length).map_err(OpenError::Storage)?;
        }
        let evidence_length = replay_evidence(&mut ledger, &contents.evidence);
        if evidence_length != size(&contents.evidence) {
            storage.settle_evidence(evidence_length).map_err(OpenError::Storage)?;
        }
        Ok(Self {
            ledger,
            validators,
            storage,
            length,
            evidence_length,
            round: 0,
            stopped: false,
        })
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// `chain.bin`: every decided block, as the election record holds it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn export(&mut self) -> Result<Vec<u8>, StorageError> {
        let mut chain = self.storage.read()?.chain;
        chain.truncate(usize::try_from(self.length).unwrap_or(usize::MAX));
        Ok(chain)
    }

    /// The commit proof of a transaction that is on the chain.
    #[must_use]
    pub fn proof(&self, transaction: &Digest) -> Option<OwnedProof> {
        self.ledger.proof(transaction)
    }

    /// A change of the validators with its proof.
    #[must_use]
    pub fn change(&mut self, number: u32) -> Option<(Vec<u8>, OwnedProof)> {
        let hash = self.ledger.sets().change(number)?;
        let (height, index) = self.ledger.transaction(&hash)?;
        let chain = self.storage.read().ok()?.chain;
        let mut blocks = Seq::<Decided<'_>>::from_bytes(&chain).iter();
        let block = blocks.nth(usize::try_from(height.checked_sub(1)?).ok()?)?.ok()?;
        let transactions = Block::read(block.block.0).ok()?.transactions;
        let transaction = transactions.iter().nth(usize::try_from(index).ok()?)?.ok()?;
        Some((transaction.0.to_vec(), self.ledger.proof(&hash)?))
    }

    /// Puts a transaction on the chain in a block of its own. One that is on it already is not an error.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub fn submit(&mut self, transaction: &[u8]) -> Result<Receipt, SubmitError> {
        self.submit_all(&[transaction])
            .pop()
            .unwrap_or(Err(SubmitError::Stopped))
    }

    /// Puts many transactions on the chain, in the order given, in as few blocks as hold them. One result a transaction.
    pub fn submit_all(&mut self, transactions: &[&[u8]]) -> Vec<Result<Receipt, SubmitError>> {
        let mut results = Vec::with_capacity(transactions.len());
        // Each round settles at least the first transaction left, because an empty block has room for any.
        while let Some(left) = transactions.get(results.len()..).filter(|left| !left.is_empty()) {
            let before = results.len();
            self.submit_block(left, &mut results);
            if results.len() == before {
                results.push(Err(SubmitError::Refused(Refusal::TooLong)));
            }
        }
        results
    }

    /// Changes the validators: from that height on these decide, in this order. Signed by all keys at hand that decide now.
    ///
    /// # Errors
    /// See [`SubmitError`]; [`Refusal::Validators`] says what is wrong with the change.
    pub fn change_validators(&mut self, validators: &[PublicKey], from: u64) -> Result<Receipt, SubmitError> {
        let sets = self.ledger.sets();
        let old = sets.newest();
        let keys = validators.concat();
        let body = SetChange {
            chain: *self.ledger.id(),
            number: sets.changes().saturating_add(1),
            from,
            previous: old.hash(),
            validators: Validators::from_bytes(&keys),
        };
        let mut signatures = Vec::new();
        for key in &mut self.validators {
            if let Some(key) = key.seated(old) {
                signatures.push(key.sign_change(&body).map_err(SubmitError::Validator)?);
            }
        }
        signatures.sort_by_key(|one| one.validator);
        let mut items = Vec::new();
        for one in &signatures {
            append(&mut items, one).map_err(SubmitError::Wire)?;
        }
        let signatures = Seq::from_bytes(&items);
        let mut transaction = Vec::new();
        append(&mut transaction, &Transaction::Validators { body, signatures }).map_err(SubmitError::Wire)?;
        self.submit(&transaction)
    }

    /// Makes one block of the first transactions and pushes a result for each that it settled.
    fn submit_block(&mut self, transactions: &[&[u8]], results: &mut Vec<Result<Receipt, SubmitError>>) {
        let proposal = match self.ledger.propose(transactions.iter().copied()) {
            Ok(proposal) => proposal,
            Err(error) => {
                results.push(Err(SubmitError::Wire(error)));
                return;
            }
        };
        let mut failure = (proposal.included > 0)
            .then(|| self.decide(&proposal.block, &proposal.header).err())
            .flatten();
        for (bytes, verdict) in transactions.iter().zip(proposal.verdicts) {
            let hash = transaction_hash(bytes);
            match verdict {
                Verdict::NoRoom => return,
                Verdict::Refused(refusal) => {
                    if let Refusal::Fork { .. } = refusal {
                        self.keep_evidence(bytes);
                    }
                    results.push(Err(SubmitError::Refused(refusal)));
                }
                Verdict::Included(_) | Verdict::Known => {
                    // Nothing of a failed block is on the chain: its first transaction gets the reason, the others another try.
                    if matches!(verdict, Verdict::Included(_))
                        && let Some(error) = failure.take()
                    {
                        results.push(Err(error));
                        return;
                    }
                    results.push(match self.ledger.transaction(&hash) {
                        Some((height, index)) => Ok(Receipt {
                            transaction: hash,
                            height,
                            index,
                        }),
                        None => Err(SubmitError::Stopped),
                    });
                }
            }
        }
    }

    /// Signs a block, makes it durable, applies it.
    fn decide(&mut self, block: &[u8], header: &BlockHeader) -> Result<(), SubmitError> {
        if self.stopped {
            return Err(SubmitError::Stopped);
        }
        let round = self.round;
        let mut votes = Vec::with_capacity(self.validators.len());
        let members = self.ledger.sets().at(header.height);
        for validator in self.validators.iter_mut().filter_map(|key| key.seated(members)) {
            votes.push(validator.precommit(header, round).map_err(SubmitError::Validator)?);
        }
        // From here on another block of this height needs another round.
        self.round = round.saturating_add(1);
        let certificate = OwnedCertificate::assemble(header, round, votes)
            .map_err(|error| SubmitError::Block(ApplyError::Certificate(error)))?;
        let certificate = certificate.view();
        // Checked before it is written: a block that does not hold would make the storage unreadable.
        self.ledger
            .check_decided(block, &certificate)
            .map_err(SubmitError::Block)?;
        let mut item = Vec::new();
        append(
            &mut item,
            &Decided {
                block: Raw(block),
                certificate,
            },
        )
        .map_err(SubmitError::Wire)?;
        if let Err(error) = self.storage.append(&item) {
            // What was written in part, or whole without our knowing, must not stay under the next block.
            self.stopped = self.storage.settle(self.length).is_err();
            return Err(SubmitError::Storage(error));
        }
        self.length = self.length.saturating_add(size(&item));
        self.ledger.apply(block, &certificate).map_err(|error| {
            // It was found good a moment ago; if not now, memory and storage differ.
            self.stopped = true;
            SubmitError::Block(error)
        })?;
        self.round = 0;
        Ok(())
    }

    /// Keeps a forked batch. A failing disk loses the evidence, not the refusal.
    fn keep_evidence(&mut self, transaction: &[u8]) {
        let Ok(Transaction::Batch(batch)) = Transaction::read(transaction) else {
            return;
        };
        let Some(evidence) = self.ledger.keep_evidence(Evidence::from(&batch)) else {
            return;
        };
        let Ok(item) = evidence.encode() else { return };
        if self.storage.append_evidence(&item).is_ok() {
            self.evidence_length = self.evidence_length.saturating_add(size(&item));
        } else {
            // A torn piece would hide those after it; if this fails too, the next start cuts it.
            let _ = self.storage.settle_evidence(self.evidence_length);
        }
    }
}

/// Applies every whole block and gives the length of those that held, and why the next one did not.
fn replay(ledger: &mut Ledger, chain: &[u8]) -> (u64, Option<ApplyError>) {
    let mut rest = chain;
    loop {
        let used = size(chain).saturating_sub(size(rest));
        let Ok((decided, after)) = wire::take::<Decided<'_>>(rest) else {
            return (used, None);
        };
        if let Err(error) = ledger.apply(decided.block.0, &decided.certificate) {
            return (used, Some(error));
        }
        rest = after;
    }
}

/// Takes up every piece of evidence and gives the length of those that could be read.
fn replay_evidence(ledger: &mut Ledger, bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    while let Ok((evidence, after)) = wire::take::<Evidence>(rest) {
        let _ = ledger.keep_evidence(evidence);
        rest = after;
    }
    size(bytes).saturating_sub(size(rest))
}

fn size(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap_or(u64::MAX)
}
