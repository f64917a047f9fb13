//! The group of SPEC.md, section 1: points and scalars of P-256 as strict bytes, random scalars, hash to curve.
//!
//! Everything that enters as a point or a scalar enters here. A second spelling of a point (another tag, x >= p), a point
//! off the curve, the identity, or a scalar >= n let through would give a second ballot, code or proof for the same thing.
//! This module knows nothing of elections.

use core::fmt;

use p256::elliptic_curve::BatchNormalize as _;
use p256::elliptic_curve::array::Array;
use p256::elliptic_curve::consts::U48;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::elliptic_curve::{Field as _, PrimeField as _};
use p256::{AffinePoint, NistP256};
pub use p256::{ProjectivePoint, Scalar};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::curve::{Affine, Jacobian};
use crate::field::Field;

/// A point as it is written: SEC 1 compressed.
pub type PointBytes = [u8; 33];
/// A scalar as it is written: 32 bytes, big-endian, below n.
pub type ScalarBytes = [u8; 32];

/// Why bytes are no element of the group, or why none could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// Not 02/03 || x with x < p on the curve (SEC 1, 2.3.4); the identity has no such form.
    Point,
    /// A scalar not below n, or a secret one that is 0.
    Scalar,
    /// A sum came out as the identity, which no honest input gives.
    Identity,
    /// The random source gave zero, stuck or repeating values: nothing may be encrypted with it.
    Randomness,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Point => "not a compressed point of P-256",
            Self::Scalar => "a scalar is out of range",
            Self::Identity => "a sum of points is the identity",
            Self::Randomness => "the random source is broken: it gave zero or repeated itself",
        })
    }
}

impl core::error::Error for GroupError {}

/// A point of P-256 that is not the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point(AffinePoint);

impl Point {
    /// The base point G (SP 800-186, 3.2.1.3).
    pub const GENERATOR: Self = Self(AffinePoint::GENERATOR);

    /// Reads a point strictly.
    ///
    /// # Errors
    /// [`GroupError::Point`].
    pub fn from_bytes(bytes: &PointBytes) -> Result<Self, GroupError> {
        Affine::read(bytes)
            .as_ref()
            .and_then(Self::from_affine)
            .ok_or(GroupError::Point)
    }

    /// Reads a point from a slice, which must have 33 bytes.
    ///
    /// # Errors
    /// [`GroupError::Point`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, GroupError> {
        Self::from_bytes(bytes.try_into().map_err(|_| GroupError::Point)?)
    }

    /// The point's one form.
    #[must_use]
    pub fn to_bytes(&self) -> PointBytes {
        compress(&self.0)
    }

    /// Takes a point out of a computation.
    ///
    /// # Errors
    /// [`GroupError::Identity`].
    pub fn from_projective(point: &ProjectivePoint) -> Result<Self, GroupError> {
        let affine = point.to_affine();
        if bool::from(affine.is_identity()) {
            Err(GroupError::Identity)
        } else {
            Ok(Self(affine))
        }
    }

    /// Takes a point out of our own arithmetic.
    ///
    /// # Errors
    /// [`GroupError::Identity`].
    pub fn from_jacobian(point: &Jacobian) -> Result<Self, GroupError> {
        Self::from_affine(&point.to_affine()).ok_or(GroupError::Identity)
    }

    /// The library checks once more that the point is on the curve, which the identity's (0, 0) is not.
    fn from_affine(point: &Affine) -> Option<Self> {
        let (x, y) = point.coordinates();
        AffinePoint::from_coordinates(&x.into(), &y.into())
            .into_option()
            .map(Self)
    }

    /// The point for a computation.
    #[must_use]
    pub fn projective(&self) -> ProjectivePoint {
        self.0.into()
    }

    /// The point in affine coordinates.
    #[must_use]
    pub const fn affine(&self) -> &AffinePoint {
        &self.0
    }
}

impl<F: Field> From<&Point> for Affine<F> {
    fn from(point: &Point) -> Self {
        // A point is never the identity, and its coordinates are below p.
        Self::from_coordinates(&point.0.x().into(), &point.0.y().into()).unwrap_or(Self::NONE)
    }
}

/// 02/03 || x of a point that is not the identity (which would give 02 || 0, a form that every reader here refuses).
pub(crate) fn compress(point: &AffinePoint) -> PointBytes {
    let mut out = [0; 33];
    let (tag, x) = out.split_at_mut(1);
    tag.fill(2 | point.y_is_odd().unwrap_u8());
    x.copy_from_slice(&point.x());
    out
}

/// N points into affine coordinates with one inversion.
pub(crate) fn normalize<const N: usize>(points: &[ProjectivePoint; N]) -> [AffinePoint; N] {
    ProjectivePoint::batch_normalize(points)
}

