//! Conversations of kiosk and updater.

use std::io::Read as _;

use election::hash::Digest;
use election::ledger::StaffSignature;
use election::package::Package;
use election::update::MAX_FILE;
use election::wire;
use kiosk::identity::Accepted;
use kiosk::update::{Ask, Offer, Refused, Said};

use super::super::client::Client;
use super::super::entries::{self, Entry};
use super::super::install::Part;
use super::super::offer::{FOLDER, SIGNED};
use super::super::program::Patient;
use super::super::server::{self, End};
use super::super::trial::Trial;
use super::built::Built;
use super::machine::{Machine, offer, written};
use super::package;

#[test]
fn an_update_goes_from_the_drive_to_the_disk_with_two_cards_and_is_started_only_after_the_switch() {
    let machine = Machine::new();
    let new = Built::new(7, 900_000);
    new.put(&machine.about().exchange, &machine.authority);
    let old_name = machine.names();
    let (percents, end) = machine.talk(|client| {
        let offer = offer(client);
        assert_eq!((offer.version, offer.running, offer.software), (7, 6, new.image.root));
        let percents = written(client, machine.approve(&offer, [0, 1])).unwrap();
        assert_eq!(machine.programs(), old_name, "it is no program yet");
        assert_eq!(client.ask(Ask::Switch), Ok(Said::Switched));
        assert_eq!(client.ask(Ask::Restart), Ok(Said::Switched));
        percents
    });
    assert_eq!(end, End::Restart);
    assert!(percents.is_sorted() && percents.first() == Some(&0) && percents.last() == Some(&100));
    let mut wanted = [old_name[0].clone(), entries::fresh(&new.image.root)];
    wanted.sort();
    assert_eq!(machine.programs(), wanted);
    let program = machine
        .folder
        .path()
        .join("starting/EFI/Linux")
        .join(entries::fresh(&new.image.root));
    assert_eq!(std::fs::read(program).unwrap(), new.efi);
    for (file, bytes) in [("root", &new.root), ("tree", &new.tree)] {
        assert!(
            std::fs::read(machine.folder.path().join(file))
                .unwrap()
                .starts_with(bytes),
            "{file}"
        );
    }
}

#[test]
fn a7_nothing_is_written_without_two_different_staff_cards_over_this_offer_at_this_time() {
    let machine = Machine::new();
    let new = Built::new(7, 5000);
    new.put(&machine.about().exchange, &machine.authority);
    let before = machine.names();
    let refused = |approve: &dyn Fn(&Offer) -> [StaffSignature; 2]| {
        let (said, end) = machine.talk(|client| {
            let offer = offer(client);
            written(client, approve(&offer))
        });
        assert_eq!(end, End::Gone);
        assert_eq!(machine.names(), before);
        assert!(
            std::fs::read(machine.folder.path().join("root"))
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
        said.unwrap_err()
    };
    // One card twice; a card that is not staff's; one without the right; another nonce, image or running software.
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 0])), Refused::Approval);
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 3])), Refused::Approval);
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 2])), Refused::Approval);
    for change in [
        |offer: &mut Offer| offer.nonce[0] ^= 1,
        |offer: &mut Offer| offer.image[0] ^= 1,
    ] {
        let why = refused(&|offer| {
            let mut other = *offer;
            change(&mut other);
            machine.approve(&other, [0, 1])
        });
        assert_eq!(why, Refused::Approval);
    }
    let why = refused(&|offer| {
        let [mut one, two] = machine.approve(offer, [0, 1]);
        one.signature.0[5] ^= 1;
        [one, two]
    });
    assert_eq!(why, Refused::Approval);
    // No package, or one of another authority: nobody knows whose cards these are.
    let package = machine.folder.path().join("state/package");
    let bytes = std::fs::read(&package).unwrap();
    std::fs::remove_file(&package).unwrap();
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 1])), Refused::Approval);
    std::fs::write(&package, [&bytes[..bytes.len() - 1], &[0]].concat()).unwrap();
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 1])), Refused::Approval);
}

