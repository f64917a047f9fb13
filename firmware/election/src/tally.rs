//! Adding up and decrypting (SPEC.md, section 10): sums of ciphertexts, trustees' parts with proofs, totals.
//!
//! Only sums are ever decrypted. Which ballots count is decided elsewhere (`record`); single ballots, tags and kiosks
//! are not known here.

use core::fmt;

use p256::elliptic_curve::ops::LinearCombination as _;
use p256::elliptic_curve::subtle::ConstantTimeEq as _;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::ballot::{BallotError, ContestView};
use crate::group::{GroupError, Point, ProjectivePoint, Scalar, ScalarBytes, scalar, scalar_bytes, secret_scalar};
use crate::hash::{Digest, hash_to_scalar};
use crate::keys::{Keys, KeysError, MAX_TRUSTEES};
use crate::wire::{Bytes, Seq};

/// The published tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally<'a> {
    /// The election hash eh.
    pub election: Digest,
    /// Ballots that count.
    pub ballots: u32,
    /// Every contest of the manifest, in its order.
    #[serde(borrow)]
    pub contests: Seq<'a, ContestTally<'a>>,
}

/// The totals of a contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContestTally<'a> {
    /// Index in the manifest.
    pub contest: u16,
    /// Counted ballots whose style has the contest.
    pub ballots: u32,
    /// m options, then n no-votes; empty where there is no ballot.
    #[serde(borrow)]
    pub selections: Seq<'a, SelectionTally<'a>>,
}

/// The total of a selection, with its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionTally<'a> {
    /// Sum of alpha.
    pub a: Bytes<33>,
    /// Sum of beta.
    pub b: Bytes<33>,
    /// t.
    pub total: u32,
    /// Exactly k, trustees ascending.
    #[serde(borrow)]
    pub decryptions: Seq<'a, Decryption>,
}

/// A trustee's part of a decryption with its proof (Chaum-Pedersen).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decryption {
    /// l, from 1.
    pub trustee: u8,
    /// M_l = s_l·A.
    pub point: Bytes<33>,
    /// c.
    pub challenge: ScalarBytes,
    /// v.
    pub response: ScalarBytes,
}

/// Why a sum is not decrypted, or a tally does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TallyError {
    /// A sum, a public key or a part is not a point, or a sum is the identity (which honest ballots never give).
    Group(GroupError),
    /// This trustee's part is of no such trustee, or its proof does not hold.
    Trustee(u8),
    /// A trustee is there twice, or they are not in ascending order, or not exactly k.
    Trustees,
    /// Fewer good parts than needed.
    TooFew {
        /// Good ones.
        good: u8,
        /// k.
        needed: u8,
    },
    /// The published sums are not those of the ballots.
    Sums,
    /// The total is not what the parts decrypt to, or above the number of ballots.
    Total,
}

impl fmt::Display for TallyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(error) => error.fmt(f),
            Self::Trustee(trustee) => write!(f, "the decryption of trustee {trustee} does not hold"),
            Self::Trustees => f.write_str("not exactly the needed trustees, each once and in ascending order"),
            Self::TooFew { good, needed } => write!(f, "{good} good decryptions, {needed} are needed"),
            Self::Sums => f.write_str("the published sums are not those of the counted ballots"),
            Self::Total => f.write_str("the total is not what the trustees decrypted"),
        }
    }
}

impl core::error::Error for TallyError {}

impl From<GroupError> for TallyError {
    fn from(error: GroupError) -> Self {
        Self::Group(error)
    }
}

/// A sum of ciphertexts of one selection.
#[derive(Clone, Copy)]
pub struct SelectionSum {
    a: ProjectivePoint,
    b: ProjectivePoint,
}

impl SelectionSum {
    /// No ballot.
    pub const EMPTY: Self = Self {
        a: ProjectivePoint::IDENTITY,
        b: ProjectivePoint::IDENTITY,
    };

    /// Adds another sum: partial sums of many threads.
    pub fn merge(&mut self, other: &Self) {
        self.a += other.a;
        self.b += other.b;
    }

    /// A and B.
    ///
    /// # Errors
    /// [`GroupError::Identity`]: no ballot, or ballots made to cancel one another.
    pub fn points(&self) -> Result<(Point, Point), GroupError> {
        Ok((Point::from_projective(&self.a)?, Point::from_projective(&self.b)?))
    }
}

/// Adds a ballot's contest to its sums, one a selection (m options, then n no-votes).
///
/// Proofs are not checked here: [`crate::ballot::verify`] comes before.
///
/// # Errors
/// [`BallotError::Point`]; [`BallotError::Length`] if there are not m + n sums. The sums are then as before.
pub fn add_contest(sums: &mut [SelectionSum], contest: &ContestView<'_>) -> Result<(), BallotError> {
    if sums.len() != contest.shape.selections() {
        return Err(BallotError::Length {
            expected: contest.shape.selections(),
            found: sums.len(),
        });
    }
    let read = |index: u8, bytes| Point::from_bytes(bytes).map_err(|_| BallotError::Point(contest.place(Some(index))));
    for (index, selection) in (0u8..).zip(contest.selections()) {
        read(index, selection.alpha)?;
        read(index, selection.beta)?;
    }
    for ((index, selection), sum) in (0u8..).zip(contest.selections()).zip(sums) {
        sum.a += read(index, selection.alpha)?.affine();
        sum.b += read(index, selection.beta)?.affine();
    }
    Ok(())
}

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

/// The public keys of an election, read: what decryptions are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    /// k.
    pub threshold: u8,
    /// K.
    pub joint: Point,
    /// S_1 .. S_n.
    pub shares: heapless::Vec<Point, MAX_TRUSTEES>,
}

