//! Ballots that are left out, added, moved, changed or false are refused, each by its number.

use election::ballot;
use election::batch::Kind;
use election::manifest::Policy;
use election::record::{FileName, PublishedBallot};
use election::verify::{Broken, Why};

use crate::record_support::chain::leaf_of;
use crate::record_support::{self, ByHand, bytes_of, seq_of};
use crate::{honest, refused};

/// The cast ballots of a record as they are published, to be changed.
fn ballots_of(e: &ByHand) -> Vec<record_support::Ballot> {
    e.published().0.into_iter().cloned().collect()
}

fn publish(e: &ByHand, ballots: &[record_support::Ballot]) -> Vec<u8> {
    seq_of(ballots.iter().map(|ballot| e.publish(ballot)))
}

fn of_ballots(item: u32, why: Why) -> Broken {
    Broken {
        file: FileName::Ballots,
        item: Some(item),
        why,
    }
}

#[test]
fn p05_p14_ballots_left_out_added_moved_or_changed_are_refused() {
    let mut e = honest();
    let owned = e.record();
    let list = ballots_of(&e);
    let lie = |change: &dyn Fn(&mut Vec<record_support::Ballot>)| {
        let mut list = list.clone();
        change(&mut list);
        refused(&e, &owned.with(FileName::Ballots, publish(&e, &list)))
    };
    for index in 0..list.len() {
        let broken = lie(&|list| {
            list.remove(index);
        });
        assert_eq!(
            (broken.file, broken.why),
            (FileName::Ballots, Why::NotPublished(list[index].code))
        );
    }
    assert_eq!(lie(&|list| list.swap(0, 1)), of_ballots(1, Why::Order));
    assert_eq!(lie(&|list| list.insert(2, list[1].clone())), of_ballots(2, Why::Order));
    assert_eq!(lie(&|list| list[3].tag[0] ^= 1), of_ballots(3, Why::NotOnLedger));
    assert_eq!(lie(&|list| list[3].epoch ^= 1), of_ballots(3, Why::NotOnLedger));
    assert_eq!(
        lie(&|list| list[0].bytes[0] = 2),
        of_ballots(0, Why::Ballot(ballot::BallotError::Version(2)))
    );
    assert_eq!(
        lie(&|list| list[0].bytes[1] = 9),
        of_ballots(0, Why::Style(0x0900 | list[0].style as u16))
    );
    assert!(matches!(
        lie(&|list| list[0].bytes.push(0)).why,
        Why::Ballot(ballot::BallotError::Length { .. })
    ));
    // The last byte is in a proof: the code stands, the leaf does not.
    let broken = lie(&|list| *list[4].bytes.last_mut().unwrap() ^= 1);
    assert_eq!(broken, of_ballots(4, Why::NotOnLedger));
    // Another kiosk of the same station: same code, another row.
    let at_2 = list
        .iter()
        .position(|ballot| e.kiosks[ballot.kiosk].station == 2)
        .unwrap();
    assert_eq!(
        lie(&|list| list[at_2].kiosk = 2),
        of_ballots(at_2 as u32, Why::NotOfKiosk)
    );
    // A spoiled ballot shown as cast.
    let spoiled = e
        .ballots
        .iter()
        .find(|ballot| ballot.kind == Kind::Spoiled)
        .unwrap()
        .clone();
    let place = list.partition_point(|ballot| ballot.code < spoiled.code);
    let broken = lie(&|list| list.insert(place, spoiled.clone()));
    assert_eq!(broken, of_ballots(place as u32, Why::NotOnLedger));
    // A ballot of the kiosk that never closed.
    let open = e.ballots.iter().find(|ballot| ballot.kiosk == 2).unwrap().clone();
    let place = list.partition_point(|ballot| ballot.code < open.code);
    assert_eq!(
        lie(&|list| list.insert(place, open.clone())),
        of_ballots(place as u32, Why::NoClosing)
    );
    let broken = refused(&e, &owned.with(FileName::Spoiled, Vec::new()));
    assert_eq!(broken.file, FileName::Spoiled);
    assert!(matches!(broken.why, Why::NotPublished(_)));
    let unknown = PublishedBallot {
        kiosk: [0; 32],
        ..e.publish(&list[0])
    };
    let broken = refused(&e, &owned.with(FileName::Ballots, bytes_of(&unknown)));
    assert_eq!(broken, of_ballots(0, Why::UnknownKiosk));
}

