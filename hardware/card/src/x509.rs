//! X.509 certificates (RFC 5280) of one level: an authority signs a card's certificate.
//!
//! Narrow on purpose. ECDSA on P-256 with SHA-256, with feature `jpki` RSA-2048 (PKCS#1 v1.5, SHA-256) too, and nothing else; the authorities are trusted because
//! the caller says so, so their own signatures are not looked at; no intermediate authorities, no
//! revocation lists (withdrawn cards are the caller's business). What is critical and not understood is
//! refused. Allocates in proportion to two certificates of at most [`MAX_CERTIFICATE`] bytes each.

use der::asn1::{BitStringRef, ObjectIdentifier, OctetString};
use der::{Decode, Reader, SliceReader};
use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::Verifier;
#[cfg(feature = "jpki")]
use sha2::{Digest as _, Sha256};
use x509_cert::TbsCertificate;
use x509_cert::certificate::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::Time;

use crate::certificate::{CertificateError, CertificateVerifier, Date, KeyUse, MAX_AUTHORITIES, MAX_CERTIFICATE};
use crate::key::CardPublicKey;
use crate::piv::signature_from_der;

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Judges X.509 certificates.
#[derive(Clone, Copy, Debug, Default)]
pub struct X509;

impl CertificateVerifier for X509 {
    fn verify(
        &self,
        certificate: &[u8],
        authorities: &mut dyn Iterator<Item = &[u8]>,
        usage: KeyUse,
        at: Date,
    ) -> Result<CardPublicKey, CertificateError> {
        let subject = Parsed::read(certificate)?;
        // The signature comes first: until it holds, nothing the certificate says is worth a message.
        let issuer = find_issuer(&subject, authorities)?;
        issuer.judge_authority(at)?;
        subject.judge_holder(usage, at)?;
        card_key(subject.tbs.subject_public_key_info())
    }

    #[cfg(feature = "jpki")]
    fn verify_rsa(&self, key: &CardPublicKey, hash: &[u8; 32], signature: &[u8; 256]) -> bool {
        rsa_verifies(key, hash, signature)
    }
}

/// RSASSA-PKCS1-v1_5 over a SHA-256 hash.
#[cfg(feature = "jpki")]
fn rsa_verifies(key: &CardPublicKey, hash: &[u8; 32], signature: &[u8]) -> bool {
    use rsa::pkcs1::DecodeRsaPublicKey as _;
    let CardPublicKey::Rsa2048(der) = key else { return false };
    // Its own form first (odd, 2,048 bits): the arithmetic is not for other numbers.
    let Ok(CardPublicKey::Rsa2048(der)) = CardPublicKey::rsa2048(der) else {
        return false;
    };
    let Ok(key) = rsa::RsaPublicKey::from_pkcs1_der(&der) else {
        return false;
    };
    key.verify(rsa::Pkcs1v15Sign::new::<Sha256>(), hash, signature).is_ok()
}

/// The authority whose name and signature `subject` carries.
fn find_issuer<'a>(
    subject: &Parsed<'_>,
    authorities: &mut dyn Iterator<Item = &'a [u8]>,
) -> Result<Parsed<'a>, CertificateError> {
    let wanted = subject.authority_identifier()?;
    let mut error = CertificateError::UnknownIssuer;
    for (count, bytes) in authorities.enumerate() {
        if count == MAX_AUTHORITIES {
            return Err(CertificateError::TooManyAuthorities);
        }
        // An authority that cannot be read must not keep the readable ones from being tried; if the
        // certificate is its own, the answer is UnknownIssuer.
        let Ok(authority) = Parsed::read(bytes) else {
            continue;
        };
        if !authority.may_have_issued(subject, wanted.as_ref()) {
            continue;
        }
        match subject.signed_by(&authority) {
            Ok(()) => return Ok(authority),
            Err(reason) => error = reason,
        }
    }
    Err(error)
}

