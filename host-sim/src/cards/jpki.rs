//! A My Number card's JPKI application as an interpreter of APDUs, as far as `OpenSC` and public libraries show it.

use anyhow::{Context as _, Result};
use card::{CardPublicKey, TransmitError};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs1v15::Pkcs1v15Sign;

use super::Chip;
use super::piv::parse;

const AID: [u8; 10] = [0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01];

const SUCCESS: [u8; 2] = [0x90, 0x00];
const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
const NO_FILE: [u8; 2] = [0x69, 0x86];
const SECURITY_STATUS: [u8; 2] = [0x69, 0x82];
const USED_UP: [u8; 2] = [0x69, 0x84];
const WRONG_DATA: [u8; 2] = [0x6A, 0x80];
const NOT_FOUND: [u8; 2] = [0x6A, 0x82];
const BEYOND_THE_END: [u8; 2] = [0x6B, 0x00];
const UNKNOWN_INSTRUCTION: [u8; 2] = [0x6D, 0x00];
const UNKNOWN_CLASS: [u8; 2] = [0x6E, 0x00];

/// Files of the application.
mod file {
    pub const SIGNATURE_CERTIFICATE: u16 = 0x0001;
    pub const SIGNATURE_AUTHORITY: u16 = 0x0002;
    pub const TOKEN: u16 = 0x0006;
    pub const USER_CERTIFICATE: u16 = 0x000A;
    pub const USER_AUTHORITY: u16 = 0x000B;
    pub const USER_KEY: u16 = 0x0017;
    pub const USER_PIN: u16 = 0x0018;
    pub const SIGNATURE_KEY: u16 = 0x001A;
    pub const SIGNATURE_PIN: u16 = 0x001B;
}

/// A PIN with its counter, which needs no power.
pub(super) struct Secret {
    pub(super) digits: Vec<u8>,
    pub(super) tries: u8,
    pub(super) tries_left: u8,
    /// Forgotten without power.
    verified: bool,
}

impl Secret {
    pub(super) fn new(digits: &str, tries: u8) -> Self {
        Self {
            digits: digits.as_bytes().to_vec(),
            tries,
            tries_left: tries,
            verified: false,
        }
    }

    fn verify(&mut self, data: &[u8]) -> [u8; 2] {
        if data.is_empty() {
            return [0x63, 0xC0 | self.tries_left];
        }
        if self.tries_left == 0 {
            return USED_UP;
        }
        // Down before the comparison, as on the PIV card.
        self.tries_left -= 1;
        self.verified = data == self.digits;
        if !self.verified {
            return [0x63, 0xC0 | self.tries_left];
        }
        self.tries_left = self.tries;
        SUCCESS
    }
}

pub(super) struct Credential {
    pub(super) key: RsaPrivateKey,
    pub(super) certificate: Vec<u8>,
}

/// A My Number card with its user authentication and, if it was issued with one, its signature certificate.
pub struct VirtualJpki {
    pub(super) user: Credential,
    pub(super) user_pin: Secret,
    /// Children's cards have none.
    pub(super) signature: Option<(Credential, Secret)>,
    /// Its certificate.
    pub(super) authority: Vec<u8>,
    pub(super) selected: bool,
    pub(super) file: Option<u16>,
}

impl VirtualJpki {
    pub(super) const fn from_memory(
        user: Credential,
        user_pin: Secret,
        signature: Option<(Credential, Secret)>,
        authority: Vec<u8>,
    ) -> Self {
        Self {
            user,
            user_pin,
            signature,
            authority,
            selected: false,
            file: None,
        }
    }

