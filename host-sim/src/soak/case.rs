//! Everything that decides one district's run. The same case on the same commit gives the same run, byte for byte; a case can be
//! written to a file, cut down and played again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::trouble::Trouble;

/// A district of a few stations, its voters, and what goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// A bundled election.
    pub election: String,
    /// What the user typed.
    pub seed: String,
    /// Number of the district.
    pub district: u32,
    /// Stations, a kiosk each.
    pub stations: u16,
    /// Voters whose vote is to count, over all stations.
    pub voters: u32,
    /// Hours for which polls are open.
    pub hours: u32,
    /// Whether people have the usual habits, or everybody just votes.
    pub habits: bool,
    /// People who stay at home after all.
    pub absent: BTreeSet<usize>,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
    /// Where the power fails.
    pub cuts: Cuts,
    /// Places for votes on the media, in percent of the votes that are expected: torn and damaged places need room too.
    pub room: u32,
}

/// Power cuts at write boundaries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cuts {
    /// None.
    None,
    /// By chance, one in so many boundaries on average; a kind of boundary that was seldom cut is cut sooner.
    OneIn(u32),
    /// At these boundaries.
    At(BTreeSet<CutAt>),
}

/// One power cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CutAt {
    /// The kiosk.
    pub kiosk: String,
    /// The boundary's number since its first start.
    pub boundary: u64,
}
