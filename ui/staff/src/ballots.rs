//! Many ballots at once, for the tally: proofs, codes, leaves, which of them count, and their sums. Both cores work; a ballot that does
//! not hold is named.
//!
//! `election::verify` says the same of the published record with code of its own: a tally is given away only when both agree.

use std::collections::HashMap;

use election::ballot::{BallotView, Bucket, Election, Layout, Scratch, Term, ballot_hash, tracking_code, verify_batch};
use election::batch::{Kind as EntryKind, cast_leaf, spoiled_leaf};
use election::group::Point;
use election::hash::Digest;
use election::manifest::{CheckedManifest, ContestShape, Policy};
use election::table::Table8;
use election::tally::{SelectionSum, add_contest};
use rayon::prelude::*;

use crate::ledger_view::{LedgerView, Place};
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};

/// Proof terms checked as one sum: 38,000 terms are 5.5 MB a thread.
const TERMS: usize = 38_000;
/// Buckets of one sum.
const BUCKETS: usize = 2_048;

/// An election's fixed bases and layouts, made once.
pub struct Crypto {
    hash: Digest,
    g: Box<Table8>,
    k: Box<Table8>,
    shapes: Vec<Vec<ContestShape>>,
}

impl Crypto {
    /// Tables for G and K, layouts for all styles.
    ///
    /// # Errors
    /// K is no point, or one that no ceremony gives.
    pub fn new(manifest: &CheckedManifest<'_>, hash: Digest, joint: &[u8; 33]) -> Outcome<Self> {
        let joint = Point::from_bytes(joint).map_err(|error| Problem::new(Kind::Refused, "keys.bin", error))?;
        let crypto = Self {
            hash,
            g: Box::new(Table8::new(&Point::GENERATOR)),
            k: Box::new(Table8::new(&joint)),
            shapes: manifest
                .styles()
                .map(|style| manifest.shapes(&style).collect())
                .collect(),
        };
        crypto.election()?;
        for style in 0..crypto.shapes.len() {
            crypto.layout(u16::try_from(style).unwrap_or(u16::MAX))?;
        }
        Ok(crypto)
    }

    /// What ballots are checked against.
    ///
    /// # Errors
    /// As [`Crypto::new`].
    pub fn election(&self) -> Outcome<Election<'_>> {
        let broken = || {
            Problem::new(
                Kind::Refused,
                "keys.bin",
                "the joint key is not one that a ceremony gives",
            )
        };
        let (g, k) = (self.g.get().ok_or_else(broken)?, self.k.get().ok_or_else(broken)?);
        Election::new(self.hash, g, k).map_err(|_| broken())
    }

    /// The layout of a style.
    ///
    /// # Errors
    /// There is no such style.
    pub fn layout(&self, style: u16) -> Outcome<Layout<'_>> {
        let shapes = self
            .shapes
            .get(usize::from(style))
            .ok_or_else(|| Problem::new(Kind::Refused, "", format!("there is no ballot style {style}")))?;
        Layout::new(style, shapes).map_err(|error| Problem::new(Kind::Refused, "", error))
    }

    /// A ballot's bytes as the layout of the style it claims.
    ///
    /// # Errors
    /// Too short, an unknown style, another length.
    pub fn view<'b>(&'b self, bytes: &'b [u8]) -> Outcome<BallotView<'b>> {
        let style = BallotView::claimed_style(bytes).ok_or_else(|| Problem::new(Kind::Refused, "", "it is cut off"))?;
        BallotView::new(self.layout(style)?, bytes).map_err(|error| Problem::new(Kind::Refused, "", error))
    }
}

/// A ballot as published, or as it will be.
#[derive(Clone, Copy, Debug)]
pub struct Item<'b> {
    /// The kiosk that closed with it.
    pub kiosk: Digest,
    /// Epoch.
    pub epoch: u8,
    /// Zero bytes if spoiled.
    pub tag: Digest,
    /// The ballot.
    pub ballot: &'b [u8],
}