#[test]
fn p04_a_ballot_whose_proofs_do_not_hold_is_named() {
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    for tag in 1..5 {
        e.cast(kiosk, 0, 0, tag, &[0b01, 0b001]);
    }
    // A lying kiosk: a response of the last proof is another scalar, and the leaf is over that.
    let bad = &mut e.ballots[2];
    let last = bad.bytes.len() - 1;
    bad.bytes[last] ^= 1;
    bad.leaf = leaf_of(bad);
    let code = bad.code;
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    let place = e.published().0.iter().position(|ballot| ballot.code == code).unwrap();
    let broken = refused(&e, &owned);
    assert_eq!((broken.file, broken.item), (FileName::Ballots, Some(place as u32)));
    assert!(
        matches!(broken.why, Why::Ballot(ballot::BallotError::Sum(_))),
        "{broken}"
    );
}

/// More ballots than are checked as one sum: the culprit keeps its number.
#[test]
fn p04_a_ballot_behind_many_others_is_named() {
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    for tag in 0..140 {
        e.cast(kiosk, 1, 0, tag, &[0b001]);
    }
    let code = e.published_if_closed(kiosk)[133];
    let bad = e.ballots.iter_mut().find(|ballot| ballot.code == code).unwrap();
    // c0 of the first selection: not in the code.
    bad.bytes[35 + 6 * 33 + 31] ^= 1;
    bad.leaf = leaf_of(bad);
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    let broken = refused(&e, &owned);
    assert_eq!((broken.file, broken.item), (FileName::Ballots, Some(133)));
    let place = ballot::Place {
        contest: 1,
        selection: Some(0),
    };
    assert_eq!(broken.why, Why::Ballot(ballot::BallotError::Selection(place)));
}

#[test]
fn p14_a_code_that_was_opened_cannot_also_be_cast() {
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    e.spoil(kiosk, 0, 0, &[0b01, 0b001]);
    let mut twin = e.ballots[0].clone();
    (twin.kind, twin.tag) = (Kind::Cast, [1; 32]);
    twin.leaf = leaf_of(&twin);
    let entry = twin.entry();
    e.ballots.push(twin);
    // One batch cannot hold a code twice, two can.
    e.batch_of(kiosk, 0, vec![entry], None);
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    assert_eq!(
        refused(&e, &owned),
        Broken {
            file: FileName::Spoiled,
            item: Some(0),
            why: Why::CodeTwice
        }
    );
}

#[test]
fn p21_published_ballots_stand_in_the_order_of_their_codes_and_in_no_other() {
    let mut e = honest();
    let owned = e.record();
    let list = ballots_of(&e);
    let cast: Vec<_> = e
        .ballots
        .iter()
        .filter(|ballot| list.iter().any(|published| published.code == ballot.code))
        .cloned()
        .collect();
    assert_ne!(
        cast.iter().map(|ballot| ballot.code).collect::<Vec<_>>(),
        list.iter().map(|ballot| ballot.code).collect::<Vec<_>>(),
        "the order of casting is another one here"
    );
    let why = |list: &[record_support::Ballot]| refused(&e, &owned.with(FileName::Ballots, publish(&e, list))).why;
    assert_eq!(why(&cast), Why::Order);
    for turn in 1..list.len() {
        let mut turned = list.clone();
        turned.rotate_left(turn);
        assert_eq!(why(&turned), Why::Order);
    }
    let backward: Vec<_> = list.iter().rev().cloned().collect();
    assert_eq!(why(&backward), Why::Order);
}
