//! The validator's key: what it signs, and what it refuses to sign a second time.
//!
//! The engine keeps its votes in its own log. That log is lost when an operator throws a damaged database away; so the key has a memory of
//! its own, `signed.bin`, written and synced before a proposal or vote leaves: one block a height, round and step, and never back to a lower
//! height. Without that memory the key signs nothing, unless the chain has not begun for it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use election::hash::{Digest, sha256};
use election::ledger::precommit;
use election::sign::{self, Signer as Key};
use malachite::app::consensus::SignedConsensusMsg;
use malachite_signing::{Error, Signer, VerificationResult, Verifier};
use malachite_types::{NilOrVal, Round, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType};

use super::context::{Address, BlockPart, Consortium, Members, Proposal, PublicKey, Signature, Vote};

/// Kinds of statements; 2 is the ledger's precommit.
mod kind {
    pub(super) const PREVOTE: u8 = 1;
    pub(super) const PRECOMMIT: u8 = 2;
    pub(super) const PROPOSAL: u8 = 3;
    pub(super) const PART: u8 = 4;
}

/// The bytes of a statement: those of the ledger's precommit with another kind, 0 instead of 1 before the zero hash of "no block", and for
/// proposals the round of an earlier polka behind them.
fn statement(
    chain: &Digest,
    kind: u8,
    height: u64,
    round: u32,
    block: Option<&Digest>,
    valid_round: Option<Option<u32>>,
) -> Digest {
    let mut bytes = precommit(chain, height, round, block.unwrap_or(&[0; 32])).to_vec();
    // The kind stands behind the domain (8) and the chain id (32), the tag before the hash.
    if let Some(byte) = bytes.get_mut(40) {
        *byte = kind;
    }
    if let Some(byte) = bytes.get_mut(53) {
        *byte = u8::from(block.is_some());
    }
    if let Some(valid_round) = valid_round {
        bytes.push(u8::from(valid_round.is_some()));
        bytes.extend_from_slice(&valid_round.unwrap_or(0).to_be_bytes());
    }
    sha256(&bytes)
}

fn round(round: Round) -> Result<u32, Error> {
    round.as_u32().ok_or_else(|| Error::from_source("a round that is none"))
}

fn vote_digest(chain: &Digest, vote: &Vote) -> Result<Digest, Error> {
    let kind = match vote.kind {
        VoteType::Prevote => kind::PREVOTE,
        VoteType::Precommit => kind::PRECOMMIT,
    };
    let block = match &vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(&id.0),
    };
    Ok(statement(chain, kind, vote.height.0, round(vote.round)?, block, None))
}

fn proposal_digest(chain: &Digest, proposal: &Proposal) -> Result<Digest, Error> {
    let (height, at) = (proposal.height.0, round(proposal.round)?);
    let valid = Some(proposal.pol_round.as_u32());
    Ok(statement(
        chain,
        kind::PROPOSAL,
        height,
        at,
        Some(&proposal.value.0),
        valid,
    ))
}

fn part_digest(chain: &Digest, part: &BlockPart) -> Digest {
    let said = statement(
        chain,
        kind::PART,
        part.height,
        part.round,
        Some(&part.hash),
        Some(part.valid_round),
    );
    let bytes = sha256(&part.bytes);
    sha256(&[&said[..], &[part.index, part.count], &bytes].concat())
}

/// Verifies what other validators signed.
#[derive(Clone)]
pub struct Judge {
    chain: Digest,
}

impl Judge {
    /// For a chain.
    #[must_use]
    pub const fn new(chain: Digest) -> Self {
        Self { chain }
    }

    /// Whether one of these members signed this vote or proposal.
    #[must_use]
    pub fn message_holds(&self, message: &SignedConsensusMsg<Consortium>, members: &Members) -> bool {
        let (address, digest, signature) = match message {
            SignedConsensusMsg::Vote(vote) => (
                vote.message.validator,
                vote_digest(&self.chain, &vote.message),
                &vote.signature,
            ),
            SignedConsensusMsg::Proposal(proposal) => (
                proposal.message.validator,
                proposal_digest(&self.chain, &proposal.message),
                &proposal.signature,
            ),
        };
        let member = members.number(address).is_some();
        member && digest.is_ok_and(|digest| holds(&PublicKey(address.0), &digest, signature))
    }

