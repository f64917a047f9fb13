//! The field under the curve: numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1, in constant time.
//!
//! Why own arithmetic here, when everything else is the library's: a group addition with p256 0.14's field elements takes
//! 337 ns on the desk that builds this, with these 148 ns (the compiler does not keep the library's limbs in registers), and
//! ten thousand of them make a ballot. The law is that both agree: the tests below compare every operation with p256 over
//! random values and edges. [`Field`] is the seam: [`crate::curve`] and [`crate::table`] are written over it, so that another
//! implementation is measured beside this one (`cargo bench -p tests --bench crypto` does it with two).

#[cfg(any(test, target_pointer_width = "32"))]
mod limbs32;
#[cfg(any(test, not(target_pointer_width = "32")))]
mod limbs64;

#[cfg(target_pointer_width = "32")]
pub use limbs32::Limbs32 as Fe;
#[cfg(not(target_pointer_width = "32"))]
pub use limbs64::Limbs64 as Fe;

use core::hint::black_box;

/// All ones or nothing: a condition that must not become a branch.
#[derive(Clone, Copy)]
pub struct Mask(u64);

impl Mask {
    /// Whether two small numbers are equal.
    #[inline(always)]
    #[must_use]
    pub fn equal(a: u32, b: u32) -> Self {
        Self::zero(u64::from(a ^ b))
    }

    /// Whether a number is 0.
    #[inline(always)]
    #[must_use]
    pub fn zero(value: u64) -> Self {
        Self::bit(((value | value.wrapping_neg()) >> 63) ^ 1)
    }

    /// From 0 or 1. The compiler is kept from seeing that there are only two values, or it may branch on them.
    #[inline(always)]
    #[must_use]
    pub fn bit(bit: u64) -> Self {
        Self(black_box(bit.wrapping_neg()))
    }

    /// All ones or nothing.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Both.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// As a condition to branch on: for what is public.
    #[inline(always)]
    #[must_use]
    pub const fn public(self) -> bool {
        self.0 != 0
    }
}

/// A number modulo p. Everything is in constant time.
pub trait Field: Copy {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The curve's b (SP 800-186, 3.2.1.3).
    const B: Self;

    /// Reads 32 bytes, big-endian; nothing for a number that is not below p.
    fn from_bytes(bytes: &[u8; 32]) -> Option<Self>;
    /// The number's one form.
    fn to_bytes(&self) -> [u8; 32];
    /// Sum.
    #[must_use]
    fn add(&self, other: &Self) -> Self;
    /// Difference.
    #[must_use]
    fn sub(&self, other: &Self) -> Self;
    /// Product.
    #[must_use]
    fn mul(&self, other: &Self) -> Self;
    /// Square.
    #[must_use]
    fn square(&self) -> Self;
    /// Takes the other's value where the mask is set.
    fn assign_if(&mut self, other: &Self, mask: Mask);
    /// Whether it is 0.
    fn is_zero(&self) -> Mask;

    /// Twice the number.
    #[inline(always)]
    #[must_use]
    fn double(&self) -> Self {
        self.add(self)
    }

    /// The negative.
    #[inline(always)]
    #[must_use]
    fn neg(&self) -> Self {
        Self::ZERO.sub(self)
    }

    /// Squared so many times.
    #[must_use]
    fn squares(&self, count: u32) -> Self {
        let mut value = *self;
        for _ in 0..count {
            value = value.square();
        }
        value
    }

    /// The inverse; 0 for 0. By the power p - 2: the chain's bits are those of p - 2, 32 at a time.
    #[must_use]
    fn invert(&self) -> Self {
        let x2 = self.square().mul(self);
        let x4 = x2.squares(2).mul(&x2);
        let x6 = x4.squares(2).mul(&x2);
        let x8 = x4.squares(4).mul(&x4);
        let x14 = x8.squares(6).mul(&x6);
        let x16 = x8.squares(8).mul(&x8);
        let x30 = x16.squares(14).mul(&x14);
        let x32 = x16.squares(16).mul(&x16);
        x32.squares(32)
            .mul(self)
            .squares(128)
            .mul(&x32)
            .squares(32)
            .mul(&x32)
            .squares(30)
            .mul(&x30)
            .squares(2)
            .mul(self)
    }

    /// A square root, if there is one: p is 3 mod 4, so it is the power (p + 1) / 4.
    fn sqrt(&self) -> Option<Self> {
        let x2 = self.square().mul(self);
        let x4 = x2.squares(2).mul(&x2);
        let x8 = x4.squares(4).mul(&x4);
        let x16 = x8.squares(8).mul(&x8);
        let x32 = x16.squares(16).mul(&x16);
        let root = x32.squares(32).mul(self).squares(96).mul(self).squares(94);
        root.square().sub(self).is_zero().public().then_some(root)
    }
}

#[cfg(test)]
mod tests {
    use super::limbs32::Limbs32;
    use super::limbs64::Limbs64;
    use super::{Field, Mask};
    use p256::NistP256;
    use p256::elliptic_curve::array::Array;
    use p256::elliptic_curve::ff::PrimeField as _;
    use p256::elliptic_curve::hazmat::FieldArithmetic;
    use proptest::prelude::*;
    use std::vec::Vec;

