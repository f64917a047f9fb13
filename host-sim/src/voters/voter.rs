//! A voter in front of a kiosk: reads the screen, remembers what they want and what they did, touches.
//!
//! A voter knows their card, their PIN and their mind, and sees the screen. They keep a diary; what the diaries say is the truth
//! that a whole run is judged by.

use std::collections::BTreeSet;

use chacha20::ChaCha20Rng;
use election::hash::Digest;
use kiosk::screen::{PinOf, Touch};
use kiosk::session::WrongCard;

use super::choices::Choices;
use super::script::{Cast, Challenge, Diary, End, Script};
use crate::world::booth::{Move, Next, Person};
use crate::world::reader::Card;
use crate::world::seed::Draw as _;
use crate::world::time::{MINUTE, SECOND};
use crate::world::view::{ContestView, OpeningView, View};

/// Where somebody was when the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not let in yet, or done.
    Outside,
    /// The kiosk was about to let them in.
    Door,
    /// Inside.
    Booth,
    /// Inside, but they had pulled their card already.
    Leaving,
}

/// Somebody with a card.
pub struct Voter {
    name: String,
    card: Card,
    pin: Vec<u8>,
    script: Script,
    rng: ChaCha20Rng,
    /// What happened.
    pub diary: Diary,
    attempts: u8,
    inside: bool,
    admitting: bool,
    pulled: bool,
    stopped: bool,
    challenged: Option<Digest>,
    finished: bool,
    /// What is on the ballot they are marking, as they saw it at the review.
    seen: Choices,
    code: Option<Digest>,
    codes: BTreeSet<Digest>,
}

impl Voter {
    /// Somebody with a card, its PIN, and a plan for one visit.
    #[must_use]
    pub fn new(name: String, card: Card, pin: &str, script: Script, rng: ChaCha20Rng) -> Self {
        Self {
            name,
            card,
            pin: pin.bytes().map(|byte| byte - b'0').collect(),
            script,
            rng,
            diary: Diary::default(),
            attempts: 0,
            inside: false,
            admitting: false,
            pulled: false,
            stopped: false,
            challenged: None,
            finished: false,
            seen: Choices::new(),
            code: None,
            codes: BTreeSet::new(),
        }
    }

