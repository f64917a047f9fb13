//! Small discrete logarithms to the base K: how a decrypted sum becomes a number of votes.
//!
//! Baby steps and giant steps over memory that the caller lends; without any it walks. A total is at most the number of
//! ballots, so 78,583 ballots take 308 giant steps with 256 baby steps.

use p256::AffinePoint;
use p256::elliptic_curve::point::AffineCoordinates as _;

use crate::group::{Point, ProjectivePoint, Scalar, normalize};

/// Points normalised together.
const CHUNK: usize = 32;

/// One baby step: a short key of i·K, and i.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Baby {
    key: u64,
    index: u32,
}

impl Baby {
    /// An unused entry.
    pub const EMPTY: Self = Self { key: 0, index: 0 };
}

/// Searches t with t·K = a point.
pub struct Dlog<'t> {
    base: Point,
    table: &'t [Baby],
    /// Minus the number of baby steps times K.
    giant: ProjectivePoint,
}

/// What points are told apart by before they are compared: 63 bits of x and the parity of y. False hits are harmless.
fn key(point: &AffinePoint) -> u64 {
    let x: [u8; 32] = point.x().into();
    let [a, b, c, d, e, f, g, h, ..] = x;
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]) << 1) | u64::from(point.y_is_odd().unwrap_u8())
}

impl<'t> Dlog<'t> {
    /// Makes the table of `base` in `memory` (16 bytes an entry; about the square root of the largest total is best).
    #[must_use]
    pub fn new(base: &Point, memory: &'t mut [Baby]) -> Self {
        let mut next = ProjectivePoint::IDENTITY;
        let mut index = 0u32;
        for entries in memory.chunks_mut(CHUNK) {
            let mut points = [ProjectivePoint::IDENTITY; CHUNK];
            for point in points.iter_mut().take(entries.len()) {
                *point = next;
                next += base.affine();
            }
            for (entry, point) in entries.iter_mut().zip(normalize(&points)) {
                *entry = Baby {
                    key: key(&point),
                    index,
                };
                index = index.saturating_add(1);
            }
        }
        memory.sort_unstable();
        Self {
            base: *base,
            table: memory,
            giant: -next,
        }
    }

    /// t in 0..=`max` with t·K = `target`; `None` if there is none.
    #[must_use]
    pub fn find(&self, target: &ProjectivePoint, max: u32) -> Option<u32> {
        let step = match u32::try_from(self.table.len()) {
            Ok(0) | Err(_) => return self.walk(target, max),
            Ok(step) => step,
        };
        let mut point = *target;
        let mut start = 0u32;
        loop {
            let mut points = [ProjectivePoint::IDENTITY; CHUNK];
            for slot in &mut points {
                *slot = point;
                point += self.giant;
            }
            for candidate in normalize(&points) {
                let key = key(&candidate);
                let from = self.table.partition_point(|entry| entry.key < key);
                let equal = self.table.get(from..).unwrap_or_default();
                for entry in equal.iter().take_while(|entry| entry.key == key) {
                    let total = start.checked_add(entry.index).filter(|total| *total <= max);
                    if total.is_some_and(|total| self.is(total, target)) {
                        return total;
                    }
                }
                start = start.checked_add(step).filter(|start| *start <= max)?;
            }
        }
    }

    fn walk(&self, target: &ProjectivePoint, max: u32) -> Option<u32> {
        let mut point = ProjectivePoint::IDENTITY;
        for total in 0..=max {
            if point == *target {
                return Some(total);
            }
            point += self.base.affine();
        }
        None
    }

    fn is(&self, total: u32, target: &ProjectivePoint) -> bool {
        self.base.projective().mul_vartime(&Scalar::from(total)) == *target
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Point {
        Point::from_projective(&(ProjectivePoint::GENERATOR * Scalar::from(0xabcdu32))).unwrap()
    }

    fn find(total: u64, max: u32, table: usize) -> Option<u32> {
        let mut memory = std::vec![Baby::EMPTY; table];
        let target = base().projective() * Scalar::from(total);
        Dlog::new(&base(), &mut memory).find(&target, max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_total_up_to_the_bound_is_found_and_none_above(max in 0u32..3000, total in 0u32..4000, table in 0usize..200) {
            prop_assert_eq!(find(u64::from(total), max, table), (total <= max).then_some(total));
        }
    }

    #[test]
    fn edges_are_found() {
        for table in [0, 1, 2, 31, 32, 33, 64, 100] {
            for max in [0, 1, 2, 63, 64, 65, 100] {
                for total in 0..=u64::from(max) {
                    assert_eq!(find(total, max, table).map(u64::from), Some(total), "{table} {max}");
                }
                assert_eq!(find(u64::from(max) + 1, max, table), None);
            }
            let mut memory = std::vec![Baby::EMPTY; table];
            assert_eq!(Dlog::new(&base(), &mut memory).find(&-base().projective(), 500), None);
        }
        assert_eq!(find(4_000_000_000, u32::MAX, 70_000), Some(4_000_000_000));
    }
}
