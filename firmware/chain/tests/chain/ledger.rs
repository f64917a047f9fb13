//! Proposing, validating and applying blocks.

use chain::validator::{OwnedCertificate, Validator};
use chain::{ApplyError, Ledger, Verdict};
use election::ledger::{
    BlockError, BlockHeader, CertificateError, MAX_TRANSACTION, MAX_TRANSACTIONS, Refusal, transaction_hash,
};

use crate::fixture::{World, batch, digest, id, key, world};

/// A certificate of these validators.
pub fn certify(world: &World, header: &BlockHeader, round: u32, who: &[usize]) -> OwnedCertificate {
    let votes = who
        .iter()
        .map(|index| {
            let mut validator = Validator::new(world.validators[*index].clone(), world.genesis().validators).unwrap();
            validator.precommit(header, round).unwrap()
        })
        .collect();
    OwnedCertificate::assemble(header, round, votes).unwrap()
}

fn slices(transactions: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    transactions.iter().map(Vec::as_slice)
}

/// Proposes, validates, certifies and applies one block.
fn decide(world: &World, ledger: &mut Ledger, transactions: &[Vec<u8>]) -> Vec<Verdict> {
    let proposal = ledger.propose(slices(transactions)).unwrap();
    assert_eq!(ledger.validate(&proposal.block), Ok(proposal.header.hash()));
    let who: Vec<usize> = (0..world.validators.len()).collect();
    ledger
        .apply(&proposal.block, &certify(world, &proposal.header, 0, &who).view())
        .unwrap();
    proposal.verdicts
}

#[test]
fn a_proposal_holds_what_may_stand_in_it_and_says_why_the_rest_may_not() {
    let world = world(4);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let (second, _) = batch(&key(1), 1, hash, &["b"], None);
    let transactions = [
        second.clone(),
        world.register(&key(1), 1),
        first.clone(),
        second,
        first.clone(),
        batch(&key(2), 0, [0; 32], &["c"], None).0,
        vec![1, 2, 3],
        vec![0; MAX_TRANSACTION + 1],
    ];
    let verdicts = decide(&world, &mut ledger, &transactions);
    assert_eq!(
        verdicts,
        [
            // One block applies its transactions in order: this one came before its kiosk.
            Verdict::Refused(Refusal::UnknownKiosk),
            Verdict::Included(0),
            Verdict::Included(1),
            Verdict::Included(2),
            Verdict::Included(1),
            Verdict::Refused(Refusal::UnknownKiosk),
            Verdict::Refused(Refusal::Encoding),
            Verdict::Refused(Refusal::TooLong),
        ]
    );
    assert_eq!(ledger.transaction(&transaction_hash(&first)), Some((1, 1)));
    assert_eq!(decide(&world, &mut ledger, &[first]), [Verdict::Known]);
    assert_eq!(ledger.height(), 2);
}

#[test]
fn check_says_what_a_proposal_would() {
    let world = world(1);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    let register = world.register(&key(1), 1);
    let (first, _) = batch(&key(1), 0, [0; 32], &["a"], None);
    assert_eq!(ledger.check(&first), Verdict::Refused(Refusal::UnknownKiosk));
    assert_eq!(ledger.check(&register), Verdict::Included(0));
    decide(&world, &mut ledger, std::slice::from_ref(&register));
    assert_eq!(ledger.check(&register), Verdict::Known);
    assert_eq!(ledger.check(&first), Verdict::Included(0));
    assert_eq!(ledger.height(), 1, "checking decides nothing");
}

#[test]
fn a_full_block_leaves_the_rest_for_the_next() {
    let world = world(1);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    decide(&world, &mut ledger, &[world.register(&key(1), 1)]);
    let mut previous = [0; 32];
    let mut transactions = Vec::new();
    for number in 0..MAX_TRANSACTIONS + 3 {
        let (bytes, hash) = batch(&key(1), number, previous, &["a"], None);
        previous = hash;
        transactions.push(bytes);
    }
    let proposal = ledger.propose(slices(&transactions)).unwrap();
    assert_eq!(proposal.included, MAX_TRANSACTIONS);
    assert_eq!(proposal.verdicts[1_023], Verdict::Included(1_023));
    assert!(
        proposal.verdicts[1_024..]
            .iter()
            .all(|verdict| *verdict == Verdict::NoRoom)
    );
    assert!(ledger.validate(&proposal.block).is_ok());
}

