//! Points of P-256 in Jacobian coordinates: what the tables and the batch verification add.
//!
//! p256 adds with complete formulas only (13 multiplications and 29 additions). Where two different points are added, which
//! the table's digits guarantee by proof (see `table`), 11 multiplications and 7 additions do. Functions that say `public` in
//! their name branch on their input. Points enter by [`crate::group`]; nothing here knows an election.

use zeroize::DefaultIsZeroes;

use crate::field::{Fe, Field, Mask};
use crate::group::PointBytes;

/// A point (x, y). (0, 0), which is not on the curve, stands for the identity where a function says so.
#[derive(Clone, Copy, Default)]
pub struct Affine<F = Fe> {
    x: F,
    y: F,
}

/// A point (x / z^2, y / z^3); z = 0 is the identity.
#[derive(Clone, Copy, Default)]
pub struct Jacobian<F = Fe> {
    x: F,
    y: F,
    z: F,
}

impl<F: Copy + Default> DefaultIsZeroes for Affine<F> {}
impl<F: Copy + Default> DefaultIsZeroes for Jacobian<F> {}

impl<F: Field> Affine<F> {
    /// (0, 0).
    pub const NONE: Self = Self { x: F::ZERO, y: F::ZERO };

    /// Reads 02/03 || x strictly: x below p and on the curve.
    #[must_use]
    pub fn read(bytes: &PointBytes) -> Option<Self> {
        let (tag, x) = bytes.split_first_chunk::<1>()?;
        let odd = match tag {
            [2] => 0,
            [3] => 1,
            _ => return None,
        };
        let x = F::from_bytes(x.first_chunk()?)?;
        let three = x.double().add(&x);
        let y = x.square().mul(&x).sub(&three).add(&F::B).sqrt()?;
        // y is not 0: no point has the order 2.
        let mut point = Self { x, y };
        point.y.assign_if(&y.neg(), Mask::bit(u64::from(parity(&y) ^ odd)));
        Some(point)
    }

    /// x and y, big-endian, of a point that is on the curve; nothing for numbers that are not below p.
    pub(crate) fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        Some(Self {
            x: F::from_bytes(x)?,
            y: F::from_bytes(y)?,
        })
    }

    /// x and y, big-endian.
    pub(crate) fn coordinates(&self) -> ([u8; 32], [u8; 32]) {
        (self.x.to_bytes(), self.y.to_bytes())
    }

    /// 02/03 || x. (0, 0) gives 02 || 0, which no reader takes.
    #[must_use]
    pub fn to_bytes(&self) -> PointBytes {
        let mut out = [0; 33];
        let (tag, x) = out.split_at_mut(1);
        tag.fill(2 | parity(&self.y));
        x.copy_from_slice(&self.x.to_bytes());
        out
    }

    /// Whether it is (0, 0).
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.x.is_zero().and(self.y.is_zero()).public()
    }

    /// The negative.
    #[must_use]
    pub fn neg(&self) -> Self {
        Self {
            x: self.x,
            y: self.y.neg(),
        }
    }

    /// Takes the other's value where the mask is set.
    #[inline(always)]
    pub fn assign_if(&mut self, other: &Self, mask: Mask) {
        self.x.assign_if(&other.x, mask);
        self.y.assign_if(&other.y, mask);
    }

    /// Becomes its negative where the mask is set.
    #[inline(always)]
    pub fn negate_if(&mut self, mask: Mask) {
        self.y.assign_if(&self.y.neg(), mask);
    }
}

/// The lowest bit.
fn parity<F: Field>(value: &F) -> u8 {
    let [.., last] = value.to_bytes();
    last & 1
}

impl<F: Field> From<Affine<F>> for Jacobian<F> {
    /// A point that is not the identity.
    fn from(point: Affine<F>) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: F::ONE,
        }
    }
}

impl<F: Field> Jacobian<F> {
    /// The identity.
    pub const IDENTITY: Self = Self {
        x: F::ONE,
        y: F::ONE,
        z: F::ZERO,
    };

