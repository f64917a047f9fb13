//! The gateway: a kiosk's request frame in, a reply frame out. What carries the frames is not its business.
//!
//! Nothing in a request can make it fail. It sees batches and staff acts only, which are public anyway.

use election::ledger::frame::{MAX_REPLY, Reply, Request, read_request, write_reply};

use crate::embedded::{Chain, SubmitError};
use crate::storage::Storage;

/// Answers one request (at most `frame::MAX_REQUEST` bytes; a longer one is unreadable). Gives the part of `reply` used.
pub fn handle<'r, S: Storage>(chain: &mut Chain<S>, request: &[u8], reply: &'r mut [u8; MAX_REPLY]) -> &'r [u8] {
    let proof;
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
    };
    // Every reply fits its bound; an empty one would be unreadable, and so no lie.
    write_reply(&answer, reply).unwrap_or_default()
}
