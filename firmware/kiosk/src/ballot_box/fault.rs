//! Which medium, and why it is refused (F6).

use core::fmt;

use crate::ports::MediumError;

/// The two places of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// Counted.
    Original = 0,
    /// Counted where the original cannot be read (A8).
    Duplicate = 1,
}

impl Role {
    /// The other place.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Original => Self::Duplicate,
            Self::Duplicate => Self::Original,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "original",
            Self::Duplicate => "duplicate",
        })
    }
}

/// Why media are refused, by name (F6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaFault {
    /// The device fails.
    Device(Role, MediumError),
    /// Not formatted as a ballot box: a stray medium.
    Stray(Role),
    /// Formatted by a version this kiosk does not know.
    Version(Role),
    /// The label of the medium is damaged.
    Label(Role),
    /// Of another election.
    OtherElection(Role),
    /// Of another polling station.
    OtherStation(Role),
    /// Of another kiosk. A spare may take it over.
    OtherKiosk(Role),
    /// Of an epoch the election does not have.
    OtherEpoch(Role),
    /// Original and duplicate are in each other's slots.
    Swapped,
    /// Twice the same medium, or a copy of it.
    Twice,
    /// The two are not of one pair.
    NotAPair,
    /// The two were formatted with different sizes.
    Sizes,
    /// Not the pair this epoch was opened with.
    OtherPair,
    /// An older state of the pair this epoch was opened with: something is missing that stood there before.
    Older,
    /// Both media are readable but say different things at one place.
    Differ {
        /// Which sector or slot.
        place: u32,
    },
    /// The log on the media breaks its own order.
    Log,
    /// The medium is too small for this election: format a larger one.
    TooSmall(Role),
    /// The kiosk they belong to has closed them, down to the last batch: they can be counted as they are.
    Closed,
    /// A spare medium, which only goes beside the surviving medium of another kiosk.
    Spare(Role),
}

impl fmt::Display for MediaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(role, error) => write!(f, "{role}: {error}"),
            Self::Stray(role) => write!(f, "{role}: this medium is not a ballot box: take it out"),
            Self::Version(role) => write!(f, "{role}: formatted by another version: format it with this one"),
            Self::Label(role) => write!(f, "{role}: the medium's label is damaged: use the other medium with a spare kiosk"),
            Self::OtherElection(role) => write!(f, "{role}: this medium belongs to another election"),
            Self::OtherStation(role) => write!(f, "{role}: this medium belongs to another polling station"),
            Self::OtherKiosk(role) => write!(f, "{role}: this medium belongs to another kiosk"),
            Self::OtherEpoch(role) => write!(f, "{role}: this medium is for an epoch the election does not have"),
            Self::Swapped => f.write_str("original and duplicate are swapped: change them over"),
            Self::Twice => f.write_str("both slots hold the same medium or a copy of it"),
            Self::NotAPair => f.write_str("the two media do not belong together"),
            Self::Sizes => f.write_str("the two media were formatted with different sizes"),
            Self::OtherPair => f.write_str("these are not the media this epoch was opened with"),
            Self::Older => f.write_str("an older copy of the media: something that stood there is missing. Keep them, call the election office"),
            Self::Differ { place } => write!(f, "original and duplicate differ at place {place}: keep both, call the election office"),
            Self::Log => f.write_str("the log on the media is out of order: keep both, call the election office"),
            Self::TooSmall(role) => write!(f, "{role}: the medium is too small for this election"),
            Self::Closed => f.write_str("these media are closed and complete: hand them in"),
            Self::Spare(role) => write!(f, "{role}: a spare medium: put the surviving medium of the kiosk that is replaced into the other slot"),
        }
    }
}

impl core::error::Error for MediaFault {}
