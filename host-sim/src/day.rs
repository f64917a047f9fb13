//! One epoch at all kiosks: opening, voters, trouble, closing.
//!
//! Every kiosk has its own line of people; a person who comes twice comes in order. Polls close when they should and the line is
//! served.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use kiosk::screen::{Recorded, Restarted};

use crate::scenario::{MediumFailure, PlannedCut, Reissue, Replacement};
use crate::town::Issued;
use crate::truth::Visited;
use crate::voters::plan::{self, OPEN, Visit};
use crate::voters::staff::{Crew, Notes, Staff, Task};
use crate::voters::voter::{Standing, Voter};
use crate::world::machine::{Machine, World};
use crate::world::media::Shared;
use crate::world::notify::Notify;
use crate::world::reader::Card;
use crate::world::time::{MINUTE, SECOND};
use crate::world::view::View;

/// How long a power cut lasts.
const CUT: u64 = 30 * SECOND;
/// How often one visitor tries again after power cuts.
const COMES_BACK: u32 = 50;

/// Somebody with a card, in the streets.
pub struct Citizen {
    /// Index in the plan.
    pub number: usize,
    /// Ballot style.
    pub style: u16,
    /// The card.
    pub card: Card,
    /// Its PIN.
    pub pin: String,
    /// How many visits they have made.
    pub visited: Cell<usize>,
    /// Told when a visit is over.
    pub free: Notify,
}

impl Citizen {
    /// Everybody of the plan, each with the card of theirs.
    pub fn all(people: &[plan::Citizen], cards: &[Issued]) -> Vec<Rc<Self>> {
        let citizen = |(number, (person, issued)): (usize, (&plan::Citizen, &Issued))| {
            Rc::new(Self {
                number,
                style: person.style,
                card: issued.card.clone(),
                pin: issued.pin.clone(),
                visited: Cell::new(0),
                free: Notify::default(),
            })
        };
        people.iter().zip(cards).enumerate().map(citizen).collect()
    }

    /// A visit of theirs, as it went.
    pub fn went(&self, visit: &Visit, (station, epoch): (u16, u8), voter: Voter, interrupted: u32) -> Visited {
        Visited {
            citizen: self.number,
            style: self.style,
            epoch,
            station,
            expect: visit.expect,
            diary: voter.diary,
            interrupted,
        }
    }
}

/// Everything about one kiosk on one day.
pub struct Post {
    /// Its station.
    pub station: u16,
    /// The kiosk, registered, with package and media.
    pub machine: Rc<Machine>,
    /// Its staff.
    pub crew: Rc<Crew>,
    /// Visitors by time; the number is which visit of theirs it is.
    pub line: Vec<(Rc<Citizen>, usize, Visit)>,
    /// Power cuts to come, in order.
    pub cuts: Vec<PlannedCut>,
    /// Media that will fail.
    pub failures: Vec<MediumFailure>,
    /// A spare that takes over, with the media put aside for it.
    pub spare: Option<Spare>,
    /// A reissued package.
    pub reissue: Option<(Reissue, Rc<[u8]>)>,
}

/// A registered kiosk with a fresh medium in the slot of the one that will be lost.
pub struct Spare {
    /// What is to happen.
    pub plan: Replacement,
    /// The kiosk.
    pub machine: Rc<Machine>,
}

/// What a post brings back at night.
pub struct Evening {
    /// Station.
    pub station: u16,
    /// The kiosk that closed.
    pub machine: Rc<Machine>,
    /// Its media: original and duplicate.
    pub media: [Option<Shared>; 2],
    /// The medium that was left in a kiosk that a spare replaced.
    pub replaced: Option<Shared>,
    /// Notes at opening and at closing.
    pub notes: Vec<Notes>,
    /// Visits as they went.
    pub visits: Vec<Visited>,
    /// Power cuts that fell.
    pub cuts: u64,
}

/// What all posts of a day share.
#[derive(Clone)]
pub struct Day {
    /// The world.
    pub world: World,
    /// Epoch.
    pub epoch: u8,
    /// When polls open, in milliseconds since the world began.
    pub opens: u64,
    /// Told for every visit.
    pub progress: Rc<dyn Fn()>,
}

impl Day {
    /// Runs the epoch at one kiosk.
    ///
    /// # Errors
    /// If somebody gets stuck or a kiosk is out of order without a spare.
    pub async fn run(self, post: Post) -> Result<Evening> {
        let name = post.machine.name.clone();
        let epoch = self.epoch;
        let watch = Watch {
            day: self,
            station: post.station,
            crew: post.crew,
            machine: post.machine,
            cuts: post.cuts,
            failures: post.failures,
            spare: post.spare,
            reissue: post.reissue,
            replaced: None,
            notes: Vec::new(),
            visits: Vec::new(),
            fallen: 0,
        };
        watch
            .run(post.line)
            .await
            .with_context(|| format!("kiosk {name} in epoch {epoch}"))
    }
}

