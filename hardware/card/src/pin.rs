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

    /// The digits without padding, as My Number cards want them.
    pub(crate) fn digits(&self) -> &[u8] {
        let length = self.padded.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.padded.get(..length).unwrap_or_default()
    }

    pub(crate) const fn padded(&self) -> &[u8; 8] {
        &self.padded
    }
}

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
    use super::{Pin, PinError};

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
}
