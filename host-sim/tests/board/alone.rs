//! A board by itself: its own timers keep the time, nobody rings it. It takes none of this machine's processor while it waits, wakes for a finger, and
//! goes back to its first picture when its time has come.

use std::time::{Duration, Instant};

use election::package::Package;
use host_sim::qemu::{CONFIG, Emulation, Guest, Memory};
use host_sim::world::time::Timeline;
use host_sim::world::view::{StaffView, View};
use host_sim::{Scenario, bundled};
use mcu::finger::{Finger, Phase};
use mcu::stand::{self, End, serial, word};
use panel::render::Headless;
use panel::scene::Act;

use super::board;

/// Longest that anything is waited for, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(400);
/// Of the time that passes, what an idle board may take of a processor: it was nothing in five seconds. One that never sleeps takes all it is given.
const IDLE: f64 = 0.02;

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn picture(guest: &Guest) -> Vec<u8> {
    let bytes = stand::WIDTH * stand::HEIGHT * 2;
    guest.memory.read(stand::FRAMEBUFFER, bytes).unwrap()
}

fn frames(guest: &Guest) -> u32 {
    guest.memory.word(word::FRAMES).unwrap()
}

/// Waits until nothing was drawn for some seconds.
fn steady(guest: &Guest) -> Vec<u8> {
    let mut last = (frames(guest), Instant::now());
    wait("a picture that stays", || {
        let now = frames(guest);
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(3)).then(|| picture(guest))
    })
}

/// Of the time until this is found, at least so long, what the emulator used of a processor.
fn used(guest: &Guest, least: Duration, mut until: impl FnMut() -> bool) -> f64 {
    let (begun, before) = (Instant::now(), guest.processor_time().unwrap());
    wait("what is measured", || {
        (begun.elapsed() >= least && until()).then_some(())
    });
    let after = guest.processor_time().unwrap();
    (after - before).as_secs_f64() / begun.elapsed().as_secs_f64()
}

/// The last screen that it said it shows.
fn screen(guest: &Guest) -> Option<Vec<u8>> {
    guest.collect();
    let mut heard = guest.heard.borrow_mut();
    heard.screens.drain(..).next_back()
}

fn own_time(memory: &Memory) {
    memory.set(word::KEPT, 0).unwrap();
}

/// Where a panel that shows this has such a button.
fn button(screen: &[u8], package: &Package<'_>, wanted: impl Fn(Act) -> bool) -> (u16, u16) {
    let panel = Headless::new(CONFIG).unwrap();
    mcu::sight::show(screen, Some(package), |screen| panel.panel.show(screen)).unwrap();
    let page = panel.panel.page();
    let area = page.areas.iter().find(|area| area.act.is_some_and(&wanted)).unwrap();
    let middle = |from: i32, length: i32| u16::try_from(from + length / 2).unwrap();
    (middle(area.x, area.width), middle(area.y, area.height))
}

/// Presses until the board has drawn something else; what it then shows. A picture takes no finger at first, so one may have to come again.
fn press(guest: &Guest, (x, y): (u16, u16)) -> Vec<u8> {
    let before = steady(guest);
    wait("another picture", || {
        let drawn = frames(guest);
        for phase in [Phase::Down, Phase::Up] {
            guest.send(serial::TOUCH, &Finger { phase, x, y }.encode()).unwrap();
            std::thread::sleep(Duration::from_millis(150));
        }
        let pressed = Instant::now();
        while frames(guest) == drawn && pressed.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let after = steady(guest);
        (after != before).then_some(after)
    })
}

/// The board of a kiosk whose polls are open, started anew with timers of its own.
fn reopened(board: &Emulation) -> (std::rc::Rc<Guest>, Vec<u8>) {
    let remembering = board.remembering();
    let definition = bundled::load("tsukuba-2015-referendum").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario::new(definition).voters(1).seed("alone");
    let report = scenario
        .board(remembering.clone())
        .run(&folder.path().join("record"))
        .unwrap();
    assert!(report.holds(), "{:?}", report.wrong);
    let idle = remembering.idle.unwrap();
    let idle = std::mem::take(&mut *idle.lock().unwrap());
    let guest = Guest::start(board, Timeline::new(), |memory| {
        own_time(memory);
        // All that outlives a power cut, and what the host says of it.
        memory.write(stand::PACKAGE, &idle[stand::PACKAGE..])?;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let random = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        memory.write(stand::ENTROPY, &random.take(stand::ENTROPY_LEN).collect::<Vec<u8>>())?;
        for (word, length) in [
            (word::BEGIN, 8),
            (word::PACKAGE_LEN, 4),
            (word::STATION, 4),
            (word::MEDIA[0], 8),
            (word::AUTHORITY, 33),
        ] {
            let at = stand::CONTROL + word;
            memory.write(at, &idle[at..at + length])?;
        }
        Ok(())
    });
    (guest.unwrap(), idle)
}

