//! What is counted: the voters' choices, once each, from the media that can be read.

use std::collections::BTreeMap;

use election::batch::Kind as EntryKind;
use election::manifest::Policy;
use serde_json::Value;
use staff::verify::{self, Options};
use staff::{Kind, medium, progress};

use crate::refused::refused;
use crate::support::{COUNTY, KAGA, Town};
use crate::{choose, count, small, verified};

#[test]
fn the_tally_is_what_the_voters_chose_and_the_record_verifies() {
    let mut town = Town::new(KAGA, Policy::First, 1);
    let (a, b) = (town.kiosk(1, 0), town.kiosk(2, 0));
    let mut ballots = Vec::new();
    let mut codes = Vec::new();
    for voter in 0..9u8 {
        let choice = choose(&mut town);
        let kiosk = if voter % 3 == 0 { b } else { a };
        codes.push(town.vote(kiosk, EntryKind::Cast, &choice, voter + 1));
        ballots.push(choice);
        if voter == 4 {
            town.batch(a, None);
        }
    }
    let choice = choose(&mut town);
    let opened = town.vote(a, EntryKind::Spoiled, &choice, 0);
    town.close(a);
    town.close(b);
    let tallied = town.tally().unwrap();
    assert!(tallied.bad_trustees.is_empty());
    let found = verified(&tallied, &town);
    assert_eq!(found.totals, count(&town, &ballots));
    assert_eq!((found.ballots, found.counted, found.spoiled), (9, 9, 1));
    assert_eq!(tallied.report.ballots.admitted, 9);
    assert_eq!(tallied.report.trustees, ["B", "C"]);
    assert!(tallied.report.stations.iter().all(|station| station.below_small_group));

    // From the folder alone, with the codes of voters.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("record");
    tallied.record.write(&out).unwrap();
    let options = Options {
        codes: vec![
            election::ballot::code_text(&codes[0]).to_string().to_lowercase(),
            hex::encode(opened),
            "0000-0000-0000-0000-0000-0000-0000-0000".into(),
        ],
        ..Options::default()
    };
    let again = verify::verify_folder(&out, &options, &progress::silent).unwrap();
    let statuses: Vec<&str> = options.codes.iter().map(|code| again.codes[code]).collect();
    assert_eq!(statuses, ["counted", "spoiled", "unknown"]);
    assert!(!again.authority_compared);
    // A second record is not written over the first.
    assert_eq!(tallied.record.write(&out).unwrap_err().kind, Kind::Files);
}

#[test]
fn the_county_ballot_of_25_contests_tallies() {
    let mut town = Town::new(COUNTY, Policy::First, 2);
    let kiosk = town.kiosk(1, 0);
    let mut ballots = Vec::new();
    for voter in 0..3u8 {
        let choice = choose(&mut town);
        town.vote(kiosk, EntryKind::Cast, &choice, voter + 1);
        ballots.push(choice);
    }
    town.close(kiosk);
    let tallied = town.tally().unwrap();
    let found = verified(&tallied, &town);
    assert_eq!(found.totals, count(&town, &ballots));
    let json: Value = serde_json::from_slice(tallied.record.files().results).unwrap();
    assert_eq!(json["Election"][0]["Contest"].as_array().unwrap().len(), 25);
}

#[test]
fn an_election_without_a_single_ballot_has_a_record() {
    let mut town = Town::new(KAGA, Policy::First, 3);
    let kiosk = town.kiosk(1, 0);
    town.close(kiosk);
    let tallied = town.tally().unwrap();
    let found = verified(&tallied, &town);
    assert_eq!((found.ballots, found.counted), (0, 0));
    assert!(
        found
            .totals
            .values()
            .flat_map(BTreeMap::values)
            .all(|total| *total == 0)
    );
}

#[test]
fn a1_a_second_vote_at_another_station_is_not_counted_and_is_listed() {
    let mut town = Town::new(KAGA, Policy::First, 4);
    let (a, b) = (town.kiosk(1, 0), town.kiosk(2, 0));
    let first = choose(&mut town);
    town.vote(a, EntryKind::Cast, &first, 7);
    town.batch(a, None);
    let second = choose(&mut town);
    town.vote(b, EntryKind::Cast, &second, 7);
    town.batch(b, None);
    town.close(b);
    town.close(a);
    let tallied = town.tally().unwrap();
    let found = verified(&tallied, &town);
    assert_eq!(found.totals, count(&town, &[first]));
    assert_eq!((found.counted, found.duplicates), (1, 1));
    let of = |station: u16| {
        tallied
            .report
            .kiosks
            .iter()
            .find(|kiosk| kiosk.station == station)
            .unwrap()
            .duplicates
    };
    assert_eq!((of(1), of(2)), (0, 1));
    let page = std::str::from_utf8(tallied.record.files().report).unwrap();
    assert!(page.contains("second votes of a card were not counted"));
}

