//! The ballot box on two media. The format is in MEDIA.md beside this crate.
//!
//! One record {kind, ballot, tag, CRC} goes into a random free slot of the original and is synced and read back; the same on the
//! duplicate; only then there is a [`Durable`], and only with it a session goes on. No pending state, no roll, no time, no order.
//! This room must never know a card, a choice or a PIN.

mod commit;
mod durable;
mod fault;
mod frame;
mod index;
mod journal;
mod label;
mod mount;
mod outbox;
mod pair;
mod progress;
mod reader;
mod record;
mod scan;
mod takeover;
#[cfg(test)]
mod tests;

pub use commit::Broken;
pub use durable::Durable;
#[cfg(test)]
pub(crate) use durable::proof_for_tests;
pub use election::batch::Kind;
pub use fault::{MediaFault, Role};
pub use index::Row;
pub use journal::EntryKind;
pub use label::{LABELS, Label, Layout, MAX_LABEL, RECORD_HEADER, SPARE_ROLE, TakenOver};
pub use mount::{Expected, Mounted, label_of};
pub use outbox::Unproven;
pub use progress::Progress;
pub use reader::{Item, Reader, ReaderError, SlotState, closed_by, format};
pub use record::Record;
pub use scan::{LastVoter, Log, Signed};
pub use takeover::{Proposal, adopt, propose, rebind};
#[cfg(test)]
pub(crate) use tests::media as media_for_tests;

use election::batch;
use election::hash::Digest;

use index::Index;
use pair::Pair;

/// What the box holds and what its log counted (SPEC.md, section 8, `Counters`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Voters admitted.
    pub admitted: u32,
    /// Votes that stand.
    pub recorded: u32,
    /// Admitted voters who left without a vote.
    pub abandoned: u32,
    /// Admitted voters who were cut off.
    pub interrupted: u32,
    /// Challenged ballots that stand.
    pub spoiled: u32,
    /// Unreadable slots.
    pub void: u32,
}

impl Counts {
    /// admitted - recorded - abandoned - interrupted: 0, or 1 while somebody votes.
    #[must_use]
    pub fn deficit(&self) -> i64 {
        i64::from(self.admitted) - i64::from(self.recorded) - i64::from(self.abandoned) - i64::from(self.interrupted)
    }
}

/// Reads a ballot's code and leaf (SPEC.md, sections 4 and 8). A trait, so that the box can be tested for what it is, without ballots.
pub trait Leaves {
    /// `None` if these bytes are no ballot of this election: the slot is void then.
    fn leaf(&self, kind: Kind, ballot: &[u8], tag: &[u8; 32]) -> Option<Leaf>;
}

/// A record's code and leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Tracking code.
    pub code: Digest,
    /// What a batch says of it.
    pub leaf: Digest,
}

/// Memory that the platform lends; see [`Memory::fits`].
pub struct Memory<'b> {
    /// A row a slot.
    pub rows: &'b mut [Row],
    /// A bit a slot, rounded up to bytes.
    pub used: &'b mut [u8],
    /// The largest of: a slot, the longest journal entry.
    pub scratch: &'b mut [u8],
    /// Entries of the largest batch: 2k and the spoiled slots.
    pub entries: &'b mut [batch::Entry],
}

impl Memory<'_> {
    /// The same memory for a while, so that media can be mounted once more.
    pub(crate) fn lend(&mut self) -> Memory<'_> {
        Memory {
            rows: self.rows,
            used: self.used,
            scratch: self.scratch,
            entries: self.entries,
        }
    }

    /// Whether it suffices for a layout and a batch size k.
    #[must_use]
    pub fn fits(&self, layout: &Layout, k: usize) -> bool {
        let slots = usize::try_from(layout.slots()).unwrap_or(usize::MAX);
        self.rows.len() >= slots
            && self.used.len() >= slots.div_ceil(8)
            && self.scratch.len() >= buffer_len(layout, k)
            && self.entries.len() >= entries_len(layout, k)
    }
}

