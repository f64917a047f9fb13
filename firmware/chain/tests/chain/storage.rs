//! No decided block is lost after `submit` returned, whatever happens to the process, the power or the disk.

use std::fs;
use std::path::Path;

use chain::storage::{Contents, FileStorage, MemoryStorage, Storage, StorageError};
use chain::{Chain, OpenError, SubmitError};
use election::ledger::{Refusal, transaction_hash};

use crate::fixture::{World, batch, digest, key, world};

/// Transactions that follow each other.
fn transactions(world: &World) -> Vec<Vec<u8>> {
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a", "b"], None);
    let (second, _) = batch(&key(1), 1, hash, &["c"], None);
    vec![world.register(&key(1), 1), first, second]
}

fn open(world: &World, folder: &Path) -> Result<Chain<FileStorage>, OpenError> {
    let storage = FileStorage::open(folder).map_err(OpenError::Storage)?;
    Chain::open(&world.genesis, world.validators.clone(), storage)
}

/// A folder with the first `count` transactions decided.
fn folder_with(world: &World, count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = open(world, folder.path()).unwrap();
    for transaction in &transactions(world)[..count] {
        chain.submit(transaction).unwrap();
    }
    folder
}

/// The folder as it would be had power been lost at some point: other contents of its files.
fn place(folder: &Path, chain: &[u8], tip: &[u8]) {
    fs::write(folder.join("chain.bin"), chain).unwrap();
    fs::write(folder.join("chain.tip"), tip).unwrap();
}

fn files(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    (
        fs::read(folder.join("chain.bin")).unwrap(),
        fs::read(folder.join("chain.tip")).unwrap(),
    )
}

#[test]
fn a_reopened_chain_is_the_same_and_goes_on() {
    let world = world(4);
    let folder = folder_with(&world, 2);
    let all = transactions(&world);
    let mut chain = open(&world, folder.path()).unwrap();
    assert_eq!(chain.ledger().height(), 2);
    assert_eq!(chain.ledger().find(&digest("a")).count(), 1);
    for bytes in &all[..2] {
        let proof = chain.proof(&transaction_hash(bytes)).unwrap();
        let genesis = world.genesis();
        assert!(
            proof
                .view()
                .verify(&genesis.chain_id(), genesis.validators, bytes)
                .is_ok()
        );
    }
    assert_eq!(chain.submit(&all[2]).unwrap().height, 3);
    assert_eq!(chain.export().unwrap(), files(folder.path()).0);
}

/// Power is lost while the third block is written: any prefix of it may be there, with nothing or with what was never written
/// (zeros, other bytes) behind it, and the promise is still that of two blocks.
#[test]
fn a_torn_end_is_cut_at_every_byte_and_the_chain_goes_on() {
    let world = world(1);
    let all = transactions(&world);
    let (two, tip) = files(folder_with(&world, 2).path());
    let (three, _) = files(folder_with(&world, 3).path());
    let folder = folder_with(&world, 0);
    for torn in two.len()..three.len() {
        let mut tails = vec![three[..torn].to_vec()];
        // Where the file's length came before its bytes.
        let mut zeros = tails[0].clone();
        zeros.resize(three.len(), 0);
        let mut noise = tails[0].clone();
        noise.resize(three.len() + 100, 0xa5);
        // Zeros that happen to be the block are the block.
        if torn % 8 == 0 && zeros != three {
            tails.push(zeros);
            tails.push(noise);
        }
        for tail in tails {
            place(folder.path(), &tail, &tip);
            let mut chain = open(&world, folder.path()).unwrap();
            assert_eq!(chain.ledger().height(), 2, "torn at {torn}");
            assert_eq!(files(folder.path()).0, two);
            assert_eq!(chain.submit(&all[2]).unwrap().height, 3);
            drop(chain);
            if torn % 8 == 0 {
                assert_eq!(open(&world, folder.path()).unwrap().ledger().height(), 3);
            }
        }
    }
}

/// The block was whole on disk but the promise was not: it stands, because somebody may have read it.
#[test]
fn a_whole_block_behind_the_promise_stands() {
    let world = world(1);
    let (_, tip) = files(folder_with(&world, 2).path());
    let (three, _) = files(folder_with(&world, 3).path());
    let folder = folder_with(&world, 0);
    place(folder.path(), &three, &tip);
    assert_eq!(open(&world, folder.path()).unwrap().ledger().height(), 3);
    // Promised from then on: cutting it now is damage.
    fs::write(folder.path().join("chain.bin"), &three[..three.len() - 1]).unwrap();
    assert!(matches!(
        open(&world, folder.path()),
        Err(OpenError::Damaged { height: 3, .. })
    ));
}

