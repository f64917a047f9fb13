//! `import`, `roll`, `authority`, `genesis`: what stands before any kiosk.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use election::manifest::{self, Manifest};
use serde::Serialize;

use super::{print, system_rng};
use crate::import::{self, Imported, Options};
use crate::problem::{Kind, Outcome, Problem};
use crate::texts::ByLanguage;
use crate::{desk, files, genesis, keyfile, roll};

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Online: batches go out by themselves.
    Consultation,
    /// No uplink at all: batches leave on the medium.
    Statutory,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// The first vote of a card counts.
    First,
    /// The vote in the latest voting period counts.
    Last,
}

/// `import`.
#[derive(Args)]
#[command(
    after_help = "What is not supported (ranked, cumulative and write-in contests, retention, party and straight-party contests) is \
                        refused with the id of the contest, exit code 1. A file that breaks NIST's schema or leads nowhere: exit code 2."
)]
pub struct Import {
    /// Ballot definition, NIST SP 1500-20 version 1, JSON
    definition: PathBuf,
    /// Manifest to write
    #[arg(long)]
    out: PathBuf,
    /// Whether kiosks may be online while polls are open
    #[arg(long, value_enum, default_value = "consultation")]
    mode: Mode,
    /// Which of several votes of one card counts
    #[arg(long, value_enum, default_value = "first")]
    policy: Policy,
    /// A voting period, in order; repeat. Form: `ja=期日前投票,en=Early voting`
    #[arg(long = "epoch", value_name = "NAMES")]
    epochs: Vec<String>,
    /// Ballots a batch while polls are open (1 to 256); nobody at the station can match a voter to fewer
    #[arg(long, default_value_t = 8)]
    batch: u16,
    /// Stations with fewer recorded ballots than this are named in the report
    #[arg(long, default_value_t = 10)]
    small_group: u32,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    pub fn run(self) -> Outcome<()> {
        let options = Options {
            mode: match self.mode {
                Mode::Consultation => manifest::Mode::Consultation,
                Mode::Statutory => manifest::Mode::Statutory,
            },
            policy: match self.policy {
                Policy::First => manifest::Policy::First,
                Policy::Last => manifest::Policy::Last,
            },
            batch: self.batch,
            small_group: self.small_group,
            epochs: self
                .epochs
                .iter()
                .map(|text| parse_epoch(text))
                .collect::<Outcome<_>>()?,
        };
        let imported = import::import_file(&self.definition, &options)?;
        files::write(&self.out, &imported.manifest)?;
        print(self.json, &imported, describe)
    }
}

fn parse_epoch(text: &str) -> Outcome<ByLanguage> {
    text.split(',')
        .map(|part| match part.split_once('=') {
            Some((language, name)) if !language.is_empty() && !name.is_empty() => {
                Ok((language.to_owned(), name.to_owned()))
            }
            _ => Err(Problem::new(
                Kind::Usage,
                "--epoch",
                format!("{part:?} is not of the form language=name"),
            )),
        })
        .collect()
}

fn describe(imported: &Imported) -> String {
    let d = &imported.definition;
    let mut out = format!(
        "{}: {} ({})\n  {} contests, {} ballot styles, {} voting period(s), languages {}\n",
        d.id,
        crate::report::first_text(&d.name),
        crate::results::date(d.first_day),
        d.contests.len(),
        d.styles.len(),
        d.epochs.len(),
        d.languages.join(", ")
    );
    for contest in &d.contests {
        out.push_str(&format!(
            "  {}: {}: up to {} of {}\n",
            contest.id,
            crate::report::first_text(&contest.name),
            contest.votes,
            contest.options.len()
        ));
    }
    for note in &imported.notes {
        out.push_str(&format!("  note: {note}\n"));
    }
    for warning in &imported.warnings {
        out.push_str(&format!("  warning: {warning}\n"));
    }
    out
}

/// `roll`.
#[derive(Subcommand)]
pub enum Roll {
    /// CSV (key,style) -> roll section of a package
    Build(RollBuild),
    /// Signed changes for a station that already has its package: all changes since that package
    Delta(RollDelta),
}

