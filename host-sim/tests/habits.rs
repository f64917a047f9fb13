//! Every habit alone, with everybody having it: the record says what the voters did, whatever they do.

use election::manifest::{Mode, Policy};
use host_sim::voters::choices::Totals;
use host_sim::voters::habits::Habits;
use host_sim::world::time::HOUR;
use host_sim::{PlannedOutage, Report, Scenario, bundled};

const ALL: u16 = 1000;

fn kaga(voters: u32) -> Scenario {
    Scenario::new(bundled::load("kaga-consultation").unwrap())
        .voters(voters)
        .batch(2)
}

fn play(scenario: &Scenario) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let report = scenario.run(&folder.path().join("record")).unwrap();
    assert!(report.holds(), "{:#?}", report.wrong);
    assert_eq!(report.recorded, report.counted + report.duplicates + report.overwritten);
    report
}

fn habit(change: impl Fn(&mut Habits)) -> Report {
    let mut habits = Habits::plain();
    change(&mut habits);
    play(&kaga(3).habits(habits))
}

#[test]
fn people_who_know_what_they_want() {
    let report = habit(|_| {});
    assert_eq!(
        (report.admitted, report.recorded, report.counted, report.spoiled),
        (3, 3, 3, 0)
    );
}

#[test]
fn u2_v13_minds_change_overvotes_are_explained_and_staff_are_called() {
    let report = habit(|habits| {
        habits.change_of_mind = ALL;
        habits.overvote = ALL;
        habits.second_thoughts = ALL;
        habits.call_staff = ALL;
        habits.think_long = ALL;
        habits.upside_down = ALL;
        habits.wrong_pin = ALL;
    });
    assert_eq!((report.admitted, report.counted, report.refused), (3, 3, 0));
}

#[test]
fn challenged_ballots_open_to_what_was_chosen_and_do_not_count() {
    // One, one, and one more than is allowed.
    let report = habit(|habits| habits.challenge = ALL);
    assert_eq!((report.spoiled, report.counted), (1 + 1 + 3, 3));
}

#[test]
fn a18_ending_without_a_vote_is_a_ballot_of_no_votes() {
    let report = habit(|habits| habits.without_vote = ALL);
    assert_eq!((report.recorded, report.counted), (3, 3));
    assert!(
        report
            .totals
            .values()
            .flat_map(|options| options.values())
            .all(|votes| *votes == 0)
    );
    assert!(report.no_votes.values().all(|votes| *votes >= 3));
}

#[test]
fn leaving_consumes_nothing() {
    let report = habit(|habits| {
        habits.pull_and_return = ALL;
        habits.pull_and_go = ALL;
        habits.walk_away = ALL;
    });
    assert_eq!((report.admitted, report.abandoned, report.counted), (12, 9, 3));
}

#[test]
fn cards_that_cannot_vote_are_refused_by_name() {
    let report = habit(|habits| {
        habits.forget_pin = ALL;
        habits.not_on_roll = ALL;
        habits.expired = ALL;
    });
    assert_eq!((report.admitted, report.refused, report.refused_by.len()), (3, 9, 3));
}

#[test]
fn a1_a_second_vote_is_refused_here_and_not_counted_elsewhere() {
    let habits = Habits {
        again_here: ALL,
        ..Habits::plain()
    };
    let report = play(&kaga(3).habits(habits));
    assert_eq!((report.refused, report.recorded), (3, 3));
    let habits = Habits {
        again_elsewhere: ALL,
        ..Habits::plain()
    };
    let report = play(&kaga(6).kiosks(3).habits(habits));
    assert_eq!((report.recorded, report.counted, report.duplicates), (12, 6, 6));
}

#[test]
fn with_policy_last_the_later_epoch_counts() {
    let habits = Habits {
        again_later: ALL,
        ..Habits::plain()
    };
    let report = play(&kaga(5).kiosks(2).policy(Policy::Last).habits(habits));
    assert_eq!((report.recorded, report.counted, report.overwritten), (10, 5, 5));
}

#[test]
fn a21_a_statutory_election_needs_no_network() {
    let report = play(&kaga(9).kiosks(2).mode(Mode::Statutory).habits(Habits::usual()));
    assert_eq!((report.counted, report.mode), (9, "statutory"));
}

#[test]
fn a_day_without_a_network_loses_nothing() {
    let outage = PlannedOutage {
        kiosk: None,
        epoch: 0,
        from: 0,
        until: 48 * HOUR,
    };
    let report = play(&kaga(9).outages(vec![outage]));
    assert_eq!(report.counted, 9);
    assert!(report.batches > 1);
}

#[test]
fn given_totals_come_out_exactly() {
    let totals: Totals = [
        (
            "c-specialty".to_owned(),
            [("o-s1".to_owned(), 9), ("o-s9".to_owned(), 1), ("o-s4".to_owned(), 7)].into(),
        ),
        ("c-hours".to_owned(), [("o-no".to_owned(), 2)].into()),
    ]
    .into();
    let report = play(&kaga(9).kiosks(2).totals(totals.clone()).habits(Habits::usual()));
    for (contest, options) in &totals {
        for (option, votes) in options {
            assert_eq!(report.totals[contest][option], *votes, "{option}");
        }
    }
    assert_eq!(report.totals["c-bus"].values().sum::<u64>(), 0);
    assert_eq!(report.no_votes["c-specialty"], 27 - 17);
}
