//! A kiosk's box with voters in front of it: what they did is kept apart from what the box says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use election::batch::{self, Kind};
use election::hash::{Digest, hash};
use election::ledger::StaffSignature;
use election::sign::Signer;
use election::wire::Bytes;

use super::media::{Faulty, Lcg, Power, run};
use crate::audit::Event;
use crate::ballot_box::*;
use crate::screen::Touch;
use crate::session::{Admission, Input, Outcome, Shape, State, Tag};

pub const ELECTION: Digest = [7; 32];
pub const STATION: u16 = 3;
pub const K: usize = 2;
pub const LAYOUT: Layout = Layout {
    sector: 512,
    journal: 160,
    slot: 2,
    cast: 12,
    spoiled: 8,
};
const BALLOT: usize = 700;

/// Ballots of a test are any bytes that begin with `B`.
#[derive(Clone, Copy)]
pub struct TestLeaves;
impl Leaves for TestLeaves {
    fn leaf(&self, kind: Kind, ballot: &[u8], tag: &[u8; 32]) -> Option<Leaf> {
        (ballot.first() == Some(&b'B')).then(|| Leaf {
            code: hash("code", &[ballot]),
            leaf: hash("leaf", &[&[kind.into()], ballot, tag]),
        })
    }
}

pub fn signer(seed: u8) -> Signer {
    Signer::from_bytes(&[seed; 32]).unwrap()
}

pub fn staff() -> [StaffSignature; 2] {
    [StaffSignature {
        key: Bytes([2; 33]),
        signature: Bytes([1; 64]),
    }; 2]
}

pub fn kiosk_id(seed: u8) -> Digest {
    batch::kiosk_id(&signer(seed).public_key())
}

pub fn expected(seed: u8) -> Expected {
    Expected {
        election: ELECTION,
        kiosk: kiosk_id(seed),
        station: STATION,
        epochs: 1,
        ballot: BALLOT,
        batch: K,
    }
}

pub fn label(seed: u8, role: Role, pair: u8) -> Label {
    Label {
        election: ELECTION,
        kiosk: kiosk_id(seed),
        station: STATION,
        epoch: 0,
        pair: [pair; 16],
        role: role as u8,
        layout: LAYOUT,
        takeover: None,
    }
}

pub fn formatted(label: &Label, power: &Rc<RefCell<Power>>) -> Faulty {
    let mut medium = Faulty::new(label.layout.size(), label.role, power);
    let mut sector = vec![0; label.layout.sector_len()];
    run(format(&mut medium, label, &mut sector)).unwrap().unwrap();
    medium
}

/// Memory that a platform would lend.
pub struct Lent {
    rows: Vec<Row>,
    used: Vec<u8>,
    scratch: Vec<u8>,
    entries: Vec<batch::Entry>,
}

impl Lent {
    pub fn new() -> Self {
        let slots = usize::try_from(LAYOUT.slots()).unwrap();
        let entry = batch::Entry {
            kind: Kind::Cast,
            code: [0; 32],
            leaf: [0; 32],
        };
        Self {
            rows: vec![Row::EMPTY; slots],
            used: vec![0; slots.div_ceil(8)],
            scratch: vec![0; buffer_len(&LAYOUT, K)],
            entries: vec![entry; entries_len(&LAYOUT, K)],
        }
    }

    pub fn memory(&mut self) -> Memory<'_> {
        Memory {
            rows: &mut self.rows,
            used: &mut self.used,
            scratch: &mut self.scratch,
            entries: &mut self.entries,
        }
    }
}

pub type TestBox<'b> = BallotBox<'b, Faulty, TestLeaves>;

/// Mounts and does what the kiosk's start does: the deficit rule. `Ok(None)` if the power went.
pub fn start<'b>(
    original: &Faulty,
    duplicate: &Faulty,
    seed: u8,
    lent: &'b mut Lent,
    rng: &mut Lcg,
) -> Result<Option<(TestBox<'b>, Mounted)>, MediaFault> {
    let mut spare = vec![0; buffer_len(&LAYOUT, K)];
    let mounted = run(BallotBox::mount(
        original.clone(),
        duplicate.clone(),
        &expected(seed),
        TestLeaves,
        lent.memory(),
        &mut spare,
        rng,
    ));
    let Some(mounted) = mounted else { return Ok(None) };
    let (mut ballot_box, found) = mounted?;
    let settled = run(ballot_box.settle());
    match settled {
        None => Ok(None),
        Some(Ok(_)) => Ok(Some((ballot_box, found))),
        Some(Err(broken)) => panic!("{broken:?} after {found:?}"),
    }
}

/// What a voter does with the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Vote,
    Challenge,
    Abandon,
}

/// What the voters know.
#[derive(Default, Clone)]
pub struct Voters {
    /// Voters who saw "done", with their ballot.
    pub done: BTreeMap<u8, Vec<u8>>,
    /// The voter who stood there when something failed, with the ballot that was being cast.
    pub standing: Option<(u8, Option<Vec<u8>>)>,
    /// Sessions that were let in, and how many of them the voters left.
    pub admitted: u32,
    pub abandoned: u32,
    /// Cards put in.
    pub sessions: u32,
}

pub fn tag(voter: u8) -> Tag {
    Tag(hash("tag", &[&[voter]]))
}

/// A ballot; real ones have a random id, these the number of the session.
pub fn ballot(voter: u8, attempt: u8, session: u32) -> Vec<u8> {
    let mut ballot = vec![b'B', voter, attempt];
    ballot.extend(session.to_be_bytes());
    ballot.resize(
        BALLOT - usize::from(voter % 5),
        voter.wrapping_mul(31).wrapping_add(attempt),
    );
    ballot
}

