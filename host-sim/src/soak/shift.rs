//! One station's day under trouble: staff who open, restart, replace and close, and voters who come one after the other.
//!
//! Staff do what the screen says and no more: restart once, then put a spare in the place of a kiosk whose medium has failed; put the right
//! media in where the kiosk refuses the wrong ones by name.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use election::hash::Digest;
use embassy_futures::select::{Either, select};
use kiosk::ballot_box::{MediaFault, Role};
use kiosk::ports::MediumError;
use kiosk::screen::{Fault, Recorded, Restarted};
use kiosk::session::WrongCard;

use super::fuses::Fuses;
use super::laws::{Book, Law};
use super::overseer::Overseer;
use super::reading::{Reading, Standing as Stands};
use super::trouble::Wrong;
use super::weather::Weather;
use crate::day::Citizen;
use crate::truth::Visited;
use crate::voters::plan::Visit;
use crate::voters::staff::{Crew, Notes, Staff, Task};
use crate::voters::voter::{Standing, Voter};
use crate::world::machine::{Machine, World};
use crate::world::media::{Memory, Shared};
use crate::world::reader::Card;
use crate::world::time::{MINUTE, SECOND};
use crate::world::view::{StaffView, View};

/// How long a kiosk stays without power.
const DARK: u64 = 30 * SECOND;
/// How long staff wait before they try again, after a first restart has not helped.
const AGAIN: u64 = 10 * MINUTE;
/// How often staff or a voter try again before they say that the kiosk hangs.
const TRIES: u32 = 300;

/// What a station has.
pub struct Shift {
    /// The world.
    pub world: World,
    /// Number of the station, from 1.
    pub station: u16,
    /// Its staff.
    pub crew: Rc<Crew>,
    /// The kiosk that stands there.
    pub machine: Rc<Machine>,
    /// Spares, provisioned, with a fresh medium in each slot.
    pub spares: Vec<Rc<Machine>>,
    /// Checks.
    pub book: Rc<Book>,
    /// Reads media.
    pub reading: Rc<Reading>,
    /// Watches the kiosk.
    pub overseer: Rc<Overseer>,
    /// What goes wrong.
    pub weather: Rc<Weather>,
    /// Where the power fails.
    pub fuses: Rc<Fuses>,
    /// Media of the stations of this district, for those who put in the wrong one.
    pub neighbours: Rc<RefCell<Vec<(u16, Shared)>>>,
    /// Visits as they went.
    pub visits: Vec<Visited>,
    /// Media of kiosks that were replaced.
    pub removed: Vec<Shared>,
    /// Kiosks that stood here before.
    pub former: Vec<Rc<Machine>>,
    /// What staff wrote down at closing.
    pub closing: Option<Notes>,
    /// Right media while the wrong ones are in.
    pub put_back: Option<[Option<Shared>; 2]>,
    /// What the wrong ones are.
    pub wrong: Option<Wrong>,
    /// Faults in a row.
    pub failures: u32,
    /// Told for every visit.
    pub progress: Rc<dyn Fn()>,
}

/// A voter in the booth, as far as the sums are concerned.
struct Current<'v> {
    voter: &'v Voter,
    interrupted: u32,
}

impl Shift {
    /// The day.
    ///
    /// # Errors
    /// If somebody gets stuck.
    pub async fn run(mut self, opens: u64, closes: u64, line: Vec<(Rc<Citizen>, usize, Visit)>) -> Result<Self> {
        let time = self.world.executor.time().clone();
        time.until(opens - 10 * MINUTE).await;
        self.fuses.fit(&self.machine);
        self.must(Task::Open(0)).await?;
        for (citizen, number, visit) in line {
            time.until(opens + visit.at).await;
            citizen
                .free
                .wait_for(|| (citizen.visited.get() >= number).then_some(()))
                .await;
            self.between_voters().await?;
            let visited = self.visit(&citizen, &visit).await?;
            self.visits.push(visited);
            citizen.visited.set(citizen.visited.get() + 1);
            citizen.free.notify();
            (self.progress)();
        }
        time.until(closes).await;
        self.weather.end();
        while self.closing.is_none() {
            self.must(Task::Close).await?;
        }
        self.after_closing().await?;
        Ok(self)
    }

