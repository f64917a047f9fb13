//! Sealing to a key (SPEC.md, section 6): one secret message to one receiver, HPKE base mode (RFC 9180).
//!
//! What is sealed is bound to its purpose by `info`: a share of a ceremony cannot be shown as an election secret, nor be
//! replayed in another ceremony. The sender is not authenticated here; who sends signs.

use core::fmt;

use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::group::{Point, PointBytes, Scalar, ScalarBytes, Secrets, secret_scalar};

type Suite = DhP256HkdfSha256;
type Receiver = <Suite as Kem>::PublicKey;
type Private = <Suite as Kem>::PrivateKey;
type Encapsulated = <Suite as Kem>::EncappedKey;

/// Bytes of an encapsulated key: an uncompressed point.
pub const ENCAPSULATED_LEN: usize = 65;
/// Bytes that the tag adds.
pub const TAG_LEN: usize = 16;
/// Bytes around a sealed message.
pub const OVERHEAD: usize = ENCAPSULATED_LEN + TAG_LEN;

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The receiver's key, or the encapsulated key, is not a point of P-256.
    Key,
    /// The secret key is out of range.
    Secret,
    /// Sealed for somebody else or for another purpose, or changed on the way.
    Refused,
    /// A buffer has the wrong length.
    Length,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "a sealing key is not a point of P-256",
            Self::Secret => "the secret sealing key is out of range",
            Self::Refused => "the sealed message is not for this key and purpose, or was changed",
            Self::Length => "a sealed message or its buffer has the wrong length",
        })
    }
}

impl core::error::Error for SealError {}

/// A key that opens what is sealed to it. Zeroized when dropped; it has no `Debug`.
pub struct SealingSecret {
    scalar: Scalar,
}

impl SealingSecret {
    /// A fresh key.
    ///
    /// # Errors
    /// [`SealError::Secret`]: the random source is broken.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Self, SealError> {
        let scalar = Secrets::new(rng).scalar().map_err(|_| SealError::Secret)?;
        Ok(Self { scalar })
    }

    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`SealError::Secret`].
    pub fn from_bytes(bytes: &ScalarBytes) -> Result<Self, SealError> {
        secret_scalar(bytes)
            .map(|scalar| Self { scalar })
            .map_err(|_| SealError::Secret)
    }

    /// The secret, to be kept: zeroized when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<ScalarBytes> {
        Zeroizing::new(self.scalar.to_bytes().into())
    }

    /// The key others seal to.
    #[must_use]
    pub fn public_key(&self) -> PointBytes {
        // Not the identity, since the scalar is in 1..n-1.
        crate::group::compress(&(p256::ProjectivePoint::GENERATOR * self.scalar).to_affine())
    }
}

