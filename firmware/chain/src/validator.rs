//! A validator's key: precommits, and certificates made of them.
//!
//! A validator that signs two blocks of one height and round breaks the chain's one promise, so the key itself refuses to.

use std::fmt;

use election::hash::{Digest, sha256};
use election::ledger::{BlockHeader, Certificate, CertificateError, CommitSignature, SetChange, Validators, precommit};
use election::sign::{PublicKey, SignError, Signer};
use election::wire::{Bytes, Seq};

use crate::ledger::append;

/// One validator of a chain.
pub struct Validator {
    index: u8,
    signer: Signer,
    /// Height, round and hash of the block signed last.
    last: Option<(u64, u32, Digest)>,
}

/// Why a validator does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidatorError {
    /// The key is not in the chain's validator set.
    NotInSet,
    /// Another block of this height and round, or a later one, is signed already.
    WouldEquivocate,
    /// The key.
    Key(SignError),
}

impl fmt::Display for ValidatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInSet => f.write_str("this validator's key is not in the genesis of the chain"),
            Self::WouldEquivocate => f.write_str("this validator has signed another block of this height already"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ValidatorError {}

/// The number of this key in a set.
#[must_use]
pub fn place(validators: Validators<'_>, key: &PublicKey) -> Option<u8> {
    (0..=u8::MAX)
        .map_while(|index| Some((index, validators.key(index)?)))
        .find(|(_, other)| other == key)
        .map(|(index, _)| index)
}

impl Validator {
    /// The validator of this key in a set.
    ///
    /// # Errors
    /// [`ValidatorError::NotInSet`].
    pub fn new(signer: Signer, validators: Validators<'_>) -> Result<Self, ValidatorError> {
        let index = place(validators, &signer.public_key()).ok_or(ValidatorError::NotInSet)?;
        Ok(Self {
            index,
            signer,
            last: None,
        })
    }

    /// Itself with its number in this set, if it is one of it.
    pub(crate) fn seated(&mut self, validators: Validators<'_>) -> Option<&mut Self> {
        self.index = place(validators, &self.signer.public_key())?;
        Some(self)
    }

    /// Its number.
    #[must_use]
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// Its key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    /// Signs a change of the validators, as one of those who decide now.
    pub(crate) fn sign_change(&self, body: &SetChange<'_>) -> Result<CommitSignature, ValidatorError> {
        body.sign(self.index, &self.signer).map_err(ValidatorError::Key)
    }

    /// Signs a block that was found good; never two of one height and round, and never back in height or round.
    ///
    /// # Errors
    /// [`ValidatorError::WouldEquivocate`], [`ValidatorError::Key`].
    pub fn precommit(&mut self, header: &BlockHeader, round: u32) -> Result<CommitSignature, ValidatorError> {
        let block = header.hash();
        let next = (header.height, round, block);
        if let Some(last) = self.last
            && next != last
            && (header.height, round) <= (last.0, last.1)
        {
            return Err(ValidatorError::WouldEquivocate);
        }
        let digest = sha256(&precommit(&header.chain, header.height, round, &block));
        let signature = self.signer.sign_prehash(&digest).map_err(ValidatorError::Key)?;
        self.last = Some(next);
        Ok(CommitSignature {
            validator: self.index,
            signature: Bytes(signature),
        })
    }
}

/// A certificate with memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedCertificate {
    height: u64,
    round: u32,
    block: Digest,
    signatures: Vec<u8>,
}

impl OwnedCertificate {
    /// Puts precommits for one block and round together, in the order of the set, each validator once. Whether they decide is said
    /// by [`Certificate::verify`]; whether each holds, too.
    ///
    /// # Errors
    /// [`CertificateError::Wire`].
    pub fn assemble(
        header: &BlockHeader,
        round: u32,
        mut votes: Vec<CommitSignature>,
    ) -> Result<Self, CertificateError> {
        votes.sort_by_key(|vote| vote.validator);
        votes.dedup_by_key(|vote| vote.validator);
        let mut signatures = Vec::new();
        for vote in &votes {
            append(&mut signatures, vote).map_err(CertificateError::Wire)?;
        }
        Ok(Self {
            height: header.height,
            round,
            block: header.hash(),
            signatures,
        })
    }

    /// The certificate as it is encoded and verified.
    #[must_use]
    pub fn view(&self) -> Certificate<'_> {
        Certificate {
            height: self.height,
            round: self.round,
            block: self.block,
            signatures: Seq::from_bytes(&self.signatures),
        }
    }
}
