//! How a command ends: what it prints, or what went wrong; and the exit code.

use std::path::Path;

use serde_json::Value;

/// What went wrong, and the exit code for it.
pub struct Failure(pub u8, pub String);

impl Failure {
    pub fn file(path: &Path, error: impl std::fmt::Display) -> Self {
        Self(3, format!("{}: {error}", path.display()))
    }
}

pub fn setting(error: impl std::fmt::Display) -> Failure {
    Failure(3, error.to_string())
}

pub fn storage(error: impl std::fmt::Display) -> Failure {
    Failure(4, error.to_string())
}

/// A value for programs, a text for people, and the exit code.
pub type Outcome = Result<(Value, String, u8), Failure>;
