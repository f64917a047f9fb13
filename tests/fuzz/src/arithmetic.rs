//! What our constant-time arithmetic (firmware/election: field, curve, table, multiply) owes to any values at all: it is that of p256.
//!
//! The bytes choose values, not a format. Both fields are compared, that of the desk and that of microcontrollers, which is
//! compiled here from its file.

use std::sync::OnceLock;

use election::ballot::{Bucket, Term, multiply, multiply_few};
use election::curve::{Affine, Jacobian, normalize};
use election::field::{Fe, Field, Mask};
use election::group::{Point, ProjectivePoint, Scalar};
use election::table::Table;
use p256::NistP256;
use p256::elliptic_curve::array::Array;
use p256::elliptic_curve::ff::PrimeField as _;
use p256::elliptic_curve::group::{Group as _, GroupEncoding as _};
use p256::elliptic_curve::hazmat::FieldArithmetic;
use p256::elliptic_curve::ops::Reduce;

use self::limbs32::Limbs32;

#[path = "../../../firmware/election/src/field/limbs32.rs"]
mod limbs32;

type Library = <NistP256 as FieldArithmetic>::FieldElement;

/// Takes values off the front; what is not there is 0.
struct Values<'d>(&'d [u8]);

impl Values<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn bytes(&mut self) -> [u8; 32] {
        let (taken, rest) = self.0.split_at(self.0.len().min(32));
        self.0 = rest;
        let mut bytes = [0; 32];
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }

    fn scalar(&mut self) -> Scalar {
        reduced(self.bytes())
    }
}

/// Modulo n.
fn reduced(bytes: [u8; 32]) -> Scalar {
    <Scalar as Reduce<p256::FieldBytes>>::reduce(&Array(bytes))
}

/// One of four comparisons, by the first byte.
pub fn arithmetic(data: &[u8]) {
    let mut values = Values(data);
    match values.byte() % 4 {
        0 => {
            let (a, b) = (values.bytes(), values.bytes());
            field::<Fe>(&a, &b);
            field::<Limbs32>(&a, &b);
        }
        1 => curve(&mut values),
        2 => table(&mut values),
        _ => sums(&mut values),
    }
}

/// Every operation on two numbers.
fn field<F: Field>(a: &[u8; 32], b: &[u8; 32]) {
    let library = |bytes: &[u8; 32]| Library::from_repr(Array(*bytes)).into_option();
    let (own, known) = ([a, b].map(F::from_bytes), [a, b].map(library));
    for (own, known) in own.iter().zip(&known) {
        assert_eq!(own.is_some(), known.is_some(), "read");
    }
    let ([Some(a), Some(b)], [Some(x), Some(y)]) = (own, known) else {
        return;
    };
    let same =
        |own: F, known: Library, what: &str| assert_eq!(own.to_bytes(), <[u8; 32]>::from(known.to_bytes()), "{what}");
    same(a, x, "written");
    same(a.add(&b), x + y, "sum");
    same(a.sub(&b), x - y, "difference");
    same(a.mul(&b), x * y, "product");
    same(a.square(), x.square(), "square");
    same(a.double(), x.double(), "double");
    same(a.neg(), -x, "negative");
    same(a.invert(), x.invert().into_option().unwrap_or(Library::ZERO), "inverse");
    let (own, known) = (a.sqrt(), x.sqrt().into_option());
    assert_eq!(own.is_some(), known.is_some(), "root");
    if let (Some(own), Some(known)) = (own, known) {
        same(own, known, "root");
    }
    assert_eq!(a.is_zero().public(), bool::from(x.is_zero()), "zero");
    for (bit, expected) in [(0, x), (1, y)] {
        let mut value = a;
        value.assign_if(&b, Mask::bit(bit));
        same(value, expected, "selected");
    }
}

/// The same point in ours, or the identity.
fn agree(own: &Jacobian, known: &ProjectivePoint, what: &str) {
    assert_eq!(
        Point::from_jacobian(own).ok(),
        Point::from_projective(known).ok(),
        "{what}"
    );
}

