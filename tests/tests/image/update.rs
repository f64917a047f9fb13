//! An update on the image, as staff do it: the next image signed by the desk onto an exchange drive, taken at the panel before polls open with two cards; the
//! plug pulled while it is written and before the last sector; the new software started, tried, kept at its first card; and new software that cannot
//! start, which gives way to the old one by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use election::hash::Digest;
use election::ledger::{Registration, kiosk_id};
use election::package::Package;
use election::wire;
use kiosk::ballot_box::{MediaFault, Role};
use kiosk::ports::MediumError;
use kiosk::screen::{Fault, Screen, StaffAction, StaffScreen, StaffTouch, Touch, UpdateScreen};
use kiosk::update::Offer;
use tempfile::TempDir;
use tests::hands::Glass as _;
use tests::machine::drive::Drive;
use tests::machine::{Machine, PORTS_TOML, Running};
use tests::station::{Station, desk};
use tests::tree;

use super::day::{Day, brought, flip, image, place_of};

/// Tries of new software (`linux::update::entries::TRIES`).
const TRIES: u32 = 3;
/// The first partition of the disk, and where starting programs lie on it.
const FIRST: &str = "1M";
const PROGRAMS: &str = "EFI/Linux";
/// The sector of a program that is written last.
const HEAD: usize = 512;
/// How long the writing of an image may take to be seen, on whatever runs the tests.
const PATIENCE: Duration = Duration::from_secs(600);

/// Image, hash, and what the loader calls it.
struct Software {
    hash: Digest,
    version: u32,
}

impl Software {
    fn of(built: &serde_json::Value) -> Self {
        let hash = hex::decode(built["root_hash"].as_str().unwrap()).unwrap();
        Self {
            hash: hash.try_into().unwrap(),
            version: built["version"].as_u64().unwrap().try_into().unwrap(),
        }
    }

    /// Its starting program's name; with tries left, while it has not come up.
    fn name(&self, left: Option<u32>) -> String {
        let count = match left {
            None => String::new(),
            Some(TRIES) => format!("+{TRIES}"),
            Some(left) => format!("+{left}-{}", TRIES - left),
        };
        format!("ippyo-{}{count}.efi", &hex::encode(self.hash)[..16])
    }
}

