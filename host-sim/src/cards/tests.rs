//! The card room against cards that compute: honest, broken and hostile ones.

use anyhow::Result;
use card::x509::X509;
use card::{
    CardError, CardPublicKey, CertificateError, CertificateVerifier, Date, KeyUse, MAX_AUTHORITIES, MAX_OBJECT, Pin,
    Piv, Slot, Transmit, TransmitError,
};
use chacha20::ChaCha20Rng;
use embassy_futures::block_on;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use p256::{AffinePoint, ProjectivePoint, Scalar, SecretKey};
use proptest::prelude::*;
use rand_core::SeedableRng;
use std::str::FromStr;
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

use super::*;

const PIN: &str = "1234";
const VALID: (u32, u32) = (20_250_401, 20_300_331);
const DAY: u32 = 20_261_103;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn days(from: u32, until: u32) -> Days {
    Days::new(from, until).unwrap()
}

fn date(day: u32) -> Date {
    Date::new(day).unwrap()
}

fn authority(seed: u64) -> CardAuthority {
    let valid = days(20_200_101, 20_391_231);
    CardAuthority::new("加賀市 認証局", valid, &mut rng(seed)).unwrap()
}

fn voter(authority: &CardAuthority, seed: u64) -> VirtualPiv {
    let valid = days(VALID.0, VALID.1);
    authority.issue_voter(PIN, valid, &mut rng(seed)).unwrap()
}

fn pin(digits: &str) -> Pin {
    Pin::new(digits.as_bytes()).unwrap()
}

fn base(seed: u64) -> AffinePoint {
    let scalar = Scalar::generate_from_rng(&mut rng(seed));
    (ProjectivePoint::GENERATOR * scalar).to_affine()
}

fn judge(
    certificate: &[u8],
    authorities: &[&[u8]],
    usage: KeyUse,
    day: u32,
) -> Result<CardPublicKey, CertificateError> {
    X509.verify(certificate, &mut authorities.iter().copied(), usage, date(day))
}

/// What a kiosk does with a voter's card, from SELECT to the proof of possession.
async fn admit(
    card: &mut impl Transmit,
    digits: &str,
    base: &AffinePoint,
    seed: u64,
) -> Result<(CardPublicKey, AffinePoint), CardError> {
    let mut buffer = [0; MAX_OBJECT];
    let mut piv = Piv::select(card).await?;
    piv.verify(&pin(digits)).await?;
    let certificate = piv.certificate(Slot::KeyManagement, &mut buffer).await?;
    let root = authority(1);
    let key = judge(certificate, &[root.certificate()], KeyUse::Agree, DAY).map_err(|_| CardError::Malformed)?;
    let point = piv.shared_point(base, &key, &mut rng(seed)).await?;
    piv.forget().await?;
    Ok((key, point))
}

#[test]
fn a1_an_honest_card_is_the_same_person_at_every_kiosk_and_for_every_blinding() {
    let root = authority(1);
    for seed in 0..30 {
        let mut card = voter(&root, 100 + seed);
        let base = base(seed);
        let expected = card.shared_point(&base).unwrap();
        let key = card.public_key(Slot::KeyManagement).unwrap();
        for kiosk in [1000, 2000] {
            let admitted = block_on(admit(&mut card, PIN, &base, kiosk + seed));
            assert_eq!(admitted, Ok((key, expected)));
            card.reset();
        }
    }
}

#[test]
fn a1_different_cards_and_different_elections_give_different_points() {
    let root = authority(1);
    let (a, b) = (voter(&root, 1), voter(&root, 2));
    assert_ne!(a.shared_point(&base(1)).unwrap(), b.shared_point(&base(1)).unwrap());
    assert_ne!(a.shared_point(&base(1)).unwrap(), a.shared_point(&base(2)).unwrap());
}

#[test]
fn a1_a_relay_to_a_second_genuine_card_is_caught_whatever_it_answers() {
    let root = authority(1);
    for first in Source::ALL {
        for second in Source::ALL {
            for seed in 0..4 {
                let (front, behind) = (voter(&root, 1), voter(&root, 2));
                let truth = front.shared_point(&base(9)).unwrap();
                let mut relay = Relay::new(front, behind, [first, second], rng(seed));
                let admitted = block_on(admit(&mut relay, PIN, &base(9), seed));
                // `Repeated` has nothing to repeat at first and asks the front card.
                let honest = [Source::Front, Source::Repeated].contains(&first);
                if honest && second == Source::Front {
                    assert_eq!(admitted.unwrap().1, truth);
                } else {
                    let caught = Err(CardError::PossessionNotProven);
                    assert_eq!(admitted, caught, "{first:?}, {second:?}");
                }
            }
        }
    }
}

