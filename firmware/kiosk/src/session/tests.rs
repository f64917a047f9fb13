//! The session's laws, over random inputs. The ballot box is stood in for by whoever holds the proof: here, the test.

mod walk;

use proptest::prelude::*;
use std::vec::Vec;

use super::*;
use crate::ballot_box::proof_for_tests;
use crate::screen::Touch;
use walk::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// F5: admitted = recorded + abandoned + whoever stands there now; and one admission is never two votes (A1).
    #[test]
    fn f5_admitted_equals_cast_plus_abandoned_plus_standing(inputs in inputs()) {
        let (state, seen) = walk(&inputs, |_, _, _, _| {});
        let standing = u32::from(state.voting().is_some());
        prop_assert_eq!(seen.admitted, seen.cast + seen.abandoned + standing);
        prop_assert!(seen.spoiled <= u32::from(CHALLENGES) * seen.admitted);
    }

    /// A3, A4: a vote is recorded only by "cast" under its code, or by confirming the end without a vote; and "done" only with it.
    #[test]
    fn a3_a4_a_vote_is_recorded_only_where_the_voter_said_so(inputs in inputs()) {
        walk(&inputs, |before, what, record, then| {
            let place = before.voting().map(|voting| (voting.place(), voting.aside()));
            match record {
                Some(Record::Cast(_)) => {
                    let sealed = matches!(
                        (place, what),
                        (Some((Place::Sealed { used_up: false, .. }, Aside::None)), Do::Touch(Touch::Cast))
                    );
                    let ended = matches!(
                        (place, what),
                        (Some((Place::Encrypting { ending: true }, _)), Do::Encrypted)
                    );
                    assert!(sealed || ended, "{place:?} {what:?}");
                    assert!(matches!(then.state.phase(), Phase::Done));
                    if ended {
                        assert!(before.voting().unwrap().selected().iter().all(|s| *s == Selected::NONE));
                    }
                }
                Some(Record::Spoiled) => {
                    assert!(matches!(then.state.voting().map(Voting::place), Some(Place::Opening { .. })));
                    assert!(matches!(what, Do::Touch(Touch::Challenge)));
                }
                _ => {
                    let was_done = matches!(before.phase(), Phase::Done);
                    assert!(was_done || !matches!(then.state.phase(), Phase::Done), "done without a record");
                    let was_open = matches!(place, Some((Place::Opening { .. }, _)));
                    let opens = matches!(then.state.voting().map(Voting::place), Some(Place::Opening { .. }));
                    assert!(was_open || !opens, "opened without a record");
                }
            }
        });
    }

    /// V13: an overvote is never reached, and nothing is deselected but by the voter's own touch.
    #[test]
    fn v13_an_overvote_is_blocked_and_nothing_is_deselected_silently(inputs in inputs()) {
        walk(&inputs, |before, what, _, then| {
            let Some(after) = then.state.voting() else { return };
            for (selected, (options, votes)) in after.selected().iter().zip(SHAPE) {
                assert!(selected.count() <= votes);
                assert!(selected.bits() >> options == 0);
            }
            let Some(before) = before.voting() else { return };
            if before.selected() == after.selected() {
                return;
            }
            let changed: Vec<usize> = (0..3).filter(|at| before.selected()[*at] != after.selected()[*at]).collect();
            let ended = matches!((before.place(), what), (Place::Ending { .. }, Do::Touch(Touch::Confirm)));
            let fresh = matches!(before.place(), Place::Opening { .. }) && matches!(after.place(), Place::Contest { index: 0, .. });
            match (before.place(), what) {
                (Place::Contest { index, overvote: false, .. }, Do::Touch(Touch::Option(option))) => {
                    assert_eq!(changed, [usize::from(index)]);
                    assert_eq!(before.chosen(index).toggled(*option), after.chosen(index));
                    assert_eq!(before.aside(), Aside::None);
                }
                _ => assert!(ended || fresh, "{what:?}"),
            }
        });
    }

    /// A20, U9, V6: while something hides the choice, no touch changes the ballot, and time alone never casts or cancels.
    #[test]
    fn a20_nothing_is_cast_or_cancelled_by_waiting(inputs in inputs()) {
        walk(&inputs, |before, what, record, then| {
            if matches!(what, Do::Timeout) {
                assert!(record.is_none());
                assert_eq!(before.voting().is_some(), then.state.voting().is_some());
            }
            let Some(voting) = before.voting() else { return };
            if voting.aside() != Aside::None && !matches!(what, Do::Removed) {
                assert!(record.is_none());
                let after = then.state.voting().unwrap();
                assert_eq!(after.place(), voting.place());
                assert_eq!(after.selected(), voting.selected());
                if voting.aside() == Aside::Locked {
                    assert_eq!(after.aside(), Aside::Locked);
                }
            }
        });
    }

    /// U9: wherever a voter stands with a choice that can be seen, a call for staff hides it at once, and afterwards it is as it was; what computes or
    /// asks "are you there?" shows none.
    #[test]
    fn u9_staff_can_be_called_from_every_place(inputs in inputs()) {
        let (state, _) = walk(&inputs, |_, _, _, _| {});
        let Some(voting) = state.voting() else { return Ok(()) };
        if voting.aside() != Aside::None || matches!(voting.place(), Place::Encrypting { .. }) {
            return Ok(());
        }
        let (place, selected) = (voting.place(), voting.selected().to_vec());
        let after = |state: State, touch| {
            let outcome = state.step(Input::Touch(touch));
            assert!(outcome.record().is_none());
            let proof = proof_for_tests(outcome.ticket());
            outcome.release(proof).unwrap().state
        };
        let called = after(state, Touch::CallStaff);
        prop_assert_eq!(called.voting().map(Voting::aside), Some(Aside::CallStaff));
        let back = after(called, Touch::Back);
        let voting = back.voting().unwrap();
        prop_assert_eq!((voting.place(), voting.aside()), (place, Aside::None));
        prop_assert_eq!(voting.selected(), &selected[..]);
    }

    /// The card's power goes with every way out before admission, and the booth's secrets with every way out of it.
    #[test]
    fn what_is_secret_is_wiped_on_every_way_out(inputs in inputs()) {
        walk(&inputs, |before, _, _, then| {
            let has = |wanted: fn(&Effect) -> bool| then.effects.iter().any(wanted);
            let with_card = matches!(before.phase(), Phase::Probing | Phase::Pin(_) | Phase::Admitting);
            let out = matches!(then.state.phase(), Phase::Idle | Phase::Refused(_));
            if with_card && out {
                assert!(has(|effect| matches!(effect, Effect::Forget)));
            }
            let sealed = |state: &State| {
                matches!(
                    state.voting().map(Voting::place),
                    Some(Place::Sealed { .. } | Place::Opening { .. })
                )
            };
            if sealed(before) && !sealed(&then.state) {
                assert!(has(|effect| matches!(effect, Effect::Wipe)));
            }
        });
    }

    /// A PIN is sent only after its own Enter, with at least four digits, and the last try only after the warning.
    #[test]
    fn no_pin_is_tried_when_one_try_is_left_without_the_accepted_warning(inputs in inputs()) {
        walk(&inputs, |before, what, _, then| {
            for effect in &then.effects {
                let Effect::Admit { last_try_accepted, .. } = effect else { continue };
                let Phase::Pin(entry) = before.phase() else { panic!("no pad") };
                assert!(matches!(what, Do::Touch(Touch::Enter)));
                assert!(entry.typed() >= 4);
                assert!(entry.tries_left() > 1 || (entry.accepted() && *last_try_accepted));
            }
        });
    }
}

