//! Fixed-base multiplication: r·B in constant time from a table of B's multiples.
//!
//! Every power in a ballot is one of G or of the joint key K (SPEC.md, section 4), so two tables, made once an election,
//! carry all of the encryption. A window of w bits holds the multiples 1..2^(w-1) of 2^(w i)·B; each look-up reads its
//! whole window, so that neither time nor addresses depend on the scalar. Memory against time: [`Table4`] 37 kB for
//! microcontrollers, [`Table6`] 99 kB, [`Table8`] 295 kB.

use p256::elliptic_curve::scalar::IsHigh as _;
use p256::{AffinePoint, ProjectivePoint, Scalar};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::group::{Point, normalize};

/// Storage for a table: `ROWS` windows of `ENTRIES` multiples. Use [`Table4`], [`Table6`] or [`Table8`].
///
/// On a microcontroller it lies in a `static` cell that starts as [`Table::EMPTY`] and is filled in place.
#[derive(Clone)]
pub struct Table<const ROWS: usize, const ENTRIES: usize> {
    base: Option<Point>,
    rows: [[AffinePoint; ENTRIES]; ROWS],
}

/// Windows of 4 bits: 64 additions, 37 kB.
pub type Table4 = Table<64, 8>;
/// Windows of 6 bits: 43 additions, 99 kB.
pub type Table6 = Table<43, 32>;
/// Windows of 8 bits: 32 additions, 295 kB.
pub type Table8 = Table<32, 128>;

impl<const ROWS: usize, const ENTRIES: usize> Table<ROWS, ENTRIES> {
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
        rows: [[AffinePoint::IDENTITY; ENTRIES]; ROWS],
    };

    /// The table of `base`.
    #[must_use]
    pub fn new(base: &Point) -> Self {
        let mut table = Self::EMPTY;
        table.build(base);
        table
    }

    /// Fills the table with the multiples of `base`: about ROWS·(ENTRIES + 4) additions.
    pub fn build(&mut self, base: &Point) -> FixedBase<'_> {
        let mut window = base.projective();
        for row in &mut self.rows {
            let mut multiples = [window; ENTRIES];
            let mut multiple = window;
            for slot in multiples.iter_mut().skip(1) {
                multiple += window;
                *slot = multiple;
            }
            *row = normalize(&multiples);
            // The last multiple is 2^(w-1) times the window's base; the next base is twice that.
            window = multiple + multiple;
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
    pub fn get(&self) -> Option<FixedBase<'_>> {
        Some(FixedBase {
            base: self.base?,
            points: self.rows.as_flattened(),
            bits: Self::BITS,
        })
    }
}

/// A base point with its table, of whatever window.
#[derive(Clone, Copy)]
pub struct FixedBase<'t> {
    base: Point,
    points: &'t [AffinePoint],
    bits: u32,
}

impl FixedBase<'_> {
    /// The base.
    #[must_use]
    pub const fn base(&self) -> &Point {
        &self.base
    }

    /// `scalar`·base, in constant time.
    #[must_use]
    pub fn mul(&self, scalar: &Scalar) -> ProjectivePoint {
        // One of s and n - s is below 2^255: with its top bit free the last window needs no carry.
        let negate = scalar.is_high();
        let scalar = Scalar::conditional_select(scalar, &-scalar, negate);
        let bytes = scalar.to_bytes();
        let half = 1u32 << (self.bits - 1);
        let mut sum = ProjectivePoint::IDENTITY;
        let mut carry = 0u32;
        let mut position = 0u32;
        for row in self.points.chunks_exact(half as usize) {
            // Signed digits: a digit above 2^(w-1) becomes itself minus 2^w, with a carry into the next window.
            let digit = window(&bytes, position, self.bits) + carry;
            carry = half.wrapping_sub(digit) >> 31;
            let negative = Choice::from(u8::from(carry == 1));
            let magnitude = u32::conditional_select(&digit, &((half << 1).wrapping_sub(digit)), negative);
            let mut entry = AffinePoint::IDENTITY;
            for (multiple, point) in (1u32..).zip(row) {
                entry.conditional_assign(point, multiple.ct_eq(&magnitude));
            }
            let opposite = -entry;
            entry.conditional_assign(&opposite, negative);
            sum += &entry;
            position += self.bits;
        }
        let opposite = -sum;
        sum.conditional_assign(&opposite, negate);
        sum
    }
}

/// `bits` bits of a big-endian number from bit `position` upward; what lies above the number is 0. The positions are public.
fn window(bytes: &[u8], position: u32, bits: u32) -> u32 {
    let byte = |index: u32| -> u32 {
        31usize
            .checked_sub(index as usize)
            .and_then(|index| bytes.get(index))
            .map_or(0, |byte| u32::from(*byte))
    };
    let low = position / 8;
    let pair = byte(low) | (byte(low + 1) << 8);
    (pair >> (position % 8)) & ((1 << bits) - 1)
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
        for byte in [0x88, 0x80, 0x82, 0x20, 0x21, 0x7f, 0x08, 0x77, 0x11] {
            scalars.push(crate::group::scalar(&[byte; 32]).unwrap());
        }
        scalars
    }

    fn against_p256<const ROWS: usize, const ENTRIES: usize>() {
        let mut rng = ChaCha20Rng::from_seed([4; 32]);
        let base = ProjectivePoint::GENERATOR * random_scalar(&mut rng).unwrap();
        for base in [Point::GENERATOR, Point::from_projective(&base).unwrap()] {
            let table = std::boxed::Box::new(Table::<ROWS, ENTRIES>::new(&base));
            let fixed = table.get().unwrap();
            assert_eq!(fixed.base(), &base);
            for scalar in scalars() {
                assert_eq!(fixed.mul(&scalar), base.projective() * scalar, "{scalar:?}");
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
