//! The driver of serial NOR parts against a part that keeps JESD216's rules and is written apart from it: commands on the bus, not calls.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::*;
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::spi::{ErrorKind, ErrorType, Operation, SpiDevice};
use embedded_storage_async::nor_flash::{NorFlash as _, ReadNorFlash as _};
use kiosk::ballot_box::Role;
use kiosk::ports::{Medium as _, MediumError};
use media::{NorMedium, SpiNor, SpiNorError};
use proptest::prelude::*;

/// What lies behind the chip select.
struct Part {
    cells: Vec<u8>,
    /// What the address counts, which may be less than the cells there are.
    density_bits: u64,
    four_byte_opcodes: bool,
    erase_opcode: u8,
    signature: [u8; 4],
    latch: bool,
    protected: u8,
    asleep: bool,
    /// Status looks until the present work is done; `None` is never.
    busy: u32,
    work: Option<u32>,
    plugged: bool,
    /// What a floating line reads as.
    float: u8,
    /// Programs and erases until the power goes in the middle of one; commands until the part is pulled out.
    power: Option<u32>,
    dark: bool,
    pull_in: Option<u32>,
    steps: u32,
}

impl Part {
    fn new(size: usize) -> Self {
        Self {
            cells: vec![0xFF; size],
            density_bits: size as u64 * 8,
            four_byte_opcodes: true,
            erase_opcode: 0x20,
            signature: *b"SFDP",
            latch: false,
            protected: 0,
            asleep: true,
            busy: 0,
            work: Some(3),
            plugged: true,
            float: 0xFF,
            power: None,
            dark: false,
            pull_in: None,
            steps: 0,
        }
    }

    /// JESD216: a header, two parameter headers, the basic table at 0x30 and the table of opcodes at 0x80.
    fn sfdp(&self) -> Vec<u8> {
        let mut table = vec![0xFF; 0x100];
        table[..4].copy_from_slice(&self.signature);
        table[4..8].copy_from_slice(&[6, 1, 1, 0xFF]);
        table[8..16].copy_from_slice(&[0x00, 6, 1, 9, 0x30, 0, 0, 0xFF]);
        table[16..24].copy_from_slice(&[0x84, 0, 1, 2, 0x80, 0, 0, 0xFF]);
        table[0x30] = 0xE5;
        table[0x31] = self.erase_opcode;
        let density =
            u32::try_from(self.density_bits - 1).map_or(0x8000_0000 | self.density_bits.trailing_zeros(), |bits| bits);
        let density = if density >> 31 == 1 {
            0x8000_0000 | self.density_bits.trailing_zeros()
        } else {
            density
        };
        table[0x34..0x38].copy_from_slice(&density.to_le_bytes());
        let opcodes: u32 = if self.four_byte_opcodes { 1 | 1 << 6 | 1 << 9 } else { 1 };
        table[0x80..0x84].copy_from_slice(&opcodes.to_le_bytes());
        table
    }

