//! The whole loop with people in front of it, judged by what they did: cards that compute, an authority that signs packages, a validator
//! that signs blocks, media that lose power. Only here trustees are one person with the key in hand.

mod cards;
mod closing;
mod day;
#[path = "../../../../election/tests/ledger/decided.rs"]
mod decided;
mod desk;
mod follow;
mod handover;
mod kiosks;
mod lamp;
mod log;
mod machine;
mod older;
mod panel;
mod people;
mod platform;
mod randomness;
mod recovery;
mod restart;
mod spare;
mod trouble;
mod update;
mod validator;
