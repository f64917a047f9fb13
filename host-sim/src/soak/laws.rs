//! The laws, and the book in which every check of them stands. What is checked against is what voters did and saw, and the bytes on
//! the media; never what a kiosk counts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;

use crate::world::time::Timeline;

/// What holds, whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// A vote that a voter saw recorded, or that staff were told stands, stands on the media and in the totals.
    NoBallotLost,
    /// The box holds one ballot for each of them, and no other; the tally counts it once, also when an old medium turns up.
    NoBallotCountedTwice,
    /// No card has two votes at one kiosk.
    NoSecondVote,
    /// Admitted = recorded + abandoned + interrupted, on both media, each of them what the voters did (F5).
    AdmittedAddsUp,
    /// 完了 is shown only when both media have reported the vote as synced (A4).
    DoneOnlyAfterDurable,
    /// What is written to the duplicate stands on the original already, and never both at once (A9).
    OriginalThenDuplicate,
    /// Where a vote lies says nothing of when it came (V12).
    StorageRevealsNoOrder,
    /// Nothing of a card lies on the media, in the kiosk's store or on the chain (V12).
    NothingWrittenNamesACard,
    /// After closing no vote is possible, also after a restart (A11).
    ClosedStaysClosed,
    /// A kiosk that refuses a medium or a card, or stops, names what is really wrong (F6, F8).
    EveryRefusalHasAReason,
    /// After a cut or a fault staff read whether the vote of whoever stood there stands, and so it is (F2, F3).
    StaffLearnWhatStands,
    /// Every voter sees what they did, and the published totals are their choices.
    TotalsAreTheVoters,
    /// Nobody waits for ever: a kiosk that can work works again.
    NobodyHangs,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::NoBallotLost,
        Self::NoBallotCountedTwice,
        Self::NoSecondVote,
        Self::AdmittedAddsUp,
        Self::DoneOnlyAfterDurable,
        Self::OriginalThenDuplicate,
        Self::StorageRevealsNoOrder,
        Self::NothingWrittenNamesACard,
        Self::ClosedStaysClosed,
        Self::EveryRefusalHasAReason,
        Self::StaffLearnWhatStands,
        Self::TotalsAreTheVoters,
        Self::NobodyHangs,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoBallotLost => "no_ballot_lost",
            Self::NoBallotCountedTwice => "no_ballot_counted_twice",
            Self::NoSecondVote => "no_second_vote",
            Self::AdmittedAddsUp => "admitted_equals_recorded_plus_abandoned_plus_interrupted",
            Self::DoneOnlyAfterDurable => "done_only_after_durable",
            Self::OriginalThenDuplicate => "original_then_duplicate",
            Self::StorageRevealsNoOrder => "storage_reveals_no_order",
            Self::NothingWrittenNamesACard => "nothing_written_names_a_card",
            Self::ClosedStaysClosed => "closed_stays_closed",
            Self::EveryRefusalHasAReason => "every_refusal_has_a_reason",
            Self::StaffLearnWhatStands => "staff_learn_what_stands",
            Self::TotalsAreTheVoters => "totals_are_the_voters",
            Self::NobodyHangs => "nobody_hangs",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A law that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Its name.
    pub law: &'static str,
    /// Number of the district's run.
    pub district: u32,
    /// Station; 0 if it is none's alone.
    pub station: u16,
    /// Step: writes to media and pictures on panels so far.
    pub step: u64,
    /// Milliseconds since the world began.
    pub ms: u64,
    /// What was seen.
    pub what: String,
}

/// Violations that are kept: the first ones tell.
const KEPT: usize = 16;

/// Everything that was checked in one world.
pub struct Book {
    time: Rc<Timeline>,
    district: u32,
    steps: Cell<u64>,
    checks: RefCell<BTreeMap<Law, u64>>,
    violations: RefCell<Vec<Violation>>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(time: Rc<Timeline>, district: u32) -> Rc<Self> {
        Rc::new(Self {
            time,
            district,
            steps: Cell::new(0),
            checks: RefCell::default(),
            violations: RefCell::default(),
        })
    }

    /// One more step.
    pub fn step(&self) {
        self.steps.set(self.steps.get() + 1);
    }

    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Notes a check.
    pub fn check(&self, law: Law, station: u16, holds: bool, what: impl FnOnce() -> String) {
        *self.checks.borrow_mut().entry(law).or_default() += 1;
        let mut violations = self.violations.borrow_mut();
        if !holds && violations.len() < KEPT {
            violations.push(Violation {
                law: law.name(),
                district: self.district,
                station,
                step: self.steps.get(),
                ms: self.time.now(),
                what: what(),
            });
        }
    }

    /// Checks by law.
    #[must_use]
    pub fn checks(&self) -> BTreeMap<Law, u64> {
        self.checks.borrow().clone()
    }

    /// What did not hold.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.violations.borrow().clone()
    }

    /// Whether everything held so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.borrow().is_empty()
    }
}
