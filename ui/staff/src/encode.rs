//! Encoding of owned values into the borrowed formats of SPEC.md: the desk has a heap, the formats have none.

use election::sign::Signer;
use election::signed::Signed;
use serde::Serialize;

use crate::problem::{Kind, Outcome, Problem};

/// The postcard bytes of a value.
///
/// # Errors
/// A value that postcard cannot hold; none of ours.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Outcome<Vec<u8>> {
    postcard::to_stdvec(value)
        .map_err(|error| Problem::new(Kind::Limit, "", format!("a value cannot be encoded ({error})")))
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

/// Serializes bytes as hex, for reports.
///
/// # Errors
/// The serializer's.
pub fn hex_bytes<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

/// Bytes of `Signed { body, signature }`, message = body.
///
/// # Errors
/// The key cannot sign.
pub fn signed(label: &str, body: &[u8], signer: &Signer) -> Outcome<Vec<u8>> {
    let signed = Signed::new(body, label, signer).map_err(|error| Problem::new(Kind::Refused, "signature", error))?;
    to_bytes(&signed)
}
