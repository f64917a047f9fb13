//! Fixed-base multiplication: r·B in constant time from a table of B's multiples.
//!
//! Every power in a ballot is one of G or of the joint key K (SPEC.md, section 4), so two tables, made once an election,
//! carry all of the encryption. A scalar is written with odd digits: a window of w bits holds the multiples 1, 3, ..,
//! 2^w - 1 of 2^(w i)·B. No digit is 0, so that the cheap addition of two *different* points serves: before the last row the
//! sum so far is a·B with odd |a| < 2^(w i), the next entry d·B with 2^(w i) <= |d| and |a| + |d| < 2^(w (rows - 1)) < n, so
//! they are neither equal nor opposite, and none is the identity. The last addition is a complete one. Each look-up reads its
//! whole window, so that neither time nor addresses depend on the scalar. Memory against time: [`Table4`] 33 kB for
//! microcontrollers, [`Table6`] 88 kB, [`Table8`] 262 kB.

use p256::Scalar;
use p256::elliptic_curve::Field as _;
use subtle::ConditionallySelectable as _;
use zeroize::Zeroize as _;

use crate::curve::{Affine, Jacobian, normalize};
use crate::field::{Fe, Field, Mask};
use crate::group::Point;

/// Storage for a table: `ROWS` windows of `ENTRIES` multiples. Use [`Table4`], [`Table6`] or [`Table8`].
///
/// On a microcontroller it lies in a `static` cell that starts as [`Table::EMPTY`] and is filled in place.
#[derive(Clone)]
pub struct Table<const ROWS: usize, const ENTRIES: usize, F = Fe> {
    base: Option<Point>,
    rows: [[Affine<F>; ENTRIES]; ROWS],
}

/// Windows of 4 bits: 64 additions, 33 kB.
pub type Table4 = Table<64, 8>;
/// Windows of 6 bits: 43 additions, 88 kB.
pub type Table6 = Table<43, 32>;
/// Windows of 8 bits: 32 additions, 262 kB.
pub type Table8 = Table<32, 128>;

impl<const ROWS: usize, const ENTRIES: usize, F: Field> Table<ROWS, ENTRIES, F> {
    /// Bits of a window: ENTRIES = 2^(w-1). Checked when the type is used, together with the number of rows.
    const BITS: u32 = {
        assert!(ENTRIES.is_power_of_two() && ENTRIES >= 2 && ENTRIES <= 128);
        let bits = ENTRIES.ilog2() + 1;
        assert!(ROWS == 256usize.div_ceil(bits as usize));
        bits
    };

    /// A table of nothing; [`Table::get`] gives `None`.
    pub const EMPTY: Self = Self {
        base: None,
        rows: [[Affine::NONE; ENTRIES]; ROWS],
    };

    /// The table of `base`.
    #[must_use]
    pub fn new(base: &Point) -> Self {
        let mut table = Self::EMPTY;
        table.build(base);
        table
    }

    /// Fills the table with the multiples of `base`: about ROWS·(ENTRIES + 4) additions.
    pub fn build(&mut self, base: &Point) -> FixedBase<'_, F> {
        let mut first = Jacobian::from(Affine::from(base));
        for row in &mut self.rows {
            let twice = first.double();
            let mut multiples = [first; ENTRIES];
            let mut multiple = first;
            for slot in multiples.iter_mut().skip(1) {
                multiple = multiple.sum_public(&twice);
                *slot = multiple;
            }
            *row = normalize(&multiples);
            // The last multiple is 2^w - 1 times the window's base.
            first = multiple.sum_public(&first);
        }
        self.base = Some(*base);
        FixedBase {
            base: *base,
            points: self.rows.as_flattened(),
            bits: Self::BITS,
        }
    }

    /// The filled table; `None` before [`Table::build`].
    #[must_use]
    pub fn get(&self) -> Option<FixedBase<'_, F>> {
        Some(FixedBase {
            base: self.base?,
            points: self.rows.as_flattened(),
            bits: Self::BITS,
        })
    }
}

/// A base point with its table, of whatever window.
#[derive(Clone, Copy)]
pub struct FixedBase<'t, F = Fe> {
    base: Point,
    points: &'t [Affine<F>],
    bits: u32,
}

impl<F: Field> FixedBase<'_, F> {
    /// The base.
    #[must_use]
    pub const fn base(&self) -> &Point {
        &self.base
    }

    /// The base as the table has it.
    pub(crate) fn affine(&self) -> Affine<F> {
        self.points.first().copied().unwrap_or(Affine::NONE)
    }

    /// `scalar`·base, in constant time.
    #[must_use]
    pub fn mul(&self, scalar: &Scalar) -> Jacobian<F> {
        // One of s and n - s is odd, unless s = 0, which is put right at the end.
        let even = !scalar.is_odd();
        let mut odd = Scalar::conditional_select(scalar, &-scalar, even);
        let last = 255 / self.bits;
        let mut digits = Digits::new(&odd, (last + 1) * self.bits);
        let mut sum = Jacobian::IDENTITY;
        for (number, row) in (0u32..).zip(self.points.chunks_exact(1 << (self.bits - 1))) {
            let entry = look_up(row, digits.window(number * self.bits, self.bits), self.bits);
            sum = match number {
                0 => entry.into(),
                _ if number < last => sum.add_different(&entry),
                _ => sum.add(&entry),
            };
        }
        odd.zeroize();
        digits.0.zeroize();
        sum.negate_if(Mask::bit(u64::from(even.unwrap_u8())));
        sum.assign_if(&Jacobian::IDENTITY, Mask::bit(u64::from(scalar.is_zero().unwrap_u8())));
        sum
    }
}

