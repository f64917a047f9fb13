//! The protocol of MEDIA.md as moves between states, everything that may happen in between, and the broken variants that must be found.

use super::world::*;

/// A change to the protocol that the search must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As in MEDIA.md.
    Right,
    /// The original is not synced before the duplicate is written.
    NoFirstSync,
    DuplicateFirst,
    /// "Done" before the duplicate is synced.
    DoneEarly,
    /// "Done" when the original has it.
    DoneAfterOriginal,
    /// What only one medium holds is not copied at the start.
    NoCopy,
    /// Tags are read from the original alone.
    TagsOfOriginal,
    /// A void slot is erased and used again; what stood there is taken as never written.
    BlankVoid,
    /// Whoever was there at a cut is logged as interrupted without looking whether the vote stands.
    AlwaysInterrupted,
    /// The fault screen says "not recorded" when the original fails.
    SaysNo,
    /// Closing is read from the original alone.
    ClosedOfOriginal,
    /// The tally counts what a drawer's medium holds as if it had been closed.
    CountsLate,
    /// An in-flight record on both media, then a mark on both; "done" when the original is marked; unmarked records are taken back.
    TwoPhaseBack,
    /// The same, and unmarked records are taken as recorded.
    TwoPhaseForward,
}

use Variant::*;

impl Variant {
    const fn two_phase(self) -> bool {
        matches!(self, TwoPhaseBack | TwoPhaseForward)
    }
}

/// One thing that happened, for a trace.
pub type Move = &'static str;

pub fn moves(state: &State, variant: Variant) -> Vec<(Move, State)> {
    let mut out = Vec::new();
    if state.broken.is_some() {
        return out;
    }
    kiosk(state, variant, &mut out);
    world(state, &mut out);
    out
}

fn push(out: &mut Vec<(Move, State)>, name: Move, from: &State, change: impl FnOnce(&mut State)) {
    let mut next = *from;
    change(&mut next);
    out.push((name, next));
}

/// What the world does: cuts, deaths, damage, takeover.
fn world(state: &State, out: &mut Vec<(Move, State)>) {
    let on = state.kiosk != Kiosk::Off;
    if on && (state.cuts > 0 || state.kiosk == Kiosk::Halted) {
        for one in state.media[0].after_cut() {
            for two in state.media[1].after_cut() {
                push(out, "the power goes", state, |next| {
                    next.cuts -= u8::from(state.kiosk != Kiosk::Halted);
                    next.media = [one, two];
                    next.kiosk = Kiosk::Off;
                    next.memory = Memory::default();
                });
            }
        }
    }
    // A death shows only where the medium is used next: while something is written, or at the next start.
    let used = matches!(state.kiosk, Kiosk::Off | Kiosk::Repair { .. } | Kiosk::Write { .. });
    if state.may_fail && used {
        for medium in 0..2 {
            for (name, health) in [
                ("a medium takes no writes any more", Health::NoWrites),
                ("a medium dies", Health::Dead),
            ] {
                push(out, name, state, |next| {
                    next.media[medium].health = health;
                    next.may_fail = false;
                    next.bad = Some(u8::try_from(medium).unwrap());
                });
            }
            if !on {
                for place in 0..CELLS {
                    if matches!(
                        state.media[medium].cells[place],
                        Cell::Entry { .. } | Cell::Record { .. }
                    ) {
                        push(out, "a place of a medium becomes unreadable", state, |next| {
                            next.media[medium].cells[place] = Cell::Torn;
                            next.may_fail = false;
                            next.bad = Some(u8::try_from(medium).unwrap());
                        });
                    }
                }
            }
        }
    }
    // A spare with either medium, also of a kiosk whose media both work; but not with the one that went bad while the other is put away: that is two
    // media lost.
    if state.faults && !on && state.drawer.is_none() {
        for lost in 0..2 {
            if state.bad.is_none_or(|bad| usize::from(bad) == lost) {
                push(out, "a spare takes over with one medium", state, |next| {
                    next.drawer = Some(next.media[lost]);
                    next.may_fail = false;
                    next.bad = None;
                    next.media[lost] = Medium::BLANK;
                });
            }
        }
    }
}