#[test]
fn a_promised_block_that_is_cut_or_flipped_is_damage_and_never_cut_away() {
    let world = world(1);
    let (two, _) = files(folder_with(&world, 2).path());
    let (three, tip) = files(folder_with(&world, 3).path());
    let folder = folder_with(&world, 0);
    for cut in two.len()..three.len() {
        place(folder.path(), &three[..cut], &tip);
        let error = open(&world, folder.path()).err().unwrap();
        assert!(
            matches!(error, OpenError::Damaged { height: 3, offset, .. } if offset == two.len() as u64),
            "cut at {cut}: {error}"
        );
        assert_eq!(files(folder.path()).0.len(), cut, "nothing may be changed");
    }
    for at in 0..three.len() {
        let mut flipped = three.clone();
        flipped[at] ^= 1 << (at % 8);
        place(folder.path(), &flipped, &tip);
        assert!(
            matches!(open(&world, folder.path()), Err(OpenError::Damaged { .. })),
            "flipped at {at}"
        );
        assert_eq!(files(folder.path()).0, flipped);
    }
}

/// One slot of the tip is torn while it is written: the other one holds.
#[test]
fn a_torn_tip_falls_back_to_the_promise_before() {
    let world = world(1);
    let (_, before) = files(folder_with(&world, 2).path());
    let (three, after) = files(folder_with(&world, 3).path());
    let folder = folder_with(&world, 0);
    let changed: Vec<usize> = (0..after.len())
        .filter(|at| before.get(*at) != after.get(*at))
        .collect();
    assert!(!changed.is_empty());
    for torn in 0..=changed.len() {
        let mut tip = before.clone();
        tip.resize(after.len(), 0);
        for at in &changed[..torn] {
            tip[*at] = after[*at];
        }
        place(folder.path(), &three, &tip);
        let chain = open(&world, folder.path()).unwrap();
        assert_eq!(chain.ledger().height(), 3, "torn after {torn} bytes");
    }
}

#[test]
fn a_chain_without_a_tip_is_taken_whole_or_not_at_all() {
    let world = world(1);
    let (three, _) = files(folder_with(&world, 3).path());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("chain.bin"), &three).unwrap();
    assert_eq!(open(&world, folder.path()).unwrap().ledger().height(), 3);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("chain.bin"), &three[..three.len() - 1]).unwrap();
    assert!(matches!(
        open(&world, folder.path()),
        Err(OpenError::Damaged { height: 3, .. })
    ));
}

#[test]
fn a_chain_of_another_genesis_or_a_strange_key_does_not_open() {
    let world = world(4);
    let folder = folder_with(&world, 2);
    let other = crate::fixture::world(1);
    assert!(matches!(
        open(&other, folder.path()),
        Err(OpenError::Damaged { height: 1, .. })
    ));
    assert!(matches!(
        Chain::in_memory(&world.genesis, vec![key(1)]),
        Err(OpenError::Validator(_))
    ));
    assert!(matches!(
        Chain::in_memory(&world.genesis[1..], vec![]),
        Err(OpenError::Genesis(_))
    ));
    // Without keys it is read, for whoever checks it.
    let storage = FileStorage::open(folder.path()).unwrap();
    assert_eq!(
        Chain::open(&world.genesis, vec![], storage).unwrap().ledger().height(),
        2
    );
}

#[test]
fn a_folder_in_use_is_refused() {
    let world = world(1);
    let folder = folder_with(&world, 1);
    let chain = open(&world, folder.path()).unwrap();
    assert!(matches!(
        open(&world, folder.path()),
        Err(OpenError::Storage(StorageError::InUse))
    ));
    drop(chain);
    assert!(open(&world, folder.path()).is_ok());
}

#[test]
fn evidence_survives_and_its_torn_end_is_cut() {
    let world = world(1);
    let folder = folder_with(&world, 2);
    let mut chain = open(&world, folder.path()).unwrap();
    for name in ["x", "y"] {
        let fork = batch(&key(1), 0, [0; 32], &[name], None).0;
        assert!(matches!(
            chain.submit(&fork),
            Err(SubmitError::Refused(Refusal::Fork { .. }))
        ));
    }
    let kept: Vec<_> = chain.ledger().evidence().copied().collect();
    drop(chain);
    let bytes = fs::read(folder.path().join("evidence.bin")).unwrap();
    assert_eq!(kept.len(), 2);
    for cut in bytes.len() / 2..=bytes.len() {
        fs::write(folder.path().join("evidence.bin"), &bytes[..cut]).unwrap();
        let chain = open(&world, folder.path()).unwrap();
        let whole = if cut == bytes.len() { 2 } else { 1 };
        assert_eq!(chain.ledger().evidence().copied().collect::<Vec<_>>(), kept[..whole]);
        let left = fs::read(folder.path().join("evidence.bin")).unwrap().len();
        assert_eq!(left, bytes.len() * whole / 2);
    }
}

