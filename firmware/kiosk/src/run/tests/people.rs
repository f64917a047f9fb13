//! Voters and staff who act on what the panel shows, and remember what they saw.

use std::collections::{BTreeMap, VecDeque};
use std::string::String;
use std::vec::Vec;

use election::hash::Digest;

use super::desk;
use super::platform::{Wait, World};
use crate::ports::Item;
use crate::screen::*;
use crate::session::WrongCard;

/// What somebody comes for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visit {
    Voter {
        card: u8,
        pin: [u8; 4],
        /// Bits a contest.
        choice: [u64; 2],
        how: How,
    },
    Close,
    /// Staff who open the menu and walk away.
    LeaveMenu,
    /// Staff who show one card, look at the question and walk away.
    LeaveQuestion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Cast,
    ChallengeFirst,
    PullCard,
    EndWithoutVote,
}

/// What people saw and did.
#[derive(Default)]
pub struct People {
    pub visits: VecDeque<Visit>,
    /// Staff cards in the order they are put in.
    pub staff: VecDeque<u8>,
    pub done: BTreeMap<u8, [u64; 2]>,
    pub refused: Vec<(u8, WrongCard)>,
    pub staff_refused: Vec<WrongStaffCard>,
    pub restarted: Vec<Restarted>,
    /// PIN tries shown before each try.
    pub tries: Vec<u8>,
    pub last_tries: u32,
    pub challenged: bool,
    pub touched: u64,
    pub opened: Vec<Vec<u8>>,
    pub zero_reports: u32,
    pub closed: Option<(Digest, Vec<&'static str>)>,
    pub codes: Vec<Digest>,
    /// Staff make the closed kiosk ready for another epoch.
    pub retire: bool,
    /// Each time the closed kiosk showed itself: what was unsent, and whether its keys could be forgotten.
    pub retires_offered: Vec<(u32, bool)>,
    pub faults: Vec<(Fault, Option<Recorded>)>,
    /// The tries of a voter's card drop to one as the PIN is typed.
    pub drops: bool,
    pub accepts_last_try: bool,
    /// A voter was told that a PIN was wrong.
    pub wrong: bool,
    /// Staff cards accepted since the menu was opened.
    pub accepted: u32,
    /// How often counts were seen while polls were open.
    pub counts_seen: u32,
    /// When the card was taken out of "done", and when that went from the screen.
    pub taken: Option<u64>,
    pub done_left: Option<u64>,
    /// The voter whose vote was being cast when the power went.
    pub casting: Option<u8>,
    /// What the question before closing said of too few votes.
    pub few: Option<u32>,
    /// What the menu of the open kiosk said of the media's room.
    pub room: Option<Room>,
    /// The voter leaves the card in "done" until the power goes.
    pub lingers: bool,
    /// Why updates were not taken.
    pub updates_refused: Vec<crate::update::Refused>,
    /// Whether they were told with it that the keys had gone.
    pub updates_retired: Vec<bool>,
    /// Staff leave the machine standing at this refusal.
    pub gives_up: Option<usize>,
    /// How often staff were told to switch the machine off and on.
    pub stuck: usize,
    /// Staff go back from the question of a takeover.
    pub declines: bool,
    /// Staff go back from an update that is offered.
    pub goes_back: bool,
    /// Whoever opened the menu has walked away; it is shown again until it closes.
    pub left: bool,
    /// What the menu said before polls opened, each time it was shown.
    pub menus: Vec<Health>,
    /// So often staff only look at it; before each further look something is done to the machine.
    pub waits: Vec<Wait>,
}

impl World {
    fn pin(&self, pin: [u8; 4]) {
        for digit in pin {
            self.touch(Touch::Digit(digit - b'0'));
        }
        self.touch(Touch::Enter);
    }

    /// A voter marks what is missing, or goes on.
    fn mark(&self, screen: &ContestScreen<'_>, wanted: u64) {
        let missing = wanted & !screen.selected.bits();
        if missing == 0 {
            self.touch(Touch::Next);
        } else {
            self.touch(Touch::Option(u8::try_from(missing.trailing_zeros()).unwrap()));
        }
    }

