//! What must not go on, and what staff have to see before: a zero check that finds something, media and disks that fill up, parts that fail.

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use election::manifest::Mode;
use election::package::Package;

use super::desk;
use super::kiosks::*;
use super::machine::{Ran, layout, layout_for};
use super::people::Visit;
use super::platform::World;
use crate::ballot_box::{MediaFault, Role};
use crate::identity::PackageFault;
use crate::ports::{MediumError, ReaderError, Space};
use crate::run::Exit;
use crate::screen::{Fault, Health, Room};
use crate::session::WrongCard;

#[test]
fn a14_a_zero_check_that_finds_something_does_not_open() {
    // A whole vote of this very kiosk on one medium, before polls were ever opened.
    let voted = machine(Mode::Statutory);
    voted.come([casts(0)]);
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
    machine.come((0..4).map(casts));
    machine.come([Visit::LeaveMenu]);
    assert_eq!(machine.run(), Ran::Waiting);
    {
        let people = machine.world.people.borrow();
        assert_eq!(people.done.len(), 3);
        assert_eq!(people.refused, [(3, WrongCard::Full)], "refused before being let in");
        assert_eq!(people.room, Some(Room::Full));
    }
    assert_eq!(machine.world.lamp.get(), Some(crate::ports::Lamp::Call));
    machine.power_cycle();
    machine.come([Visit::Close]);
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

/// A name that the panel would leave blank stops the kiosk before polls open, wherever in the definition it stands.
#[test]
fn u3_a_text_that_would_be_blank_is_refused_and_said() {
    let machine = machine(Mode::Statutory);
    let package = Package::open(&machine.package, &desk::authority().public_key()).unwrap();
    let manifest = package.manifest;
    let mut all = vec![manifest.name, package.station.name];
    all.extend(manifest.epochs().map(|epoch| epoch.name));
    for contest in manifest.contests() {
        all.extend([contest.name, contest.text]);
        let options = contest.options.iter().map_while(Result::ok);
        all.extend(options.flat_map(|option| [option.name, option.party]));
    }
    let texts: Vec<_> = all
        .iter()
        .flat_map(|texts| texts.iter().map_while(Result::ok))
        .collect();
    assert!(texts.len() > 6);
    for text in texts {
        machine.world.blank.replace(Some(text.text.into()));
        assert_eq!(
            machine.run(),
            fault(Fault::Package(PackageFault::Letters), None),
            "{}",
            text.text
        );
        assert_eq!(machine.world.people.borrow().zero_reports, 0, "{}", text.text);
        machine.power_cycle();
    }
    machine.world.blank.replace(None);
    assert_eq!(machine.run(), Ran::Waiting);
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