fn kiosk(state: &State, variant: Variant, out: &mut Vec<(Move, State)>) {
    match state.kiosk {
        Kiosk::Off => push(out, "the kiosk starts", state, |next| next.kiosk = Kiosk::Mounting),
        Kiosk::Mounting => push(out, "the kiosk reads its media", state, |next| mount(next, variant)),
        Kiosk::Repair {
            medium,
            place,
            cell,
            step,
        } => push(out, "a repair's write or sync", state, |next| {
            let target = &mut next.media[usize::from(medium)];
            let good = if step == 0 {
                target.write(usize::from(place), cell)
            } else {
                target.sync()
            };
            next.kiosk = match (good, step) {
                (false, _) => Kiosk::Halted,
                (true, 0) => Kiosk::Repair {
                    medium,
                    place,
                    cell,
                    step: 1,
                },
                (true, _) => Kiosk::Mounting,
            };
        }),
        Kiosk::Idle => {
            for voter in 0..state.voters_in_all {
                let person = state.voters[usize::from(voter)];
                // Whoever has voted puts the card in again, too: the tag is there, and the kiosk refuses.
                let room = usize::from(state.memory.end) + 3 <= LOG && free_slot(state).is_some();
                // Voters are called by the order in which they first come: everything else is the same day with other names.
                let next_one = voter == 0 || state.voters[usize::from(voter) - 1].visits > 0;
                if next_one && state.memory.voted >> voter & 1 == 0 && person.visits < state.visits && room {
                    push(out, "a voter is let in", state, |next| {
                        if matches!(person.knows, Knows::Recorded(_)) {
                            next.broken = Some("no_second_vote: somebody who has voted is let in");
                        }
                        next.voters[usize::from(voter)].knows = Knows::Inside;
                        next.voters[usize::from(voter)].visits += 1;
                        append(next, What::Admitted, Then::Booth(voter));
                    });
                }
            }
            push(out, "polls are closed", state, |next| {
                append(next, What::Closed, Then::Closed)
            });
        }
        Kiosk::Booth(voter) => {
            push(out, "the voter casts", state, |next| {
                let person = &mut next.voters[usize::from(voter)];
                let ballot = person.visits;
                person.knows = Knows::Casting(ballot);
                let cell = if variant.two_phase() {
                    Cell::Pending { voter, ballot }
                } else {
                    Cell::Record { voter, ballot }
                };
                next.kiosk = Kiosk::Write {
                    place: u8::try_from(free_slot(next).unwrap()).unwrap(),
                    cell,
                    step: 0,
                    then: Then::Done(voter, ballot),
                };
            });
            push(out, "the voter leaves", state, |next| {
                append(next, What::Abandoned, Then::Left(voter))
            });
        }
        Kiosk::Write {
            place,
            cell,
            step,
            then,
        } => push(out, "a write or sync", state, |next| {
            write(next, variant, usize::from(place), cell, step, then)
        }),
        Kiosk::Closed | Kiosk::Halted => {}
    }
}

fn append(state: &mut State, what: What, then: Then) {
    let number = state.memory.number;
    state.kiosk = if usize::from(state.memory.end) < LOG {
        Kiosk::Write {
            place: state.memory.end,
            cell: Cell::Entry { number, what },
            step: 0,
            then,
        }
    } else {
        Kiosk::Halted
    };
}

/// The first slot that is erased on both. Which one is drawn makes no difference to any law here, so one stands for all.
fn free_slot(state: &State) -> Option<usize> {
    (LOG..CELLS).find(|at| state.media.iter().all(|medium| medium.cells[*at] == Cell::Free))
}

fn write(state: &mut State, variant: Variant, place: usize, cell: Cell, step: u8, then: Then) {
    let order = if variant == DuplicateFirst { [1, 0] } else { [0, 1] };
    let medium = order[usize::from(step / 2 % 2)];
    let (marking, syncing) = (step >= 4, step % 2 == 1);
    let cell_now = match cell {
        Cell::Pending { voter, ballot } if marking => Cell::Record { voter, ballot },
        cell => cell,
    };
    if medium == 1 && !syncing {
        let first = &state.media[0];
        // A9, judged by what is durable and not by what the kiosk believes. A medium that lies or fails is not the kiosk's fault.
        if !first.lies && first.health == Health::Good && first.durable(place) != cell_now {
            state.broken = Some("original_then_duplicate: the duplicate is written and the original does not have it");
        }
    }
    let target = &mut state.media[medium];
    let good = if !syncing {
        let good = target.write(place, cell_now);
        if marking && good {
            target.volatile |= TWO_PHASE;
        }
        good
    } else if variant == NoFirstSync && medium == 0 {
        true
    } else {
        target.sync()
    };
    if !good {
        fail(state, variant, medium, step, then);
        return;
    }
    let last = match (variant, then) {
        (TwoPhaseBack | TwoPhaseForward, Then::Done(..)) => 7,
        _ => 3,
    };
    let done_at = match (variant, then) {
        (DoneEarly, Then::Done(..)) => 2,
        (DoneAfterOriginal, Then::Done(..)) => 1,
        (TwoPhaseBack | TwoPhaseForward, Then::Done(..)) => 5,
        _ => last,
    };
    if step == done_at
        && let Then::Done(voter, ballot) = then
    {
        say_done(state, variant, place, voter, ballot);
    }
    if step < last {
        state.kiosk = Kiosk::Write {
            place: u8::try_from(place).unwrap(),
            cell,
            step: step + 1,
            then,
        };
        return;
    }
    if let Cell::Entry { .. } = cell {
        state.memory.number += 1;
        state.memory.end = u8::try_from(place + 1).unwrap();
    }
    match then {
        Then::Started => started(state),
        Then::Booth(voter) => state.kiosk = Kiosk::Booth(voter),
        Then::Left(voter) => {
            state.voters[usize::from(voter)].knows = Knows::Away;
            state.kiosk = Kiosk::Idle;
        }
        Then::Done(voter, _) => {
            state.memory.voted |= 1 << voter;
            state.kiosk = Kiosk::Idle;
        }
        Then::Closed => close(state),
    }
}

