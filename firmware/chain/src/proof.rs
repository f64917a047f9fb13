//! A commit proof that lives longer than the ledger it was read from.

use election::ledger::{BlockHeader, CommitProof};
use election::wire::Seq;

/// A commit proof with memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedProof {
    pub(crate) header: BlockHeader,
    pub(crate) round: u32,
    /// Items `CommitSignature`.
    pub(crate) signatures: Vec<u8>,
    pub(crate) index: u32,
    pub(crate) count: u32,
    /// Hashes of 32 bytes.
    pub(crate) path: Vec<u8>,
}

impl OwnedProof {
    /// The proof as it is encoded and verified.
    #[must_use]
    pub fn view(&self) -> CommitProof<'_> {
        CommitProof {
            header: self.header,
            round: self.round,
            signatures: Seq::from_bytes(&self.signatures),
            index: self.index,
            count: self.count,
            path: Seq::from_bytes(&self.path),
        }
    }
}