/// Reads a scalar below n; 0 is allowed (a public response may be 0).
///
/// # Errors
/// [`GroupError::Scalar`].
pub fn scalar(bytes: &ScalarBytes) -> Result<Scalar, GroupError> {
    Scalar::from_repr(Array(*bytes)).into_option().ok_or(GroupError::Scalar)
}

/// Reads a secret scalar: in 1..n-1.
///
/// # Errors
/// [`GroupError::Scalar`].
pub fn secret_scalar(bytes: &ScalarBytes) -> Result<Scalar, GroupError> {
    scalar(bytes).and_then(|scalar| {
        if bool::from(scalar.is_zero()) {
            Err(GroupError::Scalar)
        } else {
            Ok(scalar)
        }
    })
}

/// The one form of a scalar.
#[must_use]
pub fn scalar_bytes(scalar: &Scalar) -> ScalarBytes {
    scalar.to_bytes().into()
}

/// Random secret scalars from one source, in 1..n-1, with a bias below 2^-128 and without a loop.
///
/// Zero and any cycle in what is drawn are refused (Brent's search: one value kept, exchanged at every power of two), so
/// a source that is stuck or repeats itself within a ballot gives no ballot. It cannot see a source that repeats itself
/// from one boot to the next; that is the kiosk's to check.
pub struct Secrets<'r, R: ?Sized> {
    rng: &'r mut R,
    kept: Scalar,
    drawn: u32,
}

impl<'r, R: CryptoRng + ?Sized> Secrets<'r, R> {
    /// Draws from `rng`.
    pub fn new(rng: &'r mut R) -> Self {
        Self {
            rng,
            kept: Scalar::ZERO,
            drawn: 0,
        }
    }

    /// Goes on with a series: a ballot that is prepared in many steps is drawn as one.
    pub(crate) fn resume(rng: &'r mut R, series: &Series) -> Self {
        Self {
            rng,
            kept: series.kept,
            drawn: series.drawn,
        }
    }

    /// Where the series stands now.
    pub(crate) fn pause(&self) -> Series {
        Series {
            kept: self.kept,
            drawn: self.drawn,
        }
    }

    /// The next secret scalar.
    ///
    /// # Errors
    /// [`GroupError::Randomness`].
    pub fn scalar(&mut self) -> Result<Scalar, GroupError> {
        let mut wide = Array::<u8, U48>::default();
        self.rng.fill_bytes(&mut wide);
        let scalar = <Scalar as Reduce<Array<u8, U48>>>::reduce(&wide);
        wide.zeroize();
        // `kept` starts as 0, so this refuses a zero first draw too.
        if bool::from(scalar.is_zero() | scalar.ct_eq(&self.kept)) {
            return Err(GroupError::Randomness);
        }
        self.drawn = self.drawn.saturating_add(1);
        if self.drawn.is_power_of_two() {
            self.kept = scalar;
        }
        Ok(scalar)
    }

    /// 32 random bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// Where a series of draws of [`Secrets`] stands between two steps.
#[derive(zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub(crate) struct Series {
    kept: Scalar,
    drawn: u32,
}

impl Series {
    /// Nothing was drawn.
    pub(crate) const BEGIN: Self = Self {
        kept: Scalar::ZERO,
        drawn: 0,
    };
}

impl<R: ?Sized> Drop for Secrets<'_, R> {
    fn drop(&mut self) {
        self.kept.zeroize();
    }
}

/// One random secret scalar; see [`Secrets`].
///
/// # Errors
/// [`GroupError::Randomness`].
pub fn random_scalar<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Scalar, GroupError> {
    Secrets::new(rng).scalar()
}

