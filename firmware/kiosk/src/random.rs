//! The kiosk's randomness: a ChaCha20 generator, seeded and reseeded from the platform's sources, any of which may be stuck.
//!
//! Encrypting with randomness that somebody can guess shows every choice to whoever reads the chain, for ever. So a source that
//! fails its health tests ([`crate::health`]) or repeats itself stops the kiosk before it encrypts. What no test within one boot
//! can see is a source that starts again at the same place after every boot: [`Random::bind`] mixes in what never comes back,
//! the head of the audit log.

use chacha20::ChaCha20Rng;
use election::hash::{Digest, hash};
use rand_core::{Rng as _, SeedableRng as _, TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::health::{Health, STARTUP};
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
    /// What the first source gives, and the second where there is one.
    health: [Health; 2],
}

impl Random {
    /// Tests the sources over [`STARTUP`] bytes each and seeds from them.
    ///
    /// # Errors
    /// [`EntropyError`] if a source fails, is not healthy, repeats itself or gives one byte all over.
    pub fn new<E: Entropy + ?Sized>(source: &mut E) -> Result<Self, EntropyError> {
        let mut random = Self {
            rng: ChaCha20Rng::from_seed([0; 32]),
            last: [0; 32],
            health: [Health::new(), Health::new()],
        };
        let mut sample = Zeroizing::new([0; 32]);
        for _ in 0..STARTUP / sample.len() {
            random.draw(source, &mut sample)?;
            random.draw_second(source, &mut sample)?;
        }
        random.reseed(source)?;
        Ok(random)
    }

    fn draw<E: Entropy + ?Sized>(&mut self, source: &mut E, out: &mut [u8; 32]) -> Result<(), EntropyError> {
        source.fill(out)?;
        let [health, _] = &mut self.health;
        health.test(out)
    }

    /// Whether there is a second source; one that is there must work.
    fn draw_second<E: Entropy + ?Sized>(&mut self, source: &mut E, out: &mut [u8; 32]) -> Result<bool, EntropyError> {
        let there = source.fill_second(out)?;
        if there {
            let [_, health] = &mut self.health;
            health.test(out)?;
        }
        Ok(there)
    }

    /// Mixes fresh bytes of every source in: before every admission and every encryption.
    ///
    /// # Errors
    /// As [`Random::new`]; nothing may be encrypted then.
    pub fn reseed<E: Entropy + ?Sized>(&mut self, source: &mut E) -> Result<(), EntropyError> {
        let mut first = Zeroizing::new([0; 32]);
        let mut second = Zeroizing::new([0; 32]);
        let mut other = Zeroizing::new([0; 32]);
        self.draw(source, &mut first)?;
        self.draw(source, &mut second)?;
        self.draw_second(source, &mut other)?;
        let flat = |bytes: &[u8; 32]| bytes.iter().all(|byte| Some(byte) == bytes.first());
        let seen = hash("ippyo/1/entropy/seen", &[&*first]);
        if flat(&first) || flat(&second) || first == second || seen == self.last {
            return Err(EntropyError);
        }
        self.last = seen;
        self.mix(&[&*first, &*second, &*other]);
        Ok(())
    }

    /// Mixes in something public that never comes back, such as the head of the audit log, which grows durably before a ballot
    /// is encrypted: even a source that gives the same after every boot then never gives the same nonce twice.
    pub fn bind(&mut self, never_again: &Digest) {
        self.mix(&[never_again, &[1; 32], &[0; 32]]);
    }

    fn mix(&mut self, [a, b, c]: &[&[u8; 32]; 3]) {
        // What was there is mixed in: a source that turns weak later does not undo what it gave before.
        let mut old = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(old.as_mut());
        let seed = Zeroizing::new(hash("ippyo/1/entropy", &[&*old, &a[..], &b[..], &c[..]]));
        self.rng = ChaCha20Rng::from_seed(*seed);
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
    use std::vec::Vec;

    /// A source made of what `next` gives from its number of the call.
    struct Source<F>(u64, F);
    impl<F: FnMut(u64, &mut [u8])> Entropy for Source<F> {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            self.0 += 1;
            (self.1)(self.0, bytes);
            Ok(())
        }
    }

    fn good(seed: u8) -> impl FnMut(u64, &mut [u8]) {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        move |_, bytes| rng.fill_bytes(bytes)
    }

