//! Checks openings of challenged ballots (SPEC.md, section 4) against a published record: what the QR codes on the kiosk showed
//! is what the spoiled ballot encrypts, and the code is among the spoiled ones.
//!
//! The record itself is checked by `verify`; this asks only what a voter who challenged asks. It is what the device on the staff table or at
//! home does with photographs of the screen.

use std::collections::{BTreeMap, BTreeSet};

use election::ballot::{BallotView, code_text, tracking_code};
use election::closing::Closing;
use election::hash::Digest;
use election::keys::Keys;
use election::manifest::{Contest, Manifest, election_hash};
use election::opening::{MAGIC, Opening};
use election::record::{FileName, PublishedBallot, PublishedSpoiled};
use election::wire::Seq;
use serde::Serialize;

use crate::ballots::Crypto;
use crate::problem::{Kind, Outcome, Problem};
use crate::record::Record;

/// What the openings say, after they were checked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// One an opening, in the order they were given.
    pub contests: Vec<OpenedContest>,
    /// Contests of these ballots that no opening was given for: what is in them was not looked at.
    pub not_shown: Vec<NotShown>,
}

/// What an opening says, after it was checked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OpenedContest {
    /// Where it came from.
    pub from: String,
    /// Tracking code for people.
    pub code: String,
    /// The contest's id.
    pub contest: String,
    /// Its name in the election's first language.
    pub name: String,
    /// Ids of the chosen options.
    pub chosen: Vec<String>,
    /// Their names.
    pub chosen_names: Vec<String>,
    /// Votes that were not used.
    pub no_votes: usize,
}

/// A contest of a spoiled ballot without an opening.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct NotShown {
    /// Tracking code for people.
    pub code: String,
    /// The contest's id.
    pub contest: String,
}

/// The openings in a file: the bytes of one QR code as they are, or lines of hexadecimal digits as scanners give them, one a code.
/// What is neither is given back as it is, and refused when it is read.
#[must_use]
pub fn payloads(content: &[u8]) -> Vec<Vec<u8>> {
    let as_it_is = || vec![content.to_vec()];
    if content.starts_with(MAGIC) {
        return as_it_is();
    }
    let Ok(text) = std::str::from_utf8(content) else {
        return as_it_is();
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.map(hex::decode).collect::<Result<Vec<_>, _>>() {
        Ok(all) if !all.is_empty() => all,
        _ => as_it_is(),
    }
}

/// What of a record is needed.
struct Published<'r> {
    manifest: election::manifest::CheckedManifest<'r>,
    crypto: Crypto,
    stations: BTreeMap<Digest, u16>,
}

/// A file of the record.
fn file(record: &Record, name: FileName) -> Outcome<&[u8]> {
    record
        .get(name)
        .ok_or_else(|| Problem::new(Kind::Malformed, name, "is not in the record"))
}

/// A file of the record that does not decode.
fn malformed(name: FileName) -> impl Fn(&dyn std::fmt::Display) -> Problem {
    move |error| Problem::new(Kind::Malformed, name, error)
}

impl<'r> Published<'r> {
    fn read(record: &'r Record) -> Outcome<Self> {
        let bytes = file(record, FileName::Manifest)?;
        let manifest = Manifest::parse(bytes).map_err(|error| malformed(FileName::Manifest)(&error))?;
        let keys = Keys::read(file(record, FileName::Keys)?).map_err(|error| malformed(FileName::Keys)(&error))?;
        let crypto = Crypto::new(&manifest, election_hash(bytes, &keys.joint.0), &keys.joint.0)?;
        let mut stations = BTreeMap::new();
        for closing in Seq::<Closing<'_>>::from_bytes(file(record, FileName::Closings)?).iter() {
            let closing = closing.map_err(|error| malformed(FileName::Closings)(&error))?;
            stations.insert(closing.kiosk_id(), closing.station);
        }
        Ok(Self {
            manifest,
            crypto,
            stations,
        })
    }

    /// The code of a published ballot, with its station; `None` where its kiosk has no closing: such a record does not verify.
    fn code(&self, kiosk: &Digest, view: &BallotView<'_>) -> Outcome<Option<(Digest, u16)>> {
        let election = self.crypto.election()?;
        let station = self.stations.get(kiosk).copied();
        Ok(station.map(|station| (tracking_code(election.hash(), station, view), station)))
    }

    fn spoiled<'s>(&'s self, record: &'s Record) -> Outcome<BTreeMap<Digest, (BallotView<'s>, u16)>> {
        let mut all = BTreeMap::new();
        for spoiled in Seq::<PublishedSpoiled<'_>>::from_bytes(file(record, FileName::Spoiled)?).iter() {
            let spoiled = spoiled.map_err(|error| malformed(FileName::Spoiled)(&error))?;
            let view = self.crypto.view(spoiled.ballot.0)?;
            if let Some((code, station)) = self.code(&spoiled.kiosk, &view)? {
                all.insert(code, (view, station));
            }
        }
        Ok(all)
    }

    fn is_cast(&self, record: &Record, wanted: &Digest) -> Outcome<bool> {
        for cast in Seq::<PublishedBallot<'_>>::from_bytes(file(record, FileName::Ballots)?).iter() {
            let cast = cast.map_err(|error| malformed(FileName::Ballots)(&error))?;
            let view = self.crypto.view(cast.ballot.0)?;
            if self.code(&cast.kiosk, &view)?.is_some_and(|(code, _)| code == *wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn contest(&self, index: u16) -> Option<Contest<'_>> {
        self.manifest.contests.get(usize::from(index)).ok().flatten()
    }
}

