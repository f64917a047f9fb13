//! A kiosk that dies while polls close, and does not come back: a spare completes the closing with either medium.

use std::collections::BTreeSet;
use std::string::String;
use std::vec;
use std::vec::Vec;

use election::closing::Closing;
use election::hash::Digest;
use election::ledger::{Genesis, Transaction};
use election::manifest::Mode;

use super::kiosks::*;
use super::machine::{Machine, Ran};
use super::people::{How, Visit};
use crate::ballot_box::{EntryKind, MediaFault, Reader, Role, media_for_tests as media};
use crate::ports::Item;
use crate::run::Exit;
use crate::screen::Fault;

/// The writes of a closing, four steps each.
const RECORDS: [&str; 3] = ["\"polls are closed\"", "the signed closing", "the last batch"];

/// Two votes, one after a challenge, and polls are closed.
fn day() -> Machine {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    machine.come([casts(0), voter(1, [1, 1], How::ChallengeFirst), Visit::Close]);
    machine
}

/// A spare with one medium of the dead kiosk, as it lies there now.
fn spare(dead: &Machine, survivor: usize) -> Machine {
    let spare = kiosk(Mode::Statutory, 2);
    spare.world.online.set(false);
    spare.world.people.borrow_mut().done = dead.world.people.borrow().done.clone();
    let mut pair = spare.media.clone();
    pair[survivor] = dead.media[survivor].image();
    pair[survivor].power = pair[1 - survivor].power.clone();
    with_media(&spare, pair)
}

/// Closing hashes on a medium: the newest signed one, checked as the desk checks it, and those of last batches by the medium's kiosk.
fn said(machine: &Machine, medium: usize) -> (Option<Digest>, Vec<Digest>) {
    let genesis = machine.world.genesis.borrow();
    let genesis = Genesis::read(&genesis).unwrap();
    let mut reader = media::run(Reader::open(machine.media[medium].image()))
        .unwrap()
        .unwrap();
    let me = reader.label().kiosk;
    let mut buffer = vec![0; 1 << 16];
    let (mut signed, mut sent) = (None, Vec::new());
    while let Some(item) = media::run(reader.next(&mut buffer)).unwrap().unwrap() {
        match item.kind {
            EntryKind::Closing => {
                let closing = election::wire::decode::<Closing<'_>>(item.payload).unwrap();
                closing.check_signatures(&genesis).unwrap();
                signed = (closing.kiosk_id() == me).then_some(closing.hash);
            }
            EntryKind::Transaction => {
                if let Transaction::Batch(batch) = Transaction::read(item.payload).unwrap() {
                    sent.extend(batch.header.closing.filter(|_| batch.header.kiosk == me));
                }
            }
            _ => {}
        }
    }
    (signed, sent)
}

/// The spare's box is closed, can be counted, and holds both votes; nobody else got in.
fn complete(spare: &Machine, hash: Digest, context: &str) {
    judge(spare, Mode::Statutory);
    for medium in 0..2 {
        assert_eq!(votes(spare, medium, Mode::Statutory).len(), 2, "{context}");
        assert_eq!(said(spare, medium), (Some(hash), vec![hash]), "{context}");
    }
    assert!(
        !spare.world.items.borrow().contains_key(&(Item::Secret as u8)),
        "{context}"
    );
    assert!(spare.world.people.borrow().closed.is_some(), "{context}");
}

/// What a spare does with that medium.
fn take_over(dead: &Machine, survivor: usize, context: &str) -> &'static str {
    let closed = media::run(stands_closed(&dead.media[survivor])).unwrap();
    let spare = spare(dead, survivor);
    let ran = spare.run();
    if ran == fault(Fault::Media(MediaFault::Closed), None) {
        let (signed, sent) = said(dead, survivor);
        assert_eq!(sent, [signed.unwrap()], "{context}: refused, and it is not complete");
        assert_eq!(votes(dead, survivor, Mode::Statutory).len(), 2, "{context}");
        return "refuses: the medium is closed and complete, and is counted as it is";
    }
    assert_eq!(ran, Ran::Ended(Exit::Restart), "{context}");
    // Somebody comes who has not voted: only where polls were not closed they are let in.
    spare.come([casts(2)]);
    if !closed {
        assert_eq!(spare.run(), Ran::Waiting, "{context}");
        assert_eq!(votes(&spare, 0, Mode::Statutory).len(), 3, "{context}");
        return "takes over with polls open: staff close there";
    }
    let Ran::Ended(Exit::Closed { hash, .. }) = spare.run() else {
        panic!("{context}: {:?}", spare.world.people.borrow().faults);
    };
    complete(&spare, hash, context);
    // And so it stays.
    spare.power_cycle();
    let again = spare.run();
    assert!(
        matches!(again, Ran::Ended(Exit::Closed { hash: shown, .. }) if shown == hash),
        "{context}"
    );
    complete(&spare, hash, context);
    "asks two staff cards to close once more, and completes the closing"
}

