//! Updates as the kiosk leads them: two staff cards over the offer, keys away before the switch, back to the menu where it is refused.

use std::boxed::Box;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use election::ledger::StaffSignature;
use election::manifest::Mode;
use election::sign;
use election::update::{Approval, LABEL_STAFF_UPDATE};

use super::desk;
use super::kiosks::{casts, machine};
use super::machine::{Machine, Ran};
use super::platform::World;
use crate::identity::IdentityError;
use crate::ports::{Item, StoreError};
use crate::run::Exit;
use crate::screen::{Fault, StaffTouch, Touch, WrongStaffCard};
use crate::update::{Ask, Offer, Refused, Said};

const OFFER: Offer = Offer {
    version: 7,
    running: 6,
    software: [71; 32],
    image: [72; 32],
    nonce: [73; 32],
};

/// Whoever writes updates, by script.
#[derive(Default)]
pub struct Updater {
    pub answers: VecDeque<Result<Said, Refused>>,
    pub asked: Vec<&'static str>,
    pub cards: Vec<StaffSignature>,
    /// Items that were there when the switch was asked for.
    pub at_switch: Option<Vec<u8>>,
}

impl Updater {
    pub fn ask(&mut self, ask: Ask, items: Vec<u8>) -> Result<Said, Refused> {
        self.asked.push(match ask {
            Ask::Look => "look",
            Ask::Install(cards) => {
                self.cards = cards.to_vec();
                "install"
            }
            Ask::More => "more",
            Ask::Switch => {
                self.at_switch = Some(items);
                "switch"
            }
            Ask::Restart => "restart",
            Ask::End => "end",
        });
        if matches!(ask, Ask::End) {
            return Ok(Said::Ended);
        }
        self.answers.pop_front().unwrap_or(Err(Refused::Nobody))
    }
}

/// Before polls open somebody touches "update" so often, and the updater answers so.
fn updated(times: usize, answers: impl IntoIterator<Item = Result<Said, Refused>>) -> Machine {
    let machine = machine(Mode::Statutory);
    machine.world.updater.replace(Some(Updater {
        answers: answers.into_iter().collect(),
        ..Updater::default()
    }));
    machine.world.people.borrow_mut().waits = (0..times)
        .map(|_| Box::new(|world: &World| world.touch(Touch::Staff(StaffTouch::Update))) as Box<dyn Fn(&World)>)
        .collect();
    machine
}

fn keys(machine: &Machine) -> bool {
    machine.world.items.borrow().contains_key(&(Item::Identity as u8))
}

#[test]
fn a7_an_update_is_approved_by_two_staff_cards_and_takes_the_keys_with_it_before_the_switch() {
    let far = [
        Ok(Said::Writing(0)),
        Ok(Said::Writing(0)),
        Ok(Said::Writing(60)),
        Ok(Said::Written),
    ];
    let machine = updated(
        1,
        [Ok(Said::Offer(OFFER))]
            .into_iter()
            .chain(far)
            .chain([Ok(Said::Switched), Ok(Said::Switched)]),
    );
    // First the same card twice, as somebody alone would.
    let [one, two] = desk::STAFF;
    machine.world.people.borrow_mut().staff = [one, one, two].into();
    assert_eq!(machine.run(), Ran::Ended(Exit::Restart));
    let updater = machine.world.updater.borrow();
    let updater = updater.as_ref().unwrap();
    assert_eq!(
        updater.asked,
        ["look", "install", "more", "more", "more", "switch", "restart"]
    );
    assert_eq!(machine.world.people.borrow().staff_refused, [WrongStaffCard::SameCard]);
    let package = desk::package(Mode::Statutory, 1);
    let package = election::package::Package::open(&package, &desk::authority().public_key()).unwrap();
    let election = *package.election();
    let message = Approval {
        election: &election,
        station: desk::STATION,
        running: &desk::SOFTWARE,
        image: &OFFER.image,
        nonce: &OFFER.nonce,
    }
    .message();
    assert!(updater.cards[0].key < updater.cards[1].key);
    for card in &updater.cards {
        sign::verify(&card.key.0, LABEL_STAFF_UPDATE, &message, &card.signature.0).unwrap();
    }
    // Only which package was taken last is kept.
    assert_eq!(updater.at_switch.as_deref(), Some(&[Item::Accepted as u8][..]));
    assert!(!keys(&machine));
}

