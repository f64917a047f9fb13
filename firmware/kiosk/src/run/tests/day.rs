//! Whole days of polls.

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use election::batch::Kind;
use election::ledger::Transaction;
use election::manifest::Mode;

use super::cards::Card;
use super::desk;
use super::platform::*;
use crate::ballot_box::{
    Label, MediaFault, Reader, Role, SlotState, TakenOver, buffer_len, format, media_for_tests as media,
};
use crate::ports::Item;
use crate::run::Exit;
use crate::screen::{Fault, Recorded, WrongStaffCard};
use crate::session::WrongCard;

pub(super) fn voter(card: u8, choice: [u64; 2], how: How) -> Visit {
    Visit::Voter {
        card,
        pin: *b"1234",
        choice,
        how,
    }
}

pub(super) fn visits() -> Vec<Visit> {
    vec![
        voter(0, [0b001, 0b0011], How::Cast),
        voter(1, [0b010, 0b1000], How::ChallengeFirst),
        voter(2, [0b100, 0], How::PullCard),
        voter(3, [0, 0b0110], How::Cast),
        voter(0, [0b010, 0b0011], How::Cast),
        voter(desk::VOTERS - 1, [0b001, 0], How::Cast),
        voter(4, [0b001, 0b0101], How::EndWithoutVote),
        voter(2, [0b100, 0b1100], How::Cast),
        voter(5, [0b100, 0b1001], How::Cast),
        Visit::Close,
    ]
}

/// What the voters of [`visits`] chose, as they see it.
fn chosen() -> BTreeMap<u8, [u64; 2]> {
    BTreeMap::from([
        (0, [0b001, 0b0011]),
        (1, [0b010, 0b1000]),
        (2, [0b100, 0b1100]),
        (3, [0, 0b0110]),
        (4, [0, 0]),
        (5, [0b100, 0b1001]),
    ])
}

/// A kiosk with a fresh pair of media, registered.
pub(super) fn machine(mode: Mode) -> Machine {
    kiosk(mode, 1)
}

/// As [`machine`], with keys of its own.
pub(super) fn kiosk(mode: Mode, seed: u8) -> Machine {
    let package = desk::package(mode, 1);
    let layout = layout(&package);
    sized(mode, seed, layout)
}

/// As [`kiosk`], on media of this layout.
pub(super) fn sized(mode: Mode, seed: u8, layout: crate::ballot_box::Layout) -> Machine {
    let package = desk::package(mode, 1);
    let world = World::new(seed.into());
    let opened = election::package::Package::open(&package, &desk::authority().public_key()).unwrap();
    let mut genesis = vec![0; 4096];
    *world.genesis.borrow_mut() = election::wire::encode(&opened.genesis, &mut genesis).unwrap().to_vec();
    let power = media::Power::new();
    let machine = Machine {
        world,
        media: [
            media::Faulty::new(layout.size(), 0, &power),
            media::Faulty::new(layout.size(), 1, &power),
        ],
        with_uplink: mode == Mode::Consultation,
        layout,
        package,
    };
    // Provisioning comes before the desk can format the media for this kiosk.
    assert_eq!(
        machine.run(),
        Ran::Ended(Exit::Fault {
            fault: Fault::Media(MediaFault::Stray(Role::Original)),
            recorded: None
        })
    );
    machine.world.people.borrow_mut().faults.clear();
    let request = machine
        .world
        .items
        .borrow()
        .get(&(Item::Request as u8))
        .cloned()
        .unwrap();
    let request: crate::identity::Request = election::wire::decode(&request).unwrap();
    for (role, medium) in [Role::Original, Role::Duplicate].into_iter().zip(&machine.media) {
        let label = Label {
            election: request.election,
            kiosk: election::ledger::kiosk_id(&request.kiosk.0),
            station: desk::STATION,
            epoch: 0,
            pair: [seed; 16],
            role: role as u8,
            layout,
            takeover: None::<TakenOver>,
        };
        media::run(format(&mut medium.clone(), &label, &mut vec![0; 512]))
            .unwrap()
            .unwrap();
    }
    machine.media[0].power.borrow_mut().steps = 0;
    machine
}

