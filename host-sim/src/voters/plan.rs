//! Who comes, when, where, and with what in mind: everything that the seed decides about people before the first poll opens.

use chacha20::ChaCha20Rng;
use kiosk::session::WrongCard;

use super::choices::{self, Choices, Paper, Totals};
use super::habits::Habits;
use super::script::{End, Script};
use crate::world::seed::{Draw as _, Seed};
use crate::world::time::{HOUR, MINUTE};

/// How long polls are open.
pub const OPEN: u64 = 13 * HOUR;
/// First visits come in this part of the day, second ones after it.
const FIRST_VISITS: u64 = 10 * HOUR;

/// What somebody's card is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardKind {
    /// On the roll, valid.
    Good,
    /// Valid, not on the roll.
    NotOnRoll,
    /// On the roll, run out.
    Expired,
}

/// How a visit should end for the voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// 完了.
    Vote,
    /// Nothing recorded, by the voter's own doing.
    Abandon,
    /// "This card has voted".
    Voted,
    /// The PIN is blocked.
    Blocked,
    /// Not on the roll.
    NotOnRoll,
    /// The certificate does not hold.
    Certificate,
    /// Nobody knows what they are up to: a person at the window.
    Anything,
}

impl Expect {
    /// Whether a refusal is the expected one.
    #[must_use]
    pub const fn refusal(self, why: WrongCard) -> bool {
        matches!(
            (self, why),
            (Self::Voted, WrongCard::Voted)
                | (Self::Blocked, WrongCard::Blocked)
                | (Self::NotOnRoll, WrongCard::NotOnRoll)
                | (Self::Certificate, WrongCard::Certificate(_))
        )
    }
}

/// One visit.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Epoch.
    pub epoch: u8,
    /// Which kiosk, from 0.
    pub kiosk: usize,
    /// Milliseconds after polls opened.
    pub at: u64,
    /// What they are going to do.
    pub script: Script,
    /// How it should end.
    pub expect: Expect,
}

/// Somebody.
#[derive(Clone, Debug)]
pub struct Citizen {
    /// Ballot style.
    pub style: u16,
    /// Their card.
    pub card: CardKind,
    /// When they come, in order.
    pub visits: Vec<Visit>,
    /// Whether a vote of theirs is to be counted.
    pub counts: bool,
}

/// What a plan is made from.
pub struct Wanted<'p> {
    /// Ballot styles.
    pub papers: &'p [Paper],
    /// Voters whose vote counts.
    pub voters: u32,
    /// Kiosks.
    pub kiosks: usize,
    /// Epochs.
    pub epochs: u8,
    /// How people behave.
    pub habits: Habits,
    /// What the counted totals are to be.
    pub totals: Option<&'p Totals>,
}

/// How many voters have each paper: as even as it goes, so that totals for a contest of one paper only can be reached.
#[must_use]
pub fn voters_by_paper(papers: usize, voters: u32) -> Vec<u64> {
    (0..papers)
        .map(|paper| (0..voters as usize).filter(|voter| voter % papers == paper).count() as u64)
        .collect()
}

/// Draws everybody.
#[must_use]
pub fn draw(wanted: &Wanted<'_>, seed: Seed) -> Vec<Citizen> {
    let mut rng = seed.rng("plan", 0);
    let count = wanted.voters as usize;
    let styles: Vec<u16> = (0..count)
        .map(|voter| u16::try_from(voter % wanted.papers.len()).unwrap_or(0))
        .collect();
    let minds = match wanted.totals {
        Some(totals) => choices::exactly(totals, wanted.papers, &styles, &mut seed.rng("totals", 0)),
        None => styles
            .iter()
            .map(|style| choices::mind(&wanted.papers[usize::from(*style)], &mut rng))
            .collect(),
    };
    let mut plan = Plan { wanted, rng };
    let mut citizens: Vec<Citizen> = styles
        .iter()
        .zip(minds)
        .map(|(style, mind)| plan.voter(*style, mind))
        .collect();
    plan.habits(&mut citizens);
    plan.others(&mut citizens);
    citizens
}

struct Plan<'p> {
    wanted: &'p Wanted<'p>,
    rng: ChaCha20Rng,
}

