//! What an issuer does with a PIV card: shows the management key, lets the card make keys, writes objects, changes PIN and PUK
//! (NIST SP 800-73-4 Part 2 sections 3.2 and 3.3, Appendix A.1).

use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes192, Aes256};
use anyhow::{Result, bail, ensure};
use card::{Slot, tlv};
use chacha20::ChaCha20Rng;
use des::TdesEde3;
use p256::SecretKey;
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::piv::{
    CONDITIONS, SECURITY_STATUS, Secret, UNKNOWN_REFERENCE, VirtualPiv, WRONG_DATA, WRONG_LENGTH, WRONG_PARAMETERS,
    wrap,
};

/// The management key (9B) with its cipher.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ManagerText", into = "ManagerText")]
pub struct Manager {
    cipher: Cipher,
    key: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cipher {
    Tdes,
    Aes128,
    Aes192,
    Aes256,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagerText {
    cipher: Cipher,
    key: String,
}

impl Default for Manager {
    /// The 3DES key that cards leave the factory with.
    fn default() -> Self {
        Self {
            cipher: Cipher::Tdes,
            key: [1, 2, 3, 4, 5, 6, 7, 8].repeat(3),
        }
    }
}

impl TryFrom<ManagerText> for Manager {
    type Error = anyhow::Error;

    fn try_from(text: ManagerText) -> Result<Self> {
        Self::new(text.cipher, hex::decode(&text.key)?)
    }
}

impl From<Manager> for ManagerText {
    fn from(manager: Manager) -> Self {
        Self {
            cipher: manager.cipher,
            key: hex::encode(manager.key),
        }
    }
}

impl Manager {
    fn new(cipher: Cipher, key: Vec<u8>) -> Result<Self> {
        let length = match cipher {
            Cipher::Aes128 => 16,
            Cipher::Tdes | Cipher::Aes192 => 24,
            Cipher::Aes256 => 32,
        };
        ensure!(
            key.len() == length,
            "a management key of this cipher has {length} bytes"
        );
        Ok(Self { cipher, key })
    }

    /// An AES key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// Another length.
    pub fn aes(key: &[u8]) -> Result<Self> {
        let cipher = match key.len() {
            16 => Cipher::Aes128,
            24 => Cipher::Aes192,
            32 => Cipher::Aes256,
            other => bail!("an AES key has 16, 24 or 32 bytes, not {other}"),
        };
        Self::new(cipher, key.to_vec())
    }

    /// A triple-DES key of 24 bytes.
    ///
    /// # Errors
    /// Another length.
    pub fn tdes(key: &[u8]) -> Result<Self> {
        Self::new(Cipher::Tdes, key.to_vec())
    }

    /// Algorithm identifier (NIST SP 800-78-4 Table 6-2).
    const fn identifier(&self) -> u8 {
        match self.cipher {
            Cipher::Tdes => 0x03,
            Cipher::Aes128 => 0x08,
            Cipher::Aes192 => 0x0A,
            Cipher::Aes256 => 0x0C,
        }
    }

    const fn block(&self) -> usize {
        match self.cipher {
            Cipher::Tdes => 8,
            _ => 16,
        }
    }

    /// One block; `None` if it has another length.
    fn encrypt(&self, block: &[u8]) -> Option<Vec<u8>> {
        macro_rules! with {
            ($cipher:ty) => {{
                let mut out = Array::try_from(block).ok()?;
                <$cipher>::new_from_slice(&self.key).ok()?.encrypt_block(&mut out);
                Some(out.to_vec())
            }};
        }
        match self.cipher {
            Cipher::Tdes => with!(TdesEde3),
            Cipher::Aes128 => with!(Aes128),
            Cipher::Aes192 => with!(Aes192),
            Cipher::Aes256 => with!(Aes256),
        }
    }
}

impl VirtualPiv {
    /// The same card with another management key.
    #[must_use]
    pub fn with_manager(mut self, manager: Manager) -> Self {
        self.memory.manager = manager;
        self
    }

    /// The card's own random numbers.
    fn draw<T>(&mut self, what: impl FnOnce(&mut ChaCha20Rng) -> T) -> T {
        let mut rng = ChaCha20Rng::from_seed(self.memory.entropy);
        rng.fill_bytes(&mut self.memory.entropy);
        what(&mut rng)
    }

    /// GENERAL AUTHENTICATE with 9B, mutual (Part 2 Appendix A.1): the card encrypts a witness, the issuer gives it back decrypted with
    /// a challenge of its own, the card encrypts that.
    pub(super) fn authenticate_manager(&mut self, algorithm: u8, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let manager = self.memory.manager.clone();
        if algorithm != manager.identifier() {
            return Err(WRONG_PARAMETERS);
        }
        let template = tlv::only(data, 0x7C).ok_or(WRONG_DATA)?;
        let part = |tag| tlv::find(template, tag).map_err(|_| WRONG_DATA);
        match (part(0x80)?, part(0x81)?, self.session.witness.take()) {
            (Some([]), None, _) => {
                let mut witness = vec![0; manager.block()];
                self.draw(|rng| rng.fill_bytes(&mut witness));
                let hidden = manager.encrypt(&witness).ok_or(CONDITIONS)?;
                self.session.managed = false;
                self.session.witness = Some(witness);
                Ok(wrap(0x7C, &wrap(0x80, &hidden)))
            }
            (Some(shown), Some(challenge), Some(witness)) => {
                if shown != witness {
                    return Err(SECURITY_STATUS);
                }
                let answer = manager.encrypt(challenge).ok_or(WRONG_DATA)?;
                self.session.managed = true;
                Ok(wrap(0x7C, &wrap(0x82, &answer)))
            }
            _ => Err(CONDITIONS),
        }
    }

    /// GENERATE ASYMMETRIC KEY PAIR (Part 2 section 3.3.2), P-256 in 9A and 9D.
    pub(super) fn generate(&mut self, reference: u8, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let slot = match reference {
            0x9A => Slot::Authentication,
            0x9D => Slot::KeyManagement,
            _ => return Err(UNKNOWN_REFERENCE),
        };
        if !self.session.managed {
            return Err(SECURITY_STATUS);
        }
        let control = tlv::only(data, 0xAC).ok_or(WRONG_DATA)?;
        if tlv::find(control, 0x80) != Ok(Some(&[0x11])) {
            return Err(WRONG_DATA);
        }
        let key = self.draw(SecretKey::generate_from_rng);
        let point = key.public_key().to_sec1_point(false);
        self.memory.keys[usize::from(slot == Slot::KeyManagement)] = Some(key);
        // The tag 7F49 has two bytes.
        let inner = wrap(0x86, point.as_bytes());
        let mut answer = vec![0x7F];
        answer.extend(wrap(0x49, &inner));
        Ok(answer)
    }

    /// PUT DATA (Part 2 section 3.3.1).
    pub(super) fn put_data(&mut self, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        if !self.session.managed {
            return Err(SECURITY_STATUS);
        }
        let name = tlv::read(data)
            .filter(|element| element.tag == 0x5C)
            .ok_or(WRONG_DATA)?;
        let contents = tlv::only(name.rest, 0x53).ok_or(WRONG_DATA)?;
        let name: [u8; 3] = name.value.try_into().map_err(|_| WRONG_DATA)?;
        if contents.is_empty() {
            self.memory.objects.remove(&name);
        } else {
            self.memory.objects.insert(name, contents.to_vec());
        }
        Ok(vec![])
    }

    /// CHANGE REFERENCE DATA (Part 2 section 3.2.2) for PIN (80) and PUK (81).
    pub(super) fn change_reference(&mut self, reference: u8, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let (old, new) = data.split_at_checked(8).ok_or(WRONG_LENGTH)?;
        let new: [u8; 8] = new.try_into().map_err(|_| WRONG_LENGTH)?;
        let secret = self.secret(reference)?;
        secret.check(old)?;
        if reference == 0x80 && !is_pin(&new) {
            return Err(WRONG_DATA);
        }
        *secret = Secret::new(new, secret.tries);
        Ok(vec![])
    }

    /// RESET RETRY COUNTER (Part 2 section 3.2.3): the PUK and a new PIN.
    pub(super) fn reset_retry_counter(&mut self, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let (puk, new) = data.split_at_checked(8).ok_or(WRONG_LENGTH)?;
        let new: [u8; 8] = new.try_into().map_err(|_| WRONG_LENGTH)?;
        self.memory.puk.check(puk)?;
        if !is_pin(&new) {
            return Err(WRONG_DATA);
        }
        self.memory.pin = Secret::new(new, self.memory.pin.tries);
        Ok(vec![])
    }

    const fn secret(&mut self, reference: u8) -> Result<&mut Secret, [u8; 2]> {
        match reference {
            0x80 => Ok(&mut self.memory.pin),
            0x81 => Ok(&mut self.memory.puk),
            _ => Err(UNKNOWN_REFERENCE),
        }
    }
}

/// Four to eight digits, then FF.
fn is_pin(padded: &[u8; 8]) -> bool {
    let digits = padded.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits >= 4 && padded[digits..].iter().all(|byte| *byte == 0xFF)
}
