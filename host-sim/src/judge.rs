//! The judge: does the published record say what the voters did? It reads what anybody can read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::Result;
use election::ballot::{code_text, tracking_code};
use election::hash::Digest;
use election::keys::Keys;
use election::ledger::{Block, Decided, Transaction};
use election::manifest::{Manifest, election_hash};
use election::opening::Opening;
use election::record::{FileName, PublishedSpoiled};
use election::sign::PublicKey;
use election::wire::{decode, take};
use staff::ballots::Crypto;
use staff::progress::Progress;
use staff::record::Record;
use staff::verify::{Options, verify};

use crate::truth::{Place, Truth, Visited};
use crate::voters::choices::Totals;

/// What the record says, and where it is wrong.
pub struct Judged {
    /// Whether it verifies.
    pub verified: bool,
    /// Its totals.
    pub totals: Totals,
    /// Votes not given.
    pub no_votes: BTreeMap<String, u64>,
    /// Batches.
    pub batches: u64,
    /// Blocks.
    pub chain_height: u64,
    /// Validators.
    pub validators: u64,
    /// What does not hold.
    pub wrong: Vec<String>,
}

/// Where each code stands on the chain, the first place of each.
///
/// # Errors
/// If the chain cannot be read.
pub fn places(mut chain: &[u8]) -> Result<HashMap<Digest, Place>> {
    let mut places = HashMap::new();
    while !chain.is_empty() {
        let (decided, rest) = take::<Decided<'_>>(chain).map_err(|error| anyhow::anyhow!("chain.bin: {error}"))?;
        chain = rest;
        let block: Block<'_> = decode(decided.block.0).map_err(|error| anyhow::anyhow!("chain.bin: {error}"))?;
        for (number, transaction) in (0..).zip(block.transactions.iter().map_while(Result::ok)) {
            if let Ok(Transaction::Batch(batch)) = Transaction::read(transaction.0) {
                for (index, entry) in (0..).zip(batch.entries.iter().map_while(Result::ok)) {
                    places.entry(entry.code).or_insert((block.header.height, number, index));
                }
            }
        }
    }
    Ok(places)
}

/// Reads the record as anybody would and compares it with the truth.
///
/// # Errors
/// If the record cannot be read at all.
pub fn judge(
    out: &Path,
    authority: &PublicKey,
    truth: &Truth,
    counters: &staff::report::Ballots,
    visits: &[Visited],
    progress: Progress<'_>,
) -> Result<Judged> {
    let record = Record::read(out)?;
    let challenged = visits.iter().flat_map(|visit| &visit.diary.challenges);
    let wanted: BTreeMap<String, &'static str> = (truth.codes.iter().map(|(code, state)| (hex::encode(code), *state)))
        .chain(challenged.map(|challenge| (hex::encode(challenge.code), "spoiled")))
        .collect();
    let options = Options {
        authority: Some(*authority),
        reception: None,
        codes: wanted.keys().cloned().collect(),
    };
    let found = match verify(&record, &options, progress) {
        Ok(found) => found,
        Err(problem) => {
            return Ok(Judged {
                verified: false,
                totals: Totals::new(),
                no_votes: BTreeMap::new(),
                batches: 0,
                chain_height: 0,
                validators: 0,
                wrong: vec![format!("the record does not verify: {problem}")],
            });
        }
    };
    let totals: Totals = found
        .totals
        .iter()
        .map(|(contest, options)| {
            let options = options
                .iter()
                .map(|(option, votes)| (option.clone(), u64::from(*votes)))
                .collect();
            (contest.clone(), options)
        })
        .collect();
    let mut wrong = Vec::new();
    let mut same = |what: &str, record: u64, voters: u64| {
        if record != voters {
            wrong.push(format!("{what}: the record says {record}, the voters say {voters}"));
        }
    };
    same("recorded", u64::from(found.ballots), truth.recorded);
    same("counted", u64::from(found.counted), truth.counted);
    same("duplicates", u64::from(found.duplicates), truth.duplicates);
    same("overwritten", u64::from(found.overwritten), truth.overwritten);
    same("spoiled", u64::from(found.spoiled), truth.spoiled);
    same("admitted", u64::from(counters.admitted), truth.admitted);
    same("abandoned", u64::from(counters.abandoned), truth.abandoned);
    same("interrupted", u64::from(counters.interrupted), truth.interrupted);
    for (contest, options) in &truth.totals {
        for (option, votes) in options {
            let said = totals.get(contest).and_then(|options| options.get(option));
            same(
                &format!("{contest}, {option}"),
                said.copied().unwrap_or(u64::MAX),
                *votes,
            );
        }
    }
    for (contest, votes) in &truth.no_votes {
        let said = found.no_votes.get(contest).copied().unwrap_or(u64::MAX);
        same(&format!("{contest}, no votes"), said, *votes);
    }
    for (code, state) in &wanted {
        let said = found.codes.get(code).copied().unwrap_or("not answered");
        if said != *state {
            wrong.push(format!("code {code}: the record says {said}, the voters say {state}"));
        }
    }
    check_openings(&record, visits, &mut wrong)?;
    Ok(Judged {
        verified: true,
        totals,
        no_votes: found.no_votes,
        batches: u64::from(found.batches),
        chain_height: found.chain_height,
        validators: found.validators as u64,
        wrong,
    })
}

