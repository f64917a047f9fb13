//! Choices to a ballot with proofs. Time and size do not depend on the choices.

use core::fmt;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeLess as _};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ballot::prepared::{CHUNK, PreparedSelection, PreparedSum, Sums, prepare_chunk};
use crate::ballot::proof::SelectionChallenge;
use crate::ballot::view::{BallotView, fill};
use crate::ballot::{
    BALLOT_HEADER_LEN, BallotId, ContestShape, Election, Layout, SELECTION_LEN, VERSION, tracking_code,
};
use crate::group::{GroupError, Scalar, Secrets};
use crate::hash::Digest;

/// Why nothing was encrypted. No message tells what was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptError {
    /// More options are chosen in this contest (its index in the manifest) than it allows, or one it does not have.
    Overvote(u16),
    /// Not one choice for each contest.
    Choices,
    /// A buffer has not the length the layout says.
    Output,
    /// A prepared value was used already, or never prepared.
    Burnt,
    /// The random source is broken: stop the kiosk.
    Randomness,
}

impl fmt::Display for EncryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overvote(contest) => write!(f, "more is chosen in contest {contest} than it allows"),
            Self::Choices => f.write_str("there is not one choice for each contest"),
            Self::Output => f.write_str("a buffer has not the length of this ballot style"),
            Self::Burnt => f.write_str("a prepared encryption was used already"),
            Self::Randomness => f.write_str("the random source is broken: it gave zero or repeated itself"),
        }
    }
}

impl core::error::Error for EncryptError {}

impl From<GroupError> for EncryptError {
    fn from(_: GroupError) -> Self {
        // Drawing secrets is all that can fail on the way.
        Self::Randomness
    }
}

/// What opens one selection: its vote and its nonce. Kept only until cast or challenge is decided; zeroized when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret {
    pub(crate) vote: u8,
    pub(crate) nonce: [u8; 32],
}

impl Secret {
    /// A slot that holds nothing.
    pub const EMPTY: Self = Self {
        vote: 0,
        nonce: [0; 32],
    };

    pub(super) fn set(&mut self, one: Choice, r: &Scalar) {
        self.vote = one.unwrap_u8();
        self.nonce = r.to_bytes().into();
    }

    /// Whether the slot holds a nonce (0 is none).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nonce == [0; 32]
    }
}

/// Encrypts one ballot: `choices` holds one bitmap a contest, bit i for option i. Gives the tracking code.
///
/// `out` has [`Layout::ballot_len`] bytes, `secrets` [`Layout::selections`] slots. Stack: about 10 kB.
///
/// # Errors
/// Then `out` is zero and `secrets` are empty: half a ballot is no ballot.
pub fn encrypt<R: CryptoRng + ?Sized>(
    election: &Election<'_>,
    station: u16,
    layout: &Layout<'_>,
    choices: &[u64],
    rng: &mut R,
    out: &mut [u8],
    secrets: &mut [Secret],
) -> Result<Digest, EncryptError> {
    let mut source = Secrets::new(rng);
    let id = source.bytes();
    let job = Job {
        election,
        station,
        layout,
        choices,
        id,
    };
    job.run(out, secrets, |shape, choice, position, contest, secrets| {
        let _ = position;
        let challenge = SelectionChallenge::new(election.hash(), &id, layout.style(), shape.contest);
        let mut slots = [const { PreparedSelection::EMPTY }; CHUNK];
        let mut sums = Sums::EMPTY;
        let (selections, sum) = contest
            .split_at_mut_checked(shape.selections() * SELECTION_LEN)
            .ok_or(EncryptError::Output)?;
        let mut bits = Bits::new(shape, choice);
        for (selections, secrets) in selections
            .chunks_mut(CHUNK * SELECTION_LEN)
            .zip(secrets.chunks_mut(CHUNK))
        {
            let slots = slots.get_mut(..secrets.len()).ok_or(EncryptError::Output)?;
            prepare_chunk(election, slots, &mut sums, &mut source)?;
            let outs = selections.chunks_mut(SELECTION_LEN);
            for ((slot, out), secret) in slots.iter_mut().zip(outs).zip(secrets) {
                let (index, one) = bits.next().ok_or(EncryptError::Output)?;
                slot.finish(&challenge, index, one, out, secret)?;
            }
        }
        sums.prepare(election, shape.votes, &mut source)?
            .finish(election, &id, layout.style(), shape, sum)
    })
}

