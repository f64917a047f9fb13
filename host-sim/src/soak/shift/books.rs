//! What stands on the media after every restart, held against what the voters know.

use std::collections::BTreeSet;

use election::hash::Digest;

use super::{Current, Shift};
use crate::soak::laws::Law;
use crate::soak::reading::{Reading, Standing as Stands};
use crate::world::media::{Memory, Shared};

impl Shift {
    /// What stands on the media that are in, by their durable bytes.
    pub(super) fn stands(&self) -> Stands {
        let now = self.world.executor.time().now();
        let media: Vec<Shared> = self
            .machine
            .slots
            .iter()
            .filter_map(crate::world::media::Slot::medium)
            .filter(|medium| medium.borrow().is_readable(now))
            .collect();
        let durable: Vec<Memory> = media.iter().map(|medium| medium.borrow().durable()).collect();
        let read: Vec<_> = durable
            .iter()
            .filter_map(|medium| Some((medium, Reading::content(medium).ok()?)))
            .collect();
        self.reading
            .standing(self.station, read.iter().map(|(medium, content)| (*medium, content)))
    }

    /// Admitted, abandoned, interrupted; codes of votes; votes without a code: all by the voters' diaries.
    pub(super) fn truth(&self, current: Option<&Current<'_>>) -> ([u32; 3], BTreeSet<Digest>, usize) {
        let mut counts = [0; 3];
        let mut codes = BTreeSet::new();
        let mut without = 0;
        let diaries = self.visits.iter().map(|visit| (&visit.diary, visit.interrupted));
        let current = current.map(|current| (&current.voter.diary, current.interrupted));
        for (diary, interrupted) in diaries.chain(current) {
            counts[0] += diary.admitted;
            counts[1] += diary.abandoned;
            counts[2] += interrupted;
            match diary.cast.as_ref().map(|cast| cast.code) {
                Some(Some(code)) => drop(codes.insert(code)),
                Some(None) => without += 1,
                None => {}
            }
        }
        (counts, codes, without)
    }

    /// After every restart: what stands is what the voters know.
    pub(super) fn compare(&self, stands: &Stands, current: Option<&Current<'_>>) {
        let (counts, codes, without) = self.truth(current);
        let lost = codes.iter().filter(|code| !stands.cast.contains_key(*code)).count();
        self.check(Law::NoBallotLost, lost == 0, || {
            format!("{lost} votes that voters saw recorded do not stand")
        });
        let (votes, known) = (stands.cast.len(), codes.len() + without);
        self.check(Law::NoBallotLost, votes >= known, || {
            format!("{votes} votes stand, {known} were recorded")
        });
        self.check(
            Law::NoBallotCountedTwice,
            votes <= known && stands.differing == 0,
            || {
                format!(
                    "{votes} votes stand, {known} were recorded; {} differ",
                    stands.differing
                )
            },
        );
        self.check(Law::AdmittedAddsUp, stands.counts() == counts, || {
            format!(
                "the logs count {:?} (admitted, abandoned, interrupted), the voters {counts:?}",
                stands.counts()
            )
        });
        let tags: BTreeSet<&Digest> = stands.cast.values().map(|(_, tag)| tag).collect();
        self.check(Law::NoSecondVote, tags.len() == votes, || {
            format!("{votes} votes have {} tags", tags.len())
        });
    }
}
