//! Batches: one encoding, one order, every bound and every bit.

use std::vec::Vec;

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use rand_core::SeedableRng as _;

use super::*;

fn signer(seed: u8) -> Signer {
    Signer::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

fn entries(count: u32) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (0..count)
        .map(|i| Entry {
            kind: if i % 3 == 2 { Kind::Spoiled } else { Kind::Cast },
            code: hash("ippyo/1/test/code", &[&i.to_be_bytes()]),
            leaf: hash("ippyo/1/test/leaf", &[&i.to_be_bytes()]),
        })
        .collect();
    entries.sort_by_key(|entry| entry.code);
    entries
}

fn draft(closing: Option<Digest>) -> Draft {
    Draft {
        election: [1; 32],
        epoch: 1,
        number: 300,
        previous: [2; 32],
        audit: [3; 32],
        closing,
    }
}

fn built(draft: &Draft, entries: &[Entry]) -> Result<Vec<u8>, BatchError> {
    let mut out = std::vec![0; max_len(entries.len())];
    build(draft, entries.iter().copied(), &signer(1), &mut out).map(|(bytes, _)| bytes.to_vec())
}

#[test]
fn a_batch_is_read_as_it_was_built() {
    let key = signer(1).public_key();
    for count in [1, 2, 8, 300] {
        let list = entries(count);
        let mut out = std::vec![0; max_len(list.len())];
        let (bytes, hash) = build(&draft(Some([9; 32])), list.iter().copied(), &signer(1), &mut out).unwrap();
        let batch = Batch::read(bytes).unwrap();
        assert_eq!(batch.check(&key), Ok(()));
        assert_eq!(batch.header.hash(), hash);
        assert_eq!(batch.header.count, count);
        let back: Vec<Entry> = batch.entries.iter().map(Result::unwrap).collect();
        assert_eq!(back, list);
    }
}

#[test]
fn only_a_closing_batch_may_be_empty() {
    assert_eq!(built(&draft(None), &[]), Err(BatchError::Empty));
    let bytes = built(&draft(Some([9; 32])), &[]).unwrap();
    assert_eq!(Batch::read(&bytes).unwrap().check(&signer(1).public_key()), Ok(()));
    // The same batch, shown as one that does not close.
    let mut batch = Batch::read(&bytes).unwrap();
    batch.header.closing = None;
    assert_eq!(batch.check_entries(), Err(BatchError::Empty));
}

#[test]
fn v12_a_batch_has_one_order_which_says_nothing_of_the_casting() {
    let mut list = entries(5);
    let sorted = built(&draft(None), &list).unwrap();
    list.swap(1, 3);
    assert_eq!(built(&draft(None), &list), Err(BatchError::Order { entry: 2 }));
    list.swap(1, 3);
    list[4] = list[3];
    assert_eq!(built(&draft(None), &list), Err(BatchError::Order { entry: 4 }));
    // A signer who does it all the same is refused by the reader: header over the unsorted list.
    let batch = Batch::read(&sorted).unwrap();
    let mut unsorted: Vec<Entry> = batch.entries.iter().map(Result::unwrap).collect();
    unsorted.swap(0, 1);
    let bytes = crate::manifest::tests::seq_of(unsorted.iter());
    let shown = Batch {
        entries: Seq::from_bytes(&bytes),
        ..batch
    };
    assert_eq!(shown.check_entries(), Err(BatchError::Order { entry: 1 }));
}

#[test]
fn too_many_entries_are_refused() {
    let many = (0..=MAX_ENTRIES).map(|i| {
        let mut code = [0; 32];
        code[..4].copy_from_slice(&i.to_be_bytes());
        Entry {
            kind: Kind::Cast,
            code,
            leaf: [0; 32],
        }
    });
    assert_eq!(survey(many.clone().map(Ok), false), Err(BatchError::TooMany));
    assert!(survey(many.skip(1).map(Ok), false).is_ok());
}

#[test]
fn another_kiosks_batch_is_refused() {
    let bytes = built(&draft(None), &entries(3)).unwrap();
    let batch = Batch::read(&bytes).unwrap();
    assert_eq!(batch.check(&signer(2).public_key()), Err(BatchError::Kiosk));
    let mut claimed = batch;
    claimed.header.kiosk = kiosk_id(&signer(2).public_key());
    assert_eq!(
        claimed.check(&signer(2).public_key()),
        Err(BatchError::Signature(SignError::Mismatch))
    );
}

#[test]
fn count_and_root_are_checked() {
    let bytes = built(&draft(None), &entries(3)).unwrap();
    let batch = Batch::read(&bytes).unwrap();
    let mut changed = batch;
    changed.header.count = 2;
    assert_eq!(changed.check_entries(), Err(BatchError::Count));
    let mut changed = batch;
    changed.header.root[31] ^= 1;
    assert_eq!(changed.check_entries(), Err(BatchError::Root));
}

#[test]
fn a_kind_that_is_neither_cast_nor_spoiled_is_refused() {
    for kind in (0..=255u8).filter(|kind| !matches!(kind, 1 | 2)) {
        let mut entry = crate::manifest::tests::bytes_of(&entries(1)[0]);
        entry[0] = kind;
        assert_eq!(wire::decode::<Entry>(&entry), Err(WireError::Malformed));
    }
}

#[test]
fn a_leaf_binds_kind_epoch_code_ballot_and_tag() {
    let (a, b, c, d) = ([1; 32], [2; 32], [3; 32], [4; 32]);
    let leaf = cast_leaf(1, &a, &b, &c);
    let others = [
        cast_leaf(2, &a, &b, &c),
        cast_leaf(1, &d, &b, &c),
        cast_leaf(1, &a, &d, &c),
        cast_leaf(1, &a, &b, &d),
        spoiled_leaf(1, &a, &b),
    ];
    assert!(others.iter().all(|other| *other != leaf));
    assert_ne!(cast_leaf(1, &a, &b, &NO_TAG), spoiled_leaf(1, &a, &b));
}

#[test]
fn every_flipped_bit_of_a_batch_is_refused() {
    let bytes = built(&draft(Some([9; 32])), &entries(3)).unwrap();
    let key = signer(1).public_key();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let accepted = Batch::read(&changed).is_ok_and(|batch| batch.check(&key).is_ok());
        assert!(!accepted, "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(Batch::read(&bytes[..length]).is_err());
    }
}

#[test]
fn a_small_buffer_is_refused() {
    let list = entries(3);
    let whole = built(&draft(None), &list).unwrap().len();
    for length in 0..whole {
        let mut out = std::vec![0; length];
        let result = build(&draft(None), list.iter().copied(), &signer(1), &mut out);
        assert_eq!(result.unwrap_err(), BatchError::Wire(WireError::BufferTooSmall));
    }
}

proptest! {
    #[test]
    fn hostile_batches_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        if let Ok(batch) = Batch::read(&bytes) {
            prop_assert!(batch.check(&signer(1).public_key()).is_err());
        }
    }
}
