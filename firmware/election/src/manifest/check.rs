//! The rules of a manifest (SPEC.md, section 2), each checked once.
//!
//! Every list is walked a bounded number of times: a hostile manifest costs time in proportion to its size times the number
//! of its styles, never more.

use serde::{Deserialize, Serialize};

use super::view::shape;
use super::{
    BALLOT_HEADER_LEN, Contest, MAX_BATCH, MAX_CONTESTS, MAX_EPOCHS, MAX_ID, MAX_LANGUAGES, MAX_OPTIONS,
    MAX_STYLE_CONTESTS, MAX_STYLE_SELECTIONS, MAX_STYLES, MAX_TEXT, MAX_UNITS, MAX_VOTES, Manifest, ManifestError,
    Place, Policy, Rule, Style, StyleContest, Texts, VERSION,
};
use crate::wire::Seq;

/// What the check learns on its way.
pub(super) struct Counts {
    pub epochs: u8,
    pub contests: u16,
    pub styles: u16,
    pub max_ballot: usize,
}

type Check<T = ()> = Result<T, ManifestError>;

const fn broken(place: Place, rule: Rule) -> ManifestError {
    ManifestError { place, rule }
}

fn require(holds: bool, place: Place, rule: Rule) -> Check {
    if holds { Ok(()) } else { Err(broken(place, rule)) }
}

pub(super) fn check(manifest: &Manifest<'_>) -> Check<Counts> {
    let whole = Place::Manifest;
    require(manifest.version == VERSION, whole, Rule::Version(manifest.version))?;
    id(manifest.id, whole)?;
    require(
        day(manifest.first_day) && day(manifest.last_day) && manifest.first_day <= manifest.last_day,
        whole,
        Rule::Day,
    )?;
    require((1..=MAX_BATCH).contains(&manifest.batch), whole, Rule::Batch)?;

    list(&manifest.languages, 1, MAX_LANGUAGES, whole, Place::Language)?;
    unique(&manifest.languages, |language| language, Place::Language)?;
    name(manifest, manifest.name, whole)?;

    let epochs = list(&manifest.epochs, 1, MAX_EPOCHS, whole, Place::Epoch)?;
    require(manifest.policy == Policy::Last || epochs == 1, whole, Rule::Epochs)?;
    for (index, epoch) in items(&manifest.epochs).enumerate() {
        name(manifest, epoch.name, Place::Epoch(index))?;
    }

    list(&manifest.units, 1, MAX_UNITS, whole, Place::Unit)?;
    unique(&manifest.units, |unit| unit.id, Place::Unit)?;
    for (index, unit) in items(&manifest.units).enumerate() {
        name(manifest, unit.name, Place::Unit(index))?;
    }

    let contests = list(&manifest.contests, 1, MAX_CONTESTS, whole, Place::Contest)?;
    unique(&manifest.contests, |contest| contest.id, Place::Contest)?;
    for (index, contest) in items(&manifest.contests).enumerate() {
        check_contest(manifest, index, &contest)?;
    }

    let styles = list(&manifest.styles, 1, MAX_STYLES, whole, Place::Style)?;
    unique(&manifest.styles, |style| style.id, Place::Style)?;
    let mut max_ballot = 0;
    for (index, style) in items(&manifest.styles).enumerate() {
        max_ballot = max_ballot.max(check_style(manifest, index, &style)?);
    }

    Ok(Counts {
        epochs: u8::try_from(epochs).unwrap_or(u8::MAX),
        contests: u16::try_from(contests).unwrap_or(u16::MAX),
        styles: u16::try_from(styles).unwrap_or(u16::MAX),
        max_ballot,
    })
}

fn check_contest(manifest: &Manifest<'_>, index: usize, contest: &Contest<'_>) -> Check {
    let place = Place::Contest(index);
    name(manifest, contest.name, place)?;
    texts(manifest, contest.text, place)?;
    let in_contest = |option| Place::Choice { contest: index, option };
    let options = list(&contest.options, 1, MAX_OPTIONS, place, in_contest)?;
    require(
        (1..=MAX_VOTES).contains(&contest.votes) && usize::from(contest.votes) <= options,
        place,
        Rule::Votes,
    )?;
    unique(&contest.options, |option| option.id, in_contest)?;
    for (option, choice) in items(&contest.options).enumerate() {
        name(manifest, choice.name, in_contest(option))?;
        texts(manifest, choice.party, in_contest(option))?;
    }
    Ok(())
}

