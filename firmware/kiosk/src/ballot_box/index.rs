//! What the kiosk keeps in memory of the box: which tags have voted, where each record lies, what has left in a batch.
//!
//! Read from the media at every start, never written anywhere. Memory is the platform's: one [`Row`] a slot, one bit a slot.

use election::batch::Kind;
use election::hash::Digest;

use super::fault::Role;
use crate::random::Uniform;

/// A record that stands.
#[derive(Clone, Copy)]
pub struct Row {
    pub(super) tag: [u8; 32],
    pub(super) leaf: Digest,
    pub(super) slot: u32,
    /// Which batch it left in, counted from 1 over the journal; 0 if none.
    pub(super) batch: u32,
    pub(super) kind: Kind,
    pub(super) original: bool,
    pub(super) duplicate: bool,
}

impl Row {
    /// A row of nothing, to make memory of.
    pub const EMPTY: Self = Self {
        tag: [0; 32],
        leaf: [0; 32],
        slot: 0,
        batch: 0,
        kind: Kind::Cast,
        original: false,
        duplicate: false,
    };

    pub(super) const fn on(&self, role: Role) -> bool {
        match role {
            Role::Original => self.original,
            Role::Duplicate => self.duplicate,
        }
    }

    pub(super) const fn set_on(&mut self, role: Role) {
        match role {
            Role::Original => self.original = true,
            Role::Duplicate => self.duplicate = true,
        }
    }
}

/// The index over memory of the platform.
pub struct Index<'b> {
    rows: &'b mut [Row],
    len: usize,
    used: &'b mut [u8],
}

impl<'b> Index<'b> {
    pub(super) fn new(rows: &'b mut [Row], used: &'b mut [u8]) -> Self {
        used.fill(0);
        Self { rows, len: 0, used }
    }

    pub(super) fn rows(&self) -> &[Row] {
        self.rows.get(..self.len).unwrap_or(&[])
    }

    pub(super) fn rows_mut(&mut self) -> &mut [Row] {
        self.rows.get_mut(..self.len).unwrap_or(&mut [])
    }

    pub(super) fn push(&mut self, row: Row) -> bool {
        let Some(place) = self.rows.get_mut(self.len) else {
            return false;
        };
        *place = row;
        self.len += 1;
        true
    }

    pub(super) fn find_leaf(&mut self, leaf: &Digest) -> Option<&mut Row> {
        self.rows_mut().iter_mut().find(|row| row.leaf == *leaf)
    }

    pub(super) fn has_tag(&self, tag: &[u8; 32]) -> bool {
        // Every row is compared, so that the time does not tell where a tag lies.
        self.rows().iter().fold(false, |found, row| {
            found | (row.kind == Kind::Cast && bool::from(subtle::ConstantTimeEq::ct_eq(&row.tag[..], &tag[..])))
        })
    }

    pub(super) fn count(&self, kind: Kind) -> u32 {
        u32::try_from(self.rows().iter().filter(|row| row.kind == kind).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn unsent(&self) -> usize {
        self.rows()
            .iter()
            .filter(|row| row.kind == Kind::Cast && row.batch == 0)
            .count()
    }

    pub(super) fn mark_used(&mut self, slot: u32) {
        if let Some(byte) = usize::try_from(slot / 8).ok().and_then(|at| self.used.get_mut(at)) {
            *byte |= 1 << (slot % 8);
        }
    }

    pub(super) fn is_used(&self, slot: u32) -> bool {
        usize::try_from(slot / 8)
            .ok()
            .and_then(|at| self.used.get(at))
            .is_none_or(|byte| byte >> (slot % 8) & 1 == 1)
    }

    pub(super) fn free(&self, range: core::ops::Range<u32>) -> u32 {
        u32::try_from(range.filter(|slot| !self.is_used(*slot)).count()).unwrap_or(0)
    }

    /// A free slot, each with the same probability: the place of a record says nothing of when it came (A2, V12).
    pub(super) fn draw<R: Uniform + ?Sized>(&self, range: core::ops::Range<u32>, rng: &mut R) -> Option<u32> {
        let free = self.free(range.clone());
        let chosen = rng.below(free)?;
        range
            .filter(|slot| !self.is_used(*slot))
            .nth(usize::try_from(chosen).ok()?)
    }
}
