//! The ledger (SPEC.md, section 9): what goes on it, what makes a block final, what is refused.
//!
//! Everything here is a borrowed view or plain arithmetic, so that a kiosk on a microcontroller and a verifier of the published
//! record judge with the very code the validators run. Storage, indexes and the making of blocks are `firmware/chain`.
//! It must never know a tag, a ballot or a card: the ledger cannot refuse a vote, only a batch.

mod block;
mod change;
pub mod frame;
mod genesis;
mod proof;
mod refusal;
mod rules;
mod tables;
mod transaction;

pub use block::{
    Block, BlockError, BlockHeader, Certificate, CertificateError, CommitSignature, Decided, MAX_BLOCK,
    MAX_TRANSACTIONS, PRECOMMIT, Raw, check_signatures, precommit, transactions_root,
};
pub use change::{FollowError, Followed, MAX_AHEAD, MAX_CHANGES, MAX_CHANGING, SetChange, Standing};
pub use genesis::{Genesis, GenesisError, MAX_STAFF, MAX_VALIDATORS, StaffCard, Validators, role};
pub use proof::{CommitProof, MAX_PROOF, ProofError};
pub use refusal::{Refusal, SetRefusal, StaffRefusal};
pub use rules::{Applied, Book, Full, KioskRow, Rules};
pub use tables::{BatchRow, Tables};
pub use transaction::{
    MAX_BODY, MAX_REASON, MAX_TRANSACTION, PAIR, Registration, Revocation, StaffBody, StaffSignature, Takeover,
    Transaction, check_staff_pair, staff_pair, transaction_hash,
};

pub use crate::batch::kiosk_id;
