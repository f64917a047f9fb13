//! A chain of one validator that decides whatever it is given.

use std::collections::BTreeMap;

use election::hash::{Digest, hash, sha256};
use election::ledger::frame::{MAX_REPLY, Reply, Request, read_request, write_reply};
use election::ledger::{
    Block, BlockHeader, Certificate, CommitProof, CommitSignature, Decided, Genesis, Raw, precommit, transaction_hash,
    transactions_root,
};
use election::sign::Signer;
use election::wire::{Bytes, Seq};
use staff::encode::{seq_of, to_bytes};

/// One validator that puts whatever it is given into a block of its own. Whether a transaction may come next is judged by who reads the
/// chain; that a lying chain is refused is what some tests are about.
pub struct Chain {
    id: Digest,
    validators: Digest,
    signer: Signer,
    height: u64,
    previous: Digest,
    pub bytes: Vec<u8>,
    pub proofs: BTreeMap<Digest, (BlockHeader, [u8; 64])>,
}

impl Chain {
    pub fn new(genesis: &[u8], signer: Signer) -> Self {
        let id = hash("ippyo/1/genesis", &[genesis]);
        Self {
            id,
            validators: Genesis::read(genesis).unwrap().validators.hash(),
            signer,
            height: 0,
            previous: id,
            bytes: Vec::new(),
            proofs: BTreeMap::new(),
        }
    }

    pub fn submit(&mut self, transaction: &[u8]) {
        if self.proofs.contains_key(&transaction_hash(transaction)) {
            return;
        }
        let list = seq_of([Raw(transaction)]).unwrap();
        let transactions = Seq::from_bytes(&list);
        let header = BlockHeader {
            version: 1,
            chain: self.id,
            height: self.height + 1,
            previous: self.previous,
            transactions: transactions_root(transactions).unwrap(),
            validators: self.validators,
        };
        let hash = header.hash();
        let signature = self
            .signer
            .sign_prehash(&sha256(&precommit(&self.id, header.height, 0, &hash)))
            .unwrap();
        let signatures = seq_of([CommitSignature {
            validator: 0,
            signature: Bytes(signature),
        }])
        .unwrap();
        let block = to_bytes(&Block { header, transactions }).unwrap();
        let decided = Decided {
            block: Raw(&block),
            certificate: Certificate {
                height: header.height,
                round: 0,
                block: hash,
                signatures: Seq::from_bytes(&signatures),
            },
        };
        self.bytes.extend(to_bytes(&decided).unwrap());
        self.height = header.height;
        self.previous = hash;
        self.proofs.insert(transaction_hash(transaction), (header, signature));
    }

    /// Answers a gateway's frame.
    pub fn answer(&mut self, request: &[u8]) -> Vec<u8> {
        let mut out = [0; MAX_REPLY];
        let signatures;
        let reply = match read_request(request) {
            Ok(Request::Submit(raw)) => {
                self.submit(raw.0);
                Reply::Accepted(transaction_hash(raw.0))
            }
            Ok(Request::Proof(id)) => match self.proofs.get(&id) {
                Some((header, signature)) => {
                    signatures = seq_of([CommitSignature {
                        validator: 0,
                        signature: Bytes(*signature),
                    }])
                    .unwrap();
                    Reply::Proof(CommitProof {
                        header: *header,
                        round: 0,
                        signatures: Seq::from_bytes(&signatures),
                        index: 0,
                        count: 1,
                        path: Seq::default(),
                    })
                }
                None => Reply::NotYet,
            },
            _ => Reply::Unreadable,
        };
        write_reply(&reply, &mut out).unwrap().to_vec()
    }
}