/// What stands on a medium: tag -> choice, opened with the trustees' key.
pub(super) fn votes(machine: &Machine, medium: usize, mode: Mode) -> BTreeMap<[u8; 32], Vec<u64>> {
    let mut reader = media::run(Reader::open(machine.media[medium].clone()))
        .unwrap()
        .unwrap();
    let mut buffer = vec![0; buffer_len(&machine.layout, 2)];
    let mut found = BTreeMap::new();
    for slot in 0..reader.slots() {
        if let SlotState::Whole(record) = media::run(reader.slot(slot, &mut buffer)).unwrap().unwrap()
            && record.kind == Kind::Cast
        {
            let choice = desk::open(mode, record.ballot);
            let before = found.insert(record.tag, choice.clone());
            assert!(before.is_none_or(|before| before == choice), "one tag, two votes");
        }
    }
    found
}

/// The tag a voter's card has.
pub(super) fn tag(machine: &Machine, voter: u8) -> [u8; 32] {
    let package = election::package::Package::open(&machine.package, &desk::authority().public_key()).unwrap();
    let point = election::tag::piv_point(package.election()).unwrap();
    let key = Card::new(voter);
    let shared = point.projective() * **key.agree.as_nonzero_scalar();
    let shared = election::group::Point::from_projective(&shared).unwrap();
    desk::secret().tag(&election::tag::Pseudonym::piv(&shared))
}

pub(super) fn judge(machine: &Machine, mode: Mode) {
    let done = machine.world.people.borrow().done.clone();
    for medium in 0..2 {
        let found = votes(machine, medium, mode);
        for (voter, choice) in &done {
            assert_eq!(
                found.get(&tag(machine, *voter)),
                Some(&choice.to_vec()),
                "no_ballot_lost: {voter}"
            );
        }
        let casting = machine.world.people.borrow().casting;
        let known: Vec<[u8; 32]> = done
            .keys()
            .copied()
            .chain(casting)
            .map(|voter| tag(machine, voter))
            .collect();
        assert!(found.keys().all(|tag| known.contains(tag)), "a vote nobody cast");
    }
}

#[test]
fn a_day_from_provisioning_to_closing() {
    let machine = machine(Mode::Consultation);
    machine.world.people.borrow_mut().visits.extend(visits());
    let Ran::Ended(Exit::Closed { hash, unsent: 0 }) = machine.run() else {
        panic!("not closed");
    };
    judge(&machine, Mode::Consultation);
    let people = machine.world.people.borrow();
    assert_eq!(people.done, chosen());
    // A1: the same card again; and a card that is not on the roll.
    assert_eq!(
        people.refused,
        [(0, WrongCard::Voted), (desk::VOTERS - 1, WrongCard::NotOnRoll)]
    );
    assert_eq!(people.opened.len(), 2, "a QR code a contest");
    assert_eq!(people.zero_reports, 1);
    assert_eq!(people.closed.as_ref().unwrap().0, hash);
    assert_eq!(people.closed.as_ref().unwrap().1.len(), 12);
    assert!(people.tries.iter().all(|tries| *tries == 3));
    // E is wiped.
    assert!(!machine.world.items.borrow().contains_key(&(Item::Secret as u8)));
    // What reached the ledger: the registration, then batches of k, then the rest with the spoiled code and the closing hash.
    let ledger = machine.world.ledger.borrow();
    let mut codes = Vec::new();
    let mut spoiled = 0;
    let mut previous = [0; 32];
    let mut audit = Vec::new();
    for (index, transaction) in ledger.iter().enumerate() {
        match Transaction::read(transaction).unwrap() {
            Transaction::Register { body, staff } => {
                assert_eq!(index, 0);
                let mut message = [0; 512];
                let message = election::wire::encode(&body, &mut message).unwrap();
                let genesis = machine.world.genesis.borrow();
                let genesis = election::ledger::Genesis::read(&genesis).unwrap();
                let label = "ippyo/1/sign/staff/register";
                election::ledger::check_staff_pair(&genesis, election::ledger::role::PROVISIONS, label, message, staff)
                    .unwrap();
            }
            Transaction::Batch(batch) => {
                let last = index == ledger.len() - 1;
                assert_eq!(batch.header.number, u32::try_from(index - 1).unwrap());
                assert_eq!(batch.header.previous, previous);
                assert_eq!(batch.header.closing, last.then_some(hash));
                batch.check_entries().unwrap();
                assert!(last || batch.header.count == 2, "k while polls are open");
                previous = batch.header.hash();
                audit.push(batch.header.audit);
                for entry in batch.entries.iter().map(Result::unwrap) {
                    if entry.kind == Kind::Cast {
                        codes.push(entry.code);
                    } else {
                        assert!(last, "spoiled codes leave at closing");
                        spoiled += 1;
                    }
                }
            }
            _ => panic!("nothing else"),
        }
    }
    assert_eq!((codes.len(), spoiled), (6, 1));
    // Everybody finds their code, but who ended without a vote was shown none.
    assert!(people.codes.iter().all(|code| codes.contains(code)));
    assert_eq!(people.codes.len(), 5);
}

