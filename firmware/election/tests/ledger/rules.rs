//! Every rule of the ledger against whoever would break it.

use election::batch::{Batch, Entry, Kind};
use election::ledger::{
    Applied, BatchRow, Book as _, KioskRow, MAX_REASON, Refusal, Revocation, Rules, StaffRefusal, StaffSignature,
    Tables, Takeover, Transaction, transaction_hash,
};
use election::wire::{Bytes, Seq};

use crate::fixture::{World, batch, digest, encode, entries, id, items, key, register_with, registration, sign, world};

/// A ledger without blocks: transactions one after the other.
pub struct Replay<'w> {
    pub rules: Rules<'w, Tables<'static>>,
}

impl<'w> Replay<'w> {
    pub fn new(world: &'w World) -> Self {
        let kiosks = vec![KioskRow::EMPTY; 8].leak();
        let batches = vec![BatchRow::EMPTY; 8].leak();
        Self {
            rules: Rules::new(world.genesis(), Tables::new(kiosks, batches)),
        }
    }

    pub fn apply(&mut self, bytes: &[u8]) -> Result<Applied, Refusal> {
        let transaction = Transaction::read(bytes)?;
        let checked = self.rules.check(&transaction);
        let applied = self.rules.apply(&transaction);
        assert_eq!(checked, applied.map(|_| ()), "check and apply differ");
        applied
    }

    pub fn refuse(&mut self, bytes: &[u8], expected: Refusal) {
        let (kiosks, batches) = (
            self.rules.book().kiosks().to_vec(),
            self.rules.book().batches().to_vec(),
        );
        assert_eq!(self.apply(bytes), Err(expected));
        assert_eq!(self.rules.book().kiosks(), kiosks, "a refusal changed the rows");
        assert_eq!(self.rules.book().batches(), batches);
    }
}

/// A kiosk registered at station 1.
pub fn with_kiosk(world: &World) -> Replay<'_> {
    let mut replay = Replay::new(world);
    replay.apply(&world.register(&key(1), 1)).unwrap();
    replay
}

#[test]
fn the_life_of_a_kiosk() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a", "b"], None);
    assert_eq!(
        replay.apply(&first),
        Ok(Applied::Batch {
            kiosk: id(&key(1)),
            number: 0,
            hash,
            closing: None
        })
    );
    let (second, second_hash) = batch(&key(1), 1, hash, &["c"], None);
    replay.apply(&second).unwrap();
    let closing = Some(digest("closing"));
    let (last, last_hash) = batch(&key(1), 2, second_hash, &[], closing);
    assert_eq!(
        replay.apply(&last),
        Ok(Applied::Batch {
            kiosk: id(&key(1)),
            number: 2,
            hash: last_hash,
            closing
        })
    );
    let row = replay.rules.book().kiosk(&id(&key(1))).unwrap();
    assert_eq!((row.next, row.previous, row.closed), (3, last_hash, closing));
}

#[test]
fn a_replayed_transaction_of_any_kind_cannot_apply_twice() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    replay.refuse(&world.register(&key(1), 1), Refusal::Registered);
    replay.refuse(&world.register(&key(1), 2), Refusal::Registered);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let (second, _) = batch(&key(1), 1, hash, &["b"], None);
    replay.apply(&first).unwrap();
    replay.refuse(&first, Refusal::Repeated);
    replay.apply(&second).unwrap();
    replay.refuse(&first, Refusal::Repeated);
    replay.apply(&world.register(&key(2), 1)).unwrap();
    let takeover = world.takeover(&key(1), &key(2), hash);
    replay.apply(&takeover).unwrap();
    replay.refuse(&takeover, Refusal::TakenOver);
    let revocation = world.revoke(&key(1), "broken");
    replay.apply(&revocation).unwrap();
    replay.refuse(&revocation, Refusal::Repeated);
    replay.refuse(&world.revoke(&key(1), "another reason"), Refusal::Repeated);
}

