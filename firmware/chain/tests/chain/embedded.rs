//! The embedded chain: submit, prove, keep evidence.

use chain::{Chain, MAX_EVIDENCE, SubmitError};
use election::ledger::{MAX_TRANSACTION, MAX_TRANSACTIONS, Refusal, transaction_hash};

use crate::fixture::{World, batch, digest, id, key, world};

fn memory(world: &World) -> Chain<chain::storage::MemoryStorage> {
    Chain::in_memory(&world.genesis, world.validators.clone()).unwrap()
}

#[test]
fn what_was_submitted_can_be_proven_at_once() {
    for validators in [1, 4] {
        let world = world(validators);
        let mut chain = memory(&world);
        let (first, _) = batch(&key(1), 0, [0; 32], &["a"], None);
        for (bytes, height) in [(world.register(&key(1), 1), 1), (first, 2)] {
            let receipt = chain.submit(&bytes).unwrap();
            assert_eq!((receipt.height, receipt.index), (height, 0));
            let proof = chain.proof(&receipt.transaction).unwrap();
            let genesis = world.genesis();
            assert_eq!(
                proof.view().verify(&genesis.chain_id(), genesis.validators, &bytes),
                Ok(())
            );
        }
    }
}

#[test]
fn submitting_again_is_no_error_and_makes_no_block() {
    let world = world(1);
    let mut chain = memory(&world);
    let register = world.register(&key(1), 1);
    let receipt = chain.submit(&register).unwrap();
    assert_eq!(chain.submit(&register).unwrap(), receipt);
    assert_eq!(chain.ledger().height(), 1);
}

#[test]
fn a_refusal_makes_no_block() {
    let world = world(1);
    let mut chain = memory(&world);
    let (first, _) = batch(&key(1), 0, [0; 32], &["a"], None);
    assert!(matches!(
        chain.submit(&first),
        Err(SubmitError::Refused(Refusal::UnknownKiosk))
    ));
    assert_eq!(chain.ledger().height(), 0);
    assert!(chain.export().unwrap().is_empty());
}

#[test]
fn too_few_keys_read_but_decide_nothing() {
    let world = world(4);
    let mut chain = Chain::in_memory(&world.genesis, world.validators[..2].to_vec()).unwrap();
    let register = world.register(&key(1), 1);
    for _ in 0..2 {
        assert!(matches!(chain.submit(&register), Err(SubmitError::Block(_))));
    }
    assert_eq!(chain.ledger().height(), 0);
    assert!(chain.export().unwrap().is_empty());
}

/// `staff anchor` brings all that lies on a medium, in its order, some of it known.
#[test]
fn many_transactions_go_in_few_blocks_each_with_its_own_answer() {
    let world = world(1);
    let mut chain = memory(&world);
    let register = world.register(&key(1), 1);
    chain.submit(&register).unwrap();
    let mut batches = Vec::new();
    let mut previous = [0; 32];
    for number in 0..MAX_TRANSACTIONS + 10 {
        let (bytes, hash) = batch(&key(1), number, previous, &["a"], None);
        previous = hash;
        batches.push(bytes);
    }
    let stranger = batch(&key(2), 0, [0; 32], &["b"], None).0;
    let long = vec![0; MAX_TRANSACTION + 1];
    let mut all: Vec<&[u8]> = vec![&stranger, &register, &long];
    all.extend(batches.iter().map(Vec::as_slice));
    all.push(&batches[3]);
    let results = chain.submit_all(&all);
    assert_eq!(results.len(), all.len());
    assert!(matches!(results[0], Err(SubmitError::Refused(Refusal::UnknownKiosk))));
    assert_eq!(results[1].as_ref().unwrap().height, 1);
    assert!(matches!(results[2], Err(SubmitError::Refused(Refusal::TooLong))));
    for (bytes, result) in all.iter().zip(&results).skip(3) {
        assert_eq!(result.as_ref().unwrap().transaction, transaction_hash(bytes));
    }
    assert_eq!(chain.ledger().height(), 3);
    assert_eq!(chain.ledger().batch_count(), 1_034);
    assert_eq!(chain.ledger().kiosk(&id(&key(1))).unwrap().next, 1_034);
}

#[test]
fn forks_are_refused_kept_once_and_bounded() {
    let world = world(1);
    let mut chain = memory(&world);
    chain.submit(&world.register(&key(1), 1)).unwrap();
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    chain.submit(&first).unwrap();
    for round in 0..2 {
        for name in 0..MAX_EVIDENCE + 5 {
            let fork = batch(&key(1), 0, [0; 32], &[&format!("fork {name}")], None).0;
            assert!(matches!(
                chain.submit(&fork),
                Err(SubmitError::Refused(Refusal::Fork { number: 0, on_ledger })) if on_ledger == hash
            ));
        }
        assert_eq!(chain.ledger().evidence().count(), MAX_EVIDENCE, "round {round}");
    }
    for evidence in chain.ledger().evidence() {
        assert_eq!(evidence.header.kiosk, id(&key(1)));
        assert_ne!(evidence.header.hash(), hash);
        // Anybody can check it with the batch on the ledger in hand.
        let key = key(1).public_key();
        let signed = evidence.header.hash();
        assert!(election::sign::verify(&key, "ippyo/1/sign/batch", &signed, &evidence.signature.0).is_ok());
    }
}

#[test]
fn a_forged_fork_is_no_evidence() {
    let world = world(1);
    let mut chain = memory(&world);
    chain.submit(&world.register(&key(1), 1)).unwrap();
    chain.submit(&batch(&key(1), 0, [0; 32], &["a"], None).0).unwrap();
    let fork = batch(&key(1), 0, [0; 32], &["b"], None).0;
    let mut forged = fork.clone();
    // The signature is the last field.
    let at = forged.len() - 40;
    forged[at] ^= 1;
    assert!(matches!(
        chain.submit(&forged),
        Err(SubmitError::Refused(Refusal::Signature))
    ));
    assert_eq!(chain.ledger().evidence().count(), 0);
}

#[test]
fn a_closed_kiosk_that_sends_on_is_refused() {
    let world = world(1);
    let mut chain = memory(&world);
    chain.submit(&world.register(&key(1), 1)).unwrap();
    let (last, hash) = batch(&key(1), 0, [0; 32], &["a"], Some(digest("closing")));
    chain.submit(&last).unwrap();
    assert!(matches!(
        chain.submit(&batch(&key(1), 1, hash, &["b"], None).0),
        Err(SubmitError::Refused(Refusal::Closed))
    ));
    assert_eq!(chain.ledger().find(&digest("b")).count(), 0);
}
