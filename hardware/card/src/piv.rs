//! The PIV card application (NIST SP 800-73-4 Part 2) with P-256 keys.

use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};
use p256::ecdsa::Signature;
use p256::{AffinePoint, ProjectivePoint, PublicKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::apdu::{self, Answer, Command, Status};
use crate::blind::{self, Blinding, Candidates};
use crate::error::CardError;
use crate::key::CardPublicKey;
use crate::pin::Pin;
use crate::tlv;
use crate::transmit::{Transmit, TransmitError};

/// Largest data object that is read from a card, wrapping included. A buffer of this size holds every
/// certificate that [`Piv::certificate`] returns.
pub const MAX_OBJECT: usize = 4096;

/// The application identifier with version, then without it, then the bare registered identifier
/// (Part 1 section 2.2). Cards differ in how much of it they want to see.
const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
const AID_LENGTHS: [usize; 3] = [11, 9, 5];

/// The issuer security domain of `GlobalPlatform`: the application nearly every Java card can be made to
/// select instead of PIV.
const ISSUER_DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// The PIV application PIN as a key reference (Part 1 Table 4b).
pub(crate) const PIN_REFERENCE: u8 = 0x80;

/// ECC P-256 (NIST SP 800-78-4 Table 6-2).
pub(crate) const ALGORITHM_P256: u8 = 0x11;

/// A key of the card together with its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// 9A, PIV authentication: signs.
    Authentication,
    /// 9D, key management: agrees on keys.
    KeyManagement,
}

impl Slot {
    pub(crate) const fn reference(self) -> u8 {
        match self {
            Self::Authentication => 0x9A,
            Self::KeyManagement => 0x9D,
        }
    }

    /// The tag of the certificate's data object (Part 1 Table 3).
    pub(crate) const fn object(self) -> [u8; 3] {
        match self {
            Self::Authentication => [0x5F, 0xC1, 0x05],
            Self::KeyManagement => [0x5F, 0xC1, 0x0B],
        }
    }
}

/// A card with its PIV application selected.
///
/// There is no drop that talks to a card: on every way out, call [`Piv::forget`], then power the card
/// down. Otherwise the next program or the next person at this reader acts with the PIN of this one.
pub struct Piv<'a, T: Transmit> {
    card: &'a mut T,
}

impl<'a, T: Transmit> Piv<'a, T> {
    /// Selects the application (Part 2 section 3.1.1): by the full identifier, and where the card
    /// does not know it (`6A 82`) by its shorter forms. What the card answers beside the status is not
    /// looked at: cards leave out the template or parts of it, and nothing here depends on it.
    ///
    /// # Errors
    /// [`CardError::NoApplication`] if this is no PIV card.
    pub async fn select(card: &'a mut T) -> Result<Self, CardError> {
        Self::enter(card).await?;
        Ok(Self { card })
    }

    pub(crate) const fn entered(card: &'a mut T) -> Self {
        Self { card }
    }

    pub(crate) async fn enter(card: &mut T) -> Result<(), CardError> {
        Piv { card }.select_application().await
    }

    async fn select_application(&mut self) -> Result<(), CardError> {
        for length in AID_LENGTHS {
            let aid = AID.get(..length).unwrap_or(&AID);
            match self.select_by_name(aid).await? {
                Status::Success => return Ok(()),
                Status::NotFound => {}
                // Cards without applications, such as transit cards, do not know SELECT by name:
                // unknown instruction or class, not supported, refused without a reason.
                Status::Other(0x6D00 | 0x6E00 | 0x6A81 | 0x6999) => break,
                other => return CardError::check(other),
            }
        }
        Err(CardError::NoApplication)
    }

