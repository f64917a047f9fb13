//! Closing, and what comes after it: no secret stays whatever dies meanwhile, the box can be counted, keys go when all has left.

use std::vec;
use std::vec::Vec;

use election::manifest::Mode;

use super::kiosks::*;
use super::machine::{Machine, Ran};
use super::people::{How, Visit};
use crate::ballot_box::{EntryKind, MediaFault, Reader, Role, media_for_tests as media};
use crate::ports::Item;
use crate::run::Exit;
use crate::screen::Fault;

#[test]
fn staff_are_warned_of_closing_with_fewer_votes_than_a_batch() {
    for (votes, few) in [(0, None), (1, Some(2)), (2, None)] {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        machine.come((0..votes).map(casts));
        machine.come([Visit::Close]);
        assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
        assert_eq!(machine.world.people.borrow().few, few, "{votes} votes");
    }
}

/// The duplicate dies at any step from the closing on, also while the closing is completed: a closed kiosk holds no E.
#[test]
fn the_secret_is_gone_as_soon_as_polls_are_closed() {
    let day = || {
        let machine = machine(Mode::Statutory);
        let visits = [few()[0].clone(), Visit::Close];
        machine.come(visits);
        machine.world.online.set(false);
        machine
    };
    let steps = {
        let machine = day();
        assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
        machine.media[0].power.borrow().steps
    };
    let secret = Item::Secret as u8;
    let mut halves = 0;
    for step in (0..steps).rev() {
        let machine = day();
        *machine.media[1].dies.borrow_mut() = Some(step);
        assert!(matches!(machine.run(), Ran::Ended(Exit::Fault { .. })), "{step}");
        if !media::run(stands_closed(&machine.media[1])).unwrap() {
            break;
        }
        assert!(!machine.world.items.borrow().contains_key(&secret), "{step}");
        halves += 1;
    }
    assert!(halves > 3, "{halves}");
    // Nor after a start that can write nothing, if a cut came between the event and the erasing.
    let mut starts = 0;
    for step in steps - halves - 2..steps {
        let machine = day();
        machine.media[0].power.borrow_mut().left = Some(step);
        assert_eq!(machine.run(), Ran::Cut, "{step}");
        machine.power_cycle();
        if !media::run(stands_closed(&machine.media[1])).unwrap() {
            continue;
        }
        machine.world.items.borrow_mut().insert(secret, vec![0; 80]);
        *machine.media[1].dead.borrow_mut() = true;
        // The original closes alone. What is whole on either medium stands.
        assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })), "{step}");
        assert!(!machine.world.items.borrow().contains_key(&secret), "{step}");
        starts += 1;
    }
    assert!(starts > 0);
}

/// E is gone also if the duplicate dies under the event that closes and never comes back.
#[test]
fn the_secret_is_gone_if_only_the_original_says_closed() {
    let day = || {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        machine.come([casts(0), Visit::Close]);
        machine
    };
    let machine = day();
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    let steps = machine.media[0].power.borrow().steps;
    let secret = Item::Secret as u8;
    let mut seen = [0, 0];
    for step in 0..steps {
        // Dies while running.
        let machine = day();
        *machine.media[1].dies.borrow_mut() = Some(step);
        let _ = machine.run();
        let closed = |machine: &Machine, at: usize| media::run(stands_closed(&machine.media[at])).unwrap();
        if closed(&machine, 0) && !closed(&machine, 1) {
            assert!(!machine.world.items.borrow().contains_key(&secret), "{step}");
            seen[0] += 1;
        }
        // Or the power goes and the duplicate is not there any more at the next start.
        let machine = day();
        machine.media[0].power.borrow_mut().left = Some(step);
        assert_eq!(machine.run(), Ran::Cut);
        machine.power_cycle();
        if closed(&machine, 0) && !closed(&machine, 1) {
            assert!(machine.world.items.borrow().contains_key(&secret), "the cut came first");
            *machine.media[1].deaf.borrow_mut() = true;
            assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
            assert!(!machine.world.items.borrow().contains_key(&secret), "{step}");
            seen[1] += 1;
        }
    }
    assert!(seen[0] >= 1 && seen[1] >= 1, "{seen:?}");
}