/// A kiosk that waits for a voter: settings that somebody has opened are gone after 90 seconds of the machine's own time, and until then it sleeps.
#[test]
fn a_board_with_its_own_time_sleeps_wakes_for_a_finger_and_for_its_timer() {
    let Some(board) = board() else { return };
    let (guest, idle) = reopened(&board);
    let word = |word: usize| {
        let at = stand::CONTROL + word;
        u32::from_le_bytes(idle[at..at + 4].try_into().unwrap())
    };
    let length = word(word::PACKAGE_LEN) as usize;
    let authority = idle[stand::CONTROL + word::AUTHORITY..][..33].try_into().unwrap();
    let package = Package::open(&idle[stand::PACKAGE..stand::PACKAGE + length], &authority).unwrap();
    // It says that it was started anew, which somebody has to have read.
    let shown = |wanted: fn(&View) -> bool| {
        wait("a screen", || {
            let bytes = screen(&guest)?;
            let view = mcu::sight::show(&bytes, Some(&package), View::of).unwrap();
            assert!(!matches!(view, View::Fault { .. }), "{view:?}");
            wanted(&view).then_some(bytes)
        })
    };
    let said = shown(|view| matches!(view, View::Staff(StaffView::Restarted(_))));
    press(&guest, button(&said, &package, |act| matches!(act, Act::Send(_))));
    let idle = shown(|view| *view == View::Idle);
    let first = steady(&guest);
    let open = press(&guest, button(&idle, &package, |act| act == Act::Settings));
    assert_ne!(open, first);
    let drawn = frames(&guest);
    let used = used(&guest, Duration::from_secs(5), || frames(&guest) != drawn);
    assert!(steady(&guest) == first, "it did not go back to its first picture");
    assert!(used < IDLE, "idle took {:.1} % of a processor", used * 100.0);
    assert_eq!(guest.panic_message().unwrap(), None);
    eprintln!("idle took {:.2} % of a processor", used * 100.0);
}

/// The same measure finds a board that never sleeps: the instruction that waits for an interrupt, in its endless loops, is replaced by one that does
/// nothing. It works as before, and takes a processor for itself.
#[test]
fn a_board_that_never_sleeps_is_found() {
    /// `wfi`, and a branch back to it.
    const SLEEP: [u8; 4] = [0x30, 0xBF, 0xFD, 0xE7];
    let Some(board) = board() else { return };
    let mut image = std::fs::read(&board.image).unwrap();
    let loops: Vec<usize> = (0..image.len() - 4)
        .step_by(2)
        .filter(|at| image[*at..*at + 4] == SLEEP)
        .collect();
    assert!(!loops.is_empty(), "the board's loop looks otherwise now");
    for at in loops {
        // `nop`
        image[at..at + 2].copy_from_slice(&[0x00, 0xBF]);
    }
    let folder = tempfile::tempdir().unwrap();
    let restless = Emulation {
        image: folder.path().join("restless"),
        ..board.clone()
    };
    std::fs::write(&restless.image, image).unwrap();
    for (board, sleeps) in [(board, true), (restless, false)] {
        let guest = Guest::start(&board, Timeline::new(), |memory| {
            own_time(memory);
            Ok(memory.set_long(word::BEGIN, 1)?)
        });
        let guest = guest.unwrap();
        // It has no package, and says so.
        guest.wait_for_end(End::Fault).unwrap();
        steady(&guest);
        let used = used(&guest, Duration::from_secs(5), || true);
        eprintln!("sleeps: {sleeps}, {:.2} % of a processor", used * 100.0);
        // One that never sleeps is given what others leave: on a busy machine less than a whole one.
        assert_eq!(used < IDLE, sleeps, "{:.1} % of a processor", used * 100.0);
    }
}
