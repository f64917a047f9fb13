//! The updater and the judge of a trial as programs of the image.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::disk::{self, Disk};
use super::offer::About;
use super::retreat;
use super::server::{self, End};
use super::trial;
use crate::config::Config;
use crate::image;

/// What an end without a new image gives: anything but 0, at which the service manager starts the machine again.
const NOTHING: u8 = 10;
/// How long it may say nothing at first: it connects to ask at once, and while somebody is connected the partition for starting can be written.
const FIRST: Duration = Duration::from_secs(10);
/// How long the kiosk may say nothing afterwards: two people with cards and PINs need less.
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
    let mut from = Patient::new(io::stdin().lock(), FIRST, IDLE);
    let mut to = io::stdout().lock();
    match server::serve(&mut from, &mut to, &about, &mut disk, &mut nonce) {
        End::Restart => ExitCode::SUCCESS,
        End::Gone => ExitCode::from(NOTHING),
    }
}

/// A socket that waits for a first word, and longer for the next ones: somebody may have left the machine, and the next conversation waits for the end of
/// this one.
pub(super) struct Patient<R> {
    from: R,
    idle: Option<Duration>,
}

impl<R: AsFd> Patient<R> {
    /// Waits so long for the first bytes, then so long.
    pub(super) fn new(from: R, first: Duration, idle: Duration) -> Self {
        let patient = Self { from, idle: Some(idle) };
        patient.wait(first);
        patient
    }

    fn wait(&self, time: Duration) {
        if let Err(error) = set_socket_timeout(&self.from, Timeout::Recv, Some(time)) {
            eprintln!("socket: {error}");
        }
    }
}

impl<R: Read + AsFd> Read for Patient<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        if let Some(idle) = self.idle.take_if(|_| read > 0) {
            self.wait(idle);
        }
        Ok(read)
    }
}

/// Whether what runs is on trial and nobody has blessed it: 0, at which the service manager starts the machine again; else 1.
#[must_use]
pub fn trial(starting: &Path) -> ExitCode {
    let Ok(Some(software)) = image::root_hash() else {
        return ExitCode::from(1);
    };
    ExitCode::from(u8::from(!trial::on_trial(starting, Path::new(trial::MARK), &software)))
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
