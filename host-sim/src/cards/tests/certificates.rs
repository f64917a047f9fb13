//! Which certificates are believed: their days, who vouches for them, what they are for, every byte of them.

use std::str::FromStr;

use card::{CertificateError, KeyUse, MAX_AUTHORITIES, Slot};
use p256::SecretKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::super::*;
use super::{DAY, authority, days, judge, rng, voter};

#[test]
fn a7_certificates_outside_their_days_are_refused_on_exactly_those_days() {
    let root = authority(1);
    let card = voter(&root, 1);
    let judge = |day| {
        let certificate = card.certificate(Slot::KeyManagement);
        judge(certificate, &[root.certificate()], KeyUse::Agree, day)
    };
    let key = Ok(card.public_key(Slot::KeyManagement).unwrap());
    assert_eq!(judge(20_250_331), Err(CertificateError::NotYetValid));
    assert_eq!(judge(20_250_401), key);
    assert_eq!(judge(DAY), key);
    assert_eq!(judge(20_300_331), key);
    assert_eq!(judge(20_300_401), Err(CertificateError::Expired));
}

#[test]
fn a7_an_authority_outside_its_days_vouches_for_nobody() {
    let short = days(20_260_101, 20_261_102);
    let root = CardAuthority::new("CA", short, &mut rng(1)).unwrap();
    let card = voter(&root, 2);
    let judge = |day| {
        let certificate = card.certificate(Slot::KeyManagement);
        judge(certificate, &[root.certificate()], KeyUse::Agree, day)
    };
    assert!(judge(20_261_102).is_ok());
    assert_eq!(judge(DAY), Err(CertificateError::IssuerNotValid));
    assert_eq!(judge(20_251_231), Err(CertificateError::IssuerNotValid));
}

#[test]
fn a7_only_the_given_authorities_count() {
    let (root, impostor) = (authority(1), authority(2));
    let other = CardAuthority::new("他市", days(20_200_101, 20_391_231), &mut rng(3)).unwrap();
    let card = voter(&root, 1);
    let certificate = card.certificate(Slot::KeyManagement);
    let by = |list: &[&[u8]]| judge(certificate, list, KeyUse::Agree, DAY);
    let unknown = Err(CertificateError::UnknownIssuer);
    assert_eq!(by(&[]), unknown);
    assert_eq!(by(&[other.certificate()]), unknown);
    // The same name with another key.
    assert_eq!(by(&[impostor.certificate()]), unknown);
    // Among others, and beside one that cannot be read.
    let list = [
        impostor.certificate(),
        &[0x30, 0],
        other.certificate(),
        root.certificate(),
    ];
    assert_eq!(by(&list), Ok(card.public_key(Slot::KeyManagement).unwrap()));
    let many = vec![other.certificate(); MAX_AUTHORITIES + 1];
    assert_eq!(by(&many), Err(CertificateError::TooManyAuthorities));
}

#[test]
fn a7_a_card_holder_is_no_authority_and_an_authority_no_card_holder() {
    let root = authority(1);
    let card = voter(&root, 1);
    let sign = card.certificate(Slot::Authentication);
    let agree = card.certificate(Slot::KeyManagement);
    let by_root = |certificate, usage| judge(certificate, &[root.certificate()], usage, DAY);
    assert_eq!(by_root(sign, KeyUse::Agree), Err(CertificateError::WrongUsage));
    assert_eq!(by_root(agree, KeyUse::Sign), Err(CertificateError::WrongUsage));
    for usage in [KeyUse::Sign, KeyUse::Agree] {
        let refused = by_root(root.certificate(), usage);
        assert_eq!(refused, Err(CertificateError::WrongUsage));
    }
}

#[test]
fn a7_a_card_holder_cannot_issue_cards() {
    let root = authority(1);
    let card = voter(&root, 1);
    let holder = serde_json::to_value(card.to_file().unwrap()).unwrap();
    for (slot, of) in [
        ("authentication", Slot::Authentication),
        ("management", Slot::KeyManagement),
    ] {
        let file = serde_json::json!({
            "notice": "",
            "key": holder[format!("{slot}_key")],
            "certificate": hex::encode(card.certificate(of)),
        });
        let file: AuthorityFile = serde_json::from_value(file).unwrap();
        let false_authority = CardAuthority::from_file(&file).unwrap();
        let card = voter(&false_authority, 2);
        let certificate = card.certificate(Slot::KeyManagement);
        let by = |list: &[&[u8]]| judge(certificate, list, KeyUse::Agree, DAY);
        assert_eq!(by(&[root.certificate()]), Err(CertificateError::UnknownIssuer));
        let list = [root.certificate(), false_authority.certificate()];
        assert_eq!(by(&list), Err(CertificateError::NotAnAuthority));
    }
}

