//! The world around a kiosk: virtual cards, voters, staff, media, network, power and chain, in virtual time on one thread.
//!
//! The kiosk in it is the shipped one: the loop `kiosk::run` polled as a future. The desk before and after is the shipped one: the
//! library of `staff`. Only people and hardware are pretended. The same seed gives the same run and the same record, byte for byte.

pub mod bundled;
#[cfg(feature = "window")]
pub mod by_ear;
pub mod cards;
pub mod cli;
mod day;
mod judge;
mod office;
pub mod photographs;
mod play;
#[cfg(feature = "window")]
pub mod qemu;
pub mod report;
pub mod scenario;
#[cfg(feature = "window")]
pub mod screens;
pub mod soak;
mod stations;
mod town;
pub mod truth;
pub mod validators;
pub mod voters;
#[cfg(feature = "window")]
pub mod window;
pub mod world;

pub use report::Report;
pub use scenario::{MediumFailure, PlannedCut, PlannedOutage, Reissue, Replacement, Scenario};
