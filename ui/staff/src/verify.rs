//! Verification of a published record from its folder alone (SPEC.md, section 10, "To verify a record").
//!
//! The judgement is `election::verify`, which an auditor reads; here are its files, its memory, both processors, JSON and
//! progress. Nothing of the desk's own files is looked at: whoever has the folder sees what the desk sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use election::ballot::{Election, code_text, parse_code_text};
use election::batch::Kind as EntryKind;
use election::group::Point;
use election::ledger::{BatchRow, KioskRow};
use election::manifest::ContestShape;
use election::record::FileName;
use election::sign::PublicKey;
use election::table::Table8;
use election::verify::{
    BallotRow, Broken, Checked, EntryRow, LineRow, Scratch, State, Status, Step, StyleRow, SumLayout,
};
use rayon::prelude::*;
use serde::Serialize;

use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};
use crate::reception;
use crate::record::Record;
use crate::tally::Sum;

/// Proof terms checked as one sum; 5.5 MB a thread.
const TERMS: usize = 38_000;
/// Buckets of one sum.
const BUCKETS: usize = 2_048;

/// What else is known, beside the folder.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The authority's key as it was made public; without it the record only says that whoever is named signed it.
    pub authority: Option<PublicKey>,
    /// Reception's counts, beside those in the record.
    pub reception: Option<Vec<u8>>,
    /// Tracking codes to look up.
    pub codes: Vec<String>,
}

/// What holds.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Always true: what does not hold is a problem.
    pub holds: bool,
    /// Manifest id.
    pub election: String,
    /// Election hash, hex.
    pub election_hash: String,
    /// Who signed the record, hex.
    pub authority: String,
    /// Whether that was compared with a key known from elsewhere.
    pub authority_compared: bool,
    /// Published cast ballots.
    pub ballots: u32,
    /// Counted ones.
    pub counted: u32,
    /// Second votes of a card.
    pub duplicates: u32,
    /// Replaced by a later period.
    pub overwritten: u32,
    /// Opened ones.
    pub spoiled: u32,
    /// Closings.
    pub closings: u32,
    /// Batches on the chain.
    pub batches: u32,
    /// Blocks.
    pub chain_height: u64,
    /// Validators.
    pub validators: usize,
    /// Entries of kiosks that never closed; they do not count.
    pub entries_without_closing: u32,
    /// Whether reception's counts were there to compare with.
    pub reception: bool,
    /// Contest id -> option id -> votes.
    pub totals: BTreeMap<String, BTreeMap<String, u32>>,
    /// Contest id -> votes not given.
    pub no_votes: BTreeMap<String, u64>,
    /// Codes that were looked up.
    pub codes: BTreeMap<String, &'static str>,
}

/// Verifies a folder.
///
/// # Errors
/// The first thing that does not hold, by file and item; or a folder that cannot be read, or a code that is none.
pub fn verify_folder(folder: &Path, options: &Options, progress: Progress<'_>) -> Outcome<Verified> {
    verify(&Record::read(folder)?, options, progress)
}

/// Verifies a record in memory.
///
/// # Errors
/// As [`verify_folder`].
pub fn verify(record: &Record, options: &Options, progress: Progress<'_>) -> Outcome<Verified> {
    let codes = options
        .codes
        .iter()
        .map(|text| parse_code(text).map(|code| (text.clone(), code)))
        .collect::<Outcome<Vec<_>>>()?;
    let files = record.files();
    checked(record, options.authority.as_ref(), progress, |opened, checked| {
        let totals = crate::totals::check(checked, &files, progress)?;
        let mut reception_known = false;
        for (file, bytes) in [
            (FileName::Reception.name(), files.reception),
            ("reception counts", options.reception.as_deref()),
        ] {
            let Some(bytes) = bytes else { continue };
            reception_known = true;
            let counts = reception::parse(file, bytes)?;
            let mut order = vec![0; opened.sizes().ballots as usize];
            checked.check_reception(&counts, &mut order).map_err(broken)?;
        }
        let manifest = opened.manifest();
        Ok(Verified {
            holds: true,
            election: manifest.id.to_owned(),
            election_hash: hex::encode(opened.election()),
            authority: hex::encode(opened.authority()),
            authority_compared: options.authority.is_some(),
            ballots: opened.sizes().ballots,
            counted: checked.count(State::Counted),
            duplicates: checked.count(State::Duplicate),
            overwritten: checked.count(State::Overwritten),
            spoiled: opened.sizes().spoiled,
            closings: opened.sizes().closings,
            batches: opened.sizes().batches,
            chain_height: checked.height(),
            validators: opened.genesis().validators.count(),
            entries_without_closing: checked.unclosed_entries(),
            reception: reception_known,
            totals: totals.options,
            no_votes: totals.no_votes,
            codes: codes
                .into_iter()
                .map(|(text, code)| (text, name(checked.status(&code))))
                .collect(),
        })
    })
}