/// Entries of the largest batch.
#[must_use]
pub fn entries_len(layout: &Layout, k: usize) -> usize {
    usize::try_from(layout.spoiled)
        .unwrap_or(usize::MAX)
        .saturating_add(k.saturating_mul(2))
}

/// Bytes of a buffer that holds any slot and any journal entry.
#[must_use]
pub fn buffer_len(layout: &Layout, k: usize) -> usize {
    let batch = batch::max_len(entries_len(layout, k)).saturating_add(64);
    let entry = batch
        .max(election::ledger::MAX_PROOF.saturating_add(64))
        .saturating_add(journal::ENTRY_HEADER);
    let sector = layout.sector_len().max(1);
    layout.slot_len().max(entry.div_ceil(sector).saturating_mul(sector))
}

/// Journal sectors that voters leave free: for staff, starts and repairs.
const SPARE: u32 = 32;

/// The mounted box.
pub struct BallotBox<'b, M, L> {
    media: Pair<M>,
    label: Label,
    leaves: L,
    index: Index<'b>,
    scratch: &'b mut [u8],
    entries: &'b mut [batch::Entry],
    log: Log,
    void: u32,
    /// Votes of a batch.
    batch: usize,
    /// After a failed write nothing more is written: only a restart finds out what stands.
    broken: bool,
}

impl<M, L> BallotBox<'_, M, L> {
    /// The media's label.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// What the box holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            admitted: self.log.admitted,
            recorded: self.index.count(Kind::Cast),
            abandoned: self.log.abandoned,
            interrupted: self.log.interrupted,
            spoiled: self.index.count(Kind::Spoiled),
            void: self.void,
        }
    }

    /// The audit log's head.
    #[must_use]
    pub const fn head(&self) -> &Digest {
        &self.log.head
    }

    /// The medium that this box goes without, if it is closed by one alone.
    #[must_use]
    pub const fn lost(&self) -> Option<Role> {
        self.media.lost
    }

    /// What the journal says of the day.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Whether this tag has voted.
    #[must_use]
    pub fn has_voted(&self, tag: &crate::session::Tag) -> bool {
        self.index.has_tag(&tag.0)
    }

    /// Votes that still fit: slots, and the log's room.
    #[must_use]
    pub fn free(&self) -> u32 {
        let layout = &self.label.layout;
        let slots = self.index.free(layout.range(Kind::Cast));
        let sectors = |bytes: usize| {
            let bytes = bytes.saturating_add(journal::ENTRY_HEADER);
            u32::try_from(bytes.div_ceil(layout.sector_len().max(1))).unwrap_or(u32::MAX)
        };
        let proof = sectors(election::ledger::MAX_PROOF.saturating_add(32));
        // What must still fit after the last voter: closing, the last batch, and a proof of everything that waits for one.
        let reserve = sectors(batch::max_len(self.entries.len()))
            .saturating_add(SPARE)
            .saturating_add(proof.saturating_mul(self.log.pending().saturating_add(1)));
        let k = u32::try_from(self.batch).unwrap_or(u32::MAX).max(1);
        // Two events, and a share of a batch and its proof.
        let vote = sectors(batch::max_len(self.batch))
            .saturating_add(proof)
            .div_ceil(k)
            .saturating_add(2);
        slots.min(self.room().saturating_sub(reserve) / vote)
    }

    /// How much of that is left, without a number.
    #[must_use]
    pub fn room_left(&self) -> crate::screen::Room {
        use crate::screen::Room;
        match self.free() {
            0 => Room::Full,
            free if free.saturating_mul(10) <= self.label.layout.cast => Room::Low,
            _ => Room::Enough,
        }
    }

    /// Free sectors of the journal.
    pub(super) const fn room(&self) -> u32 {
        self.label.layout.journal.saturating_sub(self.log.end)
    }

    /// Challenges that still fit.
    #[must_use]
    pub fn free_spoiled(&self) -> u32 {
        self.index.free(self.label.layout.range(Kind::Spoiled))
    }
}
