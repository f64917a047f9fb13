//! `staff card` as people use it, over a real PC/SC daemon: readers, cards of both kinds, issuing a blank one, and what goes wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use card::TransmitError;
use host_sim::cards::{
    CardAuthority, Chip, Days, Fault, JpkiAuthority, Manager, Misbehaving, VirtualJpki, VirtualPiv, vpcd,
};
use rand_core::SeedableRng as _;
use serde_json::Value;
use tempfile::TempDir;
use tests::pcscd::{Pcscd, SOCKET};
use tests::programs::{Said, program};

type Rng = chacha20::ChaCha20Rng;

/// No call of the program may take longer, whatever the card does: a card that never finishes an answer is asked for 64 parts at most.
const PATIENCE: Duration = Duration::from_secs(300);

fn days() -> Days {
    Days::new(20_250_401, 20_350_331).unwrap()
}

fn municipality() -> CardAuthority {
    CardAuthority::new("加賀市 認証局", days(), &mut Rng::seed_from_u64(1)).unwrap()
}

fn piv() -> VirtualPiv {
    municipality()
        .issue_voter("739481", days(), &mut Rng::seed_from_u64(7))
        .unwrap()
}

/// A desk with a reader.
struct Desk {
    pcscd: Pcscd,
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let desk = Self {
            pcscd: Pcscd::start(folder.path()).unwrap(),
            folder,
        };
        desk.write("right", "739481\n");
        desk.write("wrong", "739482\n");
        fs::write(desk.path("piv.der"), municipality().certificate()).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn insert(&mut self, chip: impl Chip + Send + 'static) -> vpcd::Inserted {
        self.pcscd.insert(0, chip).unwrap()
    }

    /// Takes a card out that may have gone by itself, and waits until the daemon has seen it: an insertion before would be missed.
    fn pull(&self, card: vpcd::Inserted) -> Box<dyn Chip + Send> {
        let chip = card.pull().unwrap();
        self.pcscd.emptied().unwrap();
        chip
    }

