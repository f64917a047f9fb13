//! Who decides at which height: the genesis' validators, and every change since. At most [`MAX_CHANGES`] sets more than one.

use election::hash::Digest;
use election::ledger::{
    Applied, CommitProof, FollowError, Followed, Genesis, GenesisError, MAX_CHANGES, SetChange, Standing, Transaction,
    Validators,
};
use election::merkle;

/// A set, and how it came to stand.
struct Set {
    /// Height of the first block it decides.
    from: u64,
    /// The transaction that names it, by hash; none for the genesis' set.
    change: Option<Digest>,
    keys: Vec<u8>,
}

/// The sets of one chain, the oldest first.
pub struct Sets {
    chain: Digest,
    genesis: Vec<u8>,
    list: Vec<Set>,
}

impl Sets {
    /// The set of the genesis alone.
    ///
    /// # Errors
    /// The genesis does not hold.
    pub fn new(genesis: &[u8]) -> Result<Self, GenesisError> {
        let view = Genesis::read(genesis)?;
        Ok(Self {
            chain: view.chain_id(),
            genesis: genesis.to_vec(),
            list: vec![Set {
                from: 1,
                change: None,
                keys: view.validators.as_bytes().to_vec(),
            }],
        })
    }

    /// The chain id.
    #[must_use]
    pub const fn chain(&self) -> &Digest {
        &self.chain
    }

    /// The set that decides the block of this height, as far as changes are known.
    #[must_use]
    pub fn at(&self, height: u64) -> Validators<'_> {
        let set = self.list.iter().rev().find(|set| set.from <= height);
        Validators::from_bytes(set.or(self.list.first()).map_or(&[], |set| &set.keys))
    }

    /// The newest set, whether or not it stands already.
    #[must_use]
    pub fn newest(&self) -> Validators<'_> {
        self.at(u64::MAX)
    }

    /// Changes known.
    #[must_use]
    pub fn changes(&self) -> u32 {
        u32::try_from(self.list.len().saturating_sub(1)).unwrap_or(MAX_CHANGES)
    }

    /// Each set, with the height from which it decides and the hash of the transaction that names it.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Option<Digest>, Validators<'_>)> {
        self.list
            .iter()
            .map(|set| (set.from, set.change, Validators::from_bytes(&set.keys)))
    }

    /// The hash of the transaction of this change.
    #[must_use]
    pub fn change(&self, number: u32) -> Option<Digest> {
        self.list.get(usize::try_from(number).ok()?)?.change
    }

    /// What the rules ask of the block of this height, which comes next.
    #[must_use]
    pub fn standing(&self, height: u64) -> Standing<'_> {
        let next = self
            .list
            .last()
            .filter(|set| set.from > height)
            .map(|set| (set.from, Validators::from_bytes(&set.keys)));
        Standing::new(height, self.changes(), self.at(height), next)
    }

    /// Notes a change that the rules have taken.
    pub(crate) fn note(&mut self, hash: Digest, transaction: &Transaction<'_>, applied: &Applied) {
        if let (Transaction::Validators { body, .. }, Applied::Validators { from, .. }) = (transaction, applied) {
            self.push(hash, *from, body);
        }
    }

    fn push(&mut self, hash: Digest, from: u64, body: &SetChange<'_>) {
        self.list.push(Set {
            from,
            change: Some(hash),
            keys: body.validators.as_bytes().to_vec(),
        });
    }

    /// For a client that keeps no ledger: takes the next change, proven by the set before.
    ///
    /// # Errors
    /// What does not hold; nothing is changed then.
    pub fn follow(&mut self, transaction: &[u8], proof: &CommitProof<'_>) -> Result<(), FollowError> {
        let genesis = Genesis::read(&self.genesis).map_err(|_| FollowError::NoChange)?;
        let mut followed = Followed::at(&genesis, self.changes(), self.newest());
        // Pending changes refuse another one, so the newest set is the one that decides the next change.
        followed.follow(transaction, proof)?;
        if let Ok(Transaction::Validators { body, .. }) = Transaction::read(transaction) {
            self.push(election::ledger::transaction_hash(transaction), body.from, &body);
        }
        Ok(())
    }

    /// Whether the transaction with this Merkle leaf is on the chain: by the set of the height that the proof names.
    #[must_use]
    pub fn holds(&self, proof: &CommitProof<'_>, leaf: Digest) -> bool {
        proof
            .verify_leaf(&self.chain, self.at(proof.header.height), leaf)
            .is_ok()
    }

    /// The same for a transaction's encoding.
    #[must_use]
    pub fn prove(&self, proof: &CommitProof<'_>, transaction: &[u8]) -> bool {
        self.holds(proof, merkle::leaf(transaction))
    }

    /// Whether a proof names a set that is not known for its height: there may be a change to follow.
    #[must_use]
    pub fn is_unknown(&self, proof: &CommitProof<'_>) -> bool {
        proof.header.validators != self.at(proof.header.height).hash()
    }
}