    /// People look at the panel.
    #[allow(clippy::too_many_lines)]
    pub(super) fn look(&self, screen: &Screen<'_>) {
        let kind = discriminant(screen);
        if self.kind.replace(kind) != kind {
            self.touches.borrow_mut().clear();
        }
        if !self.touches.borrow().is_empty() {
            return;
        }
        let mut people = self.people.borrow_mut();
        if matches!(screen, Screen::Blank) {
            people.done_left = Some(self.now.get());
        }
        people.left &= !matches!(screen, Screen::Idle { .. });
        let visit = people.visits.front().cloned();
        let voter = match &visit {
            Some(Visit::Voter { card, pin, choice, how }) => Some((*card, *pin, *choice, *how)),
            _ => None,
        };
        match screen {
            Screen::Idle { .. } => match visit {
                Some(Visit::Voter { card, .. }) => {
                    drop(people);
                    self.insert(card);
                }
                Some(Visit::Close | Visit::LeaveMenu | Visit::LeaveQuestion) => {
                    people.accepted = 0;
                    self.touch(Touch::Staff(StaffTouch::Menu));
                }
                None => {}
            },
            Screen::Pin {
                digits: 0,
                tries_left,
                who,
                wrong,
                ..
            } => {
                people.tries.push(*tries_left);
                people.wrong |= *wrong && *who == PinOf::Voter;
                if *who == PinOf::Voter && core::mem::take(&mut people.drops) {
                    self.slot.borrow_mut().as_mut().unwrap().tries = 1;
                }
                match who {
                    PinOf::Voter => self.pin(voter.unwrap().1),
                    PinOf::Staff(_) => self.pin(*b"1234"),
                }
            }
            Screen::LastTry { .. } => {
                people.last_tries += 1;
                if people.accepts_last_try {
                    self.touch(Touch::Confirm);
                    return;
                }
                people.visits.pop_front();
                drop(people);
                self.pull();
            }
            Screen::WrongCard { why } => {
                people.refused.push((voter.unwrap().0, *why));
                people.visits.pop_front();
                drop(people);
                self.pull();
            }
            Screen::Contest(contest) => {
                let (_, _, choice, how) = voter.unwrap();
                if how == How::EndWithoutVote {
                    self.touch(Touch::EndWithoutVote);
                } else {
                    self.mark(contest, choice[usize::from(contest.index)]);
                }
            }
            Screen::EndWithoutVote => {
                people.casting = voter.map(|voter| voter.0);
                self.touch(Touch::Confirm);
            }
            Screen::Review(review) => {
                let (_, _, choice, how) = voter.unwrap();
                // A3: what is recorded was shown before.
                assert_eq!(review.selected.iter().map(|s| s.bits()).collect::<Vec<_>>(), choice);
                if how == How::PullCard {
                    people.visits.pop_front();
                    drop(people);
                    self.pull();
                } else {
                    self.touch(Touch::Confirm);
                }
            }
            Screen::CastOrChallenge { code, .. } => {
                let (card, _, _, how) = voter.unwrap();
                if how == How::ChallengeFirst && !people.challenged {
                    people.challenged = true;
                    self.touch(Touch::Challenge);
                } else {
                    people.codes.push(**code);
                    people.casting = Some(card);
                    self.touch(Touch::Cast);
                }
            }
            Screen::Opening(opening) => {
                let choice = voter.unwrap().2[usize::from(opening.index)];
                assert_eq!(opening.selected.bits(), choice);
                let read = election::opening::Opening::parse(opening.payload).unwrap();
                assert_eq!(read.choice(if opening.index == 0 { 3 } else { 4 }), choice);
                people.opened.push(opening.payload.to_vec());
                self.touch(Touch::Next);
            }
            // Still there for a while.
            Screen::Done if self.inside.get().is_none() || (people.lingers && people.taken.is_some()) => {}
            Screen::Done => {
                people.taken = Some(self.now.get());
                let (card, _, choice, how) = voter.unwrap();
                let choice = if how == How::EndWithoutVote { [0; 2] } else { choice };
                people.done.insert(card, choice);
                people.casting = None;
                people.challenged = false;
                people.visits.pop_front();
                let lingers = people.lingers;
                drop(people);
                if !lingers {
                    self.pull();
                }
            }
            Screen::Fault { why, recorded } => people.faults.push((*why, *recorded)),
            Screen::Staff(screen) => self.staff(&mut people, screen),
            _ => {}
        }
    }

