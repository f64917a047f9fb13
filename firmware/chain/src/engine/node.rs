//! What gateway, public interface and consensus share: the ledger, the pool, the store, the counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use election::hash::Digest;
use election::ledger::frame::{MAX_REPLY, Reply};
use election::ledger::{Block, Certificate, Decided, Raw, Refusal, Transaction, transaction_hash};
use election::wire::{self, WireError};
use tokio::sync::Notify;

use super::pool::Pool;
use super::store::{Store, StoreError};
use crate::evidence::Evidence;
use crate::gateway::{Desk, Keeper, handle, signer};
use crate::ledger::{ApplyError, Ledger, Verdict, append};
use crate::proof::OwnedProof;

/// How long the gateway waits for a decision before it says that there is no proof yet: a kiosk then has its proof in one exchange.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// What the node counted since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Transactions decided.
    pub transactions: AtomicU64,
    /// Entries of decided batches.
    pub entries: AtomicU64,
    /// Blocks of other validators that were found bad.
    pub invalid_blocks: AtomicU64,
    /// Rounds above 0 that were started.
    pub rounds: AtomicU64,
    /// Validators seen signing two things.
    pub equivocations: AtomicU64,
    /// Transactions refused at the gateway.
    pub refused: AtomicU64,
    /// Forks by kiosks, kept as evidence.
    pub forks: AtomicU64,
    /// Blocks that came by catching up.
    pub synced: AtomicU64,
}

/// See the module.
pub struct Node {
    ledger: RwLock<Ledger>,
    pool: Mutex<Pool>,
    store: Store,
    /// Something waits for a block, or a block is under way.
    pub wake: Notify,
    /// Height decided last, for those who wait for a proof.
    decided: (Mutex<u64>, Condvar),
    /// See [`Counters`].
    pub counters: Counters,
    /// When it started.
    pub started: Instant,
}

/// Why a decided block could not be taken: the node must stop, because what it would do next is wrong.
#[derive(Debug)]
pub enum CommitError {
    /// The store.
    Store(StoreError),
    /// The block does not hold though two thirds signed it: this program or theirs is wrong.
    Block(ApplyError),
    /// It cannot be encoded.
    Wire,
}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Block(error) => write!(f, "a decided block does not hold: {error}"),
            Self::Wire => f.write_str("a decided block cannot be encoded"),
        }
    }
}

