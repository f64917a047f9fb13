//! The voter's session: a pure machine, `(State, Input) -> Outcome { records, then }`.
//!
//! What follows from an outcome (the next state, what to show, what to do) is locked until the ballot box proves that the
//! outcome's records stand on both media: "done" cannot be shown before the write, because the value that says so cannot be had
//! before it. The machine knows no clock, no card, no medium and no language.
//!
//! ```text
//! Idle -card-> Probing -> Pin -enter-> Admitting -> (Admitted) Contest 0..n -> Review -> Encrypting -> Sealed
//!   ^            |         ^  wrong PIN   |                ^      ^  |  change            |  |  back: drops the ballot
//!   |         Refused <----+--------------+                |      +--+--------------------+  |
//!   |            | card out                                |                                 +-cast-> (Cast) Done -card out-> Leaving -> Blank
//!   +------------+--- Abandoned <-(Abandoned)- card out ---+                                 +-challenge-> (Spoiled) Opening 0..n
//!                                                          +------------------ a fresh ballot ---------------------+
//! ```
//! Names in brackets are records. Over every place between admission and the end lie three *asides* that hide the choice: call
//! staff, "are you still there?", locked.

mod input;
mod outcome;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use input::{Admission, Input, PinDigits, WrongCard};
pub use outcome::{Effect, Effects, Locked, Outcome, Record, Then, WrongProof};
pub use state::{Aside, MAX_CONTESTS, PIN_MAX, Phase, PinEntry, Place, Selected, Shape, State, Tag, Voting};

/// Challenges a tag may make (DESIGN, "The voter's path").
pub const CHALLENGES: u8 = 3;
