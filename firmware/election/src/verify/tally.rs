//! Step 8: the sums of the counted ballots, made anew, and the trustees' decryptions of them.
//!
//! Who makes a tally uses the same sums: [`Checked::add_ballots`] over all ballots, in parts on several processors if need be.

use super::{Broken, Checked, Why, at, ballots::file_of, count};
use crate::batch::Kind;
use crate::hash::Digest;
use crate::manifest::{CheckedManifest, ContestShape, MAX_CONTESTS, MAX_STYLES};
use crate::record::FileName;
use crate::tally::{
    ContestTally, PublicKeys, SelectionSum, SelectionTally, Statement, Tally, TallyError, add_contest, verify_selection,
};
use crate::wire;

use super::State;

/// Where the selections of each contest stand in a table of sums: contest by contest, m options, then n no-votes.
#[derive(Clone, Copy)]
pub struct SumLayout {
    /// Beginning of each contest; behind the last one the length of the table.
    offsets: [u32; MAX_CONTESTS + 1],
    contests: u16,
}

impl SumLayout {
    /// The layout for a manifest.
    #[must_use]
    pub fn new(manifest: &CheckedManifest<'_>) -> Self {
        let mut offsets = [0; MAX_CONTESTS + 1];
        let mut next = 0u32;
        let mut places = offsets.iter_mut();
        for index in 0..manifest.contest_count() {
            let selections = manifest.shape(index).as_ref().map_or(0, ContestShape::selections);
            if let Some(place) = places.next() {
                *place = next;
            }
            next = next.saturating_add(count(selections));
        }
        places.for_each(|place| *place = next);
        Self {
            offsets,
            contests: manifest.contest_count(),
        }
    }

    /// Sums of all contests together: at most 256 times 75.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.last().map_or(0, |length| at(*length))
    }

    /// A manifest has at least one contest.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.contests == 0
    }

    /// The places of a contest's selections.
    #[must_use]
    pub fn range(&self, contest: u16) -> Option<core::ops::Range<usize>> {
        let contest = usize::from(contest);
        let from = self.offsets.get(contest)?;
        let to = self.offsets.get(contest.checked_add(1)?)?;
        (contest < usize::from(self.contests)).then_some(at(*from)..at(*to))
    }
}

