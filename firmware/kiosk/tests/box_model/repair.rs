//! What a start finds on the two media, and the next thing it copies: the table of MEDIA.md, "How it is written".

use super::protocol::Variant;
use super::world::*;

pub struct Log {
    pub admitted: i32,
    pub abandoned: i32,
    pub interrupted: i32,
    pub closed: bool,
    pub closed_on_original: bool,
    pub last_admitted: bool,
    /// Number of the next entry.
    pub next: u8,
    /// Behind the last cell that is not erased on either.
    pub end: u8,
}

fn entry(cell: Cell) -> Option<(u8, What)> {
    match cell {
        Cell::Entry { number, what } => Some((number, what)),
        _ => None,
    }
}

/// The log in order; `None` if a number is missing or two cells of one place say different things.
pub fn log(state: &State) -> Option<Log> {
    let [one, two] = &state.media;
    let mut log = Log {
        admitted: 0,
        abandoned: 0,
        interrupted: 0,
        closed: false,
        closed_on_original: one.cells[..LOG]
            .iter()
            .any(|cell| matches!(entry(*cell), Some((_, What::Closed)))),
        last_admitted: false,
        next: 0,
        end: 0,
    };
    for place in 0..LOG {
        let (a, b) = (one.cells[place], two.cells[place]);
        if a != Cell::Free || b != Cell::Free {
            log.end = u8::try_from(place + 1).unwrap();
        }
        let (number, what) = match (entry(a), entry(b)) {
            (Some(a), Some(b)) if a != b => return None,
            (Some(found), _) | (_, Some(found)) => found,
            (None, None) => continue,
        };
        if number < log.next {
            continue;
        }
        if number > log.next {
            return None;
        }
        log.next += 1;
        match what {
            What::Admitted => log.admitted += 1,
            What::Abandoned => log.abandoned += 1,
            What::Interrupted => log.interrupted += 1,
            What::Closed => log.closed = true,
        }
        log.last_admitted = what == What::Admitted;
    }
    Some(log)
}

/// The next repair, if there is one that there is room for.
pub fn next(state: &State, variant: Variant) -> Option<Kiosk> {
    if let Some(repair) = two_phase(state, variant) {
        return Some(repair);
    }
    if variant == Variant::BlankVoid {
        for medium in 0..2 {
            for place in LOG..CELLS {
                let lost = state.media[1 - medium].cells[place] != Cell::Free;
                if state.media[medium].cells[place] == Cell::Torn && lost {
                    // Both sides are blanked: the slot is as good as new.
                    let whole = matches!(state.media[1 - medium].cells[place], Cell::Record { .. });
                    let (target, cell) = if whole {
                        (1 - medium, Cell::Free)
                    } else {
                        (medium, Cell::Free)
                    };
                    return Some(repair(target, place, cell));
                }
            }
        }
    }
    if variant == Variant::NoCopy {
        return None;
    }
    for has in 0..2 {
        let lacks = 1 - has;
        for place in 0..CELLS {
            let cell = state.media[has].cells[place];
            let region = if place < LOG { 0..LOG } else { LOG..CELLS };
            if !matches!(cell, Cell::Entry { .. } | Cell::Record { .. })
                || state.media[lacks].cells[region].contains(&cell)
            {
                continue;
            }
            let target = if state.media[lacks].cells[place] == Cell::Free {
                Some(place)
            } else if place < LOG {
                // Damaged there: once more behind the end, with its old number.
                let end = (0..LOG)
                    .rev()
                    .find(|at| state.media.iter().any(|medium| medium.cells[*at] != Cell::Free))
                    .map_or(0, |at| at + 1);
                Some(end).filter(|end| *end < LOG)
            } else {
                (LOG..CELLS).find(|at| state.media.iter().all(|medium| medium.cells[*at] == Cell::Free))
            };
            if let Some(target) = target {
                return Some(repair(lacks, target, cell));
            }
        }
    }
    None
}

fn repair(medium: usize, place: usize, cell: Cell) -> Kiosk {
    Kiosk::Repair {
        medium: u8::try_from(medium).unwrap(),
        place: u8::try_from(place).unwrap(),
        cell,
        step: 0,
    }
}

/// Records in flight: marked if the other medium has the mark, else taken back or taken as recorded.
fn two_phase(state: &State, variant: Variant) -> Option<Kiosk> {
    for medium in 0..2 {
        for place in LOG..CELLS {
            if let Cell::Pending { voter, ballot } = state.media[medium].cells[place] {
                let whole = Cell::Record { voter, ballot };
                let marked = state.media[1 - medium].cells.contains(&whole) || variant == Variant::TwoPhaseForward;
                return Some(repair(medium, place, if marked { whole } else { Cell::Free }));
            }
        }
    }
    None
}
