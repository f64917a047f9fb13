//! The world around kiosks: time, power, devices, network. Deterministic: one thread, one seed.
//!
//! What is here pretends to be hardware; it must never know what a voter wants.

pub mod ailments;
pub mod booth;
pub mod boundary;
pub mod clock;
pub mod executor;
mod lent;
pub mod machine;
pub mod media;
pub mod network;
pub mod notify;
pub mod power;
pub mod reader;
pub mod seed;
pub mod store;
pub mod time;
pub mod view;
pub mod watch;
