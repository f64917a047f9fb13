//! Ballot cryptography and the formats of an election: what an auditor reads.
//!
//! Pure and `no_std`, without a heap: values go in, values come out. Clock, randomness, media, network and cards are not
//! known here, nor is any voter's name. [`SPEC.md`](https://example.invalid/SPEC) beside this crate says every byte; the sections named in the
//! modules are its sections.
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

pub mod ballot;
pub mod batch;
pub mod ceremony;
pub mod clips;
pub mod closing;
pub mod curve;
pub mod dlog;
pub mod field;
pub mod group;
pub mod hash;
pub mod keys;
pub mod ledger;
pub mod manifest;
pub mod merkle;
pub mod opening;
pub mod package;
pub mod pictures;
pub mod record;
pub mod roll;
pub mod seal;
pub mod sign;
pub mod signed;
pub mod small_group;
pub mod table;
pub mod tag;
pub mod tally;
pub mod update;
pub mod verify;
pub mod wire;
pub mod words;