#[test]
fn a11_closed_stays_closed_through_the_whole_kiosk() {
    let machine = machine(Mode::Consultation);
    machine.world.people.borrow_mut().visits.extend(visits());
    let first = machine.run();
    let sent = machine.world.ledger.borrow().len();
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(6, [1, 1], How::Cast));
    assert_eq!(machine.run(), first, "the same closing again");
    assert_eq!(machine.world.ledger.borrow().len(), sent);
    assert!(!machine.world.people.borrow().done.contains_key(&6));
    // Nor with a fresh pair of media for the same key.
    let other = relabelled(&machine);
    assert_eq!(
        other.run(),
        Ran::Ended(Exit::Fault {
            fault: Fault::Media(MediaFault::OtherPair),
            recorded: None
        })
    );
}

/// The same kiosk with a freshly formatted pair of another name.
fn relabelled(machine: &Machine) -> Machine {
    let package = election::package::Package::open(&machine.package, &desk::authority().public_key()).unwrap();
    let request = machine
        .world
        .items
        .borrow()
        .get(&(Item::Request as u8))
        .cloned()
        .unwrap();
    let request: crate::identity::Request = election::wire::decode(&request).unwrap();
    let power = media::Power::new();
    let media = [Role::Original, Role::Duplicate].map(|role| {
        let mut medium = media::Faulty::new(machine.layout.size(), role as u8, &power);
        let label = Label {
            election: *package.election(),
            kiosk: election::ledger::kiosk_id(&request.kiosk.0),
            station: desk::STATION,
            epoch: 0,
            pair: [77; 16],
            role: role as u8,
            layout: machine.layout,
            takeover: None,
        };
        media::run(format(&mut medium, &label, &mut vec![0; 512]))
            .unwrap()
            .unwrap();
        medium
    });
    Machine {
        media,
        world: machine.world.clone(),
        package: machine.package.clone(),
        with_uplink: machine.with_uplink,
        layout: machine.layout,
    }
}

#[test]
fn f2_the_power_may_go_at_every_write_of_a_day() {
    let steps = {
        let machine = machine(Mode::Consultation);
        machine.world.people.borrow_mut().visits.extend(visits());
        machine.run();
        machine.media[0].power.borrow().steps
    };
    assert!(steps > 100);
    // Every third boundary here, with all ways of tearing in turn; the box alone goes through all of them.
    for cut in (0..steps).step_by(3) {
        let machine = machine(Mode::Consultation);
        machine.world.people.borrow_mut().visits.extend(visits());
        {
            let mut power = machine.media[0].power.borrow_mut();
            power.left = Some(cut);
            power.tear = media::TEARS[usize::try_from(cut / 3 % 4).unwrap()];
            power.chance = u64::from(cut) + 1;
        }
        assert_eq!(machine.run(), Ran::Cut, "{cut}");
        let standing = machine.world.people.borrow().casting;
        machine.power_cycle();
        let ended = machine.run();
        assert!(
            matches!(ended, Ran::Ended(Exit::Closed { unsent: 0, .. })),
            "{cut}: {ended:?}"
        );
        let mut people = machine.world.people.borrow_mut();
        // Whoever was casting either has a vote, was told so by staff and is refused a second one; or voted after the restart.
        if let Some(voter) = standing
            && !people.done.contains_key(&voter)
        {
            assert_eq!(people.restarted.last().unwrap().voter, Some(Recorded::Yes), "{cut}");
            assert!(people.refused.contains(&(voter, WrongCard::Voted)), "{cut}");
            people.done.insert(voter, chosen()[&voter]);
        }
        assert_eq!(people.done, chosen(), "{cut}");
        drop(people);
        judge(&machine, Mode::Consultation);
    }
}

