//! `secret`, `package`, `provision`, `anchor`: what a station and its kiosks need from the desk, and bring back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::flash_command::PackageFlash;
use super::{print, system_rng};
use crate::problem::{Kind, Outcome, Problem};
use crate::{anchor, desk, files, keyfile, medium, package, provision};

/// Longest genesis that is read.
const LONGEST_GENESIS: u64 = 1 << 20;
/// Longest package that is read.
pub const LONGEST_PACKAGE: u64 = election::package::MAX_PACKAGE as u64;

/// `secret`.
#[derive(Subcommand)]
pub enum Secret {
    /// Draws E; the file is written with mode 0600 and never overwritten
    New {
        /// Where E goes
        #[arg(long)]
        out: PathBuf,
    },
    /// Overwrites and removes E, before witnesses, when the tally stands
    Destroy {
        /// The file with E
        secret: PathBuf,
    },
}

impl Secret {
    pub fn run(self) -> Outcome<()> {
        match self {
            Self::New { out } => package::create_secret(&out, &mut system_rng()).map(|_| ()),
            Self::Destroy { secret } => {
                // Only what is a secret file may be destroyed by this command.
                keyfile::read_election_secret(&secret)?;
                files::destroy(&secret)
            }
        }
    }
}

/// `package`.
#[derive(Subcommand)]
pub enum PackageCommand {
    /// Builds and signs the package of a station
    Build(Box<PackageBuild>),
    /// Checks a package and says what is in it
    Show(PackageShow),
    /// Writes a package as a kiosk without files keeps it in its flash
    Flash(PackageFlash),
}

/// `package build`.
#[derive(Args)]
pub struct PackageBuild {
    /// manifest.bin
    #[arg(long)]
    manifest: PathBuf,
    /// keys.bin of the ceremony
    #[arg(long)]
    keys: PathBuf,
    /// genesis.bin
    #[arg(long)]
    genesis: PathBuf,
    /// The file with E; only its commitment goes into the package
    #[arg(long)]
    secret: PathBuf,
    /// Number of the station
    #[arg(long)]
    station: u16,
    /// Its name, `ja=...,en=...`; the manifest's fallback language must be there
    #[arg(long)]
    name: String,
    /// Roll section of `roll build`
    #[arg(long)]
    roll: PathBuf,
    /// Certificate of a card authority, PEM or DER; repeat
    #[arg(long = "card-authority", required = true)]
    card_authorities: Vec<PathBuf>,
    /// Higher than that of every package and delta before for this station
    #[arg(long, default_value_t = 1)]
    serial: u32,
    /// The authority's secret key
    #[arg(long)]
    authority: PathBuf,
    /// A font for characters of names that the panel's own font lacks; repeat, the first that has a character draws it
    #[cfg(feature = "screens")]
    #[arg(long = "font", value_name = "FILE")]
    fonts: Vec<PathBuf>,
    /// What `speak` rendered: kiosks of this package can be heard; without it they have no voice
    #[cfg(feature = "screens")]
    #[arg(long, value_name = "FILE")]
    speech: Option<PathBuf>,
    /// Package to write
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `package show`.
#[derive(Args)]
pub struct PackageShow {
    /// The package
    package: PathBuf,
    /// The authority's public key in hex; without it the one that the package names is used, and said to be unchecked
    #[arg(long)]
    authority: Option<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ShownPackage {
    #[serde(flatten)]
    shown: package::Shown,
    authority_checked: bool,
}

impl PackageCommand {
    pub fn run(self) -> Outcome<()> {
        match self {
            Self::Build(command) => command.run(),
            Self::Flash(command) => command.run(),
            Self::Show(command) => {
                let bytes = files::read(&command.package, LONGEST_PACKAGE)?;
                let checked = command.authority.is_some();
                let authority = match &command.authority {
                    Some(text) => keyfile::parse_public(text, "--authority")?,
                    None => package::claimed_authority(&bytes).map_err(|problem| problem.in_file(&command.package))?,
                };
                let shown = package::show(&bytes, &authority).map_err(|problem| problem.in_file(&command.package))?;
                let report = ShownPackage {
                    shown,
                    authority_checked: checked,
                };
                print(command.json, &report, describe)
            }
        }
    }
}

impl PackageBuild {
    fn run(self) -> Outcome<()> {
        let manifest_bytes = desk::read_manifest(&self.manifest)?;
        let manifest = desk::parse_manifest(&manifest_bytes, &self.manifest)?;
        let keys = desk::read_keys(&self.keys)?;
        let election = desk::election_hash(&manifest_bytes, &self.keys)?;
        let secret = package::read_secret(&self.secret)?;
        let mut name = parse_name(&self.name)?;
        let fallback = manifest.fallback();
        name.sort_by_key(|(language, _)| language != fallback);
        let authorities = self
            .card_authorities
            .iter()
            .map(|path| keyfile::certificate(path))
            .collect::<Outcome<Vec<_>>>()?;
        let roll = files::read(
            &self.roll,
            (election::roll::MAX_ENTRIES * election::roll::ENTRY_LEN) as u64,
        )?;
        let genesis = files::read(&self.genesis, LONGEST_GENESIS)?;
        let authority = keyfile::read_signer(&self.authority)?;
        let pictures = self.pictures(&manifest, &name)?;
        let speech = self.speech(&manifest, &name)?;
        let bytes = package::build(
            &package::Input {
                manifest: &manifest_bytes,
                keys: &keys,
                genesis: &genesis,
                secret: &secret.commitment(&election),
                station: self.station,
                name: &name,
                roll: &roll,
                authorities: &authorities,
                serial: self.serial,
                pictures: pictures.as_deref(),
                clips: speech.as_deref(),
            },
            &authority,
        )?;
        files::write(&self.out, &bytes)?;
        let report = ShownPackage {
            shown: package::show(&bytes, &authority.public_key())?,
            authority_checked: true,
        };
        print(self.json, &report, describe)
    }

