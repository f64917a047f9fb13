//! A scenario played from the definition to the verified record.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use election::hash::Digest;
use election::manifest::{Manifest, Mode, Policy};
use staff::Outcome;
use staff::medium::{BallotBox, Content, join};
use staff::progress::Progress;

use crate::day::{Citizen, Evening};
use crate::judge;
use crate::office::{Office, TallyInput};
use crate::photographs;
use crate::report::{Closing, ContestNames, Counter, Report, Stages};
use crate::scenario::{BadInput, Scenario};
use crate::stations::Stations;
use crate::town::Town;
use crate::truth::{Truth, Visited};
use crate::voters::choices::{self, Paper};
use crate::voters::plan::{self, Visit, Wanted};
use crate::world::booth::Trace;
use crate::world::executor::Executor;
use crate::world::machine::World;
use crate::world::media::Shared;
use crate::world::network::SharedChain;
use crate::world::seed::Seed;
use crate::world::time::Timeline;

pub(crate) fn play(scenario: &Scenario, out: &Path, progress: Progress<'_>) -> Result<Report> {
    let mut stages = Stages::new();
    stages.begin("import");
    // Before an hour of work, not after it.
    staff::files::empty_folder(out)?;
    if let Some(folder) = &scenario.photographs {
        staff::files::empty_folder(folder)?;
    }
    let imported = scenario.import()?;
    let manifest = Manifest::parse(&imported.manifest).map_err(|error| anyhow::anyhow!("the manifest: {error}"))?;
    let papers = choices::papers(&imported.definition);
    if let Some(totals) = &scenario.totals {
        let voters = plan::voters_by_paper(papers.len(), scenario.voters);
        choices::check(totals, &papers, &voters).map_err(|error| BadInput(error.to_string()))?;
    }
    let seed = Seed::new(&scenario.seed);
    let people = plan::draw(
        &Wanted {
            papers: &papers,
            voters: scenario.voters,
            kiosks: usize::from(scenario.kiosks),
            epochs: scenario.epochs(),
            habits: scenario.habits,
            totals: scenario.totals.as_ref(),
        },
        seed,
    );

    stages.begin("cards");
    let counter = Counter::new("issuing cards", people.len(), progress);
    let town = Town::new(&manifest, &people, scenario.kiosks, scenario.cards, seed, || {
        counter.step()
    })?;
    let roll = town.roll(&manifest, &people)?.section();

    stages.begin("ceremony");
    let (office, mut chain) = Office::new(&manifest, &town, scenario.validators, seed)?;
    // Names as pictures cost the desk a moment: only for kiosks that draw them.
    #[cfg(feature = "window")]
    let office = if scenario.board.is_some() {
        office.with_pictures()
    } else {
        office
    }
    .with_fonts(&scenario.fonts);
    if scenario.processes {
        chain = office.validators(scenario.validators)?;
    }
    if let Some(height) = scenario.leaves {
        chain.last_leaves(height)?;
    }
    let chain: SharedChain = Rc::new(std::cell::RefCell::new(chain));

    let time = Timeline::new();
    let world = World {
        executor: Executor::new(time),
        seed,
        begin: seconds(manifest.first_day).saturating_sub(17 * 3600),
        chain: (scenario.mode == Mode::Consultation).then(|| chain.clone()),
        trace: scenario.trace.as_deref().map(trace).transpose()?,
        #[cfg(feature = "window")]
        board: scenario.board.clone(),
    };
    let stations = Stations {
        scenario,
        office: &office,
        world: &world,
        roll: &roll,
        certificates: &town.certificates,
        crews: town.crews(),
    };
    let citizens = Citizen::all(&people, &town.cards);

    let visits: usize = people.iter().map(|person| person.visits.len()).sum();
    let mut played = Played::default();
    let mut boxes = Vec::new();
    for epoch in 0..scenario.epochs() {
        stages.begin("provisioning");
        let mut lines: Vec<Vec<(Rc<Citizen>, usize, Visit)>> = vec![Vec::new(); usize::from(scenario.kiosks)];
        for (person, citizen) in people.iter().zip(&citizens) {
            for (number, visit) in person
                .visits
                .iter()
                .enumerate()
                .filter(|(_, visit)| visit.epoch == epoch)
            {
                lines[visit.kiosk].push((citizen.clone(), number, visit.clone()));
            }
        }
        let posts = stations.posts(epoch, lines)?;
        stages.begin("voting");
        let evenings = stations.day(epoch, posts, played.visits.len(), visits, progress)?;
        stages.begin("anchoring");
        for evening in evenings {
            boxes.push(played.evening(evening, epoch, &office, scenario, &chain)?);
        }
    }

    let chain = chain
        .borrow_mut()
        .export()
        .map_err(|error| anyhow::anyhow!("the chain: {error}"))?;
    let truth = played.truth(&chain, scenario.policy, &papers)?;
    let reception = reception(&town, &office.election, &truth)?;
    Count {
        names: ContestNames::of(&imported.definition),
        office,
        chain,
        boxes,
        played,
        truth,
        reception,
    }
    .report(scenario, out, progress, stages)
}

