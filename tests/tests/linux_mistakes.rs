//! What people do to a card reader, on the appliance's program with the real PC/SC stack: what the panel says, and that the next voter is served
//! without staff. Each picture is the one that the screen's definition wants, pixel by pixel.
//!
//! `IPPYO_UPDATE_TABLE=1 cargo test -p tests --test linux_mistakes` writes the table and its pictures anew (firmware/linux/MISTAKES.md).

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use card::{CertificateError, TransmitError};
use election::ledger::{Registration, kiosk_id};
use election::package::Package;
use election::wire;
use host_sim::cards::vpcd::Inserted;
use host_sim::cards::{CardAuthority, Chip, Days, Fault, Misbehaving, VirtualPiv};
use kiosk::form::Form;
use kiosk::screen::{
    ContestScreen, Fault as KioskFault, PinOf, Review, Screen, StaffAction, StaffScreen, StaffTouch, Touch,
};
use kiosk::session::{Selected, WrongCard};
use tempfile::TempDir;
use tests::appliance::Appliance;
use tests::station::{AnyCard, Person, Station, days, rng};
use tests::tree;

const STYLE: &str = "style-1";
/// More commands than any admission has.
const MOST_COMMANDS: usize = 40;
/// The virtual reader may miss what follows a pulled card too closely.
const HANDS: Duration = Duration::from_millis(700);

struct Row {
    what: &'static str,
    says: String,
    picture: &'static str,
    then: &'static str,
}

struct Booth<'p> {
    machine: Appliance,
    package: Package<'p>,
    pictures: PathBuf,
    rows: Vec<Row>,
}

impl<'p> Booth<'p> {
    fn idle_screen(&self) -> Screen<'p> {
        Screen::Idle {
            election: self.package.manifest.name,
            station: self.package.station.name,
        }
    }

    fn idle(&mut self) {
        let screen = self.idle_screen();
        self.machine.see(&screen).unwrap();
    }

    fn insert(&mut self, card: impl Chip + Send + 'static) -> Inserted {
        self.machine.pcscd.insert(0, card).unwrap()
    }

    fn pull(&mut self, held: Inserted) -> AnyCard {
        let card = held.pull().unwrap();
        self.idle();
        std::thread::sleep(HANDS);
        card
    }

    /// Waits for a screen and keeps it for the table.
    fn note(&mut self, what: &'static str, picture: &'static str, screen: &Screen<'_>, then: &'static str) {
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

    fn refused(&mut self, what: &'static str, picture: &'static str, why: WrongCard) {
        self.note(what, picture, &Screen::WrongCard { why }, "card out, then idle");
    }

    fn pin_screen(&mut self, digits: u8, tries_left: u8, wrong: bool) {
        let screen = Screen::Pin {
            digits,
            tries_left,
            wrong,
            who: PinOf::Voter,
        };
        self.machine.see(&screen).unwrap();
    }

    fn type_pin(&mut self, pin: &str, tries_left: u8, wrong: bool) {
        self.pin_screen(0, tries_left, wrong);
        for (typed, digit) in (1..).zip(pin.bytes()) {
            self.machine.send(Touch::Digit(digit - b'0')).unwrap();
            self.pin_screen(typed, tries_left, wrong);
        }
        self.machine.send(Touch::Enter).unwrap();
    }

    fn ballot(&self) -> Screen<'p> {
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

    /// A good card comes as far as the ballot and leaves: nobody has to help. The PIN is asked anew, so nothing of whoever was there before is left.
    fn next_voter(&mut self, voter: &mut Person) {
        let held = self.insert(voter.card.take().unwrap());
        self.type_pin(&voter.pin.clone(), 3, false);
        let ballot = self.ballot();
        self.machine.see(&ballot).unwrap();
        voter.card = Some(held.pull().unwrap());
        self.machine.see(&Screen::Abandoned).unwrap();
        self.machine.send(Touch::Confirm).unwrap();
        self.idle();
        std::thread::sleep(HANDS);
    }

    /// The whole way, so that this card has voted.
    fn votes(&mut self, voter: &mut Person) {
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
        let card = held.pull().unwrap();
        self.idle();
        std::thread::sleep(HANDS);
        voter.card = Some(card);
    }

    /// A card that is pulled out after so many commands, at every single one of admission; gives how many there are.
    fn pulled_at_every_command(&mut self, voter: &mut Person, station: &Station) -> usize {
        let pin_screen = Screen::Pin {
            digits: 0,
            tries_left: 3,
            wrong: false,
            who: PinOf::Voter,
        };
        let ballot = self.ballot();
        // A card that is pulled before its first command is an empty slot.
        for after in 1..MOST_COMMANDS {
            let held = self.insert(Misbehaving::new(again(station), Fault::RemovedAfter(after)));
            let start = Instant::now();
            // Either it is gone while it is looked at, or it asks for its PIN.
            let asked = loop {
                if held.is_gone() {
                    break false;
                }
                if self.machine.stands(&pin_screen).unwrap() {
                    break true;
                }
                assert!(
                    start.elapsed() < Duration::from_secs(60),
                    "neither gone nor asked after {after} commands"
                );
                std::thread::sleep(Duration::from_millis(10));
            };
            if asked {
                self.type_pin(&voter.pin.clone(), 3, false);
                let start = Instant::now();
                let admitted = loop {
                    if held.is_gone() {
                        break false;
                    }
                    if self.machine.stands(&ballot).unwrap() {
                        break true;
                    }
                    assert!(start.elapsed() < Duration::from_secs(60), "neither gone nor admitted");
                    std::thread::sleep(Duration::from_millis(10));
                };
                if admitted {
                    let _ = held.pull();
                    self.machine.see(&Screen::Abandoned).unwrap();
                    self.machine.send(Touch::Confirm).unwrap();
                    self.idle();
                    std::thread::sleep(HANDS);
                    return after;
                }
            }
            let _ = held.pull();
            self.idle();
            std::thread::sleep(HANDS);
        }
        panic!("an admission has more than {MOST_COMMANDS} commands");
    }

    fn table(&self, commands: usize, seconds: u64) -> String {
        let mut text = format!(
            "# What people do to a card reader\n\n\
             Made by `IPPYO_UPDATE_TABLE=1 cargo test -p tests --test linux_mistakes`: the program `linux` on a display, pcscd and a virtual reader. Every picture was\n\
             compared pixel by pixel with the one the screen's definition wants; after each row the kiosk served a voter without staff, with the PIN asked anew.\n\
             Below \"says\" is what stands there in Japanese; the panel has the other languages.\n\n\
             A card pulled out at each of the {commands} commands of an admission: idle again, the next card is asked for its PIN. The whole list took {seconds} s.\n\n\
             | what happens | the panel | says | then |\n|---|---|---|---|\n"
        );
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| {} | ![](mistakes/{}.png) | {} | {} |",
                row.what, row.picture, row.says, row.then
            );
        }
        text
    }
}

