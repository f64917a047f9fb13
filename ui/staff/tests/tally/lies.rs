//! Media, words, chains, trustees and gateways that lie are refused by name.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use election::batch::Kind as EntryKind;
use election::record::FileName;
use rand_core::SeedableRng as _;
use serde_json::Value;
use staff::anchor::anchor;
use staff::verify::{self, Options};
use staff::{Kind, progress, tally};

use crate::refused::refused;
use crate::support::Town;
use crate::{choose, small, verified};

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
