//! Whoever plays in the window has a witness beside them: it sees the panel, the touches that the kiosk takes and the card slot, and
//! keeps the diaries that scripted voters keep themselves. The record is judged by these, never by the kiosk's own counters.

use std::collections::BTreeSet;

use election::hash::Digest;
use kiosk::screen::{Recorded, Restarted, Touch};

use crate::truth::Visited;
use crate::voters::choices::{self, Choices, Paper};
use crate::voters::plan::Expect;
use crate::voters::script::{Cast, Challenge, Diary};
use crate::voters::staff::Notes;
use crate::voters::voter::Standing;
use crate::world::view::{OpeningView, StaffView, View};

/// See the module.
pub struct Witness {
    papers: Vec<Paper>,
    station: u16,
    epoch: u8,
    visits: Vec<Visited>,
    current: Option<Visit>,
    notes: Notes,
    /// The power is gone, and no restart has told yet what it found.
    cut: bool,
}

/// Somebody's visit as it goes.
struct Visit {
    citizen: usize,
    style: u16,
    diary: Diary,
    interrupted: u32,
    inside: bool,
    admitting: bool,
    pulled: bool,
    seen: Choices,
    code: Option<Digest>,
    challenged: Option<Digest>,
}

impl Visit {
    const fn standing(&self) -> Standing {
        match (self.inside, self.admitting, self.pulled) {
            (true, _, true) => Standing::Leaving,
            (true, _, false) => Standing::Booth,
            (false, true, _) => Standing::Door,
            (false, false, _) => Standing::Outside,
        }
    }

    fn stops(&mut self) {
        self.diary.uncertain.extend(self.challenged.take());
    }

    fn opened(&mut self, opening: &OpeningView) {
        self.challenged = None;
        if self
            .diary
            .challenges
            .last()
            .is_none_or(|last| last.code != opening.code)
        {
            self.diary.challenges.push(Challenge {
                code: opening.code,
                choices: self.seen.clone(),
                pages: Vec::new(),
            });
        }
        if let Some(challenge) = self.diary.challenges.last_mut()
            && challenge.pages.len() == usize::from(opening.index)
        {
            challenge.pages.push(opening.payload.clone());
        }
    }

    /// Staff read what the restart found: it speaks of whoever was in the booth, and of nobody else.
    fn told(&mut self, found: &Restarted) {
        let standing = self.standing();
        let cut_off = found.voter == Some(Recorded::No);
        match (standing, found.voter) {
            (Standing::Booth, Some(Recorded::Yes)) => {
                self.diary.cast = self.diary.pending.take();
                if self.diary.cast.is_none() {
                    self.diary
                        .complaints
                        .push("staff say that a vote stands that was not cast".to_owned());
                }
            }
            (Standing::Booth | Standing::Leaving, Some(Recorded::No)) if cut_off => self.interrupted += 1,
            (Standing::Leaving, None) => self.diary.abandoned += 1,
            (Standing::Door, Some(Recorded::No)) if cut_off => {
                self.diary.admitted += 1;
                self.interrupted += 1;
            }
            (Standing::Door | Standing::Outside, _) if !cut_off => {}
            (standing, told) => self.diary.complaints.push(format!(
                "the kiosk stopped when they stood at {standing:?}, and staff read {told:?}"
            )),
        }
        self.diary.pending = None;
        self.inside = false;
        self.admitting = false;
        self.pulled = false;
    }
}

impl Witness {
    /// A witness at a station on a day.
    #[must_use]
    pub fn new(papers: Vec<Paper>, station: u16, epoch: u8) -> Self {
        Self {
            papers,
            station,
            epoch,
            visits: Vec::new(),
            current: None,
            notes: Notes::default(),
            cut: false,
        }
    }

    /// What was noted at closing.
    #[must_use]
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Whether a vote of this citizen's was seen recorded.
    #[must_use]
    pub fn has_voted(&self, citizen: usize) -> bool {
        let of = |diary: &Diary, whose: usize| whose == citizen && diary.cast.is_some();
        self.visits.iter().any(|visit| of(&visit.diary, visit.citizen))
            || self
                .current
                .as_ref()
                .is_some_and(|visit| of(&visit.diary, visit.citizen))
    }

    /// The day is over: all visits.
    pub fn take_visits(&mut self) -> Vec<Visited> {
        self.end_visit();
        std::mem::take(&mut self.visits)
    }

