//! The PIV profile, byte by byte, and against cards that answer anything.

mod common;

use card::apdu::MAX_PARTS;
use card::{CardError, CardPublicKey, Pin, Piv, Slot, TransmitError};
use chacha20::ChaCha20Rng;
use common::{Answer, Scripted, answers, ok, wrap};
use embassy_futures::block_on;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{AffinePoint, NonZeroScalar, ProjectivePoint, Scalar};
use proptest::prelude::*;
use rand_core::SeedableRng;

const SELECTED: &[u8] = &[0x90, 0x00];

fn pin() -> Pin {
    Pin::new(b"1234").unwrap()
}

fn scalar(byte: u8) -> Scalar {
    let mut bytes = [0; 32];
    bytes[31] = byte;
    Scalar::from_repr(bytes.into()).unwrap()
}

#[test]
fn select_tries_the_shorter_names_only_when_the_card_does_not_know_the_longer() {
    let full = [0xA0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0];
    let mut card = answers(&[&[0x6A, 0x82], &[0x6A, 0x82], SELECTED]);
    assert!(block_on(Piv::select(&mut card)).is_ok());
    for (command, length) in card.log.iter().zip([11_u8, 9, 5]) {
        let name = &full[..usize::from(length)];
        assert_eq!(*command, [&[0, 0xA4, 4, 0, length], name, &[0]].concat());
    }

    let mut card = answers(&[&[0x6A, 0x82][..]; 3]);
    assert_eq!(block_on(Piv::select(&mut card)).err(), Some(CardError::NoApplication));
    let mut card = answers(&[&[0x6D, 0x00]]);
    assert_eq!(block_on(Piv::select(&mut card)).err(), Some(CardError::NoApplication));
    assert_eq!(card.log.len(), 1);
    let mut card = answers(&[&[0x6F, 0x00]]);
    assert_eq!(block_on(Piv::select(&mut card)).err(), Some(CardError::Refused(0x6F00)));
    assert_eq!(card.log.len(), 1);
}

#[test]
fn f8_tries_left_costs_no_try_and_says_blocked_as_zero() {
    for (word, tries) in [([0x63, 0xC3], 3), ([0x63, 0xC0], 0), ([0x69, 0x83], 0)] {
        let mut card = answers(&[SELECTED, &word]);
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        assert_eq!(block_on(piv.tries_left()), Ok(tries));
        assert_eq!(card.log[1], [0, 0x20, 0, 0x80]);
    }
}

#[test]
fn a_pin_left_verified_by_somebody_else_is_dropped_or_the_card_refused() {
    // Forgets: reset, issuer domain, master file, state; selected again; state.
    let mut card = answers(&[
        SELECTED,
        &[0x90, 0],
        &[0x6A, 0x86],
        &[0x90, 0],
        &[0x6A, 0x82],
        &[0x6D, 0],
        SELECTED,
        &[0x63, 0xC3],
    ]);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.tries_left()), Ok(3));

    let mut card = Scripted::new(|_, _: &[u8]| Ok(vec![0x90, 0]));
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.tries_left()), Err(CardError::StillVerified));
}

#[test]
fn f8_verify_sends_the_padded_pin_once() {
    let mut card = answers(&[SELECTED, &[0x63, 0xC2], &[0x69, 0x83], &[0x90, 0]]);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.verify(&pin())), Err(CardError::WrongPin { tries_left: 2 }));
    assert_eq!(block_on(piv.verify(&pin())), Err(CardError::Blocked));
    assert_eq!(block_on(piv.verify(&pin())), Ok(()));
    let sent = [0, 0x20, 0, 0x80, 8, b'1', b'2', b'3', b'4', 255, 255, 255, 255];
    assert_eq!(card.log[1..], [sent, sent, sent]);
}

#[test]
fn certificate_is_unwrapped_and_its_slot_named() {
    for (slot, name) in [(Slot::Authentication, 0x05), (Slot::KeyManagement, 0x0B)] {
        let inner = [wrap(0x70, &[0x30; 200]), wrap(0x71, &[0]), wrap(0xFE, &[])];
        let object = wrap(0x53, &inner.concat());
        let mut card = answers(&[SELECTED, &ok(&object)]);
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        let mut buffer = [0; 300];
        assert_eq!(block_on(piv.certificate(slot, &mut buffer)), Ok(&[0x30; 200][..]));
        let sent = [0, 0xCB, 0x3F, 0xFF, 5, 0x5C, 3, 0x5F, 0xC1, name, 0];
        assert_eq!(card.log[1], sent);
    }
}

