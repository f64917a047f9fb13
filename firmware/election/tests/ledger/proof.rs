//! A commit proof convinces a kiosk of exactly one thing, and nobody can make one without more than two thirds of the validators.

use election::hash::Digest;
use election::ledger::{
    BlockHeader, Certificate, CertificateError, CommitProof, MAX_PROOF, MAX_TRANSACTIONS, ProofError, check_signatures,
    precommit,
};
use election::merkle;
use election::sign::Signer;
use election::wire::{self, Seq};

use crate::fixture::{World, digest, encode, key, world};

/// Transactions of no meaning: a proof does not read them.
fn transactions(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|number| number.to_be_bytes().to_vec()).collect()
}

struct Proof {
    header: BlockHeader,
    votes: Vec<u8>,
    path: Vec<u8>,
    index: u32,
    count: u32,
    round: u32,
}

impl Proof {
    fn new(world: &World, all: &[Vec<u8>], index: u32, round: u32, who: &[u8]) -> Self {
        let header = world.block(all).0;
        let count = u32::try_from(all.len()).unwrap();
        let path = merkle::path(index, count, |at| merkle::leaf(&all[at as usize])).unwrap();
        Self {
            header,
            votes: world.votes(&header, round, who),
            path: path.concat(),
            index,
            count,
            round,
        }
    }

    fn view(&self) -> CommitProof<'_> {
        CommitProof {
            header: self.header,
            round: self.round,
            signatures: Seq::from_bytes(&self.votes),
            index: self.index,
            count: self.count,
            path: Seq::from_bytes(&self.path),
        }
    }

    fn verify(&self, world: &World, transaction: &[u8]) -> Result<(), ProofError> {
        let genesis = world.genesis();
        self.view().verify(&genesis.chain_id(), genesis.validators, transaction)
    }
}

#[test]
fn a_proof_holds_for_its_transaction_only() {
    let world = world(4);
    for count in [1, 2, 3, 7, 8] {
        let all = transactions(count);
        for index in 0..count {
            let proof = Proof::new(&world, &all, index, 5, &[0, 1, 3]);
            for (other, transaction) in all.iter().enumerate() {
                let expected = if other == index as usize {
                    Ok(())
                } else {
                    Err(ProofError::Path)
                };
                assert_eq!(proof.verify(&world, transaction), expected);
            }
        }
    }
}

#[test]
fn two_thirds_or_fewer_prove_nothing() {
    let all = transactions(3);
    for (validators, who) in [
        (1, &[][..]),
        (3, &[0, 2]),
        (4, &[1, 2]),
        (6, &[0, 1, 2, 3]),
        (7, &[0, 1, 2, 6]),
    ] {
        let world = world(validators);
        let proof = Proof::new(&world, &all, 1, 0, who);
        assert_eq!(
            proof.verify(&world, &all[1]),
            Err(ProofError::Signatures(CertificateError::TooFew {
                signed: who.len(),
                validators: usize::from(validators),
            }))
        );
    }
}

#[test]
fn one_validator_does_not_count_twice() {
    let world = world(4);
    let all = transactions(1);
    for who in [[0, 0, 0], [0, 1, 1], [2, 1, 3], [3, 2, 1]] {
        let proof = Proof::new(&world, &all, 0, 0, &who);
        assert_eq!(
            proof.verify(&world, &all[0]),
            Err(ProofError::Signatures(CertificateError::Order)),
            "{who:?}"
        );
    }
}

#[test]
fn a_stranger_or_a_broken_signature_spoils_the_proof() {
    let world = world(4);
    let all = transactions(1);
    let mut proof = Proof::new(&world, &all, 0, 0, &[0, 1, 2, 3]);
    assert_eq!(proof.verify(&world, &all[0]), Ok(()));
    proof.votes[65 * 3] = 4;
    assert_eq!(
        proof.verify(&world, &all[0]),
        Err(ProofError::Signatures(CertificateError::UnknownValidator(4)))
    );
    proof.votes[65 * 3] = 3;
    proof.votes[65 * 2 + 7] ^= 1;
    assert_eq!(
        proof.verify(&world, &all[0]),
        Err(ProofError::Signatures(CertificateError::Signature(2)))
    );
    proof.votes.truncate(65 * 2 + 30);
    assert!(matches!(
        proof.verify(&world, &all[0]),
        Err(ProofError::Signatures(CertificateError::Wire(_)))
    ));
}

