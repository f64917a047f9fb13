//! Power cuts at every write boundary, over a short day (F2, A4, A9, F5).

use std::format;
use std::vec;
use std::vec::Vec;

use super::media::{Faulty, Lcg, Power, TEARS, Tear, run};
use super::world::*;
use crate::ballot_box::*;
use crate::ports::MediumError;
use crate::screen::{Fault, Recorded};

const DAY: [(u8, Act); 7] = [
    (1, Act::Vote),
    (2, Act::Abandon),
    (3, Act::Challenge),
    (4, Act::Vote),
    (2, Act::Vote),
    (5, Act::Vote),
    (6, Act::Vote),
];

/// Plays the day from `from` on; gives where it stopped if the power went, else `DAY.len()`.
fn day(ballot_box: &mut TestBox<'_>, from: usize, voters: &mut Voters, rng: &mut Lcg) -> Result<usize, usize> {
    if !ballot_box.log().is_open() && !ballot_box.log().is_closed() {
        match open_polls(ballot_box) {
            None => return Err(from),
            Some(opened) => opened.unwrap(),
        }
    }
    let signer = signer(1);
    if !ballot_box.log().is_closed() {
        match run(ballot_box.announce(&registration(1))) {
            None => return Err(from),
            Some(announced) => announced.unwrap(),
        }
    }
    for (index, (voter, act)) in DAY.iter().enumerate().skip(from) {
        if ballot_box.has_voted(&tag(*voter)) {
            continue;
        }
        match play(ballot_box, *voter, *act, voters, rng) {
            None => return Err(index),
            Some(played) => played.unwrap(),
        }
        while ballot_box.batch_due(K) {
            match run(ballot_box.write_batch(K, &signer, rng)) {
                None => return Err(index + 1),
                Some(written) => written.unwrap(),
            }
        }
    }
    if !ballot_box.log().is_closed() {
        let closed = crate::audit::Event::Closed {
            seconds: 2,
            staff: staff(),
        };
        match run(ballot_box.append(&closed)) {
            None => return Err(DAY.len()),
            Some(appended) => appended.unwrap(),
        }
    }
    match run(ballot_box.finish(&[2; 32], &signer)) {
        None => Err(DAY.len()),
        Some(finished) => {
            finished.unwrap();
            Ok(DAY.len())
        }
    }
}

/// A registration that the journal can read; its staff signatures are the ledger's affair.
pub fn registration(seed: u8) -> Vec<u8> {
    use election::ledger::{Registration, Transaction};
    use election::wire::{Bytes, Seq, encode};
    let mut out = [0; 256];
    let transaction = Transaction::Register {
        body: Registration {
            election: ELECTION,
            kiosk: Bytes(signer(seed).public_key()),
            sealing: Bytes([2; 33]),
            station: STATION,
            software: [1; 32],
        },
        staff: Seq::from_bytes(&[]),
    };
    encode(&transaction, &mut out).unwrap().to_vec()
}

fn pair(power: &std::rc::Rc<std::cell::RefCell<Power>>) -> (Faulty, Faulty) {
    (
        formatted(&label(1, Role::Original, 9), power),
        formatted(&label(1, Role::Duplicate, 9), power),
    )
}

/// How many writes and syncs an undisturbed day has.
fn steps() -> u32 {
    let power = Power::new();
    let (original, duplicate) = pair(&power);
    power.borrow_mut().steps = 0;
    let mut lent = Lent::new();
    let mut rng = Lcg(5);
    let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
    let mut voters = Voters::default();
    day(&mut ballot_box, 0, &mut voters, &mut rng).unwrap();
    let counts = ballot_box.counts();
    assert_eq!((counts.admitted, counts.recorded, counts.abandoned), (7, 6, 1));
    assert_eq!((counts.interrupted, counts.spoiled, counts.void), (0, 1, 0));
    power.borrow().steps
}

