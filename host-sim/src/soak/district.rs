//! One case played: a few stations, their voters, everything that goes wrong, and then the tally by the shipped desk.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use election::hash::{Digest, hash};
use election::manifest::{CheckedManifest, Manifest, Policy};
use kiosk::ballot_box::Role;
use kiosk::ports::Item;
use staff::import::{Options, import_bytes};
use staff::medium::{BallotBox, Content, join};

use super::case::{Case, CutAt};
use super::evidence;
use super::fuses::Fuses;
use super::laws::{Book, Law, Violation};
use super::needles::Needles;
use super::order::Order;
use super::overseer::Overseer;
use super::reading::Reading;
use super::shift::Shift;
use super::trouble::{Illness, TAKEOVERS, What};
use super::weather::Weather;
use crate::bundled;
use crate::day::Citizen;
use crate::judge;
use crate::office::{Office, TallyInput};
use crate::scenario::Scenario;
use crate::stations::Stations;
use crate::town::Town;
use crate::truth::{Truth, Visited};
use crate::voters::choices::{self, Paper};
use crate::voters::habits::Habits;
use crate::voters::plan::{self, Visit, Wanted};
use crate::world::ailments::Ailments;
use crate::world::booth::Trace;
use crate::world::executor::Executor;
use crate::world::machine::World;
use crate::world::media::{Condition, Shared};
use crate::world::network::SharedChain;
use crate::world::seed::Seed;
use crate::world::time::{HOUR, Timeline};

/// What a district's run has shown.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Numbers by name: votes, positions and so on.
    pub numbers: BTreeMap<String, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Boundaries by kind: passed, cut.
    pub boundaries: BTreeMap<String, (u64, u64)>,
    /// Checks by law.
    pub checks: BTreeMap<Law, u64>,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Sums about the order of storage.
    pub order: Order,
    /// Where the power failed.
    pub cuts: std::collections::BTreeSet<CutAt>,
    /// Hash of everything that was written anywhere.
    pub written: Digest,
}

/// Plays a case. Every error is a violation: of [`Law::NobodyHangs`], if of nothing else.
#[must_use]
pub fn play(case: &Case, trace: Option<Trace>, visited: &dyn Fn()) -> Outcome {
    let book = Rc::new(RefCell::new(None));
    let mut outcome = Outcome::default();
    let told = book.clone();
    if let Err(error) = run(case, trace, visited, &told, &mut outcome) {
        let seen: &Option<Rc<Book>> = &book.borrow();
        match seen {
            Some(book) => book.check(Law::NobodyHangs, 0, false, || format!("{error:#}")),
            None => outcome.violations.push(Violation {
                law: Law::NobodyHangs.name(),
                district: case.district,
                station: 0,
                step: 0,
                ms: 0,
                what: format!("the district cannot be set up: {error:#}"),
            }),
        }
    }
    if let Some(book) = &*book.borrow() {
        outcome.checks = book.checks();
        outcome.violations.extend(book.violations());
        outcome.numbers.insert("steps".to_owned(), book.steps());
    }
    outcome
}

type SharedBook = Rc<RefCell<Option<Rc<Book>>>>;

