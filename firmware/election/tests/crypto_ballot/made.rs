//! How a ballot is made: its randomness, its code, choices that are refused, and ballots prepared before the choice.

use election::ballot::{
    BallotView, EncryptError, Layout, PreparedSelection, PreparedSum, encrypt, encrypt_prepared, prepare_contest,
    tracking_code, verify,
};

use crate::crypto_support::*;

#[test]
fn p06_equal_randomness_shows_as_equal_codes() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let (a, b) = (cast(&world, 1, &layout, &[1], 9), cast(&world, 1, &layout, &[1], 9));
    // Two voters get one code only if everything is equal: the kiosk meets the code in its box and halts.
    assert_eq!((a.code, &a.bytes), (b.code, &b.bytes));
    assert_ne!(cast(&world, 1, &layout, &[1], 10).code, a.code);
}

#[test]
fn p16_broken_randomness_gives_no_ballot() {
    struct Stuck(u8);
    impl rand_core::TryRng for Stuck {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::from(self.0))
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::from(self.0))
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.fill(self.0);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Stuck {}
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    for value in [0, 1, 0x55, 255] {
        let mut bytes = vec![7; layout.ballot_len()];
        let mut secrets = no_secrets(layout.selections());
        let result = encrypt(
            &world.election(),
            1,
            &layout,
            &[1],
            &mut Stuck(value),
            &mut bytes,
            &mut secrets,
        );
        assert_eq!(result, Err(EncryptError::Randomness));
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert!(secrets.iter().all(election::ballot::Secret::is_empty));
    }
}

#[test]
fn p24_every_choice_gives_the_same_length_and_the_same_random_draws() {
    let world = World::new(1);
    let layout = Layout::new(0, &SMALL).unwrap();
    let draws = |choices: &[u64]| {
        let mut rng = rng(4);
        let mut bytes = vec![0; layout.ballot_len()];
        let mut secrets = no_secrets(layout.selections());
        encrypt(
            &world.election(),
            1,
            &layout,
            choices,
            &mut rng,
            &mut bytes,
            &mut secrets,
        )
        .unwrap();
        rng.get_word_pos()
    };
    let blank = draws(&[0, 0, 0]);
    for choices in [[1, 7, 1], [16, 64, 0], [0, 0b1010100, 1]] {
        assert_eq!(draws(&choices), blank);
    }
}

#[test]
fn v13_overvotes_and_unknown_options_are_refused() {
    let world = World::new(1);
    let layout = Layout::new(0, &SMALL).unwrap();
    let attempt = |choices: &[u64]| {
        let mut bytes = vec![7; layout.ballot_len()];
        let mut secrets = no_secrets(layout.selections());
        let result = encrypt(
            &world.election(),
            1,
            &layout,
            choices,
            &mut rng(1),
            &mut bytes,
            &mut secrets,
        );
        assert_eq!(result.is_err(), bytes.iter().all(|byte| *byte == 0));
        result.err()
    };
    assert_eq!(attempt(&[0, 0, 0]), None);
    assert_eq!(attempt(&[0b11, 0, 0]), Some(EncryptError::Overvote(0)));
    assert_eq!(attempt(&[0b10_0000, 0, 0]), Some(EncryptError::Overvote(0)));
    assert_eq!(attempt(&[1 << 63, 0, 0]), Some(EncryptError::Overvote(0)));
    assert_eq!(attempt(&[1, 0b1111, 0]), Some(EncryptError::Overvote(3)));
    assert_eq!(attempt(&[1, 0, 2]), Some(EncryptError::Overvote(9)));
    assert_eq!(attempt(&[1, 0]), Some(EncryptError::Choices));
    assert_eq!(attempt(&[1, 0, 0, 0]), Some(EncryptError::Choices));
    let mut short = vec![7; layout.ballot_len() - 1];
    let mut secrets = no_secrets(layout.selections());
    let result = encrypt(
        &world.election(),
        1,
        &layout,
        &[0, 0, 0],
        &mut rng(1),
        &mut short,
        &mut secrets,
    );
    assert_eq!(result, Err(EncryptError::Output));
}

