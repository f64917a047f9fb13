//! A ballot prepared while its voter reads: the same ballot as one encrypted at once, and no nonce twice, whatever the voter does.

mod crypto_support;

use std::collections::BTreeSet;

use crypto_support::*;
use election::ballot::{
    Ahead, EncryptError, Layout, PreparedSelection, PreparedSum, Secret, encrypt, prepare_contest, tracking_code,
    verify,
};
use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};

/// A generator that gives the same bytes again after `period` of them, or zeros from then on.
struct Broken<R> {
    good: R,
    period: usize,
    zero: bool,
    given: Vec<u8>,
    at: usize,
}

impl<R: rand_core::Rng> TryRng for Broken<R> {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("secrets are drawn as bytes")
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("secrets are drawn as bytes")
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for byte in bytes {
            if self.given.len() < self.period {
                let mut one = [0];
                self.good.fill_bytes(&mut one);
                self.given.push(one[0]);
            }
            *byte = if self.zero && self.at >= self.period {
                0
            } else {
                self.given[self.at % self.period]
            };
            self.at += 1;
        }
        Ok(())
    }
}

impl<R: rand_core::Rng> TryCryptoRng for Broken<R> {}

fn memory(selections: usize, sums: usize) -> (Vec<PreparedSelection>, Vec<PreparedSum>) {
    (
        (0..selections).map(|_| PreparedSelection::EMPTY).collect(),
        (0..sums).map(|_| PreparedSum::EMPTY).collect(),
    )
}

/// Something a voter makes the kiosk do.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Reads for so many steps.
    Read(u8, usize),
    /// Confirms a choice.
    Encrypt(u8, [u64; 3]),
    /// Goes away.
    Leave,
}

