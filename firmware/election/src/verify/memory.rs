//! The memory a verification works in: tables of fixed rows that the caller lends.

use super::{Broken, at};
use crate::ballot::Layout;
use crate::batch::Kind;
use crate::hash::Digest;
use crate::ledger::{BatchRow, KioskRow};
use crate::manifest::{CheckedManifest, ContestShape};
use crate::record::FileName;

/// How many rows of each table a record needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Ballot styles.
    pub styles: u32,
    /// Contests of all styles together.
    pub shapes: u32,
    /// Decided blocks. No table: for a display of progress.
    pub blocks: u32,
    /// Registered kiosks.
    pub kiosks: u32,
    /// Batches on the ledger.
    pub batches: u32,
    /// Entries of all batches.
    pub entries: u32,
    /// Published cast ballots.
    pub ballots: u32,
    /// Published spoiled ballots.
    pub spoiled: u32,
    /// Closings. No table: for a display of progress.
    pub closings: u32,
}

impl Sizes {
    /// Rows of `order`: the larger number of ballots.
    #[must_use]
    pub const fn order(&self) -> u32 {
        if self.ballots > self.spoiled {
            self.ballots
        } else {
            self.spoiled
        }
    }
}

/// The tables, each at least as long as [`Sizes`] says; what stands in them is written over.
pub struct Scratch<'s> {
    /// `shapes` rows.
    pub shapes: &'s mut [ContestShape],
    /// `styles` rows.
    pub styles: &'s mut [StyleRow],
    /// `kiosks` rows.
    pub kiosks: &'s mut [KioskRow],
    /// `kiosks` rows.
    pub lines: &'s mut [LineRow],
    /// `batches` rows.
    pub batches: &'s mut [BatchRow],
    /// `entries` rows.
    pub entries: &'s mut [EntryRow],
    /// `ballots` rows.
    pub ballots: &'s mut [BallotRow],
    /// `spoiled` rows.
    pub spoiled: &'s mut [BallotRow],
    /// [`Sizes::order`] rows.
    pub order: &'s mut [u32],
}

/// Where the contests of a style stand in the table of shapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StyleRow {
    from: u32,
    count: u8,
}

impl StyleRow {
    /// A row to fill a table with.
    pub const EMPTY: Self = Self { from: 0, count: 0 };
}

/// What the verification adds to a kiosk's row on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Kiosk id.
    pub(super) id: Digest,
    /// Epoch of its closing batch.
    pub(super) epoch: Option<u8>,
    /// It closed, or a kiosk that took its place did, or the one that took that one's.
    pub(super) closed: bool,
}

impl LineRow {
    /// A row to fill a table with.
    pub const EMPTY: Self = Self {
        id: [0; 32],
        epoch: None,
        closed: false,
    };
}

/// An entry of a batch on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRow {
    pub(super) code: Digest,
    pub(super) leaf: Digest,
    pub(super) kind: Kind,
    /// Its place on the ledger: entries are numbered through in the order of height, transaction and entry.
    pub(super) place: u32,
    /// The batch, in the order of the ledger.
    pub(super) batch: u32,
    pub(super) epoch: u8,
    pub(super) published: bool,
}

impl EntryRow {
    /// A row to fill a table with.
    pub const EMPTY: Self = Self {
        code: [0; 32],
        leaf: [0; 32],
        kind: Kind::Cast,
        place: 0,
        batch: 0,
        epoch: 0,
        published: false,
    };

    /// What the entries are sorted by.
    pub(super) const fn key(&self) -> (&Digest, &Digest, Kind) {
        (&self.code, &self.leaf, self.kind)
    }
}

/// What becomes of a cast ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It is in the tally.
    Counted,
    /// Another ballot with its tag came first.
    Duplicate,
    /// A ballot with its tag in a higher epoch counts.
    Overwritten,
}

