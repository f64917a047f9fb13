//! The ballot's laws and the attacks on it. Names: pNN is the pitfall of that number in the project's list.

mod bound;
#[path = "../crypto_support/mod.rs"]
mod crypto_support;
mod made;
mod read;

use crypto_support::*;
use election::ballot::{BallotView, Layout, LayoutError, Place, check, tracking_code, verify};
use election::group::{Point, ProjectivePoint, Scalar};
use proptest::prelude::*;

const HEADER: usize = 35;
const SELECTION: usize = 294;

fn place(contest: u16, selection: u8) -> Place {
    Place {
        contest,
        selection: Some(selection),
    }
}

/// Choices that obey the shapes, from random bits.
fn choices(shapes: &[election::ballot::ContestShape], bits: &[u64]) -> Vec<u64> {
    shapes
        .iter()
        .zip(bits.iter().cycle())
        .map(|(shape, bits)| {
            let mut choice = bits & ((1u64 << shape.options) - 1);
            while choice.count_ones() > u32::from(shape.votes) {
                choice &= choice - 1;
            }
            choice
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_ballot_verifies_and_holds_exactly_what_was_chosen(bits: [u64; 4], seed: u8, style: u16, station: u16) {
        let world = World::new(1);
        let layout = Layout::new(style, &SHAPES).unwrap();
        let choices = choices(&SHAPES, &bits);
        let cast = cast(&world, station, &layout, &choices, seed);
        let view = verify(&world.election(), layout, &cast.bytes).unwrap();
        prop_assert_eq!(tracking_code(&world.hash, station, &view), cast.code);
        prop_assert_ne!(tracking_code(&world.hash, station ^ 1, &view), cast.code);
        for (contest, choice) in view.contests().zip(choices) {
            let votes: Vec<u8> = contest.selections().map(|s| world.decrypt(s.alpha, s.beta).unwrap()).collect();
            let (options, blank) = votes.split_at(usize::from(contest.shape.options));
            for (index, vote) in options.iter().enumerate() {
                prop_assert_eq!(u64::from(*vote), (choice >> index) & 1);
            }
            let chosen = usize::try_from(choice.count_ones()).unwrap();
            let no_votes = usize::from(contest.shape.votes) - chosen;
            for (index, vote) in blank.iter().enumerate() {
                prop_assert_eq!(*vote == 1, index < no_votes);
            }
        }
    }

    #[test]
    fn p02_one_flipped_bit_anywhere_breaks_a_ballot(position: prop::sample::Index, bit in 0u8..8) {
        let world = World::new(1);
        let layout = Layout::new(7, &TINY).unwrap();
        let mut bytes = cast(&world, 1, &layout, &[1], 9).bytes;
        verify(&world.election(), layout, &bytes).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        prop_assert!(verify(&world.election(), layout, &bytes).is_err());
    }

    #[test]
    fn hostile_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..2000), tail: bool) {
        let world = World::new(1);
        let layout = Layout::new(7, &TINY).unwrap();
        prop_assert!(verify(&world.election(), layout, &bytes).is_err());
        bytes.resize(layout.ballot_len(), 3);
        if tail {
            bytes[..3].copy_from_slice(&[1, 0, 7]);
        }
        prop_assert!(verify(&world.election(), layout, &bytes).is_err());
        prop_assert!(check(layout, &bytes).is_err());
    }
}

#[test]
fn the_provers_of_crate_and_specification_agree() {
    let world = World::new(1);
    let layout = Layout::new(3, &SMALL).unwrap();
    let mut prover = Prover {
        world: &world,
        style: 3,
        id: [5; 32],
        rng: rng(3),
    };
    let mut bytes = prover.header();
    for (shape, votes) in SMALL
        .iter()
        .zip([&[0, 1, 0, 0, 0, 0][..], &[1, 0, 0, 0, 0, 0, 1, 1, 0, 0], &[0, 1]])
    {
        let scalars: Vec<_> = votes.iter().map(|vote| Scalar::from(*vote as u32)).collect();
        let claims: Vec<_> = votes.iter().map(|vote| *vote == 1).collect();
        bytes.extend(prover.contest(shape, &scalars, &claims));
    }
    verify(&world.election(), layout, &bytes).unwrap();
}

#[test]
fn layouts_outside_the_limits_are_refused() {
    assert_eq!(Layout::new(0, &[]).err(), Some(LayoutError::Size));
    for (m, n) in [(0, 0), (5, 0), (3, 4), (61, 1), (60, 16), (255, 255)] {
        assert_eq!(Layout::new(0, &[shape(2, m, n)]).err(), Some(LayoutError::Contest(2)));
    }
    assert_eq!(
        Layout::new(0, &[shape(2, 2, 1), shape(2, 2, 1)]).err(),
        Some(LayoutError::Order)
    );
    let many: Vec<_> = (0..65).map(|contest| shape(contest, 1, 1)).collect();
    assert_eq!(Layout::new(0, &many).err(), Some(LayoutError::Size));
    let wide: Vec<_> = (0..7).map(|contest| shape(contest, 60, 15)).collect();
    assert_eq!(Layout::new(0, &wide).err(), Some(LayoutError::Size));
    let layout = Layout::new(0, &SMALL).unwrap();
    assert_eq!(layout.ballot_len(), 35 + 18 * 294 + 3 * 98);
    assert_eq!(
        (0..4).map(|at| layout.first_selection(at)).collect::<Vec<_>>(),
        [Some(0), Some(6), Some(16), None]
    );
    assert_eq!(BallotView::claimed_style(&[1, 2, 3]), Some(0x203));
    let world = World::new(1);
    // K = G would let everybody decrypt.
    assert!(
        election::ballot::Election::new([0; 32], *world.election().generator(), *world.election().generator()).is_err()
    );
    assert!(election::ballot::Election::new([0; 32], *world.election().joint(), *world.election().joint()).is_err());
    assert_eq!(Point::GENERATOR.projective(), ProjectivePoint::GENERATOR);
}