#[test]
fn what_validators_signed_for_one_round_height_or_chain_is_none_for_another() {
    let world = world(4);
    let all = transactions(2);
    let broken = Err(ProofError::Signatures(CertificateError::Signature(0)));
    let mut other_round = Proof::new(&world, &all, 0, 3, &[0, 1, 2]);
    other_round.round = 4;
    assert_eq!(other_round.verify(&world, &all[0]), broken);

    let mut other_height = Proof::new(&world, &all, 0, 0, &[0, 1, 2]);
    other_height.header.height = 2;
    assert_eq!(other_height.verify(&world, &all[0]), broken);
    other_height.header.height = 0;
    assert_eq!(other_height.verify(&world, &all[0]), Err(ProofError::Height));

    let mut other_previous = Proof::new(&world, &all, 0, 0, &[0, 1, 2]);
    other_previous.header.previous = digest("another");
    assert_eq!(other_previous.verify(&world, &all[0]), broken);

    // The same validators decide two elections: a block of one is none of the other.
    let proof = Proof::new(&world, &all, 0, 0, &[0, 1, 2]);
    let genesis = world.genesis();
    assert_eq!(
        proof
            .view()
            .verify(&digest("another chain"), genesis.validators, &all[0]),
        Err(ProofError::Chain)
    );
    let mut moved = Proof::new(&world, &all, 0, 0, &[0, 1, 2]);
    moved.header.chain = digest("another chain");
    assert_eq!(
        moved
            .view()
            .verify(&digest("another chain"), genesis.validators, &all[0]),
        broken
    );
}

#[test]
fn another_set_of_validators_proves_nothing() {
    let world = world(4);
    let all = transactions(2);
    let proof = Proof::new(&world, &all, 0, 0, &[0, 1, 2]);
    let strangers: Vec<Signer> = (50..54).map(key).collect();
    let strangers: Vec<u8> = strangers.iter().flat_map(Signer::public_key).collect();
    let strangers = election::ledger::Validators::from_bytes(&strangers);
    let chain = world.genesis().chain_id();
    assert_eq!(
        proof.view().verify(&chain, strangers, &all[0]),
        Err(ProofError::Validators)
    );
    let mut adapted = Proof::new(&world, &all, 0, 0, &[0, 1, 2]);
    adapted.header.validators = strangers.hash();
    assert_eq!(
        adapted.view().verify(&chain, strangers, &all[0]),
        Err(ProofError::Signatures(CertificateError::Signature(0)))
    );
}

#[test]
fn a_path_that_was_moved_cut_or_stretched_is_refused() {
    let world = world(1);
    let all = transactions(5);
    let proof = |index| Proof::new(&world, &all, index, 0, &[0]);
    let refused = |proof: Proof, at: usize| assert_eq!(proof.verify(&world, &all[at]), Err(ProofError::Path));
    for index in 0..5 {
        let at = index as usize;
        let mut moved = proof(index);
        moved.index = (index + 1) % 5;
        refused(moved, at);
        let mut beyond = proof(index);
        beyond.index = 5;
        refused(beyond, at);
        let mut cut = proof(index);
        cut.path.truncate(cut.path.len() - 32);
        refused(cut, at);
        let mut torn = proof(index);
        torn.path.truncate(torn.path.len() - 1);
        refused(torn, at);
        let mut stretched = proof(index);
        stretched.path.extend([0; 32]);
        refused(stretched, at);
        let mut ragged = proof(index);
        ragged.path.push(0);
        refused(ragged, at);
        let mut flipped = proof(index);
        flipped.path[0] ^= 1;
        refused(flipped, at);
        let mut empty = proof(index);
        empty.count = 0;
        refused(empty, at);
    }
    // The classic attack on Merkle trees: an inner node shown as a transaction. The leaf prefix forbids it.
    let mut inner = proof(0);
    let node: Vec<u8> = [merkle::leaf(&all[0]), merkle::leaf(&all[1])].concat();
    inner.path.drain(..32);
    inner.count = 3;
    assert_eq!(inner.verify(&world, &node), Err(ProofError::Path));
}

