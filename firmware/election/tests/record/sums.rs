//! What follows from the ballots: closings, tallies, reception's counts. Those that do not are refused.

use election::closing::{ClosingError, Counters};
use election::ledger::StaffRefusal;
use election::manifest::Policy;
use election::record::{FileName, LABEL_RECEPTION, ReceptionCount};
use election::tally::TallyError;
use election::verify::{Broken, Why};

use crate::record_support::memory::verified;
use crate::record_support::{ByHand, signer};
use crate::{honest, refused};

fn of_closings(item: Option<u32>, why: Why) -> Broken {
    Broken {
        file: FileName::Closings,
        item,
        why,
    }
}

#[test]
fn p25_closings_that_do_not_follow_from_the_ballots_are_refused() {
    // A closing that is missing, one that is there twice, one that is not the ledger's.
    let mut e = honest();
    let owned = e.record();
    let own = |kiosk: usize| e.kiosks[kiosk].closing.clone().unwrap();
    let first_is_0 = e.kiosks[0].signer.public_key() < e.kiosks[1].signer.public_key();
    let (low, high) = if first_is_0 { (0, 1) } else { (1, 0) };
    let broken = refused(&e, &owned.with(FileName::Closings, own(low)));
    assert_eq!(broken, of_closings(None, Why::ClosingMissing(e.kiosks[high].id())));
    let broken = refused(&e, &owned.with(FileName::Closings, [own(low), own(low)].concat()));
    assert_eq!(broken, of_closings(Some(1), Why::Order));
    let broken = refused(&e, &owned.with(FileName::Closings, [own(high), own(low)].concat()));
    assert_eq!(broken, of_closings(Some(1), Why::Order));
    let mut other = own(low);
    other[0] ^= 1;
    let broken = refused(&e, &owned.with(FileName::Closings, [other, own(high)].concat()));
    assert_eq!(broken, of_closings(Some(0), Why::Election));
    let mut other = own(low);
    other[97] ^= 1;
    let broken = refused(&e, &owned.with(FileName::Closings, [other, own(high)].concat()));
    assert_eq!(broken, of_closings(Some(0), Why::Station));
    let mut other = own(low);
    other[98] ^= 1;
    let broken = refused(&e, &owned.with(FileName::Closings, [other.clone(), own(high)].concat()));
    assert_eq!(broken, of_closings(Some(0), Why::NotTheLastBatch));
    other[98] = 2;
    let broken = refused(&e, &owned.with(FileName::Closings, [other, own(high)].concat()));
    assert_eq!(broken, of_closings(Some(0), Why::Epoch));
    let mut other = own(low);
    *other.last_mut().unwrap() ^= 1;
    let broken = refused(&e, &owned.with(FileName::Closings, [other, own(high)].concat()));
    assert!(matches!(broken.why, Why::Closing(ClosingError::Signature(_))));

    // A kiosk that lies to the ledger, too.
    let lying = |cards: &[u8], change: fn(Counters) -> Counters| {
        let mut e = ByHand::new(Policy::First);
        let kiosk = e.register(1);
        e.cast(kiosk, 0, 0, 1, &[0b01, 0b001]);
        e.spoil(kiosk, 0, 0, &[0b01, 0b001]);
        e.close_with(kiosk, 0, cards, |mut closing| {
            closing.counters = change(closing.counters);
            closing
        });
        e.seal();
        let owned = e.record();
        refused(&e, &owned).why
    };
    let same = |counters| counters;
    assert_eq!(
        lying(&[10], same),
        Why::Closing(ClosingError::Staff(StaffRefusal::NotTwo))
    );
    assert_eq!(
        lying(&[10, 12], same),
        Why::Closing(ClosingError::Staff(StaffRefusal::UnknownCard))
    );
    let more = |c: Counters| Counters {
        admitted: c.admitted + 1,
        recorded: c.recorded + 1,
        ..c
    };
    assert_eq!(lying(&[10, 11], more), Why::Closing(ClosingError::Recorded));
    let admitted = |c: Counters| Counters {
        admitted: c.admitted + 1,
        ..c
    };
    assert_eq!(lying(&[10, 11], admitted), Why::Closing(ClosingError::Counters));
    let spoiled = |c: Counters| Counters { spoiled: 0, ..c };
    assert_eq!(lying(&[10, 11], spoiled), Why::Closing(ClosingError::Spoiled));

    // A closing hash over other ballots than those published: one voter's ballot was never closed with.
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    e.cast(kiosk, 0, 0, 1, &[0b01, 0b001]);
    let late = e.cast(kiosk, 0, 0, 2, &[0b01, 0b001]);
    e.batch(kiosk, 0, &[late], None);
    let hidden = e.ballots.remove(late);
    e.close(kiosk, 0);
    e.ballots.push(hidden);
    e.seal();
    let owned = e.record();
    assert_eq!(
        refused(&e, &owned),
        of_closings(Some(0), Why::Closing(ClosingError::Recorded))
    );
}

