//! Making a PIV card somebody's: what an issuer does with the management key (NIST SP 800-73-4 Part 2 sections 3.2 and 3.3).
//!
//! Keys are made on the card and never leave it: an escrowed key could vote without the card. Not every card lets itself be issued like
//! this; one that does not says so by a status word, and nothing is half done that a second run does not mend.

use aes::cipher::{Array, BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::apdu::{Command, Status};
use crate::certificate::{Date, MAX_CERTIFICATE};
use crate::error::CardError;
use crate::key::CardPublicKey;
use crate::pin::Pin;
use crate::piv::{ALGORITHM_P256, PIN_REFERENCE, Piv, Slot};
use crate::tlv;
use crate::transmit::Transmit;

/// Key reference of the management key.
const MANAGEMENT: u8 = 0x9B;

/// Key reference of the PUK.
const PUK_REFERENCE: u8 = 0x81;

/// Largest object that is written: a certificate with what is wrapped around it.
const MAX_WRITTEN: usize = MAX_CERTIFICATE - 64;

/// Cipher of a management key, by its algorithm identifier (NIST SP 800-78-4 Table 6-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// Triple DES: 24 bytes. Older cards.
    Tdes = 0x03,
    /// AES-128: 16 bytes.
    Aes128 = 0x08,
    /// AES-192: 24 bytes.
    Aes192 = 0x0A,
    /// AES-256: 32 bytes.
    Aes256 = 0x0C,
}

impl Cipher {
    /// Bytes of a key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Tdes | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    const fn block(self) -> usize {
        match self {
            Self::Tdes => 8,
            _ => 16,
        }
    }
}

/// The management key: whoever has it can put other keys on the card. No `Debug`; wiped when dropped.
pub struct ManagementKey {
    cipher: Cipher,
    bytes: Zeroizing<[u8; 32]>,
}

impl ManagementKey {
    /// A key.
    ///
    /// # Errors
    /// [`CardError::WrongManagementKey`] unless it has [`Cipher::key_len`] bytes.
    pub fn new(cipher: Cipher, key: &[u8]) -> Result<Self, CardError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let place = bytes
            .get_mut(..cipher.key_len())
            .filter(|place| place.len() == key.len());
        place.ok_or(CardError::WrongManagementKey)?.copy_from_slice(key);
        Ok(Self { cipher, bytes })
    }

    /// The key that cards leave the factory with, under this cipher: 01 to 08 three times. `None` where no such key is known.
    #[must_use]
    pub fn factory(cipher: Cipher) -> Option<Self> {
        let key = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        Self::new(cipher, &key).ok()
    }

    /// One block, in place.
    fn apply(&self, block: &mut [u8], decrypt: bool) -> Result<(), CardError> {
        let key = self.bytes.get(..self.cipher.key_len()).unwrap_or_default();
        macro_rules! with {
            ($cipher:ty) => {{
                let cipher = <$cipher>::new_from_slice(key).map_err(|_| CardError::WrongManagementKey)?;
                let block = <&mut Array<u8, _>>::try_from(block).map_err(|_| CardError::Malformed)?;
                if decrypt {
                    cipher.decrypt_block(block);
                } else {
                    cipher.encrypt_block(block);
                }
            }};
        }
        match self.cipher {
            Cipher::Tdes => with!(TdesEde3),
            Cipher::Aes128 => with!(Aes128),
            Cipher::Aes192 => with!(Aes192),
            Cipher::Aes256 => with!(Aes256),
        }
        Ok(())
    }
}

