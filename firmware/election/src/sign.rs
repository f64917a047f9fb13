//! Signatures (SPEC.md, section 1): ECDSA on P-256 over a labelled hash that holds the verification key.
//!
//! The label keeps a signature given for one purpose from being shown for another; the key inside the hash keeps it from
//! being claimed by another key; the low s leaves each signature exactly one form.

use core::fmt;

use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use rand_core::CryptoRng;

use crate::hash::{Digest, hash};

/// A public key: SEC 1 compressed point.
pub type PublicKey = [u8; 33];
/// `r || s`, both in 1..n-1, s in its lower half.
pub type SignatureBytes = [u8; 64];

/// Why a signature or a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignError {
    /// Not a compressed point of P-256.
    Key,
    /// r or s out of range, or s in its upper half.
    Form,
    /// The signature is not by this key over this message.
    Mismatch,
    /// The secret key is 0 or not below the order.
    Secret,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the public key is not a point of P-256",
            Self::Form => "the signature is not in its one allowed form",
            Self::Mismatch => "the signature is not by this key over these bytes",
            Self::Secret => "the secret key is out of range",
        })
    }
}

impl core::error::Error for SignError {}

/// The 32 bytes that are signed: `H(label, public key, message)`. A card is given exactly these as its hash.
#[must_use]
pub fn prehash(label: &str, key: &PublicKey, message: &[u8]) -> Digest {
    hash(label, &[key, message])
}

/// Reads a public key strictly: compressed, on the curve, not the identity.
///
/// # Errors
/// [`SignError::Key`].
pub fn public_key(bytes: &PublicKey) -> Result<VerifyingKey, SignError> {
    // The library also takes tag 05 (x alone, "compact") at this length: a second encoding of the same key.
    if !matches!(bytes.first(), Some(2 | 3)) {
        return Err(SignError::Key);
    }
    VerifyingKey::from_sec1_bytes(bytes).map_err(|_| SignError::Key)
}

/// Checks `sign(key, label, message)`.
///
/// # Errors
/// What does not hold.
pub fn verify(key: &PublicKey, label: &str, message: &[u8], signature: &SignatureBytes) -> Result<(), SignError> {
    verify_prehash(key, &prehash(label, key, message), signature)
}

/// Checks a signature over a 32-byte digest that the caller made, for the one signature that has no label (a validator's
/// precommit, SPEC.md section 9) and for cards.
///
/// # Errors
/// What does not hold.
pub fn verify_prehash(key: &PublicKey, digest: &Digest, signature: &SignatureBytes) -> Result<(), SignError> {
    let key = public_key(key)?;
    let signature = Signature::from_slice(signature).map_err(|_| SignError::Form)?;
    if bool::from(p256::elliptic_curve::scalar::IsHigh::is_high(&*signature.s())) {
        return Err(SignError::Form);
    }
    key.verify_prehash(digest, &signature).map_err(|_| SignError::Mismatch)
}

/// A signing key. Zeroized when dropped; it has no `Debug`.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// A fresh key.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        loop {
            let mut bytes = zeroize::Zeroizing::new([0; 32]);
            rng.fill_bytes(bytes.as_mut());
            // Out of range with a probability of 2^-32: draw again.
            if let Ok(signer) = Self::from_bytes(&bytes) {
                return signer;
            }
        }
    }

    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`SignError::Secret`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SignError> {
        SigningKey::from_slice(bytes)
            .map(|key| Self { key })
            .map_err(|_| SignError::Secret)
    }

    /// The secret, to be kept: zeroize it.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.key.to_bytes().into())
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        compressed(self.key.verifying_key())
    }

    /// `sign(key, label, message)`, nonce by RFC 6979.
    ///
    /// # Errors
    /// [`SignError::Secret`]: the arithmetic refused, which no valid key does.
    pub fn sign(&self, label: &str, message: &[u8]) -> Result<SignatureBytes, SignError> {
        self.sign_prehash(&prehash(label, &self.public_key(), message))
    }

    /// Signs a digest that the caller made; see [`verify_prehash`].
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign_prehash(&self, digest: &Digest) -> Result<SignatureBytes, SignError> {
        let signature: Signature = self.key.sign_prehash(digest).map_err(|_| SignError::Secret)?;
        Ok(signature.normalize_s().to_bytes().into())
    }
}