/// Everything but tally and results, then `and`.
fn checked<T>(
    record: &Record,
    authority: Option<&PublicKey>,
    progress: Progress<'_>,
    and: impl FnOnce(&election::verify::Record<'_>, &Checked<'_, '_>) -> Outcome<T>,
) -> Outcome<T> {
    let files = record.files();
    let opened = election::verify::Record::open(files, authority).map_err(broken)?;
    let mut memory = Memory::new(opened.sizes());
    let checked = opened
        .check(memory.scratch(), &mut |step, done, total| {
            progress(crate::progress::Step {
                stage: match step {
                    Step::Chain => "checking the chain",
                    Step::Ballots => "finding ballots on the chain",
                    Step::Closings => "checking closings",
                },
                done: u64::from(done),
                total: u64::from(total),
            });
        })
        .map_err(broken)?;
    let joint = Point::from_bytes(&opened.keys().joint.0)
        .map_err(|error| Problem::new(Kind::Refused, FileName::Keys, error))?;
    let (g, k) = (Box::new(Table8::new(&Point::GENERATOR)), Box::new(Table8::new(&joint)));
    let election = g
        .get()
        .zip(k.get())
        .and_then(|(g, k)| Election::new(*opened.election(), g, k).ok())
        .ok_or_else(|| {
            Problem::new(
                Kind::Refused,
                FileName::Keys,
                "the joint key is not one that a ceremony gives",
            )
        })?;
    check_ballots(&checked, &election, progress)?;
    and(&opened, &checked)
}

/// A draft of a record, checked: what a trustee decrypts.
pub(crate) struct Draft {
    /// Election hash.
    pub election: election::hash::Digest,
    /// The sums of the counted ballots.
    pub sums: Vec<Sum>,
    /// How many count.
    pub counted: u32,
}

/// Verifies a draft, which has no tally yet, and adds the counted ballots up.
///
/// # Errors
/// As [`verify`].
pub(crate) fn draft(record: &Record, authority: Option<&PublicKey>, progress: Progress<'_>) -> Outcome<Draft> {
    checked(record, authority, progress, |opened, checked| {
        let layout = SumLayout::new(opened.manifest());
        let sums = crate::totals::sums(checked, &layout, progress)?;
        let mut list = Vec::new();
        for contest in 0..opened.manifest().contest_count() {
            // A contest that no counted ballot has is not decrypted: its sums are nothing.
            if checked.ballots_with(contest) > 0 {
                let selections = layout.range(contest).and_then(|range| sums.get(range));
                list.extend(Sum::of(contest, selections.unwrap_or_default())?);
            }
        }
        Ok(Draft {
            election: *opened.election(),
            sums: list,
            counted: checked.count(State::Counted),
        })
    })
}

/// What people call a status.
#[must_use]
pub const fn name(status: Status) -> &'static str {
    match status {
        Status::Counted => "counted",
        Status::Duplicate => "duplicate",
        Status::Overwritten => "overwritten",
        Status::Spoiled => "spoiled",
        Status::Unknown => "unknown",
    }
}

/// A code as people write it: eight groups of four, or all 64 hex digits.
///
/// # Errors
/// Neither.
pub fn parse_code(text: &str) -> Outcome<[u8; 20]> {
    let bare = text.trim();
    let hexadecimal = (bare.len() == 64)
        .then(|| hex::decode(bare).ok())
        .flatten()
        .and_then(|bytes| bytes.first_chunk::<20>().copied());
    hexadecimal.or_else(|| parse_code_text(bare)).ok_or_else(|| {
        Problem::new(Kind::Usage, "--code", format!("{text:?} is not a tracking code"))
            .advice("type the eight groups of four letters and digits from the slip")
    })
}

