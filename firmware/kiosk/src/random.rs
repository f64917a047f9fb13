//! The kiosk's randomness: a ChaCha20 generator, seeded and reseeded from the platform's source, which may be stuck.
//!
//! Encrypting with randomness that somebody can guess shows every choice to whoever reads the chain, for ever. So a source that
//! fails or repeats itself stops the kiosk before it encrypts.

use chacha20::ChaCha20Rng;
use election::hash::{Digest, hash};
use rand_core::{Rng as _, SeedableRng as _, TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::ports::{Entropy, EntropyError};

/// Draws without bias.
pub trait Uniform {
    /// A number below `bound`, each with the same probability; `None` if there is none.
    fn below(&mut self, bound: u32) -> Option<u32>;
}

/// The generator. No `Debug`, no copy.
pub struct Random {
    rng: ChaCha20Rng,
    /// Hash of the seed bytes of last time: the same again is a stuck source.
    last: Digest,
}

impl Random {
    /// Seeds from the source.
    ///
    /// # Errors
    /// [`EntropyError`] if it fails, repeats itself or gives one byte all over.
    pub fn new<E: Entropy + ?Sized>(source: &mut E) -> Result<Self, EntropyError> {
        let mut random = Self {
            rng: ChaCha20Rng::from_seed([0; 32]),
            last: [0; 32],
        };
        random.reseed(source)?;
        Ok(random)
    }

    /// Mixes fresh bytes in: before every admission and every encryption.
    ///
    /// # Errors
    /// As [`Random::new`]; nothing may be encrypted then.
    pub fn reseed<E: Entropy + ?Sized>(&mut self, source: &mut E) -> Result<(), EntropyError> {
        let mut first = Zeroizing::new([0; 32]);
        let mut second = Zeroizing::new([0; 32]);
        source.fill(first.as_mut())?;
        source.fill(second.as_mut())?;
        let flat = |bytes: &[u8; 32]| bytes.iter().all(|byte| Some(byte) == bytes.first());
        let seen = hash("ippyo/1/entropy/seen", &[&*first]);
        if flat(&first) || flat(&second) || first == second || seen == self.last {
            return Err(EntropyError);
        }
        self.last = seen;
        // What was there is mixed in: a source that turns weak later does not undo what it gave before.
        let mut old = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(old.as_mut());
        let seed = Zeroizing::new(hash("ippyo/1/entropy", &[&*old, &*first, &*second]));
        self.rng = ChaCha20Rng::from_seed(*seed);
        Ok(())
    }
}

impl Uniform for Random {
    fn below(&mut self, bound: u32) -> Option<u32> {
        // Lemire's multiplication, with rejection of the few values that would bias it: at most 64 draws, each good with a
        // probability above one half.
        for _ in 0..64 {
            let wide = u64::from(self.rng.next_u32()) * u64::from(bound);
            let [a, b, c, d, low @ ..] = wide.to_be_bytes();
            let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(low));
            if low >= bound.wrapping_neg().checked_rem(bound)? {
                return Some(high);
            }
        }
        None
    }
}

impl TryRng for Random {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.rng.next_u32())
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.rng.next_u64())
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.rng.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Source(u8, fn(u8) -> u8);
    impl Entropy for Source {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = self.0 ^ u8::try_from(at % 251).unwrap();
            }
            self.0 = (self.1)(self.0);
            Ok(())
        }
    }
    struct Zero;
    impl Entropy for Zero {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(0);
            Ok(())
        }
    }

    #[test]
    fn a_stuck_source_gives_nothing() {
        assert!(Random::new(&mut Source(1, |x| x)).is_err(), "the same bytes twice");
        assert!(Random::new(&mut Zero).is_err());
        let mut source = Source(1, |x| x ^ 1);
        let mut random = Random::new(&mut source).ok().unwrap();
        assert!(random.reseed(&mut source).is_err(), "the same pair again");
    }

    #[test]
    fn below_is_below_and_reaches_everything() {
        let mut random = Random::new(&mut Source(3, |x| x.wrapping_add(1))).ok().unwrap();
        assert_eq!(random.below(0), None);
        let mut seen = [0u32; 7];
        for _ in 0..7000 {
            seen[usize::try_from(random.below(7).unwrap()).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }
}
