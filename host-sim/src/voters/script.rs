//! What somebody is going to do during a visit, and what they then saw.

use std::collections::BTreeSet;

use election::hash::Digest;
use kiosk::screen::{Fault, Recorded};
use kiosk::session::WrongCard;

use super::choices::Choices;

/// How a visit is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Casts.
    Cast,
    /// 「投票しないで終了する」.
    WithoutVote,
    /// Pulls the card in the middle, comes back at once and casts.
    PullsAndReturns,
    /// Pulls the card in the middle and goes home.
    PullsAndGoes,
    /// Walks away and leaves the card in; staff take it out when the kiosk has locked itself.
    WalksAway,
}

/// What somebody is going to do during one visit.
#[derive(Clone, Debug)]
pub struct Script {
    /// What they want in the end.
    pub choices: Choices,
    /// Contest and options they choose first and change at the review.
    pub first: Option<(String, BTreeSet<String>)>,
    /// Wrong PINs typed before the right one.
    pub wrong_pins: u8,
    /// Touches one option too many, once.
    pub overvotes: bool,
    /// How many ballots they challenge.
    pub challenges: u8,
    /// Goes back from the code to the review once.
    pub second_thoughts: bool,
    /// Calls staff once.
    pub calls_staff: bool,
    /// Thinks longer than the kiosk's alert, once.
    pub thinks_long: bool,
    /// Puts the card in the wrong way round first.
    pub upside_down: bool,
    /// How it ends.
    pub end: End,
}

impl Script {
    /// Somebody who knows what they want and does it.
    #[must_use]
    pub const fn plain(choices: Choices) -> Self {
        Self {
            choices,
            first: None,
            wrong_pins: 0,
            overvotes: false,
            challenges: 0,
            second_thoughts: false,
            calls_staff: false,
            thinks_long: false,
            upside_down: false,
            end: End::Cast,
        }
    }
}

/// A ballot somebody cast.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The code on the screen; none is shown to somebody who ends without a vote.
    pub code: Option<Digest>,
    /// What they saw at the review.
    pub choices: Choices,
}

/// A ballot somebody challenged.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Its code.
    pub code: Digest,
    /// What they saw at the review.
    pub choices: Choices,
    /// The QR codes, one a contest, as they appeared.
    pub pages: Vec<Vec<u8>>,
}

/// What happened to somebody during one visit, as they saw it.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    /// How often they were let in.
    pub admitted: u32,
    /// How often the kiosk said that nothing is recorded because the card was taken out.
    pub abandoned: u32,
    /// What they cast, when the kiosk said 完了.
    pub cast: Option<Cast>,
    /// What they challenged.
    pub challenges: Vec<Challenge>,
    /// Why the kiosk did not let them vote.
    pub refused: Option<WrongCard>,
    /// Ballots they had asked to challenge when the power went.
    pub uncertain: Vec<Digest>,
    /// What they had asked to be recorded when the power went.
    pub pending: Option<Cast>,
    /// The kiosk's fault that they saw.
    pub fault: Option<(Fault, Option<Recorded>)>,
    /// Overvotes explained to them.
    pub overvotes: u32,
    /// Tries left, as shown.
    pub tries_seen: Vec<u8>,
    /// What was not as it should be.
    pub complaints: Vec<String>,
}