    /// Whether they have done what they came for.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.diary.cast.is_some() || self.diary.refused.is_some() || (self.finished && self.diary.abandoned > 0)
    }

    /// Where they were when the power went.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        match (self.inside, self.admitting, self.pulled) {
            (true, _, true) => Standing::Leaving,
            (true, _, false) => Standing::Booth,
            (false, true, _) => Standing::Door,
            (false, false, _) => Standing::Outside,
        }
    }

    /// Staff tell them that their vote stands.
    pub fn stands(&mut self) {
        self.finished = true;
        self.inside = false;
        self.diary.cast = self.diary.pending.take();
        if self.diary.cast.is_none() {
            self.complain("staff say that a vote stands that was not cast".to_owned());
        }
    }

    /// Staff tell them that they have left without a vote, as they wanted.
    pub fn has_left(&mut self) {
        self.at_abandoned();
    }

    /// Staff tell them to try again.
    pub fn comes_back(&mut self) {
        self.finished = false;
        self.inside = false;
        self.admitting = false;
        self.pulled = false;
        self.diary.pending = None;
    }

    fn complain(&mut self, text: String) {
        if !self.diary.complaints.contains(&text) {
            self.diary.complaints.push(text);
        }
    }

    fn soon(&mut self, then: Move) -> Next {
        then.after(self.rng.between(600, 2_500))
    }

    fn touch(&mut self, touch: Touch) -> Next {
        self.soon(Move::Touch(touch))
    }

    /// What they want to see marked in a contest now.
    fn wanted(&self, contest: &str) -> BTreeSet<String> {
        match &self.script.first {
            Some((id, options)) if id == contest => options.clone(),
            _ => self.script.choices.get(contest).cloned().unwrap_or_default(),
        }
    }

    fn at_idle(&mut self, card_in: bool) -> Next {
        match (self.finished, card_in) {
            (true, false) => Move::Leave.after(SECOND),
            (true, true) => self.soon(Move::Pull),
            (false, true) => Move::Wait.after(0),
            (false, false) if self.script.upside_down => Move::Insert(self.card.upside_down()).after(SECOND),
            (false, false) => {
                let card = self.card.clone();
                self.soon(Move::Insert(card))
            }
        }
    }

    fn at_pin(&mut self, digits: u8, tries_left: u8) -> Next {
        if digits == 0 && self.diary.tries_seen.last() != Some(&tries_left) {
            self.diary.tries_seen.push(tries_left);
        }
        let wrong = self.attempts < self.script.wrong_pins;
        match self.pin.get(usize::from(digits)) {
            // The first digit is another one; the rest may be right.
            Some(digit) if wrong && digits == 0 => Move::Touch(Touch::Digit((digit + 1) % 10)).after(500),
            Some(digit) => Move::Touch(Touch::Digit(*digit)).after(400),
            None => self.touch(Touch::Enter),
        }
    }

    fn at_contest(&mut self, contest: &ContestView) -> Next {
        if !self.inside {
            self.inside = true;
            self.diary.admitted += 1;
        }
        let middle = contest.index >= contest.count / 2;
        match self.script.end {
            End::WalksAway if middle => return Move::Wait.after(0),
            End::PullsAndGoes | End::PullsAndReturns if middle => return self.soon(Move::Pull),
            End::WithoutVote if middle => return self.touch(Touch::EndWithoutVote),
            _ => {}
        }
        if self.script.thinks_long {
            // The alert comes earlier than this touch.
            return Move::Touch(Touch::Next).after(10 * MINUTE);
        }
        if self.script.calls_staff {
            return self.touch(Touch::CallStaff);
        }
        let wanted = self.wanted(&contest.id);
        let id = |index: &u8| contest.options.get(usize::from(*index));
        let is_chosen = |index: &u8| contest.selected.contains(index);
        let is_wanted = |index: &u8| id(index).is_some_and(|id| wanted.contains(id));
        let used = contest.selected.len() + usize::from(contest.votes_left);
        if wanted.len() > used {
            self.complain(format!("contest {} has fewer votes than it should", contest.id));
        }
        if let Some(index) = contest.selected.iter().find(|index| !is_wanted(index)) {
            return self.touch(Touch::Option(*index));
        }
        if let Some(index) = contest.order.iter().find(|index| is_wanted(index) && !is_chosen(index)) {
            return self.touch(Touch::Option(*index));
        }
        if self.script.overvotes
            && contest.votes_left == 0
            && let Some(index) = contest.order.iter().find(|index| !is_chosen(index))
        {
            return self.touch(Touch::Option(*index));
        }
        self.touch(Touch::Next)
    }

    fn at_overvote(&mut self, contest: &ContestView) -> Next {
        let chosen: BTreeSet<String> = contest
            .selected
            .iter()
            .filter_map(|index| contest.options.get(usize::from(*index)).cloned())
            .collect();
        if chosen != self.wanted(&contest.id) {
            self.complain(format!("an overvote in contest {} changed what was chosen", contest.id));
        }
        if self.script.overvotes {
            self.script.overvotes = false;
            self.diary.overvotes += 1;
        }
        self.touch(Touch::Confirm)
    }

    fn at_review(&mut self, review: &[(String, Vec<String>)]) -> Next {
        self.seen = review
            .iter()
            .map(|(contest, chosen)| (contest.clone(), chosen.iter().cloned().collect()))
            .collect();
        let entered: Choices = self
            .script
            .choices
            .keys()
            .map(|contest| (contest.clone(), self.wanted(contest)))
            .collect();
        if self.seen != entered {
            self.complain("the review does not show what was chosen".to_owned());
        }
        if let Some((contest, _)) = &self.script.first
            && let Some(index) = review.iter().position(|(id, _)| id == contest)
        {
            return self.touch(Touch::Change(u8::try_from(index).unwrap_or(u8::MAX)));
        }
        self.touch(Touch::Confirm)
    }

    fn at_code(&mut self, code: Digest, challenges_left: u8) -> Next {
        if self.code != Some(code) {
            if !self.codes.insert(code) {
                self.complain("two ballots have the same code".to_owned());
            }
            self.code = Some(code);
        }
        if self.script.second_thoughts {
            return self.touch(Touch::Back);
        }
        if self.script.challenges > 0 {
            if challenges_left == 0 {
                self.script.challenges = 1;
            }
            return self.touch(Touch::Challenge);
        }
        self.touch(Touch::Cast)
    }

    fn at_opening(&mut self, opening: &OpeningView) -> Next {
        self.challenged = None;
        let known = self
            .diary
            .challenges
            .last()
            .is_some_and(|last| last.code == opening.code);
        if !known {
            self.diary.challenges.push(Challenge {
                code: opening.code,
                choices: self.seen.clone(),
                pages: Vec::new(),
            });
        }
        let shown: BTreeSet<String> = opening.selected.iter().cloned().collect();
        if self.code != Some(opening.code) || self.seen.get(&opening.contest) != Some(&shown) {
            self.complain("the opening shows another ballot than the one challenged".to_owned());
        }
        if let Some(challenge) = self.diary.challenges.last_mut()
            && challenge.pages.len() == usize::from(opening.index)
        {
            challenge.pages.push(opening.payload.clone());
        }
        // Long enough to photograph the code.
        Move::Touch(Touch::Next).after(3 * SECOND)
    }

    fn at_done(&mut self) -> Next {
        if self.inside {
            self.inside = false;
            self.finished = true;
            self.diary.cast = self.diary.pending.take();
            if self.diary.cast.is_none() {
                self.complain("the kiosk says that a vote is recorded that was not cast".to_owned());
            }
        }
        self.soon(Move::Pull)
    }

    fn at_abandoned(&mut self) -> Next {
        if self.inside {
            self.inside = false;
            self.pulled = false;
            self.diary.abandoned += 1;
            if self.script.end == End::PullsAndReturns {
                self.script.end = End::Cast;
            } else {
                self.finished = true;
            }
        }
        self.touch(Touch::Confirm)
    }

    fn leave(&mut self, card_in: bool) -> Next {
        self.finished = true;
        if card_in {
            self.soon(Move::Pull)
        } else {
            Move::Leave.after(SECOND)
        }
    }
}

