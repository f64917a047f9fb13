//! The kiosk's side of the updater's socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kiosk::update::{Ask, Refused, Said};

use super::entries;
use super::wire::{self, Request};

/// How long the updater may take for an answer or for the next hundredth: a medium that takes longer for two megabytes is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A conversation with the updater, or none.
pub struct Client {
    socket: PathBuf,
    stream: Option<UnixStream>,
}

impl Client {
    /// Nothing is opened before [`Ask::Look`].
    #[must_use]
    pub const fn new(socket: PathBuf) -> Self {
        Self { socket, stream: None }
    }

    /// A step.
    ///
    /// # Errors
    /// [`Refused`]: the conversation is over.
    pub fn ask(&mut self, ask: Ask) -> Result<Said, Refused> {
        let said = self.exchange(ask).unwrap_or(Err(Refused::Nobody));
        if said.is_err() {
            self.stream = None;
        }
        said
    }

    fn exchange(&mut self, ask: Ask) -> io::Result<Result<Said, Refused>> {
        if matches!(ask, Ask::Look) {
            self.stream = Some(open(&self.socket)?);
        }
        let Some(stream) = &mut self.stream else {
            return Ok(Err(Refused::Order));
        };
        match ask {
            Ask::Look => wire::ask(stream, Request::Look)?,
            Ask::Install(cards) => wire::ask(stream, Request::Install(cards))?,
            Ask::Switch => wire::ask(stream, Request::Switch)?,
            Ask::Restart => wire::ask(stream, Request::Restart)?,
            Ask::More => {}
        }
        wire::answered(stream)
    }
}

fn open(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Says that this software has come up, if it is on trial; whether it was.
///
/// # Errors
/// The names cannot be read, or nobody blesses it: the machine goes back to the old software after its tries.
pub fn up(socket: &Path, starting: &Path, software: &[u8; 32]) -> io::Result<bool> {
    let names = super::disk::names(starting)?;
    if entries::blessing(&names, software).is_none() {
        return Ok(false);
    }
    let mut stream = open(socket)?;
    wire::ask(&mut stream, Request::Up)?;
    match wire::answered(&mut stream)? {
        Ok(_) => Ok(true),
        Err(why) => Err(io::Error::other(why)),
    }
}
