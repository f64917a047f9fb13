//! A trustee's part of a decryption: made with the secret share, checked with the public one.

use p256::elliptic_curve::ops::LinearCombination as _;
use p256::elliptic_curve::subtle::ConstantTimeEq as _;
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::group::{GroupError, Point, ProjectivePoint, Scalar, ScalarBytes, scalar, scalar_bytes, secret_scalar};
use crate::hash::{Digest, hash_to_scalar};
use crate::tally::{Decryption, PublicKeys, TallyError};
use crate::wire::Bytes;

/// What is decrypted: the sums of one selection of one contest of an election.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'s> {
    /// eh.
    pub election: &'s Digest,
    /// Index of the contest in the manifest.
    pub contest: u16,
    /// Index of the selection: m options, then n no-votes.
    pub selection: u8,
    /// A.
    pub a: Point,
    /// B.
    pub b: Point,
}

impl Statement<'_> {
    /// The challenge of a decryption proof. A and B are both in it: a proof for other sums is none for these.
    fn challenge(&self, trustee: u8, share: &Point, part: &Point, on_g: &Point, on_a: &Point) -> Scalar {
        hash_to_scalar(
            "ippyo/1/decryption",
            &[
                self.election,
                &[trustee],
                &self.contest.to_be_bytes(),
                &[self.selection],
                &share.to_bytes(),
                &self.a.to_bytes(),
                &self.b.to_bytes(),
                &part.to_bytes(),
                &on_g.to_bytes(),
                &on_a.to_bytes(),
            ],
        )
    }
}

/// A trustee's share s_l of the election's secret key. Zeroized when dropped; no `Debug`.
pub struct TrusteeSecret {
    trustee: u8,
    secret: Scalar,
}

impl TrusteeSecret {
    /// From storage.
    ///
    /// # Errors
    /// [`GroupError::Scalar`].
    pub fn from_bytes(trustee: u8, bytes: &ScalarBytes) -> Result<Self, GroupError> {
        Ok(Self {
            trustee,
            secret: secret_scalar(bytes)?,
        })
    }

    /// For storage: zeroized when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<ScalarBytes> {
        Zeroizing::new(scalar_bytes(&self.secret))
    }

    /// l.
    #[must_use]
    pub const fn trustee(&self) -> u8 {
        self.trustee
    }

    /// S_l = s_l·G.
    ///
    /// # Errors
    /// [`GroupError::Identity`] for no secret that is not 0.
    pub fn public(&self) -> Result<Point, GroupError> {
        Point::from_projective(&(ProjectivePoint::GENERATOR * self.secret))
    }

    /// The trustee's part of a decryption.
    ///
    /// The proof's nonce is a hash of the secret, the statement and randomness: a broken random source then repeats a
    /// nonce only for an equal statement, which reveals nothing, instead of giving the secret away.
    ///
    /// # Errors
    /// [`TallyError::Group`] for no honest sum.
    pub fn decrypt<R: CryptoRng + ?Sized>(
        &self,
        statement: &Statement<'_>,
        rng: &mut R,
    ) -> Result<Decryption, TallyError> {
        let mut random = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(random.as_mut());
        let u = Zeroizing::new(hash_to_scalar(
            "ippyo/1/decryption/nonce",
            &[
                self.to_bytes().as_slice(),
                random.as_slice(),
                statement.election,
                &[self.trustee],
                &statement.contest.to_be_bytes(),
                &[statement.selection],
                &statement.a.to_bytes(),
                &statement.b.to_bytes(),
            ],
        ));
        let a = statement.a.projective();
        let part = Point::from_projective(&(a * self.secret))?;
        let on_g = Point::from_projective(&(ProjectivePoint::GENERATOR * *u))?;
        let on_a = Point::from_projective(&(a * *u))?;
        let c = statement.challenge(self.trustee, &self.public()?, &part, &on_g, &on_a);
        let v = *u - c * self.secret;
        Ok(Decryption {
            trustee: self.trustee,
            point: Bytes(part.to_bytes()),
            challenge: scalar_bytes(&c),
            response: scalar_bytes(&v),
        })
    }
}

impl Drop for TrusteeSecret {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// Checks a trustee's part and gives M_l.
///
/// # Errors
/// [`TallyError::Trustee`] names the trustee.
pub fn verify_decryption(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    decryption: &Decryption,
) -> Result<Point, TallyError> {
    let check = || {
        let share = keys.share(decryption.trustee)?;
        let part = Point::from_bytes(&decryption.point.0).ok()?;
        let c = scalar(&decryption.challenge).ok()?;
        let v = scalar(&decryption.response).ok()?;
        let g = ProjectivePoint::GENERATOR;
        let on_g = ProjectivePoint::lincomb_vartime(&[(g, v), (share.projective(), c)]);
        let on_a = ProjectivePoint::lincomb_vartime(&[(statement.a.projective(), v), (part.projective(), c)]);
        let (on_g, on_a) = (Point::from_projective(&on_g).ok()?, Point::from_projective(&on_a).ok()?);
        let expected = statement.challenge(decryption.trustee, share, &part, &on_g, &on_a);
        bool::from(expected.ct_eq(&c)).then_some(part)
    };
    check().ok_or(TallyError::Trustee(decryption.trustee))
}
