//! The voting kiosk: admission, session, ballot box, outbox, audit log, and the one loop that joins them.
//!
//! `no_std`, without a heap, without a platform: the world comes in through [`ports`], the screens go out as values
//! ([`screen`]), large things lie in memory the platform lends ([`Buffers`](run::Buffers)). The same [`run::run`] drives Linux,
//! a microcontroller and the simulator, so a simulated day is a test of the shipped code.
//!
//! What this room must never know: who votes (a card is forgotten when admission has made its tag), what language or text size
//! a voter needs (the panel's), where it runs (a board's).
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]
#[cfg(test)]
extern crate std;

pub mod admission;
pub mod audit;
pub mod ballot_box;
pub mod flash_image;
pub mod form;
pub mod health;
pub mod identity;
pub mod line;
pub mod ports;
pub mod random;
pub mod run;
pub mod screen;
pub mod service;
pub mod session;
pub mod staff;
pub mod update;
