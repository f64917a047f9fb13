//! Results as NIST SP 1500-100 version 2 (Election Results Reporting, JSON).
//!
//! Contest and option ids are those of the imported definition, so that a reader of both joins them without guessing. What the
//! manifest does not hold (types of areas, ids of candidates) is stated as `other` or made from the option's id. The
//! output is checked against NIST's schema before it is written.

use serde_json::{Value, json};

use crate::definition::Texts;
use crate::problem::{Kind, Outcome, Problem};
use crate::report::{ContestReport, Report, first_text};
use crate::schema;

/// The report as an `ElectionResults.ElectionReport`.
///
/// # Errors
/// It would break NIST's schema: a defect of this program or a manifest with an empty name.
pub fn to_json(report: &Report) -> Outcome<Vec<u8>> {
    let value = build(report);
    schema::election_results()?
        .check(&value)
        .map_err(|problem| Problem::new(Kind::Schema, "results.json", problem))?;
    let mut bytes =
        serde_json::to_vec_pretty(&value).map_err(|error| Problem::new(Kind::Malformed, "results.json", error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn build(report: &Report) -> Value {
    let scope = report.units.first().map_or("area", |(id, _)| id.as_str());
    let units: Vec<Value> = if report.units.is_empty() {
        vec![json!({"@type": class("ReportingUnit"), "@id": scope, "Type": "other"})]
    } else {
        report
            .units
            .iter()
            .map(|(id, name)| {
                json!({"@type": class("ReportingUnit"), "@id": id, "Type": "other", "OtherType": "unit", "Name": international(name)})
            })
            .collect()
    };
    let parties = parties(report);
    let mut candidates = Vec::new();
    let mut contests = Vec::new();
    for contest in &report.contests {
        let measure = contest.kind == "measure";
        let mut selections = Vec::new();
        for (index, option) in contest.options.iter().enumerate() {
            let counts =
                json!([{"@type": class("VoteCounts"), "GpUnitId": scope, "Type": "total", "Count": option.total}]);
            let sequence = index + 1;
            if measure {
                selections.push(json!({"@type": class("BallotMeasureSelection"), "@id": option.id, "Selection": international(&option.name),
                    "SequenceOrder": sequence, "VoteCounts": counts}));
                continue;
            }
            let candidate = candidate_id(contest, &option.id);
            let mut person =
                json!({"@type": class("Candidate"), "@id": candidate, "BallotName": international(&option.name)});
            if let Some(party) = parties.iter().position(|party| **party == option.party) {
                person["PartyId"] = party_id(party).into();
            }
            candidates.push(person);
            selections.push(
                json!({"@type": class("CandidateSelection"), "@id": option.id, "CandidateIds": [candidate],
                "SequenceOrder": sequence, "VoteCounts": counts}),
            );
        }
        let mut value = json!({
            "@type": class(if measure { "BallotMeasureContest" } else { "CandidateContest" }),
            "@id": contest.id,
            "Name": first_text(&contest.name),
            "BallotTitle": international(&contest.name),
            "ElectionDistrictId": scope,
            "VoteVariation": "n-of-m",
            "ContestSelection": selections,
            // An undervote is a vote that could have been given and was not: our no-votes.
            "OtherCounts": [{"@type": class("OtherCounts"), "GpUnitId": scope, "Overvotes": 0, "Undervotes": contest.no_votes}],
        });
        if !measure {
            value["VotesAllowed"] = contest.votes.into();
        }
        contests.push(value);
    }
    let parties: Vec<Value> = parties
        .iter()
        .enumerate()
        .map(|(index, party)| json!({"@type": class("Party"), "@id": party_id(index), "Name": international(party)}))
        .collect();
    let mut election = json!({
        "@type": class("Election"),
        "Name": international(&report.name),
        "Type": "other",
        "OtherType": report.mode,
        "StartDate": date(report.first_day),
        "EndDate": date(report.last_day),
        "ElectionScopeId": scope,
        "BallotCounts": [{"@type": class("BallotCounts"), "GpUnitId": scope, "Type": "total", "BallotsCast": report.ballots.counted,
            "BallotsRejected": report.ballots.duplicates + report.ballots.overwritten}],
        "Contest": contests,
    });
    if !candidates.is_empty() {
        election["Candidate"] = candidates.into();
    }
    let mut root = json!({
        "@type": class("ElectionReport"),
        "Format": "summary-contest",
        "GeneratedDate": report.generated,
        "Issuer": "Ippyo",
        "IssuerAbbreviation": report.id,
        "SequenceStart": 1,
        "SequenceEnd": 1,
        "Status": "unofficial-complete",
        "VendorApplicationId": concat!("ippyo-staff-", env!("CARGO_PKG_VERSION")),
        "Notes": format!("Ballots of kiosks only; election hash {}", report.election),
        "GpUnit": units,
        "Election": [election],
    });
    if !parties.is_empty() {
        root["Party"] = parties.into();
    }
    root
}

/// The distinct parties, in the order they come up.
fn parties(report: &Report) -> Vec<&Texts> {
    let mut parties: Vec<&Texts> = Vec::new();
    for option in report.contests.iter().flat_map(|contest| &contest.options) {
        if !option.party.is_empty() && !parties.contains(&&option.party) {
            parties.push(&option.party);
        }
    }
    parties
}

fn class(name: &str) -> String {
    format!("ElectionResults.{name}")
}

fn party_id(index: usize) -> String {
    format!("party-{}", index + 1)
}

fn candidate_id(contest: &ContestReport, option: &str) -> String {
    format!("candidate-{}-{option}", contest.id)
}

fn international(texts: &Texts) -> Value {
    let list: Vec<Value> = texts
        .iter()
        .map(|(language, text)| json!({"@type": class("LanguageString"), "Language": language, "Content": text}))
        .collect();
    json!({"@type": class("InternationalizedText"), "Text": list})
}

/// YYYYMMDD as YYYY-MM-DD.
#[must_use]
pub fn date(day: u32) -> String {
    format!("{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100)
}