/// A certificate with any key and any extensions; self-signed unless given another issuer.
struct Odd {
    key: SigningKey,
    issuer: Name,
    subject: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Odd {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

impl Odd {
    fn new(extensions: Vec<Extension>) -> Self {
        Self {
            key: SigningKey::from(SecretKey::generate_from_rng(&mut rng(77))),
            issuer: Name::from_str("CN=odd").unwrap(),
            subject: Name::from_str("CN=odd").unwrap(),
            extensions,
        }
    }

    fn issued_by(self, authority: &CardAuthority) -> Self {
        let file = serde_json::to_value(authority.to_file()).unwrap();
        let key = hex::decode(file["key"].as_str().unwrap()).unwrap();
        let parsed = x509_cert::Certificate::from_der(authority.certificate()).unwrap();
        Self {
            key: SigningKey::from_slice(&key).unwrap(),
            issuer: parsed.tbs_certificate().subject().clone(),
            ..self
        }
    }

    fn certificate(self, change: impl FnOnce(&mut SubjectPublicKeyInfoOwned)) -> Vec<u8> {
        let time = |text| Time::from_str(text).unwrap();
        let valid = Validity::new(time("2020-01-01T00:00:00Z"), time("2039-01-01T00:00:00Z"));
        let key = self.key.clone();
        let mut info = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).unwrap();
        change(&mut info);
        CertificateBuilder::new(self, SerialNumber::from(1_u32), valid, info)
            .unwrap()
            .build::<_, DerSignature>(&key)
            .unwrap()
            .to_der()
            .unwrap()
    }
}

fn extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    Extension {
        extn_id: ObjectIdentifier::new(oid).unwrap(),
        critical,
        extn_value: OctetString::new(value).unwrap(),
    }
}

#[test]
fn a7_certificates_that_ask_for_what_is_not_understood_are_refused() {
    const BASIC_CONSTRAINTS: &str = "2.5.29.19";
    const CA: [u8; 5] = [0x30, 3, 1, 1, 0xFF];
    let own = |certificate: &[u8], usage| judge(certificate, &[certificate], usage, DAY);
    let with = |extensions| own(&Odd::new(extensions).certificate(|_| {}), KeyUse::Agree);

    // Sound but for being its own issuer: the holder is not an authority, or the authority no holder.
    assert_eq!(with(vec![]), Err(CertificateError::NotAnAuthority));
    let ca = extension(BASIC_CONSTRAINTS, true, &CA);
    assert_eq!(with(vec![ca.clone()]), Err(CertificateError::WrongUsage));

    let unknown = |critical| extension("1.3.6.1.4.1.32473.1", critical, &[5, 0]);
    assert_eq!(
        with(vec![ca.clone(), unknown(false)]),
        Err(CertificateError::WrongUsage)
    );
    assert_eq!(
        with(vec![ca.clone(), unknown(true)]),
        Err(CertificateError::UnknownCriticalExtension)
    );
    let name_constraints = extension("2.5.29.30", true, &[0x30, 0]);
    assert_eq!(
        with(vec![ca.clone(), name_constraints]),
        Err(CertificateError::UnknownCriticalExtension)
    );
    assert_eq!(with(vec![ca.clone(), ca.clone()]), Err(CertificateError::Malformed));
    let twice = vec![unknown(false), unknown(false)];
    assert_eq!(with(twice), Err(CertificateError::Malformed));
    // An authority whose key usage leaves out signing certificates.
    let usage = extension("2.5.29.15", true, &[3, 2, 7, 0x80]);
    assert_eq!(with(vec![ca.clone(), usage]), Err(CertificateError::NotAnAuthority));
    let nonsense = extension("2.5.29.15", true, &[1, 2, 3]);
    assert_eq!(with(vec![ca, nonsense]), Err(CertificateError::Malformed));
}

#[test]
fn a7_keys_of_another_kind_are_refused() {
    let root = authority(1);
    let judged = |change: fn(&mut SubjectPublicKeyInfoOwned)| {
        let certificate = Odd::new(vec![]).issued_by(&root).certificate(change);
        judge(&certificate, &[root.certificate()], KeyUse::Agree, DAY)
    };
    assert!(judged(|_| {}).is_ok());
    let unsupported = Err(CertificateError::UnsupportedKey);
    // P-384 by name, no curve at all, RSA, and a point that is off the curve.
    assert_eq!(
        judged(|info| {
            let oid = ObjectIdentifier::new("1.3.132.0.34").unwrap();
            info.algorithm.parameters = Some(Any::encode_from(&oid).unwrap());
        }),
        unsupported
    );
    assert_eq!(judged(|info| info.algorithm.parameters = None), unsupported);
    assert_eq!(
        judged(|info| {
            info.algorithm.oid = ObjectIdentifier::new("1.2.840.113549.1.1.1").unwrap();
        }),
        unsupported
    );
    assert_eq!(
        judged(|info| info.subject_public_key = BitString::from_bytes(&[4; 65]).unwrap()),
        unsupported
    );
    assert_eq!(
        judged(|info| info.subject_public_key = BitString::from_bytes(&[0]).unwrap()),
        unsupported
    );
}

#[test]
fn a7_one_flipped_byte_anywhere_in_a_certificate_is_refused() {
    let root = authority(1);
    let card = voter(&root, 1);
    let genuine = card.certificate(Slot::KeyManagement);
    for position in 0..genuine.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut certificate = genuine.to_vec();
            certificate[position] ^= flip;
            let judged = judge(&certificate, &[root.certificate()], KeyUse::Agree, DAY);
            assert!(judged.is_err(), "byte {position} ^ {flip:02X}");
        }
    }
    for cut in 0..genuine.len() {
        assert!(judge(&genuine[..cut], &[root.certificate()], KeyUse::Agree, DAY).is_err());
    }
    let trailing = [genuine, &[0]].concat();
    assert_eq!(
        judge(&trailing, &[root.certificate()], KeyUse::Agree, DAY),
        Err(CertificateError::Malformed)
    );
}