    /// One command between two edges of the chip select. `false`: the power went.
    fn command(&mut self, sent: &[u8], answer: &mut [u8]) -> bool {
        if let Some(left) = &mut self.pull_in {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => self.plugged = false,
            }
        }
        answer.fill(self.float);
        if !self.plugged || self.dark {
            return !self.dark;
        }
        let Some((&code, rest)) = sent.split_first() else {
            return true;
        };
        if self.asleep {
            self.asleep = code != 0xAB;
            return true;
        }
        if code == 0x05 {
            let status = u8::from(self.busy > 0) | u8::from(self.latch) << 1 | self.protected;
            answer.fill(status);
            if self.work.is_some() {
                self.busy = self.busy.saturating_sub(1);
            }
            return true;
        }
        if code == 0x9F && self.busy == 0 {
            for (to, from) in answer.iter_mut().zip([0xC2, 0x20, 0x1A].iter().cycle()) {
                *to = *from;
            }
            return true;
        }
        if self.busy > 0 {
            return true; // ignored
        }
        let long = matches!(code, 0x12 | 0x13 | 0x21);
        let width = if long { 4 } else { 3 };
        let at = rest
            .get(..width)
            .map(|bytes| bytes.iter().fold(0_usize, |at, byte| at << 8 | usize::from(*byte)));
        let data = rest.get(width..).unwrap_or_default();
        match (code, at) {
            (0x06, _) => self.latch = self.protected == 0,
            (0x5A, Some(at)) => {
                assert_eq!(data.len(), 1, "one dummy byte");
                let table = self.sfdp();
                for (to, from) in answer.iter_mut().zip(table.iter().skip(at)) {
                    *to = *from;
                }
            }
            (0x03 | 0x13, Some(at)) => {
                for (index, to) in answer.iter_mut().enumerate() {
                    *to = self.cells[(at + index) % self.cells.len()];
                }
            }
            (0x02 | 0x12, Some(at)) => {
                assert!(!long || self.four_byte_opcodes);
                return self.work(|part, torn| {
                    for (index, byte) in data.iter().enumerate() {
                        let place = at / 256 * 256 + (at + index) % 256;
                        // A torn program clears some of the bits.
                        part.cells[place] &= if torn {
                            *byte | 0b0101_0101 << (index % 2)
                        } else {
                            *byte
                        };
                    }
                });
            }
            (0x20 | 0x21, Some(at)) => {
                return self.work(|part, torn| {
                    let block = at / 4096 * 4096;
                    for byte in &mut part.cells[block..block + 4096] {
                        *byte |= if torn { 0b1010_0101 } else { 0xFF };
                    }
                });
            }
            (0xAB, _) => {}
            _ => panic!("command {code:02X}"),
        }
        true
    }

    fn work(&mut self, act: impl FnOnce(&mut Self, bool)) -> bool {
        if !self.latch {
            return true;
        }
        self.latch = false;
        self.steps += 1;
        let torn = self.power == Some(0);
        if let Some(left) = &mut self.power {
            *left = left.saturating_sub(1);
        }
        act(self, torn);
        self.busy = self.work.unwrap_or(1);
        self.dark = torn;
        !torn
    }
}

#[derive(Clone)]
struct Bus(Rc<RefCell<Part>>);

