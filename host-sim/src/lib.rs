//! The world around a kiosk: virtual cards, voters, staff, media, network, power and chain, in virtual time on one thread.
//!
//! The kiosk in it is the shipped one: [`kiosk::run`] polled as a future. The desk before and after is the shipped one: the
//! library of `staff`. Only people and hardware are pretended. The same seed gives the same run and the same record, byte for byte.

pub mod cards;
pub mod voters;
pub mod world;
