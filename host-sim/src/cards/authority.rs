//! Who issues virtual cards.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

use card::{Date, MAX_CERTIFICATE, Slot};
use p256::SecretKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::der::asn1::Utf8StringRef;
use x509_cert::der::{DateTime, Decode, Encode};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

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

/// From the first moment of a day to the last moment of another, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

impl Days {
    /// Days written as YYYYMMDD.
    ///
    /// # Errors
    /// If there is no such day, or the last is before the first.
    pub fn new(from: u32, until: u32) -> Result<Self> {
        let date = |day| Date::new(day).with_context(|| format!("there is no day {day}"));
        let (from, until) = (date(from)?, date(until)?);
        ensure!(from <= until, "{until} is before {from}");
        Ok(Self { from, until })
    }

    pub(super) fn validity(self) -> Result<Validity> {
        let time = |day: Date, h, m, s| -> Result<Time> {
            let n = day.yyyymmdd();
            let year = u16::try_from(n / 10_000)?;
            let month = u8::try_from(n / 100 % 100)?;
            let day = u8::try_from(n % 100)?;
            Ok(Time::from(DateTime::new(year, month, day, h, m, s)?))
        };
        Ok(Validity::new(time(self.from, 0, 0, 0)?, time(self.until, 23, 59, 59)?))
    }
}

/// A certificate authority that issues cards: a key and a certificate it signed itself.
pub struct CardAuthority {
    key: SigningKey,
    name: Name,
    certificate: Vec<u8>,
}

impl CardAuthority {
    /// A new authority called `name`, with a key from `rng`.
    ///
    /// # Errors
    /// If the name does not fit a certificate.
    pub fn new<R: CryptoRng + ?Sized>(name: &str, valid: Days, rng: &mut R) -> Result<Self> {
        let key = SigningKey::from(SecretKey::generate_from_rng(rng));
        let name = common_name(name)?;
        let profile = Profile {
            issuer: name.clone(),
            subject: name.clone(),
            usage: Usage::Authority,
        };
        let certificate = certify(&key, profile, &public_info(&key)?, valid, rng)?;
        Ok(Self { key, name, certificate })
    }

    /// The authority's own certificate, DER: what an election package lists.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
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
        let subject = common_name(holder)?;
        let mut card = VirtualPiv::blank(rng)?;
        card.memory.pin = Secret::new(padded(pin)?, TRIES);
        let mut guid = [0; 16];
        rng.fill_bytes(&mut guid);
        let slots = [(Slot::Authentication, Usage::Sign), (Slot::KeyManagement, Usage::Agree)];
        for ((slot, usage), key) in slots.into_iter().zip(&mut card.memory.keys) {
            let (secret, certificate) = self.credential(&subject, usage, valid, rng)?;
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

    fn credential<R: CryptoRng + ?Sized>(
        &self,
        subject: &Name,
        usage: Usage,
        valid: Days,
        rng: &mut R,
    ) -> Result<(SecretKey, Vec<u8>)> {
        let key = SecretKey::generate_from_rng(rng);
        let info = public_info(&SigningKey::from(&key))?;
        let profile = Profile {
            issuer: self.name.clone(),
            subject: subject.clone(),
            usage,
        };
        let certificate = certify(&self.key, profile, &info, valid, rng)?;
        Ok((key, certificate))
    }

    /// The authority with its secret key, to keep between runs of a simulator.
    #[must_use]
    pub fn to_file(&self) -> AuthorityFile {
        AuthorityFile {
            notice: AuthorityFile::NOTICE.to_owned(),
            key: hex::encode(self.key.to_bytes()),
            certificate: hex::encode(&self.certificate),
        }
    }

    /// The authority that was kept.
    ///
    /// # Errors
    /// If the file does not hold a key with its certificate.
    pub fn from_file(file: &AuthorityFile) -> Result<Self> {
        let key = hex::decode(&file.key).context("key: not hexadecimal")?;
        let key = SigningKey::from_slice(&key).context("key: not a P-256 key")?;
        let certificate = hex::decode(&file.certificate).context("certificate: not hexadecimal")?;
        let parsed = x509_cert::Certificate::from_der(&certificate).context("certificate: not an X.509 certificate")?;
        let tbs = parsed.tbs_certificate();
        ensure!(
            *tbs.subject_public_key_info() == public_info(&key)?,
            "the certificate belongs to another key"
        );
        Ok(Self {
            key,
            name: tbs.subject().clone(),
            certificate,
        })
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

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Authority,
    Sign,
    Agree,
}

pub(super) struct Profile {
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) usage: Usage,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let usage = match self.usage {
            Usage::Authority => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
            Usage::Sign => KeyUsages::DigitalSignature.into(),
            Usage::Agree => KeyUsages::KeyAgreement.into(),
        };
        let mut list = vec![];
        list.push(SubjectKeyIdentifier::try_from(key)?.to_extension(&self.subject, &list)?);
        list.push(AuthorityKeyIdentifier::try_from(issuer_key)?.to_extension(&self.subject, &list)?);
        list.push(KeyUsage(usage).to_extension(&self.subject, &list)?);
        if self.usage == Usage::Authority {
            let constraints = BasicConstraints {
                ca: true,
                path_len_constraint: Some(0),
            };
            list.push(constraints.to_extension(&self.subject, &list)?);
        }
        Ok(list)
    }
}

fn certify<R: CryptoRng + ?Sized>(
    key: &SigningKey,
    profile: Profile,
    info: &SubjectPublicKeyInfoOwned,
    valid: Days,
    rng: &mut R,
) -> Result<Vec<u8>> {
    let serial = SerialNumber::generate(rng);
    let builder = CertificateBuilder::new(profile, serial, valid.validity()?, info.clone())?;
    let certificate = builder.build::<_, DerSignature>(key)?.to_der()?;
    ensure!(
        certificate.len() <= MAX_CERTIFICATE,
        "the certificate would be longer than {MAX_CERTIFICATE} bytes: shorten the name"
    );
    Ok(certificate)
}

fn public_info(key: &SigningKey) -> Result<SubjectPublicKeyInfoOwned> {
    Ok(SubjectPublicKeyInfoOwned::from_key(key.verifying_key())?)
}

/// A name of one common name, in the hexadecimal form of RFC 4514 section 2.4: no character of it can
/// be taken for syntax.
pub(super) fn common_name(text: &str) -> Result<Name> {
    ensure!(
        (1..=64).contains(&text.chars().count()),
        "a name in a certificate has 1 to 64 characters (RFC 5280, ub-common-name)"
    );
    let value = Utf8StringRef::new(text)?.to_der()?;
    Name::from_str(&format!("CN=#{}", hex::encode(value))).context("the name does not fit a certificate")
}
