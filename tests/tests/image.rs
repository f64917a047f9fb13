//! The image as a machine in an emulator: switched on, provisioned, opened, voted at, its plug pulled, switched on again, closed, counted. People are touches
//! on the emulated panel, cards in the emulated reader, drives in the emulated ports; nothing in the image is made for tests, and nothing in it answers
//! but the panel. Each screen that is waited for is compared pixel by pixel with the one its definition wants.
//!
//! Run by `tests/run image`, which builds the image and names its folder in `IPPYO_IMAGE`. Pictures are kept in `IPPYO_PICTURES`, if that is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use election::ledger::{Registration, kiosk_id};
use election::package::Package;
use election::wire;
use election::words::ClosingWords;
use kiosk::ballot_box::{Counts, MediaFault, Role};
use kiosk::form::Form;
use kiosk::ports::MediumError;
use kiosk::screen::{
    ClosedScreen, ContestScreen, Fault, Phase, PinOf, Restarted, Review, Screen, StaffAction, StaffScreen, StaffTouch,
    Touch, ZeroReport,
};
use kiosk::session::{PinDigits, Selected};
use panel::scene::Act;
use serde_json::json;
use staff::verify::Options;
use tempfile::TempDir;
use tests::machine::drive::Drive;
use tests::machine::{Machine, Running};
use tests::station::{Person, Station, desk};
use tests::verifiers::{verify_py, verify_staff};

const STYLE: &str = "style-1";
const FOUR: PinDigits = PinDigits { fewest: 4, most: 4 };
const VOTES: u32 = 12;

/// The machine while it is on, and what it is to show.
struct Day<'p> {
    machine: Running,
    package: Package<'p>,
    pictures: Option<PathBuf>,
    taken: usize,
}

impl<'p> Day<'p> {
    fn see(&mut self, screen: &Screen<'_>) {
        let took = self.machine.see(screen).unwrap();
        self.seen(took);
    }

    fn seen(&mut self, took: Duration) {
        let name = self.machine.mirror.panel.name();
        println!(
            "{:6.1} s  {name} (waited {took:.1?})",
            self.machine.since.elapsed().as_secs_f64()
        );
        if let Some(folder) = &self.pictures {
            self.taken += 1;
            let file = folder.join(format!("{:02}-{name}.png", self.taken));
            self.machine.photograph(&file).unwrap();
        }
    }

    /// A PIN pad is not photographed at each digit.
    fn type_pin(&mut self, pin: &str, who: PinOf) {
        let length = if pin.len() == 4 { FOUR } else { PinDigits::ANY };
        let screen = |digits| Screen::Pin {
            digits,
            tries_left: 3,
            wrong: false,
            who,
            length,
        };
        self.see(&screen(0));
        for (typed, digit) in (1..).zip(pin.bytes()) {
            self.machine.send(Touch::Digit(digit - b'0')).unwrap();
            self.machine.see(&screen(typed)).unwrap();
        }
        self.machine.send(Touch::Enter).unwrap();
    }

    fn sign(&mut self, action: StaffAction, staff: &mut [Person], numbers: std::ops::RangeInclusive<u8>) {
        for number in numbers {
            self.see(&Screen::Staff(StaffScreen::InsertCard { action, number }));
            let person = &mut staff[usize::from(number) - 1];
            self.machine.insert(person.card.take().unwrap()).unwrap();
            self.type_pin(&person.pin.clone(), PinOf::Staff(number));
            self.see(&Screen::Staff(StaffScreen::TakeCard));
            person.card = Some(self.machine.pull().unwrap());
        }
    }

    fn idle(&mut self) {
        let screen = Screen::Idle {
            election: self.package.manifest.name,
            station: self.package.station.name,
        };
        self.see(&screen);
    }