impl Person for Voter {
    fn look(&mut self, view: &View, card_in: bool) -> Next {
        self.stopped = matches!(view, View::Dark | View::Fault { .. });
        if !self.stopped {
            self.admitting = *view == View::Admitting;
        }
        match view {
            View::Dark => {
                self.diary.uncertain.extend(self.challenged.take());
                if card_in {
                    self.soon(Move::Pull)
                } else {
                    Move::Leave.after(SECOND)
                }
            }
            View::Idle => self.at_idle(card_in),
            View::Blank if self.finished && !card_in => Move::Leave.after(SECOND),
            View::Blank | View::Starting | View::Admitting | View::Encrypting | View::Recording => Move::Wait.after(0),
            View::Pin {
                who: PinOf::Voter,
                digits,
                tries_left,
                ..
            } => self.at_pin(*digits, *tries_left),
            View::LastTry(PinOf::Voter) => self.touch(Touch::Confirm),
            View::WrongCard(why) => {
                if self.script.upside_down && *why == WrongCard::Mute {
                    self.script.upside_down = false;
                } else if !self.finished {
                    self.diary.refused = Some(*why);
                    self.finished = true;
                }
                if card_in {
                    self.soon(Move::Pull)
                } else {
                    Move::Wait.after(0)
                }
            }
            View::Contest(contest) => self.at_contest(contest),
            View::Overvote(contest) => self.at_overvote(contest),
            View::Review(review) => self.at_review(review),
            View::CastOrChallenge { code, challenges_left } => self.at_code(*code, *challenges_left),
            View::ChallengesUsedUp => {
                self.challenged = None;
                self.script.challenges = 0;
                self.touch(Touch::Confirm)
            }
            View::Opening(opening) => self.at_opening(opening),
            View::EndWithoutVote if self.script.end == End::WithoutVote => self.touch(Touch::Confirm),
            View::EndWithoutVote => self.touch(Touch::Back),
            View::Done => self.at_done(),
            View::Abandoned => self.at_abandoned(),
            View::StillThere if self.script.end == End::WalksAway => Move::Wait.after(0),
            View::StillThere => {
                self.script.thinks_long = false;
                // Wherever they touch, the panel gives this.
                self.touch(Touch::Back)
            }
            // Staff come and take the card out.
            View::Locked => Move::Pull.after(MINUTE),
            View::CallStaff => {
                self.script.calls_staff = false;
                Move::Touch(Touch::Back).after(20 * SECOND)
            }
            View::Fault { why, recorded } => {
                self.diary.fault = Some((*why, *recorded));
                self.diary.uncertain.extend(self.challenged.take());
                if card_in {
                    self.soon(Move::Pull)
                } else {
                    Move::Leave.after(SECOND)
                }
            }
            View::Pin { .. } | View::LastTry(_) | View::Staff(_) | View::Unknown => {
                self.complain(format!("a voter sees {view:?}"));
                self.leave(card_in)
            }
        }
    }

    fn made(&mut self, made: &Move) {
        match made {
            Move::Touch(Touch::Enter) => self.attempts = self.attempts.saturating_add(1),
            Move::Touch(Touch::Change(_)) => self.script.first = None,
            Move::Touch(Touch::Challenge) => {
                self.script.challenges = self.script.challenges.saturating_sub(1);
                self.challenged = self.code;
            }
            Move::Pull if self.inside && !self.stopped => self.pulled = true,
            Move::Touch(Touch::Back) if self.code.is_some() => self.script.second_thoughts = false,
            Move::Touch(Touch::Cast) => {
                self.diary.pending = Some(Cast {
                    code: self.code,
                    choices: self.seen.clone(),
                });
            }
            Move::Touch(Touch::Confirm) if self.inside && self.script.end == End::WithoutVote => {
                let nothing = |contest: &String| (contest.clone(), BTreeSet::new());
                self.diary.pending = Some(Cast {
                    code: None,
                    choices: self.script.choices.keys().map(nothing).collect(),
                });
            }
            _ => {}
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
