//! Verification of many ballots as one random linear combination: all proofs of a batch become one multi-scalar
//! multiplication (Pippenger's buckets, signed digits).
//!
//! The weights are 128 bits from a hash of *every* byte of the batch. If they came from each proof alone, somebody could
//! make two broken proofs whose errors cancel. When the sum does not vanish the ballots are checked one by one, so that
//! the culprit is named. Variable time: everything here is public.

use core::fmt;

use p256::AffinePoint;
use p256::elliptic_curve::group::Group as _;

use crate::ballot::Election;
use crate::ballot::proof::SelectionChallenge;
use crate::ballot::verify::{SelectionValues, SumValues, verify, weight_pair};
use crate::ballot::view::{BallotError, BallotView};
use crate::group::{ProjectivePoint, Scalar};
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

/// One point with its coefficient: 144 bytes of scratch memory.
#[derive(Clone, Copy)]
pub struct Term {
    point: AffinePoint,
    scalar: Scalar,
    digits: Digits,
}

impl Term {
    /// An unused term.
    pub const EMPTY: Self = Self {
        point: AffinePoint::IDENTITY,
        scalar: Scalar::ZERO,
        digits: [0; 5],
    };
}

/// Memory lent for a batch: 6 (m + n) + 2 terms a contest, and a power of two of buckets (96 bytes each).
///
/// More of both is faster up to a point: 64 contests "choose 1 of 5" want about 2,500 terms and 128 buckets, 1,000 of
/// them 38,000 terms and 2,048 buckets. A batch that does not fit at once is checked in several sums.
pub struct Scratch<'s> {
    terms: &'s mut [Term],
    buckets: &'s mut [ProjectivePoint],
}

