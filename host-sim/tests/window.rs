//! The window as somebody plays in it: under an X server of its own, by a mouse, a whole polling day to the verified record.
//!
//! Needs Xvfb and xdotool (`tests/run tools` installs them). No time is asserted; everything is bounded.
#![cfg(all(feature = "window", target_os = "linux"))]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for a screen. A loaded machine with an unoptimised build is slow; a stuck window is stuck.
const PATIENCE: Duration = Duration::from_secs(240);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody with a mouse.
struct Player {
    display: String,
    places: PathBuf,
    screen: PathBuf,
    window: Running,
    _screen: Running,
}

impl Player {
    fn new(folder: &Path) -> Self {
        Self::with(folder, &[])
    }

    fn with(folder: &Path, arguments: &[&str]) -> Self {
        // The server chooses a free number and says which.
        let mut screen = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1600x1000x24",
                "-nolisten",
                "tcp",
                "-fbdir",
            ])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is there: tests/run tools");
        let mut number = String::new();
        let said = screen.stdout.take().expect("piped");
        BufReader::new(said)
            .read_line(&mut number)
            .expect("Xvfb says its number");
        let display = format!(":{}", number.trim());
        let places = folder.join("places.json");
        let window = Command::new(env!("CARGO_BIN_EXE_host-sim"))
            .args(arguments)
            .args(["--size", "1024x600", "--json", "--out"])
            .arg(folder.join("record"))
            .arg("--places")
            .arg(&places)
            .env("DISPLAY", &display)
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        Self {
            display,
            places,
            screen: folder.join("Xvfb_screen0"),
            window: Running(window),
            _screen: Running(screen),
        }
    }

    fn now(&self) -> Value {
        std::fs::read(&self.places)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or(Value::Null)
    }

    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let now = self.now();
            if holds(&now) {
                return now;
            }
            assert!(start.elapsed() < PATIENCE, "waited for {what} in front of {now}");
            sleep(Duration::from_millis(50));
        }
    }

    fn screen(&self, name: &str) {
        self.until(name, |now| now["screen"] == name);
    }

    /// How many colours stand in a rectangle of the screen (an XWD file: a header of big-endian words, then pixels of four bytes).
    fn colours(&self, (x, y, width, height): (usize, usize, usize, usize)) -> usize {
        let bytes = std::fs::read(&self.screen).expect("Xvfb keeps its screen in a file");
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
        let (begin, line) = (word(0) + 12 * word(76), word(48));
        assert_eq!(word(44), 32, "bits a pixel");
        let pixel = |x: usize, y: usize| &bytes[begin + y * line + 4 * x..][..4];
        let all = (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y)));
        all.map(|(x, y)| pixel(x, y))
            .collect::<std::collections::HashSet<_>>()
            .len()
    }

    fn mouse(&self, arguments: &[&str]) {
        let done = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .status()
            .expect("xdotool is there: tests/run tools");
        assert!(done.success());
    }

    /// Clicks what has this name, as soon as it has stood still for longer than a panel distrusts a finger.
    fn click(&self, name: &str) {
        let start = Instant::now();
        let place = loop {
            let place = self.until(name, |now| now["places"][name].is_object())["places"][name].clone();
            sleep(Duration::from_millis(panel::touch::GUARD + 150));
            if self.now()["places"][name] == place {
                break place;
            }
            assert!(start.elapsed() < PATIENCE, "{name} does not stand still");
        };
        let at = |side: &str| place[side].as_f64().unwrap_or(0.0).round().to_string();
        self.mouse(&["mousemove", &at("x"), &at("y")]);
        if place["hold"] == true {
            self.mouse(&["mousedown", "1"]);
            sleep(Duration::from_millis(2_300));
            self.mouse(&["mouseup", "1"]);
        } else {
            self.mouse(&["click", "1"]);
        }
        sleep(Duration::from_millis(200));
    }

    /// The same, on whichever page it is.
    fn find(&self, name: &str) {
        for _ in 0..12 {
            let now = self.until(name, |now| {
                now["places"][name].is_object() || now["places"]["NextPage"].is_object()
            });
            if now["places"][name].is_object() {
                return self.click(name);
            }
            self.click("NextPage");
            // The file follows a turned page within half a second.
            sleep(Duration::from_millis(700));
        }
        panic!("{name} is on no page of {}", self.now());
    }

    fn card(&self, card: &str, wrong_first: bool) {
        self.click(card);
        for wrong in [true, false].into_iter().skip(usize::from(!wrong_first)) {
            self.screen("pin");
            self.pin(card, wrong);
        }
    }

    fn pin(&self, card: &str, wrong: bool) {
        let pin = self.now()["pins"][card].as_str().unwrap_or_default().to_owned();
        assert!(!pin.is_empty(), "{card} has a PIN under it");
        for (place, digit) in pin.bytes().map(|digit| digit - b'0').enumerate() {
            let digit = if wrong && place == 0 { (digit + 1) % 10 } else { digit };
            self.click(&format!("Digit({digit})"));
        }
        self.click("Enter");
    }

    /// A card that does not let in, with its right PIN where one is asked for; the kiosk says so and goes on.
    fn refused(&self, card: &str) {
        self.click(card);
        let now = self.until("an answer to the card", |now| {
            now["screen"] == "pin" || now["screen"] == "wrong-card"
        });
        if now["screen"] == "pin" {
            self.pin(card, false);
        }
        self.screen("wrong-card");
        self.click("pull");
        self.screen("idle");
    }

    fn ballot(&self) {
        for contest in 0..3 {
            self.screen("contest");
            self.click("Option(1)");
            self.find("Next");
            self.until("the next contest", |now| {
                contest == 2 || now["places"]["Back"].is_object() || now["screen"] != "contest"
            });
        }
        self.screen("review");
        self.find("Confirm");
        self.screen("cast-or-challenge");
    }

    /// Two staff open polls, from their menu to the idle screen.
    fn open_polls(&self) {
        self.find("Staff(Open)");
        self.click("Staff(Epoch(0))");
        self.find("Confirm");
        for number in ["staff 1", "staff 2"] {
            self.screen("staff-insert-card");
            self.card(number, false);
            self.screen("staff-take-card");
            self.click("pull");
        }
        self.screen("idle");
    }

    /// Staff read what a restart found, and polls go on.
    fn go_on(&self) {
        self.find("Confirm");
        self.until("the kiosk goes on", |now| {
            now["screen"] == "idle" || now["screen"] == "staff-menu"
        });
        if self.now()["screen"] == "staff-menu" {
            self.find("Back");
        }
        self.screen("idle");
    }

    fn cast(&self) {
        self.find("Cast");
        self.screen("done");
        self.click("pull");
        self.screen("idle");
    }
}