/// As [`encrypt`], with everything but the choice prepared before ([`super::prepare_contest`]): `slots` holds
/// [`Layout::selections`] prepared selections in the ballot's order, `sums` one a contest. All are burnt.
///
/// # Errors
/// As [`encrypt`]; [`EncryptError::Burnt`] if something was not prepared or is used again.
#[expect(clippy::too_many_arguments, reason = "each is lent by somebody else")]
pub fn encrypt_prepared<R: CryptoRng + ?Sized>(
    election: &Election<'_>,
    station: u16,
    layout: &Layout<'_>,
    choices: &[u64],
    rng: &mut R,
    slots: &mut [PreparedSelection],
    sums: &mut [PreparedSum],
    out: &mut [u8],
    secrets: &mut [Secret],
) -> Result<Digest, EncryptError> {
    let id = Secrets::new(rng).bytes();
    let job = Job {
        election,
        station,
        layout,
        choices,
        id,
    };
    let result = if slots.len() == layout.selections() && sums.len() == layout.shapes().len() {
        job.run(out, secrets, |shape, choice, (position, first), contest, secrets| {
            let challenge = SelectionChallenge::new(election.hash(), &id, layout.style(), shape.contest);
            let (selections, sum) = contest
                .split_at_mut_checked(shape.selections() * SELECTION_LEN)
                .ok_or(EncryptError::Output)?;
            let slots = slots.iter_mut().skip(first);
            let outs = selections.chunks_mut(SELECTION_LEN);
            for (((slot, out), secret), (index, one)) in slots.zip(outs).zip(secrets).zip(Bits::new(shape, choice)) {
                slot.finish(&challenge, index, one, out, secret)?;
            }
            sums.get_mut(position)
                .ok_or(EncryptError::Output)?
                .finish(election, &id, layout.style(), shape, sum)
        })
    } else {
        Err(EncryptError::Output)
    };
    // Whatever happened: no prepared value survives its ballot.
    slots.iter_mut().zeroize();
    sums.iter_mut().zeroize();
    result
}

/// What both ways of encrypting share: checks before, code after, nothing left behind on the way out of an error.
struct Job<'j> {
    election: &'j Election<'j>,
    station: u16,
    layout: &'j Layout<'j>,
    choices: &'j [u64],
    id: BallotId,
}

impl Job<'_> {
    /// Calls `contest(shape, choice, (position, first selection), bytes, secrets)` for each contest.
    fn run(
        &self,
        out: &mut [u8],
        secrets: &mut [Secret],
        contest: impl FnMut(&ContestShape, u64, (usize, usize), &mut [u8], &mut [Secret]) -> Result<(), EncryptError>,
    ) -> Result<Digest, EncryptError> {
        let result = self.write(out, secrets, contest);
        if result.is_err() {
            out.zeroize();
            secrets.iter_mut().zeroize();
        }
        result
    }

    fn write(
        &self,
        out: &mut [u8],
        secrets: &mut [Secret],
        mut contest: impl FnMut(&ContestShape, u64, (usize, usize), &mut [u8], &mut [Secret]) -> Result<(), EncryptError>,
    ) -> Result<Digest, EncryptError> {
        let layout = self.layout;
        if self.choices.len() != layout.shapes().len() {
            return Err(EncryptError::Choices);
        }
        if out.len() != layout.ballot_len() || secrets.len() != layout.selections() {
            return Err(EncryptError::Output);
        }
        for (shape, choice) in layout.shapes().iter().zip(self.choices) {
            // m <= 60 by the layout. The branch tells only whether the choice is allowed at all.
            let beyond = choice >> shape.options;
            if beyond != 0 || choice.count_ones() > u32::from(shape.votes) {
                return Err(EncryptError::Overvote(shape.contest));
            }
        }
        let (header, mut contests) = out
            .split_at_mut_checked(BALLOT_HEADER_LEN)
            .ok_or(EncryptError::Output)?;
        fill(header, &[&[VERSION], &layout.style().to_be_bytes(), &self.id]).ok_or(EncryptError::Output)?;
        let mut remaining = &mut *secrets;
        let mut first = 0;
        for ((position, shape), choice) in layout.shapes().iter().enumerate().zip(self.choices) {
            let (bytes, tail) = contests
                .split_at_mut_checked(shape.encoded_len())
                .ok_or(EncryptError::Output)?;
            let (here, rest) = remaining
                .split_at_mut_checked(shape.selections())
                .ok_or(EncryptError::Output)?;
            contest(shape, *choice, (position, first), bytes, here)?;
            first += shape.selections();
            contests = tail;
            remaining = rest;
        }
        let view = BallotView::new(*layout, out).map_err(|_| EncryptError::Output)?;
        Ok(tracking_code(self.election.hash(), self.station, &view))
    }
}

/// The votes of a contest's selections in order: the options' bits, then the no-votes that fill the sum up to n.
struct Bits {
    choice: u64,
    options: u8,
    end: u8,
    blank: u8,
    index: u8,
}

impl Bits {
    fn new(shape: &ContestShape, choice: u64) -> Self {
        let [chosen, ..] = choice.count_ones().to_le_bytes();
        Self {
            choice,
            options: shape.options,
            end: shape.options.saturating_add(shape.votes),
            // Checked before: chosen <= n.
            blank: shape.votes.wrapping_sub(chosen),
            index: 0,
        }
    }
}

impl Iterator for Bits {
    type Item = (u8, Choice);

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        if index >= self.end {
            return None;
        }
        self.index += 1;
        // Branches below are on the public position only.
        let one = match index.checked_sub(self.options) {
            None => {
                let [low, ..] = (self.choice >> index).to_le_bytes();
                Choice::from(low & 1)
            }
            Some(no_vote) => no_vote.ct_lt(&self.blank),
        };
        Some((index, one))
    }
}

impl Drop for Bits {
    fn drop(&mut self) {
        self.choice.zeroize();
        self.blank.zeroize();
    }
}