#[test]
fn p18_tallies_that_lie_are_refused() {
    let mut e = honest();
    let owned = e.record();
    let honest_tally = owned.get(FileName::Tally).to_vec();
    let of_tally = |item, why| Broken {
        file: FileName::Tally,
        item,
        why,
    };
    let lie = |bytes: Vec<u8>| refused(&e, &owned.with(FileName::Tally, bytes));
    let mut election = honest_tally.clone();
    election[0] ^= 1;
    assert_eq!(lie(election), of_tally(None, Why::Election));
    let mut ballots = honest_tally.clone();
    ballots[32] += 1;
    assert_eq!(lie(ballots), of_tally(None, Why::Count { said: 6, found: 5 }));
    for place in (33..honest_tally.len()).step_by(17) {
        let mut changed = honest_tally.clone();
        changed[place] ^= 1;
        let broken = lie(changed);
        assert_eq!(broken.file, FileName::Tally, "byte {place}");
    }
    // The tally of other ballots: without one voter, honest in itself.
    let mut fewer = honest();
    let gone = fewer.ballots.iter().position(|ballot| ballot.tag == [5; 32]).unwrap();
    fewer.ballots.remove(gone);
    assert!(matches!(
        lie(fewer.tally(&[1, 3])).why,
        Why::Count { said: 4, found: 5 }
    ));
    // Other trustees are as good; too few, too many or in the wrong order are not.
    let good = e.tally(&[2, 3]);
    verified(&e, &owned.with(FileName::Tally, good), |_| Ok(())).unwrap();
    for trustees in [&[1][..], &[1, 2, 3], &[3, 1], &[1, 1]] {
        let tally = e.tally(trustees);
        let broken = refused(&e, &owned.with(FileName::Tally, tally));
        assert_eq!(
            broken,
            of_tally(Some(0), Why::Tally(TallyError::Trustees)),
            "{trustees:?}"
        );
    }
}

#[test]
fn more_tags_than_reception_admitted_are_refused() {
    let mut e = honest();
    let owned = e.record();
    let election = e.election;
    let count = |station, epoch, admissions| {
        let message = ReceptionCount::message(&election, station, epoch, admissions);
        ReceptionCount {
            station,
            epoch,
            admissions,
            key: signer(10).public_key(),
            signature: signer(10).sign(LABEL_RECEPTION, &message).unwrap(),
        }
    };
    let check = |counts: &[ReceptionCount]| {
        verified(&e, &owned, |checked| {
            let mut order = vec![0; checked.ballots().len()];
            Ok(checked.check_reception(counts, &mut order))
        })
        .unwrap()
        .map_err(|broken| broken.why)
    };
    // Station 1 saw tags 1, 2, 3 in epoch 0; station 2 saw 1, 4, 5 in epoch 1.
    assert_eq!(check(&[count(1, 0, 3), count(2, 1, 3)]), Ok(()));
    assert_eq!(check(&[count(1, 0, 30), count(2, 1, 30), count(2, 0, 5)]), Ok(()));
    let more = |station, epoch, admissions| {
        Err(Why::MoreThanAdmitted {
            station,
            epoch,
            tags: 3,
            admissions,
        })
    };
    assert_eq!(check(&[count(1, 0, 2), count(2, 1, 3)]), more(1, 0, 2));
    assert_eq!(check(&[count(1, 0, 3), count(2, 0, 3)]), more(2, 1, 0));
    assert_eq!(check(&[count(1, 0, 3), count(1, 0, 3)]), Err(Why::ReceptionTwice));
    let mut forged = count(1, 0, 3);
    forged.admissions = 4;
    assert_eq!(check(&[forged]), Err(Why::ReceptionSignature));
    forged.key = signer(12).public_key();
    assert_eq!(check(&[forged]), Err(Why::ReceptionKey));
}