#[test]
fn what_is_on_the_drive_is_refused_with_the_reason_before_anybody_shows_a_card() {
    let machine = Machine::new();
    let exchange = machine.about().exchange;
    let look = || machine.talk(|client| client.ask(Ask::Look).unwrap_err()).0;
    assert_eq!(look(), Refused::NoDrive);
    Built::new(7, 5000).put(&exchange, &machine.cards[0]);
    assert_eq!(look(), Refused::Unsigned);
    for version in [5, 6] {
        Built::new(version, 5000).put(&exchange, &machine.authority);
        assert_eq!(look(), Refused::Older);
    }
    Built::new(7, (1 << 20) + 1).put(&exchange, &machine.authority);
    assert_eq!(look(), Refused::TooLarge);
    let new = Built::new(7, 5000);
    new.put(&exchange, &machine.authority);
    std::fs::write(exchange.join(FOLDER).join(Part::Tree.file()), b"short").unwrap();
    assert_eq!(look(), Refused::Changed);
    std::fs::remove_file(exchange.join(FOLDER).join(Part::Tree.file())).unwrap();
    assert_eq!(look(), Refused::Changed);
    std::fs::write(exchange.join(FOLDER).join(SIGNED), [0; MAX_FILE + 1]).unwrap();
    assert_eq!(look(), Refused::Unsigned);
}

/// An attempt up to the end of writing, and from there to the switch.
fn attempt(machine: &Machine, between: impl FnOnce()) -> Result<(), Refused> {
    let talk = |client: &mut Client| {
        let offer = offer(client);
        written(client, machine.approve(&offer, [0, 1]))?;
        between();
        client.ask(Ask::Switch).map(|_| ())
    };
    machine.talk(talk).0
}

#[test]
fn f6_an_open_election_is_not_updated_whosever_it_is_nor_one_that_cannot_be_seen() {
    let machine = Machine::new();
    let about = machine.about();
    Built::new(7, 5000).put(&about.exchange, &machine.authority);
    let before = machine.names();
    let path = about.state.join("progress");
    let write = |election: Digest, closed: bool| {
        let mut out = [0; kiosk::ballot_box::Progress::MAX];
        let progress = kiosk::ballot_box::Progress {
            election,
            closed,
            ..package::PROGRESS
        };
        std::fs::write(&path, progress.encode(&mut out)).unwrap();
    };
    for (election, closed) in [(machine.election, false), (machine.election, true), ([7; 32], false)] {
        write(election, closed);
        assert_eq!(attempt(&machine, || {}), Err(Refused::Open));
    }
    std::fs::write(&path, b"damaged").unwrap();
    assert_eq!(attempt(&machine, || {}), Err(Refused::Open));
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert_eq!(attempt(&machine, || {}), Err(Refused::Open));
    std::fs::remove_file(&path).unwrap();
    // The kiosk's partition is not mounted, and the package is on the drive.
    let package = format!("package-{}.bin", machine.station);
    std::fs::copy(about.state.join("package"), about.exchange.join(package)).unwrap();
    let away = machine.folder.path().join("away");
    std::fs::rename(&about.state, &away).unwrap();
    assert_eq!(attempt(&machine, || {}), Err(Refused::Open));
    std::fs::rename(&away, &about.state).unwrap();
    assert_eq!(machine.names(), before);
    // Opened while the image was written: it is written, and not started.
    assert_eq!(attempt(&machine, || write(machine.election, false)), Err(Refused::Open));
    assert_eq!((machine.programs(), machine.names().len()), (before, 2));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(attempt(&machine, || {}), Ok(()));
}

#[test]
fn a7_the_cards_are_those_of_the_package_that_the_kiosk_accepted_last() {
    let machine = Machine::new();
    let about = machine.about();
    Built::new(7, 5000).put(&about.exchange, &machine.authority);
    let bytes = std::fs::read(about.state.join("package")).unwrap();
    let package = Package::open(&bytes, &about.authority).unwrap();
    let own = Accepted {
        serial: package.header.serial,
        package: package.hash,
        election: *package.election(),
    };
    let path = about.state.join("accepted");
    let attempt_with = |accepted: &Accepted| {
        let mut out = [0; 128];
        std::fs::write(&path, wire::encode(accepted, &mut out).unwrap()).unwrap();
        attempt(&machine, || {})
    };
    let mut newer = own;
    newer.serial += 1;
    assert_eq!(attempt_with(&newer), Err(Refused::Approval));
    let mut other = own;
    other.package[0] ^= 1;
    assert_eq!(attempt_with(&other), Err(Refused::Approval));
    std::fs::write(&path, b"x").unwrap();
    assert_eq!(attempt(&machine, || {}), Err(Refused::Approval));
    assert_eq!(attempt_with(&own), Ok(()));
}

