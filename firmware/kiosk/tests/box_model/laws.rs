//! What must hold in every state, judged by what voters know and never by what the kiosk believes.

use super::protocol::{Variant, ballots, has_voted, standing};
use super::world::*;

/// Ballots that voters know to be recorded.
fn known(state: &State) -> u8 {
    let ballot = |voter: usize| match state.voters[voter].knows {
        Knows::Recorded(ballot) => bit(u8::try_from(voter).unwrap(), ballot),
        _ => 0,
    };
    (0..VOTERS).map(ballot).fold(0, |all, one| all | one)
}

pub fn check(state: &State, variant: Variant) -> Result<(), &'static str> {
    if let Some(broken) = state.broken {
        return Err(broken);
    }
    match state.kiosk {
        // Up, and nobody is there: what voters know is exactly what stands.
        Kiosk::Idle | Kiosk::Closed => {
            let (stands, known) = (standing(state), known(state));
            if known & !stands != 0 {
                return Err("no_ballot_lost: somebody was told that a ballot is recorded which stands nowhere");
            }
            for voter in 0..VOTERS as u8 {
                let own = (1..=TRIES).filter(|ballot| stands & bit(voter, *ballot) != 0).count();
                if own > 1 {
                    return Err("no_second_vote: two ballots of one voter stand");
                }
                let knows = matches!(state.voters[usize::from(voter)].knows, Knows::Recorded(_));
                if own == 1 && !knows {
                    return Err("a vote stands of somebody who was told that none does");
                }
                if state.kiosk == Kiosk::Idle && knows != (state.memory.voted >> voter & 1 == 1) {
                    return Err(
                        "no_second_vote: the kiosk would let somebody in who has voted, or refuses somebody who has not",
                    );
                }
            }
            if state.kiosk == Kiosk::Closed {
                return tally(state, variant, known);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The desk reads what can be read: both media, or one where the other went bad; and the medium in the drawer, dead then or not.
fn tally(state: &State, variant: Variant, known: u8) -> Result<(), &'static str> {
    let closing = state.closing.unwrap_or(0);
    let sound = |index: usize| state.bad.is_none_or(|bad| usize::from(bad) != index);
    let late = state.drawer.as_ref().map_or(0, ballots);
    for read in [[true, true], [true, false], [false, true]] {
        let mut found = 0;
        let mut enough = true;
        for (index, medium) in state.media.iter().enumerate() {
            if read[index] {
                found |= ballots(medium);
            }
            // One medium alone suffices only if it is not the one that went bad.
            enough &= read[index] || sound(1 - index);
        }
        if !enough {
            continue;
        }
        for from_drawer in [0, late] {
            let all = found | from_drawer;
            let counted = if variant == Variant::CountsLate {
                all
            } else {
                all & closing
            };
            for voter in 0..VOTERS as u8 {
                // One tag, one ballot.
                let voted = has_voted(counted, voter);
                if voted != has_voted(known, voter) {
                    return Err(
                        "the tally counts somebody who was told that no vote stands, or misses somebody who was told that it does",
                    );
                }
            }
        }
    }
    Ok(())
}
