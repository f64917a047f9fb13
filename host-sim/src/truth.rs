//! What really happened: counted from what the voters did and saw, never from what a kiosk says of itself.

use std::collections::BTreeMap;

use election::hash::Digest;
use election::manifest::Policy;

use crate::voters::choices::{self, Choices, Paper, Totals};
use crate::voters::plan::Expect;
use crate::voters::script::Diary;

/// One visit as it went.
pub struct Visited {
    /// Who (index into the plan).
    pub citizen: usize,
    /// Their ballot style.
    pub style: u16,
    /// Epoch.
    pub epoch: u8,
    /// Station of the kiosk.
    pub station: u16,
    /// How it should have ended.
    pub expect: Expect,
    /// What they saw.
    pub diary: Diary,
    /// Times they were cut off with nothing recorded, as staff told them.
    pub interrupted: u32,
}

/// Where an entry stands on the chain; the lowest place counts.
pub type Place = (u64, u32, u32);

/// Sums of what the voters did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Times somebody was let in.
    pub admitted: u64,
    /// Votes that a voter saw recorded (or was told so by staff after a cut).
    pub recorded: u64,
    /// Ballots challenged.
    pub spoiled: u64,
    /// Times somebody left without a record by their own doing.
    pub abandoned: u64,
    /// Times somebody was cut off without a record.
    pub interrupted: u64,
    /// Visits that ended with a card refused.
    pub refused: u64,
    /// The same by reason.
    pub refused_by: BTreeMap<String, u64>,
    /// Votes to be counted.
    pub counted: u64,
    /// Second votes of a card in one epoch.
    pub duplicates: u64,
    /// Votes replaced in a later epoch.
    pub overwritten: u64,
    /// Totals of the counted votes.
    pub totals: Totals,
    /// Unused votes of the counted ones, by contest.
    pub no_votes: BTreeMap<String, u64>,
    /// People who were let in, by station and epoch: what reception counts.
    pub admissions: BTreeMap<(u16, u8), u32>,
    /// Codes of votes that a voter saw: counted, duplicate or overwritten.
    pub codes: BTreeMap<Digest, &'static str>,
    /// What was not as it should be.
    pub wrong: Vec<String>,
}

impl Truth {
    /// Sums up. `place` says where a code stands on the chain: which of two votes of one person counts is public.
    pub fn of(visits: &[Visited], policy: Policy, papers: &[Paper], place: impl Fn(&Digest) -> Option<Place>) -> Self {
        let mut truth = Self {
            totals: choices::zero(papers),
            no_votes: papers
                .iter()
                .flat_map(|paper| &paper.contests)
                .map(|contest| (contest.id.clone(), 0))
                .collect(),
            ..Self::default()
        };
        let mut votes: BTreeMap<usize, Vec<Vote<'_>>> = BTreeMap::new();
        for visit in visits {
            truth.visit(visit, &place);
            if let Some(cast) = &visit.diary.cast {
                votes.entry(visit.citizen).or_default().push(Vote {
                    style: visit.style,
                    epoch: visit.epoch,
                    place: cast.code.as_ref().and_then(&place),
                    code: cast.code,
                    choices: &cast.choices,
                });
            }
        }
        for (citizen, votes) in votes {
            truth.person(citizen, votes, policy, papers);
        }
        truth
    }

    fn visit(&mut self, visit: &Visited, place: &impl Fn(&Digest) -> Option<Place>) {
        let diary = &visit.diary;
        self.admitted += u64::from(diary.admitted);
        self.abandoned += u64::from(diary.abandoned);
        self.interrupted += u64::from(visit.interrupted);
        self.recorded += u64::from(diary.cast.is_some());
        // Where the power went in the middle of a challenge, the chain says whether it stands.
        let stands = diary.uncertain.iter().filter(|code| place(code).is_some()).count();
        self.spoiled += (diary.challenges.len() + stands) as u64;
        *self.admissions.entry((visit.station, visit.epoch)).or_default() += u32::from(diary.admitted > 0);
        if let Some(why) = diary.refused {
            self.refused += 1;
            *self.refused_by.entry(why.to_string()).or_default() += 1;
        }
        let as_expected = match visit.expect {
            Expect::Anything => true,
            Expect::Vote => diary.cast.is_some() && diary.refused.is_none(),
            Expect::Abandon => diary.cast.is_none() && diary.refused.is_none() && diary.abandoned == 1,
            expect => diary.cast.is_none() && diary.refused.is_some_and(|why| expect.refusal(why)),
        };
        if !as_expected {
            self.wrong.push(format!(
                "voter {} at station {} in epoch {}: expected {:?}, but saw cast {}, abandoned {}, refused {:?}, fault {:?}",
                visit.citizen,
                visit.station,
                visit.epoch,
                visit.expect,
                diary.cast.is_some(),
                diary.abandoned,
                diary.refused,
                diary.fault,
            ));
        }
        for complaint in &diary.complaints {
            self.wrong.push(format!("voter {}: {complaint}", visit.citizen));
        }
    }