/// Gives the length of the style's ballots.
fn check_style(manifest: &Manifest<'_>, index: usize, style: &Style<'_>) -> Check<usize> {
    let place = Place::Style(index);
    let in_style = |position| Place::StyleContest { style: index, position };

    list(&style.units, 0, MAX_UNITS, place, |_| place)?;
    // One walk over the units: order gives existence and uniqueness at once.
    let mut units = items(&manifest.units);
    for wanted in items(&style.units) {
        require(units.any(|unit| unit.id == wanted), place, Rule::UnitId)?;
    }

    list(&style.contests, 1, MAX_STYLE_CONTESTS, place, in_style)?;
    let mut contests = (0u16..).zip(items(&manifest.contests));
    let mut selections = 0usize;
    let mut length = BALLOT_HEADER_LEN;
    for (position, item) in items(&style.contests).enumerate() {
        let place = in_style(position);
        let (_, contest) = contests
            .find(|(contest, _)| *contest == item.contest)
            .ok_or(broken(place, Rule::ContestIndex))?;
        let shape = shape(item.contest, &contest);
        require(permutation(&item, shape.options), place, Rule::Order)?;
        selections = selections.saturating_add(shape.selections());
        length = length.saturating_add(shape.encoded_len());
    }
    require(selections <= MAX_STYLE_SELECTIONS, place, Rule::Selections)?;
    Ok(length)
}

/// Empty, or each of 0..options exactly once.
fn permutation(item: &StyleContest<'_>, options: u8) -> bool {
    let mut seen = 0u64;
    for option in item.order {
        let bit = 1u64.checked_shl(u32::from(*option)).unwrap_or(0);
        if *option >= options || seen & bit != 0 {
            return false;
        }
        seen |= bit;
    }
    item.order.is_empty() || item.order.len() == usize::from(options)
}

/// The items of a list that [`list`] has walked.
fn items<'b, T: Deserialize<'b> + Serialize>(seq: &Seq<'b, T>) -> impl Iterator<Item = T> + use<'b, T> {
    seq.iter().map_while(Result::ok)
}

/// Walks a list: every item decodes, and there are `least..=limit`.
fn list<'b, T: Deserialize<'b> + Serialize>(
    seq: &Seq<'b, T>,
    least: usize,
    limit: usize,
    owner: Place,
    place: impl Fn(usize) -> Place,
) -> Check<usize> {
    let mut count = 0usize;
    for item in seq.iter() {
        item.map_err(|error| broken(place(count), Rule::Wire(error)))?;
        count = count.saturating_add(1);
        require(count <= limit, owner, Rule::TooMany { limit })?;
    }
    require(count >= least, owner, Rule::Empty)?;
    Ok(count)
}

fn id(id: &str, place: Place) -> Check {
    require(!id.is_empty() && id.len() <= MAX_ID, place, Rule::Id)
}

/// Ids are well formed and each used once.
fn unique<'b, T: Deserialize<'b> + Serialize>(
    seq: &Seq<'b, T>,
    id_of: impl Fn(T) -> &'b str,
    place: impl Fn(usize) -> Place,
) -> Check {
    let mut seen = Seen::new();
    for (index, item) in items(seq).enumerate() {
        let this = id_of(item);
        id(this, place(index))?;
        // Only where the filter cannot say "new" are the ids before compared one by one.
        let used = seen.perhaps(this) && items(seq).take(index).any(|other| id_of(other) == this);
        require(!used, place(index), Rule::Duplicate)?;
    }
    Ok(())
}

/// A filter that never misses a repetition: it keeps the common walk linear without memory for ids. Its hash is not a
/// secret one; ids chosen against it only make the check slower.
struct Seen {
    bits: [u64; 256],
}

impl Seen {
    const fn new() -> Self {
        Self { bits: [0; 256] }
    }

    /// Notes an id; false if it is certainly new.
    fn perhaps(&mut self, id: &str) -> bool {
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let bit = 1u64 << (hash >> 58);
        let word = usize::try_from((hash >> 32) & 255).unwrap_or(0);
        match self.bits.get_mut(word) {
            Some(word) => {
                let before = *word & bit != 0;
                *word |= bit;
                before
            }
            None => true,
        }
    }
}

/// Texts are in listed languages, each at most once, and not too long.
fn texts(manifest: &Manifest<'_>, texts: Texts<'_>, place: Place) -> Check {
    list(&texts, 0, MAX_LANGUAGES, place, |_| place)?;
    for (index, text) in items(&texts).enumerate() {
        require(text.text.len() <= MAX_TEXT, place, Rule::TextLength)?;
        let listed = items(&manifest.languages).any(|language| language == text.language);
        let again = items(&texts).take(index).any(|other| other.language == text.language);
        require(listed && !again, place, Rule::TextLanguage)?;
    }
    Ok(())
}

/// A name: texts, and one of them, not empty, in the fallback language.
pub(super) fn name(manifest: &Manifest<'_>, name: Texts<'_>, place: Place) -> Check {
    texts(manifest, name, place)?;
    let fallback = items(&manifest.languages).next();
    let there = items(&name).any(|text| Some(text.language) == fallback && !text.text.is_empty());
    require(there, place, Rule::NoFallback)
}

/// Whether YYYYMMDD is a day of the Gregorian calendar.
fn day(day: u32) -> bool {
    let (year, month, date) = (day / 10_000, day / 100 % 100, day % 100);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=9999).contains(&year) && (1..=days).contains(&date)
}
