//! Nonces and codes over restarts, through the whole loop: what a source that starts again at the same place, or a cut at any
//! step, must not do.

use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

use election::ballot::{BallotView, Layout};
use election::manifest::Mode;
use election::opening::Opening;

use super::super::judge::{Judge, shapes};
use super::desk;
use super::kiosks::{fault, machine, visits};
use super::machine::{Machine, Ran};
use super::people::{How, Visit};
use crate::ballot_box::{Kind, Leaves as _, Reader, SlotState, buffer_len, media_for_tests as media};
use crate::screen::Fault;

/// A ballot that stands on a medium: kind, code, all alphas, whether it has a tag.
struct Standing {
    kind: Kind,
    code: [u8; 32],
    alphas: Vec<[u8; 33]>,
    tagged: bool,
}

fn standing(machine: &Machine, medium: usize) -> Vec<Standing> {
    let package = election::package::Package::open(&machine.package, &desk::authority().public_key()).unwrap();
    let judge = Judge {
        manifest: package.manifest,
        election: *package.election(),
        station: desk::STATION,
        epoch: 0,
    };
    let mut reader = media::run(Reader::open(machine.media[medium].clone()))
        .unwrap()
        .unwrap();
    let mut buffer = vec![0; buffer_len(&machine.layout, 2)];
    let mut found = Vec::new();
    for slot in 0..reader.slots() {
        let SlotState::Whole(record) = media::run(reader.slot(slot, &mut buffer)).unwrap().unwrap() else {
            continue;
        };
        let style = BallotView::claimed_style(record.ballot).unwrap();
        let shapes = shapes(&package.manifest, style).unwrap();
        let view = BallotView::new(Layout::new(style, &shapes).unwrap(), record.ballot).unwrap();
        let selections = view
            .contests()
            .flat_map(|contest| contest.selections().collect::<Vec<_>>());
        found.push(Standing {
            kind: record.kind,
            code: judge.leaf(record.kind, record.ballot, &record.tag).unwrap().code,
            alphas: selections.map(|selection| *selection.alpha).collect(),
            tagged: record.tag != [0; 32],
        });
    }
    found
}

fn one(card: u8, how: How) -> Visit {
    Visit::Voter {
        card,
        pin: *b"1234",
        choice: [1, 1],
        how,
    }
}

#[test]
fn p06_p17_a_source_that_starts_again_at_every_boot_repeats_no_code_and_no_nonce() {
    let machine = machine(Mode::Consultation);
    let start = machine.world.entropy.get();
    // Three boots with the same randomness, the same choices, two of them spoiled first.
    for (boot, how) in [How::Cast, How::Cast, How::ChallengeFirst].into_iter().enumerate() {
        machine.world.entropy.set(start);
        let card = u8::try_from(boot).unwrap() + 1;
        machine.come([one(card, how)]);
        assert_eq!(machine.run(), Ran::Waiting);
        machine.power_cycle();
    }
    let all = standing(&machine, 0);
    assert_eq!(all.len(), 4);
    let codes: BTreeSet<_> = all.iter().map(|ballot| ballot.code).collect();
    assert_eq!(codes.len(), all.len(), "p06: two voters, one code");
    let alphas: BTreeSet<_> = all.iter().flat_map(|ballot| &ballot.alphas).collect();
    let count: usize = all.iter().map(|ballot| ballot.alphas.len()).sum();
    assert_eq!(alphas.len(), count, "p17: a commitment repeats");
}

#[test]
fn p14_p15_p20_the_code_is_fixed_and_what_is_opened_is_spoiled_at_every_cut() {
    let steps = {
        let machine = machine(Mode::Consultation);
        machine.come(visits());
        machine.run();
        machine.media[0].power.borrow().steps
    };
    let mut opened_before_a_cut = 0;
    for cut in (0..steps).step_by(5) {
        let machine = machine(Mode::Consultation);
        machine.come(visits());
        {
            let mut power = machine.media[0].power.borrow_mut();
            power.left = Some(cut);
            power.tear = media::TEARS[usize::try_from(cut / 5 % 4).unwrap()];
            power.chance = u64::from(cut) + 1;
        }
        assert_eq!(machine.run(), Ran::Cut, "{cut}");
        opened_before_a_cut += machine.world.people.borrow().opened.len();
        machine.power_cycle();
        machine.run();
        let people = machine.world.people.borrow();
        for medium in 0..2 {
            let all = standing(&machine, medium);
            let of = |kind: Kind| -> BTreeSet<[u8; 32]> {
                let same = all.iter().filter(|ballot| ballot.kind == kind);
                same.map(|ballot| ballot.code).collect()
            };
            let (cast, spoiled) = (of(Kind::Cast), of(Kind::Spoiled));
            // What was opened was durable as spoiled before, stays spoiled over the cut, and is never cast.
            for payload in &people.opened {
                let opening = Opening::parse(payload).unwrap();
                assert!(
                    spoiled.contains(opening.code()),
                    "{cut}: an opening of what is not spoiled"
                );
                assert!(!cast.contains(opening.code()), "{cut}");
            }
            // A cast ballot has the code that stood on the screen before its voter said "cast"; who ends without a vote
            // is shown none.
            let shown: BTreeSet<_> = people.codes.iter().copied().collect();
            let unseen = cast.difference(&shown).count();
            let ended = visits()
                .iter()
                .filter(|visit| {
                    matches!(
                        visit,
                        Visit::Voter {
                            how: How::EndWithoutVote,
                            ..
                        }
                    )
                })
                .count();
            assert!(unseen <= ended, "{cut}: {unseen} codes nobody saw");
            // A spoiled ballot carries no tag, a cast one does.
            assert!(
                all.iter().all(|ballot| ballot.tagged == (ballot.kind == Kind::Cast)),
                "{cut}"
            );
        }
    }
    assert!(opened_before_a_cut > 10);
}