    /// Everything a voter will read fits the panels, and is drawn for them.
    #[cfg(feature = "screens")]
    fn pictures(
        &self,
        manifest: &election::manifest::CheckedManifest<'_>,
        name: &crate::definition::Texts,
    ) -> Outcome<Option<Vec<u8>>> {
        use crate::screens;
        for note in screens::fits(manifest, name).map_err(|problem| problem.in_file(&self.manifest))? {
            eprintln!("note: {note}");
        }
        let fonts = screens::Fonts::for_names(&self.fonts, manifest, name, &screens::Fallback::debian())?;
        let drawn = screens::draw(manifest, name, &fonts).map_err(|problem| problem.in_file(&self.manifest))?;
        if !self.json {
            for (hash, font) in fonts.list() {
                eprintln!("font {font}, SHA-256 {}", hex::encode(hash));
            }
            if !drawn.rare.is_empty() {
                eprintln!("not in the panel's own font: {}", drawn.rare.join(" "));
            }
        }
        Ok(Some(drawn.section))
    }

    /// The clips, and that everything a voter can meet here has one.
    #[cfg(feature = "screens")]
    fn speech(
        &self,
        manifest: &election::manifest::CheckedManifest<'_>,
        name: &crate::definition::Texts,
    ) -> Outcome<Option<Vec<u8>>> {
        use crate::speak;
        let Some(path) = &self.speech else { return Ok(None) };
        let bytes = files::read(path, election::clips::MAX_SECTION as u64)?;
        let clips = election::clips::Clips::read(&bytes)
            .map_err(|error| Problem::new(Kind::Malformed, "speech", error).in_file(path))?;
        speak::check(manifest, name, &clips, &speak::languages(&[])?).map_err(|problem| problem.in_file(path))?;
        Ok(Some(bytes))
    }

    #[cfg(not(feature = "screens"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // As the one that speaks.
    fn speech(
        &self,
        _: &election::manifest::CheckedManifest<'_>,
        _: &crate::definition::Texts,
    ) -> Outcome<Option<Vec<u8>>> {
        Ok(None)
    }

