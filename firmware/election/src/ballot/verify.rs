//! Verification of one ballot, naming the place of what does not hold.
//!
//! The four equations of a 0/1 proof are checked as one, each multiplied by 128 bits that come from a hash of everything
//! in them: a proof that breaks one of them passes with a probability of 2^-128. For many ballots see `batch`.

use crate::ballot::multiply::{Term, multiply_few};
use crate::ballot::proof::{SelectionChallenge, SumStatement};
use crate::ballot::view::{BallotError, BallotView, ContestView, Place, SelectionView};
use crate::ballot::{BallotId, Election, Layout};
use crate::curve::{Affine, Jacobian, normalize};
use crate::group::{Scalar, ScalarBytes, scalar};
use crate::hash::{Digest, hash};

/// Reads every point and scalar of a ballot strictly, without checking proofs.
///
/// # Errors
/// The first thing that does not hold.
pub fn check<'b>(layout: Layout<'b>, bytes: &'b [u8]) -> Result<BallotView<'b>, BallotError> {
    let view = BallotView::new(layout, bytes)?;
    for contest in view.contests() {
        for (index, selection) in (0u8..).zip(contest.selections()) {
            SelectionValues::read(&selection, contest.place(Some(index)))?;
        }
        SumValues::read(&contest)?;
    }
    Ok(view)
}

/// Checks everything about a ballot: layout, points, scalars, and that each contest holds n votes of 0 or 1.
///
/// # Errors
/// The first thing that does not hold, with its place.
pub fn verify<'b>(election: &Election<'_>, layout: Layout<'b>, bytes: &'b [u8]) -> Result<BallotView<'b>, BallotError> {
    let view = BallotView::new(layout, bytes)?;
    for contest in view.contests() {
        verify_contest(election, view.id(), layout.style(), &contest)?;
    }
    Ok(view)
}

fn verify_contest(
    election: &Election<'_>,
    id: &BallotId,
    style: u16,
    contest: &ContestView<'_>,
) -> Result<(), BallotError> {
    let challenges = SelectionChallenge::new(election.hash(), id, style, contest.shape.contest);
    let (mut sum_a, mut sum_b) = (Jacobian::IDENTITY, Jacobian::IDENTITY);
    let mut count = 0usize;
    for (index, selection) in (0u8..).zip(contest.selections()) {
        let place = contest.place(Some(index));
        let values = SelectionValues::read(&selection, place)?;
        let c = challenges.challenge(index, selection.points());
        let weights = weights(
            &c,
            [selection.challenge, selection.responses[0], selection.responses[1]],
        );
        let equation = values.equation(&c, &weights);
        let [alpha, beta, a0, b0, a1, b1] = values.points;
        let [w0, w1, w2, w3] = weights;
        let mut terms = [
            Term::new(alpha, equation.alpha),
            Term::new(beta, equation.beta),
            Term::new(a0.neg(), w0),
            Term::new(b0.neg(), w1),
            Term::new(a1.neg(), w2),
            Term::new(b1.neg(), w3),
        ];
        if !vanishes(election, multiply_few(&mut terms, 2), &equation.g, &equation.k) {
            return Err(BallotError::Selection(place));
        }
        sum_a = sum_a.add_public(&alpha);
        sum_b = sum_b.add_public(&beta);
        count += 1;
    }
    debug_assert_eq!(count, contest.shape.selections());
    let place = contest.place(None);
    let values = SumValues::read(contest)?;
    let (c, sum_a, sum_b) = values.challenge(election.hash(), id, style, contest, sum_a, sum_b)?;
    let response = contest.sum().ok_or(BallotError::Sum(place))?.response;
    let [w0, w1, _, _] = weights(&c, [response, &[0; 32], &[0; 32]]);
    let mut terms = [
        Term::new(sum_a, w0 * c),
        Term::new(sum_b, w1 * c),
        Term::new(values.a.neg(), w0),
        Term::new(values.b.neg(), w1),
    ];
    let votes = Scalar::from(u32::from(contest.shape.votes));
    let (g, k) = (w0 * values.v, w1 * (values.v - c * votes));
    if vanishes(election, multiply_few(&mut terms, 2), &g, &k) {
        Ok(())
    } else {
        Err(BallotError::Sum(place))
    }
}

/// Whether sum + g·G + k·K is the identity.
fn vanishes(election: &Election<'_>, sum: Jacobian, g: &Scalar, k: &Scalar) -> bool {
    let rest = election.generator().mul(g).sum_public(&election.joint().mul(k));
    sum.sum_public(&rest).is_identity()
}

