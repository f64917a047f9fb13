//! The ballot's laws and the attacks on it. Names: pNN is the pitfall of that number in the project's list.

mod crypto_support;

use crypto_support::*;
use election::ballot::{
    BallotError, BallotView, EncryptError, Layout, LayoutError, Place, PreparedSelection, PreparedSum, check, encrypt,
    encrypt_prepared, prepare_contest, tracking_code, verify,
};
use election::group::{Point, ProjectivePoint, Scalar, random_scalar};
use election::hash::hash_to_scalar;
use p256::elliptic_curve::{Field as _, Group as _};
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

/// (y0 - x0) / m + (y1 - x1) / (m - 1) = c solved for m: what lets somebody choose the vote after the challenge.
fn solve(d0: Scalar, d1: Scalar, c: Scalar) -> Option<Scalar> {
    // c m^2 - (c + d0 + d1) m + d0 = 0
    let b = c + d0 + d1;
    let root = Option::<Scalar>::from((b.square() - Scalar::from(4u32) * c * d0).sqrt())?;
    Some((b + root) * (c + c).invert().unwrap())
}

#[test]
fn p01_a_statement_chosen_after_the_challenge_is_refused() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let mut bytes = cast(&world, 1, &layout, &[1], 9).bytes;
    let id: [u8; 32] = bytes[3..35].try_into().unwrap();
    let (g, k) = (ProjectivePoint::GENERATOR, world.joint.projective());
    let mut rng = rng(77);
    let mut draw = || random_scalar(&mut rng).unwrap();
    loop {
        let (x0, y0, x1, y1) = (draw(), draw(), draw(), draw());
        let commitments = [g * x0, k * y0, g * x1, k * y1].map(|p| point(p).to_bytes());
        let [a0, b0, a1, b1] = &commitments;
        // The weak hash: everything but the statement.
        let (e, s, z): (&[u8], &[u8], &[u8]) = (&world.hash, &[0, 0], &[0]);
        let c = hash_to_scalar("ippyo/1/ballot/selection", &[e, &id, s, s, z, a0, b0, a1, b1]);
        let Some(vote) = solve(y0 - x0, y1 - x1, c) else {
            continue;
        };
        let c0 = (y0 - x0) * vote.invert().unwrap();
        let c1 = c - c0;
        let t = draw();
        let (v0, v1) = (x0 - c0 * t, x1 - c1 * t);
        let (alpha, beta) = (g * t, k * (vote + t));
        // Against the weak hash this is a valid proof that a vote of about 2^255 is 0 or 1...
        assert_eq!(g * v0 + alpha * c0, g * x0);
        assert_eq!(k * v0 + beta * c0, k * y0);
        assert_eq!(g * v1 + alpha * c1, g * x1);
        assert_eq!(k * v1 + (beta - k) * c1, k * y1);
        let forged: Vec<u8> = [alpha, beta]
            .iter()
            .flat_map(|p| point(*p).to_bytes())
            .chain(commitments.concat())
            .chain([c0, v0, v1].iter().flat_map(|s| s.to_bytes().to_vec()))
            .collect();
        bytes[HEADER..HEADER + SELECTION].copy_from_slice(&forged);
        break;
    }
    // ... against ours it is none.
    assert_eq!(
        verify(&world.election(), layout, &bytes).err(),
        Some(BallotError::Selection(place(0, 0)))
    );
}

#[test]
fn p02_election_id_style_contest_and_votes_are_bound() {
    let world = World::new(1);
    let layout = Layout::new(3, &SMALL).unwrap();
    let bytes = cast(&world, 1, &layout, &[1, 3, 0], 9).bytes;
    assert!(verify(&world.election(), layout, &bytes).is_ok());

    for bit in 0..256 {
        let mut hash = world.hash;
        hash[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            verify(&world.election_with(hash), layout, &bytes).err(),
            Some(BallotError::Selection(place(0, 0)))
        );
    }
    // Another joint key with the same election hash.
    let other = World::with_key(
        Scalar::ONE.double(),
        point(ProjectivePoint::GENERATOR.double()),
        world.hash,
    );
    assert!(verify(&other.election(), layout, &bytes).is_err());

    let mut id = bytes.clone();
    id[20] ^= 1;
    assert!(verify(&world.election(), layout, &id).is_err());

    let mut style = bytes.clone();
    style[2] = 4;
    let other = Layout::new(4, &SMALL).unwrap();
    assert_eq!(
        verify(&world.election(), other, &style).err(),
        Some(BallotError::Selection(place(0, 0)))
    );
    assert_eq!(
        verify(&world.election(), layout, &style).err(),
        Some(BallotError::Style(4))
    );

    let shapes = [shape(0, 5, 1), shape(4, 7, 3), shape(9, 1, 1)];
    assert_eq!(
        verify(&world.election(), Layout::new(3, &shapes).unwrap(), &bytes).err(),
        Some(BallotError::Selection(place(4, 0)))
    );
    // "Choose 2 of 4" has the length of "choose 1 of 5": only the sum proof tells them apart.
    let shapes = [shape(0, 4, 2), shape(3, 7, 3), shape(9, 1, 1)];
    assert_eq!(
        verify(&world.election(), Layout::new(3, &shapes).unwrap(), &bytes).err(),
        Some(BallotError::Sum(Place {
            contest: 0,
            selection: None
        }))
    );
}

