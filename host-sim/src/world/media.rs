//! Ballot-box media in memory, and the slots they are put into.
//!
//! A medium keeps what is durable and what is only written apart: a power cut takes what was not synced.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chacha20::ChaCha20Rng;
use kiosk::ports::{Geometry, Medium, MediumError};

use super::power::Power;
use super::seed::Draw as _;
use super::time::Timeline;

/// What a medium does today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Works.
    #[default]
    Good,
    /// Cannot be written any more.
    NoWrites,
    /// Cannot be read or written any more.
    Dead,
}

/// A medium in memory.
#[derive(Clone)]
pub struct Memory {
    sector: u32,
    live: Vec<u8>,
    /// Sectors written since the last sync, with what is durable of them.
    unsynced: BTreeMap<u64, Vec<u8>>,
    condition: Condition,
    rewritten: u64,
}

/// What a power cut does with sectors that were written but not synced.
pub enum Cut<'r> {
    /// All of them are lost.
    Lost,
    /// Each of them is lost, written or torn in the middle, whatever the order they were written in.
    Torn(&'r mut ChaCha20Rng),
}

impl Memory {
    /// An erased medium.
    #[must_use]
    pub fn new(size: usize, sector: u32) -> Self {
        Self::from_bytes(vec![0xFF; size], sector)
    }

    /// A medium with these bytes on it.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>, sector: u32) -> Self {
        Self {
            sector,
            live: bytes,
            unsynced: BTreeMap::new(),
            condition: Condition::Good,
            rewritten: 0,
        }
    }

    /// All bytes as they are read now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.live
    }

    /// Lets it fail, or heals it.
    pub fn set_condition(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// How often a sector that was not erased was written: must stay 0, for flash.
    #[must_use]
    pub const fn rewritten(&self) -> u64 {
        self.rewritten
    }

    /// The power goes.
    pub fn cut(&mut self, mut how: Cut<'_>) {
        for (sector, durable) in std::mem::take(&mut self.unsynced) {
            let start = self.place(sector);
            let Some(live) = self.live.get_mut(start..start + durable.len()) else {
                continue;
            };
            let keep = match &mut how {
                Cut::Lost => 0,
                Cut::Torn(rng) => match rng.below(3) {
                    0 => 0,
                    1 => live.len(),
                    _ => usize::try_from(rng.below(live.len() as u64)).unwrap_or(0),
                },
            };
            live[keep..].copy_from_slice(&durable[keep..]);
        }
    }

    fn place(&self, sector: u64) -> usize {
        usize::try_from(sector * u64::from(self.sector)).unwrap_or(usize::MAX)
    }

    fn range(&self, offset: u64, length: usize) -> Result<std::ops::Range<usize>, MediumError> {
        let start = usize::try_from(offset).map_err(|_| MediumError::Bounds)?;
        let end = start.checked_add(length).ok_or(MediumError::Bounds)?;
        if end > self.live.len() {
            return Err(MediumError::Bounds);
        }
        Ok(start..end)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        if self.condition == Condition::Dead {
            return Err(MediumError::Read);
        }
        let range = self.range(offset, buffer.len())?;
        buffer.copy_from_slice(&self.live[range]);
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        if self.condition != Condition::Good {
            return Err(MediumError::Write);
        }
        let sector = u64::from(self.sector);
        if !offset.is_multiple_of(sector) || !(data.len() as u64).is_multiple_of(sector) {
            return Err(MediumError::Bounds);
        }
        let range = self.range(offset, data.len())?;
        for (number, place) in (offset / sector..).zip(range.clone().step_by(self.sector as usize)) {
            let old = &self.live[place..place + self.sector as usize];
            self.rewritten += u64::from(old.iter().any(|byte| *byte != 0xFF));
            self.unsynced.entry(number).or_insert_with(|| old.to_vec());
        }
        self.live[range].copy_from_slice(data);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), MediumError> {
        if self.condition != Condition::Good {
            return Err(MediumError::Write);
        }
        self.unsynced.clear();
        Ok(())
    }
}

