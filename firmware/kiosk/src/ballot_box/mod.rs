//! The ballot box on two media. The format is in MEDIA.md beside this crate.
//!
//! One record {kind, ballot, tag, CRC} goes into a random free slot of the original and is synced and read back; the same on the
//! duplicate; only then there is a [`Durable`], and only with it a session goes on. No pending state, no roll, no time, no order.
//! This room must never know a card, a choice or a PIN.

mod durable;
mod fault;

pub use durable::Durable;
pub use fault::{MediaFault, Role};

/// What the box holds and what its log counted (SPEC.md, section 8, `Counters`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Voters admitted.
    pub admitted: u32,
    /// Votes that stand.
    pub recorded: u32,
    /// Admitted voters who left without a vote.
    pub abandoned: u32,
    /// Admitted voters who were cut off.
    pub interrupted: u32,
    /// Challenged ballots that stand.
    pub spoiled: u32,
    /// Unreadable places.
    pub void: u32,
}

impl Counts {
    /// admitted - recorded - abandoned - interrupted: 0, or 1 while somebody votes.
    #[must_use]
    pub fn deficit(&self) -> i64 {
        i64::from(self.admitted) - i64::from(self.recorded) - i64::from(self.abandoned) - i64::from(self.interrupted)
    }
}
