//! The user authentication of a My Number card (JPKI, RSA-2048), as `OpenSC` and public libraries drive it; no official text was seen.
//!
//! A My Number card holds two key pairs. *User authentication*: certificate 000A with an opaque number, key 0017, PIN 0018 of four digits and
//! three tries. *Signature*: its certificate (0001) tells name, address, birth date and sex, and its PIN (001B) signs contracts. This
//! room never touches the second pair: nothing here names its files, and a test with a card that writes down every command
//! shows it.
//!
//! The card's answers prove nothing by themselves. [`Jpki::prove`] has a fresh challenge signed, and [`Jpki::unique_signature`] checks
//! what it returns; both against the key of a certificate that the caller has judged.

use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::apdu::{self, Answer, Command, Status};
use crate::certificate::{CertificateVerifier, MAX_CERTIFICATE};
use crate::error::CardError;
use crate::key::CardPublicKey;
use crate::pin::Pin;
use crate::transmit::{Transmit, TransmitError};

const AID: [u8; 10] = [0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01];

/// Elementary files of the application. There are others, and they are no business of ours.
#[derive(Clone, Copy)]
enum File {
    Certificate = 0x000A,
    Key = 0x0017,
    Pin = 0x0018,
}

/// Digits of the user authentication PIN.
const PIN_DIGITS: usize = 4;

/// Most READ BINARY commands for one certificate: 4 KiB in pieces of 128 bytes would be 32.
const MAX_READS: usize = 64;

/// `DigestInfo` of a SHA-256 hash up to the hash itself (RFC 8017 section 9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];

/// Bytes of an RSA-2048 signature.
pub const SIGNATURE: usize = 256;

/// A card with its JPKI application selected.
///
/// There is no drop that talks to a card: on every way out, call [`Jpki::forget`], then power the card down. These cards do not tell whether
/// a PIN is verified, so the power is the only certain thing.
pub struct Jpki<'a, T: Transmit> {
    card: &'a mut T,
}

impl<'a, T: Transmit> Jpki<'a, T> {
    /// Selects the application. The master file is selected first, so that a PIN that somebody left verified is
    /// forgotten.
    ///
    /// # Errors
    /// [`CardError::NoApplication`] if this is no My Number card.
    pub async fn select(card: &'a mut T) -> Result<Self, CardError> {
        Self::enter(card).await?;
        Ok(Self { card })
    }

    pub(crate) const fn entered(card: &'a mut T) -> Self {
        Self { card }
    }

    pub(crate) async fn enter(card: &mut T) -> Result<(), CardError> {
        let master_file = Command::new(0xA4, 0x00, 0x0C).with_data(&[0x3F, 0x00]);
        apdu::exchange(card, &master_file, &mut []).await?;
        let command = Command::new(0xA4, 0x04, 0x0C).with_data(&AID);
        match apdu::exchange(card, &command, &mut []).await?.status {
            Status::Success => Ok(()),
            // Cards without applications do not know SELECT by name; see the PIV profile.
            Status::NotFound | Status::Other(0x6D00 | 0x6E00 | 0x6A81 | 0x6999) => Err(CardError::NoApplication),
            other => CardError::check(other),
        }
    }

    /// How many tries for the PIN are left, 0 if it is blocked. Costs no try.
    ///
    /// # Errors
    /// [`CardError::NotFound`] if the card was issued without user authentication.
    pub async fn tries_left(&mut self) -> Result<u8, CardError> {
        self.file(File::Pin).await?;
        let status = self.exchange(&Command::new(0x20, 0x00, 0x80), &mut []).await?.status;
        match status {
            Status::WrongPin { tries_left } => Ok(tries_left),
            Status::Blocked => Ok(0),
            other => Err(CardError::check(other).err().unwrap_or(CardError::StillVerified)),
        }
    }

    /// Hands over the PIN. Sent once, whatever the card answers.
    ///
    /// # Errors
    /// [`CardError::PinLength`] unless it has four digits, and then no try is lost; [`CardError::WrongPin`] with the tries left,
    /// [`CardError::Blocked`].
    pub async fn verify(&mut self, pin: &Pin) -> Result<(), CardError> {
        if pin.digits().len() != PIN_DIGITS {
            return Err(CardError::PinLength { digits: 4 });
        }
        self.file(File::Pin).await?;
        let command = Command::new(0x20, 0x00, 0x80).with_data(pin.digits());
        CardError::check(self.exchange(&command, &mut []).await?.status)
    }

