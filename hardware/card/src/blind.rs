//! The arithmetic of the double-blinded query: how a card proves that it holds a private key, and
//! what lies on the other side of it.
//!
//! A card with private key d and public key Q = d·G answers ECDH on a point with the x coordinate of
//! d times that point. We want Z = d·P for a given P, and to be sure that it is d's. Asking for P
//! itself would not do: a relay in front of the card could ask a second card instead, and no public
//! value tells X(d·P) from X(d'·P). So ask on P' = s·P + r·G with fresh secret s and r. The
//! holder of d answers X(d·P'), and d·P' = s·Z + r·Q, so one of the two points with that x gives
//! Z = s⁻¹·(±lift(X) − r·Q). The sign is not known, so ask twice: the true Z is among the candidates of
//! both queries, and the two false ones differ except with negligible probability.
//!
//! A relay sees only P', which is uniform whatever s is (r is as large as the group). To make both
//! queries agree on a false Z' it would have to answer s·Z' + r·Q without knowing s. If it asks
//! another card with d', it gets s·(d'·P) + r·Q', and the unblinding with Q leaves r·s⁻¹·(Q' − Q),
//! which differs between the two queries.

use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::ops::Invert;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::elliptic_curve::subtle::ConstantTimeEq;
use p256::{AffinePoint, NonZeroScalar, ProjectivePoint, PublicKey, Scalar};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::error::CardError;

/// Draws before the generator is called broken. One draw misses the scalar field with probability
/// 2⁻³², so eight misses in a row are no accident.
const MAX_DRAWS: usize = 8;

/// The secret blinding values of one query, wiped when dropped. If they leaked, a relay could compute
/// answers that agree on a Z of its choice.
pub(crate) struct Blinding {
    s: NonZeroScalar,
    r: NonZeroScalar,
}

impl Drop for Blinding {
    fn drop(&mut self) {
        self.s.zeroize();
        self.r.zeroize();
    }
}

/// The two points Z that one answer allows.
pub(crate) type Candidates = Zeroizing<[ProjectivePoint; 2]>;

impl Blinding {
    pub(crate) fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Self, CardError> {
        Ok(Self {
            s: nonzero(rng)?,
            r: nonzero(rng)?,
        })
    }

    /// P' = s·P + r·G, SEC 1 uncompressed, as the card wants it.
    pub(crate) fn blind(&self, base: &ProjectivePoint) -> Result<[u8; 65], CardError> {
        let point = base * &*self.s + ProjectivePoint::mul_by_generator(&self.r);
        // The neutral element, with probability 2⁻²⁵⁶ unless the generator is broken.
        let key = PublicKey::from_affine(point.to_affine()).map_err(|_| CardError::Randomness)?;
        let mut bytes = [0; 65];
        for (to, from) in bytes.iter_mut().zip(key.to_sec1_point(false).as_bytes()) {
            *to = *from;
        }
        Ok(bytes)
    }

    /// Z = s⁻¹·(±lift(x) − r·Q) for both signs; `None` if no point has this x.
    pub(crate) fn candidates(&self, x: &[u8; 32], key: &ProjectivePoint) -> Option<Candidates> {
        let mut sec1 = Zeroizing::new([2; 33]);
        for (to, from) in sec1.iter_mut().skip(1).zip(x) {
            *to = *from;
        }
        let lifted = PublicKey::from_sec1_bytes(sec1.as_slice()).ok()?;
        let lifted = Zeroizing::new(lifted.to_projective());
        let inverse = Zeroizing::new(*Invert::invert(&self.s));
        let mask = Zeroizing::new(key * &*self.r);
        Some(Zeroizing::new([
            (*lifted - *mask) * *inverse,
            (-*lifted - *mask) * *inverse,
        ]))
    }
}

/// The one Z that both queries allow; `None` if there is none or more than one.
pub(crate) fn agreed(first: &Candidates, second: &Candidates) -> Option<AffinePoint> {
    let mut matches = 0;
    let mut z = Zeroizing::new(ProjectivePoint::IDENTITY);
    for a in first.iter() {
        for b in second.iter() {
            if bool::from(a.ct_eq(b)) {
                matches += 1;
                *z = *a;
            }
        }
    }
    // d and the order of P are not 0, so an honest Z is never the neutral element.
    (matches == 1 && !bool::from(z.is_identity())).then(|| z.to_affine())
}

fn nonzero<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<NonZeroScalar, CardError> {
    let mut bytes = Zeroizing::new([0; 32]);
    for _ in 0..MAX_DRAWS {
        rng.fill_bytes(bytes.as_mut_slice());
        let scalar = Option::<Scalar>::from(Scalar::from_repr((*bytes).into()))
            .and_then(|scalar| Option::from(NonZeroScalar::new(scalar)));
        if let Some(scalar) = scalar {
            return Ok(scalar);
        }
    }
    Err(CardError::Randomness)
}
