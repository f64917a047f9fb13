//! Blocks, and the certificates that make them final.
//!
//! A block holds no clock time and no consensus round: the same block proposed again keeps its hash. The round stands in the
//! certificate, because it is part of what validators sign.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::genesis::Validators;
use crate::hash::{Digest, hash, sha256};
use crate::merkle;
use crate::sign;
use crate::wire::{self, Bytes, Seq, WireError};

/// Most transactions of a block: a Merkle path has at most 10 steps.
pub const MAX_TRANSACTIONS: u32 = 1_024;
/// Most bytes of a block.
pub const MAX_BLOCK: usize = 16 << 20;
/// Length of what a validator signs.
pub const PRECOMMIT: usize = 86;

/// `bytes` of the format: length, then bytes as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'b>(pub &'b [u8]);

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.0.len())
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for Raw<'b> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'b [u8]>::deserialize(deserializer).map(Self)
    }
}

/// `BlockHeader` of SPEC.md, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// Version of the format: 1.
    pub version: u16,
    /// Chain id.
    pub chain: Digest,
    /// 1 for the first block.
    pub height: u64,
    /// Hash of the block before; the chain id at height 1.
    pub previous: Digest,
    /// Merkle root over the transactions' encodings.
    pub transactions: Digest,
    /// Hash of the set of validators who decide this block.
    pub validators: Digest,
}

impl BlockHeader {
    /// The block hash: `H("ippyo/1/block", header)`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        // 3 + 32 + 10 + 3 * 32 bytes at most: the buffer always suffices.
        let mut buffer = [0; 160];
        let encoding = wire::encode(self, &mut buffer).unwrap_or_default();
        hash("ippyo/1/block", &[encoding])
    }
}

/// `Block` of SPEC.md, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block<'b> {
    /// What is hashed.
    pub header: BlockHeader,
    /// The transactions' encodings, in the order in which they apply.
    #[serde(borrow)]
    pub transactions: Seq<'b, Raw<'b>>,
}

/// Why a block is not the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The bytes are not a block.
    Wire(WireError),
    /// More than [`MAX_BLOCK`] bytes or [`MAX_TRANSACTIONS`] transactions.
    TooLong,
    /// Not version 1.
    Version(u16),
    /// Of another chain.
    Chain,
    /// Not the height that comes next.
    Height {
        /// The height that comes next.
        expected: u64,
        /// This block's.
        got: u64,
    },
    /// It does not follow the block before.
    Previous,
    /// It is of another set of validators.
    Validators,
    /// Its root is not over its transactions.
    Root,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "this is not a block: {error}"),
            Self::TooLong => f.write_str("the block is longer than the format allows"),
            Self::Version(version) => write!(f, "the block is of version {version}; this program knows version 1"),
            Self::Chain => f.write_str("the block is of another chain"),
            Self::Height { expected, got } => write!(f, "the block has height {got}; {expected} comes next"),
            Self::Previous => f.write_str("the block does not follow the one before"),
            Self::Validators => f.write_str("the block is of another set of validators"),
            Self::Root => f.write_str("the block's root is not over its transactions"),
        }
    }
}

impl core::error::Error for BlockError {}

impl<'b> Block<'b> {
    /// Reads a block. See [`Block::check`].
    ///
    /// # Errors
    /// [`BlockError::TooLong`], [`BlockError::Wire`].
    pub fn read(bytes: &'b [u8]) -> Result<Self, BlockError> {
        if bytes.len() > MAX_BLOCK {
            return Err(BlockError::TooLong);
        }
        wire::decode(bytes).map_err(BlockError::Wire)
    }

    /// Checks that this block follows `previous` (the block hash, or the chain id before height 1) at `height` of `chain`, and
    /// that its root is over its transactions; gives the block hash. What the transactions say is for the rules.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(
        &self,
        chain: &Digest,
        height: u64,
        previous: &Digest,
        validators: &Digest,
    ) -> Result<Digest, BlockError> {
        let header = &self.header;
        if header.version != 1 {
            return Err(BlockError::Version(header.version));
        }
        if header.chain != *chain {
            return Err(BlockError::Chain);
        }
        if header.height != height {
            return Err(BlockError::Height {
                expected: height,
                got: header.height,
            });
        }
        if header.previous != *previous {
            return Err(BlockError::Previous);
        }
        if header.validators != *validators {
            return Err(BlockError::Validators);
        }
        if header.transactions != transactions_root(self.transactions)? {
            return Err(BlockError::Root);
        }
        Ok(header.hash())
    }
}