#[test]
fn certificates_that_cannot_be_used_are_refused_by_name() {
    let read = |answer: &[u8]| {
        let mut card = answers(&[SELECTED, answer]);
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        let mut buffer = [0; 300];
        block_on(piv.certificate(Slot::KeyManagement, &mut buffer)).map(<[u8]>::len)
    };
    let object = |parts: &[Vec<u8>]| ok(&wrap(0x53, &parts.concat()));
    let plain = wrap(0x70, &[0x30, 0]);
    assert_eq!(read(&object(std::slice::from_ref(&plain))), Ok(2));
    assert_eq!(
        read(&object(&[plain.clone(), wrap(0x71, &[1])])),
        Err(CardError::Compressed)
    );
    assert_eq!(
        read(&object(&[wrap(0x70, &[0x1F, 0x8B, 8]), wrap(0x71, &[0])])),
        Err(CardError::Compressed)
    );
    assert_eq!(read(&[0x6A, 0x82]), Err(CardError::NotFound));
    assert_eq!(read(&object(&[])), Err(CardError::NotFound));
    assert_eq!(read(&object(&[wrap(0x70, &[])])), Err(CardError::NotFound));
    assert_eq!(read(&object(&[wrap(0x71, &[0])])), Err(CardError::NotFound));
    assert_eq!(
        read(&object(&[plain.clone(), plain.clone()])),
        Err(CardError::Malformed)
    );
    assert_eq!(read(&ok(&plain)), Err(CardError::Malformed));
    let trailing = [wrap(0x53, &plain), vec![0]].concat();
    assert_eq!(read(&ok(&trailing)), Err(CardError::Malformed));
    assert_eq!(read(&[0x69, 0x82]), Err(CardError::PinRequired));
}

#[test]
fn a_signature_comes_out_fixed_with_low_s_whatever_the_card_chose() {
    let key = SigningKey::from(NonZeroScalar::new(scalar(7)).unwrap());
    let public = CardPublicKey::p256(key.verifying_key().to_sec1_point(false).as_bytes()).unwrap();
    let mut high = 0;
    for byte in 0..20 {
        let hash = [byte; 32];
        let signature: Signature = key.sign_prehash(&hash).unwrap();
        high += usize::from(signature.normalize_s() != signature);
        let der = der(signature.r().to_bytes().as_slice(), signature.s().to_bytes().as_slice());
        let mut card = answers(&[SELECTED, &ok(&wrap(0x7C, &wrap(0x82, &der)))]);
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        let signed = block_on(piv.sign(&hash)).unwrap();
        assert!(public.verify(&hash, &signed));
        assert!(!public.verify(&[0xFF; 32], &signed));
        if signature.normalize_s() != signature {
            assert!(!public.verify(&hash, &signature.to_bytes().into()), "the high twin");
        }
        let header = [0, 0x87, 0x11, 0x9A, 38, 0x7C, 36, 0x82, 0, 0x81, 32];
        assert_eq!(card.log[1], [&header[..], &hash, &[0]].concat());
    }
    assert!((1..20).contains(&high), "both kinds were met");
}

#[test]
fn f8_what_is_no_signature_is_refused() {
    const ORDER: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD,
        0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let good = der(&[5], &[6]);
    let sign = |der: &[u8]| {
        let mut card = answers(&[SELECTED, &ok(&wrap(0x7C, &wrap(0x82, der)))]);
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        block_on(piv.sign(&[1; 32]))
    };
    assert!(sign(&good).is_ok());
    for bad in [
        der(&[0], &[6]),
        der(&[5], &[0]),
        der(&ORDER, &[6]),
        der(&[5], &ORDER),
        der(&[0xFF; 33], &[6]),
        [&good[..], &[0]].concat(),
        vec![0x30, 6, 2, 1, 0x85, 2, 1, 6],
        vec![0x30, 7, 2, 2, 0, 5, 2, 1, 6],
        vec![0x30, 3, 2, 1, 5],
        vec![0x30, 9, 2, 1, 5, 2, 1, 6, 2, 1, 7],
        vec![],
        vec![0; 64],
    ] {
        assert_eq!(sign(&bad), Err(CardError::BadSignature), "{bad:02X?}");
    }
}

/// ECDSA-Sig-Value of two big-endian numbers.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        let mut bytes = bytes[zeros.min(bytes.len() - 1)..].to_vec();
        if bytes[0] & 0x80 != 0 {
            bytes.insert(0, 0);
        }
        wrap(2, &bytes)
    };
    wrap(0x30, &[integer(r), integer(s)].concat())
}

