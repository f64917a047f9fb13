//! The two verifiers: `staff verify`, and the Python one that shares no line with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use staff::verify::Options;

use crate::tree;

/// What a verifier says of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It holds; the summary.
    Holds(Value),
    /// It does not; the file that is named, and the whole sentence.
    Refused {
        /// The file in which the first thing that does not hold was found.
        file: String,
        /// What is said of it.
        sentence: String,
    },
}

impl Verdict {
    /// The summary.
    ///
    /// # Errors
    /// The record was refused.
    pub fn summary(self) -> Result<Value> {
        match self {
            Self::Holds(summary) => Ok(summary),
            Self::Refused { file, sentence } => bail!("refused: {file}: {sentence}"),
        }
    }

    /// The file that is named; `None` if the record holds.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Holds(_) => None,
            Self::Refused { file, .. } => Some(file),
        }
    }
}

/// The folder of the Python verifier.
#[must_use]
pub fn python_folder() -> PathBuf {
    tree::root().join("tests/verifier")
}

/// Python without its cache files.
#[must_use]
pub fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs `verify.py --json` with more arguments.
///
/// # Errors
/// It cannot be run, or neither says yes nor no.
pub fn verify_py<A: AsRef<OsStr>>(record: &Path, arguments: &[A]) -> Result<Verdict> {
    let out: Output = python()
        .arg(python_folder().join("verify.py"))
        .arg(record)
        .arg("--json")
        .args(arguments)
        .output()
        .context("cannot run python3")?;
    let said = || String::from_utf8_lossy(&out.stderr).into_owned();
    match out.status.code() {
        Some(0) => Ok(Verdict::Holds(serde_json::from_slice(&out.stdout)?)),
        Some(1) => {
            let json: Value = serde_json::from_slice(&out.stdout).with_context(said)?;
            let text = |name: &str| json[name].as_str().unwrap_or_default().to_string();
            Ok(Verdict::Refused {
                file: text("file"),
                sentence: format!("{}: {}", text("item"), text("reason")),
            })
        }
        other => bail!("verify.py ended with {other:?}: {}", said()),
    }
}

/// Asks the desk's verification.
///
/// # Errors
/// The folder cannot be read at all.
pub fn verify_staff(record: &Path, options: &Options) -> Result<Verdict> {
    match staff::verify::verify_folder(record, options, &staff::progress::silent) {
        Ok(verified) => Ok(Verdict::Holds(serde_json::to_value(verified)?)),
        Err(problem) if problem.kind == staff::Kind::Refused => {
            let file = problem.at.split([':', ' ', ',']).next().unwrap_or_default();
            let file = Path::new(file)
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            Ok(Verdict::Refused {
                file,
                sentence: problem.to_string(),
            })
        }
        Err(problem) => bail!("staff verify could not look at the record: {problem}"),
    }
}