/// A certificate taken apart, with the very bytes that were signed.
struct Parsed<'a> {
    signed: &'a [u8],
    tbs: TbsCertificate,
    signature: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }, to the last byte.
    ///
    /// The signature is later checked over the bytes as they came, never over a re-encoding, which
    /// could differ from what is read here.
    fn read(bytes: &'a [u8]) -> Result<Self, CertificateError> {
        if bytes.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong);
        }
        let (signed, algorithm, signature) = split(bytes).map_err(|_| CertificateError::Malformed)?;
        let tbs = TbsCertificate::from_der(signed).map_err(|_| CertificateError::Malformed)?;
        // RFC 5280 section 4.1.1.2: the algorithm outside, which is not signed, must equal the one inside.
        if *tbs.signature() != algorithm {
            return Err(CertificateError::Malformed);
        }
        let parameters = algorithm.parameters.as_ref();
        let ecdsa = algorithm.oid == ECDSA_WITH_SHA256 && parameters.is_none();
        // RFC 4055 section 5: NULL, and absent has to be accepted.
        let rsa = cfg!(feature = "jpki")
            && algorithm.oid == SHA256_WITH_RSA
            && parameters.is_none_or(x509_cert::der::Any::is_null);
        if !ecdsa && !rsa {
            return Err(CertificateError::UnsupportedSignature);
        }
        let signature = signature.as_bytes().ok_or(CertificateError::Malformed)?;
        let parsed = Self { signed, tbs, signature };
        parsed.judge_extensions()?;
        Ok(parsed)
    }

    fn extensions(&self) -> &[Extension] {
        self.tbs.extensions().map_or(&[], |list| list.as_slice())
    }

    /// Only version 3 has extensions; each appears once (RFC 5280 section 4.2); what is critical is
    /// understood.
    fn judge_extensions(&self) -> Result<(), CertificateError> {
        let list = self.extensions();
        if !list.is_empty() && self.tbs.version() != Version::V3 {
            return Err(CertificateError::Malformed);
        }
        for (index, extension) in list.iter().enumerate() {
            let earlier = list.iter().take(index);
            if earlier.into_iter().any(|e| e.extn_id == extension.extn_id) {
                return Err(CertificateError::Malformed);
            }
            let understood = [BASIC_CONSTRAINTS, KEY_USAGE].contains(&extension.extn_id);
            if extension.critical && !understood {
                return Err(CertificateError::UnknownCriticalExtension);
            }
        }
        Ok(())
    }

    /// The key identifier of the authority that issued this, if it names one.
    fn authority_identifier(&self) -> Result<Option<OctetString>, CertificateError> {
        let extension = self.tbs.get_extension::<AuthorityKeyIdentifier>();
        let extension = extension.map_err(|_| CertificateError::Malformed)?;
        Ok(extension.and_then(|(_, identifier)| identifier.key_identifier))
    }

    /// Whether names, and key identifiers where both have them, say that this authority issued
    /// `subject`. Identifiers only choose among authorities of one name; the signature decides.
    fn may_have_issued(&self, subject: &Parsed<'_>, wanted: Option<&OctetString>) -> bool {
        if self.tbs.subject() != subject.tbs.issuer() {
            return false;
        }
        let Ok(own) = self.tbs.get_extension::<SubjectKeyIdentifier>() else {
            return false;
        };
        match (wanted, own) {
            (Some(wanted), Some((_, own))) => *wanted == own.0,
            _ => true,
        }
    }

    fn signed_by(&self, authority: &Parsed<'_>) -> Result<(), CertificateError> {
        let key = card_key(authority.tbs.subject_public_key_info())?;
        if self.tbs.signature().oid == SHA256_WITH_RSA {
            #[cfg(feature = "jpki")]
            if rsa_verifies(&key, &Sha256::digest(self.signed).into(), self.signature) {
                return Ok(());
            }
            return Err(CertificateError::BadSignature);
        }
        let key = key.to_p256().map_err(|_| CertificateError::BadSignature)?;
        let signature = signature_from_der(self.signature).ok_or(CertificateError::BadSignature)?;
        VerifyingKey::from(&key)
            .verify(self.signed, &signature)
            .map_err(|_| CertificateError::BadSignature)
    }

    /// A certificate authority (basicConstraints cA, RFC 5280 section 4.2.1.9), allowed to sign
    /// certificates, and valid on the day. Without this check every card holder could issue cards.
    fn judge_authority(&self, at: Date) -> Result<(), CertificateError> {
        let usage = self.key_usage()?;
        if !self.is_authority()? || usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(CertificateError::NotAnAuthority);
        }
        self.judge_validity(at).map_err(|_| CertificateError::IssuerNotValid)
    }

    fn judge_holder(&self, usage: KeyUse, at: Date) -> Result<(), CertificateError> {
        self.judge_validity(at)?;
        // Absent keyUsage restricts nothing (RFC 5280 section 4.2.1.3).
        let allowed = self.key_usage()?.is_none_or(|allowed| match usage {
            KeyUse::Sign => allowed.digital_signature(),
            KeyUse::Agree => allowed.key_agreement(),
        });
        if !allowed || self.is_authority()? {
            return Err(CertificateError::WrongUsage);
        }
        Ok(())
    }

    /// Valid on a day if valid at any moment of it, both taken in UTC. Issuers cut days in their own
    /// time zone; judging whole days never locks out somebody whose card is good on election day.
    fn judge_validity(&self, at: Date) -> Result<(), CertificateError> {
        let validity = self.tbs.validity();
        if at < day(validity.not_before)? {
            return Err(CertificateError::NotYetValid);
        }
        if at > day(validity.not_after)? {
            return Err(CertificateError::Expired);
        }
        Ok(())
    }

    fn key_usage(&self) -> Result<Option<KeyUsage>, CertificateError> {
        let usage = self.tbs.get_extension::<KeyUsage>();
        let usage = usage.map_err(|_| CertificateError::Malformed)?;
        Ok(usage.map(|(_, usage)| usage))
    }

    fn is_authority(&self) -> Result<bool, CertificateError> {
        let constraints = self.tbs.get_extension::<BasicConstraints>();
        let constraints = constraints.map_err(|_| CertificateError::Malformed)?;
        Ok(constraints.is_some_and(|(_, constraints)| constraints.ca))
    }
}

