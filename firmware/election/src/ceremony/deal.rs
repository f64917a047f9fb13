//! A trustee's own side: the polynomial, and the messages made of it.

use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::ceremony::messages::{
    Accept, Coefficient, Commit, Complaint, Kind, MAX_REVEAL_LEN, Reveal, ShareMessage, send,
};
use crate::ceremony::rounds::{Commits, Outcome, Reveals};
use crate::ceremony::{CeremonyError, Reason, Setup, refuse};
use crate::group::{Point, ProjectivePoint, Scalar, Secrets, scalar_bytes, secret_scalar};
use crate::hash::{Digest, hash, hash_to_scalar};
use crate::keys::MAX_TRUSTEES;
use crate::seal::{self, ENCAPSULATED_LEN, TAG_LEN};
use crate::sign::Signer;
use crate::tally::TrusteeSecret;
use crate::wire::{self, Bytes, SeqWriter};

/// Bytes of the largest polynomial.
pub const MAX_DEALER_LEN: usize = 32 * MAX_TRUSTEES;

/// Purpose of a sealed share: `ippyo/1/ceremony/share` || ceremony || from || to.
pub(super) fn share_info(ceremony: &Digest, from: u8, to: u8) -> [u8; 56] {
    let mut info = [0; 56];
    let parts = b"ippyo/1/ceremony/share".iter().chain(ceremony).chain([&from, &to]);
    for (byte, part) in info.iter_mut().zip(parts) {
        *byte = *part;
    }
    info
}

/// The challenge of a proof of knowledge.
pub(super) fn knowledge(ceremony: &Digest, trustee: u8, index: u8, point: &Point, commitment: &Point) -> Scalar {
    hash_to_scalar(
        "ippyo/1/ceremony/knowledge",
        &[
            ceremony,
            &[trustee],
            &[index],
            &point.to_bytes(),
            &commitment.to_bytes(),
        ],
    )
}

/// A trustee's polynomial: k secret coefficients. Zeroized when dropped; no `Debug`.
///
/// Everything the trustee sends follows from it, so it is all that has to be kept between the rounds; after the
/// trustee's share is computed it is destroyed.
pub struct Dealer {
    me: u8,
    coefficients: heapless::Vec<Scalar, MAX_TRUSTEES>,
}

impl Dealer {
    /// Draws a polynomial for trustee `me`.
    ///
    /// # Errors
    /// [`Reason::Stranger`], [`Reason::Randomness`].
    pub fn generate<R: CryptoRng + ?Sized>(setup: &Setup<'_>, me: u8, rng: &mut R) -> Result<Self, CeremonyError> {
        let mut dealer = Self::empty(setup, me)?;
        let mut secrets = Secrets::new(rng);
        for _ in 0..setup.threshold() {
            let coefficient = secrets.scalar().map_err(|_| refuse(me, Reason::Randomness))?;
            dealer
                .coefficients
                .push(coefficient)
                .map_err(|_| refuse(me, Reason::Threshold))?;
        }
        Ok(dealer)
    }

    /// Reads back what [`Dealer::to_bytes`] gave.
    ///
    /// # Errors
    /// [`Reason::Stranger`], [`Reason::Secret`].
    pub fn from_bytes(setup: &Setup<'_>, me: u8, bytes: &[u8]) -> Result<Self, CeremonyError> {
        let mut dealer = Self::empty(setup, me)?;
        let (scalars, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || scalars.len() != usize::from(setup.threshold()) {
            return Err(refuse(me, Reason::Secret));
        }
        for bytes in scalars {
            let coefficient = secret_scalar(bytes).map_err(|_| refuse(me, Reason::Secret))?;
            dealer
                .coefficients
                .push(coefficient)
                .map_err(|_| refuse(me, Reason::Secret))?;
        }
        Ok(dealer)
    }

    /// The coefficients, to be kept secret between rounds: zeroized when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<heapless::Vec<u8, MAX_DEALER_LEN>> {
        let mut bytes = Zeroizing::new(heapless::Vec::new());
        for coefficient in &self.coefficients {
            // 9 times 32 bytes fit by construction.
            let _ = bytes.extend_from_slice(Zeroizing::new(scalar_bytes(coefficient)).as_slice());
        }
        bytes
    }

