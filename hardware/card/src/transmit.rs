//! The one seam between this room and a reader.

use core::fmt;

/// A way to send one APDU to a card and to get its answer.
///
/// An implementation moves bytes and nothing else: it does not repeat a command, does not fetch the
/// rest of an answer (`61 xx`) and does not look at status words. Repeating a command by itself would
/// burn PIN tries, and this room could not bound it.
///
/// Commands are short APDUs of 4 to 261 bytes, responses at most [`crate::apdu::MAX_RESPONSE`] bytes
/// with the two status bytes at the end (ISO 7816-4 section 5.1).
///
/// Power is not part of it: whoever owns the reader powers the card down after [`crate::Piv::forget`].
#[allow(async_fn_in_trait)] // One executor, one core: no caller needs the future to be Send.
pub trait Transmit {
    /// Sends `command`, writes the answer to the front of `response` and returns its length.
    ///
    /// # Errors
    /// See [`TransmitError`]; an answer that does not fit is [`TransmitError::TooLong`], never cut off.
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError>;
}

impl<T: Transmit + ?Sized> Transmit for &mut T {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        (**self).transmit(command, response).await
    }
}

/// Why no answer came from the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransmitError {
    /// The card was taken out: insert it again.
    Removed,
    /// The card did not answer in time: upside down, dirty or dead. Insert it again, else another one.
    Timeout,
    /// The answer is longer than a response may be: not a card we understand.
    TooLong,
    /// The bytes on the line break the transmission protocol: clean the card, try again.
    Protocol,
    /// The reader itself fails or is unplugged: staff must look at it.
    Io,
}

impl fmt::Display for TransmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "the card was removed: insert it again",
            Self::Timeout => "the card does not answer: check which way round it is, insert it again",
            Self::TooLong => "the card's answer is too long: this is not a card for this reader",
            Self::Protocol => "the card cannot be read: clean its contacts and insert it again",
            Self::Io => "the card reader does not work: call staff, check its cable",
        })
    }
}

impl core::error::Error for TransmitError {}
