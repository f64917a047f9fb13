//! The commit proof: that one transaction is on the ledger for good, checked by a kiosk itself.
//!
//! Header, Merkle path, more than two thirds of the validators' signatures; nobody who hands the proof over has to be trusted.
//! A kiosk forgets a batch only after this check: were it wrong, ballots could vanish without a trace on the ledger.
//! That the transaction is in the block is proven; its place is not (some counts give a path of the same shape): places are read from
//! the blocks themselves.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::block::{BlockHeader, CertificateError, CommitSignature, check_signatures, precommit};
use super::genesis::Validators;
use crate::hash::Digest;
use crate::merkle;
use crate::wire::Seq;

/// Most bytes of a proof: header, 64 signatures of 65 bytes, 10 path steps of 32 bytes, lengths.
pub const MAX_PROOF: usize = 4_800;

/// `CommitProof` of SPEC.md, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitProof<'b> {
    /// The block that holds the transaction.
    pub header: BlockHeader,
    /// The consensus round in which it was decided.
    pub round: u32,
    /// Strictly ascending by validator.
    #[serde(borrow)]
    pub signatures: Seq<'b, CommitSignature>,
    /// Place of the transaction in the block.
    pub index: u32,
    /// Transactions of the block.
    pub count: u32,
    /// Merkle path from the transaction upward.
    #[serde(borrow)]
    pub path: Seq<'b, Digest>,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// Not version 1.
    Version(u16),
    /// Of another chain.
    Chain,
    /// Height 0: there is no such block.
    Height,
    /// Of another set of validators.
    Validators,
    /// The path does not lead from this transaction to the block.
    Path,
    /// The signatures.
    Signatures(CertificateError),
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "the proof is of version {version}; this program knows version 1"),
            Self::Chain => f.write_str("the proof is of another chain"),
            Self::Height => f.write_str("the proof names no block"),
            Self::Validators => f.write_str("the proof is of another set of validators"),
            Self::Path => f.write_str("the proof is not for this transaction"),
            Self::Signatures(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ProofError {}

impl CommitProof<'_> {
    /// Checks that the transaction with this encoding is on the chain that these validators decide.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, chain: &Digest, validators: Validators<'_>, transaction: &[u8]) -> Result<(), ProofError> {
        self.verify_leaf(chain, validators, merkle::leaf(transaction))
    }

    /// The same for a reader that has hashed the encoding while it streamed by: `leaf` = SHA-256(00 || encoding).
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify_leaf(&self, chain: &Digest, validators: Validators<'_>, leaf: Digest) -> Result<(), ProofError> {
        let header = &self.header;
        if header.version != 1 {
            return Err(ProofError::Version(header.version));
        }
        if header.chain != *chain {
            return Err(ProofError::Chain);
        }
        if header.height == 0 {
            return Err(ProofError::Height);
        }
        if header.validators != validators.hash() {
            return Err(ProofError::Validators);
        }
        // A list that ends in broken bytes gives another path, and so another root.
        let path = self.path.iter().map_while(Result::ok);
        if self.path.check().is_err()
            || merkle::root_from_path(leaf, self.index, self.count, path) != Some(header.transactions)
        {
            return Err(ProofError::Path);
        }
        check_signatures(
            &precommit(chain, header.height, self.round, &header.hash()),
            validators,
            self.signatures,
        )
        .map_err(ProofError::Signatures)
    }
}