    /// A voter from the door as far as the question whether to cast; the card stays in.
    fn mark(&mut self, person: &mut Person, option: u8) {
        self.idle();
        self.machine.insert(person.card.take().unwrap()).unwrap();
        self.type_pin(&person.pin.clone(), PinOf::Voter);
        let form = Form::new(self.package.manifest, 0).unwrap();
        let item = form.contest(0).unwrap();
        let contest = |selected: Selected| {
            Screen::Contest(ContestScreen {
                contest: item.contest,
                order: item.order,
                index: 0,
                count: 1,
                selected,
                votes_left: item.contest.votes - selected.count(),
            })
        };
        let chosen = Selected::NONE.toggled(option);
        self.see(&contest(Selected::NONE));
        self.machine.send_measured(Touch::Option(option)).unwrap();
        self.see(&contest(chosen));
        self.machine.send(Touch::Next).unwrap();
        self.see(&Screen::Review(Review {
            form,
            selected: &[chosen],
        }));
        self.machine.send(Touch::Confirm).unwrap();
        let sealed = Screen::CastOrChallenge {
            code: &[0; 32],
            challenges_left: 3,
        };
        let took = self.machine.see_buttons(&sealed).unwrap();
        self.seen(took);
    }

    fn vote(&mut self, person: &mut Person, option: u8) {
        self.mark(person, option);
        self.machine.send(Touch::Cast).unwrap();
        self.see(&Screen::Done);
        person.card = Some(self.machine.pull().unwrap());
    }

    fn menu(&mut self, phase: Phase) {
        let took = self.machine.see_menu(phase).unwrap();
        self.seen(took);
    }
}

