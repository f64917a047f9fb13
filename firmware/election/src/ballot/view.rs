//! A ballot's bytes as a borrowed view. Nothing is checked twice and nothing is copied.

use core::fmt;

use crate::ballot::{BALLOT_HEADER_LEN, BallotId, ContestShape, Layout, SELECTION_LEN, SUM_PROOF_LEN, VERSION};
use crate::group::{PointBytes, ScalarBytes};

/// A place in a ballot, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the contest in the manifest.
    pub contest: u16,
    /// Selection in the contest (m options, then n no-votes); `None` is the contest's sum proof.
    pub selection: Option<u8>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.selection {
            Some(selection) => write!(f, "contest {}, selection {selection}", self.contest),
            None => write!(f, "the sum proof of contest {}", self.contest),
        }
    }
}

/// Why a ballot is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BallotError {
    /// Not the one length that the style gives: cut off, or a proof too many or too few.
    Length {
        /// Bytes that the style's ballots have.
        expected: usize,
        /// Bytes that were there.
        found: usize,
    },
    /// Another version than 1.
    Version(u8),
    /// The ballot says another style than the layout it is read with.
    Style(u16),
    /// A point is not a compressed point of P-256.
    Point(Place),
    /// A scalar is not below n.
    Scalar(Place),
    /// The proof that a selection holds 0 or 1 does not hold.
    Selection(Place),
    /// The proof that a contest sums up to n does not hold.
    Sum(Place),
}

impl fmt::Display for BallotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(f, "a ballot of this style has {expected} bytes, this one has {found}")
            }
            Self::Version(version) => write!(f, "ballot version {version} is not known"),
            Self::Style(style) => write!(f, "the ballot says style {style}, which is not the one it is read as"),
            Self::Point(place) => write!(f, "a value is not a point of the group ({place})"),
            Self::Scalar(place) => write!(f, "a scalar is out of range ({place})"),
            Self::Selection(place) => write!(f, "the proof that the vote is 0 or 1 does not hold ({place})"),
            Self::Sum(place) => write!(f, "the votes do not add up as proven ({place})"),
        }
    }
}

impl core::error::Error for BallotError {}

/// A ballot whose length, version and style are those of its layout. Points and scalars are raw bytes still:
/// [`crate::ballot::check`] reads them all, [`crate::ballot::verify`] checks the proofs too.
#[derive(Clone, Copy)]
pub struct BallotView<'b> {
    bytes: &'b [u8],
    id: &'b BallotId,
    contests: &'b [u8],
    layout: Layout<'b>,
}

impl<'b> BallotView<'b> {
    /// The style number a ballot claims, to look its layout up before [`BallotView::new`].
    #[must_use]
    pub fn claimed_style(bytes: &[u8]) -> Option<u16> {
        let (_, rest) = bytes.split_first()?;
        rest.first_chunk().map(|style| u16::from_be_bytes(*style))
    }

    /// Frames the bytes of a ballot of the layout's style.
    ///
    /// # Errors
    /// [`BallotError::Length`], [`BallotError::Version`], [`BallotError::Style`].
    pub fn new(layout: Layout<'b>, bytes: &'b [u8]) -> Result<Self, BallotError> {
        let length = BallotError::Length {
            expected: layout.ballot_len(),
            found: bytes.len(),
        };
        if bytes.len() != layout.ballot_len() {
            return Err(length);
        }
        let mut rest = bytes;
        let [version] = *field(&mut rest).ok_or(length)?;
        let style = u16::from_be_bytes(*field(&mut rest).ok_or(length)?);
        let id = field(&mut rest).ok_or(length)?;
        if version != VERSION {
            return Err(BallotError::Version(version));
        }
        if style != layout.style() {
            return Err(BallotError::Style(style));
        }
        debug_assert_eq!(BALLOT_HEADER_LEN + rest.len(), bytes.len());
        Ok(Self {
            bytes,
            id,
            contests: rest,
            layout,
        })
    }