/// A published ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BallotRow {
    /// Its tracking code.
    pub code: Digest,
    /// Its leaf.
    pub leaf: Digest,
    /// Its tag; zero bytes for a spoiled ballot.
    pub tag: Digest,
    /// Index of the kiosk it was published for.
    pub kiosk: u32,
    /// Its place on the ledger, see [`EntryRow`].
    pub place: u32,
    /// Where the ballot begins in its file, and its length.
    pub(super) from: usize,
    pub(super) length: usize,
    /// Ballot style.
    pub style: u16,
    /// Epoch.
    pub epoch: u8,
    /// What becomes of it. Spoiled ballots are never counted, whatever stands here.
    pub state: State,
}

impl BallotRow {
    /// A row to fill a table with.
    pub const EMPTY: Self = Self {
        code: [0; 32],
        leaf: [0; 32],
        tag: [0; 32],
        kiosk: 0,
        place: 0,
        from: 0,
        length: 0,
        style: 0,
        epoch: 0,
        state: State::Duplicate,
    };
}

/// The tables while they are filled, cut to their sizes.
pub(super) struct Work<'s> {
    pub shapes: &'s mut [ContestShape],
    pub styles: &'s mut [StyleRow],
    pub kiosks: &'s mut [KioskRow],
    pub lines: &'s mut [LineRow],
    pub batches: &'s mut [BatchRow],
    pub entries: &'s mut [EntryRow],
    pub ballots: &'s mut [BallotRow],
    pub spoiled: &'s mut [BallotRow],
    pub order: &'s mut [u32],
}

impl<'s> Work<'s> {
    pub fn new(scratch: Scratch<'s>, sizes: &Sizes) -> Result<Self, Broken> {
        fn cut<T>(slice: &mut [T], length: u32, file: FileName) -> Result<&mut [T], Broken> {
            slice.get_mut(..at(length)).ok_or(Broken::scratch(file))
        }
        Ok(Self {
            shapes: cut(scratch.shapes, sizes.shapes, FileName::Manifest)?,
            styles: cut(scratch.styles, sizes.styles, FileName::Manifest)?,
            kiosks: cut(scratch.kiosks, sizes.kiosks, FileName::Chain)?,
            lines: cut(scratch.lines, sizes.kiosks, FileName::Chain)?,
            batches: cut(scratch.batches, sizes.batches, FileName::Chain)?,
            entries: cut(scratch.entries, sizes.entries, FileName::Chain)?,
            ballots: cut(scratch.ballots, sizes.ballots, FileName::Ballots)?,
            spoiled: cut(scratch.spoiled, sizes.spoiled, FileName::Spoiled)?,
            order: cut(scratch.order, sizes.order(), FileName::Ballots)?,
        })
    }

    /// Index of a kiosk in `kiosks` and `lines`, once all are there.
    pub fn kiosk(&self, id: &Digest) -> Option<u32> {
        let index = self.lines.binary_search_by_key(id, |row| row.id).ok()?;
        u32::try_from(index).ok()
    }
}

/// Lays the contests of all styles out once, so that a ballot's layout is a slice.
pub(super) fn fill_styles(manifest: &CheckedManifest<'_>, work: &mut Work<'_>) -> Result<(), Broken> {
    let mut from = 0u32;
    for (style, row) in manifest.styles().zip(work.styles.iter_mut()) {
        let mut count = 0u8;
        for shape in manifest.shapes(&style) {
            let place = at(from).saturating_add(usize::from(count));
            *work.shapes.get_mut(place).ok_or(Broken::scratch(FileName::Manifest))? = shape;
            // At most 64 in a checked manifest.
            count = count.saturating_add(1);
        }
        *row = StyleRow { from, count };
        from = from.saturating_add(u32::from(count));
    }
    Ok(())
}

/// The layout of a style.
pub(super) fn layout<'t>(styles: &[StyleRow], shapes: &'t [ContestShape], style: u16) -> Option<Layout<'t>> {
    let row = styles.get(usize::from(style))?;
    let to = at(row.from).checked_add(usize::from(row.count))?;
    Layout::new(style, shapes.get(at(row.from)..to)?).ok()
}
