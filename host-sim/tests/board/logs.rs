//! What a board can log, and has logged: nothing of a voter (A19, V12). A firmware's image has a table of all its lines; each is judged here
//! once, and one that nobody has judged fails.

use std::path::{Path, PathBuf};

use host_sim::qemu::image::lock;
use host_sim::qemu::{Emulation, log};

/// Lines of both boards. Lines about voters have no arguments: a number or a name in them could tell one voter from another.
const SHARED: [&str; 4] = [
    "closed: {=[u8]:02x}, {} unsent",
    "out of order: {}",
    "set up; starting again",
    "the safe screen is too busy to be kept",
];

/// Lines of the emulated board, whose log says when its times are; it has no other.
const EMULATED: [&str; 7] = [
    "polls are open",
    "a voter was served",
    "polls are closed",
    "out of order: the screen says why",
    "started; restarts by ourselves: {}",
    "station {}, package {} bytes, software {=[u8]:02x}",
    "stack {}/{} bytes, screens {}/{}, certificates {}/{}",
];

/// Lines of the board that one can buy. It says nothing of voters at all. A panic says where in the source, and what the source says.
const BOUGHT: [&str; 11] = [
    "started; reset flags {=u32:#010x}",
    "the desk's line is open, the kiosk does not run",
    "package: {}",
    "medium: {}",
    "the display does not read its picture",
    "the touch controller does not answer",
    "panic at {=str}:{=u32} {=str}",
    "fault of the processor at {=u32:#010x}, {=u32:#010x}",
    "the stack is too small",
    "interrupt {=i16} is nobody's",
    "an NMI that is none of the store",
];

/// Packages below every room of ours, Embassy's and the log's own, which know registers, queues and bytes, and may say that one of these is wrong: as a
/// warning or an error. Their other lines, whose times would tell what is written when, are in no image.
fn is_below(package: &str) -> bool {
    package == "defmt" || package.starts_with("embassy-")
}

/// One line that an image can log.
struct Symbol {
    package: String,
    tag: String,
    format: String,
}

fn symbols(image: &Path) -> Vec<Symbol> {
    let symbols = log::formats(&log::reader().unwrap(), image).unwrap();
    let text = |symbol: &serde_json::Value, field: &str| symbol[field].as_str().unwrap().to_owned();
    symbols
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|symbol| Symbol {
            package: text(&symbol, "package"),
            tag: text(&symbol, "tag"),
            format: text(&symbol, "data"),
        })
        .collect()
}

/// Whether somebody has judged this line of a board that has these of its own.
fn is_judged(symbol: &Symbol, own: &[&str]) -> bool {
    match symbol.tag.as_str() {
        // What arguments are made of, the time before each line, and words of types.
        "defmt_prim" | "defmt_timestamp" => true,
        "defmt_write" => is_below(&symbol.package),
        "defmt_warn" | "defmt_error" if is_below(&symbol.package) => true,
        _ => own.iter().chain(&SHARED).any(|format| *format == symbol.format),
    }
}

fn judge_symbols(symbols: &[Symbol], own: &[&str]) {
    assert!(symbols.len() >= own.len(), "the table of lines is not whole");
    for symbol in symbols {
        let Symbol { package, tag, format } = symbol;
        assert!(
            is_judged(symbol, own),
            "the firmware can log {format:?} ({package}, {tag}): judge it, then name it here"
        );
    }
    // A line that no image has any more is named for nobody.
    for format in own.iter().chain(&SHARED) {
        assert!(
            symbols.iter().any(|symbol| symbol.format == *format),
            "the firmware does not log {format:?}"
        );
    }
}

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

fn is_a_line(line: &str) -> bool {
    EMULATED.iter().chain(&SHARED).any(|format| is_of(format, line))
}

/// A19, V12: the image can log nothing of a voter, and the log of an election is decoded, complete, and made of these lines alone.
pub fn judge(board: &Emulation, fewest_served: usize) {
    let reader = log::reader().unwrap();
    judge_symbols(&symbols(&board.image), &EMULATED);
    let text = log::read_all(&reader, &board.image, &lock(&board.logs)).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("-- start")).collect();
    let said = |line: &str| {
        line.get(13..)
            .and_then(|rest| rest.split_once(' '))
            .map(|two| two.1.trim().to_owned())
    };
    for line in &lines {
        let said = said(line).unwrap_or_else(|| panic!("{line:?} has a time and a level"));
        assert!(is_a_line(&said), "{said:?}");
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

/// The board that runs nowhere but in a hall: every line that its image can log was judged.
#[test]
fn a19_the_board_one_can_buy_can_log_nothing_of_a_voter() {
    let Some(image) = std::env::var_os("IPPYO_BOARD") else {
        eprintln!("not run: IPPYO_BOARD names no firmware; `tests/run boards` builds it and runs this");
        return;
    };
    let symbols = symbols(&PathBuf::from(image));
    judge_symbols(&symbols, &BOUGHT);
    eprintln!("{} lines, all judged", symbols.len());
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
        assert_eq!(is_a_line(line), holds, "{line}");
    }
    let symbol = |package: &str, tag: &str, format: &str| Symbol {
        package: package.into(),
        tag: tag.into(),
        format: format.into(),
    };
    for (symbol, judged) in [
        (symbol("mcu", "defmt_info", "set up; starting again"), true),
        (symbol("mcu", "defmt_info", "chosen: {}"), false),
        (symbol("mcu", "defmt_error", "chosen: {}"), false),
        (symbol("mcu", "defmt_println", "chosen: {}"), false),
        (symbol("mcu", "defmt_write", "option 3"), false),
        (symbol("embassy-chip", "defmt_warn", "Framing error"), true),
        (symbol("embassy-chip", "defmt_info", "writing at {}"), false),
    ] {
        assert_eq!(is_judged(&symbol, &BOUGHT), judged, "{}", symbol.format);
    }
}
