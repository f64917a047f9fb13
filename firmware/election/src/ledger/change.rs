//! A change of the validators, signed by more than two thirds of those before (SPEC.md, section 9), and how a verifier follows it.
//!
//! The change is a transaction: it is decided by the old set like any other, so there are never two changes of one number, and it says the
//! height from which the new set decides. A kiosk knows the genesis only; it follows the changes one by one, each with its commit proof by the
//! set before. Nobody who hands a change over has to be trusted. What a verifier that was told of no change cannot know is that there is one:
//! validators who leave destroy their keys, because two thirds of an old set could still deceive it.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::block::{CertificateError, CommitSignature};
use super::genesis::{Genesis, Validators};
use super::proof::{CommitProof, ProofError};
use super::refusal::SetRefusal;
use super::rules::Applied;
use super::transaction::Transaction;
use crate::hash::{Digest, hash};
use crate::sign;
use crate::wire::{self, Seq};

/// Most changes of one chain: it bounds what a kiosk that starts from the genesis has to follow.
pub const MAX_CHANGES: u32 = 16;
/// Most validators of a set that is changed, and of one it is changed to: it bounds a kiosk's memory.
pub const MAX_CHANGING: usize = 16;
/// Most blocks between a change and the height from which it stands.
pub const MAX_AHEAD: u64 = 100_000;
/// The label of a validator's signature.
const LABEL: &str = "ippyo/1/sign/validators";

/// `SetChange` of SPEC.md, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetChange<'b> {
    /// Chain id.
    pub chain: Digest,
    /// 1 for the first change of the chain.
    pub number: u32,
    /// Height of the first block that the new set decides. A change that is not on the ledger before it never comes to stand.
    pub from: u64,
    /// Hash of the set before.
    pub previous: Digest,
    /// The new set, numbered from 0 in this order.
    #[serde(borrow)]
    pub validators: Validators<'b>,
}

impl<'b> SetChange<'b> {
    /// What the old validators sign: `H("ippyo/1/validators/change", SetChange)`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        // 32 + 5 + 10 + 32 + 2 bytes and the keys: a set that may stand fits; one that is too long is refused before it is hashed.
        let mut buffer = [0; 96 + 33 * MAX_CHANGING];
        let encoding = wire::encode(self, &mut buffer).unwrap_or_default();
        hash("ippyo/1/validators/change", &[encoding])
    }

    /// An old validator's signature.
    ///
    /// # Errors
    /// The key.
    pub fn sign(&self, validator: u8, key: &sign::Signer) -> Result<CommitSignature, sign::SignError> {
        Ok(CommitSignature {
            validator,
            signature: crate::wire::Bytes(key.sign(LABEL, &self.hash())?),
        })
    }

    /// Whether this signature is one of the old set's.
    ///
    /// # Errors
    /// [`CertificateError::UnknownValidator`], [`CertificateError::Signature`].
    pub fn check_one(&self, old: Validators<'_>, one: &CommitSignature) -> Result<(), CertificateError> {
        let key = old
            .key(one.validator)
            .ok_or(CertificateError::UnknownValidator(one.validator))?;
        sign::verify(&key, LABEL, &self.hash(), &one.signature.0)
            .map_err(|_| CertificateError::Signature(one.validator))
    }

    /// Everything about a change but where it stands on the ledger: what a validator asks before it signs.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, chain: &Digest, number: u32, old: Validators<'_>) -> Result<(), SetRefusal> {
        if self.chain != *chain {
            return Err(SetRefusal::Chain);
        }
        if self.number != number || number > MAX_CHANGES {
            return Err(SetRefusal::Number { expected: number });
        }
        if self.previous != old.hash() {
            return Err(SetRefusal::Previous);
        }
        let same = self.validators == old;
        let too_many = self.validators.count() > MAX_CHANGING || old.count() > MAX_CHANGING;
        if same || too_many || self.validators.check().is_err() {
            return Err(SetRefusal::Keys);
        }
        Ok(())
    }

    fn check_signatures(&self, old: Validators<'_>, signatures: Seq<'_, CommitSignature>) -> Result<(), SetRefusal> {
        let mut last = None;
        let mut signed = 0usize;
        for signature in signatures.iter() {
            let one = signature.map_err(|_| SetRefusal::Signatures)?;
            if last.is_some_and(|last| one.validator <= last) {
                return Err(SetRefusal::Signatures);
            }
            last = Some(one.validator);
            self.check_one(old, &one).map_err(|_| SetRefusal::Signatures)?;
            signed = signed.saturating_add(1);
        }
        if old.decides(signed) {
            Ok(())
        } else {
            Err(SetRefusal::Signatures)
        }
    }
}

/// Who decides the block that is judged, and what is known of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'b> {
    height: u64,
    number: u32,
    now: Validators<'b>,
    next: Option<(u64, Validators<'b>)>,
}

impl<'b> Standing<'b> {
    /// At height 1: the set of the genesis.
    #[must_use]
    pub const fn genesis(validators: Validators<'b>) -> Self {
        Self::new(1, 0, validators, None)
    }

