//! Proposed blocks on their way: cut into pieces that any message carries, put together again, and bounded against leaders who lie.
//!
//! A piece is worth looking at only if the validator that leads its height and round signed it; nobody else's is kept, however many come. Of
//! one round two blocks are put together at most: a leader that sends a third has shown already what it is.

use std::collections::BTreeMap;

use bytes::Bytes;
use election::hash::{Digest, sha256};
use election::ledger::MAX_TRANSACTION;

use super::context::{Address, BlockPart, Signature};

/// Bytes of a block in one message. The transport takes 4 MiB at most, whatever it is told, and closes the connection above that.
pub const PIECE: usize = 1 << 20;
/// Longest block that travels: the largest transaction there may be, and what is around it.
pub const MAX_BODY: usize = MAX_TRANSACTION + 4_096;
/// Rounds ahead of the running one of which blocks are taken, and rounds behind it: a block locked then may still be asked for.
const AHEAD: u32 = 3;
const BEHIND: u32 = 16;
/// Blocks of one height and round.
pub const BODIES: usize = 2;

/// A block that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Height it is for.
    pub height: u64,
    /// Round it is for.
    pub round: u32,
    /// The round in which it had two thirds of the prevotes, for one proposed again.
    pub valid_round: Option<u32>,
    /// Who proposed it.
    pub proposer: Address,
    /// The block's encoding.
    pub block: Bytes,
    /// The proposer's signature of each piece: with them any validator can send the pieces again.
    pub signatures: Vec<Signature>,
}

impl Whole {
    /// The pieces, in order. A piece whose signature is missing gets one of zeros, for the pen to replace.
    pub fn pieces(&self) -> impl Iterator<Item = BlockPart> {
        let hash = sha256(&self.block);
        let count = u8::try_from(self.block.len().div_ceil(PIECE)).unwrap_or(u8::MAX);
        (0..count).map(move |index| {
            let from = usize::from(index).saturating_mul(PIECE);
            let to = from.saturating_add(PIECE).min(self.block.len());
            BlockPart {
                height: self.height,
                round: self.round,
                valid_round: self.valid_round,
                proposer: self.proposer,
                hash,
                index,
                count,
                bytes: self.block.slice(from..to),
                signature: self
                    .signatures
                    .get(usize::from(index))
                    .copied()
                    .unwrap_or(Signature([0; 64])),
            }
        })
    }
}

/// A block of which pieces are here.
struct Body {
    hash: Digest,
    valid_round: Option<u32>,
    /// Empty once it was put together, or could not be: then it only takes its place.
    pieces: Vec<Option<(Bytes, Signature)>>,
}

/// Blocks being put together, by height and round.
#[derive(Default)]
pub struct Parts {
    open: BTreeMap<(u64, u32), Vec<Body>>,
}

impl Parts {
    /// Whether a piece is worth checking its signature: of the next height or the one after, near the running round of the next height, from
    /// who leads it, in shape, not here yet, and not of a third block.
    #[must_use]
    pub fn wants(&self, part: &BlockPart, next: u64, running: u32, leader: Address) -> bool {
        let running = if part.height == next { running } else { 0 };
        let near = part.round <= running.saturating_add(AHEAD) && part.round.saturating_add(BEHIND) >= running;
        let (index, count) = (usize::from(part.index), usize::from(part.count));
        let last = index.saturating_add(1) == count;
        let length = part.bytes.len();
        let shaped = index < count
            && count <= MAX_BODY.div_ceil(PIECE)
            && (if last {
                (1..=PIECE).contains(&length)
            } else {
                length == PIECE
            })
            && index.saturating_mul(PIECE).saturating_add(length) <= MAX_BODY;
        if !matches!(part.height.checked_sub(next), Some(0 | 1)) || !near || !shaped || part.proposer != leader {
            return false;
        }
        let bodies = self.open.get(&(part.height, part.round));
        let bodies = bodies.map(Vec::as_slice).unwrap_or_default();
        match bodies.iter().find(|body| body.is(part)) {
            Some(body) => body.pieces.len() == count && body.pieces.get(index).is_some_and(Option::is_none),
            None => bodies.len() < BODIES,
        }
    }

    /// Takes a piece that is wanted and whose signature holds; gives the block when it is whole.
    pub fn take(&mut self, part: BlockPart) -> Option<Whole> {
        let bodies = self.open.entry((part.height, part.round)).or_default();
        let at = bodies.iter().position(|body| body.is(&part)).unwrap_or_else(|| {
            bodies.push(Body {
                hash: part.hash,
                valid_round: part.valid_round,
                pieces: vec![None; usize::from(part.count)],
            });
            bodies.len().saturating_sub(1)
        });
        let body = bodies.get_mut(at)?;
        *body.pieces.get_mut(usize::from(part.index))? = Some((part.bytes, part.signature));
        if body.pieces.iter().any(Option::is_none) {
            return None;
        }
        let pieces: Vec<_> = std::mem::take(&mut body.pieces).into_iter().flatten().collect();
        let block = match pieces.as_slice() {
            [(one, _)] => one.clone(),
            many => many.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect(),
        };
        (sha256(&block) == part.hash).then(|| Whole {
            height: part.height,
            round: part.round,
            valid_round: part.valid_round,
            proposer: part.proposer,
            block,
            signatures: pieces.into_iter().map(|(_, signature)| signature).collect(),
        })
    }

