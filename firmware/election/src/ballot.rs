//! The ballot (SPEC.md, section 4): its bytes, its encryption with proofs, their verification, the tracking code.
//!
//! A ballot says nothing of who cast it: card, tag and time are not known here. What encrypts it is in `encrypt` and
//! `prepared`, what an auditor runs is in `verify` and `batch`; both compute challenges with the one function in `proof`.

mod ahead;
mod batch;
mod code;
mod encrypt;
mod layout;
mod multiply;
mod prepared;
mod proof;
mod verify;
mod view;

pub use ahead::Ahead;
pub use batch::{BatchError, Scratch, verify_batch};
pub use code::{CODE_TEXT_LEN, CodeText, ballot_hash, code_text, parse_code_text, tracking_code};
pub use encrypt::{EncryptError, Secret, encrypt, encrypt_prepared};
pub use layout::{Layout, LayoutError};
pub use multiply::{Bucket, Term, multiply, multiply_few};
pub use prepared::{PreparedSelection, PreparedSum, prepare_contest};
pub use verify::{check, verify};
pub use view::{BallotError, BallotView, ContestView, Place, SelectionView, SumView};

pub use crate::manifest::{BALLOT_HEADER_LEN, ContestShape, SELECTION_LEN, SUM_PROOF_LEN};

use crate::group::{GroupError, Point};
use crate::hash::Digest;
use crate::table::FixedBase;

/// Version byte of a ballot.
pub const VERSION: u8 = 1;
/// A ballot's random id.
pub type BallotId = [u8; 32];

/// What every ballot of an election shares: the election hash, and G and K with their tables.
///
/// The tables are made once an election and lent: see [`crate::table`].
#[derive(Clone, Copy)]
pub struct Election<'t> {
    hash: Digest,
    g: FixedBase<'t>,
    k: FixedBase<'t>,
}

impl<'t> Election<'t> {
    /// Binds the tables to the election hash eh, which is made from the same K ([`crate::manifest::election_hash`]).
    ///
    /// # Errors
    /// [`GroupError::Point`] if `g` is not the table of the generator, or K is the generator or its negative (no
    /// ceremony gives such a key, and everybody could decrypt).
    pub fn new(hash: Digest, g: FixedBase<'t>, k: FixedBase<'t>) -> Result<Self, GroupError> {
        let same_x = Point::GENERATOR.to_bytes().get(1..) == k.base().to_bytes().get(1..);
        if *g.base() != Point::GENERATOR || same_x {
            return Err(GroupError::Point);
        }
        Ok(Self { hash, g, k })
    }

    /// The election hash eh.
    #[must_use]
    pub const fn hash(&self) -> &Digest {
        &self.hash
    }

    /// The table of G.
    #[must_use]
    pub const fn generator(&self) -> &FixedBase<'t> {
        &self.g
    }

    /// The table of the joint key K.
    #[must_use]
    pub const fn joint(&self) -> &FixedBase<'t> {
        &self.k
    }
}
