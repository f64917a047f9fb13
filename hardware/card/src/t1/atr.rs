//! The answer to reset (ISO/IEC 7816-3 section 8): what a card says of itself before anything else.

use core::fmt;

/// Longest answer to reset: TS and 32 characters.
pub const MAX_ATR: usize = 33;

/// How long one bit lasts: `f` clock cycles divided by `d` (ISO/IEC 7816-3 section 8.3, tables 7 and 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// Clock rate conversion integer F.
    pub f: u16,
    /// Baud rate adjustment integer D.
    pub d: u8,
}

impl Speed {
    /// Every card begins with this one: 372 clock cycles a bit.
    pub const DEFAULT: Self = Self { f: 372, d: 1 };

    /// The speed that a byte such as TA1 or PPS1 names; `None` for values reserved for future use.
    #[must_use]
    pub const fn decode(byte: u8) -> Option<Self> {
        let f = match byte >> 4 {
            0 | 1 => 372,
            2 => 558,
            3 => 744,
            4 => 1116,
            5 => 1488,
            6 => 1860,
            9 => 512,
            10 => 768,
            11 => 1024,
            12 => 1536,
            13 => 2048,
            _ => return None,
        };
        let d = match byte & 0x0F {
            n @ 1..=7 => 1 << (n - 1),
            8 => 12,
            9 => 20,
            _ => return None,
        };
        Some(Self { f, d })
    }

    /// Microseconds that `bits` bits last at a card clock of `hertz`, rounded up.
    #[must_use]
    pub const fn micros(self, bits: u32, hertz: u32) -> u64 {
        let cycles = bits as u64 * self.f as u64 * 1_000_000;
        let hertz = if hertz == 0 { 1 } else { hertz };
        cycles.div_ceil(self.d as u64 * hertz as u64)
    }
}

/// How a reader and this card come to T=1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// At once, at this speed: the card insists (specific mode, TA2), or offers nothing else.
    Straight(Speed),
    /// By a protocol and parameters selection ([`super::Pps`]); the byte is TA1, the fastest speed the card knows.
    Select(u8),
}

/// A whole, well-formed answer to reset of a card that speaks T=1 with the direct convention and the LRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Atr {
    bytes: [u8; MAX_ATR],
    length: usize,
    historical: usize,
    /// Fi and Di, 0x11 unless TA1 says otherwise.
    speed: u8,
    first: u8,
    specific: Option<u8>,
    /// Extra guard time N between characters sent to the card, in bits; 255 means the least there is (TC1).
    pub guard: u8,
    /// Most information bytes in a block to the card, 1 to 254 (first TA for T=1).
    pub ifsc: u8,
    /// Block waiting time integer, 0 to 9.
    pub bwi: u8,
    /// Character waiting time integer, 0 to 15.
    pub cwi: u8,
}

/// Why an answer to reset was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtrError {
    /// Does not begin as one.
    NotAnAtr,
    /// The inverse convention, which is not supported.
    InverseConvention,
    /// Announces more characters than there can be.
    TooLong,
    /// The check character does not fit.
    Check,
    /// The card does not offer T=1.
    NoT1,
    /// The card wants the CRC, which is not supported.
    Crc,
    /// A parameter has a value that is reserved.
    Reserved,
}