#[test]
fn an_update_that_is_refused_before_the_switch_changes_nothing_and_polls_open() {
    let mut tried = Vec::new();
    for (answers, why) in [
        (vec![Err(Refused::Unsigned)], Refused::Unsigned),
        (vec![Ok(Said::Switched)], Refused::Order),
        (vec![Ok(Said::Offer(OFFER)), Err(Refused::Approval)], Refused::Approval),
        (
            vec![Ok(Said::Offer(OFFER)), Ok(Said::Writing(9)), Err(Refused::DriveGone)],
            Refused::DriveGone,
        ),
        (vec![Ok(Said::Offer(OFFER)), Ok(Said::Switched)], Refused::Order),
    ] {
        let machine = updated(1, answers);
        machine.come([casts(0)]);
        assert_eq!(machine.run(), Ran::Waiting);
        let people = machine.world.people.borrow();
        assert_eq!(
            (people.updates_refused.as_slice(), people.zero_reports),
            (&[why][..], 1),
            "{why:?}"
        );
        assert_eq!(people.updates_retired, [false]);
        assert!(keys(&machine));
        let updater = machine.world.updater.borrow();
        let asked = &updater.as_ref().unwrap().asked;
        assert_eq!(asked.last(), Some(&"end"), "somebody still waits for staff");
        tried.push(why);
    }
    assert_eq!(tried.len(), 5);
    // Staff go back from the offer.
    let machine = updated(1, [Ok(Said::Offer(OFFER))]);
    machine.world.people.borrow_mut().goes_back = true;
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.updater.borrow().as_ref().unwrap().asked, ["look", "end"]);
    assert_eq!(machine.world.people.borrow().zero_reports, 1);
    assert!(keys(&machine));
}

#[test]
fn a_switch_that_fails_leaves_a_kiosk_that_is_registered_again() {
    let machine = updated(1, [Ok(Said::Offer(OFFER)), Ok(Said::Written), Err(Refused::Disk)]);
    assert_eq!(machine.run(), Ran::Ended(Exit::Restart));
    assert!(!keys(&machine));
    assert_eq!(machine.world.people.borrow().updates_refused, [Refused::Disk]);
    assert_eq!(
        machine.world.people.borrow().updates_retired,
        [true],
        "staff are told that the keys have gone"
    );
    machine.world.updater.replace(None);
    // The media were for the keys that are gone: staff are told so, and nothing opens with them.
    assert!(matches!(machine.run(), Ran::Ended(Exit::Fault { .. })));
    assert!(keys(&machine));
}

#[test]
fn a_machine_that_does_not_start_again_is_never_said_to_be_as_it_was() {
    let switched = [
        Ok(Said::Offer(OFFER)),
        Ok(Said::Written),
        Ok(Said::Switched),
        Err(Refused::Nobody),
        Err(Refused::Order),
        Ok(Said::Switched),
    ];
    let machine = updated(1, switched);
    assert_eq!(machine.run(), Ran::Ended(Exit::Restart));
    let people = machine.world.people.borrow();
    assert_eq!(people.updates_refused, [], "it was updated");
    assert_eq!(people.stuck, 2, "once for each time it did not start again");
    let updater = machine.world.updater.borrow();
    let asked = &updater.as_ref().unwrap().asked;
    assert_eq!(asked[2..], ["switch", "restart", "restart", "restart"]);
    assert!(!keys(&machine));
}

#[test]
fn a_machine_without_updates_asks_nobody() {
    let machine = updated(1, []);
    machine.world.updater.replace(None);
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.people.borrow().zero_reports, 1);
    assert_eq!(machine.world.people.borrow().updates_refused, []);
}

/// The new software drew its first screen and made its keys, nobody came, and the old software starts; or the other way about. Either finds keys that it
/// cannot open and that nobody registered.
#[test]
fn f2_keys_that_other_software_sealed_and_nobody_registered_give_way_to_keys_that_are() {
    let machine = unregistered();
    seal(&machine, Item::Identity, StoreError::Sealed);
    for item in [Item::Request, Item::Secret] {
        machine.world.items.borrow_mut().insert(item as u8, vec![7; 9]);
    }
    // Two staff cards register it. The media of these tests were for other keys, which is as far as it goes.
    let Ran::Ended(Exit::Fault { fault, .. }) = machine.run() else {
        panic!("these media are another kiosk's")
    };
    assert!(matches!(fault, Fault::Media(_)), "{fault:?}");
    let items = machine.world.items.borrow();
    let there = [Item::Identity, Item::Request, Item::Registration].map(|item| items.contains_key(&(item as u8)));
    assert_eq!(there, [true; 3]);
    assert!(!items.contains_key(&(Item::Secret as u8)), "it was for the old keys");
    assert!(machine.world.unreadable.borrow().is_empty());
}

