//! Lets troubles happen to one station's kiosk, whichever kiosk stands there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kiosk::ballot_box::Role;

use super::overseer::Overseer;
use super::trouble::{Illness, Side, Trouble, What, When, Wrong};
use crate::world::ailments::{Ailments, Dice, FOR_EVER};
use crate::world::executor::Executor;
use crate::world::machine::Machine;
use crate::world::media::Shared;
use crate::world::network::Outage;

/// The troubles of one station.
pub struct Weather {
    executor: Executor,
    overseer: Rc<Overseer>,
    machine: RefCell<Rc<Machine>>,
    seed: u64,
    over: Cell<bool>,
    /// Whether the medium in that slot is or was ill: a reason for a kiosk to complain of it.
    ill: Cell<[bool; 2]>,
    /// Whether random source or memory failed: reasons as well.
    entropy: Cell<bool>,
    store: Cell<bool>,
    postcards: Cell<u32>,
    wrong: Cell<Option<Wrong>>,
    older: RefCell<Option<[Shared; 2]>>,
    takeover: Cell<Option<Side>>,
    happened: RefCell<BTreeMap<&'static str, u64>>,
}

impl Weather {
    /// Begins at a machine; nothing happens before [`Weather::begin`].
    #[must_use]
    pub fn new(executor: Executor, overseer: Rc<Overseer>, machine: Rc<Machine>, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            executor,
            overseer,
            machine: RefCell::new(machine),
            seed,
            over: Cell::new(false),
            ill: Cell::default(),
            entropy: Cell::default(),
            store: Cell::default(),
            postcards: Cell::default(),
            wrong: Cell::default(),
            older: RefCell::default(),
            takeover: Cell::default(),
            happened: RefCell::default(),
        })
    }

    /// Sets everything going; polls open at `opens`.
    pub fn begin(self: &Rc<Self>, troubles: &[Trouble], opens: u64) {
        let mut votes: BTreeMap<(Role, u32), Illness> = BTreeMap::new();
        for (number, trouble) in (0u64..).zip(troubles) {
            match (trouble.when, trouble.what) {
                (When::At(at), what) => {
                    let weather = self.clone();
                    let _ = self.executor.spawn(async move {
                        weather.executor.time().until(opens + at).await;
                        weather.happens(what, number).await;
                    });
                }
                (When::Vote(vote), What::Medium(side, illness)) => {
                    votes.insert((side.role(), vote), illness);
                }
                (When::Vote(_), _) => {}
            }
        }
        let weather = self.clone();
        self.overseer.at_vote(Box::new(move |medium, role, number| {
            if let Some(illness) = votes.get(&(role, number)) {
                weather.falls_ill(medium, role, *illness, u64::from(number) + 1000);
            }
        }));
    }

    /// Nothing happens any more.
    pub fn end(&self) {
        self.over.set(true);
        // A medium that would be full only now is not known to be by anybody.
        for medium in self
            .machine
            .borrow()
            .slots
            .iter()
            .filter_map(crate::world::media::Slot::medium)
        {
            let mut medium = medium.borrow_mut();
            let ailments = Ailments {
                room: None,
                ..medium.ailments()
            };
            medium.set_ailments(ailments, self.seed);
        }
    }

    /// Another kiosk stands there now.
    pub fn moves_to(&self, machine: Rc<Machine>) {
        *self.machine.borrow_mut() = machine;
    }

    /// Whether the medium in that slot has given a reason to complain.
    #[must_use]
    pub fn has_been_ill(&self, role: Role) -> bool {
        self.ill.get()[role as usize]
    }

    /// Whether the random source has failed.
    #[must_use]
    pub fn had_no_entropy(&self) -> bool {
        self.entropy.get()
    }

    /// Whether the internal memory has failed.
    #[must_use]
    pub fn had_no_store(&self) -> bool {
        self.store.get()
    }

    /// A postcard to be pushed into the reader, if there is one.
    #[must_use]
    pub fn postcard(&self) -> bool {
        let left = self.postcards.get();
        self.postcards.set(left.saturating_sub(1));
        left > 0
    }

    /// Media to be put in wrongly at this restart.
    #[must_use]
    pub fn wrong_media(&self) -> Option<Wrong> {
        self.wrong.take()
    }

    /// The media as they were when the trouble named them.
    #[must_use]
    pub fn older(&self) -> Option<[Shared; 2]> {
        self.older.take()
    }

    /// A spare is to take over with this medium.
    #[must_use]
    pub fn takeover(&self) -> Option<Side> {
        self.takeover.take()
    }

    /// What happened, by kind.
    #[must_use]
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.happened.borrow().clone()
    }

    fn count(&self, kind: &'static str) {
        *self.happened.borrow_mut().entry(kind).or_default() += 1;
    }

    async fn happens(&self, what: What, number: u64) {
        if self.over.get() {
            return;
        }
        let machine = self.machine.borrow().clone();
        let time = self.executor.time().clone();
        if !matches!(what, What::Medium(..)) {
            self.count(what.kind());
        }
        match what {
            What::Cut => machine.power.cut(),
            What::Clock(seconds) => machine
                .clock_error
                .set(machine.clock_error.get().saturating_add(seconds)),
            What::Network(length) => machine.network.add(Outage {
                from: time.now(),
                until: time.now() + length,
            }),
            What::Entropy(length) => {
                self.entropy.set(true);
                machine.entropy_works.set(false);
                time.sleep(length).await;
                machine.entropy_works.set(true);
            }
            What::Store(length) => {
                self.store.set(true);
                machine.store_works.set(false);
                time.sleep(length).await;
                machine.store_works.set(true);
            }
            What::Postcard => self.postcards.set(self.postcards.get() + 1),
            What::WrongMedia(wrong) => {
                if wrong == Wrong::Older {
                    let copy = |index: usize| -> Option<Shared> {
                        let medium = machine.slots[index].medium()?;
                        let copy = medium.borrow().durable();
                        Some(Rc::new(RefCell::new(copy)))
                    };
                    *self.older.borrow_mut() = copy(0).zip(copy(1)).map(|(one, two)| [one, two]);
                }
                self.wrong.set(Some(wrong));
            }
            What::TakeOver(side) => self.takeover.set(Some(side)),
            What::Medium(side, illness) => {
                let role = side.role();
                let Some(medium) = machine.slots[role as usize].medium() else {
                    return;
                };
                self.falls_ill(&medium, role, illness, number);
                if let Illness::FlipsWrites(length) | Illness::FlipsReads(length) = illness {
                    time.sleep(length).await;
                    let mut medium = medium.borrow_mut();
                    let healed = Ailments {
                        flips_writes: 0,
                        flips_reads: 0,
                        ..medium.ailments()
                    };
                    medium.set_ailments(healed, self.seed);
                }
            }
        }
    }

    fn falls_ill(&self, medium: &Shared, role: Role, illness: Illness, number: u64) {
        self.count(What::Medium(Side::Original, illness).kind());
        let mut ill = self.ill.get();
        ill[role as usize] = true;
        self.ill.set(ill);
        self.overseer.falls_ill(role);
        let now = self.executor.time().now();
        let mut medium = medium.borrow_mut();
        let mut ailments = medium.ailments();
        let mut dice = Dice::new(self.seed ^ number.wrapping_mul(0x9E37));
        match illness {
            Illness::Dies => {
                ailments.reads_fail_until = FOR_EVER;
                ailments.writes_fail_until = FOR_EVER;
            }
            Illness::ReadOnly => ailments.writes_fail_until = FOR_EVER,
            Illness::Faints(length) => {
                ailments.reads_fail_until = ailments.reads_fail_until.max(now + length);
                ailments.writes_fail_until = ailments.writes_fail_until.max(now + length);
            }
            Illness::WritesFail(length) => ailments.writes_fail_until = ailments.writes_fail_until.max(now + length),
            Illness::ReadsFail(length) => ailments.reads_fail_until = ailments.reads_fail_until.max(now + length),
            Illness::Lies => ailments.lies = true,
            Illness::FlipsWrites(_) => ailments.flips_writes = 200,
            Illness::FlipsReads(_) => ailments.flips_reads = 5,
            Illness::FillsUp(room) => ailments.room = Some(u64::from(room)),
            Illness::Stalls(slow, length) => ailments.slow = (slow, now + length),
            Illness::Rots(places) => {
                for _ in 0..places {
                    rot(&mut medium, &mut dice, self.overseer.newest(role));
                }
            }
        }
        medium.set_ailments(ailments, dice.roll());
    }
}

/// Labels are in the first sectors: damage to them is [`Illness::Dies`] with another name.
const LABELS: u64 = kiosk::ballot_box::LABELS as u64;

/// Flips a bit in something that was written, but in the newest vote: that a kiosk has just read back.
fn rot(medium: &mut crate::world::media::Memory, dice: &mut Dice, newest: Option<u64>) {
    let sector = u64::from(medium.sector());
    let sectors = medium.bytes().len() as u64 / sector;
    for _ in 0..200 {
        let offset = (LABELS + dice.below(sectors.saturating_sub(LABELS))) * sector;
        let near = newest.is_some_and(|newest| offset.abs_diff(newest) < 64 * sector);
        let start = usize::try_from(offset).unwrap_or(0);
        let written = medium
            .bytes()
            .get(start..start + 64)
            .is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0xFF));
        if written && !near {
            medium.damage(offset, 64, dice.roll());
            return;
        }
    }
}