    /// How many tries for the PIN are left, 0 if it is blocked: VERIFY without data (Part 2 section
    /// 3.2.1), which costs no try.
    ///
    /// # Errors
    /// [`CardError::StillVerified`] if a PIN was verified before us and the card does not forget it.
    pub async fn tries_left(&mut self) -> Result<u8, CardError> {
        let mut status = self.pin_status().await?;
        if status == Status::Success {
            // Somebody's PIN survived in the card. It is not the PIN of whoever stands here now.
            self.forget().await?;
            self.select_application().await?;
            status = self.pin_status().await?;
        }
        match status {
            Status::WrongPin { tries_left } => Ok(tries_left),
            Status::Blocked => Ok(0),
            Status::Success => Err(CardError::StillVerified),
            other => Err(refusal(other)),
        }
    }

    /// Hands over the PIN (Part 2 section 3.2.1). Sent once, whatever the card answers.
    ///
    /// # Errors
    /// [`CardError::WrongPin`] with the tries left, [`CardError::Blocked`].
    pub async fn verify(&mut self, pin: &Pin) -> Result<(), CardError> {
        let command = Command::new(0x20, 0x00, PIN_REFERENCE).with_data(pin.padded());
        CardError::check(self.exchange(&command, &mut []).await?.status)
    }

