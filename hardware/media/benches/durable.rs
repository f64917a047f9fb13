//! How long a voter waits between "cast" and "done": from the touch until the vote is written, synced and read back on the original and then on
//! the duplicate, two files of this machine's disk. The session, the box and the media are the kiosk's own; nothing is encrypted here (that is
//! `cargo bench -p tests --bench crypto`, and most of it happens while the voter reads).
//!
//! One JSON line a figure: {"name", "value", "unit", "peer", "ratio"}; value in milliseconds by the clock, because waiting for a disk is no
//! processor time; peer `bare writes` is the same bytes written and synced to two bare files, in turns with the votes, and the ratio how
//! many times longer than those. No figure is asserted. VVSG's limit is stated in the last column of standard error: 300 ms at p99.

#[path = "../tests/common/mod.rs"]
#[allow(dead_code)] // Its day of polls is the tests'.
mod common;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use election::batch::{self, Kind};
use election::hash::{Digest, hash};
use election::ledger::StaffSignature;
use election::wire::Bytes;
use kiosk::audit::Event;
use kiosk::ballot_box::{
    BallotBox, Expected, Label, Layout, Memory, RECORD_HEADER, Role, Row, buffer_len, entries_len, format,
};
use kiosk::screen::Touch;
use kiosk::session::{Admission, Input, PinDigits, Shape, State, Tag};
use media::{FileMedium, SECTOR};

use common::{Any, Lcg, run};

/// Votes of which the hundredth slowest is p99.
const VOTES: u16 = 1_000;
const K: usize = 8;
/// Milliseconds.
const LIMIT: f64 = 300.0;

/// Files answer at once: a future over them never waits.
fn now<F: Future>(future: F) -> F::Output {
    run(future).expect("a file does not keep anybody waiting")
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder in the target folder");
    // Contests a ballot: the bundled referendum has one, the county's ballot 25.
    for (name, contests) in [("one contest", 1), ("25 contests", 25)] {
        votes(folder.path(), name, ballot_len(contests));
    }
}

/// Bytes of a ballot with so many contests of five options.
fn ballot_len(contests: u16) -> usize {
    let shape = |contest| election::ballot::ContestShape {
        contest,
        options: 5,
        votes: 1,
    };
    let shapes: Vec<_> = (0..contests).map(shape).collect();
    election::ballot::Layout::new(0, &shapes)
        .expect("contests that fit")
        .ballot_len()
}

