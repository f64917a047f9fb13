//! An explicit-state model of the ballot box, searched exhaustively: every crash point of two voters' day, torn writes, a medium that lies,
//! takes no writes, dies or is damaged, recovery that is cut off, takeover with either medium, and a tally that reads the old medium late.
//! What is and is not modelled: MEDIA.md, "The model". The broken variants show that the laws can fail.

mod laws;
mod protocol;
mod repair;
mod world;

use std::collections::HashMap;

use protocol::Variant;
use world::{Scope, State};

/// What is searched. One voter and two cuts hold every cut of a recovery; two voters and one cut hold what one voter's trouble does to another.
const SCOPES: [Scope; 3] = [
    Scope {
        voters: 1,
        visits: 2,
        cuts: 2,
        faults: true,
    },
    Scope {
        voters: 2,
        visits: 1,
        cuts: 1,
        faults: true,
    },
    Scope {
        voters: 2,
        visits: 2,
        cuts: 2,
        faults: false,
    },
];
/// A search beyond this is a defect of the model.
const MOST: usize = 3_000_000;

struct Searched {
    states: usize,
    moves: usize,
    /// The law that fails and the way there.
    violation: Option<(&'static str, Vec<&'static str>)>,
}

/// Breadth first, so that the first violation has a shortest trace.
fn search(variant: Variant, scope: Scope) -> Searched {
    let mut seen: HashMap<State, u32> = HashMap::new();
    let mut queue: Vec<(State, u32, &'static str)> = Vec::new();
    let mut moves = 0;
    for lying in [None, Some(0), Some(1)]
        .into_iter()
        .filter(|lying| scope.faults || lying.is_none())
    {
        let start = State::start(lying, scope);
        seen.insert(start, 0);
        queue.push((start, u32::MAX, "polls are open"));
    }
    let mut at = 0;
    while let Some((state, ..)) = queue.get(at).copied() {
        if let Err(law) = laws::check(&state, variant) {
            let mut trace = Vec::new();
            let mut from = u32::try_from(at).unwrap();
            while from != u32::MAX {
                let (_, parent, name) = queue[from as usize];
                trace.push(name);
                from = parent;
            }
            trace.reverse();
            return Searched {
                states: seen.len(),
                moves,
                violation: Some((law, trace)),
            };
        }
        for (name, next) in protocol::moves(&state, variant) {
            moves += 1;
            if seen.insert(next, 0).is_none() {
                queue.push((next, u32::try_from(at).unwrap(), name));
            }
        }
        assert!(queue.len() < MOST, "the model has grown out of its bound");
        at += 1;
    }
    Searched {
        states: seen.len(),
        moves,
        violation: None,
    }
}

#[test]
fn f2_f3_f4_f5_the_laws_hold_in_every_state_of_the_model() {
    let mut states = 0;
    for scope in SCOPES {
        let searched = search(Variant::Right, scope);
        println!("{scope:?}: {} states, {} moves", searched.states, searched.moves);
        if let Some((law, trace)) = searched.violation {
            panic!("{scope:?}: {law}\n{trace:#?}");
        }
        states += searched.states;
    }
    // The page says how many there are; a model that shrank by mistake would show here.
    let page = include_str!("../../MEDIA.md");
    let mut count = states.to_string();
    for at in (1..count.len())
        .rev()
        .filter(|at| (count.len() - at).is_multiple_of(3))
        .collect::<Vec<_>>()
    {
        count.insert(at, ',');
    }
    assert!(
        page.contains(&format!("{count} states")),
        "MEDIA.md does not say {count} states"
    );
}

#[test]
fn the_laws_find_every_broken_variant() {
    use Variant::*;
    for variant in [
        NoFirstSync,
        DuplicateFirst,
        DoneEarly,
        DoneAfterOriginal,
        NoCopy,
        TagsOfOriginal,
        BlankVoid,
        AlwaysInterrupted,
        SaysNo,
        ClosedOfOriginal,
        CountsLate,
        TwoPhaseBack,
        TwoPhaseForward,
    ] {
        let found = SCOPES.into_iter().find_map(|scope| {
            let searched = search(variant, scope);
            searched.violation.map(|(law, trace)| (law, trace, searched.states))
        });
        let (law, trace, states) = found.unwrap_or_else(|| panic!("{variant:?} is not found"));
        println!("{variant:?}: {law} ({states} states, {} moves to it)", trace.len());
    }
}