    #[cfg(not(feature = "screens"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // As the one that draws.
    fn pictures(
        &self,
        _: &election::manifest::CheckedManifest<'_>,
        _: &crate::definition::Texts,
    ) -> Outcome<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// `provision`.
#[derive(Args)]
pub struct Provision {
    /// The kiosk's registration, signed by two staff cards (from the kiosk's internal memory)
    #[arg(long)]
    registration: PathBuf,
    /// The package of the kiosk's station
    #[arg(long)]
    package: PathBuf,
    /// The authority's public key in hex
    #[arg(long)]
    authority: String,
    /// The file with E
    #[arg(long)]
    secret: PathBuf,
    /// Sealed E to write, for the kiosk's internal memory
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Provision {
    pub fn run(self) -> Outcome<()> {
        let authority = keyfile::parse_public(&self.authority, "--authority")?;
        let bytes = files::read(&self.package, LONGEST_PACKAGE)?;
        let package = election::package::Package::open(&bytes, &authority)
            .map_err(|error| Problem::new(Kind::Refused, self.package.display(), error))?;
        let registration = files::read(&self.registration, 4096)?;
        let secret = package::read_secret(&self.secret)?;
        let provisioned = provision::provision(
            &package.genesis,
            &registration,
            &secret,
            package.secret,
            package.station.number,
            &mut system_rng(),
        )
        .map_err(|problem| problem.in_file(&self.registration))?;
        files::write(&self.out, &provisioned.sealed)?;
        print(self.json, &provisioned, |report| {
            format!(
                "kiosk {} of station {}, signed in by {}\n  software {}\n  compare this with the software hash that was approved",
                hex::encode(report.kiosk),
                report.station,
                report.staff.join(" and "),
                hex::encode(report.software)
            )
        })
    }
}

/// `anchor`.
#[derive(Args)]
pub struct Anchor {
    /// A medium of the kiosk: original or duplicate
    medium: PathBuf,
    /// genesis.bin
    #[arg(long)]
    genesis: PathBuf,
    /// Gateway of a validator, `host:port`
    #[arg(long)]
    gateway: String,
    /// The kiosk's registration, where it is not on the medium
    #[arg(long)]
    registration: Vec<PathBuf>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Anchor {
    pub fn run(self) -> Outcome<()> {
        let genesis = files::read(&self.genesis, LONGEST_GENESIS)?;
        let first = self
            .registration
            .iter()
            .map(|path| files::read(path, 4096))
            .collect::<Outcome<Vec<_>>>()?;
        let file = media::FileMedium::open_read_only(&self.medium)
            .map_err(|error| Problem::new(Kind::Files, self.medium.display(), error))?;
        let progress = crate::progress::on_standard_error();
        let content = medium::read(file, &self.medium.display().to_string(), &progress)?;
        let mut gateway = anchor::Tcp::connect(&self.gateway)?;
        let report = anchor::anchor(&content, &first, &genesis, &mut gateway, &progress)?;
        print(self.json, &report, |report| {
            format!(
                "kiosk {}: {} registrations and takeovers, {} batches with {} entries{}",
                hex::encode(report.kiosk),
                report.staff_transactions,
                report.batches,
                report.entries,
                if report.closed {
                    ", the closing batch among them"
                } else {
                    "; the kiosk is not closed yet"
                }
            )
        })
    }
}

pub(super) fn parse_name(text: &str) -> Outcome<Vec<(String, String)>> {
    text.split(',')
        .map(|part| match part.split_once('=') {
            Some((language, name)) if !language.is_empty() && !name.is_empty() => {
                Ok((language.to_owned(), name.to_owned()))
            }
            _ => Err(Problem::new(
                Kind::Usage,
                "--name",
                format!("{part:?} is not of the form language=name"),
            )),
        })
        .collect()
}

fn describe(report: &ShownPackage) -> String {
    let s = &report.shown;
    let mut out = format!(
        "package {}\n  election {} ({})\n  authority {}{}\n  station {} {}, serial {}, {} voters\n  {} contests, {} ballot styles\n  \
         {} of {} trustees decrypt, {} validators, {} card authorities\n",
        hex::encode(s.package),
        hex::encode(s.election),
        s.id,
        hex::encode(s.authority),
        if report.authority_checked {
            ""
        } else {
            " (as the package says; compare it with the published key)"
        },
        s.station,
        crate::report::first_text(&s.station_name),
        s.serial,
        s.voters,
        s.contests,
        s.styles,
        s.threshold,
        s.trustees,
        s.validators,
        s.card_authorities
    );
    if s.pictures > 0 {
        out.push_str(&format!(
            "  {} characters as pictures, {} bytes, drawn from fonts with SHA-256\n    {}\n",
            s.pictures,
            s.pictures_length,
            s.fonts.join("\n    ")
        ));
    }
    out.push_str(&if s.clips > 0 {
        format!("  {} clips of speech, {} bytes\n", s.clips, s.clips_length)
    } else {
        "  no speech: kiosks of this package have no voice\n".to_owned()
    });
    for (name, roles) in &s.staff {
        let polls = if roles & election::ledger::role::POLLS != 0 {
            " polls"
        } else {
            ""
        };
        let provision = if roles & election::ledger::role::PROVISIONS != 0 {
            " provision"
        } else {
            ""
        };
        out.push_str(&format!("  staff {name}:{polls}{provision}\n"));
    }
    out
}
