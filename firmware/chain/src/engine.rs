//! The validator node: the ledger on a Byzantine fault-tolerant consensus engine (Malachite, Tendermint's algorithm).
//!
//! The engine decides *which* block comes next and nothing else: what may stand in a block, what is durable, and what a kiosk is given as
//! proof is the code of the embedded chain. Nothing here knows a tag, a ballot, a card or a voter.

pub mod app;
pub mod audit;
pub mod change;
pub mod codec;
pub mod config;
pub mod context;
mod door;
pub mod http;
pub mod local;
pub mod node;
pub mod parts;
pub mod passed;
pub mod pool;
pub mod run;
pub mod signer;
pub mod store;
