//! Where the power can fail, by kind: which device, before or after what, and what was being written. Read from the bytes
//! themselves (MEDIA.md), so that the kiosk need not tell.

use std::fmt;

use kiosk::ballot_box::{LABELS, Role};
use kiosk::ports::Item;

/// One kind of boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boundary {
    /// Of which device.
    pub device: Device,
    /// Before or after what.
    pub moment: Moment,
    /// What was being written.
    pub what: Written,
    /// While the kiosk starts: what it writes then it copies, or finds out.
    pub starting: bool,
}

/// A device whose writes outlive the kiosk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// A medium.
    Medium(Role),
    /// The internal store.
    Store,
}

/// A place in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Nothing has happened yet.
    BeforeWrite,
    /// Written, not synced (an item of the store is durable then).
    AfterWrite,
    /// The sync is on its way.
    BeforeSync,
    /// Synced.
    AfterSync,
}

/// What a write writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// A medium's label.
    Label,
    /// An audit event: its number in MEDIA.md, "Journal".
    Event(u8),
    /// A transaction for the ledger.
    Transaction,
    /// A commit proof.
    Proof,
    /// The signed closing.
    Closing,
    /// A vote.
    Vote,
    /// A challenged ballot.
    Spoiled,
    /// An item of the store.
    Item(Item),
    /// Nothing that the format knows.
    Other,
}

impl Written {
    /// Looks at the front of what is being written at `offset` of a medium with such sectors.
    #[must_use]
    pub fn of(offset: u64, sector: u32, data: &[u8]) -> Self {
        if offset < u64::from(sector) * u64::from(LABELS) {
            return Self::Label;
        }
        match (data.get(..4), data.get(4)) {
            // A journal entry's header is 32 bytes long, and an event's first byte says which it is.
            (Some(b"IPPJ"), Some(1)) => Self::Event(data.get(32).copied().unwrap_or(u8::MAX)),
            (Some(b"IPPJ"), Some(2)) => Self::Transaction,
            (Some(b"IPPJ"), Some(3)) => Self::Proof,
            (Some(b"IPPJ"), Some(4)) => Self::Closing,
            (Some(b"IPPB"), Some(1)) => Self::Vote,
            (Some(b"IPPB"), Some(2)) => Self::Spoiled,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Event(0) => "opened",
            Self::Event(1) => "admitted",
            Self::Event(2) => "abandoned",
            Self::Event(3) => "interrupted",
            Self::Event(4) => "started",
            Self::Event(5) => "taken over",
            Self::Event(6) => "closed",
            Self::Event(_) => "event",
            Self::Transaction => "transaction",
            Self::Proof => "proof",
            Self::Closing => "closing",
            Self::Vote => "vote",
            Self::Spoiled => "spoiled",
            Self::Item(item) => item.name(),
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::BeforeWrite => "before write",
            Moment::AfterWrite => "after write",
            Moment::BeforeSync => "in sync",
            Moment::AfterSync => "after sync",
        };
        let starting = if self.starting { ", starting" } else { "" };
        match self.device {
            Device::Medium(role) => write!(f, "{role}, {}: {moment}{starting}", self.what.name()),
            Device::Store => write!(f, "store, {}: {moment}{starting}", self.what.name()),
        }
    }
}
