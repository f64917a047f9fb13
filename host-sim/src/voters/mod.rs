//! People: who comes to vote, what they want, how they behave and what they saw; and staff.
//!
//! They see screens and hold cards. What they wrote down is what a run is judged by.

pub mod choices;
pub mod habits;
pub mod plan;
pub mod script;
pub mod staff;
pub mod voter;
