//! The whole appliance on this machine: the program `linux` on a display of its own, a PC/SC daemon of its own with virtual cards, folders as media, a chain behind
//! its gateway on TCP. People are fingers on pixels and cards in a reader; the desk is the program `staff`; both verifiers judge the record.
//!
//! 20 voters, half with municipal cards, half with My Number cards; one types a wrong PIN, one challenges, one pulls the card and comes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use election::ledger::{Registration, kiosk_id};
use election::package::Package;
use election::wire;
use election::words::ClosingWords;
use kiosk::ballot_box::{Counts, MediaFault, Role};
use kiosk::form::Form;
use kiosk::ports::MediumError;
use kiosk::screen::{
    ClosedScreen, ContestScreen, Fault, OpeningScreen, Phase, PinOf, Review, Screen, StaffAction, StaffScreen,
    StaffTouch, Touch, ZeroReport,
};
use kiosk::session::Selected;
use panel::scene::Act;
use serde_json::json;
use staff::verify::Options;
use tempfile::TempDir;
use tests::appliance::Appliance;
use tests::station::{AnyCard, Person, Station};
use tests::verifiers::{verify_py, verify_staff};

use super::booth::{PATIENCE, STYLE, length};

const PIV: usize = 10;
const JPKI: usize = 10;

/// What a voter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Votes,
    WrongPin,
    Challenges,
    PullsTheCard,
}

struct Day<'p> {
    machine: Appliance,
    package: Package<'p>,
    admissions: Vec<(usize, Duration)>,
    durable: Vec<Duration>,
}

impl<'p> Day<'p> {
    fn insert(&mut self, person: &mut Person) -> host_sim::cards::vpcd::Inserted {
        self.machine.pcscd.insert(0, person.card.take().unwrap()).unwrap()
    }

    fn type_pin(&mut self, pin: &str, tries_left: u8, wrong: bool, who: PinOf) {
        let screen = |digits| Screen::Pin {
            digits,
            tries_left,
            wrong,
            who,
            length: length(pin),
        };
        self.machine.see(&screen(0)).unwrap();
        for (typed, digit) in (1..).zip(pin.bytes()) {
            self.machine.send(Touch::Digit(digit - b'0')).unwrap();
            self.machine.see(&screen(typed)).unwrap();
        }
    }

    /// Two people with their cards.
    fn sign(&mut self, action: StaffAction, staff: &mut [Person], numbers: std::ops::RangeInclusive<u8>) {
        for number in numbers {
            let insert = Screen::Staff(StaffScreen::InsertCard { action, number });
            self.machine.see(&insert).unwrap();
            let person = &mut staff[usize::from(number) - 1];
            let held = self.insert(person);
            self.type_pin(&person.pin.clone(), 3, false, PinOf::Staff(number));
            self.machine.send(Touch::Enter).unwrap();
            self.machine.see(&Screen::Staff(StaffScreen::TakeCard)).unwrap();
            person.card = Some(held.pull().unwrap());
        }
    }

    fn idle(&mut self) {
        let screen = Screen::Idle {
            election: self.package.manifest.name,
            station: self.package.station.name,
        };
        self.machine.see(&screen).unwrap();
    }

