//! What a gateway gives to one kiosk, one address, and all of them together. A bucket fills by its rate up to its burst.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// So many at once, and so many a second from then on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// A second.
    pub per_second: u32,
}

/// Bounds of a gateway. What is over them is answered `Unavailable` or disconnected; nothing queues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Of them from one address (a town hall behind one router has one address).
    pub per_address: usize,
    /// Bytes of requests being received, over all connections.
    pub receiving: usize,
    /// Of them from one address: the largest request twice at least.
    pub receiving_per_address: usize,
    /// Time a peer has to send one frame from its first byte to its last, and to take a reply.
    pub frame_time: Duration,
    /// Time a connection may be silent between frames.
    pub idle_time: Duration,
    /// Requests of any kind from one address.
    pub requests: Rate,
    /// Batches signed by one kiosk's key; a batch counts one and one more for every 64 entries.
    pub batches: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            per_address: 64,
            receiving: 32 << 20,
            receiving_per_address: 10 << 20,
            frame_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(120),
            requests: Rate {
                burst: 2_000,
                per_second: 1_000,
            },
            batches: Rate {
                burst: 60,
                per_second: 20,
            },
        }
    }
}

/// Most buckets kept; full ones are forgotten first, because a new bucket is full too.
const MAX_BUCKETS: usize = 8_192;

/// Buckets by key.
pub(crate) struct Buckets<K> {
    rate: Rate,
    buckets: HashMap<K, (f64, Instant)>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
        }
    }

    /// Takes one; false if there is none left.
    pub(crate) fn take(&mut self, key: &K, now: Instant) -> bool {
        self.take_many(key, 1, now)
    }

    /// Takes so many; false if there are not as many left. A full bucket gives more than it holds, and then owes the rest: what is legal
    /// passes, and is paid for.
    pub(crate) fn take_many(&mut self, key: &K, count: u32, now: Instant) -> bool {
        let (burst, per_second) = (f64::from(self.rate.burst), f64::from(self.rate.per_second));
        let level = |level: f64, since: Instant| {
            (level + now.saturating_duration_since(since).as_secs_f64() * per_second).min(burst)
        };
        if !self.buckets.contains_key(key) && self.buckets.len() >= MAX_BUCKETS {
            self.buckets.retain(|_, (left, since)| level(*left, *since) < burst);
            if self.buckets.len() >= MAX_BUCKETS {
                return false;
            }
        }
        let bucket = self.buckets.entry(key.clone()).or_insert((burst, now));
        let left = level(bucket.0, bucket.1);
        let wanted = f64::from(count);
        let granted = left >= wanted.min(burst.max(1.0));
        *bucket = (if granted { left - wanted } else { left }, now);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate_to_each_key_alone() {
        let mut buckets = Buckets::new(Rate {
            burst: 3,
            per_second: 2,
        });
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut taken = |key: u8, when| buckets.take(&key, at(when));
        assert_eq!([0; 4].map(|when| taken(1, when)), [true, true, true, false]);
        assert!(taken(2, 0), "another key has a bucket of its own");
        assert!(!taken(1, 499));
        assert!(taken(1, 500));
        assert!(!taken(1, 501));
        assert_eq!([60_000; 4].map(|when| taken(1, when)), [true, true, true, false]);
    }

    #[test]
    fn what_is_more_than_a_burst_is_given_by_a_full_bucket_and_paid_for() {
        let mut buckets = Buckets::new(Rate {
            burst: 60,
            per_second: 20,
        });
        let start = Instant::now();
        let mut taken = |count, seconds| buckets.take_many(&1, count, start + Duration::from_secs(seconds));
        assert!(taken(1_025, 0));
        assert!(!taken(1, 0) && !taken(1, 48), "it owes 965");
        assert!(taken(1, 49) && !taken(1_025, 50));
        assert!(taken(1_025, 60));
        assert!(taken(2, 200) && !taken(60, 200) && taken(58, 200));
    }

    #[test]
    fn strangers_fill_no_memory_and_full_buckets_make_room() {
        let mut buckets = Buckets::new(Rate {
            burst: 2,
            per_second: 1,
        });
        let start = Instant::now();
        for key in 0..MAX_BUCKETS {
            assert!(buckets.take(&key, start));
        }
        assert!(!buckets.take(&MAX_BUCKETS, start), "no bucket is free");
        assert!(buckets.take(&MAX_BUCKETS, start + Duration::from_secs(2)));
        assert_eq!(buckets.buckets.len(), 1);
    }
}