#[test]
fn p23_with_policy_last_the_later_epoch_counts() {
    let mut town = Town::new(KAGA, Policy::Last, 5);
    let (early, day) = (town.kiosk(1, 0), town.kiosk(2, 1));
    let first = choose(&mut town);
    town.vote(early, EntryKind::Cast, &first, 7);
    let second = choose(&mut town);
    town.vote(day, EntryKind::Cast, &second, 7);
    let other = choose(&mut town);
    town.vote(early, EntryKind::Cast, &other, 8);
    town.close(day);
    town.close(early);
    let tallied = town.tally().unwrap();
    let found = verified(&tallied, &town);
    assert_eq!(found.totals, count(&town, &[second, other]));
    assert_eq!((found.counted, found.overwritten, found.duplicates), (2, 1, 0));
}

#[test]
fn f4_after_a_takeover_equal_leaves_count_once_and_late_ones_are_listed() {
    let mut town = Town::new(KAGA, Policy::First, 6);
    let (old, spare) = (town.kiosk(1, 0), town.kiosk(1, 0));
    let first = choose(&mut town);
    town.vote(old, EntryKind::Cast, &first, 1);
    town.batch(old, None);
    let second = choose(&mut town);
    town.vote(old, EntryKind::Cast, &second, 2);
    town.take_over(old, spare);
    // A ballot that only the dead original has: it turns up after the count.
    let lost = choose(&mut town);
    town.vote(old, EntryKind::Cast, &lost, 3);
    let third = choose(&mut town);
    town.vote(spare, EntryKind::Cast, &third, 4);
    town.close(spare);
    town.late = vec![town.content(old, 0)];
    let tallied = town.tally().unwrap();
    let found = verified(&tallied, &town);
    assert_eq!(found.totals, count(&town, &[first, second, third]));
    assert_eq!(tallied.report.ballots.late, 1);
}

#[test]
fn a8_the_duplicate_stands_in_where_the_original_cannot_be_read() {
    let town = small();
    let unreadable = || Err(staff::Problem::new(Kind::Refused, "original", "cannot be read"));
    let joined = medium::join(unreadable(), Ok(town.content(0, 1)), "pair").unwrap();
    assert_eq!((joined.records.len(), joined.from_duplicate), (2, 2));
    let mut torn = town.content(0, 0);
    torn.records.remove(0);
    let joined = medium::join(Ok(torn), Ok(town.content(0, 1)), "pair").unwrap();
    assert_eq!((joined.records.len(), joined.from_duplicate), (2, 1));
    refused(medium::join(unreadable(), unreadable(), "pair"), &["neither medium"]);
    refused(
        medium::join(Ok(town.content(0, 1)), Ok(town.content(0, 0)), "pair"),
        &["swapped"],
    );
    refused(
        medium::join(Ok(town.content(0, 0)), Ok(town.content(0, 0)), "pair"),
        &["twice the same"],
    );
    refused(
        medium::join(Ok(town.content(0, 0)), Ok(town.content(1, 1)), "pair"),
        &["not of one pair"],
    );
    let mut lying = town.content(0, 1);
    lying.records[1].ballot[40] ^= 1;
    refused(medium::join(Ok(town.content(0, 0)), Ok(lying), "pair"), &["slot 1"]);
}

#[test]
fn f2_a_copy_that_was_repaired_into_another_slot_counts_once() {
    let town = small();
    for (torn, whole) in [(1, 0), (0, 1)] {
        // MEDIA.md: a torn copy stays as evidence, and the record is written again into another slot of that medium.
        let mut repaired = town.content(0, torn);
        let spoilt = repaired.records[0].slot;
        repaired.records[0].slot = repaired.label.layout.cast - 1;
        repaired.void.push(spoilt);
        let other = town.content(0, whole);
        let pair = if torn == 0 {
            (repaired, other)
        } else {
            (other, repaired)
        };
        let joined = medium::join(Ok(pair.0), Ok(pair.1), "pair").unwrap();
        assert_eq!((joined.records.len(), joined.from_duplicate), (2, 0));
    }
    // Both copies on one medium: the first could be read again later.
    let mut twice = town.content(0, 0);
    let mut again = twice.records[0].clone();
    again.slot = twice.label.layout.cast - 1;
    twice.records.push(again);
    let joined = medium::join(
        Ok(twice),
        Err(staff::Problem::new(Kind::Refused, "duplicate", "is lost")),
        "pair",
    )
    .unwrap();
    assert_eq!((joined.records.len(), joined.from_duplicate), (2, 0));
}
