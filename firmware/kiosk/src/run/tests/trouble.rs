//! What staff have to know and what must not go on: zero check, restarts, spares, full media, closing with few votes.

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use election::manifest::Mode;

use super::day::*;
use super::desk;
use super::platform::*;
use crate::ballot_box::{
    EntryKind, Label, MediaFault, Reader, Role, SPARE_ROLE, TakenOver, format, media_for_tests as media,
};
use crate::ports::{Item, MediumError, ReaderError, Space};
use crate::run::Exit;
use crate::screen::{Fault, Health, Recorded, Room};
use crate::session::WrongCard;

const fn fault(fault: Fault, recorded: Option<Recorded>) -> Ran {
    Ran::Ended(Exit::Fault { fault, recorded })
}

#[test]
fn a14_a_zero_check_that_finds_something_does_not_open() {
    // A whole vote of this very kiosk on one medium, before polls were ever opened.
    let voted = machine(Mode::Statutory);
    voted
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(0, [1, 1], How::Cast));
    assert_eq!(voted.run(), Ran::Waiting);
    let from = usize::try_from(voted.layout.slot_offset(0)).unwrap();
    for medium in 0..2 {
        let stuffed = machine(Mode::Statutory);
        {
            let mut disk = stuffed.media[medium].disk.borrow_mut();
            disk.durable[from..].copy_from_slice(&voted.media[medium].disk.borrow().durable[from..]);
            disk.live = disk.durable.clone();
        }
        assert_eq!(
            stuffed.run(),
            fault(Fault::Deficit { missing: -1 }, None),
            "a vote on medium {medium}, and nobody was let in"
        );
        assert_eq!(stuffed.world.people.borrow().zero_reports, 0, "no zero report is shown");
        // Nor a single byte that is no vote.
        let marked = machine(Mode::Statutory);
        {
            let mut disk = marked.media[medium].disk.borrow_mut();
            disk.durable[from + 700] = 0;
            disk.live = disk.durable.clone();
        }
        assert_eq!(marked.run(), fault(Fault::NotZero, None), "a byte on medium {medium}");
    }
}

#[test]
fn f10_media_whose_journal_cannot_carry_their_slots_are_not_opened() {
    let package = desk::package(Mode::Statutory, 1);
    let mut layout = layout(&package);
    layout.journal = 120;
    let machine = sized(Mode::Statutory, 1, layout);
    assert_eq!(
        machine.run(),
        fault(Fault::Media(MediaFault::TooSmall(Role::Original)), None)
    );
}

#[test]
fn f10_full_media_stop_the_polls_cleanly_and_staff_see_it_before() {
    let package = desk::package(Mode::Statutory, 1);
    let machine = sized(Mode::Statutory, 1, layout_for(&package, 3));
    machine.world.online.set(false);
    let mut people = machine.world.people.borrow_mut();
    for card in 0..4 {
        people.visits.push_back(voter(card, [1, 1], How::Cast));
    }
    people.visits.push_back(Visit::LeaveMenu);
    drop(people);
    assert_eq!(machine.run(), Ran::Waiting);
    {
        let people = machine.world.people.borrow();
        assert_eq!(people.done.len(), 3);
        assert_eq!(people.refused, [(3, WrongCard::Full)], "refused before being let in");
        assert_eq!(people.room, Some(Room::Full));
    }
    assert_eq!(machine.world.lamp.get(), Some(crate::ports::Lamp::Call));
    machine.power_cycle();
    machine.world.people.borrow_mut().visits.push_back(Visit::Close);
    let ended = machine.run();
    assert!(matches!(ended, Ran::Ended(Exit::Closed { .. })), "{ended:?}");
    judge(&machine, Mode::Statutory);
}

