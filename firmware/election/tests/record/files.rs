//! The files themselves: an index that does not fit, damage that the authority signs, too little memory for what they hold.

use std::collections::BTreeMap;

use election::record::{FileName, IndexError, PublishedBallot};
use election::verify::{Broken, Record, Why};
use election::wire::Seq;

use crate::record_support::memory::Memory;
use crate::record_support::{AUTHORITY, Owned, signer};
use crate::{honest, refused};

#[test]
fn an_index_that_does_not_fit_is_refused() {
    let mut e = honest();
    let owned = e.record();
    let authority = signer(AUTHORITY).public_key();
    let open = |owned: &Owned| Record::open(owned.files(), Some(&authority)).map(|_| ());
    let broken = |file, why| {
        Err(Broken {
            file,
            item: None,
            why: Why::Index(why),
        })
    };
    assert_eq!(open(&owned), Ok(()));
    // Without an authority to ask for, the index is held to the key in it.
    assert!(Record::open(owned.files(), None).is_ok());
    let other = Record::open(owned.files(), Some(&signer(77).public_key())).map(|_| ());
    assert_eq!(other, broken(FileName::Index, IndexError::Authority));
    for file in FileName::ALL {
        if file == FileName::Reception {
            continue;
        }
        let mut changed = owned.clone();
        changed.files.get_mut(&file).unwrap().push(0);
        assert!(open(&changed).is_err(), "{file}");
        if file != FileName::Index {
            assert_eq!(open(&changed), broken(file, IndexError::Length(file)));
            let mut changed = owned.clone();
            let bytes = changed.files.get_mut(&file).unwrap();
            let Some(byte) = bytes.first_mut() else { continue };
            *byte ^= 1;
            assert_eq!(open(&changed), broken(file, IndexError::Hash(file)));
        }
    }
    let mut added = owned.clone();
    added.files.insert(FileName::Reception, b"{}".to_vec());
    assert_eq!(
        open(&added),
        broken(FileName::Reception, IndexError::NotListed(FileName::Reception))
    );
    added.sign();
    assert_eq!(open(&added), Ok(()));
    added.files.remove(&FileName::Reception);
    assert_eq!(
        open(&added),
        broken(FileName::Reception, IndexError::Missing(FileName::Reception))
    );
    let mut other = owned.clone();
    other.election[0] ^= 1;
    other.sign();
    assert_eq!(
        open(&other),
        Err(Broken {
            file: FileName::Index,
            item: None,
            why: Why::Election
        })
    );
}

/// Every byte of the index is under its signature or is the signature.
#[test]
fn a_flipped_byte_of_the_index_is_refused() {
    let mut e = honest();
    let owned = e.record();
    let index = owned.get(FileName::Index).to_vec();
    for place in 0..index.len() {
        let mut changed = owned.clone();
        changed.files.get_mut(&FileName::Index).unwrap()[place] ^= 1;
        assert!(Record::open(changed.files(), None).is_err(), "byte {place}");
    }
}

/// A record whose every file is damaged at random, with a true index over the damage: refused somewhere, never a panic.
#[test]
fn damage_in_any_file_is_refused_even_when_the_authority_signs_it() {
    let mut e = honest();
    let owned = e.record();
    let mut seen = BTreeMap::<FileName, u32>::new();
    for round in 0..390u64 {
        let file = FileName::ALL[round as usize % FileName::ALL.len()];
        // Report and results are for people and for other programs; only the index speaks of them here.
        if matches!(
            file,
            FileName::Index | FileName::Reception | FileName::Report | FileName::Results
        ) {
            continue;
        }
        let mut bytes = owned.get(file).to_vec();
        let place = e.random() as usize % bytes.len();
        let bit = 1u8 << (e.random() % 8);
        bytes[place] ^= bit;
        let broken = refused(&e, &owned.with(file, bytes));
        assert_ne!(broken.why, Why::Scratch, "{file} at {place}");
        *seen.entry(broken.file).or_default() += 1;
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn too_little_memory_is_said() {
    let mut e = honest();
    let owned = e.record();
    let record = Record::open(owned.files(), None).unwrap();
    let mut memory = Memory::new(record.sizes());
    memory.entries.pop();
    let result = record.check(memory.lend(), &mut |_, _, _| ());
    assert_eq!(result.map(|_| ()).unwrap_err().why, Why::Scratch);
    // The seq type is what the files are made of.
    assert_eq!(
        Seq::<PublishedBallot<'_>>::from_bytes(owned.get(FileName::Ballots)).count(),
        6
    );
}