/// Without a kiosk around it: for the desk, where nothing is cut.
impl Medium for Memory {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        Ok(Geometry {
            size: self.live.len() as u64,
            sector: self.sector,
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        Self::read(self, offset, buffer)
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        Self::write(self, offset, data)
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        Self::sync(self)
    }
}

/// A medium that can be in a kiosk's slot, on the desk, or in a witness's hand.
pub type Shared = Rc<RefCell<Memory>>;

/// A slot for a medium. Clones are the same slot.
#[derive(Clone, Default)]
pub struct Slot {
    medium: Rc<RefCell<Option<Shared>>>,
}

impl Slot {
    /// Puts a medium in and gives the one that was in.
    pub fn put(&self, medium: Option<Shared>) -> Option<Shared> {
        self.medium.replace(medium)
    }

    /// The medium that is in.
    #[must_use]
    pub fn medium(&self) -> Option<Shared> {
        self.medium.borrow().clone()
    }
}

/// The kiosk's port to a slot: takes time, and the power can fail at every boundary.
pub struct SlotPort {
    pub(super) slot: Slot,
    pub(super) power: Rc<Power>,
    pub(super) time: Rc<Timeline>,
}

/// Milliseconds a sync takes, about as long as a good SD card's.
const SYNC: u64 = 8;

impl SlotPort {
    fn with<T>(&self, act: impl FnOnce(&mut Memory) -> Result<T, MediumError>) -> Result<T, MediumError> {
        match self.slot.medium() {
            Some(medium) => act(&mut medium.borrow_mut()),
            None => Err(MediumError::Missing),
        }
    }
}

impl Medium for SlotPort {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        self.with(|medium| {
            Ok(Geometry {
                size: medium.live.len() as u64,
                sector: medium.sector,
            })
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        self.with(|medium| Memory::read(medium, offset, buffer))
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        self.power.boundary().await;
        let written = self.with(|medium| Memory::write(medium, offset, data));
        self.power.boundary().await;
        written
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        self.power.boundary().await;
        self.time.sleep(SYNC).await;
        let synced = self.with(Memory::sync);
        self.power.boundary().await;
        synced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_a_cut_takes_what_was_not_synced() {
        let mut medium = Memory::new(4096, 512);
        medium.write(0, &[1; 512]).unwrap();
        medium.sync().unwrap();
        medium.write(512, &[2; 512]).unwrap();
        medium.cut(Cut::Lost);
        assert_eq!(medium.bytes()[..512], [1; 512]);
        assert_eq!(medium.bytes()[512..1024], [0xFF; 512]);
        assert_eq!(medium.rewritten(), 0);
    }

    #[test]
    fn f2_a_torn_sector_has_new_bytes_in_front_of_old_ones() {
        let mut torn = 0;
        for seed in 0..50 {
            let mut rng = super::super::seed::Seed::new("torn").rng("test", seed);
            let mut medium = Memory::new(1024, 512);
            medium.write(512, &[7; 512]).unwrap();
            medium.cut(Cut::Torn(&mut rng));
            let kept = medium.bytes()[512..].iter().take_while(|byte| **byte == 7).count();
            assert!(medium.bytes()[512 + kept..].iter().all(|byte| *byte == 0xFF));
            torn += u32::from(kept > 0 && kept < 512);
        }
        assert!(torn > 5);
    }

    #[test]
    fn writes_are_whole_sectors_inside_the_medium() {
        let mut medium = Memory::new(1024, 512);
        assert_eq!(medium.write(1, &[0; 512]), Err(MediumError::Bounds));
        assert_eq!(medium.write(0, &[0; 100]), Err(MediumError::Bounds));
        assert_eq!(medium.write(1024, &[0; 512]), Err(MediumError::Bounds));
        medium.set_condition(Condition::NoWrites);
        assert_eq!(medium.write(0, &[0; 512]), Err(MediumError::Write));
        assert_eq!(medium.read(0, &mut [0; 4]), Ok(()));
        medium.set_condition(Condition::Dead);
        assert_eq!(medium.read(0, &mut [0; 4]), Err(MediumError::Read));
    }
}
