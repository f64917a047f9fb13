//! Blocks (ISO/IEC 7816-3 section 11.3): prologue, information, check.

use zeroize::Zeroizing;

/// Most information bytes in a block.
pub const MAX_INFORMATION: usize = 254;

/// Longest block: NAD, PCB, LEN, information, LRC.
pub const MAX_BLOCK: usize = MAX_INFORMATION + 4;

/// What a supervisory block asks for or confirms (section 11.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begin again with the initial values. Only a reader asks for it.
    Resynch,
    /// A new largest information field.
    Ifs,
    /// End of the chain under way.
    Abort,
    /// More time.
    Wtx,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// I: information.
    Information {
        /// N(S).
        number: bool,
        /// M: more to come.
        more: bool,
    },
    /// R: receipt, or a request to send something again.
    Receipt {
        /// N(R): the number of the information block that is expected next.
        expects: bool,
        /// 0 no error, 1 check or parity, 2 anything else.
        error: u8,
    },
    /// S: a request.
    Ask(Request),
    /// S: the answer to one.
    Confirm(Request),
}

/// A block whose check fits.
#[derive(Clone, Copy, PartialEq, Eq)] // No Debug: the information may be a PIN.
pub struct Block<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its information field.
    pub information: &'a [u8],
}

/// Why bytes are not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The LRC does not fit.
    Check,
    /// Anything else: length, address, an unknown or contradictory PCB.
    Form,
}

impl Flaw {
    /// As R-blocks name it.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Check => 1,
            Self::Form => 2,
        }
    }
}

/// How many bytes a block has that begins with these; `None` if none begins so. Three are needed to know.
#[must_use]
pub fn length(begin: &[u8]) -> Option<usize> {
    match begin {
        [_, _, 255, ..] => None,
        [_, _, length, ..] => Some(usize::from(*length) + 4),
        _ => Some(4),
    }
}

impl<'a> Block<'a> {
    /// Reads exactly one block.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let [nad, pcb, length, rest @ ..] = bytes else {
            return Err(Flaw::Form);
        };
        let Some((_, information)) = rest.split_last() else {
            return Err(Flaw::Form);
        };
        if *length == 255 || usize::from(*length) != information.len() {
            return Err(Flaw::Form);
        }
        if bytes.iter().fold(0, |sum, byte| sum ^ byte) != 0 {
            return Err(Flaw::Check);
        }
        let kind = Kind::decode(*pcb).ok_or(Flaw::Form)?;
        // We address nobody (NAD 00), so nobody else is meant.
        if *nad != 0 || !kind.may_hold(information) {
            return Err(Flaw::Form);
        }
        Ok(Self { kind, information })
    }
}

impl Kind {
    const fn decode(pcb: u8) -> Option<Self> {
        Some(match pcb {
            0x00..=0x7F if pcb & 0x1F == 0 => Self::Information {
                number: pcb & 0x40 != 0,
                more: pcb & 0x20 != 0,
            },
            0x80..=0xBF if pcb & 0x2C == 0 && pcb & 3 != 3 => Self::Receipt {
                expects: pcb & 0x10 != 0,
                error: pcb & 3,
            },
            0xC0..=0xC3 => Self::Ask(Request::decode(pcb)),
            0xE0..=0xE3 => Self::Confirm(Request::decode(pcb)),
            _ => return None,
        })
    }

    const fn encode(self) -> u8 {
        match self {
            Self::Information { number, more } => (number as u8) << 6 | (more as u8) << 5,
            Self::Receipt { expects, error } => 0x80 | (expects as u8) << 4 | error & 3,
            Self::Ask(request) => 0xC0 | request as u8,
            Self::Confirm(request) => 0xE0 | request as u8,
        }
    }

    /// Whether a block of this kind may carry this (sections 11.3.2.3 and 11.6.2.3). A chain of empty blocks could go on without end.
    const fn may_hold(self, information: &[u8]) -> bool {
        match (self, information) {
            (Self::Information { more, .. }, []) => !more,
            (Self::Information { .. }, _) => true,
            (Self::Ask(Request::Ifs) | Self::Confirm(Request::Ifs), [size]) => !matches!(*size, 0 | 255),
            (Self::Ask(Request::Wtx), [multiple]) => *multiple != 0,
            (Self::Confirm(Request::Wtx), [_]) => true,
            (
                Self::Receipt { .. }
                | Self::Ask(Request::Resynch | Request::Abort)
                | Self::Confirm(Request::Resynch | Request::Abort),
                [],
            ) => true,
            _ => false,
        }
    }
}

impl Request {
    const fn decode(pcb: u8) -> Self {
        match pcb & 3 {
            0 => Self::Resynch,
            1 => Self::Ifs,
            2 => Self::Abort,
            _ => Self::Wtx,
        }
    }
}

/// A block as it goes out, wiped afterwards: it may carry a PIN.
pub struct Frame {
    bytes: Zeroizing<[u8; MAX_BLOCK]>,
    length: usize,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            bytes: Zeroizing::new([0; MAX_BLOCK]),
            length: 0,
        }
    }
}

impl Frame {
    /// Lays out a block; of `information` at most [`MAX_INFORMATION`] bytes.
    pub fn set(&mut self, kind: Kind, information: &[u8]) {
        let length = u8::try_from(information.len().min(MAX_INFORMATION)).unwrap_or(0);
        let information = information.get(..usize::from(length)).unwrap_or_default();
        let prologue = [0, kind.encode(), length];
        let check = prologue.iter().chain(information).fold(0, |sum, byte| sum ^ byte);
        self.length = 0;
        for (to, from) in self
            .bytes
            .iter_mut()
            .zip(prologue.iter().chain(information).chain(&[check]))
        {
            *to = *from;
            self.length += 1;
        }
    }

    /// The block's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