#[test]
fn a1_a_card_with_another_cards_certificate_is_caught() {
    let root = authority(1);
    let (mut card, other) = (voter(&root, 1), voter(&root, 2));
    for (slot, of) in [
        (Slot::KeyManagement, &other),
        (Slot::Authentication, &other),
        // Its own certificate of the other slot.
        (Slot::Authentication, &voter(&root, 1)),
    ] {
        let key = of.public_key(slot).unwrap();
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        block_on(piv.verify(&pin(PIN))).unwrap();
        let result = block_on(piv.shared_point(&base(1), &key, &mut rng(5)));
        assert_eq!(result, Err(CardError::PossessionNotProven));
    }
}

#[test]
fn a7_a_staff_card_signs_and_only_its_own_key_verifies() {
    let root = authority(1);
    let valid = days(VALID.0, VALID.1);
    let staff = |seed| root.issue_staff("選挙, 花子=\"管理者\"", "654321", valid, &mut rng(seed));
    let (mut card, other) = (staff(1).unwrap(), staff(2).unwrap());
    let mut buffer = [0; MAX_OBJECT];
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.sign(&[1; 32])), Err(CardError::PinRequired));
    block_on(piv.verify(&pin("654321"))).unwrap();
    let certificate = block_on(piv.certificate(Slot::Authentication, &mut buffer)).unwrap();
    let key = judge(certificate, &[root.certificate()], KeyUse::Sign, DAY).unwrap();
    for byte in 0..16 {
        let signature = block_on(piv.sign(&[byte; 32])).unwrap();
        assert!(key.verify(&[byte; 32], &signature));
        assert!(!key.verify(&[0xFF; 32], &signature));
        let others = other.public_key(Slot::Authentication).unwrap();
        assert!(!others.verify(&[byte; 32], &signature));
    }
    assert_eq!(key, card.public_key(Slot::Authentication).unwrap());
}

#[test]
fn f8_a_wrong_pin_counts_down_until_blocked_and_the_right_one_resets() {
    let mut card = voter(&authority(1), 1);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.tries_left()), Ok(3));
    let wrong = |tries_left| Err(CardError::WrongPin { tries_left });
    assert_eq!(block_on(piv.verify(&pin("0000"))), wrong(2));
    assert_eq!(block_on(piv.tries_left()), Ok(2));
    assert_eq!(block_on(piv.verify(&pin(PIN))), Ok(()));
    block_on(piv.forget()).unwrap();

    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.tries_left()), Ok(3));
    assert_eq!(block_on(piv.verify(&pin("0000"))), wrong(2));
    assert_eq!(block_on(piv.verify(&pin("12345678"))), wrong(1));
    assert_eq!(block_on(piv.verify(&pin("9999"))), Err(CardError::Blocked));
    assert_eq!(block_on(piv.tries_left()), Ok(0));
    // Blocked for the right PIN too, and after a power cut.
    assert_eq!(block_on(piv.verify(&pin(PIN))), Err(CardError::Blocked));
    card.reset();
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.verify(&pin(PIN))), Err(CardError::Blocked));

    card.unblock("8765").unwrap();
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.verify(&pin("8765"))), Ok(()));
}

#[test]
fn f8_tries_are_the_cards_own_number_and_survive_power_cuts() {
    let mut card = voter(&authority(1), 1).with_tries(15).unwrap();
    for left in (1..15).rev() {
        card.reset();
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        let result = block_on(piv.verify(&pin("0000")));
        assert_eq!(result, Err(CardError::WrongPin { tries_left: left }));
        card.reset();
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        assert_eq!(block_on(piv.tries_left()), Ok(left));
    }
    assert!(voter(&authority(1), 1).with_tries(16).is_err());
    assert!(voter(&authority(1), 1).with_tries(0).is_err());
}

