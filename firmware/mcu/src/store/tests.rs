//! The store judged by a list of what was written, with power cuts after any number of programmed cells and erased blocks.

use std::collections::BTreeSet;
use std::vec::Vec;

use embassy_futures::block_on;
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use proptest::prelude::*;

use super::*;

const BLOCK: usize = 4_096;

/// Flash in memory: programming clears bits, erasing sets them; after so many operations it does nothing any more, and the last one is done
/// in part.
#[derive(Clone)]
struct Part {
    bytes: Vec<u8>,
    left: u32,
    /// Whether it refuses to program what is programmed already.
    once: bool,
    /// Whether a cell that was programmed in part can no longer be read.
    checked: bool,
    /// Those cells, until they are erased.
    unreadable: BTreeSet<usize>,
    /// Whether nothing can be read.
    dead: bool,
}

#[derive(Debug)]
struct Gone;
impl NorFlashError for Gone {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}
impl ErrorType for Part {
    type Error = Gone;
}
impl ReadNorFlash for Part {
    const READ_SIZE: usize = 1;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Gone> {
        let cells = offset as usize / CELL_LEN..(offset as usize + bytes.len()).div_ceil(CELL_LEN);
        if self.dead || self.unreadable.range(cells).next().is_some() {
            return Err(Gone);
        }
        bytes.copy_from_slice(&self.bytes[offset as usize..offset as usize + bytes.len()]);
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}
impl Part {
    fn new() -> Self {
        Self {
            bytes: std::vec![0xFF; 2 * BLOCK * 22],
            left: u32::MAX,
            once: false,
            checked: false,
            unreadable: BTreeSet::new(),
            dead: false,
        }
    }
    fn step(&mut self) -> Result<bool, Gone> {
        if self.left == 0 {
            return Err(Gone);
        }
        self.left -= 1;
        Ok(self.left > 0)
    }
}
impl NorFlash for Part {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = BLOCK;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Gone> {
        for block in (from as usize..to as usize).step_by(BLOCK) {
            let whole = self.step()?;
            let end = if whole { block + BLOCK } else { block + BLOCK / 3 };
            self.bytes[block..end].fill(0xFF);
            self.unreadable
                .retain(|cell| !(block..end).contains(&(cell * CELL_LEN)));
        }
        Ok(())
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Gone> {
        let at = offset as usize;
        if self.once && self.bytes[at..at + bytes.len()].iter().any(|byte| *byte != 0xFF) {
            return Err(Gone);
        }
        let whole = self.step()?;
        if self.checked && !whole {
            self.unreadable.insert(at / CELL_LEN);
        }
        let take = if whole { bytes.len() } else { bytes.len() / 2 };
        for (place, byte) in self.bytes[at..].iter_mut().zip(&bytes[..take]) {
            *place &= byte;
        }
        Ok(())
    }
}
impl MultiwriteNorFlash for Part {}

fn read(store: &mut FlashStore<Part>, item: Item) -> Option<Vec<u8>> {
    let mut buffer = std::vec![0; LONGEST];
    block_on(store.read(item, &mut buffer))
        .unwrap()
        .map(|length| buffer[..length].to_vec())
}

#[derive(Clone, Debug)]
enum Do {
    Write(Item, Vec<u8>),
    Erase(Item),
}

fn item() -> impl Strategy<Value = Item> {
    proptest::sample::select(Item::ALL.to_vec())
}

fn act() -> impl Strategy<Value = Do> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..1_500);
    prop_oneof![
        4 => (item(), bytes).prop_map(|(item, bytes)| Do::Write(item, bytes)),
        1 => item().prop_map(Do::Erase),
    ]
}

proptest! {
    #[test]
    fn f2_an_item_is_the_old_or_the_new_one_whatever_the_power_does(
        acts in proptest::collection::vec((act(), proptest::option::weighted(0.3, 1..120_u32)), 1..40),
        checked in any::<bool>(),
    ) {
        let mut part = Part::new();
        part.checked = checked;
        let mut truth: std::collections::BTreeMap<Item, Vec<u8>> = Default::default();
        for (act, cut) in acts {
            part.left = cut.unwrap_or(u32::MAX);
            let mut store = FlashStore::new(part).unwrap();
            let (item, new) = match act {
                Do::Write(item, bytes) => (item, block_on(store.write(item, &bytes)).map(|()| Some(bytes.clone())).map_err(|_| Some(bytes))),
                Do::Erase(item) => (item, block_on(store.erase(item)).map(|()| None).map_err(|_| None)),
            };
            part = store.release();
            // The power is back.
            let died = part.left == 0;
            part.left = u32::MAX;
            let mut store = FlashStore::new(part).unwrap();
            let found = read(&mut store, item);
            let old = truth.get(&item).cloned();
            match new {
                Ok(new) if !died => prop_assert_eq!(&found, &new),
                Ok(new) | Err(new) => prop_assert!(found == old || found == new, "neither the old nor the new one"),
            }
            match found {
                Some(bytes) => truth.insert(item, bytes),
                None => truth.remove(&item),
            };
            for other in Item::ALL {
                prop_assert_eq!(read(&mut store, other), truth.get(&other).cloned(), "another item: {:?}", other);
            }
            part = store.release();
        }
    }
}

#[test]
fn an_erased_item_leaves_no_byte_of_it() {
    let mut store = FlashStore::new(Part::new()).unwrap();
    for number in 0..10_u8 {
        block_on(store.write(Item::Secret, &[0x5A ^ number; 900])).unwrap();
    }
    block_on(store.erase(Item::Secret)).unwrap();
    assert_eq!(read(&mut store, Item::Secret), None);
    assert!(store.release().bytes.iter().all(|byte| *byte == 0xFF));
}

/// A part that programs a cell only once: erasing its blocks takes the bytes all the same.
#[test]
fn an_item_is_erased_where_nothing_can_be_programmed_twice() {
    let mut part = Part::new();
    part.once = true;
    let mut store = FlashStore::new(part).unwrap();
    // Both halves are used: an older one must not come back either.
    for number in 0..10_u8 {
        block_on(store.write(Item::Secret, &[0x5A ^ number; 900])).unwrap();
    }
    assert_eq!(block_on(store.erase(Item::Secret)), Ok(()));
    assert_eq!(read(&mut store, Item::Secret), None);
    assert!(store.release().bytes.iter().all(|byte| *byte == 0xFF));
}

/// Nothing is not the same as nothing that can be read: a dead part is no empty store.
#[test]
fn a_part_of_which_nothing_can_be_read_is_no_empty_store() {
    let mut part = Part::new();
    part.dead = true;
    let mut store = FlashStore::new(part).unwrap();
    assert_eq!(
        block_on(store.read(Item::Secret, &mut [0; 64])),
        Err(StoreError::Device)
    );
    assert_eq!(block_on(store.write(Item::Secret, b"new")), Err(StoreError::Device));
}

#[test]
fn what_is_too_long_is_refused_and_the_old_one_stands() {
    let mut store = FlashStore::new(Part::new()).unwrap();
    block_on(store.write(Item::Accepted, b"old")).unwrap();
    assert_eq!(
        block_on(store.write(Item::Accepted, &[0; BLOCK])),
        Err(StoreError::TooLong)
    );
    assert_eq!(read(&mut store, Item::Accepted), Some(b"old".to_vec()));
    block_on(store.write(Item::Delta, &[7; LONGEST])).unwrap();
    assert_eq!(read(&mut store, Item::Delta), Some(std::vec![7; LONGEST]));
    assert_eq!(read(&mut store, Item::Accepted), Some(b"old".to_vec()));
}