/// Waits until a file whose name begins so is on the drive, and takes a copy.
fn brought(drive: &Drive, kind: &str, folder: &Path) -> PathBuf {
    let start = Instant::now();
    loop {
        // It is written to while we look.
        let names = drive.names().unwrap_or_default();
        if let Some(name) = names
            .iter()
            .find(|name| name.starts_with(kind) && name.ends_with(".bin"))
        {
            let file = folder.join(name);
            if drive.get(name, &file).is_ok() && fs::metadata(&file).is_ok_and(|data| data.len() > 0) {
                return file;
            }
        }
        assert!(
            start.elapsed() < Duration::from_secs(240),
            "no {kind} on the exchange drive: {names:?}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn the_box(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

fn megabytes(file: &Path) -> u32 {
    let length = fs::metadata(file).unwrap().len();
    // A FAT-16 file system needs a few for itself.
    u32::try_from(length >> 20).unwrap() + 24
}

/// Puts the device configuration where staff put it: on the disk's first partition.
fn configure(disk: &Path, folder: &Path, authority: &str) {
    let text = format!(
        "station = 1\nauthority = \"{authority}\"\nstate = \"/state/kiosk\"\nexchange = \"/media/exchange\"\n\
         [panel]\nwidth = 1280\nheight = 800\ndiagonal_mm = 257\n\
         [media]\noriginal = \"/media/original\"\nduplicate = \"/media/duplicate\"\n\
         [randomness]\nsecond = \"/dev/hwrng\"\n[tpm]\ndevice = \"/dev/tpmrm0\"\n"
    );
    let file = folder.join("kiosk.toml");
    fs::write(&file, text).unwrap();
    let said = Command::new("mcopy")
        .env("MTOOLS_SKIP_CHECK", "1")
        .args(["-o", "-i", &format!("{}@@1M", disk.display())])
        .arg(&file)
        .arg("::kiosk.toml")
        .status();
    assert!(said.unwrap().success(), "mcopy");
}

#[test]
fn a10_f2_the_image_starts_into_the_kiosk_and_an_election_on_it_outlives_a_pulled_plug() {
    let image =
        PathBuf::from(std::env::var_os("IPPYO_IMAGE").expect("IPPYO_IMAGE: the folder of an image; tests/run image"));
    let pictures = std::env::var_os("IPPYO_PICTURES").map(PathBuf::from);
    if let Some(folder) = &pictures {
        fs::create_dir_all(folder).unwrap();
    }
    let built: serde_json::Value = serde_json::from_slice(&fs::read(image.join("build.json")).unwrap()).unwrap();
    let begun = Instant::now();
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["desk", "original", "duplicate", "came", "back"] {
        fs::create_dir(at(name)).unwrap();
    }
    let mut station = Station::new(&at("desk"), "tsukuba-2015-referendum", STYLE, 2, 2).unwrap();
    let bytes = station.package.clone();
    let authority: [u8; 33] = hex::decode(&station.authority).unwrap().try_into().unwrap();
    let machine = Machine::new(&at("machine"), &image.join("kiosk.disk")).unwrap();
    configure(&machine.disk(), folder.path(), &station.authority);
    let exchange = Drive::new(folder.path(), "exchange", "IPPYO-EXCH", 24).unwrap();
    fs::write(at("package-1.bin"), &bytes).unwrap();
    exchange.put(&at("package-1.bin"), "package-1.bin").unwrap();
    println!("set up after {:.0?}", begun.elapsed());

    // Out of the box: power, and the drive with the package.
    let mut day = Day {
        machine: machine.switch_on().unwrap(),
        package: Package::open(&bytes, &authority).unwrap(),
        pictures,
        taken: 0,
    };
    day.machine.names(&day.package);
    day.machine.plug(&exchange).unwrap();
    let request = fs::read(brought(&exchange, "request-", &at("came"))).unwrap();
    let request: Registration = wire::decode(&request).unwrap();
    let kiosk = kiosk_id(&request.kiosk.0);
    assert_eq!(
        hex::encode(request.software),
        built["root_hash"],
        "the software hash is the image's root hash"
    );
    day.see(&Screen::Staff(StaffScreen::Provision {
        kiosk: &kiosk,
        software: &request.software,
    }));
    println!(
        "first screen {:.1} s after power",
        day.machine.since.elapsed().as_secs_f64()
    );
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Provision, &mut station.staff, 1..=2);
    day.see(&Screen::Fault {
        why: Fault::Media(MediaFault::Device(Role::Original, MediumError::Missing)),
        recorded: None,
    });
    let registration = brought(&exchange, "registration-", &at("came"));
    day.machine.unplug(&exchange).unwrap();

    // At the desk, and back with three drives.
    let secret = at(&format!("secret-{}.bin", hex::encode(&kiosk[..8])));
    station
        .provision(&registration, [&at("original"), &at("duplicate")], &secret, VOTES)
        .unwrap();
    exchange
        .put(&secret, secret.file_name().unwrap().to_str().unwrap())
        .unwrap();
    let drives = [("original", "IPPYO-ORIG"), ("duplicate", "IPPYO-DUPL")].map(|(name, label)| {
        let file = the_box(&at(name));
        let drive = Drive::new(folder.path(), name, label, megabytes(&file)).unwrap();
        drive.put(&file, "ballots.box").unwrap();
        drive
    });
    for drive in [&exchange, &drives[0], &drives[1]] {
        day.machine.plug(drive).unwrap();
    }
    day.menu(Phase::NotOpened);
    day.machine.send(Touch::Staff(StaffTouch::Open)).unwrap();
    let epochs = day.package.manifest.epochs;
    day.see(&Screen::Staff(StaffScreen::ChooseEpoch { epochs, wrong: false }));
    day.machine.send(Touch::Staff(StaffTouch::Epoch(0))).unwrap();
    let (hash, package) = (*day.package.election(), day.package.hash);
    // With a TPM nothing is said about unprotected keys: the picture would be another one.
    day.see(&Screen::Staff(StaffScreen::ZeroReport(ZeroReport {
        election: day.package.manifest.name,
        station: day.package.station.name,
        epoch: 0,
        hash: &hash,
        package: &package,
        software: &request.software,
        kiosk: &kiosk,
        recorded: 0,
        capacity: VOTES,
        voters: 4,
        key_unprotected: false,
    })));
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Open, &mut station.staff, 1..=2);

    // Voting, one with each kind of card; then the plug is pulled while somebody holds a sealed ballot.
    let mut voters = std::mem::take(&mut station.voters);
    day.vote(&mut voters[0], 0);
    day.vote(&mut voters[2], 1);
    day.mark(&mut voters[1], 1);
    voters[1].card = Some(day.machine.pull_and_cut().unwrap());
    for drive in [machine.drive(), &exchange, &drives[0], &drives[1]] {
        println!("{}: {:?}", drive.name(), drive.cut().unwrap());
    }
    println!("cut after {:.0?}", begun.elapsed());

    // On again: the keys open, both votes are there, the third is not, and its voter votes.
    day.machine = machine.switch_on().unwrap();
    day.machine.names(&day.package);
    for drive in [&drives[0], &drives[1]] {
        day.machine.plug(drive).unwrap();
    }
    day.see(&Screen::Staff(StaffScreen::Restarted(Restarted {
        voter: Some(kiosk::screen::Recorded::No),
        taken_over: false,
        copied: false,
        void: 0,
    })));
    day.machine.send(Touch::Confirm).unwrap();
    day.vote(&mut voters[1], 1);

    // Closing: without a network everything leaves on the media.
    day.idle();
    day.machine.tap(Act::Hold(Touch::Staff(StaffTouch::Menu))).unwrap();
    day.menu(Phase::Open);
    day.machine.send(Touch::Staff(StaffTouch::Close)).unwrap();
    day.sign(StaffAction::Close, &mut station.staff, 1..=1);
    let counts = Counts {
        admitted: 4,
        recorded: 3,
        abandoned: 0,
        interrupted: 1,
        spoiled: 0,
        void: 0,
    };
    // Fewer than k of the package: the kiosk says so, and staff close all the same.
    let few = Some(8);
    day.see(&Screen::Staff(StaffScreen::ConfirmClose { counts, few }));
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Close, &mut station.staff, 2..=2);
    let copies = ["original", "duplicate"].map(|name| at("back").join(format!("{name}.box")));
    let hash = closed(&drives[0], &copies[0]);
    let mut words = [""; election::words::WORDS];
    for (place, word) in words.iter_mut().zip(ClosingWords::of(&hash).words()) {
        *place = word;
    }
    let done = Screen::Staff(StaffScreen::Closed(ClosedScreen {
        hash: &hash,
        words: &words,
        counts,
        void: 0,
        lost: None,
        unsent: 0,
    }));
    let took = day.machine.see_buttons(&done).unwrap();
    day.seen(took);
    for (drive, copy) in drives.iter().zip(&copies) {
        day.machine.unplug(drive).unwrap();
        drive.get("ballots.box", copy).unwrap();
    }
    let reactions = day.machine.reactions.clone();
    drop(day);

    // Counting, and both verifiers.
    let genesis = at("desk/genesis.bin").display().to_string();
    desk(&[
        "anchor",
        &copies[0].display().to_string(),
        "--genesis",
        &genesis,
        "--gateway",
        &station.gateway(),
        "--registration",
        &registration.display().to_string(),
        "--json",
    ])
    .unwrap();
    let closing = format!("{}={}", hex::encode(&kiosk[..4]), words.join(" "));
    let record = at("record");
    let tallied = station.tally([&copies[0], &copies[1]], &closing, &record).unwrap();
    assert_eq!(tallied["report"]["ballots"]["counted"], 3);
    let ours = verify_staff(&record, &Options::default()).unwrap().summary().unwrap();
    let theirs = verify_py::<&str>(&record, &[]).unwrap().summary().unwrap();
    assert_eq!((&ours["counted"], &theirs["counted"]), (&json!(3), &json!(3)));
    assert_eq!(ours["totals"], theirs["totals"]);
    println!("touch to changed picture: {reactions:.0?}");
    println!("counted and verified after {:.0?}: {}", begun.elapsed(), ours["totals"]);
}

/// Waits until the medium is closed: its closing hash.
fn closed(drive: &Drive, copy: &Path) -> [u8; 32] {
    let start = Instant::now();
    loop {
        drive.get("ballots.box", copy).unwrap();
        let file = media::FileMedium::open_read_only(copy).unwrap();
        let content = staff::medium::read(file, "original", &staff::progress::silent).unwrap();
        if let Some(closing) = content.closing().unwrap() {
            return closing.hash;
        }
        assert!(start.elapsed() < Duration::from_secs(240), "the kiosk does not close");
        std::thread::sleep(Duration::from_millis(500));
    }
}