    /// Whether the key named in it signed this part. Whether that key is a validator's is for the ledger to say.
    #[must_use]
    pub fn part_holds(&self, part: &BlockPart) -> bool {
        holds(
            &PublicKey(part.proposer.0),
            &part_digest(&self.chain, part),
            &part.signature,
        )
    }
}

fn holds(key: &PublicKey, digest: &Digest, signature: &Signature) -> bool {
    sign::verify_prehash(&key.0, digest, &signature.0).is_ok()
}

#[async_trait]
impl Verifier<Consortium> for Judge {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        let digest = vote_digest(&self.chain, vote)?;
        Ok(VerificationResult::from_bool(holds(key, &digest, signature)))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        let digest = proposal_digest(&self.chain, proposal)?;
        Ok(VerificationResult::from_bool(holds(key, &digest, signature)))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Consortium>,
        (): &(),
        _: &Signature,
        _: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        // There are none on this chain.
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<Consortium>) -> Result<VerificationResult, Error> {
        let Ok(key) = proof.public_key.as_slice().try_into().map(PublicKey) else {
            return Ok(VerificationResult::Invalid);
        };
        let digest = sha256(&ValidatorProof::<Consortium>::signing_bytes(
            &proof.public_key,
            &proof.peer_id,
        ));
        Ok(VerificationResult::from_bool(holds(&key, &digest, &proof.signature)))
    }
}

/// Something that was signed: round and step.
type Slot = (u32, u8);

/// One record of `signed.bin`: height 8, round 4, step 1, tag 1, block 32, the first 4 bytes of a SHA-256 over them.
const RECORD: usize = 50;
/// Records after which the file is written anew at the next height.
const LONG: u64 = if cfg!(test) { 64 } else { 4_096 };

/// What the key signed at the highest height.
pub struct Memory {
    path: PathBuf,
    file: File,
    height: u64,
    votes: BTreeMap<Slot, Option<Digest>>,
    records: u64,
}

impl Memory {
    /// Opens `signed.bin`; makes it only if the key has signed nothing yet, as far as its folder tells. A torn last record was never followed by
    /// a vote. Nobody else may have the folder open: call it when the database is.
    ///
    /// # Errors
    /// The file; a record in its middle that is damaged; that it is missing, or empty.
    pub fn open(path: &Path, fresh: bool) -> io::Result<Self> {
        let missing = !path.exists() || std::fs::metadata(path)?.len() == 0;
        if missing && !fresh {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "is missing, and this key may have signed: it must not sign any more; restore the file, or take the validator out of the set",
            ));
        }
        if missing {
            replace(path, &write(0, (0, 0), None))?;
        }
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut memory = Self {
            path: path.to_owned(),
            file,
            height: 0,
            votes: BTreeMap::new(),
            records: 0,
        };
        let (records, _torn) = bytes.as_chunks::<RECORD>();
        for (index, record) in records.iter().enumerate() {
            match read(record) {
                Some((height, slot, block)) => memory.note(height, slot, block),
                None if index + 1 == records.len() => break,
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "is damaged: this key must not sign any more; restore the file, or take the validator out of the set",
                    ));
                }
            }
        }
        let length = memory.records.saturating_mul(RECORD as u64);
        memory.file.set_len(length)?;
        Ok(memory)
    }

    fn note(&mut self, height: u64, slot: Slot, block: Option<Digest>) {
        if height > self.height {
            self.height = height;
            self.votes.clear();
        }
        if height == self.height {
            self.votes.insert(slot, block);
        }
        self.records = self.records.saturating_add(1);
    }

    /// Notes a vote durably, or says that it contradicts one signed before.
    fn allow(&mut self, height: u64, slot: Slot, block: Option<Digest>) -> io::Result<bool> {
        if height < self.height {
            return Ok(false);
        }
        if height == self.height
            && let Some(before) = self.votes.get(&slot)
        {
            return Ok(*before == block);
        }
        if height > self.height && self.records >= LONG {
            // Only the highest height counts. The file is never without a record.
            replace(&self.path, &write(height, slot, block))?;
            self.file = OpenOptions::new().read(true).write(true).open(&self.path)?;
            self.records = 0;
            self.note(height, slot, block);
            return Ok(true);
        }
        self.file
            .seek(SeekFrom::Start(self.records.saturating_mul(RECORD as u64)))?;
        self.file.write_all(&write(height, slot, block))?;
        self.file.sync_data()?;
        self.note(height, slot, block);
        Ok(true)
    }
}

