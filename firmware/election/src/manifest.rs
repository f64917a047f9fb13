//! The manifest (SPEC.md, section 2): what is voted on, by whom, in which languages.
//!
//! A borrowed view over the manifest's bytes: nothing is copied, lists are walked. [`Manifest::parse`] checks every rule once;
//! what it gives back cannot meet an error later. The manifest knows no voters, no keys and no station.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, hash};
use crate::wire::{self, Seq, WireError};

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

/// Where a rule is broken. Numbers are indices from 0; [`ManifestError::ids`] finds the ids to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The manifest itself.
    Manifest,
    /// A language.
    Language(usize),
    /// An epoch.
    Epoch(usize),
    /// A unit.
    Unit(usize),
    /// A contest.
    Contest(usize),
    /// An option of a contest.
    Choice {
        /// Index of the contest.
        contest: usize,
        /// Index of the option.
        option: usize,
    },
    /// A style.
    Style(usize),
    /// A contest of a style.
    StyleContest {
        /// Index of the style.
        style: usize,
        /// Place in the style's list.
        position: usize,
    },
}

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The bytes do not decode.
    Wire(WireError),
    /// The manifest has another version.
    Version(u16),
    /// Above [`MAX_MANIFEST`] bytes.
    Size,
    /// An id or a language tag is empty or above [`MAX_ID`] bytes.
    Id,
    /// An id or a language tag is already used in its list.
    Duplicate,
    /// A list is empty that needs an item.
    Empty,
    /// A list has more items than the limit.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A text is above [`MAX_TEXT`] bytes.
    TextLength,
    /// A text is in a language that `languages` does not have, or the same language comes twice.
    TextLanguage,
    /// A name lacks the fallback language.
    NoFallback,
    /// A day that does not exist, or the last day is before the first.
    Day,
    /// `batch` is not in 1..=256.
    Batch,
    /// Policy `first` needs exactly one epoch.
    Epochs,
    /// `votes` is not in 1..=15 or is above the number of options.
    Votes,
    /// A style names a contest that does not exist, or not in ascending order.
    ContestIndex,
    /// A style names a unit that does not exist, or not in the manifest's order.
    UnitId,
    /// `order` is not a permutation of the contest's options.
    Order,
    /// A style has more than [`MAX_STYLE_SELECTIONS`] selections.
    Selections,
}

/// Why a manifest was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Where.
    pub place: Place,
    /// What.
    pub rule: Rule,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People count from 1.
        let from_1 = |index: &usize| index.saturating_add(1);
        match self {
            Self::Manifest => f.write_str("the manifest"),
            Self::Language(i) => write!(f, "language {}", from_1(i)),
            Self::Epoch(i) => write!(f, "epoch {}", from_1(i)),
            Self::Unit(i) => write!(f, "unit {}", from_1(i)),
            Self::Contest(i) => write!(f, "contest {}", from_1(i)),
            Self::Choice { contest, option } => {
                write!(f, "option {} of contest {}", from_1(option), from_1(contest))
            }
            Self::Style(i) => write!(f, "ballot style {}", from_1(i)),
            Self::StyleContest { style, position } => {
                write!(f, "contest {} of ballot style {}", from_1(position), from_1(style))
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Version(version) => write!(f, "the version is {version}, this program knows {VERSION}"),
            Self::Size => write!(f, "more than {MAX_MANIFEST} bytes"),
            Self::Id => write!(f, "the id is empty or longer than {MAX_ID} bytes"),
            Self::Duplicate => f.write_str("the id is used twice"),
            Self::Empty => f.write_str("a list is empty that needs at least one item"),
            Self::TooMany { limit } => write!(f, "more than {limit} items in a list"),
            Self::TextLength => write!(f, "a text is longer than {MAX_TEXT} bytes"),
            Self::TextLanguage => f.write_str("a text is in a language not listed, or a language comes twice"),
            Self::NoFallback => f.write_str("the name is missing in the first language"),
            Self::Day => f.write_str("a day does not exist, or the last day is before the first"),
            Self::Batch => write!(f, "the batch size is not between 1 and {MAX_BATCH}"),
            Self::Epochs => f.write_str("with the policy \"first\" there must be exactly one epoch"),
            Self::Votes => write!(
                f,
                "the number of votes is not between 1 and {MAX_VOTES} or above the number of options"
            ),
            Self::ContestIndex => f.write_str("the contest does not exist or is not in ascending order"),
            Self::UnitId => f.write_str("a unit does not exist or is not in the order of the units"),
            Self::Order => f.write_str("the order is not a permutation of the options"),
            Self::Selections => write!(f, "more than {MAX_STYLE_SELECTIONS} selections in one ballot style"),
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.rule)
    }
}

impl core::error::Error for ManifestError {}

impl ManifestError {
    /// The ids of the contest (or style, unit) and of the option (or the style's contest) concerned, if `bytes` still lets them be read.
    #[must_use]
    pub fn ids<'a>(&self, bytes: &'a [u8]) -> (Option<&'a str>, Option<&'a str>) {
        let Ok(manifest) = wire::decode::<Manifest<'a>>(bytes) else {
            return (None, None);
        };
        let contest = |index| manifest.contests.get(index).ok().flatten();
        let style = |index| manifest.styles.get(index).ok().flatten();
        match self.place {
            Place::Manifest | Place::Epoch(_) => (Some(manifest.id), None),
            Place::Language(index) => (manifest.languages.get(index).ok().flatten(), None),
            Place::Unit(index) => (manifest.units.get(index).ok().flatten().map(|unit| unit.id), None),
            Place::Contest(index) => (contest(index).map(|contest| contest.id), None),
            Place::Choice { contest: index, option } => {
                let found = contest(index);
                let option = found.and_then(|contest| contest.options.get(option).ok().flatten());
                (found.map(|contest| contest.id), option.map(|option| option.id))
            }
            Place::Style(index) => (style(index).map(|style| style.id), None),
            Place::StyleContest { style: index, position } => {
                let found = style(index);
                let item = found.and_then(|style| style.contests.get(position).ok().flatten());
                let named = item.and_then(|item| contest(usize::from(item.contest)));
                (found.map(|style| style.id), named.map(|contest| contest.id))
            }
        }
    }
}

