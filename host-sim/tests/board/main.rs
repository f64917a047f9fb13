//! Kiosks that are boards in an emulator: elections on them, boxes that change between a board and Linux's code, panics; boards that keep their
//! own time; what any board can log.
//!
//! Run where `IPPYO_FIRMWARE` names the firmware (`tests/run qemu` builds it and does).
#![cfg(feature = "window")]

mod alone;
mod logs;

use std::rc::Rc;

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
    logs::judge(&board, 3);
}

/// The board asked to fall in this way, at its end; what it says of that.
fn fallen(board: &Emulation, asked: u32) -> (Rc<Guest>, String) {
    let prepare = |memory: &host_sim::qemu::Memory| Ok(memory.set_long(word::BEGIN, 1)?);
    let guest = Guest::start(board, Timeline::new(), prepare).unwrap();
    guest.settle().unwrap();
    guest.memory.set(word::PANIC, asked).unwrap();
    guest.ring().unwrap();
    guest.wait_for_end(End::Panic).unwrap();
    let message = guest.panic_message().unwrap().unwrap_or_default();
    (guest, message)
}

/// A panic shows the safe screen, as Linux draws it too; so does a stack that is too small. The board starts again by itself, and says why it fell.
#[test]
fn f3_a_panic_shows_the_safe_screen_and_restarts() {
    let Some(board) = board() else { return };
    // To look at the screen, it is not to start again: 2, a panic; 5, the stack used up.
    for (asked, said) in [(2, "asked for by the host"), (5, "the stack is too small")] {
        let (guest, message) = fallen(&board, asked);
        assert!(message.contains(said), "{message}");
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
    }

    // 1: a panic; 3: a fault of the processor; 4: the stack used up. All end alike.
    for (asked, said) in [
        (1, "asked for by the host"),
        (3, "fault of the processor"),
        (4, "the stack is too small"),
    ] {
        let (guest, message) = fallen(&board, asked);
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
