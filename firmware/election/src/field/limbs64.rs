//! Four limbs of 64 bits in Montgomery's form (a·2^256 mod p), always below p.
//!
//! Nothing here branches or indexes by a value. Multiplying by p costs one multiplication of limbs: the lowest limb of p is
//! 2^64 - 1, so that the quotient digit is the lowest limb itself, and the middle ones are 2^32 - 1 and 0.

use zeroize::DefaultIsZeroes;

use super::{Field, Mask};

type Limbs = [u64; 4];

/// p.
const P: Limbs = [u64::MAX, 0xffff_ffff, 0, P3];
const P3: u64 = 0xffff_ffff_0000_0001;
/// 2^512 mod p: brings a number into Montgomery's form.
const R2: Limbs = [3, 0xffff_fffb_ffff_ffff, 0xffff_ffff_ffff_fffe, 0x0000_0004_ffff_fffd];

/// A number modulo p.
#[derive(Clone, Copy, Default)]
pub struct Limbs64(Limbs);

impl DefaultIsZeroes for Limbs64 {}

impl Field for Limbs64 {
    const ZERO: Self = Self([0; 4]);
    const ONE: Self = Self([1, 0xffff_ffff_0000_0000, u64::MAX, 0xffff_fffe]);
    const B: Self = Self([
        0xd89c_df62_29c4_bddf,
        0xacf0_05cd_7884_3090,
        0xe5a2_20ab_f721_2ed6,
        0xdc30_061d_0487_4834,
    ]);

    fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let mut limbs = [0; 4];
        let (parts, _) = bytes.as_chunks::<8>();
        for (limb, part) in limbs.iter_mut().zip(parts.iter().rev()) {
            *limb = u64::from_be_bytes(*part);
        }
        let (_, below) = subtract(&limbs, &P);
        below.then(|| Self(limbs).mul(&Self(R2)))
    }

    fn to_bytes(&self) -> [u8; 32] {
        let Self(limbs) = self.mul(&Self([1, 0, 0, 0]));
        let mut bytes = [0; 32];
        let (parts, _) = bytes.as_chunks_mut::<8>();
        for (part, limb) in parts.iter_mut().rev().zip(limbs) {
            *part = limb.to_be_bytes();
        }
        bytes
    }

    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        let (sum, carry) = add(&self.0, &other.0);
        Self(below_p(&sum, u64::from(carry)))
    }

    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        let (difference, borrow) = subtract(&self.0, &other.0);
        let mask = u64::from(borrow).wrapping_neg();
        let (sum, _) = add(&difference, &[mask, mask >> 32, 0, mask & P3]);
        Self(sum)
    }

    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        let (a, [b0, b1, b2, b3]) = (&self.0, other.0);
        let sum = reduce(row(a, b0, [0; 5]));
        let sum = reduce(row(a, b1, sum));
        let sum = reduce(row(a, b2, sum));
        let [t0, t1, t2, t3, t4] = reduce(row(a, b3, sum));
        Self(below_p(&[t0, t1, t2, t3], t4))
    }

    #[inline(always)]
    fn square(&self) -> Self {
        let [a0, a1, a2, a3] = self.0;
        // Products of two different limbs, doubled.
        let (r1, c) = a0.carrying_mul(a1, 0);
        let (r2, c) = a0.carrying_mul(a2, c);
        let (r3, r4) = a0.carrying_mul(a3, c);
        let (r3, c) = a1.carrying_mul_add(a2, r3, 0);
        let (r4, r5) = a1.carrying_mul_add(a3, r4, c);
        let (r5, r6) = a2.carrying_mul_add(a3, r5, 0);
        let (r7, r6) = (r6 >> 63, (r6 << 1) | (r5 >> 63));
        let (r5, r4) = ((r5 << 1) | (r4 >> 63), (r4 << 1) | (r3 >> 63));
        let (r3, r2) = ((r3 << 1) | (r2 >> 63), (r2 << 1) | (r1 >> 63));
        let r1 = r1 << 1;
        // Squares of the limbs.
        let (r0, high) = a0.carrying_mul(a0, 0);
        let (r1, c) = r1.carrying_add(high, false);
        let (low, high) = a1.carrying_mul(a1, 0);
        let (r2, c) = r2.carrying_add(low, c);
        let (r3, c) = r3.carrying_add(high, c);
        let (low, high) = a2.carrying_mul(a2, 0);
        let (r4, c) = r4.carrying_add(low, c);
        let (r5, c) = r5.carrying_add(high, c);
        let (low, high) = a3.carrying_mul(a3, 0);
        let (r6, c) = r6.carrying_add(low, c);
        let (r7, _) = r7.carrying_add(high, c);
        // The lower half is reduced alone, and then the upper half added.
        let low = reduce_low(reduce_low(reduce_low(reduce_low([r0, r1, r2, r3]))));
        let (sum, carry) = add(&low, &[r4, r5, r6, r7]);
        Self(below_p(&sum, u64::from(carry)))
    }

    #[inline(always)]
    fn assign_if(&mut self, other: &Self, mask: Mask) {
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            *limb ^= mask.bits() & (*limb ^ other);
        }
    }

    #[inline(always)]
    fn is_zero(&self) -> Mask {
        let [a, b, c, d] = self.0;
        Mask::zero(a | b | c | d)
    }
}

