//! Looks over one station's shoulder: every write before it happens, every picture as it appears. Checks what must hold at each of them,
//! and lets media fall ill at the very vote a trouble names.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use election::hash::Digest;
use kiosk::ballot_box::Role;
use kiosk::screen::PinOf;

use super::laws::{Book, Law};
use super::needles::Needles;
use super::reading::Reading;
use crate::world::boundary::Written;
use crate::world::media::{Memory, Shared, Slot};
use crate::world::view::{StaffView, View};
use crate::world::watch::Watch;

/// Called as a vote is about to be written: to which medium, and the how manieth there.
pub type AtVote = Box<dyn Fn(&Shared, Role, u32)>;

/// See the module.
pub struct Overseer {
    station: u16,
    book: Rc<Book>,
    reading: Rc<Reading>,
    /// The code on the screen, fixed until the vote is cast.
    code: Cell<Option<Digest>>,
    /// Where the vote that is being cast was written: original, duplicate.
    vote: RefCell<[Option<Place>; 2]>,
    done: Cell<bool>,
    closed: Cell<bool>,
    /// Where the event that closes was written to the duplicate last, and whether it was seen to stand there.
    event: Cell<Option<(u64, usize)>>,
    closed_on_duplicate: Cell<bool>,
    /// Media that have a reason to fail.
    ill: Cell<[bool; 2]>,
    votes: Cell<[u32; 2]>,
    at_vote: RefCell<Option<AtVote>>,
    /// Staff's cards are in: those may be named.
    staff: Cell<bool>,
    needles: RefCell<Needles>,
}

/// The event that closes polls.
const CLOSED: Written = Written::Event(6);

#[derive(Clone)]
struct Place {
    offset: u64,
    bytes: Vec<u8>,
}

impl Overseer {
    /// Somebody for a station.
    #[must_use]
    pub fn new(station: u16, book: Rc<Book>, reading: Rc<Reading>) -> Rc<Self> {
        Rc::new(Self {
            station,
            book,
            reading,
            code: Cell::new(None),
            vote: RefCell::new([None, None]),
            done: Cell::new(false),
            closed: Cell::new(false),
            event: Cell::default(),
            closed_on_duplicate: Cell::default(),
            ill: Cell::default(),
            votes: Cell::new([0; 2]),
            at_vote: RefCell::new(None),
            staff: Cell::new(true),
            needles: RefCell::default(),
        })
    }

    /// What is to happen as votes are written.
    pub fn at_vote(&self, act: AtVote) {
        *self.at_vote.borrow_mut() = Some(act);
    }

    /// A medium has a reason to fail from now on.
    pub fn falls_ill(&self, role: Role) {
        let mut ill = self.ill.get();
        ill[role as usize] = true;
        self.ill.set(ill);
    }

    /// Where the newest vote lies on a medium.
    #[must_use]
    pub fn newest(&self, role: Role) -> Option<u64> {
        self.vote.borrow()[role as usize].as_ref().map(|place| place.offset)
    }

    /// Everything that voters' cards have said at this station.
    #[must_use]
    pub fn needles(&self) -> Needles {
        self.needles.borrow().clone()
    }

    fn check(&self, law: Law, holds: bool, what: impl FnOnce() -> String) {
        self.book.check(law, self.station, holds, what);
    }

    fn ordered(&self, other: Option<&Shared>, role: Role, offset: u64, data: &[u8], what: Written) {
        let Some(other) = other else { return };
        let other = other.borrow();
        self.check(Law::OriginalThenDuplicate, other.is_all_reported_durable(), || {
            format!("{what:?} is written to the {role} while the other medium has not reported what it holds as synced")
        });
        // What is left of a closing may stand on the duplicate alone, if the original fails then (MEDIA.md, "Closed on one medium").
        let closing = matches!(what, Written::Closing | Written::Transaction | Written::Proof);
        let alone = closing && self.closed_on_duplicate.get() && self.ill.get()[Role::Original as usize];
        if role == Role::Duplicate && what != Written::Label && !alone {
            self.check(Law::OriginalThenDuplicate, stands(&other, offset, data), || {
                format!("{what:?} is written to the duplicate and is not on the original")
            });
        }
        if self.closed.get() && matches!(what, Written::Vote | Written::Spoiled | Written::Event(1)) {
            self.check(Law::ClosedStaysClosed, stands(&other, offset, data), || {
                format!("{what:?} is written to the {role} after closing")
            });
        }
    }