    /// Reads the certificate of `slot` (GET DATA, Part 2 section 3.1.2) into `buffer` and returns the
    /// part of it that is the certificate, unchecked: see [`crate::CertificateVerifier`].
    ///
    /// # Errors
    /// [`CardError::NotFound`], [`CardError::Compressed`], and [`CardError::TooLong`] for more than
    /// `buffer` or [`MAX_OBJECT`] holds.
    pub async fn certificate<'b>(&mut self, slot: Slot, buffer: &'b mut [u8]) -> Result<&'b [u8], CardError> {
        let length = buffer.len().min(MAX_OBJECT);
        let buffer = buffer.get_mut(..length).unwrap_or_default();
        let [a, b, c] = slot.object();
        let name = [0x5C, 0x03, a, b, c];
        let command = Command::new(0xCB, 0x3F, 0xFF).with_data(&name).expecting_data();
        let answer = self.exchange(&command, buffer).await?;
        CardError::check(answer.status)?;
        let object = buffer.get(..answer.length).ok_or(CardError::TooLong)?;
        unwrap_certificate(object)
    }

    /// Lets the authentication key (9A) sign a SHA-256 hash (GENERAL AUTHENTICATE, Part 2 section
    /// 3.2.4 and Appendix A.3): r ‖ s, with s in its lower half so that there is one encoding. The PIN
    /// must have been verified. The signature is well-formed but unchecked: see
    /// [`CardPublicKey::verify`].
    ///
    /// # Errors
    /// [`CardError::PinRequired`], [`CardError::BadSignature`].
    pub async fn sign(&mut self, hash: &[u8; 32]) -> Result<[u8; 64], CardError> {
        let mut out = [0; 128];
        let answer = self.authenticate(Slot::Authentication, 0x81, hash, &mut out).await?;
        let signature = signature_from_der(answer).ok_or(CardError::BadSignature)?;
        Ok(signature.normalize_s().to_bytes().into())
    }

    /// Lets the key-management key (9D) agree with `point` (SEC 1 uncompressed): the x coordinate of
    /// the product (GENERAL AUTHENTICATE, Part 2 section 3.2.4 and Appendix A.5). The PIN must have
    /// been verified. Nothing proves that the answer is right: see [`Piv::shared_point`].
    ///
    /// # Errors
    /// [`CardError::BadPoint`] if `point` is not one, [`CardError::PinRequired`],
    /// [`CardError::Malformed`] if the answer has not 32 bytes.
    pub async fn ecdh(&mut self, point: &[u8; 65]) -> Result<Zeroizing<[u8; 32]>, CardError> {
        // A card that does not check points would answer in a small group and leak its key.
        PublicKey::from_sec1_bytes(point).map_err(|_| CardError::BadPoint)?;
        let mut out = Zeroizing::new([0; 64]);
        let answer = self
            .authenticate(Slot::KeyManagement, 0x85, point, out.as_mut_slice())
            .await?;
        let mut x = Zeroizing::new([0; 32]);
        if answer.len() != x.len() {
            return Err(CardError::Malformed);
        }
        x.copy_from_slice(answer);
        Ok(x)
    }

    /// d·`base`, where d is the private key of `public_key`, which the caller took from a certificate
    /// of slot 9D that it has verified. The answer is proof that the card in the reader holds d, and
    /// nobody without d can compute it.
    ///
    /// Two ECDH queries on blinded points: with one, or without blinding, a relay could ask another
    /// card and nobody would notice (the comments of `blind.rs` say why two suffice). The PIN must
    /// have been verified. The result is as secret as what is derived from it: the caller wipes it.
    ///
    /// # Errors
    /// [`CardError::PossessionNotProven`] if the two answers do not agree on exactly one point,
    /// [`CardError::BadPoint`] if `base` or `public_key` is unusable, [`CardError::Randomness`].
    pub async fn shared_point<R: CryptoRng + ?Sized>(
        &mut self,
        base: &AffinePoint,
        public_key: &CardPublicKey,
        rng: &mut R,
    ) -> Result<AffinePoint, CardError> {
        let base = PublicKey::from_affine(*base)
            .map_err(|_| CardError::BadPoint)?
            .to_projective();
        let key = public_key.to_p256().map_err(|_| CardError::BadPoint)?.to_projective();
        let first = self.blinded_query(&base, &key, rng).await?;
        let second = self.blinded_query(&base, &key, rng).await?;
        blind::agreed(&first, &second).ok_or(CardError::PossessionNotProven)
    }

    async fn blinded_query<R: CryptoRng + ?Sized>(
        &mut self,
        base: &ProjectivePoint,
        key: &ProjectivePoint,
        rng: &mut R,
    ) -> Result<Candidates, CardError> {
        let blinding = Blinding::draw(rng)?;
        let x = self.ecdh(&blinding.blind(base)?).await?;
        blinding.candidates(&x, key).ok_or(CardError::PossessionNotProven)
    }

    /// Makes the card forget that a PIN was verified, and checks that it did. Do this on every way
    /// out, also after an error, and power the card down afterwards: VERIFY survives a disconnect and a
    /// warm reset.
    ///
    /// First the command that is made for it (VERIFY with P1 = FF, Part 2 section 3.2.1), which older
    /// cards do not know. Then another application is selected, because selecting PIV again or an
    /// application the card does not have leaves the state as it is (Part 2 section 3.1.1), and then
    /// the master file. PIV must be selected again before it is used again.
    ///
    /// # Errors
    /// [`CardError::StillVerified`] if the card still says that the PIN is verified;
    /// [`CardError::Transmit`] if it cannot be asked. A card that was taken out has forgotten.
    pub async fn forget(&mut self) -> Result<(), CardError> {
        // No step may keep the next one from being tried: a card may refuse any of them, and only
        // what it says in the end counts.
        let reset = Command::new(0x20, 0xFF, PIN_REFERENCE);
        let _ = self.exchange(&reset, &mut []).await;
        let _ = self.select_by_name(&ISSUER_DOMAIN).await;
        let master_file = Command::new(0xA4, 0x00, 0x0C).with_data(&[0x3F, 0x00]);
        let _ = self.exchange(&master_file, &mut []).await;
        match self.pin_status().await {
            Ok(Status::Success) => Err(CardError::StillVerified),
            Ok(_) | Err(CardError::Transmit(TransmitError::Removed)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn select_by_name(&mut self, name: &[u8]) -> Result<Status, CardError> {
        let mut answer = [0; 256];
        let command = Command::new(0xA4, 0x04, 0x00).with_data(name).expecting_data();
        Ok(self.exchange(&command, &mut answer).await?.status)
    }

    async fn pin_status(&mut self) -> Result<Status, CardError> {
        let command = Command::new(0x20, 0x00, PIN_REFERENCE);
        Ok(self.exchange(&command, &mut []).await?.status)
    }

    /// GENERAL AUTHENTICATE with `input` under `tag` and a request (an empty 82) for the response:
    /// `7C {82 00, tag input}` -> `7C {82 response}`.
    async fn authenticate<'b>(
        &mut self,
        slot: Slot,
        tag: u8,
        input: &[u8],
        out: &'b mut [u8],
    ) -> Result<&'b [u8], CardError> {
        // Both lengths are below 128 for the 32 and 65 bytes that go in here: the short form.
        let mut template = Zeroizing::new([0_u8; 80]);
        let inner = u8::try_from(input.len()).map_err(|_| CardError::TooLong)?;
        let outer = inner.checked_add(4).filter(|n| *n < 0x80);
        let outer = outer.ok_or(CardError::TooLong)?;
        let header = [0x7C, outer, 0x82, 0x00, tag, inner];
        for (to, from) in template.iter_mut().zip(header.iter().chain(input)) {
            *to = *from;
        }
        let data = template.get(..header.len() + input.len()).ok_or(CardError::TooLong)?;
        let command = Command::new(0x87, ALGORITHM_P256, slot.reference())
            .with_data(data)
            .expecting_data();
        let answer = self.exchange(&command, out).await?;
        CardError::check(answer.status)?;
        let answer = out.get(..answer.length).ok_or(CardError::TooLong)?;
        tlv::only(answer, 0x7C)
            .and_then(|template| tlv::only(template, 0x82))
            .ok_or(CardError::Malformed)
    }

    pub(crate) async fn exchange(&mut self, command: &Command<'_>, out: &mut [u8]) -> Result<Answer, CardError> {
        apdu::exchange(self.card, command, out).await
    }
}

