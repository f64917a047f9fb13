//! Two members of staff in front of a kiosk: they open, close, restart and take over, with their cards and PINs, by what the
//! screen says. They write down what witnesses write down.

use std::cell::Cell;
use std::rc::Rc;

use chacha20::ChaCha20Rng;
use kiosk::ballot_box::Counts;
use kiosk::screen::{Fault, Phase, PinOf, Recorded, Restarted, StaffTouch, Touch};

use crate::world::booth::{Move, Next, Person};
use crate::world::notify::Notify;
use crate::world::reader::Card;
use crate::world::seed::Draw as _;
use crate::world::time::SECOND;
use crate::world::view::{StaffView, View, ZeroReportView};

/// What they have come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Let the kiosk be registered, up to the moment when it waits for the desk.
    Provision,
    /// See that the kiosk has taken what the desk put in.
    Accept,
    /// Open polls for this epoch.
    Open(u8),
    /// Read what a restart found.
    Restart,
    /// Start a spare with the surviving medium of another kiosk.
    TakeOver,
    /// Close polls.
    Close,
}

/// What they wrote down.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Kiosk id shown at provisioning.
    pub kiosk: Option<[u8; 32]>,
    /// The zero report.
    pub zero_report: Option<ZeroReportView>,
    /// What a restart found.
    pub restarted: Option<Restarted>,
    /// Votes that a takeover found.
    pub taken_over: Option<u32>,
    /// The twelve words.
    pub words: Option<Vec<String>>,
    /// The closing hash.
    pub hash: Option<[u8; 32]>,
    /// Counts at closing.
    pub counts: Option<Counts>,
    /// Transactions that had not left at closing.
    pub unsent: Option<u32>,
    /// The fault they found.
    pub fault: Option<(Fault, Option<Recorded>)>,
    /// What was not as it should be.
    pub complaints: Vec<String>,
}

/// A staff card in a hand, with its PIN.
#[derive(Clone)]
pub struct Badge {
    /// The card.
    pub card: Card,
    /// Its PIN.
    pub pin: String,
}

/// Two people who can be at one kiosk at a time.
pub struct Crew {
    badges: [Badge; 2],
    busy: Cell<bool>,
    free: Notify,
}

impl Crew {
    /// Two people with their cards.
    #[must_use]
    pub fn new(badges: [Badge; 2]) -> Self {
        Self {
            badges,
            busy: Cell::new(false),
            free: Notify::default(),
        }
    }

    /// Waits until they have time, and takes them until the value is dropped.
    pub async fn take(self: &Rc<Self>) -> Taken {
        self.free.wait_for(|| (!self.busy.get()).then_some(())).await;
        self.busy.set(true);
        Taken(self.clone())
    }
}

/// A crew at a kiosk.
pub struct Taken(Rc<Crew>);

impl Taken {
    /// Their cards.
    #[must_use]
    pub fn badges(&self) -> [Badge; 2] {
        self.0.badges.clone()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.busy.set(false);
        self.0.free.notify();
    }
}

/// Two people.
pub struct Staff {
    task: Task,
    badges: [Badge; 2],
    rng: ChaCha20Rng,
    /// What they wrote down.
    pub notes: Notes,
    done: bool,
    /// They have confirmed the closing words: the kiosk's program ends.
    ended: bool,
}

impl Staff {
    /// Two people with a task.
    #[must_use]
    pub fn new(task: Task, badges: [Badge; 2], rng: ChaCha20Rng) -> Self {
        Self {
            task,
            badges,
            rng,
            notes: Notes::default(),
            done: false,
            ended: false,
        }
    }