#[test]
fn gaps_and_reordered_batches_are_refused() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let (second, second_hash) = batch(&key(1), 1, hash, &["b"], None);
    let (third, _) = batch(&key(1), 2, second_hash, &["c"], None);
    replay.refuse(&second, Refusal::Gap { expected: 0, got: 1 });
    replay.apply(&first).unwrap();
    replay.refuse(&third, Refusal::Gap { expected: 1, got: 2 });
    replay.apply(&second).unwrap();
    replay.apply(&third).unwrap();
}

#[test]
fn a_wrong_predecessor_is_refused() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let wrong = batch(&key(1), 0, digest("nothing"), &["a"], None).0;
    replay.refuse(&wrong, Refusal::Predecessor { expected: [0; 32] });
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    replay.apply(&first).unwrap();
    let wrong = batch(&key(1), 1, [0; 32], &["b"], None).0;
    replay.refuse(&wrong, Refusal::Predecessor { expected: hash });
}

#[test]
fn a_fork_is_named_with_what_it_forks_also_after_the_row_has_ended() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    replay.apply(&first).unwrap();
    let fork = batch(&key(1), 0, [0; 32], &["another"], None).0;
    let refusal = Refusal::Fork {
        number: 0,
        on_ledger: hash,
    };
    replay.refuse(&fork, refusal);
    let (last, last_hash) = batch(&key(1), 1, hash, &["b"], Some(digest("closing")));
    replay.apply(&last).unwrap();
    replay.refuse(&fork, refusal);
    let other_closing = batch(&key(1), 1, hash, &["b"], Some(digest("another closing"))).0;
    let other_refusal = Refusal::Fork {
        number: 1,
        on_ledger: last_hash,
    };
    replay.refuse(&other_closing, other_refusal);
    replay.apply(&world.revoke(&key(1), "two closings")).unwrap();
    replay.refuse(&fork, refusal);
    // A batch that somebody else signed is no fork: nobody can be accused with it.
    let Ok(Transaction::Batch(mut forged)) = Transaction::read(&fork) else {
        panic!()
    };
    let (other, _) = batch(&key(2), 0, [0; 32], &["another"], None);
    let Ok(Transaction::Batch(other)) = Transaction::read(&other) else {
        panic!()
    };
    forged.signature = other.signature;
    replay.refuse(&encode(&Transaction::Batch(forged)), Refusal::Signature);
}

#[test]
fn unknown_revoked_closed_and_replaced_kiosks_are_refused_by_name() {
    let world = world(1);
    let mut replay = Replay::new(&world);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let second = batch(&key(1), 1, hash, &["b"], None).0;
    replay.refuse(&first, Refusal::UnknownKiosk);
    replay.refuse(&world.revoke(&key(1), "lost"), Refusal::UnknownKiosk);
    replay.apply(&world.register(&key(1), 1)).unwrap();
    replay.apply(&first).unwrap();

    let mut closed = with_kiosk(&world);
    let (last, last_hash) = batch(&key(1), 0, [0; 32], &["a"], Some(digest("closing")));
    closed.apply(&last).unwrap();
    closed.refuse(&batch(&key(1), 1, last_hash, &["b"], None).0, Refusal::Closed);

    let mut replaced = with_kiosk(&world);
    replaced.apply(&first).unwrap();
    replaced.apply(&world.register(&key(2), 1)).unwrap();
    replaced.apply(&world.takeover(&key(1), &key(2), hash)).unwrap();
    replaced.refuse(&second, Refusal::TakenOver);

    replay.apply(&world.revoke(&key(1), "lost")).unwrap();
    replay.refuse(&second, Refusal::Revoked);
    replay.refuse(&world.register(&key(1), 1), Refusal::Registered);
}