fn run(case: &Case, trace: Option<Trace>, visited: &dyn Fn(), told: &SharedBook, outcome: &mut Outcome) -> Result<()> {
    let definition = bundled::load(&case.election)?;
    let imported = import_bytes(&definition, &Options::default())?;
    let manifest = Manifest::parse(&imported.manifest).map_err(|error| anyhow::anyhow!("the manifest: {error}"))?;
    let papers = choices::papers(&imported.definition);
    let seed = Seed::new(&format!("{}/{}", case.seed, case.district));
    let people = plan::draw(
        &Wanted {
            papers: &papers,
            voters: case.voters,
            kiosks: usize::from(case.stations),
            epochs: 1,
            habits: if case.habits { Habits::usual() } else { Habits::plain() },
            totals: None,
        },
        seed,
    );
    let scenario = Scenario::new(definition).kiosks(case.stations).without_outages();
    let town = Town::new(&manifest, &people, case.stations, scenario.cards, seed, || {})?;
    let roll = town.roll(&manifest, &people)?.section();
    let (office, chain) = Office::new(&manifest, &town, 1, seed)?;
    let chain: SharedChain = Rc::new(RefCell::new(chain));
    let time = Timeline::new();
    let book = Book::new(time.clone(), case.district);
    *told.borrow_mut() = Some(book.clone());
    let world = World {
        executor: Executor::new(time),
        seed,
        begin: crate::play::seconds(manifest.first_day).saturating_sub(17 * 3600),
        chain: Some(chain.clone()),
        trace,
        #[cfg(feature = "window")]
        board: None,
    };
    let stations = Stations {
        scenario: &scenario,
        office: &office,
        world: &world,
        roll: &roll,
        certificates: &town.certificates,
        crews: town.crews(),
    };
    let citizens = Citizen::all(&people, &town.cards);
    let mut lines: Vec<Vec<(Rc<Citizen>, usize, Visit)>> = vec![Vec::new(); usize::from(case.stations)];
    for (person, citizen) in people.iter().zip(&citizens) {
        for (number, visit) in person.visits.iter().enumerate() {
            let mut visit = visit.clone();
            visit.at = visit.at * u64::from(case.hours) / 13;
            lines[visit.kiosk].push((citizen.clone(), number, visit));
        }
    }
    let district = District {
        case,
        world: &world,
        stations: &stations,
        office: &office,
        town: &town,
        book: &book,
        reading: Rc::new(Reading::new(&manifest, office.election)),
        fuses: Fuses::new(case.cuts.clone(), seed),
        seed,
        manifest: &manifest,
        papers: &papers,
    };
    let counter = Rc::new(Cell::new(0u64));
    let shifts = district.day(lines, &counter, visited);
    outcome.cuts = district.fuses.done();
    district.evening(shifts?, &chain, outcome)
}

struct District<'d> {
    case: &'d Case,
    world: &'d World,
    stations: &'d Stations<'d>,
    office: &'d Office<'d>,
    town: &'d Town,
    book: &'d Rc<Book>,
    reading: Rc<Reading>,
    fuses: Rc<Fuses>,
    seed: Seed,
    manifest: &'d CheckedManifest<'d>,
    papers: &'d [Paper],
}