/// A transit card: answers, and has none of our applications.
struct Transit;

impl Chip for Transit {
    fn reset(&mut self) {}

    fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
        Ok(vec![0x6A, 0x82])
    }

    fn atr(&self) -> &[u8] {
        // FeliCa, as PC/SC part 3 writes contactless storage cards.
        &[
            0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06, 0x11, 0x00, 0x3B, 0x00, 0x00, 0x00,
            0x00, 0x42,
        ]
    }
}

/// Takes its time for every answer.
struct Slow {
    chip: AnyCard,
    wait: Duration,
}

impl Chip for Slow {
    fn reset(&mut self) {
        self.chip.reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        std::thread::sleep(self.wait);
        self.chip.apdu(command)
    }

    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }
}

/// Answers more than an answer may be.
struct TooLong(AnyCard);

impl Chip for TooLong {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
        Ok([vec![0x53; 400], vec![0x90, 0x00]].concat())
    }

    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
}

fn open<'p>(booth: &mut Booth<'p>, station: &mut Station, folder: &std::path::Path) {
    fs::write(folder.join("exchange/package-1.bin"), &station.package).unwrap();
    booth.machine.switch_on().unwrap();
    let (mut bytes, start) = (None, Instant::now());
    while bytes.is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", booth.machine.said());
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
    let health = kiosk::screen::Health {
        counts: None,
        free: 0,
        free_spoiled: 0,
        room: kiosk::screen::Room::Enough,
        unsent: 0,
        online: None,
        height: 0,
        seconds: 0,
    };
    booth
        .machine
        .see_buttons(&Screen::Staff(StaffScreen::Menu {
            phase: kiosk::screen::Phase::NotOpened,
            health,
        }))
        .unwrap();
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
        voters: 3,
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

fn find(folder: &std::path::Path, kind: &str) -> Option<PathBuf> {
    fs::read_dir(folder.join("exchange"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(kind) && name.ends_with(".bin")
        })
}

#[test]
fn f8_what_people_do_to_a_card_reader_and_what_the_panel_says() {
    let begun = Instant::now();
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("desk")).unwrap();
    let mut station = Station::new(&folder.path().join("desk"), "tsukuba-2015-referendum", STYLE, 3, 0).unwrap();
    let bytes = station.package.clone();
    let authority: [u8; 33] = hex::decode(&station.authority).unwrap().try_into().unwrap();
    let update = std::env::var_os("IPPYO_UPDATE_TABLE").is_some();
    let room = tree::root().join("firmware/linux");
    let pictures = if update {
        room.join("mistakes")
    } else {
        folder.path().join("mistakes")
    };
    fs::create_dir_all(&pictures).unwrap();
    let mut booth = Booth {
        machine: Appliance::new(folder.path(), &station.authority, None).unwrap(),
        package: Package::open(&bytes, &authority).unwrap(),
        pictures,
        rows: Vec::new(),
    };
    open(&mut booth, &mut station, folder.path());
    booth.idle();
    let mut voters = std::mem::take(&mut station.voters);
    let [good, second, third] = voters.as_mut_slice() else {
        panic!("three voters")
    };
    booth.next_voter(good);

    // The card itself.
    let held = booth.insert(Transit);
    booth.refused("a transit card", "transit", WrongCard::Unsuitable);
    booth.pull(held);
    booth.next_voter(good);

    let held = booth.insert(Misbehaving::new(again(&station), Fault::Endless));
    booth.refused(
        "a card that always has more to say (61xx for ever)",
        "endless",
        WrongCard::Unreadable,
    );
    booth.pull(held);
    booth.next_voter(good);

    let held = booth.insert(TooLong(Box::new(again(&station))));
    booth.refused("an answer longer than any may be", "too-long", WrongCard::Unreadable);
    booth.pull(held);
    booth.next_voter(good);

    // A certificate that is cut: its bytes do not parse, after a good PIN.
    let held = booth.insert(CutCertificate(Box::new(again(&station))));
    booth.type_pin(&third.pin.clone(), 3, false);
    booth.refused(
        "a certificate whose bytes are no certificate",
        "malformed",
        WrongCard::Certificate(CertificateError::Malformed),
    );
    booth.pull(held);
    booth.next_voter(good);

    let old = Days::new(20_000_101, 20_001_231).unwrap();
    let expired = station.municipality.issue_voter("440001", old, &mut rng(44)).unwrap();
    let held = booth.insert(expired);
    booth.type_pin("440001", 3, false);
    booth.refused(
        "a card that has run out",
        "expired",
        WrongCard::Certificate(CertificateError::Expired),
    );
    booth.pull(held);

    let other = CardAuthority::new("somebody else", days().unwrap(), &mut rng(45)).unwrap();
    let foreign = other.issue_voter("440002", days().unwrap(), &mut rng(46)).unwrap();
    let held = booth.insert(foreign);
    booth.type_pin("440002", 3, false);
    booth.refused(
        "a card of another issuer",
        "foreign",
        WrongCard::Certificate(CertificateError::UnknownIssuer),
    );
    booth.pull(held);

    let stranger = station
        .municipality
        .issue_voter("440003", days().unwrap(), &mut rng(47))
        .unwrap();
    let held = booth.insert(stranger);
    booth.type_pin("440003", 3, false);
    booth.refused(
        "a card that is not on this station's roll",
        "not-on-roll",
        WrongCard::NotOnRoll,
    );
    booth.pull(held);

    // The PIN.
    let held = booth.insert(again(&station));
    booth.type_pin("000000", 3, false);
    booth.pin_screen(0, 2, true);
    booth.note(
        "a wrong PIN",
        "wrong-pin",
        &Screen::Pin {
            digits: 0,
            tries_left: 2,
            wrong: true,
            who: PinOf::Voter,
        },
        "another try, or card out",
    );
    booth.type_pin("000001", 2, true);
    booth.note(
        "a second wrong PIN: one try is left",
        "last-try",
        &Screen::LastTry { who: PinOf::Voter },
        "confirm, or card out: nothing is tried unless confirmed",
    );
    let tired = booth.pull(held);
    let held = booth.insert(tired);
    booth.machine.see(&Screen::LastTry { who: PinOf::Voter }).unwrap();
    booth.machine.send(Touch::Confirm).unwrap();
    booth.type_pin("000002", 1, false);
    booth.refused(
        "the last try was wrong too: the card is locked",
        "blocked",
        WrongCard::Blocked,
    );
    booth.pull(held);
    booth.next_voter(good);

    // Two cards in a row, the first pulled with digits typed.
    let held = booth.insert(good.card.take().unwrap());
    booth.pin_screen(0, 3, false);
    booth.machine.send(Touch::Digit(2)).unwrap();
    booth.pin_screen(1, 3, false);
    good.card = Some(held.pull().unwrap());
    // As fast as hands are. Faster, the daemon takes both for one card, and the panel says that it cannot be read: out and in again.
    std::thread::sleep(HANDS);
    let held = booth.insert(second.card.take().unwrap());
    booth.note(
        "two cards in a row: another card while the first one's PIN was being typed",
        "two-cards",
        &Screen::Pin {
            digits: 0,
            tries_left: 3,
            wrong: false,
            who: PinOf::Voter,
        },
        "the second card's PIN, from the first digit",
    );
    second.card = Some(booth.pull(held));

    // Slow.
    let held = booth.insert(Slow {
        chip: Box::new(again(&station)),
        wait: Duration::from_millis(400),
    });
    booth.type_pin(&third.pin.clone(), 3, false);
    booth.note(
        "a card that takes its time (0.4 s an answer)",
        "slow",
        &Screen::Admitting,
        "the ballot, when it has answered",
    );
    let ballot = booth.ballot();
    booth.machine.see(&ballot).unwrap();
    let _ = held.pull();
    booth.machine.see(&Screen::Abandoned).unwrap();
    booth.machine.send(Touch::Confirm).unwrap();
    booth.idle();
    std::thread::sleep(HANDS);
    let held = booth.insert(Slow {
        chip: Box::new(again(&station)),
        wait: Duration::from_secs(25),
    });
    booth.refused(
        "a dead card: it gives its name and then never answers",
        "never",
        WrongCard::Mute,
    );
    booth.pull(held);
    booth.next_voter(good);

    // The reader.
    booth.machine.pcscd.unplug().unwrap();
    booth.note(
        "the reader is unplugged",
        "reader-gone",
        &Screen::WrongCard {
            why: WrongCard::ReaderGone,
        },
        "comes and goes until the reader is back; then idle",
    );
    booth.machine.pcscd.plug().unwrap();
    booth.idle();
    std::thread::sleep(HANDS);
    booth.next_voter(good);
    let held = booth.insert(second.card.take().unwrap());
    booth.pin_screen(0, 3, false);
    booth.machine.pcscd.kill().unwrap();
    booth.note(
        "the card service (pcscd) dies while a PIN is being typed",
        "daemon-gone",
        &Screen::WrongCard {
            why: WrongCard::ReaderGone,
        },
        "comes and goes until it is restarted; then idle",
    );
    second.card = Some(held.pull().unwrap());
    booth.machine.pcscd.restart().unwrap();
    booth.idle();
    std::thread::sleep(HANDS);
    booth.next_voter(good);

    // A card that has voted.
    booth.votes(second);
    let held = booth.insert(second.card.take().unwrap());
    booth.type_pin(&second.pin.clone(), 3, false);
    booth.refused("the same card once more", "voted", WrongCard::Voted);
    booth.pull(held);

    let commands = booth.pulled_at_every_command(third, &station);
    println!("pulled out at each of {commands} commands");
    assert!(
        commands > 8,
        "an admission has more commands than that: nothing was pulled"
    );
    booth.next_voter(good);

    assert_eq!(
        booth.machine.terminate().unwrap().code(),
        Some(0),
        "{}",
        booth.machine.said()
    );
    let log = fs::read_to_string(folder.path().join("kiosk.log")).unwrap();
    assert!(!log.contains("220000") && log.lines().count() < 30, "{log}");
    let table = booth.table(commands, begun.elapsed().as_secs());
    if update {
        fs::write(room.join("MISTAKES.md"), table).unwrap();
    } else {
        // Every row of this run stands in the table that people read. The words are the panel's, and change with it.
        let written = fs::read_to_string(room.join("MISTAKES.md")).unwrap();
        for row in &booth.rows {
            assert!(
                written.contains(row.what) && room.join(format!("mistakes/{}.png", row.picture)).is_file(),
                "{}: MISTAKES.md is out of date: IPPYO_UPDATE_TABLE=1",
                row.what
            );
        }
    }
    println!("all of it: {:.0?}", begun.elapsed());
}

/// The third voter's card as it was issued.
fn again(station: &Station) -> VirtualPiv {
    station
        .municipality
        .issue_voter("220002", days().unwrap(), &mut rng(1_002))
        .unwrap()
}

/// Shows a certificate whose bytes are none.
struct CutCertificate(AnyCard);

impl Chip for CutCertificate {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        if matches!(command, [0x00, 0xCB, ..]) {
            // 53 { 70 { 04 03 "no!" } }
            return Ok(vec![0x53, 0x07, 0x70, 0x05, 0x04, 0x03, b'n', b'o', b'!', 0x90, 0x00]);
        }
        self.0.apdu(command)
    }

    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
}