/// The compressed form of a verifying key.
#[must_use]
pub fn compressed(key: &VerifyingKey) -> PublicKey {
    use p256::elliptic_curve::sec1::ToSec1Point as _;
    let point = key.as_affine().to_sec1_point(true);
    let mut out = [0; 33];
    // A compressed point that is not the identity has 33 bytes; a verifying key is never the identity.
    for (o, b) in out.iter_mut().zip(point.as_bytes()) {
        *o = *b;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use p256::ecdsa::RecoveryId;
    use rand_core::SeedableRng as _;

    #[test]
    fn p12_the_key_the_label_and_the_message_are_bound() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let (a, b) = (Signer::generate(&mut rng), Signer::generate(&mut rng));
        let signature = a.sign("ippyo/1/sign/test", b"message").unwrap();
        assert_eq!(
            verify(&a.public_key(), "ippyo/1/sign/test", b"message", &signature),
            Ok(())
        );
        assert_eq!(
            verify(&b.public_key(), "ippyo/1/sign/test", b"message", &signature),
            Err(SignError::Mismatch)
        );
        assert_eq!(
            verify(&a.public_key(), "ippyo/1/sign/tes", b"message", &signature),
            Err(SignError::Mismatch)
        );
        assert_eq!(
            verify(&a.public_key(), "ippyo/1/sign/test", b"messagf", &signature),
            Err(SignError::Mismatch)
        );
    }

    /// Every ECDSA signature over a digest holds under a second key that anybody can compute (R and -R have the same x). Whoever
    /// shows that key claims the message; not where the digest holds the key.
    #[test]
    fn p12_a_second_key_for_a_signature_claims_nothing() {
        let (label, message) = ("ippyo/1/sign/test", b"message");
        let owner = Signer::generate(&mut ChaCha20Rng::from_seed([4; 32]));
        let bytes = owner.sign(label, message).unwrap();
        let digest = prehash(label, &owner.public_key(), message);
        let signature = Signature::from_slice(&bytes).unwrap();
        let mut claimed = 0;
        for id in 0..2 {
            let id = RecoveryId::from_byte(id).unwrap();
            let key = VerifyingKey::recover_from_prehash(&digest, &signature, id).unwrap();
            let key = compressed(&key);
            assert_eq!(
                verify_prehash(&key, &digest, &bytes),
                Ok(()),
                "the attack on a bare digest"
            );
            if key != owner.public_key() {
                claimed += 1;
                assert_eq!(verify(&key, label, message, &bytes), Err(SignError::Mismatch));
            }
        }
        assert_eq!(claimed, 1);
    }

    #[test]
    fn p09_the_second_form_of_a_signature_is_refused() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let key = Signer::generate(&mut rng);
        let bytes = key.sign("ippyo/1/sign/test", b"m").unwrap();
        let signature = Signature::from_slice(&bytes).unwrap();
        let (r, s) = signature.split_scalars();
        let high = Signature::from_scalars(*r.as_ref(), -*s.as_ref()).unwrap();
        assert_eq!(
            verify(&key.public_key(), "ippyo/1/sign/test", b"m", &high.to_bytes().into()),
            Err(SignError::Form)
        );
        assert_eq!(
            verify(&key.public_key(), "ippyo/1/sign/test", b"m", &[0; 64]),
            Err(SignError::Form)
        );
        assert_eq!(
            verify(&key.public_key(), "ippyo/1/sign/test", b"m", &[255; 64]),
            Err(SignError::Form)
        );
    }

    #[test]
    fn p07_other_forms_of_a_key_are_refused() {
        for tag in [0u8, 1, 4, 5, 6, 7] {
            let mut key = Signer::generate(&mut ChaCha20Rng::from_seed([3; 32])).public_key();
            key[0] = tag;
            assert!(public_key(&key).is_err());
        }
        assert!(public_key(&[255; 33]).is_err());
    }
}
