//! Whole election records: one that holds, and every way of lying about one, each named where it lies.

mod record_support;

use std::collections::BTreeMap;

use election::ballot;
use election::batch::{Entry, Kind};
use election::closing::{ClosingError, Counters};
use election::ledger::{CertificateError, Refusal, StaffRefusal};
use election::manifest::Policy;
use election::record::{FileName, IndexError, LABEL_RECEPTION, PublishedBallot, ReceptionCount};
use election::tally::TallyError;
use election::verify::{Broken, Record, State, Status, Why};
use election::wire::Seq;
use record_support::memory::{Memory, verified};
use record_support::{AUTHORITY, ByHand, Owned, bytes_of, leaf_of, seq_of, signer};

fn refused(by_hand: &ByHand, owned: &Owned) -> Broken {
    verified(by_hand, owned, |_| Ok(())).expect_err("a lie is refused")
}

/// Three kiosks at two stations, two of which close; two epochs; a duplicate, an overwritten and two spoiled ballots.
/// Tags: 1 votes in both epochs, 2 twice in epoch 0 at two stations.
fn honest() -> ByHand {
    let mut e = ByHand::new(Policy::Last);
    let (a, b, open) = (e.register(1), e.register(2), e.register(2));
    e.seal();
    let first = [e.cast(a, 0, 0, 1, &[0b01, 0b011]), e.cast(a, 0, 0, 2, &[0b10, 0b100])];
    e.spoil(a, 1, 0, &[0b110]);
    e.cast(a, 1, 0, 3, &[0]);
    e.batch(a, 0, &first, None);
    e.seal();
    let second = [e.cast(b, 0, 1, 1, &[0b10, 0b110]), e.cast(b, 1, 1, 4, &[0b001])];
    e.batch(b, 1, &second, None);
    let lost = e.cast(open, 0, 0, 9, &[0b01, 0b001]);
    e.batch(open, 0, &[lost], None);
    e.seal();
    e.cast(b, 0, 1, 5, &[0, 0b101]);
    e.spoil(b, 0, 1, &[0b01, 0b011]);
    e.close(a, 0);
    e.seal();
    e.close(b, 1);
    e.seal();
    e.seal();
    e
}

