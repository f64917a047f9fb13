//! The ballot box on raw NOR flash: a chip that keeps the rules of NOR, and power cuts at every page program and block erase.

#[path = "common/chip.rs"]
mod chip;
mod common;

use std::cell::RefCell;
use std::rc::Rc;

use chip::{BLOCK, Chip, Power};
use common::*;
use embedded_storage_async::nor_flash::ReadNorFlash as _;
use kiosk::ballot_box::Role;
use kiosk::ports::{Medium as _, MediumError};
use media::NorMedium;

const SECTOR: u32 = 512;

/// The medium begins behind the chip's first block, as behind a bootloader.
fn medium(chip: &Chip) -> NorMedium<Chip> {
    let size = u32::try_from(chip.capacity() - BLOCK).unwrap();
    NorMedium::new(chip.clone(), BLOCK as u32, size).unwrap()
}

fn chips(power: &Rc<RefCell<Power>>, junk: u8) -> [Chip; 2] {
    let size = usize::try_from(layout(SECTOR).size()).unwrap().next_multiple_of(BLOCK) + BLOCK;
    [Chip::new(size, junk, power), Chip::new(size, junk, power)]
}

fn prepare(chips: &[Chip; 2]) {
    for (chip, role) in chips.iter().zip([Role::Original, Role::Duplicate]) {
        run(medium(chip).erase()).unwrap().unwrap();
        formatted(&mut medium(chip), role, SECTOR).unwrap();
    }
}

fn play(chips: &[Chip; 2], voters: &mut Voters, rng: &mut Lcg) -> bool {
    day(medium(&chips[0]), medium(&chips[1]), SECTOR, voters, rng).is_some()
}

#[test]
fn f2_the_power_may_go_at_every_page_program_and_in_the_recovery() {
    let count = {
        let power = Rc::default();
        let chips = chips(&power, 0xFF);
        prepare(&chips);
        power.borrow_mut().steps = 0;
        assert!(play(&chips, &mut Voters::default(), &mut Lcg(1)));
        power.borrow().steps
    };
    assert!(count > 50, "{count}");
    let mut cuts = 0;
    for cut in 0..count {
        for again in [None, Some(0), Some(1), Some(2), Some(5)] {
            let context = format!("cut {cut}, again {again:?}");
            let power: Rc<RefCell<Power>> = Rc::default();
            let chips = chips(&power, 0xFF);
            prepare(&chips);
            let (mut voters, mut rng) = (Voters::default(), Lcg(u64::from(cut)));
            power.borrow_mut().left = Some(cut);
            power.borrow_mut().chance = u64::from(cut) * 7 + 1;
            assert!(!play(&chips, &mut voters, &mut rng), "{context}");
            for left in [again, None] {
                let mut power = power.borrow_mut();
                (power.gone, power.left) = (false, left);
                drop(power);
                cuts += 1;
                if play(&chips, &mut voters, &mut rng) {
                    break;
                }
            }
            assert_eq!(voters.done.len(), usize::from(VOTERS), "{context}");
            for chip in &chips {
                judge(medium(chip), &voters, &context);
                // Wear: nothing was erased but for formatting, and that was blank.
                assert!(
                    chip.cells.borrow().erases.iter().all(|erases| *erases == 0),
                    "{context}"
                );
            }
        }
    }
    println!("{count} page programs in a day, {cuts} cuts");
}

/// A chip that held another election: erased once a block, cut at every erase and again begun; whatever a torn erase leaves is never taken for blank.
#[test]
fn f10_formatting_may_be_cut_off_and_costs_one_erase_a_block() {
    let power: Rc<RefCell<Power>> = Rc::default();
    let chips = chips(&power, 0x5A);
    let mut refused = medium(&chips[0]);
    assert!(formatted(&mut refused, Role::Original, SECTOR).is_err(), "not blank");
    let blocks = run(refused.erase()).unwrap().unwrap();
    assert_eq!(blocks as usize, chips[0].capacity() / BLOCK - 1);
    assert_eq!(
        run(medium(&chips[0]).erase()),
        Some(Ok(0)),
        "blank blocks are left alone"
    );
    formatted(&mut medium(&chips[0]), Role::Original, SECTOR).unwrap();
    assert_eq!(
        chips[0].cells.borrow().erases[0],
        0,
        "the block before the region is not ours"
    );
    assert_eq!(chips[0].cells.borrow().bytes[..BLOCK], [0x5A; BLOCK]);
    assert!(chips[0].cells.borrow().erases[1..].iter().all(|erases| *erases == 1));
    for cut in 0..blocks {
        let chip = Chip::new(chips[1].capacity(), 0x5A, &power);
        (power.borrow_mut().left, power.borrow_mut().gone) = (Some(cut), false);
        assert!(run(medium(&chip).erase()).is_none(), "{cut}");
        (power.borrow_mut().left, power.borrow_mut().gone) = (None, false);
        assert!(formatted(&mut medium(&chip), Role::Original, SECTOR).is_err(), "{cut}");
        run(medium(&chip).erase()).unwrap().unwrap();
        formatted(&mut medium(&chip), Role::Original, SECTOR).unwrap();
        assert!(chip.cells.borrow().erases.iter().all(|erases| *erases <= 2), "{cut}");
    }
}

#[test]
fn f10_accesses_outside_or_across_pages_are_refused() {
    let power = Rc::default();
    let [chip, _] = chips(&power, 0xFF);
    let mut flash = medium(&chip);
    let size = run(flash.geometry()).unwrap().unwrap().size;
    let sector = [0; SECTOR as usize];
    assert_eq!(run(flash.write(size, &sector)).unwrap(), Err(MediumError::Bounds));
    assert_eq!(run(flash.write(256, &sector)).unwrap(), Err(MediumError::Bounds));
    assert_eq!(run(flash.write(0, &sector[..256])).unwrap(), Err(MediumError::Bounds));
    assert_eq!(
        run(flash.read(size - 1, &mut [0; 2])).unwrap(),
        Err(MediumError::Bounds)
    );
    assert_eq!(
        run(flash.read(u64::MAX, &mut [0; 2])).unwrap(),
        Err(MediumError::Bounds)
    );
    let capacity = u32::try_from(chip.capacity()).unwrap();
    for (from, size) in [(0, 0), (1, 4096), (0, 4095), (4096, capacity), (u32::MAX, 4096)] {
        assert!(NorMedium::new(chip.clone(), from, size).is_err(), "{from} {size}");
    }
}
