//! The kiosk's side of the updater's socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kiosk::update::{Ask, Refused, Said};

use super::wire::{self, Request};

/// How long the updater may take for an answer or for the next hundredth: a medium that takes longer for two megabytes is broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// There is one updater at a time: the one of the conversation before needs a moment to end, and until then the service manager hangs up.
const ATTEMPTS: u32 = 20;
/// Between two attempts.
const MOMENT: Duration = Duration::from_millis(250);

/// A conversation with the updater, or none.
pub struct Client {
    socket: PathBuf,
    stream: Option<UnixStream>,
}

impl Client {
    /// Nothing is opened before [`Ask::Look`], or [`Ask::Restart`] of a switch that was made before this program started.
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
        // Nobody waits for somebody who has gone.
        if said.is_err() || matches!(ask, Ask::End) {
            self.stream = None;
        }
        said
    }

    fn exchange(&mut self, ask: Ask) -> io::Result<Result<Said, Refused>> {
        if matches!(ask, Ask::Look) {
            return self.begin(Request::Look);
        }
        let Some(stream) = &mut self.stream else {
            return match ask {
                Ask::Restart => self.begin(Request::Restart),
                Ask::End => Ok(Ok(Said::Ended)),
                _ => Ok(Err(Refused::Order)),
            };
        };
        match ask {
            Ask::Look | Ask::More => {}
            Ask::Install(cards) => wire::ask(stream, Request::Install(cards))?,
            Ask::Switch => wire::ask(stream, Request::Switch)?,
            Ask::Restart => wire::ask(stream, Request::Restart)?,
            Ask::End => wire::ask(stream, Request::End)?,
        }
        wire::answered(stream)
    }

    /// A new conversation; what was left of another one is hung up first.
    fn begin(&mut self, request: Request) -> io::Result<Result<Said, Refused>> {
        self.stream = None;
        let (stream, said) = begun(&self.socket, request)?;
        self.stream = Some(stream);
        Ok(said)
    }
}

/// Opens a conversation with this request.
fn begun(socket: &Path, request: Request) -> io::Result<(UnixStream, Result<Said, Refused>)> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let said = open(socket).and_then(|mut stream| {
            wire::ask(&mut stream, request)?;
            let said = wire::answered(&mut stream)?;
            Ok((stream, said))
        });
        match said {
            Err(error) if attempts < ATTEMPTS && hung_up(&error) => std::thread::sleep(MOMENT),
            said => return said,
        }
    }
}

/// What a connection ends with that nobody took.
fn hung_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn open(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Has the updater bless what runs.
pub(super) fn bless(socket: &Path) -> io::Result<()> {
    match begun(socket, Request::Up)?.1 {
        Ok(_) => Ok(()),
        Err(why) => Err(io::Error::other(why)),
    }
}