/// What reception counted, signed.
pub(crate) fn reception(town: &Town, election: &Digest, truth: &Truth) -> Result<Vec<u8>> {
    town.reception(election, truth.admissions.iter().map(|(place, count)| (*place, *count)))
}

/// What is on the desk after the last epoch: everything that counting needs, and no people, kiosks or cards, so that it may be
/// done in another thread.
pub(crate) struct Count<'m> {
    pub names: Vec<ContestNames>,
    pub office: Office<'m>,
    pub chain: Vec<u8>,
    pub boxes: Vec<BallotBox>,
    pub played: Played,
    pub truth: Truth,
    pub reception: Vec<u8>,
}

impl Count<'_> {
    /// Tallies, writes the record to `out`, and judges it by what people did.
    pub(crate) fn report(
        self,
        scenario: &Scenario,
        out: &Path,
        progress: Progress<'_>,
        mut stages: Stages,
    ) -> Result<Report> {
        let Self {
            names,
            office,
            chain,
            boxes,
            played,
            truth,
            reception,
        } = self;
        let manifest = office.manifest;
        stages.begin("tally");
        let generated = generated(manifest.last_day);
        let tallied = office.tally(
            &TallyInput {
                chain: &chain,
                boxes: &boxes,
                late: &played.late,
                words: &played.words,
                reception: &reception,
                generated: &generated,
            },
            out,
            progress,
        )?;

        if let Some(folder) = &scenario.photographs {
            photographs::write(folder, &played.visits)?;
        }
        stages.begin("verify");
        let judged = judge::judge(
            out,
            &office.authority(),
            &truth,
            &tallied.report.ballots,
            &played.visits,
            progress,
        )?;
        let wrong = truth.wrong.iter().cloned().chain(judged.wrong).collect();
        Ok(Report {
            election: manifest.id.to_owned(),
            name: manifest
                .text(manifest.name, manifest.fallback())
                .unwrap_or_default()
                .to_owned(),
            seed: scenario.seed.clone(),
            mode: match scenario.mode {
                Mode::Consultation => "consultation",
                Mode::Statutory => "statutory",
            },
            policy: match scenario.policy {
                Policy::First => "first",
                Policy::Last => "last",
            },
            kiosks: scenario.kiosks,
            voters: u64::from(scenario.voters),
            admitted: truth.admitted,
            recorded: truth.recorded,
            counted: truth.counted,
            spoiled: truth.spoiled,
            abandoned: truth.abandoned,
            interrupted: truth.interrupted,
            refused: truth.refused,
            refused_by: truth.refused_by,
            duplicates: truth.duplicates,
            overwritten: truth.overwritten,
            power_cuts: played.cuts,
            batches: judged.batches,
            chain_height: judged.chain_height,
            validators: judged.validators,
            target: scenario.target(),
            totals: judged.totals,
            no_votes: judged.no_votes,
            closing_words: played.closings,
            verified: judged.verified,
            wrong,
            record: out.to_owned(),
            seconds: stages.finish(),
            names,
        })
    }
}

