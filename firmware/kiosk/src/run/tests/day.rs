//! Whole days of polls.

use std::vec;
use std::vec::Vec;

use election::batch::Kind;
use election::ledger::Transaction;
use election::manifest::Mode;

use super::desk;
use super::kiosks::*;
use super::machine::Ran;
use crate::ballot_box::{MediaFault, Reader, buffer_len, media_for_tests as media};
use crate::ports::Item;
use crate::run::Exit;
use crate::screen::{Fault, Recorded};
use crate::session::WrongCard;

#[test]
fn a_day_from_provisioning_to_closing() {
    let machine = machine(Mode::Consultation);
    machine.come(visits());
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
    machine.come(visits());
    let first = machine.run();
    let sent = machine.world.ledger.borrow().len();
    machine.come([casts(6)]);
    assert_eq!(machine.run(), first, "the same closing again");
    assert_eq!(machine.world.ledger.borrow().len(), sent);
    assert!(!machine.world.people.borrow().done.contains_key(&6));
    // Nor with a fresh pair of media for the same key.
    let other = relabelled(&machine);
    assert_eq!(other.run(), fault(Fault::Media(MediaFault::OtherPair), None));
}

#[test]
fn f2_the_power_may_go_at_every_write_of_a_day() {
    let steps = {
        let machine = machine(Mode::Consultation);
        machine.come(visits());
        machine.run();
        machine.media[0].power.borrow().steps
    };
    assert!(steps > 100);
    // Every third boundary here, with all ways of tearing in turn; the box alone goes through all of them.
    for cut in (0..steps).step_by(3) {
        let machine = machine(Mode::Consultation);
        machine.come(visits());
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
    machine.come(visits());
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
    machine.come(visits());
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
    assert_eq!(machine.run(), fault(Fault::UplinkInStatutory, None));
}
