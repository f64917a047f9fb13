//! `ceremony`: one subcommand a step.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{print, system_rng};
use crate::ceremony::{self, StepReport};
use crate::problem::Outcome;

/// `ceremony`.
#[derive(Subcommand)]
#[command(
    after_help = "Each trustee runs join, commit, reveal, share and accept on a machine of its own, with a private folder that \
                        never leaves it and a shared folder that may travel on a stick. `new` is run once after all have joined, \
                        `finish` once at the end. Each step waits for all messages of the one before and may be run again."
)]
pub enum Ceremony {
    /// A trustee joins: makes keys
    Join(Join),
    /// Defines the ceremony from those who joined
    New(New),
    /// Round 1: commits to a secret polynomial
    Commit(Both),
    /// Round 2: shows what was committed to
    Reveal(Both),
    /// Round 3: seals a share to every other trustee
    Share(Both),
    /// Round 4: checks all shares, keeps the part of the key, accepts
    Accept(Both),
    /// Checks everything and writes keys.bin and ceremony.bin
    Finish(Shared),
    /// A whole ceremony on one machine, for developers
    Local(Local),
}

/// `ceremony join`.
#[derive(Args)]
pub struct Join {
    #[command(flatten)]
    folders: Both,
    /// The trustee's number, from 1, agreed among all
    #[arg(long)]
    number: u8,
    /// The trustee's name, for reports
    #[arg(long)]
    name: String,
}

/// `ceremony new`.
#[derive(Args)]
pub struct New {
    #[command(flatten)]
    shared: Shared,
    /// How many trustees there are
    #[arg(long)]
    trustees: u8,
    /// How many of them are needed to decrypt
    #[arg(long)]
    threshold: u8,
}

/// The two folders of a trustee.
#[derive(Args)]
pub struct Both {
    /// Folder of messages
    #[arg(long)]
    shared: PathBuf,
    /// The trustee's own folder (made with mode 0700, secrets with 0600)
    #[arg(long)]
    private: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// The shared folder alone.
#[derive(Args)]
pub struct Shared {
    /// Folder of messages
    #[arg(long)]
    shared: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `ceremony local`.
#[derive(Args)]
pub struct Local {
    /// How many trustees there are
    #[arg(long, default_value_t = 3)]
    trustees: u8,
    /// How many of them are needed to decrypt
    #[arg(long, default_value_t = 2)]
    threshold: u8,
    /// Folder for all: shared, trustee-1, trustee-2, ...
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Ceremony {
    pub fn run(self) -> Outcome<()> {
        let mut rng = system_rng();
        let (report, json) = match self {
            Self::Join(c) => (
                ceremony::join(&c.folders.shared, &c.folders.private, c.number, &c.name, &mut rng)?,
                c.folders.json,
            ),
            Self::New(c) => (
                ceremony::new(&c.shared.shared, c.trustees, c.threshold, &mut rng)?,
                c.shared.json,
            ),
            Self::Commit(c) => (ceremony::commit(&c.shared, &c.private, &mut rng)?, c.json),
            Self::Reveal(c) => (ceremony::reveal(&c.shared, &c.private)?, c.json),
            Self::Share(c) => (ceremony::share(&c.shared, &c.private, &mut rng)?, c.json),
            Self::Accept(c) => (ceremony::accept(&c.shared, &c.private)?, c.json),
            Self::Finish(c) => (ceremony::finish(&c.shared)?, c.json),
            Self::Local(c) => {
                let reports = ceremony::local(&c.out, c.trustees, c.threshold, &mut rng)?;
                return print(c.json, &reports, |reports| {
                    let mut out = String::new();
                    for report in reports {
                        out.push_str(&describe(report));
                    }
                    out
                });
            }
        };
        print(json, &report, describe)
    }
}

fn describe(report: &StepReport) -> String {
    let who = report
        .trustee
        .map_or_else(String::new, |number| format!(" (trustee {number})"));
    let done = if report.written { "done" } else { "was done already" };
    let mut out = format!("{}{who}: {done}\n", report.step);
    if let Some(words) = &report.words {
        out.push_str(&format!("  words of this ceremony: {words}\n"));
    }
    out.push_str(&format!("  next: {}\n", report.next));
    out
}
