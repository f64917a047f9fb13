//! Cards that do what cards should not do.
//!
//! Cards that are honest but useless need no wrapper: issue one with days in the past, from another
//! authority, or call [`VirtualPiv::block_pin`].

use card::{Slot, TransmitError, tlv};
use chacha20::ChaCha20Rng;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::{Generate, Group};
use p256::{NonZeroScalar, ProjectivePoint, PublicKey, Scalar, SecretKey};
use rand_core::Rng;

use super::Chip;
use super::piv::{VirtualPiv, agree, wrap};

/// What is wrong with a card.
pub enum Fault {
    /// Pulled out after so many APDUs. Inserted again ([`Chip::reset`]) it works.
    RemovedAfter(usize),
    /// Upside down, dirty or dead: never answers.
    Silent,
    /// Answers random bytes, often with a status word that makes them look right.
    Nonsense(Box<ChaCha20Rng>),
    /// Answers truthfully but for one flipped bit in every answer.
    Garbled(Box<ChaCha20Rng>),
    /// Always announces more data.
    Endless,
}

/// A card with a fault.
pub struct Misbehaving {
    chip: Box<dyn Chip + Send>,
    fault: Option<Fault>,
    answered: usize,
}

impl Misbehaving {
    /// `chip` with `fault`.
    #[must_use]
    pub fn new(chip: impl Chip + Send + 'static, fault: Fault) -> Self {
        Self {
            chip: Box::new(chip),
            fault: Some(fault),
            answered: 0,
        }
    }

    /// How many APDUs were answered or swallowed.
    #[must_use]
    pub const fn answered(&self) -> usize {
        self.answered
    }
}

impl Chip for Misbehaving {
    fn reset(&mut self) {
        self.chip.reset();
        if matches!(self.fault, Some(Fault::RemovedAfter(n)) if self.answered >= n) {
            self.fault = None;
        }
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        match &mut self.fault {
            None => {}
            Some(Fault::RemovedAfter(n)) if self.answered < *n => {}
            Some(Fault::RemovedAfter(_)) => {
                self.chip.reset();
                return Err(TransmitError::Removed);
            }
            Some(Fault::Silent) => return Err(TransmitError::Timeout),
            Some(Fault::Nonsense(rng)) => {
                self.answered += 1;
                return Ok(nonsense(rng.as_mut()));
            }
            Some(Fault::Endless) => {
                self.answered += 1;
                return Ok(vec![0x53, 0x61, 0xFF]);
            }
            Some(Fault::Garbled(rng)) => {
                self.answered += 1;
                let mut answer = self.chip.apdu(command)?;
                let bit = below(rng.as_mut(), answer.len() * 8);
                if let Some(byte) = answer.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                return Ok(answer);
            }
        }
        self.answered += 1;
        self.chip.apdu(command)
    }

    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }
}

fn below(rng: &mut ChaCha20Rng, end: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap_or(0) % end.max(1)
}

fn nonsense(rng: &mut ChaCha20Rng) -> Vec<u8> {
    const WORDS: [[u8; 2]; 10] = [
        [0x90, 0x00],
        [0x90, 0x00],
        [0x61, 0x00],
        [0x61, 0x10],
        [0x6C, 0x20],
        [0x63, 0xC0],
        [0x63, 0xCF],
        [0x69, 0x82],
        [0x69, 0x83],
        [0x6A, 0x82],
    ];
    let length = below(rng, 260);
    let mut answer = vec![0; length];
    rng.fill_bytes(&mut answer);
    // Some answers begin like what was asked for, to get deeper into whoever reads them.
    let prefix: &[u8] = match below(rng, 6) {
        0 => &[0x7C, 0x22, 0x82, 0x20],
        1 => &[0x53, 0x81, 0xF0, 0x70, 0x81, 0xE0, 0x30],
        2 => &[0x7C, 0x48, 0x82, 0x46, 0x30, 0x44, 0x02, 0x20],
        _ => &[],
    };
    for (to, from) in answer.iter_mut().zip(prefix) {
        *to = *from;
    }
    if below(rng, 8) != 0 {
        answer.truncate(256);
        answer.extend(WORDS[below(rng, WORDS.len())]);
    }
    answer
}