    type Library = <NistP256 as FieldArithmetic>::FieldElement;

    fn library(bytes: &[u8; 32]) -> Option<Library> {
        Library::from_repr(Array(*bytes)).into_option()
    }

    fn bytes(value: &Library) -> [u8; 32] {
        value.to_repr().into()
    }

    /// Every operation on two numbers, beside the library's.
    fn agree<F: Field>(a: &[u8; 32], b: &[u8; 32]) {
        let (Some(x), Some(y)) = (library(a), library(b)) else {
            assert_eq!(F::from_bytes(a).is_none(), library(a).is_none(), "{a:?}");
            assert_eq!(F::from_bytes(b).is_none(), library(b).is_none(), "{b:?}");
            return;
        };
        let (f, g) = (F::from_bytes(a).unwrap(), F::from_bytes(b).unwrap());
        assert_eq!(f.to_bytes(), *a);
        assert_eq!(f.add(&g).to_bytes(), bytes(&(x + y)), "{a:?} + {b:?}");
        assert_eq!(f.sub(&g).to_bytes(), bytes(&(x - y)), "{a:?} - {b:?}");
        assert_eq!(f.mul(&g).to_bytes(), bytes(&(x * y)), "{a:?} * {b:?}");
        assert_eq!(f.square().to_bytes(), bytes(&x.square()), "{a:?}^2");
        assert_eq!(f.double().to_bytes(), bytes(&x.double()), "2 {a:?}");
        assert_eq!(f.neg().to_bytes(), bytes(&-x), "-{a:?}");
        assert_eq!(f.is_zero().public(), bool::from(x.is_zero()));
        for (bit, expected) in [(0, a), (1, b)] {
            let mut value = f;
            value.assign_if(&g, Mask::bit(bit));
            assert_eq!(value.to_bytes(), *expected);
        }
    }

    fn powers<F: Field>(a: &[u8; 32]) {
        let Some(x) = library(a) else { return };
        let f = F::from_bytes(a).unwrap();
        let inverse = x.invert().into_option().unwrap_or(Library::ZERO);
        assert_eq!(f.invert().to_bytes(), bytes(&inverse), "1 / {a:?}");
        let root = x.sqrt().into_option().map(|root| bytes(&root));
        assert_eq!(f.sqrt().map(|root| root.to_bytes()), root, "sqrt {a:?}");
    }

    fn both(a: &[u8; 32], b: &[u8; 32]) {
        agree::<Limbs64>(a, b);
        agree::<Limbs32>(a, b);
    }

    /// Numbers at which carries, borrows and the last subtraction of p change, as they are and in Montgomery's form.
    fn edges() -> Vec<[u8; 32]> {
        let mut edges = Vec::new();
        let words = [0, 1, 2, 1 << 31, (1 << 31) - 1, u32::MAX - 1, u32::MAX];
        for low in words {
            for high in words {
                for middle in [0, 1, u32::MAX] {
                    let mut bytes = [0; 32];
                    let words = [high, middle, middle, middle, middle, middle, low ^ middle, low];
                    for (part, word) in bytes.chunks_mut(4).zip(words) {
                        part.copy_from_slice(&word.to_be_bytes());
                    }
                    edges.push(bytes);
                }
            }
        }
        // p - 2 to p + 2, and half of p.
        let p = "ffffffff00000001000000000000000000000000fffffffffffffffffffffff";
        for last in ["d", "e", "f"] {
            edges.push(hex::decode(std::format!("{p}{last}")).unwrap().try_into().unwrap());
        }
        edges.push(bytes(&Library::TWO_INV));
        // r / R for these r, so that limbs in Montgomery's form are such edges too.
        let montgomery = (0..256).fold(Library::ONE, |x, _| x.double());
        let inverse = montgomery.invert().unwrap();
        let also: Vec<_> = edges
            .iter()
            .filter_map(library)
            .map(|x| bytes(&(x * inverse)))
            .collect();
        edges.extend(also);
        edges
    }

    #[test]
    fn edges_are_as_the_library_has_them() {
        let edges = edges();
        for a in &edges {
            powers::<Limbs64>(a);
            powers::<Limbs32>(a);
            for b in &edges {
                both(a, b);
            }
        }
        assert_eq!(Limbs64::ONE.to_bytes(), bytes(&Library::ONE));
        assert_eq!(Limbs32::ONE.to_bytes(), bytes(&Library::ONE));
        assert_eq!(Limbs64::B.to_bytes(), Limbs32::B.to_bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn everything_is_as_the_library_has_it(a: [u8; 32], b: [u8; 32]) {
            both(&a, &b);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn inverses_and_roots_are_the_library_s(a: [u8; 32]) {
            powers::<Limbs64>(&a);
            powers::<Limbs32>(&a);
        }
    }

    #[test]
    fn masks_are_all_or_nothing() {
        for (a, b) in [(0, 0), (1, 0), (0, u32::MAX), (u32::MAX, u32::MAX), (5, 5), (5, 4)] {
            assert_eq!(Mask::equal(a, b).bits(), if a == b { u64::MAX } else { 0 });
        }
        for value in [0, 1, 1 << 63, u64::MAX] {
            assert_eq!(Mask::zero(value).public(), value == 0);
        }
    }
}
