//! Who issues virtual cards.

use anyhow::{Context, Result};
use std::collections::BTreeMap;

use card::{CardPublicKey, Slot};
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
pub use staff::cards::authority::Days;
use staff::cards::authority::{self, Usage};

use super::piv::{
    CAPABILITIES, CARD_HOLDER_IDENTIFIER, Memory, Quirks, Secret, VirtualPiv, capabilities, card_holder_identifier,
    certificate_contents, certificate_object, padded,
};
use super::piv_issuing::Manager;

/// PIN tries of a card, unless told otherwise.
const TRIES: u8 = 3;

impl VirtualPiv {
    /// A card as it leaves the factory: no keys, no objects, PIN 123456, PUK 12345678, the well-known management key.
    ///
    /// # Errors
    /// Never: these are PINs.
    pub fn blank<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Self> {
        let mut entropy = [0; 32];
        rng.fill_bytes(&mut entropy);
        Ok(Self::from_memory(Memory {
            pin: Secret::new(padded("123456")?, TRIES),
            puk: Secret::new(padded("12345678")?, TRIES),
            manager: Manager::default(),
            keys: [None, None],
            objects: BTreeMap::new(),
            entropy,
            quirks: Quirks::default(),
        }))
    }
}

/// A certificate authority that issues cards: the desk's own, with a test key that is kept.
pub struct CardAuthority {
    key: SecretKey,
    desk: authority::CardAuthority,
}

impl CardAuthority {
    /// A new authority called `name`, with a key from `rng`.
    ///
    /// # Errors
    /// If the name does not fit a certificate.
    pub fn new<R: CryptoRng + ?Sized>(name: &str, valid: Days, rng: &mut R) -> Result<Self> {
        let key = SecretKey::generate_from_rng(rng);
        let desk = authority::CardAuthority::new(&key.to_bytes().into(), name, valid, rng)?;
        Ok(Self { key, desk })
    }

    /// The authority's own certificate, DER: what an election package lists.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.desk.certificate()
    }

    /// A voter's card. Its certificates hold a random number and no name.
    ///
    /// # Errors
    /// If `pin` cannot be a PIN.
    pub fn issue_voter<R: CryptoRng + ?Sized>(&self, pin: &str, valid: Days, rng: &mut R) -> Result<VirtualPiv> {
        let mut number = [0; 16];
        rng.fill_bytes(&mut number);
        self.issue(&hex::encode(number), pin, valid, rng)
    }

    /// A staff card with the holder's name in its certificates.
    ///
    /// # Errors
    /// If `pin` cannot be a PIN or the name does not fit a certificate.
    pub fn issue_staff<R: CryptoRng + ?Sized>(
        &self,
        name: &str,
        pin: &str,
        valid: Days,
        rng: &mut R,
    ) -> Result<VirtualPiv> {
        self.issue(name, pin, valid, rng)
    }

    fn issue<R: CryptoRng + ?Sized>(&self, holder: &str, pin: &str, valid: Days, rng: &mut R) -> Result<VirtualPiv> {
        let mut card = VirtualPiv::blank(rng)?;
        card.memory.pin = Secret::new(padded(pin)?, TRIES);
        let mut guid = [0; 16];
        rng.fill_bytes(&mut guid);
        let slots = [(Slot::Authentication, Usage::Sign), (Slot::KeyManagement, Usage::Agree)];
        for ((slot, usage), key) in slots.into_iter().zip(&mut card.memory.keys) {
            let secret = SecretKey::generate_from_rng(rng);
            let public = CardPublicKey::from(&secret.public_key());
            let certificate = self.desk.certify(holder, &public, usage, valid, rng)?;
            *key = Some(secret);
            card.memory
                .objects
                .insert(certificate_object(slot), certificate_contents(&certificate));
        }
        let objects = &mut card.memory.objects;
        objects.insert(CARD_HOLDER_IDENTIFIER, card_holder_identifier(&guid, valid.until));
        objects.insert(CAPABILITIES, capabilities(&guid));
        Ok(card)
    }

    /// The authority with its secret key, to keep between runs of a simulator.
    #[must_use]
    pub fn to_file(&self) -> AuthorityFile {
        AuthorityFile {
            notice: AuthorityFile::NOTICE.to_owned(),
            key: hex::encode(self.key.to_bytes()),
            certificate: hex::encode(self.desk.certificate()),
        }
    }

    /// The authority that was kept.
    ///
    /// # Errors
    /// If the file does not hold a key with its certificate.
    pub fn from_file(file: &AuthorityFile) -> Result<Self> {
        let key = hex::decode(&file.key).context("key: not hexadecimal")?;
        let key = SecretKey::from_slice(&key).context("key: not a P-256 key")?;
        let certificate = hex::decode(&file.certificate).context("certificate: not hexadecimal")?;
        let desk = authority::CardAuthority::open(&key.to_bytes().into(), &certificate)?;
        Ok(Self { key, desk })
    }
}

/// An authority on disk. Test keys only: nothing protects the key in it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFile {
    /// Says that this is a test key.
    pub notice: String,
    key: String,
    certificate: String,
}

impl AuthorityFile {
    const NOTICE: &str = "Ippyo simulator: an unprotected test key. Never issue real cards with it.";
}
