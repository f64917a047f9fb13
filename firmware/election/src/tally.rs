//! Adding up and decrypting (SPEC.md, section 10): sums of ciphertexts, trustees' parts with proofs, totals.
//!
//! Only sums are ever decrypted. Which ballots count is decided elsewhere (`record`); single ballots, tags and kiosks
//! are not known here.

mod combine;
mod decryption;
mod rounds;

pub use combine::{Chosen, choose, combine, open_sum, verify_selection};
pub use decryption::{Statement, TrusteeSecret, verify_decryption};
pub use rounds::{CommitParts, RevealParts, Round, check_round, commitment, sign_round, sums_hash};

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ballot::{BallotError, ContestView, SelectionView};
use crate::group::{GroupError, Point, ProjectivePoint, ScalarBytes};
use crate::hash::Digest;
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
    for ((index, selection), sum) in (0u8..).zip(contest.selections()).zip(sums.iter_mut()) {
        match read(contest, index, &selection) {
            Ok((alpha, beta)) => {
                sum.a += alpha.affine();
                sum.b += beta.affine();
            }
            Err(error) => {
                // Reading a point costs more than adding it, so that nothing is read twice unless something is wrong.
                for ((before, selection), sum) in (0..index).zip(contest.selections()).zip(sums) {
                    let (alpha, beta) = read(contest, before, &selection)?;
                    sum.a -= alpha.affine();
                    sum.b -= beta.affine();
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

fn read(contest: &ContestView<'_>, index: u8, selection: &SelectionView<'_>) -> Result<(Point, Point), BallotError> {
    let point = |bytes| Point::from_bytes(bytes).map_err(|_| BallotError::Point(contest.place(Some(index))));
    Ok((point(selection.alpha)?, point(selection.beta)?))
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
