//! Who a card is: the same person at every kiosk, nobody else through a relay or a borrowed certificate; and what staff sign.

use card::{CardError, KeyUse, MAX_OBJECT, Piv, Slot};
use embassy_futures::block_on;

use super::super::*;
use super::{DAY, PIN, VALID, admit, authority, base, days, judge, pin, rng, voter};

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