fn split(bytes: &[u8]) -> Result<(&[u8], AlgorithmIdentifierOwned, BitStringRef<'_>), der::Error> {
    let mut reader = SliceReader::new(bytes)?;
    let parts = reader.sequence(|reader| {
        Ok::<_, der::Error>((
            reader.tlv_bytes()?,
            AlgorithmIdentifierOwned::decode(reader)?,
            <BitStringRef<'_> as Decode<'_>>::decode(reader)?,
        ))
    })?;
    reader.finish()?;
    Ok(parts)
}

fn card_key(info: &SubjectPublicKeyInfoOwned) -> Result<CardPublicKey, CertificateError> {
    if cfg!(feature = "jpki") && info.algorithm.oid == RSA_ENCRYPTION {
        // RFC 3279 section 2.3.1: the parameters must be NULL.
        if !info
            .algorithm
            .parameters
            .as_ref()
            .is_some_and(x509_cert::der::Any::is_null)
        {
            return Err(CertificateError::UnsupportedKey);
        }
        let key = info.subject_public_key.as_bytes().ok_or(CertificateError::Malformed)?;
        return CardPublicKey::rsa2048(key).map_err(|_| CertificateError::UnsupportedKey);
    }
    let curve = info.algorithm.parameters.as_ref();
    let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(P256) {
        return Err(CertificateError::UnsupportedKey);
    }
    let point = info.subject_public_key.as_bytes();
    CardPublicKey::p256(point.ok_or(CertificateError::Malformed)?).map_err(|_| CertificateError::UnsupportedKey)
}

fn day(time: Time) -> Result<Date, CertificateError> {
    let time = time.to_date_time();
    let (year, month, day) = (time.year(), time.month(), time.day());
    Date::new(u32::from(year) * 10_000 + u32::from(month) * 100 + u32::from(day)).ok_or(CertificateError::Malformed)
}
