//! Media that are refused, by name (F6), and what may be taken over (F4).

use std::vec;

use super::media::{Faulty, Lcg, Power, run};
use super::world::*;
use crate::ballot_box::*;

fn refused(original: &Faulty, duplicate: &Faulty) -> MediaFault {
    match start(original, duplicate, 1, &mut Lent::new(), &mut Lcg(1)) {
        Err(fault) => fault,
        Ok(_) => panic!("mounted"),
    }
}

#[test]
fn f6_stray_foreign_swapped_and_doubled_media_are_refused_by_name() {
    let power = Power::new();
    let original = formatted(&label(1, Role::Original, 9), &power);
    let duplicate = formatted(&label(1, Role::Duplicate, 9), &power);
    let stray = Faulty::new(LAYOUT.size(), 0, &power);
    assert_eq!(refused(&stray, &duplicate), MediaFault::Stray(Role::Original));
    assert_eq!(refused(&original, &stray), MediaFault::Stray(Role::Duplicate));
    assert_eq!(refused(&duplicate, &original), MediaFault::Swapped);
    assert_eq!(refused(&original, &original.image()), MediaFault::Twice);
    let with = |change: fn(&mut Label)| {
        let mut other = label(1, Role::Duplicate, 9);
        change(&mut other);
        formatted(&other, &power)
    };
    assert_eq!(
        refused(&original, &with(|label| label.election = [8; 32])),
        MediaFault::OtherElection(Role::Duplicate)
    );
    assert_eq!(
        refused(&original, &with(|label| label.station = 4)),
        MediaFault::OtherStation(Role::Duplicate)
    );
    assert_eq!(
        refused(&original, &with(|label| label.kiosk = [4; 32])),
        MediaFault::OtherKiosk(Role::Duplicate)
    );
    assert_eq!(
        refused(&original, &with(|label| label.epoch = 1)),
        MediaFault::OtherEpoch(Role::Duplicate)
    );
    assert_eq!(
        refused(&original, &with(|label| label.pair = [1; 16])),
        MediaFault::NotAPair
    );
    assert_eq!(
        refused(&original, &with(|label| label.layout.cast = 11)),
        MediaFault::Sizes
    );
    // A label with a flipped bit anywhere is never taken for a whole one.
    let mut encoded = [0; 512];
    let length = election::wire::encode(&label(1, Role::Duplicate, 9), &mut encoded)
        .unwrap()
        .len();
    for at in 0..32 + length {
        let damaged = duplicate.image();
        damaged.disk.borrow_mut().live[at] ^= 4;
        let fault = refused(&original, &damaged);
        assert!(
            matches!(
                fault,
                MediaFault::Label(Role::Duplicate)
                    | MediaFault::Stray(Role::Duplicate)
                    | MediaFault::Version(Role::Duplicate)
            ),
            "{at} {fault:?}"
        );
    }
}

#[test]
fn f6_two_media_that_say_different_things_are_refused() {
    let power = Power::new();
    let original = formatted(&label(1, Role::Original, 9), &power);
    let duplicate = formatted(&label(1, Role::Duplicate, 9), &power);
    let mut rng = Lcg(1);
    let day = |original: &Faulty, duplicate: &Faulty, voter: u8, rng: &mut Lcg| {
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(original, duplicate, 1, &mut lent, rng).unwrap().unwrap();
        open_polls(&mut ballot_box).unwrap().unwrap();
        play(&mut ballot_box, voter, Act::Vote, &mut Voters::default(), rng)
            .unwrap()
            .unwrap();
    };
    let (a, b) = (original.image(), duplicate.image());
    day(&a, &b, 1, &mut rng);
    let (c, d) = (original.image(), duplicate.image());
    day(&c, &d, 2, &mut Lcg(1));
    // The same day twice from the same start: the media of one cannot be mixed with those of the other unnoticed.
    match start(&a, &d, 1, &mut Lent::new(), &mut rng) {
        Err(MediaFault::Differ { .. }) => {}
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("mounted"),
    }
}

#[test]
fn a5_f10_hostile_bytes_on_a_medium_never_panic_and_invent_no_vote() {
    let power = Power::new();
    let original = formatted(&label(1, Role::Original, 9), &power);
    let duplicate = formatted(&label(1, Role::Duplicate, 9), &power);
    let mut rng = Lcg(77);
    {
        let mut lent = Lent::new();
        let (mut ballot_box, _) = start(&original, &duplicate, 1, &mut lent, &mut rng).unwrap().unwrap();
        open_polls(&mut ballot_box).unwrap().unwrap();
        for voter in 1..4 {
            play(&mut ballot_box, voter, Act::Vote, &mut Voters::default(), &mut rng)
                .unwrap()
                .unwrap();
        }
    }
    use crate::random::Uniform;
    for round in 0..400 {
        let (a, b) = (original.image(), duplicate.image());
        for _ in 0..=rng.below(20).unwrap() {
            let medium = if rng.below(2) == Some(0) { &a } else { &b };
            let mut disk = medium.disk.borrow_mut();
            let size = u32::try_from(disk.live.len()).unwrap();
            // Most of it where something stands.
            let bound = if round % 2 == 0 { size } else { 512 * 30 };
            let at = usize::try_from(rng.below(bound).unwrap()).unwrap();
            let run = usize::try_from(rng.below(40).unwrap()).unwrap();
            let value = u8::try_from(rng.below(256).unwrap()).unwrap();
            for byte in disk.live.iter_mut().skip(at).take(run) {
                *byte ^= value;
            }
            disk.durable = disk.live.clone();
        }
        let mut lent = Lent::new();
        let mut spare = vec![0; buffer_len(&LAYOUT, K)];
        // Refused, or mounted with what is whole; and what is whole is what was put in.
        if let Ok((ballot_box, _)) = run(BallotBox::mount(
            a.clone(),
            b.clone(),
            &expected(1),
            TestLeaves,
            lent.memory(),
            &mut spare,
            &mut rng,
        ))
        .unwrap()
        {
            assert!(ballot_box.counts().recorded <= 3);
        }
    }
}