    fn person(&mut self, citizen: usize, mut votes: Vec<Vote<'_>>, policy: Policy, papers: &[Paper]) {
        if votes.len() > 1 && votes.iter().any(|vote| vote.place.is_none()) {
            self.wrong
                .push(format!("voter {citizen} cannot find a code of theirs on the chain"));
        }
        // The one that counts comes first: with `last` the highest epoch; then the lowest place.
        let order = |vote: &Vote<'_>| match policy {
            Policy::First => (0, vote.place),
            Policy::Last => (u8::MAX - vote.epoch, vote.place),
        };
        votes.sort_by_key(order);
        let newest = votes.first().map(|vote| vote.epoch);
        for (index, vote) in votes.iter().enumerate() {
            let state = match policy {
                _ if index == 0 => "counted",
                Policy::Last if Some(vote.epoch) != newest => "overwritten",
                _ => "duplicate",
            };
            match state {
                "counted" => {
                    self.counted += 1;
                    if let Some(paper) = papers.get(usize::from(vote.style)) {
                        choices::add(paper, vote.choices, &mut self.totals, &mut self.no_votes);
                    }
                }
                "overwritten" => self.overwritten += 1,
                _ => self.duplicates += 1,
            }
            if let Some(code) = vote.code {
                self.codes.insert(code, state);
            }
        }
    }
}

struct Vote<'d> {
    style: u16,
    epoch: u8,
    place: Option<Place>,
    code: Option<Digest>,
    choices: &'d Choices,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::voters::choices::Contest;
    use crate::voters::script::Cast;

    fn vote(citizen: usize, epoch: u8, code: u8, option: &str) -> Visited {
        Visited {
            citizen,
            style: 0,
            epoch,
            station: 1,
            expect: Expect::Vote,
            diary: Diary {
                admitted: 1,
                cast: Some(Cast {
                    code: Some([code; 32]),
                    choices: [("c".to_owned(), BTreeSet::from([option.to_owned()]))].into(),
                }),
                ..Diary::default()
            },
            interrupted: 0,
        }
    }

    #[test]
    fn of_two_votes_the_lower_place_or_the_later_epoch_counts() {
        let papers = [Paper {
            contests: vec![Contest {
                id: "c".into(),
                votes: 1,
                options: vec!["a".into(), "b".into()],
            }],
        }];
        let place = |code: &Digest| Some((10 - u64::from(code[0]), 0, 0));
        let visits = [vote(0, 0, 1, "a"), vote(0, 0, 2, "b"), vote(1, 0, 3, "a")];
        let truth = Truth::of(&visits, Policy::First, &papers, place);
        assert_eq!(
            (truth.recorded, truth.counted, truth.duplicates, truth.overwritten),
            (3, 2, 1, 0)
        );
        assert_eq!((truth.totals["c"]["a"], truth.totals["c"]["b"]), (1, 1));
        assert_eq!(truth.codes[&[1; 32]], "duplicate");

        let visits = [vote(0, 0, 9, "a"), vote(0, 1, 1, "b"), vote(0, 1, 2, "a")];
        let truth = Truth::of(&visits, Policy::Last, &papers, place);
        assert_eq!((truth.counted, truth.duplicates, truth.overwritten), (1, 1, 1));
        assert_eq!(truth.totals["c"]["a"], 1);
        assert_eq!(truth.codes[&[9; 32]], "overwritten");
        assert!(truth.wrong.is_empty());
    }
}