proptest! {
    /// Whatever staff touch while somebody is in the booth: nothing is recorded, and the ballot stays where and as it was.
    #[test]
    fn f9_no_touch_of_staff_moves_a_voters_ballot(inputs in inputs(), which in 0..6usize) {
        use crate::screen::StaffTouch::*;
        let (state, _) = walk(&inputs, |_, _, _, _| {});
        let Some(voting) = state.voting() else { return Ok(()) };
        let (place, selected, left) = (voting.place(), voting.selected().to_vec(), voting.challenges_left());
        let touch = [Menu, Open, Close, Retire, Epoch(0), Update][which];
        let outcome = state.step(Input::Touch(Touch::Staff(touch)));
        prop_assert!(outcome.record().is_none());
        let ticket = outcome.ticket();
        let then = outcome.release(proof_for_tests(ticket)).map_err(|_| TestCaseError::fail("locked"))?;
        prop_assert!(!then.effects.iter().any(|effect| matches!(effect, Effect::StaffMenu | Effect::Encrypt)));
        let after = then.state.voting().expect("still in the booth");
        prop_assert_eq!((after.place(), after.challenges_left()), (place, left));
        prop_assert_eq!(after.selected(), &selected[..]);
    }
}

#[test]
fn the_proof_of_one_outcome_does_not_open_another() {
    let first = State::new().step(Input::Inserted);
    let proof = proof_for_tests(first.ticket());
    let then = first.release(proof).unwrap();
    let second = then.state.step(Input::Removed);
    let stale = proof_for_tests(1);
    assert_ne!(second.ticket(), 1);
    assert!(matches!(second.release(stale), Err(WrongProof)));
}

