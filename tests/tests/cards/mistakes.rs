//! What people do to a card reader, on the appliance's program with the real PC/SC stack: what the panel says, and that the next voter is served
//! without staff. Each picture is the one that the screen's definition wants, pixel by pixel. Two kiosks side by side: one for what is wrong with
//! cards, one for what happens to the reader, because most of a mistake is waiting.
//!
//! `IPPYO_UPDATE_TABLE=1 cargo test --workspace --test cards mistakes` writes the table and its pictures anew (firmware/linux/MISTAKES.md).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use card::CertificateError;
use election::package::Package;
use host_sim::cards::{CardAuthority, Days, Fault, JpkiAuthority, Misbehaving, VirtualJpki, VirtualPiv};
use kiosk::screen::{PinOf, Screen, Touch};
use kiosk::session::{PinDigits, WrongCard};
use tempfile::TempDir;
use tests::appliance::Appliance;
use tests::pcscd::Pcscd;
use tests::station::{Station, days, rng};
use tests::tree;

use super::booth::{Booth, Row, STYLE, hands, open};
use super::odd::{CutCertificate, Never, Slow, TooLong, Transit};

/// Opens a kiosk for `piv` and `jpki` voters in a folder of its own, lets `day` happen at it, ends it, and gives what it noted.
fn kiosk(pictures: &Path, piv: usize, jpki: usize, day: impl FnOnce(&mut Booth<'_>, &mut Station)) -> Vec<Row> {
    let folder = TempDir::new().unwrap();
    for name in ["desk", "cards"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let mut station = Station::new(&folder.path().join("desk"), "tsukuba-2015-referendum", STYLE, piv, jpki).unwrap();
    let bytes = station.package.clone();
    let authority: [u8; 33] = hex::decode(&station.authority).unwrap().try_into().unwrap();
    let pcscd = Pcscd::with_cable(&folder.path().join("cards")).unwrap();
    let mut booth = Booth {
        machine: Appliance::with_reader(folder.path(), &station.authority, None, pcscd).unwrap(),
        package: Package::open(&bytes, &authority).unwrap(),
        pictures: pictures.to_path_buf(),
        rows: Vec::new(),
    };
    open(&mut booth, &mut station, folder.path());
    booth.idle();
    day(&mut booth, &mut station);
    assert_eq!(
        booth.machine.terminate().unwrap().code(),
        Some(0),
        "{}",
        booth.machine.said()
    );
    let log = fs::read_to_string(folder.path().join("kiosk.log")).unwrap();
    assert!(!log.contains("220000") && log.lines().count() < 30, "{log}");
    booth.rows
}

/// Everything that is wrong with a card or its PIN. Needs three voters with PIV cards.
fn cards(booth: &mut Booth<'_>, station: &mut Station) {
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

    let held = booth.insert(Misbehaving::new(again(station), Fault::Endless));
    booth.refused(
        "a card that always has more to say (61xx for ever)",
        "endless",
        WrongCard::Unreadable,
    );
    booth.pull(held);
    booth.next_voter(good);

    let held = booth.insert(TooLong(Box::new(again(station))));
    booth.refused("an answer longer than any may be", "too-long", WrongCard::Unreadable);
    booth.pull(held);
    booth.next_voter(good);

    // A certificate that is cut: its bytes do not parse, after a good PIN.
    let held = booth.insert(CutCertificate(Box::new(again(station))));
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
    let held = booth.insert(again(station));
    booth.type_pin("000000", 3, false);
    booth.note(
        "a wrong PIN",
        "wrong-pin",
        &Booth::pin_screen(0, 2, true, PinDigits::ANY),
        "another try, or card out",
    );
    booth.type_pin("000001", 2, true);
    let last = Screen::LastTry { who: PinOf::Voter };
    booth.note(
        "a second wrong PIN: one try is left",
        "last-try",
        &last,
        "confirm, or card out: nothing is tried unless confirmed",
    );
    let tired = booth.pull(held);
    let held = booth.insert(tired);
    booth.machine.see(&last).unwrap();
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
    let pad = |digits| Booth::pin_screen(digits, 3, false, PinDigits::ANY);
    booth.machine.see(&pad(0)).unwrap();
    booth.machine.send(Touch::Digit(2)).unwrap();
    booth.machine.see(&pad(1)).unwrap();
    good.card = Some(held.pull().unwrap());
    // Faster, the daemon takes both for one card, and the panel says that it cannot be read: out and in again.
    hands(&booth.machine.pcscd);
    let held = booth.insert(second.card.take().unwrap());
    booth.note(
        "two cards in a row: another card while the first one's PIN was being typed",
        "two-cards",
        &pad(0),
        "the second card's PIN, from the first digit",
    );
    second.card = Some(booth.pull(held));

    // Slow.
    let held = booth.insert(Slow {
        chip: Box::new(again(station)),
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
    booth.abandons(held);

    // A card that has voted.
    booth.votes(second);
    let held = booth.insert(second.card.take().unwrap());
    booth.type_pin(&second.pin.clone(), 3, false);
    booth.refused("the same card once more", "voted", WrongCard::Voted);
    booth.pull(held);
    booth.next_voter(good);
}

/// Everything that happens to the reader. Needs a voter with a PIV card and one with a My Number card.
fn readers(booth: &mut Booth<'_>, station: &mut Station) -> [usize; 2] {
    let mut voters = std::mem::take(&mut station.voters);
    let [good, citizen] = voters.as_mut_slice() else {
        panic!("two voters")
    };
    booth.next_voter(good);
    booth.next_voter(citizen);
    let (done, until) = channel();
    let held = booth.insert(Never {
        chip: Box::new(again(station)),
        until,
    });
    booth.refused(
        "a dead card: it gives its name and then never answers",
        "never",
        WrongCard::Mute,
    );
    drop(done);
    booth.pull(held);
    booth.next_voter(good);

    // The reader.
    let gone = Screen::WrongCard {
        why: WrongCard::ReaderGone,
    };
    let comes_and_goes = "comes and goes until the reader is back; then idle";
    booth.machine.pcscd.unplug().unwrap();
    booth.note(
        "the reader is unplugged while the card service runs: its driver says that the device is gone",
        "reader-gone",
        &gone,
        comes_and_goes,
    );
    booth.machine.pcscd.plug().unwrap();
    booth.idle();
    booth.next_voter(good);

    let held = booth.insert(citizen.card.take().unwrap());
    let pad = Booth::pin_screen(0, 3, false, super::booth::length(&citizen.pin));
    booth.machine.see(&pad).unwrap();
    booth.machine.send(Touch::Digit(3)).unwrap();
    booth.machine.pcscd.unplug().unwrap();
    booth.note(
        "the reader is unplugged, with a card in it, while the PIN is being typed",
        "reader-gone-card",
        &gone,
        comes_and_goes,
    );
    citizen.card = Some(held.pull().unwrap());
    booth.machine.pcscd.plug().unwrap();
    booth.idle();
    booth.next_voter(citizen);

    booth.machine.pcscd.without_reader().unwrap();
    booth.note(
        "the card service was started anew, and has no reader",
        "no-reader",
        &gone,
        comes_and_goes,
    );
    booth.machine.pcscd.with_reader().unwrap();
    booth.idle();
    booth.next_voter(good);

    let held = booth.insert(citizen.card.take().unwrap());
    booth.machine.see(&pad).unwrap();
    booth.machine.pcscd.kill().unwrap();
    booth.note(
        "the card service (pcscd) dies while a PIN is being typed",
        "daemon-gone",
        &gone,
        "comes and goes until it is restarted; then idle",
    );
    citizen.card = Some(held.pull().unwrap());
    booth.machine.pcscd.restart().unwrap();
    booth.idle();
    booth.next_voter(good);

    let piv = booth.pulled_at_every_command("220000", || {
        let card: VirtualPiv = station
            .municipality
            .issue_voter("220000", days().unwrap(), &mut rng(1_000))
            .unwrap();
        Box::new(card)
    });
    booth.next_voter(citizen);
    // As the station's cards are issued (tests/src/station.rs).
    let ministry = JpkiAuthority::new("Ippyo tests: ministry", days().unwrap(), &mut rng(2)).unwrap();
    let jpki = booth.pulled_at_every_command("3300", || {
        let card: VirtualJpki = ministry.issue("3300", days().unwrap(), &mut rng(2_000)).unwrap();
        Box::new(card)
    });
    booth.next_voter(good);
    assert!(
        piv > 8 && jpki > 8,
        "an admission has more commands than that: nothing was pulled"
    );
    [piv, jpki]
}

#[test]
fn f8_what_people_do_to_a_card_reader_and_what_the_panel_says() {
    let begun = Instant::now();
    let folder = TempDir::new().unwrap();
    let update = std::env::var_os("IPPYO_UPDATE_TABLE").is_some();
    let room = tree::root().join("firmware/linux");
    let pictures = if update {
        room.join("mistakes")
    } else {
        folder.path().join("mistakes")
    };
    fs::create_dir_all(&pictures).unwrap();
    let mut commands = [0; 2];
    let rows = std::thread::scope(|scope| {
        let one = scope.spawn(|| kiosk(&pictures, 3, 0, cards));
        let two = kiosk(&pictures, 1, 1, |booth, station| commands = readers(booth, station));
        let mut rows = one.join().unwrap();
        rows.extend(two);
        rows
    });
    let seconds = begun.elapsed().as_secs();
    println!("pulled out at each of {commands:?} commands; all of it: {seconds} s");
    if update {
        fs::write(room.join("MISTAKES.md"), table(&rows, commands, seconds)).unwrap();
    } else {
        // Every row of this run stands in the table that people read. The words are the panel's, and change with it.
        let written = fs::read_to_string(room.join("MISTAKES.md")).unwrap();
        for row in &rows {
            assert!(
                written.contains(row.what) && room.join(format!("mistakes/{}.png", row.picture)).is_file(),
                "{}: MISTAKES.md is out of date: IPPYO_UPDATE_TABLE=1",
                row.what
            );
        }
    }
}

fn table(rows: &[Row], [piv, jpki]: [usize; 2], seconds: u64) -> String {
    let mut text = format!(
        "# What people do to a card reader\n\n\
         Made by `IPPYO_UPDATE_TABLE=1 cargo test --workspace --test cards mistakes`: the program `linux` on a display, pcscd and a virtual reader, on two\n\
         kiosks at once. Every picture was compared pixel by pixel with the one the screen's definition wants; after nearly every row the kiosk served a voter\n\
         without staff, with the PIN asked anew. Below \"says\" is what stands there in Japanese; the panel has the other languages.\n\n\
         A PIV card pulled out at each of the {piv} commands of an admission, and a My Number card at each of its {jpki}: idle again, the next card is asked for its\n\
         PIN. The whole list took {seconds} s.\n\n\
         What \"unplugged\" is here: the virtual reader's driver lies behind another one (tests/src/cable.c) that answers, while the cable is out, what a USB\n\
         reader's driver answers when its device has gone (`IFD_NO_SUCH_DEVICE`); the daemon goes on running and tells its clients that the reader cannot be\n\
         used. That udev takes the reader off the daemon's list does not happen here: the row \"started anew\" is a daemon with an empty list.\n\
         A card that gives no answer to reset cannot be put into the virtual reader: the slot on a UART is tested with one (hardware/card/tests/t1.rs), and so\n\
         is what PC/SC says of one (hardware/card/src/pcsc.rs).\n\n\
         | what happens | the panel | says | then |\n|---|---|---|---|\n"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | ![](mistakes/{}.png) | {} | {} |",
            row.what, row.picture, row.says, row.then
        );
    }
    text
}

/// The third voter's card as it was issued.
fn again(station: &Station) -> VirtualPiv {
    station
        .municipality
        .issue_voter("220002", days().unwrap(), &mut rng(1_002))
        .unwrap()
}
