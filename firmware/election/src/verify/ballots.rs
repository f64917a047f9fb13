//! Steps 5 and 6: the published ballots against the ledger, and the ledger's entries against what is published.

use super::memory::{BallotRow, EntryRow, State, Work, layout};
use super::{Broken, Checked, Record, Step, Why, at};
use crate::ballot::{self, BallotView, Election, ballot_hash, tracking_code, verify_batch};
use crate::batch::{Kind, cast_leaf, spoiled_leaf};
use crate::hash::Digest;
use crate::ledger::{KioskRow, Raw};
use crate::record::{FileName, PublishedBallot, PublishedSpoiled};
use crate::wire::Seq;

/// The file of a kind of ballots.
pub(super) const fn file_of(kind: Kind) -> FileName {
    match kind {
        Kind::Cast => FileName::Ballots,
        Kind::Spoiled => FileName::Spoiled,
    }
}

/// Reads both files into their tables: framing, code, leaf, place on the ledger, order of the codes.
pub(super) fn read_all(
    record: &Record<'_>,
    work: &mut Work<'_>,
    progress: &mut dyn FnMut(Step, u32, u32),
) -> Result<(), Broken> {
    let total = record.sizes.ballots.saturating_add(record.sizes.spoiled);
    let mut done = 0u32;
    let mut last = None;
    let mut rows = core::mem::take(&mut work.ballots);
    let all = Seq::<PublishedBallot<'_>>::from_bytes(record.files.ballots);
    for ((item, published), row) in (0u32..).zip(all.iter()).zip(rows.iter_mut()) {
        let published = published.map_err(|error| Broken::item(FileName::Ballots, item, Why::Wire(error)))?;
        let one = Published {
            kind: Kind::Cast,
            kiosk: published.kiosk,
            epoch: published.epoch,
            tag: published.tag,
            ballot: published.ballot,
            item,
        };
        *row = one.row(record, work, &mut last)?;
        done = done.saturating_add(1);
        progress(Step::Ballots, done, total);
    }
    core::mem::swap(&mut work.ballots, &mut rows);

    let mut last = None;
    let mut rows = core::mem::take(&mut work.spoiled);
    let all = Seq::<PublishedSpoiled<'_>>::from_bytes(record.files.spoiled);
    for ((item, published), row) in (0u32..).zip(all.iter()).zip(rows.iter_mut()) {
        let published = published.map_err(|error| Broken::item(FileName::Spoiled, item, Why::Wire(error)))?;
        let one = Published {
            kind: Kind::Spoiled,
            kiosk: published.kiosk,
            epoch: published.epoch,
            tag: [0; 32],
            ballot: published.ballot,
            item,
        };
        *row = one.row(record, work, &mut last)?;
        // Both tables ascend by code.
        if work.ballots.binary_search_by_key(&row.code, |cast| cast.code).is_ok() {
            return Err(Broken::item(FileName::Spoiled, item, Why::CodeTwice));
        }
        done = done.saturating_add(1);
        progress(Step::Ballots, done, total);
    }
    core::mem::swap(&mut work.spoiled, &mut rows);
    Ok(())
}

/// An item of ballots.bin or spoiled.bin.
struct Published<'a> {
    kind: Kind,
    kiosk: Digest,
    epoch: u8,
    tag: Digest,
    ballot: Raw<'a>,
    item: u32,
}

impl Published<'_> {
    fn row(&self, record: &Record<'_>, work: &mut Work<'_>, last: &mut Option<Digest>) -> Result<BallotRow, Broken> {
        let file = file_of(self.kind);
        let broken = |why| Broken::item(file, self.item, why);
        let kiosk = work.kiosk(&self.kiosk).ok_or(broken(Why::UnknownKiosk))?;
        let row = work.kiosks.get(at(kiosk)).ok_or(broken(Why::UnknownKiosk))?;
        let bytes = self.ballot.0;
        let style = BallotView::claimed_style(bytes).unwrap_or(u16::MAX);
        let layout = layout(work.styles, work.shapes, style).ok_or(broken(Why::Style(style)))?;
        let view = BallotView::new(layout, bytes).map_err(|error| broken(Why::Ballot(error)))?;
        let code = tracking_code(&record.election, row.station, &view);
        if last.is_some_and(|last| last >= code) {
            return Err(broken(Why::Order));
        }
        *last = Some(code);
        let hash = ballot_hash(bytes);
        let leaf = match self.kind {
            Kind::Cast => cast_leaf(self.epoch, &code, &hash, &self.tag),
            Kind::Spoiled => spoiled_leaf(self.epoch, &code, &hash),
        };
        let line = work.lines.get(at(kiosk)).and_then(|line| line.epoch);
        let (from, to) = entries_of(work.entries, &code, &leaf, self.kind);
        let equal = work.entries.get_mut(from..to).unwrap_or_default();
        let place = equal.first().map(|entry| entry.place).ok_or(broken(Why::NotOnLedger))?;
        let mut own = false;
        for entry in equal.iter_mut() {
            entry.published = true;
            let batch = work.batches.get(at(entry.batch));
            own |= entry.epoch == self.epoch && batch.is_some_and(|batch| in_line(work.kiosks, kiosk, &batch.kiosk));
        }
        if !own {
            return Err(broken(Why::NotOfKiosk));
        }
        if line != Some(self.epoch) {
            return Err(broken(Why::NoClosing));
        }
        let all = match self.kind {
            Kind::Cast => record.files.ballots,
            Kind::Spoiled => record.files.spoiled,
        };
        Ok(BallotRow {
            code,
            leaf,
            tag: self.tag,
            kiosk,
            place,
            from: offset(all, bytes).ok_or(broken(Why::Scratch))?,
            length: bytes.len(),
            style,
            epoch: self.epoch,
            state: State::Duplicate,
        })
    }
}