#[test]
fn a_day_offline_loses_nothing_and_a_liar_is_not_believed() {
    let machine = machine(Mode::Consultation);
    machine.world.online.set(false);
    machine.world.people.borrow_mut().visits.extend(visits());
    let Ran::Ended(Exit::Closed { unsent, .. }) = machine.run() else {
        panic!("not closed");
    };
    assert_eq!(unsent, 4, "the registration, two batches of k, the last one");
    assert!(machine.world.ledger.borrow().is_empty());
    // Back online, with a gateway that lies at first.
    machine.world.online.set(true);
    machine.world.lies.set(3);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { unsent: 0, .. })));
    assert_eq!(machine.world.ledger.borrow().len(), 4);
    assert_eq!(machine.world.lies.get(), 0);
}

#[test]
fn a21_a_statutory_kiosk_has_no_uplink_and_everything_is_on_the_medium() {
    let mut machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    machine.world.people.borrow_mut().visits.extend(visits());
    let ended = machine.run();
    assert!(matches!(ended, Ran::Ended(Exit::Closed { unsent: 4, .. })), "{ended:?}");
    judge(&machine, Mode::Statutory);
    for medium in &machine.media {
        let mut reader = media::run(Reader::open(medium.clone())).unwrap().unwrap();
        let mut buffer = vec![0; buffer_len(&machine.layout, 2)];
        let mut transactions = 0;
        while let Some(item) = media::run(reader.next(&mut buffer)).unwrap().unwrap() {
            transactions += u32::from(item.kind == crate::ballot_box::EntryKind::Transaction);
        }
        assert_eq!(transactions, 4);
    }
    machine.with_uplink = true;
    assert_eq!(
        machine.run(),
        Ran::Ended(Exit::Fault {
            fault: Fault::UplinkInStatutory,
            recorded: None
        })
    );
}

#[test]
fn a_wrong_pin_costs_two_tries_and_the_last_is_warned_of() {
    let machine = machine(Mode::Consultation);
    {
        let mut people = machine.world.people.borrow_mut();
        people.visits.push_back(Visit::Voter {
            card: 0,
            pin: *b"9999",
            choice: [1, 1],
            how: How::Cast,
        });
        people.visits.push_back(voter(1, [1, 1], How::Cast));
        people.visits.push_back(Visit::Close);
    }
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    let people = machine.world.people.borrow();
    assert_eq!(people.last_tries, 1);
    assert_eq!(
        machine.world.cards.borrow()[&0].tries,
        1,
        "the last try is the voter's own"
    );
    assert_eq!(people.done.keys().copied().collect::<Vec<_>>(), [1]);
    // 3, 2 for this voter; everybody else saw 3.
    assert_eq!(people.tries.iter().filter(|tries| **tries == 2).count(), 1);
}

/// Between the first look at a card and the PIN its tries drop to one: nothing was tried, so nothing was wrong.
#[test]
fn the_last_try_is_warned_of_and_not_called_wrong() {
    let machine = machine(Mode::Consultation);
    {
        let mut people = machine.world.people.borrow_mut();
        people.visits.push_back(voter(0, [1, 1], How::Cast));
        people.drops = true;
        people.accepts_last_try = true;
    }
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    assert_eq!(people.last_tries, 1);
    assert!(!people.wrong, "no PIN was wrong");
    assert_eq!(people.done.len(), 1, "the right PIN is taken");
}

/// Staff walk away from the menu, and from the question: the kiosk goes on by itself. That no count is seen without a card, [`People`] judge on all days.
#[test]
fn a14_staff_screens_close_and_show_counts_only_behind_a_card() {
    let machine = machine(Mode::Consultation);
    {
        let mut people = machine.world.people.borrow_mut();
        people.visits.push_back(voter(0, [1, 1], How::Cast));
        people.visits.push_back(Visit::LeaveMenu);
        people.visits.push_back(voter(1, [1, 1], How::Cast));
        people.visits.push_back(Visit::LeaveQuestion);
        people.visits.push_back(voter(2, [1, 1], How::Cast));
    }
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.people.borrow().done.len(), 3);
    assert_eq!(machine.world.people.borrow().counts_seen, 1);
    machine.power_cycle();
    machine.world.people.borrow_mut().visits.push_back(Visit::Close);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
}