#[test]
fn f2_staff_update_the_machine_cuts_leave_the_old_software_and_what_does_not_come_up_gives_way() {
    let (image, built) = image();
    let begun = Instant::now();
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (next, built_next) = next_image(&image, &built, folder.path());
    let (old, new) = (Software::of(&built), Software::of(&built_next));
    assert!(new.hash != old.hash && new.version > old.version);
    fs::create_dir(at("desk")).unwrap();
    let mut station = Station::new(&at("desk"), "tsukuba-2015-referendum", "style-1", 0, 0).unwrap();
    let bytes = station.package.clone();
    let authority: [u8; 33] = hex::decode(&station.authority).unwrap().try_into().unwrap();
    fs::write(at("package-1.bin"), &bytes).unwrap();
    let [carrier, one, two, three] = [("carrier", 80), ("one", 24), ("two", 24), ("three", 24)].map(|(name, size)| {
        fs::create_dir(at(name)).unwrap();
        let drive = Drive::new(folder.path(), name, "IPPYO-EXCH", size).unwrap();
        drive.put(&at("package-1.bin"), "package-1.bin").unwrap();
        drive
    });
    sign(&station, &next, &built_next, &carrier, folder.path());
    let machine = Machine::new(&at("machine"), &image.join("kiosk.disk")).unwrap();
    configure(machine.drive(), folder.path(), &station);
    println!("set up after {:.0?}", begun.elapsed());

    // The old software offers it. The plug is pulled while it is written: the old software again, with its keys.
    let package = Package::open(&bytes, &authority).unwrap();
    let mut day = Day::new(on(&machine), package, "update");
    day.machine.plug(&carrier).unwrap();
    let kiosk = first_screen(&mut day, &carrier, &at("carrier"), &old);
    let offer = Offer {
        version: new.version,
        running: old.version,
        software: new.hash,
        image: [0; 32],
        nonce: [0; 32],
    };
    // Staff may go back, and look again at once.
    see_offer(&mut day, &offer);
    day.machine.send(Touch::Back).unwrap();
    see_provision(&mut day, &kiosk, &old);
    approve(&mut day, &offer, &mut station);
    let percent = writing(&mut day, &offer);
    day.machine.hold(machine.drive()).unwrap();
    day.machine.held().unwrap();
    day.machine.cut().unwrap();
    let lost = machine.drive().cut().unwrap();
    println!(
        "cut while it was written ({percent} % was seen) after {:.0?}: {lost:?}",
        begun.elapsed()
    );
    assert!(lost.lost > 0, "the cut took nothing away");
    carrier.cut().unwrap();

    // Once more, to its end. The machine starts again by itself.
    day.again(on(&machine));
    day.machine.plug(&carrier).unwrap();
    see_provision(&mut day, &kiosk, &old);
    approve(&mut day, &offer, &mut station);
    writing(&mut day, &offer);
    day.see(&Screen::Staff(StaffScreen::Update(UpdateScreen::Done {
        offer: &offer,
    })));
    day.machine.unplug(&carrier).unwrap();
    day.machine.send(Touch::Confirm).unwrap();
    day.machine.gives_up().unwrap();
    println!("it starts again after {:.0?}", begun.elapsed());
    let fresh = new.name(Some(TRIES));
    assert_eq!(programs(machine.drive()), both(&old.name(None), &fresh));

    // Had the plug been pulled just before the last sector: its name is there, and it is no program. The old software starts; its keys are gone.
    let file = at("before.disk");
    let lost = machine
        .drive()
        .cut_before(&file, |bytes| bytes.len() == HEAD && bytes.starts_with(b"MZ"));
    println!("cut before the last sector: {:?}", lost.unwrap());
    let cut = Machine::new(&at("cut"), &file).unwrap();
    let head = |drive: &Drive| {
        drive
            .get_in(FIRST, &format!("{PROGRAMS}/{fresh}"), &at("program"))
            .unwrap();
        let program = fs::read(at("program")).unwrap();
        let written = fs::read(next.join("kiosk.efi")).unwrap();
        assert!(
            program.len() == written.len() && program[HEAD..] == written[HEAD..],
            "more than a sector is missing"
        );
        program[..2].to_vec()
    };
    assert_eq!((head(cut.drive()), head(machine.drive())), (vec![0, 0], b"MZ".to_vec()));
    day.again(on(&cut));
    day.machine.plug(&one).unwrap();
    let other = first_screen(&mut day, &one, &at("one"), &old);
    assert_ne!(other, kiosk, "the keys were to go before the switch");
    day.machine.cut().unwrap();
    assert_eq!(
        programs(cut.drive()),
        both(&old.name(None), &fresh),
        "the loader has tried it"
    );
    println!("the old software after {:.0?}", begun.elapsed());

    // The same machine with one bit of the new place's tree changed: three short tries, and the old software by itself.
    let broken = Machine::new(&at("broken"), &machine.disk()).unwrap();
    let tree = fs::read(next.join("root.tree")).unwrap();
    flip(&broken.disk(), place_of(&broken.disk(), &tree[4096..8192]) + 17);
    for left in (0..TRIES).rev() {
        day.again(on(&broken));
        day.machine.gives_up().unwrap();
        println!("a try took {:.0?}", day.machine.since.elapsed());
        assert_eq!(programs(broken.drive()), both(&old.name(None), &new.name(Some(left))));
    }
    day.again(on(&broken));
    day.machine.plug(&two).unwrap();
    first_screen(&mut day, &two, &at("two"), &old);
    println!("gone back after {:.0?}", begun.elapsed());

    // And as it should be: the new software, on trial until a card has answered. It is registered as every machine is.
    day.again(on(&machine));
    day.machine.plug(&three).unwrap();
    first_screen(&mut day, &three, &at("three"), &new);
    assert_eq!(
        programs(machine.drive()),
        both(&old.name(None), &new.name(Some(TRIES - 1)))
    );
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Provision, &mut station.staff, 1..=2);
    day.see(&Screen::Fault {
        why: Fault::Media(MediaFault::Device(Role::Original, MediumError::Missing)),
        recorded: None,
    });
    brought(&three, "registration-", &at("three"));
    let kept = both(&old.name(None), &new.name(None));
    let start = Instant::now();
    while programs(machine.drive()) != kept {
        assert!(
            start.elapsed() < PATIENCE,
            "it is still on trial: {:?}",
            programs(machine.drive())
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // Also when the plug is pulled.
    day.machine.cut().unwrap();
    machine.drive().cut().unwrap();
    assert_eq!(programs(machine.drive()), kept);
    machine
        .drive()
        .get_in(FIRST, &format!("{PROGRAMS}/{}", new.name(None)), &at("program"))
        .unwrap();
    assert!(fs::read(at("program")).unwrap() == fs::read(next.join("kiosk.efi")).unwrap());
    println!("kept; all after {:.0?}", begun.elapsed());
}

/// The image of the next version: the same program, packages and sources.
fn next_image(image: &Path, built: &serde_json::Value, folder: &Path) -> (PathBuf, serde_json::Value) {
    let next = std::env::var_os("IPPYO_IMAGE_NEXT").map(PathBuf::from);
    let next = next.unwrap_or_else(|| {
        let next = folder.join("next");
        let version = built["version"].as_u64().unwrap() + 1;
        let unpacked = Command::new("unsquashfs")
            .args(["-q", "-n", "-d"])
            .arg(folder.join("unpacked"))
            .arg(image.join("root.squashfs"))
            .arg("usr/bin/kiosk")
            .status();
        assert!(unpacked.unwrap().success(), "unsquashfs");
        let made = Command::new(tree::root().join("firmware/linux/image/build"))
            .arg("--out")
            .arg(&next)
            .arg("--kiosk")
            .arg(folder.join("unpacked/usr/bin/kiosk"))
            .args(["--version", &version.to_string(), "--locked", "--lock"])
            .arg(image.join("packages.lock"))
            .status();
        assert!(made.unwrap().success(), "build");
        next
    });
    let built = serde_json::from_slice(&fs::read(next.join("build.json")).unwrap()).unwrap();
    (next, built)
}

/// The office signs the image, with the hash that a second person's build gave, and puts it on a drive.
fn sign(station: &Station, image: &Path, built: &serde_json::Value, drive: &Drive, folder: &Path) {
    let out = folder.join("signed");
    fs::create_dir(&out).unwrap();
    let text = |path: &Path| path.display().to_string();
    let key = station.folder.join("authority.key");
    let call = [
        "image",
        "sign",
        "--image",
        &text(image),
        "--authority",
        &text(&key),
        "--out",
        &text(&out),
    ];
    let software = ["--software", built["root_hash"].as_str().unwrap(), "--json"];
    desk(&[&call[..], &software[..]].concat()).unwrap();
    drive.put_folder(&out.join("update")).unwrap();
}

/// The device configuration of a kiosk without a network that takes updates.
fn configure(disk: &Drive, folder: &Path, station: &Station) {
    let authority = &station.authority;
    let text = format!(
        "station = 1\nauthority = \"{authority}\"\nstate = \"/state/kiosk\"\nexchange = \"/media/exchange\"\n\
         [panel]\nwidth = 1280\nheight = 800\ndiagonal_mm = 257\n\
         [media]\noriginal = \"/media/original\"\nduplicate = \"/media/duplicate\"\n\
         [randomness]\nsecond = \"/dev/hwrng\"\n[tpm]\ndevice = \"/dev/tpmrm0\"\n\
         [update]\nsocket = \"/run/updater.sock\"\n{PORTS_TOML}"
    );
    let file = folder.join("kiosk.toml");
    fs::write(&file, text).unwrap();
    disk.put_in(FIRST, &file, "kiosk.toml").unwrap();
}

/// Switches it on. Its panel offers updates.
fn on(machine: &Machine) -> Running {
    let running = machine.switch_on().unwrap();
    running.mirror.panel.updates(true);
    running
}

/// Names beside the starting programs.
fn programs(disk: &Drive) -> Vec<String> {
    disk.names_in(FIRST, PROGRAMS).unwrap()
}

fn both(one: &str, two: &str) -> Vec<String> {
    let mut names = vec![one.to_owned(), two.to_owned()];
    names.sort();
    names
}

/// The screen of registration, with this software's hash on it. The kiosk's own name is on the drive.
fn first_screen(day: &mut Day<'_>, exchange: &Drive, folder: &Path, software: &Software) -> Digest {
    let request = fs::read(brought(exchange, "request-", folder)).unwrap();
    let request: Registration = wire::decode(&request).unwrap();
    assert_eq!(request.software, software.hash);
    let kiosk = kiosk_id(&request.kiosk.0);
    see_provision(day, &kiosk, software);
    let took = day.machine.since.elapsed().as_secs_f64();
    println!("version {}: first screen {took:.1} s after power", software.version);
    kiosk
}

fn see_provision(day: &mut Day<'_>, kiosk: &Digest, software: &Software) {
    day.see(&Screen::Staff(StaffScreen::Provision {
        kiosk,
        software: &software.hash,
    }));
}

fn see_offer(day: &mut Day<'_>, offer: &Offer) {
    day.machine.send(Touch::Staff(StaffTouch::Update)).unwrap();
    day.see(&Screen::Staff(StaffScreen::Update(UpdateScreen::Offer { offer })));
}

fn approve(day: &mut Day<'_>, offer: &Offer, station: &mut Station) {
    see_offer(day, offer);
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Update, &mut station.staff, 1..=2);
}

/// Waits until it is said how far the writing is: at which hundredth it was seen.
fn writing(day: &mut Day<'_>, offer: &Offer) -> u8 {
    let start = Instant::now();
    loop {
        let now = day.machine.display.picture().unwrap().clone();
        for percent in 0..=100 {
            let screen = Screen::Staff(StaffScreen::Update(UpdateScreen::Writing { offer, percent }));
            if now.same_but_for_corners(&day.machine.drawn(&screen)) {
                day.seen(start.elapsed());
                return percent;
            }
        }
        assert!(start.elapsed() < PATIENCE, "nothing is written");
    }
}
