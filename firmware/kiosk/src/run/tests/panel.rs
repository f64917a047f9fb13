//! What voters and staff meet at the panel: PINs and their tries, screens that close by themselves, whose card is taken.

use std::vec::Vec;

use election::manifest::Mode;

use super::desk;
use super::kiosks::*;
use super::machine::Ran;
use super::people::{How, Visit};
use crate::run::Exit;
use crate::screen::WrongStaffCard;

#[test]
fn a_wrong_pin_costs_two_tries_and_the_last_is_warned_of() {
    let machine = machine(Mode::Consultation);
    machine.come([
        Visit::Voter {
            card: 0,
            pin: *b"9999",
            choice: [1, 1],
            how: How::Cast,
        },
        casts(1),
        Visit::Close,
    ]);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    let people = machine.world.people.borrow();
    assert_eq!(people.last_tries, 1);
    assert_eq!(
        machine.world.cards.borrow()[&0].tries,
        1,
        "the last try is the voter's own"
    );
    assert_eq!(people.done.keys().copied().collect::<Vec<_>>(), [1]);
    // 3, 2 for this voter; everybody else saw 3.
    assert_eq!(people.tries.iter().filter(|tries| **tries == 2).count(), 1);
}

/// Between the first look at a card and the PIN its tries drop to one: nothing was tried, so nothing was wrong.
#[test]
fn the_last_try_is_warned_of_and_not_called_wrong() {
    let machine = machine(Mode::Consultation);
    {
        let mut people = machine.world.people.borrow_mut();
        people.visits.push_back(casts(0));
        people.drops = true;
        people.accepts_last_try = true;
    }
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    assert_eq!(people.last_tries, 1);
    assert!(!people.wrong, "no PIN was wrong");
    assert_eq!(people.done.len(), 1, "the right PIN is taken");
}

/// Staff walk away from the menu, and from the question: the kiosk goes on by itself. That no count is seen without a card, [`People`] judge on all days.
#[test]
fn a14_staff_screens_close_and_show_counts_only_behind_a_card() {
    let machine = machine(Mode::Consultation);
    machine.come([casts(0), Visit::LeaveMenu, casts(1), Visit::LeaveQuestion, casts(2)]);
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.people.borrow().done.len(), 3);
    assert_eq!(machine.world.people.borrow().counts_seen, 1);
    machine.power_cycle();
    machine.come([Visit::Close]);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
}

/// Every voter takes the card out the moment the vote is recorded, and can still read that it is (U6).
#[test]
fn u6_done_stays_for_a_while_after_the_card_is_out() {
    let machine = machine(Mode::Consultation);
    machine.come([casts(0)]);
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    let (taken, left) = (people.taken.unwrap(), people.done_left.unwrap());
    assert!(left >= taken + 3_000, "{taken} {left}");
}

#[test]
fn a7_v11_two_different_staff_cards_with_the_right_are_needed() {
    let machine = machine(Mode::Consultation);
    {
        let mut people = machine.world.people.borrow_mut();
        // Opening: a voter's card, a helper's card, a staff card twice, then the second one.
        people
            .staff
            .extend([0, desk::HELPER, desk::STAFF[0], desk::STAFF[0], desk::STAFF[1]]);
        people.visits.push_back(Visit::Close);
    }
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    assert_eq!(
        machine.world.people.borrow().staff_refused,
        [
            WrongStaffCard::NotStaff,
            WrongStaffCard::NoRight,
            WrongStaffCard::SameCard
        ]
    );
}
