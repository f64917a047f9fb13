//! Results keep NIST's schema and ids whatever the names are, and the page cannot be broken out of by a name.

use proptest::prelude::*;
use serde_json::Value;
use staff::report::{Ballots, ContestReport, KioskReport, OptionReport, Report, StationReport};
use staff::{html, results};

fn texts(text: &str) -> Vec<(String, String)> {
    vec![("ja".into(), text.into()), ("en".into(), format!("{text} (en)"))]
}

fn report(names: &[String], totals: &[u32], no_votes: u64) -> Report {
    let contest = |id: &str, kind: &'static str, votes| ContestReport {
        id: id.into(),
        name: texts(&names[0]),
        kind,
        votes,
        ballots: 9,
        options: totals
            .iter()
            .enumerate()
            .map(|(index, total)| OptionReport {
                id: format!("{id}-o{index}"),
                name: texts(&names[index % names.len()]),
                party: if index % 2 == 0 { texts("党") } else { vec![] },
                total: *total,
            })
            .collect(),
        no_votes,
    };
    Report {
        id: "t-2026-01-01-general".into(),
        election: "ab".repeat(32),
        name: texts(&names[0]),
        mode: "consultation",
        policy: "first",
        first_day: 20_260_101,
        last_day: 20_260_102,
        generated: "2026-01-02T20:00:00+09:00".into(),
        epochs: vec![texts("投票日")],
        units: vec![("u".into(), texts("市"))],
        ballots: Ballots {
            recorded: 9,
            counted: 9,
            ..Ballots::default()
        },
        contests: vec![contest("c0", "candidates", 2), contest("c1", "measure", 1)],
        kiosks: vec![KioskReport {
            kiosk: "cd".repeat(32),
            station: 3,
            epoch: 0,
            admitted: 9,
            recorded: 9,
            abandoned: 0,
            interrupted: 0,
            spoiled: 1,
            void: 0,
            counted: 8,
            duplicates: 1,
            overwritten: 0,
            late: 0,
            from_duplicate: 0,
            words: "abandon ability".into(),
        }],
        stations: vec![StationReport {
            station: 3,
            recorded: 9,
            below_small_group: true,
        }],
        small_group: 10,
        reissued: Some(1),
        trustees: vec!["A".into()],
        trustees_total: 1,
        chain_height: 4,
        validators: 1,
        batches: 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn results_keep_the_schema_the_ids_and_the_sums(
        names in proptest::collection::vec("\\PC{1,12}", 1..4),
        totals in proptest::collection::vec(any::<u32>(), 1..6),
        no_votes in 0u64..1_000_000,
    ) {
        let report = report(&names, &totals, no_votes);
        let json: Value = serde_json::from_slice(&results::to_json(&report).unwrap()).unwrap();
        let contests = json["Election"][0]["Contest"].as_array().unwrap();
        prop_assert_eq!(contests.len(), 2);
        for (contest, expected) in contests.iter().zip(&report.contests) {
            prop_assert_eq!(contest["@id"].as_str(), Some(expected.id.as_str()));
            prop_assert_eq!(contest["OtherCounts"][0]["Undervotes"].as_u64(), Some(no_votes));
            for (selection, option) in contest["ContestSelection"].as_array().unwrap().iter().zip(&expected.options) {
                prop_assert_eq!(selection["@id"].as_str(), Some(option.id.as_str()));
                prop_assert_eq!(selection["VoteCounts"][0]["Count"].as_u64(), Some(u64::from(option.total)));
                prop_assert_eq!(selection["VoteCounts"][0]["Type"].as_str(), Some("total"));
            }
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_the_page(name in "[<>&\"'a-z/ ]{1,20}") {
        let plain = html::page(&report(&["x".into()], &[1, 2], 0));
        let hostile = html::page(&report(&[name], &[1, 2], 0));
        // The tags of the page do not depend on the names.
        prop_assert_eq!(hostile.matches('<').count(), plain.matches('<').count());
        prop_assert_eq!(hostile.matches('>').count(), plain.matches('>').count());
    }
}

#[test]
fn a15_the_page_has_a_place_for_every_paper_channel() {
    let page = html::page(&report(&["題".into()], &[5, 6], 3));
    for channel in ["不在者", "点字", "仮投票", "Absentee", "Braille", "Provisional"] {
        assert!(page.contains(channel));
    }
    // Four empty boxes an option: three channels and the sum.
    assert_eq!(page.matches("class=\"blank\"").count(), 2 * 2 * 4);
}

#[test]
fn p19_a_station_below_the_small_group_is_named_and_so_are_duplicates() {
    let page = html::page(&report(&["題".into()], &[5, 6], 3));
    assert!(page.contains("Station 3 recorded 9 ballots, fewer than 10"));
    assert!(page.contains("Station 3, kiosk cdcdcdcdcdcd: 1 second votes"));
}

#[test]
fn p19_the_report_says_that_no_second_count_is_decrypted() {
    let page = html::page(&report(&["題".into()], &[5, 6], 3));
    assert!(page.contains("never for groups below 10 ballots"));
    assert!(page.contains("trustee decrypts one count of an election, and no second one"));
    assert!(page.contains("一度の集計だけを復号し"));
}