    fn empty(setup: &Setup<'_>, me: u8) -> Result<Self, CeremonyError> {
        setup.trustee(me).ok_or(refuse(me, Reason::Stranger))?;
        Ok(Self {
            me,
            coefficients: heapless::Vec::new(),
        })
    }

    /// Whose polynomial it is.
    #[must_use]
    pub const fn trustee(&self) -> u8 {
        self.me
    }

    /// The body of the reveal: the same bytes each time, because a proof's nonce is a hash of coefficient and place.
    fn reveal_body<'o>(&self, setup: &Setup<'_>, out: &'o mut [u8]) -> Result<&'o [u8], CeremonyError> {
        let mut list = [0; MAX_TRUSTEES * 97];
        let mut writer = SeqWriter::new(&mut list);
        for (index, secret) in (0u8..).zip(&self.coefficients) {
            let identity = |_| refuse(self.me, Reason::Degenerate);
            let point = Point::from_projective(&(ProjectivePoint::GENERATOR * *secret)).map_err(identity)?;
            let own = Zeroizing::new(scalar_bytes(secret));
            let nonce = Zeroizing::new(hash_to_scalar(
                "ippyo/1/ceremony/nonce",
                &[own.as_slice(), setup.hash(), &[self.me], &[index]],
            ));
            let commitment = Point::from_projective(&(ProjectivePoint::GENERATOR * *nonce)).map_err(identity)?;
            let c = knowledge(setup.hash(), self.me, index, &point, &commitment);
            let v = *nonce - c * secret;
            writer
                .push(&Coefficient {
                    point: Bytes(point.to_bytes()),
                    challenge: scalar_bytes(&c),
                    response: scalar_bytes(&v),
                })
                .map_err(|_| refuse(self.me, Reason::Buffer))?;
        }
        let reveal = Reveal {
            ceremony: *setup.hash(),
            trustee: self.me,
            coefficients: writer.finish(),
        };
        wire::encode(&reveal, out)
            .map(|bytes| &*bytes)
            .map_err(|_| refuse(self.me, Reason::Buffer))
    }

    /// Round 1: the signed [`Commit`].
    ///
    /// # Errors
    /// [`Reason::Buffer`] if `out` is too small ([`super::MAX_SIGNED_LEN`] is enough).
    pub fn commit<'o>(&self, setup: &Setup<'_>, signer: &Signer, out: &'o mut [u8]) -> Result<&'o [u8], CeremonyError> {
        let mut buffer = [0; MAX_REVEAL_LEN];
        let commit = Commit {
            ceremony: *setup.hash(),
            trustee: self.me,
            reveal: hash("ippyo/1/ceremony/reveal", &[self.reveal_body(setup, &mut buffer)?]),
        };
        self.send(Kind::Commit, &commit, signer, out)
    }

    /// Round 2: the signed [`Reveal`], only when everybody has committed.
    ///
    /// # Errors
    /// [`Reason::NotCommitted`] if the commit in the round is not to this polynomial; [`Reason::Buffer`].
    pub fn reveal<'o>(
        &self,
        setup: &Setup<'_>,
        commits: &Commits<'_>,
        signer: &Signer,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CeremonyError> {
        let mut buffer = [0; MAX_REVEAL_LEN];
        let body = self.reveal_body(setup, &mut buffer)?;
        if commits.reveal(self.me) != Some(&hash("ippyo/1/ceremony/reveal", &[body])) {
            return Err(refuse(self.me, Reason::NotCommitted));
        }
        send(Kind::Reveal, self.me, body, signer, out)
    }

