//! A kiosk at a polling place as a test's own: the appliance's program opened by two staff members, and what voters do at it, one screen after the
//! other. Every screen that is waited for is compared pixel by pixel with the one its definition wants.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use election::ledger::{Registration, kiosk_id};
use election::package::Package;
use election::wire;
use host_sim::cards::vpcd::Inserted;
use host_sim::cards::{Chip, Fault, Misbehaving};
use kiosk::form::Form;
use kiosk::screen::{
    ContestScreen, Fault as KioskFault, PinOf, Review, Screen, StaffAction, StaffScreen, StaffTouch, Touch,
};
use kiosk::session::{PinDigits, Selected, WrongCard};
use tests::appliance::Appliance;
use tests::pcscd::Pcscd;
use tests::station::{AnyCard, Person, Station};

/// The referendum's ballot style.
pub const STYLE: &str = "style-1";
/// More commands than any admission has.
const MOST_COMMANDS: usize = 60;
/// From one card to the next in one movement of a hand.
pub const HANDS: Duration = Duration::from_millis(700);
/// How long anything may take: it ends a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// The PIN of a My Number card.
const FOUR: PinDigits = PinDigits { fewest: 4, most: 4 };

/// How long the PIN is of a card whose PIN this is: the tests' My Number cards have the only ones of four digits.
pub fn length(pin: &str) -> PinDigits {
    if pin.len() == 4 { FOUR } else { PinDigits::ANY }
}

/// As fast as hands take one card out and put the next one in, and no faster than the daemon sees the empty slot between them.
pub fn hands(pcscd: &Pcscd) {
    std::thread::sleep(HANDS);
    pcscd.emptied().unwrap();
}

/// What happened, and what the panel said.
pub struct Row {
    pub what: &'static str,
    pub says: String,
    pub picture: &'static str,
    pub then: &'static str,
}

/// The kiosk.
pub struct Booth<'p> {
    pub machine: Appliance,
    pub package: Package<'p>,
    /// Where pictures are kept.
    pub pictures: PathBuf,
    pub rows: Vec<Row>,
}

