//! The recovery table of RECOVERY.md: a cut and a dying medium at every step of what a kiosk writes, through the whole kiosk, what stands
//! then and what people read. The page is compared with what happens here, and written anew with `IPPYO_UPDATE_TABLE=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use election::manifest::Mode;

use super::kiosks::{casts, kiosk, machine, tag, voter, votes, with_media};
use super::machine::{Machine, Ran};
use super::people::How;
use crate::ballot_box::media_for_tests as media;
use crate::run::Exit;
use crate::screen::Recorded;

/// The English texts of the panel: what staff read is in the table word for word.
fn words() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/panel/lang/en.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, text)| (key.to_string(), text.replace('|', "")))
        .collect()
}

/// What voter 1 comes for, and what is written for it: one record after the other, four steps each.
const ACTS: [(How, &[&str]); 3] = [
    (How::Cast, &["the admission", "the vote"]),
    (How::PullCard, &["the admission", "\"left without a vote\""]),
    (
        How::ChallengeFirst,
        &["the admission", "the challenged ballot", "the vote"],
    ),
];
const STEPS: [&str; 4] = [
    "while it is written to the original",
    "before the original is synced",
    "on the original; while it is written to the duplicate",
    "on the original; before the duplicate is synced",
];

/// A kiosk that is open, has one vote, has just started, and now voter 1 is there. Gives the number of writes and syncs until then.
fn ready(how: How) -> (Machine, u32) {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    let visit = |card, how| machine.come([voter(card, [1, 1], how)]);
    visit(0, How::Cast);
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    visit(1, how);
    // The start itself writes one entry.
    let steps = machine.media[0].power.borrow().steps + 4;
    (machine, steps)
}

/// Whether voter 1's vote stands on both media.
fn stands(machine: &Machine) -> bool {
    let own = tag(machine, 1);
    let found = [0, 1].map(|at| votes(machine, at, Mode::Statutory).contains_key(&own));
    assert_eq!(found[0], found[1], "both media, or none");
    found[0]
}

/// After everything voter 1 votes again, if that is possible: there is one vote in the end, whatever happened.
fn one_vote_in_the_end(machine: &Machine) {
    machine.power_cycle();
    {
        let mut people = machine.world.people.borrow_mut();
        people.visits.clear();
        people.challenged = false;
        people.visits.push_back(casts(1));
    }
    assert_eq!(machine.run(), Ran::Waiting);
    let own = tag(machine, 1);
    for at in 0..2 {
        let found = votes(machine, at, Mode::Statutory);
        assert!(found.contains_key(&own));
        assert_eq!(found.len(), 2);
    }
}

fn told(words: &BTreeMap<String, String>, voter: Option<Recorded>, taken_over: bool) -> String {
    let key = match (voter, taken_over) {
        (None, _) => "restarted.nobody",
        (Some(Recorded::Yes), false) => "restarted.yes",
        (Some(Recorded::No), false) => "restarted.no",
        (Some(Recorded::Yes), true) => "restarted.taken_yes",
        (Some(Recorded::No), true) => "restarted.taken_no",
        (Some(Recorded::Unknown), _) => "restarted.unknown",
    };
    words[key].clone()
}

type Rows = Vec<Vec<String>>;

fn push(rows: &mut Rows, row: &[&str]) {
    rows.push(row.iter().map(ToString::to_string).collect());
}

/// Power cuts: every step of every record, every way of tearing.
fn cuts(words: &BTreeMap<String, String>) -> Rows {
    let mut rows = Rows::new();
    for (how, records) in ACTS {
        for (index, record) in records.iter().enumerate() {
            for (step, text) in STEPS.iter().enumerate() {
                let mut outcomes = BTreeSet::new();
                for (way, tear) in media::TEARS.into_iter().enumerate() {
                    let (machine, before) = ready(how);
                    {
                        let mut power = machine.media[0].power.borrow_mut();
                        let cut = before + u32::try_from(4 * index + step).unwrap();
                        power.left = Some(cut - power.steps);
                        power.tear = tear;
                        power.chance = u64::try_from(way + 7 * step).unwrap();
                    }
                    assert_eq!(machine.run(), Ran::Cut);
                    machine.power_cycle();
                    machine.world.people.borrow_mut().visits.clear();
                    assert_eq!(machine.run(), Ran::Waiting);
                    let voted = stands(&machine);
                    let found = *machine.world.people.borrow().restarted.last().unwrap();
                    // F2: what is said is what stands.
                    match found.voter {
                        Some(Recorded::Yes) => assert!(voted),
                        Some(Recorded::No) | None => assert!(!voted),
                        Some(Recorded::Unknown) => panic!("a restart knows"),
                    }
                    let standing = if voted { "the vote, on both" } else { "no vote" };
                    outcomes.insert((standing, told(words, found.voter, found.taken_over)));
                    one_vote_in_the_end(&machine);
                }
                for (standing, text_told) in outcomes {
                    push(&mut rows, &[&format!("{record}, {text}"), standing, &text_told]);
                }
            }
        }
    }
    rows
}