#[test]
fn a1_the_verified_pin_does_not_outlive_forget_nor_a_power_cut_on_any_card() {
    for verify_reset in [true, false] {
        for cut in [true, false] {
            let mut card = voter(&authority(1), 1).with_quirks(Quirks {
                verify_reset,
                ..Quirks::default()
            });
            let key = card.public_key(Slot::KeyManagement).unwrap();
            let mut piv = block_on(Piv::select(&mut card)).unwrap();
            block_on(piv.verify(&pin(PIN))).unwrap();
            assert!(block_on(piv.sign(&[1; 32])).is_ok());
            if cut {
                card.reset();
            } else {
                block_on(piv.forget()).unwrap();
            }
            let mut piv = block_on(Piv::select(&mut card)).unwrap();
            assert_eq!(block_on(piv.sign(&[1; 32])), Err(CardError::PinRequired));
            let (base, mut rng) = (base(1), rng(1));
            let shared = piv.shared_point(&base, &key, &mut rng);
            assert_eq!(block_on(shared).err(), Some(CardError::PinRequired));
        }
    }
}

#[test]
fn a1_a_pin_left_verified_by_somebody_before_is_dropped_before_anything_else() {
    for verify_reset in [true, false] {
        let mut card = voter(&authority(1), 1).with_quirks(Quirks {
            verify_reset,
            ..Quirks::default()
        });
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        block_on(piv.verify(&pin(PIN))).unwrap();
        // The next person, without a power cut in between.
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        assert_eq!(block_on(piv.tries_left()), Ok(3));
        assert_eq!(block_on(piv.sign(&[1; 32])), Err(CardError::PinRequired));
    }
}

#[test]
fn honest_cards_of_every_habit_are_understood() {
    let root = authority(1);
    for longest_aid in [11, 9, 5] {
        for template in [true, false] {
            for page in [16, 127, 256] {
                let mut card = voter(&root, 1).with_quirks(Quirks {
                    longest_aid,
                    template,
                    page,
                    verify_reset: false,
                });
                let expected = card.shared_point(&base(3)).unwrap();
                let admitted = block_on(admit(&mut card, PIN, &base(3), 1)).unwrap();
                assert_eq!(admitted.1, expected);
            }
        }
    }
}

#[test]
fn certificates_come_over_in_pages_and_objects_readers_ask_for_are_there() {
    let root = authority(1);
    let mut card = voter(&root, 1);
    let mut get = |name: &[u8]| {
        let data = [&[0x5C, u8::try_from(name.len()).unwrap()], name].concat();
        let command = card::apdu::Command::new(0xCB, 0x3F, 0xFF)
            .with_data(&data)
            .expecting_data();
        let mut out = [0; MAX_OBJECT];
        block_on(Piv::select(&mut card)).unwrap();
        let answer = block_on(card::apdu::exchange(&mut card, &command, &mut out)).unwrap();
        (answer.status.word(), out[..answer.length].to_vec())
    };
    for (name, tag, contains) in [
        (&[0x5F, 0xC1, 0x05][..], 0x53, 0x70),
        (&[0x5F, 0xC1, 0x0B], 0x53, 0x70),
        (&[0x5F, 0xC1, 0x02], 0x53, 0x34),
        (&[0x5F, 0xC1, 0x07], 0x53, 0xF0),
        (&[0x7E], 0x7E, 0x4F),
    ] {
        let (word, object) = get(name);
        assert_eq!(word, 0x9000, "{name:02X?}");
        let contents = card::tlv::only(&object, tag).unwrap();
        assert!(card::tlv::find(contents, contains).unwrap().is_some());
    }
    assert_eq!(get(&[0x5F, 0xC1, 0x0C]), (0x6A82, vec![]));
    assert!(card.certificate(Slot::KeyManagement).len() > 256, "more than one page");
}

