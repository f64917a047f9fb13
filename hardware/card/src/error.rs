//! What can go wrong with a card, in terms a person can act on.

use core::fmt;

use crate::apdu::Status;
use crate::transmit::TransmitError;

/// Why a card was refused or a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardError {
    /// No answer came.
    Transmit(TransmitError),
    /// The card has no application that is understood: another kind of card, or the wrong one.
    NoApplication,
    /// This kind of card has a PIN of so many digits; nothing was sent to it, and no try is lost.
    PinLength {
        /// Digits.
        digits: u8,
    },
    /// The PIN is wrong; so many tries are left, never 0 (that is [`CardError::Blocked`]).
    WrongPin {
        /// Tries left before the card blocks the PIN.
        tries_left: u8,
    },
    /// The PIN is blocked: only the issuer can unblock it.
    Blocked,
    /// The card wants the PIN first.
    PinRequired,
    /// The card still holds a PIN as verified although it was told to forget it. Whoever verified it
    /// may be another person: power the card down before anything else.
    StillVerified,
    /// The object or key is not on the card: it was never issued for this purpose.
    NotFound,
    /// The certificate is stored gzip-compressed, which is not supported: the issuer must store it plain.
    Compressed,
    /// The answer or object is longer than the bound for it.
    TooLong,
    /// The card announced more data more often than [`crate::apdu::MAX_PARTS`].
    Endless,
    /// The answer breaks its format.
    Malformed,
    /// The signature holds a number out of range.
    BadSignature,
    /// The given point or public key is not a point of the curve other than the neutral one. The
    /// caller's mistake, not the card's.
    BadPoint,
    /// The random generator returns values that cannot be random: do not go on with this device.
    Randomness,
    /// The card did not prove that it holds the private key of the certificate: a defect, another
    /// card's certificate, or a relay to a second card.
    PossessionNotProven,
    /// The management key is another one, or the card is not the one it claims to be.
    WrongManagementKey,
    /// The card refused with a status word that has no case of its own.
    Refused(u16),
}

impl CardError {
    /// The refusal a final status word stands for; `Ok` for `90 00`.
    pub(crate) const fn check(status: Status) -> Result<(), Self> {
        Err(match status {
            Status::Success => return Ok(()),
            Status::WrongPin { tries_left } => Self::WrongPin { tries_left },
            Status::Blocked => Self::Blocked,
            Status::SecurityStatus => Self::PinRequired,
            Status::NotFound => Self::NotFound,
            other => Self::Refused(other.word()),
        })
    }
}

impl From<TransmitError> for CardError {
    fn from(error: TransmitError) -> Self {
        Self::Transmit(error)
    }
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit(error) => error.fmt(f),
            Self::NoApplication => f.write_str("not a card that is understood here: use the card issued for this"),
            Self::PinLength { digits } => write!(f, "this card's PIN has {digits} digits"),
            Self::WrongPin { tries_left } => write!(f, "wrong PIN, {tries_left} tries left"),
            Self::Blocked => f.write_str("the PIN is blocked: only the issuer can unblock it"),
            Self::PinRequired => f.write_str("the card wants its PIN first"),
            Self::StillVerified => f.write_str("the card still holds a verified PIN: take it out and insert it again"),
            Self::NotFound => f.write_str("the card lacks this key or certificate: ask its issuer"),
            Self::Compressed => f.write_str("the certificate is gzip-compressed: the issuer must store it plain"),
            Self::TooLong => f.write_str("the card's answer is longer than allowed"),
            Self::Endless => f.write_str("the card never finishes its answer"),
            Self::Malformed => f.write_str("the card's answer cannot be understood"),
            Self::BadSignature => f.write_str("the card's signature is not a signature"),
            Self::BadPoint => f.write_str("not a usable point of the curve"),
            Self::Randomness => f.write_str("the random generator is broken: stop using this device"),
            Self::PossessionNotProven => f.write_str("the card does not hold the key of its certificate: refuse it"),
            Self::WrongManagementKey => {
                f.write_str("this is not the card's management key: ask who delivered the cards")
            }
            Self::Refused(word) => write!(f, "the card refuses, status {word:04X}"),
        }
    }
}

impl core::error::Error for CardError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Transmit(error) => Some(error),
            _ => None,
        }
    }
}
