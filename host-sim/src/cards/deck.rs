//! A folder of virtual cards: for programs that run beside the simulator, and for people who try a kiosk without owning a card.
//!
//! `NAME.card.json` is a card ([`CardFile`]); `authority-piv.der` and `authority-jpki.der` are who issued them; `roll.csv` and `staff.csv`
//! are tables for the desk; `pins.csv` says what the holders know. All of it is for tests, and the files say so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use card::{Slot, TransmitError};

use super::{CardAuthority, CardFile, Chip, Days, JpkiAuthority, SharedPrimes, VirtualCard, VirtualPiv};
use crate::world::seed::{Draw as _, Seed};

/// Ending of a card's file.
const ENDING: &str = ".card.json";

/// Most cards of a deck.
const MAX_CARDS: usize = 10_000;

/// What kinds of cards voters have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profiles {
    /// PIV cards with P-256 keys.
    #[default]
    Piv,
    /// My Number cards (RSA-2048).
    Jpki,
    /// Every other one a My Number card.
    Mixed,
}

impl Profiles {
    /// Whether voter `number` has a My Number card.
    #[must_use]
    pub const fn jpki(self, number: usize) -> bool {
        match self {
            Self::Piv => false,
            Self::Jpki => true,
            Self::Mixed => number % 2 == 1,
        }
    }

    /// How many of so many voters have a My Number card.
    #[must_use]
    pub const fn jpki_of(self, voters: usize) -> usize {
        match self {
            Self::Piv => 0,
            Self::Jpki => voters,
            Self::Mixed => voters / 2,
        }
    }
}

/// What is to be issued.
pub struct Order<'o> {
    /// Voters' cards.
    pub voters: usize,
    /// Staff cards (PIV).
    pub staff: usize,
    /// PIV cards as they leave the factory.
    pub blank: usize,
    /// Kinds of voters' cards.
    pub profiles: Profiles,
    /// Ballot styles that voters have by turns.
    pub styles: &'o [String],
    /// When the certificates are valid.
    pub valid: Days,
    /// Decides everything that is random.
    pub seed: &'o str,
}

/// A folder of cards.
pub struct Deck {
    folder: PathBuf,
}

impl Deck {
    /// Issues cards into a new or empty folder.
    ///
    /// # Errors
    /// If the folder holds something, cannot be written to, or the order is too large.
    pub fn issue(folder: &Path, order: &Order<'_>) -> Result<Self> {
        ensure!(
            order.voters + order.staff + order.blank <= MAX_CARDS,
            "at most {MAX_CARDS} cards in a deck"
        );
        ensure!(!order.styles.is_empty(), "at least one ballot style is needed");
        staff::files::empty_folder(folder)?;
        let deck = Self {
            folder: folder.to_path_buf(),
        };
        let seed = Seed::new(order.seed);
        let municipality = CardAuthority::new(
            "Ippyo simulator: test cards",
            order.valid,
            &mut seed.rng("card authority", 0),
        )?;
        deck.write("authority-piv.der", municipality.certificate())?;
        deck.write(
            "authority-piv.json",
            serde_json::to_string_pretty(&municipality.to_file())?.as_bytes(),
        )?;
        let jpki = order.profiles.jpki_of(order.voters);
        let mut ministry = None;
        if jpki > 0 {
            let mut rng = seed.rng("jpki authority", 0);
            let authority = JpkiAuthority::new("Ippyo simulator: test My Number cards", order.valid, &mut rng)?;
            deck.write("authority-jpki.der", authority.certificate())?;
            ministry = Some((authority, SharedPrimes::new(jpki, &mut rng)?));
        }
        let mut roll = String::from("key,style\n");
        let mut roster = String::from("key,roles,name\n");
        let mut pins = String::from("card,profile,pin\n");
        for number in 0..order.voters {
            let mut rng = seed.rng("voter card", number as u64);
            let card: VirtualCard = match &mut ministry {
                Some((authority, primes)) if order.profiles.jpki(number) => {
                    let pin = format!("{:04}", rng.below(10_000));
                    authority.issue_for(primes.key()?, &pin, order.valid, &mut rng)?.into()
                }
                _ => {
                    let pin = format!("{:06}", rng.below(1_000_000));
                    municipality.issue_voter(&pin, order.valid, &mut rng)?.into()
                }
            };
            let key = card.roll_key().context("a card without a key")?;
            let style = &order.styles[number % order.styles.len()];
            writeln!(roll, "{},{style}", hex::encode(key.as_bytes()))?;
            deck.add(&format!("voter-{:03}", number + 1), &card, &mut pins)?;
        }
        for number in 0..order.staff {
            let mut rng = seed.rng("staff card", number as u64);
            let pin = format!("{:06}", rng.below(1_000_000));
            let name = format!("staff {}", number + 1);
            let card = municipality.issue_staff(&name, &pin, order.valid, &mut rng)?;
            let key = card.public_key(Slot::Authentication).context("a card without a key")?;
            writeln!(roster, "{},polls+provision,{name}", hex::encode(key.as_bytes()))?;
            deck.add(&format!("staff-{}", number + 1), &card.into(), &mut pins)?;
        }
        for number in 0..order.blank {
            let card = VirtualPiv::blank(&mut seed.rng("blank card", number as u64))?;
            deck.add(&format!("blank-{}", number + 1), &card.into(), &mut pins)?;
        }
        deck.write("roll.csv", roll.as_bytes())?;
        deck.write("staff.csv", roster.as_bytes())?;
        deck.write("pins.csv", pins.as_bytes())?;
        Ok(deck)
    }