/// A problem from what does not hold.
pub fn broken(broken: Broken) -> Problem {
    let at = match broken.item {
        Some(item) => format!("{}, item {item}", broken.file),
        None => broken.file.to_string(),
    };
    Problem::new(Kind::Refused, at, broken.why)
}

/// The proofs of all ballots, on all processors; the first that does not hold in the order of the files is named.
fn check_ballots(checked: &Checked<'_, '_>, election: &Election<'_>, progress: Progress<'_>) -> Outcome<()> {
    let sizes = checked.record().sizes();
    let largest = (0..checked.record().manifest().style_count())
        .filter_map(|style| checked.layout(style))
        .map(|layout| 6 * layout.selections() + 2 * layout.shapes().len())
        .max()
        .unwrap_or(1);
    let total = sizes.ballots as usize + sizes.spoiled as usize;
    let counter = Counter::new("checking the proofs of ballots", total, progress);
    let fitting = (TERMS / largest).max(1);
    let chunk = u32::try_from(fitting.min(total.div_ceil(2 * rayon::current_num_threads()).max(1))).unwrap_or(u32::MAX);
    for (kind, length) in [(EntryKind::Cast, sizes.ballots), (EntryKind::Spoiled, sizes.spoiled)] {
        let first: Mutex<Option<Broken>> = Mutex::new(None);
        (0..length.div_ceil(chunk)).into_par_iter().for_each(|number| {
            let from = number * chunk;
            let to = from.saturating_add(chunk).min(length);
            let mut terms = vec![election::ballot::Term::EMPTY; largest * (to - from) as usize];
            let mut buckets = vec![election::ballot::Bucket::EMPTY; BUCKETS];
            let mut scratch = election::ballot::Scratch::new(&mut terms, &mut buckets);
            if let Err(error) = checked.check_ballots(election, kind, from, to, &mut scratch) {
                let mut first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if first.is_none_or(|first| error.item < first.item) {
                    *first = Some(error);
                }
            }
            for _ in from..to {
                counter.step();
            }
        });
        let first = first.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(error) = first {
            return Err(name_ballot(checked, kind, error));
        }
    }
    Ok(())
}

/// Adds the tracking code to a ballot that does not hold.
fn name_ballot(checked: &Checked<'_, '_>, kind: EntryKind, error: Broken) -> Problem {
    let rows = match kind {
        EntryKind::Cast => checked.ballots(),
        EntryKind::Spoiled => checked.spoiled(),
    };
    let code = error
        .item
        .and_then(|item| rows.get(item as usize))
        .map(|row| code_text(&row.code));
    let mut problem = broken(error);
    if let Some(code) = code {
        problem.at = format!("{} (code {code})", problem.at);
    }
    problem
}

/// The tables that a verification works in.
struct Memory {
    shapes: Vec<ContestShape>,
    styles: Vec<StyleRow>,
    kiosks: Vec<KioskRow>,
    lines: Vec<LineRow>,
    batches: Vec<BatchRow>,
    entries: Vec<EntryRow>,
    ballots: Vec<BallotRow>,
    spoiled: Vec<BallotRow>,
    order: Vec<u32>,
}

impl Memory {
    fn new(sizes: &election::verify::Sizes) -> Self {
        let n = |count: u32| count as usize;
        Self {
            shapes: vec![
                ContestShape {
                    contest: 0,
                    options: 0,
                    votes: 0
                };
                n(sizes.shapes)
            ],
            styles: vec![StyleRow::EMPTY; n(sizes.styles)],
            kiosks: vec![KioskRow::EMPTY; n(sizes.kiosks)],
            lines: vec![LineRow::EMPTY; n(sizes.kiosks)],
            batches: vec![BatchRow::EMPTY; n(sizes.batches)],
            entries: vec![EntryRow::EMPTY; n(sizes.entries)],
            ballots: vec![BallotRow::EMPTY; n(sizes.ballots)],
            spoiled: vec![BallotRow::EMPTY; n(sizes.spoiled)],
            order: vec![0; n(sizes.order())],
        }
    }

    fn scratch(&mut self) -> Scratch<'_> {
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
