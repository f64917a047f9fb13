//! The challenges of the ballot proofs (SPEC.md, section 4): one function for prover and verifier.
//!
//! Each binds the election, the ballot, the place in it and every value of the statement and of the commitments. Leave one
//! out and a proof can be forged by choosing that value last (weak Fiat-Shamir), or moved to where it was not made.

use crate::ballot::BallotId;
use crate::group::{PointBytes, Scalar};
use crate::hash::{Digest, ScalarHasher};

/// The 0/1 proofs' challenges of one contest: the prefix (eh, id, style, contest) is hashed once.
#[derive(Clone)]
pub(super) struct SelectionChallenge(ScalarHasher<'static>);

impl SelectionChallenge {
    pub(super) fn new(election: &Digest, id: &BallotId, style: u16, contest: u16) -> Self {
        let mut hasher = ScalarHasher::new("ippyo/1/ballot/selection");
        hasher
            .part(election)
            .part(id)
            .part(&style.to_be_bytes())
            .part(&contest.to_be_bytes());
        Self(hasher)
    }

    /// `points` are alpha, beta, a0, b0, a1, b1.
    pub(super) fn challenge(&self, selection: u8, points: [&PointBytes; 6]) -> Scalar {
        let mut hasher = self.0.clone();
        hasher.part(&[selection]);
        for point in points {
            hasher.part(point);
        }
        hasher.finish()
    }
}

/// What a sum proof is about: the contest's place and the sums A and B.
pub(super) struct SumStatement<'s> {
    pub election: &'s Digest,
    pub id: &'s BallotId,
    pub style: u16,
    pub contest: u16,
    pub votes: u8,
    pub sum_a: &'s PointBytes,
    pub sum_b: &'s PointBytes,
}

impl SumStatement<'_> {
    /// The sum proof's challenge for the commitments a and b.
    pub(super) fn challenge(&self, a: &PointBytes, b: &PointBytes) -> Scalar {
        let mut hasher = ScalarHasher::new("ippyo/1/ballot/sum");
        hasher
            .part(self.election)
            .part(self.id)
            .part(&self.style.to_be_bytes())
            .part(&self.contest.to_be_bytes())
            .part(&[self.votes])
            .part(self.sum_a)
            .part(self.sum_b)
            .part(a)
            .part(b);
        hasher.finish()
    }
}
