//! Steps 8 and 9 of a verification: the tally against the sums of the counted ballots, and results.json against the tally.

use std::collections::{BTreeMap, BTreeSet};

use election::manifest::CheckedManifest;
use election::record::{FileName, Files};
use election::tally::{SelectionSum, Tally};
use election::verify::{Checked, SumLayout};
use rayon::prelude::*;
use serde_json::Value;

use crate::json;
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};
use crate::verify::broken;

/// Ballots one task adds up.
const CHUNK: u32 = 256;

/// What the tally says, by NIST's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Contest -> option -> votes.
    pub options: BTreeMap<String, BTreeMap<String, u32>>,
    /// Contest -> votes not given.
    pub no_votes: BTreeMap<String, u64>,
}

/// Checks tally.bin and results.json, and gives the totals.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(checked: &Checked<'_, '_>, files: &Files<'_>, progress: Progress<'_>) -> Outcome<Totals> {
    let layout = SumLayout::new(checked.record().manifest());
    let sums = sums(checked, &layout, progress)?;
    let tally = checked
        .check_tally(&layout, &sums, &mut |done, total| {
            progress(crate::progress::Step {
                stage: "checking decryptions",
                done: u64::from(done),
                total: u64::from(total),
            });
        })
        .map_err(broken)?;
    let totals = of_tally(checked.record().manifest(), &tally);
    check_results(files.results, &totals)?;
    Ok(totals)
}

/// The counted ballots added up, on all processors.
///
/// # Errors
/// A value of a ballot is not a point.
pub fn sums(checked: &Checked<'_, '_>, layout: &SumLayout, progress: Progress<'_>) -> Outcome<Vec<SelectionSum>> {
    let ballots = checked.record().sizes().ballots;
    let counter = Counter::new("adding ballots up", ballots as usize, progress);
    let empty = || vec![SelectionSum::EMPTY; layout.len()];
    (0..ballots.div_ceil(CHUNK))
        .into_par_iter()
        .try_fold(empty, |mut sums, number| {
            let from = number * CHUNK;
            let to = from.saturating_add(CHUNK).min(ballots);
            checked.add_ballots(layout, from, to, &mut sums)?;
            for _ in from..to {
                counter.step();
            }
            Ok(sums)
        })
        .try_reduce(empty, |mut left, right| {
            for (sum, other) in left.iter_mut().zip(&right) {
                sum.merge(other);
            }
            Ok(left)
        })
        .map_err(broken)
}

/// The totals of a checked tally.
fn of_tally(manifest: &CheckedManifest<'_>, tally: &Tally<'_>) -> Totals {
    let mut totals = Totals::default();
    for (contest, sums) in manifest.contests().zip(tally.contests.iter().map_while(Result::ok)) {
        let list: Vec<u32> = sums
            .selections
            .iter()
            .map_while(Result::ok)
            .map(|selection| selection.total)
            .collect();
        let mut options = BTreeMap::new();
        let mut number = 0;
        for (index, option) in contest.options.iter().map_while(Result::ok).enumerate() {
            options.insert(option.id.to_owned(), list.get(index).copied().unwrap_or(0));
            number = index + 1;
        }
        totals.options.insert(contest.id.to_owned(), options);
        totals.no_votes.insert(
            contest.id.to_owned(),
            list.iter().skip(number).map(|total| u64::from(*total)).sum(),
        );
    }
    totals
}

/// results.json says the same totals for the same ids, and no others.
fn check_results(bytes: &[u8], totals: &Totals) -> Outcome<()> {
    let file = FileName::Results.name();
    let refuse = |at: &str, what: String| Problem::new(Kind::Refused, format!("{file}{at}"), what);
    let report = json::parse(bytes).map_err(|error| refuse("", format!("is not JSON ({error})")))?;
    let elections = report
        .get("Election")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let [election] = elections else {
        return Err(refuse("", "has to hold exactly one Election".into()));
    };
    let expected: BTreeSet<&str> = totals.options.keys().map(String::as_str).collect();
    for (id, contest) in by_id(election.get("Contest"), &expected, "")? {
        let at = format!(", contest {id}");
        let (Some(options), Some(no_votes)) = (totals.options.get(id), totals.no_votes.get(id)) else {
            continue;
        };
        let expected: BTreeSet<&str> = options.keys().map(String::as_str).collect();
        for (option, selection) in by_id(contest.get("ContestSelection"), &expected, &at)? {
            let at = format!("{at}, option {option}");
            let counts = selection
                .get("VoteCounts")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let [count] = counts else {
                return Err(refuse(
                    &at,
                    "does not have exactly one count, the total: no votes of smaller groups are published".into(),
                ));
            };
            if count.get("Type").and_then(Value::as_str) != Some("total") {
                return Err(refuse(&at, "has a count that is not the total".into()));
            }
            let total = options.get(option).copied().unwrap_or(0);
            if !is(count.get("Count"), u64::from(total)) {
                return Err(refuse(
                    &at,
                    format!("says another number than the tally, which has {total}"),
                ));
            }
        }
        let others = contest
            .get("OtherCounts")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let [other] = others else {
            return Err(refuse(&at, "does not have exactly one OtherCounts".into()));
        };
        if !is(other.get("Undervotes"), *no_votes) {
            return Err(refuse(
                &at,
                format!("says another number of votes not given than the tally, which has {no_votes}"),
            ));
        }
    }
    Ok(())
}

/// The objects of a list by `@id`: exactly the expected ones, each once.
fn by_id<'v>(list: Option<&'v Value>, expected: &BTreeSet<&str>, at: &str) -> Outcome<Vec<(&'v str, &'v Value)>> {
    let wrong = || {
        Problem::new(
            Kind::Refused,
            format!("{}{at}", FileName::Results),
            "does not hold exactly what the manifest has",
        )
    };
    let mut found = BTreeSet::new();
    let mut objects = Vec::new();
    for object in list.and_then(Value::as_array).ok_or_else(wrong)? {
        let id = object.get("@id").and_then(Value::as_str).ok_or_else(wrong)?;
        if !found.insert(id) {
            return Err(wrong());
        }
        objects.push((id, object));
    }
    if found == *expected { Ok(objects) } else { Err(wrong()) }
}

#[allow(clippy::cast_precision_loss, reason = "sums of votes are far below 2^53")]
fn is(value: Option<&Value>, expected: u64) -> bool {
    value.is_some_and(|value| value.as_u64() == Some(expected) || value.as_f64() == Some(expected as f64))
}
