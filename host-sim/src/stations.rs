//! The stations of one epoch: kiosks are registered, get package, media and secret; then the day runs at all of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use chacha20::ChaCha20Rng;
use election::hash::Digest;
use kiosk::ports::Item;
use staff::progress::Progress;

use crate::day::{Citizen, Day, Evening, Post, Spare};
use crate::office::{Office, software};
use crate::report::Counter;
use crate::scenario::Scenario;
use crate::voters::plan::Visit;
use crate::voters::staff::{Crew, Staff, Task};
use crate::world::machine::{Machine, Setup, World};
use crate::world::network::{Network, Outage};
use crate::world::time::HOUR;
use crate::world::view::{StaffView, View};

/// The world begins at four in the afternoon of the day before; polls open at seven in the morning, Japanese time.
const FIRST_OPENING: u64 = 15 * HOUR;
const NEXT_OPENING: u64 = 24 * HOUR;

/// Everything that provisioning a station needs.
pub struct Stations<'p> {
    pub scenario: &'p Scenario,
    pub office: &'p Office<'p>,
    pub world: &'p World,
    pub roll: &'p [u8],
    pub certificates: &'p [Vec<u8>],
    pub crews: Vec<Rc<Crew>>,
}

/// Two of the crew do something at a kiosk that is on, and have nothing to complain of.
///
/// # Errors
/// What they complain of; if they get stuck.
pub fn attend(world: &World, machine: &Rc<Machine>, crew: &Rc<Crew>, task: Task, rng: ChaCha20Rng) -> Result<()> {
    let (machine, crew) = (machine.clone(), crew.clone());
    world.executor.run(async move {
        let crew = crew.take().await;
        let mut staff = Staff::new(task, crew.badges(), rng);
        machine.booth.attend(&mut staff).await?;
        ensure!(
            staff.notes.complaints.is_empty(),
            "{}",
            staff.notes.complaints.join("; ")
        );
        Ok(())
    })?
}

