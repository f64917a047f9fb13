//! A medium in memory that keeps live and durable bytes apart, and a switch that cuts the power.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use crate::ports::{Geometry, Medium, MediumError};
use crate::random::Uniform;

/// What becomes of writes that were not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// All lost.
    Lost,
    /// All there.
    Kept,
    /// A part of the last one, from its front.
    Prefix,
    /// Some 64-byte pieces of each, in no order.
    Pieces,
}

pub const TEARS: [Tear; 4] = [Tear::Lost, Tear::Kept, Tear::Prefix, Tear::Pieces];

/// Power and chance that both media share.
pub struct Power {
    /// Writes and syncs until the cut; `None` for never.
    pub left: Option<u32>,
    /// Writes and syncs so far.
    pub steps: u32,
    /// The cut has happened.
    pub gone: bool,
    pub tear: Tear,
    pub chance: u64,
    /// (medium, 'w' or 's') in order.
    pub trace: Vec<(u8, char)>,
}

impl Power {
    pub fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            left: None,
            steps: 0,
            gone: false,
            tear: Tear::Lost,
            chance: 1,
            trace: Vec::new(),
        }))
    }

    fn next(&mut self) -> u64 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.chance >> 33
    }
}

/// A random source for tests.
pub struct Lcg(pub u64);
impl Uniform for Lcg {
    fn below(&mut self, bound: u32) -> Option<u32> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound.max(1)))
            .ok()
            .filter(|_| bound > 0)
    }
}

pub struct Disk {
    pub live: Vec<u8>,
    pub durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// A medium; clones are the same medium.
#[derive(Clone)]
pub struct Faulty {
    pub disk: Rc<RefCell<Disk>>,
    pub power: Rc<RefCell<Power>>,
    pub name: u8,
    /// Fails every write from now on.
    pub dead: Rc<RefCell<bool>>,
    /// Fails every write from this step of the world on.
    pub dies: Rc<RefCell<Option<u32>>>,
    /// Answers nothing at all: torn out, or its controller is dead.
    pub deaf: Rc<RefCell<bool>>,
    /// Says synced and is not.
    pub lying: Rc<RefCell<bool>>,
    /// The next reading over this byte is wrong by a bit, once.
    pub misreads: Rc<RefCell<Option<usize>>>,
}

impl Faulty {
    pub fn new(size: u64, name: u8, power: &Rc<RefCell<Power>>) -> Self {
        let size = usize::try_from(size).unwrap();
        Self {
            disk: Rc::new(RefCell::new(Disk {
                live: vec![0xFF; size],
                durable: vec![0xFF; size],
                unsynced: Vec::new(),
            })),
            power: power.clone(),
            name,
            dead: Rc::default(),
            dies: Rc::default(),
            deaf: Rc::default(),
            lying: Rc::default(),
            misreads: Rc::default(),
        }
    }

    fn is_dead(&self) -> bool {
        let died = *self.deaf.borrow() || self.dies.borrow().is_some_and(|step| self.power.borrow().steps >= step);
        *self.dead.borrow() || died
    }

    /// A copy of what is durable now.
    pub fn image(&self) -> Self {
        let copy = Self::new(0, self.name, &self.power);
        let disk = self.disk.borrow();
        *copy.disk.borrow_mut() = Disk {
            live: disk.durable.clone(),
            durable: disk.durable.clone(),
            unsynced: Vec::new(),
        };
        copy
    }

    /// The power goes: what was not synced is torn, and the rest is what there is.
    pub fn fail_power(&self) {
        let mut disk = self.disk.borrow_mut();
        let mut power = self.power.borrow_mut();
        let tear = power.tear;
        let unsynced = core::mem::take(&mut disk.unsynced);
        let last = unsynced.len().saturating_sub(1);
        for (index, (offset, data)) in unsynced.iter().enumerate() {
            match tear {
                Tear::Lost => {}
                Tear::Kept => disk.durable[*offset..offset + data.len()].copy_from_slice(data),
                Tear::Prefix => {
                    let length = if index == last {
                        usize::try_from(power.next()).unwrap() % (data.len() + 1)
                    } else {
                        data.len()
                    };
                    disk.durable[*offset..offset + length].copy_from_slice(&data[..length]);
                }
                Tear::Pieces => {
                    for (piece, bytes) in data.chunks(64).enumerate() {
                        if power.next() & 1 == 0 {
                            let at = offset + piece * 64;
                            disk.durable[at..at + bytes.len()].copy_from_slice(bytes);
                        }
                    }
                }
            }
        }
        disk.live = disk.durable.clone();
    }

    /// One step of the world; true if the power went.
    fn step(&self, what: char) -> bool {
        let mut power = self.power.borrow_mut();
        power.steps += 1;
        power.trace.push((self.name, what));
        match &mut power.left {
            None => false,
            Some(0) => {
                power.gone = true;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
}

impl Medium for Faulty {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        if *self.deaf.borrow() {
            return Err(MediumError::Missing);
        }
        Ok(Geometry {
            size: u64::try_from(self.disk.borrow().live.len()).unwrap(),
            sector: 512,
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        if *self.deaf.borrow() {
            return Err(MediumError::Missing);
        }
        let disk = self.disk.borrow();
        let offset = usize::try_from(offset).unwrap();
        let bytes = disk
            .live
            .get(offset..offset + buffer.len())
            .ok_or(MediumError::Bounds)?;
        buffer.copy_from_slice(bytes);
        let mut misreads = self.misreads.borrow_mut();
        let wrong = misreads.and_then(|at| at.checked_sub(offset));
        if let Some(byte) = wrong.and_then(|at| buffer.get_mut(at)) {
            *byte ^= 16;
            *misreads = None;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        assert!(
            offset.is_multiple_of(512) && data.len().is_multiple_of(512),
            "whole sectors only"
        );
        if self.is_dead() {
            return Err(MediumError::Write);
        }
        let offset = usize::try_from(offset).unwrap();
        {
            let mut disk = self.disk.borrow_mut();
            let place = disk
                .live
                .get_mut(offset..offset + data.len())
                .ok_or(MediumError::Bounds)?;
            assert!(place.iter().all(|byte| *byte == 0xFF), "a cell is written once");
            place.copy_from_slice(data);
            disk.unsynced.push((offset, data.to_vec()));
        }
        if self.step('w') {
            core::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        if self.is_dead() {
            return Err(MediumError::Write);
        }
        if self.step('s') {
            core::future::pending::<()>().await;
        }
        if !*self.lying.borrow() {
            let mut disk = self.disk.borrow_mut();
            disk.durable = disk.live.clone();
            disk.unsynced.clear();
        }
        Ok(())
    }
}

/// Runs a future that waits for nothing but media: `None` if the power went.
pub fn run<F: Future>(future: F) -> Option<F::Output> {
    let mut future = core::pin::pin!(future);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        core::task::Poll::Ready(output) => Some(output),
        core::task::Poll::Pending => None,
    }
}