#[test]
fn p22_the_media_do_not_tell_when_a_voter_came() {
    // Two days that differ only in how long the kiosk stood empty before each voter: every byte of both media is the same.
    let day = |waits: [u64; 3]| {
        let machine = machine(Mode::Statutory);
        assert_eq!(machine.run(), Ran::Waiting, "open, and nobody there");
        machine.power_cycle();
        for (card, wait) in (1..).zip(waits) {
            machine.world.now.set(machine.world.now.get() + wait);
            machine.come([one(card, How::Cast)]);
            assert_eq!(machine.run(), Ran::Waiting);
            machine.power_cycle();
        }
        assert_eq!(standing(&machine, 0).len(), 3);
        [0, 1].map(|medium: usize| machine.media[medium].disk.borrow().durable.clone())
    };
    assert!(
        day([0; 3]) == day([5_000_000, 60_000, 7_777_777]),
        "a time is on the media"
    );
}

/// What stands on the first medium, by code.
fn alphas(machine: &Machine) -> (usize, BTreeSet<[u8; 33]>) {
    let all = standing(machine, 0);
    (
        all.iter().map(|ballot| ballot.alphas.len()).sum(),
        all.iter().flat_map(|ballot| ballot.alphas.iter().copied()).collect(),
    )
}

/// However long people read before each touch, whatever they do then, over cuts and with a source that starts again at each boot: no nonce
/// that was prepared is used twice. (That nothing prepared stays in memory is asserted at the end of every run of every test here.)
#[test]
fn p17_no_prepared_nonce_is_used_twice_over_cuts_challenges_and_people_who_leave() {
    for (slow, no_memory) in [(0, false), (2, false), (5, false), (60, false), (60, true)] {
        let machine = machine(Mode::Consultation);
        machine.world.slow.set(slow);
        machine.world.no_memory.set(no_memory);
        let start = machine.world.entropy.get();
        for boot in 0..4u8 {
            machine.world.entropy.set(start);
            let hows = [How::PullCard, How::ChallengeFirst, How::Cast];
            let visits = (1..).zip(hows).map(|(card, how)| one(10 * boot + card, how));
            machine.world.people.borrow_mut().visits = visits.collect();
            if boot < 3 {
                machine.media[0].power.borrow_mut().left = Some(60 + 9 * u32::from(boot));
            }
            machine.run();
            machine.power_cycle();
        }
        let (count, alphas) = alphas(&machine);
        assert!(count >= 12 * 2, "{slow}: too few ballots show nothing: {count}");
        assert_eq!(alphas.len(), count, "{slow} {no_memory}: a commitment repeats");
    }
}

/// V1: a voter who chooses as fast as they can leaves no time to prepare in. "Encrypting" is on the glass before the long work begins, and the loop
/// gives way after every selection of it; where there is no memory to prepare in, before the whole of it.
#[test]
fn v1_who_chooses_quickly_sees_that_the_ballot_is_encrypted() {
    for (slow, no_memory, least) in [(0, false, 4), (0, true, 3), (60, true, 3)] {
        let machine = machine(Mode::Consultation);
        machine.world.slow.set(slow);
        machine.world.no_memory.set(no_memory);
        machine.come([one(1, How::Cast)]);
        assert_eq!(machine.run(), Ran::Waiting);
        assert_eq!(machine.world.people.borrow().done.len(), 1);
        // The screen's own task may be the one that runs last of three.
        let turns = machine.encrypting.get();
        assert!(turns >= least, "{slow}, {no_memory}: {turns} turns");
    }
}

/// Somebody reads for a long time and leaves: what was prepared for them is written nowhere, neither on the media nor in the store. Beside
/// it a kiosk without memory for preparing, where the same happens.
#[test]
fn p17_what_was_prepared_for_somebody_who_left_is_written_nowhere() {
    let left = |no_memory: bool| {
        let machine = machine(Mode::Consultation);
        machine.world.slow.set(60);
        machine.world.no_memory.set(no_memory);
        machine.come([one(1, How::PullCard)]);
        assert_eq!(machine.run(), Ran::Waiting);
        machine
    };
    let (with, without) = (left(false), left(true));
    assert_ne!(
        with.world.entropy.get(),
        without.world.entropy.get(),
        "nothing was prepared: the test shows nothing"
    );
    assert_eq!(*with.world.items.borrow(), *without.world.items.borrow());
    for medium in 0..2 {
        let durable = |machine: &Machine| machine.media[medium].disk.borrow().durable.clone();
        assert!(durable(&with) == durable(&without), "medium {medium}");
    }
}

#[test]
fn a_stuck_random_source_stops_the_kiosk_before_it_encrypts() {
    let machine = machine(Mode::Consultation);
    machine.world.stuck.set(true);
    assert_eq!(machine.run(), fault(Fault::Entropy, None));
}
