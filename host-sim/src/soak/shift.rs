//! One station's day under trouble: staff who open, restart, replace and close, and voters who come one after the other.
//!
//! Staff do what the screen says and no more: restart once, then put a spare in the place of a kiosk whose medium has failed; put the right
//! media in where the kiosk refuses the wrong ones by name.

mod books;
mod repair;
mod visit;

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Result, bail, ensure};
use embassy_futures::select::{Either, select};
use kiosk::session::WrongCard;

use super::fuses::Fuses;
use super::laws::{Book, Law};
use super::overseer::Overseer;
use super::reading::Reading;
use super::trouble::Wrong;
use super::weather::Weather;
use crate::day::Citizen;
use crate::truth::Visited;
use crate::voters::plan::Visit;
use crate::voters::staff::{Crew, Notes, Staff, Task};
use crate::voters::voter::Voter;
use crate::world::machine::{Machine, World};
use crate::world::media::Shared;
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