#[test]
fn ecdh_sends_the_point_and_takes_only_32_bytes() {
    let point = (ProjectivePoint::GENERATOR * scalar(9)).to_affine();
    let point: [u8; 65] = point.to_sec1_point(false).as_bytes().try_into().unwrap();
    let ecdh = |point: &[u8; 65], answer: &[u8]| {
        let mut card = answers(&[SELECTED, answer]);
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        let x = block_on(piv.ecdh(point)).map(|x| *x);
        (x, card.log.get(1).cloned())
    };
    let (x, sent) = ecdh(&point, &ok(&wrap(0x7C, &wrap(0x82, &[7; 32]))));
    assert_eq!(x, Ok([7; 32]));
    let header = [0, 0x87, 0x11, 0x9D, 71, 0x7C, 69, 0x82, 0, 0x85, 65];
    assert_eq!(sent.unwrap(), [&header[..], &point, &[0]].concat());

    for length in [0, 31, 33, 50] {
        let answer = ok(&wrap(0x7C, &wrap(0x82, &vec![7; length])));
        assert_eq!(ecdh(&point, &answer).0, Err(CardError::Malformed));
    }
    assert_eq!(ecdh(&point, &ok(&wrap(0x82, &[7; 32]))).0, Err(CardError::Malformed));
    assert_eq!(ecdh(&point, &[0x69, 0x82]).0, Err(CardError::PinRequired));

    // A point off the curve never reaches the card: its answer could leak the key.
    let mut off = point;
    off[64] ^= 1;
    assert_eq!(ecdh(&off, &[]), (Err(CardError::BadPoint), None));
}

#[test]
fn forget_goes_on_after_refusals_and_believes_only_the_card_state() {
    let refused = [SELECTED, &[0x6A, 0x86], &[0x6A, 0x82], &[0x6A, 0x82], &[0x6D, 0]];
    let mut card = answers(&refused);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.forget()), Ok(()));
    assert_eq!(card.log[1], [0, 0x20, 0xFF, 0x80]);
    assert_eq!(card.log[2][..5], [0, 0xA4, 4, 0, 8]);
    assert_eq!(card.log[3], [0, 0xA4, 0, 0x0C, 2, 0x3F, 0]);

    let mut card = Scripted::new(|_, _: &[u8]| Ok(vec![0x90, 0]));
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.forget()), Err(CardError::StillVerified));

    let mut card = answers(&[SELECTED]);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.forget()), Ok(()), "taken out: forgotten");

    let mut card = Scripted::new(|index, _: &[u8]| match index {
        0 => Ok(vec![0x90, 0]),
        _ => Err(TransmitError::Io),
    });
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    assert_eq!(block_on(piv.forget()), Err(CardError::Transmit(TransmitError::Io)));
}

/// A card that is nothing but a 9D key.
fn agreeing(d: Scalar) -> Scripted<impl FnMut(usize, &[u8]) -> Answer> {
    use p256::elliptic_curve::point::AffineCoordinates;
    Scripted::new(move |_, command: &[u8]| {
        let Some(point) = command.get(11..76).filter(|_| command[1] == 0x87) else {
            return Ok(vec![0x90, 0]);
        };
        let point = p256::PublicKey::from_sec1_bytes(point).unwrap();
        let x = (point.to_projective() * d).to_affine().x();
        Ok(ok(&wrap(0x7C, &wrap(0x82, &x))))
    })
}

fn public(d: Scalar) -> CardPublicKey {
    let point = (ProjectivePoint::GENERATOR * d).to_affine();
    CardPublicKey::p256(point.to_sec1_point(true).as_bytes()).unwrap()
}

fn shared(
    card: &mut impl card::Transmit,
    base: AffinePoint,
    key: CardPublicKey,
    seed: u64,
) -> Result<AffinePoint, CardError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut piv = block_on(Piv::select(card))?;
    block_on(piv.shared_point(&base, &key, &mut rng))
}

#[test]
fn shared_point_refuses_points_and_keys_that_are_none() {
    let base = (ProjectivePoint::GENERATOR * scalar(3)).to_affine();
    let d = scalar(5);
    let refused = |base, key| {
        let mut card = agreeing(d);
        let result = shared(&mut card, base, key, 1);
        assert_eq!(card.log.len(), 1, "the card is not asked");
        result
    };
    assert_eq!(refused(AffinePoint::IDENTITY, public(d)), Err(CardError::BadPoint));
    assert_eq!(refused(base, CardPublicKey::P256([0; 33])), Err(CardError::BadPoint));
    assert_eq!(refused(base, CardPublicKey::P256([0xFF; 33])), Err(CardError::BadPoint));
}

