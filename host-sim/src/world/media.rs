//! Ballot-box media in memory, and the slots they are put into.
//!
//! A medium keeps what is durable and what is only written apart: a power cut takes what was not synced.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chacha20::ChaCha20Rng;
use kiosk::ballot_box::Role;
use kiosk::ports::{Geometry, Medium, MediumError};

use super::ailments::{Ailments, Dice};
use super::booth::Booth;
use super::boundary::{Boundary, Device, Moment, Written};
use super::power::Power;
use super::seed::Draw as _;
use super::time::Timeline;
use super::view::View;
use super::watch::Watching;

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
    /// Sectors whose newest bytes a cut may take, with what is durable of them.
    unsynced: BTreeMap<u64, Unsynced>,
    condition: Condition,
    ailments: Ailments,
    dice: Dice,
    now: u64,
    rewritten: u64,
}

#[derive(Clone)]
struct Unsynced {
    durable: Vec<u8>,
    /// The medium has said that it is synced, and lied.
    claimed: bool,
}

/// What a power cut does with sectors that were written but not synced.
pub enum Cut<'r> {
    /// All of them are lost.
    Lost,
    /// Each of them is lost, written, or torn at any byte (new in front of old, old in front of new, or bits of both), whatever the order
    /// they were written in.
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
            ailments: Ailments::NONE,
            dice: Dice::new(0),
            now: 0,
            rewritten: 0,
        }
    }

    /// All bytes as they are read now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.live
    }

    /// Other bytes are on it now, all of them durable: it was in something else than this world's slots.
    pub fn replace(&mut self, bytes: Vec<u8>) {
        self.live = bytes;
        self.unsynced.clear();
    }

    /// Lets it fail, or heals it.
    pub fn set_condition(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// What is wrong with it from now on; `seed` decides what is random about that.
    pub const fn set_ailments(&mut self, ailments: Ailments, seed: u64) {
        self.ailments = ailments;
        self.dice = Dice::new(seed);
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn ailments(&self) -> Ailments {
        self.ailments
    }

    /// Whether it can be read at that moment at all.
    #[must_use]
    pub fn is_readable(&self, now: u64) -> bool {
        self.condition != Condition::Dead && now >= self.ailments.reads_fail_until
    }

    /// Flips one bit of what lies there, durably: damage at rest.
    pub fn damage(&mut self, offset: u64, length: usize, seed: u64) {
        if let Ok(range) = self.range(offset, length) {
            Dice::new(seed).flip(&mut self.live[range]);
        }
    }

    /// Whether everything written there has been reported as synced.
    #[must_use]
    pub fn is_reported_durable(&self, offset: u64, length: usize) -> bool {
        let sector = u64::from(self.sector);
        let end = (offset + length as u64).div_ceil(sector);
        self.unsynced
            .range(offset / sector..end)
            .all(|(_, unsynced)| unsynced.claimed)
    }

    /// Whether everything written anywhere has been reported as synced.
    #[must_use]
    pub fn is_all_reported_durable(&self) -> bool {
        self.unsynced.values().all(|unsynced| unsynced.claimed)
    }

    /// What a cut now would leave at the least: the durable bytes.
    #[must_use]
    pub fn durable(&self) -> Self {
        let mut durable = self.clone();
        durable.cut(Cut::Lost);
        durable.condition = Condition::Good;
        durable.ailments = Ailments::NONE;
        durable
    }

    /// Bytes of a sector.
    #[must_use]
    pub const fn sector(&self) -> u32 {
        self.sector
    }

    /// How often a sector that was not erased was written: must stay 0, for flash.
    #[must_use]
    pub const fn rewritten(&self) -> u64 {
        self.rewritten
    }

    /// The power goes.
    pub fn cut(&mut self, mut how: Cut<'_>) {
        for (sector, Unsynced { durable, .. }) in std::mem::take(&mut self.unsynced) {
            let start = self.place(sector);
            let Some(live) = self.live.get_mut(start..start + durable.len()) else {
                continue;
            };
            match &mut how {
                Cut::Lost => live.copy_from_slice(&durable),
                Cut::Torn(rng) => tear(live, &durable, rng),
            }
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

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        let range = self.range(offset, buffer.len())?;
        if !self.is_readable(self.now) {
            return Err(MediumError::Read);
        }
        buffer.copy_from_slice(&self.live[range]);
        if self.dice.chance(self.ailments.flips_reads) {
            self.dice.flip(buffer);
        }
        Ok(())
    }

    fn writable(&self) -> Result<(), MediumError> {
        if self.condition == Condition::Good && self.now >= self.ailments.writes_fail_until {
            Ok(())
        } else {
            Err(MediumError::Write)
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        self.writable()?;
        let sector = u64::from(self.sector);
        if !offset.is_multiple_of(sector) || !(data.len() as u64).is_multiple_of(sector) {
            return Err(MediumError::Bounds);
        }
        let range = self.range(offset, data.len())?;
        if let Some(room) = &mut self.ailments.room {
            let Some(left) = room.checked_sub(data.len() as u64 / sector) else {
                return Err(MediumError::Full);
            };
            *room = left;
        }
        for (number, place) in (offset / sector..).zip(range.clone().step_by(self.sector as usize)) {
            let old = &self.live[place..place + self.sector as usize];
            self.rewritten += u64::from(old.iter().any(|byte| *byte != 0xFF));
            let unsynced = self.unsynced.entry(number).or_insert_with(|| Unsynced {
                durable: old.to_vec(),
                claimed: false,
            });
            unsynced.claimed = false;
        }
        self.live[range.clone()].copy_from_slice(data);
        if self.dice.chance(self.ailments.flips_writes) {
            self.dice.flip(&mut self.live[range]);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), MediumError> {
        self.writable()?;
        if !self.ailments.lies {
            self.unsynced.clear();
            return Ok(());
        }
        for unsynced in self.unsynced.values_mut() {
            unsynced.claimed = true;
        }
        // The cache is small, and empties itself in no order.
        while self.unsynced.len() > CACHE || (self.dice.chance(300) && !self.unsynced.is_empty()) {
            let which = usize::try_from(self.dice.below(self.unsynced.len() as u64)).unwrap_or(0);
            let Some(sector) = self.unsynced.keys().nth(which).copied() else {
                break;
            };
            self.unsynced.remove(&sector);
        }
        Ok(())
    }
}

/// Sectors in the cache of a medium that lies.
const CACHE: usize = 200;

/// What one sector looks like when the power went while it was written.
fn tear(new: &mut [u8], old: &[u8], rng: &mut ChaCha20Rng) {
    let at = usize::try_from(rng.below(new.len() as u64)).unwrap_or(0);
    match rng.below(6) {
        0 => new.copy_from_slice(old),
        1 => {}
        2 | 3 => new[at..].copy_from_slice(&old[at..]),
        4 => new[..at].copy_from_slice(&old[..at]),
        // Cells of flash that were on their way: from erased to written, bit by bit.
        _ => {
            for (new, old) in new.iter_mut().zip(old) {
                let mask = u8::try_from(rng.below(256)).unwrap_or(0);
                *new = (*new & mask) | (*old & !mask);
            }
        }
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
    pub(super) role: Role,
    pub(super) slots: [Slot; 2],
    pub(super) power: Rc<Power>,
    pub(super) time: Rc<Timeline>,
    pub(super) booth: Booth,
    pub(super) watching: Watching,
    /// What was written last, for the name of the sync's boundary.
    pub(super) written: Written,
}

/// Milliseconds a sync takes, about as long as a good SD card's.
const SYNC: u64 = 8;

impl SlotPort {
    fn with<T>(&self, act: impl FnOnce(&mut Memory) -> Result<T, MediumError>) -> Result<T, MediumError> {
        match self.slots[self.role as usize].medium() {
            Some(medium) => {
                let mut medium = medium.borrow_mut();
                medium.now = self.time.now();
                act(&mut medium)
            }
            None => Err(MediumError::Missing),
        }
    }

    async fn boundary(&self, moment: Moment) {
        let at = Boundary {
            device: Device::Medium(self.role),
            moment,
            what: self.written,
            starting: *self.booth.view() == View::Starting,
        };
        self.power.boundary(at).await;
    }

    /// A slow medium takes its time.
    async fn stall(&self) {
        let slow = self.with(|medium| Ok(medium.ailments.slow)).unwrap_or((0, 0));
        if slow.0 > 0 && self.time.now() < slow.1 {
            self.time.sleep(slow.0).await;
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
        let sector = self.with(|medium| Ok(medium.sector)).unwrap_or(512);
        self.written = Written::of(offset, sector, data);
        self.boundary(Moment::BeforeWrite).await;
        if let Some(watch) = self.watching.get() {
            watch.write(&self.slots, self.role, offset, data);
        }
        self.stall().await;
        let written = self.with(|medium| Memory::write(medium, offset, data));
        self.boundary(Moment::AfterWrite).await;
        written
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        self.boundary(Moment::BeforeSync).await;
        self.time.sleep(SYNC).await;
        self.stall().await;
        let synced = self.with(Memory::sync);
        self.boundary(Moment::AfterSync).await;
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
    fn f2_a_torn_sector_is_made_of_old_and_new_bits_only() {
        let mut torn = 0;
        for seed in 0..100 {
            let mut rng = super::super::seed::Seed::new("torn").rng("test", seed);
            let mut medium = Memory::new(1024, 512);
            medium.write(512, &[7; 512]).unwrap();
            medium.cut(Cut::Torn(&mut rng));
            assert!(medium.bytes()[..512].iter().all(|byte| *byte == 0xFF));
            // Every bit is the old one (1) or the new one.
            assert!(medium.bytes()[512..].iter().all(|byte| byte & 7 == 7));
            let kept = medium.bytes()[512..].iter().filter(|byte| **byte == 7).count();
            torn += u32::from(kept > 0 && kept < 512);
        }
        assert!(torn > 20);
    }

    #[test]
    fn a_lying_medium_says_synced_and_loses_it_all_the_same() {
        let mut medium = Memory::new(64 * 512, 512);
        let lies = Ailments {
            lies: true,
            ..Ailments::NONE
        };
        medium.set_ailments(lies, 1);
        for sector in 0..40 {
            medium.write(sector * 512, &[1; 512]).unwrap();
            medium.sync().unwrap();
        }
        assert!(medium.is_all_reported_durable() && medium.is_reported_durable(0, 40 * 512));
        let kept = medium
            .durable()
            .bytes()
            .chunks(512)
            .filter(|sector| sector[0] == 1)
            .count();
        assert!(kept > 0 && kept < 40, "{kept}");
        medium.cut(Cut::Lost);
        assert_eq!(medium.bytes().chunks(512).filter(|sector| sector[0] == 1).count(), kept);
    }

    #[test]
    fn a_medium_fails_for_a_while_fills_up_and_flips_bits() {
        let mut medium = Memory::new(64 * 512, 512);
        let ailments = Ailments {
            writes_fail_until: 10,
            reads_fail_until: 20,
            room: Some(2),
            ..Ailments::NONE
        };
        medium.set_ailments(ailments, 1);
        assert_eq!(medium.write(0, &[0; 512]), Err(MediumError::Write));
        assert_eq!(medium.sync(), Err(MediumError::Write));
        assert_eq!(medium.read(0, &mut [0; 4]), Err(MediumError::Read));
        medium.now = 20;
        assert_eq!(medium.read(0, &mut [0; 4]), Ok(()));
        medium.write(0, &[0; 1024]).unwrap();
        assert_eq!(medium.write(1024, &[0; 512]), Err(MediumError::Full));
        let flips = Ailments {
            flips_writes: 1000,
            ..Ailments::NONE
        };
        medium.set_ailments(flips, 2);
        medium.write(1024, &[0; 512]).unwrap();
        let ones: u32 = medium.bytes()[1024..1536].iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(ones, 1);
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