fn prepare(world: &World, layout: &Layout<'_>, seed: u8) -> (Vec<PreparedSelection>, Vec<PreparedSum>) {
    let mut rng = rng(seed);
    let mut slots: Vec<_> = (0..layout.selections()).map(|_| PreparedSelection::EMPTY).collect();
    let mut sums: Vec<_> = layout.shapes().iter().map(|_| PreparedSum::EMPTY).collect();
    let mut first = 0;
    for (shape, sum) in layout.shapes().iter().zip(&mut sums) {
        let here = &mut slots[first..first + shape.selections()];
        prepare_contest(&world.election(), shape, here, sum, &mut rng).unwrap();
        first += shape.selections();
    }
    (slots, sums)
}

#[test]
fn p17_a_prepared_ballot_verifies_once_and_is_burnt() {
    let world = World::new(1);
    let layout = Layout::new(0, &SMALL).unwrap();
    let (mut slots, mut sums) = prepare(&world, &layout, 5);
    assert!(slots.iter().all(PreparedSelection::is_fresh));
    let mut secrets = no_secrets(layout.selections());
    let mut attempt = |choices: &[u64], slots: &mut [_], sums: &mut [_]| {
        let mut bytes = vec![0; layout.ballot_len()];
        encrypt_prepared(
            &world.election(),
            1,
            &layout,
            choices,
            &mut rng(6),
            slots,
            sums,
            &mut bytes,
            &mut secrets,
        )
        .map(|code| (code, bytes))
    };
    let (code, bytes) = attempt(&[2, 0b11, 0], &mut slots, &mut sums).unwrap();
    let view = verify(&world.election(), layout, &bytes).unwrap();
    assert_eq!(tracking_code(&world.hash, 1, &view), code);
    let votes: Vec<_> = view
        .contests()
        .flat_map(|contest| contest.selections().collect::<Vec<_>>())
        .map(|s| world.decrypt(s.alpha, s.beta).unwrap())
        .collect();
    assert_eq!(votes, [0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert!(!slots.iter().any(PreparedSelection::is_fresh));
    assert_eq!(attempt(&[2, 0b11, 0], &mut slots, &mut sums), Err(EncryptError::Burnt));

    // A refused choice burns what was prepared, and so does one slot that was never filled.
    let (mut slots, mut sums) = prepare(&world, &layout, 7);
    assert_eq!(
        attempt(&[3, 0, 0], &mut slots, &mut sums),
        Err(EncryptError::Overvote(0))
    );
    assert!(!slots.iter().any(PreparedSelection::is_fresh));
    let (mut slots, mut sums) = prepare(&world, &layout, 8);
    slots[17] = PreparedSelection::EMPTY;
    assert_eq!(attempt(&[1, 0, 0], &mut slots, &mut sums), Err(EncryptError::Burnt));
    assert!(!slots.iter().any(PreparedSelection::is_fresh));
}

#[test]
fn p26_a_code_follows_from_its_own_ballot_alone() {
    let world = World::new(1);
    let layout = Layout::new(0, &SMALL).unwrap();
    let code_of = |seed: u8| cast(&world, 1, &layout, &[1, 0, 1], seed).code;
    // The same ballots in three orders of casting: nobody who knows the codes can put them in order.
    let mut forward: Vec<_> = (0..12).map(code_of).collect();
    let mut backward: Vec<_> = (0..12).rev().map(code_of).collect();
    let mut mixed: Vec<_> = (0..12).map(|i| code_of(i * 5 % 12)).collect();
    for codes in [&mut forward, &mut backward, &mut mixed] {
        codes.sort_unstable();
    }
    assert!(forward == backward && forward == mixed);
    // The attack: with chained codes each would be a hash of the one before and its own ballot.
    let ballots: Vec<_> = (0..12).map(|seed| cast(&world, 1, &layout, &[1, 0, 1], seed)).collect();
    for ballot in &ballots {
        let view = BallotView::new(layout, &ballot.bytes).unwrap();
        assert_eq!(tracking_code(&world.hash, 1, &view), ballot.code);
        for before in &ballots {
            let chained = election::hash::hash("ippyo/1/code", &[&before.code, &ballot.bytes]);
            assert_ne!(chained, ballot.code);
        }
    }
}
