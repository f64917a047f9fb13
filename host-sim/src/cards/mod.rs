//! Virtual cards: what a voter or a member of staff holds in the hand.
//!
//! They compute with real P-256 and RSA-2048 keys and real X.509 certificates and speak APDUs, so that a kiosk
//! cannot tell them from plastic ones. Everything is deterministic from the generator a card is issued
//! with. The interpreter ([`Chip`]) knows no transport: in this process it is a [`card::Transmit`]; the
//! same chip can sit behind a virtual PC/SC reader ([`vpcd`]) or a T=1 line.
//!
//! [`VirtualPiv`] and [`VirtualJpki`] behave; [`VirtualCard`] is either, [`CardFile`] one of them on disk, [`Deck`] a folder of them. [`Misbehaving`] is a card that is pulled out, dead, mad or endless, and
//! [`Relay`] is an attacker's card that asks other cards.
//!
//! **The keys here are test keys**: they lie in memory and in [`CardFile`]s unprotected. A real card makes
//! its keys itself and never gives them out.

mod any;
mod authority;
mod deck;
mod file;
mod jpki;
mod jpki_authority;
#[cfg(test)]
mod jpki_tests;
mod misbehaving;
#[cfg(test)]
mod mistakes_tests;
mod piv;
mod piv_issuing;
mod recording;
#[cfg(test)]
mod tag_tests;
#[cfg(test)]
mod tests;
pub mod vpcd;

pub use any::VirtualCard;
pub use authority::{AuthorityFile, CardAuthority, Days};
pub use deck::{Deck, Kept, Order, Profiles};
pub use file::CardFile;
pub use jpki::VirtualJpki;
pub use jpki_authority::{JpkiAuthority, SharedPrimes};
pub use misbehaving::{Fault, Misbehaving, Relay, Source};
pub use piv::{Quirks, VirtualPiv};
pub use piv_issuing::Manager;
pub use recording::Recording;

use card::{Transmit, TransmitError};

/// The inside of a card: bytes in, bytes out, no transport.
pub trait Chip {
    /// Power is lost or the reset line is pulled: what is not in non-volatile memory is gone. PIN try
    /// counters stay.
    fn reset(&mut self);

    /// The answer to one command APDU, status word included.
    ///
    /// # Errors
    /// [`TransmitError`] where a real reader would report one: the card is gone, or silent.
    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError>;

    /// The answer to reset, for readers that show it.
    fn atr(&self) -> &[u8] {
        // T=0 and T=1, historical bytes with the PIV identifier.
        &[
            0x3B, 0x8D, 0x80, 0x01, 0x80, 0xFB, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0xCD,
        ]
    }
}

impl<C: Chip + ?Sized> Chip for Box<C> {
    fn reset(&mut self) {
        (**self).reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        (**self).apdu(command)
    }

    fn atr(&self) -> &[u8] {
        (**self).atr()
    }
}

/// One APDU through a reader that is nothing but a function call.
fn transmit(chip: &mut (impl Chip + ?Sized), command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
    let answer = chip.apdu(command)?;
    response
        .get_mut(..answer.len())
        .ok_or(TransmitError::TooLong)?
        .copy_from_slice(&answer);
    Ok(answer.len())
}

macro_rules! in_reader {
    ($($chip:ty),*) => {$(
        impl Transmit for $chip {
            async fn transmit(
                &mut self,
                command: &[u8],
                response: &mut [u8],
            ) -> Result<usize, TransmitError> {
                transmit(self, command, response)
            }
        }
    )*};
}
in_reader!(
    VirtualPiv,
    VirtualJpki,
    VirtualCard,
    Misbehaving,
    Relay,
    Box<dyn Chip>,
    Recording<VirtualJpki>
);
