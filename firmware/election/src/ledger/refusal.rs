//! Why the ledger refuses a transaction, in terms a person can act on.
//!
//! A refusal travels back to the kiosk ([`super::frame`]), so its encoding is part of the format: variants are only appended.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::Digest;

/// What is wrong with the two staff signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaffRefusal {
    /// Not exactly two signatures.
    NotTwo,
    /// Both are of one card.
    OneCardTwice,
    /// Not ascending by key.
    Order,
    /// A card is not on the roster of the genesis.
    UnknownCard,
    /// A card has not the role this needs.
    Role,
    /// A signature is not by its card over this act.
    Signature,
}

impl fmt::Display for StaffRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTwo => "exactly two staff signatures are needed",
            Self::OneCardTwice => "the two signatures are of one and the same card; a second card is needed",
            Self::Order => "the staff signatures are not ascending by key",
            Self::UnknownCard => "a staff card is not on the roster of this election",
            Self::Role => "a staff card has not the role this needs",
            Self::Signature => "a staff signature does not hold",
        })
    }
}

impl core::error::Error for StaffRefusal {}

/// Why the validators are not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetRefusal {
    /// Of another chain.
    Chain,
    /// Not the number that comes next, or one more than a chain may have.
    Number {
        /// The number that comes next.
        expected: u32,
    },
    /// The set before is another one.
    Previous,
    /// No set: empty, too large (or the one before is), a key twice, a key that is no point, or the same set again.
    Keys,
    /// It stands from a height that is over, or too far ahead.
    Height,
    /// Another change is on the ledger and does not stand yet.
    Pending,
    /// Not signed by more than two thirds of the set before, each once, in ascending order.
    Signatures,
}

impl fmt::Display for SetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain => f.write_str("the change of validators is of another chain"),
            Self::Number { expected } => write!(
                f,
                "the change of validators has not the number {expected}, which comes next"
            ),
            Self::Previous => f.write_str("the change of validators does not follow the set that decides now"),
            Self::Keys => {
                f.write_str("the new set is empty, too large, the same as before, or has a bad key or one twice")
            }
            Self::Height => f.write_str("the change of validators stands from a height that is over, or too far ahead"),
            Self::Pending => f.write_str("another change of validators does not stand yet"),
            Self::Signatures => {
                f.write_str("more than two thirds of the validators before must sign the change, each once")
            }
        }
    }
}

impl core::error::Error for SetRefusal {}

/// Why a transaction is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Longer than the format allows.
    TooLong,
    /// Not a transaction, or not in its one encoding.
    Encoding,
    /// Of another election.
    Election,
    /// The staff signatures.
    Staff(StaffRefusal),
    /// A key is not a point.
    Key,
    /// This kiosk is registered already.
    Registered,
    /// This kiosk was never registered.
    UnknownKiosk,
    /// The kiosk was revoked.
    Revoked,
    /// Another kiosk took its place.
    TakenOver,
    /// The kiosk's row ended with its closing batch.
    Closed,
    /// Entries, root or count of the batch do not fit each other.
    Batch,
    /// The batch is not signed by its kiosk.
    Signature,
    /// Batches between are missing: send those first.
    Gap {
        /// The number that comes next.
        expected: u32,
        /// The number of this batch.
        got: u32,
    },
    /// Another batch of this number is on the ledger: the kiosk's key signed two. Kept as evidence.
    Fork {
        /// The number both have.
        number: u32,
        /// The hash of the one on the ledger.
        on_ledger: Digest,
    },
    /// This very batch, registration or revocation is on the ledger already.
    Repeated,
    /// The batch does not follow the one before.
    Predecessor {
        /// The hash `previous` should hold.
        expected: Digest,
    },
    /// A takeover by the kiosk itself.
    SameKiosk,
    /// The spare is registered at another polling station.
    Station,
    /// The spare has sent batches or taken over a box already: take a fresh one.
    SpareInUse,
    /// The takeover names a predecessor that is no batch of the old kiosk.
    UnknownPredecessor,
    /// The tables of this reader are full; the transaction was not judged.
    Full,
    /// The change of validators.
    Validators(SetRefusal),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the transaction is longer than the format allows"),
            Self::Encoding => f.write_str("these bytes are not a transaction"),
            Self::Election => f.write_str("the transaction is of another election"),
            Self::Staff(why) => why.fmt(f),
            Self::Key => f.write_str("a key is not a point of P-256"),
            Self::Registered => f.write_str("this kiosk is registered already"),
            Self::UnknownKiosk => f.write_str("this kiosk is not registered: two staff cards must sign it in first"),
            Self::Revoked => f.write_str("this kiosk was revoked"),
            Self::TakenOver => f.write_str("another kiosk took this one's place; its key is not accepted any more"),
            Self::Closed => f.write_str("this kiosk has sent its closing batch; nothing follows it"),
            Self::Batch => f.write_str("entries, root and count of the batch do not fit each other"),
            Self::Signature => f.write_str("the batch is not signed by its kiosk"),
            Self::Gap { expected, got } => {
                write!(f, "batch {expected} is missing; batch {got} can only follow it")
            }
            Self::Fork { number, .. } => write!(
                f,
                "ALARM: the ledger holds another batch {number} of this kiosk; both are signed with its key"
            ),
            Self::Repeated => f.write_str("this is on the ledger already"),
            Self::Predecessor { .. } => f.write_str("the batch does not name the one before as its predecessor"),
            Self::SameKiosk => f.write_str("a kiosk cannot take over from itself"),
            Self::Station => f.write_str("the spare is registered at another polling station"),
            Self::SpareInUse => f.write_str("the spare is in use already; a fresh one is needed"),
            Self::UnknownPredecessor => f.write_str("the predecessor is not a batch of the kiosk that is taken over"),
            Self::Validators(why) => why.fmt(f),
            Self::Full => f.write_str("this reader's tables are too small for the ledger"),
        }
    }
}

impl core::error::Error for Refusal {}
