//! Room on the partition for starting: cuts leave blocks to nobody there, and nobody gives them back.

use super::super::entries;
use super::super::entries::Entry;
use super::super::install;
use super::built::Built;
use super::fat::{Fat, SECTOR};
use super::model::{Model, Stands, luck, start, starts, update};

const LUCK: u64 = 60;

/// The old software and one that failed, on so many blocks.
fn small(old: &Built, failed: &Built, blocks: usize) -> Stands {
    let mut stands = Stands {
        fat: Fat::new(blocks),
        ..Model::new(old, 0).stands
    };
    stands.put(&entries::blessed(&old.image.root), &old.efi);
    let tried = Entry {
        short: entries::short(&failed.image.root),
        tries: Some((0, 3)),
    };
    stands.put(&tried.name(), &failed.efi);
    stands
}

#[test]
fn f2_cuts_lose_a_step_of_blocks_each_and_an_update_that_just_fits_goes_through_after_them() {
    const CUTS: usize = 5;
    let (old, failed, new) = (Built::new(6, 1000), Built::new(9, 1000), Built::new(7, 1000));
    let program = [&old, &failed, &new].map(|built| built.efi.len().div_ceil(SECTOR));
    assert!(program.iter().all(|blocks| *blocks == program[0]));
    // Block 0 and 1 are none. The old one, the new one, its copy, and a block for each cut.
    let mut stands = small(&old, &failed, 2 + 3 * program[0] + CUTS);
    for number in 0..CUTS {
        let before = stands.fat.lost();
        let mut worst = stands.clone();
        for cut in 0.. {
            let mut model = Model::of(stands.clone(), cut);
            let ended = update(&mut model, &new, &old);
            for seed in 0..LUCK {
                let left = model.after_cut(&mut luck(seed));
                assert!(left.fat.lost() <= before + 1, "cut {cut}, {seed}: {}", left.fat.lost());
                if left.fat.lost() > worst.fat.lost() {
                    worst = left;
                }
            }
            if ended.is_ok() {
                break;
            }
        }
        assert_eq!(
            worst.fat.lost(),
            number + 1,
            "no cut lost anything: the law is not tried"
        );
        assert_eq!(starts(&mut worst.clone(), &[&old, &failed, &new]), 6);
        stands = worst;
    }
    let mut model = Model::of(stands, usize::MAX);
    update(&mut model, &new, &old).unwrap();
    assert_eq!(starts(&mut model.stands, &[&old, &new]), 7);
    let mut model = Model::of(model.stands, usize::MAX).second();
    install::bless(&mut model, &new.image.root).unwrap();
    for _ in 0..4 {
        start(&mut model.stands, &[&old, &new], None);
    }
    assert_eq!(starts(&mut model.stands, &[&old, &new]), 7);
}

/// What failed before goes first, so its blocks count as room; without room for the copy that blessing makes, nothing is begun.
#[test]
fn an_update_asks_for_no_more_room_than_it_needs_and_for_no_less() {
    let (old, failed, new) = (Built::new(6, 1000), Built::new(9, 1000), Built::new(7, 1000));
    let program = new.efi.len().div_ceil(SECTOR);
    for (blocks, fits) in [(2 + 3 * program, true), (3 * program, false)] {
        let mut model = Model::of(small(&old, &failed, blocks), usize::MAX);
        assert_eq!(
            install::fits(&mut model, &new.image, &old.image.root).is_ok(),
            fits,
            "{blocks}"
        );
        assert_eq!(update(&mut model, &new, &old).is_ok(), fits, "{blocks}");
    }
}
