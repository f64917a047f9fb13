//! Everything a card has ever said, cut into pieces, to be looked for in what a kiosk has written.

use std::collections::HashSet;

/// Bytes of a piece. Nothing that is written by chance holds eight bytes of a card's.
const PIECE: usize = 8;
/// Bits of the filter in front of the set.
const FILTER: usize = 1 << 20;

/// The pieces.
#[derive(Clone, Default)]
pub struct Needles {
    pieces: HashSet<u64>,
    filter: Vec<u64>,
}

impl Needles {
    /// Adds what a card has answered. Whoever finds fifteen bytes of it in a row anywhere, finds a piece.
    pub fn add(&mut self, answer: &[u8]) {
        if self.filter.is_empty() {
            self.filter = vec![0; FILTER / 64];
        }
        for piece in answer.chunks_exact(PIECE) {
            let different = piece.iter().collect::<HashSet<_>>().len();
            // Filler is no card's.
            if different < 5 {
                continue;
            }
            let Ok(piece) = piece.try_into().map(u64::from_be_bytes) else {
                continue;
            };
            self.pieces.insert(piece);
            let (word, bit) = place(piece);
            self.filter[word] |= bit;
        }
    }

    /// All of both.
    pub fn merge(&mut self, other: &Self) {
        self.pieces.extend(&other.pieces);
        if self.filter.is_empty() {
            self.filter.clone_from(&other.filter);
        } else {
            for (mine, theirs) in self.filter.iter_mut().zip(&other.filter) {
                *mine |= theirs;
            }
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// Where the first piece lies in `hay`, at any offset.
    #[must_use]
    pub fn find(&self, hay: &[u8]) -> Option<usize> {
        if self.filter.is_empty() {
            return None;
        }
        let mut window = 0u64;
        for (at, byte) in hay.iter().enumerate() {
            window = (window << 8) | u64::from(*byte);
            if at + 1 < PIECE {
                continue;
            }
            let (word, bit) = place(window);
            if self.filter[word] & bit != 0 && self.pieces.contains(&window) {
                return Some(at + 1 - PIECE);
            }
        }
        None
    }
}

fn place(piece: u64) -> (usize, u64) {
    let hashed = usize::try_from(piece.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44).unwrap_or(0);
    (hashed / 64, 1 << (hashed % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_said_is_found_at_any_offset_and_nothing_else_is() {
        let mut needles = Needles::default();
        let said: Vec<u8> = (0..40u8).map(|n| n.wrapping_mul(37)).collect();
        needles.add(&said);
        needles.add(&[0; 64]);
        for offset in 0..9 {
            let mut hay = vec![0xFF; offset];
            hay.extend(&said[3..18]);
            assert!(needles.find(&hay).is_some(), "{offset}");
            hay.truncate(offset + 12);
            assert_eq!(needles.find(&hay), None, "{offset}");
        }
        assert_eq!(needles.find(&[0; 100]), None);
    }
}