/// Every voter takes the card out the moment the vote is recorded, and can still read that it is (U6).
#[test]
fn u6_done_stays_for_a_while_after_the_card_is_out() {
    let machine = machine(Mode::Consultation);
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(0, [1, 1], How::Cast));
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    let (taken, left) = (people.taken.unwrap(), people.done_left.unwrap());
    assert!(left >= taken + 3_000, "{taken} {left}");
}

#[test]
fn a7_v11_two_different_staff_cards_with_the_right_are_needed() {
    let machine = machine(Mode::Consultation);
    {
        let mut people = machine.world.people.borrow_mut();
        // Opening: a voter's card, a helper's card, a staff card twice, then the second one.
        people
            .staff
            .extend([0, desk::HELPER, desk::STAFF[0], desk::STAFF[0], desk::STAFF[1]]);
        people.visits.push_back(Visit::Close);
    }
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    assert_eq!(
        machine.world.people.borrow().staff_refused,
        [
            WrongStaffCard::NotStaff,
            WrongStaffCard::NoRight,
            WrongStaffCard::SameCard
        ]
    );
}

#[test]
fn f3_a_dead_duplicate_halts_the_kiosk_and_the_restart_says_what_stands() {
    let machine = machine(Mode::Consultation);
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(0, [1, 1], How::Cast));
    assert_eq!(machine.run(), Ran::Waiting, "open, idle");
    machine.power_cycle();
    *machine.media[1].dead.borrow_mut() = true;
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .push_back(voter(1, [1, 1], How::Cast));
    // The start itself writes to the log.
    let Ran::Ended(Exit::Fault { fault, .. }) = machine.run() else {
        panic!()
    };
    assert!(matches!(fault, Fault::Medium(Role::Duplicate, _)), "{fault:?}");
    *machine.media[1].dead.borrow_mut() = false;
    machine.power_cycle();
    machine.world.people.borrow_mut().visits.push_back(Visit::Close);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    assert_eq!(machine.world.people.borrow().done.len(), 2);
    judge(&machine, Mode::Consultation);
}

#[test]
fn a_stuck_random_source_stops_the_kiosk_before_it_encrypts() {
    let machine = machine(Mode::Consultation);
    machine.world.stuck.set(true);
    assert_eq!(
        machine.run(),
        Ran::Ended(Exit::Fault {
            fault: Fault::Entropy,
            recorded: None
        })
    );
}

#[test]
fn packages_that_are_older_or_changed_are_refused() {
    use crate::identity::PackageFault;
    use election::package::PackageError;
    let mut machine = machine(Mode::Consultation);
    machine.package = desk::package(Mode::Consultation, 3);
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.pictures.get(), (1, 2), "the panel is told how names look");
    machine.power_cycle();
    machine.package = desk::package(Mode::Consultation, 2);
    let refused = |machine: &Machine| match machine.run() {
        Ran::Ended(Exit::Fault {
            fault: Fault::Package(PackageFault::Refused(error)),
            ..
        }) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&machine), PackageError::Older { held: 3, given: 2 });
    machine.package = desk::package(Mode::Statutory, 4);
    assert_eq!(refused(&machine), PackageError::OtherElection);
    // Another picture under a name: the panel never hears of it.
    machine.package = desk::package(Mode::Consultation, 5);
    *machine.package.last_mut().unwrap() ^= 0x10;
    assert_eq!(
        refused(&machine),
        PackageError::SectionHash(election::package::Kind::Pictures)
    );
    assert_eq!(machine.world.pictures.get(), (1, 2));
}

#[test]
fn f6_an_older_copy_of_the_media_is_refused() {
    let machine = machine(Mode::Consultation);
    let mut early = None;
    {
        let mut people = machine.world.people.borrow_mut();
        people.visits.push_back(voter(0, [1, 1], How::Cast));
    }
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    early.replace([machine.media[0].image(), machine.media[1].image()]);
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .extend((1..6).map(|card| voter(card, [1, 1], How::Cast)));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    let [original, duplicate] = early.unwrap();
    let older = Machine {
        media: [original, duplicate],
        world: machine.world.clone(),
        package: machine.package.clone(),
        with_uplink: true,
        layout: machine.layout,
    };
    assert_eq!(
        older.run(),
        Ran::Ended(Exit::Fault {
            fault: Fault::Media(MediaFault::Older),
            recorded: None
        })
    );
}

