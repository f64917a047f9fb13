//! Preparing a pair of ballot-box media for a registered kiosk and an epoch: blank, labelled, as large as the election needs.
//!
//! What is there already is never overwritten: a ballot box is evidence.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use election::hash::Digest;
use election::ledger::kiosk_id;
use election::package::Package;
use kiosk::ballot_box::{Label, Layout, MediaFault, Role, SPARE_ROLE, format, label_of};
use kiosk::ports::Medium as _;
use media::FileMedium;
use rand_core::CryptoRng;
use serde::Serialize;

use crate::problem::{Kind, Outcome, Problem};
use crate::provision::check_registration;

/// A medium that is ready.
#[derive(Clone, Debug, Serialize)]
pub struct Prepared {
    /// Kiosk id.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub kiosk: Digest,
    /// Its station.
    pub station: u16,
    /// The epoch.
    pub epoch: u8,
    /// Places for votes.
    pub votes: u32,
    /// Places for challenged ballots.
    pub challenges: u32,
    /// Bytes of a medium.
    pub size: u64,
    /// Original and duplicate.
    pub media: [PathBuf; 2],
}

/// What a pair is to hold.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// The epoch.
    pub epoch: u8,
    /// Votes.
    pub votes: u32,
    /// Challenged ballots.
    pub challenges: u32,
    /// Whether block devices may be blanked.
    pub devices: bool,
}

/// Prepares a pair. A folder gets a file of a name of its own (A10); a path that is not there becomes a file.
///
/// # Errors
/// The registration is not one for this package; the epoch is not there; the election does not fit; a medium holds something or fails.
pub fn prepare<R: CryptoRng + ?Sized>(
    package: &Package<'_>,
    registration: &[u8],
    wanted: Wanted,
    media: [&Path; 2],
    rng: &mut R,
) -> Outcome<Prepared> {
    let (kiosk, layout) = plan(package, registration, wanted)?;
    let mut pair = [0; 16];
    rng.fill_bytes(&mut pair);
    let [original, duplicate] = media;
    let make = |path: &Path, role: Role| {
        let label = Label {
            election: *package.election(),
            kiosk,
            station: package.station.number,
            epoch: wanted.epoch,
            pair,
            role: role as u8,
            layout,
            takeover: None,
        };
        one(path, &label, role, wanted.devices)
    };
    let media = [make(original, Role::Original)?, make(duplicate, Role::Duplicate)?];
    Ok(Prepared {
        kiosk,
        station: package.station.number,
        epoch: wanted.epoch,
        votes: layout.cast,
        challenges: wanted.challenges,
        size: layout.size(),
        media,
    })
}

/// Prepares a spare medium: it takes the place of the medium that a kiosk lost, beside the surviving one, and is no ballot box by itself.
///
/// # Errors
/// As [`prepare`]; `like`, the layout of the station's media, is not that of this election.
pub fn prepare_spare<R: CryptoRng + ?Sized>(
    package: &Package<'_>,
    registration: &[u8],
    wanted: Wanted,
    like: &Layout,
    path: &Path,
    rng: &mut R,
) -> Outcome<PathBuf> {
    let (kiosk, layout) = plan(package, registration, wanted)?;
    if layout != *like {
        return Err(Problem::new(
            Kind::Refused,
            "--like",
            "this medium is of another election, or laid out by another version",
        )
        .advice("give a medium of this station's kiosks"));
    }
    let mut pair = [0; 16];
    rng.fill_bytes(&mut pair);
    let label = Label {
        election: *package.election(),
        kiosk,
        station: package.station.number,
        epoch: wanted.epoch,
        pair,
        role: SPARE_ROLE,
        layout,
        takeover: None,
    };
    one(path, &label, Role::Original, wanted.devices)
}

/// Which kiosk it is for, and how it is laid out.
fn plan(package: &Package<'_>, registration: &[u8], wanted: Wanted) -> Outcome<(Digest, Layout)> {
    let (body, _) = check_registration(&package.genesis, registration)?;
    if body.station != package.station.number {
        return Err(Problem::new(
            Kind::Refused,
            "registration",
            format!(
                "is for station {}, the package for station {}",
                body.station, package.station.number
            ),
        )
        .advice("use the package of the kiosk's station"));
    }
    let epochs = package.manifest.epoch_count();
    if wanted.epoch >= epochs {
        return Err(Problem::new(
            Kind::Reference,
            "--epoch",
            format!("there are the epochs 0 to {}", epochs.saturating_sub(1)),
        ));
    }
    let layout = Layout::plan(&package.manifest, media::SECTOR, wanted.votes, wanted.challenges).ok_or_else(|| {
        Problem::new(Kind::Limit, "--votes", "the election does not fit a medium")
            .advice("prepare for fewer votes a kiosk")
    })?;
    let kiosk = kiosk_id(&body.kiosk.0);
    Ok((kiosk, layout))
}

fn one(path: &Path, label: &Label, role: Role, devices: bool) -> Outcome<PathBuf> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| Problem::new(Kind::Files, path.display(), error);
    let device = path
        .metadata()
        .is_ok_and(|metadata| metadata.file_type().is_block_device());
    let (path, mut medium) = if device {
        if !devices {
            return Err(Problem::new(Kind::Usage, path.display(), "is a whole device")
                .advice("say --overwrite-devices if nothing on it is needed any more"));
        }
        let mut medium = FileMedium::open(path).map_err(|error| failed(path, &error))?;
        blank(&mut medium, label, role).map_err(|what| Problem::new(Kind::Refused, path.display(), what))?;
        (path.to_path_buf(), medium)
    } else {
        let path = if path.is_dir() {
            let (front, _) = label.kiosk.split_at(8);
            path.join(format!(
                "ippyo-{}-{}-{}.box",
                hex::encode(front),
                label.epoch,
                name(label)
            ))
        } else {
            path.to_path_buf()
        };
        let medium = FileMedium::create(&path, label.layout.size()).map_err(|error| failed(&path, &error))?;
        (path, medium)
    };
    let mut sector = vec![0; label.layout.sector as usize];
    embassy_futures::block_on(format(&mut medium, label, &mut sector)).map_err(|error| failed(&path, &error))?;
    Ok(path)
}

fn name(label: &Label) -> &'static str {
    match label.role() {
        Some(Role::Original) => "original",
        Some(Role::Duplicate) => "duplicate",
        None => "spare",
    }
}

/// Makes a device read as never written, as far as the box reaches.
fn blank(medium: &mut FileMedium, label: &Label, role: Role) -> Result<(), String> {
    let text = |error: kiosk::ports::MediumError| error.to_string();
    embassy_futures::block_on(async {
        // Also one with a damaged label, or of another version, is evidence.
        match label_of(medium, role).await {
            Err(MediaFault::Stray(_)) => {}
            Err(MediaFault::Device(_, error)) => return Err(error.to_string()),
            Ok(_) | Err(_) => return Err("holds a ballot box: keep it, and take another device".into()),
        }
        let step = media::SECTOR as usize;
        let erased = vec![0xFF; step];
        if medium.geometry().await.map_err(text)?.size < label.layout.size() {
            return Err(format!("is smaller than {} bytes", label.layout.size()));
        }
        for offset in (0..label.layout.size()).step_by(step) {
            medium.write(offset, &erased).await.map_err(text)?;
        }
        medium.sync().await.map_err(text)
    })
}
