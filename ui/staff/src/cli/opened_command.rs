//! `check-opened`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::opened::{self, OpenedContest};
use crate::problem::{Kind, Outcome, Problem};
use crate::record::Record;

/// `check-opened`.
#[derive(Args)]
#[command(
    after_help = "Exit code 0: every opening is what the spoiled ballot of its code encrypts. 1: it is not, or the code is not among \
                        the spoiled ones. 2: it could not be looked at. Check the record itself with `verify`."
)]
pub struct CheckOpened {
    /// Folder of the record
    record: PathBuf,
    /// A file with the content of a QR code, as bytes or as hex; repeat
    #[arg(long = "file")]
    files: Vec<PathBuf>,
    /// The content of a QR code in hex; repeat
    #[arg(long = "hex")]
    hex: Vec<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl CheckOpened {
    pub fn run(self) -> Outcome<()> {
        let mut openings = Vec::new();
        for path in &self.files {
            let content = crate::files::read(path, 1 << 16)?;
            openings.push((path.display().to_string(), opened::payload(&content)));
        }
        for (number, text) in (1..).zip(&self.hex) {
            let bytes = hex::decode(text.trim())
                .map_err(|_| Problem::new(Kind::Usage, format!("--hex number {number}"), "is not hex"))?;
            openings.push((format!("--hex number {number}"), bytes));
        }
        if openings.is_empty() {
            return Err(Problem::new(
                Kind::Usage,
                "check-opened",
                "there is no --file and no --hex to check",
            ));
        }
        let record = Record::read(&self.record)?;
        print(self.json, &opened::check(&record, &openings)?, |opened| {
            describe(opened)
        })
    }
}

fn describe(opened: &[OpenedContest]) -> String {
    let mut out = String::new();
    for contest in opened {
        let chosen = if contest.chosen.is_empty() {
            "nothing".to_owned()
        } else {
            contest.chosen.join(", ")
        };
        let _ = writeln!(
            out,
            "{}: {} is spoiled and holds, in contest {}: {chosen}; {} not used",
            contest.from, contest.code, contest.contest, contest.no_votes
        );
    }
    out
}
