//! Openings of spoiled ballots (SPEC.md, section 4): what a voter takes away to check that the kiosk encrypted the choice.
//!
//! An opening of a contest fits one QR code. It holds votes and nonces of one spoiled ballot and nothing else: no seed, no
//! id, no tag; with them a second ballot or a voter could be found. A cast ballot is never opened; whoever calls
//! [`write`] has recorded the ballot as spoiled before.

use core::fmt;

use crate::ballot::{BallotError, BallotView, Election, Secret, check, tracking_code};
use crate::group::{Point, PointBytes, Scalar, scalar};
use crate::hash::Digest;

/// First bytes of an opening.
pub const MAGIC: &[u8; 4] = b"IPO1";
/// Bytes before the selections: magic, code, contest position, count.
pub const HEADER_LEN: usize = 4 + 32 + 1 + 1;
/// Bytes of one selection: m, r.
pub const ENTRY_LEN: usize = 33;

/// Bytes of the opening of a contest with `selections` = m + n.
#[must_use]
pub const fn opening_len(selections: usize) -> usize {
    HEADER_LEN + selections * ENTRY_LEN
}

/// Why an opening is refused or cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningError {
    /// Not an opening: magic, length or count.
    Form,
    /// A vote other than 0 or 1, or a nonce of 0 or not below n.
    Value(u8),
    /// It opens another ballot than this one.
    OtherBallot,
    /// The ballot has no contest at this position, or one with another number of selections.
    Contest,
    /// The ballot itself cannot be read.
    Ballot(BallotError),
    /// The values do not give this selection's ciphertext: **the kiosk encrypted something else**.
    Mismatch(u8),
    /// The votes do not add up to what the contest allows.
    Sum,
    /// There are no secrets to open, or the buffer has another length than [`opening_len`].
    Nothing,
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("this is not the opening of a ballot"),
            Self::Value(selection) => write!(f, "selection {selection} of the opening has an impossible value"),
            Self::OtherBallot => f.write_str("the opening belongs to another ballot"),
            Self::Contest => f.write_str("the ballot has no such contest"),
            Self::Ballot(error) => write!(f, "the ballot cannot be read: {error}"),
            Self::Mismatch(selection) => {
                write!(f, "selection {selection} was not encrypted as shown: report this kiosk")
            }
            Self::Sum => f.write_str("the opened votes do not add up to what the contest allows"),
            Self::Nothing => f.write_str("there is nothing to open"),
        }
    }
}

impl core::error::Error for OpeningError {}

/// Writes the opening of the contest at `position`; `secrets` are those of this contest only.
///
/// # Errors
/// [`OpeningError::Nothing`] without secrets or with a buffer of another length; then nothing is written.
pub fn write(code: &Digest, position: u8, secrets: &[Secret], out: &mut [u8]) -> Result<(), OpeningError> {
    let count = u8::try_from(secrets.len()).map_err(|_| OpeningError::Nothing)?;
    if secrets.is_empty() || secrets.iter().any(Secret::is_empty) || out.len() != opening_len(secrets.len()) {
        return Err(OpeningError::Nothing);
    }
    let (header, entries) = out.split_at_mut_checked(HEADER_LEN).ok_or(OpeningError::Nothing)?;
    let parts = MAGIC.iter().chain(code).chain([&position, &count]);
    for (byte, value) in header.iter_mut().zip(parts) {
        *byte = *value;
    }
    let (entries, _) = entries.as_chunks_mut::<ENTRY_LEN>();
    for ([vote, nonce @ ..], secret) in entries.iter_mut().zip(secrets) {
        *vote = secret.vote;
        *nonce = secret.nonce;
    }
    Ok(())
}

/// An opening as it was read.
#[derive(Clone, Copy)]
pub struct Opening<'o> {
    code: &'o Digest,
    position: u8,
    entries: &'o [[u8; ENTRY_LEN]],
}

impl<'o> Opening<'o> {
    /// Reads an opening strictly.
    ///
    /// # Errors
    /// [`OpeningError::Form`], [`OpeningError::Value`].
    pub fn parse(bytes: &'o [u8]) -> Result<Self, OpeningError> {
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(OpeningError::Form)?;
        let (code, rest) = rest.split_first_chunk::<32>().ok_or(OpeningError::Form)?;
        let ([position, count], rest) = rest.split_first_chunk::<2>().ok_or(OpeningError::Form)?;
        let (entries, tail) = rest.as_chunks::<ENTRY_LEN>();
        if magic != MAGIC || !tail.is_empty() || entries.is_empty() || entries.len() != usize::from(*count) {
            return Err(OpeningError::Form);
        }
        let opening = Self {
            code,
            position: *position,
            entries,
        };
        for (index, entry) in (0u8..).zip(entries) {
            read(entry).ok_or(OpeningError::Value(index))?;
        }
        Ok(opening)
    }

    /// The tracking code of the ballot it opens.
    #[must_use]
    pub const fn code(&self) -> &'o Digest {
        self.code
    }

    /// The contest's position in the ballot.
    #[must_use]
    pub const fn position(&self) -> u8 {
        self.position
    }

    /// The votes: m options, then n no-votes.
    pub fn votes(&self) -> impl Iterator<Item = bool> + use<'o> {
        self.entries.iter().map(|[vote, ..]| *vote == 1)
    }

    /// The options as a bitmap of the first m selections.
    #[must_use]
    pub fn choice(&self, options: u8) -> u64 {
        self.votes()
            .take(usize::from(options.min(64)))
            .enumerate()
            .fold(0, |bits, (index, vote)| bits | (u64::from(vote) << index))
    }

    /// Checks the opening against the published (spoiled) ballot of this station: recomputes alpha and beta.
    ///
    /// # Errors
    /// What does not hold; [`OpeningError::Mismatch`] means that the kiosk cheated or is broken.
    pub fn verify(&self, election: &Election<'_>, station: u16, ballot: &BallotView<'_>) -> Result<(), OpeningError> {
        let ballot = check(*ballot.layout(), ballot.bytes()).map_err(OpeningError::Ballot)?;
        if tracking_code(election.hash(), station, &ballot) != *self.code {
            return Err(OpeningError::OtherBallot);
        }
        let contest = ballot
            .contests()
            .nth(usize::from(self.position))
            .filter(|contest| contest.shape.selections() == self.entries.len())
            .ok_or(OpeningError::Contest)?;
        let mut sum = 0u32;
        for ((index, selection), entry) in (0u8..).zip(contest.selections()).zip(self.entries) {
            let (vote, nonce) = read(entry).ok_or(OpeningError::Value(index))?;
            let alpha = Point::from_jacobian(&election.generator().mul(&nonce));
            let beta = Point::from_jacobian(&election.joint().mul(&(nonce + Scalar::from(u32::from(vote)))));
            let same = |point: Result<Point, _>, bytes: &PointBytes| {
                point.is_ok_and(|point: Point| point.to_bytes() == *bytes)
            };
            if !same(alpha, selection.alpha) || !same(beta, selection.beta) {
                return Err(OpeningError::Mismatch(index));
            }
            sum += u32::from(vote);
        }
        if sum == u32::from(contest.shape.votes) {
            Ok(())
        } else {
            Err(OpeningError::Sum)
        }
    }
}

/// One entry: the vote and the nonce.
fn read([vote, nonce @ ..]: &[u8; ENTRY_LEN]) -> Option<(bool, Scalar)> {
    let nonce = scalar(nonce).ok().filter(|_| nonce != &[0; 32])?;
    matches!(vote, 0 | 1).then_some((*vote == 1, nonce))
}
