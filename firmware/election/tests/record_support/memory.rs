//! Lends a verification its memory and runs all its steps.

use election::ballot;
use election::batch::Kind;
use election::tally::SelectionSum;
use election::verify::{BallotRow, Broken, Checked, EntryRow, LineRow, Record, Scratch, Sizes, StyleRow, SumLayout};

use super::{AUTHORITY, ByHand, Owned, SHAPES, signer};

/// The tables a record asks for.
pub struct Memory {
    pub shapes: Vec<ballot::ContestShape>,
    pub styles: Vec<StyleRow>,
    pub kiosks: Vec<election::ledger::KioskRow>,
    pub lines: Vec<LineRow>,
    pub batches: Vec<election::ledger::BatchRow>,
    pub entries: Vec<EntryRow>,
    pub ballots: Vec<BallotRow>,
    pub spoiled: Vec<BallotRow>,
    pub order: Vec<u32>,
}

impl Memory {
    pub fn new(sizes: &Sizes) -> Self {
        let n = |count: u32| count as usize;
        Self {
            shapes: vec![SHAPES[0][0]; n(sizes.shapes)],
            styles: vec![StyleRow::EMPTY; n(sizes.styles)],
            kiosks: vec![election::ledger::KioskRow::EMPTY; n(sizes.kiosks)],
            lines: vec![LineRow::EMPTY; n(sizes.kiosks)],
            batches: vec![election::ledger::BatchRow::EMPTY; n(sizes.batches)],
            entries: vec![EntryRow::EMPTY; n(sizes.entries)],
            ballots: vec![BallotRow::EMPTY; n(sizes.ballots)],
            spoiled: vec![BallotRow::EMPTY; n(sizes.spoiled)],
            order: vec![0; n(sizes.order())],
        }
    }

    pub fn lend(&mut self) -> Scratch<'_> {
        Scratch {
            shapes: &mut self.shapes,
            styles: &mut self.styles,
            kiosks: &mut self.kiosks,
            lines: &mut self.lines,
            batches: &mut self.batches,
            entries: &mut self.entries,
            ballots: &mut self.ballots,
            spoiled: &mut self.spoiled,
            order: &mut self.order,
        }
    }
}

/// Verifies everything, then lets `look` see what was found.
pub fn verified<T>(
    by_hand: &ByHand,
    owned: &Owned,
    look: impl FnOnce(&Checked<'_, '_>) -> Result<T, Broken>,
) -> Result<T, Broken> {
    let record = Record::open(owned.files(), Some(&signer(AUTHORITY).public_key()))?;
    let mut memory = Memory::new(record.sizes());
    let checked = record.check(memory.lend(), &mut |_, done, total| assert!(done <= total))?;
    let crypto = by_hand.crypto();
    let mut terms = vec![ballot::Term::EMPTY; 500];
    let mut buckets = vec![ballot::Bucket::EMPTY; 64];
    for kind in [Kind::Cast, Kind::Spoiled] {
        let count = if kind == Kind::Cast {
            checked.ballots()
        } else {
            checked.spoiled()
        }
        .len() as u32;
        let mut scratch = ballot::Scratch::new(&mut terms, &mut buckets);
        checked.check_ballots(&crypto, kind, 0, count, &mut scratch)?;
    }
    let layout = SumLayout::new(record.manifest());
    let mut sums = vec![SelectionSum::EMPTY; layout.len()];
    // In two parts, as on two processors.
    let count = checked.ballots().len() as u32;
    let mut part = sums.clone();
    checked.add_ballots(&layout, 0, count / 2, &mut sums)?;
    checked.add_ballots(&layout, count / 2, count, &mut part)?;
    for (sum, part) in sums.iter_mut().zip(&part) {
        sum.merge(part);
    }
    checked.check_tally(&layout, &sums, &mut |_, _| ())?;
    look(&checked)
}
