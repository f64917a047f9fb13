//! A change of the validators: only by more than two thirds of those before, once, forward; and whoever knows the genesis follows it.

use election::ledger::{
    Applied, CommitProof, CommitSignature, FollowError, Followed, MAX_AHEAD, MAX_CHANGES, ProofError, Refusal, Rules,
    SetChange, SetRefusal, Standing, Transaction, Validators,
};
use election::sign::Signer;
use election::wire::Seq;
use proptest::prelude::*;

use crate::decided::proof;
use crate::fixture::{World, encode, items, key, world};
use crate::rules::Replay;

fn set(keys: &[Signer]) -> Vec<u8> {
    keys.iter().flat_map(Signer::public_key).collect()
}

/// The transaction for a body, signed by these of the old set.
fn signed(body: SetChange<'_>, old: &[Signer], who: &[u8]) -> Vec<u8> {
    let votes: Vec<CommitSignature> = who
        .iter()
        .map(|index| body.sign(*index, &old[usize::from(*index) % old.len()]).unwrap())
        .collect();
    encode(&Transaction::Validators {
        body,
        signatures: Seq::from_bytes(&items(&votes)),
    })
}

fn body<'k>(world: &World, keys: &'k [u8], number: u32, from: u64) -> SetChange<'k> {
    SetChange {
        chain: world.genesis().chain_id(),
        number,
        from,
        previous: world.genesis().validators.hash(),
        validators: Validators::from_bytes(keys),
    }
}

#[test]
fn three_of_four_change_the_set_and_three_or_two_signatures_of_one_do_not() {
    let world = world(4);
    let five: Vec<Signer> = (100..105).map(key).collect();
    let keys = set(&five);
    let good = body(&world, &keys, 1, 2);
    let mut replay = Replay::new(&world);
    for who in [&[0u8, 1][..], &[], &[0, 1, 1], &[2, 1, 0], &[0, 1, 4], &[0, 1, 2, 3, 4]] {
        replay.refuse(
            &signed(good, &world.validators, who),
            Refusal::Validators(SetRefusal::Signatures),
        );
    }
    let applied = replay.apply(&signed(good, &world.validators, &[0, 2, 3])).unwrap();
    assert_eq!(applied, Applied::Validators { number: 1, from: 2 });
    // Replayed, or another one before this one stands.
    for who in [&[0u8, 2, 3][..], &[0, 1, 2, 3]] {
        replay.refuse(
            &signed(good, &world.validators, who),
            Refusal::Validators(SetRefusal::Pending),
        );
    }
}

#[test]
fn replayed_rolled_back_empty_duplicate_and_too_large_sets_are_refused() {
    let world = world(4);
    let five: Vec<Signer> = (100..105).map(key).collect();
    let (keys, old) = (set(&five), set(&world.validators));
    let all = [0u8, 1, 2, 3];
    let refused = |body: SetChange<'_>, why: SetRefusal| {
        Replay::new(&world).refuse(&signed(body, &world.validators, &all), Refusal::Validators(why));
    };
    let good = body(&world, &keys, 1, 2);
    refused(SetChange { chain: [1; 32], ..good }, SetRefusal::Chain);
    refused(SetChange { number: 0, ..good }, SetRefusal::Number { expected: 1 });
    refused(SetChange { number: 2, ..good }, SetRefusal::Number { expected: 1 });
    refused(
        SetChange {
            previous: [1; 32],
            ..good
        },
        SetRefusal::Previous,
    );
    refused(SetChange { from: 1, ..good }, SetRefusal::Height);
    refused(
        SetChange {
            from: 2 + MAX_AHEAD,
            ..good
        },
        SetRefusal::Height,
    );
    let twice = [&keys[..], &keys[..33]].concat();
    let seventeen = set(&(100..117).map(key).collect::<Vec<_>>());
    let no_point = [&old[..], &[0xff; 33]].concat();
    for bad in [&[][..], &twice, &seventeen, &old, &no_point] {
        refused(
            SetChange {
                validators: Validators::from_bytes(bad),
                ..good
            },
            SetRefusal::Keys,
        );
    }
    // The set before last may come back, but as a change of its own, signed by those who decide now.
    let mut standing = Standing::new(5, 1, Validators::from_bytes(&keys), None);
    let back = SetChange {
        number: 2,
        from: 9,
        previous: Validators::from_bytes(&keys).hash(),
        validators: Validators::from_bytes(&old),
        ..good
    };
    let judge = |standing: Standing<'_>, bytes: &[u8]| {
        let mut replay = Rules::new(world.genesis(), election::ledger::Tables::new(&mut [], &mut []));
        replay.begin(standing);
        replay.apply(&Transaction::read(bytes).unwrap())
    };
    let by_old = signed(back, &world.validators, &all);
    let by_new = signed(back, &five, &all);
    // Four of the five are the same keys with the same numbers: that is enough, whoever they were before.
    assert_eq!(judge(standing, &by_old), judge(standing, &by_new));
    assert_eq!(judge(standing, &by_new), Ok(Applied::Validators { number: 2, from: 9 }));
    assert_eq!(
        judge(standing, &signed(good, &world.validators, &all)),
        Err(Refusal::Validators(SetRefusal::Number { expected: 2 })),
        "a change replayed"
    );
    // The last one of a chain.
    standing = Standing::new(5, MAX_CHANGES, Validators::from_bytes(&keys), None);
    let more = SetChange {
        number: MAX_CHANGES + 1,
        ..back
    };
    assert!(judge(standing, &signed(more, &five, &all)).is_err());
}