/// Sums of two points: of their multiples with any z, equal, opposite, or one of them the identity.
fn curve(values: &mut Values<'_>) {
    let how = values.byte();
    let raw = {
        let mut raw = [values.byte(); 33];
        raw[1..].copy_from_slice(&values.bytes());
        raw
    };
    let known = p256::AffinePoint::from_bytes(&raw.into()).into_option();
    let read = Affine::<Fe>::read(&raw);
    assert_eq!(read.is_some(), known.is_some() && matches!(raw[0], 2 | 3), "read");
    assert!(read.is_none_or(|point| point.to_bytes() == raw), "written");

    let s = values.scalar();
    let t = match how % 4 {
        0 => values.scalar(),
        1 => s,
        2 => -s,
        _ => s.double(),
    };
    let [a, b] = [s, t].map(|scalar| ProjectivePoint::GENERATOR * scalar);
    let own = |point: &ProjectivePoint| {
        Point::from_projective(point)
            .map(|point| Affine::<Fe>::from(&point))
            .ok()
    };
    // A z other than 1 comes of (P + Q) - Q.
    let shift = own(&ProjectivePoint::GENERATOR.double()).expect("2G");
    let [p, q] = [&a, &b].map(|point| {
        let affine = own(point).map_or(Jacobian::IDENTITY, Jacobian::from);
        if how & 4 == 0 {
            affine
        } else {
            affine.add(&shift).add(&shift.neg())
        }
    });
    agree(&p, &a, "point");
    agree(&p.neg(), &-a, "negative");
    agree(&p.double(), &a.double(), "double");
    agree(&p.sum_public(&q), &(a + b), "sum");
    let mut negated = p;
    negated.negate_if(Mask::bit(u64::from(how >> 3 & 1)));
    agree(&negated, &if how >> 3 & 1 == 1 { -a } else { a }, "negated");
    if let Some(affine) = own(&b) {
        agree(&p.add(&affine), &(a + b), "complete addition");
        agree(&p.add_public(&affine), &(a + b), "addition");
        if a != b && own(&a).is_some() {
            agree(&p.add_different(&affine), &(a + b), "addition of different points");
        }
    }
    for (normal, point) in normalize(&[p, q, p.double()]).iter().zip([a, b, a.double()]) {
        assert_eq!(normal.is_none(), own(&point).is_none(), "normalized");
        agree(
            &if normal.is_none() {
                Jacobian::IDENTITY
            } else {
                (*normal).into()
            },
            &point,
            "normalized",
        );
    }
}

/// Tables of one base, with a window of each width.
struct Tables {
    base: Point,
    four: Box<Table<64, 8>>,
    five: Box<Table<52, 16>>,
    six: Box<Table<43, 32>>,
    seven: Box<Table<37, 64>>,
    eight: Box<Table<32, 128>>,
}

impl Tables {
    fn new(base: Point) -> Self {
        Self {
            base,
            four: Box::new(Table::new(&base)),
            five: Box::new(Table::new(&base)),
            six: Box::new(Table::new(&base)),
            seven: Box::new(Table::new(&base)),
            eight: Box::new(Table::new(&base)),
        }
    }
}

/// Multiplication by table.
fn table(values: &mut Values<'_>) {
    static TABLES: OnceLock<[Tables; 2]> = OnceLock::new();
    let all = TABLES.get_or_init(|| {
        let other = election::group::hash_to_curve(b"fuzz", b"").expect("a tag");
        [Point::GENERATOR, other].map(Tables::new)
    });
    let tables = &all[usize::from(values.byte() & 1)];
    let scalar = values.scalar();
    let known = tables.base.projective() * scalar;
    let fixed = [
        tables.four.get(),
        tables.five.get(),
        tables.six.get(),
        tables.seven.get(),
        tables.eight.get(),
    ];
    for (bits, fixed) in (4..).zip(fixed) {
        agree(&fixed.expect("built").mul(&scalar), &known, &format!("{bits} bits"));
    }
}

/// Sums of products: small multiples of one point, so that equal and opposite ones meet, with any scalars.
fn sums(values: &mut Values<'_>) {
    const TERMS: usize = 6;
    let (buckets, wide) = (2usize << (values.byte() % 7), usize::from(values.byte()) % (TERMS + 1));
    let mut known = ProjectivePoint::IDENTITY;
    let mut terms = [Term::EMPTY; TERMS];
    for (number, term) in terms.iter_mut().enumerate() {
        let multiple = Scalar::from(u32::from(values.byte() % 4) + 1);
        let multiple = if values.byte() & 1 == 1 { -multiple } else { multiple };
        let mut bytes = values.bytes();
        if number >= wide {
            bytes[..16].fill(0);
        }
        let scalar = reduced(bytes);
        let point = ProjectivePoint::GENERATOR * multiple;
        known += point * scalar;
        *term = Term::new(
            Affine::from(&Point::from_projective(&point).expect("not the identity")),
            scalar,
        );
    }
    agree(&multiply_few(&mut terms, wide), &known, "a few");
    let (wide, narrow) = terms.split_at_mut(wide);
    let sum = multiply(wide, narrow, &mut vec![Bucket::EMPTY; buckets]).expect("two buckets or more");
    agree(&sum, &known, "many");
}
