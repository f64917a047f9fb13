//! Which kind of card is in the reader.

use crate::error::CardError;
use crate::jpki::Jpki;
use crate::pin::Pin;
use crate::piv::Piv;
use crate::transmit::Transmit;

/// The kinds of cards that are understood. The next My Number card (ECDSA P-384, merged PINs, about 2028) will be one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// A PIV card with P-256 keys.
    Piv,
    /// A My Number card (JPKI user authentication, RSA-2048).
    Jpki,
}

/// A card whose application is selected, whichever it is.
#[non_exhaustive]
pub enum Card<'a, T: Transmit> {
    /// See [`Piv`].
    Piv(Piv<'a, T>),
    /// See [`Jpki`].
    Jpki(Jpki<'a, T>),
}

impl<'a, T: Transmit> Card<'a, T> {
    /// Finds out what the card is and selects its application.
    ///
    /// # Errors
    /// [`CardError::NoApplication`] if it is none of [`Profile`].
    pub async fn select(card: &'a mut T) -> Result<Self, CardError> {
        match Piv::enter(card).await {
            Ok(()) => return Ok(Self::Piv(Piv::entered(card))),
            Err(CardError::NoApplication) => {}
            Err(error) => return Err(error),
        }
        Jpki::enter(card).await?;
        Ok(Self::Jpki(Jpki::entered(card)))
    }

    /// What it is.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        match self {
            Self::Piv(_) => Profile::Piv,
            Self::Jpki(_) => Profile::Jpki,
        }
    }

    /// How many digits the PIN of this kind of card may have, fewest and most: what a screen can say before anything is typed.
    #[must_use]
    pub const fn pin_digits(&self) -> (usize, usize) {
        match self {
            Self::Piv(_) => (Pin::MIN, Pin::MAX),
            Self::Jpki(_) => (4, 4),
        }
    }

    /// PIN tries left, 0 if blocked. Costs no try.
    ///
    /// # Errors
    /// See [`Piv::tries_left`] and [`Jpki::tries_left`].
    pub async fn tries_left(&mut self) -> Result<u8, CardError> {
        match self {
            Self::Piv(card) => card.tries_left().await,
            Self::Jpki(card) => card.tries_left().await,
        }
    }

    /// Hands over the PIN, once.
    ///
    /// # Errors
    /// See [`Piv::verify`] and [`Jpki::verify`].
    pub async fn verify(&mut self, pin: &Pin) -> Result<(), CardError> {
        match self {
            Self::Piv(card) => card.verify(pin).await,
            Self::Jpki(card) => card.verify(pin).await,
        }
    }

    /// Makes the card forget the PIN. Power it down afterwards.
    ///
    /// # Errors
    /// See [`Piv::forget`] and [`Jpki::forget`].
    pub async fn forget(&mut self) -> Result<(), CardError> {
        match self {
            Self::Piv(card) => card.forget().await,
            Self::Jpki(card) => card.forget().await,
        }
    }
}