#[test]
fn an_empty_block_is_a_block() {
    let world = world(1);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    assert_eq!(decide(&world, &mut ledger, &[]), []);
    assert_eq!(ledger.height(), 1);
    assert_ne!(ledger.tip(), *ledger.id());
}

#[test]
fn a_block_out_of_place_is_refused_and_changes_nothing() {
    let world = world(4);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    let first = ledger.propose(slices(&[world.register(&key(1), 1)])).unwrap();
    let all = [0, 1, 2, 3];
    let certificate = certify(&world, &first.header, 0, &all);
    ledger.apply(&first.block, &certificate.view()).unwrap();
    let tip = ledger.tip();

    assert_eq!(
        ledger.apply(&first.block, &certificate.view()),
        Err(ApplyError::Block(BlockError::Height { expected: 2, got: 1 }))
    );
    let change = |change: &dyn Fn(&mut BlockHeader)| {
        let mut header = ledger.propose([]).unwrap().header;
        change(&mut header);
        let block = election::ledger::Block {
            header,
            transactions: election::wire::Seq::from_bytes(&[]),
        };
        let certificate = certify(&world, &header, 0, &all);
        ledger.check_decided(&crate::fixture::encode(&block), &certificate.view())
    };
    assert_eq!(change(&|_| {}), Ok(()));
    let refused = |error| Err(ApplyError::Block(error));
    assert_eq!(change(&|header| header.version = 2), refused(BlockError::Version(2)));
    assert_eq!(change(&|header| header.chain = [9; 32]), refused(BlockError::Chain));
    assert_eq!(
        change(&|header| header.height = 3),
        refused(BlockError::Height { expected: 2, got: 3 })
    );
    assert_eq!(
        change(&|header| header.previous = [9; 32]),
        refused(BlockError::Previous)
    );
    assert_eq!(
        change(&|header| header.validators = [9; 32]),
        refused(BlockError::Validators)
    );
    assert_eq!(
        change(&|header| header.transactions = [9; 32]),
        refused(BlockError::Root)
    );
    assert_eq!(ledger.tip(), tip);
}

#[test]
fn a_block_without_more_than_two_thirds_is_not_applied() {
    let world = world(4);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    let proposal = ledger.propose(slices(&[world.register(&key(1), 1)])).unwrap();
    let two = certify(&world, &proposal.header, 0, &[1, 3]);
    assert_eq!(
        ledger.apply(&proposal.block, &two.view()),
        Err(ApplyError::Certificate(CertificateError::TooFew {
            signed: 2,
            validators: 4
        }))
    );
    assert_eq!(ledger.height(), 0);
    assert!(ledger.kiosk(&id(&key(1))).is_none());
    let three = certify(&world, &proposal.header, 7, &[0, 1, 3]);
    ledger.apply(&proposal.block, &three.view()).unwrap();
    assert!(ledger.kiosk(&id(&key(1))).is_some());
}

/// A validator that proposes an invalid block, even with a certificate, moves nobody.
#[test]
fn a_decided_block_with_one_bad_transaction_is_refused_whole() {
    let world = world(4);
    let ledger = Ledger::new(&world.genesis).unwrap();
    let register = world.register(&key(1), 1);
    let (first, _) = batch(&key(1), 0, [0; 32], &["a"], None);
    for (transactions, index, refusal) in [
        (vec![register.clone(), register.clone()], 1, Refusal::Registered),
        (vec![first.clone(), register.clone()], 0, Refusal::UnknownKiosk),
        (vec![register.clone(), first.clone(), first], 2, Refusal::Repeated),
        (vec![register, vec![7]], 1, Refusal::Encoding),
    ] {
        let (header, block) = world.block(&transactions);
        assert_eq!(ledger.validate(&block), Err(ApplyError::Transaction(index, refusal)));
        let certificate = certify(&world, &header, 0, &[0, 1, 2]);
        assert_eq!(
            ledger.check_decided(&block, &certificate.view()),
            Err(ApplyError::Transaction(index, refusal))
        );
    }
}

#[test]
fn the_proof_of_every_transaction_holds_with_no_more_signatures_than_needed() {
    let world = world(4);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    let mut transactions: Vec<Vec<u8>> = (1..8).map(|kiosk| world.register(&key(kiosk), 1)).collect();
    decide(&world, &mut ledger, &transactions);
    let (first, _) = batch(&key(1), 0, [0; 32], &["a"], None);
    decide(&world, &mut ledger, std::slice::from_ref(&first));
    transactions.push(first);
    for bytes in &transactions {
        let proof = ledger.proof(&transaction_hash(bytes)).unwrap();
        let view = proof.view();
        assert_eq!(view.signatures.check(), Ok(3));
        assert_eq!(view.verify(ledger.id(), ledger.genesis().validators, bytes), Ok(()));
    }
    assert!(ledger.proof(&digest("unknown")).is_none());
}

