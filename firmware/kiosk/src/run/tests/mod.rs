//! The whole loop with people in front of it, judged by what they did: cards that compute, an authority that signs packages, a validator
//! that signs blocks, media that lose power. Only here trustees are one person with the key in hand.

mod cards;
mod day;
mod desk;
mod follow;
mod handover;
mod lamp;
mod log;
mod platform;
mod randomness;
mod recovery;
mod trouble;
mod update;