impl std::error::Error for CommitError {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// A node over a ledger that was brought to the tip of the store.
    #[must_use]
    pub fn new(ledger: Ledger, store: Store) -> Self {
        let height = ledger.height();
        Self {
            ledger: RwLock::new(ledger),
            pool: Mutex::default(),
            store,
            wake: Notify::new(),
            decided: (Mutex::new(height), Condvar::new()),
            counters: Counters::default(),
            started: Instant::now(),
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool.
    pub fn pool(&self) -> MutexGuard<'_, Pool> {
        lock(&self.pool)
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Makes a decided block durable, applies it, and tells those who wait for it.
    ///
    /// # Errors
    /// [`CommitError`]; nothing is changed then.
    pub fn commit(&self, block: &[u8], certificate: &Certificate<'_>) -> Result<(), CommitError> {
        let mut item = Vec::new();
        append(
            &mut item,
            &Decided {
                block: Raw(block),
                certificate: *certificate,
            },
        )
        .map_err(|_| CommitError::Wire)?;
        // Checked before it is written: a block that does not hold would make the store unreadable.
        self.ledger()
            .check_decided(block, certificate)
            .map_err(CommitError::Block)?;
        self.store
            .decide(certificate.height, &item)
            .map_err(CommitError::Store)?;
        self.ledger
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .apply(block, certificate)
            .map_err(CommitError::Block)?;
        self.settle(block, certificate.height);
        *lock(&self.decided.0) = certificate.height;
        self.decided.1.notify_all();
        Ok(())
    }

    /// Takes the transactions of a decided block out of the pool, and those that no block can take any more.
    fn settle(&self, block: &[u8], height: u64) {
        let Ok(block) = Block::read(block) else { return };
        let mut pool = self.pool();
        for Raw(bytes) in block.transactions.iter().flatten() {
            pool.remove(&transaction_hash(bytes));
            self.counters.transactions.fetch_add(1, Ordering::Relaxed);
            if let Ok(Transaction::Batch(batch)) = Transaction::read(bytes) {
                self.counters
                    .entries
                    .fetch_add(u64::from(batch.header.count), Ordering::Relaxed);
            }
        }
        let stale = pool.stale(height);
        drop(pool);
        for (hash, bytes) in stale {
            let verdict = self.ledger().check(&bytes);
            if !matches!(verdict, Verdict::Included(_)) {
                self.pool().remove(&hash);
                self.note_fork(&bytes, verdict);
            }
        }
    }

    /// The block this node would make of what waits, of up to so many bytes of transactions. What no block can take any more leaves the pool. But not
    /// the second batch of one number: which of the two is the fork is known, and can be proven, only when the other one is decided.
    ///
    /// # Errors
    /// [`WireError`] if the block cannot be encoded.
    pub fn propose(&self, most: usize) -> Result<Vec<u8>, WireError> {
        let candidates = self.pool().oldest(most);
        let proposal = self.ledger().propose(candidates.iter().map(|(_, bytes)| &bytes[..]))?;
        for ((hash, bytes), verdict) in candidates.iter().zip(&proposal.verdicts) {
            match verdict {
                Verdict::Refused(Refusal::Fork { .. })
                    if matches!(self.ledger().check(bytes), Verdict::Included(_)) =>
                {
                    self.pool().doubt(hash);
                }
                Verdict::Refused(_) | Verdict::Known => {
                    self.pool().remove(hash);
                    self.note_fork(bytes, *verdict);
                }
                Verdict::Included(_) | Verdict::NoRoom => {}
            }
        }
        Ok(proposal.block)
    }

    /// Whether a transaction waits here or is decided.
    pub fn knows(&self, hash: &Digest) -> bool {
        self.pool().contains(hash) || self.ledger().transaction(hash).is_some()
    }

    /// A change of the validators with its proof.
    pub fn change(&self, number: u32) -> Option<(Vec<u8>, OwnedProof)> {
        let (hash, height, index, proof) = {
            let ledger = self.ledger();
            let hash = ledger.sets().change(number)?;
            let (height, index) = ledger.transaction(&hash)?;
            (hash, height, index, ledger.proof(&hash)?)
        };
        let decided = self.store.decided(height).ok()??;
        let decided: Decided<'_> = wire::decode(&decided).ok()?;
        let transactions = Block::read(decided.block.0).ok()?.transactions;
        let transaction = transactions.iter().nth(usize::try_from(index).ok()?)?.ok()?;
        (transaction_hash(transaction.0) == hash).then(|| (transaction.0.to_vec(), proof))
    }

    /// Judges a transaction and takes it into the pool.
    pub fn submit(&self, transaction: &[u8], own: bool) -> Reply<'static> {
        let hash = transaction_hash(transaction);
        if self.pool().contains(&hash) {
            return Reply::Accepted(hash);
        }
        let (verdict, height) = {
            let ledger = self.ledger();
            (ledger.check(transaction), ledger.height())
        };
        match verdict {
            Verdict::Known => Reply::Accepted(hash),
            Verdict::Included(_) => {
                if !self
                    .pool()
                    .insert(hash, Bytes::copy_from_slice(transaction), height, own)
                {
                    return Reply::Unavailable;
                }
                self.wake.notify_one();
                Reply::Accepted(hash)
            }
            Verdict::NoRoom => Reply::Unavailable,
            Verdict::Refused(refusal) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                self.note_fork(transaction, verdict);
                Reply::Refused(refusal)
            }
        }
    }

    /// Keeps a forked batch and raises the alarm. A failing disk loses the evidence, not the refusal.
    pub fn note_fork(&self, transaction: &[u8], verdict: Verdict) {
        let (Verdict::Refused(Refusal::Fork { number, .. }), Ok(Transaction::Batch(batch))) =
            (verdict, Transaction::read(transaction))
        else {
            return;
        };
        let kept = self
            .ledger
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .keep_evidence(Evidence::from(&batch));
        let Some(evidence) = kept else { return };
        self.counters.forks.fetch_add(1, Ordering::Relaxed);
        tracing::error!(kiosk = %hex::encode(batch.header.kiosk), number, "ALARM: two batches of one number signed with one kiosk's key");
        let written = evidence
            .encode()
            .map_err(|error| error.to_string())
            .and_then(|item| self.store.keep_evidence(&item).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::error!(%error, "the evidence could not be kept");
        }
    }

