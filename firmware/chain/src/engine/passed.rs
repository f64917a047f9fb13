//! Transactions that other validators pass on, judged on a thread of their own: a validator that sends rubbish costs the consensus loop
//! nothing, and itself its share.
//!
//! One list of a validator waits at most, and its transactions are judged at a rate. Nothing is lost by dropping the rest: kiosks bring their
//! batches to every validator, and whoever has them passes them on again.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use election::ledger::frame::Reply;
use election::ledger::{Refusal, transaction_hash};

use super::node::SharedNode;
use crate::gateway::limits::{Buckets, Rate};

/// Bytes of transactions passed on in one message, and their number: more of a list is not looked at.
pub const BYTES: usize = 2 << 20;
/// See [`BYTES`].
pub const COUNT: usize = 256;
/// Lists that wait, over all validators.
const QUEUE: usize = 64;
/// Transactions of one validator that are judged; those that are known already cost nothing.
const RATE: Rate = Rate {
    burst: 1_024,
    per_second: 512,
};

type Waiting<P> = Arc<Mutex<HashSet<P>>>;

/// Where lists go.
pub struct Passed<P> {
    lists: SyncSender<(P, Vec<Bytes>)>,
    waiting: Waiting<P>,
}

impl<P: Clone + Eq + Hash + Send + 'static> Passed<P> {
    /// Starts the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(node: SharedNode) -> std::io::Result<Self> {
        let (lists, inbox) = sync_channel(QUEUE);
        let waiting = Waiting::default();
        let held = waiting.clone();
        std::thread::Builder::new()
            .name("passed on".into())
            .spawn(move || work(&node, &inbox, &held))?;
        Ok(Self { lists, waiting })
    }

    /// Takes a list of a validator, if none of it waits.
    pub fn take(&self, from: P, list: Vec<Bytes>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.insert(from.clone()) && self.lists.try_send((from.clone(), list)).is_err() {
            waiting.remove(&from);
        }
    }
}

fn work<P: Clone + Eq + Hash>(node: &SharedNode, inbox: &Receiver<(P, Vec<Bytes>)>, waiting: &Waiting<P>) {
    let mut rates = Buckets::new(RATE);
    while let Ok((from, list)) = inbox.recv() {
        judge(node, &from, &list, &mut rates, Instant::now());
        waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&from);
    }
}

/// Judges what is worth it of a list; gives how many were.
fn judge<P: Clone + Eq + Hash>(
    node: &SharedNode,
    from: &P,
    list: &[Bytes],
    rates: &mut Buckets<P>,
    now: Instant,
) -> usize {
    let (mut judged, mut bytes) = (0, 0usize);
    for transaction in list.iter().take(COUNT) {
        bytes = bytes.saturating_add(transaction.len());
        if bytes > BYTES {
            break;
        }
        if node.knows(&transaction_hash(transaction)) {
            continue;
        }
        if !rates.take(from, now) {
            break;
        }
        judged += 1;
        // Honest validators pass on what they found good: what cannot have been good for anybody says what the rest is worth. (A kiosk that is
        // unknown here may be registered in a block that is on its way: the list comes again.)
        if matches!(
            node.submit(transaction, false),
            Reply::Refused(Refusal::TooLong | Refusal::Encoding | Refusal::Signature | Refusal::UnknownKiosk)
        ) {
            break;
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::node::tests::{node, register};
    use crate::fixture::{batch, key, world};

    #[test]
    fn of_a_list_of_rubbish_one_piece_is_judged_and_of_a_good_one_its_share() {
        let world = world(1);
        let (_folder, node) = node(&world);
        register(&node, &world, &key(1));
        let rubbish = Bytes::from_static(b"rubbish");
        let mut bad = batch(&key(1), 0, [0; 32], &["x"], None).0;
        *bad.last_mut().unwrap() ^= 1;
        let stranger = batch(&key(2), 0, [0; 32], &["x"], None).0;
        let mut rates = Buckets::new(RATE);
        let now = Instant::now();
        let mut judged = |from: u8, list: &[Bytes]| judge(&node, &from, list, &mut rates, now);
        for one in [rubbish, bad.into(), stranger.into()] {
            assert_eq!(judged(1, &vec![one; 5_000]), 1);
        }
        // Batches that follow nothing, each with a good signature: they cost, so they are counted.
        let gaps: Vec<Bytes> = (1..600)
            .map(|number| batch(&key(1), number, [0; 32], &["x"], None).0.into())
            .collect();
        assert_eq!(judged(1, &gaps), COUNT);
        for _ in 0..10 {
            judged(1, &gaps);
        }
        assert_eq!(judged(1, &gaps), 0, "a rate");
        // Another validator's good batch is taken all the while, and costs nothing when it comes again.
        let good: Bytes = batch(&key(1), 0, [0; 32], &["x"], None).0.into();
        assert_eq!(judged(2, &vec![good.clone(); 9]), 1);
        assert_eq!(node.pool().len(), 1);
        let long: Vec<Bytes> = (0..3).map(|_| Bytes::from(vec![7; BYTES / 2 + 1])).collect();
        assert_eq!(judged(2, &long), 1);
    }

    #[test]
    fn one_list_of_a_validator_waits() {
        let world = world(1);
        let (_folder, node) = node(&world);
        register(&node, &world, &key(1));
        let (lists, inbox) = sync_channel(QUEUE);
        let passed = Passed {
            lists,
            waiting: Waiting::default(),
        };
        for _ in 0..100 {
            passed.take(1, vec![Bytes::from_static(b"rubbish")]);
        }
        passed.take(2, vec![batch(&key(1), 0, [0; 32], &["x"], None).0.into()]);
        assert_eq!(inbox.try_iter().count(), 2);
        // The thread itself.
        let passed = Passed::start(node.clone()).unwrap();
        passed.take(3, vec![batch(&key(1), 0, [0; 32], &["x"], None).0.into()]);
        let patience = Instant::now();
        while node.pool().is_empty() {
            assert!(patience.elapsed().as_secs() < 60);
            std::thread::yield_now();
        }
    }
}
