//! `host-sim cards`: a deck of virtual cards, and one of them in a virtual reader of the real PC/SC stack.

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cards::{Chip, Days, Deck, Order, Profiles, vpcd};
use crate::scenario::BadInput;

/// `cards`.
#[derive(Subcommand)]
pub enum Cards {
    /// Issues a deck: card files with test keys, authorities, roll.csv, staff.csv, pins.csv
    Issue(Issue),
    /// Says what is in a deck
    List(List),
    /// Plays the card in a virtual reader (vsmartcard's vpcd); commands come from standard input
    Serve(Serve),
}

/// `cards issue`.
#[derive(Args)]
pub struct Issue {
    /// A new or empty folder
    #[arg(long, value_name = "DIR")]
    deck: PathBuf,
    /// Voters' cards
    #[arg(long, value_name = "N", default_value_t = 20)]
    voters: usize,
    /// Staff cards (PIV, with a name)
    #[arg(long, value_name = "N", default_value_t = 2)]
    staff: usize,
    /// PIV cards as they leave the factory, for `staff card issue`
    #[arg(long, value_name = "N", default_value_t = 0)]
    blank: usize,
    /// Kinds of voters' cards
    #[arg(long, value_enum, default_value = "mixed")]
    cards: Profiles,
    /// Ballot style in roll.csv; several are given by turns
    #[arg(long = "style", value_name = "ID", default_value = "style-1")]
    styles: Vec<String>,
    /// First day of the certificates, YYYYMMDD
    #[arg(long, value_name = "DAY", default_value_t = 20_200_401)]
    from: u32,
    /// Last day of the certificates, YYYYMMDD
    #[arg(long, value_name = "DAY", default_value_t = 20_400_331)]
    until: u32,
    /// Decides everything that is random
    #[arg(long, value_name = "TEXT", default_value = "ippyo")]
    seed: String,
}

/// `cards list`.
#[derive(Args)]
pub struct List {
    /// The folder
    #[arg(long, value_name = "DIR")]
    deck: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `cards serve`.
#[derive(Args)]
#[command(
    after_help = "Commands, one a line: insert NAME, pull, list, quit. Each is answered by one line that begins with \
                        ok or error. What a card keeps \
                        without power (its PIN counter) is written back to its file."
)]
pub struct Serve {
    /// The folder
    #[arg(long, value_name = "DIR")]
    deck: PathBuf,
    /// TCP port of the virtual reader on this machine
    #[arg(long, default_value_t = 35_963)]
    port: u16,
}

impl Cards {
    pub fn run(self) -> Result<()> {
        match self {
            Self::Issue(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Serve(command) => command.run(),
        }
    }
}

fn input(error: impl Into<anyhow::Error>) -> BadInput {
    BadInput(format!("{:#}", error.into()))
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| BadInput(format!("standard output cannot be written: {error}")).into())
}

impl Issue {
    fn run(self) -> Result<()> {
        let order = Order {
            voters: self.voters,
            staff: self.staff,
            blank: self.blank,
            profiles: self.cards,
            styles: &self.styles,
            valid: Days::new(self.from, self.until).map_err(input)?,
            seed: &self.seed,
        };
        let deck = Deck::issue(&self.deck, &order).map_err(input)?;
        say(&format!("{} cards in {}", deck.names()?.len(), self.deck.display()))
    }
}

impl List {
    fn run(self) -> Result<()> {
        let deck = Deck::open(&self.deck).map_err(input)?;
        let mut list = Vec::new();
        for name in deck.names()? {
            let file = deck.file(&name).map_err(input)?;
            let tries = file.card().map_err(input)?.tries_left();
            list.push((name, file.profile(), file.pin().to_owned(), tries));
        }
        if self.json {
            let list: Vec<_> = list
                .iter()
                .map(|(name, profile, pin, tries)| json!({"name": name, "profile": profile, "pin": pin, "tries_left": tries}))
                .collect();
            return say(&serde_json::to_string_pretty(&list)?);
        }
        for (name, profile, pin, tries) in list {
            say(&format!("{name}  {profile}  PIN {pin}, {tries} tries left"))?;
        }
        Ok(())
    }
}

impl Serve {
    fn run(self) -> Result<()> {
        let deck = Deck::open(&self.deck).map_err(input)?;
        let mut inserted: Option<vpcd::Inserted> = None;
        let mut line = String::new();
        let mut stdin = std::io::stdin().lock();
        loop {
            line.clear();
            // A line is short: who writes without end is not who this is for.
            if std::io::Read::take(&mut stdin, 1024).read_line(&mut line)? == 0 {
                break;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let answer = match words.as_slice() {
                [] => continue,
                ["insert", name] => insert(&deck, name, self.port, &mut inserted),
                ["pull"] => pull(&mut inserted),
                ["list"] => deck.names().map(|names| names.join(" ")),
                ["quit"] => break,
                _ => Err(anyhow::anyhow!("unknown; say insert NAME, pull, list or quit")),
            };
            match answer {
                Ok(text) => say(&format!("ok {text}"))?,
                Err(error) => say(&format!("error {error:#}"))?,
            }
        }
        pull(&mut inserted).map(|_| ()).or(Ok(()))
    }
}

fn insert(deck: &Deck, name: &str, port: u16, inserted: &mut Option<vpcd::Inserted>) -> Result<String> {
    if inserted.as_ref().is_some_and(|card| !card.is_gone()) {
        anyhow::bail!("a card is in: pull it first");
    }
    let chip: Box<dyn Chip + Send> = Box::new(deck.take(name)?);
    let card = vpcd::insert(port, chip).with_context(|| format!("no virtual reader listens on port {port}"))?;
    *inserted = Some(card);
    Ok(format!("inserted {name}"))
}

fn pull(inserted: &mut Option<vpcd::Inserted>) -> Result<String> {
    let card = inserted.take().context("no card is in")?;
    card.pull()?;
    Ok("pulled".to_owned())
}
