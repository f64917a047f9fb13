//! Closings: every leaf, code, counter and signature is bound.

use std::vec::Vec;

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use rand_core::SeedableRng as _;

use super::*;
use crate::ledger::StaffCard;
use crate::manifest::tests::{bytes_of, seq_of};
use crate::wire;

fn signer(seed: u8) -> Signer {
    Signer::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

const COUNTERS: Counters = Counters {
    admitted: 6,
    recorded: 3,
    abandoned: 2,
    interrupted: 1,
    spoiled: 2,
    void: 0,
};
const CAST: [Digest; 3] = [[1; 32], [2; 32], [3; 32]];
const SPOILED: [Digest; 2] = [[4; 32], [5; 32]];

/// Staff keys 10 and 11 hold bit 0, key 12 only bit 1.
fn genesis() -> Vec<u8> {
    let staff: Vec<u8> = [(10, 3), (11, 3), (12, 2)]
        .iter()
        .flat_map(|(seed, roles)| {
            bytes_of(&StaffCard {
                key: Bytes(signer(*seed).public_key()),
                roles: *roles,
                name: "card",
            })
        })
        .collect();
    let validators = signer(20).public_key();
    bytes_of(&Genesis {
        version: 1,
        election: [9; 32],
        staff: Seq::from_bytes(&staff),
        validators: crate::ledger::Validators::from_bytes(&validators),
    })
}

fn staff_signatures(seeds: &[u8], label: &str, message: &[u8]) -> Vec<u8> {
    let mut signatures: Vec<StaffSignature> = seeds
        .iter()
        .map(|seed| StaffSignature {
            key: Bytes(signer(*seed).public_key()),
            signature: Bytes(signer(*seed).sign(label, message).unwrap()),
        })
        .collect();
    signatures.sort_by_key(|signature| signature.key);
    seq_of(signatures)
}

fn head() -> ClosingHead {
    ClosingHead {
        election: [9; 32],
        package: [8; 32],
        kiosk: kiosk_id(&signer(1).public_key()),
        epoch: 1,
    }
}

fn hash_of(
    head: &ClosingHead,
    cast: &[Digest],
    spoiled: &[Digest],
    counters: &Counters,
) -> Result<Digest, ClosingError> {
    let mut hasher = ClosingHasher::new(
        head,
        u32::try_from(cast.len()).unwrap(),
        u32::try_from(spoiled.len()).unwrap(),
    )?;
    for leaf in cast {
        hasher.cast(leaf)?;
    }
    for code in spoiled {
        hasher.spoiled(code)?;
    }
    hasher.finish(counters, &[7; 32])
}

fn closing(seeds: &[u8]) -> Vec<u8> {
    let hash = hash_of(&head(), &CAST, &SPOILED, &COUNTERS).unwrap();
    let message = staff_close_message(&[9; 32], &head().kiosk, 1);
    let staff = staff_signatures(seeds, LABEL_STAFF_CLOSE, &message);
    bytes_of(&Closing {
        election: [9; 32],
        package: [8; 32],
        kiosk: Bytes(signer(1).public_key()),
        station: 3,
        epoch: 1,
        counters: COUNTERS,
        audit: [7; 32],
        hash,
        staff: Seq::from_bytes(&staff),
        signature: sign_closing(&hash, &signer(1)).unwrap(),
    })
}

fn check(bytes: &[u8]) -> Result<(), ClosingError> {
    let genesis = genesis();
    let genesis = Genesis::read(&genesis).unwrap();
    let closing: Closing<'_> = wire::decode(bytes).map_err(ClosingError::Wire)?;
    if closing.election != genesis.election {
        return Err(ClosingError::Hash);
    }
    closing.check_signatures(&genesis)?;
    closing.check_hash(CAST.into_iter(), SPOILED.into_iter())
}

/// The definition of section 8, without the stream.
#[test]
fn the_stream_is_the_definition() {
    let expected = crate::hash::hash(
        "ippyo/1/closing",
        &[
            &[9; 32],
            &[8; 32],
            &head().kiosk,
            &[1],
            &CAST.concat(),
            &SPOILED.concat(),
            &[6, 3, 2, 1, 2, 0u32].map(u32::to_be_bytes).concat(),
            &[7; 32],
        ],
    );
    assert_eq!(hash_of(&head(), &CAST, &SPOILED, &COUNTERS), Ok(expected));
    let none = Counters::default();
    let empty = crate::hash::hash(
        "ippyo/1/closing",
        &[&[9; 32], &[8; 32], &head().kiosk, &[1], &[], &[], &[0; 24], &[7; 32]],
    );
    assert_eq!(hash_of(&head(), &[], &[], &none), Ok(empty));
}

#[test]
fn a_closing_holds_and_every_flipped_bit_is_refused() {
    let bytes = closing(&[10, 11]);
    assert_eq!(check(&bytes), Ok(()));
    // Staff sign before the hash is known, and the station is the ledger's to check: it is not in the hash.
    let station = 32 + 32 + 33;
    for bit in (0..bytes.len() * 8).filter(|bit| bit / 8 != station) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn v11_closing_takes_two_different_cards_that_may_close() {
    assert_eq!(check(&closing(&[10])), Err(ClosingError::Staff(StaffRefusal::NotTwo)));
    assert_eq!(
        check(&closing(&[10, 10])),
        Err(ClosingError::Staff(StaffRefusal::OneCardTwice))
    );
    assert_eq!(check(&closing(&[10, 12])), Err(ClosingError::Staff(StaffRefusal::Role)));
    assert_eq!(
        check(&closing(&[10, 13])),
        Err(ClosingError::Staff(StaffRefusal::UnknownCard))
    );
    let bytes = genesis();
    let genesis = Genesis::read(&bytes).unwrap();
    let kiosk = signer(1).public_key();
    let message = staff_open_message(&[9; 32], &kiosk_id(&kiosk), 1, &[5; 32]);
    let staff = staff_signatures(&[10, 11], LABEL_STAFF_OPEN, &message);
    let staff = Seq::from_bytes(&staff);
    assert_eq!(check_opening(&genesis, &kiosk, 1, &[5; 32], staff), Ok(()));
    for refused in [
        check_opening(&genesis, &kiosk, 2, &[5; 32], staff),
        check_opening(&genesis, &kiosk, 1, &[6; 32], staff),
        check_opening(&genesis, &signer(2).public_key(), 1, &[5; 32], staff),
    ] {
        assert_eq!(refused, Err(StaffRefusal::Signature));
    }
}

#[test]
fn f5_counters_must_add_up_and_agree() {
    let refused = |counters: Counters| hash_of(&head(), &CAST, &SPOILED, &counters).unwrap_err();
    assert_eq!(
        refused(Counters {
            admitted: 7,
            ..COUNTERS
        }),
        ClosingError::Counters
    );
    assert_eq!(
        refused(Counters {
            admitted: 7,
            recorded: 4,
            ..COUNTERS
        }),
        ClosingError::Recorded
    );
    assert_eq!(refused(Counters { spoiled: 1, ..COUNTERS }), ClosingError::Spoiled);
    let wrap = Counters {
        admitted: 1,
        recorded: 3,
        abandoned: u32::MAX - 1,
        interrupted: 0,
        ..COUNTERS
    };
    assert_eq!(refused(wrap), ClosingError::Counters);
}

#[test]
fn p25_leaves_out_of_order_or_left_out_are_refused() {
    let hash = hash_of(&head(), &CAST, &SPOILED, &COUNTERS).unwrap();
    assert_eq!(
        hash_of(&head(), &[CAST[1], CAST[0], CAST[2]], &SPOILED, &COUNTERS),
        Err(ClosingError::Order)
    );
    assert_eq!(
        hash_of(&head(), &[CAST[0], CAST[0], CAST[2]], &SPOILED, &COUNTERS),
        Err(ClosingError::Order)
    );
    assert_eq!(
        hash_of(&head(), &CAST, &[SPOILED[1], SPOILED[0]], &COUNTERS),
        Err(ClosingError::Order)
    );
    assert_eq!(
        hash_of(&head(), &CAST[..2], &SPOILED, &COUNTERS),
        Err(ClosingError::Recorded)
    );
    let fewer = Counters {
        admitted: 5,
        recorded: 2,
        ..COUNTERS
    };
    assert_ne!(hash_of(&head(), &CAST[..2], &SPOILED, &fewer), Ok(hash));
    // Announced otherwise than fed.
    let mut hasher = ClosingHasher::new(&head(), 1, 1).unwrap();
    assert_eq!(hasher.spoiled(&SPOILED[0]), Err(ClosingError::Count));
    hasher.cast(&CAST[0]).unwrap();
    assert_eq!(hasher.cast(&CAST[1]), Err(ClosingError::Count));
    assert_eq!(hasher.finish(&COUNTERS, &[7; 32]), Err(ClosingError::Count));
    assert!(ClosingHasher::new(&head(), 1 << 27, 0).is_err());
}

proptest! {
    #[test]
    fn hostile_closings_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(check(&bytes).is_err());
    }
}
