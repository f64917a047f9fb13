//! Public keys of cards.

use core::fmt;

use p256::PublicKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;

/// The public key of a certificate, without anything else of it.
///
/// An enum, because the My Number card brings RSA-2048 today and its successor P-384.
///
/// Not a secret, but it names a person: `Debug` shows only the kind of key, so that it cannot slip into
/// a log by way of a larger value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CardPublicKey {
    /// A P-256 point, SEC 1 compressed. [`CardPublicKey::p256`] makes sure that it is one.
    P256([u8; 33]),
}

/// The bytes are not a P-256 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

impl CardPublicKey {
    /// A P-256 key from its SEC 1 encoding, compressed or not.
    ///
    /// # Errors
    /// [`BadKey`] unless it is a point of the curve other than the neutral one.
    pub fn p256(sec1: &[u8]) -> Result<Self, BadKey> {
        PublicKey::from_sec1_bytes(sec1)
            .map(|key| Self::from(&key))
            .map_err(|_| BadKey)
    }

    /// The key's canonical bytes: for P-256 the 33 bytes of the compressed point. Keys of different
    /// kinds differ in length, so the bytes alone tell them apart.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::P256(bytes) => bytes,
        }
    }

    /// The key as a checked point.
    ///
    /// # Errors
    /// [`BadKey`] if the value was put together from bytes that are no point.
    pub fn to_p256(&self) -> Result<PublicKey, BadKey> {
        match self {
            Self::P256(bytes) => PublicKey::from_sec1_bytes(bytes).map_err(|_| BadKey),
        }
    }

    /// Whether `signature` (r ‖ s, with low s as [`crate::Piv::sign`] returns it) is this key's over
    /// the SHA-256 `hash`. The twin with high s is refused: one signature has one encoding, so that
    /// nobody can make a second valid form of signed bytes.
    #[must_use]
    pub fn verify(&self, hash: &[u8; 32], signature: &[u8; 64]) -> bool {
        let Ok(key) = self.to_p256() else {
            return false;
        };
        let Ok(signature) = Signature::from_slice(signature) else {
            return false;
        };
        signature.normalize_s() == signature && VerifyingKey::from(&key).verify_prehash(hash, &signature).is_ok()
    }
}

impl fmt::Debug for CardPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256(_) => f.write_str("P256(..)"),
        }
    }
}

impl From<&PublicKey> for CardPublicKey {
    fn from(key: &PublicKey) -> Self {
        let point = key.to_sec1_point(true);
        let mut bytes = [0; 33];
        for (to, from) in bytes.iter_mut().zip(point.as_bytes()) {
            *to = *from;
        }
        Self::P256(bytes)
    }
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a P-256 public key")
    }
}

impl core::error::Error for BadKey {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::CardPublicKey;
    use std::format;

    #[test]
    fn a2_a_key_in_a_message_shows_its_kind_only() {
        assert_eq!(format!("{:?}", CardPublicKey::P256([7; 33])), "P256(..)");
    }
}
