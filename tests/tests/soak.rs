//! The soak, bounded: whole stations under failing power and everything else, judged by what their voters did; the same seed gives the
//! same run on one thread and on two; and Kani, Ebina, Niimi, Sabae and Shiroishi once more, with a kiosk that bears them.

use std::collections::BTreeSet;

use host_sim::soak::case::{Case, Cuts};
use host_sim::soak::trouble::{Illness, Side, Trouble, What, When, Wrong};
use host_sim::soak::{Options, Outcome, play, run};

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;

fn case(seed: &str, stations: u16, voters: u32, troubles: Vec<Trouble>) -> Case {
    Case {
        election: "tsukuba-2015-referendum".to_owned(),
        seed: seed.to_owned(),
        district: 0,
        stations,
        voters,
        hours: 8,
        habits: false,
        absent: BTreeSet::new(),
        troubles,
        cuts: Cuts::None,
        room: 200,
    }
}

fn trouble(station: usize, when: When, what: What) -> Trouble {
    Trouble { station, when, what }
}

/// Every law holds, and everybody has voted.
fn holds(case: &Case) -> Outcome {
    let outcome = play(case, None, &|| {});
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert_eq!(outcome.numbers["counted"], u64::from(case.voters));
    outcome
}

fn soak(seed: &str, faults: &[&str], jobs: usize) -> host_sim::soak::report::Report {
    let options = Options {
        seed: seed.to_owned(),
        stations: 4,
        hours: 6,
        voters: 10,
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
        cuts: 25,
        district: 2,
        jobs,
        ..Options::default()
    };
    run(&options, &|_, _| {}).unwrap()
}

#[test]
fn f2_f5_f10_laws_hold_under_cuts_and_a_seed_gives_the_same_run_on_one_thread_and_on_two() {
    let faults = ["power", "cut", "clock", "network", "postcard"];
    let one = soak("slice", &faults, 1);
    assert!(one.holds(), "{:#?}", one.violations);
    assert!(one.power_cuts >= 20, "{}", one.power_cuts);
    assert!(one.votes >= 40);
    let two = soak("slice", &faults, 2);
    assert_eq!(
        serde_json::to_string(&one).unwrap(),
        serde_json::to_string(&two).unwrap()
    );
    assert_ne!(one.written, soak("another", &faults, 2).written);
}

/// A slice of the run of 10,000,000 positions (tests/soak.md): the county ballot of 25 contests, each of its 86 places of every ballot
/// compared with what the voter chose.
#[test]
fn v8_a_slice_of_the_county_ballot_has_no_wrong_position() {
    let report = run(
        &Options {
            seed: "county-slice".to_owned(),
            election: "physical_ballot_def_3".to_owned(),
            stations: 4,
            voters: 12,
            faults: ["power", "cut", "clock", "network", "postcard"]
                .map(str::to_owned)
                .to_vec(),
            cuts: 400,
            ..Options::default()
        },
        &|_, _| {},
    )
    .unwrap();
    assert!(report.holds(), "{:#?}", report.violations);
    assert_eq!(report.positions, 86 * report.votes);
    assert!(report.votes >= 48 && report.laws["totals_are_the_voters"] > 100);
}

/// Polls are open for 13 hours, and five times as many come as the soak expects of a kiosk (six an hour).
#[test]
fn f7_a_whole_day_at_five_times_the_rate() {
    let report = run(
        &Options {
            seed: "rush".to_owned(),
            stations: 1,
            district: 1,
            voters: 390,
            faults: ["cut", "network", "postcard"].map(str::to_owned).to_vec(),
            ..Options::default()
        },
        &|_, _| {},
    )
    .unwrap();
    assert!(report.holds(), "{:#?}", report.violations);
    assert_eq!(report.numbers["counted"], 390);
}

#[test]
fn kani_2003_storage_fails_for_83_minutes_at_29_stations_and_no_vote_is_lost() {
    let faints = |station| {
        let at = When::At(2 * HOUR + 7 * MINUTE * station as u64 / 29);
        trouble(station, at, What::Medium(Side::Original, Illness::Faints(83 * MINUTE)))
    };
    let outcome = holds(&case("kani", 29, 87, (0..29).map(faints).collect()));
    assert_eq!(outcome.faults["faint"], 29);
}

#[test]
fn ebina_2003_original_written_and_copy_failed_gives_one_vote_and_not_two() {
    let copy_fails = trouble(0, When::Vote(1), What::Medium(Side::Duplicate, Illness::ReadOnly));
    let outcome = holds(&case("ebina", 1, 8, vec![copy_fails]));
    assert_eq!((outcome.numbers["takeovers"], outcome.numbers["duplicates"]), (1, 0));
}

#[test]
fn niimi_2004_the_original_cannot_be_read_and_the_duplicate_is_used() {
    let dies = trouble(0, When::At(4 * HOUR), What::Medium(Side::Original, Illness::Dies));
    let outcome = holds(&case("niimi", 1, 8, vec![dies]));
    // The dead medium is read again after the count: nothing counts twice.
    assert_eq!((outcome.numbers["takeovers"], outcome.numbers["late_media"]), (1, 1));
}

#[test]
fn sabae_2003_a_postcard_in_the_reader_stops_nobody() {
    let pushed = (1..6)
        .map(|hour| trouble(0, When::At(hour * HOUR), What::Postcard))
        .collect();
    holds(&case("sabae", 1, 12, pushed));
}

#[test]
fn shiroishi_stray_foreign_swapped_and_missing_media_are_refused_by_name() {
    for wrong in [
        Wrong::Stray,
        Wrong::Foreign,
        Wrong::Swapped,
        Wrong::Twice,
        Wrong::Missing,
    ] {
        let troubles = vec![
            trouble(0, When::At(HOUR), What::WrongMedia(wrong)),
            trouble(0, When::At(2 * HOUR), What::Cut),
        ];
        let outcome = holds(&case("shiroishi", 2, 8, troubles));
        assert_eq!(outcome.faults["wrong_media"], 1, "{wrong:?}");
    }
}

#[test]
fn f4_a_spare_takes_over_and_the_media_of_the_removed_kiosk_count_once() {
    for surviving in [Side::Original, Side::Duplicate] {
        let outcome = holds(&case(
            "spare",
            2,
            16,
            vec![trouble(0, When::At(3 * HOUR), What::TakeOver(surviving))],
        ));
        assert_eq!((outcome.numbers["takeovers"], outcome.numbers["late_media"]), (1, 1));
    }
}
