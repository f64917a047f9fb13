//! A virtual card of any profile.

use card::TransmitError;

use super::{CardFile, Chip, VirtualJpki, VirtualPiv};

/// A card of any profile.
pub enum VirtualCard {
    /// A PIV card.
    Piv(Box<VirtualPiv>),
    /// A My Number card.
    Jpki(Box<VirtualJpki>),
}

impl VirtualCard {
    /// PIN tries left, 0 if blocked.
    #[must_use]
    pub const fn tries_left(&self) -> u8 {
        match self {
            Self::Piv(card) => card.tries_left(),
            Self::Jpki(card) => card.tries_left(),
        }
    }

    /// The key that stands in a roll: PIV 9D, or the user authentication key; `None` for a blank card.
    #[must_use]
    pub fn roll_key(&self) -> Option<card::CardPublicKey> {
        match self {
            Self::Piv(card) => card.public_key(card::Slot::KeyManagement),
            Self::Jpki(card) => card.public_key().ok(),
        }
    }

    /// What is in the card's memory.
    ///
    /// # Errors
    /// If a key cannot be written down.
    pub fn to_file(&self) -> anyhow::Result<CardFile> {
        match self {
            Self::Piv(card) => card.to_file(),
            Self::Jpki(card) => card.to_file(),
        }
    }
}

impl From<VirtualPiv> for VirtualCard {
    fn from(card: VirtualPiv) -> Self {
        Self::Piv(Box::new(card))
    }
}

impl From<VirtualJpki> for VirtualCard {
    fn from(card: VirtualJpki) -> Self {
        Self::Jpki(Box::new(card))
    }
}

impl Chip for VirtualCard {
    fn reset(&mut self) {
        match self {
            Self::Piv(card) => card.reset(),
            Self::Jpki(card) => card.reset(),
        }
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        match self {
            Self::Piv(card) => card.apdu(command),
            Self::Jpki(card) => card.apdu(command),
        }
    }

    fn atr(&self) -> &[u8] {
        match self {
            Self::Piv(card) => card.atr(),
            Self::Jpki(card) => card.atr(),
        }
    }
}