fn votes(folder: &Path, name: &str, ballot: usize) {
    let slot = u32::try_from(RECORD_HEADER + ballot)
        .expect("a short ballot")
        .div_ceil(SECTOR);
    let layout = Layout {
        sector: SECTOR,
        journal: u32::from(VOTES) * 3,
        slot,
        cast: u32::from(VOTES) + 100,
        spoiled: 8,
    };
    let open = |role: Role| {
        let path = folder.join(format!("{name} {role}"));
        let mut medium = FileMedium::create(&path, layout.size()).expect("a file");
        let label = Label {
            election: [7; 32],
            kiosk: [5; 32],
            station: 3,
            epoch: 0,
            pair: [9; 16],
            role: role as u8,
            layout,
            takeover: None,
        };
        now(format(&mut medium, &label, &mut vec![0; SECTOR as usize])).expect("a blank file");
        medium
    };
    let media = [open(Role::Original), open(Role::Duplicate)];
    let bare = ["bare 0", "bare 1"].map(|file| bare_file(&folder.join(format!("{name} {file}")), layout.size()));

    let slots = usize::try_from(layout.slots()).expect("some slots");
    let (mut rows, mut used) = (vec![Row::EMPTY; slots], vec![0; slots.div_ceil(8)]);
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
        election: [7; 32],
        kiosk: [5; 32],
        station: 3,
        epochs: 1,
        ballot,
        batch: K,
    };
    let [original, duplicate] = media;
    let mut rng = Lcg(1);
    let mounted = now(BallotBox::mount(
        original, duplicate, &expected, Any, memory, &mut spare, &mut rng,
    ));
    let (mut ballot_box, _) = mounted.expect("a fresh pair");
    let staff = StaffSignature {
        key: Bytes([2; 33]),
        signature: Bytes([1; 64]),
    };
    let opened = Event::Opened {
        seconds: 1,
        epoch: 0,
        software: [1; 32],
        package: [2; 32],
        staff: [staff; 2],
    };
    now(ballot_box.append(&opened)).expect("opened");

    let (mut waits, mut writes) = (Vec::new(), Vec::new());
    let mut bytes = vec![0; slot as usize * SECTOR as usize];
    for voter in 0..VOTES {
        let mut state = State::new();
        for input in inputs(hash("tag", &[&voter.to_be_bytes()])) {
            let outcome = state.step(input);
            state = now(ballot_box.commit(outcome, &mut bytes, 0, &mut rng))
                .expect("a step")
                .state;
        }
        bytes[RECORD_HEADER..RECORD_HEADER + ballot].fill(voter.to_be_bytes()[1]);
        bytes[RECORD_HEADER] = b'B';
        bytes[RECORD_HEADER + 1..RECORD_HEADER + 3].copy_from_slice(&voter.to_be_bytes());
        let begun = Instant::now();
        let outcome = state.step(Input::Touch(Touch::Cast));
        // Here the next screen is "done": `Then` comes only with both media's proof.
        let _ = now(ballot_box.commit(outcome, &mut bytes, ballot, &mut rng)).expect("a vote");
        waits.push(begun.elapsed().as_secs_f64() * 1e3);
        writes.push(bare_writes(&bare, u64::from(voter) * u64::from(slot * SECTOR), &bytes));
    }
    assert_eq!(ballot_box.counts().recorded, u32::from(VOTES));
    for part in [50, 99] {
        let (value, peer) = (percentile(&mut waits, part), percentile(&mut writes, part));
        println!(
            "{{\"name\":\"durable/{name}/p{part}\",\"value\":{value:.3},\"unit\":\"ms\",\"peer\":\"bare writes\",\"ratio\":{:.2}}}",
            value / peer
        );
        if part == 99 {
            let held = if value < LIMIT { "held" } else { "NOT HELD" };
            eprintln!("{name}, {ballot} bytes, {VOTES} votes: p99 {value:.1} ms, under {LIMIT} ms: {held}");
        }
    }
}

/// What a voter does until the ballot is encrypted.
fn inputs(tag: Digest) -> Vec<Input> {
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
            tag: Tag(tag),
        },
        shape: Shape::new([(2, 1)]).expect("a contest"),
        challenges_left: 3,
    });
    inputs.extend([Touch::Option(0), Touch::Next, Touch::Confirm].map(Input::Touch));
    inputs.push(Input::Encrypted { code: [1; 32] });
    inputs
}

fn bare_file(path: &Path, size: u64) -> File {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    let file = file.expect("a bare file");
    // Written out, like a formatted medium: a hole would have to be allocated at each write.
    let blank = vec![0xFF; 1 << 16];
    let mut at = 0;
    while at < size {
        let count = usize::try_from((size - at).min(blank.len() as u64)).expect("at most a chunk");
        file.write_all_at(&blank[..count], at).expect("room");
        at += count as u64;
    }
    file.sync_all().expect("a sync");
    file
}

/// Milliseconds for the same bytes to two bare files, one after the other, each synced.
fn bare_writes(files: &[File; 2], at: u64, bytes: &[u8]) -> f64 {
    let begun = Instant::now();
    for file in files {
        file.write_all_at(bytes, at).expect("room");
        file.sync_data().expect("a sync");
    }
    begun.elapsed().as_secs_f64() * 1e3
}

fn percentile(values: &mut [f64], part: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * part / 100).min(values.len() - 1)]
}
