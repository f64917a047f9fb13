//! Writing and blessing, cut after every step; images that do not come up; images that are not the signed ones.

use std::io::{self, Read};

use kiosk::update::Refused;

use super::super::entries::{self, Entry};
use super::super::install::{self, Part, Source, Target as _};
use super::built::Built;
use super::model::{Model, Stands, Start, luck, start, starts, update};

/// Ways in which each cut may go.
const LUCK: u64 = 120;

/// Old software that runs; in the other place lies one that failed before, and may have a torn name.
fn before(old: &Built, failed: &Built) -> Stands {
    let mut stands = Model::new(old, 0).stands;
    let tried = Entry {
        short: entries::short(&failed.image.root),
        tries: Some((0, 3)),
    };
    stands.put(&tried.name(), &failed.efi);
    stands.places[1] = (failed.root.clone(), failed.tree.clone());
    stands
}

#[test]
fn f2_a_cut_after_any_step_of_an_update_leaves_a_machine_that_starts_the_old_or_the_new_software_whole() {
    // More than two steps of writing, and not a whole number of them. The one that failed is newer than both.
    let (old, new) = (Built::new(6, 300_000), Built::new(7, 2 * install::STEP + 77));
    let failed = Built::new(9, 2000);
    let images = [&old, &new, &failed];
    let stands = before(&old, &failed);
    let mut whole = Model::of(stands.clone(), usize::MAX);
    update(&mut whole, &new, &old).unwrap();
    assert!(whole.steps > 12, "{}", whole.steps);
    assert_eq!(starts(&mut whole.stands.clone(), &images), 7);
    let mut seen = [0, 0];
    for cut in 0..=whole.steps {
        let mut model = Model::of(stands.clone(), cut);
        let ended = update(&mut model, &new, &old);
        assert_eq!(ended.is_ok(), cut == whole.steps, "cut {cut}");
        for seed in 0..LUCK {
            let mut left = model.after_cut(&mut luck(seed));
            let runs = starts(&mut left, &images);
            // Only the last sector makes a program of the new one; cut while it is written, it is there or not.
            let new_too = if cut == whole.steps {
                runs == 7
            } else {
                cut + 1 == whole.steps
            };
            assert!(
                runs == 6 && cut < whole.steps || runs == 7 && new_too,
                "cut {cut}, {seed}: {runs}"
            );
            seen[usize::from(runs == 7)] += 1;
            if runs == 6 {
                // And the next attempt goes through, whatever lies there.
                let mut again = Model::of(left, usize::MAX);
                update(&mut again, &new, &old).unwrap_or_else(|why| panic!("cut {cut}, {seed}: {why}"));
                assert_eq!(starts(&mut again.stands, &images), 7);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 0));
}

/// The loader counts a try by a rename, and new software gets its last name at its first card: cut in both.
#[test]
fn f2_a_cut_while_tries_are_counted_or_taken_off_leaves_a_machine_that_starts_and_takes_the_next_update() {
    let (old, new, third) = (Built::new(6, 1000), Built::new(7, 1000), Built::new(8, 1000));
    let images = [&old, &new, &third];
    let mut switched = Model::new(&old, usize::MAX);
    update(&mut switched, &new, &old).unwrap();
    let (mut went_back, mut stayed) = (0, 0);
    for counted in (0..LUCK).map(Some).chain([None]) {
        let mut stands = switched.stands.clone();
        if counted.is_some() {
            start(&mut stands, &images, counted);
        }
        if starts(&mut stands, &images) == 6 {
            // Its name is gone: the old software, and the update once more.
            let mut again = Model::of(stands, usize::MAX);
            update(&mut again, &new, &old).unwrap();
            assert_eq!(starts(&mut again.stands, &images), 7);
            went_back += 1;
            continue;
        }
        for cut in 0.. {
            let mut model = Model::of(stands.clone(), cut).second();
            let ended = install::bless(&mut model, &new.image.root);
            for seed in 0..LUCK / 4 {
                let mut left = model.after_cut(&mut luck(seed));
                assert_eq!(starts(&mut left, &images), 7, "{counted:?}, cut {cut}, {seed}");
                // Blessed at the next start, if it was not; then it stays, and the next update stands on it.
                let mut blessed = Model::of(left, usize::MAX).second();
                install::bless(&mut blessed, &new.image.root).unwrap();
                assert!(blessed.names().unwrap().contains(&entries::blessed(&new.image.root)));
                for _ in 0..5 {
                    assert_eq!(start(&mut blessed.stands, &images, None), Start::Runs(7));
                }
                let mut next = Model::of(blessed.stands, usize::MAX).second();
                update(&mut next, &third, &new).unwrap_or_else(|why| panic!("{counted:?}, cut {cut}, {seed}: {why}"));
                assert_eq!(next.stands.names().len(), 2);
                assert_eq!(starts(&mut next.stands, &images), 8);
                stayed += 1;
            }
            if ended.is_ok() {
                break;
            }
        }
    }
    assert!(went_back > 0 && stayed > 100, "{went_back}, {stayed}");
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
        assert_eq!(start(&mut stands, &images, None), Start::Runs(7));
    }
    for _ in 0..3 {
        assert_eq!(start(&mut stands, &images, None), Start::Runs(6));
    }
    // It does not even start: its root is damaged.
    let mut stands = model.stands.clone();
    stands.places[1].0[7] ^= 1;
    assert_eq!(starts(&mut stands, &images), 6);
    // The next image takes its place, over the one that failed.
    let third = Built::new(8, 1000);
    let mut again = Model::of(stands, usize::MAX);
    update(&mut again, &third, &old).unwrap();
    assert_eq!(starts(&mut again.stands, &[&old, &third]), 8);
    // On trial it is no ground for the next one; blessed, it is.
    let mut stands = model.stands.clone();
    assert_eq!(start(&mut stands, &images, None), Start::Runs(7));
    let mut running = Model::of(stands, usize::MAX).second();
    assert_eq!(update(&mut running, &third, &new), Err(Refused::Order));
    install::bless(&mut running, &new.image.root).unwrap();
    update(&mut running, &third, &new).unwrap();
    assert_eq!(starts(&mut running.stands.clone(), &[&new, &third]), 8);
    let old = entries::short(&old.image.root);
    assert!(running.stands.names().iter().all(|name| !name.contains(&old)));
}

/// A name that a cut has torn has no count; what it starts is on trial all the same, and is blessed as what it is.
#[test]
fn software_that_runs_under_a_torn_name_gets_its_own_and_no_other_programs() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let mut stands = Model::new(&old, 0).stands;
    stands.put("IPPYO-~1.EFI", &new.efi);
    let programs = Model::of(stands.clone(), 0).programs().unwrap();
    assert!(entries::on_trial(&programs, &new.image.root));
    let mut model = Model::of(stands, usize::MAX);
    install::bless(&mut model, &new.image.root).unwrap();
    let blessed = model.now_read(&entries::blessed(&new.image.root));
    assert_eq!(blessed, new.efi);
    // Nobody's program is called what runs.
    assert_eq!(install::bless(&mut model, &[9; 32]), Err(Refused::Disk));
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
    let mut model = Model::new(&new, usize::MAX);
    assert_eq!(update(&mut model, &Built::new(8, 1000), &old), Err(Refused::Disk));
    assert_eq!(model.stands.names().len(), 1);
}
