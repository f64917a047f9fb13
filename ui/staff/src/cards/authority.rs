//! An authority that issues PIV cards: a P-256 key in a file and a certificate that it signed itself; and the certificates of cards.

use card::{CardPublicKey, Date, MAX_CERTIFICATE};
use p256::ecdsa::{DerSignature, SigningKey};
use rand_core::CryptoRng;
use std::str::FromStr as _;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::der::asn1::Utf8StringRef;
use x509_cert::der::{DateTime, Decode as _, Encode as _};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate};

use crate::problem::{Kind, Outcome, Problem};

/// Who issues cards.
pub struct CardAuthority {
    key: SigningKey,
    name: Name,
    certificate: Vec<u8>,
}

/// What a certified key is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Signs cards.
    Authority,
    /// Signs: slot 9A.
    Sign,
    /// Agrees on keys: slot 9D.
    Agree,
}

/// From the first moment of a day to the last moment of another, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
}

impl Days {
    /// Days written as YYYYMMDD.
    ///
    /// # Errors
    /// There is no such day, or the last is before the first.
    pub fn new(from: u32, until: u32) -> Outcome<Self> {
        let date = |day| {
            Date::new(day).ok_or_else(|| Problem::new(Kind::Malformed, "validity", format!("there is no day {day}")))
        };
        let days = Self {
            from: date(from)?,
            until: date(until)?,
        };
        days.validity().map(|_| days)
    }

    /// As certificates have it.
    ///
    /// # Errors
    /// The last day is before the first.
    pub fn validity(self) -> Outcome<Validity> {
        if self.from > self.until {
            return Err(Problem::new(
                Kind::Limit,
                "validity",
                format!("{} is before {}", self.until, self.from),
            ));
        }
        Ok(Validity::new(time(self.from, 0, 0, 0)?, time(self.until, 23, 59, 59)?))
    }
}

impl CardAuthority {
    /// A new authority for this secret key.
    ///
    /// # Errors
    /// A name of no or more than 64 characters; days in the wrong order.
    pub fn new<R: CryptoRng + ?Sized>(secret: &[u8; 32], name: &str, valid: Days, rng: &mut R) -> Outcome<Self> {
        let key = signing_key(secret)?;
        let name = common_name(name)?;
        let info = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).map_err(odd)?;
        let certificate = certify(&key, &name, &name, Usage::Authority, info, valid, rng)?;
        Ok(Self { key, name, certificate })
    }

    /// The authority that this certificate and secret key belong to.
    ///
    /// # Errors
    /// They do not belong together.
    pub fn open(secret: &[u8; 32], certificate: &[u8]) -> Outcome<Self> {
        let key = signing_key(secret)?;
        let parsed = Certificate::from_der(certificate).map_err(odd)?;
        let tbs = parsed.tbs_certificate();
        if *tbs.subject_public_key_info() != SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).map_err(odd)? {
            return Err(Problem::new(
                Kind::Refused,
                "card authority",
                "the certificate belongs to another key",
            )
            .advice("give the key and the certificate that were made together"));
        }
        Ok(Self {
            key,
            name: tbs.subject().clone(),
            certificate: certificate.to_vec(),
        })
    }

    /// Its certificate, DER: what packages list.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A certificate for a key that a card made.
    ///
    /// # Errors
    /// A name of no or more than 64 characters; a key that is not P-256; days in the wrong order.
    pub fn certify<R: CryptoRng + ?Sized>(
        &self,
        holder: &str,
        key: &CardPublicKey,
        usage: Usage,
        valid: Days,
        rng: &mut R,
    ) -> Outcome<Vec<u8>> {
        let key = key
            .to_p256()
            .map_err(|error| Problem::new(Kind::Unsupported, "card key", error))?;
        let info = SubjectPublicKeyInfoOwned::from_key(&key).map_err(odd)?;
        certify(&self.key, &self.name, &common_name(holder)?, usage, info, valid, rng)
    }
}

fn odd(error: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::Malformed, "certificate", error)
}

fn signing_key(secret: &[u8; 32]) -> Outcome<SigningKey> {
    SigningKey::from_slice(secret).map_err(|error| Problem::new(Kind::Malformed, "card authority's key", error))
}

/// A name of one common name, for subject and issuer, in the hexadecimal form of RFC 4514 section 2.4: no character of it can be taken for syntax.
///
/// # Errors
/// It has no or more than 64 characters (RFC 5280, ub-common-name).
pub fn common_name(text: &str) -> Outcome<Name> {
    if !(1..=64).contains(&text.chars().count()) {
        return Err(Problem::new(Kind::Limit, "name", "has to have 1 to 64 characters"));
    }
    let value = Utf8StringRef::new(text).and_then(|value| value.to_der()).map_err(odd)?;
    Name::from_str(&format!("CN=#{}", hex::encode(value))).map_err(odd)
}

/// What stands in every certificate of this house, whatever key it is for and whatever key signs it.
pub struct Profile {
    /// Who signs.
    pub issuer: Name,
    /// Whose it is.
    pub subject: Name,
    /// What for.
    pub usage: Usage,
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
    issuer: &Name,
    subject: &Name,
    usage: Usage,
    info: SubjectPublicKeyInfoOwned,
    valid: Days,
    rng: &mut R,
) -> Outcome<Vec<u8>> {
    let profile = Profile {
        issuer: issuer.clone(),
        subject: subject.clone(),
        usage,
    };
    let builder =
        CertificateBuilder::new(profile, SerialNumber::generate(rng), valid.validity()?, info).map_err(odd)?;
    let certificate = builder
        .build::<_, DerSignature>(key)
        .map_err(odd)?
        .to_der()
        .map_err(odd)?;
    if certificate.len() > MAX_CERTIFICATE {
        return Err(Problem::new(Kind::Limit, "certificate", "would be too long").advice("shorten the name"));
    }
    Ok(certificate)
}

fn time(day: Date, hour: u8, minute: u8, second: u8) -> Outcome<Time> {
    let n = day.yyyymmdd();
    let (year, month, day) = (n / 10_000, n / 100 % 100, n % 100);
    let part = |n: u32| u8::try_from(n).map_err(odd);
    let year = u16::try_from(year).map_err(odd)?;
    Ok(Time::from(
        DateTime::new(year, part(month)?, part(day)?, hour, minute, second).map_err(odd)?,
    ))
}