impl PublicKeys {
    /// Reads `Keys`.
    ///
    /// # Errors
    /// What does not hold.
    pub fn read(keys: &Keys<'_>) -> Result<Self, KeysError> {
        let joint = Point::from_bytes(&keys.joint.0).map_err(|_| KeysError::Joint)?;
        let mut shares = heapless::Vec::new();
        for (number, trustee) in (1u8..).zip(keys.trustees.iter()) {
            let trustee = trustee.map_err(KeysError::Wire)?;
            let share = Point::from_bytes(&trustee.share.0).map_err(|_| KeysError::Trustee(number))?;
            shares.push(share).map_err(|_| KeysError::Threshold)?;
        }
        if keys.threshold == 0 || usize::from(keys.threshold) > shares.len() {
            return Err(KeysError::Threshold);
        }
        Ok(Self {
            threshold: keys.threshold,
            joint,
            shares,
        })
    }

    /// S_l; trustees count from 1.
    #[must_use]
    pub fn share(&self, trustee: u8) -> Option<&Point> {
        self.shares.get(usize::from(trustee).checked_sub(1)?)
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

/// The parts that will be published, and the trustees whose parts are not good.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Exactly k good parts, trustees ascending.
    pub good: heapless::Vec<Decryption, MAX_TRUSTEES>,
    /// Trustees whose part did not hold, ascending: to be named in the report.
    pub bad: heapless::Vec<u8, MAX_TRUSTEES>,
}

/// Chooses k good parts from what the trustees sent; a bad part stops nothing but itself.
///
/// # Errors
/// [`TallyError::TooFew`].
pub fn choose(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    parts: impl IntoIterator<Item = Decryption>,
) -> Result<Chosen, TallyError> {
    let mut slots: [Option<Decryption>; MAX_TRUSTEES] = [None; MAX_TRUSTEES];
    let mut failed = [false; MAX_TRUSTEES];
    for part in parts {
        let index = usize::from(part.trustee)
            .checked_sub(1)
            .filter(|index| *index < keys.shares.len());
        let Some((slot, failed)) = index.and_then(|index| slots.get_mut(index).zip(failed.get_mut(index))) else {
            // A part of no trustee is nobody's to answer for.
            continue;
        };
        match verify_decryption(keys, statement, &part) {
            Ok(_) => *slot = Some(part),
            Err(_) => *failed = true,
        }
    }
    let needed = usize::from(keys.threshold);
    let good: heapless::Vec<_, MAX_TRUSTEES> = slots.iter().flatten().copied().take(needed).collect();
    let bad = (1u8..)
        .zip(failed.iter().zip(&slots))
        .filter(|(_, (failed, slot))| **failed && slot.is_none())
        .map(|(trustee, _)| trustee)
        .collect();
    if good.len() == needed {
        Ok(Chosen { good, bad })
    } else {
        Err(TallyError::TooFew {
            good: u8::try_from(good.len()).unwrap_or(u8::MAX),
            needed: keys.threshold,
        })
    }
}

/// M from exactly k parts of different trustees, ascending: Lagrange's interpolation at 0. Each part is checked.
///
/// # Errors
/// [`TallyError::Trustees`], [`TallyError::Trustee`].
pub fn combine(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    decryptions: &[Decryption],
) -> Result<ProjectivePoint, TallyError> {
    let ascending = decryptions.windows(2).all(|pair| match pair {
        [one, two] => one.trustee < two.trustee,
        _ => false,
    });
    if !ascending || decryptions.len() != usize::from(keys.threshold) {
        return Err(TallyError::Trustees);
    }
    let mut sum = ProjectivePoint::IDENTITY;
    for decryption in decryptions {
        let part = verify_decryption(keys, statement, decryption)?;
        let (mut over, mut under) = (Scalar::ONE, Scalar::ONE);
        let own = Scalar::from(u32::from(decryption.trustee));
        for other in decryptions.iter().filter(|other| other.trustee != decryption.trustee) {
            let other = Scalar::from(u32::from(other.trustee));
            over *= other;
            under *= other - own;
        }
        // Different numbers below n: their difference has an inverse.
        let inverse = under.invert_vartime().into_option().ok_or(TallyError::Trustees)?;
        sum += part.projective().mul_vartime(&(over * inverse));
    }
    Ok(sum)
}

/// t·K = B - M, ready for [`crate::dlog::Dlog::find`].
///
/// # Errors
/// As [`combine`].
pub fn open_sum(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    decryptions: &[Decryption],
) -> Result<ProjectivePoint, TallyError> {
    Ok(statement.b.projective() - combine(keys, statement, decryptions)?)
}

/// Checks a published selection against the sums that the verifier made of the counted ballots itself.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify_selection(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    ballots: u32,
    published: &SelectionTally<'_>,
) -> Result<(), TallyError> {
    if published.a.0 != statement.a.to_bytes() || published.b.0 != statement.b.to_bytes() {
        return Err(TallyError::Sums);
    }
    let mut decryptions = heapless::Vec::<Decryption, MAX_TRUSTEES>::new();
    for decryption in published.decryptions.iter() {
        let decryption = decryption.map_err(|_| TallyError::Trustees)?;
        decryptions.push(decryption).map_err(|_| TallyError::Trustees)?;
    }
    let opened = open_sum(keys, statement, &decryptions)?;
    let expected = keys.joint.projective().mul_vartime(&Scalar::from(published.total));
    if published.total <= ballots && opened == expected {
        Ok(())
    } else {
        Err(TallyError::Total)
    }
}
