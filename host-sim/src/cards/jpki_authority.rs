//! Who issues virtual My Number cards.

use anyhow::{Context as _, Result, ensure};
use card::MAX_CERTIFICATE;
use rand_core::CryptoRng;
use rsa::pkcs1v15::{Signature, SigningKey};
use rsa::signature::Keypair as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BoxedUint, RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::der::Encode as _;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use staff::cards::authority::{Days, Profile, Usage, common_name};

use super::jpki::{Credential, Secret, VirtualJpki};

/// Many RSA keys from few primes: making a prime takes a tenth of a second, and a town needs hundreds of keys.
///
/// Whoever has two of these public keys may be able to factor both, so they are good for nothing but a simulated town. Every key has a
/// modulus of its own, which is all that cards, rolls and tags look at.
pub struct SharedPrimes {
    primes: Vec<BoxedUint>,
    used: (usize, usize),
}

impl SharedPrimes {
    /// Enough for so many keys.
    ///
    /// # Errors
    /// If no primes are found.
    pub fn new<R: CryptoRng + ?Sized>(keys: usize, rng: &mut R) -> Result<Self> {
        let mut primes = Vec::new();
        while primes.len() * primes.len().saturating_sub(1) / 2 < keys {
            let pair = RsaPrivateKey::new(rng, 2048)?;
            primes.extend(pair.primes().iter().map(|prime| prime.as_ref().clone()));
        }
        Ok(Self { primes, used: (0, 1) })
    }

    /// A key that was not there before.
    ///
    /// # Errors
    /// If all are used up.
    pub fn key(&mut self) -> Result<RsaPrivateKey> {
        let (first, second) = self.used;
        let (p, q) = (self.primes.get(first), self.primes.get(second));
        let (p, q) = p.zip(q).context("more keys than there are pairs of primes")?;
        self.used = if first + 1 < second {
            (first + 1, second)
        } else {
            (0, second + 1)
        };
        let key = RsaPrivateKey::from_p_q(p.clone(), q.clone(), BoxedUint::from(65_537_u64))?;
        ensure!(key.size() == 256, "a modulus of another size");
        Ok(key)
    }
}

/// Who issues My Number cards: an RSA-2048 authority.
pub struct JpkiAuthority {
    key: SigningKey<Sha256>,
    name: Name,
    certificate: Vec<u8>,
}

impl JpkiAuthority {
    /// A new authority called `name`, with a key from `rng`.
    ///
    /// # Errors
    /// If the name does not fit a certificate.
    pub fn new<R: CryptoRng + ?Sized>(name: &str, valid: Days, rng: &mut R) -> Result<Self> {
        let key = SigningKey::new(RsaPrivateKey::new(rng, 2048)?);
        let name = common_name(name)?;
        let certificate = certify(
            &key,
            &name,
            &name,
            Usage::Authority,
            &key.verifying_key().into(),
            valid,
            rng,
        )?;
        Ok(Self { key, name, certificate })
    }

    /// The authority's own certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A card with the user authentication only, as children's cards are. Its certificate holds a random number and no name.
    ///
    /// # Errors
    /// Unless `pin` has four digits.
    pub fn issue<R: CryptoRng + ?Sized>(&self, pin: &str, valid: Days, rng: &mut R) -> Result<VirtualJpki> {
        let key = RsaPrivateKey::new(rng, 2048)?;
        self.issue_for(key, pin, valid, rng)
    }

    /// As [`JpkiAuthority::issue`], for a key that is there already (see [`SharedPrimes`]).
    ///
    /// # Errors
    /// Unless `pin` has four digits.
    pub fn issue_for<R: CryptoRng + ?Sized>(
        &self,
        key: RsaPrivateKey,
        pin: &str,
        valid: Days,
        rng: &mut R,
    ) -> Result<VirtualJpki> {
        ensure!(
            pin.len() == 4 && pin.bytes().all(|b| b.is_ascii_digit()),
            "the PIN has four digits"
        );
        let mut number = [0; 13];
        rng.fill_bytes(&mut number);
        let user = self.certified(key, &hex::encode(number), valid, rng)?;
        Ok(VirtualJpki::from_memory(
            user,
            Secret::new(pin, 3),
            None,
            self.certificate.clone(),
        ))
    }

    /// Adds the signature certificate, which tells who the holder is, and its password.
    ///
    /// # Errors
    /// Unless the password has 6 to 16 capital letters and digits, or the holder's name does not fit.
    pub fn add_signature<R: CryptoRng + ?Sized>(
        &self,
        card: VirtualJpki,
        holder: &str,
        password: &str,
        valid: Days,
        rng: &mut R,
    ) -> Result<VirtualJpki> {
        let right = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        ensure!(
            (6..=16).contains(&password.len()) && password.bytes().all(right),
            "the password has 6 to 16 of A-Z, 0-9"
        );
        let credential = self.certified(RsaPrivateKey::new(rng, 2048)?, holder, valid, rng)?;
        Ok(VirtualJpki {
            signature: Some((credential, Secret::new(password, 5))),
            ..card
        })
    }

    fn certified<R: CryptoRng + ?Sized>(
        &self,
        key: RsaPrivateKey,
        holder: &str,
        valid: Days,
        rng: &mut R,
    ) -> Result<Credential> {
        let subject = common_name(holder)?;
        let certificate = certify(
            &self.key,
            &self.name,
            &subject,
            Usage::Sign,
            &key.to_public_key(),
            valid,
            rng,
        )?;
        Ok(Credential { key, certificate })
    }
}

fn certify<R: CryptoRng + ?Sized>(
    key: &SigningKey<Sha256>,
    issuer: &Name,
    subject: &Name,
    usage: Usage,
    public: &RsaPublicKey,
    valid: Days,
    rng: &mut R,
) -> Result<Vec<u8>> {
    let profile = Profile {
        issuer: issuer.clone(),
        subject: subject.clone(),
        usage,
    };
    let info = SubjectPublicKeyInfoOwned::from_key(public)?;
    let builder = CertificateBuilder::new(profile, SerialNumber::generate(rng), valid.validity()?, info)?;
    let certificate = builder.build::<_, Signature>(key)?.to_der()?;
    ensure!(
        certificate.len() <= MAX_CERTIFICATE,
        "the certificate would be too long: shorten the name"
    );
    Ok(certificate)
}
