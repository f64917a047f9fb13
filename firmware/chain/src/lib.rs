//! The consortium ledger: storage, index and making of blocks around the rules of `election::ledger`.
//!
//! - [`Ledger`]: sans-IO. Transactions in, blocks out; decided blocks in, commit proofs and look-ups out. A consensus engine drives it
//!   (propose, validate, apply) as well as the embedded chain does.
//! - [`validator`]: a validator's key, precommits, certificates.
//! - [`Chain`]: the embedded chain: ledger, validators' keys and storage in one process, for the simulator and for anchoring
//!   batches from a medium.
//! - [`storage`]: where decided blocks are durable before anybody hears of them.
//! - [`gateway`]: a kiosk's request in, a reply out; over TCP, and from a kiosk to several validators.
//!
//! It must never know: a tag before the tally, a ballot, a card, a voter. It cannot refuse a vote, only a batch.
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

mod embedded;
#[cfg(feature = "engine")]
pub mod engine;
mod evidence;
#[cfg(all(test, feature = "engine"))]
#[path = "../../election/tests/ledger/fixture.rs"]
mod fixture;
pub mod gateway;
mod index;
mod ledger;
mod proof;
mod sets;
pub mod storage;
pub mod validator;

pub use embedded::{Chain, OpenError, Receipt, SubmitError};
pub use evidence::{Evidence, MAX_EVIDENCE};
pub use index::{BatchPlace, Found, Place};
pub use ledger::{ApplyError, Ledger, Proposal, Verdict};
pub use proof::OwnedProof;
pub use sets::Sets;
