//! The command line: arguments in, library functions called, a report or a problem out.
//!
//! Exit codes: 0 it is done or holds, 1 it was refused or does not hold, 2 the call or the input is bad. Reports go to
//! standard output (as JSON with `--json`), progress and problems to standard error.

#[cfg(feature = "pcsc")]
mod card_command;
#[cfg(feature = "pcsc")]
mod card_input;
#[cfg(feature = "pcsc")]
mod card_reader;
mod ceremony_commands;
mod count_commands;
mod decrypt_commands;
mod election_commands;
mod flash_command;
mod image_command;
mod line_command;
mod media_command;
mod medium_command;
mod opened_command;
#[cfg(feature = "screens")]
mod speak_command;
mod station_commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::problem::{Kind, Outcome, Problem};

/// The election desk.
#[derive(Parser)]
#[command(
    name = "staff",
    version,
    about = "The election desk: import, ceremony, roll, package, provision, anchor, tally, verify",
    after_help = "Exit codes: 0 done or holds, 1 refused or does not hold, 2 bad call or bad input."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// NIST SP 1500-20 ballot definition (JSON) -> manifest
    Import(election_commands::Import),
    /// Key ceremony of the trustees, over files
    #[command(subcommand)]
    Ceremony(ceremony_commands::Ceremony),
    /// Roll of a station: CSV of card keys and ballot styles -> roll section
    #[command(subcommand)]
    Roll(election_commands::Roll),
    /// The election authority's signing key
    #[command(subcommand)]
    Authority(election_commands::Authority),
    /// Cards in a reader: what they are, whether a kiosk would admit them, issuing PIV cards
    #[cfg(feature = "pcsc")]
    #[command(subcommand)]
    Card(card_command::Card),
    /// Staff cards and validators -> genesis of the election's ledger
    Genesis(election_commands::Genesis),
    /// The election secret E: it is sealed to kiosks and destroyed after the tally
    #[command(subcommand)]
    Secret(station_commands::Secret),
    /// Everything that an election's screens say, as clips for packages
    #[cfg(feature = "screens")]
    Speak(speak_command::Speak),
    /// The signed election package of a station
    #[command(subcommand)]
    Package(station_commands::PackageCommand),
    /// Signed updates of the Linux kiosk's software, on an exchange drive
    #[command(subcommand)]
    Image(image_command::ImageCommand),
    /// Speaks with a kiosk that has a serial line in place of an exchange drive
    Line(line_command::Line),
    /// Seals E to a kiosk that two staff cards have signed in
    Provision(station_commands::Provision),
    /// A pair of ballot-box media for a registered kiosk and an epoch
    Media(media_command::Media),
    /// One ballot-box medium: a spare, what it is, whether it can be read
    #[command(subcommand)]
    Medium(medium_command::Medium),
    /// Batches and registrations from a kiosk's medium -> the chain
    Anchor(station_commands::Anchor),
    /// What a trustee does at the count, on a machine of their own
    #[command(subcommand)]
    Decrypt(decrypt_commands::Decrypt),
    /// Closed media and the chain -> results and the published record
    Tally(Box<count_commands::Tally>),
    /// Checks a published record from its folder alone
    Verify(count_commands::Verify),
    /// Checks what a challenged kiosk showed against the spoiled ballots of a record
    CheckOpened(opened_command::CheckOpened),
}

/// Runs the program on its arguments.
#[must_use]
pub fn main() -> ExitCode {
    // clap exits by itself with 2 on bad usage and 0 on --help.
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Import(command) => command.run(),
        Command::Roll(command) => command.run(),
        Command::Authority(command) => command.run(),
        #[cfg(feature = "pcsc")]
        Command::Card(command) => command.run(),
        Command::Genesis(command) => command.run(),
        Command::Secret(command) => command.run(),
        #[cfg(feature = "screens")]
        Command::Speak(command) => command.run(),
        Command::Package(command) => command.run(),
        Command::Image(command) => command.run(),
        Command::Line(command) => command.run(),
        Command::Ceremony(command) => command.run(),
        Command::Provision(command) => command.run(),
        Command::Media(command) => command.run(),
        Command::Medium(command) => command.run(),
        Command::Anchor(command) => command.run(),
        Command::Decrypt(command) => command.run(),
        Command::Tally(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::CheckOpened(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("staff: {problem}");
            ExitCode::from(problem.kind.exit_code())
        }
    }
}

/// Prints a report: JSON, or lines for people.
fn print<T: Serialize>(json: bool, report: &T, lines: impl FnOnce(&T) -> String) -> Outcome<()> {
    use std::io::Write as _;
    let text = if json {
        serde_json::to_string_pretty(report).map_err(|error| Problem::new(Kind::Malformed, "", error))?
    } else {
        lines(report)
    };
    writeln!(std::io::stdout(), "{}", text.trim_end())
        .map_err(|error| Problem::new(Kind::Files, "standard output", format!("cannot be written ({error})")))
}

/// The operating system's randomness.
fn system_rng() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}
