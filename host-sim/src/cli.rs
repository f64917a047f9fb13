//! The command line of the simulator.
//!
//! Exit codes: 0 the record verifies and the totals are what the voters chose, 1 they are not, 2 bad call or bad input. The
//! summary goes to standard output, progress and errors to standard error.

mod appliance;
mod cards;
mod emulated;
mod words;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use election::manifest;
use staff::{Kind, Problem};

use crate::bundled;
use crate::cards::Profiles;
use crate::report::Report;
use crate::scenario::{BadInput, Scenario};

/// A polling station on a laptop: scripted voters vote at the shipped kiosk loop, the desk tallies, the record is verified.
#[derive(Parser)]
#[command(
    name = "host-sim",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without any option: kaga-consultation with 119 voters.\n\
        Bundled elections: kaga-consultation, tsukuba-2015-referendum, physical_ballot_def_3 (or nist-county).\n\
        Exit codes: 0 the record verifies and the totals are what the voters chose, 1 not, 2 bad call or bad input."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    play: Play,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Virtual cards as files, and in a virtual reader of the real PC/SC stack
    #[command(subcommand)]
    Cards(cards::Cards),
    Soak(crate::soak::Command),
    #[cfg(feature = "window")]
    Screens(crate::screens::Screens),
    #[cfg(feature = "window")]
    ByEar(crate::by_ear::ByEar),
}

/// One election, from key ceremony to verified record.
#[derive(clap::Args)]
struct Play {
    /// Without a window: scripted voters vote through the whole day in a moment
    #[arg(long)]
    headless: bool,
    #[cfg(feature = "window")]
    #[command(flatten)]
    window: crate::window::Window,
    /// A bundled election, or a NIST SP 1500-20 ballot definition in JSON
    #[arg(long, value_name = "NAME|FILE", default_value = "kaga-consultation")]
    election: String,
    /// A font for characters of names that the panel's own font lacks; repeat, the first that has a character draws it. Before Debian's
    /// fonts-hanazono, which is taken where it is installed and needed
    #[cfg(feature = "window")]
    #[arg(long = "font", value_name = "FILE")]
    fonts: Vec<PathBuf>,
    /// How many voters have their vote counted [default: 119]; in the window: good cards in the deck, up to 12 [default: 8]. Those whose vote does not count (abandoned, refused) come besides them, and so
    /// do second votes: recorded = counted + duplicates + overwritten
    #[arg(long, value_name = "N")]
    voters: Option<u32>,
    /// Kiosks, each at a polling station of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    kiosks: u16,
    /// What the totals are to be: {contest id: {option id: votes}} in JSON, with NIST's @id; what is not named gets no vote
    #[arg(long, value_name = "FILE")]
    totals: Option<PathBuf>,
    /// What kinds of cards voters have; `mixed` is half PIV, half My Number cards
    #[arg(long, value_enum, default_value = "piv")]
    cards: Profiles,
    /// Which of several votes of a card counts; `last` has two epochs, early voting and election day
    #[arg(long, value_enum, default_value_t = Policy::First)]
    policy: Policy,
    /// `statutory` kiosks have no network at all: batches leave on the medium
    #[arg(long, value_enum, default_value_t = Mode::Consultation)]
    mode: Mode,
    /// So many validators as processes on a consensus engine order the batches (4 bear one failure); built first if need be
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    chain: Option<u8>,
    /// Decides everything that is random: the same seed gives the same record
    #[arg(long, value_name = "TEXT", default_value = "ippyo")]
    seed: String,
    /// Where the election record goes, a new or empty folder; a temporary one otherwise
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Writes every move of every person to a file: milliseconds, who, what they see, what they do
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Writes what people who challenged a ballot photographed, for `staff check-opened`: one folder a ballot, new or empty
    #[arg(long, value_name = "DIR")]
    photographs: Option<PathBuf>,
    /// Where kiosks run: in this process, as a board's firmware in an emulator, or as the Linux image, a machine with an election of its own
    /// (five to ten minutes); built first if need be
    #[arg(long, value_enum, default_value_t = Target::Host)]
    target: Target,
    /// With `--target qemu`: writes the pictures of the board and of Linux, side by side, to this folder; with `--target image`, every screen
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
    /// With `--target qemu`: writes what the board logged, decoded, to this file
    #[arg(long, value_name = "FILE", requires = "headless")]
    log: Option<PathBuf>,
    /// With `--target qemu`: counts the instructions of the whole kiosk and prints a table; fails where more are needed than were promised
    #[arg(long, requires = "headless")]
    counts: bool,
    /// Summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Host,
    Qemu,
    Image,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    First,
    Last,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Consultation,
    Statutory,
}

/// Runs the program on its arguments.
#[must_use]
pub fn main() -> ExitCode {
    // clap exits by itself with 2 on bad usage and 0 on --help.
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Cards(command)) => command.run().map(|()| true),
        #[cfg(feature = "window")]
        Some(Command::Screens(command)) => command.run().and_then(|(text, fits)| print(&text).map(|()| fits)),
        #[cfg(feature = "window")]
        Some(Command::ByEar(command)) => command.run().and_then(|(text, holds)| print(&text).map(|()| holds)),
        Some(Command::Soak(command)) => command.run(),
        None => arguments.play.run(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("host-sim: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Problem>() {
        // What is refused after the import is something that does not hold; all else is the input, or a disk.
        Some(problem) if problem.kind != Kind::Refused => 2,
        Some(_) => 1,
        None if error.is::<BadInput>() => 2,
        None => 1,
    }
}

