//! The kiosk's own admission (`kiosk::admission`) against what people do to cards: pulled at every single command, dead, of another kind,
//! mad. Whatever happened, the next voter is admitted, no PIN stays verified, and the number of commands has a bound.

use card::x509::X509;
use card::{Pin, TransmitError};
use chacha20::ChaCha20Rng;
use election::manifest::Manifest;
use election::package::Package;
use election::tag::ElectionSecret;
use embassy_futures::block_on;
use kiosk::admission::{Gate, Refusal, admit, probe};
use kiosk::ports::{Entropy, EntropyError};
use kiosk::random::Random;
use kiosk::session::{Admission, WrongCard};
use rand_core::{Rng as _, SeedableRng as _};
use std::sync::LazyLock;

use super::*;
use crate::office::Office;
use crate::town::Town;
use crate::world::seed::Seed;

/// Most commands that one probe and one admission send to any card at all: a PIV card that behaves is asked 16 times, and each command may be
/// followed by [`card::apdu::MAX_PARTS`] more.
const MOST: usize = 24 * (card::apdu::MAX_PARTS + 2);

struct Source(ChaCha20Rng);

impl Entropy for Source {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

pub(super) fn random(seed: u64) -> Random {
    Random::new(&mut Source(ChaCha20Rng::seed_from_u64(seed))).unwrap()
}

/// A package with a PIV and a My Number card on its roll, and the deck they are in.
pub(super) struct Place {
    package: Vec<u8>,
    /// The same election at another station, and another issue of the first station's package.
    pub(super) others: [Vec<u8>; 2],
    pub(super) authority: election::sign::PublicKey,
    /// A PIV card and a My Number card.
    pub(super) cards: [CardFile; 2],
    /// A PIV card of another authority.
    stranger: CardFile,
}

pub(super) static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let definition = crate::bundled::load("kaga-consultation").unwrap();
    let imported = staff::import::import_bytes(&definition, &staff::import::Options::default()).unwrap();
    let manifest = Manifest::parse(&imported.manifest).unwrap();
    let styles: Vec<String> = manifest.styles().map(|style| style.id.to_owned()).collect();
    let folder = tempfile::tempdir().unwrap();
    let issue = |name: &str, profiles| {
        let order = Order {
            voters: 2,
            staff: 0,
            blank: 0,
            profiles,
            styles: &styles,
            valid: Days::new(20_200_401, 20_400_331).unwrap(),
            seed: name,
        };
        Deck::issue(&folder.path().join(name), &order).unwrap()
    };
    let (deck, other) = (issue("mistakes", Profiles::Mixed), issue("strangers", Profiles::Piv));
    let seed = Seed::new("mistakes");
    let town = Town::new(&manifest, &[], 1, Profiles::Piv, seed, || {}).unwrap();
    let roll = staff::roll::read_csv(&folder.path().join("mistakes/roll.csv"), &manifest).unwrap();
    let (office, _chain) = Office::new(&manifest, &town, 1, seed).unwrap();
    let package = |station, serial| {
        office
            .package(station, serial, &roll.section(), &deck.authorities().unwrap())
            .unwrap()
    };
    let cards = ["voter-001", "voter-002"].map(|name| deck.file(name).unwrap());
    assert_eq!(cards.each_ref().map(CardFile::profile), ["piv", "jpki"]);
    Place {
        package: package(1, 1),
        others: [package(2, 1), package(1, 2)],
        authority: office.authority(),
        cards,
        stranger: other.file("voter-001").unwrap(),
    }
});

/// The way to a chip, with a count.
pub(super) struct Wire<'c> {
    pub(super) chip: &'c mut dyn Chip,
    pub(super) commands: usize,
}

impl Transmit for Wire<'_> {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        self.commands += 1;
        transmit(self.chip, command, response)
    }
}

/// What a kiosk does from the moment a card is in: a look, the PIN, admission, power off. Gives the commands that it took, too.
pub(super) fn visit(chip: &mut dyn Chip, pin: &str, random: &mut Random) -> (Result<Admission, Refusal>, usize) {
    visit_at(&PLACE.package, [7; 32], chip, pin, random)
}

/// As [`visit`], at a kiosk with this package and this election secret.
pub(super) fn visit_at(
    package: &[u8],
    secret: [u8; 32],
    chip: &mut dyn Chip,
    pin: &str,
    random: &mut Random,
) -> (Result<Admission, Refusal>, usize) {
    let package = Package::open(package, &PLACE.authority).unwrap();
    let gate = Gate {
        package: &package,
        delta: None,
        secret: &ElectionSecret::from_bytes(secret),
        certificates: &X509,
    };
    let mut wire = Wire { chip, commands: 0 };
    let result = block_on(async {
        probe(&mut wire).await.map_err(Refusal::Card)?;
        admit(&mut wire, &gate, &Pin::new(pin.as_bytes()).unwrap(), false, random).await
    });
    let commands = wire.commands;
    (result, commands)
}

