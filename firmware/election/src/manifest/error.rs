//! Why a manifest is refused: which rule, and where.

use core::fmt;

use super::{MAX_BATCH, MAX_ID, MAX_MANIFEST, MAX_STYLE_SELECTIONS, MAX_TEXT, MAX_VOTES, Manifest, VERSION};
use crate::wire::{self, WireError};

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