/// (k + 2^L - 1) / 2 for an odd k below 2^L, L = w·rows, little-endian. With u its w bits of a row, the digit of k there is
/// 2u + 1 - 2^w, because these constants add up to 1 - 2^L over all rows.
struct Digits([u64; 5]);

impl Digits {
    fn new(odd: &Scalar, length: u32) -> Self {
        let bytes: [u8; 32] = odd.to_bytes().into();
        let (parts, _) = bytes.as_chunks::<8>();
        let mut limbs = [0; 5];
        let mut above = 0;
        for (limb, part) in limbs.iter_mut().rev().skip(1).zip(parts) {
            let part = u64::from_be_bytes(*part);
            *limb = (part >> 1) | (above << 63);
            above = part;
        }
        let top = length.saturating_sub(1);
        if let Some(limb) = limbs.get_mut((top / 64) as usize) {
            *limb |= 1 << (top % 64);
        }
        Self(limbs)
    }

    /// `bits` bits from bit `position` upward. The positions are public.
    #[inline(always)]
    fn window(&self, position: u32, bits: u32) -> u32 {
        let limb = |index: u32| self.0.get(index as usize).copied().unwrap_or(0);
        let (index, shift) = (position / 64, position % 64);
        // Twice, because a shift by 64 is none.
        let above = (limb(index + 1) << 1) << (63 - shift);
        let [a, b, c, d, ..] = ((limb(index) >> shift) | above).to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) & ((1 << bits) - 1)
    }
}

/// The multiple 2u + 1 - 2^w out of a row of 1, 3, .., 2^w - 1, by reading all of the row.
#[inline(always)]
fn look_up<F: Field>(row: &[Affine<F>], u: u32, bits: u32) -> Affine<F> {
    let half = 1u32 << (bits - 1);
    let positive = u >> (bits - 1);
    // u - 2^(w-1) for a positive digit, 2^(w-1) - 1 - u for a negative one.
    let wanted = (u ^ positive.wrapping_sub(1)) & (half - 1);
    let mut entry = Affine::NONE;
    for (index, point) in (0u32..).zip(row) {
        entry.assign_if(point, Mask::equal(index, wanted));
    }
    entry.negate_if(Mask::bit(u64::from(positive ^ 1)));
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::random_scalar;
    use chacha20::ChaCha20Rng;
    use p256::elliptic_curve::PrimeField as _;
    use rand_core::SeedableRng as _;

    fn scalars() -> std::vec::Vec<Scalar> {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let mut scalars: std::vec::Vec<_> = (0..64).map(|_| random_scalar(&mut rng).unwrap()).collect();
        // Edges of the recoding: 0, +-1, powers of two and their neighbours, both sides of n / 2, all digits at a half.
        scalars.extend([
            Scalar::ZERO,
            Scalar::ONE,
            -Scalar::ONE,
            Scalar::TWO_INV,
            -Scalar::TWO_INV,
        ]);
        let mut power = Scalar::ONE;
        for _ in 0..256 {
            scalars.extend([power, power - Scalar::ONE, power + Scalar::ONE, -power]);
            power = power.double();
        }
        // The one scalar for which the last addition of a window doubles: n - 2 (n mod 2^(w (rows - 1))).
        for low in [248u32, 250, 252] {
            let bytes: [u8; 32] = (-Scalar::ONE).to_bytes().into();
            let mut below = [0; 32];
            for (position, (to, from)) in below.iter_mut().zip(bytes).rev().enumerate() {
                let bits = low.saturating_sub(8 * u32::try_from(position).unwrap()).min(8);
                *to = from & u8::try_from((1u32 << bits) - 1).unwrap();
            }
            let rest = crate::group::scalar(&below).unwrap() + Scalar::ONE;
            scalars.extend([-rest.double(), rest.double(), -rest, rest]);
        }
        for byte in [0x88, 0x80, 0x82, 0x20, 0x21, 0x7f, 0x08, 0x77, 0x11] {
            scalars.push(crate::group::scalar(&[byte; 32]).unwrap());
        }
        scalars
    }

    fn against_p256<const ROWS: usize, const ENTRIES: usize>() {
        let mut rng = ChaCha20Rng::from_seed([4; 32]);
        let base = crate::group::ProjectivePoint::GENERATOR * random_scalar(&mut rng).unwrap();
        for base in [Point::GENERATOR, Point::from_projective(&base).unwrap()] {
            let table = std::boxed::Box::new(Table::<ROWS, ENTRIES>::new(&base));
            let fixed = table.get().unwrap();
            assert_eq!(fixed.base(), &base);
            for scalar in scalars() {
                let product = Point::from_jacobian(&fixed.mul(&scalar));
                assert_eq!(
                    product,
                    Point::from_projective(&(base.projective() * scalar)),
                    "{scalar:?}"
                );
            }
        }
    }

    #[test]
    fn every_window_multiplies_as_p256_does() {
        against_p256::<64, 8>();
        against_p256::<52, 16>();
        against_p256::<43, 32>();
        against_p256::<37, 64>();
        against_p256::<32, 128>();
    }

    #[test]
    fn an_empty_table_gives_no_base() {
        assert!(Table4::EMPTY.get().is_none());
    }
}