    /// The whole ballot.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The ballot's random id.
    #[must_use]
    pub const fn id(&self) -> &'b BallotId {
        self.id
    }

    /// The layout it is read with.
    #[must_use]
    pub const fn layout(&self) -> &Layout<'b> {
        &self.layout
    }

    /// The contests, in the ballot's order.
    pub fn contests(&self) -> impl Iterator<Item = ContestView<'b>> + use<'b> {
        let mut rest = self.contests;
        self.layout.shapes().iter().map_while(move |shape| {
            let (contest, tail) = rest.split_at_checked(shape.encoded_len())?;
            rest = tail;
            ContestView::new(*shape, contest)
        })
    }

    /// The contest with this index in the manifest, if the style has it.
    #[must_use]
    pub fn contest(&self, contest: u16) -> Option<ContestView<'b>> {
        self.contests().find(|view| view.shape.contest == contest)
    }
}

/// One contest of a ballot.
#[derive(Clone, Copy)]
pub struct ContestView<'b> {
    /// Which contest, with its m and n.
    pub shape: ContestShape,
    selections: &'b [[u8; SELECTION_LEN]],
    sum: &'b [u8; SUM_PROOF_LEN],
}

impl<'b> ContestView<'b> {
    fn new(shape: ContestShape, bytes: &'b [u8]) -> Option<Self> {
        let (selections, sum) = bytes.split_last_chunk()?;
        let (selections, []) = selections.as_chunks() else {
            return None;
        };
        Some(Self { shape, selections, sum })
    }

    /// The selections: m options, then n no-votes.
    pub fn selections(&self) -> impl Iterator<Item = SelectionView<'b>> + use<'b> {
        self.selections.iter().map_while(SelectionView::new)
    }

    /// The sum proof.
    #[must_use]
    pub fn sum(&self) -> Option<SumView<'b>> {
        SumView::new(self.sum)
    }

    /// The place of a selection, for messages.
    pub(crate) const fn place(&self, selection: Option<u8>) -> Place {
        Place {
            contest: self.shape.contest,
            selection,
        }
    }
}

/// One selection: the ciphertext and its 0/1 proof.
#[derive(Clone, Copy)]
pub struct SelectionView<'b> {
    /// r·G.
    pub alpha: &'b PointBytes,
    /// (m + r)·K.
    pub beta: &'b PointBytes,
    /// The commitments (a, b) of the branch for 0, then for 1.
    pub commitments: [(&'b PointBytes, &'b PointBytes); 2],
    /// c0; c1 is the challenge less c0.
    pub challenge: &'b ScalarBytes,
    /// v0, v1.
    pub responses: [&'b ScalarBytes; 2],
}

impl<'b> SelectionView<'b> {
    fn new(bytes: &'b [u8; SELECTION_LEN]) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let rest = &mut rest;
        Some(Self {
            alpha: field(rest)?,
            beta: field(rest)?,
            commitments: [(field(rest)?, field(rest)?), (field(rest)?, field(rest)?)],
            challenge: field(rest)?,
            responses: [field(rest)?, field(rest)?],
        })
    }

    /// The points in the order of the bytes.
    pub(crate) const fn points(&self) -> [&'b PointBytes; 6] {
        let [(a0, b0), (a1, b1)] = self.commitments;
        [self.alpha, self.beta, a0, b0, a1, b1]
    }
}

/// The proof that a contest's selections add up to n.
#[derive(Clone, Copy)]
pub struct SumView<'b> {
    /// u·G.
    pub a: &'b PointBytes,
    /// u·K.
    pub b: &'b PointBytes,
    /// v.
    pub response: &'b ScalarBytes,
}

impl<'b> SumView<'b> {
    fn new(bytes: &'b [u8; SUM_PROOF_LEN]) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let rest = &mut rest;
        Some(Self {
            a: field(rest)?,
            b: field(rest)?,
            response: field(rest)?,
        })
    }
}

/// Takes N bytes off the front.
pub(crate) fn field<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(head)
}

/// Writes parts one after the other; `None` unless they fill `out` exactly.
pub(crate) fn fill(out: &mut [u8], parts: &[&[u8]]) -> Option<()> {
    let mut rest = out;
    for part in parts {
        let (head, tail) = rest.split_at_mut_checked(part.len())?;
        head.copy_from_slice(part);
        rest = tail;
    }
    rest.is_empty().then_some(())
}