    /// Forgets what is below a height.
    pub fn forget(&mut self, below: u64) {
        self.open = self.open.split_off(&(below, 0));
    }
}

impl Body {
    fn is(&self, part: &BlockPart) -> bool {
        self.hash == part.hash && self.valid_round == part.valid_round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: Address = Address([2; 33]);

    fn whole(height: u64, round: u32, length: usize, fill: u8) -> Whole {
        let block: Bytes = vec![fill; length].into();
        let signatures = (0..length.div_ceil(PIECE))
            .map(|at| Signature([at as u8; 64]))
            .collect();
        Whole {
            height,
            round,
            valid_round: None,
            proposer: LEADER,
            block,
            signatures,
        }
    }

    /// Takes all that is wanted; running height 7, round 0.
    fn feed(parts: &mut Parts, pieces: impl IntoIterator<Item = BlockPart>) -> Vec<Whole> {
        let wanted = pieces
            .into_iter()
            .filter_map(|part| parts.wants(&part, 7, 0, LEADER).then(|| parts.take(part)));
        wanted.flatten().collect()
    }

    #[test]
    fn a_block_of_any_length_is_put_together_in_any_order_and_once() {
        for length in [1, 300, PIECE, PIECE + 1, 3 * PIECE, MAX_BODY] {
            for turned in [false, true] {
                let one = whole(7, 0, length, 9);
                let mut pieces: Vec<_> = one.pieces().collect();
                if turned {
                    pieces.reverse();
                }
                let mut parts = Parts::default();
                let twice = pieces.iter().chain(&pieces).cloned();
                assert_eq!(feed(&mut parts, twice), [one], "{length}");
            }
        }
        let mut parts = Parts::default();
        assert!(feed(&mut parts, whole(7, 0, MAX_BODY + 1, 9).pieces()).is_empty());
    }

    #[test]
    fn nobody_but_the_leader_takes_a_place_however_much_they_send() {
        let mut parts = Parts::default();
        for fill in 0..100 {
            let mut other = whole(7, 0, 10, fill);
            other.proposer = Address([3; 33]);
            assert!(feed(&mut parts, other.pieces()).is_empty());
        }
        assert_eq!(feed(&mut parts, whole(7, 0, 10, 1).pieces()).len(), 1);
    }

    #[test]
    fn a_leader_has_two_blocks_a_round_and_far_rounds_and_heights_are_nobodys() {
        let mut parts = Parts::default();
        let many = (0..50).flat_map(|fill| whole(7, 0, 10, fill).pieces().collect::<Vec<_>>());
        assert_eq!(feed(&mut parts, many).len(), BODIES);
        for (height, round) in [(6, 0), (9, 0), (u64::MAX, 0), (7, 4), (8, 4), (7, u32::MAX)] {
            assert!(feed(&mut parts, whole(height, round, 10, 1).pieces()).is_empty());
        }
        // The height after the next, and other rounds, have places of their own.
        for (height, round) in [(8, 0), (7, 1), (7, 3)] {
            assert_eq!(feed(&mut parts, whole(height, round, 10, 1).pieces()).len(), 1);
        }
        let late = whole(7, 2, 10, 1).pieces().next().unwrap();
        assert!(parts.wants(&late, 7, 2 + BEHIND, LEADER) && !parts.wants(&late, 7, 3 + BEHIND, LEADER));
        parts.forget(8);
        assert_eq!(parts.open.len(), 1);
    }

    #[test]
    fn pieces_that_do_not_make_the_block_they_name_are_no_block() {
        let mut pieces: Vec<_> = whole(7, 0, PIECE + 5, 9).pieces().collect();
        pieces[1].bytes = Bytes::from_static(b"other");
        let mut parts = Parts::default();
        assert!(feed(&mut parts, pieces.clone()).is_empty());
        // Shapes that cannot be: too many, beyond the count, a short one in the middle, an empty one.
        let mut parts = Parts::default();
        for bend in [
            |part: &mut BlockPart| part.count = 200,
            |part: &mut BlockPart| part.index = 2,
            |part: &mut BlockPart| part.index = 0,
            |part: &mut BlockPart| part.bytes = Bytes::new(),
        ] {
            let mut part = pieces[1].clone();
            bend(&mut part);
            assert!(!parts.wants(&part, 7, 0, LEADER));
        }
        assert!(parts.take(pieces.remove(0)).is_none());
    }
}
