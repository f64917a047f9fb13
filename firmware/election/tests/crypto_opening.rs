//! Openings of spoiled ballots: what they show, what they hide, and a kiosk that lies.

mod crypto_support;

use crypto_support::*;
use election::ballot::{BallotView, Layout, Secret, verify};
use election::group::Scalar;
use election::opening::{ENTRY_LEN, HEADER_LEN, Opening, OpeningError, opening_len, write};
use proptest::prelude::*;

fn openings(layout: &Layout<'_>, cast: &Cast) -> Vec<Vec<u8>> {
    layout
        .shapes()
        .iter()
        .enumerate()
        .map(|(position, shape)| {
            let first = layout.first_selection(position).unwrap();
            let mut out = vec![0; opening_len(shape.selections())];
            let secrets = &cast.secrets[first..first + shape.selections()];
            write(&cast.code, u8::try_from(position).unwrap(), secrets, &mut out).unwrap();
            out
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn an_opening_shows_what_was_chosen(a in 0u32..5, b: [bool; 3], c in 0u64..2, seed: u8) {
        let world = World::new(1);
        let layout = Layout::new(3, &SMALL).unwrap();
        let choices = [1 << a, (0..).zip(b).map(|(i, b)| u64::from(b) << (2 * i)).sum(), c];
        let cast = cast(&world, 5, &layout, &choices, seed);
        let view = BallotView::new(layout, &cast.bytes).unwrap();
        for ((bytes, shape), choice) in openings(&layout, &cast).iter().zip(&SMALL).zip(choices) {
            let opening = Opening::parse(bytes).unwrap();
            prop_assert_eq!(opening.verify(&world.election(), 5, &view), Ok(()));
            prop_assert_eq!(opening.choice(shape.options), choice);
            prop_assert_eq!(opening.votes().filter(|vote| *vote).count(), usize::from(shape.votes));
            prop_assert_eq!(opening.verify(&world.election(), 6, &view), Err(OpeningError::OtherBallot));
        }
    }

    #[test]
    fn one_flipped_bit_in_an_opening_is_refused(at: prop::sample::Index, bit in 0u8..8) {
        let world = World::new(1);
        let layout = Layout::new(0, &TINY).unwrap();
        let cast = cast(&world, 5, &layout, &[1], 3);
        let mut bytes = openings(&layout, &cast).remove(0);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let view = BallotView::new(layout, &cast.bytes).unwrap();
        let result = Opening::parse(&bytes).and_then(|opening| opening.verify(&world.election(), 5, &view));
        prop_assert!(result.is_err());
    }

    #[test]
    fn hostile_openings_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Opening::parse(&bytes).is_err());
        if bytes.len() > 4 {
            bytes[..4].copy_from_slice(b"IPO1");
            let _ = Opening::parse(&bytes);
        }
    }
}

#[test]
fn p14_an_opening_holds_votes_and_nonces_and_nothing_else() {
    let world = World::new(1);
    let layout = Layout::new(3, &SMALL).unwrap();
    let cast = cast(&world, 5, &layout, &[1, 3, 0], 3);
    let view = BallotView::new(layout, &cast.bytes).unwrap();
    for (position, bytes) in openings(&layout, &cast).iter().enumerate() {
        let shape = SMALL[position];
        assert_eq!(bytes.len(), HEADER_LEN + shape.selections() * 33);
        assert_eq!(&bytes[..4], b"IPO1");
        assert_eq!(bytes[4..36], cast.code);
        assert_eq!(usize::from(bytes[36]), position);
        assert_eq!(usize::from(bytes[37]), shape.selections());
        let contest = view.contests().nth(position).unwrap();
        for (entry, selection) in bytes[38..].chunks(33).zip(contest.selections()) {
            let r = election::group::scalar(entry[1..].try_into().unwrap()).unwrap();
            let g = election::group::ProjectivePoint::GENERATOR;
            assert_eq!(point(g * r).to_bytes(), *selection.alpha);
        }
        // Neither the ballot's id nor its random seed.
        for secret in [&view.id()[..], &[3; 32]] {
            assert!(!bytes.windows(32).any(|window| window == secret));
        }
    }
}