    /// Whether it is the identity.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.z.is_zero().public()
    }

    /// Takes the other's value where the mask is set.
    #[inline(always)]
    pub fn assign_if(&mut self, other: &Self, mask: Mask) {
        self.x.assign_if(&other.x, mask);
        self.y.assign_if(&other.y, mask);
        self.z.assign_if(&other.z, mask);
    }

    /// Becomes its negative where the mask is set.
    #[inline(always)]
    pub fn negate_if(&mut self, mask: Mask) {
        self.y.assign_if(&self.y.neg(), mask);
    }

    /// The negative.
    #[must_use]
    pub fn neg(&self) -> Self {
        Self {
            y: self.y.neg(),
            ..*self
        }
    }

    /// Twice the point (dbl-2001-b of the Explicit-Formulas Database). Right for every point: none has the order 2.
    #[must_use]
    pub fn double(&self) -> Self {
        let delta = self.z.square();
        let gamma = self.y.square();
        let beta = self.x.mul(&gamma);
        let slope = self.x.sub(&delta).mul(&self.x.add(&delta));
        let slope = slope.double().add(&slope);
        let beta4 = beta.double().double();
        let x = slope.square().sub(&beta4.double());
        let gamma8 = gamma.square().double().double().double();
        Self {
            x,
            y: slope.mul(&beta4.sub(&x)).sub(&gamma8),
            z: self.y.mul(&self.z).double(),
        }
    }

    /// The chord through two different points: the sum, and x2 - x1 and y2 - y1 (scaled), which are 0 where they are not.
    #[inline(always)]
    fn chord(&self, other: &Affine<F>) -> (Self, F, F) {
        let zz = self.z.square();
        let h = other.x.mul(&zz).sub(&self.x);
        let r = other.y.mul(&self.z.mul(&zz)).sub(&self.y);
        let hh = h.square();
        let hhh = h.mul(&hh);
        let v = self.x.mul(&hh);
        let x = r.square().sub(&hhh).sub(&v.double());
        let sum = Self {
            x,
            y: r.mul(&v.sub(&x)).sub(&self.y.mul(&hhh)),
            z: self.z.mul(&h),
        };
        (sum, h, r)
    }

    /// The sum of two points, neither of which is the identity, and which are not equal. **Wrong for anything else**; for a
    /// point and its negative it is right (z = 0).
    #[inline]
    #[must_use]
    pub fn add_different(&self, other: &Affine<F>) -> Self {
        self.chord(other).0
    }

    /// The sum for every point, in constant time; `other` is not the identity.
    #[must_use]
    pub fn add(&self, other: &Affine<F>) -> Self {
        let (mut sum, h, r) = self.chord(other);
        let doubled = Self::from(*other).double();
        sum.assign_if(&doubled, h.is_zero().and(r.is_zero()));
        sum.assign_if(&Self::from(*other), self.z.is_zero());
        sum
    }

    /// The sum for every point; `other` is not the identity. Branches: for what is public.
    #[inline]
    #[must_use]
    pub fn add_public(&self, other: &Affine<F>) -> Self {
        if self.is_identity() {
            return Self::from(*other);
        }
        let (sum, h, r) = self.chord(other);
        if h.is_zero().public() && r.is_zero().public() {
            self.double()
        } else {
            sum
        }
    }

    /// The sum of two points. Branches: for what is public.
    #[must_use]
    pub fn sum_public(&self, other: &Self) -> Self {
        if self.is_identity() {
            return *other;
        }
        if other.is_identity() {
            return *self;
        }
        let (zz1, zz2) = (self.z.square(), other.z.square());
        let x1 = self.x.mul(&zz2);
        let y1 = self.y.mul(&other.z.mul(&zz2));
        let h = other.x.mul(&zz1).sub(&x1);
        let r = other.y.mul(&self.z.mul(&zz1)).sub(&y1);
        if h.is_zero().public() && r.is_zero().public() {
            return self.double();
        }
        let hh = h.square();
        let hhh = h.mul(&hh);
        let v = x1.mul(&hh);
        let x = r.square().sub(&hhh).sub(&v.double());
        Self {
            x,
            y: r.mul(&v.sub(&x)).sub(&y1.mul(&hhh)),
            z: self.z.mul(&other.z).mul(&h),
        }
    }

    /// The point's (x, y); (0, 0) for the identity.
    #[must_use]
    pub fn to_affine(&self) -> Affine<F> {
        let [point] = normalize(&[*self]);
        point
    }
}