    fn staff(&self, people: &mut People, screen: &StaffScreen<'_>) {
        match screen {
            StaffScreen::Menu {
                phase: Phase::NotOpened,
                health,
            } => {
                people.menus.push(*health);
                match people.waits.pop() {
                    Some(happens) => happens(self),
                    None => self.touch(Touch::Staff(StaffTouch::Open)),
                }
            }
            StaffScreen::Menu { health, .. } => {
                people.room = Some(health.room);
                // A14: nothing to read a count from.
                assert_eq!(
                    (health.counts, health.free, health.free_spoiled, health.unsent),
                    (None, 0, 0, 0)
                );
                if people.visits.front() == Some(&Visit::LeaveMenu) {
                    people.visits.pop_front();
                    people.left = true;
                } else if !people.left {
                    self.touch(Touch::Staff(StaffTouch::Close));
                }
            }
            StaffScreen::ConfirmClose { few, .. } => {
                assert_eq!(people.accepted, 1, "counts before a staff card");
                people.few = *few;
                people.counts_seen += 1;
                if people.visits.front() == Some(&Visit::LeaveQuestion) {
                    people.visits.pop_front();
                } else {
                    self.touch(Touch::Confirm);
                }
            }
            StaffScreen::AwaitSecret { .. } => {
                let request = self.items.borrow().get(&(Item::Request as u8)).cloned().unwrap();
                let sealed = desk::sealed(&request);
                self.items.borrow_mut().insert(Item::Secret as u8, sealed);
                self.touch(Touch::Confirm);
            }
            StaffScreen::ChooseEpoch { .. } => self.touch(Touch::Staff(StaffTouch::Epoch(0))),
            StaffScreen::InsertCard { number, .. } => {
                let card = people
                    .staff
                    .pop_front()
                    .unwrap_or(desk::STAFF[usize::from(*number - 1)]);
                self.insert(card);
            }
            StaffScreen::CardRefused { why } => {
                people.staff_refused.push(*why);
                self.pull();
            }
            StaffScreen::TakeCard => {
                people.accepted += 1;
                self.pull();
            }
            StaffScreen::ZeroReport(report) => {
                assert_eq!(report.software, &desk::SOFTWARE);
                people.zero_reports += 1;
                self.touch(Touch::Confirm);
            }
            StaffScreen::Restarted(restarted) => {
                people.restarted.push(*restarted);
                self.touch(Touch::Confirm);
            }
            StaffScreen::TakeOver { .. } if people.declines => self.touch(Touch::Back),
            StaffScreen::Provision { .. } | StaffScreen::TakeOver { .. } => self.touch(Touch::Confirm),
            StaffScreen::Update(UpdateScreen::Offer { .. }) if people.goes_back => self.touch(Touch::Back),
            StaffScreen::Update(UpdateScreen::Offer { .. } | UpdateScreen::Done { .. }) => self.touch(Touch::Confirm),
            StaffScreen::Update(UpdateScreen::Writing { .. }) => {}
            StaffScreen::Update(UpdateScreen::Stuck { .. }) => {
                people.stuck += 1;
                self.touch(Touch::Confirm);
            }
            StaffScreen::Update(UpdateScreen::Refused { why, retired }) => {
                people.updates_refused.push(*why);
                people.updates_retired.push(*retired);
                if people.gives_up != Some(people.updates_refused.len()) {
                    self.touch(Touch::Confirm);
                }
            }
            StaffScreen::Closed(closed) => {
                // Only now: a cut before this leaves the polls to be closed once more.
                if people.visits.front() == Some(&Visit::Close) {
                    people.visits.pop_front();
                }
                people.closed = Some((*closed.hash, closed.words.to_vec()));
                people.retires_offered.push((closed.unsent, closed.retire));
                if closed.retire && core::mem::take(&mut people.retire) {
                    self.touch(Touch::Staff(StaffTouch::Retire));
                    return;
                }
                // Staff wait for the network where there is one.
                if closed.unsent == 0 || !self.online.get() {
                    self.touch(Touch::Confirm);
                }
            }
        }
    }
}

pub(super) fn discriminant(screen: &Screen<'_>) -> u32 {
    let (outer, inner) = match screen {
        Screen::Staff(staff) => (
            std::mem::discriminant(screen),
            std::format!("{:?}", std::mem::discriminant(staff)),
        ),
        _ => (std::mem::discriminant(screen), String::new()),
    };
    let text = std::format!("{outer:?}{inner}");
    text.bytes()
        .fold(7, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)))
}