#[test]
fn p03_a_proof_moved_to_another_option_contest_or_ballot_is_refused() {
    let world = World::new(1);
    let shapes = [shape(0, 3, 1), shape(1, 3, 1)];
    let layout = Layout::new(0, &shapes).unwrap();
    let one = cast(&world, 1, &layout, &[1, 1], 9).bytes;
    let two = cast(&world, 1, &layout, &[1, 1], 10).bytes;
    let contest = shapes[0].encoded_len();
    let at = |contest_index: usize, selection: usize| HEADER + contest_index * contest + selection * SELECTION;

    // Two options of one contest exchanged: the votes would move from one candidate to another.
    let mut moved = one.clone();
    let (a, b) = (one[at(0, 0)..at(0, 1)].to_vec(), one[at(0, 1)..at(0, 2)].to_vec());
    moved[at(0, 0)..at(0, 1)].copy_from_slice(&b);
    moved[at(0, 1)..at(0, 2)].copy_from_slice(&a);
    assert_eq!(
        verify(&world.election(), layout, &moved).err(),
        Some(BallotError::Selection(place(0, 0)))
    );
    // A whole contest copied into the other.
    let mut moved = one.clone();
    moved.copy_within(at(0, 0)..at(1, 0), at(1, 0));
    assert_eq!(
        verify(&world.election(), layout, &moved).err(),
        Some(BallotError::Selection(place(1, 0)))
    );
    // A contest, a selection, the sum proof of another ballot.
    for range in [at(0, 0)..at(1, 0), at(0, 0)..at(0, 1), at(0, 4)..at(1, 0)] {
        let mut moved = one.clone();
        moved[range.clone()].copy_from_slice(&two[range]);
        assert!(verify(&world.election(), layout, &moved).is_err());
    }
    // p05: a whole ballot under another id.
    let mut copy = one.clone();
    copy[3..35].copy_from_slice(&two[3..35]);
    assert!(verify(&world.election(), layout, &copy).is_err());
}

#[test]
fn p04_a_proof_too_many_or_too_few_is_refused_by_its_length() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let bytes = cast(&world, 1, &layout, &[1], 9).bytes;
    let refuse = |bytes: &[u8]| {
        assert_eq!(
            verify(&world.election(), layout, bytes).err(),
            Some(BallotError::Length {
                expected: layout.ballot_len(),
                found: bytes.len()
            })
        );
    };
    for length in 0..bytes.len() {
        refuse(&bytes[..length]);
    }
    for extra in [1, 32, 33, 98, 99, 164, 294] {
        refuse(&[&bytes[..], &vec![2; extra]].concat());
        refuse(&[&bytes[..HEADER + SELECTION], &bytes[HEADER..]].concat());
    }
}

#[test]
fn p04_only_0_and_1_pass_and_only_n_of_them() {
    let world = World::new(1);
    let shapes = [shape(0, 3, 2)];
    let layout = Layout::new(0, &shapes).unwrap();
    let mut prover = Prover {
        world: &world,
        style: 0,
        id: [8; 32],
        rng: rng(3),
    };
    let number = |n: i32| {
        let scalar = Scalar::from(n.unsigned_abs());
        if n < 0 { -scalar } else { scalar }
    };
    let mut attempt = |votes: [i32; 5], claims: [bool; 5]| {
        let mut bytes = prover.header();
        bytes.extend(prover.contest(&shapes[0], &votes.map(number), &claims));
        verify(&world.election(), layout, &bytes).err()
    };
    let (t, f) = (true, false);
    assert_eq!(attempt([1, 1, 0, 0, 0], [t, t, f, f, f]), None);
    assert_eq!(attempt([0, 0, 0, 1, 1], [f, f, f, t, t]), None);
    for bad in [2, 7, -1, 1000] {
        for claim in [t, f] {
            // The rest makes the sum right.
            assert_eq!(
                attempt([bad, 2 - bad, 0, 0, 0], [claim, f, f, f, f]),
                Some(BallotError::Selection(place(0, 0))),
                "{bad}"
            );
        }
    }
    let sum = Some(BallotError::Sum(Place {
        contest: 0,
        selection: None,
    }));
    assert_eq!(attempt([1, 1, 1, 0, 0], [t, t, t, f, f]), sum);
    assert_eq!(attempt([1, 0, 0, 0, 0], [t, f, f, f, f]), sum);
    assert_eq!(attempt([1, 1, 1, 1, 1], [t; 5]), sum);
    assert_eq!(attempt([0; 5], [f; 5]), sum);
}

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
fn p07_p08_every_field_is_read_strictly() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let bytes = cast(&world, 1, &layout, &[1], 9).bytes;
    let p = hex::decode("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff").unwrap();
    let n = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let sum = HEADER + 3 * SELECTION;
    let points = (0..3)
        .flat_map(|s| (0..6).map(move |p| (HEADER + s * SELECTION + p * 33, Some(s))))
        .chain([(sum, None), (sum + 33, None)]);
    for (at, selection) in points {
        let place = Place {
            contest: 0,
            selection: selection.map(|s| u8::try_from(s).unwrap()),
        };
        let honest = bytes[at..at + 33].to_vec();
        let with = |tag: u8, x: &[u8]| [&[tag], x].concat();
        let mut hostile = vec![
            vec![0; 33],
            with(2, &[0; 32]).iter().map(|_| 255).collect(),
            with(2, &p),
            with(3, &n),
        ];
        hostile.extend([0, 1, 4, 5, 6, 7].map(|tag| with(tag, &honest[1..])));
        // x = 1 is on no point of the curve.
        hostile.push(with(2, &[&[0; 31][..], &[1]].concat()));
        for form in hostile {
            let mut changed = bytes.clone();
            changed[at..at + 33].copy_from_slice(&form);
            // x = n is a number below p: a point or not, but never an accepted proof.
            let error = verify(&world.election(), layout, &changed).err().unwrap();
            if form != with(3, &n) {
                assert_eq!(error, BallotError::Point(place), "{form:02x?}");
                assert_eq!(check(layout, &changed).err(), Some(BallotError::Point(place)));
            }
        }
    }
    let scalars = (0..3)
        .flat_map(|s| (0..3).map(move |p| (HEADER + s * SELECTION + 198 + p * 32, Some(s))))
        .chain([(sum + 66, None)]);
    for (at, selection) in scalars {
        let place = Place {
            contest: 0,
            selection: selection.map(|s| u8::try_from(s).unwrap()),
        };
        for form in [n.clone(), vec![255; 32]] {
            let mut changed = bytes.clone();
            changed[at..at + 32].copy_from_slice(&form);
            assert_eq!(
                verify(&world.election(), layout, &changed).err(),
                Some(BallotError::Scalar(place))
            );
            assert_eq!(check(layout, &changed).err(), Some(BallotError::Scalar(place)));
        }
    }
}