impl<'s> Scratch<'s> {
    /// Lends the memory; its content does not matter.
    #[must_use]
    pub const fn new(terms: &'s mut [Term], buckets: &'s mut [ProjectivePoint]) -> Self {
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

    fn push_wide(&mut self, point: &AffinePoint, scalar: Scalar) -> Option<()> {
        let index = (self.wide < self.narrow).then_some(self.wide)?;
        let term = self.scratch.terms.get_mut(index)?;
        term.point = *point;
        term.scalar = scalar;
        self.wide += 1;
        Some(())
    }

    /// Subtracts `scalar`·`point`.
    fn push_narrow(&mut self, point: &AffinePoint, scalar: Scalar) -> Option<()> {
        let index = self.narrow.checked_sub(1).filter(|index| *index >= self.wide)?;
        let term = self.scratch.terms.get_mut(index)?;
        term.point = -*point;
        term.scalar = scalar;
        self.narrow = index;
        Some(())
    }

    /// Adds a ballot's equations; `Err(None)` when the memory is full.
    fn add_ballot(&mut self, election: &Election<'_>, ballot: &BallotView<'_>) -> Result<(), Option<BallotError>> {
        let style = ballot.layout().style();
        for contest in ballot.contests() {
            let challenges = SelectionChallenge::new(election.hash(), ballot.id(), style, contest.shape.contest);
            let first = self.wide;
            let (mut sum_a, mut sum_b) = (ProjectivePoint::IDENTITY, ProjectivePoint::IDENTITY);
            for (index, selection) in (0u8..).zip(contest.selections()) {
                let values = SelectionValues::read(&selection, contest.place(Some(index)))?;
                let c = challenges.challenge(index, selection.points());
                let ((w0, w1), (w2, w3)) = (self.weights(), self.weights());
                let equation = values.equation(&c, &[w0, w1, w2, w3]);
                self.g += equation.g;
                self.k += equation.k;
                let [alpha, beta, a0, b0, a1, b1] = values.points;
                self.push_wide(alpha.affine(), equation.alpha).ok_or(None)?;
                self.push_wide(beta.affine(), equation.beta).ok_or(None)?;
                for (point, weight) in [(a0, w0), (b0, w1), (a1, w2), (b1, w3)] {
                    self.push_narrow(point.affine(), weight).ok_or(None)?;
                }
                sum_a += alpha.affine();
                sum_b += beta.affine();
            }
            let values = SumValues::read(&contest)?;
            let (c, _, _) = values.challenge(election.hash(), ballot.id(), style, &contest, sum_a, sum_b)?;
            let (wa, wb) = self.weights();
            self.g += wa * values.v;
            self.k += wb * (values.v - c * Scalar::from(u32::from(contest.shape.votes)));
            self.push_narrow(values.a.affine(), wa).ok_or(None)?;
            self.push_narrow(values.b.affine(), wb).ok_or(None)?;
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
        let total = sum + election.generator().mul(&g) + election.joint().mul(&k);
        Ok(bool::from(total.is_identity()))
    }
}

/// A scalar plus 2^(c-1) in every window, little-endian: each window then holds its signed digit plus 2^(c-1).
type Digits = [u64; 5];

/// Windows of c bits that hold a signed number of `bits` bits.
const fn windows(bits: u32, c: u32) -> u32 {
    (bits + 2).div_ceil(c)
}

/// The window width with the fewest additions for which there are buckets (2^(c-1)).
fn width(wide: usize, narrow: usize, buckets: usize) -> Option<u32> {
    let cost = |c: u32| {
        let count = |windows: u32| usize::try_from(windows).unwrap_or(usize::MAX);
        count(windows(256, c))
            .saturating_mul(wide.saturating_add(1 << c))
            .saturating_add(count(windows(128, c)).saturating_mul(narrow))
    };
    (2..=14u32)
        .filter(|c| 1usize << (c - 1) <= buckets)
        .min_by_key(|c| cost(*c))
}

/// Sum of scalar·point over both lists; the second one's scalars are below 2^128. `None` without at least 2 buckets.
fn multiply(wide: &mut [Term], narrow: &mut [Term], buckets: &mut [ProjectivePoint]) -> Option<ProjectivePoint> {
    let c = width(wide.len(), narrow.len(), buckets.len())?;
    let buckets = buckets.get_mut(..1usize << (c - 1))?;
    let (high, low) = (windows(256, c), windows(128, c));
    for (terms, windows) in [(&mut *wide, high), (&mut *narrow, low)] {
        let offset = offset(windows, c);
        for term in terms {
            term.digits = add(&term.scalar, &offset);
        }
    }
    let mut sum = ProjectivePoint::IDENTITY;
    for window in (0..high).rev() {
        for _ in 0..c {
            sum = sum.double();
        }
        buckets.fill(ProjectivePoint::IDENTITY);
        sort(wide, window, c, buckets);
        if window < low {
            sort(narrow, window, c, buckets);
        }
        // Sum of i·bucket(i): running sums from the top.
        let (mut running, mut total) = (ProjectivePoint::IDENTITY, ProjectivePoint::IDENTITY);
        for bucket in buckets.iter().rev() {
            running += bucket;
            total += running;
        }
        sum += total;
    }
    Some(sum)
}

/// Adds each term's point to the bucket of its digit.
fn sort(terms: &[Term], window: u32, c: u32, buckets: &mut [ProjectivePoint]) {
    let half = 1u64 << (c - 1);
    for term in terms {
        let digit = digit(&term.digits, window * c, c);
        let (magnitude, negative) = if digit >= half {
            (digit - half, false)
        } else {
            (half - digit, true)
        };
        let bucket = usize::try_from(magnitude)
            .ok()
            .and_then(|magnitude| magnitude.checked_sub(1))
            .and_then(|index| buckets.get_mut(index));
        match bucket {
            Some(bucket) if negative => *bucket -= &term.point,
            Some(bucket) => *bucket += &term.point,
            None => {}
        }
    }
}

/// `c` bits from bit `position`; above the number there is nothing.
fn digit(digits: &Digits, position: u32, c: u32) -> u64 {
    let limb = |index: u32| -> u128 { digits.get(index as usize).map_or(0, |limb| u128::from(*limb)) };
    let pair = limb(position / 64) | (limb(position / 64 + 1) << 64);
    let bits = (pair >> (position % 64)) & ((1 << c) - 1);
    u64::try_from(bits).unwrap_or(0)
}

/// 2^(c-1) in each of `windows` windows.
fn offset(windows: u32, c: u32) -> Digits {
    let mut digits = [0u64; 5];
    for window in 0..windows {
        let position = window * c + c - 1;
        if let Some(limb) = digits.get_mut((position / 64) as usize) {
            *limb |= 1 << (position % 64);
        }
    }
    digits
}

/// scalar + offset.
fn add(scalar: &Scalar, offset: &Digits) -> Digits {
    let bytes: [u8; 32] = scalar.to_bytes().into();
    let (limbs, _) = bytes.as_chunks::<8>();
    let limbs = limbs.iter().rev().map(|limb| u64::from_be_bytes(*limb)).chain([0]);
    let mut sum = *offset;
    let mut carry = false;
    for (digit, limb) in sum.iter_mut().zip(limbs) {
        (*digit, carry) = digit.carrying_add(limb, carry);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Point, random_scalar};
    use chacha20::ChaCha20Rng;
    use p256::elliptic_curve::PrimeField as _;
    use rand_core::SeedableRng as _;
    use std::vec;

    #[test]
    fn multiply_is_the_sum_of_products_for_every_width() {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let mut point =
            || Point::from_projective(&(ProjectivePoint::GENERATOR * random_scalar(&mut rng).unwrap())).unwrap();
        let edges = [
            Scalar::ZERO,
            Scalar::ONE,
            -Scalar::ONE,
            Scalar::TWO_INV,
            -Scalar::TWO_INV,
            Scalar::from(u128::MAX),
            Scalar::from(u128::MAX).square(),
        ];
        let term = |point: Point, scalar| Term {
            point: *point.affine(),
            scalar,
            ..Term::EMPTY
        };
        let mut wide: vec::Vec<_> = edges.iter().map(|scalar| term(point(), *scalar)).collect();
        let mut narrow: vec::Vec<_> = [0, 1, 1 << 127, u128::MAX, u128::MAX - 1, 0x8080_8080_8080]
            .iter()
            .map(|scalar| term(point(), Scalar::from(*scalar)))
            .collect();
        let expected: ProjectivePoint = wide
            .iter()
            .chain(&narrow)
            .map(|term| ProjectivePoint::from(term.point) * term.scalar)
            .sum();
        for c in 2..=14u32 {
            let mut buckets = vec![ProjectivePoint::GENERATOR; 1 << (c - 1)];
            // The width is chosen by cost: leave only this one.
            let chosen = width(wide.len(), narrow.len(), buckets.len()).unwrap();
            assert!(chosen <= c);
            assert_eq!(multiply(&mut wide, &mut narrow, &mut buckets), Some(expected), "{c}");
        }
        assert_eq!(multiply(&mut wide, &mut narrow, &mut []), None);
        assert_eq!(
            multiply(&mut [], &mut [], &mut [ProjectivePoint::IDENTITY; 2]),
            Some(ProjectivePoint::IDENTITY)
        );
    }
}