/// The Merkle root over the transactions of a block.
///
/// # Errors
/// [`BlockError::Wire`], [`BlockError::TooLong`].
pub fn transactions_root(transactions: Seq<'_, Raw<'_>>) -> Result<Digest, BlockError> {
    let mut root = merkle::Root::new();
    for transaction in transactions.iter() {
        if root.count() >= MAX_TRANSACTIONS {
            return Err(BlockError::TooLong);
        }
        root.push(merkle::leaf(transaction.map_err(BlockError::Wire)?.0));
    }
    Ok(root.finish())
}

/// A decided block, as `chain.bin` holds it (SPEC.md, section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided<'b> {
    /// The block's encoding.
    #[serde(borrow)]
    pub block: Raw<'b>,
    /// Why it is final.
    pub certificate: Certificate<'b>,
}

/// More than two thirds of the validators' signatures on one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate<'b> {
    /// Height of the block.
    pub height: u64,
    /// The consensus round in which it was decided.
    pub round: u32,
    /// Block hash.
    pub block: Digest,
    /// Strictly ascending by validator.
    #[serde(borrow)]
    pub signatures: Seq<'b, CommitSignature>,
}

/// One validator's signature over [`precommit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSignature {
    /// Number of the validator, from 0.
    pub validator: u8,
    /// P-256 with SHA-256 over the 86 bytes, low s.
    pub signature: Bytes<64>,
}

/// Why a certificate or commit proof does not make a block final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// The bytes are not a list of signatures.
    Wire(WireError),
    /// It is for another height or block.
    Block,
    /// Validators are not strictly ascending: one would count twice.
    Order,
    /// There is no validator of this number.
    UnknownValidator(u8),
    /// This validator's signature does not hold.
    Signature(u8),
    /// Two thirds of the validators or fewer.
    TooFew {
        /// Good signatures.
        signed: usize,
        /// Validators of the set.
        validators: usize,
    },
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "the signatures cannot be read: {error}"),
            Self::Block => f.write_str("the certificate is for another block"),
            Self::Order => f.write_str("the validators' signatures are not strictly ascending"),
            Self::UnknownValidator(index) => write!(f, "there is no validator {index}"),
            Self::Signature(index) => write!(f, "the signature of validator {index} does not hold"),
            Self::TooFew { signed, validators } => write!(
                f,
                "{signed} of {validators} validators signed; more than two thirds are needed"
            ),
        }
    }
}

impl core::error::Error for CertificateError {}

impl Certificate<'_> {
    /// Checks that the certificate makes the block with this header final.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, header: &BlockHeader, validators: Validators<'_>) -> Result<(), CertificateError> {
        if self.height != header.height || self.block != header.hash() {
            return Err(CertificateError::Block);
        }
        check_signatures(
            &precommit(&header.chain, self.height, self.round, &self.block),
            validators,
            self.signatures,
        )
    }
}

/// The 86 bytes a validator signs for a block.
#[must_use]
pub fn precommit(chain: &Digest, height: u64, round: u32, block: &Digest) -> [u8; PRECOMMIT] {
    let mut out = [0; PRECOMMIT];
    let height = height.to_be_bytes();
    let round = round.to_be_bytes();
    let parts: [&[u8]; 7] = [b"ippyo/v1", chain, &[2], &height, &round, &[1], block];
    for (o, b) in out.iter_mut().zip(parts.into_iter().flatten()) {
        *o = *b;
    }
    out
}

/// Checks that more than two thirds of the validators signed these bytes. Each signature given must hold: a proof that carries a
/// bad one was made by somebody who does not check, or who wants time wasted.
///
/// # Errors
/// What does not hold.
pub fn check_signatures(
    message: &[u8; PRECOMMIT],
    validators: Validators<'_>,
    signatures: Seq<'_, CommitSignature>,
) -> Result<(), CertificateError> {
    let digest = sha256(message);
    let mut signed = 0usize;
    let mut last = None;
    for signature in signatures.iter() {
        let CommitSignature { validator, signature } = signature.map_err(CertificateError::Wire)?;
        if last.is_some_and(|last| validator <= last) {
            return Err(CertificateError::Order);
        }
        last = Some(validator);
        let key = validators
            .key(validator)
            .ok_or(CertificateError::UnknownValidator(validator))?;
        sign::verify_prehash(&key, &digest, &signature.0).map_err(|_| CertificateError::Signature(validator))?;
        signed += 1;
    }
    if validators.decides(signed) {
        Ok(())
    } else {
        Err(CertificateError::TooFew {
            signed,
            validators: validators.count(),
        })
    }
}