    fn check(&self, law: Law, holds: bool, what: impl FnOnce() -> String) {
        self.book.check(law, self.station, holds, what);
    }

    fn note(&self, text: &str) {
        if let Some(trace) = &self.world.trace {
            let (time, step) = (self.world.executor.time().now(), self.book.steps());
            trace(&format!("{time} step {step}, station {}: {text}", self.station));
        }
    }

    async fn between_voters(&mut self) -> Result<()> {
        if self.weather.postcard() {
            self.postcard().await?;
        }
        if let Some(surviving) = self.weather.takeover()
            && let Some(spare) = self.spares.pop()
        {
            self.replace(spare, surviving.role()).await?;
            self.settle(Task::TakeOver).await?;
        }
        Ok(())
    }

    /// Somebody pushes a piece of cardboard into the reader (Sabae 2003); staff pull it out.
    async fn postcard(&mut self) -> Result<()> {
        let time = self.world.executor.time().clone();
        if *self.machine.booth.view() != View::Idle {
            return Ok(());
        }
        self.note("a postcard is pushed into the reader");
        self.machine.booth.slot.insert(Card::cardboard());
        time.sleep(MINUTE).await;
        let view = self.machine.booth.view();
        let named = matches!(
            &*view,
            View::WrongCard(WrongCard::Mute) | View::Dark | View::Fault { .. }
        );
        self.check(Law::EveryRefusalHasAReason, named, || {
            format!("a postcard in the reader gives {view:?}")
        });
        self.machine.booth.slot.pull();
        time.sleep(20 * SECOND).await;
        Ok(())
    }

    /// Lets staff do something; what is in the way is put right first.
    async fn must(&mut self, task: Task) -> Result<()> {
        for _ in 0..TRIES {
            let (notes, done) = self.staff(task).await?;
            if notes.words.is_some() {
                self.closing = Some(notes);
                return Ok(());
            }
            if notes.fault.is_some() {
                self.settle(Task::Restart).await?;
            } else if done {
                return Ok(());
            } else {
                bail!("staff came to {task:?} and could not: {notes:?}");
            }
        }
        bail!("staff come to {task:?} again and again")
    }

    /// Staff at the kiosk, again after every power cut.
    async fn staff(&mut self, task: Task) -> Result<(Notes, bool)> {
        let mut notes = Notes::default();
        for attempt in 0..TRIES {
            let crew = self.crew.take().await;
            let rng = self
                .world
                .seed
                .rng(&format!("staff {} {task:?}", self.machine.name), u64::from(attempt));
            let mut staff = Staff::new(task, crew.badges(), rng);
            notes.fault = None;
            // What they have read of the voter they do not forget, if the power goes once more: the kiosk tells it once.
            let read = notes.restarted.filter(|found| found.voter.is_some());
            staff.notes = notes;
            self.machine.booth.attend(&mut staff).await?;
            let done = staff.is_done();
            notes = staff.notes;
            if notes.restarted.is_none_or(|found| found.voter.is_none()) {
                notes.restarted = read.or(notes.restarted);
            }
            drop(crew);
            if !self.machine.power.is_out() {
                ensure!(notes.complaints.is_empty(), "{}", notes.complaints.join("; "));
                return Ok((notes, done));
            }
            self.dark().await;
            self.machine.switch_on();
        }
        bail!("the power fails again and again")
    }

    async fn dark(&self) {
        self.machine.booth.wait_for(|view| *view == View::Dark).await;
        self.world.executor.time().sleep(DARK).await;
    }