#[test]
fn staff_acts_need_two_different_cards_with_the_role() {
    let world = world(1);
    let body = registration(&key(1), 1);
    let card = |number: usize| sign(&world.staff[number], &body);
    let ascending = |mut pair: Vec<StaffSignature>| {
        pair.sort_by_key(|card| card.key);
        pair
    };
    let mut stranger = key(250);
    while stranger.public_key() < world.staff[0].public_key() {
        stranger = key(stranger.public_key()[5]);
    }
    let descending: Vec<StaffSignature> = ascending(vec![card(0), card(1)]).into_iter().rev().collect();
    let mut broken = ascending(vec![card(0), card(1)]);
    broken[1].signature.0[40] ^= 1;
    let mut other_body = body;
    other_body.station = 2;
    let elsewhere = ascending(vec![sign(&world.staff[0], &other_body), card(1)]);
    let cases = [
        (vec![], StaffRefusal::NotTwo),
        (vec![card(0)], StaffRefusal::NotTwo),
        (ascending(vec![card(0), card(1), card(2)]), StaffRefusal::NotTwo),
        (vec![card(0), card(0)], StaffRefusal::OneCardTwice),
        (descending, StaffRefusal::Order),
        (
            ascending(vec![card(0), sign(&stranger, &body)]),
            StaffRefusal::UnknownCard,
        ),
        (ascending(vec![card(0), card(3)]), StaffRefusal::Role),
        (broken, StaffRefusal::Signature),
        (elsewhere, StaffRefusal::Signature),
    ];
    let mut replay = Replay::new(&world);
    for (staff, why) in cases {
        replay.refuse(&register_with(body, &staff), Refusal::Staff(why));
    }
    for pair in [[0, 1], [0, 2], [1, 2]] {
        let staff = ascending(vec![card(pair[0]), card(pair[1])]);
        Replay::new(&world).apply(&register_with(body, &staff)).unwrap();
    }
}

#[test]
fn a_signature_for_one_act_is_none_for_another() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    replay.apply(&world.register(&key(2), 1)).unwrap();
    let takeover = Takeover {
        election: crate::fixture::ELECTION,
        epoch: 0,
        old: id(&key(1)),
        new: id(&key(2)),
        predecessor: [0; 32],
        count: 0,
    };
    let revocation = Revocation {
        election: crate::fixture::ELECTION,
        kiosk: id(&key(1)),
        reason: "",
    };
    let mut staff = vec![sign(&world.staff[0], &revocation), sign(&world.staff[1], &revocation)];
    staff.sort_by_key(|card| card.key);
    let staff = items(&staff);
    let staff = Seq::from_bytes(&staff);
    replay.refuse(
        &encode(&Transaction::Takeover { body: takeover, staff }),
        Refusal::Staff(StaffRefusal::Signature),
    );
    let alone = items(&[sign(&world.staff[0], &takeover)]);
    let staff = Seq::from_bytes(&alone);
    replay.refuse(
        &encode(&Transaction::Takeover { body: takeover, staff }),
        Refusal::Staff(StaffRefusal::NotTwo),
    );
    let staff = Seq::from_bytes(&alone);
    replay.refuse(
        &encode(&Transaction::Revoke {
            body: revocation,
            staff,
        }),
        Refusal::Staff(StaffRefusal::NotTwo),
    );
}

#[test]
fn transactions_of_another_election_are_refused() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let mut body = registration(&key(2), 1);
    body.election = digest("another election");
    let mut staff = vec![sign(&world.staff[0], &body), sign(&world.staff[1], &body)];
    staff.sort_by_key(|card| card.key);
    replay.refuse(&register_with(body, &staff), Refusal::Election);
    let bytes = batch(&key(1), 0, [0; 32], &["a"], None).0;
    let Ok(Transaction::Batch(mut foreign)) = Transaction::read(&bytes) else {
        panic!()
    };
    foreign.header.election = digest("another election");
    replay.refuse(&encode(&Transaction::Batch(foreign)), Refusal::Election);
}

#[test]
fn keys_that_are_no_points_and_long_reasons_are_refused() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    for change in [0, 1] {
        let mut body = registration(&key(2), 1);
        let bad = if change == 0 {
            &mut body.kiosk
        } else {
            &mut body.sealing
        };
        bad.0 = [255; 33];
        let mut staff = vec![sign(&world.staff[0], &body), sign(&world.staff[1], &body)];
        staff.sort_by_key(|card| card.key);
        replay.refuse(&register_with(body, &staff), Refusal::Key);
    }
    replay.refuse(&world.revoke(&key(1), &"a".repeat(MAX_REASON + 1)), Refusal::TooLong);
    replay.apply(&world.revoke(&key(1), &"a".repeat(MAX_REASON))).unwrap();
}