fn say_done(state: &mut State, variant: Variant, place: usize, voter: u8, ballot: u8) {
    state.voters[usize::from(voter)].knows = Knows::Recorded(ballot);
    let durable = state.media.iter().all(|medium| {
        medium.lies
            || medium.health != Health::Good
            || matches!(medium.durable(place), Cell::Record { .. } | Cell::Pending { .. })
    });
    // The variants that say it early are to be found by what they lose, not by this line.
    if !durable && variant == Right {
        state.broken = Some("done_only_after_durable");
    }
}

/// A medium refused: the kiosk halts and tells the voter (F3).
fn fail(state: &mut State, variant: Variant, medium: usize, step: u8, then: Then) {
    state.kiosk = Kiosk::Halted;
    match then {
        Then::Booth(voter) | Then::Left(voter) => state.voters[usize::from(voter)].knows = Knows::Away,
        Then::Done(voter, ballot) => {
            let person = &mut state.voters[usize::from(voter)];
            if matches!(person.knows, Knows::Recorded(_)) {
                return;
            }
            person.knows = match medium {
                // In flight, not marked: "not recorded".
                _ if variant.two_phase() && step < 4 => Knows::Away,
                1 => Knows::Recorded(ballot),
                _ if variant == SaysNo => Knows::Away,
                // Unknown.
                _ => Knows::Casting(ballot),
            };
        }
        Then::Started | Then::Closed => {}
    }
}

/// What stands: whole on either medium.
pub fn standing(state: &State) -> u8 {
    state
        .media
        .iter()
        .filter(|medium| medium.health != Health::Dead)
        .map(ballots)
        .fold(0, |all, some| all | some)
}

pub fn ballots(medium: &Medium) -> u8 {
    medium
        .cells
        .iter()
        .map(|cell| match cell {
            Cell::Record { voter, ballot } => bit(*voter, *ballot),
            _ => 0,
        })
        .fold(0, |all, some| all | some)
}

pub fn has_voted(set: u8, voter: u8) -> bool {
    (1..=TRIES).any(|ballot| set & bit(voter, ballot) != 0)
}

fn mount(state: &mut State, variant: Variant) {
    if state.media.iter().any(|medium| medium.health == Health::Dead) {
        state.kiosk = Kiosk::Halted;
        return;
    }
    if let Some(repair) = super::repair::next(state, variant) {
        state.kiosk = repair;
        return;
    }
    let Some(log) = super::repair::log(state) else {
        state.broken = Some("the kiosk finds its own log out of order");
        return;
    };
    let read = if variant == TagsOfOriginal {
        ballots(&state.media[0])
    } else {
        standing(state)
    };
    let voted = (0..VOTERS as u8)
        .filter(|voter| has_voted(read, *voter))
        .fold(0, |all, voter| all | 1 << voter);
    state.memory = Memory {
        voted,
        number: log.next,
        end: log.end,
    };
    let closed = if variant == ClosedOfOriginal {
        log.closed_on_original
    } else {
        log.closed
    };
    if closed {
        close(state);
        return;
    }
    if log.closed && state.closing.is_some() {
        state.broken = Some("closed_stays_closed");
        return;
    }
    let recorded = i32::try_from(standing(state).count_ones()).unwrap();
    let deficit = log.admitted - log.abandoned - log.interrupted - recorded;
    match deficit {
        _ if variant == AlwaysInterrupted && log.last_admitted => append(state, What::Interrupted, Then::Started),
        0 => started(state),
        1 => append(state, What::Interrupted, Then::Started),
        _ => state.broken = Some("admitted_equals_recorded_plus_abandoned_plus_interrupted: the kiosk halts"),
    }
}

/// Up again: staff read what became of whoever stood there.
fn started(state: &mut State) {
    let stands = standing(state);
    for voter in 0..VOTERS as u8 {
        let person = &mut state.voters[usize::from(voter)];
        person.knows = match person.knows {
            Knows::Inside => Knows::Away,
            Knows::Casting(ballot) if stands & bit(voter, ballot) != 0 => Knows::Recorded(ballot),
            Knows::Casting(_) => Knows::Away,
            other => other,
        };
    }
    state.kiosk = Kiosk::Idle;
}

fn close(state: &mut State) {
    started(state);
    state.closing = Some(standing(state));
    state.kiosk = Kiosk::Closed;
}
