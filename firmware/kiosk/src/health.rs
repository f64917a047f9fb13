//! Health tests of a random source (NIST SP 800-90B, 4.4): repetition count and adaptive proportion, over bytes.
//!
//! They find a source that is broken, not one that lies. Both take for granted that a byte holds at least 4 bits of
//! min-entropy, so that the 64 bytes of a seed hold 256; a source at that limit is refused wrongly once in 2^20 tests, one that
//! gives uniform bytes never in practice.

use crate::ports::EntropyError;

/// Bytes that must pass before the first is used (SP 800-90B, 4.3).
pub const STARTUP: usize = 1024;
/// So many equal bytes in a row are refused: 1 + 20 / 4.
const REPETITIONS: u16 = 6;
/// Bytes of a window of the adaptive proportion test.
const WINDOW: u16 = 512;
/// So many bytes of a window equal to its first are refused: 1 + the critical value of a binomial distribution (512, 2^-4) for
/// 2^-20.
const PROPORTION: u16 = 62;

/// The state of both tests for one source. A source that failed once is refused until the next start.
#[derive(Clone, Copy)]
pub struct Health {
    last: Option<u8>,
    run: u16,
    first: u8,
    seen: u16,
    equal: u16,
    failed: bool,
}

impl Health {
    /// Before the first byte.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            last: None,
            run: 0,
            first: 0,
            seen: 0,
            equal: 0,
            failed: false,
        }
    }

    /// Tests what the source gave next.
    ///
    /// # Errors
    /// [`EntropyError`]: now or earlier a test failed; what was given must not be used.
    pub fn test(&mut self, bytes: &[u8]) -> Result<(), EntropyError> {
        for byte in bytes {
            self.run = if self.last == Some(*byte) {
                self.run.saturating_add(1)
            } else {
                1
            };
            self.last = Some(*byte);
            if self.seen == 0 {
                self.first = *byte;
                self.equal = 0;
            }
            self.equal += u16::from(*byte == self.first);
            self.seen = (self.seen + 1) % WINDOW;
            self.failed |= self.run >= REPETITIONS || self.equal >= PROPORTION;
        }
        if self.failed { Err(EntropyError) } else { Ok(()) }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use rand_core::{Rng as _, SeedableRng as _};

    #[test]
    fn p16_the_limits_are_those_of_sp_800_90b() {
        assert_eq!(REPETITIONS, 1 + 20 / 4);
        // The smallest k with P(X >= k) <= 2^-20 for a binomial distribution (512, 1/16), from P(X = 0) up.
        let mut term = (15f64 / 16.0).powi(512);
        let mut below = 0.0;
        let mut limit = 0;
        while 1.0 - below > 2f64.powi(-20) {
            below += term;
            term *= f64::from(WINDOW - limit) / f64::from(limit + 1) / 15.0;
            limit += 1;
        }
        assert_eq!(PROPORTION, limit);
    }

    #[test]
    fn p16_a_run_and_a_proportion_at_the_limit_are_refused_and_below_it_not() {
        let run = |length: usize| Health::new().test(&[&[1, 2, 3][..], &[9; 8][..length], &[4, 5]].concat());
        assert!(run(5).is_ok());
        assert!(run(6).is_err());
        let proportion = |equal: usize| {
            let mut bytes: std::vec::Vec<u8> = (0..512u32).map(|i| 1 + (i % 200) as u8).collect();
            bytes.iter_mut().step_by(2).take(equal).for_each(|byte| *byte = 0);
            Health::new().test(&bytes)
        };
        assert!(proportion(61).is_ok());
        assert!(proportion(62).is_err());
    }

    #[test]
    fn p16_a_good_source_passes_a_million_bytes_and_a_failure_stays() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut health = Health::new();
        let mut bytes = [0; 1000];
        for _ in 0..1000 {
            rng.fill_bytes(&mut bytes);
            health.test(&bytes).unwrap();
        }
        assert!(health.test(&[3; 32]).is_err());
        rng.fill_bytes(&mut bytes);
        assert!(health.test(&bytes).is_err());
    }
}