impl<T: Transmit> Piv<'_, T> {
    /// Shows the card its management key, and has the card show that it knows it too (GENERAL AUTHENTICATE, Part 2 Appendix A.1, mutual). Holds
    /// until another application is selected or the card loses its power.
    ///
    /// # Errors
    /// [`CardError::WrongManagementKey`], also for a cipher that the card does not have.
    pub async fn manage<R: CryptoRng + ?Sized>(&mut self, key: &ManagementKey, rng: &mut R) -> Result<(), CardError> {
        let size = key.cipher.block();
        let length = u8::try_from(size).map_err(|_| CardError::TooLong)?;
        let mut witness = Zeroizing::new([0; 16]);
        let witness = witness.get_mut(..size).unwrap_or_default();
        self.witness(key.cipher, &[0x7C, 0x02, 0x80, 0x00], 0x80, witness)
            .await?;
        key.apply(witness, true)?;

        let mut challenge = [0; 16];
        let challenge = challenge.get_mut(..size).unwrap_or_default();
        rng.fill_bytes(challenge);
        // Witness, challenge, and room for the answer: at most 2 + 2 * (2 + 16) + 2 bytes, so all lengths are short.
        let mut template = Zeroizing::new([0; 40]);
        let header = [0x7C, 2 * length + 6, 0x80, length];
        let middle = [0x81, length];
        let bytes = (header.iter().chain(witness.iter()))
            .chain(&middle)
            .chain(challenge.iter())
            .chain(&[0x82, 0x00]);
        let mut used = 0;
        for (to, from) in template.iter_mut().zip(bytes) {
            *to = *from;
            used += 1;
        }
        let mut answer = [0; 16];
        let answer = answer.get_mut(..size).unwrap_or_default();
        let template = template.get(..used).unwrap_or_default();
        self.witness(key.cipher, template, 0x82, answer).await?;
        key.apply(challenge, false)?;
        // What is compared was random a moment ago and is worth nothing afterwards: no constant time is needed.
        if challenge == answer {
            Ok(())
        } else {
            Err(CardError::WrongManagementKey)
        }
    }

    /// One step with the management key: a block under `tag`.
    async fn witness(&mut self, cipher: Cipher, data: &[u8], tag: u32, out: &mut [u8]) -> Result<(), CardError> {
        let mut answer = [0; 64];
        let command = Command::new(0x87, cipher as u8, MANAGEMENT)
            .with_data(data)
            .expecting_data();
        let got = self.exchange(&command, &mut answer).await?;
        match got.status {
            Status::Success => {}
            // The algorithm or the key reference is not there; the witness was wrong.
            Status::SecurityStatus | Status::NotFound | Status::Other(0x6A80 | 0x6A86 | 0x6982) => {
                return Err(CardError::WrongManagementKey);
            }
            other => CardError::check(other)?,
        }
        let block = answer
            .get(..got.length)
            .and_then(|answer| tlv::only(answer, 0x7C))
            .and_then(|template| tlv::only(template, tag))
            .filter(|block| block.len() == out.len())
            .ok_or(CardError::Malformed)?;
        out.copy_from_slice(block);
        Ok(())
    }

    /// Has the card make a P-256 key in `slot` (GENERATE ASYMMETRIC KEY PAIR, Part 2 section 3.3.2). What was there is gone. Needs
    /// [`Piv::manage`].
    ///
    /// # Errors
    /// [`CardError::PinRequired`] without the management key; [`CardError::Malformed`] for what is no P-256 key.
    pub async fn generate(&mut self, slot: Slot) -> Result<CardPublicKey, CardError> {
        let mut answer = [0; 128];
        let command = Command::new(0x47, 0x00, slot.reference())
            .with_data(&[0xAC, 0x03, 0x80, 0x01, ALGORITHM_P256])
            .expecting_data();
        let got = self.exchange(&command, &mut answer).await?;
        CardError::check(got.status)?;
        let point = answer
            .get(..got.length)
            .and_then(|answer| tlv::only(answer, 0x7F49))
            .and_then(|template| tlv::find(template, 0x86).ok().flatten())
            .ok_or(CardError::Malformed)?;
        CardPublicKey::p256(point).map_err(|_| CardError::Malformed)
    }

    /// Writes the certificate of `slot` (PUT DATA, Part 2 section 3.3.1), plain. Needs [`Piv::manage`].
    ///
    /// # Errors
    /// [`CardError::TooLong`]; [`CardError::PinRequired`] without the management key.
    pub async fn put_certificate(&mut self, slot: Slot, certificate: &[u8]) -> Result<(), CardError> {
        let [high, low] = u16::try_from(certificate.len())
            .map_err(|_| CardError::TooLong)?
            .to_be_bytes();
        let head = [0x70, 0x82, high, low];
        self.put(slot.object(), &[&head, certificate, &[0x71, 0x01, 0x00, 0xFE, 0x00]])
            .await
    }

    /// Writes the card holder unique identifier (Part 1 section 3.1.2), which many readers look for: a FASC-N of nines for issuers outside the
    /// federal scheme, a random number, the last day. Needs [`Piv::manage`].
    ///
    /// # Errors
    /// As [`Piv::put_certificate`].
    pub async fn put_identifier(&mut self, guid: &[u8; 16], expires: Date) -> Result<(), CardError> {
        const FASC_N: [u8; 25] = [
            0xD4, 0xE7, 0x39, 0xDA, 0x73, 0x9C, 0xED, 0x39, 0xCE, 0x73, 0x9D, 0x83, 0x68, 0x58, 0x21, 0x08, 0x42, 0x10,
            0x84, 0x21, 0xC8, 0x42, 0x10, 0xC3, 0xEB,
        ];
        let mut day = [b'0'; 8];
        let mut left = expires.yyyymmdd();
        for place in day.iter_mut().rev() {
            *place = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
        }
        let parts: [&[u8]; 7] = [
            &[0x30, 25],
            &FASC_N,
            &[0x34, 16],
            guid,
            &[0x35, 8],
            &day,
            &[0x3E, 0, 0xFE, 0],
        ];
        self.put([0x5F, 0xC1, 0x02], &parts).await
    }

    async fn put(&mut self, name: [u8; 3], parts: &[&[u8]]) -> Result<(), CardError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let [high, low] = u16::try_from(length).map_err(|_| CardError::TooLong)?.to_be_bytes();
        if length > MAX_WRITTEN {
            return Err(CardError::TooLong);
        }
        let [a, b, c] = name;
        let head = [0x5C, 0x03, a, b, c, 0x53, 0x82, high, low];
        let mut data = [0; MAX_CERTIFICATE];
        let mut used = 0;
        for (to, from) in data.iter_mut().zip(head.iter().chain(parts.iter().copied().flatten())) {
            *to = *from;
            used += 1;
        }
        // Sixteen links of 255 bytes are 4,080.
        let command = Command::new(0xDB, 0x3F, 0xFF).with_data(data.get(..used).unwrap_or_default());
        CardError::check(self.exchange(&command, &mut []).await?.status)
    }

    /// Changes the PIN (CHANGE REFERENCE DATA, Part 2 section 3.2.2). A wrong `old` one costs a try.
    ///
    /// # Errors
    /// [`CardError::WrongPin`], [`CardError::Blocked`].
    pub async fn change_pin(&mut self, old: &Pin, new: &Pin) -> Result<(), CardError> {
        self.change(PIN_REFERENCE, old, new).await
    }

    /// Changes the PUK, which unblocks the PIN: eight digits. A wrong `old` one costs a try of its own counter.
    ///
    /// # Errors
    /// [`CardError::PinLength`], [`CardError::WrongPin`], [`CardError::Blocked`].
    pub async fn change_puk(&mut self, old: &Pin, new: &Pin) -> Result<(), CardError> {
        if old.digits().len() != 8 || new.digits().len() != 8 {
            return Err(CardError::PinLength { digits: 8 });
        }
        self.change(PUK_REFERENCE, old, new).await
    }

    async fn change(&mut self, reference: u8, old: &Pin, new: &Pin) -> Result<(), CardError> {
        let mut data = Zeroizing::new([0; 16]);
        for (to, from) in data.iter_mut().zip(old.padded().iter().chain(new.padded())) {
            *to = *from;
        }
        let command = Command::new(0x24, 0x00, reference).with_data(data.as_slice());
        CardError::check(self.exchange(&command, &mut []).await?.status)
    }
}