#[test]
fn f4_a_spare_takes_over_with_the_surviving_medium_and_nothing_is_lost() {
    for survivor in [Role::Original, Role::Duplicate] {
        let power = Power::new();
        let media = [
            formatted(&label(1, Role::Original, 9), &power),
            formatted(&label(1, Role::Duplicate, 9), &power),
        ];
        let mut rng = Lcg(4);
        let mut voters = Voters::default();
        {
            let mut lent = Lent::new();
            let (mut ballot_box, _) = start(&media[0], &media[1], 1, &mut lent, &mut rng).unwrap().unwrap();
            open_polls(&mut ballot_box).unwrap().unwrap();
            run(ballot_box.announce(&super::cuts::registration(1)))
                .unwrap()
                .unwrap();
            for voter in 1..6 {
                play(&mut ballot_box, voter, Act::Vote, &mut voters, &mut rng)
                    .unwrap()
                    .unwrap();
                while ballot_box.batch_due(K) {
                    run(ballot_box.write_batch(K, &signer(1), &mut rng)).unwrap().unwrap();
                }
            }
        }
        let surviving = media[survivor as usize].clone();
        let fresh = formatted(&label(2, survivor.other(), 10), &power);
        let (mut original, mut duplicate) = match survivor {
            Role::Original => (surviving.clone(), fresh.clone()),
            Role::Duplicate => (fresh.clone(), surviving.clone()),
        };
        let mut lent = Lent::new();
        let mut memory = lent.memory();
        let proposal = run(propose(
            &mut original,
            &mut duplicate,
            &expected(2),
            &TestLeaves,
            &mut memory,
        ))
        .unwrap()
        .unwrap();
        assert_eq!(
            (proposal.old, proposal.count, proposal.surviving),
            (kiosk_id(1), 5, survivor)
        );
        assert_eq!(proposal.predecessor, [0; 32], "no proof ever came");
        let taken = TakenOver {
            old: proposal.old,
            predecessor: proposal.predecessor,
            count: proposal.count,
            seconds: 5,
            staff: staff(),
        };
        // Before the label nothing has changed: the spare cannot simply start.
        assert!(matches!(
            start(&original, &duplicate, 2, &mut Lent::new(), &mut rng),
            Err(MediaFault::OtherKiosk(_))
        ));
        let target = if survivor == Role::Original {
            &mut original
        } else {
            &mut duplicate
        };
        run(rebind(target, &proposal, &taken, &mut vec![0; 4096]))
            .unwrap()
            .unwrap();
        let mut lent = Lent::new();
        let (mut ballot_box, found) = start(&original, &duplicate, 2, &mut lent, &mut rng).unwrap().unwrap();
        assert!(found.copied >= 10, "{found:?}");
        run(ballot_box.announce(&super::cuts::registration(2)))
            .unwrap()
            .unwrap();
        assert!(ballot_box.has_voted(&tag(1)));
        assert_eq!(ballot_box.counts().recorded, 5);
        // Nothing of the old kiosk's batches was proven: all five leave again under the new key.
        assert!(ballot_box.batch_due(K));
        assert_eq!(ballot_box.log().pending(), 2, "registration and takeover come first");
        play(&mut ballot_box, 7, Act::Vote, &mut voters, &mut rng)
            .unwrap()
            .unwrap();
        while ballot_box.batch_due(K) {
            run(ballot_box.write_batch(K, &signer(2), &mut rng)).unwrap().unwrap();
        }
        let closed = crate::audit::Event::Closed {
            seconds: 9,
            staff: staff(),
        };
        run(ballot_box.append(&closed)).unwrap().unwrap();
        run(ballot_box.finish(&[2; 32], &signer(2))).unwrap().unwrap();
        assert_eq!(ballot_box.counts().deficit(), 0);
        drop(ballot_box);
        judge(&original, &voters, "original");
        judge(&duplicate, &voters, "duplicate");
        assert_eq!(contents(&original), contents(&duplicate));
        // The old kiosk does not get its medium back.
        assert!(start(&media[0], &media[1], 1, &mut Lent::new(), &mut rng).is_err());
    }
}
