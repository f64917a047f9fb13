//! What staff see across the room (U7): the lamp says voting, finished, call and fault at the moments it should, and promises nothing
//! before polls open or after they close.

use election::manifest::Mode;

use super::kiosks::*;
use super::machine::Ran;
use super::people::{How, Visit};
use crate::ports::Lamp::{self, Call, Fault, Finished, Off, Ready, Voting};
use crate::run::Exit;

/// A kiosk after these visits, how it ended and what its lamp has said since it was provisioned.
fn lamps(visits: &[Visit]) -> (Ran, std::vec::Vec<Lamp>) {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    machine.world.lamps.borrow_mut().clear();
    machine.come(visits.iter().cloned());
    let ran = machine.run();
    let lamps = machine.world.lamps.borrow().clone();
    (ran, lamps)
}

#[test]
fn u7_the_lamp_says_voting_then_finished_then_ready() {
    let (ran, lamps) = lamps(&[casts(0), voter(1, [1, 1], How::ChallengeFirst), Visit::Close]);
    assert!(matches!(ran, Ran::Ended(Exit::Closed { .. })), "{ran:?}");
    let vote = [Voting, Finished, Ready];
    assert_eq!(lamps, [&[Off, Ready][..], &vote, &vote, &[Off]].concat());
}

#[test]
fn u7_who_leaves_without_a_vote_is_not_finished() {
    let (_, lamps) = lamps(&[voter(2, [1, 1], How::PullCard)]);
    assert_eq!(lamps, [Off, Ready, Voting, Ready]);
}

#[test]
fn u7_a_fault_shows_on_the_lamp_and_stays() {
    let machine = machine(Mode::Statutory);
    machine.world.lamps.borrow_mut().clear();
    {
        let from = usize::try_from(machine.layout.slot_offset(0)).unwrap();
        let mut disk = machine.media[0].disk.borrow_mut();
        disk.durable[from + 700] = 0;
        disk.live = disk.durable.clone();
    }
    assert!(matches!(machine.run(), Ran::Ended(Exit::Fault { .. })));
    let lamps = machine.world.lamps.borrow();
    assert_eq!(lamps.last(), Some(&Fault));
    assert!(!lamps.contains(&Voting) && !lamps.contains(&Call), "{lamps:?}");
}
