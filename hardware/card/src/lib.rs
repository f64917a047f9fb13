//! Smartcards: an APDU layer, the PIV and My Number (JPKI) profiles over one transmit trait, and the transports.
//!
//! **What this room is for.** It talks to the card in the reader: selects the PIV application, asks
//! how many PIN tries are left, hands over the PIN, reads certificates, lets the card sign and do
//! Diffie-Hellman, and makes the card forget the PIN again. It judges certificates against a list of
//! authorities for a given day, and it proves that the card in the reader really holds the private
//! key of a certificate ([`Piv::shared_point`], [`Jpki::prove`]).
//!
//! **What this room must never know.** Elections, ballots, rolls, tags, kiosks. It is given points,
//! hashes, certificates and dates, and returns points, signatures, keys and errors; what they mean is
//! decided above. It has no clock (validity is judged for the day it is given), no logger and no
//! storage, so nothing of a card can outlive the values it returns.
//!
//! **What it assumes of a card.** Nothing. Whatever comes over the contacts is hostile until checked:
//! every loop has a stated bound ([`apdu::MAX_PARTS`], [`apdu::MAX_LINKS`]), every answer a largest
//! size, and every refusal is an enum that says what a person can do about it ([`CardError`],
//! [`CertificateError`]).
//!
//! Terms: an *APDU* is one command or one response (ISO 7816-4 section 5). The *status word* is the
//! last two bytes of a response. A *slot* is a key with its certificate on a PIV card, named by its
//! key reference (NIST SP 800-73-4 Part 1 Table 4b): 9A for authentication, 9D for key management.
//!
//! Without features nothing here allocates. Feature `x509` adds `x509::X509`, which allocates in
//! proportion to certificates of at most 4 KiB; feature `jpki` teaches it RSA-2048, which My Number cards and their authorities use.
//!
//! Feature `issue` adds what an issuer does with a PIV card (module `issue`): a kiosk has no business there and is built without it.
//!
//! Transports implement [`Transmit`]: feature `uart` for a card slot on a microcontroller's UART (the protocol is [`t1`]),
//! feature `pcsc` for readers behind PC/SC. The trait asks for so little that other transports can live elsewhere.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

#[cfg(feature = "pcsc")]
extern crate std;

pub mod apdu;
mod blind;
mod certificate;
mod error;
#[cfg(feature = "issue")]
pub mod issue;
mod jpki;
mod key;
#[cfg(feature = "pcsc")]
pub mod pcsc;
mod pin;
mod piv;
mod profile;
pub mod t1;
pub mod tlv;
mod transmit;
#[cfg(feature = "uart")]
pub mod uart;
#[cfg(feature = "uart")]
pub mod wire;
#[cfg(feature = "x509")]
pub mod x509;

pub use certificate::{CertificateError, CertificateVerifier, Date, KeyUse, MAX_AUTHORITIES, MAX_CERTIFICATE};
pub use error::CardError;
pub use jpki::Jpki;
pub use key::{BadKey, CardPublicKey};
pub use pin::{Pin, PinError, Weakness};
pub use piv::{MAX_OBJECT, Piv, Slot};
pub use profile::{Card, Profile};
pub use transmit::{Transmit, TransmitError};
