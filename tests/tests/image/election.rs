//! An election on the image: switched on, provisioned, opened, voted at, without its network and with it, its plug pulled in the middle of a write, switched on
//! again, closed, counted; and then the same machine with a bit changed of what it starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use election::ledger::kiosk_id;
use election::package::Package;
use election::words::ClosingWords;
use kiosk::ballot_box::{Counts, MediaFault, Role};
use kiosk::identity::IdentityError;
use kiosk::ports::{MediumError, StoreError};
use kiosk::screen::{
    ClosedScreen, Fault, Phase, PinOf, Recorded, Restarted, Room, Screen, StaffAction, StaffScreen, StaffTouch, Touch,
    ZeroReport,
};
use kiosk::session::WrongCard;
use panel::scene::Act;
use serde_json::json;
use staff::verify::Options;
use tempfile::TempDir;
use tests::machine::ELSEWHERE;
use tests::machine::drive::Drive;
use tests::machine::set_up::SetUp;
use tests::station::Station;
use tests::verifiers::{verify_py, verify_staff};

use super::day::{Day, brought, flip, image, megabytes, place_of, request, the_box};

/// Places for votes: one fewer than there are voters.
const VOTES: u32 = 3;

#[test]
fn a10_f2_the_image_starts_into_the_kiosk_and_an_election_on_it_outlives_a_pulled_plug_and_a_pulled_cable() {
    let (image, built) = image();
    let begun = Instant::now();
    let folder = TempDir::new().unwrap();
    let SetUp {
        mut station,
        package: bytes,
        authority,
        machine,
        exchange,
        ..
    } = SetUp::new(folder.path(), &image, 2, 2).unwrap();
    let at = |name: &str| folder.path().join(name);
    println!("set up after {:.0?}", begun.elapsed());

    // Out of the box: power, and the drive with the package.
    let package = Package::open(&bytes, &authority).unwrap();
    let mut day = Day::new(machine.switch_on().unwrap(), package, "election");
    day.machine.plug(&exchange).unwrap();
    let request = request(&exchange, &at("came"));
    let kiosk = kiosk_id(&request.kiosk.0);
    let software = hex::encode(request.software);
    assert_eq!(
        software, built["root_hash"],
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
    // First an original that was too small for the whole box: nothing is opened on it, and staff read which of the two it is.
    let small = too_small(&the_box(&at("original")), folder.path());
    for drive in [&exchange, &small, &drives[1]] {
        day.machine.plug(drive).unwrap();
    }
    day.see(&Screen::Fault {
        why: Fault::Media(MediaFault::TooSmall(Role::Original)),
        recorded: None,
    });
    day.machine.unplug(&small).unwrap();
    day.machine.plug(&drives[0]).unwrap();
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

    // Voting, one with each kind of card; what the opening has to tell goes out meanwhile. Then the cable is pulled.
    let mut voters = std::mem::take(&mut station.voters);
    day.vote(&mut voters[0], 0);
    ordered(&station, 1);
    day.machine.cable(false).unwrap();
    day.vote(&mut voters[2], 1);
    people_try_things(&mut day, folder.path());

    // The plug is pulled while a ballot is being written: written it is, and durable it is not.
    day.mark(&mut voters[1], 1);
    day.machine.hold(&drives[0]).unwrap();
    day.machine.send(Touch::Cast).unwrap();
    voters[1].card = Some(day.machine.cut_when_held().unwrap());
    for drive in [machine.drive(), &exchange, &drives[0], &drives[1]] {
        let lost = drive.cut().unwrap();
        println!("{}: {lost:?}", drive.name());
        assert!(drive.name() != "original" || lost.lost > 0, "the cut took nothing away");
    }
    println!("cut after {:.0?}", begun.elapsed());

    // On again, still without the network: the keys open, both votes are there, the third is not, and its voter votes.
    day.again(machine.switch_on().unwrap());
    day.machine.cable(false).unwrap();
    for drive in [&drives[0], &drives[1]] {
        day.machine.plug(drive).unwrap();
    }
    day.see(&Screen::Staff(StaffScreen::Restarted(Restarted {
        voter: Some(Recorded::No),
        taken_over: false,
        copied: false,
        void: 0,
    })));
    println!("at work {:.1} s after power", day.machine.since.elapsed().as_secs_f64());
    day.machine.send(Touch::Confirm).unwrap();
    // With the keypad alone.
    day.vote_by_keys(&mut voters[1], 1);
    let before = station.chain().unwrap().0;

    // The media are full: whoever comes now is told before being let in, and staff see why.
    day.idle();
    day.machine.insert(voters[3].card.take().unwrap()).unwrap();
    day.type_pin(&voters[3].pin.clone(), PinOf::Voter);
    day.see(&Screen::WrongCard { why: WrongCard::Full });
    voters[3].card = Some(day.machine.pull().unwrap());

    // Closing, with the cable in again: everything goes out.
    day.machine.cable(true).unwrap();
    day.idle();
    day.machine.tap(Act::Hold(Touch::Staff(StaffTouch::Menu))).unwrap();
    let took = day.machine.see_menu_of(Phase::Open, Room::Full).unwrap();
    day.seen(took);
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
        retire: true,
    }));
    day.see(&done);
    ordered(&station, before + 1);
    for (drive, copy) in drives.iter().zip(&copies) {
        day.machine.unplug(drive).unwrap();
        drive.get("ballots.box", copy).unwrap();
    }
    let reactions = day.reactions();
    drop(day);

    // Counting, and both verifiers.
    let closing = format!("{}={}", hex::encode(&kiosk[..4]), words.join(" "));
    let record = std::env::var_os("IPPYO_RECORD").map_or_else(|| at("record"), PathBuf::from);
    let tallied = station.tally([&copies[0], &copies[1]], &closing, &record).unwrap();
    assert_eq!(tallied["report"]["ballots"]["counted"], 3);
    let ours = verify_staff(&record, &Options::default()).unwrap().summary().unwrap();
    let theirs = verify_py::<&str>(&record, &[]).unwrap().summary().unwrap();
    assert_eq!((&ours["counted"], &theirs["counted"]), (&json!(3), &json!(3)));
    assert_eq!(ours["totals"], theirs["totals"]);
    println!("touch to changed picture: {reactions:.0?}");
    println!("counted and verified after {:.0?}: {}", begun.elapsed(), ours["totals"]);

    // The same machine with a bit of the program changed that the firmware loads. Nothing stops it from running; the TPM gives it no keys.
    let package = Package::open(&bytes, &authority).unwrap();
    flip(&machine.disk(), place_of(&machine.disk(), b"NAME=\"Ippyo kiosk\""));
    let mut day = Day::new(machine.switch_on().unwrap(), package, "tampered");
    day.see(&Screen::Fault {
        why: Fault::Identity(IdentityError::Store(StoreError::Sealed)),
        recorded: None,
    });
    println!(
        "another kiosk.efi: the keys stay shut; all after {:.0?}",
        begun.elapsed()
    );
}

