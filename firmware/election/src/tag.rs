//! Pseudonym, tag and the election secret E (SPEC.md, sections 5 and 6): one vote a card, without knowing whose.
//!
//! The pseudonym is computed by the card, so that not even the authority with the roll in hand can compute it; the tag is
//! its HMAC under E, so that neither a coercer with card and PIN nor a web site that makes the card sign can look a voter
//! up. This module sees a card's answer only as bytes and forgets it; it never sees a ballot.

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::group::{GroupError, Point, PointBytes, Secrets, hash_to_curve};
use crate::hash::{Digest, hash};
use crate::seal::{self, OVERHEAD, SealError, SealingSecret};

/// Domain separation tag of the point that a PIV card multiplies (RFC 9380, 3.1).
const PIV_POINT: &[u8] = b"ippyo/1/pseudonym/piv/P256_XMD:SHA-256_SSWU_RO_";
/// First bytes of the purpose for which E is sealed, and of a tag's message.
const SECRET_INFO: &[u8; 14] = b"ippyo/1/secret";
const TAG_MESSAGE: &[u8] = b"ippyo/1/tag";

/// Bytes of E sealed to a kiosk.
pub const SEALED_SECRET_LEN: usize = 32 + OVERHEAD;

/// The mark of a card in an election: what makes a second vote show.
pub type Tag = [u8; 32];

/// What a card says of itself in one election. Zeroized when dropped; no `Debug`: together with E it finds the voter's tag.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pseudonym(Digest);

impl Pseudonym {
    /// From Z = d·P, the answer of a PIV card's key 9D to the point of [`piv_point`].
    #[must_use]
    pub fn piv(answer: &Point) -> Self {
        Self(hash("ippyo/1/pseudonym/piv", &[&answer.to_bytes()]))
    }

    /// From a JPKI card's RSA-PKCS1-v1.5 signature over [`jpki_message`].
    #[must_use]
    pub fn jpki(signature: &[u8]) -> Self {
        Self(hash("ippyo/1/pseudonym/jpki", &[signature]))
    }
}

/// The point P of an election that every PIV card multiplies by its secret.
///
/// # Errors
/// [`GroupError`] only if nobody's discrete logarithms hold.
pub fn piv_point(election: &Digest) -> Result<Point, GroupError> {
    hash_to_curve(PIV_POINT, election)
}

/// What a JPKI card signs in an election.
#[must_use]
pub fn jpki_message(election: &Digest) -> Digest {
    hash("ippyo/1/pseudonym/jpki/message", &[election])
}

/// Why an election secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// It could not be opened.
    Seal(SealError),
    /// It is not the secret the package commits to: a kiosk with it would make other tags than the rest.
    Commitment,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(error) => write!(f, "the election secret: {error}"),
            Self::Commitment => f.write_str("the election secret is not the one of this election's package"),
        }
    }
}

impl core::error::Error for SecretError {}

/// E. Wiped from kiosks at closing and destroyed at the desk before witnesses. Zeroized when dropped; no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ElectionSecret([u8; 32]);

impl ElectionSecret {
    /// A fresh secret.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(Secrets::new(rng).bytes())
    }

    /// E from storage.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// E for storage: zeroized when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// What the package holds of E.
    #[must_use]
    pub fn commitment(&self, election: &Digest) -> Digest {
        hash("ippyo/1/secret", &[election, &self.0])
    }

    /// The tag of a card.
    #[must_use]
    pub fn tag(&self, pseudonym: &Pseudonym) -> Tag {
        // HMAC pads a key of 32 bytes with zeros to a block (RFC 2104): this is the same key, without a length to check.
        let mut key = Zeroizing::new([0u8; 64]);
        for (byte, secret) in key.iter_mut().zip(&self.0) {
            *byte = *secret;
        }
        let mut mac = Hmac::<Sha256>::new((&*key).into());
        mac.update(TAG_MESSAGE);
        mac.update(&pseudonym.0);
        mac.finalize().into_bytes().into()
    }

    /// Seals E to a kiosk: `sealing` is the kiosk's registered sealing key, `kiosk` its id.
    ///
    /// # Errors
    /// As [`seal::seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        election: &Digest,
        kiosk: &Digest,
        sealing: &PointBytes,
        rng: &mut R,
    ) -> Result<[u8; SEALED_SECRET_LEN], SealError> {
        let mut out = [0; SEALED_SECRET_LEN];
        seal::seal(sealing, &secret_info(election, kiosk), &self.0, rng, &mut out)?;
        Ok(out)
    }

    /// Opens E on the kiosk and compares it with the package's commitment.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn open(
        election: &Digest,
        kiosk: &Digest,
        key: &SealingSecret,
        sealed: &[u8; SEALED_SECRET_LEN],
        commitment: &Digest,
    ) -> Result<Self, SecretError> {
        let mut secret = Self([0; 32]);
        seal::open(key, &secret_info(election, kiosk), sealed, &mut secret.0).map_err(SecretError::Seal)?;
        if secret.commitment(election) == *commitment {
            Ok(secret)
        } else {
            Err(SecretError::Commitment)
        }
    }
}