impl Drop for SealingSecret {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

/// Seals `message` to `receiver`; `out` has [`OVERHEAD`] bytes more: encapsulated key || ciphertext || tag.
///
/// # Errors
/// [`SealError::Key`], [`SealError::Length`].
pub fn seal<R: CryptoRng + ?Sized>(
    receiver: &PointBytes,
    info: &[u8],
    message: &[u8],
    rng: &mut R,
    out: &mut [u8],
) -> Result<(), SealError> {
    use p256::elliptic_curve::sec1::ToSec1Point as _;
    let point = Point::from_bytes(receiver).map_err(|_| SealError::Key)?;
    let receiver = Receiver::from_bytes(point.affine().to_sec1_point(false).as_bytes()).map_err(|_| SealError::Key)?;
    let (encapsulated, rest) = out
        .split_first_chunk_mut::<ENCAPSULATED_LEN>()
        .ok_or(SealError::Length)?;
    let (ciphertext, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(SealError::Length)?;
    if ciphertext.len() != message.len() {
        return Err(SealError::Length);
    }
    let buffer = InOutBuf::new(message, ciphertext).map_err(|_| SealError::Length)?;
    let (key, sealed) = hpke::single_shot_seal_inout_detached_with_rng::<ChaCha20Poly1305, HkdfSha256, Suite>(
        &OpModeS::Base,
        &receiver,
        info,
        buffer,
        &[],
        &mut &mut *rng,
    )
    .map_err(|_| SealError::Refused)?;
    encapsulated.copy_from_slice(&key.to_bytes());
    tag.copy_from_slice(&sealed.to_bytes());
    Ok(())
}

/// Opens what [`seal`] sealed for the same `info`; `out` has [`OVERHEAD`] bytes less. On an error `out` is zero.
///
/// # Errors
/// [`SealError::Refused`], [`SealError::Key`], [`SealError::Length`].
pub fn open(secret: &SealingSecret, info: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), SealError> {
    let result = try_open(secret, info, sealed, out);
    if result.is_err() {
        out.zeroize();
    }
    result
}

fn try_open(secret: &SealingSecret, info: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), SealError> {
    let (encapsulated, rest) = sealed
        .split_first_chunk::<ENCAPSULATED_LEN>()
        .ok_or(SealError::Length)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(SealError::Length)?;
    let buffer = InOutBuf::new(ciphertext, out).map_err(|_| SealError::Length)?;
    let private = Private::from_bytes(secret.to_bytes().as_slice()).map_err(|_| SealError::Secret)?;
    let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| SealError::Key)?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag).map_err(|_| SealError::Length)?;
    hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, Suite>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        info,
        buffer,
        &[],
        &tag,
    )
    .map_err(|_| SealError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use proptest::prelude::*;
    use rand_core::SeedableRng as _;

    fn key(seed: u8) -> SealingSecret {
        SealingSecret::generate(&mut ChaCha20Rng::from_seed([seed; 32])).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_is_sealed_opens_with_the_key_and_purpose_only(
            message in prop::collection::vec(any::<u8>(), 0..100),
            seed: u8,
            at: prop::sample::Index,
            bit in 0u8..8,
        ) {
            let secret = key(1);
            let mut sealed = std::vec![0; message.len() + OVERHEAD];
            seal(&secret.public_key(), b"purpose", &message, &mut ChaCha20Rng::from_seed([seed; 32]), &mut sealed).unwrap();
            let mut out = std::vec![1; message.len()];
            prop_assert_eq!(open(&secret, b"purpose", &sealed, &mut out), Ok(()));
            prop_assert_eq!(&out, &message);
            prop_assert_eq!(open(&secret, b"purposf", &sealed, &mut out), Err(SealError::Refused));
            prop_assert!(out.iter().all(|byte| *byte == 0));
            prop_assert_eq!(open(&key(2), b"purpose", &sealed, &mut out), Err(SealError::Refused));
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(open(&secret, b"purpose", &sealed, &mut out).is_err());
        }
    }

    #[test]
    fn wrong_lengths_and_keys_are_refused() {
        let secret = key(1);
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        for length in (0..OVERHEAD + 40).filter(|length| *length != OVERHEAD + 32) {
            let mut out = std::vec![0; length];
            assert_eq!(
                seal(&secret.public_key(), b"", &[7; 32], &mut rng, &mut out),
                Err(SealError::Length)
            );
            assert_eq!(open(&secret, b"", &out, &mut [0; 32]), Err(SealError::Length));
        }
        let mut out = [0; OVERHEAD + 32];
        let mut receiver = secret.public_key();
        receiver[0] = 5;
        assert_eq!(seal(&receiver, b"", &[7; 32], &mut rng, &mut out), Err(SealError::Key));
        assert_eq!(open(&secret, b"", &out, &mut [0; 32]), Err(SealError::Key));
        assert!(SealingSecret::from_bytes(&[0; 32]).is_err());
        assert!(SealingSecret::from_bytes(&[255; 32]).is_err());
        assert_eq!(
            SealingSecret::from_bytes(&secret.to_bytes()).unwrap().public_key(),
            secret.public_key()
        );
    }
}
