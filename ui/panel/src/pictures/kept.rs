//! Characters of names in the sizes that a voter meets first, drawn before anybody waits for them. It must never know what stands on a page.

use alloc::vec::Vec;

/// A picture in an em: ink from a pen at 0 on a baseline at 0.
pub(super) struct Drawn {
    pub column: i32,
    pub row: i32,
    pub columns: usize,
}

/// Bytes of characters in an em that are kept at most: some 350 of the size that a voter meets first. What has no room is drawn each time.
const KEPT: usize = 256 * 1024;

/// Most of them.
const MOST: usize = 512;

/// Where a character's ink begins and ends in [`Kept::alpha`].
type Entry = ((i32, usize), Drawn, core::ops::Range<usize>);

/// Characters in an em, drawn once, because that takes a hundred times as long as putting them into a line. In one piece of memory: hundreds
/// of small ones would leave holes between which a board's allocator searches ever after.
///
/// What is here depends on the package and on what a voter meets first, and on nothing that anybody does: a character that were kept because a page
/// needed it would say, until the next start, what stood on that page, and the pages of a review say what was chosen.
#[derive(Default)]
pub(super) struct Kept {
    /// Ascending by em and the picture's place.
    index: Vec<Entry>,
    alpha: Vec<u8>,
}

impl Kept {
    /// Empty, with `room` bytes at most, index and all; without any, where the allocator has none.
    pub fn new(room: usize) -> Self {
        let mut kept = Self::default();
        let Some(ink) = room.min(KEPT).checked_sub(MOST * size_of::<Entry>()) else {
            return kept;
        };
        if kept.index.try_reserve_exact(MOST).is_err() || kept.alpha.try_reserve_exact(ink).is_err() {
            return Self::default();
        }
        kept
    }

    pub fn bytes(&self) -> usize {
        self.index.capacity() * size_of::<Entry>() + self.alpha.capacity()
    }

    pub fn find(&self, key: (i32, usize)) -> Result<(&Drawn, &[u8]), usize> {
        let at = self.index.binary_search_by_key(&key, |(own, ..)| *own)?;
        let (_, drawn, range) = self.index.get(at).ok_or(at)?;
        Ok((drawn, self.alpha.get(range.clone()).unwrap_or_default()))
    }

    /// Whether there was room.
    pub fn keep(&mut self, key: (i32, usize), drawn: Drawn, alpha: &[u8]) -> bool {
        let room = self.index.len() < self.index.capacity() && self.alpha.capacity() - self.alpha.len() >= alpha.len();
        if let Err(at) = self.find(key).map(|_| ())
            && room
        {
            let begin = self.alpha.len();
            self.alpha.extend_from_slice(alpha);
            self.index.insert(at, (key, drawn, begin..self.alpha.len()));
        }
        room
    }

    /// Which characters are here, and in which em.
    #[cfg(test)]
    pub fn keys(&self) -> Vec<(i32, usize)> {
        self.index.iter().map(|(key, ..)| *key).collect()
    }
}