    /// At some height: so many changes are on the ledger, `now` decides, and `next` will from that height on.
    #[must_use]
    pub const fn new(height: u64, number: u32, now: Validators<'b>, next: Option<(u64, Validators<'b>)>) -> Self {
        Self {
            height,
            number,
            now,
            next,
        }
    }

    /// The set that decides this block.
    #[must_use]
    pub const fn validators(&self) -> Validators<'b> {
        self.now
    }

    /// Goes on to the next height.
    pub fn advance(&mut self) {
        self.height = self.height.saturating_add(1);
        if let Some((from, next)) = self.next
            && self.height >= from
        {
            self.now = next;
            self.next = None;
        }
    }

    /// Notes a transaction that [`super::Rules::apply`] has taken.
    pub fn note(&mut self, transaction: &Transaction<'b>, applied: &Applied) {
        if let (Transaction::Validators { body, .. }, Applied::Validators { number, from }) = (transaction, applied) {
            self.number = *number;
            self.next = Some((*from, body.validators));
        }
    }

    /// Whether this change may stand in this block.
    pub(super) fn judge(
        &self,
        chain: &Digest,
        change: &SetChange<'_>,
        signatures: Seq<'_, CommitSignature>,
    ) -> Result<(), SetRefusal> {
        if self.next.is_some() {
            return Err(SetRefusal::Pending);
        }
        change.check(chain, self.number.saturating_add(1), self.now)?;
        if change.from <= self.height || change.from > self.height.saturating_add(MAX_AHEAD) {
            return Err(SetRefusal::Height);
        }
        change.check_signatures(self.now, signatures)
    }

    /// The rules' own note: nothing more may change until this one stands.
    pub(super) const fn taken(&mut self, change: &Applied) {
        if let Applied::Validators { number, from } = change {
            self.number = *number;
            // Which set it will be is noted by who keeps the transaction.
            self.next = Some((*from, Validators::from_bytes(&[])));
        }
    }
}

/// Why a change is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowError {
    /// The commit proof.
    Proof(ProofError),
    /// The transaction is no change of validators.
    NoChange,
    /// The change itself.
    Change(SetRefusal),
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(error) => error.fmt(f),
            Self::NoChange => f.write_str("the transaction is no change of validators"),
            Self::Change(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FollowError {}

/// The validators that a verifier without a ledger believes: those of the genesis, and what they changed into, as far as it was told.
#[derive(Clone, Debug)]
pub struct Followed<'g> {
    chain: Digest,
    genesis: Validators<'g>,
    number: u32,
    keys: [[u8; 33]; MAX_CHANGING],
    count: usize,
}

impl<'g> Followed<'g> {
    /// The set of the genesis.
    #[must_use]
    pub fn new(genesis: &Genesis<'g>) -> Self {
        Self {
            chain: genesis.chain_id(),
            genesis: genesis.validators,
            number: 0,
            keys: [[0; 33]; MAX_CHANGING],
            count: 0,
        }
    }

    /// After so many changes that were followed before: `validators` are those of the last one.
    #[must_use]
    pub fn at(genesis: &Genesis<'g>, number: u32, validators: Validators<'_>) -> Self {
        let mut all = Self::new(genesis);
        if number > 0 {
            all.stand(number, validators);
        }
        all
    }

    fn stand(&mut self, number: u32, validators: Validators<'_>) {
        let (new, _) = validators.as_bytes().as_chunks::<33>();
        for (slot, key) in self.keys.iter_mut().zip(new) {
            *slot = *key;
        }
        self.count = new.len().min(MAX_CHANGING);
        self.number = number;
    }

    /// The chain id.
    #[must_use]
    pub const fn chain(&self) -> &Digest {
        &self.chain
    }

    /// Changes followed so far; the next one has the number after.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The set that is believed now.
    #[must_use]
    pub fn validators(&self) -> Validators<'_> {
        if self.number == 0 {
            self.genesis
        } else {
            let keys = self.keys.get(..self.count).unwrap_or_default();
            Validators::from_bytes(keys.as_flattened())
        }
    }

    /// Goes back to the genesis: what is awaited may have been decided before a change that was followed.
    pub const fn restart(&mut self) {
        self.number = 0;
    }

    /// Follows the next change: on the ledger by the set believed now, and right in itself.
    ///
    /// # Errors
    /// What does not hold; the set stays what it is then.
    pub fn follow(&mut self, transaction: &[u8], proof: &CommitProof<'_>) -> Result<(), FollowError> {
        proof
            .verify(&self.chain, self.validators(), transaction)
            .map_err(FollowError::Proof)?;
        let Ok(Transaction::Validators { body, signatures }) = Transaction::read(transaction) else {
            return Err(FollowError::NoChange);
        };
        // The same rules as on the ledger: at the height of its block.
        let now = Standing::new(proof.header.height, self.number, self.validators(), None);
        now.judge(&self.chain, &body, signatures).map_err(FollowError::Change)?;
        self.stand(body.number, body.validators);
        Ok(())
    }
}
