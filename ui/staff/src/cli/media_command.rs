//! `media`: a pair of ballot-box media for a kiosk.

use std::path::PathBuf;

use clap::Args;

use super::station_commands::LONGEST_PACKAGE;
use super::{print, system_rng};
use crate::prepare::{Wanted, prepare};
use crate::problem::{Kind, Outcome, Problem};
use crate::{files, keyfile};

/// `media`.
#[derive(Args)]
pub struct Media {
    /// The kiosk's registration, signed by two staff cards
    #[arg(long)]
    registration: PathBuf,
    /// The package of the kiosk's station
    #[arg(long)]
    package: PathBuf,
    /// The authority's public key in hex
    #[arg(long)]
    authority: String,
    /// The epoch, from 0
    #[arg(long, default_value_t = 0)]
    epoch: u8,
    /// Places for votes; without it the voters of the roll and a tenth more
    #[arg(long)]
    votes: Option<u32>,
    /// Places for challenged ballots; without it a fifth of the votes
    #[arg(long)]
    challenges: Option<u32>,
    /// The original: a folder (a mounted drive), a file to be made, or a block device
    #[arg(long)]
    original: PathBuf,
    /// The duplicate
    #[arg(long)]
    duplicate: PathBuf,
    /// Blank block devices, whatever is on them but a ballot box
    #[arg(long)]
    overwrite_devices: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Media {
    pub fn run(self) -> Outcome<()> {
        let authority = keyfile::parse_public(&self.authority, "--authority")?;
        let bytes = files::read(&self.package, LONGEST_PACKAGE)?;
        let package = election::package::Package::open(&bytes, &authority)
            .map_err(|error| Problem::new(Kind::Refused, self.package.display(), error))?;
        let registration = files::read(&self.registration, 4096)?;
        let voters = u32::try_from(package.roll.len()).unwrap_or(u32::MAX);
        let votes = self.votes.unwrap_or_else(|| voters.saturating_add(voters / 10 + 16));
        let wanted = Wanted {
            epoch: self.epoch,
            votes,
            challenges: self.challenges.unwrap_or(votes / 5 + 8),
            devices: self.overwrite_devices,
        };
        let media = [self.original.as_path(), self.duplicate.as_path()];
        let report = prepare(&package, &registration, wanted, media, &mut system_rng())
            .map_err(|problem| problem.in_file(&self.registration))?;
        print(self.json, &report, |report| {
            let [original, duplicate] = &report.media;
            format!(
                "a pair for kiosk {} of station {}, epoch {}: {} votes, {} challenged ballots, {} bytes each\n  original  {}\n  duplicate {}",
                hex::encode(report.kiosk),
                report.station,
                report.epoch,
                report.votes,
                report.challenges,
                report.size,
                original.display(),
                duplicate.display()
            )
        })
    }
}