/// `roll build`.
#[derive(Args)]
#[command(
    after_help = "Columns: key (hex of the card's public key, or the path of its certificate in PEM or DER) and style (its ballot \
                        style's id). No names: who holds which card stays in the office that issued it."
)]
pub struct RollBuild {
    /// The table
    csv: PathBuf,
    /// The election's manifest
    #[arg(long)]
    manifest: PathBuf,
    /// Roll section to write
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `roll delta`.
#[derive(Args)]
pub struct RollDelta {
    /// The election's manifest
    #[arg(long)]
    manifest: PathBuf,
    /// The joint key (keys.bin of the ceremony)
    #[arg(long)]
    keys: PathBuf,
    /// Number of the station
    #[arg(long)]
    station: u16,
    /// Higher than the serial of the station's package and of every delta before
    #[arg(long)]
    serial: u32,
    /// Cards to add or to change: CSV (key,style)
    #[arg(long)]
    add: Option<PathBuf>,
    /// Cards to remove: CSV (key)
    #[arg(long)]
    remove: Option<PathBuf>,
    /// The authority's secret key
    #[arg(long)]
    authority: PathBuf,
    /// Signed delta to write
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Changed {
    election: String,
    station: u16,
    serial: u32,
    added: usize,
    removed: usize,
}

impl Roll {
    pub fn run(self) -> Outcome<()> {
        match self {
            Self::Build(command) => {
                let bytes = desk::read_manifest(&command.manifest)?;
                let manifest = desk::parse_manifest(&bytes, &command.manifest)?;
                let roll = roll::read_csv(&command.csv, &manifest)?;
                files::write(&command.out, &roll.section())?;
                print(command.json, &roll.report(&manifest), |report| {
                    let mut out = format!("{} entries\n", report.entries);
                    for (style, count) in &report.styles {
                        out.push_str(&format!("  {style}: {count}\n"));
                    }
                    out
                })
            }
            Self::Delta(command) => {
                let bytes = desk::read_manifest(&command.manifest)?;
                let manifest = desk::parse_manifest(&bytes, &command.manifest)?;
                let election = desk::election_hash(&bytes, &command.keys)?;
                let changes = roll::changes(command.add.as_deref(), command.remove.as_deref(), &manifest)?;
                let authority = keyfile::read_signer(&command.authority)?;
                let delta = roll::delta(&election, command.station, command.serial, &changes, &authority)?;
                files::write(&command.out, &delta)?;
                let removed = changes.values().filter(|style| style.is_none()).count();
                let report = Changed {
                    election: hex::encode(election),
                    station: command.station,
                    serial: command.serial,
                    added: changes.len() - removed,
                    removed,
                };
                print(command.json, &report, |report| {
                    format!(
                        "station {}, serial {}: {} added or changed, {} removed",
                        report.station, report.serial, report.added, report.removed
                    )
                })
            }
        }
    }
}

/// `authority`.
#[derive(Subcommand)]
pub enum Authority {
    /// A new signing key; the file is written with mode 0600 and never overwritten
    New {
        /// Where the secret key goes
        #[arg(long)]
        out: PathBuf,
        /// Report as JSON
        #[arg(long)]
        json: bool,
    },
    /// The public key of a secret key
    Show {
        /// The secret key
        key: PathBuf,
        /// Report as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct PublicKeyReport {
    public_key: String,
}

impl Authority {
    pub fn run(self) -> Outcome<()> {
        let (signer, json) = match self {
            Self::New { out, json } => (keyfile::create(&out, &mut system_rng())?, json),
            Self::Show { key, json } => (keyfile::read_signer(&key)?, json),
        };
        let report = PublicKeyReport {
            public_key: hex::encode(signer.public_key()),
        };
        print(json, &report, |report| report.public_key.clone())
    }
}

/// `genesis`.
#[derive(Args)]
pub struct Genesis {
    /// The election's manifest
    #[arg(long)]
    manifest: PathBuf,
    /// The joint key (keys.bin of the ceremony)
    #[arg(long)]
    keys: PathBuf,
    /// Staff cards: CSV (key,roles,name); roles are polls, provision or polls+provision
    #[arg(long)]
    staff: PathBuf,
    /// Validators: one public key in hex a line
    #[arg(long)]
    validators: PathBuf,
    /// Genesis to write
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct GenesisReport {
    election: String,
    staff: Vec<genesis::Staff>,
    validators: usize,
}

impl Genesis {
    pub fn run(self) -> Outcome<()> {
        let manifest = desk::read_manifest(&self.manifest)?;
        Manifest::parse(&manifest).map_err(|error| Problem::new(Kind::Malformed, self.manifest.display(), error))?;
        let election = desk::election_hash(&manifest, &self.keys)?;
        let staff = genesis::read_staff(&self.staff)?;
        let validators = genesis::read_validators(&self.validators)?;
        let bytes = genesis::build(&election, &staff, &validators)?;
        files::write(&self.out, &bytes)?;
        let report = GenesisReport {
            election: hex::encode(election),
            staff,
            validators: validators.len(),
        };
        print(self.json, &report, |report| {
            format!(
                "election {}\n  {} staff cards, {} validators",
                report.election,
                report.staff.len(),
                report.validators
            )
        })
    }
}
