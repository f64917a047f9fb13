//! A checked manifest: lists are walked, and no walk can meet an error.

use super::check::{self, Counts};
use super::{Contest, ContestShape, Epoch, Manifest, Place, Rule, Style, StyleContest, Texts};

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
    pub(super) const fn new(bytes: &'a [u8], manifest: Manifest<'a>, counts: &Counts) -> Self {
        Self {
            bytes,
            manifest,
            epochs: counts.epochs,
            contests: counts.contests,
            styles: counts.styles,
            max_ballot: counts.max_ballot,
        }
    }

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

pub(super) fn shape(index: u16, contest: &Contest<'_>) -> ContestShape {
    ContestShape {
        contest: index,
        // At most 60 in a checked manifest.
        options: u8::try_from(contest.options.count()).unwrap_or(u8::MAX),
        votes: contest.votes,
    }
}