    /// Reads the user authentication certificate into `buffer`; the part of it that is the certificate, unchecked. Needs no PIN.
    ///
    /// # Errors
    /// [`CardError::NotFound`], [`CardError::Malformed`], and [`CardError::TooLong`] for more than `buffer` or
    /// [`MAX_CERTIFICATE`] holds.
    pub async fn certificate<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], CardError> {
        self.file(File::Certificate).await?;
        let mut read = 0;
        // The file is larger than the certificate; how much of it matters stands in its first four bytes.
        let mut total = 4;
        for _ in 0..MAX_READS {
            if read >= total {
                return buffer.get(..total).ok_or(CardError::TooLong);
            }
            // Bit 8 of P1 would mean something else, but MAX_CERTIFICATE has twelve bits.
            let [high, low] = u16::try_from(read).map_err(|_| CardError::TooLong)?.to_be_bytes();
            let wanted = if read == 0 {
                0
            } else {
                u8::try_from(total - read).unwrap_or(0)
            };
            let command = Command::new(0xB0, high, low).expecting(wanted);
            let mut part = [0; 256];
            let answer = self.exchange(&command, &mut part).await?;
            match answer.status {
                // 62 82: the file ended before so many bytes.
                Status::Success | Status::Other(0x6282) => {}
                other => CardError::check(other)?,
            }
            let part = part.get(..answer.length).ok_or(CardError::Malformed)?;
            if part.is_empty() {
                return Err(CardError::Malformed);
            }
            let end = read + part.len();
            if end > total && read > 0 && wanted != 0 {
                return Err(CardError::Malformed);
            }
            // What lies behind the certificate is cut off where the buffer ends.
            let room = buffer.get_mut(read..).unwrap_or_default();
            for (to, from) in room.iter_mut().zip(part) {
                *to = *from;
            }
            if read == 0 {
                total = match part {
                    [0x30, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
                    // An empty file: never issued.
                    [0 | 0xFF, ..] => return Err(CardError::NotFound),
                    _ => return Err(CardError::Malformed),
                };
                if total > MAX_CERTIFICATE || total > buffer.len() {
                    return Err(CardError::TooLong);
                }
            }
            read = end;
        }
        if read >= total {
            buffer.get(..total).ok_or(CardError::TooLong)
        } else {
            Err(CardError::Endless)
        }
    }

    /// Lets the user authentication key sign a SHA-256 `hash` (PKCS#1 v1.5): the same bytes each time, and nobody without
    /// the key can compute them. Checked against `key`, which the caller took from a certificate that it has judged. The PIN must have been
    /// verified. As secret as what is derived from it: the caller wipes it.
    ///
    /// # Errors
    /// [`CardError::PinRequired`]; [`CardError::PossessionNotProven`] if the signature is not this key's.
    pub async fn unique_signature<V: CertificateVerifier + ?Sized>(
        &mut self,
        hash: &[u8; 32],
        key: &CardPublicKey,
        verifier: &V,
    ) -> Result<Zeroizing<[u8; SIGNATURE]>, CardError> {
        let signature = self.sign(hash).await?;
        if verifier.verify_rsa(key, hash, &signature) {
            Ok(signature)
        } else {
            Err(CardError::PossessionNotProven)
        }
    }

    /// Has a fresh challenge signed: the card in the reader holds the key now. A signature that is always the same could have been
    /// recorded. The PIN must have been verified.
    ///
    /// # Errors
    /// As [`Jpki::unique_signature`]; [`CardError::Randomness`].
    pub async fn prove<V: CertificateVerifier + ?Sized, R: CryptoRng + ?Sized>(
        &mut self,
        key: &CardPublicKey,
        verifier: &V,
        rng: &mut R,
    ) -> Result<(), CardError> {
        // 32 random bytes in the place of a hash: whatever else this key signs is the hash of something, and finding what hashes to a given
        // value is out of reach.
        let mut challenge = [0; 32];
        rng.fill_bytes(&mut challenge);
        if challenge == [0; 32] {
            return Err(CardError::Randomness);
        }
        let result = self.unique_signature(&challenge, key, verifier).await;
        challenge.zeroize();
        result.map(|_| ())
    }

    /// Selects the master file, so that the card forgets the PIN. It cannot be asked whether it has: power it down afterwards,
    /// on every way out.
    ///
    /// # Errors
    /// [`CardError::Transmit`] if it cannot be told. A card that was taken out has forgotten.
    pub async fn forget(&mut self) -> Result<(), CardError> {
        let master_file = Command::new(0xA4, 0x00, 0x0C).with_data(&[0x3F, 0x00]);
        match self.exchange(&master_file, &mut []).await {
            Ok(_) | Err(CardError::Transmit(TransmitError::Removed)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn sign(&mut self, hash: &[u8; 32]) -> Result<Zeroizing<[u8; SIGNATURE]>, CardError> {
        self.file(File::Key).await?;
        let mut info = [0; 51];
        for (to, from) in info.iter_mut().zip(DIGEST_INFO.iter().chain(hash)) {
            *to = *from;
        }
        // PERFORM SECURITY OPERATION in the proprietary class, with P1 and P2 as these cards want them.
        let command = Command::new(0x2A, 0x00, 0x80)
            .in_class(0x80)
            .with_data(&info)
            .expecting_data();
        let mut signature = Zeroizing::new([0; SIGNATURE]);
        let answer = self.exchange(&command, signature.as_mut_slice()).await?;
        CardError::check(answer.status)?;
        if answer.length == SIGNATURE {
            Ok(signature)
        } else {
            Err(CardError::BadSignature)
        }
    }

    async fn file(&mut self, file: File) -> Result<(), CardError> {
        let name = (file as u16).to_be_bytes();
        let command = Command::new(0xA4, 0x02, 0x0C).with_data(&name);
        CardError::check(self.exchange(&command, &mut []).await?.status)
    }

    async fn exchange(&mut self, command: &Command<'_>, out: &mut [u8]) -> Result<Answer, CardError> {
        apdu::exchange(self.card, command, out).await
    }
}