#[test]
fn a_version_from_the_future_is_refused() {
    let world = world(1);
    let all = transactions(1);
    let mut proof = Proof::new(&world, &all, 0, 0, &[0]);
    proof.header.version = 2;
    assert_eq!(proof.verify(&world, &all[0]), Err(ProofError::Version(2)));
}

#[test]
fn a_certificate_is_for_one_block() {
    let world = world(4);
    let (header, _) = world.block(&transactions(2));
    let votes = world.votes(&header, 0, &[0, 1, 2]);
    let mut certificate = Certificate {
        height: 1,
        round: 0,
        block: header.hash(),
        signatures: Seq::from_bytes(&votes),
    };
    let validators = world.genesis().validators;
    assert_eq!(certificate.verify(&header, validators), Ok(()));
    let (other, _) = world.block(&transactions(3));
    assert_eq!(certificate.verify(&other, validators), Err(CertificateError::Block));
    certificate.height = 2;
    assert_eq!(certificate.verify(&header, validators), Err(CertificateError::Block));
}

#[test]
fn the_precommit_is_the_86_bytes_of_the_page() {
    let message = precommit(&[0xcc; 32], 0x0102_0304_0506_0708, 0x0a0b_0c0d, &[0xbb; 32]);
    let mut expected = b"ippyo/v1".to_vec();
    expected.extend([0xcc; 32]);
    expected.extend([2, 1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 0x0b, 0x0c, 0x0d, 1]);
    expected.extend([0xbb; 32]);
    assert_eq!(message.to_vec(), expected);
    assert_eq!(message.len(), 86);
}

#[test]
fn the_longest_proof_fits_its_bound() {
    let world = world(64);
    let all = transactions(MAX_TRANSACTIONS);
    let who: Vec<u8> = (0..64).collect();
    let mut proof = Proof::new(&world, &all, 1_023, u32::MAX, &who);
    assert_eq!(proof.verify(&world, &all[1_023]), Ok(()));
    proof.header.height = u64::MAX;
    assert!(encode(&proof.view()).len() <= MAX_PROOF);
}

#[test]
fn every_flipped_bit_of_a_proof_is_noticed() {
    let world = world(4);
    let all = transactions(6);
    let proof = Proof::new(&world, &all, 3, 1, &[0, 1, 2]);
    let bytes = encode(&proof.view());
    let genesis = world.genesis();
    let (chain, validators): (Digest, _) = (genesis.chain_id(), genesis.validators);
    let verify = |bytes: &[u8]| {
        wire::decode::<CommitProof<'_>>(bytes)
            .ok()
            .map(|proof| proof.verify(&chain, validators, &all[3]))
    };
    assert_eq!(verify(&bytes), Some(Ok(())));
    // `count` alone is not bound: it says only which shape the path has, and some counts have the same one.
    let mut recounted = Proof::new(&world, &all, 3, 1, &[0, 1, 2]);
    recounted.count = 127;
    let count_at = (0..bytes.len())
        .find(|at| encode(&recounted.view())[*at] != bytes[*at])
        .unwrap();
    for bit in (0..bytes.len() * 8).filter(|bit| bit / 8 != count_at) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(verify(&flipped), Some(Ok(())), "bit {bit}");
    }
    let digest = precommit(&chain, 1, 1, &proof.header.hash());
    assert_eq!(
        check_signatures(&digest, validators, Seq::from_bytes(&proof.votes)),
        Ok(())
    );
}