/// A status that cannot stand where it stood.
fn refusal(status: Status) -> CardError {
    CardError::check(status).err().unwrap_or(CardError::Malformed)
}

/// The certificate in a data object `53 {70 certificate, 71 CertInfo, 72 ..., FE ...}` (Part 1
/// Appendix A, Table 10).
fn unwrap_certificate(object: &[u8]) -> Result<&[u8], CardError> {
    let contents = tlv::only(object, 0x53).ok_or(CardError::Malformed)?;
    // An object that exists but is empty: a slot that was never issued.
    if contents.is_empty() {
        return Err(CardError::NotFound);
    }
    let malformed = |_| CardError::Malformed;
    let certificate = tlv::find(contents, 0x70).map_err(malformed)?;
    let certificate = certificate.ok_or(CardError::NotFound)?;
    let information = tlv::find(contents, 0x71).map_err(malformed)?;
    let compressed = information.is_some_and(|info| info.first().is_some_and(|b| b & 1 == 1));
    // Some issuers forget the flag; gzip has a magic number (RFC 1952), a certificate starts with 30.
    if compressed || certificate.starts_with(&[0x1F, 0x8B]) {
        return Err(CardError::Compressed);
    }
    if certificate.is_empty() {
        return Err(CardError::NotFound);
    }
    Ok(certificate)
}

/// ECDSA-Sig-Value (RFC 3279 section 2.2.3) in strict DER, with r and s in 1..n.
pub(crate) fn signature_from_der(bytes: &[u8]) -> Option<Signature> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let (r, s) = reader
        .sequence(|reader| Ok::<_, der::Error>((field(UintRef::decode(reader)?), field(UintRef::decode(reader)?))))
        .ok()?;
    reader.finish().ok()?;
    Signature::from_scalars(r?, s?).ok()
}

/// A positive integer as 32 bytes; `None` if it has more.
fn field(number: UintRef<'_>) -> Option<[u8; 32]> {
    let bytes = number.as_bytes();
    let mut field = [0; 32];
    let start = field.len().checked_sub(bytes.len())?;
    field.get_mut(start..)?.copy_from_slice(bytes);
    Some(field)
}
