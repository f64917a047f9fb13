//! Commands and responses (ISO 7816-4 section 5), short APDUs only.
//!
//! One call of [`exchange`] sends one command, in several links if its data is long, and collects one
//! answer, in several parts if the card announces more. All loops are bounded here and nowhere else.

use zeroize::Zeroizing;

use crate::error::CardError;
use crate::transmit::Transmit;

/// Longest response to one APDU: 256 bytes of data and the status word.
pub const MAX_RESPONSE: usize = 258;

/// Longest command APDU: header, Lc, 255 bytes of data, Le.
pub const MAX_COMMAND: usize = 261;

/// Most GET RESPONSE commands for one answer. 4 KiB in the pieces of 128 bytes that small readers
/// ask cards for takes 32; a card that announces more after 64 is not going to finish.
pub const MAX_PARTS: usize = 64;

/// Most links of one chained command: 16 times 255 bytes. We send far less; a longer command is a bug.
pub const MAX_LINKS: usize = 16;

/// A command: header, data, and whether an answer with data is expected.
#[derive(Clone, Copy)] // No Debug: the data may be a PIN.
pub struct Command<'a> {
    class: u8,
    instruction: u8,
    p1: u8,
    p2: u8,
    data: &'a [u8],
    /// Le.
    expected: Option<u8>,
}

impl<'a> Command<'a> {
    /// A command of the interindustry class 00 without data that expects only a status word (case 1).
    #[must_use]
    pub const fn new(instruction: u8, p1: u8, p2: u8) -> Self {
        Self {
            class: 0x00,
            instruction,
            p1,
            p2,
            data: &[],
            expected: None,
        }
    }

    /// The same command with data; more than 255 bytes are sent as a chain.
    #[must_use]
    pub const fn with_data(self, data: &'a [u8]) -> Self {
        Self { data, ..self }
    }

    /// The same command, expecting data in the answer (Le = 00: as much as there is).
    #[must_use]
    pub const fn expecting_data(self) -> Self {
        self.expecting(0)
    }

    /// The same command, expecting so many bytes in the answer; 0 stands for 256 or as much as there is.
    #[must_use]
    pub const fn expecting(self, bytes: u8) -> Self {
        Self {
            expected: Some(bytes),
            ..self
        }
    }

    /// The same command in another class: 0x80 is the proprietary one.
    #[must_use]
    pub const fn in_class(self, class: u8) -> Self {
        Self { class, ..self }
    }
}

/// A status word in terms of what to do next (ISO 7816-4 section 5.1.3; NIST SP 800-73-4 Part 2
/// Appendix A, Table 6 for how PIV uses them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `90 00`: done.
    Success,
    /// `61 xx`: more data waits for GET RESPONSE.
    More(u8),
    /// `6C xx`: the same command again with this Le.
    WrongLength(u8),
    /// `63 Cx` with x not 0: the PIN is wrong, x tries are left.
    WrongPin {
        /// Tries left, 1 to 15.
        tries_left: u8,
    },
    /// `69 83`, `69 84` or `63 C0`: the PIN is blocked.
    Blocked,
    /// `69 82`: the PIN comes first.
    SecurityStatus,
    /// `6A 82`, `6A 83` or `6A 88`: no such application, object or key.
    NotFound,
    /// Any other word.
    Other(u16),
}

impl Status {
    /// What the two bytes say.
    #[must_use]
    pub const fn decode(sw1: u8, sw2: u8) -> Self {
        match (sw1, sw2) {
            (0x90, 0x00) => Self::Success,
            (0x61, more) => Self::More(more),
            (0x6C, length) => Self::WrongLength(length),
            (0x63, 0xC0) | (0x69, 0x83 | 0x84) => Self::Blocked,
            (0x63, 0xC1..=0xCF) => Self::WrongPin { tries_left: sw2 & 0x0F },
            (0x69, 0x82) => Self::SecurityStatus,
            (0x6A, 0x82 | 0x83 | 0x88) => Self::NotFound,
            _ => Self::Other(u16::from_be_bytes([sw1, sw2])),
        }
    }

    /// A status word of this meaning, for messages.
    #[must_use]
    pub const fn word(self) -> u16 {
        match self {
            Self::Success => 0x9000,
            Self::More(more) => 0x6100 | more as u16,
            Self::WrongLength(length) => 0x6C00 | length as u16,
            Self::WrongPin { tries_left } => 0x63C0 | tries_left as u16,
            Self::Blocked => 0x6983,
            Self::SecurityStatus => 0x6982,
            Self::NotFound => 0x6A82,
            Self::Other(word) => word,
        }
    }
}

