//! Eight limbs of 32 bits in Montgomery's form (a·2^256 mod p), always below p: for microcontrollers.
//!
//! Every inner step is a·b + c + d of 32-bit numbers, one instruction (UMAAL) on a Cortex-M33, whose time does not depend on
//! the values. Multiplying by p costs no multiplication: its limbs are 0, 1 and 2^32 - 1.

use zeroize::DefaultIsZeroes;

use super::{Field, Mask};

type Limbs = [u32; 8];

const MAX: u32 = u32::MAX;
/// p.
const P: Limbs = [MAX, MAX, MAX, 0, 0, 0, 1, MAX];
/// 2^512 mod p: brings a number into Montgomery's form.
const R2: Limbs = [3, 0, MAX, MAX - 4, MAX - 1, MAX, MAX - 2, 4];

/// A number modulo p.
#[derive(Clone, Copy, Default)]
pub struct Limbs32(Limbs);

impl DefaultIsZeroes for Limbs32 {}

impl Field for Limbs32 {
    const ZERO: Self = Self([0; 8]);
    const ONE: Self = Self([1, 0, 0, MAX, MAX, MAX, MAX - 1, 0]);
    const B: Self = Self([
        0x29c4_bddf,
        0xd89c_df62,
        0x7884_3090,
        0xacf0_05cd,
        0xf721_2ed6,
        0xe5a2_20ab,
        0x0487_4834,
        0xdc30_061d,
    ]);

    fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let mut limbs = [0; 8];
        let (parts, _) = bytes.as_chunks::<4>();
        for (limb, part) in limbs.iter_mut().zip(parts.iter().rev()) {
            *limb = u32::from_be_bytes(*part);
        }
        let (_, below) = subtract(&limbs, &P);
        below.then(|| Self(limbs).mul(&Self(R2)))
    }

    fn to_bytes(&self) -> [u8; 32] {
        let Self(limbs) = self.mul(&Self([1, 0, 0, 0, 0, 0, 0, 0]));
        let mut bytes = [0; 32];
        let (parts, _) = bytes.as_chunks_mut::<4>();
        for (part, limb) in parts.iter_mut().rev().zip(limbs) {
            *part = limb.to_be_bytes();
        }
        bytes
    }

    #[inline]
    fn add(&self, other: &Self) -> Self {
        let (sum, carry) = add(&self.0, &other.0);
        Self(below_p(&sum, u32::from(carry)))
    }

    #[inline]
    fn sub(&self, other: &Self) -> Self {
        let (difference, borrow) = subtract(&self.0, &other.0);
        let mask = u32::from(borrow).wrapping_neg();
        let (sum, _) = add(&difference, &[mask, mask, mask, 0, 0, 0, mask & 1, mask]);
        Self(sum)
    }

    #[inline(never)]
    fn mul(&self, other: &Self) -> Self {
        let mut sum = [0u32; 9];
        for b in other.0 {
            sum = reduce(row(&self.0, b, sum));
        }
        let [t0, t1, t2, t3, t4, t5, t6, t7, t8] = sum;
        Self(below_p(&[t0, t1, t2, t3, t4, t5, t6, t7], t8))
    }

    #[inline]
    fn square(&self) -> Self {
        self.mul(self)
    }

    #[inline]
    fn assign_if(&mut self, other: &Self, mask: Mask) {
        let [a, b, c, d, ..] = mask.bits().to_le_bytes();
        let mask = u32::from_le_bytes([a, b, c, d]);
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            *limb ^= mask & (*limb ^ other);
        }
    }

    #[inline]
    fn is_zero(&self) -> Mask {
        Mask::zero(self.0.iter().fold(0, |all, limb| all | u64::from(*limb)))
    }
}

#[inline(always)]
fn add(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut sum = *a;
    let mut carry = false;
    for (limb, b) in sum.iter_mut().zip(b) {
        (*limb, carry) = limb.carrying_add(*b, carry);
    }
    (sum, carry)
}

#[inline(always)]
fn subtract(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut difference = *a;
    let mut borrow = false;
    for (limb, b) in difference.iter_mut().zip(b) {
        (*limb, borrow) = limb.borrowing_sub(*b, borrow);
    }
    (difference, borrow)
}

/// The number minus p, unless it is below p. It is below 2p.
#[inline(always)]
fn below_p(limbs: &Limbs, top: u32) -> Limbs {
    let (mut reduced, borrow) = subtract(limbs, &P);
    let (_, borrow) = top.borrowing_sub(0, borrow);
    let keep = u32::from(borrow).wrapping_neg();
    for (limb, kept) in reduced.iter_mut().zip(limbs) {
        *limb ^= keep & (*limb ^ kept);
    }
    reduced
}

/// sum + a·b for sum < 2p, which [`reduce`] makes smaller than 2p again.
#[inline(always)]
fn row(a: &Limbs, b: u32, sum: [u32; 9]) -> [u32; 10] {
    let ([a0, a1, a2, a3, a4, a5, a6, a7], [t0, t1, t2, t3, t4, t5, t6, t7, t8]) = (*a, sum);
    let (t0, c) = a0.carrying_mul_add(b, t0, 0);
    let (t1, c) = a1.carrying_mul_add(b, t1, c);
    let (t2, c) = a2.carrying_mul_add(b, t2, c);
    let (t3, c) = a3.carrying_mul_add(b, t3, c);
    let (t4, c) = a4.carrying_mul_add(b, t4, c);
    let (t5, c) = a5.carrying_mul_add(b, t5, c);
    let (t6, c) = a6.carrying_mul_add(b, t6, c);
    let (t7, c) = a7.carrying_mul_add(b, t7, c);
    let (t8, c) = t8.carrying_add(c, false);
    [t0, t1, t2, t3, t4, t5, t6, t7, t8, u32::from(c)]
}

/// (t + m·p) / 2^32 with m = the lowest limb: m·p = m·(2^256 - 2^224 + 2^192 + 2^96 - 1), so that the lowest limb vanishes.
#[inline(always)]
fn reduce([m, t1, t2, t3, t4, t5, t6, t7, t8, t9]: [u32; 10]) -> [u32; 9] {
    let (low, high) = m.carrying_mul(MAX, 0);
    let (t3, c) = t3.carrying_add(m, false);
    let (t4, c) = t4.carrying_add(0, c);
    let (t5, c) = t5.carrying_add(0, c);
    let (t6, c) = t6.carrying_add(m, c);
    let (t7, c) = t7.carrying_add(low, c);
    let (t8, c) = t8.carrying_add(high, c);
    [t1, t2, t3, t4, t5, t6, t7, t8, t9.wrapping_add(u32::from(c))]
}
