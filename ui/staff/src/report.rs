//! What a tally says, as plain values: the source of `results.json`, `report.html` and `--json`.
//!
//! Sums and counters only. No tag, no code and no ballot is in it.

use election::manifest::CheckedManifest;
use serde::Serialize;

use crate::definition::Texts;

/// The report of a tally.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Manifest id.
    pub id: String,
    /// Election hash, hex.
    pub election: String,
    /// Name of the election.
    pub name: Texts,
    /// `consultation` or `statutory`.
    pub mode: &'static str,
    /// `first` or `last`.
    pub policy: &'static str,
    /// YYYYMMDD.
    pub first_day: u32,
    /// YYYYMMDD.
    pub last_day: u32,
    /// When the tally was made, RFC 3339 with an offset.
    pub generated: String,
    /// Names of the voting periods.
    pub epochs: Vec<Texts>,
    /// Areas: id and name; the first is the whole.
    pub units: Vec<(String, Texts)>,
    /// Sums over all kiosks.
    pub ballots: Ballots,
    /// Results.
    pub contests: Vec<ContestReport>,
    /// One line a kiosk and period.
    pub kiosks: Vec<KioskReport>,
    /// One line a station.
    pub stations: Vec<StationReport>,
    /// Stations with fewer recorded ballots are named.
    pub small_group: u32,
    /// Cards that were issued a second time and admitted after reception's check; none if nobody said.
    pub reissued: Option<u32>,
    /// Trustees who decrypted.
    pub trustees: Vec<String>,
    /// Trustees in all.
    pub trustees_total: usize,
    /// Blocks on the chain.
    pub chain_height: u64,
    /// Validators of the chain.
    pub validators: usize,
    /// Batches on the chain.
    pub batches: usize,
}

/// Sums over all kiosks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ballots {
    /// Voters whose card was admitted.
    pub admitted: u32,
    /// Ballots recorded as cast.
    pub recorded: u32,
    /// Sessions abandoned.
    pub abandoned: u32,
    /// Sessions interrupted by a cut.
    pub interrupted: u32,
    /// Ballots opened for checking.
    pub spoiled: u32,
    /// Slots of a medium that could not be read.
    pub void: u32,
    /// Counted ballots.
    pub counted: u32,
    /// Not counted: a second vote of a card.
    pub duplicates: u32,
    /// Not counted: replaced by a vote in a later period.
    pub overwritten: u32,
    /// On a medium, but in no closing set: not counted.
    pub late: u32,
}

/// A contest's result.
#[derive(Clone, Debug, Serialize)]
pub struct ContestReport {
    /// NIST's id.
    pub id: String,
    /// Title.
    pub name: Texts,
    /// `candidates` or `measure`.
    pub kind: &'static str,
    /// Votes a ballot.
    pub votes: u8,
    /// Counted ballots that had the contest.
    pub ballots: u32,
    /// Options with their totals.
    pub options: Vec<OptionReport>,
    /// Votes that were not given.
    pub no_votes: u64,
}

/// An option's total.
#[derive(Clone, Debug, Serialize)]
pub struct OptionReport {
    /// NIST's id.
    pub id: String,
    /// Name.
    pub name: Texts,
    /// Party.
    pub party: Texts,
    /// Votes.
    pub total: u32,
}

/// A kiosk in a period.
#[derive(Clone, Debug, Serialize)]
pub struct KioskReport {
    /// Kiosk id, hex.
    pub kiosk: String,
    /// Station.
    pub station: u16,
    /// Period.
    pub epoch: u8,
    /// Voters whose card was admitted.
    pub admitted: u32,
    /// Ballots recorded as cast.
    pub recorded: u32,
    /// Sessions abandoned.
    pub abandoned: u32,
    /// Sessions interrupted by a cut.
    pub interrupted: u32,
    /// Ballots opened for checking.
    pub spoiled: u32,
    /// Unreadable slots.
    pub void: u32,
    /// Counted.
    pub counted: u32,
    /// Second votes of a card.
    pub duplicates: u32,
    /// Replaced by a later period.
    pub overwritten: u32,
    /// On the medium, in no closing set.
    pub late: u32,
    /// Ballots that had to be read from the duplicate.
    pub from_duplicate: u32,
    /// The closing hash as words.
    pub words: String,
}

/// A station.
#[derive(Clone, Debug, Serialize)]
pub struct StationReport {
    /// Number.
    pub station: u16,
    /// Recorded ballots over its kiosks and periods.
    pub recorded: u32,
    /// Fewer than the small-group size.
    pub below_small_group: bool,
}

/// All texts of a manifest's field.
#[must_use]
pub fn texts(texts: election::manifest::Texts<'_>) -> Texts {
    texts
        .iter()
        .map_while(Result::ok)
        .map(|text| (text.language.to_owned(), text.text.to_owned()))
        .collect()
}

/// Totals of one contest as the tally gives them: options first, then no-votes.
#[must_use]
pub fn contests(manifest: &CheckedManifest<'_>, totals: &[(u32, Vec<u32>)]) -> Vec<ContestReport> {
    manifest
        .contests()
        .enumerate()
        .map(|(index, contest)| {
            let empty = (0, Vec::new());
            let (ballots, sums) = totals.get(index).unwrap_or(&empty);
            let options: Vec<OptionReport> = contest
                .options
                .iter()
                .map_while(Result::ok)
                .enumerate()
                .map(|(option, choice)| OptionReport {
                    id: choice.id.to_owned(),
                    name: texts(choice.name),
                    party: texts(choice.party),
                    total: sums.get(option).copied().unwrap_or(0),
                })
                .collect();
            ContestReport {
                id: contest.id.to_owned(),
                name: texts(contest.name),
                kind: match contest.kind {
                    election::manifest::Kind::Candidates => "candidates",
                    election::manifest::Kind::Measure => "measure",
                },
                votes: contest.votes,
                ballots: *ballots,
                no_votes: sums.iter().skip(options.len()).map(|sum| u64::from(*sum)).sum(),
                options,
            }
        })
        .collect()
}

/// Japanese, else the first there is.
#[must_use]
pub fn first_text(texts: &Texts) -> &str {
    in_language(texts, "ja")
        .or_else(|| texts.first().map(|(_, text)| text.as_str()))
        .unwrap_or("")
}

/// English, where it is not what [`first_text`] already gave.
#[must_use]
pub fn second_text(texts: &Texts) -> Option<&str> {
    in_language(texts, "en").filter(|english| *english != first_text(texts))
}

fn in_language<'t>(texts: &'t Texts, language: &str) -> Option<&'t str> {
    texts
        .iter()
        .find(|(tag, _)| tag == language)
        .map(|(_, text)| text.as_str())
}