#[test]
fn a_chained_command_is_collected_and_a_broken_chain_dropped() {
    let mut card = voter(&authority(1), 1);
    block_on(async {
        let mut piv = Piv::select(&mut card).await.unwrap();
        piv.verify(&pin(PIN)).await.unwrap();
    });
    let template = [&[0x7C, 36, 0x82, 0, 0x81, 32][..], &[1; 32]].concat();
    let (head, tail) = template.split_at(20);
    let link = |class, instruction, data: &[u8]| {
        [
            &[class, instruction, 0x11, 0x9A, u8::try_from(data.len()).unwrap()],
            data,
            &[0],
        ]
        .concat()
    };
    assert_eq!(card.apdu(&link(0x10, 0x87, head)).unwrap(), [0x90, 0]);
    let signed = card.apdu(&link(0x00, 0x87, tail)).unwrap();
    assert!(signed.ends_with(&[0x90, 0]) && signed.len() > 60);
    // Another command in between: the first part is gone.
    assert_eq!(card.apdu(&link(0x10, 0x87, head)).unwrap(), [0x90, 0]);
    assert_eq!(card.apdu(&[0, 0x20, 0, 0x80]).unwrap(), [0x90, 0]);
    assert_eq!(card.apdu(&link(0x00, 0x87, tail)).unwrap(), [0x6A, 0x80]);
    // An endless chain.
    let refused = (0..100).find_map(|_| {
        let answer = card.apdu(&link(0x10, 0x87, &[0; 255])).unwrap();
        (answer != [0x90, 0]).then_some(answer)
    });
    assert_eq!(refused, Some(vec![0x67, 0]));
}

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

#[test]
fn f8_a_card_pulled_out_at_any_moment_is_an_error_and_works_when_it_comes_back() {
    let root = authority(1);
    let whole = {
        let mut card = Misbehaving::new(voter(&root, 1), Fault::RemovedAfter(usize::MAX));
        block_on(admit(&mut card, PIN, &base(1), 1)).unwrap();
        card.answered()
    };
    assert!(whole > 8);
    for apdus in 0..whole {
        let mut card = Misbehaving::new(voter(&root, 1), Fault::RemovedAfter(apdus));
        match block_on(admit(&mut card, PIN, &base(1), 1)) {
            Err(CardError::Transmit(TransmitError::Removed)) => {}
            // Pulled while it was told to forget: it was done with by then, and has forgotten.
            Ok(_) => assert!(apdus >= whole - 4),
            other => panic!("after {apdus}: {other:?}"),
        }
        let again = block_on(Piv::select(&mut card)).err();
        assert_eq!(again, Some(CardError::Transmit(TransmitError::Removed)));
        card.reset();
        assert!(block_on(admit(&mut card, PIN, &base(1), 1)).is_ok());
    }
}

#[test]
fn f8_a_dead_card_and_an_endless_card_are_refused() {
    let root = authority(1);
    let mut dead = Misbehaving::new(voter(&root, 1), Fault::Silent);
    assert_eq!(
        block_on(admit(&mut dead, PIN, &base(1), 1)),
        Err(CardError::Transmit(TransmitError::Timeout))
    );
    let mut endless = Misbehaving::new(voter(&root, 1), Fault::Endless);
    let refused = block_on(admit(&mut endless, PIN, &base(1), 1));
    assert_eq!(refused, Err(CardError::Endless));
    assert_eq!(endless.answered(), 1 + card::apdu::MAX_PARTS);
}

#[test]
fn f8_a_blocked_card_says_so_and_is_not_asked_for_more() {
    let mut card = voter(&authority(1), 1);
    card.block_pin();
    assert_eq!(block_on(admit(&mut card, PIN, &base(1), 1)), Err(CardError::Blocked));
}