#[test]
fn a_batch_whose_parts_do_not_fit_is_refused() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let resign = |change: &dyn Fn(&mut Batch<'_>), list: &[Entry]| {
        let bytes = batch(&key(1), 0, [0; 32], &["a", "b"], None).0;
        let Ok(Transaction::Batch(mut batch)) = Transaction::read(&bytes) else {
            panic!()
        };
        let list = items(list);
        batch.entries = Seq::from_bytes(&list);
        change(&mut batch);
        let signature = key(1).sign("ippyo/1/sign/batch", &batch.header.hash()).unwrap();
        batch.signature = Bytes(signature);
        encode(&Transaction::Batch(batch))
    };
    let good = entries(&["a", "b"]);
    let mut reversed = good.clone();
    reversed.reverse();
    let mut spoiled = good.clone();
    spoiled[0].kind = Kind::Spoiled;
    replay.refuse(&resign(&|_| {}, &reversed), Refusal::Batch);
    replay.refuse(&resign(&|_| {}, &good[..1]), Refusal::Batch);
    replay.refuse(&resign(&|_| {}, &spoiled), Refusal::Batch);
    replay.refuse(&resign(&|batch| batch.header.count = 3, &good), Refusal::Batch);
    replay.refuse(&resign(&|batch| batch.header.root = [0; 32], &good), Refusal::Batch);
    replay.apply(&resign(&|_| {}, &good)).unwrap();
}

#[test]
fn full_tables_refuse_and_change_nothing() {
    let world = world(1);
    let mut kiosks = [KioskRow::EMPTY; 1];
    let mut batches = [BatchRow::EMPTY; 1];
    let mut rules = Rules::new(world.genesis(), Tables::new(&mut kiosks, &mut batches));
    let mut apply = |bytes: &[u8]| rules.apply(&Transaction::read(bytes).unwrap());
    apply(&world.register(&key(1), 1)).unwrap();
    assert_eq!(apply(&world.register(&key(2), 1)), Err(Refusal::Full));
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let second = batch(&key(1), 1, hash, &["b"], None).0;
    apply(&first).unwrap();
    assert_eq!(apply(&second), Err(Refusal::Full));
    assert_eq!(rules.book().kiosk(&id(&key(1))).unwrap().next, 1);
}

#[test]
fn tables_stay_sorted_and_find_everybody() {
    let mut kiosks = [KioskRow::EMPTY; 40];
    let mut tables = Tables::new(&mut kiosks, &mut []);
    let rows: Vec<KioskRow> = (0..40)
        .map(|number| KioskRow {
            id: digest(&format!("kiosk {number}")),
            station: number,
            ..KioskRow::EMPTY
        })
        .collect();
    for row in &rows {
        tables.put_kiosk(*row).unwrap();
    }
    assert!(tables.kiosks().is_sorted_by(|a, b| a.id < b.id));
    for row in rows {
        assert_eq!(tables.kiosk(&row.id), Some(row));
    }
    assert_eq!(tables.kiosk(&digest("nobody")), None);
}

#[test]
fn one_transaction_has_one_encoding_and_one_hash() {
    let world = world(1);
    let good = world.revoke(&key(1), "lost");
    let mut longer = good.clone();
    // The discriminant 1 as a varint of two bytes.
    longer.splice(0..1, [0x81, 0x00]);
    assert_eq!(Transaction::read(&longer), Err(Refusal::Encoding));
    let mut trailing = good.clone();
    trailing.push(0);
    assert_eq!(Transaction::read(&trailing), Err(Refusal::Encoding));
    assert_ne!(transaction_hash(&good), transaction_hash(&longer));
    let long = vec![0; election::ledger::MAX_TRANSACTION + 1];
    assert_eq!(Transaction::read(&long), Err(Refusal::TooLong));
}
