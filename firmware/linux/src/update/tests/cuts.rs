//! Writing, cut after every step; images that do not come up; images that are not the signed ones.

use std::collections::BTreeMap;
use std::io::{self, Read};

use kiosk::update::Refused;

use super::super::entries::{self, Entry};
use super::super::install::{self, Part, Source, Target};
use super::built::Built;
use super::model::{Model, start, starts, update};

#[test]
fn f2_a_cut_after_any_step_of_an_update_leaves_a_machine_that_starts_the_old_or_the_new_software_whole() {
    // More than two steps of writing, and not a whole number of them.
    let (old, new) = (Built::new(6, 300_000), Built::new(7, 2 * install::STEP + 77));
    // In the other place lies one that failed before: its name is gone before its root is overwritten.
    let failed = Built::new(5, 2000);
    let images = [&old, &new, &failed];
    let model = |cut| {
        let mut model = Model::new(&old, cut);
        let tried = Entry {
            short: entries::short(&failed.image.root),
            tries: Some((0, 3)),
        };
        model.stands.files.insert(tried.name(), failed.efi.clone());
        model.stands.places[1] = (failed.root.clone(), failed.tree.clone());
        model
    };
    let mut whole = model(usize::MAX);
    update(&mut whole, &new, &old).unwrap();
    assert!(whole.steps > 12, "{}", whole.steps);
    assert_eq!(starts(&mut whole.stands.clone(), &images), 7);
    let mut seen = [0, 0];
    for cut in 0..=whole.steps {
        let mut model = model(cut);
        let ended = update(&mut model, &new, &old);
        assert_eq!(ended.is_ok(), cut == whole.steps, "cut {cut}");
        for luck in 0..81 {
            let mut left = model.after_cut(luck);
            let runs = starts(&mut left, &images);
            // The switch is the last step: before it nothing new starts.
            assert_eq!(runs, if cut == whole.steps { 7 } else { 6 }, "cut {cut}, {luck}");
            seen[usize::from(runs == 7)] += 1;
            if runs == 6 {
                // And the next attempt goes through, whatever lies there.
                let mut again = Model {
                    stands: left,
                    ..Model::new(&old, usize::MAX)
                };
                update(&mut again, &new, &old).unwrap();
                assert_eq!(starts(&mut again.stands, &images), 7);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 0));
}

#[test]
fn a_new_image_that_does_not_come_up_gives_way_to_the_old_one_and_one_that_does_stays() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let images = [&old, &new];
    let mut model = Model::new(&old, usize::MAX);
    update(&mut model, &new, &old).unwrap();
    // It starts, and nobody blesses it.
    let mut stands = model.stands.clone();
    for _ in 0..entries::TRIES {
        assert_eq!(start(&mut stands, &images), Some(7));
    }
    for _ in 0..3 {
        assert_eq!(start(&mut stands, &images), Some(6));
    }
    // It does not even start: its root is damaged.
    let mut stands = model.stands.clone();
    stands.places[1].0[7] ^= 1;
    assert_eq!(starts(&mut stands, &images), 6);
    // The next image takes its place, over the one that failed.
    let third = Built::new(8, 1000);
    let mut again = Model {
        stands,
        ..Model::new(&old, usize::MAX)
    };
    update(&mut again, &third, &old).unwrap();
    assert_eq!(starts(&mut again.stands, &[&old, &third]), 8);
    // Blessed, it stays, and is what the next update stands on.
    let mut stands = model.stands.clone();
    assert_eq!(start(&mut stands, &images), Some(7));
    let mut running = Model {
        stands,
        other: 0,
        ..Model::new(&old, usize::MAX)
    };
    assert_eq!(
        update(&mut running, &third, &new),
        Err(Refused::Order),
        "not while it is on trial"
    );
    let names = running.names().unwrap();
    let (from, to) = entries::blessing(&names, &new.image.root).unwrap();
    running.rename(&from, &to).unwrap();
    for _ in 0..5 {
        assert_eq!(start(&mut running.stands, &images), Some(7));
    }
    update(&mut running, &third, &new).unwrap();
    assert_eq!(starts(&mut running.stands.clone(), &[&new, &third]), 8);
    assert!(
        running
            .stands
            .files
            .keys()
            .all(|name| !name.contains(&entries::short(&old.image.root)))
    );
}

#[test]
fn what_is_not_the_signed_image_or_has_no_room_or_does_not_stay_is_never_switched_to() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let images = [&old, &new];
    let try_with = |source: Built, change: fn(&mut Model)| {
        let mut model = Model::new(&old, usize::MAX);
        change(&mut model);
        let mut source = source;
        let ended = install::install(&mut model, &mut source, &new.image, &old.image.root, &mut |_| Ok(()));
        assert_eq!(starts(&mut model.stands, &images), 6);
        ended.unwrap_err()
    };
    for part in Part::ALL {
        for change in [
            |bytes: &mut Vec<u8>| bytes[17] ^= 1,
            |bytes: &mut Vec<u8>| bytes.truncate(900),
        ] {
            let mut other = new.clone();
            change(match part {
                Part::Root => &mut other.root,
                Part::Tree => &mut other.tree,
                Part::Efi => &mut other.efi,
            });
            assert_eq!(try_with(other, |_| {}), Refused::Changed, "{part:?}");
        }
    }
    assert_eq!(try_with(new.clone(), |model| model.room = 999), Refused::TooLarge);
    assert_eq!(try_with(new.clone(), |model| model.lies = true), Refused::Disk);
    assert_eq!(try_with(new.clone(), |model| model.cut = 3), Refused::Disk);
    // Signed, but its tree is of another root: it would not be found at the start.
    let mut other = new.clone();
    other.image.root = [9; 32];
    let mut model = Model::new(&old, usize::MAX);
    let ended = install::install(
        &mut model,
        &mut other.clone(),
        &other.image,
        &old.image.root,
        &mut |_| Ok(()),
    );
    assert_eq!(ended, Err(Refused::Changed));
    // The drive is pulled.
    struct Pulled;
    impl Source for Pulled {
        fn open(&mut self, _: Part) -> io::Result<Box<dyn Read>> {
            Ok(Box::new(Broken))
        }
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no device"))
        }
    }
    let mut model = Model::new(&old, usize::MAX);
    let ended = install::install(&mut model, &mut Pulled, &new.image, &old.image.root, &mut |_| Ok(()));
    assert_eq!(ended, Err(Refused::DriveGone));
    assert_eq!(starts(&mut model.stands, &images), 6);
    // Without the running program's name there is nothing to fall back to.
    let mut model = Model::new(&old, usize::MAX);
    model.stands.files = BTreeMap::from([("ippyo-0000000000000000.efi".to_owned(), vec![])]);
    assert_eq!(update(&mut model, &new, &old), Err(Refused::Disk));
    assert_eq!(model.stands.files.len(), 1);
}