/// `ippyo/1/secret` || eh || kiosk id.
fn secret_info(election: &Digest, kiosk: &Digest) -> [u8; 78] {
    let mut info = [0; 78];
    let parts = SECRET_INFO.iter().chain(election).chain(kiosk);
    for (byte, part) in info.iter_mut().zip(parts) {
        *byte = *part;
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{ProjectivePoint, Scalar, random_scalar};
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    fn card(seed: u8) -> Scalar {
        random_scalar(&mut ChaCha20Rng::from_seed([seed; 32])).unwrap()
    }

    fn ask(card: &Scalar, point: &Point) -> Point {
        Point::from_projective(&(point.projective() * *card)).unwrap()
    }

    #[test]
    fn a_card_has_one_tag_an_election_and_another_in_the_next() {
        let secret = ElectionSecret::from_bytes([7; 32]);
        let tag = |election: u8, card: &Scalar| {
            let point = piv_point(&[election; 32]).unwrap();
            secret.tag(&Pseudonym::piv(&ask(card, &point)))
        };
        assert_eq!(tag(1, &card(1)), tag(1, &card(1)));
        assert_ne!(tag(1, &card(1)), tag(1, &card(2)));
        assert_ne!(tag(1, &card(1)), tag(2, &card(1)));
        assert_ne!(jpki_message(&[1; 32]), jpki_message(&[2; 32]));
    }

    #[test]
    fn p27_a_tag_needs_the_secret_and_the_card() {
        let point = piv_point(&[1; 32]).unwrap();
        let pseudonym = Pseudonym::piv(&ask(&card(1), &point));
        let tag = ElectionSecret::from_bytes([7; 32]).tag(&pseudonym);
        assert_ne!(tag, ElectionSecret::from_bytes([8; 32]).tag(&pseudonym));
        // Nothing public (the roll's entry, the card's public key, the pseudonym of the public key) gives it.
        let key = Point::from_projective(&(ProjectivePoint::GENERATOR * card(1))).unwrap();
        let secret = ElectionSecret::from_bytes([7; 32]);
        assert_ne!(tag, secret.tag(&Pseudonym::piv(&key)));
        assert_ne!(tag, hash("ippyo/1/roll/piv", &[&key.to_bytes()]));
        assert_ne!(tag, secret.tag(&Pseudonym::jpki(&ask(&card(1), &point).to_bytes())));
    }

    /// HMAC-SHA256(E, "ippyo/1/tag" || pseudonym) spelled out (RFC 2104).
    #[test]
    fn a_tag_is_the_hmac_of_the_specification() {
        let pseudonym = Pseudonym::jpki(b"signature");
        let pad = |byte: u8| -> std::vec::Vec<u8> { (0..64).map(|i| if i < 32 { 9 ^ byte } else { byte }).collect() };
        let inner = crate::hash::sha256(&[&pad(0x36)[..], b"ippyo/1/tag", &pseudonym.0].concat());
        let outer = crate::hash::sha256(&[&pad(0x5c)[..], &inner].concat());
        assert_eq!(ElectionSecret::from_bytes([9; 32]).tag(&pseudonym), outer);
    }

    #[test]
    fn the_secret_opens_on_its_kiosk_and_only_if_the_package_commits_to_it() {
        let mut rng = ChaCha20Rng::from_seed([4; 32]);
        let secret = ElectionSecret::generate(&mut rng);
        let key = SealingSecret::generate(&mut rng).unwrap();
        let (election, kiosk) = ([1; 32], [2; 32]);
        let commitment = secret.commitment(&election);
        let sealed = secret.seal(&election, &kiosk, &key.public_key(), &mut rng).unwrap();
        let open = |election, kiosk, key: &SealingSecret, commitment| {
            ElectionSecret::open(&election, &kiosk, key, &sealed, &commitment).map(|secret| *secret.to_bytes())
        };
        assert_eq!(open(election, kiosk, &key, commitment), Ok(*secret.to_bytes()));
        let refused = Err(SecretError::Seal(SealError::Refused));
        assert_eq!(open([3; 32], kiosk, &key, commitment), refused);
        assert_eq!(open(election, [3; 32], &key, commitment), refused);
        let other = SealingSecret::generate(&mut rng).unwrap();
        assert_eq!(open(election, kiosk, &other, commitment), refused);
        assert_eq!(open(election, kiosk, &key, [0; 32]), Err(SecretError::Commitment));
        assert_ne!(commitment, secret.commitment(&[3; 32]));
    }
}
