//! What went wrong at the desk, in words a clerk can act on: where, what, and what to do.
//!
//! A problem never holds a secret: not a PIN, not a key, not a share.

use std::fmt;
use std::path::Path;

/// Kinds of problem; programs decide by them, people read the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The command was used wrongly.
    Usage,
    /// A file or folder cannot be read or written.
    Files,
    /// Input is cut off or not of the format it should be.
    Malformed,
    /// A definition breaks NIST's schema.
    Schema,
    /// A definition uses something this project does not support.
    Unsupported,
    /// A name or id leads nowhere, or is there twice.
    Reference,
    /// A value is beyond the limits of SPEC.md.
    Limit,
    /// Something that was checked does not hold.
    Refused,
}

impl Kind {
    /// The exit code: 1 where something was understood and refused, 2 where the input or the call was bad.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Refused | Self::Unsupported => 1,
            _ => 2,
        }
    }
}

/// A problem: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// For programs.
    pub kind: Kind,
    /// File, JSON path, contest, kiosk or trustee.
    pub at: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it. Empty where the text already says it.
    pub advice: String,
}

/// Results of the desk.
pub type Outcome<T> = Result<T, Problem>;

impl Problem {
    /// A problem without advice; see [`Problem::advice`].
    pub fn new(kind: Kind, at: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self {
            kind,
            at: at.to_string(),
            what: what.to_string(),
            advice: String::new(),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn advice(mut self, advice: impl fmt::Display) -> Self {
        self.advice = advice.to_string();
        self
    }

    /// Puts a file's name before the place, once.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        let file = file.display().to_string();
        if !self.at.starts_with(&file) {
            self.at = if self.at.is_empty() {
                file
            } else {
                format!("{file}: {}", self.at)
            };
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.what)?;
        if !self.advice.is_empty() {
            write!(f, "\n  what to do: {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
