//! The deck: cards that whoever plays can put into the slot. Most are good; some are what a town hall meets on a bad day.

use anyhow::Result;

use crate::cards::{CardAuthority, Days};
use crate::town::Town;
use crate::voters::choices::{Choices, Paper};
use crate::voters::plan::{CardKind, Citizen, Expect, Visit};
use crate::voters::script::Script;
use crate::world::reader::Card;
use crate::world::seed::Seed;

/// What kind of card it is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A member of staff's.
    Staff,
    /// A voter's, good.
    Voter,
    /// One that does not let in.
    Odd,
}

/// A card in the deck.
pub struct Held {
    /// The card.
    pub card: Card,
    /// Its name in the dock.
    pub name: String,
    /// What is to be known of it.
    pub about: &'static str,
    /// Its PIN.
    pub pin: String,
    /// What kind it is.
    pub kind: Kind,
    /// Citizen and ballot style, if it is a voter's.
    pub voter: Option<(usize, u16)>,
}

/// Cards besides the good ones, in the order of the plan: not on the roll, run out, good but soon blocked.
const ODD: [CardKind; 3] = [CardKind::NotOnRoll, CardKind::Expired, CardKind::Good];

/// The people of a deck with so many good cards, for the office that issues them.
#[must_use]
pub fn people(papers: &[Paper], voters: u32) -> Vec<Citizen> {
    let style = |number: usize| u16::try_from(number % papers.len().max(1)).unwrap_or(0);
    let good = (0..voters as usize).map(|number| (CardKind::Good, style(number)));
    good.chain(ODD.map(|card| (card, 0)))
        .map(|(card, style)| Citizen {
            style,
            card,
            visits: vec![visit()],
            counts: card == CardKind::Good,
        })
        .collect()
}

/// A visit that the media must have room for.
#[must_use]
pub fn visit() -> Visit {
    Visit {
        epoch: 0,
        kiosk: 0,
        at: 0,
        script: Script {
            challenges: 3,
            ..Script::plain(Choices::new())
        },
        expect: Expect::Anything,
    }
}

/// The deck, from what the office has issued.
///
/// # Errors
/// If a card cannot be made.
pub fn deal(town: &Town, people: &[Citizen], first_day: u32, seed: Seed) -> Result<Vec<Held>> {
    let staff = town.officials.iter().take(1).flatten().map(|official| Held {
        card: Card::shared(official.chip.clone()),
        name: official.entry.name.trim_end_matches([' ', '1']).to_owned(),
        about: "staff",
        pin: official.pin.clone(),
        kind: Kind::Staff,
        voter: None,
    });
    let good = people.len() - ODD.len();
    let voters = people
        .iter()
        .zip(&town.cards)
        .enumerate()
        .map(|(number, (person, issued))| {
            let (name, about, kind) = match number.checked_sub(good) {
                None => (format!("Voter {}", number + 1), "on the roll", Kind::Voter),
                Some(0) => ("Unknown".to_owned(), "not on roll", Kind::Odd),
                Some(1) => ("Expired".to_owned(), "run out", Kind::Odd),
                Some(_) => ("Blocked".to_owned(), "blocked", Kind::Odd),
            };
            Held {
                card: issued.card.clone(),
                name,
                about,
                pin: issued.pin.clone(),
                kind,
                voter: Some((number, person.style)),
            }
        });
    let mut deck: Vec<Held> = staff.chain(voters).collect();
    if let Some(last) = deck.last() {
        block(&last.card, &last.pin);
    }
    // Of another town's office, on the roll of another election.
    let year = |years: u32| first_day / 10_000 + years;
    let days = Days::new((year(0) - 5) * 10_000 + 101, year(5) * 10_000 + 101)?;
    let mut rng = seed.rng("another town", 0);
    let elsewhere = CardAuthority::new("Another town", days, &mut rng)?;
    let pin = "482913";
    deck.push(Held {
        card: Card::new(elsewhere.issue_voter(pin, days, &mut rng)?),
        name: "Other town".to_owned(),
        about: "elsewhere",
        pin: pin.to_owned(),
        kind: Kind::Odd,
        voter: Some((people.len(), 0)),
    });
    Ok(deck)
}

/// Types a wrong PIN at home until the card is blocked: SELECT and VERIFY as SP 800-73 says, or as a My Number card wants them.
fn block(card: &Card, pin: &str) {
    const PIV: [u8; 14] = [
        0x00, 0xA4, 0x04, 0x00, 0x09, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00,
    ];
    const JPKI: [u8; 15] = [
        0x00, 0xA4, 0x04, 0x0C, 0x0A, 0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01,
    ];
    const JPKI_PIN: [u8; 7] = [0x00, 0xA4, 0x02, 0x0C, 0x02, 0x00, 0x18];
    let wrong = if pin.starts_with('0') { b'1' } else { b'0' };
    let chip = card.chip();
    let mut chip = chip.borrow_mut();
    // What the card answers is of no interest: the kiosk will tell.
    let mut tell = |command: &[u8]| drop(chip.apdu(command));
    let mut verify = vec![0x00, 0x20, 0x00, 0x80];
    if pin.len() == 4 {
        tell(&JPKI);
        tell(&JPKI_PIN);
        verify.extend([4, wrong, wrong, wrong, wrong]);
    } else {
        tell(&PIV);
        verify.extend([8, wrong, wrong, wrong, wrong, wrong, wrong, 0xFF, 0xFF]);
    }
    for _ in 0..5 {
        tell(&verify);
    }
    chip.reset();
}