impl<'p> Booth<'p> {
    fn idle_screen(&self) -> Screen<'p> {
        Screen::Idle {
            election: self.package.manifest.name,
            station: self.package.station.name,
        }
    }

    pub fn idle(&mut self) {
        let screen = self.idle_screen();
        self.machine.see(&screen).unwrap();
    }

    pub fn insert(&mut self, card: impl Chip + Send + 'static) -> Inserted {
        self.machine.pcscd.insert(0, card).unwrap()
    }

    /// Takes a card out; the kiosk has seen that it is out when it is idle again.
    pub fn pull(&mut self, held: Inserted) -> AnyCard {
        let card = held.pull().unwrap();
        self.idle();
        card
    }

    /// Waits for a screen and keeps it for the table.
    pub fn note(&mut self, what: &'static str, picture: &'static str, screen: &Screen<'_>, then: &'static str) {
        let took = self.machine.see(screen).unwrap();
        let page = self.machine.mirror.panel.page();
        let says: Vec<String> = page.texts.iter().map(|line| line.text.trim().to_owned()).collect();
        let says = says.join(" ");
        println!("{what}: {says} (after {took:.1?})");
        let file = self.pictures.join(format!("{picture}.png"));
        self.machine.display.picture().unwrap().small().png(&file).unwrap();
        self.rows.push(Row {
            what,
            says,
            picture,
            then,
        });
    }

    pub fn refused(&mut self, what: &'static str, picture: &'static str, why: WrongCard) {
        self.note(what, picture, &Screen::WrongCard { why }, "card out, then idle");
    }

    pub fn pin_screen(digits: u8, tries_left: u8, wrong: bool, length: PinDigits) -> Screen<'static> {
        Screen::Pin {
            digits,
            tries_left,
            wrong,
            who: PinOf::Voter,
            length,
        }
    }

    pub fn type_pin(&mut self, pin: &str, tries_left: u8, wrong: bool) {
        let screen = |digits| Self::pin_screen(digits, tries_left, wrong, length(pin));
        self.machine.see(&screen(0)).unwrap();
        for (typed, digit) in (1..).zip(pin.bytes()) {
            self.machine.send(Touch::Digit(digit - b'0')).unwrap();
            self.machine.see(&screen(typed)).unwrap();
        }
        self.machine.send(Touch::Enter).unwrap();
    }

    pub fn ballot(&self) -> Screen<'p> {
        let form = Form::new(self.package.manifest, 0).unwrap();
        let item = form.contest(0).unwrap();
        Screen::Contest(ContestScreen {
            contest: item.contest,
            order: item.order,
            index: 0,
            count: 1,
            selected: Selected::NONE,
            votes_left: item.contest.votes,
        })
    }

    /// A card comes out at the ballot: the kiosk says that nothing was recorded, and is idle.
    pub fn abandons(&mut self, held: Inserted) -> AnyCard {
        let card = held.pull().unwrap();
        self.machine.see(&Screen::Abandoned).unwrap();
        self.machine.send(Touch::Confirm).unwrap();
        self.idle();
        card
    }

    /// A good card comes as far as the ballot and leaves: nobody has to help. The PIN is asked anew, so nothing of whoever was there before is left.
    pub fn next_voter(&mut self, voter: &mut Person) {
        let held = self.insert(voter.card.take().unwrap());
        self.type_pin(&voter.pin.clone(), 3, false);
        let ballot = self.ballot();
        self.machine.see(&ballot).unwrap();
        voter.card = Some(self.abandons(held));
    }

    /// The whole way, so that this card has voted.
    pub fn votes(&mut self, voter: &mut Person) {
        let held = self.insert(voter.card.take().unwrap());
        self.type_pin(&voter.pin.clone(), 3, false);
        let ballot = self.ballot();
        self.machine.see(&ballot).unwrap();
        self.machine.send(Touch::Next).unwrap();
        let form = Form::new(self.package.manifest, 0).unwrap();
        let review = Review {
            form,
            selected: &[Selected::NONE],
        };
        self.machine.see(&Screen::Review(review)).unwrap();
        self.machine.send(Touch::Confirm).unwrap();
        let sealed = Screen::CastOrChallenge {
            code: &[0; 32],
            challenges_left: 3,
        };
        self.machine.see_buttons(&sealed).unwrap();
        self.machine.send(Touch::Cast).unwrap();
        self.note(
            "the card is left in the slot after the vote",
            "done",
            &Screen::Done,
            "card out, three seconds, then idle",
        );
        voter.card = Some(self.pull(held));
    }

    /// A card that is pulled out after so many commands, at every single one of admission; gives how many there are.
    pub fn pulled_at_every_command(&mut self, pin: &str, card: impl Fn() -> AnyCard) -> usize {
        let pad = Self::pin_screen(0, 3, false, length(pin));
        let ballot = self.ballot();
        // A card that is pulled before its first command is an empty slot.
        let (mut after, mut missed) = (1, 0);
        while after < MOST_COMMANDS {
            // After a failed command the daemon may take the next card for the one before, and not say that it is there: as fast as hands are.
            hands(&self.machine.pcscd);
            let held = self.insert(Misbehaving::new(card(), Fault::RemovedAfter(after)));
            // Either it is gone while it is looked at, or it asks for its PIN.
            match self.comes(&held, &pad) {
                Came::Screen => {
                    self.type_pin(pin, 3, false);
                    if self.comes(&held, &ballot) == Came::Screen {
                        self.abandons(held);
                        return after;
                    }
                    after += 1;
                }
                Came::Nothing => {
                    missed += 1;
                    assert!(
                        missed < 10,
                        "the daemon does not see cards: {}",
                        self.machine.pcscd.log()
                    );
                }
                Came::Gone => after += 1,
            }
            self.pull(held);
        }
        panic!("an admission has more than {MOST_COMMANDS} commands");
    }

    /// Waits until this screen stands there, or the card is gone, or the kiosk has been idle all the while: what a person does then is to take the card
    /// out and to put it in again.
    fn comes(&mut self, held: &Inserted, screen: &Screen<'_>) -> Came {
        let start = Instant::now();
        let idle = self.idle_screen();
        let idle = self.machine.drawn(&idle);
        let wanted = self.machine.drawn(screen);
        let mut only_idle = true;
        loop {
            // In this order: a card that goes while its screen stands there has come as far as the screen.
            let gone = held.is_gone();
            let now = self.machine.display.picture().unwrap();
            if *now == wanted {
                return Came::Screen;
            }
            only_idle &= *now == idle;
            if gone {
                return Came::Gone;
            }
            if only_idle && start.elapsed() > Duration::from_secs(10) {
                return Came::Nothing;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "neither gone nor there: {}",
                self.machine.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What a card that was put in has led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// The screen that was waited for.
    Screen,
    /// The card went first.
    Gone,
    /// Nothing at all.
    Nothing,
}

/// From a machine out of the box to open polls, as two staff members do it.
pub fn open(booth: &mut Booth<'_>, station: &mut Station, folder: &Path) {
    booth.machine.names(&booth.package);
    fs::write(folder.join("exchange/package-1.bin"), &station.package).unwrap();
    booth.machine.switch_on().unwrap();
    let (mut bytes, start) = (None, Instant::now());
    while bytes.is_none() {
        assert!(start.elapsed() < PATIENCE, "{}", booth.machine.said());
        bytes = find(folder, "request-").map(|path| fs::read(path).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    let bytes = bytes.unwrap();
    let request: Registration = wire::decode(&bytes).unwrap();
    let kiosk = kiosk_id(&request.kiosk.0);
    let provision = Screen::Staff(StaffScreen::Provision {
        kiosk: &kiosk,
        software: &request.software,
    });
    booth.machine.see(&provision).unwrap();
    booth.machine.send(Touch::Confirm).unwrap();
    sign(booth, StaffAction::Provision, &mut station.staff);
    booth
        .machine
        .see(&Screen::Fault {
            why: KioskFault::Media(kiosk::ballot_box::MediaFault::Device(
                kiosk::ballot_box::Role::Original,
                kiosk::ports::MediumError::Missing,
            )),
            recorded: None,
        })
        .unwrap();
    let secret = folder.join(format!("exchange/secret-{}.bin", hex::encode(&kiosk[..8])));
    station
        .provision(
            &find(folder, "registration-").unwrap(),
            [&folder.join("original"), &folder.join("duplicate")],
            &secret,
            60,
        )
        .unwrap();
    booth.machine.see_menu(kiosk::screen::Phase::NotOpened).unwrap();
    booth.machine.send(Touch::Staff(StaffTouch::Open)).unwrap();
    let epochs = booth.package.manifest.epochs;
    let choose = Screen::Staff(StaffScreen::ChooseEpoch { epochs, wrong: false });
    booth.machine.see(&choose).unwrap();
    booth.machine.send(Touch::Staff(StaffTouch::Epoch(0))).unwrap();
    let report = Screen::Staff(StaffScreen::ZeroReport(kiosk::screen::ZeroReport {
        election: booth.package.manifest.name,
        station: booth.package.station.name,
        epoch: 0,
        hash: booth.package.election(),
        package: &booth.package.hash,
        software: &request.software,
        kiosk: &kiosk,
        recorded: 0,
        capacity: 60,
        voters: u32::try_from(station.voters.len()).unwrap(),
        key_unprotected: true,
    }));
    booth.machine.see(&report).unwrap();
    booth.machine.send(Touch::Confirm).unwrap();
    sign(booth, StaffAction::Open, &mut station.staff);
}

fn sign(booth: &mut Booth<'_>, action: StaffAction, staff: &mut [Person]) {
    for (number, person) in (1..).zip(staff) {
        booth
            .machine
            .see(&Screen::Staff(StaffScreen::InsertCard { action, number }))
            .unwrap();
        let held = booth.insert(person.card.take().unwrap());
        let pin = |digits| Screen::Pin {
            digits,
            tries_left: 3,
            wrong: false,
            who: PinOf::Staff(number),
            length: PinDigits::ANY,
        };
        booth.machine.see(&pin(0)).unwrap();
        for (typed, digit) in (1..).zip(person.pin.bytes()) {
            booth.machine.send(Touch::Digit(digit - b'0')).unwrap();
            booth.machine.see(&pin(typed)).unwrap();
        }
        booth.machine.send(Touch::Enter).unwrap();
        booth.machine.see(&Screen::Staff(StaffScreen::TakeCard)).unwrap();
        person.card = Some(held.pull().unwrap());
    }
}

fn find(folder: &Path, kind: &str) -> Option<PathBuf> {
    fs::read_dir(folder.join("exchange"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(kind) && name.ends_with(".bin")
        })
}
