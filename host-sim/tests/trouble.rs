//! Days on which something goes wrong, judged by what the voters did.

use host_sim::voters::habits::Habits;
use host_sim::world::media::Condition;
use host_sim::world::time::HOUR;
use host_sim::{MediumFailure, PlannedCut, Reissue, Replacement, Report, Scenario, bundled};
use kiosk::ballot_box::Role;

fn tsukuba(voters: u32) -> Scenario {
    Scenario::new(bundled::load("tsukuba-2015-referendum").unwrap())
        .voters(voters)
        .batch(2)
}

fn play(scenario: &Scenario) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let report = scenario.run(&folder.path().join("record")).unwrap();
    assert!(report.holds(), "{:#?}", report.wrong);
    report
}

/// Cuts at 150 different places of the day, many of them in the middle of a write: what the voters saw and what staff told
/// them is what is counted.
#[test]
fn f2_after_a_power_cut_zero_or_one_vote_stands_and_staff_know_which() {
    let habits = Habits {
        challenge: 300,
        pull_and_return: 300,
        ..Habits::plain()
    };
    let (mut interrupted, mut cuts) = (0, 0);
    for round in 0..6 {
        let mut scenario = tsukuba(20).habits(habits).seed(format!("cuts {round}"));
        for number in 0..25 {
            scenario = scenario.cut(PlannedCut {
                kiosk: 0,
                epoch: 0,
                boundary: number + round,
                torn: number % 2 == 1,
            });
        }
        let report = play(&scenario);
        assert_eq!(report.counted, 20);
        assert_eq!(report.admitted, report.recorded + report.abandoned + report.interrupted);
        interrupted += report.interrupted;
        cuts += report.power_cuts;
    }
    assert!(cuts > 100 && interrupted > 20, "{cuts} cuts, {interrupted} interrupted");
}

#[test]
fn f4_a_spare_takes_over_with_either_medium_and_the_old_one_is_counted_once() {
    for (surviving, counted_again) in [
        (Role::Original, true),
        (Role::Duplicate, false),
        (Role::Duplicate, true),
    ] {
        let report = play(&tsukuba(12).seed(format!("{surviving}")).replacement(Replacement {
            kiosk: 0,
            epoch: 0,
            at: 5 * HOUR,
            surviving,
            counted_again,
        }));
        assert_eq!((report.recorded, report.counted), (12, 12));
    }
}

#[test]
fn a1_a_reissued_package_makes_no_new_voters() {
    let habits = Habits {
        again_here: 1000,
        ..Habits::plain()
    };
    let report = play(&tsukuba(8).habits(habits).reissue(Reissue {
        kiosk: 0,
        epoch: 0,
        at: 5 * HOUR,
    }));
    assert_eq!((report.counted, report.refused), (8, 8));
}

/// The kiosk stops in front of a voter, staff read whether the vote stands, and the spare goes on with the other medium.
#[test]
fn f3_f4_a_medium_dies_under_a_vote_and_a_spare_goes_on() {
    for (role, surviving) in [(Role::Duplicate, Role::Original), (Role::Original, Role::Duplicate)] {
        for condition in [Condition::NoWrites, Condition::Dead] {
            let report = play(
                &tsukuba(10)
                    .seed(format!("{role} {condition:?}"))
                    .failure(MediumFailure {
                        kiosk: 0,
                        epoch: 0,
                        at: 4 * HOUR,
                        role,
                        condition,
                    })
                    .replacement(Replacement {
                        kiosk: 0,
                        epoch: 0,
                        at: 12 * HOUR,
                        surviving,
                        counted_again: condition == Condition::NoWrites,
                    }),
            );
            assert_eq!((report.recorded, report.counted), (10, 10));
        }
    }
}
