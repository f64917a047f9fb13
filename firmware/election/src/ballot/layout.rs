//! Where things lie in a ballot of a style: lengths and offsets follow from the manifest alone, never from the bytes.

use core::fmt;

use crate::manifest::{
    BALLOT_HEADER_LEN, ContestShape, MAX_OPTIONS, MAX_STYLE_CONTESTS, MAX_STYLE_SELECTIONS, MAX_VOTES,
};

/// Why contests make no style; the limits are those of SPEC.md, section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// No contest, or more than 64, or more than 512 selections together.
    Size,
    /// Contest indices are not strictly ascending.
    Order,
    /// A contest outside 1 <= n <= m <= 60, n <= 15.
    Contest(u16),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("a ballot style has no contest or too many contests or selections"),
            Self::Order => f.write_str("the contests of a ballot style are not in ascending order"),
            Self::Contest(contest) => write!(f, "contest {contest} has an impossible number of options or votes"),
        }
    }
}

impl core::error::Error for LayoutError {}

/// The layout of a style's ballots.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'s> {
    style: u16,
    shapes: &'s [ContestShape],
    selections: usize,
    length: usize,
}

impl<'s> Layout<'s> {
    /// The layout of style number `style` with these contests, in the ballot's order.
    ///
    /// # Errors
    /// The limit that does not hold.
    pub fn new(style: u16, shapes: &'s [ContestShape]) -> Result<Self, LayoutError> {
        let mut selections = 0usize;
        let mut length = BALLOT_HEADER_LEN;
        let mut last = None;
        for shape in shapes {
            if shape.votes == 0
                || shape.votes > MAX_VOTES
                || shape.votes > shape.options
                || usize::from(shape.options) > MAX_OPTIONS
            {
                return Err(LayoutError::Contest(shape.contest));
            }
            if last.is_some_and(|last| last >= shape.contest) {
                return Err(LayoutError::Order);
            }
            last = Some(shape.contest);
            // At most 64 contests of 75 selections are added up before the limit is checked: no overflow.
            selections = selections.saturating_add(shape.selections());
            length = length.saturating_add(shape.encoded_len());
        }
        if shapes.is_empty() || shapes.len() > MAX_STYLE_CONTESTS || selections > MAX_STYLE_SELECTIONS {
            return Err(LayoutError::Size);
        }
        Ok(Self {
            style,
            shapes,
            selections,
            length,
        })
    }

    /// The style's number in the manifest.
    #[must_use]
    pub const fn style(&self) -> u16 {
        self.style
    }

    /// The contests, in the ballot's order.
    #[must_use]
    pub const fn shapes(&self) -> &'s [ContestShape] {
        self.shapes
    }

    /// Sum of m + n over the contests: at most 512.
    #[must_use]
    pub const fn selections(&self) -> usize {
        self.selections
    }

    /// Bytes of a ballot.
    #[must_use]
    pub const fn ballot_len(&self) -> usize {
        self.length
    }

    /// The number of selections before the contest at `position`, that is the index of its first [`crate::ballot::Secret`].
    #[must_use]
    pub fn first_selection(&self, position: usize) -> Option<usize> {
        let before = self.shapes.get(..position)?;
        (position < self.shapes.len()).then(|| before.iter().map(ContestShape::selections).sum())
    }
}
