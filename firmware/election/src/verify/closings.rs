//! Step 7: closings against the ledger, the staff's and kiosks' signatures, and the published ballots.

use super::memory::{BallotRow, Work};
use super::{Broken, Record, Why, at};
use crate::closing::{Closing, ClosingError};
use crate::hash::Digest;
use crate::record::FileName;

pub(super) fn check(record: &Record<'_>, work: &mut Work<'_>) -> Result<(), Broken> {
    // First the signatures and what the ledger says; the hashes need sorted ballots and come after.
    let mut last: Option<([u8; 33], u8)> = None;
    let mut closed = 0usize;
    for (item, closing) in (0u32..).zip(record.closings().iter()) {
        let broken = |why| Broken::item(FileName::Closings, item, why);
        let closing = closing.map_err(|error| broken(Why::Wire(error)))?;
        if last.is_some_and(|last| last >= (closing.kiosk.0, closing.epoch)) {
            return Err(broken(Why::Order));
        }
        last = Some((closing.kiosk.0, closing.epoch));
        check_one(record, work, &closing).map_err(broken)?;
        closed += 1;
    }
    // Each closing is that of a kiosk's only closing batch, and no two are of one kiosk (the epochs would differ): equal numbers
    // mean that none is missing.
    let on_ledger = work.kiosks.iter().filter(|row| row.closed.is_some());
    if on_ledger.count() != closed {
        let missing = work.kiosks.iter().find(|row| {
            row.closed.is_some()
                && !record
                    .closings()
                    .iter()
                    .map_while(Result::ok)
                    .any(|closing| closing.kiosk.0 == row.key)
        });
        let id = missing.map_or([0; 32], |row| row.id);
        return Err(Broken::new(FileName::Closings, Why::ClosingMissing(id)));
    }

    // Cast ballots in the order of their leaves, then the hash over those of each kiosk. Spoiled ones already ascend by code.
    let order = work
        .order
        .get_mut(..work.ballots.len())
        .ok_or(Broken::scratch(FileName::Ballots))?;
    let ballots = &*work.ballots;
    sort_indices(order, |index| {
        ballots.get(at(index)).map(|row| (row.kiosk, row.epoch, row.leaf))
    });
    for (item, closing) in (0u32..).zip(record.closings().iter().map_while(Result::ok)) {
        let broken = |why| Broken::item(FileName::Closings, item, why);
        let kiosk = work.kiosk(&closing.kiosk_id()).ok_or(broken(Why::UnknownKiosk))?;
        let key = (kiosk, closing.epoch);
        let row = |index: &u32| ballots.get(at(*index));
        let before = |index: &u32| row(index).is_some_and(|row| (row.kiosk, row.epoch) < key);
        let order = work.order.get(..ballots.len()).unwrap_or_default();
        let from = order.partition_point(before);
        let own = order.get(from..).unwrap_or_default();
        let own = own
            .get(..own.partition_point(|index| row(index).is_some_and(|row| (row.kiosk, row.epoch) == key)))
            .unwrap_or_default();
        let cast = own.iter().map(|index| row(index).map_or([0; 32], |row| row.leaf));
        let spoiled = OfKiosk::new(work.spoiled, kiosk, closing.epoch);
        closing
            .check_hash(cast, spoiled)
            .map_err(|error: ClosingError| broken(Why::Closing(error)))?;
    }
    Ok(())
}

/// A closing against the election, the ledger and its signatures.
fn check_one(record: &Record<'_>, work: &Work<'_>, closing: &Closing<'_>) -> Result<(), Why> {
    if closing.election != record.election {
        return Err(Why::Election);
    }
    if closing.epoch >= record.manifest.epoch_count() {
        return Err(Why::Epoch);
    }
    let index = work.kiosk(&closing.kiosk_id()).ok_or(Why::UnknownKiosk)?;
    let (Some(row), Some(line)) = (work.kiosks.get(at(index)), work.lines.get(at(index))) else {
        return Err(Why::UnknownKiosk);
    };
    if row.station != closing.station {
        return Err(Why::Station);
    }
    if row.closed != Some(closing.hash) || line.epoch != Some(closing.epoch) {
        return Err(Why::NotTheLastBatch);
    }
    closing.check_signatures(&record.genesis).map_err(Why::Closing)
}

/// Fills `order` with 0.. and sorts it by a key.
pub(super) fn sort_indices<K: Ord>(order: &mut [u32], key: impl Fn(u32) -> K) {
    for (number, index) in (0u32..).zip(order.iter_mut()) {
        *index = number;
    }
    order.sort_unstable_by_key(|index| key(*index));
}

/// The codes of a kiosk's spoiled ballots in an epoch, ascending; their number is known in front.
struct OfKiosk<'r> {
    rows: core::slice::Iter<'r, BallotRow>,
    kiosk: u32,
    epoch: u8,
    left: usize,
}

impl<'r> OfKiosk<'r> {
    fn new(rows: &'r [BallotRow], kiosk: u32, epoch: u8) -> Self {
        let left = rows
            .iter()
            .filter(|row| row.kiosk == kiosk && row.epoch == epoch)
            .count();
        Self {
            rows: rows.iter(),
            kiosk,
            epoch,
            left,
        }
    }
}

impl Iterator for OfKiosk<'_> {
    type Item = Digest;

    fn next(&mut self) -> Option<Digest> {
        let (kiosk, epoch) = (self.kiosk, self.epoch);
        let row = self.rows.find(|row| row.kiosk == kiosk && row.epoch == epoch)?;
        self.left = self.left.saturating_sub(1);
        Some(row.code)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for OfKiosk<'_> {}