    /// From a kiosk that has stopped to one that works, or is closed.
    async fn settle(&mut self, first: Task) -> Result<Option<Restarted>> {
        let mut task = first;
        let mut read: Option<Restarted> = None;
        for _ in 0..TRIES {
            if !self.machine.power.is_out() {
                self.machine.switch_off().await;
            }
            self.dark().await;
            self.exchange_media();
            self.machine.switch_on();
            let (notes, _) = self.staff(task).await?;
            let fault = notes.fault;
            if notes.restarted.is_some_and(|found| found.voter.is_some()) || read.is_none() {
                read = notes.restarted;
            }
            if notes.words.is_some() {
                self.closing = Some(notes.clone());
            }
            match fault {
                // A closed kiosk shows the words also if one medium is not there: it cannot know it from one that has died.
                None if self.wrong == Some(Wrong::Missing) && self.closing.is_some() => {
                    self.exchange_media();
                    self.failures = 0;
                    return Ok(read);
                }
                None if self.put_back.is_some() => {
                    self.check(Law::EveryRefusalHasAReason, false, || {
                        format!("the kiosk works with the wrong media: {:?}", self.wrong)
                    });
                    task = Task::Restart;
                }
                None => {
                    self.failures = 0;
                    return Ok(read);
                }
                Some((fault, _)) => task = self.cure(fault).await?,
            }
        }
        bail!("the kiosk does not come back")
    }

    /// Staff take the right media out and put others in, or the right ones in again.
    fn exchange_media(&mut self) {
        if let Some(right) = self.put_back.take() {
            self.wrong = None;
            for (slot, medium) in self.machine.slots.iter().zip(right) {
                slot.put(medium);
            }
            return;
        }
        let Some(wrong) = self.weather.wrong_media() else {
            return;
        };
        let right = self.machine.slots.each_ref().map(crate::world::media::Slot::medium);
        let [Some(original), Some(duplicate)] = &right else {
            return;
        };
        let copy = |medium: &Shared| -> Option<Shared> { Some(Rc::new(RefCell::new(medium.borrow().durable()))) };
        // Only where they differ from what the kiosk may remember can an older copy be refused.
        let older = self.weather.older();
        let media: [Option<Shared>; 2] = match wrong {
            Wrong::Stray => {
                let (size, sector) = (original.borrow().bytes().len(), original.borrow().sector());
                let stray = Rc::new(RefCell::new(Memory::new(size, sector)));
                [Some(stray), Some(duplicate.clone())]
            }
            Wrong::Swapped => [Some(duplicate.clone()), Some(original.clone())],
            Wrong::Twice => [Some(original.clone()), copy(original)],
            Wrong::Missing => [Some(original.clone()), None],
            Wrong::Foreign => {
                let neighbours = self.neighbours.borrow();
                let other = neighbours.iter().find(|(station, _)| *station != self.station);
                let Some((_, other)) = other else { return };
                [copy(other), Some(duplicate.clone())]
            }
            Wrong::Older => {
                let Some([one, two]) = older else { return };
                let same = |old: &Shared, new: &Shared| {
                    let votes =
                        |medium: &Shared| Reading::content(&medium.borrow()).map(|content| content.records.len());
                    matches!((votes(old), votes(new)), (Ok(old), Ok(new)) if old >= new)
                };
                if same(&one, original) || same(&two, duplicate) {
                    return;
                }
                [Some(one), Some(two)]
            }
        };
        self.note(&format!("staff put in the wrong media: {wrong:?}"));
        self.wrong = Some(wrong);
        for (slot, medium) in self.machine.slots.iter().zip(media) {
            slot.put(medium);
        }
        self.put_back = Some(right);
    }