#[test]
fn a_code_is_found_at_each_of_its_places_the_first_one_first() {
    let world = world(1);
    let mut ledger = Ledger::new(&world.genesis).unwrap();
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a", "b"], None);
    decide(
        &world,
        &mut ledger,
        &[world.register(&key(1), 1), world.register(&key(2), 1), first],
    );
    let (second, second_hash) = batch(&key(2), 0, hash, &["b", "c"], None);
    decide(&world, &mut ledger, &[world.takeover(&key(1), &key(2), hash), second]);
    let found: Vec<_> = ledger.find(&digest("b")).collect();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].kiosk, found[1].kiosk), (id(&key(1)), id(&key(2))));
    assert_eq!((found[0].place.height, found[0].place.transaction), (1, 2));
    assert_eq!((found[1].place.height, found[1].place.transaction), (2, 1));
    assert_eq!(found[0].leaf, digest("leaf of b"));
    assert_eq!(ledger.find(&digest("c")).count(), 1);
    assert_eq!(ledger.find(&digest("d")).count(), 0);
    let place = ledger.batch(&second_hash).unwrap();
    assert_eq!(
        (place.height, place.transaction, place.number, place.count),
        (2, 1, 0, 2)
    );
    assert_eq!(ledger.batch_count(), 2);
}

#[test]
fn two_nodes_given_the_same_blocks_agree_in_everything() {
    let world = world(4);
    let (mut one, mut two) = (
        Ledger::new(&world.genesis).unwrap(),
        Ledger::new(&world.genesis).unwrap(),
    );
    let (first, _) = batch(&key(1), 0, [0; 32], &["a", "b"], None);
    for transactions in [vec![world.register(&key(1), 1)], vec![], vec![first]] {
        let proposal = one.propose(slices(&transactions)).unwrap();
        assert_eq!(two.propose(slices(&transactions)).unwrap().block, proposal.block);
        // Different validators may be in the certificates that reach different nodes.
        one.apply(
            &proposal.block,
            &certify(&world, &proposal.header, 0, &[0, 1, 2]).view(),
        )
        .unwrap();
        two.apply(
            &proposal.block,
            &certify(&world, &proposal.header, 3, &[1, 2, 3]).view(),
        )
        .unwrap();
        assert_eq!((one.height(), one.tip()), (two.height(), two.tip()));
    }
    assert!(one.kiosks().eq(two.kiosks()));
    assert_eq!(one.header(3), two.header(3));
}

#[test]
fn a_takeover_names_a_batch_of_the_old_kiosk_also_one_of_its_own_block() {
    let world = world(1);
    let registers: Vec<Vec<u8>> = (1..5).map(|kiosk| world.register(&key(kiosk), 1)).collect();
    let (a, a_hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    let (b, b_hash) = batch(&key(1), 1, a_hash, &["b"], None);
    let (c, c_hash) = batch(&key(3), 0, [0; 32], &["c"], None);
    for together in [true, false] {
        let mut ledger = Ledger::new(&world.genesis).unwrap();
        let mut before = registers.clone();
        before.extend([a.clone(), b.clone(), c.clone()]);
        let deeds = [
            (c_hash, Verdict::Refused(Refusal::UnknownPredecessor)),
            (digest("nothing"), Verdict::Refused(Refusal::UnknownPredecessor)),
            (a_hash, Verdict::Included(if together { 7 } else { 0 })),
            (b_hash, Verdict::Refused(Refusal::TakenOver)),
        ];
        let mut all = if together { before.clone() } else { vec![] };
        all.extend(
            deeds
                .iter()
                .map(|(predecessor, _)| world.takeover(&key(1), &key(2), *predecessor)),
        );
        if !together {
            decide(&world, &mut ledger, &before);
        }
        let verdicts = decide(&world, &mut ledger, &all);
        let expected: Vec<Verdict> = deeds.iter().map(|(_, verdict)| *verdict).collect();
        assert_eq!(verdicts[verdicts.len() - 4..], expected, "together: {together}");
        assert_eq!(ledger.kiosk(&id(&key(2))).unwrap().previous, a_hash);
    }
}