/// Voters without a batch between them (k = 2: none before four wait).
fn few() -> [Visit; 3] {
    [
        voter(0, [0b001, 0b0011], How::Cast),
        voter(1, [0b010, 0b1000], How::ChallengeFirst),
        voter(2, [0b100, 0b0110], How::Cast),
    ]
}

/// `machine` with other media in.
pub(super) fn with_media(machine: &Machine, media: [media::Faulty; 2]) -> Machine {
    Machine {
        media,
        world: machine.world.clone(),
        package: machine.package.clone(),
        with_uplink: machine.with_uplink,
        layout: machine.layout,
    }
}

/// Copies of both media, taken at any write of the day, are given to the kiosk of the same day after its end: no vote can be made to be missing.
#[test]
fn f6_an_older_copy_of_both_media_between_two_batches_is_refused() {
    let day = || {
        let machine = machine(Mode::Statutory);
        machine.world.people.borrow_mut().visits.extend(few());
        machine
    };
    let machine = day();
    assert_eq!(machine.run(), Ran::Waiting);
    let all = votes(&machine, 0, Mode::Statutory);
    assert_eq!(all.len(), 3);
    let steps = machine.media[0].power.borrow().steps;
    let items = machine.world.items.borrow().clone();
    let mut between = 0;
    for cut in 0..steps {
        // The same kiosk, the same day, up to a cut.
        let copied = day();
        copied.media[0].power.borrow_mut().left = Some(cut);
        assert_eq!(copied.run(), Ran::Cut, "{cut}");
        let [one, two] = [copied.media[0].image(), copied.media[1].image()];
        let fewer = votes(&with_media(&machine, [one.clone(), two.clone()]), 1, Mode::Statutory).len();
        between += u32::from(fewer > 0 && fewer < 3);
        for medium in [&one, &two] {
            medium.power.borrow_mut().left = None;
            medium.power.borrow_mut().gone = false;
        }
        *machine.world.items.borrow_mut() = items.clone();
        machine.world.pull();
        let older = with_media(&machine, [one, two]);
        let ran = older.run();
        let refused = ran
            == Ran::Ended(Exit::Fault {
                fault: Fault::Media(MediaFault::Older),
                recorded: None,
            });
        // The last step is the duplicate's sync of the last vote: the original alone has it, and that is enough.
        assert!(refused || votes(&older, 0, Mode::Statutory) == all, "{cut}: {ran:?}");
    }
    assert!(between > 10, "{between}");
}

/// A cut between the box's write and the store's: the media are ahead, by a whole session or half of one.
#[test]
fn f6_media_ahead_of_what_is_remembered_are_taken() {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .extend(few().into_iter().take(1));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    let before = machine.world.items.borrow().clone();
    machine
        .world
        .people
        .borrow_mut()
        .visits
        .extend(few().into_iter().skip(1));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    assert_ne!(before, *machine.world.items.borrow());
    *machine.world.items.borrow_mut() = before;
    machine.world.people.borrow_mut().visits.push_back(Visit::Close);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    judge(&machine, Mode::Statutory);
}