    /// What staff do about a fault; gives what they come for next.
    async fn cure(&mut self, fault: Fault) -> Result<Task> {
        self.note(&format!("fault {fault:?}"));
        let reason = |shift: &Self, holds: bool| {
            shift.check(Law::EveryRefusalHasAReason, holds, || {
                format!("the kiosk stops with {fault:?}, for which there is no reason")
            });
        };
        if let Some(wrong) = self.wrong {
            let named = names(wrong, fault)
                || role_of(fault).is_some_and(|role| self.weather.has_been_ill(role))
                || fault == Fault::Entropy && self.weather.had_no_entropy()
                || fault == Fault::Store && self.weather.had_no_store();
            self.check(Law::EveryRefusalHasAReason, named, || {
                format!("wrong media ({wrong:?}) are refused as {fault:?}")
            });
            return Ok(Task::Restart);
        }
        self.failures += 1;
        match (role_of(fault), fault) {
            (Some(role), _) => {
                reason(self, self.weather.has_been_ill(role));
                if self.failures >= 2
                    && let Some(spare) = self.spares.pop()
                {
                    self.replace(spare, role.other()).await?;
                    return Ok(Task::TakeOver);
                }
            }
            (None, Fault::Entropy) => reason(self, self.weather.had_no_entropy()),
            (None, Fault::Store) => reason(self, self.weather.had_no_store()),
            (None, _) => {
                reason(self, false);
                bail!("out of order: {fault:?}");
            }
        }
        if self.failures >= 2 {
            self.world.executor.time().sleep(AGAIN).await;
        }
        Ok(Task::Restart)
    }

    /// Takes the kiosk out; a spare stands there with the surviving medium, without power yet.
    async fn replace(&mut self, spare: Rc<Machine>, surviving: Role) -> Result<()> {
        self.note(&format!("a spare takes over with the {surviving}"));
        if !self.machine.power.is_out() {
            self.machine.switch_off().await;
        }
        self.machine.booth.wait_for(|view| *view == View::Dark).await;
        let index = surviving as usize;
        let medium = self.machine.slots[index]
            .put(None)
            .context("the surviving medium is missing")?;
        self.removed.extend(self.machine.slots[1 - index].put(None));
        spare.slots[index].put(Some(medium));
        self.world.executor.time().sleep(5 * MINUTE).await;
        // Whoever stood there takes their card along.
        self.machine.booth.slot.pull();
        self.fuses.fit(&spare);
        spare.power.cut();
        spare.booth.put(View::Dark);
        self.weather.moves_to(spare.clone());
        self.former.push(std::mem::replace(&mut self.machine, spare));
        self.failures = 0;
        Ok(())
    }

