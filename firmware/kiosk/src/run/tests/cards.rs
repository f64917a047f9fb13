//! A PIV card of a few commands (NIST SP 800-73-4 Part 2): enough for what the kiosk asks, and honest.

use std::vec;
use std::vec::Vec;

use card::{CardPublicKey, CertificateError, CertificateVerifier, Date, KeyUse, Transmit, TransmitError};
use election::sign::compressed;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{ProjectivePoint, PublicKey};

/// A card.
#[derive(Clone)]
pub struct Card {
    pub sign: SigningKey,
    pub agree: SigningKey,
    pub pin: [u8; 4],
    pub tries: u8,
    pub verified: bool,
}

impl Card {
    pub fn new(number: u8) -> Self {
        let key = |kind: u8| {
            let mut bytes = [kind; 32];
            bytes[31] = number;
            SigningKey::from_slice(&bytes).unwrap()
        };
        Self {
            sign: key(1),
            agree: key(2),
            pin: *b"1234",
            tries: 3,
            verified: false,
        }
    }

    pub fn agree_key(&self) -> [u8; 33] {
        compressed(self.agree.verifying_key())
    }

    pub fn sign_key(&self) -> [u8; 33] {
        compressed(self.sign.verifying_key())
    }

    /// Answers one APDU.
    pub fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let data = command.get(5..).unwrap_or(&[]);
        match command {
            [0x00, 0xA4, 0x04, ..] => {
                // Another application than PIV: the PIN is forgotten.
                if !data.starts_with(&[0xA0, 0, 0, 3, 8]) {
                    self.verified = false;
                }
                vec![0x90, 0]
            }
            [0x00, 0xA4, ..] => vec![0x90, 0],
            [0x00, 0x20, 0xFF, 0x80, ..] => {
                self.verified = false;
                vec![0x90, 0]
            }
            [0x00, 0x20, 0x00, 0x80] => {
                if self.verified {
                    vec![0x90, 0]
                } else {
                    self.left()
                }
            }
            [0x00, 0x20, 0x00, 0x80, 8, ..] => {
                if self.tries == 0 {
                    return vec![0x69, 0x83];
                }
                if data.get(..4) == Some(&self.pin[..]) && data.get(4) == Some(&0xFF) {
                    self.tries = 3;
                    self.verified = true;
                    vec![0x90, 0]
                } else {
                    self.tries -= 1;
                    self.verified = false;
                    self.left()
                }
            }
            [0x00, 0xCB, 0x3F, 0xFF, ..] => {
                let key = if data.get(4) == Some(&0x05) {
                    self.sign_key()
                } else {
                    self.agree_key()
                };
                // The "certificate" of these tests is the key alone; X.509 is the card room's.
                let mut object = vec![0x53, 35, 0x70, 33];
                object.extend(key);
                object.extend([0x90, 0]);
                object
            }
            [0x00, 0x87, 0x11, slot, ..] => {
                if !self.verified {
                    return vec![0x69, 0x82];
                }
                let response: Vec<u8> = if *slot == 0x9A {
                    let hash = data.get(6..38).unwrap();
                    let signature: Signature = self.sign.sign_prehash(hash).unwrap();
                    signature.to_der().as_bytes().to_vec()
                } else {
                    let point = PublicKey::from_sec1_bytes(data.get(6..71).unwrap()).unwrap();
                    let shared: ProjectivePoint = point.to_projective() * **self.agree.as_nonzero_scalar();
                    shared.to_affine().to_sec1_point(false).as_bytes()[1..33].to_vec()
                };
                let length = u8::try_from(response.len()).unwrap();
                let mut out = vec![0x7C, length + 2, 0x82, length];
                out.extend(response);
                out.extend([0x90, 0]);
                out
            }
            _ => vec![0x6D, 0],
        }
    }

    fn left(&self) -> Vec<u8> {
        if self.tries == 0 {
            vec![0x69, 0x83]
        } else {
            vec![0x63, 0xC0 | self.tries]
        }
    }
}

/// Takes a bare key for a certificate.
pub struct BareKeys;

impl CertificateVerifier for BareKeys {
    fn verify(
        &self,
        certificate: &[u8],
        authorities: &mut dyn Iterator<Item = &[u8]>,
        _: KeyUse,
        _: Date,
    ) -> Result<CardPublicKey, CertificateError> {
        assert!(authorities.next().is_some(), "the package's authorities are asked");
        CardPublicKey::p256(certificate).map_err(|_| CertificateError::Malformed)
    }
}

/// The slot's contacts.
pub struct Contacts(pub std::rc::Rc<std::cell::RefCell<Option<Card>>>);

impl Transmit for Contacts {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let mut slot = self.0.borrow_mut();
        let card = slot.as_mut().ok_or(TransmitError::Removed)?;
        let answer = card.answer(command);
        response
            .get_mut(..answer.len())
            .ok_or(TransmitError::TooLong)?
            .copy_from_slice(&answer);
        Ok(answer.len())
    }
}