/// Four weights of 128 bits for the equations of one proof. `c` binds the statement and the commitments, the rest the
/// responses: whoever makes the proof cannot know the weights before every value in the equations is fixed.
fn weights(c: &Scalar, responses: [&ScalarBytes; 3]) -> [Scalar; 4] {
    let [r0, r1, r2] = responses;
    let c = crate::group::scalar_bytes(c);
    let half = |index: u8| weight_pair(&hash("ippyo/1/verify", &[&c, r0, r1, r2, &[index]]));
    let [(w0, w1), (w2, w3)] = [half(0), half(1)];
    [w0, w1, w2, w3]
}

/// Two scalars of 128 bits.
pub(super) fn weight_pair(digest: &Digest) -> (Scalar, Scalar) {
    let (halves, _) = digest.as_chunks::<16>();
    let mut halves = halves.iter().map(|half| Scalar::from(u128::from_be_bytes(*half)));
    (
        halves.next().unwrap_or(Scalar::ZERO),
        halves.next().unwrap_or(Scalar::ZERO),
    )
}

/// A selection's values, read strictly.
pub(super) struct SelectionValues {
    /// alpha, beta, a0, b0, a1, b1.
    pub points: [Affine; 6],
    c0: Scalar,
    v0: Scalar,
    v1: Scalar,
}

/// The coefficients of a 0/1 proof's four equations, weighted and added: alpha, beta, G and K; those of the
/// commitments are the negative weights.
pub(super) struct Equation {
    pub alpha: Scalar,
    pub beta: Scalar,
    pub g: Scalar,
    pub k: Scalar,
}

impl SelectionValues {
    pub(super) fn read(selection: &SelectionView<'_>, place: Place) -> Result<Self, BallotError> {
        let [v0, v1] = selection.responses;
        let read = |bytes| scalar(bytes).map_err(|_| BallotError::Scalar(place));
        let (c0, v0, v1) = (read(selection.challenge)?, read(v0)?, read(v1)?);
        let mut points = [Affine::NONE; 6];
        for (point, bytes) in points.iter_mut().zip(selection.points()) {
            *point = Affine::read(bytes).ok_or(BallotError::Point(place))?;
        }
        Ok(Self { points, c0, v0, v1 })
    }

    /// w0 (v0·G + c0·alpha - a0) + w1 (v0·K + c0·beta - b0) + w2 (v1·G + c1·alpha - a1) + w3 (v1·K + c1·(beta - K) - b1).
    pub(super) fn equation(&self, c: &Scalar, weights: &[Scalar; 4]) -> Equation {
        let [w0, w1, w2, w3] = weights;
        let c1 = *c - self.c0;
        Equation {
            alpha: *w0 * self.c0 + *w2 * c1,
            beta: *w1 * self.c0 + *w3 * c1,
            g: *w0 * self.v0 + *w2 * self.v1,
            k: *w1 * self.v0 + *w3 * (self.v1 - c1),
        }
    }
}

/// A sum proof's values, read strictly.
pub(super) struct SumValues {
    pub a: Affine,
    pub b: Affine,
    pub v: Scalar,
}

impl SumValues {
    pub(super) fn read(contest: &ContestView<'_>) -> Result<Self, BallotError> {
        let place = contest.place(None);
        let sum = contest.sum().ok_or(BallotError::Sum(place))?;
        Ok(Self {
            a: Affine::read(sum.a).ok_or(BallotError::Point(place))?,
            b: Affine::read(sum.b).ok_or(BallotError::Point(place))?,
            v: scalar(sum.response).map_err(|_| BallotError::Scalar(place))?,
        })
    }

    /// The challenge, with A and B. A sum that is the identity is refused: it has no bytes to be hashed as.
    pub(super) fn challenge(
        &self,
        election: &Digest,
        id: &BallotId,
        style: u16,
        contest: &ContestView<'_>,
        sum_a: Jacobian,
        sum_b: Jacobian,
    ) -> Result<(Scalar, Affine, Affine), BallotError> {
        let place = contest.place(None);
        let [a, b] = normalize(&[sum_a, sum_b]);
        if a.is_none() || b.is_none() {
            return Err(BallotError::Sum(place));
        }
        let sum = contest.sum().ok_or(BallotError::Sum(place))?;
        let statement = SumStatement {
            election,
            id,
            style,
            contest: contest.shape.contest,
            votes: contest.shape.votes,
            sum_a: &a.to_bytes(),
            sum_b: &b.to_bytes(),
        };
        Ok((statement.challenge(sum.a, sum.b), a, b))
    }
}
