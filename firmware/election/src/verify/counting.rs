//! Which ballots count (section 10), and what a voter learns who looks a code up.

use core::cmp::Reverse;

use super::closings::sort_indices;
use super::memory::{State, Work};
use super::{Broken, Checked, Record, at};
use crate::hash::Digest;
use crate::manifest::Policy;
use crate::record::FileName;

/// What a record says of a tracking code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is in the tally.
    Counted,
    /// Another ballot with its tag came first.
    Duplicate,
    /// A ballot with its tag in a higher epoch counts.
    Overwritten,
    /// It was challenged and opened.
    Spoiled,
    /// The record does not know it.
    Unknown,
}

/// Gives every cast ballot its state.
pub(super) fn decide(record: &Record<'_>, work: &mut Work<'_>) -> Result<(), Broken> {
    let order = work
        .order
        .get_mut(..work.ballots.len())
        .ok_or(Broken::scratch(FileName::Ballots))?;
    let ballots = &mut *work.ballots;
    let last = record.manifest.policy == Policy::Last;
    // By tag; of one tag the ballot that counts comes first. No two ballots have one place: their codes differ.
    sort_indices(order, |index| {
        ballots.get(at(index)).map(|row| {
            let epoch = if last { row.epoch } else { 0 };
            (row.tag, Reverse(epoch), row.place)
        })
    });
    let mut winner: Option<(Digest, u8)> = None;
    for index in order.iter() {
        let Some(row) = ballots.get_mut(at(*index)) else {
            continue;
        };
        row.state = match winner {
            Some((tag, epoch)) if tag == row.tag => {
                if last && row.epoch < epoch {
                    State::Overwritten
                } else {
                    State::Duplicate
                }
            }
            _ => {
                winner = Some((row.tag, row.epoch));
                State::Counted
            }
        };
    }
    Ok(())
}

impl Checked<'_, '_> {
    /// Cast ballots in a state.
    #[must_use]
    pub fn count(&self, state: State) -> u32 {
        super::count(self.ballots.iter().filter(|row| row.state == state).count())
    }

    /// What became of a ballot, by what a voter has of its code: the first 20 bytes.
    #[must_use]
    pub fn status(&self, code: &[u8; 20]) -> Status {
        let below = |row: &super::BallotRow| row.code.first_chunk::<20>().is_some_and(|prefix| prefix < code);
        let find = |rows: &[super::BallotRow]| {
            let row = rows.get(rows.partition_point(below)).copied();
            row.filter(|row| row.code.starts_with(code))
        };
        if let Some(row) = find(self.ballots) {
            return match row.state {
                State::Counted => Status::Counted,
                State::Duplicate => Status::Duplicate,
                State::Overwritten => Status::Overwritten,
            };
        }
        if find(self.spoiled).is_some() {
            Status::Spoiled
        } else {
            Status::Unknown
        }
    }
}