/// Everybody who challenged checks the QR codes they photographed against the published spoiled ballot.
fn check_openings(record: &Record, visits: &[Visited], wrong: &mut Vec<String>) -> Result<()> {
    let manifest = Manifest::parse(record.get(FileName::Manifest).unwrap_or_default())
        .map_err(|error| anyhow::anyhow!("manifest.bin: {error}"))?;
    let keys = Keys::read(record.get(FileName::Keys).unwrap_or_default())
        .map_err(|error| anyhow::anyhow!("keys.bin: {error}"))?;
    let crypto = Crypto::new(&manifest, election_hash(manifest.bytes(), &keys.joint.0), &keys.joint.0)?;
    let election = crypto.election()?;
    let mut ballots = Vec::new();
    let mut rest = record.get(FileName::Spoiled).unwrap_or_default();
    while !rest.is_empty() {
        let (item, after) =
            take::<PublishedSpoiled<'_>>(rest).map_err(|error| anyhow::anyhow!("spoiled.bin: {error}"))?;
        ballots.push(item);
        rest = after;
    }
    for visit in visits {
        for challenge in &visit.diary.challenges {
            let mut published = None;
            for item in &ballots {
                let view = crypto.view(item.ballot.0)?;
                if tracking_code(election.hash(), visit.station, &view) == challenge.code {
                    published = Some(view);
                }
            }
            let checked = match &published {
                None => Err("it is not published".to_owned()),
                Some(view) => challenge.pages.iter().try_for_each(|page| {
                    let opening = Opening::parse(page).map_err(|error| error.to_string())?;
                    opening
                        .verify(&election, visit.station, view)
                        .map_err(|error| error.to_string())?;
                    let contest = view
                        .contests()
                        .nth(usize::from(opening.position()))
                        .and_then(|contest| manifest.contest(contest.shape.contest))
                        .ok_or("it opens no contest of the ballot")?;
                    let chosen: BTreeSet<String> = contest
                        .options
                        .iter()
                        .map_while(Result::ok)
                        .zip(opening.votes())
                        .filter(|(_, vote)| *vote)
                        .map(|(option, _)| option.id.to_owned())
                        .collect();
                    if challenge.choices.get(contest.id) == Some(&chosen) {
                        Ok(())
                    } else {
                        Err(format!("contest {} holds {chosen:?}", contest.id))
                    }
                }),
            };
            if let Err(why) = checked {
                wrong.push(format!(
                    "voter {}'s challenged ballot {}: {why}",
                    visit.citizen,
                    code_text(&challenge.code)
                ));
            }
            if challenge.pages.len() != challenge.choices.len() {
                wrong.push(format!(
                    "voter {} was not shown every contest of a challenged ballot",
                    visit.citizen
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voters::habits::Habits;
    use crate::{Scenario, bundled};

    #[test]
    fn a_record_that_says_something_else_than_the_voters_is_found_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("record");
        let definition = bundled::load("tsukuba-2015-referendum").unwrap();
        let report = Scenario::new(definition)
            .voters(3)
            .habits(Habits::plain())
            .run(&out)
            .unwrap();
        assert!(report.holds());
        let authority = hex::decode(
            verify(
                &Record::read(&out).unwrap(),
                &Options::default(),
                &staff::progress::silent,
            )
            .unwrap()
            .authority,
        );
        let authority: PublicKey = authority.unwrap().try_into().unwrap();
        let counters = staff::report::Ballots {
            admitted: 3,
            recorded: 3,
            counted: 3,
            ..Default::default()
        };
        let truth = Truth {
            admitted: 3,
            recorded: 3,
            counted: 3,
            totals: report.totals.clone(),
            no_votes: report.no_votes.clone(),
            ..Truth::default()
        };
        let wrong = |truth: &Truth| {
            judge(&out, &authority, truth, &counters, &[], &staff::progress::silent)
                .unwrap()
                .wrong
        };
        assert!(wrong(&truth).is_empty());
        for change in [
            |truth: &mut Truth| truth.recorded += 1,
            |truth: &mut Truth| truth.admitted -= 1,
            |truth: &mut Truth| truth.duplicates += 1,
            |truth: &mut Truth| *truth.totals.get_mut("c-park").unwrap().get_mut("o-for").unwrap() += 1,
            |truth: &mut Truth| *truth.no_votes.get_mut("c-park").unwrap() += 1,
            |truth: &mut Truth| assert!(truth.codes.insert([7; 32], "counted").is_none()),
        ] {
            let mut other = truth.clone();
            change(&mut other);
            assert_eq!(wrong(&other).len(), 1);
        }
    }
}
