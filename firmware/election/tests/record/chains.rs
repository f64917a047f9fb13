//! The chain of a record: cut, out of order, or against a rule.

use election::batch::Entry;
use election::ledger::{CertificateError, Refusal};
use election::manifest::Policy;
use election::record::FileName;
use election::verify::Why;

use crate::record_support::ByHand;
use crate::record_support::memory::verified;
use crate::{honest, refused};

#[test]
fn chains_that_are_cut_or_break_a_rule_are_refused() {
    let mut e = honest();
    let owned = e.record();
    let chain = |blocks: &[Vec<u8>]| refused(&e, &owned.with(FileName::Chain, blocks.concat()));
    // Without the last block, which is empty, nothing is missing but the block: the record does not say its height.
    let without_last = &e.blocks[..5];
    verified(&e, &owned.with(FileName::Chain, without_last.concat()), |_| Ok(())).unwrap();
    assert!(matches!(chain(&e.blocks[..4]).why, Why::NoClosing | Why::NotOnLedger));
    assert!(matches!(chain(&e.blocks[1..]).why, Why::Block(_)));
    let mut swapped = e.blocks.clone();
    swapped.swap(1, 2);
    let broken = chain(&swapped);
    assert_eq!((broken.file, broken.item), (FileName::Chain, Some(1)));
    assert!(matches!(broken.why, Why::Block(_)));
    let mut cut = e.blocks.concat();
    cut.pop();
    let broken = refused(&e, &owned.with(FileName::Chain, cut));
    assert_eq!((broken.file, broken.item), (FileName::Chain, Some(5)));
    assert!(matches!(broken.why, Why::Wire(_)));

    let mut e = ByHand::new(Policy::First);
    e.validators_signing = 2;
    e.register(1);
    e.seal();
    let owned = e.record();
    let few = CertificateError::TooFew {
        signed: 2,
        validators: 4,
    };
    assert_eq!(refused(&e, &owned).why, Why::Certificate(few));

    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    e.revoke(kiosk);
    e.seal();
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    let broken = refused(&e, &owned);
    assert_eq!(broken.item, Some(1));
    let refusal = Refusal::Revoked;
    assert_eq!(broken.why, Why::Transaction { index: 0, refusal });
}

#[test]
fn an_entry_that_claims_another_ballots_leaf_is_refused() {
    let mut e = ByHand::new(Policy::First);
    let kiosk = e.register(1);
    let ballot = e.cast(kiosk, 0, 0, 1, &[0b01, 0b001]);
    // The code is that of nobody's ballot, the leaf is real.
    let entry = Entry {
        code: [1; 32],
        ..e.ballots[ballot].entry()
    };
    e.batch_of(kiosk, 0, vec![entry], None);
    let honest = e.ballots[ballot].entry();
    e.batch_of(kiosk, 0, vec![honest], None);
    e.close(kiosk, 0);
    e.seal();
    let owned = e.record();
    assert_eq!(refused(&e, &owned).why, Why::NotPublished([1; 32]));
}