#[inline(always)]
fn add(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (*a, *b);
    let (r0, c) = a0.carrying_add(b0, false);
    let (r1, c) = a1.carrying_add(b1, c);
    let (r2, c) = a2.carrying_add(b2, c);
    let (r3, c) = a3.carrying_add(b3, c);
    ([r0, r1, r2, r3], c)
}

#[inline(always)]
fn subtract(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (*a, *b);
    let (r0, c) = a0.borrowing_sub(b0, false);
    let (r1, c) = a1.borrowing_sub(b1, c);
    let (r2, c) = a2.borrowing_sub(b2, c);
    let (r3, c) = a3.borrowing_sub(b3, c);
    ([r0, r1, r2, r3], c)
}

/// The number minus p, unless it is below p. It is below 2p.
#[inline(always)]
fn below_p(limbs: &Limbs, top: u64) -> Limbs {
    let (reduced, borrow) = subtract(limbs, &P);
    let (_, borrow) = top.borrowing_sub(0, borrow);
    let keep = u64::from(borrow).wrapping_neg();
    let ([a0, a1, a2, a3], [r0, r1, r2, r3]) = (*limbs, reduced);
    [
        (a0 & keep) | (r0 & !keep),
        (a1 & keep) | (r1 & !keep),
        (a2 & keep) | (r2 & !keep),
        (a3 & keep) | (r3 & !keep),
    ]
}

/// sum + a·b for sum < 2p, which [`reduce`] makes smaller than 2p again: (2p - 1 + (2^64 - 1)(p - 1 + p)) / 2^64 < 2p.
#[inline(always)]
fn row(a: &Limbs, b: u64, sum: [u64; 5]) -> [u64; 6] {
    let ([a0, a1, a2, a3], [t0, t1, t2, t3, t4]) = (*a, sum);
    let (t0, c) = a0.carrying_mul_add(b, t0, 0);
    let (t1, c) = a1.carrying_mul_add(b, t1, c);
    let (t2, c) = a2.carrying_mul_add(b, t2, c);
    let (t3, c) = a3.carrying_mul_add(b, t3, c);
    let (t4, c) = t4.carrying_add(c, false);
    [t0, t1, t2, t3, t4, u64::from(c)]
}

/// (t + m·p) / 2^64 with m = the lowest limb: m·p = -m + m·2^96 + m·P3·2^192, so that the lowest limb vanishes.
#[inline(always)]
fn reduce([m, t1, t2, t3, t4, t5]: [u64; 6]) -> [u64; 5] {
    let (low, high) = m.carrying_mul(P3, 0);
    let (t1, c) = t1.carrying_add(m << 32, false);
    let (t2, c) = t2.carrying_add(m >> 32, c);
    let (t3, c) = t3.carrying_add(low, c);
    let (t4, c) = t4.carrying_add(high, c);
    [t1, t2, t3, t4, t5.wrapping_add(u64::from(c))]
}

/// The same of four limbs. Four times in a row it gives (t + M·p) / 2^256 with t, M < 2^256: at most p.
#[inline(always)]
fn reduce_low([m, t1, t2, t3]: Limbs) -> Limbs {
    let (low, high) = m.carrying_mul(P3, 0);
    let (t1, c) = t1.carrying_add(m << 32, false);
    let (t2, c) = t2.carrying_add(m >> 32, c);
    let (t3, c) = t3.carrying_add(low, c);
    [t1, t2, t3, high.wrapping_add(u64::from(c))]
}