#[test]
fn the_new_set_decides_from_its_height_on_and_not_before() {
    let world = world(4);
    let five: Vec<Signer> = (100..105).map(key).collect();
    let keys = set(&five);
    let bytes = signed(body(&world, &keys, 1, 4), &world.validators, &[0, 1, 2]);
    let transaction = Transaction::read(&bytes).unwrap();
    let genesis = world.genesis();
    let mut standing = Standing::genesis(genesis.validators);
    standing.note(&transaction, &Applied::Validators { number: 1, from: 4 });
    for height in 1..7 {
        assert_eq!(
            standing.validators().count(),
            if height < 4 { 4 } else { 5 },
            "height {height}"
        );
        standing.advance();
    }
}

#[test]
fn who_knows_the_genesis_follows_and_believes_no_one_else() {
    let world = world(4);
    let chain = world.genesis().chain_id();
    // Two join, two leave.
    let other: Vec<Signer> = [102, 103, 110, 111].map(key).into();
    let keys = set(&other);
    let change = signed(body(&world, &keys, 1, 9), &world.validators, &[1, 2, 3]);
    let genesis = world.genesis();
    let mut followed = Followed::new(&genesis);
    let transaction = b"a transaction";
    let by_new = proof(chain, 9, transaction, &other, &[1, 2, 3]);
    let verified = |followed: &Followed<'_>, bytes: &[u8]| {
        let proof: CommitProof<'_> = election::wire::decode(bytes).unwrap();
        proof.verify(followed.chain(), followed.validators(), transaction)
    };
    assert_eq!(verified(&followed, &by_new), Err(ProofError::Validators));
    let mut follow = |bytes: &[u8], deciders: &[Signer], who: &[u8], height: u64| {
        let proof = proof(chain, height, bytes, deciders, who);
        let result = followed.follow(bytes, &election::wire::decode(&proof).unwrap());
        (result, followed.number())
    };
    // Not decided; decided by the new ones themselves; too late; signed but by too few; no change at all.
    assert!(matches!(
        follow(&change, &world.validators, &[0, 1], 3),
        (Err(FollowError::Proof(_)), 0)
    ));
    assert!(matches!(
        follow(&change, &other, &[0, 1, 2, 3], 3),
        (Err(FollowError::Proof(_)), 0)
    ));
    let late = follow(&change, &world.validators, &[0, 1, 2], 9);
    assert_eq!(late, (Err(FollowError::Change(SetRefusal::Height)), 0));
    let few = signed(body(&world, &keys, 1, 9), &world.validators, &[1, 2]);
    let few = follow(&few, &world.validators, &[0, 1, 2], 3);
    assert_eq!(few, (Err(FollowError::Change(SetRefusal::Signatures)), 0));
    let none = follow(&world.register(&key(1), 1), &world.validators, &[0, 1, 2], 3);
    assert_eq!(none, (Err(FollowError::NoChange), 0));
    assert_eq!(follow(&change, &world.validators, &[0, 1, 2], 3), (Ok(()), 1));
    // Again: those who decide now are others.
    assert!(matches!(
        follow(&change, &world.validators, &[0, 1, 2], 3),
        (Err(FollowError::Proof(_)), 1)
    ));
    assert_eq!(verified(&followed, &by_new), Ok(()));
    followed.restart();
    assert_eq!(verified(&followed, &by_new), Err(ProofError::Validators));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is changed about a good change, and whoever signs: it is taken exactly if nothing is wrong with it.
    #[test]
    fn only_a_right_change_is_taken(
        count in 1u8..8,
        who in proptest::collection::btree_set(0u8..8, 0..8),
        new in proptest::collection::vec(100u8..112, 0..18),
        number in 0u32..3,
        from in 0u64..4,
        wrong in 0u8..6,
    ) {
        let world = world(count);
        let keys = set(&new.iter().map(|number| key(*number)).collect::<Vec<_>>());
        let mut change = body(&world, &keys, number, from);
        match wrong {
            0 => change.chain[0] ^= 1,
            1 => change.previous[31] ^= 1,
            _ => {}
        }
        let who: Vec<u8> = who.into_iter().collect();
        let different: std::collections::BTreeSet<_> = new.iter().collect();
        let quorum = who.len() * 3 > usize::from(count) * 2 && who.iter().all(|index| *index < count);
        let right = wrong > 1
            && number == 1
            && from > 1
            && (1..=16).contains(&new.len())
            && different.len() == new.len()
            && new != (100..100 + count).collect::<Vec<u8>>()
            && quorum;
        let bytes = signed(change, &world.validators, &who);
        let applied = Replay::new(&world).apply(&bytes);
        prop_assert_eq!(applied.is_ok(), right, "{:?}", applied);
    }

    /// One bit of a good change flipped anywhere: refused.
    #[test]
    fn no_bit_of_it_can_be_changed(place in 0usize..1_000, bit in 0u8..8) {
        let world = world(4);
        let keys = set(&(101..106).map(key).collect::<Vec<_>>());
        let mut bytes = signed(body(&world, &keys, 1, 2), &world.validators, &[0, 1, 3]);
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        prop_assert!(Replay::new(&world).apply(&bytes).is_err());
    }
}
