//! A validator's key does not sign two blocks of one height and round.

use chain::Ledger;
use chain::validator::{OwnedCertificate, Validator, ValidatorError};
use election::ledger::BlockHeader;

use crate::fixture::{key, world};

#[test]
fn a_validator_signs_forward_only() {
    let world = world(4);
    let mut validator = Validator::new(world.validators[2].clone(), world.genesis().validators).unwrap();
    assert_eq!(validator.index(), 2);
    let header = |height: u64, root: u8| BlockHeader {
        height,
        transactions: [root; 32],
        ..world.block(&[]).0
    };
    let first = validator.precommit(&header(1, 1), 0).unwrap();
    assert_eq!(
        validator.precommit(&header(1, 1), 0),
        Ok(first),
        "the same again is no harm"
    );
    let refused = Err(ValidatorError::WouldEquivocate);
    assert_eq!(validator.precommit(&header(1, 2), 0), refused);
    assert!(validator.precommit(&header(1, 2), 1).is_ok());
    assert_eq!(validator.precommit(&header(1, 1), 0), refused);
    assert!(validator.precommit(&header(2, 3), 0).is_ok());
    assert_eq!(validator.precommit(&header(1, 2), 5), refused);
}

#[test]
fn a_stranger_is_no_validator() {
    let world = world(4);
    assert_eq!(
        Validator::new(key(1), world.genesis().validators).err(),
        Some(ValidatorError::NotInSet)
    );
}

#[test]
fn a_certificate_orders_precommits_and_takes_each_validator_once() {
    let world = world(4);
    let ledger = Ledger::new(&world.genesis).unwrap();
    let header = ledger.propose([]).unwrap().header;
    let mut votes = Vec::new();
    for index in [3usize, 0, 3, 1] {
        let mut validator = Validator::new(world.validators[index].clone(), world.genesis().validators).unwrap();
        votes.push(validator.precommit(&header, 9).unwrap());
    }
    let certificate = OwnedCertificate::assemble(&header, 9, votes).unwrap();
    let signed: Vec<u8> = certificate
        .view()
        .signatures
        .iter()
        .map(|vote| vote.unwrap().validator)
        .collect();
    assert_eq!(signed, [0, 1, 3]);
    assert_eq!(certificate.view().verify(&header, world.genesis().validators), Ok(()));
}
