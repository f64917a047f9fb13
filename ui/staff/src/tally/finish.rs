//! From the trustees' parts to totals, and from totals to the record.

use election::dlog::{Baby, Dlog};
use election::ledger::Raw;
use election::record::{FileName, PublishedBallot, PublishedSpoiled};
use election::sign::Signer;
use election::tally::{ContestTally, Decryption, SelectionTally, Tally, choose, open_sum};
use election::wire::{Bytes, Seq};
use rayon::prelude::*;

use super::report::make_report;
use super::{Prepared, Sum, count};
use crate::ballots::Fate;
use crate::encode::{seq_of, to_bytes};
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};
use crate::record::Record;
use crate::report::Report;
use crate::{html, reception, results};

/// Entries of the table that totals are looked up in: totals up to 2^20 in about 1,000 steps.
const BABY_STEPS: usize = 1 << 10;

/// A finished tally.
#[derive(Clone, Debug)]
pub struct Tallied {
    /// The record, its index signed.
    pub record: Record,
    /// What it says.
    pub report: Report,
    /// Trustees whose parts did not hold.
    pub bad_trustees: Vec<u8>,
}

/// Chooses k good parts a sum, finds the totals, and makes the record.
///
/// # Errors
/// Fewer than k good parts for a sum; a total that cannot be found.
pub fn finish(
    prepared: &Prepared<'_>,
    parts: &[Vec<Decryption>],
    authority: &Signer,
    progress: Progress<'_>,
) -> Outcome<Tallied> {
    let counter = Counter::new("decrypting sums", prepared.statements.len(), progress);
    let most = prepared.sums.iter().map(|sum| sum.ballots).max().unwrap_or(0);
    let mut memory = vec![Baby::EMPTY; BABY_STEPS.min(most as usize + 1)];
    let dlog = Dlog::new(&prepared.keys.joint, &mut memory);
    let opened: Vec<Opened> = prepared
        .statements
        .par_iter()
        .enumerate()
        .map(|(index, sum)| {
            let at = || format!("contest {}, selection {}", sum.contest, sum.selection);
            let statement = sum.statement(&prepared.election);
            let given = parts.iter().filter_map(|parts| parts.get(index).copied());
            let chosen = choose(&prepared.keys, &statement, given).map_err(|error| {
                Problem::new(Kind::Refused, at(), error)
                    .advice("bring another trustee; so many are needed as the ceremony agreed")
            })?;
            let point = open_sum(&prepared.keys, &statement, &chosen.good)
                .map_err(|error| Problem::new(Kind::Refused, at(), error))?;
            let ballots = prepared.sums.get(usize::from(sum.contest)).map_or(0, |sum| sum.ballots);
            let total = dlog.find(&point, ballots).ok_or_else(|| {
                Problem::new(Kind::Refused, at(), "what the trustees decrypted is no number of votes")
            })?;
            counter.step();
            Ok(Opened {
                sum: *sum,
                total,
                decryptions: chosen.good.to_vec(),
                bad: chosen.bad.to_vec(),
            })
        })
        .collect::<Outcome<_>>()?;
    let totals = totals(prepared, &opened);
    let report = make_report(prepared, &totals, &opened)?;
    let mut record = published(prepared)?;
    record.put(FileName::Tally, encode_tally(prepared, &opened)?);
    record.put(FileName::Results, results::to_json(&report)?);
    record.put(FileName::Report, html::page(&report).into_bytes());
    if let Some(bytes) = prepared.input.reception {
        reception::parse("reception.json", bytes)?;
        record.put(FileName::Reception, bytes.to_vec());
    }
    record.sign(&prepared.election, authority)?;
    let mut bad_trustees: Vec<u8> = opened.iter().flat_map(|opened| opened.bad.iter().copied()).collect();
    bad_trustees.sort_unstable();
    bad_trustees.dedup();
    Ok(Tallied {
        record,
        report,
        bad_trustees,
    })
}

/// The record before anything is decrypted, for trustees to check: tally, results and report are empty, the index is signed.
///
/// # Errors
/// The key cannot sign.
pub fn draft(prepared: &Prepared<'_>, authority: &Signer) -> Outcome<Record> {
    let mut record = published(prepared)?;
    for file in [FileName::Tally, FileName::Results, FileName::Report] {
        record.put(file, Vec::new());
    }
    record.sign(&prepared.election, authority)?;
    Ok(record)
}

/// Everything that stands before the count.
fn published(prepared: &Prepared<'_>) -> Outcome<Record> {
    let mut record = Record::new();
    record.put(FileName::Manifest, prepared.input.manifest.to_vec());
    record.put(FileName::Keys, prepared.input.keys.to_vec());
    record.put(FileName::Ceremony, prepared.input.ceremony.to_vec());
    record.put(FileName::Genesis, prepared.input.genesis.to_vec());
    record.put(FileName::Chain, prepared.input.chain.to_vec());
    record.put(
        FileName::Ballots,
        seq_of(prepared.cast.iter().map(|(item, _)| PublishedBallot {
            kiosk: item.kiosk,
            epoch: item.epoch,
            tag: item.tag,
            ballot: Raw(item.ballot),
        }))?,
    );
    record.put(
        FileName::Spoiled,
        seq_of(prepared.spoiled.iter().map(|(item, _)| PublishedSpoiled {
            kiosk: item.kiosk,
            epoch: item.epoch,
            ballot: Raw(item.ballot),
        }))?,
    );
    record.put(
        FileName::Closings,
        seq_of(prepared.closings.iter().map(|(closing, _)| *closing))?,
    );
    Ok(record)
}

/// A decrypted sum.
pub(super) struct Opened {
    pub sum: Sum,
    pub total: u32,
    pub decryptions: Vec<Decryption>,
    pub bad: Vec<u8>,
}

/// Ballots and totals a contest.
fn totals(prepared: &Prepared<'_>, opened: &[Opened]) -> Vec<(u32, Vec<u32>)> {
    let mut totals: Vec<(u32, Vec<u32>)> = prepared.sums.iter().map(|sum| (sum.ballots, Vec::new())).collect();
    for opened in opened {
        if let Some((_, list)) = totals.get_mut(usize::from(opened.sum.contest)) {
            list.push(opened.total);
        }
    }
    totals
}

fn encode_tally(prepared: &Prepared<'_>, opened: &[Opened]) -> Outcome<Vec<u8>> {
    let mut contests = Vec::new();
    for (contest, sum) in (0u16..).zip(&prepared.sums) {
        let mut selections = Vec::new();
        for opened in opened.iter().filter(|opened| opened.sum.contest == contest) {
            let decryptions = seq_of(&opened.decryptions)?;
            selections.extend(to_bytes(&SelectionTally {
                a: Bytes(opened.sum.a.to_bytes()),
                b: Bytes(opened.sum.b.to_bytes()),
                total: opened.total,
                decryptions: Seq::from_bytes(&decryptions),
            })?);
        }
        contests.extend(to_bytes(&ContestTally {
            contest,
            ballots: sum.ballots,
            selections: Seq::from_bytes(&selections),
        })?);
    }
    to_bytes(&Tally {
        election: prepared.election,
        ballots: count(
            prepared
                .cast
                .iter()
                .filter(|(_, judged)| judged.fate == Fate::Counted)
                .count(),
        ),
        contests: Seq::from_bytes(&contests),
    })
}
