//! A short day of polls on any kind of media, judged by what the voters did. Session and ballot box are the kiosk's own.

use std::collections::BTreeMap;

use election::batch::{self, Kind};
use election::hash::{Digest, hash};
use election::ledger::{StaffSignature, Transaction};
use election::sign::Signer;
use election::wire::Bytes;
use kiosk::audit::Event;
use kiosk::ballot_box::*;
use kiosk::ports::Medium;
use kiosk::random::Uniform;
use kiosk::screen::Touch;
use kiosk::session::{Admission, Input, PinDigits, Shape, State, Tag};

pub const ELECTION: Digest = [7; 32];
pub const KIOSK: Digest = [5; 32];
const K: usize = 2;
const BALLOT: usize = 700;
/// Voters of the day.
pub const VOTERS: u8 = 4;

pub const fn layout(sector: u32) -> Layout {
    Layout {
        sector,
        journal: 64,
        slot: 1024_u32.div_ceil(sector),
        cast: 8,
        spoiled: 2,
    }
}

pub const fn label(role: Role, sector: u32) -> Label {
    Label {
        election: ELECTION,
        kiosk: KIOSK,
        station: 3,
        epoch: 0,
        pair: [9; 16],
        role: role as u8,
        layout: layout(sector),
        takeover: None,
    }
}

/// Ballots of a test are any bytes that begin with `B`.
#[derive(Clone, Copy)]
pub struct Any;
impl Leaves for Any {
    fn leaf(&self, kind: Kind, ballot: &[u8], tag: &[u8; 32]) -> Option<Leaf> {
        (ballot.first() == Some(&b'B')).then(|| Leaf {
            code: hash("code", &[ballot]),
            leaf: hash("leaf", &[&[kind.into()], ballot, tag]),
        })
    }
}

pub struct Lcg(pub u64);
impl Uniform for Lcg {
    fn below(&mut self, bound: u32) -> Option<u32> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound.max(1)))
            .ok()
            .filter(|_| bound > 0)
    }
}

/// Runs a future that waits for nothing but media: `None` if the power went.
pub fn run<F: Future>(future: F) -> Option<F::Output> {
    let mut future = core::pin::pin!(future);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        core::task::Poll::Ready(output) => Some(output),
        core::task::Poll::Pending => None,
    }
}

fn tag(voter: u8) -> Tag {
    Tag(hash("tag", &[&[voter]]))
}

/// What the voters know.
#[derive(Default)]
pub struct Voters {
    pub done: BTreeMap<u8, Vec<u8>>,
    /// Who has said "cast" and read nothing yet.
    pub casting: Option<(u8, Vec<u8>)>,
    /// Whose batches leave, where any do.
    pub batches: Option<Signer>,
    pub sessions: u32,
}

/// Formats a medium that is blank.
pub fn formatted<M: Medium>(medium: &mut M, role: Role, sector: u32) -> Result<(), MediaFault> {
    let mut buffer = vec![0; sector as usize];
    run(format(medium, &label(role, sector), &mut buffer)).unwrap_or(Err(MediaFault::Label(role)))
}

/// Mounts, settles, opens if need be; then everybody votes who has not. `None` if the power went on the way.
pub fn day<M: Medium>(original: M, duplicate: M, sector: u32, voters: &mut Voters, rng: &mut Lcg) -> Option<Counts> {
    let layout = layout(sector);
    let slots = layout.slots() as usize;
    let mut rows = vec![Row::EMPTY; slots];
    let mut used = vec![0; slots.div_ceil(8)];
    let mut scratch = vec![0; buffer_len(&layout, K)];
    let mut spare = scratch.clone();
    let entry = batch::Entry {
        kind: Kind::Cast,
        code: [0; 32],
        leaf: [0; 32],
    };
    let mut entries = vec![entry; entries_len(&layout, K)];
    let memory = Memory {
        rows: &mut rows,
        used: &mut used,
        scratch: &mut scratch,
        entries: &mut entries,
    };
    let expected = Expected {
        election: ELECTION,
        kiosk: KIOSK,
        station: 3,
        epochs: 1,
        ballot: BALLOT,
        batch: K,
    };
    let mounted = run(BallotBox::mount(
        original, duplicate, &expected, Any, memory, &mut spare, rng,
    ))?;
    let (mut ballot_box, _) = mounted.unwrap();
    run(ballot_box.settle())?.unwrap();
    if let Some((voter, ballot)) = voters.casting.take()
        && ballot_box.has_voted(&tag(voter))
    {
        // Staff read it and tell them.
        voters.done.insert(voter, ballot);
    }
    if !ballot_box.log().is_open() {
        let staff = StaffSignature {
            key: Bytes([2; 33]),
            signature: Bytes([1; 64]),
        };
        run(ballot_box.append(&Event::Opened {
            seconds: 1,
            epoch: 0,
            software: [1; 32],
            package: [2; 32],
            staff: [staff; 2],
        }))?
        .unwrap();
    }
    for voter in 0..VOTERS {
        assert_eq!(
            ballot_box.has_voted(&tag(voter)),
            voters.done.contains_key(&voter),
            "A1: exactly who has voted is refused"
        );
        if !voters.done.contains_key(&voter) {
            vote(&mut ballot_box, voter, voters, rng)?;
        }
    }
    if let Some(signer) = &voters.batches
        && ballot_box.batch_due(K)
    {
        run(ballot_box.write_batch(K, signer, rng))?.unwrap();
    }
    Some(ballot_box.counts())
}