/// Before polls open the menu is looked at again by itself: a part that fails is named, each by its own name, and is well again when it works.
#[test]
fn f10_the_staff_menu_names_each_part_that_fails_and_only_as_long_as_it_fails() {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    let size = machine.media[0].disk.borrow().live.len() as u64;
    let full = Space {
        free: 1 << 20,
        size: 8 << 30,
    };
    let deaf = |medium: usize, now: bool| {
        let deaf = machine.media[medium].deaf.clone();
        move |_: &World| *deaf.borrow_mut() = now
    };
    // Taken from the end.
    machine.world.people.borrow_mut().waits = vec![
        Box::new(|world| {
            world.space.set(None);
            world.celsius.set(None);
        }),
        Box::new(move |world| {
            world.reader.set(Ok(()));
            world.space.set(Some(full));
            world.celsius.set(Some(Health::HOT));
        }),
        Box::new(|world| world.reader.set(Err(ReaderError::Gone))),
        Box::new(deaf(0, false)),
        {
            let (one, two) = (deaf(1, false), deaf(0, true));
            Box::new(move |world| {
                one(world);
                two(world);
            })
        },
        Box::new(deaf(1, true)),
    ];
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    let seen: Vec<_> = people
        .menus
        .iter()
        .map(|health| (health.media, health.reader, health.disk, health.celsius))
        .collect();
    let (good, missing) = (Ok(size), Err(MediumError::Missing));
    assert_eq!(
        seen,
        [
            ([good, good], Ok(false), None, None),
            ([good, missing], Ok(false), None, None),
            ([missing, good], Ok(false), None, None),
            ([good, good], Ok(false), None, None),
            ([good, good], Err(ReaderError::Gone), None, None),
            ([good, good], Ok(false), Some(full), Some(Health::HOT)),
            ([good, good], Ok(false), None, None),
        ]
    );
    assert!(full.is_low() && people.menus[5].is_hot() && !people.menus[4].is_hot());
    assert!(
        people.menus.windows(2).all(|two| two[0].seconds < two[1].seconds),
        "a clock that stands still"
    );
    assert!(people.zero_reports > 0, "and polls opened all the same");
}

/// What a disk's room says: a twentieth, and on larger disks 64 MiB.
#[test]
fn f10_a_disk_is_called_low_before_it_is_full() {
    let low = |free, size| Space { free, size }.is_low();
    assert!(low(0, 20) && low(0, 1 << 40) && low((64 << 20) - 1, 2 << 30) && low(49, 1_000));
    assert!(!low(50, 1_000) && !low(1 << 30, 16 << 30) && !low(0, 0));
}

/// A package that is right and too large for this panel stops the kiosk with words, before anything is drawn from it, and however often it starts.
#[test]
fn f10_pictures_that_a_panel_has_no_memory_for_are_refused_and_said() {
    let mut machine = machine(Mode::Statutory);
    machine.package = desk::package(Mode::Statutory, 2);
    machine.world.panel_room.set(0);
    let (before, _) = (machine.world.pictures.get(), machine.power_cycle());
    for _ in 0..2 {
        assert_eq!(machine.run(), fault(Fault::Buffers, None));
        assert_eq!(machine.world.pictures.get(), before);
        machine.power_cycle();
    }
    machine.world.panel_room.set(usize::MAX);
    assert_eq!(machine.run(), Ran::Waiting);
}

#[test]
fn staff_are_warned_of_closing_with_fewer_votes_than_a_batch() {
    for (votes, few) in [(0, None), (1, Some(2)), (2, None)] {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        let mut people = machine.world.people.borrow_mut();
        for card in 0..votes {
            people.visits.push_back(voter(card, [1, 1], How::Cast));
        }
        people.visits.push_back(Visit::Close);
        drop(people);
        assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
        assert_eq!(machine.world.people.borrow().few, few, "{votes} votes");
    }
}

/// A restart hours after the last voter says nothing of that voter; one while "done" was still being read does.
#[test]
fn f2_a_restart_speaks_only_of_who_was_in_the_booth() {
    for (lingers, told) in [(false, None), (true, Some(Recorded::Yes))] {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        {
            let mut people = machine.world.people.borrow_mut();
            people.visits.push_back(voter(0, [1, 1], How::Cast));
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
        machine
            .world
            .people
            .borrow_mut()
            .visits
            .push_back(voter(0, [1, 1], How::Cast));
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
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(0, [1, 1], How::Cast));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    let steps = machine.media[0].power.borrow().steps;
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(1, [1, 1], How::Cast));
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
        machine
            .world
            .people
            .borrow_mut()
            .visits
            .push_back(voter(1, [1, 1], How::Cast));
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
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .extend([voter(1, [1, 1], How::Cast), voter(1, [1, 1], How::Cast)]);
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    assert_eq!((people.done.len(), people.refused.len()), (2, 1), "one vote, not two");
}

