//! Who may be in a genesis, and what its hash binds.

use election::hash::hash;
use election::ledger::{Genesis, GenesisError, StaffCard, Validators, role};
use election::sign::Signer;
use election::wire::{Bytes, WireError};

use crate::fixture::{genesis_of, key, world};

fn card(number: u8, roles: u8, name: &str) -> StaffCard<'_> {
    StaffCard {
        key: Bytes(key(number).public_key()),
        roles,
        name,
    }
}

fn refusal(cards: &[StaffCard<'_>], validators: &[Signer]) -> GenesisError {
    Genesis::read(&genesis_of(cards, validators)).unwrap_err()
}

#[test]
fn the_chain_id_is_over_the_encoding() {
    for validators in [1, 4, 64] {
        let world = world(validators);
        assert_eq!(
            world.genesis().chain_id(),
            hash("ippyo/1/genesis", &[&world.genesis]),
            "{validators} validators"
        );
    }
}

#[test]
fn nobody_is_named_twice() {
    let two = [card(1, role::PROVISIONS, "a"), card(2, role::PROVISIONS, "b")];
    assert!(Genesis::read(&genesis_of(&two, &[key(9)])).is_ok());
    let twice = [two[0], two[1], card(1, role::POLLS, "a again")];
    assert_eq!(refusal(&twice, &[key(9)]), GenesisError::Staff(2));
    assert_eq!(
        refusal(&two, &[key(9), key(8), key(9)]),
        GenesisError::Validator(2),
        "one validator would count for two"
    );
}

#[test]
fn a_genesis_nobody_could_use_is_refused() {
    let two = [card(1, role::PROVISIONS, "a"), card(2, role::PROVISIONS, "b")];
    assert_eq!(refusal(&two, &[]), GenesisError::ValidatorCount);
    let many: Vec<Signer> = (0..65).map(key).collect();
    assert_eq!(refusal(&two, &many), GenesisError::ValidatorCount);
    assert_eq!(refusal(&two[..1], &[key(9)]), GenesisError::NobodyProvisions);
    let polls = [two[0], card(2, role::POLLS, "b")];
    assert_eq!(refusal(&polls, &[key(9)]), GenesisError::NobodyProvisions);
    assert_eq!(refusal(&[two[0], card(2, 4, "b")], &[key(9)]), GenesisError::Staff(1));
    assert_eq!(refusal(&[two[0], card(2, 2, "")], &[key(9)]), GenesisError::Staff(1));
    let long = "a".repeat(65);
    assert_eq!(refusal(&[two[0], card(2, 2, &long)], &[key(9)]), GenesisError::Staff(1));
    let mut bad = two;
    bad[1].key.0[0] = 5;
    assert_eq!(refusal(&bad, &[key(9)]), GenesisError::Staff(1));
}

#[test]
fn other_versions_and_broken_bytes_are_refused() {
    let mut bytes = world(1).genesis;
    assert_eq!(bytes[0], 1);
    bytes[0] = 2;
    assert_eq!(Genesis::read(&bytes), Err(GenesisError::Version(2)));
    bytes[0] = 1;
    bytes.push(0);
    assert_eq!(Genesis::read(&bytes), Err(GenesisError::Wire(WireError::Trailing)));
    for length in 0..bytes.len() - 1 {
        assert!(Genesis::read(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn more_than_two_thirds_decide() {
    for (validators, needed) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)] {
        let keys: Vec<u8> = (0..validators).flat_map(|number| key(number).public_key()).collect();
        let set = Validators::from_bytes(&keys);
        assert_eq!(set.count(), usize::from(validators));
        assert!(set.decides(needed) && !set.decides(needed - 1), "{validators}");
    }
}