    fn contest(&self, form: &Form<'p>, selected: Selected) -> ContestScreen<'p> {
        let item = form.contest(0).unwrap();
        ContestScreen {
            contest: item.contest,
            order: item.order,
            index: 0,
            count: 1,
            selected,
            votes_left: item.contest.votes - selected.count(),
        }
    }

    /// From the first contest to the question whether to cast; the choice is `option`.
    fn mark(&mut self, form: &Form<'p>, option: u8) {
        let ballot = Screen::Contest(self.contest(form, Selected::NONE));
        self.machine.see(&ballot).unwrap();
        self.machine.send_measured(Touch::Option(option)).unwrap();
        let chosen = Selected::NONE.toggled(option);
        let marked = Screen::Contest(self.contest(form, chosen));
        self.machine.see(&marked).unwrap();
        self.machine.send(Touch::Next).unwrap();
        let review = Review {
            form: *form,
            selected: &[chosen],
        };
        self.machine.see(&Screen::Review(review)).unwrap();
        self.machine.send(Touch::Confirm).unwrap();
    }

    /// A voter from the door to the door.
    fn vote(&mut self, number: usize, person: &mut Person, option: u8, habit: Habit) {
        self.idle();
        let form = Form::new(self.package.manifest, 0).unwrap();
        let held = self.insert(person);
        let pin = person.pin.clone();
        if habit == Habit::WrongPin {
            let wrong: String = pin
                .chars()
                .rev()
                .map(|digit| if digit == '9' { '8' } else { '9' })
                .collect();
            self.type_pin(&wrong, 3, false, PinOf::Voter);
            self.machine.send(Touch::Enter).unwrap();
            self.type_pin(&pin, 2, true, PinOf::Voter);
        } else {
            self.type_pin(&pin, 3, false, PinOf::Voter);
        }
        self.machine.send(Touch::Enter).unwrap();
        let start = Instant::now();
        let ballot = Screen::Contest(self.contest(&form, Selected::NONE));
        self.machine.see(&ballot).unwrap();
        self.admissions.push((number, start.elapsed()));
        if habit == Habit::PullsTheCard {
            self.machine.send(Touch::Option(option)).unwrap();
            person.card = Some(held.pull().unwrap());
            self.machine.see(&Screen::Abandoned).unwrap();
            self.machine.send(Touch::Confirm).unwrap();
            self.vote(number, person, option, Habit::Votes);
            return;
        }
        self.mark(&form, option);
        // The code is the kiosk's secret until it stands there.
        let sealed = |challenges_left| Screen::CastOrChallenge {
            code: &[0; 32],
            challenges_left,
        };
        self.machine.see_buttons(&sealed(3)).unwrap();
        if habit == Habit::Challenges {
            self.machine.send(Touch::Challenge).unwrap();
            let screen = self.contest(&form, Selected::NONE.toggled(option));
            let opening = OpeningScreen {
                contest: screen.contest,
                index: 0,
                count: 1,
                selected: screen.selected,
                code: &[0; 32],
                payload: &[0; 120],
            };
            self.machine.see_buttons(&Screen::Opening(opening)).unwrap();
            self.machine.send(Touch::Next).unwrap();
            self.mark(&form, option);
            self.machine.see_buttons(&sealed(2)).unwrap();
        }
        self.machine.send(Touch::Cast).unwrap();
        let start = Instant::now();
        self.machine.see(&Screen::Done).unwrap();
        self.durable.push(start.elapsed());
        person.card = Some(held.pull().unwrap());
    }
}

/// The file of this kind that the kiosk has put into the exchange folder.
fn exchanged(folder: &Path, kind: &str) -> PathBuf {
    let start = Instant::now();
    loop {
        let found = fs::read_dir(folder.join("exchange"))
            .unwrap()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(kind))
            });
        if let Some(path) = found.filter(|path| path.extension().is_some_and(|end| end == "bin")) {
            return path;
        }
        assert!(start.elapsed() < PATIENCE, "no {kind} on the exchange folder");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn the_box(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

fn milliseconds(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    format!(
        "{} times, median {:.0} ms, longest {:.0} ms",
        times.len(),
        at(50),
        at(100)
    )
}

#[test]
fn a4_a9_a11_f5_an_election_on_the_appliance_with_both_kinds_of_cards() {
    let begun = Instant::now();
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("desk")).unwrap();
    let mut station = Station::new(&folder.path().join("desk"), "tsukuba-2015-referendum", STYLE, PIV, JPKI).unwrap();
    let bytes = station.package.clone();
    let authority: [u8; 33] = hex::decode(&station.authority).unwrap().try_into().unwrap();
    let machine = Appliance::new(folder.path(), &station.authority, Some(&station.gateway())).unwrap();
    let mut day = Day {
        machine,
        package: Package::open(&bytes, &authority).unwrap(),
        admissions: Vec::new(),
        durable: Vec::new(),
    };
    day.machine.names(&day.package);
    println!("set up after {:.0?}", begun.elapsed());
    let [exchange, original, duplicate] = ["exchange", "original", "duplicate"].map(|name| folder.path().join(name));

    // Provisioning: package in, registration out, media and secret in.
    fs::write(exchange.join("package-1.bin"), &bytes).unwrap();
    day.machine.switch_on().unwrap();
    let request: Registration = {
        let file = exchanged(folder.path(), "request-");
        let bytes: &'static [u8] = fs::read(file).unwrap().leak();
        wire::decode(bytes).unwrap()
    };
    let kiosk = kiosk_id(&request.kiosk.0);
    let provision = Screen::Staff(StaffScreen::Provision {
        kiosk: &kiosk,
        software: &request.software,
    });
    day.machine.see(&provision).unwrap();
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Provision, &mut station.staff, 1..=2);
    let missing = Fault::Media(MediaFault::Device(Role::Original, MediumError::Missing));
    day.machine
        .see(&Screen::Fault {
            why: missing,
            recorded: None,
        })
        .unwrap();
    let secret = exchange.join(format!("secret-{}.bin", hex::encode(&kiosk[..8])));
    station
        .provision(
            &exchanged(folder.path(), "registration-"),
            [&original, &duplicate],
            &secret,
            40,
        )
        .unwrap();
    println!("provisioned after {:.0?}", begun.elapsed());

    // Opening.
    day.machine.see_menu(Phase::NotOpened).unwrap();
    assert!(!secret.exists(), "the sealed secret is kept in one place only");
    day.machine.send(Touch::Staff(StaffTouch::Open)).unwrap();
    let epochs = day.package.manifest.epochs;
    day.machine
        .see(&Screen::Staff(StaffScreen::ChooseEpoch { epochs, wrong: false }))
        .unwrap();
    day.machine.send(Touch::Staff(StaffTouch::Epoch(0))).unwrap();
    let report = ZeroReport {
        election: day.package.manifest.name,
        station: day.package.station.name,
        epoch: 0,
        hash: &day.package.election().clone(),
        package: &day.package.hash.clone(),
        software: &request.software,
        kiosk: &kiosk,
        recorded: 0,
        capacity: 40,
        voters: (PIV + JPKI) as u32,
        key_unprotected: true,
    };
    day.machine
        .see(&Screen::Staff(StaffScreen::ZeroReport(report)))
        .unwrap();
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Open, &mut station.staff, 1..=2);

    // Voting.
    let mut totals = [0_u32; 2];
    let mut voters = std::mem::take(&mut station.voters);
    for (number, voter) in voters.iter_mut().enumerate() {
        let option = u8::from(number % 3 == 0);
        let habit = match number {
            3 => Habit::WrongPin,
            5 | 14 => Habit::Challenges,
            7 | 12 => Habit::PullsTheCard,
            11 => Habit::WrongPin,
            _ => Habit::Votes,
        };
        day.vote(number, voter, option, habit);
        totals[usize::from(option)] += 1;
    }
    println!("voted after {:.0?}", begun.elapsed());

    // Closing.
    day.idle();
    day.machine.tap(Act::Hold(Touch::Staff(StaffTouch::Menu))).unwrap();
    day.machine.see_menu(Phase::Open).unwrap();
    day.machine.send(Touch::Staff(StaffTouch::Close)).unwrap();
    day.sign(StaffAction::Close, &mut station.staff, 1..=1);
    let counts = Counts {
        admitted: 22,
        recorded: 20,
        abandoned: 2,
        interrupted: 0,
        spoiled: 2,
        void: 0,
    };
    day.machine
        .see(&Screen::Staff(StaffScreen::ConfirmClose { counts, few: None }))
        .unwrap();
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Close, &mut station.staff, 2..=2);
    let hash = closing_hash(&the_box(&original));
    let mut words = [""; election::words::WORDS];
    for (place, word) in words.iter_mut().zip(ClosingWords::of(&hash).words()) {
        *place = word;
    }
    // With a network the outbox empties by itself: in the end nothing is unsent.
    let closed = ClosedScreen {
        hash: &hash,
        words: &words,
        counts,
        void: 0,
        lost: None,
        unsent: 0,
        retire: true,
    };
    day.machine.see(&Screen::Staff(StaffScreen::Closed(closed))).unwrap();
    day.machine.send(Touch::Confirm).unwrap();
    assert_eq!(day.machine.ended().unwrap().code(), Some(0));
    assert!(!folder.path().join("state/secret").exists(), "E goes with the closing");
    assert!(day.machine.said().contains("closed: "), "{}", day.machine.said());

    // Counting, and both verifiers.
    let closing = format!("{}={}", hex::encode(&kiosk[..4]), words.join(" "));
    let record = folder.path().join("record");
    let tallied = station
        .tally([&the_box(&original), &the_box(&duplicate)], &closing, &record)
        .unwrap();
    assert_eq!(tallied["report"]["ballots"]["counted"], 20);
    let ours = verify_staff(&record, &Options::default()).unwrap().summary().unwrap();
    let theirs = verify_py::<&str>(&record, &[]).unwrap().summary().unwrap();
    for (who, found) in [("staff verify", &ours), ("verify.py", &theirs)] {
        assert_eq!(found["counted"], json!(20), "{who}");
        assert_eq!(found["spoiled"], json!(2), "{who}");
        assert_eq!(found["totals"], ours["totals"], "{who}");
    }
    let counted: Vec<u64> = ours["totals"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|contest| {
            contest
                .as_object()
                .unwrap()
                .values()
                .map(|votes| votes.as_u64().unwrap())
        })
        .collect();
    let mut wanted: Vec<u64> = totals.iter().map(|votes| u64::from(*votes)).collect();
    let mut found = counted.clone();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted, "{}", ours["totals"]);

    let kind = |jpki: bool| {
        day.admissions
            .iter()
            .filter(|(number, _)| (*number >= PIV) == jpki)
            .map(|(_, time)| *time)
            .collect::<Vec<_>>()
    };
    println!("counted and verified after {:.0?}: {}", begun.elapsed(), ours["totals"]);
    println!(
        "admission, from enter to the ballot's picture, PIV: {}",
        milliseconds(kind(false))
    );
    println!(
        "admission, from enter to the ballot's picture, My Number: {}",
        milliseconds(kind(true))
    );
    println!(
        "from cast to the picture of done: {}",
        milliseconds(day.durable.clone())
    );
    println!(
        "from a finger to a changed picture: {}",
        milliseconds(day.machine.reactions.clone())
    );
    let _: Vec<Option<AnyCard>> = voters.into_iter().map(|voter| voter.card).collect();
}

/// What witnesses will write down, from the medium itself; waits for it, because it is written while the last card is still in.
fn closing_hash(medium: &Path) -> [u8; 32] {
    let start = Instant::now();
    loop {
        // The kiosk has it for itself.
        let copy = medium.parent().unwrap().with_extension("copy");
        fs::copy(medium, &copy).unwrap();
        let file = media::FileMedium::open_read_only(&copy).unwrap();
        let content = staff::medium::read(file, "original", &staff::progress::silent).unwrap();
        fs::remove_file(&copy).unwrap();
        if let Some(closing) = content.closing().unwrap() {
            return closing.hash;
        }
        assert!(start.elapsed() < PATIENCE, "the kiosk does not close");
        std::thread::sleep(Duration::from_millis(200));
    }
}