/// The rows of the recovery table: where the kiosk died, and what a spare does with the original or with the duplicate.
pub(super) fn deaths(steps: &[&str; 4]) -> Vec<Vec<String>> {
    let machine = day();
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    let end = machine.media[0].power.borrow().steps;
    let mut rows = Vec::new();
    for (index, record) in RECORDS.iter().enumerate() {
        for (step, text) in steps.iter().enumerate() {
            let mut outcomes = [BTreeSet::new(), BTreeSet::new()];
            for tear in [media::Tear::Lost, media::Tear::Kept, media::Tear::Prefix] {
                let machine = day();
                {
                    let mut power = machine.media[0].power.borrow_mut();
                    power.left = Some(end - 12 + u32::try_from(4 * index + step).unwrap());
                    power.tear = tear;
                }
                assert_eq!(machine.run(), Ran::Cut);
                machine.power_cycle();
                for (survivor, outcomes) in outcomes.iter_mut().enumerate() {
                    outcomes.insert(take_over(
                        &machine,
                        survivor,
                        &std::format!("{record}, {text}, {tear:?}, {survivor}"),
                    ));
                }
            }
            let told = |outcomes: &BTreeSet<&str>| outcomes.iter().copied().collect::<Vec<_>>().join("; or ");
            rows.push(vec![
                std::format!("{record}, {text}"),
                told(&outcomes[0]),
                told(&outcomes[1]),
            ]);
        }
    }
    rows
}

/// The power goes at every write of the spare too, while it takes over and closes once more.
#[test]
fn a8_f4_a11_a_spare_completes_the_closing_of_a_kiosk_that_died_also_over_cuts() {
    let whole = day();
    assert!(matches!(whole.run(), Ran::Ended(Exit::Closed { .. })));
    let dead = day();
    // The event that closes stands, the signed closing does not.
    dead.media[0].power.borrow_mut().left = Some(whole.media[0].power.borrow().steps - 8);
    assert_eq!(dead.run(), Ran::Cut);
    dead.power_cycle();
    let mut cut = 0;
    loop {
        let spare = spare(&dead, cut % 2);
        spare.media[0].power.borrow_mut().left = Some(u32::try_from(cut).unwrap());
        let mut ran = spare.run();
        let mut cuts = 0;
        // The takeover ends in a restart, a cut in a start.
        for _ in 0..6 {
            match ran {
                Ran::Ended(Exit::Closed { .. }) => break,
                Ran::Cut => {
                    cuts += 1;
                    spare.power_cycle();
                }
                Ran::Ended(Exit::Restart) => {}
                ref other => panic!("cut {cut}: {other:?}"),
            }
            ran = spare.run();
        }
        let Ran::Ended(Exit::Closed { hash, .. }) = ran else {
            panic!("cut {cut}: {ran:?}");
        };
        complete(&spare, hash, &std::format!("cut {cut}"));
        if cuts == 0 {
            break;
        }
        cut += 1;
    }
    assert!(cut > 40, "{cut}");
}

#[test]
fn staff_who_go_back_from_a_takeover_are_told_whose_medium_it_is_and_can_still_take_over() {
    let dead = machine(Mode::Statutory);
    dead.come([casts(0)]);
    assert_eq!(dead.run(), Ran::Waiting);
    for (survivor, role) in [(0, Role::Original), (1, Role::Duplicate)] {
        let spare = spare(&dead, survivor);
        let cards = spare.world.people.borrow().accepted;
        spare.world.people.borrow_mut().declines = true;
        for _ in 0..2 {
            assert_eq!(spare.run(), fault(Fault::Media(MediaFault::OtherKiosk(role)), None));
        }
        assert_eq!(spare.world.people.borrow().accepted, cards, "no card was asked for");
        // Nothing was written: the same medium is taken over when staff want it.
        spare.world.people.borrow_mut().declines = false;
        assert_eq!(spare.run(), Ran::Ended(Exit::Restart));
    }
}