/// One kiosk's place during the day.
struct Watch {
    day: Day,
    station: u16,
    crew: Rc<Crew>,
    machine: Rc<Machine>,
    cuts: Vec<PlannedCut>,
    failures: Vec<MediumFailure>,
    spare: Option<Spare>,
    reissue: Option<(Reissue, Rc<[u8]>)>,
    replaced: Option<Shared>,
    notes: Vec<Notes>,
    visits: Vec<Visited>,
    fallen: u64,
}

impl Watch {
    async fn run(mut self, line: Vec<(Rc<Citizen>, usize, Visit)>) -> Result<Evening> {
        let time = self.day.world.executor.time().clone();
        let opens = self.day.opens;
        time.until(opens - 10 * MINUTE).await;
        self.must(Task::Open(self.day.epoch)).await?;
        time.until(opens).await;
        self.arm();
        for (citizen, number, visit) in line {
            self.events(opens + visit.at).await?;
            time.until(opens + visit.at).await;
            citizen
                .free
                .wait_for(|| (citizen.visited.get() >= number).then_some(()))
                .await;
            let visited = self.visit(&citizen, &visit).await?;
            self.visits.push(visited);
            citizen.visited.set(citizen.visited.get() + 1);
            citizen.free.notify();
            (self.day.progress)();
        }
        self.events(opens + OPEN).await?;
        time.until(opens + OPEN).await;
        self.must(Task::Close).await?;
        ensure!(
            self.notes.last().is_some_and(|notes| notes.words.is_some()),
            "no closing words were shown"
        );
        if let Err(why) = self.machine.ended().await {
            bail!("the kiosk's program ended with: {why}");
        }
        Ok(Evening {
            station: self.station,
            media: [self.machine.slots[0].put(None), self.machine.slots[1].put(None)],
            machine: self.machine,
            replaced: self.replaced,
            notes: self.notes,
            visits: self.visits,
            cuts: self.fallen,
        })
    }

    /// Sets the fuse for the next planned cut.
    fn arm(&mut self) {
        if !self.cuts.is_empty() {
            let cut = self.cuts.remove(0);
            self.machine.tears.set(cut.torn);
            self.machine.power.fail_after(cut.boundary);
        }
    }

    /// What is planned for this kiosk until then: a failing medium, a new package, a spare.
    async fn events(&mut self, until: u64) -> Result<()> {
        let time = self.day.world.executor.time().clone();
        let opens = self.day.opens;
        for failure in self.failures.extract_if(.., |failure| opens + failure.at <= until) {
            if let Some(medium) = self.machine.slots[failure.role as usize].medium() {
                medium.borrow_mut().set_condition(failure.condition);
            }
        }
        if let Some((reissue, package)) = self.reissue.take_if(|(reissue, _)| opens + reissue.at <= until) {
            time.until(opens + reissue.at).await;
            self.machine.switch_off().await;
            *self.machine.package.borrow_mut() = package;
            time.sleep(CUT).await;
            self.machine.switch_on();
            self.must(Task::Restart).await?;
        }
        if self.spare.as_ref().is_some_and(|spare| opens + spare.plan.at <= until) {
            let at = self.spare.as_ref().map_or(0, |spare| spare.plan.at);
            time.until(opens + at).await;
            self.take_over().await?;
        }
        Ok(())
    }

    /// Takes the kiosk out and lets the spare take over with the surviving medium.
    async fn take_over(&mut self) -> Result<Notes> {
        let spare = self.spare.take().context("there is no spare")?;
        self.machine.switch_off().await;
        let index = spare.plan.surviving as usize;
        let surviving = self.machine.slots[index]
            .put(None)
            .context("the surviving medium is missing")?;
        self.replaced = self.machine.slots[1 - index].put(None);
        // The spare's own medium for this slot goes back to the office.
        spare.machine.slots[index].put(Some(surviving));
        self.day.world.executor.time().sleep(5 * MINUTE).await;
        self.machine = spare.machine;
        self.machine.switch_on();
        self.must(Task::TakeOver).await
    }

    /// Lets staff do something that has to succeed.
    async fn must(&mut self, task: Task) -> Result<Notes> {
        let (notes, done) = self.staff(task).await?;
        if let Some(fault) = notes.fault {
            bail!("staff came to {task:?} and found the kiosk out of order: {fault:?}");
        }
        ensure!(done, "staff came to {task:?} and could not: {notes:?}");
        self.notes.push(notes.clone());
        Ok(notes)
    }

