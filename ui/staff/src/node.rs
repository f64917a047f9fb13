//! A JSON value with its path, so that every message can name the place.

use serde_json::Value;

use crate::problem::{Kind, Outcome, Problem};

/// A value and where it is.
#[derive(Clone)]
pub struct Node<'v> {
    value: &'v Value,
    path: String,
}

impl<'v> Node<'v> {
    /// The document.
    #[must_use]
    pub fn root(value: &'v Value) -> Self {
        Self {
            value,
            path: "$".into(),
        }
    }

    /// The place, as a JSON path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The bare value.
    #[must_use]
    pub const fn value(&self) -> &'v Value {
        self.value
    }

    /// A member, if there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Self> {
        self.value.get(name).map(|value| Self {
            value,
            path: format!("{}.{name}", self.path),
        })
    }

    /// The items of an array member; none where it is missing.
    #[must_use]
    pub fn items(&self, name: &str) -> Vec<Self> {
        self.get(name).map(|node| node.elements()).unwrap_or_default()
    }

    /// The items of this array.
    #[must_use]
    pub fn elements(&self) -> Vec<Self> {
        self.value
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, value)| Self {
                value,
                path: format!("{}[{index}]", self.path),
            })
            .collect()
    }

    /// A string member, if there.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'v str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// This value as a string.
    #[must_use]
    pub fn as_text(&self) -> &'v str {
        self.value.as_str().unwrap_or_default()
    }

    /// A string member that must be there.
    ///
    /// # Errors
    /// It is missing.
    pub fn need(&self, name: &str) -> Outcome<&'v str> {
        self.text(name)
            .ok_or_else(|| self.problem(Kind::Schema, format!("the required {name:?} is missing")))
    }

    /// The NIST class without its package: `CandidateContest`.
    #[must_use]
    pub fn class(&self) -> &'v str {
        let class = self.text("@type").unwrap_or_default();
        class.rsplit('.').next().unwrap_or(class)
    }

    /// A problem at this place.
    pub fn problem(&self, kind: Kind, what: impl std::fmt::Display) -> Problem {
        Problem::new(kind, &self.path, what)
    }
}