impl<'a> Checked<'a, '_> {
    /// Adds the counted ones of the cast ballots from `from` to before `to` to `sums`, which has [`SumLayout::len`] places. Parts
    /// made apart are put together with [`SelectionSum::merge`].
    ///
    /// # Errors
    /// A value of a ballot is not a point.
    pub fn add_ballots(&self, layout: &SumLayout, from: u32, to: u32, sums: &mut [SelectionSum]) -> Result<(), Broken> {
        for index in from..to {
            let broken = |why| Broken::item(file_of(Kind::Cast), index, why);
            let row = self.ballots.get(at(index)).ok_or(broken(Why::Scratch))?;
            if row.state != State::Counted {
                continue;
            }
            let view = self.view(Kind::Cast, index).ok_or(broken(Why::Scratch))?;
            for contest in view.contests() {
                let place = layout
                    .range(contest.shape.contest)
                    .and_then(|range| sums.get_mut(range));
                add_contest(place.ok_or(broken(Why::Scratch))?, &contest)
                    .map_err(|error| broken(Why::Ballot(error)))?;
            }
        }
        Ok(())
    }

    /// Counted ballots whose style has a contest.
    #[must_use]
    pub fn ballots_with(&self, contest: u16) -> u32 {
        // A bit for each style that has the contest: one walk over the styles, one over the ballots.
        let mut has = [0u64; MAX_STYLES / 64];
        for style in 0..self.record.manifest.style_count() {
            let layout = self.layout(style);
            if layout.is_some_and(|layout| layout.shapes().iter().any(|shape| shape.contest == contest))
                && let Some(word) = has.get_mut(usize::from(style / 64))
            {
                *word |= 1 << (style % 64);
            }
        }
        let counted = |row: &&super::BallotRow| {
            let word = has.get(usize::from(row.style / 64)).copied().unwrap_or(0);
            row.state == State::Counted && word >> (row.style % 64) & 1 == 1
        };
        count(self.ballots.iter().filter(counted).count())
    }

    /// The statement that trustees prove of a selection: its sums.
    ///
    /// # Errors
    /// No ballot has the contest, or ballots were made to cancel one another.
    pub fn statement<'e>(
        &'e self,
        layout: &SumLayout,
        sums: &[SelectionSum],
        contest: u16,
        selection: u8,
    ) -> Result<Statement<'e>, TallyError> {
        let election: &Digest = self.record.election();
        let place = layout.range(contest).and_then(|range| sums.get(range));
        let sum = place
            .and_then(|sums| sums.get(usize::from(selection)))
            .ok_or(TallyError::Sums)?;
        let (a, b) = sum.points()?;
        Ok(Statement {
            election,
            contest,
            selection,
            a,
            b,
        })
    }

    /// The published tally; see [`Checked::check_tally`].
    ///
    /// # Errors
    /// It does not decode.
    pub fn tally(&self) -> Result<Tally<'a>, Broken> {
        wire::decode(self.record.files.tally).map_err(|error| Broken::new(FileName::Tally, Why::Wire(error)))
    }

    /// Checks the published tally against the sums of the counted ballots (all of them, see [`Checked::add_ballots`]): the number of
    /// ballots, every contest, every decryption and total. `progress` is told contests done and their number.
    ///
    /// # Errors
    /// The first thing that does not hold; the item is the contest.
    pub fn check_tally(
        &self,
        layout: &SumLayout,
        sums: &[SelectionSum],
        progress: &mut dyn FnMut(u32, u32),
    ) -> Result<Tally<'a>, Broken> {
        let broken = |why| Broken::new(FileName::Tally, why);
        let tally = self.tally()?;
        if tally.election != self.record.election {
            return Err(broken(Why::Election));
        }
        let counted = self.count(State::Counted);
        if tally.ballots != counted {
            return Err(broken(Why::Count {
                said: tally.ballots,
                found: counted,
            }));
        }
        let keys =
            PublicKeys::read(&self.record.keys).map_err(|error| Broken::new(FileName::Keys, Why::Keys(error)))?;
        let contests = self.record.manifest.contest_count();
        let mut next = 0u16;
        for contest in tally.contests.iter() {
            let at = |why| Broken::item(FileName::Tally, u32::from(next), why);
            let contest = contest.map_err(|error| at(Why::Wire(error)))?;
            if contest.contest != next || next >= contests {
                return Err(at(Why::Contests));
            }
            self.check_contest(layout, sums, &keys, &contest).map_err(at)?;
            next = next.saturating_add(1);
            progress(u32::from(next), u32::from(contests));
        }
        if next == contests {
            Ok(tally)
        } else {
            Err(broken(Why::Contests))
        }
    }

    fn check_contest(
        &self,
        layout: &SumLayout,
        sums: &[SelectionSum],
        keys: &PublicKeys,
        contest: &ContestTally<'_>,
    ) -> Result<(), Why> {
        let found = self.ballots_with(contest.contest);
        if contest.ballots != found {
            return Err(Why::Count {
                said: contest.ballots,
                found,
            });
        }
        let expected = match found {
            0 => 0,
            _ => layout.range(contest.contest).ok_or(Why::Contests)?.len(),
        };
        let mut selections = 0usize;
        for (index, published) in (0u8..).zip(contest.selections.iter()) {
            let published: SelectionTally<'_> = published.map_err(Why::Wire)?;
            if selections >= expected {
                return Err(Why::Contests);
            }
            selections += 1;
            let statement = self
                .statement(layout, sums, contest.contest, index)
                .map_err(Why::Tally)?;
            verify_selection(keys, &statement, found, &published).map_err(Why::Tally)?;
        }
        if selections == expected {
            Ok(())
        } else {
            Err(Why::Contests)
        }
    }
}
