//! How a ballot is read: every length, point and scalar strictly, and no votes but 0 and 1 that add up.

use election::ballot::{BallotError, Layout, Place, check, verify};
use election::group::Scalar;

use crate::crypto_support::*;
use crate::{HEADER, SELECTION, place};

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