/// Plays one voter. `None` if the power went.
pub fn play(
    ballot_box: &mut TestBox<'_>,
    voter: u8,
    act: Act,
    voters: &mut Voters,
    rng: &mut Lcg,
) -> Option<Result<(), Broken>> {
    assert!(!ballot_box.has_voted(&tag(voter)), "no second vote is even begun");
    let mut slot = vec![0xAA; RECORD_HEADER + BALLOT + 1024];
    let mut state = Some(State::new());
    let mut attempt = 0;
    voters.sessions += 1;
    let session = voters.sessions;
    let mut length = 0;
    let commit = |ballot_box: &mut TestBox<'_>, outcome: Outcome, slot: &mut [u8], length: usize, rng: &mut Lcg| {
        run(ballot_box.commit(outcome, slot, length, rng))
    };
    let mut inputs = vec![
        Input::Inserted,
        Input::Ready {
            tries_left: 3,
            digits: crate::session::PinDigits::ANY,
        },
    ];
    for _ in 0..4 {
        inputs.push(Input::Touch(Touch::Digit(1)));
    }
    inputs.push(Input::Touch(Touch::Enter));
    inputs.push(Input::Admitted {
        admission: Admission {
            style: 0,
            tag: tag(voter),
        },
        shape: Shape::new([(2, 1)]).unwrap(),
        challenges_left: 3,
    });
    let ballot_inputs = || {
        [
            Input::Touch(Touch::Option(0)),
            Input::Touch(Touch::Next),
            Input::Touch(Touch::Confirm),
        ]
    };
    inputs.extend(ballot_inputs());
    let encrypted = |attempt: u8| Input::Encrypted {
        code: hash("code", &[&ballot(voter, attempt, session)]),
    };
    match act {
        Act::Abandon => inputs.push(Input::Removed),
        Act::Vote => {
            inputs.push(encrypted(0));
            inputs.push(Input::Touch(Touch::Cast));
        }
        Act::Challenge => {
            inputs.push(encrypted(0));
            inputs.push(Input::Touch(Touch::Challenge));
            inputs.push(Input::Touch(Touch::Confirm));
            inputs.extend(ballot_inputs());
            inputs.push(encrypted(1));
            inputs.push(Input::Touch(Touch::Cast));
        }
    }
    for input in inputs {
        if matches!(input, Input::Encrypted { .. }) {
            let bytes = ballot(voter, attempt, session);
            length = bytes.len();
            slot[RECORD_HEADER..RECORD_HEADER + length].copy_from_slice(&bytes);
            attempt += 1;
        }
        let admitting = matches!(input, Input::Admitted { .. });
        let casting = matches!(input, Input::Touch(Touch::Cast));
        let leaving = matches!(input, Input::Removed);
        if casting {
            voters.standing = Some((voter, Some(ballot(voter, attempt - 1, session))));
        } else if voters.standing.is_none() && admitting {
            voters.standing = Some((voter, None));
        }
        let outcome = state.take().unwrap().step(input);
        match commit(ballot_box, outcome, &mut slot, length, rng)? {
            Ok(then) => state = Some(then.state),
            Err(broken) => return Some(Err(broken)),
        }
        if admitting {
            voters.admitted += 1;
        }
        if casting {
            voters.done.insert(voter, ballot(voter, attempt - 1, session));
            voters.standing = None;
        }
        if leaving {
            voters.abandoned += 1;
            voters.standing = None;
        }
    }
    Some(Ok(()))
}

pub fn open_polls(ballot_box: &mut TestBox<'_>) -> Option<Result<(), Broken>> {
    run(ballot_box.append(&Event::Opened {
        seconds: 1,
        epoch: 0,
        software: [1; 32],
        package: [2; 32],
        staff: staff(),
    }))
}

/// What one medium holds, read as the desk reads it: tag -> ballots, and the spoiled count.
pub fn contents(medium: &Faulty) -> (BTreeMap<[u8; 32], Vec<Vec<u8>>>, u32) {
    let mut reader = run(Reader::open(medium.clone())).unwrap().unwrap();
    let mut buffer = vec![0; buffer_len(&LAYOUT, K)];
    let mut found: BTreeMap<[u8; 32], Vec<Vec<u8>>> = BTreeMap::new();
    let mut spoiled = 0;
    for slot in 0..reader.slots() {
        if let SlotState::Whole(record) = run(reader.slot(slot, &mut buffer)).unwrap().unwrap() {
            if record.kind == Kind::Cast {
                let ballots = found.entry(record.tag).or_default();
                // The repair of a damaged copy is the same ballot, not a second one.
                if !ballots.contains(&record.ballot.to_vec()) {
                    ballots.push(record.ballot.to_vec());
                }
            } else {
                spoiled += 1;
            }
        }
    }
    (found, spoiled)
}

/// The laws, judged by what the voters did.
pub fn judge(medium: &Faulty, voters: &Voters, context: &str) {
    let (found, _) = contents(medium);
    for (voter, ballot) in &voters.done {
        assert_eq!(
            found.get(&tag(*voter).0),
            Some(&vec![ballot.clone()]),
            "no_ballot_lost: voter {voter} saw done ({context})"
        );
    }
    for (found_tag, ballots) in &found {
        assert_eq!(ballots.len(), 1, "no_ballot_counted_twice, no_second_vote ({context})");
        let done = voters.done.keys().any(|voter| tag(*voter).0 == *found_tag);
        let standing = voters
            .standing
            .as_ref()
            .is_some_and(|(voter, ballot)| tag(*voter).0 == *found_tag && ballot.as_ref() == ballots.first());
        assert!(done || standing, "a vote nobody cast ({context})");
    }
}
