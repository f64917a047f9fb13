//! The box against what voters did, on media that lose power, tear, lie and die.

mod closing;
mod copies;
mod cuts;
pub mod media;
mod refusals;
mod world;