    fn done(&self, slots: &[Slot; 2]) {
        if self.done.replace(true) {
            return;
        }
        let vote = self.vote.replace([None, None]);
        let [Some(original), Some(duplicate)] = &vote else {
            self.check(Law::DoneOnlyAfterDurable, false, || {
                let on = vote.each_ref().map(Option::is_some);
                format!("done is shown; a vote was written to original and duplicate: {on:?}")
            });
            return;
        };
        let same = original.offset == duplicate.offset && original.bytes == duplicate.bytes;
        for (place, slot) in vote.iter().flatten().zip(slots) {
            let synced = slot.medium().is_some_and(|medium| {
                let medium = medium.borrow();
                medium.is_reported_durable(place.offset, place.bytes.len())
            });
            self.check(Law::DoneOnlyAfterDurable, synced && same, || {
                format!("done is shown; written alike on both: {same}, reported as synced: {synced}")
            });
        }
        if let Some(code) = self.code.get() {
            let found = self.reading.code_of_slot(self.station, &original.bytes);
            self.check(Law::TotalsAreTheVoters, found == Some(code), || {
                "the ballot written is not the one whose code was shown".to_owned()
            });
        }
    }
}

/// Whether this record or entry stands on a medium, reported as synced: at that place, or (a repair) anywhere. Behind it are zeros without
/// meaning; on a medium that flips bits they may be others, and are not copied.
fn stands(medium: &Memory, offset: u64, data: &[u8]) -> bool {
    let data = &data[..meaning(data)];
    let at = |start: usize| medium.bytes().get(start..start + data.len()) == Some(data);
    let here = usize::try_from(offset).is_ok_and(&at);
    if here {
        return medium.is_reported_durable(offset, data.len());
    }
    (0..medium.bytes().len())
        .step_by(medium.sector() as usize)
        .any(|start| at(start) && medium.is_reported_durable(start as u64, data.len()))
}

/// Bytes of a record or an entry with its header (MEDIA.md); all of what is neither.
fn meaning(data: &[u8]) -> usize {
    let length = |header: usize, at: usize| {
        let bytes = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok())?;
        let end = header.checked_add(usize::try_from(u32::from_be_bytes(bytes)).ok()?)?;
        (end <= data.len()).then_some(end)
    };
    let end = match data.get(..4) {
        Some(b"IPPB") => length(64, 8),
        Some(b"IPPJ") => length(32, 12),
        _ => None,
    };
    end.unwrap_or(data.len())
}

impl Watch for Overseer {
    fn write(&self, slots: &[Slot; 2], role: Role, offset: u64, data: &[u8]) {
        self.book.step();
        if let (Role::Duplicate, Some(medium)) = (role, slots[role as usize].medium()) {
            let before = self
                .event
                .take()
                .is_some_and(|(offset, length)| medium.borrow().is_reported_durable(offset, length));
            self.closed_on_duplicate.set(self.closed_on_duplicate.get() || before);
        }
        let sector = slots[role as usize]
            .medium()
            .map_or(512, |medium| medium.borrow().sector());
        let what = Written::of(offset, sector, data);
        self.ordered(slots[role.other() as usize].medium().as_ref(), role, offset, data, what);
        if what == CLOSED && role == Role::Duplicate {
            self.event.set(Some((offset, data.len())));
        }
        if what == Written::Vote {
            self.vote.borrow_mut()[role as usize] = Some(Place {
                offset,
                bytes: data.to_vec(),
            });
            let mut votes = self.votes.get();
            let number = votes[role as usize];
            votes[role as usize] += 1;
            self.votes.set(votes);
            if let (Some(act), Some(medium)) = (&*self.at_vote.borrow(), slots[role as usize].medium()) {
                act(&medium, role, number);
            }
        }
    }

    fn heard(&self, answer: &[u8]) {
        if !self.staff.get() {
            self.needles.borrow_mut().add(answer);
        }
    }

    fn shown(&self, slots: &[Slot; 2], view: &View) {
        self.book.step();
        self.staff.set(match view {
            View::Idle | View::Pin { who: PinOf::Voter, .. } | View::LastTry(PinOf::Voter) => false,
            View::Staff(_) | View::Pin { .. } | View::LastTry(_) | View::Starting => true,
            _ => self.staff.get(),
        });
        match view {
            View::CastOrChallenge { code, .. } => self.code.set(Some(*code)),
            View::Contest(_) | View::Review(_) | View::EndWithoutVote => {
                self.code.set(None);
                self.done.set(false);
                *self.vote.borrow_mut() = [None, None];
            }
            View::Done => self.done(slots),
            View::Idle | View::Dark => {
                self.done.set(false);
                self.code.set(None);
            }
            View::Staff(StaffView::Closed { .. }) => self.closed.set(true),
            _ => {}
        }
        if self.closed.get() {
            let shut = matches!(
                view,
                View::Staff(_) | View::Starting | View::Dark | View::Fault { .. } | View::Blank
            );
            self.check(Law::ClosedStaysClosed, shut, || {
                format!("a closed kiosk shows {view:?}")
            });
        }
    }
}