/// A medium dies at any step from the event that closes on, for writing or altogether: the next start completes the closing with the other one
/// alone, and with both again if it comes back. No vote is lost and the words stay the same.
#[test]
fn a8_a_medium_that_dies_while_polls_close_leaves_a_box_that_counts() {
    let day = || {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        machine.come([casts(0), voter(1, [1, 1], How::ChallengeFirst), Visit::Close]);
        machine
    };
    let machine = day();
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    let steps = machine.media[0].power.borrow().steps;
    let mut seen = [0, 0];
    for dying in [0, 1] {
        for step in steps - 14..steps {
            for deaf in [false, true] {
                let machine = day();
                *machine.media[dying].dies.borrow_mut() = Some(step);
                // It may die when nothing is written to it any more.
                let _ = machine.run();
                machine.world.pull();
                machine.world.people.borrow_mut().visits.clear();
                *machine.media[dying].deaf.borrow_mut() = deaf;
                if !media::run(stands_closed(&machine.media[1 - dying])).unwrap() {
                    continue;
                }
                let Ran::Ended(Exit::Closed { hash, .. }) = machine.run() else {
                    panic!("{dying} {step} {deaf}");
                };
                assert_eq!(votes(&machine, 1 - dying, Mode::Statutory).len(), 2);
                let alone = signed(&machine.media[1 - dying]);
                assert_eq!(alone, [hash], "{dying} {step} {deaf}");
                *machine.media[dying].dies.borrow_mut() = None;
                *machine.media[dying].deaf.borrow_mut() = false;
                machine.power_cycle();
                let Ran::Ended(Exit::Closed { hash: again, .. }) = machine.run() else {
                    panic!("{dying} {step} {deaf}");
                };
                assert_eq!(hash, again);
                judge(&machine, Mode::Statutory);
                for medium in &machine.media {
                    assert_eq!(signed(medium), [hash]);
                }
                seen[dying] += 1;
            }
        }
    }
    assert!(seen[0] >= 8 && seen[1] >= 8, "{seen:?}");
}

/// The hashes of the signed closings on a medium.
fn signed(medium: &media::Faulty) -> std::vec::Vec<election::hash::Digest> {
    let mut reader = media::run(Reader::open(medium.image())).unwrap().unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut found = vec![];
    while let Some(item) = media::run(reader.next(&mut buffer)).unwrap().unwrap() {
        if item.kind == EntryKind::Closing {
            found.push(
                election::wire::decode::<election::closing::Closing<'_>>(item.payload)
                    .unwrap()
                    .hash,
            );
        }
    }
    found
}

#[test]
fn a_closed_kiosk_is_made_ready_for_another_epoch_with_new_keys() {
    let machine = machine(Mode::Consultation);
    let before = request(&machine);
    machine.come(visits());
    machine.world.people.borrow_mut().retire = true;
    assert_eq!(machine.run(), Ran::Ended(Exit::Restart));
    let items: Vec<u8> = machine.world.items.borrow().keys().copied().collect();
    assert_eq!(items, [Item::Accepted as u8], "only which package was accepted is kept");
    // Registered anew; the closed media are another kiosk's now.
    assert_eq!(
        machine.run(),
        fault(Fault::Media(MediaFault::OtherKiosk(Role::Original)), None)
    );
    let people = machine.world.people.borrow();
    let offered = &people.retires_offered;
    assert!(
        offered.iter().all(|(unsent, retire)| *retire == (*unsent == 0)),
        "with a network the keys stay until everything has left: {offered:?}"
    );
    assert!(offered.iter().any(|(_, retire)| *retire));
    let after = request(&machine);
    assert_ne!((before.kiosk, before.sealing), (after.kiosk, after.sealing));
}

#[test]
fn a_closed_kiosk_with_a_network_that_is_down_keeps_its_keys_and_one_without_does_not_wait_for_ever() {
    for (mode, wanted) in [(Mode::Consultation, false), (Mode::Statutory, true)] {
        let machine = machine(mode);
        machine.world.online.set(false);
        machine.come(visits());
        machine.world.people.borrow_mut().retire = true;
        let ran = machine.run();
        let people = machine.world.people.borrow();
        let offered = people.retires_offered.last().copied();
        assert!(
            matches!(offered, Some((unsent, retire)) if unsent > 0 && retire == wanted),
            "{mode:?}: {offered:?}"
        );
        assert_eq!(ran == Ran::Ended(Exit::Restart), wanted, "{mode:?}: {ran:?}");
        let keys = machine.world.items.borrow().contains_key(&(Item::Identity as u8));
        assert_eq!(keys, !wanted, "{mode:?}");
    }
}
