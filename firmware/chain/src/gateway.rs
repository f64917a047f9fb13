//! The gateway: a kiosk's request frame in, a reply frame out. What carries the frames is not its business ([`server`] carries them
//! over TCP, [`server::line`] over anything that reads and writes bytes).
//!
//! Nothing in a request can make it fail. It sees batches and staff acts only, which are public anyway.

pub mod client;
pub mod limits;
pub mod server;

use std::sync::{Mutex, PoisonError};

use election::hash::Digest;
use election::ledger::frame::{MAX_REPLY, Reply, Request, read_request, write_reply};
use election::ledger::{Raw, Transaction, kiosk_id, transaction_hash};

use crate::embedded::{Chain, SubmitError};
use crate::ledger::Ledger;
use crate::proof::OwnedProof;
use crate::storage::Storage;

/// Who answers at a gateway. Called from several threads.
pub trait Desk: Send + Sync + 'static {
    /// The registered kiosk whose key signed this transaction; none if it is no batch, or not signed by a kiosk known here, or known
    /// already: batches are public, and whoever repeats one must not use up its kiosk's share. Asked before the transaction is judged, so
    /// that a kiosk's rate is charged to nobody but the holder of its key.
    fn signer(&self, transaction: &[u8]) -> Option<Digest>;

    /// Answers one request (at most `frame::MAX_REQUEST` bytes). Gives the number of bytes of `reply` used.
    fn answer(&self, request: &[u8], reply: &mut [u8; MAX_REPLY]) -> usize;
}

impl<S: Storage + Send + 'static> Desk for Mutex<Chain<S>> {
    fn signer(&self, transaction: &[u8]) -> Option<Digest> {
        let chain = self.lock().unwrap_or_else(PoisonError::into_inner);
        signer(chain.ledger(), transaction)
    }

    fn answer(&self, request: &[u8], reply: &mut [u8; MAX_REPLY]) -> usize {
        let mut chain = self.lock().unwrap_or_else(PoisonError::into_inner);
        handle(&mut *chain, request, reply).len()
    }
}

/// The registered kiosk whose key signed this batch, if the ledger does not hold it. Costs one verification at most, however long the batch.
#[must_use]
pub fn signer(ledger: &Ledger, transaction: &[u8]) -> Option<Digest> {
    if ledger.transaction(&transaction_hash(transaction)).is_some() {
        return None;
    }
    let Ok(Transaction::Batch(batch)) = Transaction::read(transaction) else {
        return None;
    };
    let row = ledger.kiosk(&batch.header.kiosk)?;
    batch.check_signature(&row.key).ok()?;
    Some(kiosk_id(&row.key))
}

/// Who holds a chain: takes transactions for it, and shows what was decided.
pub trait Keeper {
    /// Judges a transaction and takes it: accepted, refused, or unavailable where it could not be kept.
    fn take(&mut self, transaction: &[u8]) -> Reply<'static>;

    /// The proof of a decided transaction. Whoever decides with others may wait a while for it.
    fn prove(&mut self, transaction: &Digest) -> Option<OwnedProof>;

    /// Height and hash of the newest block.
    fn tip(&self) -> (u64, Digest);

    /// The change of the validators of this number, and its proof.
    fn change(&mut self, number: u32) -> Option<(Vec<u8>, OwnedProof)>;
}

impl<S: Storage> Keeper for Chain<S> {
    fn take(&mut self, transaction: &[u8]) -> Reply<'static> {
        match self.submit(transaction) {
            Ok(receipt) => Reply::Accepted(receipt.transaction),
            Err(SubmitError::Refused(refusal)) => Reply::Refused(refusal),
            Err(_) => Reply::Unavailable,
        }
    }

    fn prove(&mut self, transaction: &Digest) -> Option<OwnedProof> {
        self.proof(transaction)
    }

    fn tip(&self) -> (u64, Digest) {
        (self.ledger().height(), self.ledger().tip())
    }

    fn change(&mut self, number: u32) -> Option<(Vec<u8>, OwnedProof)> {
        Self::change(self, number)
    }
}

/// Answers one request (at most `frame::MAX_REQUEST` bytes; a longer one is unreadable). Gives the part of `reply` used.
pub fn handle<'r>(keeper: &mut impl Keeper, request: &[u8], reply: &'r mut [u8; MAX_REPLY]) -> &'r [u8] {
    let proof;
    let change;
    let answer = match read_request(request) {
        Err(_) => Reply::Unreadable,
        Ok(Request::Submit(transaction)) => keeper.take(transaction.0),
        Ok(Request::Proof(transaction)) => match keeper.prove(&transaction) {
            Some(found) => {
                proof = found;
                Reply::Proof(proof.view())
            }
            None => Reply::NotYet,
        },
        Ok(Request::Tip) => {
            let (height, block) = keeper.tip();
            Reply::Tip { height, block }
        }
        Ok(Request::Change(number)) => match keeper.change(number) {
            Some(found) => {
                change = found;
                Reply::Change {
                    transaction: Raw(&change.0),
                    proof: change.1.view(),
                }
            }
            None => Reply::NotYet,
        },
    };
    // Every reply fits its bound; an empty one would be unreadable, and so no lie.
    write_reply(&answer, reply).unwrap_or_default()
}