/// N points into affine coordinates with one inversion, in constant time; the identity becomes (0, 0).
#[must_use]
pub fn normalize<F: Field, const N: usize>(points: &[Jacobian<F>; N]) -> [Affine<F>; N] {
    let mut out = [Affine::NONE; N];
    // x holds the product of all z before the point; y its own z, or 1 for the identity.
    let mut product = F::ONE;
    for (out, point) in out.iter_mut().zip(points) {
        out.x = product;
        out.y = point.z;
        out.y.assign_if(&F::ONE, point.z.is_zero());
        product = product.mul(&out.y);
    }
    let mut inverse = product.invert();
    for (out, point) in out.iter_mut().zip(points).rev() {
        let z = inverse.mul(&out.x);
        inverse = inverse.mul(&out.y);
        let zz = z.square();
        *out = Affine {
            x: point.x.mul(&zz),
            y: point.y.mul(&z.mul(&zz)),
        };
        out.assign_if(&Affine::NONE, point.z.is_zero());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Point, ProjectivePoint, Scalar, random_scalar};
    use chacha20::ChaCha20Rng;
    use p256::elliptic_curve::group::{Group as _, GroupEncoding as _};
    use proptest::prelude::*;
    use rand_core::SeedableRng as _;
    use std::vec::Vec;

    fn affine(point: &ProjectivePoint) -> Affine {
        Affine::from(&Point::from_projective(point).unwrap())
    }

    /// The same point with another z.
    fn scaled(point: &ProjectivePoint, by: &Affine) -> Jacobian {
        if bool::from(point.is_identity()) {
            return Jacobian {
                x: by.x,
                y: by.y,
                z: Fe::ZERO,
            };
        }
        let (point, z) = (affine(point), by.y);
        let zz = z.square();
        Jacobian {
            x: point.x.mul(&zz),
            y: point.y.mul(&zz.mul(&z)),
            z,
        }
    }

    fn same(own: &Jacobian, library: &ProjectivePoint) {
        let point = Point::from_jacobian(own);
        assert_eq!(point, Point::from_projective(library));
        if let Ok(point) = point {
            assert_eq!(own.to_affine().to_bytes(), point.to_bytes());
        }
    }

    fn points() -> Vec<ProjectivePoint> {
        let g = ProjectivePoint::GENERATOR;
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let random = g * random_scalar(&mut rng).unwrap();
        let mut points = std::vec![ProjectivePoint::IDENTITY, g, -g, g + g, random, -random, random + g];
        points.push(random + random);
        points
    }

    #[test]
    fn every_pair_adds_as_in_p256_equal_opposite_and_the_identity_too() {
        let points = points();
        let scales: Vec<_> = points.iter().skip(1).map(affine).collect();
        for (i, a) in points.iter().enumerate() {
            let own = scaled(a, &scales[i % scales.len()]);
            same(&own, a);
            same(&own.double(), &(a.double()));
            for (j, b) in points.iter().enumerate() {
                same(&own.sum_public(&scaled(b, &scales[(i + j) % scales.len()])), &(a + b));
                if bool::from(b.is_identity()) {
                    continue;
                }
                let sum = a + b;
                same(&own.add(&affine(b)), &sum);
                same(&own.add_public(&affine(b)), &sum);
                same(&own.add_public(&affine(b).neg()), &(a - b));
                same(&own.neg().add_public(&affine(b)), &(b - a));
                if a != b && !bool::from(a.is_identity()) {
                    same(&own.add_different(&affine(b)), &sum);
                }
            }
        }
    }

    #[test]
    fn normalizing_keeps_identities_apart() {
        let g = scaled(&ProjectivePoint::GENERATOR, &affine(&ProjectivePoint::GENERATOR));
        let normal = normalize(&[Jacobian::IDENTITY, g, Jacobian::IDENTITY, g.double()]);
        assert!(normal[0].is_none() && normal[2].is_none());
        assert_eq!(normal[1].to_bytes(), Point::GENERATOR.to_bytes());
        assert_eq!(
            normal[3].to_bytes(),
            affine(&ProjectivePoint::GENERATOR.double()).to_bytes()
        );
        assert!(Jacobian::<Fe>::IDENTITY.to_affine().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn p07_points_are_read_as_p256_reads_them(x: [u8; 32], tag: u8) {
            for tag in [tag, 2, 3] {
                let mut bytes = [tag; 33];
                bytes[1..].copy_from_slice(&x);
                let library = p256::AffinePoint::from_bytes(&bytes.into()).into_option().filter(|_| matches!(tag, 2 | 3));
                let own = Affine::<Fe>::read(&bytes);
                prop_assert_eq!(own.is_some(), library.is_some());
                if let Some(own) = own {
                    prop_assert_eq!(own.to_bytes(), bytes);
                    prop_assert_eq!(Some(*Point::from_bytes(&bytes).unwrap().affine()), library);
                }
            }
        }

        #[test]
        fn sums_of_random_points_are_those_of_p256(a: u128, b: u128, c: u128) {
            let [a, b, c] = [a, b, c].map(|s| ProjectivePoint::GENERATOR * (Scalar::from(s) + Scalar::ONE));
            let own = scaled(&a, &affine(&c));
            same(&own.sum_public(&scaled(&b, &affine(&a))), &(a + b));
            same(&own.add(&affine(&b)), &(a + b));
        }
    }
}
