//! `card`: readers, what is in them, whether a kiosk would admit it, and issuing PIV cards.

use std::path::PathBuf;

use card::pcsc::{Content, slots};
use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::card_input::{date, management_key, read_pin, same, today};
use super::card_reader::{Where, no_reader, with_card};
use super::{print, system_rng};
use crate::cards::authority::{CardAuthority, Days};
use crate::cards::{self, Checked, Inspected, Issued, StepReport};
use crate::problem::{Kind, Outcome, Problem};
use crate::{files, keyfile};

/// `card`.
#[derive(Subcommand)]
pub enum Card {
    /// The readers, and what is in them
    List(List),
    /// What a card is, its certificates, tries left; can write a line for a roll or a table of staff cards. Needs no PIN
    Inspect(Inspect),
    /// Tries the kiosk's whole admission with a card, under a domain that no election has
    Check(Check),
    /// Makes a PIV card a voter's or a member of staff's: keys made on the card, certificates, PIN
    Issue(Issue),
    /// An authority that issues PIV cards: a key and the certificate that packages list
    Authority(Authority),
}

/// `card list`.
#[derive(Args)]
pub struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `card inspect`.
#[derive(Args)]
pub struct Inspect {
    #[command(flatten)]
    at: Where,
    /// Adds the card to this table for `roll build` (key,style)
    #[arg(long, value_name = "CSV", requires = "style")]
    roll: Option<PathBuf>,
    /// Its ballot style
    #[arg(long, value_name = "ID", requires = "roll")]
    style: Option<String>,
    /// Adds the card to this table for `genesis` (key,roles,name)
    #[arg(long, value_name = "CSV", requires_all = ["roles", "name"])]
    staff: Option<PathBuf>,
    /// polls, provision, or polls+provision
    #[arg(long, requires = "staff")]
    roles: Option<String>,
    /// Whose card it is
    #[arg(long, requires = "staff")]
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `card check`.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 a kiosk would admit this card (if it is on the roll), 1 it would not, 2 bad call, no reader, no card."
)]
pub struct Check {
    #[command(flatten)]
    at: Where,
    /// The PIN: from a file, from standard input with -, otherwise it is asked for. Never on the command line, which others can read
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "")]
    pin: Option<PathBuf>,
    /// Certificate of an authority that issues cards, PEM or DER; repeat. Without one the chain is not looked at
    #[arg(long = "ca", value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// The day on which certificates have to hold, YYYYMMDD: a day of the election; today otherwise
    #[arg(long, value_name = "DAY")]
    day: Option<u32>,
    /// Try the PIN even if one try is left
    #[arg(long)]
    last_try: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `card issue`.
