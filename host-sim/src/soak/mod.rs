//! Soak: whole polling stations under failing power, media, clocks, cards and networks, for as long as one likes, and laws that hold
//! through all of it.
//!
//! A soak is many *districts*, each a world of its own with a few stations; a district is decided by a [`case::Case`] and runs on one
//! thread, so that as many run beside each other as there are cores and the report is the same, byte for byte. The kiosk, the desk and the
//! chain in it are the shipped ones. A law that does not hold gives a case that is cut down until every voter, trouble and power cut
//! left in it is needed.

pub mod case;
mod cli;
mod district;
mod evidence;
mod fuses;
pub mod laws;
mod needles;
pub mod order;
mod overseer;
mod reading;
pub mod report;
mod shift;
pub mod shrink;
pub mod trouble;
mod weather;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::{Result, ensure};

pub use cli::Soak as Command;
pub use district::{Outcome, play};

use self::case::{Case, Cuts};
use self::report::Report;
use crate::bundled;
use crate::world::seed::Seed;

/// What is to be soaked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything.
    pub seed: String,
    /// Stations in all.
    pub stations: u32,
    /// Hours for which polls are open.
    pub hours: u32,
    /// Voters a station whose vote counts.
    pub voters: u32,
    /// A bundled election.
    pub election: String,
    /// Kinds of faults, of [`trouble::KINDS`], and `power` for cuts at write boundaries.
    pub faults: Vec<String>,
    /// A power cut in so many write boundaries, on average.
    pub cuts: u32,
    /// Stations a district.
    pub district: u32,
    /// Districts that run at a time.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: "1".to_owned(),
            stations: 4,
            hours: 13,
            voters: 60,
            election: "tsukuba-2015-referendum".to_owned(),
            faults: trouble::KINDS
                .iter()
                .map(|kind| (*kind).to_owned())
                .chain(["power".to_owned()])
                .collect(),
            cuts: 60,
            district: 4,
            jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

impl Options {
    /// Checks what a person typed.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<()> {
        bundled::load(&self.election)?;
        ensure!(self.stations > 0 && self.district > 0, "there must be a station");
        ensure!(self.voters > 0 && self.voters <= 20_000, "1 to 20,000 voters a station");
        ensure!((1..=24).contains(&self.hours), "polls are open for 1 to 24 hours");
        for fault in &self.faults {
            ensure!(
                fault == "power" || trouble::KINDS.contains(&fault.as_str()),
                "there is no fault {fault}; there are power, {}",
                trouble::KINDS.join(", ")
            );
        }
        Ok(())
    }

    /// How many districts there are.
    #[must_use]
    pub const fn districts(&self) -> u32 {
        self.stations.div_ceil(self.district)
    }

    /// The case of a district.
    #[must_use]
    pub fn case(&self, district: u32) -> Case {
        let stations = self.district.min(self.stations - district * self.district);
        let kinds: Vec<&str> = trouble::KINDS
            .into_iter()
            .filter(|kind| self.faults.iter().any(|fault| fault == kind))
            .collect();
        let power = self.faults.iter().any(|fault| fault == "power") && self.cuts > 0;
        let mut rng = Seed::new(&self.seed).rng("troubles", u64::from(district));
        Case {
            election: self.election.clone(),
            seed: self.seed.clone(),
            district,
            stations: u16::try_from(stations).unwrap_or(u16::MAX),
            voters: self.voters * stations,
            hours: self.hours,
            habits: true,
            absent: BTreeSet::new(),
            troubles: trouble::draw(usize::try_from(stations).unwrap_or(0), self.hours, &kinds, &mut rng),
            cuts: if power { Cuts::OneIn(self.cuts) } else { Cuts::None },
            room: if power && self.cuts < 200 { 500 } else { 125 },
        }
    }
}

/// Told now and then: visits done, districts done.
pub type Told<'t> = &'t (dyn Fn(u64, u32) + Sync);

/// Runs a soak.
///
/// # Errors
/// If a thread dies, which is a defect of the simulator.
pub fn run(options: &Options, told: Told<'_>) -> Result<Report> {
    report::commit();
    options.check()?;
    let districts = options.districts();
    let (next, done, visits) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU64::new(0));
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(vec![None; districts as usize]);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, districts.max(1) as usize) {
            scope.spawn(|| {
                loop {
                    let district = next.fetch_add(1, Ordering::Relaxed);
                    if district >= districts {
                        return;
                    }
                    let outcome = play(&options.case(district), None, &|| {
                        let visits = visits.fetch_add(1, Ordering::Relaxed) + 1;
                        told(visits, done.load(Ordering::Relaxed));
                    });
                    told(visits.load(Ordering::Relaxed), done.fetch_add(1, Ordering::Relaxed) + 1);
                    if let Ok(mut outcomes) = outcomes.lock()
                        && let Some(place) = outcomes.get_mut(district as usize)
                    {
                        *place = Some(outcome);
                    }
                }
            });
        }
    });
    let outcomes = outcomes
        .into_inner()
        .map_err(|_| anyhow::anyhow!("a district's thread died"))?;
    let outcomes: Option<Vec<Outcome>> = outcomes.into_iter().collect();
    Ok(Report::of(
        options,
        &outcomes.ok_or_else(|| anyhow::anyhow!("a district's thread died"))?,
    ))
}
