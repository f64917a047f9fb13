//! Cards that are pulled out, dead, endless, mad or on a bad contact: an error, never somebody else, and the kiosk goes on.

use card::{CardError, Piv, Slot, TransmitError};
use embassy_futures::block_on;
use proptest::prelude::*;

use super::super::*;
use super::{PIN, admit, authority, base, rng, voter};

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
}
