//! Whole elections, from key ceremony to verified result: the shipped kiosk, desk and chain in the simulator's world.
//!
//! What the voters did and saw is the measure: the report compares it with what the desk counted, and here both verifiers
//! look at the published record alone and have to come to the same numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use election::manifest::{Mode, Policy};
use host_sim::report::Report;
use host_sim::scenario::{PlannedCut, PlannedOutage, Reissue, Replacement};
use host_sim::voters::habits::Habits;
use host_sim::world::time::HOUR;
use host_sim::{Scenario, bundled};
use kiosk::ballot_box::Role;
use serde_json::{Value, json};
use staff::verify::Options;
use tests::verifiers::{verify_py, verify_staff};

/// A played election and its record.
struct Played {
    report: Report,
    record: PathBuf,
    _folder: tempfile::TempDir,
}

fn scenario(name: &str, voters: u32) -> Scenario {
    Scenario::new(bundled::load(name).unwrap()).voters(voters)
}

/// Plays it; the record has to verify with both verifiers, and both have to find what the voters did.
fn play(scenario: &Scenario) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record");
    let report = scenario.run(&record).unwrap();
    assert!(report.holds(), "{:#?}", report.wrong);
    let ours = verify_staff(&record, &Options::default()).unwrap().summary().unwrap();
    let theirs = verify_py::<&str>(&record, &[]).unwrap().summary().unwrap();
    for (who, found) in [("staff verify", &ours), ("verify.py", &theirs)] {
        assert_eq!(found["counted"], json!(report.counted), "{who}");
        assert_eq!(found["ballots"], json!(report.recorded), "{who}");
        assert_eq!(found["duplicates"], json!(report.duplicates), "{who}");
        assert_eq!(found["overwritten"], json!(report.overwritten), "{who}");
        assert_eq!(found["spoiled"], json!(report.spoiled), "{who}");
        assert_eq!(found["totals"], json!(report.totals), "{who}");
        assert_eq!(found["no_votes"], json!(report.no_votes), "{who}");
        assert_eq!(found["batches"], json!(report.batches), "{who}");
        assert_eq!(found["chain_height"], json!(report.chain_height), "{who}");
        assert_eq!(found["entries_without_closing"], json!(0), "{who}");
        assert_eq!(found["reception"], json!(true), "{who}");
    }
    assert_eq!(theirs["complete"], json!(true));
    assert_eq!(ours["election_hash"], theirs["election_hash"]);
    assert_eq!(ours["authority"], theirs["authority"]);
    assert_eq!(report.recorded, report.counted + report.duplicates + report.overwritten);
    assert_eq!(report.admitted, report.recorded + report.abandoned + report.interrupted);
    Played {
        report,
        record,
        _folder: folder,
    }
}

#[test]
fn f1_f10_tsukuba_at_two_stations_with_hours_offline() {
    let played = play(&scenario("tsukuba-2015-referendum", 60).kiosks(2).outages(vec![
        PlannedOutage {
            kiosk: None,
            epoch: 0,
            from: HOUR,
            until: 3 * HOUR,
        },
        PlannedOutage {
            kiosk: Some(1),
            epoch: 0,
            from: 4 * HOUR,
            until: 12 * HOUR,
        },
    ]));
    assert_eq!(played.report.counted, 60);
    assert!(played.report.batches >= 2);
}

#[test]
fn a_whole_day_offline_loses_nothing() {
    let whole = PlannedOutage {
        kiosk: None,
        epoch: 0,
        from: 0,
        until: 13 * HOUR,
    };
    play(&scenario("tsukuba-2015-referendum", 30).outages(vec![whole]));
}

#[test]
fn the_totals_are_those_that_were_asked_for() {
    let wanted: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::from([(
        "c-park".to_string(),
        BTreeMap::from([("o-for".to_string(), 11), ("o-against".to_string(), 25)]),
    )]);
    let played = play(&scenario("tsukuba-2015-referendum", 40).totals(wanted.clone()));
    assert_eq!(played.report.totals, wanted);
    assert_eq!(played.report.no_votes["c-park"], 4);
}

#[test]
fn a18_p23_kaga_last_over_two_epochs_at_three_stations() {
    let habits = Habits {
        again_later: 400,
        without_vote: 100,
        challenge: 150,
        ..Habits::usual()
    };
    let played = play(
        &scenario("kaga-consultation", 45)
            .kiosks(3)
            .policy(Policy::Last)
            .habits(habits),
    );
    assert!(played.report.overwritten >= 10, "{:?}", played.report);
    assert!(played.report.spoiled > 0);
    assert!(
        played.report.no_votes.values().all(|n| *n > 0),
        "{:?}",
        played.report.no_votes
    );
}

#[test]
fn the_county_ballot_of_25_contests() {
    let played = play(&scenario("physical_ballot_def_3", 12));
    assert_eq!(played.report.totals.len(), 25);
}

#[test]
fn a21_a_statutory_election_has_no_uplink_and_its_batches_are_anchored_from_the_medium() {
    let played = play(&scenario("tsukuba-2015-referendum", 30).kiosks(2).mode(Mode::Statutory));
    assert_eq!(played.report.mode, "statutory");
    assert!(played.report.batches >= 2 && played.report.chain_height > 0);
}

/// Who signed the blocks of a record: the hash of the set by height, from 1.
fn sets(record: &std::path::Path) -> Vec<election::hash::Digest> {
    let chain = std::fs::read(record.join("chain.bin")).unwrap();
    election::wire::Seq::<election::ledger::Decided<'_>>::from_bytes(&chain)
        .iter()
        .map(|decided| {
            election::ledger::Block::read(decided.unwrap().block.0)
                .unwrap()
                .header
                .validators
        })
        .collect()
}

