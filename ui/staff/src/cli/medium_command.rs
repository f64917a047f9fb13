//! `medium`: one ballot-box medium: a spare for a takeover, what it is, whether all of it can be read. Looking changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use election::hash::Digest;
use kiosk::audit::Event;
use kiosk::ballot_box::{Label, Role};
use media::FileMedium;
use serde::Serialize;

use super::station_commands::LONGEST_PACKAGE;
use super::{print, system_rng};
use crate::medium::{self, Content};
use crate::prepare::{Wanted, prepare_spare};
use crate::problem::{Kind, Outcome, Problem};
use crate::{files, keyfile};

/// `medium`.
#[derive(Subcommand)]
pub enum Medium {
    /// Prepares a spare medium for a registered kiosk: it fits beside the surviving medium of a kiosk that fails, and nowhere else
    Spare(Box<Spare>),
    /// Whose a medium is, how large, in which state
    Inspect(Inspect),
    /// Reads all of a medium, or of a pair, and says what is damaged or on one of the two only
    Check(Check),
}

/// `medium spare`.
#[derive(Args)]
pub struct Spare {
    /// The spare kiosk's registration, signed by two staff cards
    #[arg(long)]
    registration: PathBuf,
    /// The package of the station
    #[arg(long)]
    package: PathBuf,
    /// The authority's public key in hex
    #[arg(long)]
    authority: String,
    /// A medium of the station's kiosks, to be as large as it and for the same epoch
    #[arg(long)]
    like: PathBuf,
    /// Blank a block device, whatever is on it but a ballot box
    #[arg(long)]
    overwrite_devices: bool,
    /// A folder, a file to be made, or a block device
    medium: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `medium inspect`.
#[derive(Args)]
pub struct Inspect {
    /// File or block device
    medium: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `medium check`.
#[derive(Args)]
pub struct Check {
    /// File or block device; two for a pair, the original first
    #[arg(num_args = 1..=2, required = true)]
    media: Vec<PathBuf>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// What `inspect` says.
#[derive(Serialize)]
struct Shown {
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    election: Digest,
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    kiosk: Digest,
    station: u16,
    epoch: u8,
    pair: String,
    role: &'static str,
    /// Places for votes and for challenged ballots.
    votes: u32,
    challenges: u32,
    /// Bytes of the format, and of a sector.
    size: u64,
    sector: u32,
    /// Kiosks that had it before.
    takeovers: usize,
    /// `new`, `open` or `closed`.
    state: &'static str,
    /// What stands on it; not said while polls are open (A14).
    holds: Option<Holds>,
}

#[derive(Serialize)]
struct Holds {
    votes: usize,
    challenged: usize,
    void: usize,
}

/// What `check` says of one medium.
#[derive(Serialize)]
struct Checked {
    medium: PathBuf,
    /// Slots that are written and not whole.
    void: usize,
    /// Journal places that cannot be read, and entries that are missing by their number.
    torn: u32,
    missing: u32,
    /// Records and log entries that only the other medium of the pair has.
    lacks: usize,
}

impl Medium {
    pub fn run(self) -> Outcome<()> {
        match self {
            Self::Spare(command) => command.run(),
            Self::Inspect(command) => {
                let content = read(&command.medium)?;
                print(command.json, &shown(&content), describe)
            }
            Self::Check(command) => command.run(),
        }
    }
}

impl Spare {
    fn run(self) -> Outcome<()> {
        let authority = keyfile::parse_public(&self.authority, "--authority")?;
        let bytes = files::read(&self.package, LONGEST_PACKAGE)?;
        let package = election::package::Package::open(&bytes, &authority)
            .map_err(|error| Problem::new(Kind::Refused, self.package.display(), error))?;
        let registration = files::read(&self.registration, 4096)?;
        let like = read(&self.like)?.label;
        let wanted = Wanted {
            epoch: like.epoch,
            votes: like.layout.cast,
            challenges: like.layout.spoiled,
            devices: self.overwrite_devices,
        };
        let path = prepare_spare(
            &package,
            &registration,
            wanted,
            &like.layout,
            &self.medium,
            &mut system_rng(),
        )
        .map_err(|problem| problem.in_file(&self.registration))?;
        let content = read(&path)?;
        print(self.json, &shown(&content), describe)
    }
}

impl Check {
    fn run(self) -> Outcome<()> {
        let contents = self.media.iter().map(|path| read(path)).collect::<Outcome<Vec<_>>>()?;
        if let [one, two] = contents.as_slice() {
            pair(&one.label, &two.label).map_err(|what| {
                Problem::new(Kind::Refused, self.media[1].display(), what)
                    .advice("give original and duplicate of one kiosk")
            })?;
        }
        let sets: Vec<BTreeSet<Vec<u8>>> = contents.iter().map(everything).collect();
        let checked: Vec<Checked> = contents
            .iter()
            .enumerate()
            .map(|(at, content)| Checked {
                medium: self.media[at].clone(),
                void: content.void.len(),
                torn: content.torn,
                missing: content.missing,
                lacks: match sets.as_slice() {
                    [one, two] if at == 0 => two.difference(one).count(),
                    [one, two] => one.difference(two).count(),
                    _ => 0,
                },
            })
            .collect();
        let clean = |medium: &Checked| (medium.void, medium.torn, medium.missing, medium.lacks) == (0, 0, 0, 0);
        let good = checked.iter().all(clean);
        print(self.json, &checked, |checked| {
            checked
                .iter()
                .map(|medium| {
                    format!(
                        "{}: {} void slots, {} torn and {} missing log entries, {} things only the other medium has\n",
                        medium.medium.display(),
                        medium.void,
                        medium.torn,
                        medium.missing,
                        medium.lacks
                    )
                })
                .collect()
        })?;
        if good {
            return Ok(());
        }
        Err(Problem::new(
            Kind::Refused,
            self.media[0].display(),
            "not everything is whole on every medium",
        )
        .advice("keep the media; a kiosk that starts with both copies what one of them lacks"))
    }
}

/// Records and log entries, wherever they lie.
fn everything(content: &Content) -> BTreeSet<Vec<u8>> {
    let records = content
        .records
        .iter()
        .map(|record| [&[0, record.kind.into()], &record.tag[..], &record.ballot].concat());
    let entries = content.transactions.iter().map(|bytes| [&[1], &bytes[..]].concat());
    // Events of voters are all alike: how many there are is what counts.
    let events = content
        .events
        .iter()
        .enumerate()
        .map(|(at, bytes)| [&[2], &at.to_be_bytes()[..], bytes].concat());
    let closing = content.closing.iter().map(|bytes| [&[3], &bytes[..]].concat());
    records.chain(entries).chain(events).chain(closing).collect()
}

fn pair(one: &Label, two: &Label) -> Result<(), &'static str> {
    match (one.role(), two.role()) {
        _ if one.pair != two.pair => Err("the two media are not of one pair"),
        (Some(Role::Original), Some(Role::Duplicate)) => Ok(()),
        (Some(Role::Duplicate), Some(Role::Original)) => Err("original and duplicate are swapped"),
        _ => Err("this is twice the same medium"),
    }
}

fn read(path: &Path) -> Outcome<Content> {
    let file = FileMedium::open_read_only(path).map_err(|error| {
        Problem::new(Kind::Files, path.display(), error).advice("check the name, and that the medium is in")
    })?;
    medium::read(file, &path.display().to_string(), &|_| {})
}

fn shown(content: &Content) -> Shown {
    let label = &content.label;
    let events: Vec<Event> = content
        .events
        .iter()
        .filter_map(|bytes| election::wire::decode(bytes).ok())
        .collect();
    let opened = events.iter().any(|event| matches!(event, Event::Opened { .. }));
    let closed = content.closing.is_some() || events.iter().any(|event| matches!(event, Event::Closed { .. }));
    let state = match (opened, closed) {
        (_, true) => "closed",
        (true, false) => "open",
        (false, false) => "new",
    };
    let of = |kind| content.records.iter().filter(|record| record.kind == kind).count();
    Shown {
        election: label.election,
        kiosk: label.kiosk,
        station: label.station,
        epoch: label.epoch,
        pair: hex::encode(label.pair),
        role: match label.role() {
            Some(Role::Original) => "original",
            Some(Role::Duplicate) => "duplicate",
            None => "spare",
        },
        votes: label.layout.cast,
        challenges: label.layout.spoiled,
        size: label.layout.size(),
        sector: label.layout.sector,
        takeovers: content.labels.iter().filter(|label| label.takeover.is_some()).count(),
        state,
        holds: (state != "open").then(|| Holds {
            votes: of(election::batch::Kind::Cast),
            challenged: of(election::batch::Kind::Spoiled),
            void: content.void.len(),
        }),
    }
}

fn describe(shown: &Shown) -> String {
    let mut out = format!(
        "{} of pair {}\n  election {}\n  kiosk {} of station {}, epoch {}\n  room for {} votes and {} challenged ballots: {} bytes in sectors of {}\n  taken over {} times\n  {}",
        shown.role,
        shown.pair,
        hex::encode(shown.election),
        hex::encode(shown.kiosk),
        shown.station,
        shown.epoch,
        shown.votes,
        shown.challenges,
        shown.size,
        shown.sector,
        shown.takeovers,
        shown.state
    );
    match &shown.holds {
        Some(holds) => out.push_str(&format!(
            ": {} votes, {} challenged ballots, {} void slots",
            holds.votes, holds.challenged, holds.void
        )),
        None => out.push_str(": what it holds is not said before polls are closed"),
    }
    out
}
