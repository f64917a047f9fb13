//! Sum of scalar·point over many points (Pippenger's buckets with signed digits), in memory that is lent.
//!
//! Variable time: everything here is public. The library's own multi-scalar multiplication gains nothing above some dozens of
//! points; this one gets cheaper with every point.

use p256::AffinePoint;
use p256::elliptic_curve::group::Group as _;

use crate::group::{ProjectivePoint, Scalar};

/// One point with its coefficient: 144 bytes of scratch memory.
#[derive(Clone, Copy)]
pub struct Term {
    pub(super) point: AffinePoint,
    pub(super) scalar: Scalar,
    digits: Digits,
}

impl Term {
    /// An unused term.
    pub const EMPTY: Self = Self {
        point: AffinePoint::IDENTITY,
        scalar: Scalar::ZERO,
        digits: [0; 5],
    };
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

/// Sum of scalar·point over both lists; the second one's scalars are below 2^128. `None` without at least 2 buckets.
pub(super) fn multiply(
    wide: &mut [Term],
    narrow: &mut [Term],
    buckets: &mut [ProjectivePoint],
) -> Option<ProjectivePoint> {
    let c = width(wide.len(), narrow.len(), buckets.len())?;
    multiply_by(c, wide, narrow, buckets)
}

/// [`multiply`] with windows of `c` bits.
fn multiply_by(
    c: u32,
    wide: &mut [Term],
    narrow: &mut [Term],
    buckets: &mut [ProjectivePoint],
) -> Option<ProjectivePoint> {
    let buckets = buckets.get_mut(..1usize << (c - 1))?;
    let (high, low) = (windows(256, c), windows(128, c));
    for (terms, windows) in [(&mut *wide, high), (&mut *narrow, low)] {
        let offset = offset(windows, c);
        for term in terms {
            term.digits = add(&term.scalar, &offset);
        }
    }
    let mut sum = ProjectivePoint::IDENTITY;
    for window in (0..high).rev() {
        for _ in 0..c {
            sum = sum.double();
        }
        buckets.fill(ProjectivePoint::IDENTITY);
        sort(wide, window, c, buckets);
        if window < low {
            sort(narrow, window, c, buckets);
        }
        // Sum of i·bucket(i): running sums from the top.
        let (mut running, mut total) = (ProjectivePoint::IDENTITY, ProjectivePoint::IDENTITY);
        for bucket in buckets.iter().rev() {
            running += bucket;
            total += running;
        }
        sum += total;
    }
    Some(sum)
}

/// Adds each term's point to the bucket of its digit.
fn sort(terms: &[Term], window: u32, c: u32, buckets: &mut [ProjectivePoint]) {
    let half = 1u64 << (c - 1);
    for term in terms {
        let digit = digit(&term.digits, window * c, c);
        let (magnitude, negative) = if digit >= half {
            (digit - half, false)
        } else {
            (half - digit, true)
        };
        let bucket = usize::try_from(magnitude)
            .ok()
            .and_then(|magnitude| magnitude.checked_sub(1))
            .and_then(|index| buckets.get_mut(index));
        match bucket {
            Some(bucket) if negative => *bucket -= &term.point,
            Some(bucket) => *bucket += &term.point,
            None => {}
        }
    }
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
    use crate::group::{Point, random_scalar};
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
        let term = |point: Point, scalar| Term {
            point: *point.affine(),
            scalar,
            ..Term::EMPTY
        };
        let mut wide: vec::Vec<_> = edges.iter().map(|scalar| term(point(), *scalar)).collect();
        let mut narrow: vec::Vec<_> = [0, 1, 1 << 127, u128::MAX, u128::MAX - 1, 0x8080_8080_8080]
            .iter()
            .map(|scalar| term(point(), Scalar::from(*scalar)))
            .collect();
        let expected: ProjectivePoint = wide
            .iter()
            .chain(&narrow)
            .map(|term| ProjectivePoint::from(term.point) * term.scalar)
            .sum();
        for c in 2..=14u32 {
            let mut buckets = vec![ProjectivePoint::GENERATOR; 1 << (c - 1)];
            let sum = multiply_by(c, &mut wide, &mut narrow, &mut buckets);
            assert_eq!(sum, Some(expected), "{c}");
            assert_eq!(multiply(&mut wide, &mut narrow, &mut buckets), Some(expected));
        }
        assert_eq!(multiply(&mut wide, &mut narrow, &mut []), None);
        assert_eq!(
            multiply(&mut [], &mut [], &mut [ProjectivePoint::IDENTITY; 2]),
            Some(ProjectivePoint::IDENTITY)
        );
    }
}