/// Where a relay takes the answer to a Diffie-Hellman query from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The card it claims to be.
    Front,
    /// The card behind it.
    Behind,
    /// Nowhere: the x coordinate of a random point.
    RandomPoint,
    /// Its last answer once more (at first: the front card's).
    Repeated,
    /// Both cards: the x coordinate of the sum of their points.
    Sum,
    /// The front card, times a constant: tries to shift the result to another point.
    Scaled,
    /// The x coordinate of the very point that was asked about.
    Echo,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 7] = [
        Self::Front,
        Self::Behind,
        Self::RandomPoint,
        Self::Repeated,
        Self::Sum,
        Self::Scaled,
        Self::Echo,
    ];
}

/// An attacker's card: shows the certificates and takes the PIN of one genuine card, and has a second
/// genuine card at hand. It knows both PINs and, being virtual, can do with both keys what a real one
/// could at most do with their answers.
pub struct Relay {
    front: VirtualPiv,
    behind: VirtualPiv,
    /// Where odd and even queries are answered from.
    sources: [Source; 2],
    queries: usize,
    last: Option<[u8; 32]>,
    rng: Box<ChaCha20Rng>,
}

impl Relay {
    /// Answers the first Diffie-Hellman query from `sources[0]`, the second from `sources[1]`, and so on
    /// by turns.
    #[must_use]
    pub fn new(front: VirtualPiv, behind: VirtualPiv, sources: [Source; 2], rng: ChaCha20Rng) -> Self {
        Self {
            front,
            behind,
            sources,
            queries: 0,
            last: None,
            rng: Box::new(rng),
        }
    }

    fn answer(&mut self, source: Source, point: &[u8]) -> Option<[u8; 32]> {
        let own = self.front.key(Slot::KeyManagement)?;
        let other = self.behind.key(Slot::KeyManagement)?;
        let times = |scalar: Scalar| {
            let point = PublicKey::from_sec1_bytes(point).ok()?.to_projective();
            Some(x_of(point * scalar))
        };
        match source {
            Source::Front => agree(own, point),
            Source::Behind => agree(other, point),
            Source::RandomPoint => {
                let scalar = NonZeroScalar::generate_from_rng(self.rng.as_mut());
                Some(x_of(ProjectivePoint::mul_by_generator(&scalar)))
            }
            Source::Repeated => self.last.or_else(|| agree(own, point)),
            Source::Sum => times(scalar(own) + scalar(other)),
            Source::Scaled => times(scalar(own) * Scalar::from(2_u64)),
            Source::Echo => times(Scalar::ONE),
        }
    }
}

impl Chip for Relay {
    fn reset(&mut self) {
        self.front.reset();
        self.behind.reset();
        self.queries = 0;
        self.last = None;
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let honest = self.front.apdu(command)?;
        let query = match command {
            [0x00, 0x87, 0x11, 0x9D, length, rest @ ..] => rest.get(..usize::from(*length)),
            _ => None,
        };
        let point = query
            .and_then(|data| tlv::only(data, 0x7C))
            .and_then(|template| tlv::find(template, 0x85).ok().flatten());
        let (Some(point), true) = (point, honest.ends_with(&[0x90, 0x00])) else {
            return Ok(honest);
        };
        let source = self.sources[self.queries % 2];
        self.queries += 1;
        let Some(x) = self.answer(source, point) else {
            return Ok(honest);
        };
        self.last = Some(x);
        let mut answer = wrap(0x7C, &wrap(0x82, &x));
        answer.extend([0x90, 0x00]);
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.front.atr()
    }
}

fn scalar(key: &SecretKey) -> Scalar {
    *key.to_nonzero_scalar()
}

fn x_of(point: ProjectivePoint) -> [u8; 32] {
    point.to_affine().x().into()
}
