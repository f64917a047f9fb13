//! After the switch: the next start is the new software's, and whoever still runs has nothing more to do.

use std::os::unix::net::UnixListener;

use kiosk::update::{Ask, Refused, Said};

use super::super::client::Client;
use super::super::entries::{self, Entry};
use super::super::pending::pending;
use super::super::server::{self, End};
use super::super::trial::on_trial;
use super::built::Built;
use super::machine::{Machine, offer, written};

fn machine() -> (Machine, Built) {
    let machine = Machine::new();
    let new = Built::new(7, 5000);
    new.put(&machine.about().exchange, &machine.authority);
    (machine, new)
}

#[test]
fn f2_a_kiosk_that_ends_after_the_switch_starts_the_machine_again_and_one_that_ends_before_does_not() {
    for switched in [false, true] {
        let (machine, _) = machine();
        let (_, end) = machine.talk(|client| {
            let offer = offer(client);
            written(client, machine.approve(&offer, [0, 1])).unwrap();
            if switched {
                assert_eq!(client.ask(Ask::Switch), Ok(Said::Switched));
            }
        });
        assert_eq!(end, if switched { End::Restart } else { End::Gone });
    }
}

#[test]
fn f2_after_the_switch_nothing_is_taken_but_the_start_also_in_another_conversation() {
    let (machine, new) = machine();
    // Nothing was switched: nobody starts the machine again.
    let (said, end) = machine.talk(|client| client.ask(Ask::Restart));
    assert_eq!((said, end), (Err(Refused::Order), End::Gone));
    let (_, end) = machine.talk(|client| {
        let offer = offer(client);
        let cards = machine.approve(&offer, [0, 1]);
        written(client, cards).unwrap();
        assert_eq!(client.ask(Ask::Switch), Ok(Said::Switched));
        assert_eq!(client.ask(Ask::Install(cards)), Err(Refused::Order));
    });
    assert_eq!(end, End::Restart);
    let fresh = entries::fresh(&new.image.root);
    assert!(machine.names().contains(&fresh));
    // The machine did not start again, the kiosk did: it asks for nothing else.
    let (said, end) = machine.talk(|client| client.ask(Ask::Restart));
    assert_eq!((said, end), (Ok(Said::Switched), End::Restart));
}

#[test]
fn f2_the_old_software_knows_that_the_next_start_is_not_its_own_and_after_a_fallback_that_it_is() {
    let machine = Machine::new();
    let starting = machine.folder.path().join("starting");
    let programs = starting.join("EFI/Linux");
    let running = machine.old.image.root;
    assert_eq!(pending(&starting, &running, 6), None);
    let root = [0xAB; 32];
    let line = format!(
        "MZ ippyo.root={} ippyo.version=7 ro quiet\0{:600}",
        hex::encode(root),
        "rest"
    );
    let name = |tries| {
        let short = entries::short(&root);
        programs.join(Entry { short, tries }.name())
    };
    let first = name(Some((3, 0)));
    std::fs::write(&first, line).unwrap();
    let offer = pending(&starting, &running, 6).unwrap();
    assert_eq!((offer.version, offer.running, offer.software), (7, 6, root));
    // The new software itself stands on its own.
    assert_eq!(pending(&starting, &root, 7), None);
    std::fs::write(&first, [b"MZ", &[1; 600][..]].concat()).unwrap();
    let offer = pending(&starting, &running, 6).unwrap();
    assert_eq!(
        (offer.version, &offer.software[..8], offer.software[8]),
        (0, &root[..8], 0)
    );
    // Its last sector is not written: nobody starts it.
    std::fs::write(&first, [0; 600]).unwrap();
    assert_eq!(pending(&starting, &running, 6), None);
    std::fs::write(&first, [b"MZ", &[1; 600][..]].concat()).unwrap();
    std::fs::rename(&first, name(Some((0, 3)))).unwrap();
    assert_eq!(pending(&starting, &running, 6), None);
}

#[test]
fn software_counts_as_failed_while_it_is_on_trial_and_a_machine_that_was_kept_never_does_again() {
    let machine = Machine::new();
    let starting = machine.folder.path().join("starting");
    let [mark, none] = ["mark", "none"].map(|name| machine.folder.path().join(name));
    let running = machine.old.image.root;
    std::fs::write(&mark, []).unwrap();
    // The mark of the start that it was kept in is still there.
    assert!(!on_trial(&starting, &none, &running) && !on_trial(&starting, &mark, &running));
    let programs = starting.join("EFI/Linux");
    let tried = Entry {
        short: entries::short(&running),
        tries: Some((2, 1)),
    };
    std::fs::rename(programs.join(&machine.names()[0]), programs.join(tried.name())).unwrap();
    assert!(on_trial(&starting, &none, &running) && on_trial(&starting, &mark, &running));
    // Nobody can see whether it is: only where the loader counts.
    let gone = machine.folder.path().join("not mounted");
    assert!(!on_trial(&gone, &none, &running) && on_trial(&gone, &mark, &running));
}

#[test]
fn staff_who_go_back_end_the_conversation_before_and_after_the_offer() {
    let (machine, _) = machine();
    let mut client = Client::new(machine.folder.path().join("nobody"));
    assert_eq!(client.ask(Ask::End), Ok(Said::Ended), "there was none");
    // The updater has ended while the kiosk still holds the line.
    let (said, end) = machine.talk(|client| {
        offer(client);
        let said = client.ask(Ask::End);
        assert_eq!(client.ask(Ask::Switch), Err(Refused::Order));
        said
    });
    assert_eq!((said, end), (Ok(Said::Ended), End::Gone));
}

/// Staff go back and look again: the service manager has one updater, and hangs up on a second until the first has ended.
#[test]
fn a_second_look_ends_the_first_conversation_and_waits_for_its_updater_to_go() {
    let (machine, _) = machine();
    let socket = machine.folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let (about, mut disk) = (machine.about(), machine.disk());
    std::thread::scope(|scope| {
        let updater = scope.spawn(move || {
            for attempt in 0..3 {
                let (stream, _) = listener.accept().unwrap();
                if attempt == 1 {
                    continue;
                }
                let (mut from, mut to) = (&stream, &stream);
                // Ends only when the kiosk has hung up.
                let end = server::serve(&mut from, &mut to, &about, &mut disk, &mut || Some([attempt; 32]));
                assert_eq!(end, End::Gone);
            }
        });
        let mut client = Client::new(socket);
        assert_eq!(offer(&mut client).nonce, [0; 32]);
        assert_eq!(offer(&mut client).nonce, [2; 32]);
        drop(client);
        updater.join().unwrap();
    });
}
