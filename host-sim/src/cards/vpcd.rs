//! Virtual cards in the real PC/SC stack: a [`Chip`] behind the virtual reader of vsmartcard (`vpcd`).
//!
//! Programs that use PC/SC, ours and others', cannot tell it from a card in a reader. The daemon and its driver are the distribution's; this
//! only plays the card's end of the line.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::linux::net::TcpStreamExt as _;
use std::thread::JoinHandle;

use super::Chip;

/// A card in a virtual reader.
pub struct Inserted {
    line: TcpStream,
    thread: JoinHandle<Box<dyn Chip + Send>>,
}

/// Puts a card into the reader that listens on `port` of this machine.
///
/// # Errors
/// If nobody listens there, or another card is in.
pub fn insert(port: u16, chip: Box<dyn Chip + Send>) -> io::Result<Inserted> {
    insert_by(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?, chip)
}

/// As [`insert`], over a line that is open already.
///
/// # Errors
/// If the line is closed.
pub fn insert_by(line: TcpStream, chip: Box<dyn Chip + Send>) -> io::Result<Inserted> {
    // vpcd writes length and body of a message apart, and waits for each to be acknowledged.
    line.set_nodelay(true)?;
    let (own, quick) = (line.try_clone()?, line.try_clone()?);
    let thread = std::thread::Builder::new().name("virtual card".into()).spawn(move || {
        let mut connection = vpicc::Connection::from(own);
        let mut card = Powered { chip, line: quick };
        // Ends when the line does: the card is pulled out, or the daemon is gone. The kernel falls back to slow acknowledgements by
        // itself, so it is told before each message.
        while card.line.set_quickack(true).is_ok() && connection.poll(&mut card).is_ok() {}
        let _ = card.line.shutdown(Shutdown::Both);
        card.chip.reset();
        card.chip
    })?;
    Ok(Inserted { line, thread })
}

impl Inserted {
    /// Whether the line has ended by itself: the daemon has gone, or the card has gone silent.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.thread.is_finished()
    }

    /// Takes the card out.
    ///
    /// # Errors
    /// If the card's thread has panicked.
    pub fn pull(self) -> io::Result<Box<dyn Chip + Send>> {
        // An error means that the other side was faster.
        let _ = self.line.shutdown(Shutdown::Both);
        self.thread
            .join()
            .map_err(|_| io::Error::other("the card's thread has panicked"))
    }
}

struct Powered {
    chip: Box<dyn Chip + Send>,
    line: TcpStream,
}

impl vpicc::VSmartCard for Powered {
    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }

    fn power_on(&mut self) {
        self.chip.reset();
    }

    fn power_off(&mut self) {
        self.chip.reset();
    }

    fn reset(&mut self) {
        self.chip.reset();
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        self.chip.apdu(command).unwrap_or_else(|_| {
            // Removed or silent: for a reader without contacts to watch both are a card that is gone.
            let _ = self.line.shutdown(Shutdown::Both);
            vec![]
        })
    }
}
