//! Sums, decryptions and their proofs: laws and attacks.

mod crypto_support;

use crypto_support::trustees::{Run, Trustees, encoded};
use crypto_support::*;
use election::ballot::{BallotView, Layout};
use election::dlog::{Baby, Dlog};
use election::group::{ProjectivePoint, Scalar, random_scalar, scalar, scalar_bytes};
use election::hash::hash_to_scalar;
use election::keys::Keys;
use election::tally::{
    Decryption, PublicKeys, SelectionSum, SelectionTally, Statement, TallyError, TrusteeSecret, add_contest, choose,
    combine, open_sum, verify_decryption, verify_selection,
};
use election::wire::{self, Bytes, Seq};
use proptest::prelude::*;

struct Polls {
    run: Run,
    keys: PublicKeys,
    world: World,
}

impl Polls {
    fn new(k: u8, n: u8) -> Self {
        let trustees = Trustees::new(k, n, 1);
        let run = trustees.run(2);
        let bytes = run.keys(&trustees);
        let keys: Keys<'_> = wire::decode(&bytes).unwrap();
        let keys = PublicKeys::read(&keys).unwrap();
        assert_eq!(keys, run.outcome.keys);
        let world = World::with_key(Scalar::ZERO, keys.joint, [3; 32]);
        Self { run, keys, world }
    }

    fn statement<'s>(&'s self, sum: &SelectionSum) -> Statement<'s> {
        let (a, b) = sum.points().unwrap();
        Statement {
            election: &self.world.hash,
            contest: 0,
            selection: 0,
            a,
            b,
        }
    }

    fn parts(&self, statement: &Statement<'_>) -> Vec<Decryption> {
        self.run
            .secrets
            .iter()
            .map(|secret| secret.decrypt(statement, &mut rng(secret.trustee())).unwrap())
            .collect()
    }

    fn total(&self, statement: &Statement<'_>, parts: &[Decryption], max: u32) -> Option<u32> {
        let opened = open_sum(&self.keys, statement, parts).ok()?;
        Dlog::new(&self.keys.joint, &mut [Baby::EMPTY; 8]).find(&opened, max)
    }
}

fn sums(world: &World, layout: &Layout<'_>, ballots: &[Vec<u64>]) -> Vec<SelectionSum> {
    let mut sums = vec![SelectionSum::EMPTY; layout.selections()];
    for (seed, choices) in (0u8..).zip(ballots) {
        let bytes = cast(world, 1, layout, choices, seed).bytes;
        let view = BallotView::new(*layout, &bytes).unwrap();
        let mut rest = &mut sums[..];
        for contest in view.contests() {
            let (here, tail) = rest.split_at_mut(contest.shape.selections());
            add_contest(here, &contest).unwrap();
            rest = tail;
        }
    }
    sums
}