    /// Two good sources, of which the second can be told apart.
    struct Pair(ChaCha20Rng, ChaCha20Rng, bool);
    impl Entropy for Pair {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            self.0.fill_bytes(bytes);
            Ok(())
        }
        fn fill_second(&mut self, bytes: &mut [u8]) -> Result<bool, EntropyError> {
            if self.2 {
                bytes.fill(7);
            } else {
                self.1.fill_bytes(bytes);
            }
            Ok(true)
        }
    }

    fn first_bytes(random: &mut Random) -> [u8; 32] {
        let mut bytes = [0; 32];
        random.rng.fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn p16_a_zero_stuck_or_repeating_source_gives_nothing() {
        assert!(Random::new(&mut Source(0, good(1))).is_ok());
        assert!(
            Random::new(&mut Source(0, |_, b: &mut [u8]| b.fill(0))).is_err(),
            "zero"
        );
        assert!(
            Random::new(&mut Source(0, |_, b: &mut [u8]| b.fill(0xa5))).is_err(),
            "stuck"
        );
        assert!(
            Random::new(&mut Source(0, |n, b: &mut [u8]| b.fill(n as u8))).is_err(),
            "flat"
        );
        let mut one = good(2);
        let mut page = [0; 32];
        one(0, &mut page);
        assert!(
            Random::new(&mut Source(0, move |_, b: &mut [u8]| b.copy_from_slice(&page))).is_err(),
            "one page"
        );
        // Two pages in turn: no seed is flat, and its halves differ; the next seed is the same again.
        let pages = [(), ()].map(|()| {
            let mut page = [0; 32];
            one(0, &mut page);
            page
        });
        let mut turns = Source(0, move |n: u64, b: &mut [u8]| {
            b.copy_from_slice(&pages[(n % 2) as usize])
        });
        let again = Random::new(&mut turns).map(|mut random| random.reseed(&mut turns));
        assert!(again.is_ok_and(|again| again.is_err()), "the same seed again");
        // Mostly zero, with a random byte now and then: no two blocks are equal, no run is long.
        let mut some = good(3);
        let mostly = move |_, b: &mut [u8]| {
            some(0, b);
            b.iter_mut()
                .enumerate()
                .filter(|(at, _)| at % 4 != 0)
                .for_each(|(_, byte)| *byte = 0);
        };
        assert!(
            Random::new(&mut Source(0, mostly)).is_err(),
            "three bytes of four are zero"
        );
        struct Silent;
        impl Entropy for Silent {
            fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
                Err(EntropyError)
            }
        }
        assert!(Random::new(&mut Silent).is_err(), "empty");
    }

    #[test]
    fn p16_a_source_that_breaks_during_the_day_is_refused_from_then_on() {
        let mut rng = good(4);
        let breaks = move |n: u64, b: &mut [u8]| if n < 200 { rng(n, b) } else { b.fill(9) };
        let mut source = Source(0, breaks);
        let mut random = Random::new(&mut source).ok().unwrap();
        while source.0 < 198 {
            random.reseed(&mut source).unwrap();
        }
        assert!(random.reseed(&mut source).is_err());
        // A health test that failed does not forget it, whatever the source gives now.
        assert!(random.reseed(&mut Source(0, good(5))).is_err());
    }

    #[test]
    fn p16_two_sources_are_both_used_and_both_tested() {
        let seeded = |a: u8, b: u8| Pair(ChaCha20Rng::from_seed([a; 32]), ChaCha20Rng::from_seed([b; 32]), false);
        let out = |mut pair: Pair| first_bytes(&mut Random::new(&mut pair).ok().unwrap());
        assert_eq!(out(seeded(1, 2)), out(seeded(1, 2)));
        assert_ne!(out(seeded(1, 2)), out(seeded(1, 3)), "the second counts");
        assert_ne!(out(seeded(1, 2)), out(seeded(3, 2)), "the first counts");
        let mut broken = seeded(1, 2);
        broken.2 = true;
        assert!(Random::new(&mut broken).is_err());
    }

    #[test]
    fn p17_the_same_seed_bound_to_another_day_gives_other_bytes() {
        let out = |head: u8| {
            let mut random = Random::new(&mut Source(0, good(6))).ok().unwrap();
            random.bind(&[head; 32]);
            first_bytes(&mut random)
        };
        let all: Vec<_> = (0..8).map(out).collect();
        for (at, bytes) in all.iter().enumerate() {
            assert!(!all[..at].contains(bytes));
        }
        assert_eq!(out(3), all[3]);
    }

    #[test]
    fn below_is_below_and_reaches_everything() {
        let mut random = Random::new(&mut Source(0, good(7))).ok().unwrap();
        assert_eq!(random.below(0), None);
        let mut seen = [0u32; 7];
        for _ in 0..7000 {
            seen[usize::try_from(random.below(7).unwrap()).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }
}
