//! Software that does not come up where the loader counts no tries: a cut in its rename has left two names, or the firmware cannot rename.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::super::disk::Disk;
use super::super::entries::{self, Entry};
use super::super::install::{self, Target as _};
use super::super::retreat;
use super::built::Built;
use super::model::{Model, Stands, Start, start, starts, update};

/// Names and what is in them.
type Files<'a> = &'a [(&'a str, &'a [u8])];

/// The old software stands, the new one is switched to.
fn switched(old: &Built, new: &Built) -> Stands {
    let mut model = Model::new(old, usize::MAX);
    update(&mut model, new, old).unwrap();
    model.stands
}

/// What the cut leaves, for each luck, and a firmware that cannot rename.
fn uncounted(old: &Built, new: &Built) -> Vec<Stands> {
    let switched = switched(old, new);
    let mut all: Vec<Stands> = (0..200)
        .map(|seed| {
            let mut stands = switched.clone();
            assert_eq!(start(&mut stands, &[old, new], Some(seed)), Start::Fails);
            stands
        })
        .collect();
    let both = |stands: &Stands| stands.names().len() == 3;
    assert!(all.iter().any(both), "no cut has left both names");
    all.push(Stands {
        renames: false,
        ..switched
    });
    all
}

#[test]
fn f2_software_whose_root_is_damaged_gives_way_also_where_a_cut_or_the_firmware_ends_the_count_of_tries() {
    let (old, new, third) = (Built::new(6, 1000), Built::new(7, 1000), Built::new(8, 1000));
    for mut stands in uncounted(&old, &new) {
        stands.places[1].0[7] ^= 1;
        assert_eq!(starts(&mut stands, &[&old, &new]), 6);
        // It stays so, and the next update goes through.
        assert_eq!(start(&mut stands, &[&old, &new], None), Start::Runs(6));
        let mut again = Model::of(stands, usize::MAX);
        update(&mut again, &third, &old).unwrap();
        assert_eq!(starts(&mut again.stands, &[&old, &third]), 8);
    }
}

#[test]
fn f2_software_that_starts_and_does_not_come_up_gives_way_also_where_nobody_counts() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let running = new.image.root;
    let mut earlier = 0;
    for mut stands in uncounted(&old, &new).into_iter().chain([switched(&old, &new)]) {
        let mut tries = 0;
        while start(&mut stands, &[&old, &new], None) == Start::Runs(7) {
            tries += 1;
            assert!(tries <= 2 * u32::from(entries::TRIES), "for ever: {:?}", stands.names());
            let mut model = Model::of(stands, usize::MAX);
            if !retreat::counted(&model.programs().unwrap(), &running) {
                assert_eq!(retreat::give_way(&mut model, &running), Ok(true));
                earlier += 1;
            }
            stands = model.stands;
        }
        assert_eq!(starts(&mut stands, &[&old, &new]), 6);
    }
    assert!(earlier > 1);
}

/// The initramfs' own program and ours leave the same on the same folder, and neither touches what is to stay.
#[test]
fn what_is_blessed_or_has_nothing_to_fall_back_to_is_left_alone_by_the_initramfs_as_by_us() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let tried = |left, done| {
        let short = entries::short(&new.image.root);
        let tries = Some((left, done));
        Entry { short, tries }.name()
    };
    let (stands, own) = (entries::blessed(&old.image.root), entries::blessed(&new.image.root));
    let failed = Entry {
        short: entries::short(&old.image.root),
        tries: Some((0, 3)),
    };
    let cases: [(Files<'_>, bool); 8] = [
        (&[(&stands, &old.efi), (&tried(3, 0), &new.efi)], true),
        (
            &[(&stands, &old.efi), (&tried(3, 0), &new.efi), (&tried(2, 1), &new.efi)],
            true,
        ),
        (&[(&stands, &old.efi), ("IPPYO-~1.EFI", &new.efi)], true),
        // Somebody else's torn name, and what is no program.
        (&[(&stands, &old.efi), ("IPPYO-~1.EFI", &old.efi)], false),
        (&[(&stands, &[0; 3000]), (&tried(3, 0), &new.efi)], false),
        (&[(&stands, &old.efi[..512]), (&tried(3, 0), &new.efi)], false),
        (&[(&failed.name(), &old.efi), (&tried(3, 0), &new.efi)], false),
        (
            &[(&stands, &old.efi), (&own, &new.efi), (&tried(2, 1), &new.efi)],
            false,
        ),
    ];
    for (number, (files, gives)) in cases.iter().enumerate() {
        let [ours, theirs] = [(); 2].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            let programs = folder.path().join("EFI/Linux");
            fs::create_dir_all(&programs).unwrap();
            for (name, bytes) in *files {
                fs::write(programs.join(name), bytes).unwrap();
            }
            folder
        });
        let mut disk = Disk::without_places(ours.path().to_path_buf());
        assert_eq!(
            retreat::give_way(&mut disk, &new.image.root),
            Ok(*gives),
            "case {number}"
        );
        let gave = initramfs(&theirs.path().join("EFI/Linux"), &new.image.root);
        assert_eq!(gave, *gives, "case {number}");
        for (name, bytes) in *files {
            let read = |folder: &tempfile::TempDir| fs::read(folder.path().join("EFI/Linux").join(name)).unwrap();
            let left = read(&ours);
            assert_eq!(left, read(&theirs), "case {number}, {name}");
            let own = *gives && *bytes == new.efi;
            let (head, rest) = bytes.split_at(if own { install::HEAD } else { 0 });
            assert!(left == [&vec![0; head.len()], rest].concat(), "case {number}, {name}");
        }
    }
}

/// Runs the initramfs' program; whether it says that something gave way.
fn initramfs(folder: &Path, software: &[u8; 32]) -> bool {
    let tools = tempfile::tempdir().unwrap();
    let busybox = tools.path().join("busybox");
    fs::write(&busybox, "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::set_permissions(&busybox, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("image/initramfs/give-way");
    let done = Command::new("sh")
        .arg(script)
        .arg(folder)
        .arg(hex::encode(software))
        .env("PATH", format!("{}:{path}", tools.path().display()))
        .status();
    done.unwrap().success()
}
