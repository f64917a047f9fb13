//! A spare in place of a kiosk that failed, and whoever would misuse that.

use election::ledger::{Applied, Book as _, Refusal};

use crate::fixture::{batch, digest, id, key, world};
use crate::rules::with_kiosk;

#[test]
fn f4_a_spare_goes_on_where_the_old_kiosk_ended() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    replay.apply(&first).unwrap();
    replay.apply(&world.register(&key(2), 1)).unwrap();
    let takeover = world.takeover(&key(1), &key(2), hash);
    assert_eq!(
        replay.apply(&takeover),
        Ok(Applied::TakenOver {
            old: id(&key(1)),
            new: id(&key(2))
        })
    );
    let unrelated = batch(&key(2), 0, [0; 32], &["b"], None).0;
    replay.refuse(&unrelated, Refusal::Predecessor { expected: hash });
    // The spare may send again what the old kiosk had sent: equal leaves count once, at the tally.
    replay.apply(&batch(&key(2), 0, hash, &["a", "b"], None).0).unwrap();
    let row = replay.rules.book().kiosk(&id(&key(2))).unwrap();
    assert_eq!((row.took_over, row.next), (Some(id(&key(1))), 1));
}

#[test]
fn f4_a_spare_that_fails_before_its_first_batch_passes_its_predecessor_on() {
    let world = world(1);
    let mut replay = with_kiosk(&world);
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    replay.apply(&first).unwrap();
    replay.apply(&world.register(&key(2), 1)).unwrap();
    replay.apply(&world.register(&key(3), 1)).unwrap();
    replay.apply(&world.takeover(&key(1), &key(2), hash)).unwrap();
    replay.refuse(
        &world.takeover(&key(2), &key(3), digest("nothing")),
        Refusal::UnknownPredecessor,
    );
    replay.apply(&world.takeover(&key(2), &key(3), hash)).unwrap();
    replay.apply(&batch(&key(3), 0, hash, &["b"], None).0).unwrap();
}

#[test]
fn a_takeover_is_refused_for_each_of_its_conditions() {
    let world = world(1);
    let ready = || {
        let mut replay = with_kiosk(&world);
        replay.apply(&world.register(&key(2), 1)).unwrap();
        replay.apply(&world.register(&key(3), 2)).unwrap();
        replay.apply(&world.register(&key(4), 1)).unwrap();
        replay.apply(&world.register(&key(5), 1)).unwrap();
        replay
    };
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let zero = [0; 32];
    ready().refuse(&world.takeover(&key(1), &key(1), zero), Refusal::SameKiosk);
    ready().refuse(&world.takeover(&key(9), &key(2), zero), Refusal::UnknownKiosk);
    ready().refuse(&world.takeover(&key(1), &key(9), zero), Refusal::UnknownKiosk);
    ready().refuse(&world.takeover(&key(1), &key(3), zero), Refusal::Station);
    ready().refuse(&world.takeover(&key(1), &key(2), hash), Refusal::UnknownPredecessor);

    let mut foreign_batch = ready();
    foreign_batch.apply(&first).unwrap();
    foreign_batch.refuse(&world.takeover(&key(4), &key(2), hash), Refusal::UnknownPredecessor);
    foreign_batch.refuse(&world.takeover(&key(4), &key(1), zero), Refusal::SpareInUse);

    let mut closed = ready();
    closed
        .apply(&batch(&key(1), 0, zero, &[], Some(digest("closing"))).0)
        .unwrap();
    closed.refuse(&world.takeover(&key(1), &key(2), zero), Refusal::Closed);
    closed.refuse(&world.takeover(&key(2), &key(1), zero), Refusal::Closed);

    let mut revoked = ready();
    revoked.apply(&world.revoke(&key(1), "lost")).unwrap();
    revoked.refuse(&world.takeover(&key(1), &key(2), zero), Refusal::Revoked);
    revoked.refuse(&world.takeover(&key(2), &key(1), zero), Refusal::Revoked);

    let mut taken = ready();
    taken.apply(&world.takeover(&key(1), &key(2), zero)).unwrap();
    taken.refuse(&world.takeover(&key(1), &key(4), zero), Refusal::TakenOver);
    taken.refuse(&world.takeover(&key(4), &key(1), zero), Refusal::TakenOver);
    taken.refuse(&world.takeover(&key(4), &key(2), zero), Refusal::SpareInUse);
    // No circle: the kiosk that was replaced does not come back.
    taken.refuse(&world.takeover(&key(2), &key(1), zero), Refusal::TakenOver);
    taken.apply(&world.takeover(&key(4), &key(5), zero)).unwrap();
}
