//! Bytes nobody knows at compile time, and a counter in the place of a random source.

use core::convert::Infallible;
use core::hint::black_box;

use rand_core::{TryCryptoRng, TryRng};

/// Any bytes: a package, a manifest, a message.
pub fn bytes() -> &'static [u8] {
    static SOME: [u8; 64] = [0; 64];
    black_box(&SOME[..])
}

/// Any digest.
pub fn digest() -> [u8; 32] {
    black_box([0; 32])
}

/// Any signature.
pub fn signature() -> [u8; 64] {
    black_box([0; 64])
}

/// Any compressed point.
pub fn key() -> [u8; 33] {
    black_box([2; 33])
}

/// Not random at all: it only has the type of a random source.
pub struct Counter(u64);

impl Counter {
    pub fn new() -> Self {
        Self(black_box(0))
    }

    fn step(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        black_box(self.0)
    }
}

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.step() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.step())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            *byte = self.step() as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}