#[test]
fn an_honest_record_holds() {
    let mut e = honest();
    let owned = e.record();
    let totals = e.expected_totals();
    verified(&e, &owned, |checked| {
        // One by one they hold as they do together.
        for (kind, rows) in [(Kind::Cast, checked.ballots()), (Kind::Spoiled, checked.spoiled())] {
            for index in 0..rows.len() as u32 {
                checked.check_ballot(&e.crypto(), kind, index)?;
            }
        }
        assert_eq!(checked.height(), 6);
        assert_eq!((checked.ballots().len(), checked.spoiled().len()), (6, 2));
        assert_eq!(checked.unclosed_entries(), 1);
        assert_eq!(checked.count(State::Counted), 5);
        assert_eq!(checked.count(State::Overwritten), 1);
        let published = checked.tally().unwrap();
        for (contest, expected) in published.contests.iter().zip(&totals) {
            let found: Vec<u32> = contest.unwrap().selections.iter().map(|s| s.unwrap().total).collect();
            assert_eq!(found, *expected);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_empty_record_holds() {
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    verified(&e, &owned, |checked| {
        assert_eq!(checked.count(State::Counted), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a1_of_one_tag_one_ballot_counts_and_everybody_can_look_it_up() {
    for policy in [Policy::First, Policy::Last] {
        let mut e = ByHand::new(policy);
        let (a, b) = (e.register(1), e.register(2));
        // Tag 7 votes at a, then at b, which is on the ledger first.
        let late = e.cast(a, 0, 0, 7, &[0b01, 0b001]);
        let early = e.cast(b, 0, 0, 7, &[0b10, 0b010]);
        let spoiled = e.spoil(a, 0, 0, &[0b01, 0b001]);
        let epoch = u8::from(policy == Policy::Last);
        let overwritten = e.cast(b, 0, 0, 8, &[0b10, 0b010]);
        e.batch(b, 0, &[early, overwritten], None);
        e.batch(a, 0, &[late], None);
        e.seal();
        e.close(a, 0);
        e.close(b, 0);
        let c = e.register(2);
        let last = e.cast(c, 0, epoch, 8, &[0b01, 0b100]);
        e.close(c, epoch);
        e.seal();
        let owned = e.record();
        let code = |ballot: usize| *e.ballots[ballot].code.first_chunk::<20>().unwrap();
        let (first, second) = match policy {
            Policy::First => (Status::Counted, Status::Duplicate),
            Policy::Last => (Status::Overwritten, Status::Counted),
        };
        verified(&e, &owned, |checked| {
            assert_eq!(checked.status(&code(early)), Status::Counted);
            assert_eq!(checked.status(&code(late)), Status::Duplicate);
            assert_eq!(checked.status(&code(spoiled)), Status::Spoiled);
            assert_eq!(checked.status(&code(overwritten)), first);
            assert_eq!(checked.status(&code(last)), second);
            assert_eq!(checked.status(&[0; 20]), Status::Unknown);
            assert_eq!(checked.status(&[255; 20]), Status::Unknown);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn f4_a_takeover_keeps_what_the_old_kiosk_anchored_and_counts_it_once() {
    let mut e = ByHand::new(Policy::Last);
    let old = e.register(1);
    let anchored = [
        e.cast(old, 0, 0, 1, &[0b01, 0b001]),
        e.cast(old, 0, 0, 2, &[0b01, 0b010]),
    ];
    e.batch(old, 0, &anchored, None);
    e.cast(old, 1, 0, 3, &[0b100]);
    let spare = e.register(1);
    e.take_over(old, spare);
    e.seal();
    // The spare does not know what arrived: it sends one of them again.
    e.batch(spare, 0, &anchored[..1], None);
    e.cast(spare, 0, 0, 4, &[0b10, 0]);
    e.close(spare, 0);
    e.seal();
    let owned = e.record();
    verified(&e, &owned, |checked| {
        assert_eq!(checked.count(State::Counted), 4);
        assert_eq!(checked.unclosed_entries(), 0);
        Ok(())
    })
    .unwrap();

    // What the old kiosk anchored may not be left out by the spare.
    let mut e = ByHand::new(Policy::Last);
    let old = e.register(1);
    let anchored = [e.cast(old, 0, 0, 1, &[0b01, 0b001])];
    e.batch(old, 0, &anchored, None);
    let spare = e.register(1);
    e.take_over(old, spare);
    let forgotten = e.ballots.remove(0);
    e.close(spare, 0);
    e.seal();
    let owned = e.record();
    assert_eq!(
        refused(&e, &owned),
        Broken {
            file: FileName::Ballots,
            item: None,
            why: Why::NotPublished(forgotten.code)
        }
    );
}

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
fn chains_that_are_cut_or_break_a_rule_are_refused() {
    let mut e = honest();
    let owned = e.record();
    let chain = |blocks: &[Vec<u8>]| refused(&e, &owned.with(FileName::Chain, blocks.concat()));
    // Without the last block, which is empty, nothing is missing but the block: the record does not say its height.
    let without_last = &e.blocks[..5];
    verified(&e, &owned.with(FileName::Chain, without_last.concat()), |_| Ok(())).unwrap();
    assert!(matches!(chain(&e.blocks[..4]).why, Why::NoClosing | Why::NotOnLedger));
    assert!(matches!(chain(&e.blocks[1..]).why, Why::Block(_)));
    let mut swapped = e.blocks.clone();
    swapped.swap(1, 2);
    let broken = chain(&swapped);
    assert_eq!((broken.file, broken.item), (FileName::Chain, Some(1)));
    assert!(matches!(broken.why, Why::Block(_)));
    let mut cut = e.blocks.concat();
    cut.pop();
    let broken = refused(&e, &owned.with(FileName::Chain, cut));
    assert_eq!((broken.file, broken.item), (FileName::Chain, Some(5)));
    assert!(matches!(broken.why, Why::Wire(_)));

    let mut e = ByHand::new(Policy::First);
    e.validators_signing = 2;
    e.register(1);
    e.seal();
    let owned = e.record();
    let few = CertificateError::TooFew {
        signed: 2,
        validators: 4,
    };
    assert_eq!(refused(&e, &owned).why, Why::Certificate(few));

    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    e.revoke(kiosk);
    e.seal();
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    let broken = refused(&e, &owned);
    assert_eq!(broken.item, Some(1));
    let refusal = Refusal::Revoked;
    assert_eq!(broken.why, Why::Transaction { index: 0, refusal });
}

#[test]
fn an_entry_that_claims_another_ballots_leaf_is_refused() {
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    let ballot = e.cast(kiosk, 0, 0, 1, &[0b01, 0b001]);
    // The code is that of nobody's ballot, the leaf is real.
    let entry = Entry {
        code: [1; 32],
        ..e.ballots[ballot].entry()
    };
    e.batch_of(kiosk, 0, vec![entry], None);
    let honest = e.ballots[ballot].entry();
    e.batch_of(kiosk, 0, vec![honest], None);
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    assert_eq!(refused(&e, &owned).why, Why::NotPublished([1; 32]));
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
fn an_index_that_does_not_fit_is_refused() {
    let mut e = honest();
    let owned = e.record();
    let authority = signer(AUTHORITY).public_key();
    let open = |owned: &Owned| Record::open(owned.files(), Some(&authority)).map(|_| ());
    let broken = |file, why| {
        Err(Broken {
            file,
            item: None,
            why: Why::Index(why),
        })
    };
    assert_eq!(open(&owned), Ok(()));
    // Without an authority to ask for, the index is held to the key in it.
    assert!(Record::open(owned.files(), None).is_ok());
    let other = Record::open(owned.files(), Some(&signer(77).public_key())).map(|_| ());
    assert_eq!(other, broken(FileName::Index, IndexError::Authority));
    for file in FileName::ALL {
        if file == FileName::Reception {
            continue;
        }
        let mut changed = owned.clone();
        changed.files.get_mut(&file).unwrap().push(0);
        assert!(open(&changed).is_err(), "{file}");
        if file != FileName::Index {
            assert_eq!(open(&changed), broken(file, IndexError::Length(file)));
            let mut changed = owned.clone();
            let bytes = changed.files.get_mut(&file).unwrap();
            let Some(byte) = bytes.first_mut() else { continue };
            *byte ^= 1;
            assert_eq!(open(&changed), broken(file, IndexError::Hash(file)));
        }
    }
    let mut added = owned.clone();
    added.files.insert(FileName::Reception, b"{}".to_vec());
    assert_eq!(
        open(&added),
        broken(FileName::Reception, IndexError::NotListed(FileName::Reception))
    );
    added.sign();
    assert_eq!(open(&added), Ok(()));
    added.files.remove(&FileName::Reception);
    assert_eq!(
        open(&added),
        broken(FileName::Reception, IndexError::Missing(FileName::Reception))
    );
    let mut other = owned.clone();
    other.election[0] ^= 1;
    other.sign();
    assert_eq!(
        open(&other),
        Err(Broken {
            file: FileName::Index,
            item: None,
            why: Why::Election
        })
    );
}

/// Every byte of the index is under its signature or is the signature.
#[test]
fn a_flipped_byte_of_the_index_is_refused() {
    let mut e = honest();
    let owned = e.record();
    let index = owned.get(FileName::Index).to_vec();
    for place in 0..index.len() {
        let mut changed = owned.clone();
        changed.files.get_mut(&FileName::Index).unwrap()[place] ^= 1;
        assert!(Record::open(changed.files(), None).is_err(), "byte {place}");
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

/// A record whose every file is damaged at random, with a true index over the damage: refused somewhere, never a panic.
#[test]
fn damage_in_any_file_is_refused_even_when_the_authority_signs_it() {
    let mut e = honest();
    let owned = e.record();
    let mut seen = BTreeMap::<FileName, u32>::new();
    for round in 0..390u64 {
        let file = FileName::ALL[round as usize % FileName::ALL.len()];
        // Report and results are for people and for other programs; only the index speaks of them here.
        if matches!(
            file,
            FileName::Index | FileName::Reception | FileName::Report | FileName::Results
        ) {
            continue;
        }
        let mut bytes = owned.get(file).to_vec();
        let place = e.random() as usize % bytes.len();
        let bit = 1u8 << (e.random() % 8);
        bytes[place] ^= bit;
        let broken = refused(&e, &owned.with(file, bytes));
        assert_ne!(broken.why, Why::Scratch, "{file} at {place}");
        *seen.entry(broken.file).or_default() += 1;
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

/// Histories drawn at random: tags at several kiosks, in several epochs, sent early or late or twice, boxes taken over, kiosks that
/// never close. Which ballots count is what section 10 says word for word, and the totals are what those voters chose.
#[test]
fn a1_no_ballot_counted_twice_in_any_history() {
    for seed in 0..12u64 {
        let policy = if seed % 3 == 0 { Policy::First } else { Policy::Last };
        let epochs = if policy == Policy::First { 1 } else { 2 };
        let mut e = ByHand::new(policy);
        for _ in 0..seed {
            e.random();
        }
        let draw = |e: &mut ByHand, below: u64| (e.random() % below) as usize;
        // A kiosk belongs to one epoch.
        let mut open: Vec<(usize, u8)> = Vec::new();
        for kiosk in 0..4 {
            let station = 1 + draw(&mut e, 2) as u16;
            open.push((e.register(station), (kiosk % epochs) as u8));
        }
        for _ in 0..14 {
            let (kiosk, epoch) = open[draw(&mut e, 4)];
            let (style, tag) = (draw(&mut e, 2), draw(&mut e, 6) as u8 + 1);
            let choices: &[u64] = if style == 0 { &[0b01, 0b110] } else { &[0b001] };
            match draw(&mut e, 8) {
                0 => {
                    e.spoil(kiosk, style, epoch, choices);
                }
                1 => {
                    let unsent: Vec<usize> = (0..e.ballots.len())
                        .filter(|ballot| e.ballots[*ballot].kiosk == kiosk && e.ballots[*ballot].kind == Kind::Cast)
                        .collect();
                    // Perhaps again: identical leaves count once.
                    if !unsent.is_empty() {
                        e.batch(kiosk, epoch, &unsent, None);
                    }
                }
                2 => {
                    let place = open.iter().position(|(other, _)| *other == kiosk).unwrap();
                    let station = e.kiosks[kiosk].station;
                    let spare = e.register(station);
                    e.take_over(kiosk, spare);
                    open[place].0 = spare;
                }
                3 => e.seal(),
                _ => {
                    e.cast(kiosk, style, epoch, tag, choices);
                }
            }
        }
        // The last one never closes.
        for (kiosk, epoch) in &open[..3] {
            e.close(*kiosk, *epoch);
        }
        e.seal();
        let owned = e.record();
        let expected: BTreeMap<_, _> = e.counted().iter().map(|ballot| (ballot.code, ballot.tag)).collect();
        verified(&e, &owned, |checked| {
            let counted = checked.ballots().iter().filter(|row| row.state == State::Counted);
            let counted: BTreeMap<_, _> = counted.map(|row| (row.code, row.tag)).collect();
            assert_eq!(counted, expected, "history {seed}");
            Ok(())
        })
        .unwrap_or_else(|broken| panic!("history {seed}: {broken}"));
    }
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
fn too_little_memory_is_said() {
    let mut e = honest();
    let owned = e.record();
    let record = Record::open(owned.files(), None).unwrap();
    let mut memory = Memory::new(record.sizes());
    memory.entries.pop();
    let result = record.check(memory.lend(), &mut |_, _, _| ());
    assert_eq!(result.map(|_| ()).unwrap_err().why, Why::Scratch);
    // The seq type is what the files are made of.
    assert_eq!(
        Seq::<PublishedBallot<'_>>::from_bytes(owned.get(FileName::Ballots)).count(),
        6
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
