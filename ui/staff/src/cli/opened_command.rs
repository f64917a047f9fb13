//! `check-opened`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::opened::{self, Opened};
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
    /// Files with what the QR codes hold: the bytes of one code, or lines of hex as scanners give them; one for each contest of the ballot
    #[arg(long = "file", num_args = 1..)]
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
            let content = crate::files::read(path, 1 << 20)?;
            let from = path.display();
            let payloads = opened::payloads(&content);
            let only = payloads.len() == 1;
            for (number, payload) in (1..).zip(payloads) {
                let name = if only {
                    from.to_string()
                } else {
                    format!("{from}, line {number}")
                };
                openings.push((name, payload));
            }
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
        print(self.json, &opened::check(&record, &openings)?, describe)
    }
}

fn describe(opened: &Opened) -> String {
    let mut out = String::new();
    let mut code = "";
    for contest in &opened.contests {
        if code != contest.code {
            code = &contest.code;
            let _ = writeln!(out, "{code} is spoiled, and holds what was shown:");
        }
        let chosen = if contest.chosen.is_empty() {
            "nothing".to_owned()
        } else {
            contest.chosen_names.join(", ")
        };
        let _ = write!(out, "  {}: {chosen}", contest.name);
        if contest.no_votes > 0 && !contest.chosen.is_empty() {
            let _ = write!(out, "; {} more not used", contest.no_votes);
        }
        out.push('\n');
    }
    for missing in &opened.not_shown {
        let _ = writeln!(
            out,
            "  contest {} of {} was not looked at: there is no opening of it",
            missing.contest, missing.code
        );
    }
    out.push_str(
        "  Compare this with what you chose. If it is anything else, keep the photographs and report the kiosk.\n",
    );
    out
}
