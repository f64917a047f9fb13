//! A machine and the people in front of it: what is looked at and touched, drives carried about.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use election::ledger::Registration;
use election::package::Package;
use election::wire;
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, Phase, PinOf, Review, Screen, StaffAction, StaffScreen, Touch};
use kiosk::session::{PinDigits, Selected};
use panel::audio::Key;
use panel::scene::Act;
use tests::machine::drive::Drive;
use tests::machine::{KEYPAD, Running};
use tests::station::Person;

/// More things to touch than any screen has.
const MOST_KEYS: usize = 40;
/// A key that was heard has shown by then.
const SETTLED: Duration = Duration::from_secs(3);
const FOUR: PinDigits = PinDigits { fewest: 4, most: 4 };

/// The machine while it is on, and what it is to show.
pub struct Day<'p> {
    pub machine: Running,
    pub package: Package<'p>,
    /// From touches to changed pictures, of the starts before this one.
    reactions: Vec<Duration>,
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
            reactions: Vec::new(),
            pictures,
            taken: 0,
        }
    }

    /// The machine has been started again.
    pub fn again(&mut self, machine: Running) {
        machine.names(&self.package);
        self.reactions.append(&mut self.machine.reactions);
        self.machine = machine;
    }

    /// From touches to changed pictures, all day.
    pub fn reactions(&self) -> Vec<Duration> {
        [self.reactions.as_slice(), &self.machine.reactions].concat()
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

    /// A voter with the keypad alone, from the PIN on.
    pub fn vote_by_keys(&mut self, person: &mut Person, option: u8) {
        self.idle();
        self.machine.plug_keyboard("keypad", KEYPAD).unwrap();
        self.first_key();
        // It is a keypad and nothing else.
        for keys in [
            &["ctrl", "alt", "f3"][..],
            &["ctrl", "alt", "delete"],
            &["alt", "sysrq", "b"],
            &["esc"],
        ] {
            self.machine.press_keys(keys).unwrap();
            self.machine.see_mirror().unwrap();
            assert!(!self.machine.was_reset().unwrap(), "the machine was reset");
        }
        self.machine.insert(person.card.take().unwrap()).unwrap();
        let pin = person.pin.clone();
        let screen = |digits| Screen::Pin {
            digits,
            tries_left: 3,
            wrong: false,
            who: PinOf::Voter,
            length: if pin.len() == 4 { FOUR } else { PinDigits::ANY },
        };
        self.see(&screen(0));
        for (typed, digit) in (1..).zip(pin.bytes()) {
            let digit = digit - b'0';
            self.machine.ready_for(Touch::Digit(digit));
            self.key(Key::Digit(digit), &format!("kp_{digit}"));
            self.machine.see(&screen(typed)).unwrap();
        }
        self.choose(Touch::Enter);
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
        self.choose(Touch::Option(option));
        self.see(&contest(chosen));
        self.choose(Touch::Next);
        self.see(&Screen::Review(Review {
            form,
            selected: &[chosen],
        }));
        self.choose(Touch::Confirm);
        let sealed = Screen::CastOrChallenge {
            code: &[0; 32],
            challenges_left: 3,
        };
        let took = self.machine.see_buttons(&sealed).unwrap();
        self.seen(took);
        // The code is the kiosk's own: only the buttons can be compared, and the frame around the one that the keys are on.
        while self.machine.mirror.panel.focus() != Some(Act::Send(Touch::Cast)) {
            self.key(Key::Next, "tab");
            self.machine.see_buttons(&sealed).unwrap();
        }
        self.machine.ready_for(Touch::Cast);
        self.key(Key::Select, "kp_enter");
        self.see(&Screen::Done);
        person.card = Some(self.machine.pull().unwrap());
        self.machine.unplug_input("keypad").unwrap();
    }

    /// The keypad was put in just now: until the kiosk has it, its keys are lost. Ends when no key is under way any more.
    fn first_key(&mut self) {
        let before = self.machine.wanted();
        let start = Instant::now();
        let mut pressed: Option<Instant> = None;
        while self.machine.now().unwrap().same_but_for_corners(&before) {
            assert!(start.elapsed() < Duration::from_secs(600), "the keypad does nothing");
            if pressed.is_none_or(|when| when.elapsed() > SETTLED) {
                self.machine.press_keys(&["tab"]).unwrap();
                pressed = Some(Instant::now());
            }
        }
        // It stands where as many keys have led as were heard.
        let mut since = Instant::now();
        while since.elapsed() < SETTLED {
            let wanted = self.machine.wanted();
            if !self.machine.now().unwrap().same_but_for_corners(&wanted) {
                self.machine.mirror.panel.key(Key::Next);
                since = Instant::now();
            }
            assert!(
                start.elapsed() < Duration::from_secs(600),
                "the keypad leads somewhere else"
            );
        }
    }

    /// A key, there and in the mirror.
    fn key(&mut self, key: Key, name: &str) {
        self.machine.mirror.panel.key(key);
        self.machine.press_keys(&[name]).unwrap();
    }

    /// Goes with keys to what gives this touch, a picture after the other, and chooses it.
    fn choose(&mut self, touch: Touch) {
        for _ in 0..MOST_KEYS {
            if self.machine.mirror.panel.focus() == Some(Act::Send(touch)) {
                self.machine.ready_for(touch);
                return self.key(Key::Select, "kp_enter");
            }
            self.key(Key::Next, "tab");
            self.machine.see_mirror().unwrap();
        }
        panic!("no key leads to {touch:?}");
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

/// The kiosk's request to be registered, as it appears on the drive.
pub fn request(drive: &Drive, folder: &Path) -> Registration {
    let bytes = fs::read(brought(drive, "request-", folder)).unwrap();
    wire::decode(&bytes).unwrap()
}

pub fn the_box(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

pub fn megabytes(file: &Path) -> u32 {
    let length = fs::metadata(file).unwrap().len();
    // A FAT-16 file system needs a few for itself.
    u32::try_from(length >> 20).unwrap() + 24
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