/// A box that is opened, or may be, can be closed by its own keys only.
#[test]
fn f2_keys_that_may_be_registered_or_that_only_a_failing_device_withholds_are_never_given_up() {
    let opened = machine(Mode::Statutory);
    opened.come([casts(0)]);
    assert_eq!(opened.run(), Ran::Waiting);
    let stored = opened.world.items.borrow().clone();
    let fails = |machine: &Machine, error| {
        seal(machine, Item::Identity, error);
        machine.power_cycle();
        let before = machine.world.items.borrow().clone();
        let Ran::Ended(Exit::Fault { fault, .. }) = machine.run() else {
            panic!("it goes on without its keys")
        };
        assert_eq!(fault, Fault::Identity(IdentityError::Store(error)));
        assert_eq!(*machine.world.items.borrow(), before, "something was erased or made");
    };
    // Whatever is in them: damage is no proof that nothing was signed.
    for (kept, damaged) in [
        (&[Item::Registration, Item::Progress][..], false),
        (&[Item::Registration], false),
        (&[Item::Registration], true),
        (&[Item::Progress], false),
        (&[Item::Progress], true),
    ] {
        let machine = unregistered();
        for item in kept {
            let bytes = if damaged {
                vec![9; 3]
            } else {
                stored[&(*item as u8)].clone()
            };
            machine.world.items.borrow_mut().insert(*item as u8, bytes);
        }
        fails(&machine, StoreError::Sealed);
    }
    let dead = unregistered();
    fails(&dead, StoreError::Device);
    // Whether they were registered cannot be seen.
    for item in [Item::Registration, Item::Progress] {
        let machine = unregistered();
        seal(&machine, item, StoreError::Device);
        let before = machine.world.items.borrow().clone();
        seal(&machine, Item::Identity, StoreError::Sealed);
        let Ran::Ended(Exit::Fault { fault, .. }) = machine.run() else {
            panic!("it goes on without knowing")
        };
        let known = Fault::Identity(IdentityError::Store(StoreError::Device));
        assert!(fault == known || fault == Fault::Store, "{fault:?}");
        let after = machine.world.items.borrow();
        assert!(before.iter().all(|(item, bytes)| after.get(item) == Some(bytes)) && keys(&machine));
    }
}

/// What is registered or voted on software that goes back is lost with its keys.
#[test]
fn f2_nothing_is_registered_and_no_polls_open_while_the_software_is_on_trial() {
    let trial = [Refused::Trial; 2];
    // Opening: refused twice, with words, and then it is kept.
    let machine = machine(Mode::Statutory);
    machine.world.kept.set(0);
    machine.world.trial.borrow_mut().extend(trial);
    assert_eq!(machine.run(), Ran::Waiting);
    let people = machine.world.people.borrow();
    assert_eq!(
        (people.updates_refused.as_slice(), people.zero_reports),
        (&trial[..], 3)
    );
    assert_eq!(machine.world.kept.get(), 3);
    assert!(
        machine.world.items.borrow().contains_key(&(Item::Progress as u8)),
        "open"
    );
    // For ever: no entry of opening, whatever staff do.
    let machine = self::machine(Mode::Statutory);
    machine.world.trial.borrow_mut().extend([Refused::Trial; 9]);
    machine.world.people.borrow_mut().gives_up = Some(5);
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.people.borrow().updates_refused.len(), 5);
    assert!(!machine.world.items.borrow().contains_key(&(Item::Progress as u8)));
    // Registration.
    let machine = unregistered();
    machine.world.trial.borrow_mut().extend([Refused::Trial; 9]);
    machine.world.people.borrow_mut().gives_up = Some(5);
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.people.borrow().updates_refused.len(), 5);
    assert!(!machine.world.items.borrow().contains_key(&(Item::Registration as u8)));
}

/// As a machine is that was never registered, or updated; its package was accepted.
fn unregistered() -> Machine {
    let machine = machine(Mode::Statutory);
    let kept = Item::Accepted as u8;
    machine.world.items.borrow_mut().retain(|item, _| *item == kept);
    machine
}

fn seal(machine: &Machine, item: Item, error: StoreError) {
    let mut items = machine.world.items.borrow_mut();
    items.entry(item as u8).or_insert_with(|| vec![5; 64]);
    machine.world.unreadable.borrow_mut().insert(item as u8, error);
}