#[test]
fn a_whole_day_is_played_by_clicks_and_its_record_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut player = Player::new(folder.path());
    player.screen("staff-menu");
    // U10: practice comes and goes without a trace.
    player.find("StartPractice");
    player.screen("practice-start");
    player.click("EndPractice");
    player.screen("staff-menu");
    player.open_polls();

    player.card("voter 1", true);
    player.ballot();
    player.find("Challenge");
    for _ in 0..3 {
        player.screen("opening");
        player.find("Next");
    }
    player.ballot();
    player.cast();

    for card in ["unknown", "expired", "blocked", "other town"] {
        player.refused(card);
    }

    player.click("network");
    player.card("voter 2", false);
    player.screen("contest");
    player.click("pull");
    player.screen("abandoned");
    player.screen("idle");
    player.click("network");

    player.card("voter 3", false);
    player.screen("contest");
    player.click("power");
    player.screen("dark");
    player.click("pull");
    player.click("power");
    player.screen("staff-restarted");
    player.go_on();
    player.card("voter 3", false);
    player.ballot();
    player.cast();

    player.click("Staff(Menu)");
    player.find("Staff(Close)");
    for number in ["staff 1", "staff 2"] {
        player.screen("staff-insert-card");
        player.card(number, false);
        player.screen("staff-take-card");
        player.click("pull");
        if number == "staff 1" {
            player.screen("staff-confirm-close");
            player.find("Confirm");
        }
    }
    player.screen("staff-closed");
    player.find("Confirm");
    player.click("count");
    let report = folder.path().join("record").join("report.html");
    player.until("the record", |_| report.exists());
    // The verdict comes after the record: the window is asked to close when the count is over.
    player.until("the verdict", |now| now["counted"] == true);
    assert_eq!(player.now()["holds"], true);
    let _ = player.window.0.kill();
}