/// Kiosks (consultation) and desk (statutory) follow a change of the validators while batches go out, and both verifiers a record across it.
#[test]
fn f10_validators_change_in_the_middle_of_an_election_and_everybody_follows() {
    for mode in [Mode::Consultation, Mode::Statutory] {
        let changing = scenario("tsukuba-2015-referendum", 24)
            .kiosks(2)
            .batch(2)
            .mode(mode)
            .validators(4);
        let played = play(&changing.outages(Vec::new()).last_validator_leaves(4));
        let sets = sets(&played.record);
        assert!(played.report.batches >= 2 && sets.len() > 5, "{}", sets.len());
        // The change stands at height 1; some batches were decided before it counts, the others after.
        assert!(sets[..3].iter().all(|set| *set == sets[0]));
        assert!(sets[3..].iter().all(|set| *set == sets[3]));
        assert_ne!(sets[0], sets[3]);
    }
}

#[test]
fn a1_a_second_vote_is_refused_here_and_found_elsewhere_also_after_a_reissue() {
    let habits = Habits {
        again_here: 250,
        again_elsewhere: 250,
        ..Habits::plain()
    };
    let reissued = (0..2).fold(
        scenario("tsukuba-2015-referendum", 40).kiosks(2).habits(habits),
        |scenario, kiosk| {
            scenario.reissue(Reissue {
                kiosk,
                epoch: 0,
                at: 5 * HOUR,
            })
        },
    );
    let played = play(&reissued);
    assert_eq!(played.report.counted, 40);
    assert!(played.report.refused >= 5, "{:?}", played.report);
    assert!(played.report.duplicates >= 5, "{:?}", played.report);
}

#[test]
fn f8_wrong_pins_until_blocked_and_strange_cards_stop_nobody_else() {
    let habits = Habits {
        wrong_pin: 200,
        forget_pin: 150,
        not_on_roll: 100,
        expired: 100,
        upside_down: 200,
        ..Habits::plain()
    };
    let played = play(&scenario("tsukuba-2015-referendum", 30).habits(habits));
    assert_eq!(played.report.counted, 30);
    assert!(played.report.refused >= 9, "{:?}", played.report.refused_by);
    assert!(played.report.refused_by.len() >= 3, "{:?}", played.report.refused_by);
}

#[test]
fn f2_f5_power_cuts_in_the_middle_of_the_day_leave_exactly_what_voters_were_told() {
    let mut cut = scenario("tsukuba-2015-referendum", 40).kiosks(2).habits(Habits {
        challenge: 200,
        ..Habits::usual()
    });
    for (number, boundary) in [7, 40, 3, 61, 12, 25].into_iter().enumerate() {
        cut = cut.cut(PlannedCut {
            kiosk: number % 2,
            epoch: 0,
            boundary,
            torn: number % 3 == 0,
        });
    }
    let played = play(&cut);
    assert!(played.report.power_cuts >= 6, "{:?}", played.report.power_cuts);
}

#[test]
fn f4_a_spare_takes_over_with_either_medium() {
    for (surviving, counted_again) in [
        (Role::Original, false),
        (Role::Duplicate, false),
        (Role::Duplicate, true),
    ] {
        let replaced = scenario("tsukuba-2015-referendum", 30)
            .kiosks(2)
            .replacement(Replacement {
                kiosk: 0,
                epoch: 0,
                at: 6 * HOUR,
                surviving,
                counted_again,
            });
        let played = play(&replaced);
        assert_eq!(played.report.counted, 30);
    }
}

#[test]
fn several_validators_decide_together() {
    let played = play(&scenario("tsukuba-2015-referendum", 16).validators(4));
    assert_eq!(played.report.validators, 4);
}

#[test]
fn a_seed_gives_the_same_record_again() {
    let (one, two) = (
        scenario("kaga-consultation", 12).seed("again"),
        scenario("kaga-consultation", 12).seed("again"),
    );
    let (one, two) = (play(&one), play(&two));
    let other = play(&scenario("kaga-consultation", 12).seed("another"));
    let read = |played: &Played, name: &str| std::fs::read(played.record.join(name)).unwrap();
    for name in [
        "manifest.bin",
        "keys.bin",
        "ceremony.bin",
        "genesis.bin",
        "chain.bin",
        "ballots.bin",
        "tally.bin",
        "index.bin",
    ] {
        assert_eq!(read(&one, name), read(&two, name), "{name}");
    }
    assert_ne!(read(&one, "ballots.bin"), read(&other, "ballots.bin"));
}

#[test]
fn a_code_from_the_record_is_found_by_both_verifiers() {
    let played = play(&scenario("tsukuba-2015-referendum", 20).habits(Habits {
        challenge: 300,
        ..Habits::plain()
    }));
    let unknown = "0000-0000-0000-0000-0000-0000-0000-0000".to_string();
    let options = Options {
        codes: vec![unknown.clone()],
        ..Options::default()
    };
    let ours: Value = verify_staff(&played.record, &options).unwrap().summary().unwrap();
    let theirs = verify_py(&played.record, &["--code", &unknown])
        .unwrap()
        .summary()
        .unwrap();
    assert_eq!(ours["codes"][&unknown], json!("unknown"));
    assert_eq!(theirs["codes"][&unknown], json!("unknown"));
}
