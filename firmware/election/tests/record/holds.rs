//! Records that hold: what is counted, what everybody can look up, takeovers, histories drawn at random.

use std::collections::BTreeMap;

use election::batch::Kind;
use election::manifest::Policy;
use election::record::FileName;
use election::verify::{Broken, State, Status, Why};

use crate::record_support::ByHand;
use crate::record_support::memory::verified;
use crate::{honest, refused};

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
