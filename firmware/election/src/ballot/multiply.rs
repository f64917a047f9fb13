//! Sum of scalar·point over many points (Pippenger's buckets with signed digits), in memory that is lent, and over a few.
//!
//! Variable time: everything here is public. The library's own multi-scalar multiplication gains nothing above some dozens of
//! points; this one gets cheaper with every point.

use crate::curve::{Affine, Jacobian};
use crate::group::Scalar;

/// One point with its coefficient: 136 bytes of scratch memory.
#[derive(Clone, Copy)]
pub struct Term {
    pub(super) point: Affine,
    pub(super) scalar: Scalar,
    digits: Digits,
}

impl Term {
    /// An unused term.
    pub const EMPTY: Self = Self::new(Affine::NONE, Scalar::ZERO);

    /// `scalar`·`point`; the point is not the identity.
    #[must_use]
    pub const fn new(point: Affine, scalar: Scalar) -> Self {
        Self {
            point,
            scalar,
            digits: [0; 5],
        }
    }
}

/// Scratch memory for the points of one digit: 96 bytes.
#[derive(Clone, Copy)]
pub struct Bucket(Jacobian);

impl Bucket {
    /// An unused bucket.
    pub const EMPTY: Self = Self(Jacobian::IDENTITY);
}

/// A scalar plus 2^(c-1) in every window, little-endian: each window then holds its signed digit plus 2^(c-1).
type Digits = [u64; 5];

/// Windows of c bits that hold a signed number of `bits` bits.
const fn windows(bits: u32, c: u32) -> u32 {
    (bits + 2).div_ceil(c)
}

/// The window width with the fewest additions for which there are buckets (2^(c-1)).
fn width(wide: usize, narrow: usize, buckets: usize) -> Option<u32> {
    let cost = |c: u32| {
        let count = |windows: u32| usize::try_from(windows).unwrap_or(usize::MAX);
        count(windows(256, c))
            .saturating_mul(wide.saturating_add(1 << c))
            .saturating_add(count(windows(128, c)).saturating_mul(narrow))
    };
    (2..=14u32)
        .filter(|c| 1usize << (c - 1) <= buckets)
        .min_by_key(|c| cost(*c))
}

/// Sum of scalar·point over both lists; the second one's scalars are below 2^128, which is not checked. `None` without at least 2
/// buckets.
pub fn multiply(wide: &mut [Term], narrow: &mut [Term], buckets: &mut [Bucket]) -> Option<Jacobian> {
    let c = width(wide.len(), narrow.len(), buckets.len())?;
    multiply_by(c, wide, narrow, buckets)
}

/// [`multiply`] with windows of `c` bits.
fn multiply_by(c: u32, wide: &mut [Term], narrow: &mut [Term], buckets: &mut [Bucket]) -> Option<Jacobian> {
    let buckets = buckets.get_mut(..1usize << (c - 1))?;
    let (high, low) = (windows(256, c), windows(128, c));
    for (terms, windows) in [(&mut *wide, high), (&mut *narrow, low)] {
        let offset = offset(windows, c);
        for term in terms {
            term.digits = add(&term.scalar, &offset);
        }
    }
    let mut sum = Jacobian::IDENTITY;
    for window in (0..high).rev() {
        for _ in 0..c {
            sum = sum.double();
        }
        buckets.fill(Bucket::EMPTY);
        sort(wide, window, c, buckets);
        if window < low {
            sort(narrow, window, c, buckets);
        }
        // Sum of i·bucket(i): running sums from the top.
        let (mut running, mut total) = (Jacobian::IDENTITY, Jacobian::IDENTITY);
        for Bucket(bucket) in buckets.iter().rev() {
            running = running.sum_public(bucket);
            total = total.sum_public(&running);
        }
        sum = sum.sum_public(&total);
    }
    Some(sum)
}

/// Adds each term's point to the bucket of its digit.
fn sort(terms: &[Term], window: u32, c: u32, buckets: &mut [Bucket]) {
    for term in terms {
        let (magnitude, negative) = signed(&term.digits, window, c);
        if let Some(Bucket(bucket)) = magnitude.checked_sub(1).and_then(|index| buckets.get_mut(index)) {
            *bucket = bucket.add_public(&if negative { term.point.neg() } else { term.point });
        }
    }
}

/// The signed digit of a window: magnitude, and whether it is negative.
fn signed(digits: &Digits, window: u32, c: u32) -> (usize, bool) {
    let half = 1u64 << (c - 1);
    let digit = digit(digits, window * c, c);
    let magnitude = usize::try_from(digit.abs_diff(half)).unwrap_or(0);
    (magnitude, digit < half)
}

/// Window of [`multiply_few`], and the multiples 1..2^(w-1) that each of its points gets.
const FEW_BITS: u32 = 4;
const FEW_MULTIPLES: usize = 8;

