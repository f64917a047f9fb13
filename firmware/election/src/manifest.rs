//! The manifest (SPEC.md, section 2): what is voted on, by whom, in which languages.
//!
//! A borrowed view over the manifest's bytes: nothing is copied, lists are walked. [`Manifest::parse`] checks every rule once;
//! what it gives back cannot meet an error later. The manifest knows no voters, no keys and no station.

mod check;
mod error;
mod view;

pub use error::{ManifestError, Place, Rule};
pub use view::CheckedManifest;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, hash};
use crate::wire::{self, Seq};

/// Version of the format.
pub const VERSION: u16 = 1;
/// Bytes of the largest manifest.
pub const MAX_MANIFEST: usize = 1 << 20;
/// Contests of a manifest.
pub const MAX_CONTESTS: usize = 256;
/// Options m of a contest.
pub const MAX_OPTIONS: usize = 60;
/// Votes n of a contest.
pub const MAX_VOTES: u8 = 15;
/// Contests of a style.
pub const MAX_STYLE_CONTESTS: usize = 64;
/// Selections of a style: the sum of m + n over its contests.
pub const MAX_STYLE_SELECTIONS: usize = 512;
/// Styles of a manifest.
pub const MAX_STYLES: usize = 1024;
/// Geographical units of a manifest.
pub const MAX_UNITS: usize = 4096;
/// Epochs of a manifest.
pub const MAX_EPOCHS: usize = 16;
/// Languages of a manifest.
pub const MAX_LANGUAGES: usize = 8;
/// Bytes of an id or of a language tag.
pub const MAX_ID: usize = 64;
/// Bytes of one text in one language.
pub const MAX_TEXT: usize = 4096;
/// Cast ballots of a batch while polls are open (k of section 8).
pub const MAX_BATCH: u16 = 256;

/// Bytes of a ballot before its contests: version, style, id (section 4).
pub const BALLOT_HEADER_LEN: usize = 1 + 2 + 32;
/// Bytes of one selection with its 0/1 proof (section 4).
pub const SELECTION_LEN: usize = 6 * 33 + 3 * 32;
/// Bytes of a contest's sum proof (section 4).
pub const SUM_PROOF_LEN: usize = 2 * 33 + 32;

/// What the ballot cryptography needs to know of a contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContestShape {
    /// Index in the manifest's contests.
    pub contest: u16,
    /// m, the options.
    pub options: u8,
    /// n, the votes: also the number of "no vote" selections behind the options.
    pub votes: u8,
}

impl ContestShape {
    /// m + n.
    #[must_use]
    pub const fn selections(&self) -> usize {
        // Two u8: no overflow. `as` because `From` is not const; it widens.
        self.options as usize + self.votes as usize
    }

    /// Bytes of the contest in a ballot.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        self.selections() * SELECTION_LEN + SUM_PROOF_LEN
    }
}

/// Whether the kiosk may be connected while polls are open (requirement A21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Online: batches go out by themselves.
    Consultation,
    /// No uplink at all: batches leave on the removable medium.
    Statutory,
}

/// Which of several ballots with one tag counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// The first on the ledger; one epoch only.
    First,
    /// That of the highest epoch.
    Last,
}

/// What a contest asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Options are candidates.
    Candidates,
    /// Options are the answers to a question.
    Measure,
}