#[test]
fn steps_out_of_order_and_words_that_are_none_change_nothing() {
    let machine = Machine::new();
    let new = Built::new(7, 5000);
    new.put(&machine.about().exchange, &machine.authority);
    let before = machine.names();
    let (_, end) = machine.talk(|client| {
        let first = offer(client);
        let cards = machine.approve(&first, [0, 1]);
        assert_eq!(client.ask(Ask::Switch), Err(Refused::Order));
        assert_eq!(
            client.ask(Ask::Install(cards)),
            Err(Refused::Order),
            "nobody is there any more"
        );
    });
    assert_eq!(end, End::Gone);
    // Bytes of whoever else gets at the socket.
    let about = machine.about();
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x01\x00\x00\x04\x00\x00",
        b"\x03\x00\x00",
        b"\x02\x00\xc2",
        b"\xff\xff\xff\xff\xff",
        b"\x01\x00\x01a",
        b"\x02\x00\x03abc",
    ] {
        let mut said = Vec::new();
        let end = server::serve(&mut &*bytes, &mut said, &about, &mut machine.disk(), &mut || {
            Some([1; 32])
        });
        assert_eq!(end, End::Gone, "{bytes:?}");
    }
    assert_eq!(machine.names(), before);
}

#[test]
fn software_that_has_come_up_is_blessed_over_the_socket_and_no_other_is() {
    let machine = Machine::new();
    let programs = machine.folder.path().join("starting/EFI/Linux");
    let running = machine.old.image.root;
    let blessed = machine.names()[0].clone();
    let tried = Entry {
        short: entries::short(&running),
        tries: Some((2, 1)),
    }
    .name();
    std::fs::rename(programs.join(&blessed), programs.join(&tried)).unwrap();
    let failed = "ippyo-0000000000000000+0-3.efi";
    std::fs::write(programs.join(failed), [b"MZ", &[1; 600][..]].concat()).unwrap();
    let starting = machine.folder.path().join("starting");
    let socket = machine.folder.path().join("socket");
    let mark = machine.folder.path().join("mark");
    let trial = |socket| Trial::new(starting.clone(), mark.clone(), running, socket);
    // Whoever took [update] out of the configuration, or an updater that is not there, is told so.
    for socket in [None, Some(socket.clone())] {
        assert!(trial(socket).keep().is_err());
    }
    let (was, _) = machine.talk(|_| trial(Some(socket.clone())).keep().unwrap());
    assert!(was);
    let mut wanted = [failed.to_owned(), blessed];
    wanted.sort();
    assert_eq!(machine.names(), wanted);
    assert_eq!(
        std::fs::read(programs.join(&machine.names()[1])).unwrap(),
        machine.old.efi
    );
    // Once is enough, and needs nobody.
    std::fs::remove_file(&socket).unwrap();
    assert!(!trial(Some(socket)).keep().unwrap() && !trial(None).keep().unwrap());
    // A partition that fails later stops nobody, and a new image that cannot read it is not kept.
    std::fs::remove_dir_all(&starting).unwrap();
    assert!(!trial(None).keep().unwrap());
    std::fs::write(&mark, []).unwrap();
    assert!(trial(None).keep().is_err());
}

#[test]
fn whoever_asks_nothing_is_hung_up_on_and_whoever_asked_may_think() {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;
    let machine = Machine::new();
    let (moment, long) = (Duration::from_millis(10), Duration::from_secs(600));
    let (kiosk, updater) = UnixStream::pair().unwrap();
    let mut from = Patient::new(&updater, moment, long);
    let mut said = Vec::new();
    let mut disk = machine.disk();
    // The other end stays open.
    let end = server::serve(&mut from, &mut said, &machine.about(), &mut disk, &mut || Some([1; 32]));
    assert_eq!((end, said.len()), (End::Gone, 0));
    (&kiosk).write_all(b"\x01").unwrap();
    from.read_exact(&mut [0]).unwrap();
    assert_eq!(updater.read_timeout().unwrap(), Some(long));
}