impl Play {
    fn run(self) -> Result<bool> {
        if self.target == Target::Image {
            return self.on_the_image();
        }
        let input = |error: anyhow::Error| BadInput(format!("{error:#}"));
        let mut scenario = Scenario::new(bundled::load(&self.election).map_err(input)?)
            .voters(self.voters.unwrap_or(119))
            .kiosks(self.kiosks)
            .seed(self.seed.clone())
            .cards(self.cards)
            .policy(match self.policy {
                Policy::First => manifest::Policy::First,
                Policy::Last => manifest::Policy::Last,
            })
            .mode(match self.mode {
                Mode::Consultation => manifest::Mode::Consultation,
                Mode::Statutory => manifest::Mode::Statutory,
            });
        if let Some(validators) = self.chain {
            scenario = scenario.processes(validators);
        }
        if self.target == Target::Qemu {
            scenario = emulated::prepare(scenario, self.screenshots.as_deref(), self.headless, self.counts)?;
        }
        #[cfg(feature = "window")]
        {
            scenario = scenario.fonts(self.fonts.clone());
        }
        if let Some(path) = &self.totals {
            scenario = scenario.totals(read_totals(path).map_err(input)?);
        }
        if let Some(path) = &self.trace {
            scenario = scenario.trace(path);
        }
        if let Some(folder) = &self.photographs {
            scenario = scenario.photographs(folder);
        }
        #[cfg(feature = "window")]
        if !self.headless {
            match crate::window::open(&self.window, scenario.clone(), self.voters, self.out.as_deref())? {
                crate::window::Closed::Counted(report) => return self.tell(&report),
                crate::window::Closed::Uncounted => return Ok(true),
                crate::window::Closed::NoDisplay(why) => {
                    eprintln!("{why}: the whole election runs headless, and then tells what happened.");
                }
            }
        }
        let out = match &self.out {
            Some(out) => out.clone(),
            None => temporary().map_err(input)?,
        };
        let report = match scenario.run_with(&out, &staff::progress::on_standard_error()) {
            Ok(report) => report,
            Err(error) => {
                if self.out.is_none() {
                    // Ours, and nothing of use is in it.
                    let _ = std::fs::remove_dir_all(&out);
                }
                return Err(error);
            }
        };
        emulated::tell(&scenario, self.log.as_deref())?;
        self.tell(&report)
    }

    fn on_the_image(&self) -> Result<bool> {
        let given = [
            ("--election", self.election != "kaga-consultation"),
            ("--voters", self.voters.is_some()),
            ("--kiosks", self.kiosks != 1),
            ("--totals", self.totals.is_some()),
            ("--chain", self.chain.is_some()),
            ("--trace", self.trace.is_some()),
            ("--photographs", self.photographs.is_some()),
        ];
        let told = appliance::play(&appliance::Wanted {
            foreign: given.iter().find(|(_, given)| *given).map(|(name, _)| *name),
            headless: self.headless,
            out: self.out.as_deref(),
            screenshots: self.screenshots.as_deref(),
        })?;
        if self.json {
            print(&serde_json::to_string_pretty(&told)?)?;
        } else {
            print(&format!(
                "holds: the election on the image with software {}",
                told["software"].as_str().unwrap_or_default()
            ))?;
        }
        Ok(true)
    }

    fn tell(&self, report: &Report) -> Result<bool> {
        let text = if self.json {
            serde_json::to_string_pretty(report)?
        } else {
            words::tell(report)
        };
        print(&text)?;
        for wrong in &report.wrong {
            eprintln!("wrong: {wrong}");
        }
        Ok(report.holds())
    }
}

fn print(text: &str) -> Result<()> {
    // A full disk or a closed pipe behind the output is said, not a panic.
    writeln!(std::io::stdout(), "{}", text.trim_end())
        .map_err(|error| BadInput(format!("standard output cannot be written: {error}")).into())
}

fn read_totals(path: &std::path::Path) -> Result<crate::voters::choices::Totals> {
    const LONGEST: u64 = 16 << 20;
    let bytes = staff::files::read(path, LONGEST)?;
    let Once(contests): Once<Once<u64>> = serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "{}: totals must be JSON of the form {{contest id: {{option id: votes}}}}, votes as whole numbers, each id once",
            path.display()
        )
    })?;
    Ok(contests
        .into_iter()
        .map(|(contest, Once(options))| (contest, options))
        .collect())
}

/// A JSON object whose names appear once: of two counts for one option neither is more right than the other.
struct Once<T>(std::collections::BTreeMap<String, T>);

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Once<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: serde::Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Once<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with ids as names")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut once = std::collections::BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if once.contains_key(&name) {
                        return Err(serde::de::Error::custom(format_args!("{name} appears twice")));
                    }
                    once.insert(name, value);
                }
                Ok(Once(once))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

/// A new folder among the system's temporary ones.
pub(crate) fn temporary() -> Result<PathBuf> {
    let base = std::env::temp_dir();
    for number in 0..1000 {
        let folder = base.join(format!("ippyo-record-{}-{number}", std::process::id()));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("{}: give --out", folder.display())),
        }
    }
    anyhow::bail!("{} is full of old records: give --out", base.display())
}
