//! The updater and the judge of a trial as programs of the image.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::disk::{self, Disk};
use super::entries;
use super::offer::About;
use super::server::{self, End};
use crate::config::Config;
use crate::image;

/// What an end without a new image gives: anything but 0, at which the service manager starts the machine again.
const NOTHING: u8 = 10;

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
            eprintln!("disk: {error}");
            return ExitCode::from(3);
        }
    };
    let mut nonce = || {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok().map(|()| bytes)
    };
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    match server::serve(&mut from, &mut to, &about, &mut disk, &mut nonce) {
        End::Restart => ExitCode::SUCCESS,
        End::Gone => ExitCode::from(NOTHING),
    }
}

/// Whether what runs is on trial and nobody has blessed it: 0, at which the service manager starts the machine again; else 1.
#[must_use]
pub fn trial(starting: &Path) -> ExitCode {
    let on_trial = || {
        let software = image::root_hash().ok()??;
        entries::blessing(&disk::names(starting).ok()?, &software)
    };
    ExitCode::from(u8::from(on_trial().is_none()))
}