impl Plan<'_> {
    fn visit(&mut self, script: Script, expect: Expect) -> Visit {
        Visit {
            epoch: u8::try_from(self.rng.below(u64::from(self.wanted.epochs))).unwrap_or(0),
            kiosk: usize::try_from(self.rng.below(self.wanted.kiosks as u64)).unwrap_or(0),
            at: self.rng.between(MINUTE, FIRST_VISITS),
            script,
            expect,
        }
    }

    fn voter(&mut self, style: u16, mind: Choices) -> Citizen {
        let visit = self.visit(Script::plain(mind), Expect::Vote);
        Citizen {
            style,
            card: CardKind::Good,
            visits: vec![visit],
            counts: true,
        }
    }

    /// Some of those for whom `may` holds, at random.
    fn some(&mut self, parts: u16, citizens: &[Citizen], may: impl Fn(&Citizen) -> bool) -> Vec<usize> {
        let mut able: Vec<usize> = (0..citizens.len()).filter(|index| may(&citizens[*index])).collect();
        self.rng.shuffle(&mut able);
        able.truncate(Habits::part(parts, self.wanted.voters));
        able
    }

    fn habits(&mut self, citizens: &mut [Citizen]) {
        let habits = self.wanted.habits;
        let papers = self.wanted.papers;
        let anybody = |_: &Citizen| true;
        let wants_nothing = |citizen: &Citizen| {
            citizen.visits[0]
                .script
                .choices
                .values()
                .all(|chosen| chosen.is_empty())
        };
        let exact = self.wanted.totals.is_some();

        for index in self.some(habits.without_vote, citizens, |citizen| {
            !exact || wants_nothing(citizen)
        }) {
            let script = &mut citizens[index].visits[0].script;
            script.choices = choices::nothing(&papers[usize::from(citizens[index].style)]);
            script.end = End::WithoutVote;
        }
        // From here on only those who cast: an end without a vote is confirmed before any of this.
        let casts = |citizen: &Citizen| citizen.visits[0].script.end != End::WithoutVote;
        for index in self.some(habits.change_of_mind, citizens, casts) {
            let paper = &papers[usize::from(citizens[index].style)];
            let which = usize::try_from(self.rng.below(paper.contests.len() as u64)).unwrap_or(0);
            let contest = &paper.contests[which];
            let first = choices::liking(contest, &mut self.rng);
            citizens[index].visits[0].script.first = Some((contest.id.clone(), first));
        }
        for index in self.some(habits.overvote, citizens, casts) {
            citizens[index].visits[0].script.overvotes = true;
        }
        for (number, index) in self.some(habits.challenge, citizens, casts).into_iter().enumerate() {
            // One more than is allowed: the kiosk has to say that they are used up.
            let challenges = if number % 3 == 2 {
                kiosk::session::CHALLENGES + 1
            } else {
                1
            };
            citizens[index].visits[0].script.challenges = challenges;
        }
        for index in self.some(habits.second_thoughts, citizens, casts) {
            citizens[index].visits[0].script.second_thoughts = true;
        }
        for index in self.some(habits.call_staff, citizens, casts) {
            citizens[index].visits[0].script.calls_staff = true;
        }
        for index in self.some(habits.think_long, citizens, casts) {
            citizens[index].visits[0].script.thinks_long = true;
        }
        for index in self.some(habits.pull_and_return, citizens, casts) {
            citizens[index].visits[0].script.end = End::PullsAndReturns;
        }
        for (number, index) in self.some(habits.wrong_pin, citizens, anybody).into_iter().enumerate() {
            citizens[index].visits[0].script.wrong_pins = if number % 3 == 2 { 2 } else { 1 };
        }
        for index in self.some(habits.upside_down, citizens, anybody) {
            citizens[index].visits[0].script.upside_down = true;
        }
        self.second_visits(citizens);
    }

    fn second_visits(&mut self, citizens: &mut [Citizen]) {
        let habits = self.wanted.habits;
        let casts = |citizen: &Citizen| citizen.visits[0].script.end != End::WithoutVote;
        for index in self.some(habits.again_here, citizens, |_| true) {
            let first = &citizens[index].visits[0];
            let again = Visit {
                at: self.later(),
                script: Script::plain(first.script.choices.clone()),
                expect: Expect::Voted,
                ..first.clone()
            };
            citizens[index].visits.push(again);
        }
        if self.wanted.kiosks > 1 {
            // They cast both times, so that they know both codes: which of the two counts is looked up by them.
            let once = |citizen: &Citizen| citizen.visits.len() == 1 && casts(citizen);
            for index in self.some(habits.again_elsewhere, citizens, once) {
                let first = citizens[index].visits[0].clone();
                let step = self.rng.between(1, self.wanted.kiosks as u64 - 1);
                let again = Visit {
                    kiosk: (first.kiosk + usize::try_from(step).unwrap_or(1)) % self.wanted.kiosks,
                    at: self.later(),
                    script: Script::plain(self.other_mind(&citizens[index])),
                    ..first
                };
                citizens[index].visits.push(again);
            }
        }
        if self.wanted.epochs > 1 {
            let once = |citizen: &Citizen| citizen.visits.len() == 1 && casts(citizen);
            for index in self.some(habits.again_later, citizens, once) {
                let first = citizens[index].visits[0].clone();
                let last = self.wanted.epochs - 1;
                // The one that counts is the one they have in mind; what they vote before may be anything.
                let mut earlier = self.visit(first.script.clone(), Expect::Vote);
                earlier.epoch = u8::try_from(self.rng.below(u64::from(last))).unwrap_or(0);
                earlier.script = Script::plain(choices::mind(
                    &self.wanted.papers[usize::from(citizens[index].style)],
                    &mut self.rng,
                ));
                let later = Visit { epoch: last, ..first };
                citizens[index].visits = vec![earlier, later];
            }
        }
    }

    fn later(&mut self) -> u64 {
        self.rng.between(FIRST_VISITS + 30 * MINUTE, OPEN - 30 * MINUTE)
    }

    /// Another choice for the second vote; the same where the totals are given, because either of the two may count.
    fn other_mind(&mut self, citizen: &Citizen) -> Choices {
        if self.wanted.totals.is_some() {
            return citizen.visits[0].script.choices.clone();
        }
        choices::mind(&self.wanted.papers[usize::from(citizen.style)], &mut self.rng)
    }

    /// People whose vote does not count.
    fn others(&mut self, citizens: &mut Vec<Citizen>) {
        let habits = self.wanted.habits;
        let kinds = [
            (
                habits.pull_and_go,
                CardKind::Good,
                End::PullsAndGoes,
                0,
                Expect::Abandon,
            ),
            (habits.walk_away, CardKind::Good, End::WalksAway, 0, Expect::Abandon),
            (habits.forget_pin, CardKind::Good, End::Cast, u8::MAX, Expect::Blocked),
            (habits.not_on_roll, CardKind::NotOnRoll, End::Cast, 0, Expect::NotOnRoll),
            (habits.expired, CardKind::Expired, End::Cast, 0, Expect::Certificate),
        ];
        for (parts, card, end, wrong_pins, expect) in kinds {
            for _ in 0..Habits::part(parts, self.wanted.voters) {
                let style = self.rng.below(self.wanted.papers.len() as u64);
                let style = u16::try_from(style).unwrap_or(0);
                let mind = choices::mind(&self.wanted.papers[usize::from(style)], &mut self.rng);
                let script = Script {
                    end,
                    wrong_pins,
                    ..Script::plain(mind)
                };
                let visit = self.visit(script, expect);
                citizens.push(Citizen {
                    style,
                    card,
                    visits: vec![visit],
                    counts: false,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn papers() -> Vec<Paper> {
        let contest = |id: &str, votes| choices::Contest {
            id: id.to_owned(),
            votes,
            options: (0..4).map(|n| format!("{id}-{n}")).collect(),
        };
        vec![Paper {
            contests: vec![contest("a", 1), contest("b", 2)],
        }]
    }

    fn plan(voters: u32, kiosks: usize, epochs: u8, seed: &str) -> Vec<Citizen> {
        let papers = papers();
        let wanted = Wanted {
            papers: &papers,
            voters,
            kiosks,
            epochs,
            habits: Habits::usual(),
            totals: None,
        };
        draw(&wanted, Seed::new(seed))
    }

    #[test]
    fn every_habit_is_there_at_119_voters() {
        let citizens = plan(119, 3, 2, "habits");
        let script =
            |holds: &dyn Fn(&Script) -> bool| citizens.iter().any(|c| c.visits.iter().any(|v| holds(&v.script)));
        assert!(
            script(&|s| s.wrong_pins == 1) && script(&|s| s.wrong_pins == 2) && script(&|s| s.wrong_pins == u8::MAX)
        );
        assert!(script(&|s| s.first.is_some()) && script(&|s| s.overvotes) && script(&|s| s.second_thoughts));
        assert!(script(&|s| s.challenges == 1) && script(&|s| s.challenges > kiosk::session::CHALLENGES));
        assert!(script(&|s| s.calls_staff) && script(&|s| s.thinks_long) && script(&|s| s.upside_down));
        for end in [
            End::WithoutVote,
            End::PullsAndReturns,
            End::PullsAndGoes,
            End::WalksAway,
        ] {
            assert!(script(&|s| s.end == end), "{end:?}");
        }
        for expect in [
            Expect::Voted,
            Expect::Blocked,
            Expect::NotOnRoll,
            Expect::Certificate,
            Expect::Abandon,
        ] {
            assert!(
                citizens.iter().any(|c| c.visits.iter().any(|v| v.expect == expect)),
                "{expect:?}"
            );
        }
        let pairs = |holds: &dyn Fn(&Visit, &Visit) -> bool| {
            citizens
                .iter()
                .any(|c| matches!(c.visits.as_slice(), [a, b] if b.expect == Expect::Vote && holds(a, b)))
        };
        assert!(pairs(&|a, b| a.epoch == b.epoch && a.kiosk != b.kiosk));
        assert!(pairs(&|a, b| a.epoch < b.epoch));
        assert_eq!(citizens.iter().filter(|c| c.counts).count(), 119);
    }

    #[test]
    fn visits_of_one_person_are_in_order_and_the_seed_decides() {
        for citizen in plan(300, 4, 2, "order") {
            for pair in citizen.visits.windows(2) {
                assert!((pair[0].epoch, pair[0].at) < (pair[1].epoch, pair[1].at));
            }
        }
        let text = |seed| format!("{:?}", plan(60, 2, 1, seed));
        assert_eq!(text("a"), text("a"));
        assert_ne!(text("a"), text("b"));
    }
}