/// The path of a voter who reads everything: contest by contest, review, change, challenge, vote again, cast, take the card.
#[test]
fn u1_u2_u5_the_whole_path() {
    let booth = [Do::Inserted, Do::Ready(3)]
        .into_iter()
        .chain((0..4).map(|_| Do::Touch(Touch::Digit(7))))
        .chain([Do::Touch(Touch::Enter), Do::Admitted]);
    let mark = [
        Touch::Option(2),
        Touch::Next,
        Touch::Option(0),
        Touch::Option(4),
        Touch::Next,
        Touch::Next,
    ];
    let path: Vec<Do> = booth
        .chain(mark.into_iter().map(Do::Touch))
        .chain([
            Do::Touch(Touch::Change(0)),
            Do::Touch(Touch::Option(2)),
            Do::Touch(Touch::Option(1)),
            Do::Touch(Touch::Next),
            Do::Touch(Touch::Confirm),
            Do::Encrypted,
            Do::Touch(Touch::Challenge),
        ])
        .collect();
    let (state, seen) = walk(&path, |_, _, _, _| {});
    let voting = state.voting().unwrap();
    assert_eq!(voting.chosen(0).bits(), 0b10);
    assert_eq!(voting.chosen(1).bits(), 0b1_0001);
    assert_eq!(voting.place(), Place::Opening { code: [1; 32], page: 0 });
    assert_eq!(voting.challenges_left(), CHALLENGES - 1);
    assert_eq!(seen.spoiled, 1);
    let rest = [
        Touch::Next,
        Touch::Next,
        Touch::Next,
        Touch::Next,
        Touch::Next,
        Touch::Next,
        Touch::Confirm,
    ];
    let path: Vec<Do> = path
        .into_iter()
        .chain(rest.into_iter().map(Do::Touch))
        .chain([Do::Encrypted, Do::Touch(Touch::Cast)])
        .collect();
    let (state, seen) = walk(&path, |_, _, _, _| {});
    assert!(matches!(state.phase(), Phase::Done));
    assert_eq!((seen.cast, seen.spoiled, seen.admitted), (1, 1, 1));
    let (state, _) = walk(
        &path
            .into_iter()
            .chain([Do::Removed, Do::Timeout, Do::Timeout])
            .collect::<Vec<_>>(),
        |_, _, _, _| {},
    );
    assert!(matches!(state.phase(), Phase::Idle));
}

#[test]
fn challenges_end_and_say_so() {
    let mut path: Vec<Do> = [Do::Inserted, Do::Ready(3)]
        .into_iter()
        .chain((0..4).map(|_| Do::Touch(Touch::Digit(7))))
        .chain([Do::Touch(Touch::Enter), Do::Admitted])
        .collect();
    for _ in 0..=CHALLENGES {
        path.extend([Touch::Next, Touch::Next, Touch::Next, Touch::Confirm].map(Do::Touch));
        path.push(Do::Encrypted);
        path.push(Do::Touch(Touch::Challenge));
        path.extend([Touch::Next, Touch::Next, Touch::Next].map(Do::Touch));
    }
    let (state, seen) = walk(&path, |_, _, _, _| {});
    assert_eq!(seen.spoiled, u32::from(CHALLENGES));
    assert!(matches!(
        state.voting().unwrap().place(),
        Place::Sealed { used_up: true, .. }
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// The code is there before the voter may choose between cast and challenge, stays the same until then, and what is opened
    /// has the code that was shown. Only a step that encrypts anew may change it, and it asks for the old secrets to be wiped.
    #[test]
    fn p15_the_code_is_fixed_before_cast_or_challenge(inputs in inputs()) {
        walk(&inputs, |before, what, record, then| {
            let code = |state: &State| match state.voting().map(Voting::place) {
                Some(Place::Sealed { code, .. }) => Some((code, false)),
                Some(Place::Opening { code, .. }) => Some((code, true)),
                _ => None,
            };
            let (old, new) = (code(before), code(&then.state));
            match (old, new) {
                (Some((old, open)), Some((new, opens))) => {
                    assert_eq!(old, new, "the code changed on the screen");
                    // Sealed becomes opened only with the durable record, and never the other way round.
                    assert_eq!(open != opens, matches!(record, Some(Record::Spoiled)));
                    assert!(!open || opens);
                }
                (None, Some((_, opens))) => {
                    assert!(!opens && matches!(what, Do::Encrypted), "a code from nowhere");
                }
                _ => {}
            }
            if matches!(record, Some(Record::Spoiled)) {
                assert!(matches!(old, Some((_, false))), "spoiled without a code that was shown");
            }
            // No nonce is drawn while a code is on the screen.
            if new.is_some() {
                assert!(!then.effects.iter().any(|effect| matches!(effect, Effect::Encrypt)));
            }
        });
    }
}

#[test]
fn no_more_digits_are_typed_than_the_cards_pin_has_and_no_fewer_are_sent() {
    for (digits, typed) in [(PinDigits { fewest: 4, most: 4 }, 4), (PinDigits::ANY, 8)] {
        let mut entry = PinEntry::new(3, false, digits);
        for count in 1..=9 {
            entry.type_digit(7);
            assert_eq!(entry.typed(), count.min(typed));
            assert_eq!(entry.complete(), count >= 4);
        }
    }
}