/// One day with a cut after `cut` steps, another one `again` steps into the recovery, and then to its end.
fn with_cuts(cut: u32, again: Option<u32>, tear: Tear, chance: u64) {
    let context = format!("cut {cut}, again {again:?}, {tear:?}, chance {chance}");
    let power = Power::new();
    let (original, duplicate) = pair(&power);
    {
        let mut power = power.borrow_mut();
        power.left = Some(cut);
        power.tear = tear;
        power.chance = chance;
    }
    let mut rng = Lcg(chance);
    let mut voters = Voters::default();
    let mut from = 0;
    let mut cuts = [again, None].into_iter();
    for _ in 0..8 {
        let mut lent = Lent::new();
        let started = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap();
        let stopped = match started {
            None => Err(from),
            Some((mut ballot_box, _)) => {
                // F2: exactly 0 or 1 vote of whoever stood there, and the box says which.
                if let Some((voter, cast)) = voters.standing.take() {
                    let recorded = ballot_box.has_voted(&tag(voter));
                    let says = ballot_box.last_voter();
                    if recorded {
                        assert_eq!(says, Some(Recorded::Yes), "{context}");
                        voters.done.insert(voter, cast.unwrap());
                    } else if cast.is_some() {
                        assert_eq!(says, Some(Recorded::No), "{context}");
                    }
                }
                judge(&original, &voters, &context);
                judge(&duplicate, &voters, &context);
                let result = day(&mut ballot_box, from, &mut voters, &mut rng);
                if result.is_ok() {
                    let counts = ballot_box.counts();
                    assert_eq!(counts.deficit(), 0, "F5 ({context})");
                    assert_eq!(counts.recorded, 6, "everybody came back ({context})");
                    // Against what the voters know; a cut may fall between the write and their knowing.
                    let known = |count: u32, known: u32| (known..=known + 2).contains(&count);
                    assert!(known(counts.admitted, voters.admitted), "{counts:?} ({context})");
                    assert!(known(counts.abandoned, voters.abandoned), "{counts:?} ({context})");
                    assert!(ballot_box.log().is_finished(), "{context}");
                }
                result
            }
        };
        match stopped {
            Ok(_) => {
                judge(&original, &voters, &context);
                judge(&duplicate, &voters, &context);
                assert_eq!(voters.done.len(), 6, "{context}");
                let (one, two) = (contents(&original), contents(&duplicate));
                assert_eq!(one, two, "both media hold the same ({context})");
                return;
            }
            Err(stopped) => {
                from = stopped;
                original.fail_power();
                duplicate.fail_power();
                power.borrow_mut().left = cuts.next().flatten();
            }
        }
    }
    panic!("the day does not end ({context})");
}

#[test]
fn f2_exactly_zero_or_one_vote_after_a_cut_at_every_write_boundary() {
    let steps = steps();
    assert!(steps > 60, "a day has writes: {steps}");
    for cut in 0..steps {
        for tear in TEARS {
            for chance in 1..4 {
                with_cuts(cut, None, tear, chance);
            }
        }
    }
}

#[test]
fn f2_recovery_may_be_cut_off_too() {
    let steps = steps();
    for cut in 0..steps {
        for again in 0..10 {
            for tear in TEARS {
                with_cuts(cut, Some(again), tear, u64::from(cut) * 31 + u64::from(again) + 1);
            }
        }
    }
}

#[test]
fn a4_done_only_after_both_media_are_durable_and_a9_original_then_duplicate() {
    let power = Power::new();
    let (original, duplicate) = pair(&power);
    let mut lent = Lent::new();
    let mut rng = Lcg(3);
    let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
    open_polls(&mut ballot_box).unwrap().unwrap();
    let mut voters = Voters::default();
    for voter in 1..5 {
        power.borrow_mut().trace.clear();
        play(&mut ballot_box, voter, Act::Vote, &mut voters, &mut rng)
            .unwrap()
            .unwrap();
        // The admission and the vote: each original written and synced, then the duplicate, nothing between.
        let one = [(0, 'w'), (0, 's'), (1, 'w'), (1, 's')];
        assert_eq!(power.borrow().trace, [one, one].concat());
        // Done was said: what is durable now, without any further sync, holds the vote on both.
        judge(&original.image(), &voters, "original");
        judge(&duplicate.image(), &voters, "duplicate");
        assert!(contents(&duplicate.image()).0.contains_key(&tag(voter).0));
    }
}