    /// Whether the kiosk did what they came for.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    fn touch(&mut self, touch: Touch) -> Next {
        Move::Touch(touch).after(self.rng.between(800, 2_000))
    }

    fn complain(&mut self, text: String) {
        if !self.notes.complaints.contains(&text) {
            self.notes.complaints.push(text);
        }
    }

    fn badge(&self, number: u8) -> Option<&Badge> {
        self.badges.get(usize::from(number).checked_sub(1)?)
    }

    fn at_pin(&mut self, number: u8, digits: u8) -> Next {
        let digit = self
            .badge(number)
            .and_then(|badge| badge.pin.as_bytes().get(usize::from(digits)))
            .map(|digit| digit - b'0');
        match digit {
            Some(digit) => Move::Touch(Touch::Digit(digit)).after(400),
            None => self.touch(Touch::Enter),
        }
    }

    fn at_menu(&mut self, phase: Phase) -> Next {
        match (self.task, phase) {
            _ if self.done => self.touch(Touch::Back),
            (Task::Open(_), Phase::NotOpened) => self.touch(Touch::Staff(StaffTouch::Open)),
            (Task::Close, Phase::Open) => self.touch(Touch::Staff(StaffTouch::Close)),
            (Task::Accept, Phase::NotOpened) => self.leave(),
            (Task::Restart | Task::Open(_) | Task::TakeOver, Phase::Open) => self.touch(Touch::Back),
            (task, phase) => {
                self.complain(format!("staff came to {task:?}, but the kiosk is {phase:?}"));
                Move::Leave.after(SECOND)
            }
        }
    }

    fn leave(&mut self) -> Next {
        self.done = true;
        Move::Leave.after(SECOND)
    }

    fn at_staff(&mut self, view: &StaffView) -> Next {
        match view {
            StaffView::Menu { phase, .. } => self.at_menu(*phase),
            StaffView::Provision { kiosk, .. } => {
                self.notes.kiosk = Some(*kiosk);
                self.touch(Touch::Confirm)
            }
            StaffView::AwaitSecret { .. } if self.task == Task::Provision => self.leave(),
            StaffView::AwaitSecret { refused } => {
                if *refused {
                    self.complain("the kiosk refuses what the desk sealed for it".to_owned());
                }
                self.touch(Touch::Confirm)
            }
            StaffView::ChooseEpoch { .. } => match self.task {
                Task::Open(epoch) => self.touch(Touch::Staff(StaffTouch::Epoch(epoch))),
                _ => self.touch(Touch::Back),
            },
            StaffView::InsertCard { number, .. } => match self.badge(*number) {
                Some(badge) => Move::Insert(badge.card.clone()).after(2 * SECOND),
                None => self.touch(Touch::Back),
            },
            StaffView::CardRefused(why) => {
                self.complain(format!("a staff card was refused: {why:?}"));
                Move::Pull.after(SECOND)
            }
            StaffView::TakeCard => Move::Pull.after(SECOND),
            StaffView::ZeroReport(report) => {
                self.notes.zero_report = Some(report.clone());
                self.touch(Touch::Confirm)
            }
            StaffView::Restarted(found) => {
                // What staff have read of the voter they know: after a cut that falls when they confirm it, the kiosk says it no more.
                let read = self.notes.restarted.and_then(|before| before.voter);
                self.notes.restarted = Some(Restarted {
                    voter: found.voter.or(read),
                    ..*found
                });
                self.touch(Touch::Confirm)
            }
            StaffView::TakeOver { recorded, .. } => {
                self.notes.taken_over = Some(*recorded);
                self.touch(Touch::Confirm)
            }
            StaffView::ConfirmClose(_) if self.task == Task::Close => self.touch(Touch::Confirm),
            StaffView::ConfirmClose(_) => self.touch(Touch::Back),
            StaffView::Closed {
                hash,
                words,
                counts,
                unsent,
            } => {
                self.notes.words = Some(words.clone());
                self.notes.hash = Some(*hash);
                self.notes.counts = Some(*counts);
                self.notes.unsent = Some(*unsent);
                self.done = true;
                // Two witnesses write twelve words; meanwhile the last batch leaves.
                Move::Touch(Touch::Confirm).after(90 * SECOND)
            }
            StaffView::Unknown => {
                self.complain("staff see a screen nobody knows".to_owned());
                Move::Leave.after(SECOND)
            }
        }
    }
}

impl Person for Staff {
    fn look(&mut self, view: &View, card_in: bool) -> Next {
        match view {
            _ if self.ended => Move::Leave.after(SECOND),
            View::Dark => {
                if card_in {
                    Move::Pull.after(SECOND)
                } else {
                    Move::Leave.after(SECOND)
                }
            }
            View::Pin {
                who: PinOf::Staff(number),
                digits,
                ..
            } => self.at_pin(*number, *digits),
            View::LastTry(PinOf::Staff(_)) => self.touch(Touch::Confirm),
            View::Idle => match self.task {
                Task::Close if !self.done => self.touch(Touch::Staff(StaffTouch::Menu)),
                _ => self.leave(),
            },
            View::Staff(view) => self.at_staff(view),
            View::Fault { why, recorded } => {
                self.notes.fault = Some((*why, *recorded));
                Move::Leave.after(SECOND)
            }
            View::Blank | View::Starting | View::Admitting | View::Recording | View::Encrypting => Move::Wait.after(0),
            other => {
                self.complain(format!("staff came to {:?} and see {other:?}", self.task));
                Move::Leave.after(SECOND)
            }
        }
    }

    fn made(&mut self, made: &Move) {
        self.ended = matches!(made, Move::Touch(Touch::Confirm)) && self.notes.words.is_some();
    }

    fn name(&self) -> String {
        format!("staff ({:?})", self.task)
    }
}
