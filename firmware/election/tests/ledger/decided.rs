//! The commit proof of a block with one transaction, as a gateway shows it.
//! Also used by the tests of `firmware/kiosk`.

use std::vec;
use std::vec::Vec;

use election::hash::{Digest, sha256};
use election::ledger::{BlockHeader, CommitProof, CommitSignature, Validators, precommit};
use election::merkle;
use election::sign::Signer;
use election::wire::{self, Bytes, Seq};

/// An encoded [`CommitProof`] for `transaction` alone at `height`, where `set` are the validators and these of them (`who`) have signed:
/// repeated, out of order and too few, if that is what is asked for.
pub fn proof(chain: Digest, height: u64, transaction: &[u8], set: &[Signer], who: &[u8]) -> Vec<u8> {
    let members: Vec<u8> = set.iter().flat_map(Signer::public_key).collect();
    let header = BlockHeader {
        version: 1,
        chain,
        height,
        previous: [7; 32],
        transactions: merkle::root([merkle::leaf(transaction)]),
        validators: Validators::from_bytes(&members).hash(),
    };
    let message = sha256(&precommit(&chain, height, 0, &header.hash()));
    let mut votes = Vec::new();
    for index in who {
        votes.extend(encoded(&CommitSignature {
            validator: *index,
            signature: Bytes(set[usize::from(*index)].sign_prehash(&message).unwrap()),
        }));
    }
    encoded(&CommitProof {
        header,
        round: 0,
        signatures: Seq::from_bytes(&votes),
        index: 0,
        count: 1,
        path: Seq::default(),
    })
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut out = vec![0; wire::encoded_len(value).unwrap()];
    wire::encode(value, &mut out).unwrap();
    out
}
