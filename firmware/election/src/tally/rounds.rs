//! How trustees decrypt on machines of their own (SPEC.md, section 10): each commits to its parts, and shows them when k have committed.
//!
//! A message says which sums it is about. What a trustee signed for one list of sums is nothing for another.

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, Hasher, hash};
use crate::sign::{self, PublicKey, SignError, Signer};
use crate::signed::Signed;
use crate::tally::{Decryption, Statement};
use crate::wire::{Bytes, Seq};

/// Label of a trustee's signature over a message; what is signed begins with its [`Round`].
const LABEL: &str = "ippyo/1/sign/decryption";
/// Bytes of one sum in the hash of sums: contest, selection, A, B.
const SUM_LEN: u32 = 2 + 1 + 33 + 33;

/// First byte of what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Round {
    /// [`CommitParts`]
    Commit = 1,
    /// [`RevealParts`]
    Reveal = 2,
}

/// Round 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitParts {
    /// eh.
    pub election: Digest,
    /// [`sums_hash`].
    pub sums: Digest,
    /// Sender.
    pub trustee: u8,
    /// [`commitment`] of the body of round 2.
    pub reveal: Digest,
}

/// Round 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevealParts<'a> {
    /// eh.
    pub election: Digest,
    /// [`sums_hash`].
    pub sums: Digest,
    /// Sender.
    pub trustee: u8,
    /// One a sum, in the order of the sums.
    #[serde(borrow)]
    pub parts: Seq<'a, Decryption>,
}

/// H("ippyo/1/decryption/sums", eh, every sum in order: u16 contest || selection || A || B, all as one part).
///
/// `count` is the number of statements.
#[must_use]
pub fn sums_hash<'s>(election: &Digest, count: u32, sums: impl IntoIterator<Item = Statement<'s>>) -> Digest {
    let mut hasher = Hasher::new("ippyo/1/decryption/sums");
    hasher.part(election).begin_part(count.saturating_mul(SUM_LEN));
    for sum in sums {
        hasher.chunk(&sum.contest.to_be_bytes());
        hasher.chunk(&[sum.selection]);
        hasher.chunk(&sum.a.to_bytes());
        hasher.chunk(&sum.b.to_bytes());
    }
    hasher.finish()
}

/// What round 1 says of the body of round 2.
#[must_use]
pub fn commitment(reveal: &[u8]) -> Digest {
    hash("ippyo/1/decryption/reveal", &[reveal])
}

/// Signs the body of a message.
///
/// # Errors
/// The key cannot sign.
pub fn sign_round<'b>(round: Round, body: &'b [u8], signer: &Signer) -> Result<Signed<'b>, SignError> {
    let digest = message(round, body, &signer.public_key());
    Ok(Signed {
        body,
        signature: Bytes(signer.sign_prehash(&digest)?),
    })
}

/// Checks the signature of a message.
///
/// # Errors
/// It is not the trustee's for this round.
pub fn check_round(round: Round, signed: &Signed<'_>, key: &PublicKey) -> Result<(), SignError> {
    sign::verify_prehash(key, &message(round, signed.body, key), &signed.signature.0)
}

/// The digest of `sign(key, LABEL, round || body)`, without a copy of the body.
fn message(round: Round, body: &[u8], key: &PublicKey) -> Digest {
    let mut hasher = Hasher::new(LABEL);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(1);
    hasher.part(key).begin_part(length);
    hasher.chunk(&[round as u8]);
    hasher.chunk(body);
    hasher.finish()
}
