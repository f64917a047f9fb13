//! Which partitions are the machine's, from what the kernel says.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use kiosk::update::Refused;

use super::super::disk::Disk;
use super::super::entries;
use super::super::install::{self, Place, Target as _};
use super::built::Built;

/// Disks with their partitions, as the kernel shows them; `holder` is the partition that the root is on.
fn kernel(folder: &Path, disks: &[(&str, &[&str])], holder: &str) {
    let sys = folder.join("sys");
    fs::create_dir_all(sys.join("class/block")).unwrap();
    fs::create_dir_all(sys.join("block/dm-0/slaves")).unwrap();
    fs::create_dir_all(sys.join("block/dm-0/dm")).unwrap();
    fs::create_dir_all(folder.join("dev")).unwrap();
    fs::write(sys.join("block/dm-0/dm/name"), "root\n").unwrap();
    for (disk, partitions) in disks {
        for (number, name) in partitions.iter().enumerate() {
            let device = format!("{disk}{}", number + 1);
            let at = sys.join("devices").join(disk).join(&device);
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join("uevent"), format!("DEVTYPE=partition\nPARTNAME={name}\n")).unwrap();
            symlink(&at, sys.join("class/block").join(&device)).unwrap();
            fs::write(folder.join("dev").join(&device), [0; 16]).unwrap();
        }
    }
    symlink(
        sys.join("class/block").join(holder),
        sys.join("block/dm-0/slaves").join(holder),
    )
    .unwrap();
}

const OWN: &[&str] = &["ippyo-esp", "root-a", "tree-a", "root-b", "tree-b", "ippyo-state"];

fn find(folder: &Path) -> std::io::Result<Disk> {
    Disk::find(&folder.join("starting"), &folder.join("sys"), &folder.join("dev"))
}

#[test]
fn a7_what_other_disks_call_their_partitions_changes_nothing() {
    let others: [&[(&str, &[&str])]; 3] = [
        &[("sdb", OWN)],
        &[("sda", OWN), ("sdb", OWN), ("sdc", &["root-a", "root-b"])],
        &[("sda", &["tree-a", "tree-a", "root-a"]), ("sdb", OWN)],
    ];
    for disks in others {
        for (holder, [root, tree]) in [("sdb2", ["sdb4", "sdb5"]), ("sdb4", ["sdb2", "sdb3"])] {
            let folder = tempfile::tempdir().unwrap();
            kernel(folder.path(), disks, holder);
            let mut disk = find(folder.path()).unwrap();
            for (place, device) in [(Place::Root, root), (Place::Tree, tree)] {
                disk.begin(place).unwrap();
                disk.write(b"here").unwrap();
                disk.sync().unwrap();
                assert!(
                    fs::read(folder.path().join("dev").join(device))
                        .unwrap()
                        .starts_with(b"here")
                );
            }
        }
    }
}

#[test]
fn a_machine_without_a_second_place_writes_nothing_and_can_still_say_what_came_up() {
    for partitions in [
        &["ippyo-esp", "root-a", "tree-a"][..],
        &["root-b", "root-a", "root-b", "tree-b"][..],
    ] {
        let folder = tempfile::tempdir().unwrap();
        kernel(folder.path(), &[("sda", partitions), ("sdb", OWN)], "sda2");
        assert!(find(folder.path()).is_err(), "{partitions:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("EFI/Linux");
    fs::create_dir_all(&programs).unwrap();
    let new = Built::new(7, 10);
    let name = entries::fresh(&new.image.root);
    fs::write(programs.join(&name), &new.efi).unwrap();
    let mut disk = Disk::without_places(folder.path().to_path_buf());
    assert_eq!(install::fits(&mut disk, &new.image, &[9; 32]), Err(Refused::Disk));
    // What an attempt before has left under the name is no program, and is in nobody's way.
    let blessed = entries::blessed(&new.image.root);
    fs::write(programs.join(&blessed), [0; 3000]).unwrap();
    assert_eq!(disk.programs().unwrap(), [name]);
    install::bless(&mut disk, &new.image.root).unwrap();
    assert_eq!(disk.names().unwrap(), std::slice::from_ref(&blessed));
    assert_eq!(fs::read(programs.join(blessed)).unwrap(), new.efi);
}
