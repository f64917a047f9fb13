//! The closing, once signed, does not change any more, whatever becomes of the media afterwards.

use std::vec;
use std::vec::Vec;

use election::closing::Closing;
use election::hash::Digest;
use election::ledger::Transaction;

use super::media::{Faulty, Lcg, Power, TEARS, run};
use super::world::*;
use crate::audit::Event;
use crate::ballot_box::*;

/// Three votes and the event that closes.
fn closed(power: &std::rc::Rc<std::cell::RefCell<Power>>) -> [Faulty; 2] {
    let media = [
        formatted(&label(1, Role::Original, 9), power),
        formatted(&label(1, Role::Duplicate, 9), power),
    ];
    let mut rng = Lcg(3);
    let mut lent = Lent::new();
    let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut rng).unwrap().unwrap();
    open_polls(&mut ballot_box).unwrap().unwrap();
    for voter in 1..4 {
        play(&mut ballot_box, voter, Act::Vote, &mut Voters::default(), &mut rng)
            .unwrap()
            .unwrap();
    }
    let event = Event::Closed {
        seconds: 2,
        staff: staff(),
    };
    run(ballot_box.append(&event)).unwrap().unwrap();
    media
}

/// The signed closings and the closing hashes of batches on a medium.
fn said(medium: &Faulty) -> (Vec<Digest>, Vec<Digest>) {
    let mut reader = run(Reader::open(medium.clone())).unwrap().unwrap();
    let mut buffer = vec![0; buffer_len(&LAYOUT, K)];
    let (mut signed, mut sent) = (Vec::new(), Vec::new());
    while let Some(item) = run(reader.next(&mut buffer)).unwrap().unwrap() {
        match item.kind {
            EntryKind::Closing => signed.push(election::wire::decode::<Closing<'_>>(item.payload).unwrap().hash),
            EntryKind::Transaction => {
                if let Ok(Transaction::Batch(batch)) = Transaction::read(item.payload) {
                    sent.extend(batch.header.closing);
                }
            }
            _ => {}
        }
    }
    (signed, sent)
}

/// A free place of a slot goes bad on both media.
fn spoil(media: &[Faulty; 2]) {
    let free = (0..LAYOUT.cast)
        .map(|slot| usize::try_from(LAYOUT.slot_offset(slot)).unwrap())
        .find(|at| media[0].disk.borrow().live[*at] == 0xFF)
        .unwrap();
    for medium in media {
        let mut disk = medium.disk.borrow_mut();
        disk.live[free + 40] = 0;
        disk.durable[free + 40] = 0;
    }
}

/// The power goes at every step of the closing, a place becomes unreadable, and the kiosk starts again: what is signed is what is shown
/// and what the last batch says.
#[test]
fn a11_what_is_signed_stays_what_is_shown_and_sent() {
    let mut kept = 0;
    for step in 0..9 {
        for tear in TEARS {
            let power = Power::new();
            let media = closed(&power);
            let first = {
                let mut lent = Lent::new();
                let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut Lcg(1)).unwrap().unwrap();
                power.borrow_mut().left = Some(step);
                power.borrow_mut().tear = tear;
                run(ballot_box.finish(&[2; 32], &signer(1))).map(Result::unwrap)
            };
            for medium in &media {
                medium.fail_power();
            }
            power.borrow_mut().left = None;
            power.borrow_mut().gone = false;
            let before = said(&media[0]).0.first().copied();
            spoil(&media);
            let mut lent = Lent::new();
            let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut Lcg(1)).unwrap().unwrap();
            assert_eq!(ballot_box.counts().void, 1);
            let shown = run(ballot_box.finish(&[2; 32], &signer(1))).unwrap().unwrap();
            let signed = *ballot_box.log().closing().unwrap();
            assert_eq!(signed.hash, shown);
            if let Some(before) = before.or(first) {
                assert_eq!(
                    before, shown,
                    "{step} {tear:?}: witnesses have written other words down"
                );
                assert_eq!(signed.counters.void, 0, "what comes later is not in the hash");
                kept += 1;
            }
            drop(ballot_box);
            for medium in &media {
                assert_eq!(said(medium), (vec![shown], vec![shown]), "{step} {tear:?}");
            }
        }
    }
    assert!(kept > 10, "{kept}");
}

/// A closing that stands and is not this kiosk's is not shown to witnesses.
#[test]
fn a11_a_closing_of_another_key_is_refused() {
    let power = Power::new();
    let media = closed(&power);
    let mut lent = Lent::new();
    let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut Lcg(1)).unwrap().unwrap();
    run(ballot_box.finish(&[2; 32], &signer(2))).unwrap().unwrap();
    drop(ballot_box);
    let mut lent = Lent::new();
    let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut Lcg(1)).unwrap().unwrap();
    let refused = run(ballot_box.finish(&[2; 32], &signer(1))).unwrap().unwrap_err();
    assert_eq!(refused.fault, crate::screen::Fault::Media(MediaFault::Log));
}

/// Nobody votes on one medium: a box that is open is not mounted alone.
#[test]
fn a9_only_a_closed_box_is_mounted_with_one_medium() {
    let power = Power::new();
    for survivor in [Role::Original, Role::Duplicate] {
        let media = [
            formatted(&label(1, Role::Original, 9), &power),
            formatted(&label(1, Role::Duplicate, 9), &power),
        ];
        {
            let mut lent = Lent::new();
            let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut Lcg(1)).unwrap().unwrap();
            open_polls(&mut ballot_box).unwrap().unwrap();
            play(&mut ballot_box, 1, Act::Vote, &mut Voters::default(), &mut Lcg(1))
                .unwrap()
                .unwrap();
        }
        let alone = |media: &[Faulty; 2]| {
            let mut lent = Lent::new();
            let mut spare = vec![0; buffer_len(&LAYOUT, K)];
            let lost = survivor.other();
            *media[lost as usize].deaf.borrow_mut() = true;
            let mounted = run(BallotBox::mount_alone(
                (media[0].clone(), media[1].clone()),
                lost,
                &expected(1),
                TestLeaves,
                lent.memory(),
                &mut spare,
                &mut Lcg(1),
            ));
            mounted.unwrap().map(|(ballot_box, _)| ballot_box.counts())
        };
        assert!(matches!(alone(&media), Err(MediaFault::Device(lost, _)) if lost == survivor.other()));
        let media = closed(&power);
        let counts = alone(&media).unwrap();
        assert_eq!((counts.recorded, counts.void), (3, 0));
    }
}