/// Storage that writes so many bytes and then fails, once or for good.
struct Failing {
    inner: Contents,
    budget: usize,
    for_good: bool,
}

impl Storage for Failing {
    fn read(&mut self) -> Result<Contents, StorageError> {
        Ok(self.inner.clone())
    }

    fn append(&mut self, item: &[u8]) -> Result<(), StorageError> {
        if let Some(left) = self.budget.checked_sub(item.len()) {
            self.budget = left;
            self.inner.chain.extend_from_slice(item);
            self.inner.promised = self.inner.chain.len() as u64;
            return Ok(());
        }
        self.inner.chain.extend_from_slice(&item[..self.budget]);
        // Somebody makes room.
        self.budget = if self.for_good { 0 } else { usize::MAX };
        Err(StorageError::Io(std::io::Error::from(std::io::ErrorKind::StorageFull)))
    }

    fn settle(&mut self, length: u64) -> Result<(), StorageError> {
        if self.for_good {
            return Err(StorageError::Io(std::io::Error::other("the medium is gone")));
        }
        self.inner.chain.truncate(usize::try_from(length).unwrap());
        self.inner.promised = length;
        Ok(())
    }

    fn append_evidence(&mut self, item: &[u8]) -> Result<(), StorageError> {
        self.inner.evidence.extend_from_slice(item);
        Ok(())
    }

    fn settle_evidence(&mut self, length: u64) -> Result<(), StorageError> {
        self.inner.evidence.truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

#[test]
fn f10_a_full_disk_loses_nothing_and_the_chain_goes_on_when_there_is_room() {
    let world = world(1);
    let all = transactions(&world);
    let whole = {
        let mut chain = Chain::in_memory(&world.genesis, world.validators.clone()).unwrap();
        for transaction in &all {
            chain.submit(transaction).unwrap();
        }
        chain.export().unwrap().len()
    };
    // Every place of the end, and all over the rest.
    for budget in (0..whole).filter(|budget| budget % 17 == 0 || budget + 3 > whole) {
        let storage = Failing {
            inner: Contents::default(),
            budget,
            for_good: false,
        };
        let mut chain = Chain::open(&world.genesis, world.validators.clone(), storage).unwrap();
        let mut failures = 0;
        for transaction in &all {
            let height = chain.ledger().height();
            if let Err(error) = chain.submit(transaction) {
                assert!(matches!(error, SubmitError::Storage(_)), "{error}");
                assert_eq!(chain.ledger().height(), height);
                failures += 1;
                chain.submit(transaction).unwrap();
            }
        }
        assert_eq!(failures, 1);
        let kept = Contents {
            promised: chain.export().unwrap().len() as u64,
            chain: chain.export().unwrap(),
            evidence: vec![],
        };
        let again = Chain::open(&world.genesis, vec![], MemoryStorage::with(kept)).unwrap();
        assert_eq!(again.ledger().tip(), chain.ledger().tip());
    }
}

/// A validator signs no two blocks of one round, so the next try is one round on; else one full disk would end the chain.
#[test]
fn f10_after_a_failed_write_another_block_of_that_height_can_be_decided() {
    let world = world(4);
    let storage = Failing {
        inner: Contents::default(),
        budget: 10,
        for_good: false,
    };
    let mut chain = Chain::open(&world.genesis, world.validators.clone(), storage).unwrap();
    let first = world.register(&key(1), 1);
    let second = world.register(&key(2), 1);
    assert!(matches!(chain.submit(&first), Err(SubmitError::Storage(_))));
    assert_eq!(chain.submit(&second).unwrap().height, 1);
    assert_eq!(chain.proof(&transaction_hash(&second)).unwrap().view().round, 1);
    assert_eq!(chain.submit(&first).unwrap().height, 2);
    assert_eq!(chain.proof(&transaction_hash(&first)).unwrap().view().round, 0);
}

#[test]
fn a_chain_whose_storage_cannot_be_brought_back_stops() {
    let world = world(1);
    let all = transactions(&world);
    let storage = Failing {
        inner: Contents::default(),
        budget: 700,
        for_good: true,
    };
    let mut chain = Chain::open(&world.genesis, world.validators.clone(), storage).unwrap();
    chain.submit(&all[0]).unwrap();
    assert!(matches!(chain.submit(&all[1]), Err(SubmitError::Storage(_))));
    assert!(matches!(chain.submit(&all[1]), Err(SubmitError::Stopped)));
    assert_eq!(
        chain.submit(&all[0]).unwrap().height,
        1,
        "what is decided is still told"
    );
}
