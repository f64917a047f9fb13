//! What a copy holds: the record or entry, zeros behind it, and nothing of what a sick medium has there.

use super::cuts::registration;
use super::media::{Faulty, Lcg, Power, run};
use super::world::*;
use crate::ballot_box::*;

/// Opened, one vote and a transaction on both; then the duplicate loses what the original keeps.
fn day() -> [Faulty; 2] {
    let power = Power::new();
    let media = [
        formatted(&label(1, Role::Original, 9), &power),
        formatted(&label(1, Role::Duplicate, 9), &power),
    ];
    let mut lent = Lent::new();
    let mut rng = Lcg(4);
    let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut rng).unwrap().unwrap();
    open_polls(&mut ballot_box).unwrap().unwrap();
    run(ballot_box.announce(&registration(1))).unwrap().unwrap();
    play(&mut ballot_box, 1, Act::Vote, &mut Voters::default(), &mut rng)
        .unwrap()
        .unwrap();
    media
}

fn set(medium: &Faulty, at: usize, bytes: &[u8]) {
    let mut disk = medium.disk.borrow_mut();
    disk.live[at..at + bytes.len()].copy_from_slice(bytes);
    disk.durable = disk.live.clone();
}

/// A bit that flips behind a record or an entry, where no CRC looks, is not copied to the other medium: nor to the same place, nor to another.
#[test]
fn v12_a_copy_holds_nothing_behind_its_record_or_entry() {
    let record = |medium: &Faulty| {
        let disk = medium.disk.borrow();
        let at = (0..LAYOUT.cast).map(|slot| usize::try_from(LAYOUT.slot_offset(slot)).unwrap());
        let found: std::vec::Vec<usize> = at.filter(|at| disk.live[*at..].starts_with(b"IPPB")).collect();
        found
    };
    let entry = |number: u32| usize::try_from(LAYOUT.journal_offset(number)).unwrap();
    for from in [0, 1] {
        for damaged in [false, true] {
            let media = day();
            let (has, lacks) = (&media[from], &media[1 - from]);
            let vote = record(has)[0];
            // `Opened` and the registration lie at the front of the journal, each in one sector.
            for (at, length) in [(vote, 1024), (entry(0), 512), (entry(1), 512)] {
                set(has, at + length - 1, &[4]);
                set(lacks, at, &[0xFF; 1024][..length]);
                if damaged {
                    set(lacks, at + 5, &[0]);
                }
            }
            let mut lent = Lent::new();
            let (ballot_box, found) = start(&media[0], &media[1], 1, &mut lent, &mut Lcg(6)).unwrap().unwrap();
            assert_eq!((found.copied, ballot_box.counts().recorded), (3, 1));
            drop(ballot_box);
            let copies = record(lacks);
            assert_eq!(copies.len(), 1);
            assert_eq!(copies[0] == vote, !damaged);
            let disk = lacks.disk.borrow();
            let copied = &disk.live[copies[0]..copies[0] + 1024];
            let end = RECORD_HEADER + ballot(1, 0, 1).len();
            assert!(copied[end..].iter().all(|byte| *byte == 0), "from {from}, {damaged}");
            let mut copies = 0;
            for place in 0..LAYOUT.journal {
                let sector = &disk.live[entry(place)..entry(place) + 512];
                if sector.starts_with(b"IPPJ") {
                    let length = u32::from_be_bytes(sector[12..16].try_into().unwrap());
                    let end = 32 + usize::try_from(length).unwrap();
                    assert!(
                        sector[end..].iter().all(|byte| *byte == 0),
                        "from {from}, {damaged}: {place}"
                    );
                    copies += 1;
                }
            }
            assert!(copies >= 4, "opened, registered, admitted, started");
        }
    }
}