#[test]
fn p14_wiped_secrets_open_nothing() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let mut cast = cast(&world, 5, &layout, &[1], 3);
    let mut out = vec![7; opening_len(3)];
    assert_eq!(
        write(&cast.code, 0, &cast.secrets[..2], &mut out),
        Err(OpeningError::Nothing)
    );
    // What the kiosk does when the ballot is cast.
    for secret in &mut cast.secrets {
        zeroize::Zeroize::zeroize(secret);
    }
    assert!(cast.secrets.iter().all(Secret::is_empty));
    assert_eq!(
        write(&cast.code, 0, &cast.secrets, &mut out),
        Err(OpeningError::Nothing)
    );
    assert_eq!(
        write(&cast.code, 0, &[], &mut vec![0; opening_len(0)]),
        Err(OpeningError::Nothing)
    );
    assert!(out.iter().all(|byte| *byte == 7));
}

#[test]
fn a_kiosk_that_encrypts_another_choice_is_found_out() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let honest = cast(&world, 5, &layout, &[1], 3);
    // It encrypts option 2 and shows an opening for option 1, with the right code.
    let lying = cast(&world, 5, &layout, &[2], 3);
    verify(&world.election(), layout, &lying.bytes).unwrap();
    let view = BallotView::new(layout, &lying.bytes).unwrap();
    let mut bytes = openings(&layout, &honest).remove(0);
    bytes[4..36].copy_from_slice(&lying.code);
    let opening = Opening::parse(&bytes).unwrap();
    assert_eq!(opening.choice(2), 1);
    assert_eq!(
        opening.verify(&world.election(), 5, &view),
        Err(OpeningError::Mismatch(0))
    );
    // Shifted nonces do not help: alpha fixes r.
    let r = election::group::scalar(bytes[39..71].try_into().unwrap()).unwrap() - Scalar::ONE;
    bytes[39..71].copy_from_slice(&r.to_bytes());
    let opening = Opening::parse(&bytes).unwrap();
    assert_eq!(
        opening.verify(&world.election(), 5, &view),
        Err(OpeningError::Mismatch(0))
    );
}

#[test]
fn forms_that_are_no_opening_are_refused_by_name() {
    let world = World::new(1);
    let layout = Layout::new(3, &SMALL).unwrap();
    let cast = cast(&world, 5, &layout, &[1, 3, 0], 3);
    let view = BallotView::new(layout, &cast.bytes).unwrap();
    let all = openings(&layout, &cast);
    for length in 0..all[0].len() {
        assert_eq!(Opening::parse(&all[0][..length]).err(), Some(OpeningError::Form));
    }
    let change = |at: usize, value: &[u8]| {
        let mut bytes = all[0].clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        Opening::parse(&bytes)
            .and_then(|opening| opening.verify(&world.election(), 5, &view))
            .err()
    };
    assert_eq!(change(0, b"IPO2"), Some(OpeningError::Form));
    assert_eq!(change(38, &[2]), Some(OpeningError::Value(0)));
    assert_eq!(change(39, &[0; 32]), Some(OpeningError::Value(0)));
    assert_eq!(change(39 + 33, &[255; 32]), Some(OpeningError::Value(1)));
    assert_eq!(change(36, &[1]), Some(OpeningError::Contest));
    assert_eq!(change(36, &[200]), Some(OpeningError::Contest));
    assert_eq!(change(4, &[1; 32]), Some(OpeningError::OtherBallot));
}

#[test]
fn p20_an_opening_has_one_length_whatever_was_chosen_and_no_byte_of_id_or_seed() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let mut lengths = std::collections::BTreeSet::new();
    for (seed, choice) in [(1, 0), (2, 1), (3, 2)] {
        let ballot = cast(&world, 1, &layout, &[choice], seed);
        let mut out = vec![0; opening_len(layout.selections())];
        write(&ballot.code, 0, &ballot.secrets, &mut out).unwrap();
        lengths.insert(out.len());
        // Magic, code, position, count and, for each selection, vote and nonce: every byte is accounted for.
        let mut expected = [&b"IPO1"[..], &ballot.code, &[0, 3]].concat();
        for entry in out[HEADER_LEN..].chunks(ENTRY_LEN) {
            let nonce = election::group::scalar(entry[1..].try_into().unwrap()).unwrap();
            let alpha = point(election::group::ProjectivePoint::GENERATOR * nonce).to_bytes();
            assert!(
                ballot.bytes.windows(33).any(|window| window == alpha),
                "not a nonce of the ballot"
            );
            expected.extend(entry);
        }
        assert_eq!(out, expected);
        let id = &ballot.bytes[3..35];
        assert!(!out.windows(8).any(|window| id.windows(8).any(|part| part == window)));
        let _: Opening<'_> = Opening::parse(&out).unwrap();
    }
    assert_eq!(lengths.len(), 1);
}
