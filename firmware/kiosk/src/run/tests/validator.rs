//! The one validator behind the kiosk's uplink: a block a transaction; sometimes a liar.

use election::ledger::frame::{Reply, Request, read_request, write_reply};
use election::ledger::{Genesis, Transaction, transaction_hash};

use super::platform::World;
use super::{decided, desk};

impl World {
    /// The validator: one block a transaction.
    pub(super) fn ask(&self, request: &[u8], reply: &mut [u8]) -> usize {
        match read_request(request).unwrap() {
            Request::Submit(transaction) => {
                Transaction::read(transaction.0).unwrap();
                let mut ledger = self.ledger.borrow_mut();
                if !ledger.iter().any(|known| known == transaction.0) {
                    ledger.push(transaction.0.to_vec());
                }
                write_reply(&Reply::Accepted(transaction_hash(transaction.0)), reply)
                    .unwrap()
                    .len()
            }
            Request::Proof(hash) => {
                let ledger = self.ledger.borrow();
                let Some(at) = ledger.iter().position(|known| transaction_hash(known) == hash) else {
                    return write_reply(&Reply::NotYet, reply).unwrap().len();
                };
                let genesis = self.genesis.borrow();
                let genesis = Genesis::read(&genesis).unwrap();
                // A liar shows the proof of something else.
                let lie = self.lies.get() > 0;
                self.lies.set(self.lies.get().saturating_sub(1));
                let shown = if lie { b"something else" } else { &ledger[at][..] };
                let height = u64::try_from(at).unwrap() + 1;
                let proof = decided::proof(genesis.chain_id(), height, shown, &[desk::validator()], &[0]);
                let proof = election::wire::decode(&proof).unwrap();
                write_reply(&Reply::Proof(proof), reply).unwrap().len()
            }
            Request::Tip | Request::Change(_) => panic!("nobody asks"),
        }
    }
}
