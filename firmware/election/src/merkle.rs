//! The Merkle tree of RFC 6962, section 2.1, over items that somebody else hashes into leaves.
//!
//! Roots are made with a stack of at most 32 hashes, so that a batch or block of any allowed size needs no memory.

use sha2::{Digest as _, Sha256};

use crate::hash::Digest;

/// Levels of the largest tree: item counts are `u32`.
pub const MAX_DEPTH: usize = 32;

/// SHA-256(00 || data): what a leaf of the tree is.
#[must_use]
pub fn leaf(data: &[u8]) -> Digest {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// SHA-256(01 || left || right).
#[must_use]
pub fn node(left: &Digest, right: &Digest) -> Digest {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Makes a root from leaves given in order.
#[derive(Clone, Default)]
pub struct Root {
    /// Roots of whole subtrees, largest first; their sizes are the bits of `count`.
    stack: heapless::Vec<Digest, MAX_DEPTH>,
    count: u32,
}

impl Root {
    /// An empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stack: heapless::Vec::new(),
            count: 0,
        }
    }

    /// Appends a leaf (see [`leaf`]). Beyond `u32::MAX` leaves nothing is appended; the formats' bounds are far below.
    pub fn push(&mut self, leaf: Digest) {
        let Some(count) = self.count.checked_add(1) else { return };
        let mut subtree = leaf;
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.stack.pop() {
                subtree = node(&left, &subtree);
            }
        }
        // At most one subtree a bit of `count`: 32 places suffice.
        let _ = self.stack.push(subtree);
        self.count = count;
    }

    /// Leaves so far.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The root.
    #[must_use]
    pub fn finish(mut self) -> Digest {
        let Some(mut root) = self.stack.pop() else {
            return Sha256::new().finalize().into();
        };
        while let Some(left) = self.stack.pop() {
            root = node(&left, &root);
        }
        root
    }
}

/// The root over leaves.
#[must_use]
pub fn root(leaves: impl IntoIterator<Item = Digest>) -> Digest {
    let mut root = Root::new();
    for leaf in leaves {
        root.push(leaf);
    }
    root.finish()
}

/// The path of leaf `index` among `count` leaves, siblings from the leaf upward. `leaf_at` is asked for the leaves it needs
/// (all of them, once). None if `index` is not below `count`.
pub fn path(
    index: u32,
    count: u32,
    mut leaf_at: impl FnMut(u32) -> Digest,
) -> Option<heapless::Vec<Digest, MAX_DEPTH>> {
    if index >= count {
        return None;
    }
    // From the root downward; turned round at the end.
    let mut path = heapless::Vec::<Digest, MAX_DEPTH>::new();
    let (mut from, mut to) = (0u32, count);
    while to - from > 1 {
        let middle = from + split(to - from);
        let (other_from, other_to) = if index < middle { (middle, to) } else { (from, middle) };
        path.push(root((other_from..other_to).map(&mut leaf_at))).ok()?;
        if index < middle { to = middle } else { from = middle }
    }
    path.reverse();
    Some(path)
}

/// Checks a path and gives the root it leads to. None if the path has the wrong length for `index` of `count`.
#[must_use]
pub fn root_from_path(leaf: Digest, index: u32, count: u32, path: impl IntoIterator<Item = Digest>) -> Option<Digest> {
    // RFC 9162, 2.1.3.2.
    let last = count.checked_sub(1)?;
    if index > last {
        return None;
    }
    let (mut node_index, mut last) = (index, last);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node_index & 1 == 1 || node_index == last {
            hash = node(&sibling, &hash);
            while node_index & 1 == 0 && node_index != 0 {
                node_index >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, &sibling);
        }
        node_index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The largest power of two below `count` (count >= 2).
const fn split(count: u32) -> u32 {
    1 << (31 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u32) -> impl Fn(u32) -> Digest + Copy {
        move |index| leaf(&[index.to_be_bytes(), count.to_be_bytes()].concat())
    }

    /// RFC 6962, 2.1, word for word.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Sha256::new().finalize().into(),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn roots_and_paths_follow_rfc_6962() {
        for count in 0..40u32 {
            let at = leaves(count);
            let all: std::vec::Vec<Digest> = (0..count).map(at).collect();
            let expected = by_definition(&all);
            assert_eq!(root(all.iter().copied()), expected);
            for index in 0..count {
                let path = path(index, count, at).unwrap();
                assert_eq!(
                    root_from_path(at(index), index, count, path.iter().copied()),
                    Some(expected)
                );
                for other in (0..count).filter(|o| *o != index) {
                    assert_ne!(
                        root_from_path(at(index), other, count, path.iter().copied()),
                        Some(expected)
                    );
                }
                let longer = path.iter().copied().chain([[0; 32]]);
                assert_ne!(root_from_path(at(index), index, count, longer), Some(expected));
            }
            assert!(path(count, count, at).is_none());
        }
    }
}