    /// What stands on the media that are in, by their durable bytes.
    fn stands(&self) -> Stands {
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
    fn truth(&self, current: Option<&Current<'_>>) -> ([u32; 3], BTreeSet<Digest>, usize) {
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
    fn compare(&self, stands: &Stands, current: Option<&Current<'_>>) {
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

    async fn visit(&mut self, citizen: &Citizen, visit: &Visit) -> Result<Visited> {
        let name = format!("voter {}", citizen.number);
        let rng = self.world.seed.rng(&name, citizen.visited.get() as u64);
        let mut voter = Voter::new(name, citizen.card.clone(), &citizen.pin, visit.script.clone(), rng);
        let mut interrupted = 0;
        for _ in 0..TRIES {
            self.machine.booth.attend(&mut voter).await?;
            let fault = voter.diary.fault.take();
            if !self.machine.power.is_out() && fault.is_none() {
                return Ok(self.visited(voter, citizen, visit, interrupted));
            }
            let standing = voter.standing();
            let found = self.settle(Task::Restart).await?;
            let told = found.and_then(|found| found.voter);
            let stands = self.stands();
            self.note(&format!(
                "stopped with {fault:?} when they stood at {standing:?}; staff read {told:?}"
            ));
            // What the kiosk said when it stopped and what the restart says must not be each other's opposite (F3).
            let said = fault.and_then(|(_, said)| said);
            if standing == Standing::Booth && matches!(said, Some(Recorded::Yes | Recorded::No)) {
                self.check(Law::StaffLearnWhatStands, said == told, || {
                    format!("the kiosk stopped with {fault:?}, but staff read {told:?}")
                });
            }
            match (standing, told) {
                (Standing::Booth, Some(Recorded::Yes)) => voter.stands(),
                (Standing::Booth | Standing::Leaving, Some(Recorded::No)) => {
                    interrupted += 1;
                    voter.comes_back();
                }
                (Standing::Leaving, None) => voter.has_left(),
                (Standing::Door | Standing::Outside, _) => {
                    let current = Current {
                        voter: &voter,
                        interrupted,
                    };
                    // Whether the kiosk had let them in, only its log can tell.
                    let let_in = stands.count(1) > self.truth(Some(&current)).0[0];
                    if let_in {
                        self.check(Law::StaffLearnWhatStands, told == Some(Recorded::No), || {
                            format!("somebody was let in and cut off, and staff read {told:?}")
                        });
                        voter.diary.admitted += 1;
                        interrupted += 1;
                    }
                    if !voter.is_finished() {
                        voter.comes_back();
                    }
                }
                (standing, told) => {
                    self.check(Law::StaffLearnWhatStands, false, || {
                        format!("the kiosk stopped when they stood at {standing:?}, and staff read {told:?}")
                    });
                    voter.comes_back();
                }
            }
            self.check(Law::StaffLearnWhatStands, true, String::new);
            let current = Current {
                voter: &voter,
                interrupted,
            };
            self.compare(&stands, Some(&current));
            if voter.is_finished() {
                return Ok(self.visited(voter, citizen, visit, interrupted));
            }
        }
        bail!("the kiosk stops again and again in front of voter {}", citizen.number)
    }

    fn visited(&self, voter: Voter, citizen: &Citizen, visit: &Visit, interrupted: u32) -> Visited {
        Visited {
            citizen: citizen.number,
            style: citizen.style,
            epoch: 0,
            station: self.station,
            expect: visit.expect,
            diary: voter.diary,
            interrupted,
        }
    }

    /// A closed kiosk is started once more, and somebody with a good card comes (A11).
    async fn after_closing(&mut self) -> Result<()> {
        self.machine.power.set_fuse(None);
        let time = self.world.executor.time().clone();
        if let Either::Second(()) = select(self.machine.ended(), time.sleep(AGAIN)).await {
            self.check(Law::NobodyHangs, false, || {
                "the program of a closed kiosk does not end".to_owned()
            });
        }
        let before = self.stands();
        self.compare(&before, None);
        if !self.machine.power.is_out() {
            self.machine.switch_off().await;
        }
        self.dark().await;
        self.machine.switch_on();
        self.machine
            .booth
            .wait_for(|view| matches!(view, View::Staff(StaffView::Closed { .. }) | View::Fault { .. }))
            .await;
        self.machine.booth.slot.insert(Card::cardboard());
        time.sleep(MINUTE).await;
        self.machine.booth.slot.pull();
        let after = self.stands();
        self.check(Law::ClosedStaysClosed, before.says_the_same(&after), || {
            "something was written after closing".to_owned()
        });
        self.machine.switch_off().await;
        Ok(())
    }
}

/// Which medium a fault speaks of.
const fn role_of(fault: Fault) -> Option<Role> {
    match fault {
        Fault::Medium(role, _) | Fault::ReadBack(role) => Some(role),
        Fault::Media(MediaFault::Device(role, _) | MediaFault::Label(role)) => Some(role),
        _ => None,
    }
}

/// Whether a fault names what is wrong with the media.
const fn names(wrong: Wrong, fault: Fault) -> bool {
    let Fault::Media(fault) = fault else { return false };
    matches!(
        (wrong, fault),
        (Wrong::Stray, MediaFault::Stray(Role::Original))
            | (Wrong::Swapped, MediaFault::Swapped)
            | (Wrong::Twice, MediaFault::Twice)
            | (
                Wrong::Foreign,
                MediaFault::OtherStation(Role::Original) | MediaFault::OtherKiosk(Role::Original)
            )
            | (Wrong::Older, MediaFault::Older)
            | (
                Wrong::Missing,
                MediaFault::Device(Role::Duplicate, MediumError::Missing)
            )
    )
}
