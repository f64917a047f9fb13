//! What makes bytes on a medium whole: a magic number, a length and a CRC, three times (label, journal entry, record).
//!
//! The CRC is CRC-64/XZ over the election hash (32 zero bytes for a label), the header before the CRC, and the payload: bytes left
//! over from another election never look whole. It finds damage, not malice: against malice stand the closing hash and the chain.

use crc::{CRC_64_XZ, Crc, Table};

const CRC: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_XZ);

/// An erased byte.
pub const ERASED: u8 = 0xFF;

/// Whether a piece of medium was never written.
#[must_use]
pub fn erased(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == ERASED)
}

/// The CRC over the three parts.
#[must_use]
pub fn checksum(election: &[u8; 32], header: &[u8], payload: &[u8]) -> [u8; 8] {
    let mut digest = CRC.digest();
    digest.update(election);
    digest.update(header);
    digest.update(payload);
    digest.finalize().to_be_bytes()
}

/// What stands at a place of one medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// Never written.
    Free,
    /// Whole.
    Whole(T),
    /// Written or damaged, and not whole: kept and counted, never used.
    Void,
}

impl<T> Found<T> {
    /// The whole thing.
    pub fn whole(self) -> Option<T> {
        match self {
            Self::Whole(value) => Some(value),
            _ => None,
        }
    }
}

/// Reads a big-endian `u32` at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at.checked_add(4)?)?
        .try_into()
        .ok()
        .map(u32::from_be_bytes)
}

/// Copies `from` to `to[at..]`; false if it does not fit.
#[must_use]
pub fn put(to: &mut [u8], at: usize, from: &[u8]) -> bool {
    match at.checked_add(from.len()).and_then(|end| to.get_mut(at..end)) {
        Some(place) => {
            place.copy_from_slice(from);
            true
        }
        None => false,
    }
}

/// Whole sectors of which the first `end` bytes mean something; behind them are zeros, whatever was read there: a bit that flipped where no
/// CRC looks is never copied. `None` if they are more than the buffer.
pub fn cleaned(buffer: &mut [u8], end: usize, sector: usize) -> Option<&[u8]> {
    let bytes = buffer.get_mut(..end.checked_next_multiple_of(sector)?)?;
    bytes.get_mut(end..)?.fill(0);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_every_cut_prefix_and_every_flipped_bit_shows() {
        let payload = [7u8; 200];
        let header = [1u8; 24];
        let good = checksum(&[9; 32], &header, &payload);
        for cut in 0..payload.len() {
            let mut torn = payload;
            torn[cut..].fill(ERASED);
            assert_ne!(checksum(&[9; 32], &header, &torn), good);
            for bit in 0..8 {
                let mut flipped = payload;
                flipped[cut] ^= 1 << bit;
                assert_ne!(checksum(&[9; 32], &header, &flipped), good);
            }
        }
        assert_ne!(checksum(&[8; 32], &header, &payload), good, "another election");
    }
}