#[test]
fn a_card_file_brings_back_the_same_card_with_its_counter() {
    let root = authority(1);
    let mut card = voter(&root, 1);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    let _ = block_on(piv.verify(&pin("0000")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("voter.json");
    card.to_file().unwrap().save(&path).unwrap();
    card.to_file().unwrap().save(&path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("test keys"));

    let VirtualCard::Piv(mut again) = CardFile::load(&path).unwrap().card().unwrap() else {
        panic!("another profile")
    };
    assert_eq!(again.tries_left(), 2);
    assert_eq!(
        again.shared_point(&base(1)).unwrap(),
        card.shared_point(&base(1)).unwrap()
    );
    assert!(block_on(admit(&mut *again, PIN, &base(1), 1)).is_ok());

    std::fs::write(&path, "{}").unwrap();
    let error = CardFile::load(&path).err().unwrap();
    assert!(error.to_string().contains("voter.json"));
    assert!(CardFile::load(&folder.path().join("nobody.json")).is_err());
    assert!(card.to_file().unwrap().save(folder.path()).is_err());
}

#[test]
fn an_authority_file_brings_back_the_same_authority() {
    let root = authority(1);
    let text = serde_json::to_string(&root.to_file()).unwrap();
    let file: AuthorityFile = serde_json::from_str(&text).unwrap();
    let again = CardAuthority::from_file(&file).unwrap();
    assert_eq!(again.certificate(), root.certificate());
    let card = voter(&again, 1);
    assert_eq!(
        card.certificate(Slot::Authentication),
        voter(&root, 1).certificate(Slot::Authentication)
    );
}

#[test]
fn the_same_seed_gives_the_same_card_and_another_seed_another() {
    let root = authority(1);
    let text = |card: VirtualPiv| serde_json::to_string(&card.to_file().unwrap()).unwrap();
    assert_eq!(text(voter(&root, 1)), text(voter(&authority(1), 1)));
    assert_ne!(text(voter(&root, 1)), text(voter(&root, 2)));
}

#[test]
fn a2_a_voters_certificates_hold_no_name_but_a_random_number() {
    let root = authority(1);
    let mut subjects = vec![];
    for seed in 0..4 {
        let card = voter(&root, seed);
        let parsed = x509_cert::Certificate::from_der(card.certificate(Slot::KeyManagement)).unwrap();
        let subject = parsed.tbs_certificate().subject().to_string();
        assert_eq!(subject.len(), "CN=".len() + 32);
        subjects.push(subject);
    }
    subjects.dedup();
    assert_eq!(subjects.len(), 4);
}

#[test]
fn what_no_card_can_be_issued_with_is_refused() {
    let root = authority(1);
    let valid = days(VALID.0, VALID.1);
    for pin in ["", "123", "123456789", "12a4"] {
        assert!(root.issue_voter(pin, valid, &mut rng(1)).is_err(), "{pin}");
    }
    let long = "長".repeat(65);
    for name in ["", &long] {
        assert!(root.issue_staff(name, PIN, valid, &mut rng(1)).is_err());
    }
    assert!(Days::new(20_260_230, 20_300_101).is_err());
    assert!(Days::new(20_300_101, 20_260_101).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn f8_a_mad_card_is_refused_and_the_kiosk_goes_on(seed: u64) {
        let root = authority(1);
        let mut card = Misbehaving::new(voter(&root, 1), Fault::Nonsense(Box::new(rng(seed))));
        prop_assert!(block_on(admit(&mut card, PIN, &base(1), seed)).is_err());
        prop_assert!(card.answered() <= 16 * (card::apdu::MAX_PARTS + 2));
    }

    #[test]
    fn f8_a_card_on_a_bad_contact_is_never_admitted_as_somebody_else(seed: u64) {
        let root = authority(1);
        let card = voter(&root, 1);
        let truth = (card.public_key(Slot::KeyManagement).unwrap(), card.shared_point(&base(1)).unwrap());
        let mut card = Misbehaving::new(card, Fault::Garbled(Box::new(rng(seed))));
        if let Ok(admitted) = block_on(admit(&mut card, PIN, &base(1), seed)) {
            prop_assert_eq!(admitted, truth);
        }
    }

    #[test]
    fn no_command_makes_the_virtual_card_panic(
        commands in prop::collection::vec(command(), 1..20),
    ) {
        let mut card = voter(&authority(1), 1);
        for command in commands {
            let answer = card.apdu(&command).unwrap();
            prop_assert!((2..=258).contains(&answer.len()));
        }
    }
}

/// Commands that are half right.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::sample::select(vec![
        vec![0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08],
        vec![
            0x00, 0x20, 0x00, 0x80, 0x08, 0x31, 0x32, 0x33, 0x34, 0xFF, 0xFF, 0xFF, 0xFF,
        ],
        vec![0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x05, 0x00],
        vec![0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03],
        vec![0x00, 0xC0, 0x00, 0x00],
        vec![0x10, 0x87, 0x11, 0x9A],
        vec![0x00, 0x87, 0x11, 0x9D, 0x47, 0x7C, 0x45, 0x82, 0x00, 0x85, 0x41],
        vec![],
    ]);
    let rest = prop_oneof![
        2 => Just(vec![]),
        1 => prop::collection::vec(any::<u8>(), 0..90),
    ];
    (header, rest).prop_map(|(header, rest)| [header, rest].concat())
}