/// Puts a file with these bytes in the place of another, or of none, durably: a cut leaves the one or the other.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write(height: u64, slot: Slot, block: Option<Digest>) -> [u8; RECORD] {
    let mut out = [0; RECORD];
    let parts: [&[u8]; 5] = [
        &height.to_be_bytes(),
        &slot.0.to_be_bytes(),
        &[slot.1],
        &[u8::from(block.is_some())],
        &block.unwrap_or_default(),
    ];
    for (o, b) in out.iter_mut().zip(parts.into_iter().flatten()) {
        *o = *b;
    }
    let check = sha256(out.get(..RECORD - 4).unwrap_or_default());
    for (o, b) in out.iter_mut().skip(RECORD - 4).zip(check) {
        *o = b;
    }
    out
}

fn read(record: &[u8; RECORD]) -> Option<(u64, Slot, Option<Digest>)> {
    let height = u64::from_be_bytes(record.get(..8)?.try_into().ok()?);
    let round = u32::from_be_bytes(record.get(8..12)?.try_into().ok()?);
    let step = *record.get(12)?;
    let block = (*record.get(13)? == 1)
        .then(|| record.get(14..46)?.try_into().ok())
        .flatten();
    (write(height, (round, step), block) == *record).then_some((height, (round, step), block))
}

/// Signs for one validator.
#[derive(Clone)]
pub struct Pen {
    chain: Digest,
    address: Address,
    key: Arc<Key>,
    memory: Arc<Mutex<Memory>>,
}

impl Pen {
    /// For this validator of this chain.
    #[must_use]
    pub fn new(chain: Digest, address: Address, key: Key, memory: Memory) -> Self {
        Self {
            chain,
            address,
            key: Arc::new(key),
            memory: Arc::new(Mutex::new(memory)),
        }
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    fn sign(&self, digest: &Digest) -> Result<Signature, Error> {
        self.key.sign_prehash(digest).map(Signature).map_err(Error::from_source)
    }

    /// Notes durably that this block is the one this key proposes for a height and round; false if it has proposed another one.
    ///
    /// # Errors
    /// The file.
    pub fn may_propose(&self, height: u64, round: u32, block: &Digest) -> io::Result<bool> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.allow(height, (round, kind::PROPOSAL), Some(*block))
    }

    /// Signs a proposed block's part.
    ///
    /// # Errors
    /// The key.
    pub fn part(&self, part: &mut BlockPart) -> Result<(), Error> {
        part.signature = self.sign(&part_digest(&self.chain, part))?;
        Ok(())
    }
}

