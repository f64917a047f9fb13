//! The machine's own disk: the place for a root that does not run, and the folder of starting programs on the first partition.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags, fadvise, statvfs};

use super::entries::FRESH;
use super::install::{Part, Target};

/// Names of a folder that are looked at.
const NAMES: usize = 64;
/// Where starting programs lie on the first partition.
pub(super) const PROGRAMS: &str = "EFI/Linux";

/// The names beside the starting programs of the partition mounted at `starting`.
///
/// # Errors
/// The folder's.
pub fn names(starting: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(starting.join(PROGRAMS))?.take(NAMES);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

/// Devices of the place that does not run.
struct Places {
    root: PathBuf,
    tree: PathBuf,
}

/// The disk.
pub struct Disk {
    starting: PathBuf,
    places: Option<Places>,
    begun: Option<(File, PathBuf)>,
}

impl Disk {
    /// A disk by its parts: the first partition as it is mounted, and the devices of the place that does not run.
    #[must_use]
    pub const fn new(starting: PathBuf, root: PathBuf, tree: PathBuf) -> Self {
        Self {
            starting,
            places: Some(Places { root, tree }),
            begun: None,
        }
    }

    /// Only the folder of starting programs: what came up is blessed there also on a machine whose second place is not found.
    #[must_use]
    pub const fn without_places(starting: PathBuf) -> Self {
        Self {
            starting,
            places: None,
            begun: None,
        }
    }

    /// This machine's, found by what the kernel says: the partitions under the root that runs are one place, the other one is the other, and it is on the
    /// same disk. What names other disks give their partitions does not matter.
    ///
    /// # Errors
    /// The machine was not started from an image, or its disk has no second place.
    pub fn find(starting: &Path, sys: &Path, dev: &Path) -> io::Result<Self> {
        let none = |what: &str| io::Error::new(io::ErrorKind::NotFound, what);
        let (disk, runs) = running(sys)?.ok_or_else(|| none("nothing runs from an image"))?;
        let other = match runs.as_str() {
            "root-a" => "b",
            "root-b" => "a",
            _ => return Err(none("the root that runs has no place of its own")),
        };
        let device = |kind: &str| {
            let name = partition(&disk, &format!("{kind}-{other}"))?;
            name.map(|name| dev.join(name))
                .ok_or_else(|| none("the disk has no second place"))
        };
        Ok(Self::new(starting.to_path_buf(), device("root")?, device("tree")?))
    }

    fn program(&self, name: &str) -> PathBuf {
        self.starting.join(PROGRAMS).join(name)
    }

    fn path(&self, part: Part) -> io::Result<PathBuf> {
        let places = self.places.as_ref().ok_or(io::ErrorKind::NotFound);
        Ok(match part {
            Part::Root => places?.root.clone(),
            Part::Tree => places?.tree.clone(),
            Part::Efi => self.program(FRESH),
        })
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(self.starting.join(PROGRAMS))?.sync_all()
    }
}

/// The folder of the disk that the root that runs is on, and its partition's name.
fn running(sys: &Path) -> io::Result<Option<(PathBuf, String)>> {
    for entry in fs::read_dir(sys.join("block"))?.take(NAMES) {
        let path = entry?.path();
        let name = fs::read_to_string(path.join("dm/name")).unwrap_or_default();
        if name.trim() != "root" {
            continue;
        }
        for under in fs::read_dir(path.join("slaves"))?.take(NAMES) {
            // A link into the folder of the disk.
            let under = fs::canonicalize(sys.join("class/block").join(under?.file_name()))?;
            let name = part_name(&under).filter(|name| name.starts_with("root-"));
            if let (Some(name), Some(disk)) = (name, under.parent()) {
                return Ok(Some((disk.to_path_buf(), name)));
            }
        }
    }
    Ok(None)
}

/// The device of the one partition of this name on the disk of this folder; `None` if there are two.
fn partition(disk: &Path, wanted: &str) -> io::Result<Option<std::ffi::OsString>> {
    let mut found = None;
    for entry in fs::read_dir(disk)?.take(4 * NAMES) {
        let entry = entry?;
        if part_name(&entry.path()).as_deref() == Some(wanted) {
            if found.is_some() {
                return Ok(None);
            }
            found = Some(entry.file_name());
        }
    }
    Ok(found)
}

fn part_name(device: &Path) -> Option<String> {
    let text = fs::read_to_string(device.join("uevent")).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("PARTNAME="))
        .map(str::to_owned)
}

impl Target for Disk {
    fn room(&mut self, part: Part) -> io::Result<u64> {
        match part {
            Part::Root | Part::Tree => File::open(self.path(part)?)?.seek(SeekFrom::End(0)),
            Part::Efi => {
                let there = fs::metadata(self.path(part)?).map_or(0, |data| data.len());
                let space = statvfs(self.starting.join(PROGRAMS))?;
                Ok(space.f_bavail.saturating_mul(space.f_frsize).saturating_add(there))
            }
        }
    }

    fn begin(&mut self, part: Part) -> io::Result<()> {
        let path = self.path(part)?;
        let mut options = OpenOptions::new();
        options.write(true);
        match part {
            Part::Efi => options.create(true).truncate(true),
            // A partition that is in use, as a root or mounted, cannot be opened so: the kernel's last word on which place runs.
            Part::Root | Part::Tree => options.custom_flags(OFlags::EXCL.bits().cast_signed()),
        };
        self.begun = Some((options.open(&path)?, path));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (file, _) = self.begun.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // Closed afterwards: a device that nobody has open any more has nothing in memory.
        let (file, path) = self.begun.take().ok_or(io::ErrorKind::NotFound)?;
        file.sync_all()?;
        if path.parent().is_some_and(|folder| folder.ends_with(PROGRAMS)) {
            self.sync_folder()?;
        }
        Ok(())
    }

    fn read(&mut self, part: Part, length: u64) -> io::Result<Box<dyn Read + '_>> {
        let file = File::open(self.path(part)?)?;
        // What was synced is dropped from memory, so that it comes from the device. Where the kernel does not, it is no worse than without.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        Ok(Box::new(file.take(length)))
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        names(&self.starting)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.program(name))?;
        self.sync_folder()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let new = self.program(to);
        fs::rename(self.program(from), &new)?;
        // On FAT the renamed entry has no length until the file itself is synced once more.
        File::open(&new)?.sync_all()?;
        self.sync_folder()
    }
}