/// A generator that always returns one byte.
struct Stuck(u8);

impl rand_core::TryRng for Stuck {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        dst.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Stuck {}

#[test]
fn a_stuck_generator_ends_in_an_error_not_in_a_loop_or_a_vote() {
    let base = (ProjectivePoint::GENERATOR * scalar(3)).to_affine();
    let key = public(scalar(5));
    for (byte, error) in [
        (0, CardError::Randomness),
        (0xFF, CardError::Randomness),
        // The same blinding twice proves nothing: both signs agree.
        (0x42, CardError::PossessionNotProven),
    ] {
        let mut card = agreeing(scalar(5));
        let mut piv = block_on(Piv::select(&mut card)).unwrap();
        let result = block_on(piv.shared_point(&base, &key, &mut Stuck(byte)));
        assert_eq!(result, Err(error), "{byte:02X}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a1_an_honest_card_gives_the_same_point_whatever_the_blinding(
        d in 1_u64.., base in 1_u64.., seeds: (u64, u64),
    ) {
        let d = Scalar::from(d);
        let base = (ProjectivePoint::GENERATOR * Scalar::from(base)).to_affine();
        let expected = (ProjectivePoint::from(base) * d).to_affine();
        prop_assert_eq!(shared(&mut agreeing(d), base, public(d), seeds.0), Ok(expected));
        prop_assert_eq!(shared(&mut agreeing(d), base, public(d), seeds.1), Ok(expected));
    }

    #[test]
    fn a1_no_other_key_passes_for_the_certified_one(d in 1_u64.., other in 1_u64.., seed: u64) {
        // d and -d answer every query alike, so -d is no other key.
        prop_assume!(d != other);
        let base = (ProjectivePoint::GENERATOR * scalar(3)).to_affine();
        let result = shared(&mut agreeing(Scalar::from(other)), base, public(Scalar::from(d)), seed);
        prop_assert_eq!(result, Err(CardError::PossessionNotProven));
    }

    #[test]
    fn f8_no_answer_makes_any_operation_panic_or_run_beyond_the_bound(
        list in prop::collection::vec(hostile(), 1..12),
        seed: u64,
    ) {
        let mut card = Scripted::new(|index, _: &[u8]| Ok(list[index % list.len()].clone()));
        let _ = block_on(operate(&mut card, seed));
        // At most 23 exchanges: select 3, tries 1 + 4 + 3 + 1, verify 1, certificates 2, sign 1, ecdh
        // 1, blinded queries 2, forget 4.
        prop_assert!(card.log.len() <= 23 * (MAX_PARTS + 2));
    }
}

/// Every operation, whether the one before failed or not.
async fn operate(card: &mut impl card::Transmit, seed: u64) -> Result<(), CardError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let base = (ProjectivePoint::GENERATOR * scalar(3)).to_affine();
    let mut buffer = [0; card::MAX_OBJECT];
    let mut piv = Piv::select(card).await?;
    if let Ok(tries) = piv.tries_left().await {
        assert!(tries <= 15);
    }
    let _ = piv.verify(&pin()).await;
    let _ = piv.certificate(Slot::Authentication, &mut buffer).await;
    let _ = piv.certificate(Slot::KeyManagement, &mut buffer).await;
    let _ = piv.sign(&[1; 32]).await;
    let point: [u8; 65] = base.to_sec1_point(false).as_bytes().try_into().unwrap();
    let _ = piv.ecdh(&point).await;
    let shared = piv.shared_point(&base, &public(scalar(5)), &mut rng).await;
    assert!(shared.is_err(), "nobody guesses a shared point");
    let _ = piv.forget().await;
    Ok(())
}

/// Answers that look right for a while.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let prefix = prop::sample::select(vec![
        vec![],
        vec![0x7C, 0x22, 0x82, 0x20],
        vec![0x7C, 0x48, 0x82, 0x46, 0x30, 0x44, 0x02, 0x20],
        vec![0x53, 0x82, 0x01, 0x00, 0x70, 0x81, 0xF0, 0x30],
        vec![0x53, 0x82, 0xFF, 0xFF],
    ]);
    let data = prop::collection::vec(any::<u8>(), 0..70);
    let word = prop_oneof![
        4 => Just(vec![0x90, 0x00]),
        2 => any::<u8>().prop_map(|n| vec![0x61, n]),
        1 => any::<u8>().prop_map(|n| vec![0x6C, n]),
        1 => any::<u8>().prop_map(|n| vec![0x63, n]),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    (prefix, data, word).prop_map(|(a, b, c)| [a, b, c].concat())
}