/// What becomes of a cast ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It counts.
    Counted,
    /// A second vote of the same card.
    Duplicate,
    /// Replaced by a vote in a later epoch.
    Overwritten,
    /// Opened for checking.
    Spoiled,
}

/// What the checks found out of a ballot.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// Kiosk id.
    pub kiosk: Digest,
    /// Its station.
    pub station: u16,
    /// Epoch.
    pub epoch: u8,
    /// Tag.
    pub tag: Digest,
    /// Style.
    pub style: u16,
    /// Tracking code.
    pub code: Digest,
    /// Leaf.
    pub leaf: Digest,
    /// First place of its entry on the chain; none if it is not there.
    pub place: Option<Place>,
    /// What becomes of it; set by [`decide`].
    pub fate: Fate,
}

/// Codes, leaves and places, without proofs. The order stays.
///
/// # Errors
/// A ballot whose layout does not hold, or of a kiosk that is not registered.
pub fn look(
    kind: EntryKind,
    file: &str,
    items: &[Item<'_>],
    crypto: &Crypto,
    ledger: &LedgerView,
) -> Outcome<Vec<Judged>> {
    items
        .par_iter()
        .enumerate()
        .map(|(index, item)| {
            let at = || format!("{file}, ballot {index}");
            let view = crypto
                .view(item.ballot)
                .map_err(|problem| Problem::new(Kind::Refused, at(), problem.what))?;
            let row = ledger
                .kiosks
                .get(&item.kiosk)
                .ok_or_else(|| Problem::new(Kind::Refused, at(), "its kiosk is not registered"))?;
            let code = tracking_code(&crypto.hash, row.station, &view);
            let ballot = ballot_hash(item.ballot);
            let leaf = match kind {
                EntryKind::Cast => cast_leaf(item.epoch, &code, &ballot, &item.tag),
                EntryKind::Spoiled => spoiled_leaf(item.epoch, &code, &ballot),
            };
            Ok(Judged {
                kiosk: item.kiosk,
                station: row.station,
                epoch: item.epoch,
                tag: item.tag,
                style: view.layout().style(),
                code,
                leaf,
                place: ledger.place(kind, &code, &leaf),
                fate: match kind {
                    EntryKind::Cast => Fate::Counted,
                    EntryKind::Spoiled => Fate::Spoiled,
                },
            })
        })
        .collect()
}

/// Checks every proof of every ballot.
///
/// # Errors
/// The first ballot, in the order of the file, that does not hold.
pub fn check_proofs(file: &str, items: &[Item<'_>], crypto: &Crypto, progress: Progress<'_>) -> Outcome<()> {
    let election = crypto.election()?;
    let counter = Counter::new("checking the proofs of ballots", items.len(), progress);
    // Chunks of about one sum's terms each, so that both cores have work and every sum is full.
    let largest = crypto
        .shapes
        .iter()
        .map(|shapes| terms(shapes))
        .max()
        .unwrap_or(1)
        .max(1);
    let chunk = (TERMS / largest).clamp(1, items.len().div_ceil(2 * rayon::current_num_threads()).max(1));
    let failure = items
        .par_chunks(chunk)
        .enumerate()
        .filter_map(|(number, items)| {
            let mut scratch_terms = vec![Term::EMPTY; TERMS.min(largest * items.len())];
            let mut buckets = vec![Bucket::EMPTY; BUCKETS];
            let mut views = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                match crypto.view(item.ballot) {
                    Ok(view) => views.push(view),
                    Err(problem) => return Some((number * chunk + index, problem.what)),
                }
            }
            let result = verify_batch(&election, &views, &mut Scratch::new(&mut scratch_terms, &mut buckets));
            for _ in items {
                counter.step();
            }
            match result {
                Ok(()) => None,
                Err(election::ballot::BatchError::Ballot { index, error }) => {
                    Some((number * chunk + index, error.to_string()))
                }
                Err(error) => Some((number * chunk, error.to_string())),
            }
        })
        .min_by_key(|(index, _)| *index);
    match failure {
        None => Ok(()),
        Some((index, what)) => Err(Problem::new(Kind::Refused, format!("{file}, ballot {index}"), what)),
    }
}

fn terms(shapes: &[ContestShape]) -> usize {
    shapes.iter().map(|shape| 6 * shape.selections() + 2).sum()
}

/// Which ballots count: SPEC.md section 10, "Which ballots count".
pub fn decide(cast: &mut [Judged], policy: Policy) {
    let rank = |judged: &Judged| {
        let epoch = match policy {
            Policy::First => 0,
            Policy::Last => u8::MAX - judged.epoch,
        };
        (epoch, judged.place)
    };
    let mut best: HashMap<Digest, usize> = HashMap::new();
    for (index, judged) in cast.iter().enumerate() {
        best.entry(judged.tag)
            .and_modify(|winner| {
                if rank(judged) < rank(&cast[*winner]) {
                    *winner = index;
                }
            })
            .or_insert(index);
    }
    let winners: HashMap<Digest, (usize, u8)> = best
        .iter()
        .map(|(tag, index)| (*tag, (*index, cast[*index].epoch)))
        .collect();
    for (index, judged) in cast.iter_mut().enumerate() {
        judged.fate = match winners.get(&judged.tag) {
            Some((winner, _)) if *winner == index => Fate::Counted,
            Some((_, epoch)) if policy == Policy::Last && judged.epoch < *epoch => Fate::Overwritten,
            _ => Fate::Duplicate,
        };
    }
}

/// The sums of one contest.
#[derive(Clone, Default)]
pub struct Sums {
    /// Counted ballots that have the contest.
    pub ballots: u32,
    /// One a selection, options first, then no-votes; empty without ballots.
    pub selections: Vec<SelectionSum>,
}

impl Sums {
    fn merge(mut self, other: Self) -> Self {
        if self.selections.is_empty() {
            return other;
        }
        for (sum, term) in self.selections.iter_mut().zip(&other.selections) {
            sum.merge(term);
        }
        self.ballots += other.ballots;
        self
    }
}

/// Adds the counted ballots up, contest by contest.
///
/// # Errors
/// A point that cannot be read; not after [`check_proofs`].
pub fn sums(
    items: &[Item<'_>],
    judged: &[Judged],
    contests: usize,
    crypto: &Crypto,
    progress: Progress<'_>,
) -> Outcome<Vec<Sums>> {
    let counted: Vec<&Item<'_>> = items
        .iter()
        .zip(judged)
        .filter(|(_, judged)| judged.fate == Fate::Counted)
        .map(|(item, _)| item)
        .collect();
    let counter = Counter::new("adding ballots up", counted.len(), progress);
    let merge = |left: Vec<Sums>, right: Vec<Sums>| -> Vec<Sums> {
        left.into_iter().zip(right).map(|(l, r)| l.merge(r)).collect()
    };
    counted
        .par_iter()
        .try_fold(
            || vec![Sums::default(); contests],
            |mut sums, item| {
                let view = crypto.view(item.ballot)?;
                for contest in view.contests() {
                    let sum = sums
                        .get_mut(usize::from(contest.shape.contest))
                        .ok_or_else(|| Problem::new(Kind::Refused, "", "a contest that the manifest does not have"))?;
                    if sum.selections.is_empty() {
                        sum.selections = vec![SelectionSum::EMPTY; contest.shape.selections()];
                    }
                    add_contest(&mut sum.selections, &contest)
                        .map_err(|error| Problem::new(Kind::Refused, "", error))?;
                    sum.ballots += 1;
                }
                counter.step();
                Ok(sums)
            },
        )
        .try_reduce(|| vec![Sums::default(); contests], |left, right| Ok(merge(left, right)))
}
