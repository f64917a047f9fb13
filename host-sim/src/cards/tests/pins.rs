//! A PIN's tries, and how long it stays verified.

use card::{CardError, Piv, Slot};
use embassy_futures::block_on;

use super::super::*;
use super::{PIN, admit, authority, base, pin, rng, voter};

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
fn f8_a_blocked_card_says_so_and_is_not_asked_for_more() {
    let mut card = voter(&authority(1), 1);
    card.block_pin();
    assert_eq!(block_on(admit(&mut card, PIN, &base(1), 1)), Err(CardError::Blocked));
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
