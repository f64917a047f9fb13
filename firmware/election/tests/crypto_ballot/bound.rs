//! What a proof is bound to: election, ballot, style, contest, option. Moved, copied or chosen afterwards it is refused.

use election::ballot::{BallotError, Layout, Place, verify};
use election::group::{ProjectivePoint, Scalar, random_scalar};
use election::hash::hash_to_scalar;
use p256::elliptic_curve::{Field as _, Group as _};

use crate::crypto_support::*;
use crate::{HEADER, SELECTION, place};

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
