//! What a restart says of whoever was in the booth: recorded, not recorded, or not known yet.

use election::manifest::Mode;

use super::kiosks::*;
use super::machine::Ran;
use super::people::Visit;
use crate::ballot_box::{MediaFault, Role};
use crate::ports::MediumError;
use crate::run::Exit;
use crate::screen::{Fault, Recorded};

#[test]
fn f3_a_dead_duplicate_halts_the_kiosk_and_the_restart_says_what_stands() {
    let machine = machine(Mode::Consultation);
    machine.come([casts(0)]);
    assert_eq!(machine.run(), Ran::Waiting, "open, idle");
    machine.power_cycle();
    *machine.media[1].dead.borrow_mut() = true;
    machine.come([casts(1)]);
    // The start itself writes to the log.
    let Ran::Ended(Exit::Fault { fault, .. }) = machine.run() else {
        panic!()
    };
    assert!(matches!(fault, Fault::Medium(Role::Duplicate, _)), "{fault:?}");
    *machine.media[1].dead.borrow_mut() = false;
    machine.power_cycle();
    machine.come([Visit::Close]);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    assert_eq!(machine.world.people.borrow().done.len(), 2);
    judge(&machine, Mode::Consultation);
}

/// A restart hours after the last voter says nothing of that voter; one while "done" was still being read does.
#[test]
fn f2_a_restart_speaks_only_of_who_was_in_the_booth() {
    for (lingers, told) in [(false, None), (true, Some(Recorded::Yes))] {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        {
            let mut people = machine.world.people.borrow_mut();
            people.visits.push_back(casts(0));
            people.lingers = lingers;
        }
        assert_eq!(machine.run(), Ran::Waiting);
        machine.power_cycle();
        assert_eq!(machine.run(), Ran::Waiting);
        assert_eq!(machine.world.people.borrow().restarted.last().unwrap().voter, told);
        // Told once: the next restart is silent about it.
        machine.power_cycle();
        assert_eq!(machine.run(), Ran::Waiting);
        assert_eq!(machine.world.people.borrow().restarted.last().unwrap().voter, None);
    }
}

/// What staff have not read yet is said again, however often the power goes while the kiosk recovers.
#[test]
fn f2_what_staff_have_not_read_is_said_again() {
    let day = |cut| {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        machine.come([casts(0)]);
        machine.media[0].power.borrow_mut().left = cut;
        machine
    };
    let machine = day(None);
    assert_eq!(machine.run(), Ran::Waiting);
    let steps = machine.media[0].power.borrow().steps;
    // The last write is the vote's to the duplicate; four before it are the vote.
    for (cut, told) in [(steps - 1, Recorded::Yes), (steps - 4, Recorded::No)] {
        for again in 0..8 {
            let machine = day(Some(cut));
            assert_eq!(machine.run(), Ran::Cut);
            machine.power_cycle();
            machine.world.people.borrow_mut().visits.clear();
            machine.media[0].power.borrow_mut().left = Some(again);
            let cut_again = machine.run() == Ran::Cut;
            machine.power_cycle();
            if cut_again {
                assert!(machine.world.people.borrow().restarted.is_empty(), "{cut} {again}");
                assert_eq!(machine.run(), Ran::Waiting, "{cut} {again}");
            }
            let people = machine.world.people.borrow();
            assert_eq!(people.restarted.len(), 1);
            assert_eq!(people.restarted[0].voter, Some(told), "{cut} {again}");
        }
    }
}

/// The original dies under a vote: unknown, and it stays unknown, also over restarts, until a pair can be read.
#[test]
fn f3_unknown_blocks_a_second_vote_until_it_is_resolved() {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    machine.come([casts(0)]);
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    let steps = machine.media[0].power.borrow().steps;
    machine.come([casts(1)]);
    // After the start's entry and the admission: the original takes the vote and cannot sync it.
    *machine.media[0].dies.borrow_mut() = Some(steps + 4 + 4 + 1);
    assert_eq!(
        machine.run(),
        fault(
            Fault::Medium(Role::Original, MediumError::Write),
            Some(Recorded::Unknown)
        )
    );
    machine.world.pull();
    // Whoever comes meanwhile, the kiosk takes nobody: it does not even come up while the original can neither be read nor written.
    for _ in 0..2 {
        *machine.media[0].deaf.borrow_mut() = true;
        machine.come([casts(1)]);
        let ran = machine.run();
        assert_eq!(
            ran,
            fault(
                Fault::Media(MediaFault::Device(Role::Original, MediumError::Missing)),
                Some(Recorded::Unknown)
            )
        );
        assert_eq!(machine.world.people.borrow().done.len(), 1);
    }
    // The medium is back: the restart knows, and staff read it. It was in the device's cache only, and is gone.
    machine.world.people.borrow_mut().visits.clear();
    *machine.media[0].deaf.borrow_mut() = false;
    *machine.media[0].dies.borrow_mut() = None;
    machine.power_cycle();
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(
        machine.world.people.borrow().restarted.last().unwrap().voter,
        Some(Recorded::No)
    );
    machine.power_cycle();
    machine.come([casts(1), casts(1)]);
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    assert_eq!((people.done.len(), people.refused.len()), (2, 1), "one vote, not two");
}