/// The duplicate dies at any step from the closing on, also while the closing is completed: a closed kiosk holds no E.
#[test]
fn the_secret_is_gone_as_soon_as_polls_are_closed() {
    let day = || {
        let machine = machine(Mode::Statutory);
        let visits = [few()[0].clone(), Visit::Close];
        machine.world.people.borrow_mut().visits.extend(visits);
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

/// Whether a medium's log says closed.
pub(super) async fn stands_closed(medium: &media::Faulty) -> bool {
    let mut reader = Reader::open(medium.image()).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    while let Some(item) = reader.next(&mut buffer).await.unwrap() {
        if item.kind == crate::ballot_box::EntryKind::Event
            && matches!(
                election::wire::decode(item.payload),
                Ok(crate::audit::Event::Closed { .. })
            )
        {
            return true;
        }
    }
    false
}

#[test]
fn f4_a_spare_goes_on_with_the_surviving_medium() {
    for survivor in [0, 1] {
        let first = machine(Mode::Consultation);
        let some = [
            voter(0, [0b001, 0b0011], How::Cast),
            voter(1, [0b010, 0b1000], How::ChallengeFirst),
            voter(2, [0b100, 0], How::PullCard),
            voter(3, [0, 0b0110], How::Cast),
            voter(4, [0b010, 0b0101], How::Cast),
            voter(5, [0b100, 0b1001], How::Cast),
        ];
        first.world.people.borrow_mut().visits.extend(some);
        assert_eq!(first.run(), Ran::Waiting);
        first.power_cycle();

        let spare = kiosk(Mode::Consultation, 2);
        let mut media = spare.media.clone();
        media[survivor] = first.media[survivor].clone();
        // The surviving medium hangs on the spare's power now.
        media[survivor].power = media[1 - survivor].power.clone();
        let spare = Machine { media, ..spare };
        spare
            .world
            .ledger
            .borrow_mut()
            .extend(first.world.ledger.borrow().iter().cloned());
        {
            let mut people = spare.world.people.borrow_mut();
            people.done = first.world.people.borrow().done.clone();
            people.visits.push_back(voter(0, [1, 1], How::Cast));
            people.visits.push_back(voter(6, [0b001, 0], How::Cast));
            people.visits.push_back(Visit::Close);
        }
        assert_eq!(
            spare.run(),
            Ran::Ended(Exit::Restart),
            "the takeover is signed and written"
        );
        let ended = spare.run();
        assert!(matches!(ended, Ran::Ended(Exit::Closed { unsent: 0, .. })), "{ended:?}");
        {
            let people = spare.world.people.borrow();
            assert_eq!(people.refused, [(0, WrongCard::Voted)], "A1 holds over the takeover");
            assert_eq!(people.done.len(), 6);
        }
        judge(&spare, Mode::Consultation);
        // On the ledger: the takeover names the old kiosk's last proven batch, and the spare's row follows it.
        let ledger = spare.world.ledger.borrow();
        let mut newest = [0; 32];
        let mut taken = None;
        let mut leaves = std::collections::BTreeSet::new();
        for transaction in ledger.iter() {
            match Transaction::read(transaction).unwrap() {
                Transaction::Batch(batch) => {
                    if batch.header.number == 0 && taken.is_some() {
                        assert_eq!(Some(batch.header.previous), taken);
                    }
                    newest = batch.header.hash();
                    for entry in batch
                        .entries
                        .iter()
                        .map(Result::unwrap)
                        .filter(|entry| entry.kind == Kind::Cast)
                    {
                        assert!(leaves.insert(entry.leaf), "what was proven does not leave again");
                    }
                }
                Transaction::Takeover { body, .. } => {
                    assert_eq!(body.predecessor, newest);
                    assert_ne!(newest, [0; 32], "a batch of the first kiosk was proven");
                    assert_eq!(body.count, 5);
                    taken = Some(newest);
                }
                _ => {}
            }
        }
        assert!(taken.is_some());
        assert_eq!(leaves.len(), 6, "every vote has left once");
        // The first kiosk does not go on with the medium that was taken.
        let refused = first.run();
        assert!(
            matches!(
                refused,
                Ran::Ended(Exit::Fault {
                    fault: Fault::Media(_),
                    recorded: None
                })
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn a_closed_kiosk_is_made_ready_for_another_epoch_with_new_keys() {
    let machine = machine(Mode::Consultation);
    let request = |machine: &Machine| -> crate::identity::Request {
        election::wire::decode(&machine.world.items.borrow()[&(Item::Request as u8)]).unwrap()
    };
    let before = request(&machine);
    machine.world.people.borrow_mut().visits.extend(visits());
    machine.world.people.borrow_mut().retire = true;
    assert_eq!(machine.run(), Ran::Ended(Exit::Restart));
    let items: Vec<u8> = machine.world.items.borrow().keys().copied().collect();
    assert_eq!(items, [Item::Accepted as u8], "only which package was accepted is kept");
    // Registered anew; the closed media are another kiosk's now.
    assert_eq!(
        machine.run(),
        Ran::Ended(Exit::Fault {
            fault: Fault::Media(MediaFault::OtherKiosk(Role::Original)),
            recorded: None
        })
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
        machine.world.people.borrow_mut().visits.extend(visits());
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
