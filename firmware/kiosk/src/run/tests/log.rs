//! The audit log read as a whole, as an auditor would: what is in it, in which order, and what must never be (A19, V12).

use std::vec;
use std::vec::Vec;

use election::manifest::Mode;

use super::cards::Card;
use super::desk;
use super::kiosks::{casts, machine, tag, visits};
use super::machine::{Machine, Ran};
use super::people::{How, Visit};
use crate::audit::Event;
use crate::ballot_box::{EntryKind, Reader, buffer_len, media_for_tests as media};
use crate::run::Exit;

/// Payloads of a medium's journal, with their kind.
fn journal(machine: &Machine, medium: usize) -> Vec<(EntryKind, Vec<u8>)> {
    let mut reader = media::run(Reader::open(machine.media[medium].clone()))
        .unwrap()
        .unwrap();
    let mut buffer = vec![0; buffer_len(&machine.layout, 2)];
    let mut found = Vec::new();
    while let Some(item) = media::run(reader.next(&mut buffer)).unwrap().unwrap() {
        assert_eq!(item.sequence as usize, found.len(), "no number is missing");
        found.push((item.kind, item.payload.to_vec()));
    }
    found
}

fn events(machine: &Machine) -> Vec<Event> {
    journal(machine, 0)
        .iter()
        .filter(|(kind, _)| *kind == EntryKind::Event)
        .map(|(_, payload)| election::wire::decode(payload).unwrap())
        .collect()
}

#[test]
fn a19_the_whole_log_tells_what_happened_and_nothing_of_a_choice_a_card_or_a_pin() {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    {
        let mut people = machine.world.people.borrow_mut();
        // A wrong PIN, somebody who is not on the roll, somebody who has voted: none of them is admitted, so none is in the log.
        people.visits.push_back(Visit::Voter {
            card: 6,
            pin: *b"9876",
            choice: [1, 1],
            how: How::Cast,
        });
        people.visits.extend(visits());
    }
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    let log = events(&machine);
    let (first, last) = (log.first().unwrap(), log.last().unwrap());
    assert!(matches!(first, Event::Opened { epoch: 0, software, .. } if *software == desk::SOFTWARE));
    assert!(matches!(last, Event::Closed { .. }));
    // Seven were let in, one of them left: one event each, and nothing between opening and closing has a time or says who.
    let voters = &log[1..log.len() - 1];
    let expected = [
        Event::Admitted,
        Event::Admitted,
        Event::Admitted,
        Event::Abandoned,
        Event::Admitted,
        Event::Admitted,
        Event::Admitted,
        Event::Admitted,
    ];
    assert_eq!(voters, expected);
    // Nothing in the journal is of a card: its keys, its PIN, its tag. (Codes and leaves are: they are what batches are made of.)
    let both = [journal(&machine, 0), journal(&machine, 1)];
    assert_eq!(both[0], both[1], "the same on both media");
    let mut forbidden: Vec<Vec<u8>> = vec![b"1234".to_vec(), b"9876".to_vec(), vec![1, 2, 3, 4], vec![9, 8, 7, 6]];
    for card in 0..desk::VOTERS {
        let keys = Card::new(card);
        forbidden.push(keys.agree_key()[1..].to_vec());
        forbidden.push(election::roll::piv_entry(&keys.agree_key()).to_vec());
        forbidden.push(tag(&machine, card).to_vec());
    }
    for (kind, payload) in &both[0] {
        for needle in &forbidden {
            // Four bytes turn up by chance in signatures and hashes; in an event of a voter there is nothing at all.
            let tiny = needle.len() < 8;
            if tiny && (*kind != EntryKind::Event || payload.len() > 8) {
                continue;
            }
            assert!(!payload.windows(needle.len()).any(|piece| piece == needle), "{kind:?}");
        }
    }
}

#[test]
fn a19_restarts_and_cut_off_voters_are_in_the_log_and_the_log_only_grows() {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    let mut before: Vec<(EntryKind, Vec<u8>)> = Vec::new();
    for card in 0..3 {
        machine.come([casts(card)]);
        if card == 1 {
            // In the middle of this voter's vote, after the start's own entry and the admission.
            let mut power = machine.media[0].power.borrow_mut();
            power.left = Some(4 + 4 + 1);
        }
        let ran = machine.run();
        assert_eq!(ran == Ran::Cut, card == 1, "{card}: {ran:?}");
        machine.power_cycle();
        let now = journal(&machine, 0);
        assert!(now.starts_with(&before), "append-only");
        before = now;
    }
    let log = events(&machine);
    let tail = &log[1..];
    let expected = [
        Event::Admitted,
        Event::Started,
        Event::Admitted,
        Event::Interrupted,
        Event::Started,
        Event::Admitted,
        Event::Admitted,
    ];
    assert_eq!(tail, expected);
}