/// Whether the card would still act with a PIN that was verified. The kiosk takes the power next, but what `admit` promises holds without.
pub(super) fn acts_with_the_pin(chip: &mut dyn Chip) -> bool {
    let mut say = |command: &str| {
        let answer = chip.apdu(&hex::decode(command).unwrap()).unwrap();
        answer.ends_with(&[0x90, 0x00])
    };
    let piv = say("00A404000BA00000030800001000010000") && say("00200080");
    let jpki = say("00A4040C0AD392F000260100000001") && say("00A4020C020017") && say("802A0080010000");
    piv || jpki
}

pub(super) fn tag(admission: &Admission) -> [u8; 32] {
    admission.tag.0
}

/// The kiosk is as good as new: both honest cards are admitted, as the people they are.
fn the_next_voters_are_admitted(random: &mut Random) {
    for file in &PLACE.cards {
        let mut card = file.card().unwrap();
        let (admitted, commands) = visit(&mut card, file.pin(), random);
        assert!(admitted.is_ok() && commands <= 32, "{commands}");
        assert!(!acts_with_the_pin(&mut card));
    }
}

#[test]
fn f8_a_card_pulled_at_every_single_command_admits_nobody_loses_no_try_and_blocks_nobody_else() {
    let mut random = random(1);
    for file in &PLACE.cards {
        let (honest, commands) = visit(&mut file.card().unwrap(), file.pin(), &mut random);
        let honest = tag(&honest.unwrap());
        println!("{}: {commands} commands from insertion to admission", file.profile());
        let mut refused = 0;
        for after in 0..commands {
            let mut card = Misbehaving::new(file.card().unwrap(), Fault::RemovedAfter(after));
            match visit(&mut card, file.pin(), &mut random).0 {
                Err(Refusal::Card(WrongCard::Unreadable)) => refused += 1,
                // Pulled while it was told to forget: it has forgotten.
                Ok(admission) => {
                    assert!(commands - after <= 5, "{after}");
                    assert_eq!(tag(&admission), honest);
                }
                Err(other) => panic!("pulled after {after} commands: {other:?}"),
            }
            // Put in again, it works, and has its tries.
            card.reset();
            let (again, _) = visit(&mut card, file.pin(), &mut random);
            assert_eq!(tag(&again.unwrap()), honest, "after {after}");
        }
        assert!(refused >= commands - 5);
        the_next_voters_are_admitted(&mut random);
    }
}

/// A card that answers what a function says.
struct Odd<F>(F);

impl<F: FnMut(&[u8]) -> Vec<u8>> Chip for Odd<F> {
    fn reset(&mut self) {}

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        Ok((self.0)(command))
    }
}