/// A file that every move is written to.
fn trace(path: &Path) -> Result<Trace> {
    let file = std::fs::File::create(path)
        .map_err(|error| BadInput(format!("{}: cannot be written ({error})", path.display())))?;
    let file = std::cell::RefCell::new(std::io::BufWriter::new(file));
    Ok(Rc::new(move |line: &str| {
        // A trace that cannot be written is no reason to stop an election.
        let _ = writeln!(file.borrow_mut(), "{line}");
    }))
}

/// What has happened so far.
#[derive(Default)]
pub(crate) struct Played {
    visits: Vec<Visited>,
    late: Vec<Content>,
    words: BTreeMap<Digest, String>,
    closings: Vec<Closing>,
    cuts: u64,
}

impl Played {
    /// What really happened, by what people did and saw; which of two votes of one card counts is on the chain.
    pub(crate) fn truth(&self, chain: &[u8], policy: Policy, papers: &[Paper]) -> Result<Truth> {
        let places = judge::places(chain)?;
        Ok(Truth::of(&self.visits, policy, papers, |code| {
            places.get(code).copied()
        }))
    }

    /// A kiosk's media come to the desk: words are noted, what has not left is anchored, the pair is read.
    pub(crate) fn evening(
        &mut self,
        evening: Evening,
        epoch: u8,
        office: &Office<'_>,
        scenario: &Scenario,
        chain: &SharedChain,
    ) -> Result<BallotBox> {
        let name = format!("station {}, epoch {epoch}", evening.station);
        let closing = evening.notes.last().context("nobody closed the kiosk")?;
        let words = closing.words.clone().context("nobody wrote the words down")?.join(" ");
        let (registration, kiosk) = evening.machine.registration()?;
        let [original, duplicate] = evening
            .media
            .each_ref()
            .map(|medium| read(office, medium.as_ref(), &name));
        let unsent = closing.unsent.unwrap_or(0) > 0;
        if scenario.mode == Mode::Statutory || unsent {
            let content = original.as_ref().or(duplicate.as_ref()).map_err(Clone::clone)?;
            office.anchor(content, &registration, &mut chain.borrow_mut())?;
        }
        let late = scenario
            .replacements
            .iter()
            .any(|one| one.epoch == epoch && one.kiosk + 1 == usize::from(evening.station) && one.counted_again);
        if late && let Some(medium) = &evening.replaced {
            self.late.push(office.read(&medium.borrow(), &name)?);
        }
        self.words.insert(kiosk, words.clone());
        self.closings.push(Closing {
            station: evening.station,
            epoch,
            words,
        });
        self.visits.extend(evening.visits);
        self.cuts += evening.cuts;
        Ok(join(original, duplicate, &name)?)
    }
}

fn read(office: &Office<'_>, medium: Option<&Shared>, name: &str) -> Outcome<Content> {
    match medium {
        Some(medium) => office.read(&medium.borrow(), name),
        None => Err(staff::Problem::new(staff::Kind::Files, name, "the medium is missing")),
    }
}

/// Seconds from 1970 to the beginning of a day (Howard Hinnant, chrono-compatible low-level date algorithms, `days_from_civil`).
pub(crate) fn seconds(day: u32) -> u64 {
    let (year, month, day) = (
        u64::from(day / 10_000),
        u64::from(day / 100 % 100),
        u64::from(day % 100),
    );
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    days.saturating_sub(719_468) * 86_400
}

/// Nine in the evening of the last day, Japanese time.
pub(crate) fn generated(day: u32) -> String {
    format!(
        "{:04}-{:02}-{:02}T21:00:00+09:00",
        day / 10_000,
        day / 100 % 100,
        day % 100
    )
}
