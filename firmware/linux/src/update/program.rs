//! The updater and the judge of a trial as programs of the image.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::disk::{self, Disk};
use super::entries;
use super::offer::About;
use super::retreat;
use super::server::{self, End};
use crate::config::Config;
use crate::image;

/// What an end without a new image gives: anything but 0, at which the service manager starts the machine again.
const NOTHING: u8 = 10;
/// How long the kiosk may say nothing: two people with cards and PINs need less.
const IDLE: Duration = Duration::from_secs(600);

/// Serves one kiosk on standard input and output, which the service manager has connected to the socket.
#[must_use]
pub fn updater(config: &Config) -> ExitCode {
    let Some(update) = &config.update else {
        eprintln!("update: the configuration has no [update]");
        return ExitCode::from(2);
    };
    let Some(exchange) = &config.exchange else {
        eprintln!("exchange: the configuration names no drive for updates");
        return ExitCode::from(2);
    };
    let about = About {
        images: update.authority,
        authority: config.authority,
        station: config.station,
        exchange: exchange.clone(),
        state: config.state.clone(),
        running: config.software,
        version: image::version(),
    };
    let mut disk = match Disk::find(&update.starting, Path::new("/sys"), Path::new("/dev")) {
        Ok(disk) => disk,
        Err(error) => {
            // Nothing can be written then; what came up is blessed all the same.
            eprintln!("disk: {error}");
            Disk::without_places(update.starting.clone())
        }
    };
    let mut nonce = || {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok().map(|()| bytes)
    };
    // Nobody stands in front of the machine any more, and the next conversation waits for the end of this one.
    if let Err(error) = set_socket_timeout(io::stdin(), Timeout::Recv, Some(IDLE)) {
        eprintln!("socket: {error}");
    }
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    match server::serve(&mut from, &mut to, &about, &mut disk, &mut nonce) {
        End::Restart => ExitCode::SUCCESS,
        End::Gone => ExitCode::from(NOTHING),
    }
}

/// Whether what runs is on trial and nobody has blessed it: 0, at which the service manager starts the machine again; else 1.
#[must_use]
pub fn trial(starting: &Path) -> ExitCode {
    let Ok(Some(software)) = image::root_hash() else {
        return ExitCode::from(1);
    };
    ExitCode::from(u8::from(!failed(starting, &software)))
}

/// What failed its trial gives way to the software before, if the loader does not count its tries: 0 if it did.
#[must_use]
pub fn give_way(starting: &Path) -> ExitCode {
    let Ok(Some(software)) = image::root_hash() else {
        return ExitCode::from(1);
    };
    let mut disk = Disk::without_places(starting.to_path_buf());
    let gave = match disk::programs(starting) {
        Ok(programs) if !retreat::counted(&programs, &software) => retreat::give_way(&mut disk, &software),
        Ok(_) => Ok(false),
        Err(error) => Err(super::install::disk(error)),
    };
    ExitCode::from(u8::from(gave != Ok(true)))
}

/// Whether this software has not come up. Where the names cannot be read it has not either: there is no configuration then, and no kiosk.
pub(super) fn failed(starting: &Path, software: &[u8; 32]) -> bool {
    disk::programs(starting).map_or(true, |programs| entries::on_trial(&programs, software))
}