#[test]
fn f8_cards_of_another_kind_and_broken_ones_are_named_within_a_bound() {
    let mut random = random(2);
    let piv = || PLACE.cards[0].card().unwrap();
    let mut honest = piv();
    // A PIV card whose certificate object is replaced.
    let with_object = |object: Vec<u8>| {
        let mut card = piv();
        Odd(move |command: &[u8]| match command {
            [_, 0xCB, ..] => [&object[..], &[0x90, 0x00]].concat(),
            _ => card.apdu(command).unwrap_or_default(),
        })
    };
    let transit: Box<dyn Chip> = Box::new(Odd(|_: &[u8]| vec![0x6D, 0x00]));
    let unknown: Box<dyn Chip> = Box::new(Odd(|_: &[u8]| vec![0x6A, 0x82]));
    let endless: Box<dyn Chip> = Box::new(Misbehaving::new(piv(), Fault::Endless));
    let endless_later: Box<dyn Chip> = Box::new(Odd(move |command: &[u8]| match command {
        [_, 0xCB | 0xC0, ..] => vec![0x53, 0x61, 0xFF],
        _ => honest.apdu(command).unwrap_or_default(),
    }));
    let long: Box<dyn Chip> = Box::new(Odd(|_: &[u8]| vec![0x90; 300]));
    let nothing: Box<dyn Chip> = Box::new(Odd(|_: &[u8]| vec![]));
    let always_yes: Box<dyn Chip> = Box::new(Odd(|_: &[u8]| vec![0x90, 0x00]));
    let again_and_again: Box<dyn Chip> = Box::new(Odd(|_: &[u8]| vec![0x6C, 0x10]));
    let mute: Box<dyn Chip> = Box::new(Misbehaving::new(piv(), Fault::Silent));
    for (name, mut card, wanted) in [
        ("transit card", transit, WrongCard::Unsuitable),
        ("unknown card", unknown, WrongCard::Unsuitable),
        ("61xx for ever", endless, WrongCard::Unreadable),
        ("61xx for ever after the PIN", endless_later, WrongCard::Unreadable),
        ("too long", long, WrongCard::Unreadable),
        ("no status word", nothing, WrongCard::Unreadable),
        ("says yes to everything", always_yes, WrongCard::Unreadable),
        ("6Cxx for ever", again_and_again, WrongCard::Unreadable),
        ("silent", mute, WrongCard::Mute),
    ] {
        let (result, commands) = visit(&mut *card, PLACE.cards[0].pin(), &mut random);
        println!("{name}: {commands} commands, {wanted}");
        assert_eq!(result.err(), Some(Refusal::Card(wanted)), "{name}");
        assert!(commands <= MOST, "{name}: {commands}");
        the_next_voters_are_admitted(&mut random);
    }
    let malformed: [(&str, Vec<u8>); 7] = [
        ("an empty object", vec![0x53, 0x00]),
        ("a length beyond the end", vec![0x53, 0x82, 0xFF, 0xFF, 0x70]),
        ("an indefinite length", vec![0x53, 0x80, 0x70, 0x00, 0x00, 0x00]),
        (
            "two certificates",
            vec![0x53, 0x08, 0x70, 0x02, 0x30, 0x00, 0x70, 0x02, 0x30, 0x00],
        ),
        ("a certificate of nothing", vec![0x53, 0x04, 0x70, 0x02, 0x30, 0x00]),
        (
            "a certificate of nests",
            [&[0x53, 0x40, 0x70, 0x3E][..], &[0x30, 0x80].repeat(31)].concat(),
        ),
        ("another tag", vec![0x54, 0x00]),
    ];
    for (name, object) in malformed {
        let (result, commands) = visit(&mut with_object(object), PLACE.cards[0].pin(), &mut random);
        let refused = matches!(
            result,
            Err(Refusal::Card(
                WrongCard::Unreadable | WrongCard::Unsuitable | WrongCard::Certificate(_)
            ))
        );
        assert!(refused, "{name}");
        assert!(commands <= MOST, "{name}: {commands}");
    }
    the_next_voters_are_admitted(&mut random);
    // Another issuer's card, and the right card in the end.
    let mut card = PLACE.stranger.card().unwrap();
    let (stranger, _) = visit(&mut card, PLACE.stranger.pin(), &mut random);
    assert!(matches!(stranger, Err(Refusal::Card(WrongCard::Certificate(_)))));
    assert!(!acts_with_the_pin(&mut card), "refused after its PIN was verified");
    // The question can be answered with yes.
    let mut card = PLACE.cards[0].card().unwrap();
    block_on(async {
        let mut wire = Wire {
            chip: &mut card,
            commands: 0,
        };
        let mut piv = card::Piv::select(&mut wire).await.unwrap();
        piv.verify(&Pin::new(PLACE.cards[0].pin().as_bytes()).unwrap())
            .await
            .unwrap();
    });
    assert!(acts_with_the_pin(&mut card));
}

#[test]
fn f8_garbled_and_mad_cards_of_both_kinds_are_never_admitted_as_somebody_else() {
    let mut random = random(3);
    for file in &PLACE.cards {
        let honest = tag(&visit(&mut file.card().unwrap(), file.pin(), &mut random).0.unwrap());
        for seed in 0..150 {
            let rng = || Box::new(ChaCha20Rng::seed_from_u64(seed));
            for fault in [Fault::Garbled(rng()), Fault::Nonsense(rng())] {
                let mut card = Misbehaving::new(file.card().unwrap(), fault);
                let (result, commands) = visit(&mut card, file.pin(), &mut random);
                assert!(commands <= MOST, "{commands}");
                if let Ok(admission) = result {
                    assert_eq!(tag(&admission), honest, "seed {seed}");
                }
            }
        }
    }
    the_next_voters_are_admitted(&mut random);
}

#[test]
fn v11_with_one_try_left_nothing_is_tried_and_a_pin_of_another_length_costs_none() {
    let mut random = random(4);
    for file in &PLACE.cards {
        let mut card = file.card().unwrap();
        let wrong: String = file
            .pin()
            .chars()
            .map(|digit| if digit == '9' { '0' } else { '9' })
            .collect();
        for left in [2, 1] {
            let refused = visit(&mut card, &wrong, &mut random).0.err();
            assert_eq!(refused, Some(Refusal::WrongPin { tries_left: left }));
            card.reset();
        }
        assert_eq!(
            visit(&mut card, file.pin(), &mut random).0.err(),
            Some(Refusal::LastTry)
        );
        assert_eq!(card.tries_left(), 1);
    }
    let mut jpki = PLACE.cards[1].card().unwrap();
    assert_eq!(
        visit(&mut jpki, "12345", &mut random).0.err(),
        Some(Refusal::WrongPin { tries_left: 3 })
    );
    assert_eq!(jpki.tries_left(), 3);
}