    /// The user authentication certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.user.certificate
    }

    /// The user authentication key.
    ///
    /// # Errors
    /// If it has not the form of such keys.
    pub fn public_key(&self) -> Result<CardPublicKey> {
        let der = self.user.key.to_public_key().to_pkcs1_der()?;
        CardPublicKey::rsa2048(der.as_bytes()).context("the key has another size")
    }

    /// Tries left for the user authentication PIN, 0 if blocked.
    #[must_use]
    pub const fn tries_left(&self) -> u8 {
        self.user_pin.tries_left
    }

    /// Uses up all tries of the user authentication PIN.
    pub const fn block_pin(&mut self) {
        self.user_pin.tries_left = 0;
        self.user_pin.verified = false;
    }

    fn lock(&mut self) {
        self.user_pin.verified = false;
        if let Some((_, pin)) = &mut self.signature {
            pin.verified = false;
        }
        self.selected = false;
        self.file = None;
    }

    fn run(&mut self, header: [u8; 4], data: &[u8], expected: usize) -> Result<Vec<u8>, [u8; 2]> {
        match header {
            [0x00, 0xA4, 0x04, _] => {
                if data != AID {
                    return Err(NOT_FOUND);
                }
                self.selected = true;
                self.file = None;
                Ok(vec![])
            }
            [0x00, 0xA4, 0x00, _] if data.is_empty() || data == [0x3F, 0x00] => {
                self.lock();
                Ok(vec![])
            }
            [0x00, 0xA4, _, _] if !self.selected => Err(NOT_FOUND),
            [0x00, 0xA4, 0x02, _] => {
                let name = data.try_into().map(u16::from_be_bytes).map_err(|_| WRONG_DATA)?;
                if !self.exists(name) {
                    return Err(NOT_FOUND);
                }
                self.file = Some(name);
                Ok(vec![])
            }
            _ if !self.selected => Err(UNKNOWN_INSTRUCTION),
            [0x00, 0x20, 0x00, 0x80] => {
                let pin = match (self.file, &mut self.signature) {
                    (Some(file::USER_PIN), _) => &mut self.user_pin,
                    (Some(file::SIGNATURE_PIN), Some((_, pin))) => pin,
                    _ => return Err(NO_FILE),
                };
                match pin.verify(data) {
                    SUCCESS => Ok(vec![]),
                    word => Err(word),
                }
            }
            [0x00, 0xB0, high @ 0..=0x7F, low] => self.read(usize::from(u16::from_be_bytes([high, low])), expected),
            [0x80, 0x2A, 0x00, 0x80] => self.sign(data),
            _ => Err(UNKNOWN_INSTRUCTION),
        }
    }

    const fn exists(&self, name: u16) -> bool {
        use file::{SIGNATURE_CERTIFICATE, SIGNATURE_KEY, SIGNATURE_PIN, TOKEN, USER_AUTHORITY, USER_CERTIFICATE};
        match name {
            USER_CERTIFICATE | USER_AUTHORITY | file::USER_KEY | file::USER_PIN | TOKEN => true,
            SIGNATURE_CERTIFICATE | file::SIGNATURE_AUTHORITY | SIGNATURE_KEY | SIGNATURE_PIN => {
                self.signature.is_some()
            }
            _ => false,
        }
    }

    fn read(&self, offset: usize, expected: usize) -> Result<Vec<u8>, [u8; 2]> {
        let contents = match (self.file, &self.signature) {
            (Some(file::USER_CERTIFICATE), _) => self.user.certificate.clone(),
            (Some(file::USER_AUTHORITY | file::SIGNATURE_AUTHORITY), _) => self.authority.clone(),
            (Some(file::TOKEN), _) => b"JPKIAPICCTOKEN2     ".to_vec(),
            (Some(file::SIGNATURE_CERTIFICATE), Some((credential, pin))) => {
                if !pin.verified {
                    return Err(SECURITY_STATUS);
                }
                credential.certificate.clone()
            }
            (Some(_), _) => return Err(SECURITY_STATUS),
            (None, _) => return Err(NO_FILE),
        };
        // Files are larger than what is in them.
        let contents = [contents, vec![0; 37]].concat();
        let rest = contents
            .get(offset..)
            .filter(|rest| !rest.is_empty())
            .ok_or(BEYOND_THE_END)?;
        Ok(rest[..rest.len().min(expected)].to_vec())
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let (credential, pin) = match (self.file, &self.signature) {
            (Some(file::USER_KEY), _) => (&self.user, &self.user_pin),
            (Some(file::SIGNATURE_KEY), Some((credential, pin))) => (credential, pin),
            _ => return Err(NO_FILE),
        };
        if !pin.verified {
            return Err(SECURITY_STATUS);
        }
        // The card pads whatever it is given: the DigestInfo is the caller's business.
        credential
            .key
            .sign(Pkcs1v15Sign::new_unprefixed(), data)
            .map_err(|_| WRONG_DATA)
    }
}

impl Chip for VirtualJpki {
    fn reset(&mut self) {
        self.lock();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let Some((header, data, expected)) = parse(command) else {
            return Ok(WRONG_LENGTH.to_vec());
        };
        if !matches!(header[0], 0x00 | 0x80) {
            return Ok(UNKNOWN_CLASS.to_vec());
        }
        Ok(match self.run(header, data, expected.unwrap_or(0)) {
            Ok(mut answer) => {
                answer.extend(SUCCESS);
                answer
            }
            Err(word) => word.to_vec(),
        })
    }

    fn atr(&self) -> &[u8] {
        &[0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14]
    }
}