/// The consortium's chain in the dock: each validator is a process, and a click kills it or starts it again.
#[test]
fn validators_are_killed_and_started_again_by_clicks() {
    if std::env::var_os("IPPYO_CHAIN_NODE").is_none() {
        eprintln!("not run: IPPYO_CHAIN_NODE names no validators' program; `tests/run chain` builds it and runs this");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let player = Player::with(folder.path(), &["--chain", "4"]);
    let alive = |now: &Value, index: usize| {
        now["validators"][index]
            .as_str()
            .is_some_and(|text| text.contains("block"))
    };
    // The engine may have to be built first.
    let start = Instant::now();
    while player.now()["places"].is_null() {
        assert!(start.elapsed() < 15 * PATIENCE, "no window");
        sleep(Duration::from_millis(200));
    }
    player.until("four validators", |now| (0..4).all(|index| alive(now, index)));
    for killed in [1, 3] {
        player.click(&format!("validator {}", killed + 1));
        player.until("it is shown as stopped", |now| !alive(now, killed) && alive(now, 0));
    }
    for killed in [3, 1] {
        player.click(&format!("validator {}", killed + 1));
        player.until("it is back", |now| alive(now, killed));
    }
    // A whole height, not the one it was killed at: it goes on with the others.
    player.until("one height", |now| {
        let list = now["validators"].as_array().cloned().unwrap_or_default();
        let heights: Vec<&str> = list
            .iter()
            .filter_map(|text| text.as_str()?.split_once("block ").map(|two| two.1))
            .collect();
        heights.len() == 4 && heights.iter().all(|height| *height == heights[0] && *height != "0")
    });
}

/// The kiosk is a board in an emulator: the window shows the board's own picture, its glass takes the mouse, its plug is pulled.
#[test]
fn a_board_in_the_window_takes_a_vote_and_a_power_cut() {
    if std::env::var_os("IPPYO_FIRMWARE").is_none() {
        eprintln!("not run: IPPYO_FIRMWARE names no firmware; `tests/run qemu` builds it and runs this");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let player = Player::with(folder.path(), &["--target", "qemu"]);
    // The board is provisioned before the window opens.
    let start = Instant::now();
    while player.now()["screen"] != "staff-menu" {
        assert!(
            start.elapsed() < 4 * PATIENCE,
            "no board in the window: {}",
            player.now()
        );
        sleep(Duration::from_millis(200));
    }
    let picture = || {
        let at = |key: &str| {
            usize::try_from(player.now()["panel"][key].as_u64().expect("where the panel is")).expect("pixels")
        };
        player.colours((at("x"), at("y"), 800, 480))
    };
    let until_colours = |what: &str, holds: fn(usize) -> bool| {
        let start = Instant::now();
        while !holds(picture()) {
            assert!(start.elapsed() < PATIENCE, "{what}: {} colours", picture());
            sleep(Duration::from_millis(100));
        }
    };
    until_colours("a picture with letters", |colours| colours > 8);
    player.open_polls();

    player.click("network");
    player.card("voter 1", false);
    player.screen("contest");
    player.click("power");
    player.screen("dark");
    until_colours("a dark panel", |colours| colours < 4);
    player.click("pull");
    player.click("power");
    player.screen("staff-restarted");
    until_colours("a picture after the cut", |colours| colours > 8);
    player.go_on();
    player.click("network");
    player.card("voter 1", false);
    player.ballot();
    player.cast();
}

/// U8: the keyboard is the keypad, the dock has headphones and keys; what is heard is in the list, nothing of it before the headphones are in.
#[test]
fn u8_keypad_and_headphones_in_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard.wav");
    let audio = heard.to_str().unwrap().to_owned();
    let player = Player::with(folder.path(), &["--hum", "--audio", &audio]);
    let list = || std::fs::read_to_string(heard.with_extension("jsonl")).unwrap_or_default();
    let wait = |what: &str| {
        let start = Instant::now();
        while !list().contains(what) {
            assert!(start.elapsed() < PATIENCE, "{what} is not heard: {}", list());
            sleep(Duration::from_millis(100));
        }
    };
    let shown = player.until("a staff's screen or the idle one", |now| {
        now["places"]["headphones"].is_object()
    });
    assert!(list().is_empty(), "nothing is said before: {shown}");
    player.click("headphones");
    wait("「次」と「前」");
    player.click("key Next");
    wait("ボタン");
    // There is no window manager that gives the window the keyboard.
    player.mouse(&["search", "--name", "Ippyo simulator", "windowfocus", "--sync"]);
    // The key that darkens the picture for a voter leaves a staff's screen lit, and says so.
    player.mouse(&["key", "b"]);
    wait("画面が出ています");
}