/// Where a part of a slice begins in it.
fn offset(all: &[u8], part: &[u8]) -> Option<usize> {
    let from = (part.as_ptr() as usize).checked_sub(all.as_ptr() as usize)?;
    (from.checked_add(part.len())? <= all.len()).then_some(from)
}

/// The range of entries with this code, leaf and kind; they are sorted so.
fn entries_of(entries: &[EntryRow], code: &Digest, leaf: &Digest, kind: Kind) -> (usize, usize) {
    let key = (code, leaf, kind);
    let from = entries.partition_point(|entry| entry.key() < key);
    let equal = entries.get(from..).unwrap_or_default();
    (from, from + equal.partition_point(|entry| entry.key() == key))
}

/// Whether `id` is this kiosk or one whose place it took, as far back as it goes.
fn in_line(kiosks: &[KioskRow], kiosk: u32, id: &Digest) -> bool {
    let mut row = kiosks.get(at(kiosk));
    for _ in 0..kiosks.len() {
        let Some(this) = row else { return false };
        if this.id == *id {
            return true;
        }
        row = this.took_over.and_then(|before| {
            let index = kiosks.binary_search_by_key(&before, |row| row.id).ok()?;
            kiosks.get(index)
        });
    }
    false
}

/// Each entry of a kiosk that closed is published. Gives the number of entries of kiosks that did not close.
pub(super) fn check_presence(record: &Record<'_>, work: &mut Work<'_>) -> Result<u32, Broken> {
    let _ = record;
    let mut unclosed = 0u32;
    for entry in work.entries.iter() {
        let batch = work.batches.get(at(entry.batch));
        let line = batch
            .and_then(|batch| work.kiosk(&batch.kiosk))
            .and_then(|kiosk| work.lines.get(at(kiosk)));
        if !line.is_some_and(|line| line.closed) {
            unclosed = unclosed.saturating_add(1);
        } else if !entry.published {
            return Err(Broken::new(file_of(entry.kind), Why::NotPublished(entry.code)));
        }
    }
    Ok(unclosed)
}

/// Ballots whose proofs are checked as one sum.
const CHUNK: usize = 128;

impl<'a, 's> Checked<'a, 's> {
    /// The rows of a kind.
    const fn rows(&self, kind: Kind) -> &'s [BallotRow] {
        match kind {
            Kind::Cast => self.ballots,
            Kind::Spoiled => self.spoiled,
        }
    }

    /// The bytes of a published ballot.
    #[must_use]
    pub fn ballot_bytes(&self, kind: Kind, index: u32) -> Option<&'a [u8]> {
        let row = self.rows(kind).get(at(index))?;
        let file = match kind {
            Kind::Cast => self.record.files.ballots,
            Kind::Spoiled => self.record.files.spoiled,
        };
        file.get(row.from..row.from.checked_add(row.length)?)
    }

    /// A published ballot. Its proofs may not be checked yet.
    pub fn view<'v>(&'v self, kind: Kind, index: u32) -> Option<BallotView<'v>>
    where
        'a: 'v,
        's: 'v,
    {
        let style = self.rows(kind).get(at(index))?.style;
        BallotView::new(self.layout(style)?, self.ballot_bytes(kind, index)?).ok()
    }

    /// Checks everything about one ballot, its proofs too (steps 5 and 6).
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_ballot(&self, election: &Election<'_>, kind: Kind, index: u32) -> Result<(), Broken> {
        let broken = |why| Broken::item(file_of(kind), index, why);
        let view = self.view(kind, index).ok_or(broken(Why::Scratch))?;
        ballot::verify(election, *view.layout(), view.bytes())
            .map(|_| ())
            .map_err(|error| broken(Why::Ballot(error)))
    }

    /// Checks the ballots from `from` to before `to`, many proofs at once. Callers spread ranges over processors; each lends its own
    /// memory (see [`ballot::Scratch`]).
    ///
    /// # Errors
    /// The first ballot that does not hold.
    pub fn check_ballots(
        &self,
        election: &Election<'_>,
        kind: Kind,
        from: u32,
        to: u32,
        scratch: &mut ballot::Scratch<'_>,
    ) -> Result<(), Broken> {
        let mut start = from;
        while start < to {
            let mut views = heapless::Vec::<BallotView<'_>, CHUNK>::new();
            while !views.is_full() {
                let next = start.saturating_add(super::count(views.len()));
                if next >= to {
                    break;
                }
                let broken = Broken::item(file_of(kind), next, Why::Scratch);
                // Not full: the push cannot fail.
                let _ = views.push(self.view(kind, next).ok_or(broken)?);
            }
            verify_batch(election, &views, scratch).map_err(|error| match error {
                ballot::BatchError::Ballot { index, error } => {
                    let item = start.saturating_add(super::count(index));
                    Broken::item(file_of(kind), item, Why::Ballot(error))
                }
                ballot::BatchError::Scratch => Broken::scratch(file_of(kind)),
            })?;
            start = start.saturating_add(super::count(views.len()));
        }
        Ok(())
    }
}
