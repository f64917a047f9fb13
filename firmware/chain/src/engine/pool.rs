//! Transactions that wait for a block. Not a mempool with rules of its own: kiosks bring them to every validator and bring them again, so
//! losing them costs a little time and nothing else. Bounded in number and bytes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use election::hash::Digest;

/// Most transactions.
pub const MAX_COUNT: usize = 8_192;
/// Most bytes.
pub const MAX_BYTES: usize = 32 << 20;
/// Age from which a transaction is passed on to the other validators, and passed on again.
pub const PASS_ON: Duration = Duration::from_millis(400);
/// Heights after which a transaction that is still here is judged again.
const STALE: u64 = 2;

struct Waiting {
    bytes: Bytes,
    order: u64,
    height: u64,
    since: Instant,
    own: bool,
}

/// The pool.
#[derive(Default)]
pub struct Pool {
    waiting: HashMap<Digest, Waiting>,
    bytes: usize,
    next: u64,
}

impl Pool {
    /// Number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether it is here.
    #[must_use]
    pub fn contains(&self, hash: &Digest) -> bool {
        self.waiting.contains_key(hash)
    }

    /// Takes a transaction that was found good at a height; false if there is no room. `own`: it came from a kiosk, not from another
    /// validator, who passes its own on itself.
    pub fn insert(&mut self, hash: Digest, bytes: Bytes, height: u64, own: bool) -> bool {
        if let Some(known) = self.waiting.get_mut(&hash) {
            known.own |= own;
            return true;
        }
        if self.waiting.len() >= MAX_COUNT || self.bytes.saturating_add(bytes.len()) > MAX_BYTES {
            return false;
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.waiting.insert(
            hash,
            Waiting {
                bytes,
                order: self.next,
                height,
                since: Instant::now(),
                own,
            },
        );
        self.next = self.next.wrapping_add(1);
        true
    }

    /// Forgets a transaction.
    pub fn remove(&mut self, hash: &Digest) {
        if let Some(gone) = self.waiting.remove(hash) {
            self.bytes = self.bytes.saturating_sub(gone.bytes.len());
        }
    }

    /// The oldest ones, in the order they came, of up to so many bytes in all (one at least).
    #[must_use]
    pub fn oldest(&self, most: usize) -> Vec<(Digest, Bytes)> {
        let mut all: Vec<_> = self.waiting.iter().collect();
        all.sort_by_key(|(_, waiting)| waiting.order);
        let mut total = 0usize;
        all.into_iter()
            .take_while(|(_, waiting)| {
                let first = total == 0;
                total = total.saturating_add(waiting.bytes.len()).saturating_add(8);
                first || total <= most
            })
            .map(|(hash, waiting)| (*hash, waiting.bytes.clone()))
            .collect()
    }

    /// Has a transaction judged again at the next decision.
    pub fn doubt(&mut self, hash: &Digest) {
        if let Some(waiting) = self.waiting.get_mut(hash) {
            waiting.height = 0;
        }
    }

    /// Those that have been here for some heights, and are to be judged again; they count as fresh from then on.
    pub fn stale(&mut self, height: u64) -> Vec<(Digest, Bytes)> {
        self.waiting
            .iter_mut()
            .filter(|(_, waiting)| height >= waiting.height.saturating_add(STALE))
            .map(|(hash, waiting)| {
                waiting.height = height;
                (*hash, waiting.bytes.clone())
            })
            .collect()
    }

    /// Kiosks' transactions that have waited for long enough to be passed on: up to so many, of up to so many bytes. One that is longer by itself
    /// fits no message; it waits until this node leads.
    pub fn to_pass_on(&mut self, count: usize, most: usize) -> Vec<Bytes> {
        let now = Instant::now();
        let mut total = 0usize;
        let mut list = Vec::new();
        for waiting in self.waiting.values_mut() {
            let due = waiting.own && now.saturating_duration_since(waiting.since) >= PASS_ON;
            if due && list.len() < count && total.saturating_add(waiting.bytes.len()) <= most {
                total = total.saturating_add(waiting.bytes.len());
                waiting.since = now;
                list.push(waiting.bytes.clone());
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_on_fits_one_message_and_what_does_not_fit_keeps_nobody_back() {
        let mut pool = Pool::default();
        for (number, length) in [(0u8, 500), (1, 60), (2, 60), (3, 60)] {
            assert!(pool.insert([number; 32], vec![number; length].into(), 1, true));
        }
        // What another validator passed on, that one passes on itself.
        assert!(pool.insert([4; 32], vec![4; 10].into(), 1, false));
        assert!(pool.to_pass_on(9, 100).is_empty(), "it has not waited yet");
        let later = |pool: &mut Pool| {
            for waiting in pool.waiting.values_mut() {
                waiting.since -= PASS_ON;
            }
        };
        later(&mut pool);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let list = pool.to_pass_on(9, 100);
            assert!(list.iter().map(Bytes::len).sum::<usize>() <= 100);
            seen.extend(list.iter().map(|bytes| bytes[0]));
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3]);
        later(&mut pool);
        assert_eq!(pool.to_pass_on(2, 150).len(), 2);
    }
}
