//! What a kiosk and a validator's gateway say to each other (SPEC.md, section 9): one request, one reply.
//!
//! Frames only; how they travel (TCP, a serial line, a function call in the simulator) is for the port that carries them. A reply is
//! hostile until checked: a kiosk believes nothing in it but a [`CommitProof`] that it has verified.

use serde::{Deserialize, Serialize};

use super::block::Raw;
use super::proof::{CommitProof, MAX_PROOF};
use super::refusal::Refusal;
use super::transaction::MAX_TRANSACTION;
use crate::hash::Digest;
use crate::wire::{self, WireError};

/// Version of the frames.
pub const VERSION: u8 = 1;
/// Most bytes of a request.
pub const MAX_REQUEST: usize = MAX_TRANSACTION + 16;
/// Most bytes of a reply.
pub const MAX_REPLY: usize = MAX_PROOF + 16;

/// What a kiosk asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'b> {
    /// Take this transaction.
    Submit(#[serde(borrow)] Raw<'b>),
    /// The commit proof of the transaction with this hash.
    Proof(Digest),
    /// How far the chain is.
    Tip,
    /// The change of validators of this number, with its proof by the set before.
    Change(u32),
}

/// What the gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<'b> {
    /// The transaction with this hash is taken, or was before: ask for its proof.
    Accepted(Digest),
    /// The transaction is not taken.
    Refused(Refusal),
    /// Here it is: verify it.
    Proof(#[serde(borrow)] CommitProof<'b>),
    /// No transaction with this hash is decided: ask again, or submit it.
    NotYet,
    /// Answer to [`Request::Tip`].
    Tip {
        /// Height of the last decided block, 0 if none.
        height: u64,
        /// Its hash; the chain id if none.
        block: Digest,
    },
    /// The request was not read: too long, of another version, or broken.
    Unreadable,
    /// The gateway cannot work now (its disk is full, it is overloaded): ask another one, or later.
    Unavailable,
    /// Answer to [`Request::Change`]: follow it with [`super::Followed`].
    Change {
        /// The transaction's encoding.
        transaction: Raw<'b>,
        /// Its commit proof.
        proof: CommitProof<'b>,
    },
}

/// Writes a request.
///
/// # Errors
/// [`WireError::BufferTooSmall`].
pub fn write_request<'o>(request: &Request<'_>, out: &'o mut [u8]) -> Result<&'o [u8], WireError> {
    wire::encode(&(VERSION, request), out).map(|used| &*used)
}

/// Reads a request.
///
/// # Errors
/// What is wrong with the bytes; [`WireError::OutOfBounds`] for another version or more than [`MAX_REQUEST`] bytes.
pub fn read_request(bytes: &[u8]) -> Result<Request<'_>, WireError> {
    read(bytes, MAX_REQUEST)
}

/// Writes a reply.
///
/// # Errors
/// [`WireError::BufferTooSmall`].
pub fn write_reply<'o>(reply: &Reply<'_>, out: &'o mut [u8]) -> Result<&'o [u8], WireError> {
    wire::encode(&(VERSION, reply), out).map(|used| &*used)
}

/// Reads a reply.
///
/// # Errors
/// What is wrong with the bytes; [`WireError::OutOfBounds`] for another version or more than [`MAX_REPLY`] bytes.
pub fn read_reply(bytes: &[u8]) -> Result<Reply<'_>, WireError> {
    read(bytes, MAX_REPLY)
}

fn read<'b, T: Deserialize<'b> + Serialize>(bytes: &'b [u8], most: usize) -> Result<T, WireError> {
    if bytes.len() > most || bytes.first().is_some_and(|version| *version != VERSION) {
        return Err(WireError::OutOfBounds);
    }
    wire::decode::<(u8, T)>(bytes).map(|(_, frame)| frame)
}
