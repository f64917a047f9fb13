//! Whose tag it is: one card has one at every kiosk, two cards have two whatever happens between them, and nobody has it without card, PIN and E.

use card::TransmitError;
use election::package::Package;
use election::tag::{ElectionSecret, Pseudonym, jpki_message, piv_point};

use super::mistakes_tests::{PLACE, acts_with_the_pin, random, tag, visit, visit_at};
use super::*;

#[test]
fn a1_two_kiosks_of_two_stations_and_a_package_issued_anew_get_one_tag_for_one_card() {
    let mut tags = Vec::new();
    for file in &PLACE.cards {
        let honest = tag(&visit(&mut file.card().unwrap(), file.pin(), &mut random(1)).0.unwrap());
        for (seed, package) in (2..).zip(&PLACE.others) {
            // Another kiosk has other randomness, too.
            let admitted = visit_at(
                package,
                [7; 32],
                &mut file.card().unwrap(),
                file.pin(),
                &mut random(seed),
            );
            assert_eq!(tag(&admitted.0.unwrap()), honest, "{}", file.profile());
        }
        tags.push(honest);
    }
    assert_ne!(tags[0], tags[1]);
}

#[test]
fn p27_neither_the_roll_nor_the_card_with_its_pin_gives_a_tag_without_e() {
    for file in &PLACE.cards {
        let own = tag(&visit(&mut file.card().unwrap(), file.pin(), &mut random(1)).0.unwrap());
        // Whoever has card, PIN and package, and any E but the election's.
        for guess in [[0; 32], [8; 32], [0xFF; 32]] {
            let admitted = visit_at(
                &PLACE.others[1],
                guess,
                &mut file.card().unwrap(),
                file.pin(),
                &mut random(2),
            );
            assert_ne!(tag(&admitted.0.unwrap()), own, "{}", file.profile());
        }
        // Whoever has the roll, everything public, and even E, but not the card: what the card's key would make of the election's point or message
        // cannot be made from the public key. A stand-in with any other key makes something else.
        let package = Package::open(&PLACE.others[1], &PLACE.authority).unwrap();
        let secret = ElectionSecret::from_bytes([7; 32]);
        let point = piv_point(package.election()).unwrap();
        let message = jpki_message(package.election());
        let public = match file.card().unwrap() {
            VirtualCard::Piv(card) => card.public_key(card::Slot::KeyManagement).unwrap().as_bytes().to_vec(),
            VirtualCard::Jpki(card) => card.public_key().unwrap().as_bytes().to_vec(),
        };
        let guesses = [
            Pseudonym::piv(&point),
            Pseudonym::jpki(&message),
            Pseudonym::jpki(&public),
            Pseudonym::jpki(&[&public[..], &message].concat()),
        ];
        for guess in &guesses {
            assert_ne!(secret.tag(guess), own, "{}", file.profile());
        }
    }
}

/// Two cards in one slot: after so many commands the first is pulled out and the second is in, so fast that the reader has not seen it.
struct Swapped<'c> {
    first: &'c mut dyn Chip,
    second: &'c mut dyn Chip,
    after: usize,
}

impl Chip for Swapped<'_> {
    fn reset(&mut self) {}

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        match self.after.checked_sub(1) {
            Some(left) => {
                self.after = left;
                if left == 0 {
                    let answer = self.first.apdu(command);
                    // Without contact it has no power.
                    self.first.reset();
                    return answer;
                }
                self.first.apdu(command)
            }
            None => self.second.apdu(command),
        }
    }
}

#[test]
fn f8_two_cards_in_a_row_leave_nothing_of_the_first_to_the_second() {
    let mut random = random(5);
    let honest = PLACE
        .cards
        .each_ref()
        .map(|file| tag(&visit(&mut file.card().unwrap(), file.pin(), &mut random).0.unwrap()));
    for (one, two) in [(0, 1), (1, 0)] {
        let (first, second) = (&PLACE.cards[one], &PLACE.cards[two]);
        let commands = visit(&mut first.card().unwrap(), first.pin(), &mut random).1;
        let mut admitted = 0;
        for after in 0..=commands {
            let (mut out, mut in_its_place) = (first.card().unwrap(), second.card().unwrap());
            let mut slot = Swapped {
                first: &mut out,
                second: &mut in_its_place,
                after,
            };
            match visit(&mut slot, first.pin(), &mut random).0 {
                // Its own, never a mixture of both.
                Ok(admission) => {
                    assert_eq!(tag(&admission), honest[one], "after {after}");
                    admitted += 1;
                }
                Err(error) => assert!(after < commands, "{error:?}"),
            }
            for card in [&mut out, &mut in_its_place] {
                assert!(!acts_with_the_pin(card), "after {after}");
            }
            in_its_place.reset();
            let (next, _) = visit(&mut in_its_place, second.pin(), &mut random);
            assert_eq!(tag(&next.unwrap()), honest[two], "after {after}");
        }
        // Only a card that was told to forget already.
        assert!((1..=6).contains(&admitted), "{admitted}");
    }
}