fn doing() -> impl Strategy<Value = Do> {
    prop_oneof![
        (0u8..2, 0usize..30).prop_map(|(style, steps)| Do::Read(style, steps)),
        (0u8..2, 0u64..5, 0u64..7, 0u64..2).prop_map(|(style, a, b, c)| Do::Encrypt(style, [1 << a, 1 << b, c])),
        Just(Do::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn p17_whatever_voters_do_every_ballot_holds_and_no_commitment_repeats(all in prop::collection::vec(doing(), 1..10), seed: u8) {
        let world = World::new(1);
        let (election, mut rng) = (world.election(), rng(seed));
        let layouts = [Layout::new(0, &SMALL).unwrap(), Layout::new(1, &TINY).unwrap()];
        let (mut slots, mut sums) = memory(layouts[0].selections(), layouts[0].shapes().len());
        let mut ahead = Ahead::new(&mut slots, &mut sums);
        let mut seen = BTreeSet::new();
        for one in all {
            match one {
                Do::Read(style, steps) => {
                    let layout = &layouts[usize::from(style)];
                    if !ahead.is_begun(layout) {
                        ahead.begin(layout).unwrap();
                    }
                    for _ in 0..steps {
                        ahead.step(&election, layout, &mut rng).unwrap();
                    }
                    prop_assert!(ahead.ready() <= layout.selections());
                }
                Do::Leave => ahead.burn(),
                Do::Encrypt(style, choices) => {
                    let layout = &layouts[usize::from(style)];
                    let choices = if style == 0 { &choices[..] } else { &[1][..] };
                    let (mut out, mut secrets) = (vec![0; layout.ballot_len()], no_secrets(layout.selections()));
                    let code = ahead.encrypt(&election, 9, layout, choices, &mut rng, &mut out, &mut secrets).unwrap();
                    prop_assert_eq!(ahead.ready(), 0, "something is left after use");
                    let view = verify(&election, *layout, &out).unwrap();
                    prop_assert_eq!(tracking_code(&world.hash, 9, &view), code);
                    for (contest, choice) in view.contests().zip(choices) {
                        for (index, selection) in contest.selections().enumerate() {
                            if index < usize::from(contest.shape.options) {
                                let vote = world.decrypt(selection.alpha, selection.beta).unwrap();
                                prop_assert_eq!(u64::from(vote), choice >> index & 1);
                            }
                            // All that follows from a nonce of this selection.
                            let [(a0, b0), (a1, b1)] = selection.commitments;
                            for point in [selection.alpha, a0, b0, a1, b1] {
                                prop_assert!(seen.insert(*point), "a commitment repeats");
                            }
                        }
                        prop_assert!(seen.insert(*contest.sum().unwrap().a), "a commitment of a sum repeats");
                    }
                }
            }
        }
        drop(ahead);
        prop_assert!(!slots.iter().any(PreparedSelection::is_fresh));
    }
}

/// What lies in the memory at the beginning, wherever it comes from, is not used.
#[test]
fn p17_prepared_values_found_in_memory_are_burnt_unread() {
    let world = World::new(1);
    let (election, layout) = (world.election(), Layout::new(1, &TINY).unwrap());
    let (mut slots, mut sums) = memory(layout.selections(), 1);
    prepare_contest(&election, &TINY[0], &mut slots, &mut sums[0], &mut rng(1)).unwrap();
    assert!(slots.iter().all(PreparedSelection::is_fresh));
    let mut ahead = Ahead::new(&mut slots, &mut sums);
    assert_eq!(ahead.ready(), 0);
    // Nothing was begun, so nothing is prepared by a step either.
    assert_eq!(ahead.step(&election, &layout, &mut rng(2)), Err(EncryptError::Burnt));
    drop(ahead);
    assert!(!slots.iter().any(PreparedSelection::is_fresh));
}

#[test]
fn p17_a_ballot_given_up_by_its_memory_is_burnt() {
    let world = World::new(1);
    let (election, layout) = (world.election(), Layout::new(0, &SMALL).unwrap());
    let (mut slots, mut sums) = memory(layout.selections(), 3);
    let mut ahead = Ahead::new(&mut slots, &mut sums);
    ahead.begin(&layout).unwrap();
    let mut rng = rng(3);
    while ahead.step(&election, &layout, &mut rng).unwrap() {
        assert!(ahead.ready() > 0);
    }
    assert_eq!(ahead.ready(), layout.selections());
    // As a kiosk that is switched off: nobody says "burn".
    drop(ahead);
    assert!(!slots.iter().any(PreparedSelection::is_fresh));
}

#[test]
fn without_memory_the_ballot_is_encrypted_at_once_and_is_as_good() {
    let world = World::new(1);
    let (election, layout) = (world.election(), Layout::new(0, &SMALL).unwrap());
    for (selections, contests) in [(0, 0), (layout.selections() - 1, 3), (layout.selections(), 2)] {
        let (mut slots, mut sums) = memory(selections, contests);
        let mut ahead = Ahead::new(&mut slots, &mut sums);
        assert!(!ahead.fits(&layout));
        assert_eq!(ahead.begin(&layout), Err(EncryptError::Output));
        let attempt = |whole: bool, ahead: &mut Ahead<'_>| {
            let (mut out, mut secrets) = (vec![0; layout.ballot_len()], no_secrets(layout.selections()));
            let (choices, mut rng) = ([1, 0b11, 0], rng(4));
            let code = if whole {
                encrypt(&election, 1, &layout, &choices, &mut rng, &mut out, &mut secrets)
            } else {
                ahead.encrypt(&election, 1, &layout, &choices, &mut rng, &mut out, &mut secrets)
            };
            (code.unwrap(), out)
        };
        assert_eq!(attempt(false, &mut ahead), attempt(true, &mut ahead));
    }
}

/// Steps are one series of draws: a source that comes back to where it was is noticed though each step alone looks good.
#[test]
fn p16_a_source_that_fails_between_two_steps_prepares_nothing() {
    const SCALAR: usize = 48;
    let world = World::new(1);
    let (election, layout) = (world.election(), Layout::new(0, &SMALL).unwrap());
    // Six scalars, ten scalars: no step of four sees one twice. Zeros from the ninth scalar on.
    for (period, zero) in [(6 * SCALAR, false), (10 * SCALAR, false), (8 * SCALAR, true)] {
        let (mut slots, mut sums) = memory(layout.selections(), 3);
        let mut source = Broken {
            good: rng(5),
            period,
            zero,
            given: Vec::new(),
            at: 0,
        };
        let mut ahead = Ahead::new(&mut slots, &mut sums);
        ahead.begin(&layout).unwrap();
        let failed = loop {
            match ahead.step(&election, &layout, &mut source) {
                Ok(true) => {}
                other => break other,
            }
        };
        assert_eq!(failed, Err(EncryptError::Randomness), "{period} {zero}");
        assert_eq!(ahead.ready(), 0);
        // The same through the whole encryption: no ballot, nothing left of one.
        let (mut out, mut secrets) = (vec![1; layout.ballot_len()], no_secrets(layout.selections()));
        let encrypted = ahead.encrypt(&election, 1, &layout, &[1, 1, 1], &mut source, &mut out, &mut secrets);
        assert_eq!(encrypted, Err(EncryptError::Randomness));
        assert!(out.iter().all(|byte| *byte == 0) && secrets.iter().all(Secret::is_empty));
        drop(ahead);
        assert!(!slots.iter().any(PreparedSelection::is_fresh));
    }
}

#[test]
fn a_refused_choice_burns_what_was_prepared() {
    let world = World::new(1);
    let (election, layout) = (world.election(), Layout::new(1, &TINY).unwrap());
    let (mut slots, mut sums) = memory(layout.selections(), 1);
    let mut ahead = Ahead::new(&mut slots, &mut sums);
    ahead.begin(&layout).unwrap();
    let mut rng = rng(6);
    while ahead.step(&election, &layout, &mut rng).unwrap() {}
    let (mut out, mut secrets) = (vec![1; layout.ballot_len()], no_secrets(layout.selections()));
    let encrypted = ahead.encrypt(&election, 1, &layout, &[3], &mut rng, &mut out, &mut secrets);
    assert_eq!(encrypted, Err(EncryptError::Overvote(0)));
    assert_eq!(ahead.ready(), 0);
    assert!(out.iter().all(|byte| *byte == 0));
}
