//! What a step gives: records first, everything else behind them.

use core::fmt;

use super::state::{State, Tag};
use crate::ballot_box::Durable;
use crate::ports::{Lamp, Sound};

/// A step's result. What follows from it can be had only with the proof that its records stand ([`Outcome::release`]).
#[must_use = "the session stands still until the outcome is released"]
pub struct Outcome {
    record: Option<Record>,
    then: Locked<Then>,
}

impl Outcome {
    pub(super) const fn new(ticket: u32, record: Option<Record>, then: Then) -> Self {
        Self {
            record,
            then: Locked { ticket, value: then },
        }
    }

    /// What must be durable first; at most one record a step, so that a cut never falls between two.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// The number that the proof must carry.
    #[must_use]
    pub const fn ticket(&self) -> u32 {
        self.then.ticket
    }

    /// Gives what follows, for the ballot box's proof of this very outcome.
    ///
    /// # Errors
    /// [`WrongProof`] for the proof of another outcome; then nothing follows, which is the safe side.
    pub fn release(self, proof: Durable) -> Result<Then, WrongProof> {
        self.then.open(proof)
    }
}

/// A value behind a write. There is no way in but [`Locked::open`].
///
/// ```compile_fail
/// # fn f(outcome: kiosk::session::Outcome) -> kiosk::session::Then {
/// outcome.then.value // private: the next state cannot be had without the proof
/// # }
/// ```
/// ```compile_fail
/// // The proof itself is made by the ballot box alone.
/// let proof = kiosk::ballot_box::Durable { ticket: 1 };
/// ```
#[must_use]
pub struct Locked<T> {
    ticket: u32,
    value: T,
}

impl<T> Locked<T> {
    /// Opens with the proof of the same outcome. The proof is used up.
    ///
    /// # Errors
    /// [`WrongProof`].
    pub fn open(self, proof: Durable) -> Result<T, WrongProof> {
        if proof.ticket() == self.ticket {
            Ok(self.value)
        } else {
            Err(WrongProof)
        }
    }
}

/// The proof belongs to another outcome: a defect of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongProof;

impl fmt::Display for WrongProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the proof of another write was shown: report this")
    }
}

impl core::error::Error for WrongProof {}

/// What must be durable. The ballot's bytes lie in the loop's buffer, not here.
pub enum Record {
    /// A voter was admitted.
    Admitted,
    /// An admitted voter left.
    Abandoned,
    /// The encrypted ballot, cast with this tag.
    Cast(Tag),
    /// The encrypted ballot, spoiled.
    Spoiled,
}

/// What follows.
pub struct Then {
    /// The next state; its screen is to be shown.
    pub state: State,
    /// What to do, in this order.
    pub effects: Effects,
}

/// At most four effects a step.
pub type Effects = heapless::Vec<Effect, 4>;

/// Something the loop does. What it results in comes back as an input.
pub enum Effect {
    /// Ask the card what it is and how many tries are left.
    Probe,
    /// Try this PIN and check the card. `last_try_accepted`: also if only one try is left.
    Admit {
        /// What was typed.
        pin: card::Pin,
        /// Whether the voter accepted the risk of locking the card.
        last_try_accepted: bool,
    },
    /// Make the card forget and take its power.
    Forget,
    /// Encrypt what is chosen.
    Encrypt,
    /// Wipe the encrypted ballot and its nonces.
    Wipe,
    /// Remember that this tag has challenged once more.
    CountChallenge(Tag),
    /// Lamp.
    Lamp(Lamp),
    /// Sound.
    Sound(Sound),
    /// Let staff in.
    StaffMenu,
}