impl District<'_> {
    /// Provisions everything and lets the day pass.
    fn day(
        &self,
        lines: Vec<Vec<(Rc<Citizen>, usize, Visit)>>,
        counter: &Rc<Cell<u64>>,
        visited: &dyn Fn(),
    ) -> Result<Vec<Shift>> {
        let opens = Stations::opens(0);
        let neighbours = Rc::new(RefCell::new(Vec::new()));
        let mut jobs = Vec::new();
        for (kiosk, line) in lines.into_iter().enumerate() {
            let shift = self.shift(kiosk, &line, &neighbours, counter)?;
            let troubles: Vec<_> = self
                .case
                .troubles
                .iter()
                .filter(|trouble| trouble.station == kiosk)
                .cloned()
                .collect();
            shift.weather.begin(&troubles, opens);
            let closes = opens + u64::from(self.case.hours) * HOUR;
            let mut line: Vec<_> = line
                .into_iter()
                .filter(|(citizen, ..)| !self.case.absent.contains(&citizen.number))
                .collect();
            line.sort_by_key(|(citizen, number, visit)| (visit.at, citizen.number, *number));
            jobs.push(self.world.executor.spawn(shift.run(opens, closes, line)));
        }
        let seen = Cell::new(0);
        let counter = counter.clone();
        self.world.executor.run_with(
            async move {
                let mut shifts = Vec::new();
                for job in jobs {
                    shifts.push(job.wait().await?);
                }
                Ok(shifts)
            },
            || {
                while seen.get() < counter.get() {
                    seen.set(seen.get() + 1);
                    visited();
                }
            },
        )?
    }

    fn shift(
        &self,
        kiosk: usize,
        line: &[(Rc<Citizen>, usize, Visit)],
        neighbours: &Rc<RefCell<Vec<(u16, Shared)>>>,
        counter: &Rc<Cell<u64>>,
    ) -> Result<Shift> {
        let station = u16::try_from(kiosk + 1)?;
        let crew = self.stations.crews[kiosk % self.stations.crews.len()].clone();
        let package: Rc<[u8]> = self
            .office
            .package(station, 1, self.stations.roll, self.stations.certificates)?
            .into();
        let expected = u32::try_from(line.len())?;
        let challenges: u32 = line.iter().map(|(.., visit)| u32::from(visit.script.challenges)).sum();
        // Room for torn and damaged slots, too.
        let needs = (
            expected * self.case.room / 100 + 48,
            challenges * self.case.room / 100 + 16,
        );
        let machine = self.stations.machine(&format!("{kiosk}"), station, 0, &package);
        self.stations.provision(&machine, &crew, station, 0, needs, true)?;
        let uses_spare = |what: &What| match what {
            What::TakeOver(_) => true,
            // Staff cannot tell a medium that faints from one that dies: they take a spare for either.
            What::Medium(_, illness) => !matches!(illness, Illness::Stalls(..)),
            _ => false,
        };
        let wanted = self
            .case
            .troubles
            .iter()
            .filter(|one| one.station == kiosk && uses_spare(&one.what));
        let mut spares = Vec::new();
        for number in 0..wanted.count().min(TAKEOVERS) {
            let spare = self
                .stations
                .machine(&format!("{kiosk} spare {number}"), station, 0, &package);
            self.stations.provision(&spare, &crew, station, 0, needs, false)?;
            spares.push(spare);
        }
        // The first spare is the first to be used.
        spares.reverse();
        let overseer = Overseer::new(station, self.book.clone(), self.reading.clone());
        for kiosk in spares.iter().chain([&machine]) {
            kiosk.watch(overseer.clone());
        }
        if let Some(medium) = machine.slots[0].medium() {
            neighbours.borrow_mut().push((station, medium));
        }
        let weather = Weather::new(
            self.world.executor.clone(),
            overseer.clone(),
            machine.clone(),
            rand_core::Rng::next_u64(&mut self.seed.rng("weather", kiosk as u64)),
        );
        let told = counter.clone();
        Ok(Shift {
            world: self.world.clone(),
            station,
            crew,
            machine,
            spares,
            book: self.book.clone(),
            reading: self.reading.clone(),
            overseer,
            weather,
            fuses: self.fuses.clone(),
            neighbours: neighbours.clone(),
            visits: Vec::new(),
            removed: Vec::new(),
            former: Vec::new(),
            closing: None,
            put_back: None,
            wrong: None,
            failures: 0,
            progress: Rc::new(move || told.set(told.get() + 1)),
        })
    }

    /// The media come to the desk.
    fn evening(&self, shifts: Vec<Shift>, chain: &SharedChain, outcome: &mut Outcome) -> Result<()> {
        let mut visits: Vec<Visited> = Vec::new();
        let mut boxes: Vec<BallotBox> = Vec::new();
        let mut late: Vec<Content> = Vec::new();
        let mut words: BTreeMap<Digest, String> = BTreeMap::new();
        let mut needles = Needles::default();
        let mut written: Vec<u8> = Vec::new();
        let mut numbers = Numbers(&mut outcome.numbers);
        for shift in &shifts {
            needles.merge(&shift.overseer.needles());
        }
        for shift in shifts {
            let truth = evidence::Truth::of(&shift);
            evidence::examine(&shift, &truth, &self.reading, &needles, &mut outcome.order);
            for machine in shift.former.iter().chain([&shift.machine]) {
                numbers.add(
                    "power_cuts",
                    machine.power.passed().values().map(|passed| passed.cuts).sum(),
                );
                for (boundary, passed) in machine.power.passed() {
                    let sum = outcome.boundaries.entry(boundary.to_string()).or_default();
                    sum.0 += passed.times;
                    sum.1 += passed.cuts;
                }
            }
            for (kind, count) in shift.weather.happened() {
                *outcome.faults.entry(kind.to_owned()).or_default() += count;
            }
            numbers.add("takeovers", shift.former.len() as u64);
            let name = format!("station {}", shift.station);
            let (registration, kiosk) = shift.machine.registration()?;
            let closing = shift.closing.context("nobody closed the kiosk")?;
            words.insert(kiosk, closing.words.context("nobody wrote the words down")?.join(" "));
            let media = shift.machine.slots.each_ref().map(|slot| slot.put(None));
            for medium in media.iter().flatten().chain(&shift.removed) {
                written.extend_from_slice(&hash("ippyo/1/sim/medium", &[medium.borrow().bytes()]));
            }
            let [original, duplicate] =
                [(Role::Original, &media[0]), (Role::Duplicate, &media[1])].map(|(role, medium)| match medium {
                    Some(medium) => self.office.read(&medium.borrow(), &format!("{name}, {role}")),
                    None => Err(staff::Problem::new(staff::Kind::Files, &name, "the medium is missing")),
                });
            if closing.unsent.unwrap_or(0) > 0 {
                // Either medium is carried. One that failed while polls closed lacks the end: anchoring says so, and staff carry the other one too.
                let read: Vec<&Content> = [&original, &duplicate].into_iter().flatten().collect();
                ensure!(!read.is_empty(), "{name}: no medium can be read");
                // Of every kiosk that stood there: one that had no network while it lived is not on the chain yet.
                let mut first: Vec<Vec<u8>> = Vec::new();
                for machine in &shift.former {
                    first.extend(machine.items.get(Item::Registration));
                }
                first.push(registration);
                for content in read {
                    if self
                        .office
                        .anchor_with(content, &first, &mut chain.borrow_mut())?
                        .closed
                    {
                        break;
                    }
                }
            }
            boxes.push(join(original, duplicate, &name)?);
            // A medium that was dead is read again after all.
            for medium in &shift.removed {
                let mut medium = medium.borrow_mut();
                medium.set_condition(Condition::Good);
                medium.set_ailments(Ailments::NONE, 0);
                if let Ok(content) = self.office.read(&medium, &name) {
                    late.push(content);
                }
            }
            visits.extend(shift.visits);
        }
        let bytes = chain
            .borrow_mut()
            .export()
            .map_err(|error| anyhow::anyhow!("the chain: {error}"))?;
        self.book
            .check(Law::NothingWrittenNamesACard, 0, needles.find(&bytes).is_none(), || {
                "the chain holds what a card has said".to_owned()
            });
        written.extend_from_slice(&hash("ippyo/1/sim/chain", &[&bytes]));
        outcome.written = hash("ippyo/1/sim/written", &[&written]);
        let places = judge::places(&bytes)?;
        let truth = Truth::of(&visits, Policy::First, self.papers, |code| places.get(code).copied());
        for (name, number) in [
            ("voters", u64::from(self.case.voters)),
            ("visits", visits.len() as u64),
            ("admitted", truth.admitted),
            ("votes", truth.recorded),
            ("counted", truth.counted),
            ("spoiled", truth.spoiled),
            ("abandoned", truth.abandoned),
            ("interrupted", truth.interrupted),
            ("refused", truth.refused),
            ("duplicates", truth.duplicates),
            ("late_media", late.len() as u64),
            ("card_pieces_looked_for", needles.count() as u64),
        ] {
            numbers.add(name, number);
        }
        let positions = |visit: &Visited| -> u64 {
            let paper = self.papers.get(usize::from(visit.style));
            paper.map_or(0, |paper| {
                let of = |contest: &choices::Contest| contest.options.len() as u64 + u64::from(contest.votes);
                paper.contests.iter().map(of).sum()
            })
        };
        let cast = visits.iter().filter(|visit| visit.diary.cast.is_some());
        numbers.add("positions", cast.map(positions).sum());
        let reception = self.town.reception(
            &self.office.election,
            truth.admissions.iter().map(|(place, count)| (*place, *count)),
        )?;
        let tallied = self.office.count(
            &TallyInput {
                chain: &bytes,
                boxes: &boxes,
                late: &late,
                words: &words,
                reception: &reception,
                generated: &crate::play::generated(self.manifest.last_day),
            },
            &staff::progress::silent,
        )?;
        evidence::tally(self.book, &truth, &tallied.report);
        Ok(())
    }
}

struct Numbers<'n>(&'n mut BTreeMap<String, u64>);

impl Numbers<'_> {
    fn add(&mut self, name: &str, number: u64) {
        *self.0.entry(name.to_owned()).or_default() += number;
    }
}