    fn end_visit(&mut self) {
        if let Some(visit) = self.current.take() {
            self.visits.push(Visited {
                citizen: visit.citizen,
                style: visit.style,
                epoch: self.epoch,
                station: self.station,
                expect: Expect::Anything,
                diary: visit.diary,
                interrupted: visit.interrupted,
            });
        }
    }

    /// A voter's card goes in.
    pub fn inserted(&mut self, citizen: usize, style: u16) {
        // Somebody whose card was put in while the kiosk still speaks to the one before: the visit goes on.
        if self.current.as_ref().is_some_and(|visit| visit.inside) {
            return;
        }
        self.end_visit();
        self.current = Some(Visit {
            citizen,
            style,
            diary: Diary::default(),
            interrupted: 0,
            inside: false,
            admitting: false,
            pulled: false,
            seen: Choices::new(),
            code: None,
            challenged: None,
        });
    }

    /// The card comes out. `view`: what is on the panel.
    pub fn pulled(&mut self, view: &View) {
        if let Some(visit) = &mut self.current
            && visit.inside
            && !matches!(view, View::Dark | View::Fault { .. })
        {
            visit.pulled = true;
        }
    }

    /// The kiosk takes a touch.
    pub fn touched(&mut self, touch: Touch, view: &View) {
        let Some(visit) = &mut self.current else { return };
        match (touch, view) {
            (Touch::Challenge, View::CastOrChallenge { challenges_left, .. }) if *challenges_left > 0 => {
                visit.challenged = visit.code;
            }
            (Touch::Cast, View::CastOrChallenge { .. }) => {
                visit.diary.pending = Some(Cast {
                    code: visit.code,
                    choices: visit.seen.clone(),
                });
            }
            (Touch::Confirm, View::EndWithoutVote) => {
                let paper = self.papers.get(usize::from(visit.style));
                visit.diary.pending = Some(Cast {
                    code: None,
                    choices: paper.map(choices::nothing).unwrap_or_default(),
                });
            }
            _ => {}
        }
    }

    /// Another picture.
    pub fn sees(&mut self, view: &View) {
        match view {
            View::Dark => self.cut = true,
            View::Staff(StaffView::Restarted(found)) => self.restarted(found),
            View::Staff(StaffView::Closed {
                hash,
                words,
                counts,
                unsent,
            }) => {
                self.notes.hash = Some(*hash);
                self.notes.words = Some(words.clone());
                self.notes.counts = Some(*counts);
                self.notes.unsent = Some(*unsent);
            }
            _ => {}
        }
        let Some(visit) = &mut self.current else { return };
        if !matches!(view, View::Dark | View::Fault { .. } | View::Starting | View::Staff(_)) {
            visit.admitting = *view == View::Admitting;
        }
        match view {
            View::Dark => visit.stops(),
            View::Fault { why, recorded } => {
                visit.diary.fault = Some((*why, *recorded));
                visit.stops();
            }
            View::WrongCard(why) => visit.diary.refused = Some(*why),
            View::Contest(_) if !visit.inside => {
                visit.inside = true;
                visit.diary.admitted += 1;
            }
            View::Review(review) => {
                visit.seen = review
                    .iter()
                    .map(|(contest, chosen)| (contest.clone(), chosen.iter().cloned().collect::<BTreeSet<_>>()))
                    .collect();
            }
            View::CastOrChallenge { code, .. } => visit.code = Some(*code),
            View::ChallengesUsedUp => visit.challenged = None,
            View::Opening(opening) => visit.opened(opening),
            View::Done if visit.inside => {
                visit.inside = false;
                visit.pulled = false;
                visit.diary.cast = visit.diary.pending.take();
                if visit.diary.cast.is_none() {
                    visit
                        .diary
                        .complaints
                        .push("the kiosk says that a vote is recorded that was not cast".to_owned());
                }
            }
            View::Abandoned if visit.inside => {
                visit.inside = false;
                visit.pulled = false;
                visit.diary.abandoned += 1;
            }
            _ => {}
        }
    }

    fn restarted(&mut self, found: &Restarted) {
        if !std::mem::take(&mut self.cut) {
            return;
        }
        if let Some(visit) = &mut self.current {
            visit.told(found);
            self.end_visit();
        }
    }
}
