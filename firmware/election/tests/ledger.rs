//! The laws of the ledger (SPEC.md, section 9), tried with hostile transactions, proofs and frames.

#[path = "ledger/changes.rs"]
mod changes;
#[path = "ledger/decided.rs"]
mod decided;
#[path = "ledger/fixture.rs"]
mod fixture;
#[path = "ledger/frames.rs"]
mod frames;
#[path = "ledger/genesis.rs"]
mod genesis;
#[path = "ledger/proof.rs"]
mod proof;
#[path = "ledger/rules.rs"]
mod rules;
#[path = "ledger/takeover.rs"]
mod takeover;
#[path = "ledger/vectors.rs"]
mod vectors;