/// A medium that fails for good: what the fault screen says, what the restart says if the medium comes back, and what a spare says that
/// takes over with the other one.
fn deaths(words: &BTreeMap<String, String>) -> Rows {
    let mut rows = Rows::new();
    let (how, records) = ACTS[0];
    for (index, record) in records.iter().enumerate() {
        for (step, text) in STEPS.iter().enumerate() {
            let dying = step / 2;
            let (machine, before) = ready(how);
            let at = before + u32::try_from(4 * index + step).unwrap();
            *machine.media[dying].dies.borrow_mut() = Some(at);
            let Ran::Ended(Exit::Fault { recorded, .. }) = machine.run() else {
                panic!("no fault at {step} of {record}");
            };
            let said = words[match recorded {
                Some(Recorded::Yes) => "fault.yes",
                Some(Recorded::No) => "fault.no",
                Some(Recorded::Unknown) => "fault.unknown",
                None => panic!("somebody stood there"),
            }]
            .clone();
            // A copy of the surviving medium for the spare, as it is now.
            let surviving = machine.media[1 - dying].image();
            *machine.media[dying].dies.borrow_mut() = None;
            machine.power_cycle();
            machine.world.people.borrow_mut().visits.clear();
            assert_eq!(machine.run(), Ran::Waiting);
            let found = *machine.world.people.borrow().restarted.last().unwrap();
            // F3: yes and no are never taken back.
            match recorded {
                Some(Recorded::Yes) => assert_eq!(found.voter, Some(Recorded::Yes)),
                Some(Recorded::No) => assert_ne!(found.voter, Some(Recorded::Yes)),
                _ => {}
            }
            one_vote_in_the_end(&machine);

            let spare = kiosk(Mode::Statutory, 2);
            spare.world.online.set(false);
            let mut pair = spare.media.clone();
            pair[1 - dying] = surviving;
            pair[1 - dying].power = pair[dying].power.clone();
            let spare = with_media(&spare, pair);
            assert_eq!(spare.run(), Ran::Ended(Exit::Restart));
            assert_eq!(spare.run(), Ran::Waiting);
            let taken = *spare.world.people.borrow().restarted.last().unwrap();
            let voted = votes(&spare, 0, Mode::Statutory).contains_key(&tag(&spare, 1));
            assert_eq!(voted, taken.voter == Some(Recorded::Yes) && index == 1 && dying == 1);
            one_vote_in_the_end(&spare);
            push(
                &mut rows,
                &[
                    &format!("{record}, {text}"),
                    ["original", "duplicate"][dying],
                    &said,
                    &told(words, found.voter, found.taken_over),
                    &told(words, taken.voter, taken.taken_over),
                ],
            );
        }
    }
    rows
}

fn table(head: &[&str], rows: &Rows) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut out = line(&mut head.iter().copied());
    out.push_str(&line(&mut head.iter().map(|_| "---")));
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

#[test]
fn f2_f3_the_recovery_table_is_what_happens() {
    let words = words();
    let page = format!(
        "# What stands after a cut, and what staff read\n\n\
        Written by a test (`firmware/kiosk/src/run/tests/recovery.rs`) that plays every row through the whole kiosk; do not edit. \
        `IPPYO_UPDATE_TABLE=1 cargo test -p kiosk --lib recovery` writes it anew. The kiosk is open, one vote stands, it has just started, \
        and a voter comes. Where two rows name the same place, either happens: it depends on how much of a torn write reached the medium. \
        In every row the voter then puts the card in again, and in the end exactly one vote of theirs stands on both media.\n\n\
        ## The power goes\n\n{}\n## A medium fails\n\n\
        The fault screen stays until the restart; while it says \"not known\", this kiosk lets nobody in. Then either the medium works again and \
        the kiosk restarts, or a spare takes over with the other one.\n\n{}\n## The kiosk dies while polls close\n\n\
        And does not come back: a spare takes over with one of the two media, whichever can be had. Nobody can vote any more where polls were \
        closed. Staff switch the dead kiosk off for good and hand in its other medium too: it counts once.\n\n{}",
        table(
            &["the cut falls into", "what stands", "what staff read after the restart"],
            &cuts(&words)
        ),
        table(
            &[
                "the failure falls into",
                "which medium fails",
                "what the fault screen says to the voter",
                "what staff read if the medium works again",
                "what staff read on a spare with the other medium",
            ],
            &deaths(&words)
        ),
        table(
            &["it dies at", "a spare with the original", "a spare with the duplicate"],
            &super::handover::deaths(&STEPS)
        ),
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("RECOVERY.md");
    if std::env::var_os("IPPYO_UPDATE_TABLE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        page,
        "IPPYO_UPDATE_TABLE=1 cargo test -p kiosk --lib recovery"
    );
}
