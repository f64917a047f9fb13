//! Verification of many ballots as one random linear combination: all proofs of a batch become one multi-scalar
//! multiplication.
//!
//! The weights are 128 bits from a hash of *every* byte of the batch. If they came from each proof alone, somebody could
//! make two broken proofs whose errors cancel. When the sum does not vanish the ballots are checked one by one, so that
//! the culprit is named. Variable time: everything here is public.

use core::fmt;

use crate::ballot::Election;
use crate::ballot::multiply::{Bucket, Term, multiply};
use crate::ballot::proof::SelectionChallenge;
use crate::ballot::verify::{SelectionValues, SumValues, verify, weight_pair};
use crate::ballot::view::{BallotError, BallotView};
use crate::curve::{Affine, Jacobian};
use crate::group::Scalar;
use crate::hash::{Digest, Hasher, hash};

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The ballot at this index does not hold.
    Ballot {
        /// Index in the slice that was given.
        index: usize,
        /// What does not hold.
        error: BallotError,
    },
    /// The scratch memory is too small for a single one of these ballots.
    Scratch,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ballot { index, error } => write!(f, "ballot {index}: {error}"),
            Self::Scratch => f.write_str("the scratch memory for batch verification is too small for one ballot"),
        }
    }
}

impl core::error::Error for BatchError {}

/// Memory lent for a batch: 6 (m + n) + 2 terms a contest, and a power of two of buckets (96 bytes each).
///
/// More of both is faster up to a point: 64 contests "choose 1 of 5" want about 2,500 terms and 128 buckets, 1,000 of
/// them 38,000 terms and 2,048 buckets. A batch that does not fit at once is checked in several sums.
pub struct Scratch<'s> {
    terms: &'s mut [Term],
    buckets: &'s mut [Bucket],
}

impl<'s> Scratch<'s> {
    /// Lends the memory; its content does not matter.
    #[must_use]
    pub const fn new(terms: &'s mut [Term], buckets: &'s mut [Bucket]) -> Self {
        Self { terms, buckets }
    }
}