/// Keys of a keyboard, a drive that nobody knows: the panel stays as it is, and so does the machine.
fn people_try_things(day: &mut Day<'_>, folder: &Path) {
    let idle = Screen::Idle {
        election: day.package.manifest.name,
        station: day.package.station.name,
    };
    day.see(&idle);
    let foreign = Drive::new(folder, "foreign", "HOLIDAY", 24).unwrap();
    foreign.put(&folder.join("package-1.bin"), "package-1.bin").unwrap();
    day.machine.plug(&foreign).unwrap();
    day.machine.plug_keyboard("keyboard", ELSEWHERE).unwrap();
    for keys in [
        &["ctrl", "alt", "delete"][..],
        &["ctrl", "alt", "f2"],
        &["alt", "f3"],
        &["alt", "sysrq", "b"],
        &["alt", "sysrq", "o"],
        &["alt", "f4"],
        &["ret"],
        &["esc"],
        &["meta_l"],
    ] {
        day.machine.press_keys(keys).unwrap();
        day.still(&idle);
    }
    day.machine.unplug(&foreign).unwrap();
}

/// A drive onto which the box did not go whole.
fn too_small(whole: &Path, folder: &Path) -> Drive {
    let cut = folder.join("cut.box");
    let mut bytes = fs::read(whole).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&cut, bytes).unwrap();
    let drive = Drive::new(folder, "small", "IPPYO-ORIG", megabytes(&cut)).unwrap();
    drive.put(&cut, "ballots.box").unwrap();
    drive
}

/// Waits until the chain has so many blocks.
fn ordered(station: &Station, height: u64) {
    let start = Instant::now();
    while station.chain().unwrap().0 < height {
        assert!(
            start.elapsed() < Duration::from_secs(600),
            "nothing comes out of the kiosk"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
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
        assert!(start.elapsed() < Duration::from_secs(600), "the kiosk does not close");
        std::thread::sleep(Duration::from_millis(500));
    }
}
