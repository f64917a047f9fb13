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
        handle(&mut chain, request, reply).len()
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

/// Answers one request (at most `frame::MAX_REQUEST` bytes; a longer one is unreadable). Gives the part of `reply` used.
pub fn handle<'r, S: Storage>(chain: &mut Chain<S>, request: &[u8], reply: &'r mut [u8; MAX_REPLY]) -> &'r [u8] {
    let proof;
    let change;
    let answer = match read_request(request) {
        Err(_) => Reply::Unreadable,
        Ok(Request::Submit(transaction)) => match chain.submit(transaction.0) {
            Ok(receipt) => Reply::Accepted(receipt.transaction),
            Err(SubmitError::Refused(refusal)) => Reply::Refused(refusal),
            Err(_) => Reply::Unavailable,
        },
        Ok(Request::Proof(transaction)) => match chain.proof(&transaction) {
            Some(found) => {
                proof = found;
                Reply::Proof(proof.view())
            }
            None => Reply::NotYet,
        },
        Ok(Request::Tip) => Reply::Tip {
            height: chain.ledger().height(),
            block: chain.ledger().tip(),
        },
        Ok(Request::Change(number)) => match chain.change(number) {
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