/// Sum of scalar·point over a few terms on the stack, each with a table of its own (768 bytes, not normalized: an inversion takes
/// longer than what it saves here); scalars from the term number `narrow` on are below 2^128, which is not checked.
pub fn multiply_few<const N: usize>(terms: &mut [Term; N], narrow: usize) -> Jacobian {
    let (high, low) = (windows(256, FEW_BITS), windows(128, FEW_BITS));
    let mut tables = [[Jacobian::IDENTITY; FEW_MULTIPLES]; N];
    for (index, (term, table)) in terms.iter_mut().zip(&mut tables).enumerate() {
        let windows = if index < narrow { high } else { low };
        term.digits = add(&term.scalar, &offset(windows, FEW_BITS));
        let mut multiple = Jacobian::IDENTITY;
        for slot in table {
            multiple = multiple.add_public(&term.point);
            *slot = multiple;
        }
    }
    let mut sum = Jacobian::IDENTITY;
    for window in (0..high).rev() {
        for _ in 0..FEW_BITS {
            sum = sum.double();
        }
        for (index, (term, table)) in terms.iter().zip(&tables).enumerate() {
            if index >= narrow && window >= low {
                continue;
            }
            let (magnitude, negative) = signed(&term.digits, window, FEW_BITS);
            if let Some(point) = magnitude.checked_sub(1).and_then(|index| table.get(index)) {
                sum = sum.sum_public(&if negative { point.neg() } else { *point });
            }
        }
    }
    sum
}

/// `c` bits from bit `position`; above the number there is nothing.
fn digit(digits: &Digits, position: u32, c: u32) -> u64 {
    let limb = |index: u32| -> u128 { digits.get(index as usize).map_or(0, |limb| u128::from(*limb)) };
    let pair = limb(position / 64) | (limb(position / 64 + 1) << 64);
    let bits = (pair >> (position % 64)) & ((1 << c) - 1);
    u64::try_from(bits).unwrap_or(0)
}

/// 2^(c-1) in each of `windows` windows.
fn offset(windows: u32, c: u32) -> Digits {
    let mut digits = [0u64; 5];
    for window in 0..windows {
        let position = window * c + c - 1;
        if let Some(limb) = digits.get_mut((position / 64) as usize) {
            *limb |= 1 << (position % 64);
        }
    }
    digits
}

/// scalar + offset.
fn add(scalar: &Scalar, offset: &Digits) -> Digits {
    let bytes: [u8; 32] = scalar.to_bytes().into();
    let (limbs, _) = bytes.as_chunks::<8>();
    let limbs = limbs.iter().rev().map(|limb| u64::from_be_bytes(*limb)).chain([0]);
    let mut sum = *offset;
    let mut carry = false;
    for (digit, limb) in sum.iter_mut().zip(limbs) {
        (*digit, carry) = digit.carrying_add(limb, carry);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Point, ProjectivePoint, random_scalar};
    use chacha20::ChaCha20Rng;
    use p256::elliptic_curve::PrimeField as _;
    use rand_core::SeedableRng as _;
    use std::vec;

    #[test]
    fn multiply_is_the_sum_of_products_for_every_width() {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let mut point =
            || Point::from_projective(&(ProjectivePoint::GENERATOR * random_scalar(&mut rng).unwrap())).unwrap();
        let edges = [
            Scalar::ZERO,
            Scalar::ONE,
            -Scalar::ONE,
            Scalar::TWO_INV,
            -Scalar::TWO_INV,
            Scalar::from(u128::MAX),
            Scalar::from(u128::MAX).square(),
        ];
        let term = |point: Point, scalar| Term::new(Affine::from(&point), scalar);
        let mut wide: vec::Vec<_> = edges.iter().map(|scalar| term(point(), *scalar)).collect();
        let mut narrow: vec::Vec<_> = [0, 1, 1 << 127, u128::MAX, u128::MAX - 1, 0x8080_8080_8080]
            .iter()
            .map(|scalar| term(point(), Scalar::from(*scalar)))
            .collect();
        let expected: ProjectivePoint = wide
            .iter()
            .chain(&narrow)
            .map(|term| Point::from_jacobian(&term.point.into()).unwrap().projective() * term.scalar)
            .sum();
        let expected = Point::from_projective(&expected);
        for c in 2..=14u32 {
            // What lies in the memory does not matter.
            let mut buckets = vec![Bucket(Affine::from(&Point::GENERATOR).into()); 1 << (c - 1)];
            let sum = multiply_by(c, &mut wide, &mut narrow, &mut buckets).unwrap();
            assert_eq!(Point::from_jacobian(&sum), expected, "{c}");
            let sum = multiply(&mut wide, &mut narrow, &mut buckets).unwrap();
            assert_eq!(Point::from_jacobian(&sum), expected);
        }
        let mut few: [Term; 13] = wide
            .iter()
            .chain(&narrow)
            .copied()
            .collect::<vec::Vec<_>>()
            .try_into()
            .ok()
            .unwrap();
        assert_eq!(Point::from_jacobian(&multiply_few(&mut few, 7)), expected);
        assert!(multiply(&mut wide, &mut narrow, &mut []).is_none());
        assert!(
            multiply(&mut [], &mut [], &mut [Bucket::EMPTY; 2])
                .unwrap()
                .is_identity()
        );
    }
}
