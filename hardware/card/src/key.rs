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
/// Large for a value that is copied, but a key on the heap would need one. Not a secret, but it names a person: `Debug` shows only the kind of key, so that it cannot slip into
/// a log by way of a larger value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "this room has no heap by default")]
pub enum CardPublicKey {
    /// A P-256 point, SEC 1 compressed. [`CardPublicKey::p256`] makes sure that it is one.
    P256([u8; 33]),
    /// An RSA-2048 key with the exponent 65537 as PKCS#1 DER (`RSAPublicKey`, RFC 8017 appendix A.1.1).
    /// [`CardPublicKey::rsa2048`] makes sure that it is one in form.
    Rsa2048([u8; 270]),
}

/// `RSAPublicKey ::= SEQUENCE { modulus of 256 bytes with its highest bit set, 65537 }`: what stands before and after the modulus. Every
/// key of this kind has this one encoding.
const RSA_BEFORE: [u8; 9] = [0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00];
const RSA_AFTER: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// The bytes are not a public key of this kind.
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

    /// An RSA-2048 key from its PKCS#1 DER encoding.
    ///
    /// # Errors
    /// [`BadKey`] unless the modulus is odd and has exactly 2,048 bits, and the exponent is 65537.
    pub fn rsa2048(pkcs1: &[u8]) -> Result<Self, BadKey> {
        let bytes: [u8; 270] = pkcs1.try_into().map_err(|_| BadKey)?;
        let modulus = bytes
            .strip_prefix(&RSA_BEFORE)
            .and_then(|rest| rest.strip_suffix(&RSA_AFTER));
        match modulus {
            Some([first, .., last]) if first & 0x80 != 0 && last & 1 == 1 => Ok(Self::Rsa2048(bytes)),
            _ => Err(BadKey),
        }
    }

    /// The key's canonical bytes: for P-256 the 33 bytes of the compressed point, for RSA PKCS#1 DER. Keys of different
    /// kinds differ in length, so the bytes alone tell them apart.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::P256(bytes) => bytes,
            Self::Rsa2048(bytes) => bytes,
        }
    }

    /// The key as a checked point.
    ///
    /// # Errors
    /// [`BadKey`] if it is a key of another kind, or was put together from bytes that are no point.
    pub fn to_p256(&self) -> Result<PublicKey, BadKey> {
        match self {
            Self::P256(bytes) => PublicKey::from_sec1_bytes(bytes).map_err(|_| BadKey),
            Self::Rsa2048(_) => Err(BadKey),
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
            Self::Rsa2048(_) => f.write_str("Rsa2048(..)"),
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
        f.write_str("not a public key of this kind")
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
        assert_eq!(format!("{:?}", CardPublicKey::Rsa2048([7; 270])), "Rsa2048(..)");
    }

    #[test]
    fn only_odd_moduli_of_2048_bits_with_the_usual_exponent_are_rsa_keys() {
        let key = |first: u8, last: u8| {
            let mut bytes = std::vec![0x30, 0x82, 1, 0x0A, 2, 0x82, 1, 1, 0, first];
            bytes.extend([0x5A; 254]);
            bytes.extend([last, 2, 3, 1, 0, 1]);
            bytes
        };
        assert!(CardPublicKey::rsa2048(&key(0x80, 1)).is_ok());
        assert!(CardPublicKey::rsa2048(&key(0x7F, 1)).is_err());
        assert!(CardPublicKey::rsa2048(&key(0x80, 2)).is_err());
        for at in (0..9).chain(265..270) {
            let mut bytes = key(0x80, 1);
            bytes[at] ^= 1;
            assert!(CardPublicKey::rsa2048(&bytes).is_err(), "{at}");
        }
        assert!(CardPublicKey::rsa2048(&key(0x80, 1)[1..]).is_err());
        assert!(CardPublicKey::rsa2048(&key(0x80, 1)).unwrap().to_p256().is_err());
    }
}
