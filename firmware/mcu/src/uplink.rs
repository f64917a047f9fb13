//! The network on a serial line ([`crate::line`]): one question, one answer, a bound for both.

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use kiosk::ports::{Uplink, UplinkError};

use crate::line::{self, Frames};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The port. Whoever is at the other end carries the frames to a gateway of the chain; nothing it says is believed without its proof.
pub struct SerialUplink<L> {
    serial: L,
    number: u8,
    frames: Frames,
}

impl<L: Read + Write> SerialUplink<L> {
    /// On this line.
    pub fn new(serial: L) -> Self {
        Self {
            serial,
            number: 0,
            frames: Frames::default(),
        }
    }

    /// Gives the line back.
    pub fn release(self) -> L {
        self.serial
    }

    async fn ask(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        self.number = self.number.wrapping_add(1);
        let (head, tail) = line::wrap(self.number, request).ok_or(UplinkError)?;
        for part in [&head[..], request, &tail[..]] {
            self.serial.write_all(part).await.map_err(|_| UplinkError)?;
        }
        self.serial.flush().await.map_err(|_| UplinkError)?;
        self.frames.clear();
        // Ends: by the patience outside.
        loop {
            let mut byte = [0];
            if self.serial.read(&mut byte).await.map_err(|_| UplinkError)? == 0 {
                continue;
            }
            let [byte] = byte;
            match self.frames.push(byte, reply) {
                Some((number, length)) if number == self.number => return Ok(length),
                // Late, of a question that was given up.
                _ => {}
            }
        }
    }
}

impl<L: Read + Write> Uplink for SerialUplink<L> {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        with_timeout(PATIENCE, self.ask(request, reply))
            .await
            .unwrap_or(Err(UplinkError))
    }
}