/// Checks everything about every ballot, as [`verify`] does.
///
/// # Errors
/// [`BatchError::Ballot`] names the first ballot that does not hold.
pub fn verify_batch(
    election: &Election<'_>,
    ballots: &[BallotView<'_>],
    scratch: &mut Scratch<'_>,
) -> Result<(), BatchError> {
    let capacity = scratch.terms.len();
    let mut start = 0;
    while start < ballots.len() {
        let mut terms = 0;
        let fitting = ballots
            .get(start..)
            .unwrap_or_default()
            .iter()
            .take_while(|ballot| {
                terms += terms_of(ballot);
                terms <= capacity
            })
            .count();
        let group = ballots
            .get(start..start + fitting)
            .filter(|group| !group.is_empty())
            .ok_or(BatchError::Scratch)?;
        verify_group(election, group, start, scratch)?;
        start += fitting;
    }
    Ok(())
}

/// Terms of a ballot's proofs.
fn terms_of(ballot: &BallotView<'_>) -> usize {
    6 * ballot.layout().selections() + 2 * ballot.layout().shapes().len()
}

fn verify_group(
    election: &Election<'_>,
    ballots: &[BallotView<'_>],
    start: usize,
    scratch: &mut Scratch<'_>,
) -> Result<(), BatchError> {
    let mut sum = Sum::new(scratch, seed(election, ballots));
    for (index, ballot) in (start..).zip(ballots) {
        sum.add_ballot(election, ballot)
            .map_err(|error| error.map_or(BatchError::Scratch, |error| BatchError::Ballot { index, error }))?;
    }
    if sum.vanishes(election)? {
        return Ok(());
    }
    for (index, ballot) in (start..).zip(ballots) {
        verify(election, *ballot.layout(), ballot.bytes()).map_err(|error| BatchError::Ballot { index, error })?;
    }
    // Not reached by any input: a sum that does not vanish has a proof that does not hold, and all were just checked.
    Ok(())
}

/// Binds the weights to all that is checked.
fn seed(election: &Election<'_>, ballots: &[BallotView<'_>]) -> Digest {
    let mut hasher = Hasher::new("ippyo/1/verify/batch");
    hasher.part(election.hash());
    for ballot in ballots {
        for shape in ballot.layout().shapes() {
            hasher
                .part(&shape.contest.to_be_bytes())
                .part(&[shape.options, shape.votes]);
        }
        hasher.part(ballot.bytes());
    }
    hasher.finish()
}

/// The linear combination while it is being collected: terms with whole scalars fill the front of the memory, terms with
/// 128-bit scalars (the commitments) its end.
struct Sum<'a, 's> {
    scratch: &'a mut Scratch<'s>,
    seed: Digest,
    weights: u32,
    wide: usize,
    narrow: usize,
    g: Scalar,
    k: Scalar,
}

impl<'a, 's> Sum<'a, 's> {
    fn new(scratch: &'a mut Scratch<'s>, seed: Digest) -> Self {
        let narrow = scratch.terms.len();
        Self {
            scratch,
            seed,
            weights: 0,
            wide: 0,
            narrow,
            g: Scalar::ZERO,
            k: Scalar::ZERO,
        }
    }

    /// Two fresh weights.
    fn weights(&mut self) -> (Scalar, Scalar) {
        let pair = weight_pair(&hash(
            "ippyo/1/verify/weight",
            &[&self.seed, &self.weights.to_be_bytes()],
        ));
        self.weights = self.weights.wrapping_add(1);
        pair
    }

    fn push_wide(&mut self, point: &Affine, scalar: Scalar) -> Option<()> {
        let index = (self.wide < self.narrow).then_some(self.wide)?;
        *self.scratch.terms.get_mut(index)? = Term::new(*point, scalar);
        self.wide += 1;
        Some(())
    }

    /// Subtracts `scalar`·`point`.
    fn push_narrow(&mut self, point: &Affine, scalar: Scalar) -> Option<()> {
        let index = self.narrow.checked_sub(1).filter(|index| *index >= self.wide)?;
        *self.scratch.terms.get_mut(index)? = Term::new(point.neg(), scalar);
        self.narrow = index;
        Some(())
    }

    /// Adds a ballot's equations; `Err(None)` when the memory is full.
    fn add_ballot(&mut self, election: &Election<'_>, ballot: &BallotView<'_>) -> Result<(), Option<BallotError>> {
        let style = ballot.layout().style();
        for contest in ballot.contests() {
            let challenges = SelectionChallenge::new(election.hash(), ballot.id(), style, contest.shape.contest);
            let first = self.wide;
            let (mut sum_a, mut sum_b) = (Jacobian::IDENTITY, Jacobian::IDENTITY);
            for (index, selection) in (0u8..).zip(contest.selections()) {
                let values = SelectionValues::read(&selection, contest.place(Some(index)))?;
                let c = challenges.challenge(index, selection.points());
                let ((w0, w1), (w2, w3)) = (self.weights(), self.weights());
                let equation = values.equation(&c, &[w0, w1, w2, w3]);
                self.g += equation.g;
                self.k += equation.k;
                let [alpha, beta, a0, b0, a1, b1] = values.points;
                self.push_wide(&alpha, equation.alpha).ok_or(None)?;
                self.push_wide(&beta, equation.beta).ok_or(None)?;
                for (point, weight) in [(a0, w0), (b0, w1), (a1, w2), (b1, w3)] {
                    self.push_narrow(&point, weight).ok_or(None)?;
                }
                sum_a = sum_a.add_public(&alpha);
                sum_b = sum_b.add_public(&beta);
            }
            let values = SumValues::read(&contest)?;
            let (c, _, _) = values.challenge(election.hash(), ballot.id(), style, &contest, sum_a, sum_b)?;
            let (wa, wb) = self.weights();
            self.g += wa * values.v;
            self.k += wb * (values.v - c * Scalar::from(u32::from(contest.shape.votes)));
            self.push_narrow(&values.a, wa).ok_or(None)?;
            self.push_narrow(&values.b, wb).ok_or(None)?;
            // A and B are sums of terms that are there already: raise their coefficients.
            let (for_a, for_b) = (wa * c, wb * c);
            let terms = self.scratch.terms.get_mut(first..self.wide).ok_or(None)?;
            let (pairs, _) = terms.as_chunks_mut::<2>();
            for [alpha, beta] in pairs {
                alpha.scalar += for_a;
                beta.scalar += for_b;
            }
        }
        Ok(())
    }

    /// Whether the whole combination is the identity.
    fn vanishes(self, election: &Election<'_>) -> Result<bool, BatchError> {
        let Self {
            scratch,
            wide,
            narrow,
            g,
            k,
            ..
        } = self;
        let Scratch { terms, buckets } = scratch;
        let (front, back) = terms.split_at_mut_checked(narrow).ok_or(BatchError::Scratch)?;
        let front = front.get_mut(..wide).ok_or(BatchError::Scratch)?;
        let sum = multiply(front, back, buckets).ok_or(BatchError::Scratch)?;
        let rest = election.generator().mul(&g).sum_public(&election.joint().mul(&k));
        Ok(sum.sum_public(&rest).is_identity())
    }
}