    /// Waits until a transaction that is in the pool is decided, or the patience is over.
    fn wait_for(&self, transaction: &Digest) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = *lock(&self.decided.0);
            if self.ledger().transaction(transaction).is_some() || !self.pool().contains(transaction) {
                return;
            }
            let guard = lock(&self.decided.0);
            if *guard != seen {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            drop(self.decided.1.wait_timeout(guard, left));
        }
    }
}

/// A node at a gateway.
impl Desk for Node {
    fn signer(&self, transaction: &[u8]) -> Option<Digest> {
        // What is in the pool was judged already, and costs its kiosk nothing a second time; so does what is on the ledger.
        if self.pool().contains(&transaction_hash(transaction)) {
            return None;
        }
        signer(&self.ledger(), transaction)
    }

    fn answer(&self, request: &[u8], reply: &mut [u8; MAX_REPLY]) -> usize {
        handle(&mut &*self, request, reply).len()
    }
}

impl Keeper for &Node {
    fn take(&mut self, transaction: &[u8]) -> Reply<'static> {
        self.submit(transaction, true)
    }

    fn prove(&mut self, transaction: &Digest) -> Option<OwnedProof> {
        self.wait_for(transaction);
        self.ledger().proof(transaction)
    }

    fn tip(&self) -> (u64, Digest) {
        let ledger = self.ledger();
        (ledger.height(), ledger.tip())
    }

    fn change(&mut self, number: u32) -> Option<(Vec<u8>, OwnedProof)> {
        Node::change(self, number)
    }
}

/// A node that is shared.
pub type SharedNode = Arc<Node>;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{World, batch, key, world};
    use crate::validator::{OwnedCertificate, Validator};
    use election::sign::Signer;

    /// A node of a chain of one validator, and its folder.
    pub(crate) fn node(world: &World) -> (tempfile::TempDir, SharedNode) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(&world.genesis).unwrap();
        let store = Store::open(&folder.path().join("chain.redb"), ledger.id()).unwrap();
        (folder, Arc::new(Node::new(ledger, store)))
    }

    /// Decides a block.
    pub(crate) fn decide(node: &Node, world: &World, block: &[u8]) {
        let header = Block::read(block).unwrap().header;
        let mut validator = Validator::new(world.validators[0].clone(), world.genesis().validators).unwrap();
        let vote = validator.precommit(&header, 0).unwrap();
        let certificate = OwnedCertificate::assemble(&header, 0, vec![vote]).unwrap();
        node.commit(block, &certificate.view()).unwrap();
    }

    /// Decides a kiosk's registration.
    pub(crate) fn register(node: &Node, world: &World, kiosk: &Signer) {
        assert!(matches!(
            node.submit(&world.register(kiosk, 1), true),
            Reply::Accepted(_)
        ));
        decide(node, world, &node.propose(1 << 20).unwrap());
        assert!(node.pool().is_empty());
    }

    #[test]
    fn a_fork_whose_two_batches_wait_in_one_pool_is_evidence_after_the_decision() {
        let world = world(1);
        let (_folder, node) = node(&world);
        register(&node, &world, &key(1));
        for name in ["x", "y"] {
            let (bytes, _) = batch(&key(1), 0, [0; 32], &[name], None);
            assert!(matches!(node.submit(&bytes, true), Reply::Accepted(_)));
        }
        let block = node.propose(1 << 20).unwrap();
        assert_eq!(Block::read(&block).unwrap().transactions.iter().count(), 1);
        // The block is not decided yet, and may never be: the other one waits on.
        assert_eq!((node.pool().len(), node.ledger().evidence().count()), (2, 0));
        decide(&node, &world, &block);
        assert_eq!((node.pool().len(), node.ledger().evidence().count()), (0, 1));
        assert_eq!(node.counters.forks.load(Ordering::Relaxed), 1);
        // Durable.
        let mut ledger = Ledger::new(&world.genesis).unwrap();
        node.store().replay(&mut ledger).unwrap();
        assert_eq!(ledger.evidence().count(), 1);
    }
}