    /// Lets staff do something, again after every power cut.
    async fn staff(&mut self, task: Task) -> Result<(Notes, bool)> {
        let mut notes = Notes::default();
        for attempt in 0..COMES_BACK {
            let crew = self.crew.take().await;
            let rng = self
                .day
                .world
                .seed
                .rng(&format!("staff {} {task:?}", self.machine.name), u64::from(attempt));
            let mut staff = Staff::new(task, crew.badges(), rng);
            staff.notes = notes;
            self.machine.booth.attend(&mut staff).await?;
            let done = staff.is_done();
            notes = staff.notes;
            drop(crew);
            if !self.machine.power.is_out() {
                ensure!(notes.complaints.is_empty(), "{}", notes.complaints.join("; "));
                return Ok((notes, done));
            }
            self.power_back().await;
        }
        bail!("the power fails again and again")
    }

    async fn power_back(&mut self) {
        self.machine.booth.wait_for(|view| *view == View::Dark).await;
        self.day.world.executor.time().sleep(CUT).await;
        self.fallen += 1;
        self.machine.switch_on();
        self.arm();
    }

    /// After a cut or a fault: what the restart found. A kiosk that stays out of order is replaced, if there is a spare.
    async fn recover(&mut self) -> Result<Option<Restarted>> {
        if self.machine.power.is_out() {
            self.power_back().await;
        } else {
            self.machine.switch_off().await;
            self.day.world.executor.time().sleep(CUT).await;
            self.machine.switch_on();
        }
        let (notes, _) = self.staff(Task::Restart).await?;
        match notes.fault {
            None => {
                self.notes.push(notes.clone());
                Ok(notes.restarted)
            }
            Some(_) if self.spare.is_some() => Ok(self.take_over().await?.restarted),
            Some(fault) => bail!("the kiosk is out of order and there is no spare: {fault:?}"),
        }
    }

    async fn visit(&mut self, citizen: &Citizen, visit: &Visit) -> Result<Visited> {
        let name = format!("voter {}", citizen.number);
        let rng = self.day.world.seed.rng(&name, citizen.visited.get() as u64);
        let mut voter = Voter::new(name, citizen.card.clone(), &citizen.pin, visit.script.clone(), rng);
        let mut interrupted = 0;
        for _ in 0..COMES_BACK {
            self.machine.booth.attend(&mut voter).await?;
            let fault = voter.diary.fault.take();
            if !self.machine.power.is_out() && fault.is_none() {
                return Ok(citizen.went(visit, (self.station, self.day.epoch), voter, interrupted));
            }
            let standing = voter.standing();
            let found = self.recover().await?;
            // "The voter" on this screen is whoever was in the booth; nobody else is spoken of.
            let told = found.and_then(|found| found.voter);
            let cut_off = told == Some(Recorded::No);
            // What the kiosk said when it stopped and what the restart says must not be each other's opposite (F3).
            if let (Standing::Booth, Some((_, Some(Recorded::Yes | Recorded::No)))) = (standing, fault)
                && fault.and_then(|(_, said)| said) != told
            {
                let text = format!("the kiosk stopped with {fault:?}, but staff read {told:?}");
                voter.diary.complaints.push(text);
            }
            match (standing, told) {
                // Staff say that the vote stands: then it has to be in the totals.
                (Standing::Booth, Some(Recorded::Yes)) => voter.stands(),
                (Standing::Booth | Standing::Leaving, Some(Recorded::No)) if cut_off => {
                    interrupted += 1;
                    voter.comes_back();
                }
                (Standing::Leaving, None) => voter.has_left(),
                // Whether the kiosk had let them in, only its log can tell.
                (Standing::Door, Some(Recorded::No)) if cut_off => {
                    voter.diary.admitted += 1;
                    interrupted += 1;
                    voter.comes_back();
                }
                (Standing::Door | Standing::Outside, _) if !cut_off => {
                    if !voter.is_finished() {
                        voter.comes_back();
                    }
                }
                (standing, told) => {
                    let text = format!("the kiosk stopped when they stood at {standing:?}, and staff read {told:?}");
                    voter.diary.complaints.push(text);
                    voter.comes_back();
                }
            }
            if voter.is_finished() {
                return Ok(citizen.went(visit, (self.station, self.day.epoch), voter, interrupted));
            }
        }
        bail!("the kiosk stops again and again in front of voter {}", citizen.number)
    }
}
