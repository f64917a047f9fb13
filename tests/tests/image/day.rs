//! A machine and the people in front of it: what is looked at and touched, drives carried about.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use election::package::Package;
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, Phase, PinOf, Review, Screen, StaffAction, StaffScreen, Touch};
use kiosk::session::{PinDigits, Selected};
use tests::machine::drive::Drive;
use tests::machine::{ADDRESS, Running, WORLD};
use tests::station::{Person, Station};

const FOUR: PinDigits = PinDigits { fewest: 4, most: 4 };

/// The machine while it is on, and what it is to show.
pub struct Day<'p> {
    pub machine: Running,
    pub package: Package<'p>,
    pictures: Option<PathBuf>,
    taken: usize,
}

impl<'p> Day<'p> {
    pub fn new(machine: Running, package: Package<'p>, name: &str) -> Self {
        let pictures = std::env::var_os("IPPYO_PICTURES").map(|folder| PathBuf::from(folder).join(name));
        if let Some(folder) = &pictures {
            fs::create_dir_all(folder).unwrap();
        }
        machine.names(&package);
        Self {
            machine,
            package,
            pictures,
            taken: 0,
        }
    }

    /// The machine has been started again.
    pub fn again(&mut self, machine: Running) {
        machine.names(&self.package);
        self.machine = machine;
    }

    pub fn see(&mut self, screen: &Screen<'_>) {
        let took = self.machine.see(screen).unwrap();
        self.seen(took);
    }

    pub fn seen(&mut self, took: Duration) {
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

    /// Whether what stands there now is still this screen, and nothing has happened to the machine.
    pub fn still(&mut self, screen: &Screen<'_>) {
        self.see(screen);
        assert!(!self.machine.was_reset().unwrap(), "the machine was reset");
    }

    /// A PIN pad is not photographed at each digit.
    pub fn type_pin(&mut self, pin: &str, who: PinOf) {
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

    pub fn sign(&mut self, action: StaffAction, staff: &mut [Person], numbers: std::ops::RangeInclusive<u8>) {
        for number in numbers {
            self.see(&Screen::Staff(StaffScreen::InsertCard { action, number }));
            let person = &mut staff[usize::from(number) - 1];
            self.machine.insert(person.card.take().unwrap()).unwrap();
            self.type_pin(&person.pin.clone(), PinOf::Staff(number));
            self.see(&Screen::Staff(StaffScreen::TakeCard));
            person.card = Some(self.machine.pull().unwrap());
        }
    }

    pub fn idle(&mut self) {
        let screen = Screen::Idle {
            election: self.package.manifest.name,
            station: self.package.station.name,
        };
        self.see(&screen);
    }

    /// A voter from the door as far as the question whether to cast; the card stays in.
    pub fn mark(&mut self, person: &mut Person, option: u8) {
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

    pub fn vote(&mut self, person: &mut Person, option: u8) {
        self.mark(person, option);
        self.machine.send(Touch::Cast).unwrap();
        self.see(&Screen::Done);
        person.card = Some(self.machine.pull().unwrap());
    }

    pub fn menu(&mut self, phase: Phase) {
        let took = self.machine.see_menu(phase).unwrap();
        self.seen(took);
    }
}

/// Waits until a file whose name begins so is on the drive, and takes a copy.
pub fn brought(drive: &Drive, kind: &str, folder: &Path) -> PathBuf {
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
            start.elapsed() < Duration::from_secs(600),
            "no {kind} on the exchange drive: {names:?}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

pub fn the_box(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

pub fn megabytes(file: &Path) -> u32 {
    let length = fs::metadata(file).unwrap().len();
    // A FAT-16 file system needs a few for itself.
    u32::try_from(length >> 20).unwrap() + 24
}

/// Puts the device configuration where staff put it: on the disk's first partition.
pub fn configure(disk: &Path, folder: &Path, station: &Station) {
    let authority = &station.authority;
    let port = station.gateway().rsplit_once(':').unwrap().1.to_owned();
    let text = format!(
        "station = 1\nauthority = \"{authority}\"\nstate = \"/state/kiosk\"\nexchange = \"/media/exchange\"\n\
         [panel]\nwidth = 1280\nheight = 800\ndiagonal_mm = 257\n\
         [media]\noriginal = \"/media/original\"\nduplicate = \"/media/duplicate\"\n\
         [randomness]\nsecond = \"/dev/hwrng\"\n[tpm]\ndevice = \"/dev/tpmrm0\"\n\
         [uplink]\ngateways = [\"{WORLD}:{port}\"]\naddress = \"{ADDRESS}\"\n"
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

/// The folder of the image under test, and what its build said.
pub fn image() -> (PathBuf, serde_json::Value) {
    let image =
        PathBuf::from(std::env::var_os("IPPYO_IMAGE").expect("IPPYO_IMAGE: the folder of an image; tests/run image"));
    let built = serde_json::from_slice(&fs::read(image.join("build.json")).unwrap()).unwrap();
    (image, built)
}

/// Changes a bit of the disk.
pub fn flip(disk: &Path, place: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(disk).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 1], place).unwrap();
}

/// Where this stands first on the disk.
pub fn place_of(disk: &Path, text: &[u8]) -> u64 {
    let bytes = fs::read(disk).unwrap();
    let mut places = bytes.windows(text.len());
    places.position(|here| here == text).expect("it stands nowhere") as u64
}
