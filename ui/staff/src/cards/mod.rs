//! Cards on the desk: what a card is, whether a kiosk would admit it, and making a PIV card somebody's.
//!
//! Everything here works over any [`card::Transmit`]; readers are the business of the command line. A card that is only tried
//! is tried under a domain that no election has, so that what it answers is worth nothing at a kiosk. On every way out the
//! card is told to forget the PIN; whoever owns the reader takes its power.

pub mod authority;
mod check;
mod inspect;
mod issue;
mod measured;
mod table;

pub use check::{Checked, Terms, check};
pub use inspect::{CertificateSummary, Inspected, inspect};
pub use issue::{Issued, Order, issue};
pub use measured::{Counter, Measured, StepReport};
pub use table::{add_to_roll, add_to_staff};

use card::{CardError, TransmitError};
use election::hash::{Digest, hash};

use crate::problem::{Kind, Problem};

/// What stands for an election hash when a card is tried. An election's is the hash of something else under another label, so no
/// election can have this one.
#[must_use]
pub fn test_domain() -> Digest {
    hash(
        "ippyo/1/card-check",
        &[b"a card is tried at a desk; this is no election"],
    )
}

/// A card's refusal as a problem.
pub(crate) fn refused(at: &str, error: CardError) -> Problem {
    let problem = Problem::new(Kind::Refused, at, error);
    match error {
        CardError::Transmit(TransmitError::Io) => Problem {
            kind: Kind::Files,
            ..problem
        },
        CardError::WrongPin { tries_left: 1 } => {
            problem.advice("stop here: a wrong PIN more blocks the card, and only its issuer can unblock it")
        }
        _ => problem,
    }
}

/// Never the last try without being told so: a blocked card costs its holder a day.
pub(crate) fn tries_suffice(tries_left: u8, last_try: bool) -> Result<(), Problem> {
    match tries_left {
        0 => Err(Problem::new(Kind::Refused, "PIN", "is blocked").advice("only the card's issuer can unblock it")),
        1 if !last_try => Err(
            Problem::new(Kind::Refused, "PIN", "has one try left, and nothing was tried")
                .advice("if the holder is sure of it: the same command with --last-try"),
        ),
        _ => Ok(()),
    }
}