impl Bus {
    fn new(size: usize) -> Self {
        Self(Rc::new(RefCell::new(Part::new(size))))
    }
    /// Power again: as after a reset.
    fn again(&self) {
        let mut part = self.0.borrow_mut();
        (part.dark, part.power, part.busy, part.latch, part.asleep) = (false, None, 0, false, true);
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl SpiDevice for Bus {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), ErrorKind> {
        let mut sent = Vec::new();
        let mut length = 0;
        for operation in operations.iter() {
            match operation {
                Operation::Write(bytes) => {
                    assert_eq!(length, 0, "writes come before reads");
                    sent.extend_from_slice(bytes);
                }
                Operation::Read(bytes) => length += bytes.len(),
                _ => panic!("not used"),
            }
        }
        let mut answer = vec![0; length];
        let powered = self.0.borrow_mut().command(&sent, &mut answer);
        if !powered {
            core::future::pending::<()>().await;
        }
        let mut rest = &answer[..];
        for operation in operations {
            if let Operation::Read(bytes) = operation {
                let (now, later) = rest.split_at(bytes.len());
                bytes.copy_from_slice(now);
                rest = later;
            }
        }
        Ok(())
    }
}

struct NoTime;
impl DelayNs for NoTime {
    async fn delay_ns(&mut self, _: u32) {}
}

fn open(bus: &Bus) -> Result<SpiNor<Bus, NoTime>, SpiNorError> {
    run(SpiNor::open(bus.clone(), NoTime)).unwrap()
}

const MIB: usize = 1 << 20;

#[test]
fn f6_a_part_says_its_size_and_only_a_known_one_is_used() {
    for (size, bits, long, expected) in [
        (MIB, 8 << 20, true, MIB),
        (16 * MIB, 128 << 20, true, 16 * MIB),
        (64 * MIB, 512 << 20, true, 64 * MIB),
        // Without opcodes for long addresses only the first 16 MiB are reached, and none is reached twice.
        (64 * MIB, 512 << 20, false, 16 * MIB),
        // 4 Gbit: the density is an exponent.
        (MIB, 4 << 30, true, 512 * MIB),
    ] {
        let bus = Bus::new(size);
        bus.0.borrow_mut().density_bits = bits;
        bus.0.borrow_mut().four_byte_opcodes = long;
        let part = open(&bus).unwrap();
        assert_eq!((part.capacity(), part.identity()), (expected, [0xC2, 0x20, 0x1A]));
    }
    let refused = |change: fn(&mut Part)| {
        let bus = Bus::new(MIB);
        change(&mut bus.0.borrow_mut());
        open(&bus).err()
    };
    assert_eq!(refused(|part| part.signature = *b"SFDQ"), Some(SpiNorError::Unknown));
    assert_eq!(refused(|part| part.erase_opcode = 0xD8), Some(SpiNorError::Blocks));
    assert_eq!(refused(|part| part.protected = 0x04), Some(SpiNorError::Protected));
    assert_eq!(refused(|part| part.plugged = false), Some(SpiNorError::Missing));
    assert_eq!(
        refused(|part| (part.plugged, part.float) = (false, 0)),
        Some(SpiNorError::Missing)
    );
}

/// What a reader of the cells would see, after any calls: page programs clear bits, erases set them, and nothing else changes.
#[derive(Clone, Debug)]
enum Call {
    Read(u32, u16),
    Write(u32, u8, u8),
    Erase(u32, u8),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let one = prop_oneof![
        (0_u32..0x11_0000, 0_u16..1000).prop_map(|(at, length)| Call::Read(at, length)),
        (0_u32..4400, 0_u8..5, any::<u8>()).prop_map(|(page, pages, byte)| Call::Write(page * 256, pages, byte)),
        (0_u32..260, 0_u8..3).prop_map(|(block, blocks)| Call::Erase(block * 4096, blocks)),
        (0_u32..0x11_0000, 1_u8..3, any::<u8>()).prop_map(|(at, pages, byte)| Call::Write(at, pages, byte)),
        (0_u32..0x11_0000, 1_u8..3).prop_map(|(at, blocks)| Call::Erase(at, blocks)),
    ];
    proptest::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn v8_the_part_holds_what_was_programmed_and_nothing_else(calls in calls(), long in any::<bool>()) {
        let bus = Bus::new(MIB);
        // A large part of which the first MiB is there: long addresses are really used.
        if long {
            bus.0.borrow_mut().density_bits = 512 << 20;
        }
        let mut part = open(&bus).unwrap();
        let mut model = vec![0xFF_u8; MIB];
        let fits = |at: u32, length: usize| at as usize + length <= MIB;
        for call in calls {
            match call {
                Call::Read(at, length) => {
                    let mut bytes = vec![0; usize::from(length)];
                    let read = run(part.read(at, &mut bytes)).unwrap();
                    if fits(at, bytes.len()) {
                        prop_assert_eq!(read, Ok(()));
                        prop_assert_eq!(&bytes[..], &model[at as usize..at as usize + bytes.len()]);
                    } else if !long {
                        prop_assert_eq!(read, Err(SpiNorError::OutOfBounds));
                    }
                }
                Call::Write(at, pages, byte) => {
                    let data: Vec<u8> = (0..usize::from(pages) * 256).map(|index| byte.wrapping_add(index as u8)).collect();
                    if !at.is_multiple_of(256) {
                        prop_assert_eq!(run(part.write(at, &data)).unwrap(), Err(SpiNorError::NotAligned));
                    } else if fits(at, data.len()) {
                        prop_assert_eq!(run(part.write(at, &data)).unwrap(), Ok(()));
                        for (cell, byte) in model[at as usize..].iter_mut().zip(&data) {
                            *cell &= byte;
                        }
                    } else if !long {
                        prop_assert_eq!(run(part.write(at, &data)).unwrap(), Err(SpiNorError::OutOfBounds));
                    }
                }
                Call::Erase(at, blocks) => {
                    let length = usize::from(blocks) * 4096;
                    let to = at + u32::try_from(length).unwrap();
                    if !at.is_multiple_of(4096) {
                        prop_assert_eq!(run(part.erase(at, to)).unwrap(), Err(SpiNorError::NotAligned));
                    } else if fits(at, length) {
                        prop_assert_eq!(run(part.erase(at, to)).unwrap(), Ok(()));
                        model[at as usize..to as usize].fill(0xFF);
                    } else if !long {
                        prop_assert_eq!(run(part.erase(at, to)).unwrap(), Err(SpiNorError::OutOfBounds));
                    }
                }
            }
        }
        prop_assert!(bus.0.borrow().cells == model);
    }
}

/// A floating line reads as all ones, like a part that is blank: nothing there must never be nothing voted.
#[test]
fn f8_a_part_that_is_pulled_out_at_any_command_is_missing_not_blank() {
    for float in [0xFF, 0x00] {
        let mut seen = 0;
        for pulled in 0.. {
            let bus = Bus::new(MIB);
            bus.0.borrow_mut().float = float;
            let mut part = open(&bus).unwrap();
            run(part.write(0, &[7; 256])).unwrap().unwrap();
            bus.0.borrow_mut().pull_in = Some(pulled);
            let mut bytes = [0; 512];
            let done = run(async {
                part.write(256, &[9; 256]).await?;
                part.read(0, &mut bytes).await?;
                part.erase(4096, 8192).await
            })
            .unwrap();
            match done {
                Ok(()) => {
                    assert_eq!((bytes[0], bytes[511]), (7, 9));
                    break;
                }
                Err(error) => {
                    assert_eq!(
                        error,
                        SpiNorError::Missing,
                        "pulled at command {pulled}, lines at {float:02X}"
                    );
                    seen += 1;
                }
            }
        }
        assert!(seen > 10, "{seen}");
    }
}

#[test]
fn f10_a_part_that_never_finishes_is_given_up() {
    let bus = Bus::new(MIB);
    let mut part = open(&bus).unwrap();
    bus.0.borrow_mut().work = None;
    assert_eq!(run(part.write(0, &[0; 256])).unwrap(), Err(SpiNorError::Timeout));
    // The program starts again, the part does not.
    assert_eq!(open(&bus).err(), Some(SpiNorError::Timeout));
    bus.again();
    assert_eq!(
        run(open(&bus).unwrap().erase(0, 4096)).unwrap(),
        Err(SpiNorError::Timeout)
    );
}

/// The ballot box over the driver: a day, and the power cut in every program of it.
#[test]
fn f2_the_power_may_go_at_every_command_that_programs() {
    const SECTOR: u32 = 512;
    let size = usize::try_from(layout(SECTOR).size()).unwrap().next_multiple_of(4096);
    let medium = |bus: &Bus| NorMedium::new(open(bus).unwrap(), 0, u32::try_from(size).unwrap()).unwrap();
    let prepared = || {
        let buses = [Bus::new(MIB), Bus::new(MIB)];
        for (bus, role) in buses.iter().zip([Role::Original, Role::Duplicate]) {
            formatted(&mut medium(bus), role, SECTOR).unwrap();
        }
        buses
    };
    let whole = prepared();
    assert!(
        day(
            medium(&whole[0]),
            medium(&whole[1]),
            SECTOR,
            &mut Voters::default(),
            &mut Lcg(1)
        )
        .is_some()
    );
    for place in 0..2 {
        let count = whole[place].0.borrow().steps - prepared()[place].0.borrow().steps;
        assert!(count > 20, "{count}");
        for cut in 0..count {
            let buses = prepared();
            let (mut voters, mut rng) = (Voters::default(), Lcg(u64::from(cut)));
            buses[place].0.borrow_mut().power = Some(cut);
            if day(medium(&buses[0]), medium(&buses[1]), SECTOR, &mut voters, &mut rng).is_none() {
                buses.iter().for_each(Bus::again);
                assert!(day(medium(&buses[0]), medium(&buses[1]), SECTOR, &mut voters, &mut rng).is_some());
            }
            assert_eq!(voters.done.len(), usize::from(VOTERS), "medium {place}, cut {cut}");
            for bus in &buses {
                judge(medium(bus), &voters, &format!("medium {place}, cut {cut}"));
            }
        }
    }
}

#[test]
fn f6_a_slot_without_a_part_is_a_missing_medium() {
    let bus = Bus::new(MIB);
    let mut medium = NorMedium::new(open(&bus).unwrap(), 0, 1 << 20).unwrap();
    assert!(run(medium.geometry()).unwrap().is_ok());
    bus.0.borrow_mut().plugged = false;
    assert_eq!(run(medium.geometry()).unwrap().err(), Some(MediumError::Missing));
    bus.0.borrow_mut().plugged = true;
    assert!(run(medium.geometry()).unwrap().is_ok());
}