#[async_trait]
impl Signer<Consortium> for Pen {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Consortium, Vote>, Error> {
        let step = match vote.kind {
            VoteType::Prevote => kind::PREVOTE,
            VoteType::Precommit => kind::PRECOMMIT,
        };
        let block = match &vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(id) => Some(id.0),
        };
        let allowed = {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.allow(vote.height.0, (round(vote.round)?, step), block)
        };
        match allowed {
            Ok(true) => {
                let signature = self.sign(&vote_digest(&self.chain, &vote)?)?;
                Ok(SignedMessage::new(vote, signature))
            }
            Ok(false) => Err(Error::from_source(
                "this key has signed another vote of this height, round and step already, or one of a later height",
            )),
            Err(error) => Err(Error::from_source(error)),
        }
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<Consortium, Proposal>, Error> {
        let (height, at) = (proposal.height.0, round(proposal.round)?);
        match self.may_propose(height, at, &proposal.value.0) {
            Ok(true) => {
                let signature = self.sign(&proposal_digest(&self.chain, &proposal)?)?;
                Ok(SignedMessage::new(proposal, signature))
            }
            Ok(false) => Err(Error::from_source(
                "this key has proposed another block of this height and round already, or signed something of a later height",
            )),
            Err(error) => Err(Error::from_source(error)),
        }
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Consortium>,
        (): (),
    ) -> Result<SignedMessage<Consortium, ()>, Error> {
        Err(Error::from_source("this chain has no vote extensions"))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Consortium>, Error> {
        let digest = sha256(&ValidatorProof::<Consortium>::signing_bytes(&public_key, &peer_id));
        let signature = self.sign(&digest)?;
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::context::{BlockId, Height};

    #[test]
    fn a_key_remembers_what_it_signed_over_restarts_and_torn_ends() {
        let folder = std::env::temp_dir().join(format!("ippyo-signed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("signed.bin");
        let (a, b) = (Some([1; 32]), Some([2; 32]));
        assert!(Memory::open(&path, false).is_err(), "it may have signed");
        let mut memory = Memory::open(&path, true).unwrap();
        assert!(memory.allow(5, (0, 1), a).unwrap());
        assert!(memory.allow(5, (0, 1), a).unwrap(), "the same again");
        assert!(!memory.allow(5, (0, 1), b).unwrap());
        assert!(!memory.allow(5, (0, 1), None).unwrap());
        assert!(memory.allow(5, (0, 2), a).unwrap());
        assert!(memory.allow(5, (1, 1), b).unwrap());
        drop(memory);
        let bytes = std::fs::read(&path).unwrap();
        for torn in [0, 1, RECORD - 1] {
            std::fs::write(&path, [&bytes[..], &vec![7; torn]].concat()).unwrap();
            let mut memory = Memory::open(&path, false).unwrap();
            assert!(!memory.allow(5, (0, 1), b).unwrap());
            assert!(!memory.allow(5, (1, 1), a).unwrap());
            assert!(!memory.allow(4, (9, 1), a).unwrap(), "never back");
            assert!(memory.allow(5, (1, 1), b).unwrap());
        }
        let mut damaged = bytes.clone();
        damaged[RECORD + 20] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert!(Memory::open(&path, true).is_err());
        std::fs::write(&path, []).unwrap();
        assert!(Memory::open(&path, false).is_err(), "emptied");
        // The file is written anew now and then, and is never without what counts.
        let mut memory = Memory::open(&path, true).unwrap();
        for height in 1..=LONG + 10 {
            assert!(memory.allow(height, (0, 1), a).unwrap());
            assert!(!memory.allow(height, (0, 1), b).unwrap());
        }
        drop(memory);
        assert!(std::fs::metadata(&path).unwrap().len() < 1_000);
        let mut memory = Memory::open(&path, false).unwrap();
        assert!(!memory.allow(LONG + 10, (0, 1), b).unwrap() && memory.allow(LONG + 10, (0, 1), a).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_leader_proposes_one_block_a_round_though_its_database_was_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signed.bin");
        let pen = |fresh| {
            let key = crate::fixture::key(1);
            let address = Address(key.public_key());
            Pen::new([3; 32], address, key, Memory::open(&path, fresh).unwrap())
        };
        let propose = |pen: &Pen, block: u8, round: u32| {
            let proposal = Proposal {
                height: Height(7),
                round: Round::new(round),
                value: BlockId([block; 32]),
                pol_round: Round::Nil,
                validator: pen.address(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(pen.sign_proposal(proposal)).is_ok()
        };
        let first = pen(true);
        assert!(first.may_propose(7, 0, &[1; 32]).unwrap());
        assert!(propose(&first, 1, 0) && !propose(&first, 2, 0));
        drop(first);
        let again = pen(false);
        assert!(!again.may_propose(7, 0, &[2; 32]).unwrap());
        assert!(!propose(&again, 2, 0) && propose(&again, 1, 0) && propose(&again, 2, 1));
    }

    #[test]
    fn a_precommit_is_the_one_a_kiosk_verifies() {
        let (chain, block) = ([3; 32], [4; 32]);
        let bytes = precommit(&chain, 7, 2, &block);
        assert_eq!(
            statement(&chain, kind::PRECOMMIT, 7, 2, Some(&block), None),
            sha256(&bytes)
        );
        let all = [
            statement(&chain, kind::PREVOTE, 7, 2, Some(&block), None),
            statement(&chain, kind::PRECOMMIT, 7, 2, Some(&block), None),
            statement(&chain, kind::PRECOMMIT, 7, 2, Some(&[0; 32]), None),
            statement(&chain, kind::PRECOMMIT, 7, 2, None, None),
            statement(&chain, kind::PROPOSAL, 7, 2, Some(&block), Some(None)),
            statement(&chain, kind::PROPOSAL, 7, 2, Some(&block), Some(Some(0))),
            statement(&chain, kind::PART, 7, 2, Some(&block), Some(None)),
        ];
        let different: std::collections::BTreeSet<Digest> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
