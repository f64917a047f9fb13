//! What the session is told.

use core::fmt;

use election::hash::Digest;

use super::state::{Shape, Tag};
use crate::screen::Touch;

/// An input.
pub enum Input {
    /// A card was put in.
    Inserted,
    /// Something was put in, or the reader fails.
    Unreadable(WrongCard),
    /// The card was taken out, or the reader is gone.
    Removed,
    /// The card can be asked for a PIN; so many tries are left, never 0.
    Ready {
        /// Tries left.
        tries_left: u8,
        /// How long its PIN is.
        digits: PinDigits,
    },
    /// The PIN was wrong; so many tries are left, never 0.
    WrongPin {
        /// Tries left.
        tries_left: u8,
        /// How long its PIN is.
        digits: PinDigits,
    },
    /// The card cannot vote.
    Refused(WrongCard),
    /// The card may vote and is forgotten.
    Admitted {
        /// All that is left of the card.
        admission: Admission,
        /// The ballot's numbers.
        shape: Shape,
        /// How many challenges this tag still has, and the box has room for.
        challenges_left: u8,
    },
    /// The ballot is encrypted.
    Encrypted {
        /// Its tracking code.
        code: Digest,
    },
    /// A touch.
    Touch(Touch),
    /// No input for [`super::State::timeout`].
    Timeout,
}

/// Fewest and most digits of a card's PIN: no more can be typed, and no fewer are sent. It says what kind of card is in, so it goes when the PIN
/// has been tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinDigits {
    /// Fewest.
    pub fewest: u8,
    /// Most, at most [`super::PIN_MAX`].
    pub most: u8,
}

impl PinDigits {
    /// Whatever any card has.
    pub const ANY: Self = Self { fewest: 4, most: 8 };
}

/// What admission leaves of a card (DESIGN, invariant 2): nothing else of it goes further.
pub struct Admission {
    /// The ballot style.
    pub style: u16,
    /// The mark in the ballot box.
    pub tag: Tag,
}

/// Why a card cannot vote here, and so what the voter can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrongCard {
    /// Something is in the slot that does not answer.
    Mute,
    /// The reader does not work.
    ReaderGone,
    /// A card, but not one for voting.
    Unsuitable,
    /// The card answers nonsense or stops answering.
    Unreadable,
    /// Its PIN is blocked: only the office that issued it can unlock it.
    Blocked,
    /// Its certificate does not hold.
    Certificate(card::CertificateError),
    /// It does not hold the key of its certificate.
    NotProven,
    /// Not on this station's roll.
    NotOnRoll,
    /// It has voted.
    Voted,
    /// Out of room for votes: another kiosk.
    Full,
}

impl fmt::Display for WrongCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mute => {
                f.write_str("what is in the slot does not answer: take it out and check which way round it is")
            }
            Self::ReaderGone => f.write_str("the card reader does not work: call staff"),
            Self::Unsuitable => f.write_str("this card is not one for voting"),
            Self::Unreadable => f.write_str("the card cannot be read: insert it again, else call staff"),
            Self::Blocked => f.write_str("the PIN is blocked: the office that issued the card can unlock it"),
            Self::Certificate(error) => error.fmt(f),
            Self::NotProven => f.write_str("the card does not hold the key of its certificate"),
            Self::NotOnRoll => f.write_str("the card is not on the roll of this station"),
            Self::Voted => f.write_str("this card has voted"),
            Self::Full => f.write_str("this kiosk has no room for more votes: use another one"),
        }
    }
}
