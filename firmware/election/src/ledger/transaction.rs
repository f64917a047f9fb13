//! Transactions: registering, revoking and replacing a kiosk, each by two staff cards; a kiosk's batch; a change of the validators.
//!
//! A transaction is known by its encoding; since only the canonical encoding is read, one transaction has one hash.

use serde::{Deserialize, Serialize};

use super::block::CommitSignature;
use super::change::SetChange;
use super::genesis::{Genesis, role};
use super::refusal::{Refusal, StaffRefusal};
use crate::batch::Batch;
use crate::hash::{Digest, hash};
use crate::sign;
use crate::wire::{self, Bytes, Seq, SeqWriter};

/// Most bytes of a transaction: a batch of 65,536 entries of 65 bytes, and room for its header.
pub const MAX_TRANSACTION: usize = 65_536 * 65 + 1_024;
/// Most bytes of a revocation's reason.
pub const MAX_REASON: usize = 256;
/// Most bytes of a body that staff sign.
pub const MAX_BODY: usize = 512;

/// `Transaction` of SPEC.md, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transaction<'b> {
    /// Two staff cards sign a kiosk in.
    Register {
        /// What they sign.
        body: Registration,
        /// Exactly two, ascending by key.
        #[serde(borrow)]
        staff: Seq<'b, StaffSignature>,
    },
    /// Two staff cards end a kiosk.
    Revoke {
        /// What they sign.
        #[serde(borrow)]
        body: Revocation<'b>,
        /// Exactly two, ascending by key.
        staff: Seq<'b, StaffSignature>,
    },
    /// Two staff cards put a spare in a kiosk's place.
    Takeover {
        /// What they sign.
        body: Takeover,
        /// Exactly two, ascending by key.
        #[serde(borrow)]
        staff: Seq<'b, StaffSignature>,
    },
    /// A kiosk's batch.
    Batch(#[serde(borrow)] Batch<'b>),
    /// More than two thirds of the validators change their set.
    Validators {
        /// What they sign.
        #[serde(borrow)]
        body: SetChange<'b>,
        /// Strictly ascending by validator of the set before.
        signatures: Seq<'b, CommitSignature>,
    },
}

/// A kiosk as it was provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Election hash.
    pub election: Digest,
    /// The kiosk's signing key.
    pub kiosk: Bytes<33>,
    /// The kiosk's HPKE key, to which the election secret is sealed.
    pub sealing: Bytes<33>,
    /// Number of the polling station.
    pub station: u16,
    /// Hash of the software staff saw on it.
    pub software: Digest,
}

/// The end of a kiosk that must not be believed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation<'b> {
    /// Election hash.
    pub election: Digest,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Why, for the report; up to [`MAX_REASON`] bytes.
    pub reason: &'b str,
}

/// A spare in place of a kiosk that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// Election hash.
    pub election: Digest,
    /// The epoch of the media that change hands.
    pub epoch: u8,
    /// Kiosk id of the kiosk that is replaced.
    pub old: Digest,
    /// Kiosk id of the spare.
    pub new: Digest,
    /// Hash of the last batch the surviving medium knows of; zero bytes if none.
    pub predecessor: Digest,
    /// Ballots found on the surviving medium.
    pub count: u32,
}

/// A staff card's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffSignature {
    /// The card's key; it must be on the roster.
    pub key: Bytes<33>,
    /// Over the body, with the label of its purpose.
    pub signature: Bytes<64>,
}

/// Bytes of two staff signatures.
pub const PAIR: usize = 2 * (33 + 64);

/// Two staff signatures in the order of the format, ascending by key.
#[must_use]
pub fn staff_pair(mut pair: [StaffSignature; 2], out: &mut [u8; PAIR]) -> Seq<'_, StaffSignature> {
    pair.sort_unstable_by_key(|card| card.key);
    let mut writer = SeqWriter::new(out);
    for card in &pair {
        // The buffer has exactly the length of two.
        let _ = writer.push(card);
    }
    writer.finish()
}

/// The hash of a transaction: `H("ippyo/1/transaction", encoding)`.
#[must_use]
pub fn transaction_hash(encoding: &[u8]) -> Digest {
    hash("ippyo/1/transaction", &[encoding])
}

impl<'b> Transaction<'b> {
    /// Reads a transaction. Its rules are checked where it is applied.
    ///
    /// # Errors
    /// [`Refusal::TooLong`], [`Refusal::Encoding`].
    pub fn read(bytes: &'b [u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_TRANSACTION {
            return Err(Refusal::TooLong);
        }
        wire::decode(bytes).map_err(|_| Refusal::Encoding)
    }
}

/// A body that two staff cards sign: its label and its encoding are the message.
pub trait StaffBody: Serialize {
    /// The label of the signature.
    const LABEL: &'static str;

    /// The message that a staff card signs, written into `out`.
    ///
    /// # Errors
    /// [`Refusal::TooLong`] if a text in it is too long.
    fn message<'o>(&self, out: &'o mut [u8; MAX_BODY]) -> Result<&'o [u8], Refusal> {
        wire::encode(self, out).map(|used| &*used).map_err(|_| Refusal::TooLong)
    }
}

impl StaffBody for Registration {
    const LABEL: &'static str = "ippyo/1/sign/staff/register";
}

impl StaffBody for Revocation<'_> {
    const LABEL: &'static str = "ippyo/1/sign/staff/revoke";
}

impl StaffBody for Takeover {
    const LABEL: &'static str = "ippyo/1/sign/staff/takeover";
}

/// Checks the two signatures on a staff act: two different cards of the roster, ascending by key, both with the role.
/// Opening, closing and reception's counts are checked with it too, with [`role::POLLS`] and their own labels.
///
/// # Errors
/// What is wrong with the pair.
pub fn check_staff_pair(
    genesis: &Genesis<'_>,
    needed: u8,
    label: &str,
    message: &[u8],
    signatures: Seq<'_, StaffSignature>,
) -> Result<(), StaffRefusal> {
    let mut cards = signatures.iter();
    let (Some(Ok(first)), Some(Ok(second)), None) = (cards.next(), cards.next(), cards.next()) else {
        return Err(StaffRefusal::NotTwo);
    };
    if first.key == second.key {
        return Err(StaffRefusal::OneCardTwice);
    }
    if first.key.0 > second.key.0 {
        return Err(StaffRefusal::Order);
    }
    for card in [first, second] {
        let known = genesis.card(&card.key.0).ok_or(StaffRefusal::UnknownCard)?;
        if known.roles & needed != needed {
            return Err(StaffRefusal::Role);
        }
        sign::verify(&card.key.0, label, message, &card.signature.0).map_err(|_| StaffRefusal::Signature)?;
    }
    Ok(())
}

/// [`check_staff_pair`] for the body of a transaction.
pub(super) fn check_body<B: StaffBody>(
    genesis: &Genesis<'_>,
    body: &B,
    staff: Seq<'_, StaffSignature>,
) -> Result<(), Refusal> {
    let mut buffer = [0; MAX_BODY];
    let message = body.message(&mut buffer)?;
    check_staff_pair(genesis, role::PROVISIONS, B::LABEL, message, staff).map_err(Refusal::Staff)
}