    /// A folder that holds cards.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let deck = Self {
            folder: folder.to_path_buf(),
        };
        ensure!(!deck.names()?.is_empty(), "{}: no card in it", folder.display());
        Ok(deck)
    }

    /// The cards, in order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let context = || format!("cannot read the deck {}", self.folder.display());
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.folder).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) {
                names.insert(name.to_owned());
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The file of a card, with its PIN in it.
    ///
    /// # Errors
    /// As [`CardFile::load`].
    pub fn file(&self, name: &str) -> Result<CardFile> {
        CardFile::load(&self.path(name)?)
    }

    /// A card that is written back whenever what it keeps without power changes.
    ///
    /// # Errors
    /// As [`CardFile::load`] and [`CardFile::card`].
    pub fn take(&self, name: &str) -> Result<Kept> {
        let path = self.path(name)?;
        let file = CardFile::load(&path)?;
        let card = file.card().with_context(|| path.display().to_string())?;
        Ok(Kept { card, file, path })
    }

    /// Certificates of the authorities that issued the deck, DER.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn authorities(&self) -> Result<Vec<Vec<u8>>> {
        let mut list = Vec::new();
        for name in ["authority-piv.der", "authority-jpki.der"] {
            let path = self.folder.join(name);
            if path.is_file() {
                list.push(fs::read(&path).with_context(|| path.display().to_string())?);
            }
        }
        Ok(list)
    }

    fn add(&self, name: &str, card: &VirtualCard, pins: &mut String) -> Result<()> {
        let file = card.to_file()?;
        writeln!(pins, "{name},{},{}", file.profile(), file.pin())?;
        file.save(&self.path(name)?)
    }

    /// Names come from people and other programs: none may lead out of the folder.
    fn path(&self, name: &str) -> Result<PathBuf> {
        let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        ensure!(
            (1..=64).contains(&name.len()) && name.bytes().all(fit),
            "{name:?} is no name of a card: letters, digits, - and _ only"
        );
        Ok(self.folder.join(format!("{name}{ENDING}")))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        staff::files::write(&path, bytes).with_context(|| path.display().to_string())
    }
}

/// A card of a deck in use.
pub struct Kept {
    card: VirtualCard,
    /// As it stands on disk.
    file: CardFile,
    path: PathBuf,
}

impl Kept {
    /// The card itself.
    #[must_use]
    pub const fn card(&self) -> &VirtualCard {
        &self.card
    }

    fn keep(&mut self) -> Result<()> {
        let now = self.card.to_file()?;
        if now != self.file {
            now.save(&self.path)?;
            self.file = now;
        }
        Ok(())
    }
}

impl Chip for Kept {
    fn reset(&mut self) {
        self.card.reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let answer = self.card.apdu(command)?;
        // Nothing else changes what a card keeps: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, GENERATE, PUT DATA, and 9B, which draws.
        let writes = matches!(
            command,
            [_, 0x20 | 0x24 | 0x2C | 0x47 | 0xDB, ..] | [_, 0x87, _, 0x9B, ..]
        );
        if writes && let Err(error) = self.keep() {
            eprintln!("{error:#}");
            return Err(TransmitError::Io);
        }
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.card.atr()
    }
}
