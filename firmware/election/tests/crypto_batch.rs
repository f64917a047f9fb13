//! Batch verification: it accepts and refuses exactly what one-by-one verification does.

mod crypto_support;

use crypto_support::*;
use election::ballot::{BallotError, BallotView, BatchError, Bucket, Layout, Scratch, Term, verify, verify_batch};
use election::group::{Scalar, scalar};
use proptest::prelude::*;

fn batch(world: &World, ballots: &[BallotView<'_>], terms: usize, buckets: usize) -> Result<(), BatchError> {
    let mut terms = vec![Term::EMPTY; terms];
    let mut buckets = vec![Bucket::EMPTY; buckets];
    verify_batch(&world.election(), ballots, &mut Scratch::new(&mut terms, &mut buckets))
}

fn ballots(world: &World, layout: &Layout<'_>, count: u8) -> Vec<Vec<u8>> {
    (0..count)
        .map(|seed| {
            let choices: Vec<_> = layout.shapes().iter().map(|_| u64::from(seed) & 1).collect();
            cast(world, 1, layout, &choices, seed).bytes
        })
        .collect()
}

fn views<'b>(layout: &Layout<'b>, ballots: &'b [Vec<u8>]) -> Vec<BallotView<'b>> {
    ballots
        .iter()
        .map(|bytes| BallotView::new(*layout, bytes).unwrap())
        .collect()
}

#[test]
fn good_batches_pass_with_any_memory_that_holds_one_ballot() {
    let world = World::new(1);
    let (small, tiny) = (Layout::new(3, &SMALL).unwrap(), Layout::new(4, &TINY).unwrap());
    let (one, two) = (ballots(&world, &small, 5), ballots(&world, &tiny, 3));
    let mixed: Vec<_> = views(&small, &one).into_iter().chain(views(&tiny, &two)).collect();
    let largest = 6 * small.selections() + 2 * 3;
    for terms in [largest, largest + 1, 2 * largest, 10_000] {
        for buckets in [2, 8, 500] {
            assert_eq!(batch(&world, &mixed, terms, buckets), Ok(()));
        }
    }
    assert_eq!(batch(&world, &mixed, largest - 1, 8), Err(BatchError::Scratch));
    assert_eq!(batch(&world, &mixed, largest, 1), Err(BatchError::Scratch));
    assert_eq!(batch(&world, &[], 0, 0), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn p02_one_flipped_bit_is_found_and_named(which in 0usize..4, at: prop::sample::Index, bit in 0u8..8) {
        let world = World::new(1);
        let layout = Layout::new(4, &TINY).unwrap();
        let mut list = ballots(&world, &layout, 4);
        let at = 3 + at.index(layout.ballot_len() - 3);
        list[which][at] ^= 1 << bit;
        let error = verify(&world.election(), layout, &list[which]).err().unwrap();
        let result = batch(&world, &views(&layout, &list), 1000, 16);
        let Err(BatchError::Ballot { index, error: found }) = result else {
            panic!("{result:?}");
        };
        prop_assert_eq!(index, which);
        // Points and scalars are named alike; a broken proof is named by the check that follows.
        prop_assert_eq!(found, error);
    }
}

#[test]
fn p01_errors_made_to_cancel_one_another_are_found() {
    let world = World::new(1);
    let layout = Layout::new(4, &TINY).unwrap();
    let honest = ballots(&world, &layout, 2);
    // The response of one sum proof raised, that of the other lowered: with equal weights the sum would vanish.
    let at = layout.ballot_len() - 32;
    for delta in [Scalar::ONE, Scalar::from(12345u32)] {
        let mut list = honest.clone();
        for (bytes, delta) in list.iter_mut().zip([delta, -delta]) {
            let field: [u8; 32] = bytes[at..].try_into().unwrap();
            bytes[at..].copy_from_slice(&(scalar(&field).unwrap() + delta).to_bytes());
        }
        assert!(matches!(
            batch(&world, &views(&layout, &list), 1000, 16),
            Err(BatchError::Ballot {
                index: 0,
                error: BallotError::Sum(_)
            })
        ));
    }
    // The same inside one 0/1 proof: v0 raised, v1 lowered.
    let mut bytes = honest[0].clone();
    for (at, delta) in [(35 + 230, Scalar::ONE), (35 + 262, -Scalar::ONE)] {
        let field: [u8; 32] = bytes[at..at + 32].try_into().unwrap();
        bytes[at..at + 32].copy_from_slice(&(scalar(&field).unwrap() + delta).to_bytes());
    }
    let list = [bytes];
    assert!(matches!(
        batch(&world, &views(&layout, &list), 1000, 16),
        Err(BatchError::Ballot {
            index: 0,
            error: BallotError::Selection(_)
        })
    ));
}

#[test]
fn p02_a_batch_of_another_election_is_refused() {
    let world = World::new(1);
    let layout = Layout::new(4, &TINY).unwrap();
    let list = ballots(&world, &layout, 3);
    let other = World::with_key(world.secret, world.joint, [9; 32]);
    assert!(matches!(
        batch(&other, &views(&layout, &list), 1000, 16),
        Err(BatchError::Ballot {
            index: 0,
            error: BallotError::Selection(_)
        })
    ));
}
