//! Protocol and parameters selection (ISO/IEC 7816-3 section 9): T=1, and a speed both sides can keep.

use core::fmt;

use super::Speed;

/// A request for T=1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pps {
    bytes: [u8; 4],
    length: usize,
}

/// The card did not confirm what was asked for: reset it, and ask for less or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsError;

impl Pps {
    /// A request for T=1 at the speed of `ta1` (Fi and Di), or at the default speed.
    #[must_use]
    pub const fn t1(ta1: Option<u8>) -> Self {
        match ta1 {
            Some(ta1) => Self {
                bytes: [0xFF, 0x11, ta1, 0xFF ^ 0x11 ^ ta1],
                length: 4,
            },
            None => Self {
                bytes: [0xFF, 0x01, 0xFF ^ 0x01, 0],
                length: 3,
            },
        }
    }

    /// What to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// How many characters an answer has that begins with these: 2 are needed to know, and it is never more than 6.
    #[must_use]
    pub const fn length(begin: &[u8]) -> usize {
        match begin {
            [_, pps0, ..] => 3 + (*pps0 >> 4 & 1) as usize + (*pps0 >> 5 & 1) as usize + (*pps0 >> 6 & 1) as usize,
            _ => 2,
        }
    }

    /// The speed that holds from now on, if `answer` confirms the request: the same, or the same without PPS1, which
    /// means the default speed.
    ///
    /// # Errors
    /// [`PpsError`].
    pub fn confirmed(&self, answer: &[u8]) -> Result<Speed, PpsError> {
        if answer == self.bytes() {
            return match answer {
                [_, _, speed, _] => Speed::decode(*speed).ok_or(PpsError),
                _ => Ok(Speed::DEFAULT),
            };
        }
        if answer == Self::t1(None).bytes() {
            Ok(Speed::DEFAULT)
        } else {
            Err(PpsError)
        }
    }
}

impl fmt::Display for PpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the card does not agree on a protocol")
    }
}

impl core::error::Error for PpsError {}
