//! Checks openings of challenged ballots (SPEC.md, section 4) against a published record: what the QR codes on the kiosk showed
//! is what the spoiled ballot encrypts, and the code is among the spoiled ones.
//!
//! The record itself is checked by `verify`; this asks only what a voter who challenged asks.

use std::collections::BTreeMap;

use election::closing::Closing;
use election::hash::Digest;
use election::keys::Keys;
use election::manifest::{Manifest, election_hash};
use election::opening::Opening;
use election::record::{FileName, PublishedSpoiled};
use election::wire::Seq;
use serde::Serialize;

use crate::ballots::Crypto;
use crate::problem::{Kind, Outcome, Problem};
use crate::record::Record;

/// What an opening says, after it was checked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OpenedContest {
    /// Where it came from.
    pub from: String,
    /// Tracking code for people.
    pub code: String,
    /// The contest's id.
    pub contest: String,
    /// Ids of the chosen options.
    pub chosen: Vec<String>,
    /// Votes that were not used.
    pub no_votes: usize,
}

/// The content of a QR code: the bytes themselves, or the same in hex as scanners give them.
#[must_use]
pub fn payload(content: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(content).unwrap_or("").trim();
    match hex::decode(text) {
        Ok(bytes) if !bytes.is_empty() => bytes,
        _ => content.to_vec(),
    }
}

/// Checks openings, each with where it came from.
///
/// # Errors
/// [`Kind::Refused`]: the code is not among the spoiled ones, or the ballot does not hold what was shown.
pub fn check(record: &Record, openings: &[(String, Vec<u8>)]) -> Outcome<Vec<OpenedContest>> {
    let file = |name: FileName| {
        let missing = || Problem::new(Kind::Malformed, name, "is not in the record");
        record.get(name).ok_or_else(missing)
    };
    let manifest_bytes = file(FileName::Manifest)?;
    let manifest =
        Manifest::parse(manifest_bytes).map_err(|error| Problem::new(Kind::Malformed, FileName::Manifest, error))?;
    let keys =
        Keys::read(file(FileName::Keys)?).map_err(|error| Problem::new(Kind::Malformed, FileName::Keys, error))?;
    let crypto = Crypto::new(&manifest, election_hash(manifest_bytes, &keys.joint.0), &keys.joint.0)?;
    let mut stations: BTreeMap<Digest, u16> = BTreeMap::new();
    for closing in Seq::<Closing<'_>>::from_bytes(file(FileName::Closings)?).iter() {
        let closing = closing.map_err(|error| Problem::new(Kind::Malformed, FileName::Closings, error))?;
        stations.insert(closing.kiosk_id(), closing.station);
    }
    let election = crypto.election()?;
    let mut out = Vec::new();
    for (from, bytes) in openings {
        let opening = Opening::parse(bytes).map_err(|error| Problem::new(Kind::Malformed, from, error))?;
        let mut found = None;
        for spoiled in Seq::<PublishedSpoiled<'_>>::from_bytes(file(FileName::Spoiled)?).iter() {
            let spoiled = spoiled.map_err(|error| Problem::new(Kind::Malformed, FileName::Spoiled, error))?;
            let view = crypto.view(spoiled.ballot.0)?;
            let Some(station) = stations.get(&spoiled.kiosk) else {
                continue;
            };
            if election::ballot::tracking_code(election.hash(), *station, &view) == *opening.code() {
                found = Some((view, *station));
                break;
            }
        }
        let Some((view, station)) = found else {
            return Err(Problem::new(
                Kind::Refused,
                from,
                "its code is not among the spoiled ballots of this record",
            )
            .advice("keep the opening and report the kiosk: what was opened has to be published as spoiled"));
        };
        opening
            .verify(&election, station, &view)
            .map_err(|error| Problem::new(Kind::Refused, from, error))?;
        let shape = view
            .contests()
            .nth(usize::from(opening.position()))
            .map(|contest| contest.shape);
        let contest = shape.and_then(|shape| manifest.contests.get(usize::from(shape.contest)).ok().flatten());
        let (Some(shape), Some(contest)) = (shape, contest) else {
            return Err(Problem::new(Kind::Malformed, from, "the manifest has no such contest"));
        };
        let choice = opening.choice(shape.options);
        let chosen = (0u8..)
            .zip(contest.options.iter().map_while(Result::ok))
            .filter(|(index, _)| choice >> index & 1 == 1)
            .map(|(_, option)| option.id.to_owned())
            .collect();
        out.push(OpenedContest {
            from: from.clone(),
            code: election::ballot::code_text(opening.code()).as_str().to_owned(),
            contest: contest.id.to_owned(),
            chosen,
            no_votes: opening
                .votes()
                .skip(usize::from(shape.options))
                .filter(|vote| *vote)
                .count(),
        });
    }
    Ok(out)
}
