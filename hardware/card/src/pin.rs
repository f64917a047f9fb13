//! The PIN between the keypad and the card.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A PIN of 4 to 8 decimal digits.
///
/// No `Debug`, no `Clone`, no way to read the digits back: the only thing that can be done with it is
/// to hand it to a card ([`crate::Piv::verify`], [`crate::Jpki::verify`]). Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pin {
    /// ASCII digits, padded with FF to 8 bytes (NIST SP 800-73-4 Part 2 section 2.4.3).
    padded: [u8; 8],
}

/// Why a PIN was not even sent to the card (so no try is lost).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinError {
    /// Fewer than [`Pin::MIN`] or more than [`Pin::MAX`] digits.
    Length,
    /// Something that is not a digit.
    NotADigit,
}

impl Pin {
    /// Fewest digits. PIV itself wants 6; municipal cards in Japan have 4.
    pub const MIN: usize = 4;
    /// Most digits.
    pub const MAX: usize = 8;

    /// Takes the ASCII digits that were typed. The caller's own copy stays the caller's to wipe.
    ///
    /// # Errors
    /// [`PinError`] if this cannot be a PIN.
    pub fn new(digits: &[u8]) -> Result<Self, PinError> {
        if !(Self::MIN..=Self::MAX).contains(&digits.len()) {
            return Err(PinError::Length);
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinError::NotADigit);
        }
        let mut pin = Self { padded: [0xFF; 8] };
        for (to, from) in pin.padded.iter_mut().zip(digits) {
            *to = *from;
        }
        Ok(pin)
    }

    /// Whether this is the same PIN: for programs that ask for a new one twice.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.padded == other.padded
    }

    /// The digits without padding, as My Number cards want them.
    pub(crate) fn digits(&self) -> &[u8] {
        let length = self.padded.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.padded.get(..length).unwrap_or_default()
    }

    pub(crate) const fn padded(&self) -> &[u8; 8] {
        &self.padded
    }
}

/// Why a PIN would be guessed: what `issue` refuses. A thief has a handful of tries and knows the holder's birthday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer than six digits, which is what PIV asks for.
    Short,
    /// One or two different digits, or a part of it repeated.
    Repeats,
    /// Digits at equal steps: 123456, 97531.
    Sequence,
    /// A date, or a year at the beginning or the end.
    Date,
}

impl Pin {
    /// Why nobody should be given this PIN; `None` if there is nothing against it.
    #[must_use]
    pub fn weakness(&self) -> Option<Weakness> {
        let digits = self.digits();
        if digits.len() < 6 {
            return Some(Weakness::Short);
        }
        let mut seen = [false; 10];
        for digit in digits {
            if let Some(seen) = seen.get_mut(usize::from(digit.wrapping_sub(b'0'))) {
                *seen = true;
            }
        }
        let repeated = |part: usize| digits.chunks(part).all(|chunk| digits.starts_with(chunk));
        if seen.iter().filter(|seen| **seen).count() <= 2 || (1..=digits.len() / 2).any(repeated) {
            return Some(Weakness::Repeats);
        }
        let step = |pair: &[u8]| match pair {
            [a, b] => (b + 10 - a) % 10,
            _ => 0,
        };
        let mut steps = digits.windows(2).map(step);
        let first = steps.next();
        if steps.all(|next| Some(next) == first) {
            return Some(Weakness::Sequence);
        }
        looks_like_a_date(digits).then_some(Weakness::Date)
    }
}

/// Two digits as a number.
fn two(digits: &[u8], at: usize) -> Option<u8> {
    match digits.get(at..at.checked_add(2)?)? {
        [a, b] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

fn looks_like_a_date(digits: &[u8]) -> bool {
    // Whoever is given a card now was born in a year from 1900 on.
    let year = |at| {
        matches!(
            (two(digits, at), two(digits, at + 2)),
            (Some(19), Some(_)) | (Some(20), Some(0..=39))
        )
    };
    let month = |at| matches!(two(digits, at), Some(1..=12));
    let day = |at| matches!(two(digits, at), Some(1..=31));
    if year(0) || digits.len().checked_sub(4).is_some_and(year) {
        return true;
    }
    // Without the century: year (also of a Japanese era), month, day in the orders people write them.
    digits.len() == 6 && (month(2) && (day(4) || day(0)) || month(0) && day(2))
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "it has fewer than 6 digits",
            Self::Repeats => "its digits repeat",
            Self::Sequence => "its digits are a sequence",
            Self::Date => "it looks like a date or a year",
        })
    }
}

impl core::error::Error for Weakness {}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a PIN has 4 to 8 digits",
            Self::NotADigit => "a PIN has digits only",
        })
    }
}

impl core::error::Error for PinError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Pin, PinError, Weakness};

    #[test]
    fn pin_is_padded_with_ff_to_eight_bytes() {
        let padded = |digits: &[u8]| Pin::new(digits).map(|pin| *pin.padded());
        assert_eq!(padded(b"1234"), Ok(*b"1234\xFF\xFF\xFF\xFF"));
        assert_eq!(padded(b"12345678"), Ok(*b"12345678"));
    }

    #[test]
    fn what_cannot_be_a_pin_is_refused_before_it_costs_a_try() {
        let error = |digits: &[u8]| Pin::new(digits).err();
        assert_eq!(error(b""), Some(PinError::Length));
        assert_eq!(error(b"123"), Some(PinError::Length));
        assert_eq!(error(b"123456789"), Some(PinError::Length));
        assert_eq!(error(b"12a4"), Some(PinError::NotADigit));
        assert_eq!(error(b"1234\xFF"), Some(PinError::NotADigit));
    }

    #[test]
    fn a_pin_that_would_be_guessed_is_named_and_most_others_are_not() {
        let weakness = |digits: &str| Pin::new(digits.as_bytes()).unwrap().weakness();
        for (weak, why) in [
            ("1234", Weakness::Short),
            ("19481", Weakness::Short),
            ("000000", Weakness::Repeats),
            ("11112222", Weakness::Repeats),
            ("123123", Weakness::Repeats),
            ("474747", Weakness::Repeats),
            ("123456", Weakness::Sequence),
            ("12345678", Weakness::Sequence),
            ("654321", Weakness::Sequence),
            ("890123", Weakness::Sequence),
            ("135791", Weakness::Sequence),
            ("19640229", Weakness::Date),
            ("291119", Weakness::Date),
            ("451130", Weakness::Date),
            ("113045", Weakness::Date),
            ("20017391", Weakness::Date),
            ("73911984", Weakness::Date),
        ] {
            assert_eq!(weakness(weak), Some(why), "{weak}");
        }
        assert_eq!(weakness("739481"), None);
        assert_eq!(weakness("48291735"), None);
        // A rule that refuses most PINs would leave the holder few to choose from, and a thief few to try.
        let refused = (0..1_000_000_u32)
            .step_by(7)
            .filter(|n| weakness(&std::format!("{n:06}")).is_some());
        assert!(refused.count() * 100 / (1_000_000 / 7) < 15);
    }
}