impl Stations<'_> {
    /// When polls open, in milliseconds since the world began.
    pub const fn opens(epoch: u8) -> u64 {
        FIRST_OPENING + epoch as u64 * NEXT_OPENING
    }

    /// Provisions every kiosk of an epoch, and the spares.
    pub fn posts(&self, epoch: u8, lines: Vec<Vec<(Rc<Citizen>, usize, Visit)>>) -> Result<Vec<Post>> {
        let time = self.world.executor.time().clone();
        let eve = Self::opens(epoch) - FIRST_OPENING;
        self.world.executor.run(async move { time.until(eve).await })?;
        lines
            .into_iter()
            .enumerate()
            .map(|(kiosk, mut line)| {
                line.sort_by_key(|(citizen, number, visit)| (visit.at, citizen.number, *number));
                self.post(epoch, kiosk, line)
            })
            .collect()
    }

    fn post(&self, epoch: u8, kiosk: usize, line: Vec<(Rc<Citizen>, usize, Visit)>) -> Result<Post> {
        let station = u16::try_from(kiosk + 1)?;
        let crew = self.crews[kiosk % self.crews.len()].clone();
        let package: Rc<[u8]> = self.office.package(station, 1, self.roll, self.certificates)?.into();
        let votes = u32::try_from(line.len())? + 16;
        let challenges: u32 = line
            .iter()
            .map(|(_, _, visit)| u32::from(visit.script.challenges))
            .sum();
        let needs = (votes, challenges + 8);
        let machine = self.machine(&format!("{kiosk}"), station, epoch, &package);
        self.provision(&machine, &crew, station, epoch, needs, true)
            .with_context(|| format!("provisioning kiosk {kiosk} for epoch {epoch}"))?;
        let here = |at: (usize, u8)| at == (kiosk, epoch);
        let spare = match self
            .scenario
            .replacements
            .iter()
            .find(|one| here((one.kiosk, one.epoch)))
        {
            None => None,
            Some(plan) => {
                let spare = self.machine(&format!("{kiosk} spare"), station, epoch, &package);
                self.provision(&spare, &crew, station, epoch, needs, false)
                    .with_context(|| format!("provisioning the spare of kiosk {kiosk} for epoch {epoch}"))?;
                Some(Spare {
                    plan: *plan,
                    machine: spare,
                })
            }
        };
        let reissue = match self.scenario.reissues.iter().find(|one| here((one.kiosk, one.epoch))) {
            None => None,
            Some(plan) => {
                let package = self.office.package(station, 2, self.roll, self.certificates)?;
                Some((*plan, package.into()))
            }
        };
        Ok(Post {
            station,
            machine,
            crew,
            line,
            cuts: self
                .scenario
                .cuts
                .iter()
                .filter(|cut| here((cut.kiosk, cut.epoch)))
                .copied()
                .collect(),
            failures: self
                .scenario
                .failures
                .iter()
                .filter(|failure| here((failure.kiosk, failure.epoch)))
                .copied()
                .collect(),
            spare,
            reissue,
        })
    }

    /// A kiosk without power and media, its package in it.
    pub fn machine(&self, name: &str, station: u16, epoch: u8, package: &Rc<[u8]>) -> Rc<Machine> {
        let kiosk = usize::from(station) - 1;
        let outages = self
            .scenario
            .outages
            .iter()
            .filter(|outage| outage.epoch == epoch && outage.kiosk.is_none_or(|number| number == kiosk))
            .map(|outage| Outage {
                from: Self::opens(epoch) + outage.from,
                until: Self::opens(epoch) + outage.until,
            })
            .collect();
        let setup = Setup {
            authority: self.office.authority(),
            station,
            software: software(),
        };
        let machine = Machine::new(
            self.world,
            format!("{name} of epoch {epoch}"),
            setup,
            Network::new(outages),
        );
        *machine.package.borrow_mut() = package.clone();
        machine
    }

    /// Two staff cards register the kiosk; the desk formats its media and seals the election secret to it. A spare does not mount
    /// its media: they have to be empty when it takes over.
    pub fn provision(
        &self,
        machine: &Rc<Machine>,
        crew: &Rc<Crew>,
        station: u16,
        epoch: u8,
        (votes, spoiled): (u32, u32),
        mounts: bool,
    ) -> Result<()> {
        machine.switch_on();
        let waiting = machine.clone();
        self.world.executor.run(async move {
            waiting
                .booth
                .wait_for(|view| matches!(view, View::Staff(StaffView::Provision { .. }) | View::Fault { .. }))
                .await;
        })?;
        let View::Staff(StaffView::Provision { kiosk, .. }) = &*machine.booth.view() else {
            bail!("the kiosk shows {:?}", machine.booth.view());
        };
        let kiosk: Digest = *kiosk;
        let media = self
            .office
            .media(&kiosk, station, epoch, votes, spoiled)?
            .map(|medium| Rc::new(RefCell::new(medium)));
        if mounts {
            for (slot, medium) in machine.slots.iter().zip(&media) {
                slot.put(Some(medium.clone()));
            }
        }
        self.staff(machine, crew, Task::Provision)?;
        let registration = machine
            .items
            .get(Item::Registration)
            .context("the kiosk was not registered")?;
        machine
            .items
            .put(Item::Secret, &self.office.seal(&registration, station)?);
        if mounts {
            self.staff(machine, crew, Task::Accept)?;
        } else {
            let machine = machine.clone();
            self.world.executor.run(async move { machine.switch_off().await })?;
        }
        for (slot, medium) in machine.slots.iter().zip(media) {
            slot.put(Some(medium));
        }
        Ok(())
    }

    fn staff(&self, machine: &Rc<Machine>, crew: &Rc<Crew>, task: Task) -> Result<()> {
        let rng = self.world.seed.rng(&format!("staff {} {task:?}", machine.name), 0);
        attend(self.world, machine, crew, task, rng)
    }

    /// Plays one epoch at all posts.
    pub fn day(
        &self,
        epoch: u8,
        posts: Vec<Post>,
        before: usize,
        visits: usize,
        progress: Progress<'_>,
    ) -> Result<Vec<Evening>> {
        let done = Rc::new(Cell::new(before));
        let told = done.clone();
        let day = Day {
            world: self.world.clone(),
            epoch,
            opens: Self::opens(epoch),
            progress: Rc::new(move || told.set(told.get() + 1)),
        };
        let jobs: Vec<_> = posts
            .into_iter()
            .map(|post| self.world.executor.spawn(day.clone().run(post)))
            .collect();
        let counter = Counter::new("voting", visits, progress);
        self.world.executor.run_with(
            async move {
                let mut evenings = Vec::new();
                for job in jobs {
                    evenings.push(job.wait().await?);
                }
                Ok(evenings)
            },
            || counter.at(done.get()),
        )?
    }
}
