//! Encoding of owned values into the borrowed formats of SPEC.md: the desk has a heap, the formats have none.

use serde::Serialize;

use crate::problem::{Kind, Outcome, Problem};

/// The postcard bytes of a value.
///
/// # Errors
/// A value that postcard cannot hold; none of ours.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Outcome<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|error| Problem::new(Kind::Limit, "", format!("a value cannot be encoded ({error})")))
}

/// The content of a `Seq`: items one after the other.
///
/// # Errors
/// As [`to_bytes`].
pub fn seq_of<T: Serialize>(items: impl IntoIterator<Item = T>) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend(to_bytes(&item)?);
    }
    Ok(bytes)
}
