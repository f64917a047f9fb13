//! Rolls and deltas: order, bounds, binary search against a plain walk, who may change what.

use std::collections::BTreeMap;
use std::vec::Vec;

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use rand_core::SeedableRng as _;

use super::*;
use crate::manifest::tests::{bytes_of, seq_of};
use crate::sign::Signer;

fn encode(entries: &BTreeMap<Digest, u16>) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|(hash, style)| hash.iter().copied().chain(style.to_be_bytes()))
        .collect()
}

fn authority(seed: u8) -> Signer {
    Signer::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

fn delta_file(entries: &[DeltaEntry], serial: u32, signer: &Signer) -> Vec<u8> {
    let list = seq_of(entries.iter());
    let body = bytes_of(&Delta {
        election: [1; 32],
        station: 2,
        serial,
        entries: Seq::from_bytes(&list),
    });
    bytes_of(&Signed::new(&body, LABEL_DELTA, signer).unwrap())
}

fn change(entry: u8, style: Option<u16>) -> DeltaEntry {
    DeltaEntry {
        entry: [entry; 32],
        style,
    }
}

#[test]
fn entries_out_of_order_twice_or_of_no_style_are_refused() {
    let entry = |byte: u8, style: u16| {
        let mut entry = [byte; ENTRY_LEN];
        entry[32..].copy_from_slice(&style.to_be_bytes());
        entry
    };
    assert!(Roll::read(&[], 1).is_ok());
    assert_eq!(
        Roll::read(&[entry(1, 0), entry(2, 1)].concat(), 2).map(|roll| roll.len()),
        Ok(2)
    );
    assert_eq!(
        Roll::read(&[entry(2, 0), entry(1, 0)].concat(), 1),
        Err(RollError::Order { entry: 1 })
    );
    assert_eq!(
        Roll::read(&[entry(1, 0), entry(1, 0)].concat(), 1),
        Err(RollError::Order { entry: 1 })
    );
    assert_eq!(
        Roll::read(&entry(1, 2), 2),
        Err(RollError::Style { entry: 0, style: 2 })
    );
    assert_eq!(Roll::read(&entry(1, 0)[1..], 1), Err(RollError::Length));
}

#[test]
fn a_delta_is_the_authoritys_for_this_election_and_station() {
    let signer = authority(1);
    let file = delta_file(&[change(1, Some(0)), change(2, None)], 5, &signer);
    let open = |file: &[u8], election: &Digest, station| {
        Delta::open(file, &signer.public_key(), election, station, 1).map(|delta| delta.serial)
    };
    assert_eq!(open(&file, &[1; 32], 2), Ok(5));
    assert_eq!(open(&file, &[2; 32], 2), Err(RollError::Election));
    assert_eq!(open(&file, &[1; 32], 3), Err(RollError::Station { theirs: 2 }));
    assert!(matches!(
        open(&delta_file(&[], 5, &authority(2)), &[1; 32], 2),
        Err(RollError::Signature(_))
    ));
    let unsorted = delta_file(&[change(2, None), change(1, None)], 5, &signer);
    assert_eq!(open(&unsorted, &[1; 32], 2), Err(RollError::Order { entry: 1 }));
    let styled = delta_file(&[change(1, Some(1))], 5, &signer);
    assert_eq!(open(&styled, &[1; 32], 2), Err(RollError::Style { entry: 0, style: 1 }));
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed, &[1; 32], 2).is_err(), "bit {bit}");
    }
}

#[test]
fn only_a_newer_delta_is_taken() {
    let signer = authority(1);
    let file = delta_file(&[], 5, &signer);
    let delta = Delta::open(&file, &signer.public_key(), &[1; 32], 2, 1).unwrap();
    assert_eq!(delta.accept(1, None), Ok(()));
    assert_eq!(delta.accept(1, Some(4)), Ok(()));
    for (package, held) in [(5, None), (1, Some(5)), (6, Some(2))] {
        assert!(matches!(delta.accept(package, held), Err(RollError::Older { .. })));
    }
}

proptest! {
    #[test]
    fn the_roll_with_a_delta_answers_as_a_map_does(
        entries: BTreeMap<[u8; 1], u16>,
        changes: BTreeMap<[u8; 1], Option<u16>>,
        asked: [u8; 1],
    ) {
        let wide = |byte: &[u8; 1]| [byte[0]; 32];
        let map: BTreeMap<Digest, u16> = entries.iter().map(|(entry, style)| (wide(entry), style % 7)).collect();
        let bytes = encode(&map);
        let roll = Roll::read(&bytes, 7).unwrap();
        prop_assert_eq!(roll.iter().collect::<Vec<_>>(), map.clone().into_iter().collect::<Vec<_>>());
        prop_assert_eq!(roll.style(&wide(&asked)), map.get(&wide(&asked)).copied());

        let signer = authority(1);
        let list: Vec<DeltaEntry> = changes
            .iter()
            .map(|(entry, change)| DeltaEntry { entry: wide(entry), style: change.map(|style| style % 7) })
            .collect();
        let file = delta_file(&list, 9, &signer);
        let delta = Delta::open(&file, &signer.public_key(), &[1; 32], 2, 7).unwrap();
        let mut changed = map;
        for item in &list {
            match item.style {
                Some(style) => changed.insert(item.entry, style),
                None => changed.remove(&item.entry),
            };
        }
        prop_assert_eq!(style(&roll, Some(&delta), &wide(&asked)), changed.get(&wide(&asked)).copied());
    }

    #[test]
    fn hostile_rolls_and_deltas_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Roll::read(&bytes, 3);
        prop_assert!(Delta::open(&bytes, &authority(1).public_key(), &[1; 32], 2, 3).is_err());
    }
}