/// Checks openings, each with where it came from.
///
/// # Errors
/// [`Kind::Refused`]: the code is not among the spoiled ones, or the ballot does not hold what was shown, or one contest was opened twice
/// with something else in it.
pub fn check(record: &Record, openings: &[(String, Vec<u8>)]) -> Outcome<Opened> {
    let published = Published::read(record)?;
    let election = published.crypto.election()?;
    let spoiled = published.spoiled(record)?;
    let mut contests = Vec::new();
    let mut shown: BTreeMap<Digest, BTreeSet<u8>> = BTreeMap::new();
    for (from, bytes) in openings {
        let opening = Opening::parse(bytes).map_err(|error| Problem::new(Kind::Malformed, from, error))?;
        let Some((view, station)) = spoiled.get(opening.code()) else {
            return Err(not_spoiled(
                published.is_cast(record, opening.code())?,
                from,
                opening.code(),
            ));
        };
        opening
            .verify(&election, *station, view)
            .map_err(|error| Problem::new(Kind::Refused, from, error))?;
        let shape = view
            .contests()
            .nth(usize::from(opening.position()))
            .map(|contest| contest.shape);
        let found = shape.and_then(|shape| published.contest(shape.contest).map(|contest| (shape, contest)));
        let Some((shape, contest)) = found else {
            return Err(Problem::new(Kind::Malformed, from, "the manifest has no such contest"));
        };
        let first = published.manifest.fallback();
        let name = |texts| published.manifest.text(texts, first).unwrap_or_default().to_owned();
        let choice = opening.choice(shape.options);
        let chosen: Vec<_> = (0u8..)
            .zip(contest.options.iter().map_while(Result::ok))
            .filter(|(index, _)| choice >> index & 1 == 1)
            .map(|(_, option)| option)
            .collect();
        shown.entry(*opening.code()).or_default().insert(opening.position());
        contests.push(OpenedContest {
            from: from.clone(),
            code: code_text(opening.code()).as_str().to_owned(),
            contest: contest.id.to_owned(),
            name: name(contest.name),
            chosen_names: chosen.iter().map(|option| name(option.name)).collect(),
            chosen: chosen.iter().map(|option| option.id.to_owned()).collect(),
            no_votes: opening
                .votes()
                .skip(usize::from(shape.options))
                .filter(|vote| *vote)
                .count(),
        });
    }
    let mut not_shown = Vec::new();
    for (code, positions) in &shown {
        let Some((view, _)) = spoiled.get(code) else { continue };
        for (position, contest) in (0u8..).zip(view.contests()) {
            if !positions.contains(&position) {
                let contest = published.contest(contest.shape.contest);
                not_shown.push(NotShown {
                    code: code_text(code).as_str().to_owned(),
                    contest: contest.map(|contest| contest.id.to_owned()).unwrap_or_default(),
                });
            }
        }
    }
    Ok(Opened { contests, not_shown })
}

/// Why a code that is not among the spoiled ones must not have been opened.
fn not_spoiled(cast: bool, from: &str, code: &Digest) -> Problem {
    let text = code_text(code);
    if cast {
        Problem::new(
            Kind::Refused,
            from,
            format!("{text} was cast: whoever has this opening knows how somebody voted"),
        )
        .advice("report the kiosk: a ballot that was opened must never be cast, a ballot that was cast never be opened")
    } else {
        Problem::new(
            Kind::Refused,
            from,
            format!("{text} is not among the spoiled ballots of this record"),
        )
        .advice("keep the opening and report the kiosk: what was opened has to be published as spoiled")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_code_as_it_is_or_lines_of_hex() {
        let code = [&b"IPO1"[..], &[0xff; 40]].concat();
        let hexed = hex::encode(&code);
        assert_eq!(payloads(&code), std::slice::from_ref(&code));
        assert_eq!(
            payloads(format!("  {hexed}\r\n").as_bytes()),
            std::slice::from_ref(&code)
        );
        assert_eq!(
            payloads(format!("{hexed}\n\n{hexed}\n").as_bytes()),
            [code.clone(), code]
        );
        for neither in [&b""[..], b"\n", b"no hex\n", &[0xff, 0xfe]] {
            assert_eq!(payloads(neither), [neither.to_vec()]);
        }
    }
}
