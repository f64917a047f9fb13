//! The key ceremony's laws and the attacks on it.

mod attacks;
#[path = "../crypto_support/mod.rs"]
mod crypto_support;
mod messages;

use crypto_support::point;
use crypto_support::trustees::*;
use election::ceremony::{CeremonyError, Reason, Setup, verify_transcript};
use election::group::{ProjectivePoint, Scalar, scalar};
use proptest::prelude::*;

fn refused(trustee: u8, reason: Reason) -> Option<CeremonyError> {
    Some(CeremonyError { trustee, reason })
}

/// Lagrange at 0 over the trustees' secrets.
fn interpolate(secrets: &[(u8, Scalar)]) -> Scalar {
    secrets
        .iter()
        .map(|(own, secret)| {
            let lambda = secrets
                .iter()
                .filter(|(other, _)| other != own)
                .fold(Scalar::ONE, |product, (other, _)| {
                    let (own, other) = (Scalar::from(u32::from(*own)), Scalar::from(u32::from(*other)));
                    product * other * (other - own).invert().unwrap()
                });
            *secret * lambda
        })
        .sum()
}

#[test]
fn every_k_of_n_makes_a_key_that_any_k_hold_and_no_fewer() {
    let sizes = (1..=5u8)
        .flat_map(|n| (1..=n).map(move |k| (k, n)))
        .chain([(5, 9), (9, 9), (1, 9)]);
    for (k, n) in sizes {
        let trustees = Trustees::new(k, n, 10 * n + k);
        let run = trustees.run(k);
        let keys = &run.outcome.keys;
        assert_eq!((keys.threshold, keys.shares.len()), (k, usize::from(n)));
        let secrets: Vec<_> = run
            .secrets
            .iter()
            .map(|secret| (secret.trustee(), scalar(&secret.to_bytes()).unwrap()))
            .collect();
        for (number, secret) in &secrets {
            assert_eq!(keys.share(*number), Some(&point(ProjectivePoint::GENERATOR * secret)));
        }
        let opens = |some: &[(u8, Scalar)]| point(ProjectivePoint::GENERATOR * interpolate(some)) == keys.joint;
        let size = usize::from(k);
        for some in secrets.windows(size) {
            assert!(opens(some), "{k} of {n}");
        }
        let reversed: Vec<_> = secrets.iter().rev().copied().collect();
        assert!(opens(&reversed[..size]));
        if size > 1 {
            assert!(secrets.windows(size - 1).all(|some| !opens(some)), "{k} of {n}");
        }
        assert_eq!(
            verify_transcript(&run.transcript(&trustees), &run.keys(&trustees)).as_ref(),
            Ok(&run.outcome)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn p02_one_flipped_bit_in_transcript_or_keys_is_refused(at: prop::sample::Index, bit in 0u8..8) {
        let trustees = Trustees::new(2, 3, 1);
        let run = trustees.run(2);
        let (mut transcript, mut keys) = (run.transcript(&trustees), run.keys(&trustees));
        let at = at.index(transcript.len() + keys.len());
        match at.checked_sub(transcript.len()) {
            None => transcript[at] ^= 1 << bit,
            Some(at) => keys[at] ^= 1 << bit,
        }
        prop_assert!(verify_transcript(&transcript, &keys).is_err());
    }

    #[test]
    fn hostile_transcripts_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verify_transcript(&bytes, &bytes).is_err());
        prop_assert!(Setup::read(&bytes).is_err());
    }
}