    /// F(x).
    pub(super) fn evaluate(&self, x: u8) -> Zeroizing<Scalar> {
        let x = Scalar::from(u32::from(x));
        let mut value = Zeroizing::new(Scalar::ZERO);
        for coefficient in self.coefficients.iter().rev() {
            *value = *value * x + *coefficient;
        }
        value
    }

    /// Round 3: the signed [`ShareMessage`] for another trustee, only when everybody has revealed.
    ///
    /// # Errors
    /// [`Reason::Stranger`] names a receiver that is not another trustee of the ceremony.
    pub fn share<'o, R: CryptoRng + ?Sized>(
        &self,
        setup: &Setup<'_>,
        _reveals: &Reveals<'_>,
        to: u8,
        signer: &Signer,
        rng: &mut R,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CeremonyError> {
        let receiver = setup
            .trustee(to)
            .filter(|_| to != self.me)
            .ok_or(refuse(to, Reason::Stranger))?;
        let share = Zeroizing::new(scalar_bytes(&self.evaluate(to)));
        let mut sealed = [0; ENCAPSULATED_LEN + 32 + TAG_LEN];
        seal::seal(
            &receiver.sealing.0,
            &share_info(setup.hash(), self.me, to),
            share.as_slice(),
            rng,
            &mut sealed,
        )
        .map_err(|_| refuse(to, Reason::Key))?;
        let (encapsulated, rest) = sealed.split_first_chunk().ok_or(refuse(self.me, Reason::Buffer))?;
        let message = ShareMessage {
            ceremony: *setup.hash(),
            from: self.me,
            to,
            encapsulated: Bytes(*encapsulated),
            sealed: Bytes(*rest.first_chunk().ok_or(refuse(self.me, Reason::Buffer))?),
        };
        self.send(Kind::Share, &message, signer, out)
    }

    /// Round 4: the signed [`Accept`], only by who holds a good share of the key.
    ///
    /// # Errors
    /// [`Reason::Share`] if the share is not this trustee's share of this key; [`Reason::Buffer`].
    pub fn accept<'o>(
        &self,
        setup: &Setup<'_>,
        outcome: &Outcome,
        share: &TrusteeSecret,
        signer: &Signer,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CeremonyError> {
        let own = outcome.keys.share(self.me);
        if share.trustee() != self.me || own.is_none() || share.public().ok().as_ref() != own {
            return Err(refuse(self.me, Reason::Share));
        }
        let accept = Accept {
            ceremony: *setup.hash(),
            trustee: self.me,
            transcript: outcome.transcript,
            joint: Bytes(outcome.keys.joint.to_bytes()),
        };
        self.send(Kind::Accept, &accept, signer, out)
    }

    /// Ends the ceremony instead: the signed [`Complaint`].
    ///
    /// # Errors
    /// [`Reason::Stranger`], [`Reason::Buffer`].
    pub fn complain<'o>(
        &self,
        setup: &Setup<'_>,
        error: &CeremonyError,
        signer: &Signer,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CeremonyError> {
        setup
            .trustee(error.trustee)
            .ok_or(refuse(error.trustee, Reason::Stranger))?;
        let complaint = Complaint {
            ceremony: *setup.hash(),
            trustee: self.me,
            against: error.trustee,
            reason: match error.reason {
                Reason::Sealed => 1,
                Reason::Share => 2,
                _ => 0,
            },
        };
        self.send(Kind::Complaint, &complaint, signer, out)
    }

    fn send<'o, T: serde::Serialize>(
        &self,
        kind: Kind,
        body: &T,
        signer: &Signer,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CeremonyError> {
        let mut buffer = [0; MAX_REVEAL_LEN];
        let body = wire::encode(body, &mut buffer).map_err(|_| refuse(self.me, Reason::Buffer))?;
        send(kind, self.me, body, signer, out)
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        self.coefficients.iter_mut().zeroize();
    }
}
