//! Other arithmetic for the same curve, measured where ours is used: behind the seam `election::field::Field`, and as it comes.
//!
//! Lines named `multiplication`: one fixed-base multiplication in constant time. With peer `p256-field` or `crrl-field` our tables and
//! formulas run over the peer's field elements; with `p256` and `crrl` it is the peer's own multiplication of the generator. The ratio is
//! the peer's time divided by ours.

use chacha20::ChaCha20Rng;
use crrl::field::GFp256;
use election::field::{Field, Mask};
use election::group::{Point, ProjectivePoint, Scalar, random_scalar};
use election::table::Table;
use p256::NistP256;
use p256::elliptic_curve::ff::PrimeField as _;
use p256::elliptic_curve::hazmat::FieldArithmetic;
use p256::elliptic_curve::subtle::{Choice, ConditionallySelectable as _};

use crate::{line, rounds, time};

type Library = <NistP256 as FieldArithmetic>::FieldElement;

/// p256's field elements.
#[derive(Clone, Copy)]
struct P256Field(Library);

impl Field for P256Field {
    const ZERO: Self = Self(Library::ZERO);
    const ONE: Self = Self(Library::ONE);
    const B: Self = Self(Library::from_hex_vartime(
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    ));

    fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        Library::from_repr((*bytes).into()).into_option().map(Self)
    }
    fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }
    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Self(self.0.add(&other.0))
    }
    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        Self(self.0.sub(&other.0))
    }
    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        Self(self.0.multiply(&other.0))
    }
    #[inline(always)]
    fn square(&self) -> Self {
        Self(self.0.square())
    }
    #[inline(always)]
    fn assign_if(&mut self, other: &Self, mask: Mask) {
        self.0
            .conditional_assign(&other.0, Choice::from((mask.bits() & 1) as u8));
    }
    fn is_zero(&self) -> Mask {
        Mask::bit(u64::from(self.0.is_zero().unwrap_u8()))
    }
}

/// crrl's.
#[derive(Clone, Copy)]
struct CrrlField(GFp256);

impl Field for CrrlField {
    const ZERO: Self = Self(GFp256::ZERO);
    const ONE: Self = Self(GFp256::ONE);
    const B: Self = Self(GFp256::w64be(
        0x5ac6_35d8_aa3a_93e7,
        0xb3eb_bd55_7698_86bc,
        0x651d_06b0_cc53_b0f6,
        0x3bce_3c3e_27d2_604b,
    ));

    fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let mut little = *bytes;
        little.reverse();
        GFp256::decode(&little).map(Self)
    }
    fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = self.0.encode();
        bytes.reverse();
        bytes
    }
    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }
    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        Self(self.0 - other.0)
    }
    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        Self(self.0 * other.0)
    }
    #[inline(always)]
    fn square(&self) -> Self {
        Self(self.0.square())
    }
    #[inline(always)]
    fn assign_if(&mut self, other: &Self, mask: Mask) {
        self.0.set_cond(&other.0, (mask.bits() & u64::from(u32::MAX)) as u32);
    }
    fn is_zero(&self) -> Mask {
        Mask::bit(u64::from(self.0.iszero() & 1))
    }
}

/// Microseconds a multiplication, over all scalars.
fn each<S, T>(calls: u32, scalars: &[S], call: impl Fn(&S) -> T) -> f64 {
    let mut next = scalars.iter().cycle();
    time(3 * calls, || call(next.next().unwrap()))
}

/// The lines, after a check that all multiply to the same point.
pub fn compare(random: &mut ChaCha20Rng) {
    let scalars: Vec<Scalar> = (0..64).map(|_| random_scalar(random).unwrap()).collect();
    let g = Point::GENERATOR;
    let own = Box::new(Table::<43, 32>::new(&g));
    let library = Box::new(Table::<43, 32, P256Field>::new(&g));
    let crrl_table = Box::new(Table::<43, 32, CrrlField>::new(&g));
    let (own, library, crrl_table) = (own.get().unwrap(), library.get().unwrap(), crrl_table.get().unwrap());
    let crrl_scalars: Vec<crrl::p256::Scalar> = (scalars.iter())
        .map(|scalar| {
            let mut bytes: [u8; 32] = scalar.to_bytes().into();
            bytes.reverse();
            crrl::p256::Scalar::decode(&bytes).unwrap()
        })
        .collect();
    for (scalar, crrl_scalar) in scalars.iter().zip(&crrl_scalars) {
        let expected = Point::from_projective(&(ProjectivePoint::GENERATOR * scalar))
            .unwrap()
            .to_bytes();
        assert_eq!(own.mul(scalar).to_affine().to_bytes(), expected);
        assert_eq!(library.mul(scalar).to_affine().to_bytes(), expected);
        assert_eq!(crrl_table.mul(scalar).to_affine().to_bytes(), expected);
        assert_eq!(crrl::p256::Point::mulgen(crrl_scalar).encode_compressed(), expected);
    }
    let calls = u32::try_from(scalars.len()).unwrap();
    let [(value, _), (_, library_field), (_, crrl_field), (_, p256), (_, crrl)] = rounds([
        &mut || each(calls, &scalars, |scalar| own.mul(scalar)),
        &mut || each(calls, &scalars, |scalar| library.mul(scalar)),
        &mut || each(calls, &scalars, |scalar| crrl_table.mul(scalar)),
        &mut || each(calls, &scalars, |scalar| ProjectivePoint::GENERATOR * scalar),
        &mut || each(calls, &crrl_scalars, crrl::p256::Point::mulgen),
    ]);
    for (peer, ratio) in [
        ("p256-field", library_field),
        ("crrl-field", crrl_field),
        ("p256", p256),
        ("crrl", crrl),
    ] {
        line("multiplication", value, "us", peer, ratio);
    }
}
