//! Cards that behave in one odd way each.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use card::TransmitError;
use host_sim::cards::Chip;
use tests::station::AnyCard;

/// A transit card: answers, and has none of our applications.
pub struct Transit;

impl Chip for Transit {
    fn reset(&mut self) {}

    fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
        Ok(vec![0x6A, 0x82])
    }

    fn atr(&self) -> &[u8] {
        // FeliCa, as PC/SC part 3 writes contactless storage cards.
        &[
            0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06, 0x11, 0x00, 0x3B, 0x00, 0x00, 0x00,
            0x00, 0x42,
        ]
    }
}

/// Takes its time for every answer.
pub struct Slow {
    /// The card.
    pub chip: AnyCard,
    /// How long each answer takes.
    pub wait: Duration,
}

impl Chip for Slow {
    fn reset(&mut self) {
        self.chip.reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        std::thread::sleep(self.wait);
        self.chip.apdu(command)
    }

    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }
}

/// Answers more than an answer may be.
pub struct TooLong(pub AnyCard);

impl Chip for TooLong {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
        Ok([vec![0x53; 400], vec![0x90, 0x00]].concat())
    }

    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
}

/// Shows a certificate whose bytes are none.
pub struct CutCertificate(pub AnyCard);

impl Chip for CutCertificate {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        if matches!(command, [0x00, 0xCB, ..]) {
            // 53 { 70 { 04 03 "no!" } }
            return Ok(vec![0x53, 0x07, 0x70, 0x05, 0x04, 0x03, b'n', b'o', b'!', 0x90, 0x00]);
        }
        self.0.apdu(command)
    }

    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
}

/// Gives its name, and then does not answer until the other end of the channel is dropped.
pub struct Never {
    /// The card.
    pub chip: AnyCard,
    /// Until when.
    pub until: Receiver<()>,
}

impl Chip for Never {
    fn reset(&mut self) {
        self.chip.reset();
    }

    fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
        // An error is what it waits for.
        let _ = self.until.recv();
        Err(TransmitError::Timeout)
    }

    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }
}