/// The manifest as it is encoded. Use [`Manifest::parse`]; a value made by hand is checked when its encoding is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest<'a> {
    /// [`VERSION`].
    pub version: u16,
    /// The election's id, as the definition that was imported names it.
    pub id: &'a str,
    /// Consultation or statutory.
    pub mode: Mode,
    /// First or last.
    pub policy: Policy,
    /// First day of voting, YYYYMMDD.
    pub first_day: u32,
    /// Last day of voting, YYYYMMDD.
    pub last_day: u32,
    /// k: cast ballots of a batch while polls are open, 1..=256.
    pub batch: u16,
    /// Results of fewer ballots than this are not published apart (pitfall 19).
    pub small_group: u32,
    /// Language tags; the first is the fallback.
    #[serde(borrow)]
    pub languages: Seq<'a, &'a str>,
    /// Name of the election.
    #[serde(borrow)]
    pub name: Texts<'a>,
    /// Epochs in their order; their number is their place.
    #[serde(borrow)]
    pub epochs: Seq<'a, Epoch<'a>>,
    /// Geographical units.
    #[serde(borrow)]
    pub units: Seq<'a, Unit<'a>>,
    /// Contests; their index is their place.
    #[serde(borrow)]
    pub contests: Seq<'a, Contest<'a>>,
    /// Ballot styles; their index is their place.
    #[serde(borrow)]
    pub styles: Seq<'a, Style<'a>>,
}

/// One text in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text<'a> {
    /// A tag of the manifest's `languages`.
    pub language: &'a str,
    /// The text; white space is as it was imported.
    pub text: &'a str,
}

/// One text in several languages.
pub type Texts<'a> = Seq<'a, Text<'a>>;

/// A period of voting (early voting, election day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Texts<'a>,
}

/// A geographical unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit<'a> {
    /// Unique among the units.
    pub id: &'a str,
    /// Its name.
    #[serde(borrow)]
    pub name: Texts<'a>,
}

/// A contest: choose up to n of m.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest<'a> {
    /// Unique among the contests.
    pub id: &'a str,
    /// Candidates or a measure.
    pub kind: Kind,
    /// n, 1..=15 and not above the number of options.
    pub votes: u8,
    /// Its name.
    #[serde(borrow)]
    pub name: Texts<'a>,
    /// What is asked; may be empty.
    #[serde(borrow)]
    pub text: Texts<'a>,
    /// The m options, 1..=60.
    #[serde(borrow)]
    pub options: Seq<'a, Choice<'a>>,
}

/// An option of a contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice<'a> {
    /// Unique in its contest.
    pub id: &'a str,
    /// The name of the candidate, or the answer.
    #[serde(borrow)]
    pub name: Texts<'a>,
    /// The party's name; may be empty.
    #[serde(borrow)]
    pub party: Texts<'a>,
}

/// A ballot style: which contests a voter gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style<'a> {
    /// Unique among the styles.
    pub id: &'a str,
    /// Ids of units, in the order of the manifest's units.
    #[serde(borrow)]
    pub units: Seq<'a, &'a str>,
    /// Contests, strictly ascending.
    #[serde(borrow)]
    pub contests: Seq<'a, StyleContest<'a>>,
}

/// A contest of a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StyleContest<'a> {
    /// Index into the manifest's contests.
    pub contest: u16,
    /// Empty, or a permutation of the options: the order on the screen. Ciphertexts stay in the manifest's order.
    pub order: &'a [u8],
}

/// `eh` of section 2: the hash of an election, the same in every package of it.
#[must_use]
pub fn election_hash(manifest: &[u8], joint: &[u8; 33]) -> Digest {
    hash("ippyo/1/election", &[manifest, joint])
}

impl<'a> Manifest<'a> {
    /// Decodes a manifest and checks every rule of section 2.
    ///
    /// # Errors
    /// The first rule that does not hold, and where.
    pub fn parse(bytes: &'a [u8]) -> Result<CheckedManifest<'a>, ManifestError> {
        let at = |rule| ManifestError {
            place: Place::Manifest,
            rule,
        };
        if bytes.len() > MAX_MANIFEST {
            return Err(at(Rule::Size));
        }
        let manifest: Manifest<'a> = wire::decode(bytes).map_err(|error| at(Rule::Wire(error)))?;
        check::check(&manifest).map(|counts| CheckedManifest::new(bytes, manifest, &counts))
    }
}

#[cfg(test)]
pub(crate) mod tests;