    fn start(&self, arguments: &[&str]) -> std::process::Child {
        Command::new(program("staff").unwrap())
            .arg("card")
            .args(arguments)
            .current_dir(self.folder.path())
            .env(SOCKET, self.pcscd.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// `staff card ...`, with its exit code.
    fn card(&self, arguments: &[&str]) -> Said {
        let start = Instant::now();
        let mut child = self.start(arguments);
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("{arguments:?} hangs: {}", self.pcscd.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.wait_with_output().unwrap().into()
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let said = self.card(&[arguments, &["--json"]].concat());
        assert_eq!(said.code, Some(code), "{arguments:?}\n{}\n{}", said.out, said.err);
        serde_json::from_str(&said.out).unwrap()
    }
}

/// A card that answers what a function says, with an answer to reset of its own.
struct Odd<F> {
    atr: &'static [u8],
    answer: F,
}

const ATR: &[u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];

impl<F: FnMut(&[u8]) -> Result<Vec<u8>, TransmitError>> Chip for Odd<F> {
    fn reset(&mut self) {}

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        (self.answer)(command)
    }

    fn atr(&self) -> &[u8] {
        self.atr
    }
}

fn steps(report: &Value) -> Vec<(String, u64)> {
    report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["step"].as_str().unwrap().to_owned(),
                step["commands"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn both_kinds_of_cards_are_inspected_and_rehearsed_and_tries_are_guarded() {
    let mut desk = Desk::new();
    let list = desk.json(0, &["list"]);
    assert!(
        list.as_array().unwrap().iter().all(|slot| slot["content"] == "empty"),
        "{list}"
    );
    assert_eq!(desk.card(&["inspect", "--wait", "1"]).code, Some(2));
    assert_eq!(
        desk.card(&["inspect", "--reader", "nobody's", "--wait", "1"]).code,
        Some(2)
    );

    let held = desk.insert(piv());
    let report = desk.json(0, &["inspect", "--roll", "roll.csv", "--style", "a"]);
    assert_eq!((&report["profile"], &report["tries_left"]), (&"piv".into(), &3.into()));
    assert_eq!(report["certificates"].as_array().unwrap().len(), 2);
    let key = report["roll_key"].as_str().unwrap();
    assert_eq!(
        fs::read_to_string(desk.path("roll.csv")).unwrap(),
        format!("key,style\n{key},a\n")
    );
    // Once is enough.
    assert_eq!(
        desk.card(&["inspect", "--roll", "roll.csv", "--style", "a"]).code,
        Some(2)
    );
    desk.json(
        0,
        &[
            "inspect",
            "--staff",
            "staff.csv",
            "--roles",
            "polls",
            "--name",
            "山田, 太郎",
        ],
    );
    let staff = staff::genesis::read_staff(&desk.path("staff.csv")).unwrap();
    assert_eq!((staff.len(), staff[0].name.as_str()), (1, "山田, 太郎"));

    let checked = desk.json(0, &["check", "--pin", "right", "--ca", "piv.der", "--day", "20261103"]);
    println!("{}", desk.card(&["check", "--pin", "right", "--ca", "piv.der"]).out);
    assert_eq!(checked["chain"], true);
    let names: Vec<String> = steps(&checked).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "select",
            "tries left",
            "PIN",
            "certificate",
            "chain",
            "possession and pseudonym",
            "the same once more",
            "forget"
        ]
    );
    // Out of its days.
    assert_eq!(
        desk.card(&["check", "--pin", "right", "--ca", "piv.der", "--day", "20360101"])
            .code,
        Some(1)
    );
    // Wrong twice; then one try is left and nothing is tried, wrong or right; unless that is wanted.
    for left in ["2 tries", "1 tries"] {
        let said = desk.card(&["check", "--pin", "wrong"]);
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains(left), "{}", said.err);
    }
    for _ in 0..3 {
        let said = desk.card(&["check", "--pin", "right"]);
        assert!(said.code == Some(1) && said.err.contains("--last-try"), "{}", said.err);
    }
    assert_eq!(desk.json(0, &["inspect"])["tries_left"], 1);
    assert_eq!(desk.card(&["check", "--pin", "right", "--last-try"]).code, Some(0));
    assert_eq!(desk.json(0, &["inspect"])["tries_left"], 3);
    desk.pull(held);

    let ministry = JpkiAuthority::new("公的個人認証 試験", days(), &mut Rng::seed_from_u64(2)).unwrap();
    let chip: VirtualJpki = ministry.issue("7394", days(), &mut Rng::seed_from_u64(3)).unwrap();
    fs::write(desk.path("jpki.der"), ministry.certificate()).unwrap();
    desk.write("four", "7394");
    let held = desk.insert(chip);
    let report = desk.json(0, &["inspect", "--roll", "roll.csv", "--style", "b"]);
    assert_eq!(
        (&report["profile"], &report["pin_digits"]),
        (&"jpki".into(), &serde_json::json!([4, 4]))
    );
    assert_eq!(report["certificates"].as_array().unwrap().len(), 1);
    // Six digits are not even sent.
    assert_eq!(desk.card(&["check", "--pin", "right"]).code, Some(1));
    assert_eq!(desk.json(0, &["inspect"])["tries_left"], 3);
    assert_eq!(desk.card(&["check", "--pin", "four", "--ca", "piv.der"]).code, Some(1));
    desk.json(0, &["check", "--pin", "four", "--ca", "piv.der", "--ca", "jpki.der"]);
    println!("{}", desk.card(&["check", "--pin", "four", "--ca", "jpki.der"]).out);
    desk.pull(held);
}

#[test]
fn a_blank_card_becomes_a_staff_card_with_keys_of_its_own() {
    let mut desk = Desk::new();
    for (name, text) in [
        ("factory", "123456"),
        ("weak", "19640229"),
        ("puk", "12345678"),
        ("new-puk", "48291735"),
    ] {
        desk.write(name, text);
    }
    desk.write("manager", &format!("aes256 {}", "5a".repeat(32)));
    let made = desk.card(&[
        "authority",
        "--name",
        "加賀市 試験",
        "--from",
        "20250401",
        "--until",
        "20350331",
        "--out-key",
        "ca.key",
        "--out",
        "ca.der",
    ]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let blank = VirtualPiv::blank(&mut Rng::seed_from_u64(9)).unwrap();
    let held = desk.insert(blank.with_manager(Manager::aes(&[0x5A; 32]).unwrap()));
    assert_eq!(desk.json(0, &["inspect"])["certificates"], serde_json::json!([]));
    let issue = |manager: &'static str, old: &'static str, new: &'static str, more: &[&'static str]| {
        let mut all = vec![
            "issue", "--ca", "ca.der", "--ca-key", "ca.key", "--from", "20250401", "--until", "20350331",
        ];
        all.extend([
            "--staff",
            "投票管理者",
            "--management-key",
            manager,
            "--old-pin",
            old,
            "--new-pin",
            new,
        ]);
        all.extend(more);
        all
    };
    // Refused before anything is written: a PIN that would be guessed, another management key, another PIN.
    for (manager, old, new, why) in [
        ("manager", "factory", "weak", "date"),
        ("factory-3des", "factory", "right", "management key"),
        ("manager", "wrong", "right", "wrong PIN, 2"),
    ] {
        let said = desk.card(&issue(manager, old, new, &[]));
        assert!(said.code == Some(1) && said.err.contains(why), "{}", said.err);
    }
    assert_eq!(desk.json(0, &["inspect"])["certificates"], serde_json::json!([]));
    let issued = desk.json(
        0,
        &issue(
            "manager",
            "factory",
            "right",
            &["--old-puk", "puk", "--new-puk", "new-puk"],
        ),
    );
    println!("{:?}", steps(&issued));
    // A second time only if its keys may be lost.
    let said = desk.card(&issue("manager", "right", "right", &[]));
    assert!(said.code == Some(1) && said.err.contains("--overwrite"), "{}", said.err);
    let checked = desk.json(0, &["check", "--pin", "right", "--ca", "ca.der", "--day", "20261103"]);
    assert_eq!(checked["chain"], true);
    let report = desk.json(0, &["inspect"]);
    assert_eq!(report["roll_key"], issued["roll_key"]);
    assert_eq!(report["staff_key"], issued["staff_key"]);
    assert!(
        report["certificates"][0]["subject"]
            .as_str()
            .unwrap()
            .contains("投票管理者")
    );
    // The old PIN is worth nothing.
    assert_eq!(desk.card(&["check", "--pin", "factory"]).code, Some(1));
    let again = desk.json(0, &issue("manager", "right", "right", &["--overwrite"]));
    assert_ne!(again["roll_key"], issued["roll_key"]);
    desk.pull(held);
}

/// A card pulled out at every command of `staff card check`, which is the kiosk's admission: each time it says so.
fn pulled_at_every_command(
    desk: &mut Desk,
    pin: &str,
    authority: &str,
    card: impl Fn() -> Box<dyn Chip + Send>,
    to_forget: u64,
) {
    let check = ["check", "--pin", pin, "--ca", authority];
    let held = desk.insert(card());
    let honest = desk.json(0, &check);
    desk.pull(held);
    let commands: u64 = steps(&honest).iter().map(|(_, commands)| commands).sum();
    // The last ones tell the card to forget: pulled then, it has forgotten.
    for after in 1..commands - to_forget {
        let held = desk.insert(Misbehaving::new(
            card(),
            Fault::RemovedAfter(usize::try_from(after).unwrap()),
        ));
        let said = desk.card(&check);
        assert_eq!(said.code, Some(1), "after {after}: {}", said.err);
        assert!(said.err.contains("was removed"), "after {after}: {}", said.err);
        desk.pull(held);
    }
    let held = desk.insert(card());
    desk.json(0, &check);
    desk.pull(held);
    println!(
        "{authority}: pulled out after 1 to {} commands: each time the card was removed",
        commands - to_forget - 1
    );
}

#[test]
fn f8_a_piv_card_pulled_at_every_command_over_the_real_stack_says_removed_and_the_next_one_works() {
    let mut desk = Desk::new();
    pulled_at_every_command(&mut desk, "right", "piv.der", || Box::new(piv()), 4);
}

#[test]
fn f8_a_my_number_card_pulled_at_every_command_over_the_real_stack_says_removed_and_the_next_one_works() {
    let mut desk = Desk::new();
    let ministry = JpkiAuthority::new("公的個人認証 試験", days(), &mut Rng::seed_from_u64(2)).unwrap();
    fs::write(desk.path("jpki.der"), ministry.certificate()).unwrap();
    desk.write("four", "7394");
    let card = || -> Box<dyn Chip + Send> {
        let chip: VirtualJpki = ministry.issue("7394", days(), &mut Rng::seed_from_u64(3)).unwrap();
        Box::new(chip)
    };
    pulled_at_every_command(&mut desk, "four", "jpki.der", card, 1);
}

/// How a card answers whatever it is asked.
type Answers = fn(&[u8]) -> Result<Vec<u8>, TransmitError>;

#[test]
fn f8_odd_cards_over_the_real_stack_are_named_and_a_dying_daemon_hangs_nobody() {
    let mut desk = Desk::new();
    let endless = |_: &[u8]| Ok(vec![0x53, 0x61, 0xFF]);
    let odd: [(&str, &'static [u8], Answers, &str); 4] = [
        (
            "transit card",
            ATR,
            |_| Ok(vec![0x6D, 0x00]),
            "not a card that is understood",
        ),
        ("61xx for ever", ATR, endless, "never finishes"),
        ("no status word", ATR, |_| Ok(vec![0x90]), ""),
        ("no answer to reset", &[], |_| Ok(vec![0x90, 0x00]), ""),
    ];
    for (name, atr, answer, text) in odd {
        let held = desk.insert(Odd { atr, answer });
        let start = Instant::now();
        let said = desk.card(&["check", "--pin", "right", "--wait", "3"]);
        println!(
            "{name}: {:.1} s, exit {:?}, {}",
            start.elapsed().as_secs_f64(),
            said.code,
            said.err.trim()
        );
        assert!(
            matches!(said.code, Some(1 | 2)) && said.err.contains(text),
            "{name}: {}",
            said.err
        );
        desk.pull(held);
    }
    // A slow card is waited for.
    let mut slow = piv();
    let held = desk.insert(Odd {
        atr: ATR,
        answer: move |command: &[u8]| {
            std::thread::sleep(Duration::from_millis(200));
            slow.apdu(command)
        },
    });
    desk.json(0, &["check", "--pin", "right", "--ca", "piv.der"]);
    desk.pull(held);
    // The daemon dies in the middle of a check, and comes back.
    let mut slow = piv();
    let (asks, asked) = std::sync::mpsc::channel();
    let held = desk.insert(Odd {
        atr: ATR,
        answer: move |command: &[u8]| {
            let _ = asks.send(());
            std::thread::sleep(Duration::from_millis(500));
            slow.apdu(command)
        },
    });
    let child = desk.start(&["check", "--pin", "right"]);
    for _ in 0..3 {
        asked.recv_timeout(PATIENCE).unwrap();
    }
    desk.pcscd.kill().unwrap();
    let start = Instant::now();
    let said: Said = child.wait_with_output().unwrap().into();
    assert!(matches!(said.code, Some(1 | 2)), "{}", said.err);
    println!(
        "daemon killed: exit {:?} after {:.1} s, {}",
        said.code,
        start.elapsed().as_secs_f64(),
        said.err.trim()
    );
    assert_eq!(desk.card(&["list"]).code, Some(2));
    held.pull().unwrap();
    desk.pcscd.restart().unwrap();
    let held = desk.insert(piv());
    desk.json(0, &["check", "--pin", "right"]);
    desk.pull(held);
}

#[test]
fn a_pin_is_never_an_argument_and_help_says_how_to_give_it() {
    let help = Command::new(program("staff").unwrap())
        .args(["card", "check", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.contains("--pin") && help.contains("standard input") && help.contains("--last-try"),
        "{help}"
    );
    // What looks like a PIN is taken for a file, which is not there.
    let folder = TempDir::new().unwrap();
    let said = Command::new(program("staff").unwrap())
        .args(["card", "check", "--pin", "739481"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(!Path::new("739481").exists());
}
