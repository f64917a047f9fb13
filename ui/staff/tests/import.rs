//! Import of ballot definitions: real ones pass, what is not supported is refused by name, and whatever passes is a
//! manifest in its one encoding.

use election::manifest::{Manifest, Mode, Policy};
use proptest::prelude::*;
use serde_json::{Value, json};
use staff::import::{Imported, Options, import_bytes, import_value};
use staff::{Kind, Problem};

const TSUKUBA: &str = include_str!("../../../host-sim/elections/tsukuba-2015-referendum.json");
const KAGA: &str = include_str!("../../../host-sim/elections/kaga-consultation.json");
const COUNTY: &str = include_str!("../../../host-sim/elections/physical_ballot_def_3.json");

fn import(text: &str) -> Imported {
    import_bytes(text.as_bytes(), &Options::default()).unwrap_or_else(|problem| panic!("{problem}"))
}

fn refuse(value: &Value) -> Problem {
    import_value(value, &Options::default()).expect_err("must be refused")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_referendum_imports() {
    let imported = import(TSUKUBA);
    let manifest = Manifest::parse(&imported.manifest).unwrap();
    assert_eq!(manifest.id, "tkb-2015-08-02-special");
    assert_eq!((manifest.first_day, manifest.last_day), (20_150_802, 20_150_802));
    assert_eq!(manifest.fallback(), "ja");
    let contest = manifest.contest(0).unwrap();
    assert_eq!((contest.id, contest.votes), ("c-park", 1));
    assert_eq!(
        manifest.text(contest.name, "en"),
        Some("On the sports park master plan")
    );
    let options: Vec<_> = contest.options.iter().map(|o| o.unwrap().id).collect();
    assert_eq!(options, ["o-for", "o-against"]);
}

#[test]
fn the_consultation_imports_with_up_to_three_votes() {
    let imported = import(KAGA);
    let manifest = Manifest::parse(&imported.manifest).unwrap();
    assert_eq!(manifest.id, "kga-2026-11-22-consultation");
    let votes: Vec<_> = manifest.contests().map(|c| c.votes).collect();
    assert_eq!(votes.len(), 3);
    assert!(votes.contains(&3));
    assert_eq!(manifest.units.count(), 1);
}

#[test]
fn the_county_ballot_imports_and_its_white_space_is_tidied() {
    let imported = import(COUNTY);
    let manifest = Manifest::parse(&imported.manifest).unwrap();
    assert_eq!(manifest.contest_count(), 25);
    assert_eq!(manifest.id, "the-turnout-2014-11-04-general");
    assert_eq!(manifest.fallback(), "en");
    let council = manifest.contests().find(|c| c.id == "_9CC").unwrap();
    assert_eq!(council.votes, 3);
    assert_eq!(
        manifest.text(council.name, "en"),
        Some("For Member of County Council at Large")
    );
    for contest in manifest.contests() {
        for text in contest.name.iter().map(Result::unwrap) {
            assert_eq!(text.text, text.text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    let governor = manifest.contests().find(|c| c.id == "_1GO").unwrap();
    let party = governor.options.get(0).unwrap().unwrap().party;
    assert!(manifest.text(party, "en").is_some());
    assert!(
        imported
            .notes
            .iter()
            .any(|note| note.contains("_1GO") && note.contains("write-in"))
    );
    let offered: usize = manifest.contests().map(|c| c.options.count()).sum();
    assert_eq!(offered, 53 + 6);
}

#[test]
fn policy_last_brings_two_epochs_and_first_refuses_them() {
    let last = Options {
        policy: Policy::Last,
        mode: Mode::Statutory,
        ..Options::default()
    };
    let imported = import_bytes(KAGA.as_bytes(), &last).unwrap();
    let manifest = Manifest::parse(&imported.manifest).unwrap();
    assert_eq!((manifest.epoch_count(), manifest.mode), (2, Mode::Statutory));
    let two = Options {
        epochs: imported
            .definition
            .epochs
            .iter()
            .map(|e| e.iter().cloned().collect())
            .collect(),
        ..Options::default()
    };
    assert_eq!(import_bytes(KAGA.as_bytes(), &two).unwrap_err().kind, Kind::Usage);
}

/// What is not supported is refused with its name and the id of its contest.
#[test]
fn unsupported_features_are_refused_by_name_with_the_contest() {
    type Change = fn(&mut Value);
    let cases: Vec<(&str, Change)> = vec![
        ("rcv", |c| c["VoteVariation"] = "rcv".into()),
        ("borda", |c| c["VoteVariation"] = "borda".into()),
        ("cumulative", |c| c["VoteVariation"] = "cumulative".into()),
        ("proportional", |c| c["VoteVariation"] = "proportional".into()),
        ("range", |c| c["VoteVariation"] = "range".into()),
        ("other", |c| c["VoteVariation"] = "other".into()),
        ("RanksAllowed", |c| c["RanksAllowed"] = 3.into()),
        ("IsWriteIn", |c| c["ContestOption"][0]["IsWriteIn"] = true.into()),
        ("RetentionContest", |c| {
            *c = json!({"@id": "c", "@type": "BallotDefinition.RetentionContest", "Name": "n", "CandidateId": "s1", "ElectionDistrictId": "gp-kaga"});
        }),
        ("PartyContest", |c| {
            *c = json!({"@id": "c", "@type": "BallotDefinition.PartyContest", "Name": "n", "ElectionDistrictId": "gp-kaga"});
        }),
        ("StraightPartyContest", |c| {
            *c = json!({"@id": "c", "@type": "BallotDefinition.StraightPartyContest", "Name": "n", "ElectionDistrictId": "gp-kaga",
                        "ControlledContestIds": ["x"], "StraightPartyRuleset": "exclusive"});
        }),
        ("PartyPreferenceContest", |c| {
            *c = json!({"@id": "c", "@type": "BallotDefinition.PartyPreferenceContest", "Name": "n", "ElectionDistrictId": "gp-kaga",
                        "ControlledContestIds": ["x"]});
        }),
        ("ActivationContest", |c| {
            *c = json!({"@id": "c", "@type": "BallotDefinition.ActivationContest", "Name": "n", "ElectionDistrictId": "gp-kaga",
                        "ControlledContestIds": ["x"]});
        }),
        ("BallotMeasureOption", |c| {
            c["ContestOption"][0] = json!({"@id": "o", "@type": "BallotDefinition.BallotMeasureOption",
                "Selection": {"@type": "BallotDefinition.InternationalizedText",
                    "Text": [{"@type": "BallotDefinition.LanguageString", "Language": "ja", "Content": "はい"}]}});
        }),
    ];
    let base = parsed(KAGA);
    let candidates = base["Election"][0]["Contest"]
        .as_array()
        .unwrap()
        .iter()
        .position(|c| c["@type"] == "BallotDefinition.CandidateContest")
        .unwrap();
    for (name, change) in cases {
        let mut value = base.clone();
        let contest = &mut value["Election"][0]["Contest"][candidates];
        change(contest);
        let id = contest["@id"].as_str().unwrap().to_owned();
        let problem = refuse(&value);
        assert_eq!(problem.kind, Kind::Unsupported, "{name}: {problem}");
        assert!(problem.what.contains(name), "{name}: {problem}");
        assert!(problem.what.contains(&format!("contest {id}")), "{name}: {problem}");
        assert!(problem.at.starts_with("$.Election[0].Contest"), "{name}: {problem}");
        assert!(!problem.advice.is_empty(), "{name}");
    }
}

#[test]
fn an_open_partisan_primary_and_a_second_election_are_refused() {
    let mut value = parsed(KAGA);
    value["Election"][0]["Type"] = "partisan-primary-open".into();
    assert_eq!(refuse(&value).kind, Kind::Unsupported);
    let mut value = parsed(KAGA);
    let second = value["Election"][0].clone();
    value["Election"].as_array_mut().unwrap().push(second);
    let problem = refuse(&value);
    assert_eq!(
        (problem.kind, problem.at.as_str()),
        (Kind::Unsupported, "$.Election[1]")
    );
}

#[test]
fn marks_that_count_more_than_one_vote_are_refused() {
    for (name, value) in [
        ("NumberVotes", json!(2)),
        ("Rank", json!(1)),
        ("FractionalVotes", json!("1/2")),
    ] {
        let mut county = parsed(COUNTY);
        county["Election"][0]["BallotStyle"][0]["OrderedContent"][1]["Physical"][0]["PhysicalContestOption"][0]["OptionPosition"]
            [0][name] = value;
        let problem = refuse(&county);
        assert_eq!(problem.kind, Kind::Unsupported);
        assert!(problem.what.contains("contest _2AG"), "{problem}");
    }
}

#[test]
fn broken_references_name_their_place() {
    type Break = fn(&mut Value);
    let cases: [(Break, &str); 9] = [
        (|e| e["ElectionScopeId"] = "nowhere".into(), "$.Election[0]"),
        (
            |e| e["Contest"][0]["ContestOption"][0]["CandidateIds"][0] = "nobody".into(),
            "$.Election[0].Contest[0].ContestOption[0].CandidateIds[0]",
        ),
        (
            |e| e["BallotStyle"][0]["GpUnitIds"][0] = "nowhere".into(),
            "$.Election[0].BallotStyle[0].GpUnitIds[0]",
        ),
        (
            |e| e["BallotStyle"][0]["OrderedContent"][0]["ContestId"] = "none".into(),
            "$.Election[0].BallotStyle[0].OrderedContent[0]",
        ),
        (
            |e| e["Contest"][1]["@id"] = e["Contest"][0]["@id"].clone(),
            "$.Election[0].Contest[1]",
        ),
        (
            |e| e["Contest"][0]["ContestOption"][1]["@id"] = e["Contest"][0]["ContestOption"][0]["@id"].clone(),
            "$.Election[0].Contest[0].ContestOption[1]",
        ),
        (|e| e["BallotStyle"] = json!([]), "$.Election[0]"),
        (
            |e| e["BallotStyle"][0]["OrderedContent"] = json!([]),
            "$.Election[0].BallotStyle[0]",
        ),
        (|e| e["EndDate"] = "2020-01-01".into(), "$.Election[0]"),
    ];
    for (break_it, place) in cases {
        let mut value = parsed(KAGA);
        let contests = value["Election"][0]["Contest"].as_array().unwrap();
        assert_eq!(
            contests[0]["@type"], "BallotDefinition.CandidateContest",
            "the cases below change candidates"
        );
        break_it(&mut value["Election"][0]);
        let problem = refuse(&value);
        assert_eq!(problem.kind, Kind::Reference, "{problem}");
        assert_eq!(problem.at, place, "{problem}");
    }
}

#[test]
fn a_name_without_the_common_language_is_named() {
    let mut value = parsed(KAGA);
    let texts = value["Election"][0]["Candidate"][3]["BallotName"]["Text"]
        .as_array_mut()
        .unwrap();
    texts.retain(|text| text["Language"] != "ja");
    // English is in every name then, and becomes the fallback.
    let imported = import_value(&value, &Options::default()).unwrap();
    assert_eq!(imported.definition.languages[0], "en");
    let texts = value["Election"][0]["Candidate"][4]["BallotName"]["Text"]
        .as_array_mut()
        .unwrap();
    texts.retain(|text| text["Language"] != "en");
    let problem = refuse(&value);
    assert_eq!(problem.kind, Kind::Reference);
    assert!(problem.at.contains("ContestOption"), "{problem}");
}

#[test]
fn cut_off_and_foreign_files_are_refused() {
    for length in [0, 1, 100, KAGA.len() / 2, KAGA.len() - 2] {
        let mut end = length;
        while !KAGA.is_char_boundary(end) {
            end += 1;
        }
        let problem = import_bytes(&KAGA.as_bytes()[..end], &Options::default()).unwrap_err();
        assert_eq!(problem.kind, Kind::Malformed, "{problem}");
        assert!(problem.at.contains("line"));
    }
    assert_eq!(import_bytes(b"[]", &Options::default()).unwrap_err().kind, Kind::Schema);
    assert_eq!(import_bytes(b"{}", &Options::default()).unwrap_err().kind, Kind::Schema);
    let deep = "[".repeat(100_000);
    assert_eq!(
        import_bytes(deep.as_bytes(), &Options::default()).unwrap_err().kind,
        Kind::Malformed
    );
}

#[test]
fn styles_with_different_orders_of_contests_are_refused() {
    let mut value = parsed(KAGA);
    let styles = value["Election"][0]["BallotStyle"].as_array_mut().unwrap();
    let mut second = styles[0].clone();
    second["OrderedContent"].as_array_mut().unwrap().reverse();
    styles.push(second.clone());
    assert_eq!(refuse(&value).kind, Kind::Unsupported);
    // One style in another order than the file's is fine: the manifest follows it.
    value["Election"][0]["BallotStyle"] = json!([second]);
    let imported = import_value(&value, &Options::default()).unwrap();
    let file: Vec<_> = value["Election"][0]["Contest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["@id"].clone())
        .collect();
    let manifest: Vec<_> = imported.definition.contests.iter().map(|c| json!(c.id)).collect();
    assert_eq!(manifest, file.into_iter().rev().collect::<Vec<_>>());
}

/// A definition with `contests` (votes, options) and styles (which contests, rotation of the options).
fn definition(contests: &[(u8, u8)], styles: &[(u8, u8)], languages: &[&str], blanks: &str) -> Value {
    let text = |stem: &str| {
        let texts: Vec<_> = languages
            .iter()
            .map(|l| json!({"@type": "BallotDefinition.LanguageString", "Language": l, "Content": format!("{blanks}{stem}{blanks}{l}{blanks}")}))
            .collect();
        json!({"@type": "BallotDefinition.InternationalizedText", "Text": texts})
    };
    let mut candidates = Vec::new();
    let mut list = Vec::new();
    for (c, (votes, options)) in contests.iter().enumerate() {
        let mut choices = Vec::new();
        for o in 0..*options {
            candidates.push(
                json!({"@type": "BallotDefinition.Candidate", "@id": format!("p{c}-{o}"), "BallotName": text(&format!("名{o}"))}),
            );
            choices.push(json!({"@type": "BallotDefinition.CandidateOption", "@id": format!("o{c}-{o}"), "CandidateIds": [format!("p{c}-{o}")]}));
        }
        list.push(json!({"@type": "BallotDefinition.CandidateContest", "@id": format!("c{c}"), "Name": "N", "BallotTitle": text("題"),
            "ElectionDistrictId": "u", "VotesAllowed": votes, "ContestOption": choices}));
    }
    let styles: Vec<_> = styles
        .iter()
        .map(|(mask, rotation)| {
            let content: Vec<_> = contests
                .iter()
                .enumerate()
                .filter(|(c, _)| mask & (1 << c) != 0)
                .map(|(c, (_, options))| {
                    let order: Vec<_> = (0..*options).map(|o| format!("o{c}-{}", (o + rotation) % options)).collect();
                    json!({"@type": "BallotDefinition.OrderedContest", "ContestId": format!("c{c}"), "OrderedContestOptionIds": order})
                })
                .collect();
            json!({"@type": "BallotDefinition.BallotStyle", "GpUnitIds": ["u"], "OrderedContent": content})
        })
        .collect();
    json!({"@type": "BallotDefinition.BallotDefinition", "Version": "1.0.0", "GeneratedDate": "2026-01-01T00:00:00Z", "Issuer": "I",
        "IssuerAbbreviation": "Ab C", "SequenceStart": 1, "SequenceEnd": 1, "VendorApplicationId": "v",
        "GpUnit": [{"@type": "BallotDefinition.ReportingUnit", "@id": "u", "Type": "city", "Name": text("市")}],
        "Election": [{"@type": "BallotDefinition.Election", "Name": text("選挙"), "Type": "general", "StartDate": "2026-01-01",
            "EndDate": "2026-01-02", "ElectionScopeId": "u", "Candidate": candidates, "Contest": list, "BallotStyle": styles}]})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever imports is a manifest that holds every rule, in its one encoding, with all ids kept.
    #[test]
    fn what_imports_is_a_canonical_manifest(
        contests in proptest::collection::vec((0u8..18, 0u8..70), 0..6),
        styles in proptest::collection::vec((any::<u8>(), 0u8..5), 0..5),
        languages in proptest::sample::subsequence(vec!["ja", "en", "JA-hira", "fr", "pt-br"], 1..=5),
        blanks in "[ \\n\\t\u{3000}]{0,4}",
        batch in 0u16..300,
    ) {
        let value = definition(&contests, &styles, &languages, &blanks);
        let options = Options { batch, ..Options::default() };
        let sound = !contests.is_empty()
            && !styles.is_empty()
            && contests.iter().all(|(votes, m)| (1..=60).contains(m) && *votes >= 1 && (*votes).min(*m) <= 15)
            && styles.iter().all(|(mask, _)| (0..contests.len()).any(|c| mask & (1 << c) != 0))
            && (1..=256).contains(&batch);
        match import_value(&value, &options) {
            Ok(imported) => {
                prop_assert!(sound);
                let manifest = Manifest::parse(&imported.manifest).unwrap();
                let again: Manifest<'_> = election::wire::decode(&imported.manifest).unwrap();
                prop_assert_eq!(staff::encode::to_bytes(&again).unwrap(), imported.manifest.clone());
                prop_assert_eq!(usize::from(manifest.contest_count()), contests.len());
                for (index, contest) in manifest.contests().enumerate() {
                    prop_assert_eq!(contest.id, format!("c{index}"));
                    prop_assert_eq!(contest.options.count(), usize::from(contests[index].1));
                }
            }
            Err(problem) => prop_assert!(!sound, "{}", problem),
        }
    }

    /// Hostile bytes and single changed bytes never panic; what still imports is a whole manifest.
    #[test]
    fn a_changed_byte_never_panics(position in 0..KAGA.len(), byte in any::<u8>()) {
        let mut bytes = KAGA.as_bytes().to_vec();
        bytes[position] = byte;
        if let Ok(imported) = import_bytes(&bytes, &Options::default()) {
            prop_assert!(Manifest::parse(&imported.manifest).is_ok());
        }
    }
}