/// RFC 9380 hash to curve, suite P256_XMD:SHA-256_SSWU_RO_, with the given domain separation tag.
///
/// # Errors
/// [`GroupError::Point`] for a tag of no or more than 255 bytes; the identity, which nobody can hit, is refused too.
pub fn hash_to_curve(tag: &[u8], message: &[u8]) -> Result<Point, GroupError> {
    if tag.is_empty() || tag.len() > 255 {
        return Err(GroupError::Point);
    }
    let point =
        p256::hash2curve::hash_from_bytes::<NistP256, p256::hash2curve::ExpandMsgXmd<sha2::Sha256>>(&[message], &[tag])
            .map_err(|_| GroupError::Point)?;
    Point::from_projective(&point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use proptest::prelude::*;
    use rand_core::{SeedableRng as _, TryCryptoRng, TryRng};

    /// p of P-256, big-endian.
    const P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    /// n of P-256, big-endian.
    const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

    fn hex32(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn with_tag(tag: u8, x: [u8; 32]) -> PointBytes {
        let mut bytes = [tag; 33];
        bytes[1..].copy_from_slice(&x);
        bytes
    }

    #[test]
    fn p07_identity_off_curve_unreduced_and_other_tags_are_refused() {
        let g = Point::GENERATOR.to_bytes();
        let x: [u8; 32] = g[1..].try_into().unwrap();
        assert_eq!(Point::from_bytes(&g), Ok(Point::GENERATOR));
        for tag in (0..=255).filter(|tag| !matches!(tag, 2 | 3)) {
            assert_eq!(
                Point::from_bytes(&with_tag(tag, x)),
                Err(GroupError::Point),
                "tag {tag}"
            );
            assert_eq!(
                Point::from_bytes(&with_tag(tag, [0; 32])),
                Err(GroupError::Point),
                "identity {tag}"
            );
        }
        // x = 5 is on the curve; x + p is the same x unreduced (it fits 32 bytes since 5 + p < 2^256).
        assert!(Point::from_bytes(&with_tag(2, hex32(&std::format!("{:064x}", 5)))).is_ok());
        let unreduced = "ffffffff00000001000000000000000000000001000000000000000000000004";
        assert_eq!(
            Point::from_bytes(&with_tag(2, hex32(unreduced))),
            Err(GroupError::Point)
        );
        assert_eq!(Point::from_bytes(&with_tag(2, hex32(P))), Err(GroupError::Point));
        assert_eq!(Point::from_bytes(&with_tag(3, [255; 32])), Err(GroupError::Point));
        // x = 1 has no y on P-256.
        assert_eq!(
            Point::from_bytes(&with_tag(2, hex32(&std::format!("{:064x}", 1)))),
            Err(GroupError::Point)
        );
        assert_eq!(Point::from_slice(&[0]), Err(GroupError::Point));
        assert_eq!(Point::from_slice(&[4; 65]), Err(GroupError::Point));
        assert_eq!(
            Point::from_projective(&ProjectivePoint::IDENTITY),
            Err(GroupError::Identity)
        );
    }

    #[test]
    fn p08_scalars_not_below_n_are_refused() {
        let n = hex32(N);
        assert_eq!(scalar(&n), Err(GroupError::Scalar));
        assert_eq!(scalar(&[255; 32]), Err(GroupError::Scalar));
        let mut below = n;
        below[31] -= 1;
        assert_eq!(scalar_bytes(&scalar(&below).unwrap()), below);
        assert_eq!(scalar(&[0; 32]), Ok(Scalar::ZERO));
        assert_eq!(secret_scalar(&[0; 32]), Err(GroupError::Scalar));
        for low in 0..=255u8 {
            let mut above = n;
            above[31] = above[31].saturating_add(low);
            assert_eq!(scalar(&above), Err(GroupError::Scalar));
        }
    }

    proptest! {
        #[test]
        fn p08_what_is_read_is_written_back_equal(bytes: [u8; 32], tag: u8) {
            if let Ok(scalar) = scalar(&bytes) {
                prop_assert_eq!(scalar_bytes(&scalar), bytes);
            }
            for tag in [tag, 2, 3] {
                let bytes = with_tag(tag, bytes);
                if let Ok(point) = Point::from_bytes(&bytes) {
                    prop_assert_eq!(point.to_bytes(), bytes);
                }
            }
        }
    }

    /// A source that repeats the given bytes for ever.
    struct Cycle(std::vec::Vec<u8>, usize);
    impl TryRng for Cycle {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!()
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            for byte in out {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(())
        }
    }
    impl TryCryptoRng for Cycle {}

    #[test]
    fn p16_zero_stuck_and_repeating_randomness_is_refused() {
        let n48 = {
            let mut bytes = std::vec![0; 16];
            bytes.extend(hex32(N));
            bytes
        };
        for cycle in [
            std::vec![0],
            std::vec![255],
            std::vec![0x55],
            (0..48).collect(),
            (0..96).collect(),
            (0..64).collect(),
            (0..=255).collect(),
            (0..4096u32).flat_map(u32::to_le_bytes).collect(),
            n48,
        ] {
            let mut rng = Cycle(cycle, 0);
            let mut secrets = Secrets::new(&mut rng);
            // A choose-1-of-5 contest draws 25; a page of 16 KiB repeats after 1,024 of them.
            assert!((0..4096).any(|_| secrets.scalar() == Err(GroupError::Randomness)));
        }
        let mut rng = ChaCha20Rng::from_seed([5; 32]);
        let mut secrets = Secrets::new(&mut rng);
        for _ in 0..4096 {
            secrets.scalar().unwrap();
        }
    }

    /// RFC 9380, J.1.1.
    #[test]
    fn p13_hash_to_curve_vectors() {
        let tag = b"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_";
        for (message, x, y_odd) in [
            (
                &b""[..],
                "2c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4",
                0x15u8,
            ),
            (
                b"abc",
                "0bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f",
                0x2e,
            ),
        ] {
            let point = hash_to_curve(tag, message).unwrap();
            assert_eq!(point.to_bytes(), with_tag(2 | (y_odd & 1), hex32(x)), "{message:?}");
        }
        assert!(hash_to_curve(b"", b"abc").is_err());
        assert!(hash_to_curve(&[b'a'; 256], b"abc").is_err());
    }
}