impl Atr {
    /// Reads `bytes` as far as they have come: `None` while characters are missing. Characters after the last one are
    /// never part of it: call this after every character.
    ///
    /// # Errors
    /// [`AtrError`].
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, AtrError> {
        let Some(&ts) = bytes.first() else { return Ok(None) };
        match ts {
            0x3B => {}
            // 03 is what 3F looks like on a line set to the direct convention.
            0x3F | 0x03 => return Err(AtrError::InverseConvention),
            _ => return Err(AtrError::NotAnAtr),
        }
        let mut cursor = Cursor { bytes, at: 1 };
        match Self::collect(&mut cursor) {
            Ok(atr) => Ok(Some(atr)),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Missing) if bytes.len() >= MAX_ATR => Err(AtrError::TooLong),
            Err(Stop::Missing) => Ok(None),
        }
    }

    fn collect(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let t0 = cursor.next()?;
        let mut atr = Self {
            bytes: [0; MAX_ATR],
            length: 0,
            historical: 0,
            speed: 0x11,
            first: 0,
            specific: None,
            guard: 0,
            ifsc: 32,
            bwi: 4,
            cwi: 13,
        };
        let mut present = t0 >> 4;
        let mut protocol = 0;
        let (mut offers_t1, mut checked, mut crc) = (false, false, 0);
        // The first TA, TB and TC for T=1 count (section 11.4.2); so many are still to come.
        let mut specific = [true; 3];
        // Ends: every round but the last takes at least the one character TD, and there are at most 33.
        for group in 1_u8.. {
            let mut take = |bit: u8| {
                if present & bit == 0 {
                    Ok(None)
                } else {
                    cursor.next().map(Some)
                }
            };
            let (ta, tb, tc, td) = (take(1)?, take(2)?, take(4)?, take(8)?);
            match group {
                1 => {
                    atr.speed = ta.unwrap_or(atr.speed);
                    atr.guard = tc.unwrap_or(0);
                }
                2 => atr.specific = ta,
                _ if protocol == 1 => {
                    let mut once = |index: usize, value: Option<u8>| match (specific.get_mut(index), value) {
                        (Some(open), Some(value)) if *open => {
                            *open = false;
                            Some(value)
                        }
                        _ => None,
                    };
                    atr.ifsc = once(0, ta).unwrap_or(atr.ifsc);
                    if let Some(tb) = once(1, tb) {
                        (atr.bwi, atr.cwi) = (tb >> 4, tb & 0x0F);
                    }
                    crc = once(2, tc).unwrap_or(crc);
                }
                _ => {}
            }
            let Some(td) = td else { break };
            protocol = td & 0x0F;
            present = td >> 4;
            if group == 1 {
                atr.first = protocol;
            }
            offers_t1 |= protocol == 1;
            checked |= protocol != 0;
        }
        atr.historical = cursor.at;
        for _ in 0..t0 & 0x0F {
            cursor.next()?;
        }
        if checked {
            cursor.next()?;
            let all = cursor.bytes.get(1..cursor.at).unwrap_or_default();
            if all.iter().fold(0, |sum, byte| sum ^ byte) != 0 {
                return Err(Stop::Refused(AtrError::Check));
            }
        }
        atr.length = cursor.at;
        for (to, from) in atr
            .bytes
            .iter_mut()
            .zip(cursor.bytes.get(..cursor.at).unwrap_or_default())
        {
            *to = *from;
        }
        let insists_on_another = atr.specific.is_some_and(|ta2| ta2 & 0x0F != 1);
        if !offers_t1 || insists_on_another {
            return Err(Stop::Refused(AtrError::NoT1));
        }
        if crc & 1 != 0 {
            return Err(Stop::Refused(AtrError::Crc));
        }
        if matches!(atr.ifsc, 0 | 255) || atr.bwi > 9 {
            return Err(Stop::Refused(AtrError::Reserved));
        }
        // In specific mode the speed is not for us to choose.
        if let Negotiation::Select(_) = atr.negotiation() {
            return Ok(atr);
        }
        match Speed::decode(atr.speed) {
            Some(_) => Ok(atr),
            None => Err(Stop::Refused(AtrError::Reserved)),
        }
    }

    /// All characters.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The historical characters: what the issuer says of the card.
    #[must_use]
    pub fn historical(&self) -> &[u8] {
        let count = usize::from(self.bytes.get(1).copied().unwrap_or_default() & 0x0F);
        self.bytes
            .get(self.historical..self.historical + count)
            .unwrap_or_default()
    }

    /// What to do next.
    #[must_use]
    pub const fn negotiation(&self) -> Negotiation {
        match self.specific {
            // Bit 5: the speed is implicit, not TA1's. We know none but the default.
            Some(ta2) if ta2 & 0x10 != 0 => Negotiation::Straight(Speed::DEFAULT),
            Some(_) => match Speed::decode(self.speed) {
                Some(speed) => Negotiation::Straight(speed),
                None => Negotiation::Select(self.speed),
            },
            // Without a selection the first offered protocol starts at the default speed (section 8.3, TD1).
            None if self.first == 1 && self.speed == 0x11 => Negotiation::Straight(Speed::DEFAULT),
            None => Negotiation::Select(self.speed),
        }
    }

    /// Whether T=1 is what the card speaks when nothing is selected.
    #[must_use]
    pub const fn starts_with_t1(&self) -> bool {
        self.first == 1
    }

    /// Most microseconds between our last character and the card's first: 11 bits and 2^BWI times 960 times 372 clock cycles (section 11.4.3).
    #[must_use]
    pub const fn block_waiting(&self, speed: Speed, hertz: u32) -> u64 {
        speed.micros(11, hertz) + Speed::DEFAULT.micros(960 << self.bwi, hertz)
    }

    /// Most microseconds between two characters of a block: 11 + 2^CWI bits.
    #[must_use]
    pub const fn character_waiting(&self, speed: Speed, hertz: u32) -> u64 {
        speed.micros(11 + (1 << self.cwi), hertz)
    }
}

enum Stop {
    Missing,
    Refused(AtrError),
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<u8, Stop> {
        if self.at >= MAX_ATR {
            return Err(Stop::Refused(AtrError::TooLong));
        }
        let byte = self.bytes.get(self.at).copied().ok_or(Stop::Missing)?;
        self.at += 1;
        Ok(byte)
    }
}

impl fmt::Display for AtrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnAtr => "what is in the slot does not answer as a card",
            Self::InverseConvention => "the card uses the inverse convention, which this slot does not read",
            Self::TooLong => "the card's answer to reset never ends",
            Self::Check => "the card's answer to reset is garbled: clean its contacts",
            Self::NoT1 => "the card does not speak T=1",
            Self::Crc => "the card wants a CRC, which this slot does not know",
            Self::Reserved => "the card's answer to reset uses reserved values",
        })
    }
}

impl core::error::Error for AtrError {}
