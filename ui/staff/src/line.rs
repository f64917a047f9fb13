//! The desk's end of the line to a kiosk without files ([`kiosk::service`]): a serial port, one question, one answer.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use kiosk::line::{Frames, wrap};
use kiosk::ports::Item;
use kiosk::service::{Answer, HEAD, VERSION, read_answer};

use crate::problem::{Kind, Outcome, Problem};

/// Baud, as the boards have it.
pub const BAUD: u32 = 115_200;
/// Longest item.
const LONGEST: usize = 65_536;
/// How long the kiosk may take for an answer: the longest item at [`BAUD`] is six seconds on the way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens a serial port.
///
/// # Errors
/// [`Kind::Files`].
pub fn open(port: &str) -> Outcome<Box<dyn serialport::SerialPort>> {
    serialport::new(port, BAUD)
        .timeout(Duration::from_millis(200))
        .open()
        .map_err(|error| Problem::new(Kind::Files, port, error))
}

/// A line to a kiosk.
pub struct Desk<L> {
    line: L,
    name: String,
    number: u8,
}

impl<L: Read + Write> Desk<L> {
    /// On this line, which is called `name` in what goes wrong.
    pub fn new(line: L, name: &str) -> Self {
        Self {
            line,
            name: name.to_owned(),
            number: 0,
        }
    }

    fn problem(&self, kind: Kind, what: impl std::fmt::Display) -> Problem {
        Problem::new(kind, self.name.as_str(), what)
    }

    fn ask(&mut self, question: &[u8]) -> Outcome<Vec<u8>> {
        self.number = self.number.wrapping_add(1);
        let (head, tail) =
            wrap(self.number, question).ok_or_else(|| self.problem(Kind::Limit, "too long a question"))?;
        let frame = [&head[..], question, &tail].concat();
        self.line
            .write_all(&frame)
            .and_then(|()| self.line.flush())
            .map_err(|error| self.problem(Kind::Files, error))?;
        let begun = Instant::now();
        let mut frames = Frames::default();
        let mut answer = vec![0; LONGEST + HEAD];
        let mut bytes = [0; 256];
        while begun.elapsed() < PATIENCE {
            let length = match self.line.read(&mut bytes) {
                Ok(length) => length,
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted
                    ) =>
                {
                    0
                }
                Err(error) => return Err(self.problem(Kind::Files, error)),
            };
            for byte in bytes.iter().take(length) {
                if let Some((number, length)) = frames.push(*byte, &mut answer)
                    && number == self.number
                {
                    answer.truncate(length);
                    return match read_answer(&answer) {
                        Some(Answer::Done(given)) => Ok(given.to_vec()),
                        Some(Answer::Refused(error)) => Err(self.problem(Kind::Refused, error)),
                        None => Err(self.problem(Kind::Malformed, "the kiosk's answer is none")),
                    };
                }
            }
        }
        Err(self.problem(
            Kind::Files,
            "no kiosk answers: hold its service button while it starts, and look at the cable",
        ))
    }

    /// The station of the kiosk at the other end.
    ///
    /// # Errors
    /// [`Problem`]: nobody answers, or a kiosk of another version.
    pub fn station(&mut self) -> Outcome<u16> {
        match self.ask(&[0])?[..] {
            [a, b, c, d] if u16::from_be_bytes([c, d]) == VERSION => Ok(u16::from_be_bytes([a, b])),
            _ => Err(self.problem(Kind::Unsupported, "the kiosk speaks another version of this line")),
        }
    }

    /// What the kiosk has made for the desk.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn get(&mut self, item: Item) -> Outcome<Vec<u8>> {
        self.ask(&[1, item as u8])
    }

    /// Gives the kiosk what the desk has made for it.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn put(&mut self, item: Item, bytes: &[u8]) -> Outcome<()> {
        if bytes.len() > LONGEST {
            return Err(self.problem(Kind::Limit, "longer than any item"));
        }
        self.ask(&[&[2, item as u8], bytes].concat()).map(|_| ())
    }
}