#[test]
fn the_tally_is_what_was_chosen_whoever_decrypts() {
    let polls = Polls::new(3, 5);
    let layout = Layout::new(0, &SMALL).unwrap();
    let ballots: Vec<Vec<u64>> = (0..12u64).map(|i| vec![1 << (i % 5), i & 0b101, i & 1]).collect();
    let count = |contest: usize, option: u32| {
        let sum: u64 = ballots.iter().map(|choices| (choices[contest] >> option) & 1).sum();
        u32::try_from(sum).unwrap()
    };
    let mut expected: Vec<u32> = Vec::new();
    for (contest, shape) in SMALL.iter().enumerate() {
        expected.extend((0..u32::from(shape.options)).map(|option| count(contest, option)));
        for blank in 0..u32::from(shape.votes) {
            let blanks = |choice: u64| u32::from(shape.votes) - choice.count_ones();
            expected.push(
                ballots
                    .iter()
                    .map(|choices| u32::from(blanks(choices[contest]) > blank))
                    .sum(),
            );
        }
    }
    let sums = sums(&polls.world, &layout, &ballots);
    for (sum, expected) in sums.iter().zip(&expected) {
        let statement = polls.statement(sum);
        let parts = polls.parts(&statement);
        for some in [[0, 1, 2], [2, 3, 4], [0, 2, 4]] {
            let some = some.map(|index| parts[index]);
            assert_eq!(polls.total(&statement, &some, 12), Some(*expected));
            let decryptions: Vec<u8> = some.iter().flat_map(encoded).collect();
            let published = SelectionTally {
                a: Bytes(statement.a.to_bytes()),
                b: Bytes(statement.b.to_bytes()),
                total: *expected,
                decryptions: Seq::from_bytes(&decryptions),
            };
            assert_eq!(verify_selection(&polls.keys, &statement, 12, &published), Ok(()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn ballots_add_up_in_any_order_and_in_any_parts(choices in prop::collection::vec(0u64..3, 2..6), split in 0usize..6) {
        let world = World::new(1);
        let layout = Layout::new(0, &TINY).unwrap();
        let ballots: Vec<Vec<u64>> = choices.iter().map(|choice| vec![*choice]).collect();
        let one = sums(&world, &layout, &ballots);
        let mut views = vec![SelectionSum::EMPTY; 3];
        let mut parts = [views.clone(), views.clone()];
        for (seed, choices) in (0u8..).zip(&ballots).collect::<Vec<_>>().into_iter().rev() {
            let bytes = cast(&world, 1, &layout, choices, seed).bytes;
            let contest = BallotView::new(layout, &bytes).unwrap().contest(0).unwrap();
            add_contest(&mut parts[usize::from(usize::from(seed) < split)], &contest).unwrap();
        }
        for part in &parts {
            for (sum, part) in views.iter_mut().zip(part) {
                sum.merge(part);
            }
        }
        for (one, other) in one.iter().zip(&views) {
            prop_assert_eq!(one.points(), other.points());
        }
    }
}

fn one_sum(polls: &Polls) -> SelectionSum {
    sums(
        &polls.world,
        &Layout::new(0, &TINY).unwrap(),
        &[vec![1], vec![1], vec![2], vec![1]],
    )[0]
}

#[test]
fn p11_bad_parts_stop_nothing_but_themselves_and_are_named() {
    let polls = Polls::new(3, 5);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let good = polls.parts(&statement);
    // A wrong point, a point with the proof of another, a proof of nothing, a key that is not the trustee's.
    let mut wrong = good[0];
    wrong.point = Bytes(point(statement.a.projective() * Scalar::from(7u32)).to_bytes());
    let mut garbage = good[3];
    garbage.point = Bytes([0; 33]);
    let stranger = TrusteeSecret::from_bytes(2, &[5; 32]).unwrap();
    let impostor = stranger.decrypt(&statement, &mut rng(5)).unwrap();
    let mut nobody = good[4];
    nobody.trustee = 9;

    let chosen = choose(&polls.keys, &statement, [wrong, good[4], nobody, good[1], good[2]]).unwrap();
    assert_eq!(chosen.bad, [1]);
    assert_eq!(chosen.good, [good[1], good[2], good[4]]);
    assert_eq!(polls.total(&statement, &chosen.good, 4), Some(3));

    let chosen = choose(&polls.keys, &statement, [garbage, impostor, good[0], good[2], good[4]]).unwrap();
    assert_eq!(chosen.bad, [2, 4]);
    assert_eq!(chosen.good, [good[0], good[2], good[4]]);
    // A good part after a bad one of the same trustee counts.
    let chosen = choose(&polls.keys, &statement, [impostor, good[1], good[0], good[2]]).unwrap();
    assert_eq!((chosen.bad.len(), chosen.good.len()), (0, 3));
    assert_eq!(
        choose(&polls.keys, &statement, [wrong, garbage, impostor, good[2], good[4]]).err(),
        Some(TallyError::TooFew { good: 2, needed: 3 })
    );
    assert_eq!(
        combine(&polls.keys, &statement, &[wrong, good[1], good[2]]).err(),
        Some(TallyError::Trustee(1))
    );
}

#[test]
fn p11_k_different_trustees_in_order_are_needed() {
    let polls = Polls::new(3, 5);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let p = polls.parts(&statement);
    for list in [
        vec![],
        vec![p[0], p[1]],
        vec![p[0], p[1], p[2], p[3]],
        vec![p[0], p[0], p[1]],
        vec![p[0], p[2], p[1]],
    ] {
        assert_eq!(
            combine(&polls.keys, &statement, &list).err(),
            Some(TallyError::Trustees)
        );
    }
    let single = Polls::new(1, 1);
    let sum = one_sum(&single);
    let statement = single.statement(&sum);
    assert_eq!(single.total(&statement, &single.parts(&statement), 4), Some(3));
}

#[test]
fn p18_a_decryption_proof_moved_elsewhere_is_refused() {
    let polls = Polls::new(2, 3);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let part = polls.parts(&statement)[0];
    assert!(verify_decryption(&polls.keys, &statement, &part).is_ok());
    let other = point(statement.a.projective() + ProjectivePoint::GENERATOR);
    let refused = |statement: Statement<'_>, part: &Decryption| {
        assert_eq!(
            verify_decryption(&polls.keys, &statement, part).err(),
            Some(TallyError::Trustee(part.trustee))
        );
    };
    refused(Statement { a: other, ..statement }, &part);
    refused(Statement { b: other, ..statement }, &part);
    refused(
        Statement {
            contest: 1,
            ..statement
        },
        &part,
    );
    refused(
        Statement {
            selection: 1,
            ..statement
        },
        &part,
    );
    let mut election = polls.world.hash;
    for bit in 0..256 {
        election[bit / 8] ^= 1 << (bit % 8);
        refused(
            Statement {
                election: &election,
                ..statement
            },
            &part,
        );
        election[bit / 8] ^= 1 << (bit % 8);
    }
    for trustee in [0, 2, 3, 4, 255] {
        refused(statement, &Decryption { trustee, ..part });
    }
    // The same proof under other public keys.
    let mut keys = polls.keys.clone();
    keys.shares[0] = keys.shares[1];
    assert!(verify_decryption(&keys, &statement, &part).is_err());
}

#[test]
fn p09_p02_every_bit_of_a_decryption_is_bound() {
    let polls = Polls::new(2, 3);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let part = polls.parts(&statement)[0];
    for bit in 0..33 * 8 {
        let mut changed = part;
        changed.point.0[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_decryption(&polls.keys, &statement, &changed).is_err());
    }
    for bit in 0..256 {
        let (mut challenge, mut response) = (part, part);
        challenge.challenge[bit / 8] ^= 1 << (bit % 8);
        response.response[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_decryption(&polls.keys, &statement, &challenge).is_err());
        assert!(verify_decryption(&polls.keys, &statement, &response).is_err());
    }
    // p08: the same scalars plus n, where they fit.
    let n = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let changed = Decryption {
        response: n.try_into().unwrap(),
        ..part
    };
    assert!(verify_decryption(&polls.keys, &statement, &changed).is_err());
}

/// Weak Fiat-Shamir: a trustee picks M so that a false total comes out, and fits the proof to a hash without M.
#[test]
fn p01_a_part_chosen_after_the_challenge_is_refused() {
    let polls = Polls::new(1, 1);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let share = polls.keys.shares[0];
    let secret = scalar(&polls.run.secrets[0].to_bytes()).unwrap();
    let mut rng = rng(4);
    let (u, w) = (random_scalar(&mut rng).unwrap(), random_scalar(&mut rng).unwrap());
    let (on_g, on_a) = (
        point(ProjectivePoint::GENERATOR * u),
        point(statement.a.projective() * w),
    );
    let c = hash_to_scalar(
        "ippyo/1/decryption",
        &[
            statement.election,
            &[1],
            &[0, 0],
            &[0],
            &share.to_bytes(),
            &statement.a.to_bytes(),
            &statement.b.to_bytes(),
            &on_g.to_bytes(),
            &on_a.to_bytes(),
        ],
    );
    let v = u - c * secret;
    // v·A + c·M = w·A for M = ((w - v) / c)·A, which is not s·A.
    let lie = point(statement.a.projective() * ((w - v) * c.invert().unwrap()));
    assert_eq!(statement.a.projective() * v + lie.projective() * c, on_a.projective());
    assert_ne!(lie, point(statement.a.projective() * secret));
    let forged = Decryption {
        trustee: 1,
        point: Bytes(lie.to_bytes()),
        challenge: scalar_bytes(&c),
        response: scalar_bytes(&v),
    };
    assert!(verify_decryption(&polls.keys, &statement, &forged).is_err());
}

#[test]
fn p16_a_broken_random_source_does_not_give_the_secret_away() {
    struct Zero;
    impl rand_core::TryRng for Zero {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.fill(0);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Zero {}
    let polls = Polls::new(1, 1);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let other = Statement {
        selection: 1,
        ..statement
    };
    let secret = &polls.run.secrets[0];
    let [one, two] = [statement, other].map(|statement| secret.decrypt(&statement, &mut Zero).unwrap());
    let read = |bytes: &[u8; 32]| scalar(bytes).unwrap();
    // With equal nonces this would be s.
    let (dv, dc) = (
        read(&one.response) - read(&two.response),
        read(&two.challenge) - read(&one.challenge),
    );
    assert_ne!(scalar_bytes(&(dv * dc.invert().unwrap())), *secret.to_bytes());
}

#[test]
fn a_published_total_is_checked_to_the_vote() {
    let polls = Polls::new(2, 3);
    let sum = one_sum(&polls);
    let statement = polls.statement(&sum);
    let parts = polls.parts(&statement);
    let good: Vec<u8> = parts[..2].iter().flat_map(encoded).collect();
    let published = SelectionTally {
        a: Bytes(statement.a.to_bytes()),
        b: Bytes(statement.b.to_bytes()),
        total: 3,
        decryptions: Seq::from_bytes(&good),
    };
    let verify = |ballots: u32, published: &SelectionTally<'_>| {
        verify_selection(&polls.keys, &statement, ballots, published).err()
    };
    assert_eq!(verify(4, &published), None);
    assert_eq!(verify(2, &published), Some(TallyError::Total));
    for total in [0, 2, 4] {
        assert_eq!(
            verify(4, &SelectionTally { total, ..published }),
            Some(TallyError::Total)
        );
    }
    let exchanged = SelectionTally {
        a: published.b,
        b: published.a,
        ..published
    };
    assert_eq!(verify(4, &exchanged), Some(TallyError::Sums));
    let lists = [
        vec![],
        vec![parts[0]],
        vec![parts[1], parts[0]],
        vec![parts[0], parts[0]],
        parts.clone(),
    ];
    for list in lists {
        let bytes: Vec<u8> = list.iter().flat_map(encoded).collect();
        let published = SelectionTally {
            decryptions: Seq::from_bytes(&bytes),
            ..published
        };
        assert_eq!(verify(4, &published), Some(TallyError::Trustees));
    }
    let cut = SelectionTally {
        decryptions: Seq::from_bytes(&good[..good.len() - 1]),
        ..published
    };
    assert_eq!(verify(4, &cut), Some(TallyError::Trustees));
}

#[test]
fn p07_sums_that_cancel_and_points_that_are_none_are_refused() {
    assert!(SelectionSum::EMPTY.points().is_err());
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let mut bytes = cast(&world, 1, &layout, &[1], 1).bytes;
    let mut sums = [SelectionSum::EMPTY; 3];
    let contest = |bytes: &[u8], sums: &mut [SelectionSum]| {
        add_contest(sums, &BallotView::new(layout, bytes).unwrap().contest(0).unwrap()).is_ok()
    };
    assert!(contest(&bytes, &mut sums));
    let before = sums.map(|sum| sum.points());
    // A ballot with a point that is none changes no sum at all, not even the first.
    bytes[35 + 2 * 294] = 0;
    assert!(!contest(&bytes, &mut sums));
    assert_eq!(sums.map(|sum| sum.points()), before);
    bytes[35 + 2 * 294] = 2;
    assert!(!contest(&bytes, &mut sums[..2]));
    assert_eq!(sums.map(|sum| sum.points()), before);
    // The negative of a ballot.
    let mut bytes = cast(&world, 1, &layout, &[1], 1).bytes;
    for selection in 0..3 {
        bytes[35 + selection * 294] ^= 1;
        bytes[35 + selection * 294 + 33] ^= 1;
    }
    assert!(contest(&bytes, &mut sums));
    assert!(sums.iter().all(|sum| sum.points().is_err()));
}