/// E is gone also if the duplicate dies under the event that closes and never comes back.
#[test]
fn the_secret_is_gone_if_only_the_original_says_closed() {
    let day = || {
        let machine = machine(Mode::Statutory);
        machine.world.online.set(false);
        let mut people = machine.world.people.borrow_mut();
        people.visits.push_back(voter(0, [1, 1], How::Cast));
        people.visits.push_back(Visit::Close);
        drop(people);
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
        let mut people = machine.world.people.borrow_mut();
        people
            .visits
            .extend([voter(0, [1, 1], How::Cast), voter(1, [1, 1], How::ChallengeFirst)]);
        people.visits.push_back(Visit::Close);
        drop(people);
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

/// A spare's media fit nothing but a takeover; in one they take whichever place is free.
#[test]
fn f4_a_spare_starts_only_with_the_surviving_medium() {
    for survivor in [0, 1] {
        let first = machine(Mode::Statutory);
        first.world.online.set(false);
        for card in 0..3 {
            first
                .world
                .people
                .borrow_mut()
                .visits
                .push_back(voter(card, [1, 1], How::Cast));
        }
        assert_eq!(first.run(), Ran::Waiting);
        first.power_cycle();
        let spare = kiosk(Mode::Statutory, 2);
        spare.world.online.set(false);
        let request = spare.world.items.borrow()[&(Item::Request as u8)].clone();
        let request: crate::identity::Request = election::wire::decode(&request).unwrap();
        let power = spare.media[0].power.clone();
        let blank = |name: u8| {
            let mut medium = media::Faulty::new(spare.layout.size(), name, &power);
            let label = Label {
                election: request.election,
                kiosk: election::ledger::kiosk_id(&request.kiosk.0),
                station: desk::STATION,
                epoch: 0,
                pair: [9; 16],
                role: SPARE_ROLE,
                layout: spare.layout,
                takeover: None::<TakenOver>,
            };
            media::run(format(&mut medium, &label, &mut vec![0; 512]))
                .unwrap()
                .unwrap();
            medium
        };
        // By itself it is no ballot box, however the two are put in.
        let alone = with_media(&spare, [blank(0), blank(1)]);
        assert_eq!(
            alone.run(),
            fault(Fault::Media(MediaFault::Spare(Role::Original)), None)
        );
        let mut half = [spare.media[0].clone(), spare.media[1].clone()];
        half[survivor] = blank(u8::try_from(survivor).unwrap());
        assert!(matches!(
            with_media(&spare, half).run(),
            Ran::Ended(Exit::Fault {
                fault: Fault::Media(MediaFault::Spare(_)),
                ..
            })
        ));
        // With the surviving medium it takes over; also if the power goes between its two labels.
        for cut in [None, Some(0), Some(1), Some(2), Some(3)] {
            let mut media = [blank(0), blank(1)];
            media[survivor] = first.media[survivor].image();
            media[survivor].power = power.clone();
            spare.world.items.borrow_mut().remove(&(Item::Progress as u8));
            let machine = with_media(&spare, media);
            power.borrow_mut().left = cut;
            spare.world.people.borrow_mut().restarted.clear();
            let ran = machine.run();
            if cut.is_some() {
                assert_eq!(ran, Ran::Cut);
                machine.power_cycle();
                // The cut may have come after the label that hands over; else the takeover is signed once more.
                let again = machine.run();
                assert!(
                    again == Ran::Ended(Exit::Restart) || again == Ran::Waiting,
                    "{cut:?} {again:?}"
                );
            } else {
                assert_eq!(ran, Ran::Ended(Exit::Restart));
            }
            machine.power_cycle();
            assert_eq!(machine.run(), Ran::Waiting, "{cut:?}");
            let people = machine.world.people.borrow();
            let found = people.restarted.first().unwrap();
            assert!(found.taken_over, "{cut:?}");
            assert_eq!(found.voter, Some(Recorded::Yes), "the last whom the old kiosk let in");
            assert_eq!(votes(&machine, 1 - survivor, Mode::Statutory).len(), 3);
            drop(people);
            machine.power_cycle();
        }
    }
}
