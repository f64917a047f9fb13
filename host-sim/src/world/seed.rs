//! All randomness of the world from one seed: each use has a generator of its own, so that one more draw by a voter
//! does not change what a kiosk or a trustee draws.

use chacha20::ChaCha20Rng;
use election::hash::hash;
use rand_core::{Rng as _, SeedableRng as _};

/// The seed of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From what a person types.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(hash("ippyo/1/sim/seed", &[text.as_bytes()]))
    }

    /// The generator for `use_` number `number`.
    #[must_use]
    pub fn rng(&self, use_: &str, number: u64) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(hash(
            "ippyo/1/sim/stream",
            &[&self.0, use_.as_bytes(), &number.to_be_bytes()],
        ))
    }
}

/// Small draws that scripts need. Not for keys.
pub trait Draw: rand_core::Rng {
    /// 0 to `end` - 1; 0 if `end` is 0. (Bias below 2^-32 of the range: good enough for people.)
    fn below(&mut self, end: u64) -> u64 {
        self.next_u64().checked_rem(end).unwrap_or(0)
    }

    /// `from` to `to`, both included.
    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from).saturating_add(1))
    }

    /// True `part` times in `whole`.
    fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// A random order (Fisher and Yates).
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(0));
        }
    }
}

impl<R: rand_core::Rng + ?Sized> Draw for R {}

/// Random bytes for scripts that need some.
pub fn bytes<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