/// `eh` of section 2: the hash of an election, the same in every package of it.
#[must_use]
pub fn election_hash(manifest: &[u8], joint: &[u8; 33]) -> Digest {
    hash("ippyo/1/election", &[manifest, joint])
}

/// A manifest that holds every rule of section 2. A few words in size: copy it freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedManifest<'a> {
    bytes: &'a [u8],
    manifest: Manifest<'a>,
    epochs: u8,
    contests: u16,
    styles: u16,
    max_ballot: usize,
}

impl<'a> core::ops::Deref for CheckedManifest<'a> {
    type Target = Manifest<'a>;

    fn deref(&self) -> &Manifest<'a> {
        &self.manifest
    }
}

impl<'a> CheckedManifest<'a> {
    /// The encoding.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The fallback language.
    #[must_use]
    pub fn fallback(&self) -> &'a str {
        self.manifest.languages.iter().next().and_then(Result::ok).unwrap_or("")
    }

    /// The text in `language`, else in the fallback language, else the first there is.
    #[must_use]
    pub fn text(&self, texts: Texts<'a>, language: &str) -> Option<&'a str> {
        let find = |wanted: &str| texts.iter().map_while(Result::ok).find(|text| text.language == wanted);
        find(language)
            .or_else(|| find(self.fallback()))
            .or_else(|| texts.iter().next().and_then(Result::ok))
            .map(|text| text.text)
    }

    /// Checks a name that stands outside the manifest (a station's) by the rules of section 2.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn check_name(&self, name: Texts<'_>) -> Result<(), Rule> {
        check::name(&self.manifest, name, Place::Manifest).map_err(|error| error.rule)
    }

    /// Number of epochs, 1..=16.
    #[must_use]
    pub const fn epoch_count(&self) -> u8 {
        self.epochs
    }

    /// Number of contests, 1..=256.
    #[must_use]
    pub const fn contest_count(&self) -> u16 {
        self.contests
    }

    /// Number of ballot styles, 1..=1024.
    #[must_use]
    pub const fn style_count(&self) -> u16 {
        self.styles
    }

    /// Bytes of the longest ballot of any style.
    #[must_use]
    pub const fn max_ballot_len(&self) -> usize {
        self.max_ballot
    }

    /// The epochs in order.
    pub fn epochs(&self) -> impl Iterator<Item = Epoch<'a>> + use<'a> {
        self.manifest.epochs.iter().map_while(Result::ok)
    }

    /// The contests in order.
    pub fn contests(&self) -> impl Iterator<Item = Contest<'a>> + use<'a> {
        self.manifest.contests.iter().map_while(Result::ok)
    }

    /// The styles in order.
    pub fn styles(&self) -> impl Iterator<Item = Style<'a>> + use<'a> {
        self.manifest.styles.iter().map_while(Result::ok)
    }

    /// A contest, by walking.
    #[must_use]
    pub fn contest(&self, index: u16) -> Option<Contest<'a>> {
        self.contests().nth(usize::from(index))
    }

    /// A style, by walking.
    #[must_use]
    pub fn style(&self, index: u16) -> Option<Style<'a>> {
        self.styles().nth(usize::from(index))
    }

    /// The shape of a contest.
    #[must_use]
    pub fn shape(&self, index: u16) -> Option<ContestShape> {
        self.contest(index).map(|contest| shape(index, &contest))
    }

    /// The contests of a style with their index and order on the screen, in the order of the ballot. One walk.
    pub fn ballot(&self, style: &Style<'a>) -> impl Iterator<Item = (StyleContest<'a>, Contest<'a>)> + use<'a> {
        let mut contests = (0u16..).zip(self.contests());
        style.contests.iter().map_while(Result::ok).map_while(move |item| {
            contests
                .find(|(index, _)| *index == item.contest)
                .map(|(_, contest)| (item, contest))
        })
    }

    /// The shapes of a style's contests, in the order of the ballot. One walk.
    pub fn shapes(&self, style: &Style<'a>) -> impl Iterator<Item = ContestShape> + use<'a> {
        self.ballot(style).map(|(item, contest)| shape(item.contest, &contest))
    }
}

fn shape(index: u16, contest: &Contest<'_>) -> ContestShape {
    ContestShape {
        contest: index,
        // At most 60 in a checked manifest.
        options: u8::try_from(contest.options.count()).unwrap_or(u8::MAX),
        votes: contest.votes,
    }
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
        check::check(&manifest).map(|counts| CheckedManifest {
            bytes,
            manifest,
            epochs: counts.epochs,
            contests: counts.contests,
            styles: counts.styles,
            max_ballot: counts.max_ballot,
        })
    }
}

#[path = "manifest_check.rs"]
mod check;

#[cfg(test)]
#[path = "manifest_tests.rs"]
pub(crate) mod tests;
