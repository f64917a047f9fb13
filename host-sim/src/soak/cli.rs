//! `soak`: the command.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::case::Case;
use super::report::Report;
use super::{Options, play, run, shrink, trouble};
use crate::scenario::BadInput;
use crate::world::booth::Trace;

/// Many stations under failing power, media, clocks, cards and networks; laws are checked after every step
#[derive(clap::Args)]
pub struct Soak {
    /// Decides everything: the same seed and commit give the same report, byte for byte
    #[arg(long, value_name = "TEXT", default_value = "1")]
    seed: String,
    /// Stations in all, a kiosk each
    #[arg(long, value_name = "N", default_value_t = 4)]
    stations: u32,
    /// Hours for which polls are open
    #[arg(long, value_name = "H", default_value_t = 13)]
    hours: u32,
    /// Voters a station whose vote counts; six an hour if not given
    #[arg(long, value_name = "N")]
    voters: Option<u32>,
    /// A bundled election
    #[arg(long, value_name = "NAME", default_value = "tsukuba-2015-referendum")]
    election: String,
    /// `all`, `none`, or kinds separated by commas: power (cuts at write boundaries), cut (plug pulled at a time), death, faint, lie, flip,
    /// full, stall, clock, network, entropy, store, postcard, wrong_media
    #[arg(long, value_name = "KINDS", default_value = "all")]
    faults: String,
    /// One power cut in so many write boundaries, on average
    #[arg(long, value_name = "N", default_value_t = 60)]
    cuts: u32,
    /// Stations a district: a world of its own, on one thread
    #[arg(long, value_name = "N", default_value_t = 4)]
    district: u32,
    /// Districts that run at a time; changes nothing but how long it takes
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
    /// Plays one district again: a case in a file, as a failing soak leaves it, or the number of a district of this soak
    #[arg(long, value_name = "FILE|DISTRICT")]
    replay: Option<String>,
    /// With --replay: writes every move, fault and step to a file
    #[arg(long, value_name = "FILE", requires = "replay")]
    trace: Option<PathBuf>,
    /// Runs that cutting a failing case down may take
    #[arg(long, value_name = "N", default_value_t = shrink::RUNS)]
    shrink: u32,
    /// Where a failing case goes, cut down; next to the temporary files otherwise
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
}

impl Soak {
    /// Runs it; whether every law held.
    ///
    /// # Errors
    /// A bad call, or output that cannot be written.
    pub fn run(self) -> Result<bool> {
        let options = self.options();
        options.check().map_err(|error| BadInput(format!("{error:#}")))?;
        if let Some(what) = &self.replay {
            return self.replay(&options, what);
        }
        let begun = Instant::now();
        let report = run(&options, &progress(&options))?;
        let seconds = begun.elapsed().as_secs_f64();
        print(&report, self.json)?;
        let rate = report.votes as f64 / seconds.max(0.001);
        eprintln!("{seconds:.0} s, {rate:.1} votes a second");
        if let Some(first) = report.violations.first() {
            eprintln!(
                "seed {}, commit {}, district {}, step {}: {}: {}",
                report.seed, report.commit, first.district, first.step, first.law, first.what
            );
            if first.district < options.districts() && self.shrink > 0 {
                self.cut_down(&options.case(first.district), first.law)?;
            }
        }
        Ok(report.holds())
    }

    fn options(&self) -> Options {
        let faults = match self.faults.as_str() {
            "all" => trouble::KINDS
                .iter()
                .map(|kind| (*kind).to_owned())
                .chain(["power".to_owned()])
                .collect(),
            "none" => Vec::new(),
            list => list.split(',').map(|kind| kind.trim().to_owned()).collect(),
        };
        let defaults = Options::default();
        Options {
            seed: self.seed.clone(),
            stations: self.stations,
            hours: self.hours,
            voters: self.voters.unwrap_or(self.hours * 6),
            election: self.election.clone(),
            faults,
            cuts: self.cuts,
            district: self.district,
            jobs: self.jobs.unwrap_or(defaults.jobs),
        }
    }

    fn replay(&self, options: &Options, what: &str) -> Result<bool> {
        let case: Case = match what.parse::<u32>() {
            Ok(district) if district < options.districts() => options.case(district),
            Ok(district) => {
                return Err(BadInput(format!("district {district}: this soak has {}", options.districts())).into());
            }
            Err(_) => {
                let bytes = std::fs::read(what).map_err(|error| BadInput(format!("{what}: {error}")))?;
                serde_json::from_slice(&bytes).map_err(|error| BadInput(format!("{what}: no case: {error}")))?
            }
        };
        let outcome = play(&case, self.trace.as_deref().map(trace).transpose()?, &|| {});
        let options = Options {
            seed: case.seed.clone(),
            stations: u32::from(case.stations),
            hours: case.hours,
            voters: case.voters / u32::from(case.stations).max(1),
            election: case.election.clone(),
            ..options.clone()
        };
        let report = Report::of(&options, &[outcome]);
        print(&report, self.json)?;
        for violation in &report.violations {
            eprintln!(
                "station {}, step {}, {} ms: {}: {}",
                violation.station, violation.step, violation.ms, violation.law, violation.what
            );
        }
        Ok(report.holds())
    }

    fn cut_down(&self, case: &Case, law: &str) -> Result<()> {
        eprintln!("cutting it down");
        let outcome = play(case, None, &|| {});
        let small = shrink::shrink(case, &outcome, law, self.shrink);
        let path = self.case.clone().unwrap_or_else(|| {
            let name = format!("ippyo-soak-{}-{}.json", std::process::id(), case.district);
            std::env::temp_dir().join(name)
        });
        std::fs::write(&path, serde_json::to_vec_pretty(&small.case)?)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        let path = path.display();
        eprintln!("after {} runs: soak --replay {path} --trace FILE", small.runs);
        Ok(())
    }
}

fn print(report: &Report, json: bool) -> Result<()> {
    let text = if json {
        serde_json::to_string_pretty(report)?
    } else {
        report.tell()
    };
    writeln!(std::io::stdout(), "{}", text.trim_end())
        .map_err(|error| BadInput(format!("standard output cannot be written: {error}")).into())
}

fn trace(path: &Path) -> Result<Trace> {
    let file = std::fs::File::create(path)
        .map_err(|error| BadInput(format!("{}: cannot be written ({error})", path.display())))?;
    // Line by line: a run that ends in the middle of everything leaves nobody to flush.
    let file = RefCell::new(std::io::LineWriter::new(file));
    Ok(Rc::new(move |line: &str| {
        // A trace that cannot be written is no reason to stop.
        let _ = writeln!(file.borrow_mut(), "{line}");
    }))
}

/// A line on standard error every ten seconds.
fn progress(options: &Options) -> impl Fn(u64, u32) + Sync {
    const EVERY: Duration = Duration::from_secs(10);
    let begun = Instant::now();
    let last = Mutex::new(begun);
    let districts = options.districts();
    move |visits, done| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            let seconds = begun.elapsed().as_secs_f64();
            eprintln!(
                "{seconds:.0} s: {visits} visits, {done} of {districts} districts, {:.1} visits a second",
                visits as f64 / seconds
            );
        }
    }
}
