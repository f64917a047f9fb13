//! `package flash`: a package as a kiosk without files keeps it.

use std::path::PathBuf;

use clap::Args;
use kiosk::flash_image;
use serde::Serialize;

use super::print;
use super::station_commands::LONGEST_PACKAGE;
use crate::problem::{Kind, Outcome, Problem};
use crate::{files, keyfile, package};

/// `package flash`.
#[derive(Args)]
#[command(
    after_help = "The file begins with station and key, so that the kiosk knows whom it believes; write it to the address of hardware/BOARD.md. \
                        Exit code 0: written. 1: the package is not of this authority. 2: it could not be read or written, or is too long."
)]
pub struct PackageFlash {
    /// The package
    #[arg(long)]
    package: PathBuf,
    /// The authority's public key in hex, as `authority new` prints it
    #[arg(long)]
    authority: String,
    /// Bytes of flash there are for it
    #[arg(long, default_value_t = 1_664 * 1024)]
    room: u64,
    /// File to write
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Flashed {
    station: u16,
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    package: election::hash::Digest,
    bytes: u64,
    room: u64,
}

impl PackageFlash {
    pub fn run(self) -> Outcome<()> {
        let bytes = files::read(&self.package, LONGEST_PACKAGE)?;
        let authority = keyfile::parse_public(&self.authority, "--authority")?;
        let shown = package::show(&bytes, &authority).map_err(|problem| problem.in_file(&self.package))?;
        let header = flash_image::header(shown.station, &authority, bytes.len())
            .ok_or_else(|| Problem::new(Kind::Limit, "the package", "is longer than flash can hold"))?;
        let mut image = header.to_vec();
        image.extend(bytes);
        let length = u64::try_from(image.len()).unwrap_or(u64::MAX);
        if length > self.room {
            return Err(Problem::new(
                Kind::Limit,
                self.package.display().to_string(),
                format!("needs {length} bytes, and there are {} for it", self.room),
            ));
        }
        files::write(&self.out, &image)?;
        let report = Flashed {
            station: shown.station,
            package: shown.package,
            bytes: length,
            room: self.room,
        };
        print(self.json, &report, |report| {
            format!(
                "package {} of station {}: {} of {} bytes\n",
                hex::encode(report.package),
                report.station,
                report.bytes,
                report.room
            )
        })
    }
}
