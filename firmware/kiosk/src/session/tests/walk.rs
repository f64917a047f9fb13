//! Walks through the machine: inputs that a hostile or confused world could give, one after the other, and what they leave behind.

use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use super::super::*;
use crate::ballot_box::proof_for_tests;
use crate::screen::Touch;

/// The inputs of a session without the values that make them unique.
#[derive(Clone, Debug)]
pub(super) enum Do {
    Inserted,
    Removed,
    Ready(u8),
    WrongPin(u8),
    Refused,
    Admitted,
    Encrypted,
    Timeout,
    Touch(Touch),
}

pub(super) const SHAPE: [(u8, u8); 3] = [(3, 1), (5, 2), (2, 2)];

pub(super) fn input(what: &Do, codes: &mut u8) -> Input {
    match what {
        Do::Inserted => Input::Inserted,
        Do::Removed => Input::Removed,
        Do::Ready(tries_left) => Input::Ready {
            tries_left: *tries_left,
            digits: PinDigits::ANY,
        },
        Do::WrongPin(tries_left) => Input::WrongPin {
            tries_left: *tries_left,
            digits: PinDigits::ANY,
        },
        Do::Refused => Input::Refused(WrongCard::NotOnRoll),
        Do::Admitted => Input::Admitted {
            admission: Admission {
                style: 0,
                tag: Tag([5; 32]),
            },
            shape: Shape::new(SHAPE).unwrap(),
            challenges_left: CHALLENGES,
        },
        Do::Encrypted => {
            *codes = codes.wrapping_add(1);
            Input::Encrypted { code: [*codes; 32] }
        }
        Do::Timeout => Input::Timeout,
        Do::Touch(touch) => Input::Touch(*touch),
    }
}

fn touch() -> impl Strategy<Value = Touch> {
    prop_oneof![
        2 => (0..12u8).prop_map(Touch::Digit),
        1 => Just(Touch::Clear),
        2 => Just(Touch::Enter),
        6 => (0..7u8).prop_map(Touch::Option),
        6 => Just(Touch::Next),
        2 => Just(Touch::Back),
        1 => (0..4u8).prop_map(Touch::Change),
        3 => Just(Touch::Cast),
        3 => Just(Touch::Challenge),
        1 => Just(Touch::EndWithoutVote),
        5 => Just(Touch::Confirm),
        1 => Just(Touch::CallStaff),
    ]
}

fn action() -> impl Strategy<Value = Do> {
    prop_oneof![
        1 => Just(Do::Inserted),
        1 => Just(Do::Removed),
        1 => (1..4u8).prop_map(Do::Ready),
        1 => (1..4u8).prop_map(Do::WrongPin),
        1 => Just(Do::Refused),
        2 => Just(Do::Admitted),
        3 => Just(Do::Encrypted),
        1 => Just(Do::Timeout),
        20 => touch().prop_map(Do::Touch),
    ]
}

/// Inputs that a hostile or confused world could give, often led into the booth first.
pub(super) fn inputs() -> impl Strategy<Value = Vec<Do>> {
    let booth: Vec<Do> = [Do::Inserted, Do::Ready(3)]
        .into_iter()
        .chain((0..4).map(|_| Do::Touch(Touch::Digit(1))))
        .chain([Do::Touch(Touch::Enter), Do::Admitted])
        .collect();
    (any::<bool>(), proptest::collection::vec(action(), 0..120)).prop_map(move |(led, rest)| {
        let mut all = if led { booth.clone() } else { Vec::new() };
        all.extend(rest);
        all
    })
}

/// What a walk through the machine left behind.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) admitted: u32,
    pub(super) abandoned: u32,
    pub(super) cast: u32,
    pub(super) spoiled: u32,
}

pub(super) fn walk(inputs: &[Do], mut each: impl FnMut(&State, &Do, Option<&Record>, &Then)) -> (State, Seen) {
    let mut state = State::new();
    let mut seen = Seen::default();
    let mut codes = 0;
    for what in inputs {
        let before = State {
            serial: 0,
            phase: snapshot(&state),
        };
        let outcome = state.step(input(what, &mut codes));
        match outcome.record() {
            Some(Record::Admitted) => seen.admitted += 1,
            Some(Record::Abandoned) => seen.abandoned += 1,
            Some(Record::Cast(_)) => seen.cast += 1,
            Some(Record::Spoiled) => seen.spoiled += 1,
            None => {}
        }
        let record = match outcome.record() {
            Some(Record::Cast(tag)) => Some(Record::Cast(*tag)),
            Some(Record::Spoiled) => Some(Record::Spoiled),
            Some(Record::Admitted) => Some(Record::Admitted),
            Some(Record::Abandoned) => Some(Record::Abandoned),
            None => None,
        };
        let proof = proof_for_tests(outcome.ticket());
        let then = outcome.release(proof).unwrap();
        each(&before, what, record.as_ref(), &then);
        state = then.state;
    }
    (state, seen)
}

/// The phase without what must not be copied.
fn snapshot(state: &State) -> Phase {
    match state.phase() {
        Phase::Idle => Phase::Idle,
        Phase::Probing => Phase::Probing,
        Phase::Refused(why) => Phase::Refused(*why),
        Phase::Pin(entry) => Phase::Pin(PinEntry {
            digits: entry.digits,
            length: entry.length,
            typed: entry.typed,
            tries_left: entry.tries_left,
            wrong: entry.wrong,
            accepted: entry.accepted,
        }),
        Phase::Admitting => Phase::Admitting,
        Phase::Voting(voting) => Phase::Voting(Voting {
            tag: voting.tag,
            style: voting.style,
            shape: voting.shape.clone(),
            selected: voting.selected,
            challenges_left: voting.challenges_left,
            place: voting.place,
            aside: voting.aside,
        }),
        Phase::Abandoned => Phase::Abandoned,
        Phase::Done => Phase::Done,
        Phase::Leaving => Phase::Leaving,
        Phase::Blank => Phase::Blank,
    }
}