#[derive(Args)]
#[command(
    after_help = "The management key and, without --old-puk, the PUK stay what they are: change them with the card maker's tool. \
                        Exit codes: 0 issued, 1 refused, 2 bad call, no reader, no card."
)]
pub struct Issue {
    #[command(flatten)]
    at: Where,
    /// A member of staff's card, with this name in it; a voter's card otherwise, with a random number
    #[arg(long, value_name = "NAME")]
    staff: Option<String>,
    /// Certificate of the authority (`card authority`)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Its secret key
    #[arg(long, value_name = "FILE")]
    ca_key: PathBuf,
    /// First day of the certificates, YYYYMMDD
    #[arg(long, value_name = "DAY")]
    from: u32,
    /// Last day of the certificates, YYYYMMDD
    #[arg(long, value_name = "DAY")]
    until: u32,
    /// The card's management key: a file with `3des`, `aes128`, `aes192` or `aes256` and the key in hex; or `factory-3des` or
    /// `factory-aes192` for the key that new cards have
    #[arg(long, value_name = "FILE")]
    management_key: String,
    /// The card's PIN as it is: a file, or - for a line of standard input; asked for otherwise. New cards have 123456
    #[arg(long, value_name = "FILE")]
    old_pin: Option<PathBuf>,
    /// The holder's PIN, 6 to 8 digits: a file, or - for a line of standard input; asked for twice otherwise
    #[arg(long, value_name = "FILE")]
    new_pin: Option<PathBuf>,
    /// The card's PUK as it is, a file; new cards have 12345678
    #[arg(long, value_name = "FILE", requires = "new_puk")]
    old_puk: Option<PathBuf>,
    /// The new PUK, 8 digits, a file
    #[arg(long, value_name = "FILE", requires = "old_puk")]
    new_puk: Option<PathBuf>,
    /// Also a card that holds certificates; its keys are lost
    #[arg(long)]
    overwrite: bool,
    /// Try the PIN even if one try is left
    #[arg(long)]
    last_try: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `card authority`.
#[derive(Args)]
pub struct Authority {
    /// Its name
    #[arg(long)]
    name: String,
    /// First day of its certificate, YYYYMMDD
    #[arg(long, value_name = "DAY")]
    from: u32,
    /// Last day of its certificate, YYYYMMDD
    #[arg(long, value_name = "DAY")]
    until: u32,
    /// Where the secret key goes (0600, never overwritten)
    #[arg(long, value_name = "FILE")]
    out_key: PathBuf,
    /// Where the certificate goes (DER)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Card {
    pub fn run(self) -> Outcome<()> {
        match self {
            Self::List(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Issue(command) => command.run(),
            Self::Authority(command) => command.run(),
        }
    }
}

#[derive(Serialize)]
struct Slot {
    reader: String,
    content: &'static str,
}

impl List {
    fn run(self) -> Outcome<()> {
        let list = slots().map_err(no_reader)?;
        let list: Vec<Slot> = list
            .into_iter()
            .map(|(reader, content)| Slot {
                reader,
                content: match content {
                    Content::Empty => "empty",
                    Content::Card => "card",
                    Content::Mute => "does not answer",
                    Content::InUse => "in use by another program",
                    Content::Unplugged => "unplugged",
                },
            })
            .collect();
        print(self.json, &list, |list| {
            if list.is_empty() {
                return "no reader".to_owned();
            }
            let lines: Vec<String> = list
                .iter()
                .map(|slot| format!("{}: {}", slot.reader, slot.content))
                .collect();
            lines.join("\n")
        })
    }
}

impl Inspect {
    fn run(self) -> Outcome<()> {
        let report = with_card(&self.at, async |reader| cards::inspect(reader).await)?;
        let missing = |what: &str| Problem::new(Kind::Refused, "card", format!("has no key for {what}"));
        if let (Some(table), Some(style)) = (&self.roll, &self.style) {
            let key = report.roll_key.as_deref().ok_or_else(|| missing("a roll"))?;
            cards::add_to_roll(table, key, style)?;
        }
        if let (Some(table), Some(roles), Some(name)) = (&self.staff, &self.roles, &self.name) {
            let key = report.staff_key.as_deref().ok_or_else(|| missing("staff"))?;
            cards::add_to_staff(table, key, roles, name)?;
        }
        print(self.json, &report, inspected)
    }
}

fn inspected(report: &Inspected) -> String {
    let profile = if report.profile == "piv" {
        "PIV card"
    } else {
        "My Number card"
    };
    let (fewest, most) = report.pin_digits;
    let digits = if fewest == most {
        format!("{most}")
    } else {
        format!("{fewest} to {most}")
    };
    let mut out = format!("{profile}, PIN of {digits} digits, {} tries left\n", report.tries_left);
    for one in &report.certificates {
        out += &format!(
            "  {}: {} key, {}\n    subject {}\n    issuer  {}\n    {} to {} ({} bytes)\n",
            one.slot, one.key, one.usage, one.subject, one.issuer, one.not_before, one.not_after, one.length
        );
    }
    if report.certificates.is_empty() {
        out += "  no certificates: a blank card\n";
    }
    if let Some(key) = &report.roll_key {
        out += &format!("  roll key  {key}\n");
    }
    if let Some(key) = &report.staff_key {
        out += &format!("  staff key {key}\n");
    }
    out
}

impl Check {
    fn run(self) -> Outcome<()> {
        let authorities: Vec<Vec<u8>> = self
            .authorities
            .iter()
            .map(|path| keyfile::certificate(path))
            .collect::<Outcome<_>>()?;
        let terms = cards::Terms {
            authorities: &authorities,
            day: self.day.map_or_else(today, |day| date("--day", day))?,
            last_try: self.last_try,
        };
        let pin = read_pin(self.pin.as_deref().filter(|path| !path.as_os_str().is_empty()), "PIN")?;
        let checked = with_card(&self.at, async |reader| {
            Ok(cards::check(reader, &pin, &terms, &mut system_rng()).await)
        })?;
        print(self.json, &checked, told)?;
        match checked.problem {
            None => Ok(()),
            Some(problem) => Err(problem),
        }
    }
}

fn told(checked: &Checked) -> String {
    let mut out = steps(&checked.steps);
    out += match (&checked.problem, checked.chain) {
        (Some(_), _) => "a kiosk would not admit this card\n",
        (None, Some(_)) => "a kiosk would admit this card if it is on the roll\n",
        (None, None) => {
            "a kiosk would admit this card if it is on the roll and an authority vouches for it (none was given: --ca)\n"
        }
    };
    out
}

fn steps(steps: &[StepReport]) -> String {
    let mut out = format!("{:<26} {:>8} {:>9} {:>9}\n", "step", "commands", "ms", "card ms");
    let (mut commands, mut all, mut card) = (0, 0.0, 0.0);
    for step in steps {
        out += &format!(
            "{:<26} {:>8} {:>9.2} {:>9.2}  {}\n",
            step.step, step.commands, step.milliseconds, step.card_milliseconds, step.result
        );
        commands += step.commands;
        all += step.milliseconds;
        card += step.card_milliseconds;
    }
    out += &format!("{:<26} {commands:>8} {all:>9.2} {card:>9.2}\n", "in all");
    out
}

impl Issue {
    fn run(self) -> Outcome<()> {
        let secret = keyfile::read_secret(&self.ca_key)?;
        let authority = CardAuthority::open(&secret, &keyfile::certificate(&self.ca)?)?;
        let valid = Days {
            from: date("--from", self.from)?,
            until: date("--until", self.until)?,
        };
        let manager = management_key(&self.management_key)?;
        let old_pin = read_pin(self.old_pin.as_deref(), "PIN as it is")?;
        let new_pin = read_pin(self.new_pin.as_deref(), "new PIN")?;
        if self.new_pin.is_none() {
            same(&new_pin, &read_pin(None, "new PIN once more")?)?;
        }
        let puk = match (&self.old_puk, &self.new_puk) {
            (Some(old), Some(new)) => Some((read_pin(Some(old), "PUK")?, read_pin(Some(new), "new PUK")?)),
            _ => None,
        };
        let order = cards::Order {
            authority: &authority,
            staff: self.staff.as_deref(),
            valid,
            manager: &manager,
            old_pin: &old_pin,
            new_pin: &new_pin,
            puk: puk.as_ref().map(|(old, new)| (old, new)),
            overwrite: self.overwrite,
            last_try: self.last_try,
        };
        let issued = with_card(&self.at, async |reader| {
            cards::issue(reader, &order, &mut system_rng()).await
        })?;
        print(self.json, &issued, |issued: &Issued| {
            format!(
                "{}issued\n  roll key  {}\n  staff key {}\n",
                steps(&issued.steps),
                issued.roll_key,
                issued.staff_key
            )
        })
    }
}

impl Authority {
    fn run(self) -> Outcome<()> {
        let valid = Days {
            from: date("--from", self.from)?,
            until: date("--until", self.until)?,
        };
        // The certificate first: a name that does not fit leaves no key behind.
        let signer = election::sign::Signer::generate(&mut system_rng());
        let secret = Zeroizing::new(signer.to_bytes());
        let authority = CardAuthority::new(&secret, &self.name, valid, &mut system_rng())?;
        keyfile::write_secret(&self.out_key, &secret)?;
        files::write_new(&self.out, authority.certificate())
    }
}
