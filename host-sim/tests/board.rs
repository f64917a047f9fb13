//! Kiosks that are boards in an emulator: elections on them, boxes that change between a board and Linux's code, panics.
//!
//! Run where `IPPYO_FIRMWARE` names the firmware (`tests/run qemu` builds it and does).
#![cfg(feature = "window")]

use host_sim::qemu::image::{emulation, lock};
use host_sim::qemu::{Emulation, Guest, log, picture};
use host_sim::world::executor::Outside as _;
use host_sim::world::time::Timeline;
use host_sim::{PlannedCut, Scenario, bundled};
use kiosk::screen::{Fault, Screen};
use mcu::stand::{self, End, word};
use panel::render::Headless;

fn board() -> Option<Emulation> {
    if std::env::var_os("IPPYO_FIRMWARE").is_none() {
        eprintln!("not run: IPPYO_FIRMWARE names no firmware; `tests/run qemu` builds it and runs this");
        return None;
    }
    Some(emulation(None).unwrap())
}

/// Everything that the firmware can log. Lines about voters have no arguments: a number or a name in them could tell one voter from another.
const LOGGED: [&str; 15] = [
    "polls are open",
    "a voter was served",
    "polls are closed",
    "closed: {=[u8]:02x}, {} unsent",
    "out of order: the screen says why",
    "out of order: {}",
    "set up; starting again",
    "started; restarts by ourselves: {}",
    "station {}, package {} bytes, software {=[u8]:02x}",
    "stack {}/{} bytes, screens {}/{}, certificates {}/{}",
    "the safe screen is too busy to be kept",
    // What arguments are made of.
    "{=__internal_Debug}",
    "{=u16}",
    "{=u32}",
    "{=usize}",
];

/// Whether a line is one of these with numbers, bytes and a fault's name where a format has holes.
fn is_of(format: &str, line: &str) -> bool {
    let mut rest = line;
    let mut parts = format
        .split('{')
        .enumerate()
        .map(|(index, part)| match part.split_once('}') {
            Some((_, fixed)) if index > 0 => (true, fixed),
            _ => (false, part),
        });
    parts.all(|(hole, fixed)| {
        let Some(at) = (if hole && fixed.is_empty() {
            Some(rest.len())
        } else {
            rest.find(fixed)
        }) else {
            return false;
        };
        let (value, after) = (&rest[..at], &rest[at + fixed.len()..]);
        rest = after;
        hole || value.is_empty()
    }) && rest.is_empty()
}