/// The end of an exchange: the final status and how many bytes of data came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Bytes written to the front of the caller's buffer.
    pub length: usize,
    /// The final status; never [`Status::More`].
    pub status: Status,
}

/// Sends `command` and collects the answer's data in `out`.
///
/// - Data of more than 255 bytes goes out as a chain (CLA bit `10`, ISO 7816-4 section 5.1.1), at
///   most [`MAX_LINKS`] links. A link that is refused ends the exchange with that status.
/// - `61 xx` is followed by GET RESPONSE, at most [`MAX_PARTS`] times.
/// - `6C xx` is followed by the same command with that Le, once, and only if the command expects
///   data. VERIFY never does, so no answer of a card can make us send a PIN twice and burn a try.
///
/// # Errors
/// [`CardError::Transmit`]; [`CardError::TooLong`] if the answer does not fit `out`;
/// [`CardError::Endless`]; [`CardError::Malformed`] for a response without a status word. A status
/// word that means refusal is not an error here, because its meaning depends on the command.
pub async fn exchange<T: Transmit>(card: &mut T, command: &Command<'_>, out: &mut [u8]) -> Result<Answer, CardError> {
    let mut wire = Wire::new();
    let mut links = command.data.chunks(255);
    let mut last = links.next_back().unwrap_or(&[]);
    if links.len() >= MAX_LINKS {
        return Err(CardError::TooLong);
    }
    for link in links {
        wire.build(command.class | 0x10, command, link, None);
        let (_, status) = wire.send(card).await?;
        if status != Status::Success {
            return Ok(Answer { length: 0, status });
        }
    }

    let mut expected = command.expected;
    let mut header = *command;
    let mut retried = false;
    let mut parts = 0;
    let mut length = 0;
    // At most MAX_PARTS + 2 rounds: every round but the first is a GET RESPONSE or the one retry.
    loop {
        wire.build(header.class, &header, last, expected);
        let (data, status) = wire.send(card).await?;
        match status {
            Status::WrongLength(le) if expected.is_some() && !retried => {
                retried = true;
                expected = Some(le);
                continue;
            }
            _ => {}
        }
        let end = length + data.len();
        out.get_mut(length..end)
            .ok_or(CardError::TooLong)?
            .copy_from_slice(data);
        length = end;
        let Status::More(more) = status else {
            return Ok(Answer { length, status });
        };
        if parts == MAX_PARTS {
            return Err(CardError::Endless);
        }
        parts += 1;
        header = Command::new(0xC0, 0, 0); // GET RESPONSE, ISO 7816-4 section 11.4.2
        last = &[];
        expected = Some(more);
    }
}

/// One command and one response, wiped afterwards: they carry PINs and shared secrets.
struct Wire {
    command: Zeroizing<[u8; MAX_COMMAND]>,
    length: usize,
    response: Zeroizing<[u8; MAX_RESPONSE]>,
}

impl Wire {
    fn new() -> Self {
        Self {
            command: Zeroizing::new([0; MAX_COMMAND]),
            length: 0,
            response: Zeroizing::new([0; MAX_RESPONSE]),
        }
    }

    /// Lays out `class` and `command`'s header with `data` (at most 255 bytes) and `expected` as Le.
    fn build(&mut self, class: u8, command: &Command<'_>, data: &[u8], expected: Option<u8>) {
        let header = [class, command.instruction, command.p1, command.p2];
        let lc = u8::try_from(data.len()).ok().filter(|lc| *lc > 0);
        let bytes = header.iter().chain(&lc).chain(data).chain(&expected);
        self.length = 0;
        for (to, from) in self.command.iter_mut().zip(bytes) {
            *to = *from;
            self.length += 1;
        }
    }

    async fn send<T: Transmit>(&mut self, card: &mut T) -> Result<(&[u8], Status), CardError> {
        let command = self.command.get(..self.length).unwrap_or(&[]);
        let length = card.transmit(command, self.response.as_mut_slice()).await?;
        // A transport that claims to have written beyond the buffer is as hostile as a card.
        match self.response.get(..length) {
            Some([data @ .., sw1, sw2]) => Ok((data, Status::decode(*sw1, *sw2))),
            _ => Err(CardError::Malformed),
        }
    }
}