#[test]
fn f3_a_failing_medium_halts_and_says_what_is_recorded() {
    for (dead, recorded) in [(Role::Original, Recorded::Unknown), (Role::Duplicate, Recorded::Yes)] {
        let power = Power::new();
        let (original, duplicate) = pair(&power);
        let mut lent = Lent::new();
        let mut rng = Lcg(3);
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        open_polls(&mut ballot_box).unwrap().unwrap();
        let mut voters = Voters::default();
        play(&mut ballot_box, 1, Act::Vote, &mut voters, &mut rng)
            .unwrap()
            .unwrap();
        // Dies after the next admission is written: four steps of it, then the vote.
        let medium = if dead == Role::Original { &original } else { &duplicate };
        let switch = medium.dead.clone();
        let broken = {
            let mut slot = vec![0; 2048];
            let mut state = crate::session::State::new();
            let mut result = None;
            for input in admitted_inputs(2) {
                let outcome = state.step(input);
                state = run(ballot_box.commit(outcome, &mut slot, 0, &mut rng))
                    .unwrap()
                    .unwrap()
                    .state;
            }
            *switch.borrow_mut() = true;
            let bytes = ballot(2, 0, 0);
            slot[RECORD_HEADER..RECORD_HEADER + bytes.len()].copy_from_slice(&bytes);
            let outcome = state.step(crate::session::Input::Touch(crate::screen::Touch::Cast));
            if let Err(broken) = run(ballot_box.commit(outcome, &mut slot, bytes.len(), &mut rng)).unwrap() {
                result = Some(broken);
            }
            result.unwrap()
        };
        assert_eq!(broken.fault, Fault::Medium(dead, MediumError::Write));
        assert_eq!(broken.recorded, recorded);
        // Nothing more is taken, whoever comes.
        let outcome = crate::session::State::new().step(crate::session::Input::Inserted);
        assert!(
            run(ballot_box.commit(outcome, &mut [], 0, &mut rng)).unwrap().is_ok(),
            "a card may still be looked at"
        );
        let mut next = Voters::default();
        assert!(
            play(&mut ballot_box, 3, Act::Vote, &mut next, &mut rng)
                .unwrap()
                .is_err()
        );
        assert!(next.done.is_empty());
        // The media come back to life: the restart says which.
        *switch.borrow_mut() = false;
        drop(ballot_box);
        original.fail_power();
        duplicate.fail_power();
        let mut lent = Lent::new();
        let (ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        assert_eq!(ballot_box.has_voted(&tag(2)), recorded == Recorded::Yes);
        let says = if recorded == Recorded::Yes {
            Recorded::Yes
        } else {
            Recorded::No
        };
        assert_eq!(ballot_box.last_voter(), Some(says));
        judge(&original, &voters_with(&voters, 2, recorded), "after the restart");
    }
}

fn voters_with(voters: &Voters, voter: u8, recorded: Recorded) -> Voters {
    let mut voters = voters.clone();
    if recorded == Recorded::Yes {
        voters.done.insert(voter, ballot(voter, 0, 0));
    }
    voters
}

fn admitted_inputs(voter: u8) -> Vec<crate::session::Input> {
    use crate::screen::Touch;
    use crate::session::{Admission, Input, Shape};
    let mut inputs = vec![
        Input::Inserted,
        Input::Ready {
            tries_left: 3,
            digits: crate::session::PinDigits::ANY,
        },
    ];
    inputs.extend((0..4).map(|_| Input::Touch(Touch::Digit(1))));
    inputs.push(Input::Touch(Touch::Enter));
    inputs.push(Input::Admitted {
        admission: Admission {
            style: 0,
            tag: tag(voter),
        },
        shape: Shape::new([(2, 1)]).unwrap(),
        challenges_left: 3,
    });
    inputs.push(Input::Touch(Touch::Next));
    inputs.push(Input::Touch(Touch::Confirm));
    inputs.push(Input::Encrypted {
        code: election::hash::hash("code", &[&ballot(voter, 0, 0)]),
    });
    inputs
}

#[test]
fn v9_a_duplicate_that_lies_about_sync_costs_no_vote() {
    for chance in 1..40 {
        let power = Power::new();
        let (original, duplicate) = pair(&power);
        *duplicate.lying.borrow_mut() = true;
        power.borrow_mut().tear = TEARS[usize::try_from(chance % 4).unwrap()];
        power.borrow_mut().chance = chance;
        let mut rng = Lcg(chance);
        let mut voters = Voters::default();
        {
            let mut lent = Lent::new();
            let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
            open_polls(&mut ballot_box).unwrap().unwrap();
            for voter in 1..5 {
                play(&mut ballot_box, voter, Act::Vote, &mut voters, &mut rng)
                    .unwrap()
                    .unwrap();
            }
        }
        // Everything since formatting was never durable on the duplicate.
        original.fail_power();
        duplicate.fail_power();
        *duplicate.lying.borrow_mut() = false;
        let mut lent = Lent::new();
        let (ballot_box, found) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        assert_eq!(ballot_box.counts().recorded, 4);
        if power.borrow().tear == Tear::Lost {
            assert!(found.copied >= 8, "{found:?}");
        }
        judge(&original, &voters, "original");
        judge(&duplicate, &voters, "the duplicate is whole again");
    }
}

#[test]
fn a1_a_second_vote_is_refused_also_after_a_restart() {
    let power = Power::new();
    let (original, duplicate) = pair(&power);
    let mut rng = Lcg(8);
    let mut voters = Voters::default();
    {
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        open_polls(&mut ballot_box).unwrap().unwrap();
        play(&mut ballot_box, 1, Act::Vote, &mut voters, &mut rng)
            .unwrap()
            .unwrap();
        assert!(ballot_box.has_voted(&tag(1)));
    }
    let mut lent = Lent::new();
    let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
    assert!(ballot_box.has_voted(&tag(1)));
    assert!(!ballot_box.has_voted(&tag(2)));
    // Even a loop that forgot to ask cannot put it in.
    let mut slot = vec![0; 2048];
    let mut state = crate::session::State::new();
    for input in admitted_inputs(1) {
        let outcome = state.step(input);
        state = run(ballot_box.commit(outcome, &mut slot, 0, &mut rng))
            .unwrap()
            .unwrap()
            .state;
    }
    let bytes = ballot(1, 9, 0);
    slot[RECORD_HEADER..RECORD_HEADER + bytes.len()].copy_from_slice(&bytes);
    let outcome = state.step(crate::session::Input::Touch(crate::screen::Touch::Cast));
    assert!(
        run(ballot_box.commit(outcome, &mut slot, bytes.len(), &mut rng))
            .unwrap()
            .is_err()
    );
    judge(&original, &voters, "original");
}

#[test]
fn a11_closed_stays_closed_also_after_a_restart() {
    let power = Power::new();
    let (original, duplicate) = pair(&power);
    let mut rng = Lcg(8);
    let mut voters = Voters::default();
    {
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        day(&mut ballot_box, 0, &mut voters, &mut rng).unwrap();
    }
    for _ in 0..2 {
        let before = (original.image().disk.borrow().durable.clone(), contents(&original));
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        assert!(ballot_box.log().is_closed() && !ballot_box.log().is_open());
        let mut late = Voters::default();
        assert!(
            play(&mut ballot_box, 11, Act::Vote, &mut late, &mut rng)
                .unwrap()
                .is_err()
        );
        assert!(late.done.is_empty());
        let hash = run(ballot_box.finish(&[2; 32], &signer(1))).unwrap().unwrap();
        assert_eq!(hash, run(ballot_box.finish(&[2; 32], &signer(1))).unwrap().unwrap());
        drop(ballot_box);
        assert_eq!(contents(&original), before.1);
    }
}

#[test]
fn a2_v12_storage_order_is_random_and_nothing_else_tells_it() {
    // The first voter's slot over many days: uniform over the region (chi square, 11 degrees of freedom, p = 0.001: 31.3).
    let mut places = [0u32; 12];
    let days = 1200;
    for day in 0..days {
        let power = Power::new();
        let (original, duplicate) = pair(&power);
        let mut rng = Lcg(day * 7 + 1);
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        open_polls(&mut ballot_box).unwrap().unwrap();
        let mut voters = Voters::default();
        for voter in 1..4 {
            play(&mut ballot_box, voter, Act::Vote, &mut voters, &mut rng)
                .unwrap()
                .unwrap();
        }
        let mut reader = run(Reader::open(original.clone())).unwrap().unwrap();
        let mut buffer = vec![0; buffer_len(&LAYOUT, K)];
        for slot in 0..12 {
            if let SlotState::Whole(record) = run(reader.slot(slot, &mut buffer)).unwrap().unwrap()
                && record.tag == tag(3).0
            {
                places[usize::try_from(slot).unwrap()] += 1;
            }
        }
    }
    let mean = f64::from(u32::try_from(days).unwrap()) / 12.0;
    let chi: f64 = places.iter().map(|n| (f64::from(*n) - mean).powi(2) / mean).sum();
    assert!(chi < 31.3, "{places:?} {chi}");
    // What the log says of two voters does not depend on which came first: swapping them gives the same journal.
    let journal = |order: [u8; 2]| {
        let power = Power::new();
        let (original, duplicate) = pair(&power);
        let mut rng = Lcg(1);
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        open_polls(&mut ballot_box).unwrap().unwrap();
        for voter in order {
            play(&mut ballot_box, voter, Act::Vote, &mut Voters::default(), &mut rng)
                .unwrap()
                .unwrap();
        }
        let end = usize::try_from(LAYOUT.slot_offset(0)).unwrap();
        original.disk.borrow().live[..end].to_vec()
    };
    assert_eq!(journal([1, 2]), journal([2, 1]));
}

#[test]
fn f10_one_bad_reading_of_an_erased_place_takes_no_room() {
    let power = Power::new();
    let (original, duplicate) = pair(&power);
    let mut rng = Lcg(8);
    let far = usize::try_from(LAYOUT.journal_offset(LAYOUT.journal - 1)).unwrap();
    let free = |rng: &mut Lcg| {
        let mut lent = Lent::new();
        let (ballot_box, _) = start(&original, &duplicate, 1, &mut lent, rng).unwrap().unwrap();
        ballot_box.free()
    };
    let before = free(&mut rng);
    assert!(before > 0);
    for medium in [&original, &duplicate] {
        *medium.misreads.borrow_mut() = Some(far + 7);
        assert_eq!(free(&mut rng), before);
        assert!(medium.misreads.borrow().is_none(), "it was read wrongly");
    }
    // A place that stays like that is one that was written.
    original.disk.borrow_mut().live[far + 7] = 0;
    assert_eq!(free(&mut rng), 0);
}
