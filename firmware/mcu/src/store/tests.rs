//! The store judged by a list of what was written, with power cuts after any number of programmed cells and erased blocks.

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
        }
        Ok(())
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Gone> {
        let whole = self.step()?;
        let take = if whole { bytes.len() } else { bytes.len() / 2 };
        for (place, byte) in self.bytes[offset as usize..].iter_mut().zip(&bytes[..take]) {
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
        acts in proptest::collection::vec((act(), proptest::option::weighted(0.3, 1..120_u32)), 1..40)
    ) {
        let mut part = Part::new();
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
