//! A NOR chip that keeps the rules: programming clears bits, a page takes one program, the power goes in the middle of any of it.
#![allow(dead_code)] // Not every test looks at all of it.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

pub const PAGE: usize = 256;
pub const BLOCK: usize = 4096;

/// Power that chips share: programs and erases until it goes.
#[derive(Default)]
pub struct Power {
    pub left: Option<u32>,
    pub steps: u32,
    pub gone: bool,
    pub chance: u64,
}

impl Power {
    /// Whether the power goes in this program or erase.
    pub fn goes(&mut self) -> bool {
        self.steps += 1;
        match &mut self.left {
            Some(0) => self.gone = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.gone
    }

    pub fn byte(&mut self) -> u8 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.chance.to_be_bytes()[0]
    }
}

pub struct Cells {
    pub bytes: Vec<u8>,
    /// Pages programmed since their block was erased.
    pub programmed: Vec<bool>,
    /// Erases of each block.
    pub erases: Vec<u32>,
}

/// A chip; clones are the same chip.
#[derive(Clone)]
pub struct Chip {
    pub cells: Rc<RefCell<Cells>>,
    pub power: Rc<RefCell<Power>>,
}

impl Chip {
    /// As it comes from the factory, or from another election: `junk` fills it.
    pub fn new(size: usize, junk: u8, power: &Rc<RefCell<Power>>) -> Self {
        Self {
            cells: Rc::new(RefCell::new(Cells {
                bytes: vec![junk; size],
                programmed: vec![junk != 0xFF; size / PAGE],
                erases: vec![0; size / BLOCK],
            })),
            power: power.clone(),
        }
    }

    /// With something in it, as a programmer for such chips puts it in.
    pub fn holding(bytes: &[u8], power: &Rc<RefCell<Power>>) -> Self {
        let chip = Self::new(bytes.len(), 0xFF, power);
        {
            let mut cells = chip.cells.borrow_mut();
            cells.bytes.copy_from_slice(bytes);
            cells.programmed = bytes
                .chunks(PAGE)
                .map(|page| page.iter().any(|byte| *byte != 0xFF))
                .collect();
        }
        chip
    }
}

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let cells = self.cells.borrow();
        let offset = offset as usize;
        let from = cells.bytes.get(offset..offset + bytes.len());
        bytes.copy_from_slice(from.ok_or(NorFlashErrorKind::OutOfBounds)?);
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.cells.borrow().bytes.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = PAGE;
    const ERASE_SIZE: usize = BLOCK;

    /// A torn erase leaves any bits of the block set.
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let (from, to) = (from as usize, to as usize);
        if !from.is_multiple_of(BLOCK) || !to.is_multiple_of(BLOCK) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        for block in from / BLOCK..to / BLOCK {
            let torn = self.power.borrow_mut().goes();
            {
                let mut cells = self.cells.borrow_mut();
                cells.erases[block] += 1;
                let mut power = self.power.borrow_mut();
                for byte in &mut cells.bytes[block * BLOCK..(block + 1) * BLOCK] {
                    *byte |= if torn { power.byte() } else { 0xFF };
                }
                cells.programmed[block * BLOCK / PAGE..(block + 1) * BLOCK / PAGE].fill(torn);
            }
            if torn {
                core::future::pending::<()>().await;
            }
        }
        Ok(())
    }

    /// Programs page by page; a program only clears bits, and a page takes one program. A torn one clears some of its bits.
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let offset = offset as usize;
        if !offset.is_multiple_of(PAGE) || !bytes.len().is_multiple_of(PAGE) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        for (page, data) in (offset / PAGE..).zip(bytes.chunks(PAGE)) {
            let torn = self.power.borrow_mut().goes();
            {
                let mut cells = self.cells.borrow_mut();
                let mut power = self.power.borrow_mut();
                assert!(
                    !cells.programmed[page],
                    "page {page} is programmed twice without an erase"
                );
                cells.programmed[page] = true;
                for (cell, byte) in cells.bytes[page * PAGE..].iter_mut().zip(data) {
                    assert_eq!(*byte & !*cell, 0, "a 1 is written over a 0 in page {page}");
                    *cell &= if torn { *byte | power.byte() } else { *byte };
                }
            }
            if torn {
                core::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}