fn vote<M: Medium>(
    ballot_box: &mut BallotBox<'_, M, Any>,
    voter: u8,
    voters: &mut Voters,
    rng: &mut Lcg,
) -> Option<()> {
    voters.sessions += 1;
    let mut ballot = vec![b'B', voter];
    ballot.extend(voters.sessions.to_be_bytes());
    ballot.resize(BALLOT, voter.wrapping_mul(31));
    let mut slot = vec![0xAA; RECORD_HEADER + BALLOT + 8192];
    slot[RECORD_HEADER..RECORD_HEADER + BALLOT].copy_from_slice(&ballot);
    let mut inputs = vec![
        Input::Inserted,
        Input::Ready {
            tries_left: 3,
            digits: PinDigits::ANY,
        },
    ];
    inputs.extend((0..4).map(|_| Input::Touch(Touch::Digit(1))));
    inputs.push(Input::Touch(Touch::Enter));
    inputs.push(Input::Admitted {
        admission: Admission {
            style: 0,
            tag: tag(voter),
        },
        shape: Shape::new([(2, 1)]).unwrap(),
        challenges_left: 3,
    });
    inputs.extend([Touch::Option(0), Touch::Next, Touch::Confirm].map(Input::Touch));
    inputs.push(Input::Encrypted { code: [1; 32] });
    let mut state = State::new();
    for input in inputs {
        let outcome = state.step(input);
        state = run(ballot_box.commit(outcome, &mut slot, 0, rng))?.unwrap().state;
    }
    voters.casting = Some((voter, ballot.clone()));
    let outcome = state.step(Input::Touch(Touch::Cast));
    run(ballot_box.commit(outcome, &mut slot, BALLOT, rng))?.unwrap();
    voters.casting = None;
    voters.done.insert(voter, ballot);
    Some(())
}

/// The laws on one medium, read as the desk reads it.
pub fn judge<M: Medium>(medium: M, voters: &Voters, context: &str) {
    let mut reader = run(Reader::open(medium)).unwrap().unwrap();
    let mut buffer = vec![0; reader.buffer_len(K)];
    let mut found: BTreeMap<[u8; 32], Vec<u8>> = BTreeMap::new();
    for slot in 0..reader.slots() {
        if let SlotState::Whole(record) = run(reader.slot(slot, &mut buffer)).unwrap().unwrap() {
            let before = found.insert(record.tag, record.ballot.to_vec());
            assert!(
                before.is_none_or(|before| before == record.ballot),
                "no_second_vote ({context})"
            );
        }
    }
    for (voter, ballot) in &voters.done {
        assert_eq!(
            found.get(&tag(*voter).0),
            Some(ballot),
            "no_ballot_lost: {voter} ({context})"
        );
    }
    assert_eq!(found.len(), voters.done.len(), "a vote nobody cast ({context})");
}

#[allow(dead_code)] // One test looks at batches.
/// The batches on a medium, as the desk reads them: how many entries each has. Each is whole and signed, and of ballots that stand there.
pub fn batches<M: Medium>(medium: M, voters: &Voters, context: &str) -> Vec<usize> {
    let key = voters.batches.as_ref().unwrap().public_key();
    let leaves: Vec<Digest> = voters
        .done
        .iter()
        .map(|(voter, ballot)| Any.leaf(Kind::Cast, ballot, &tag(*voter).0).unwrap().leaf)
        .collect();
    let mut reader = run(Reader::open(medium)).unwrap().unwrap();
    let mut buffer = vec![0; reader.buffer_len(K)];
    let mut found = Vec::new();
    while let Some(item) = run(reader.next(&mut buffer)).unwrap().unwrap() {
        if item.kind != EntryKind::Transaction {
            continue;
        }
        let Ok(Transaction::Batch(batch)) = election::wire::decode(item.payload) else {
            panic!("not a batch ({context})");
        };
        batch.check(&key).unwrap();
        let entries: Vec<batch::Entry> = batch.entries.iter().map(Result::unwrap).collect();
        assert!(
            entries.iter().all(|entry| leaves.contains(&entry.leaf)),
            "a batch of something else ({context})"
        );
        found.push(entries.len());
    }
    found
}