/// A19, V12: the image can log nothing of a voter, and the log of an election is decoded, complete, and made of these lines alone.
fn judge_log(board: &Emulation, fewest_served: usize) {
    let reader = log::reader().unwrap();
    for symbol in log::formats(&reader, &board.image).unwrap() {
        let symbol: serde_json::Value = serde_json::from_str(&symbol).unwrap();
        let format = symbol["data"].as_str().unwrap();
        let own = format == "{=u64:ms}" || LOGGED.contains(&format);
        assert!(own, "the firmware can log {format:?}: judge it, then name it here");
    }
    let text = log::read_all(&reader, &board.image, &lock(&board.logs)).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("-- start")).collect();
    let said = |line: &str| {
        line.get(13..)
            .and_then(|rest| rest.split_once(' '))
            .map(|two| two.1.trim().to_owned())
    };
    for line in &lines {
        let said = said(line).unwrap_or_else(|| panic!("{line:?} has a time and a level"));
        assert!(
            LOGGED
                .iter()
                .any(|format| !format.starts_with('{') && is_of(format, &said)),
            "{said:?}"
        );
    }
    let count = |wanted: &str| {
        lines
            .iter()
            .filter(|line| said(line).is_some_and(|said| said == wanted))
            .count()
    };
    assert!(count("polls are open") > 0, "{text}");
    assert!(count("a voter was served") >= fewest_served, "{text}");
    for secret in ["o-s1", "o-h1", "o-yes", "c-bus", "voter 1"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn lines_are_told_from_what_is_no_line() {
    for (line, holds) in [
        ("a voter was served", true),
        ("a voter was served: 12", false),
        ("started; restarts by ourselves: 0", true),
        ("stack 1/2 bytes, screens 3/4, certificates 5/6", true),
        ("stack 1/2 bytes, screens 3/4", false),
        ("closed: [0a, ff], 3 unsent", true),
        ("PIN 123456", false),
    ] {
        let words = LOGGED.iter().filter(|format| !format.starts_with('{'));
        assert_eq!(words.clone().any(|format| is_of(format, line)), holds, "{line}");
    }
}

/// The power fails six times. After every other cut the box stands in a kiosk of the other kind: what a board has written, Linux's code
/// reads and goes on with, and the other way round; its keys, what it remembers, its batches too. The tally judges by what voters did.
#[test]
fn f2_a_box_goes_on_in_a_kiosk_of_the_other_kind_after_a_power_cut() {
    let Some(board) = board() else { return };
    let definition = bundled::load("kaga-consultation").unwrap();
    let mut scenario = Scenario::new(definition)
        .voters(12)
        .seed("peers")
        .board(board.alternating());
    for boundary in [9, 23, 31, 17, 40, 28] {
        scenario = scenario.cut(PlannedCut {
            kiosk: 0,
            epoch: 0,
            boundary,
            torn: true,
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let report = scenario.run(&folder.path().join("record")).unwrap();
    assert!(report.holds(), "{:?}", report.wrong);
    assert_eq!(report.counted, 12);
    assert!(report.power_cuts >= 4, "{}", report.power_cuts);
    let starts = lock(&board.measured).starts;
    assert!(starts >= 3, "the board started {starts} times");
    assert!(lock(&board.missed).is_empty(), "{:?}", lock(&board.missed));
    // The others voted at a kiosk of the other kind.
    judge_log(&board, 3);
}

/// A panic shows the safe screen, as Linux draws it too; the board starts again by itself, and says why it fell.
#[test]
fn f3_a_panic_shows_the_safe_screen_and_restarts() {
    let Some(board) = board() else { return };
    let time = Timeline::new();
    let prepare = |memory: &host_sim::qemu::Memory| Ok(memory.set_long(word::BEGIN, 1)?);
    let guest = Guest::start(&board, time, prepare).unwrap();
    guest.settle().unwrap();
    // Once more, to look at the screen: 2 says that it is not to start again.
    guest.memory.set(word::PANIC, 2).unwrap();
    guest.ring().unwrap();
    guest.wait_for_end(End::Panic).unwrap();
    assert!(
        guest
            .panic_message()
            .unwrap()
            .unwrap()
            .contains("asked for by the host")
    );
    let shown = guest
        .memory
        .read(stand::FRAMEBUFFER, stand::WIDTH * stand::HEIGHT * 2)
        .unwrap();
    let config = panel::Config {
        width: 800,
        height: 480,
        diagonal_mm: stand::DIAGONAL_MM,
    };
    let linux = Headless::new(config).unwrap();
    linux.panel.show(&Screen::Fault {
        why: Fault::Defect,
        recorded: None,
    });
    let (_, _, pixels) = linux.pixels();
    let pixels: Vec<[u8; 3]> = pixels.iter().map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    let letters = host_sim::qemu::letters(&linux.panel.page());
    let mut album = picture::Album::new(None).unwrap();
    album.compare("panic".into(), &shown, &pixels, &letters).unwrap();
    assert!(album.pictures["panic"].is_same(), "{:?}", album.pictures);

    // 1: a panic; 3: a fault of the processor. Both end alike.
    for (asked, said) in [(1, "asked for by the host"), (3, "fault of the processor")] {
        let guest = Guest::start(&board, Timeline::new(), prepare).unwrap();
        guest.settle().unwrap();
        guest.memory.set(word::PANIC, asked).unwrap();
        guest.ring().unwrap();
        guest.wait_for_end(End::Panic).unwrap();
        let message = guest.panic_message().unwrap().unwrap_or_default();
        assert!(message.contains(said), "{message}");
        // It is up again, and shows that it has no package.
        guest.wait_for_end(End::Fault).unwrap();
        assert_eq!(guest.memory.word(word::RESTARTS).unwrap(), 1);
        let text = log::read(&log::reader().unwrap(), &board.image, &guest.log().unwrap()).unwrap();
        for line in ["started; restarts by ourselves: 1", "out of order: the screen says why"] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
