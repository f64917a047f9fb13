//! The tally against what the voters did, and against media, words, chains and trustees that lie. Every record that is made is
//! verified from its folder.

#[path = "support/refused.rs"]
mod refused;
mod support;

use std::collections::BTreeMap;
use std::fs;

use chacha20::ChaCha20Rng;
use election::batch::Kind as EntryKind;
use election::manifest::{Manifest, Policy};
use election::record::FileName;
use proptest::prelude::*;
use rand_core::SeedableRng as _;
use refused::refused;
use serde_json::Value;
use staff::anchor::anchor;
use staff::tally::Tallied;
use staff::verify::{self, Options, Verified};
use staff::{Kind, Outcome, medium, progress, tally};
use support::{COUNTY, KAGA, Town};

fn verified(tallied: &Tallied, town: &Town) -> Verified {
    let options = Options {
        authority: Some(town.authority.public_key()),
        ..Options::default()
    };
    verify::verify(&tallied.record, &options, &progress::silent).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Contest -> option -> votes, counted from bitmaps.
fn count(town: &Town, ballots: &[Vec<u64>]) -> BTreeMap<String, BTreeMap<String, u32>> {
    let manifest = Manifest::parse(&town.manifest).unwrap();
    manifest
        .contests()
        .enumerate()
        .map(|(c, contest)| {
            let options = contest.options.iter().map(Result::unwrap).enumerate();
            let sums = options.map(|(o, option)| {
                let votes = ballots.iter().filter(|ballot| ballot[c] >> o & 1 == 1).count();
                (option.id.to_owned(), u32::try_from(votes).unwrap())
            });
            (contest.id.to_owned(), sums.collect())
        })
        .collect()
}

/// A random valid choice for every contest of style 0 (which has all contests in the definitions used here).
fn choose(town: &mut Town) -> Vec<u64> {
    let shapes: Vec<(u8, u8)> = {
        let manifest = Manifest::parse(&town.manifest).unwrap();
        let style = manifest.style(0).unwrap();
        manifest
            .shapes(&style)
            .map(|shape| (shape.options, shape.votes))
            .collect()
    };
    shapes
        .into_iter()
        .map(|(options, votes)| {
            let mut bits = 0u64;
            for _ in 0..town.random(u64::from(votes) + 1) {
                bits |= 1 << town.random(u64::from(options));
            }
            bits
        })
        .collect()
}

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

/// Two kiosks with three ballots, closed.
fn small() -> Town {
    let mut town = Town::new(KAGA, Policy::First, 7);
    let (a, b) = (town.kiosk(1, 0), town.kiosk(2, 0));
    for voter in 1..4u8 {
        let choice = choose(&mut town);
        town.vote(if voter == 3 { b } else { a }, EntryKind::Cast, &choice, voter);
    }
    town.close(a);
    town.close(b);
    town
}

#[test]
fn f6_media_that_are_missing_repeated_foreign_or_cut_are_refused_by_name() {
    let mut town = small();
    let (boxes, words) = (town.boxes(), town.words());
    let first = hex::encode(town.kiosks[0].id());
    let second = hex::encode(town.kiosks[1].id());
    refused(
        town.prepare(&boxes[..1], &words, |_, _| ()),
        &[second.as_str(), "media were not given"],
    );
    let twice = vec![boxes[0].clone(), boxes[0].clone(), boxes[1].clone()];
    refused(town.prepare(&twice, &words, |_, _| ()), &[first.as_str(), "twice"]);
    let mut foreign = boxes.clone();
    foreign[0].label.election = [0; 32];
    refused(town.prepare(&foreign, &words, |_, _| ()), &["another election"]);
    let mut short = boxes.clone();
    short[0].records.pop();
    refused(
        town.prepare(&short, &words, |_, _| ()),
        &[first.as_str(), "1 cast ballots found, 2 closed"],
    );
    let mut changed = boxes;
    changed[0].records[0].ballot[200] ^= 1;
    refused(
        town.prepare(&changed, &words, |_, _| ()),
        &[first.as_str(), "does not hold what the kiosk closed with"],
    );
}

#[test]
fn p25_the_closing_words_must_be_typed_and_right() {
    let mut town = small();
    let (boxes, words) = (town.boxes(), town.words());
    let ids: Vec<_> = words.keys().copied().collect();
    refused(town.prepare(&boxes, &BTreeMap::new(), |_, _| ()), &["not typed in"]);
    let mut swapped = words.clone();
    swapped.insert(ids[0], words[&ids[1]].clone());
    refused(town.prepare(&boxes, &swapped, |_, _| ()), &["not those of this medium"]);
    let mut misspelt = words.clone();
    misspelt.insert(ids[0], words[&ids[0]].replacen(' ', " x", 1));
    refused(town.prepare(&boxes, &misspelt, |_, _| ()), &["closing words"]);
    let mut untidy = words.clone();
    untidy.insert(ids[0], format!("  {}\n", words[&ids[0]].to_uppercase()));
    town.prepare(&boxes, &untidy, |_, _| ()).unwrap();
}

#[test]
fn a_box_closed_again_after_anchoring_is_refused() {
    let mut town = small();
    let (mut boxes, words) = (town.boxes(), town.words());
    // Two dishonest staff members close the box once more with one ballot fewer; the chain has the first closing.
    let chain = town.chain.bytes.clone();
    let kiosk = &mut town.kiosks[0];
    kiosk.records.pop();
    kiosk.leaves.pop();
    kiosk.counters.recorded -= 1;
    kiosk.counters.admitted -= 1;
    town.close(0);
    town.chain.bytes = chain;
    boxes[0].closing = town.kiosks[0].closing.clone().unwrap();
    boxes[0].records.pop();
    refused(town.prepare(&boxes, &words, |_, _| ()), &["not the one on the chain"]);
}

#[test]
fn p11_a_bad_partial_decryption_beside_k_good_ones_still_tallies_and_is_named() {
    let mut town = small();
    let (boxes, words) = (town.boxes(), town.words());
    let (good, few) = town
        .prepare(&boxes, &words, |prepared, town| {
            let mut rng = ChaCha20Rng::from_seed([78; 32]);
            let mut parts: Vec<_> = town
                .key
                .secrets
                .iter()
                .map(|secret| tally::decrypt(prepared, secret, &mut rng).unwrap())
                .collect();
            parts[0][3].response[5] ^= 1;
            let good = tally::finish(prepared, &parts, &town.authority, &progress::silent);
            let few = tally::finish(prepared, &parts[..2], &town.authority, &progress::silent);
            (good, few)
        })
        .unwrap();
    let good = good.unwrap();
    assert_eq!(good.bad_trustees, [1]);
    verified(&good, &town);
    refused(few, &["selection 3"]);
}

/// The total less the votes of all other stations is one station's: results.json holds totals alone, though the authority signs more.
#[test]
fn p19_votes_of_a_smaller_group_in_the_results_are_refused() {
    let mut town = small();
    let mut tallied = town.tally().unwrap();
    let verified = verified(&tallied, &town);
    let election = hex::decode(verified.election_hash).unwrap().try_into().unwrap();
    let good: Value = serde_json::from_slice(tallied.record.files().results).unwrap();
    let counts = "/Election/0/Contest/0/ContestSelection/0/VoteCounts";
    for (words, more) in [("smaller groups", true), ("not the total", false)] {
        let mut lie = good.clone();
        let list = lie.pointer_mut(counts).unwrap().as_array_mut().unwrap();
        if more {
            list.push(list[0].clone());
        }
        list.last_mut().unwrap()["Type"] = "election-day".into();
        tallied.record.put(FileName::Results, serde_json::to_vec(&lie).unwrap());
        tallied.record.sign(&election, &town.authority).unwrap();
        refused(
            verify::verify(&tallied.record, &Options::default(), &progress::silent),
            &["results.json", words],
        );
    }
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

#[test]
fn reception_counts_are_compared() {
    let mut town = small();
    let count = |town: &Town, station, admissions| {
        staff::reception::sign(&town.election, station, 0, admissions, &town.staff[0]).unwrap()
    };
    let fitting = [count(&town, 1, 2), count(&town, 2, 1)];
    town.reception = Some(staff::reception::to_json(&fitting).unwrap());
    let tallied = town.tally().unwrap();
    assert!(verified(&tallied, &town).reception);
    let short = [count(&town, 1, 1), count(&town, 2, 1)];
    let options = Options {
        reception: Some(staff::reception::to_json(&short).unwrap()),
        ..Options::default()
    };
    refused(
        verify::verify(&tallied.record, &options, &progress::silent),
        &["station 1", "reception"],
    );
}

#[test]
fn a_gateway_that_lies_or_refuses_stops_the_anchoring() {
    let mut town = small();
    let content = town.content(0, 0);
    let genesis = town.genesis.clone();
    let count = content.transactions.len();
    let mut good = |request: &[u8]| Ok(town.chain.answer(request));
    let done = anchor(&content, &[], &genesis, &mut good, &progress::silent).unwrap();
    assert_eq!((done.anchored.len(), done.batches, done.closed), (count, 1, true));
    // A proof with a byte changed anywhere is none, and neither is any other answer.
    for position in 0..140 {
        let mut lying = |request: &[u8]| {
            let mut reply = town.chain.answer(request);
            if reply[1] == 2 && position < reply.len() {
                reply[position] ^= 1;
            }
            Ok(reply)
        };
        let refused = anchor(&content, &[], &genesis, &mut lying, &progress::silent).expect_err("a lie");
        assert_ne!(refused.kind, Kind::Usage, "{refused}");
    }
    let mut nonsense = |_: &[u8]| Ok(vec![1, 2, 3]);
    refused(
        anchor(&content, &[], &genesis, &mut nonsense, &progress::silent),
        &["transaction 0", "nonsense"],
    );
    let mut refusing = |_: &[u8]| Ok(vec![1, 1, 6]);
    refused(
        anchor(&content, &[], &genesis, &mut refusing, &progress::silent),
        &["refuses"],
    );
    let mut foreign = content.clone();
    foreign.label.election = [0; 32];
    refused(
        anchor(&foreign, &[], &genesis, &mut refusing, &progress::silent),
        &["another election"],
    );
}

#[test]
fn a_chain_that_breaks_its_rules_is_refused_by_height() {
    let mut town = small();
    let (boxes, words) = (town.boxes(), town.words());
    let honest = town.chain.bytes.clone();
    // A batch after the closing one.
    let choice = choose(&mut town);
    town.vote(0, EntryKind::Cast, &choice, 9);
    town.batch(0, None);
    refused(
        town.prepare(&boxes, &words, |_, _| ()),
        &["chain.bin, block 5, transaction 0"],
    );
    town.chain.bytes = honest[..honest.len() - 1].to_vec();
    refused(town.prepare(&boxes, &words, |_, _| ()), &["chain.bin, block 4"]);
    town.chain.bytes = honest;
    let last = town.chain.bytes.len() - 1;
    town.chain.bytes[last] ^= 1;
    refused(town.prepare(&boxes, &words, |_, _| ()), &["chain.bin, block 4"]);
}

/// Names and bytes of a record's files, and the folder they came from.
type RecordFiles = (tempfile::TempDir, Vec<(String, Vec<u8>)>);

/// A record in a folder, made once.
fn record() -> &'static RecordFiles {
    static RECORD: std::sync::OnceLock<RecordFiles> = std::sync::OnceLock::new();
    RECORD.get_or_init(|| {
        let mut town = small();
        let tallied = town.tally().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("record");
        tallied.record.write(&out).unwrap();
        let files = staff::files::list(&out)
            .unwrap()
            .into_iter()
            .map(|name| (name.clone(), fs::read(out.join(name)).unwrap()))
            .collect();
        (folder, files)
    })
}

fn verify_files(files: &[(String, Vec<u8>)]) -> Outcome<Verified> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    verify::verify_folder(folder.path(), &Options::default(), &progress::silent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn one_flipped_byte_anywhere_in_the_record_is_refused(
        file in any::<prop::sample::Index>(),
        position in any::<prop::sample::Index>(),
        bit in 0u8..8,
        cut in prop::bool::weighted(0.2),
    ) {
        let mut files = record().1.clone();
        let file = file.index(files.len());
        let bytes = &mut files[file].1;
        if bytes.is_empty() {
            bytes.push(1);
        } else if cut {
            bytes.truncate(position.index(bytes.len()));
        } else {
            let position = position.index(bytes.len());
            bytes[position] ^= 1 << bit;
        }
        let problem = verify_files(&files).err();
        prop_assert!(problem.is_some(), "{}", files[file].0);
        let problem = problem.unwrap();
        prop_assert_eq!(problem.kind, Kind::Refused);
        prop_assert!(problem.at.contains(&files[file].0) || problem.at.contains("index.bin"), "{}", problem);
    }
}

#[test]
fn files_that_are_missing_or_too_many_are_named() {
    verify_files(&record().1).unwrap();
    for skip in 0..record().1.len() {
        let mut files = record().1.clone();
        let (name, _) = files.remove(skip);
        let problem = verify_files(&files).unwrap_err();
        assert!(problem.at.contains(&name), "{problem}");
    }
    let mut files = record().1.clone();
    files.push(("notes.txt".into(), vec![]));
    assert!(verify_files(&files).unwrap_err().at.contains("notes.txt"));
}
