//! The kiosk on embedded Linux: the shared loop with a Slint window or KMS, a PC/SC reader, two ballot-box media, a key file
//! store, and an uplink over TCP where the election may have one.
//!
//! ```text
//!  event loop (one thread): panel, timers, the loop of kiosk::run as one task     executor, clock, machine, program
//!  one thread a device: card reader, original, duplicate, store, uplink, lamp      worker, reader, medium, store, uplink, signals
//! ```
//! Nothing that may block is called on the event loop: a medium that takes a second to sync, a reader that hangs or a network that
//! is not there leave the panel alive. Each thread has a queue of a few jobs and refuses more.
//!
//! What this room must never know: what a ballot, a card or a batch means. It moves bytes, and logs nothing about voters: a
//! log of card events with times would tell the order of voting (V12).
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing
    )
)]

pub mod cli;
pub mod clock;
pub mod config;
pub mod display;
pub mod entropy;
pub mod exchange;
pub mod executor;
pub mod health;
pub mod image;
pub mod input;
#[cfg(feature = "sound")]
pub mod keypad;
pub mod lent;
pub mod log;
pub mod machine;
pub mod medium;
pub mod network;
pub mod program;
pub mod reader;
pub mod repair;
pub mod signals;
#[cfg(feature = "sound")]
pub mod sound;
pub mod store;
pub mod tpm;
#[cfg(test)]
mod units;
pub mod update;
pub mod uplink;
pub mod usb;
pub mod watchdog;
pub mod worker;