#[test]
fn p09_negated_points_permuted_branches_and_scalars_plus_n_are_refused() {
    let world = World::new(1);
    let layout = Layout::new(0, &TINY).unwrap();
    let bytes = cast(&world, 1, &layout, &[1], 9).bytes;
    let refused = |changed: &[u8]| assert!(verify(&world.election(), layout, changed).is_err());
    let sum = HEADER + 3 * SELECTION;
    for selection in 0..3 {
        let at = HEADER + selection * SELECTION;
        // Any subset of the six points negated.
        for subset in 1..64u32 {
            let mut changed = bytes.clone();
            for point in (0..6).filter(|point| subset & (1 << point) != 0) {
                changed[at + point * 33] ^= 1;
            }
            refused(&changed);
        }
        // (a0, b0, v0) and (a1, b1, v1) exchanged, with c0 and with c - c0.
        let mut changed = bytes.clone();
        let (low, high) = (bytes[at + 66..at + 132].to_vec(), bytes[at + 132..at + 198].to_vec());
        changed[at + 66..at + 132].copy_from_slice(&high);
        changed[at + 132..at + 198].copy_from_slice(&low);
        let (v0, v1) = (bytes[at + 230..at + 262].to_vec(), bytes[at + 262..at + 294].to_vec());
        changed[at + 230..at + 262].copy_from_slice(&v1);
        changed[at + 262..at + 294].copy_from_slice(&v0);
        refused(&changed);
        for scalar in [198, 230, 262] {
            let mut changed = bytes.clone();
            let field = &mut changed[at + scalar..at + scalar + 32];
            let value = election::group::scalar(&field.try_into().unwrap()).unwrap();
            field.copy_from_slice(&(-value).to_bytes());
            refused(&changed);
        }
    }
    for point in [sum, sum + 33] {
        let mut changed = bytes.clone();
        changed[point] ^= 1;
        refused(&changed);
    }
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

#[test]
fn p05_a_copied_ballot_under_a_new_id_is_refused() {
    let world = World::new(1);
    let layout = Layout::new(0, &SMALL).unwrap();
    let honest = cast(&world, 1, &layout, &[1, 7, 1], 9);
    verify(&world.election(), layout, &honest.bytes).unwrap();
    // Ciphertexts and proofs of somebody else's ballot, made one's own by a new id: every proof binds the id.
    for new in [[0; 32], [255; 32], [7; 32]] {
        let mut copy = honest.bytes.clone();
        copy[3..35].copy_from_slice(&new);
        assert_eq!(
            verify(&world.election(), layout, &copy).err(),
            Some(BallotError::Selection(place(0, 0)))
        );
    }
    // Contest by contest into a ballot of one's own it does not hold either.
    let own = cast(&world, 1, &layout, &[2, 7, 1], 10);
    let first = 6 * SELECTION + 98;
    let mut copy = own.bytes;
    copy[HEADER..HEADER + first].copy_from_slice(&honest.bytes[HEADER..HEADER + first]);
    assert!(verify(&world.election(), layout, &copy).is_err());
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
