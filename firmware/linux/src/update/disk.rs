//! The machine's own disk: the place for a root that does not run, and the folder of starting programs on the first partition.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags, fadvise, statvfs};

use super::install::{HEAD, Head, MAGIC, NO_HEAD, Part, Place, STEP, Target};

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

/// Those of them that are programs, as far as their first bytes tell: the loader starts no other, whatever its name is.
///
/// # Errors
/// The folder's.
pub fn programs(starting: &Path) -> io::Result<Vec<String>> {
    let mut names = names(starting)?;
    names.retain(|name| is_program(&starting.join(PROGRAMS).join(name)));
    Ok(names)
}

/// A file whose first block cannot be read is none, for the loader as for us; nor is one of a single sector, whose content a cut may have left as it was
/// before the file.
fn is_program(path: &Path) -> bool {
    let mut first = [0; HEAD + 1];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first.starts_with(MAGIC)
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
    begun: Option<File>,
    /// What was begun is a starting program.
    program: bool,
}

impl Disk {
    /// A disk by its parts: the first partition as it is mounted, and the devices of the place that does not run.
    #[must_use]
    pub const fn new(starting: PathBuf, root: PathBuf, tree: PathBuf) -> Self {
        Self {
            starting,
            places: Some(Places { root, tree }),
            begun: None,
            program: false,
        }
    }

    /// Only the folder of starting programs: what came up is blessed there also on a machine whose second place is not found.
    #[must_use]
    pub const fn without_places(starting: PathBuf) -> Self {
        Self {
            starting,
            places: None,
            begun: None,
            program: false,
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

    fn path(&self, place: Place<'_>) -> io::Result<PathBuf> {
        let places = self.places.as_ref().ok_or(io::ErrorKind::NotFound);
        Ok(match place {
            Place::Root => places?.root.clone(),
            Place::Tree => places?.tree.clone(),
            Place::Program(name) => self.program(name),
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
        let place = match part {
            Part::Root => Place::Root,
            Part::Tree => Place::Tree,
            Part::Efi => {
                let space = statvfs(self.starting.join(PROGRAMS))?;
                // The last blocks of two files are not full.
                let blocks = space.f_bavail.saturating_sub(2);
                return Ok(blocks.saturating_mul(space.f_frsize));
            }
        };
        File::open(self.path(place)?)?.seek(SeekFrom::End(0))
    }

    fn begin(&mut self, place: Place<'_>) -> io::Result<()> {
        let path = self.path(place)?;
        self.program = matches!(place, Place::Program(_));
        let mut options = OpenOptions::new();
        options.write(true);
        let Place::Program(_) = place else {
            // A partition that is in use, as a root or mounted, cannot be opened so: the kernel's last word on which place runs.
            options.custom_flags(OFlags::EXCL.bits().cast_signed());
            self.begun = Some(options.open(&path)?);
            return Ok(());
        };
        let mut file = options.create_new(true).open(&path)?;
        file.write_all(&NO_HEAD)?;
        file.sync_all()?;
        self.sync_folder()?;
        self.begun = Some(file);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.begun.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(bytes)?;
        if self.program {
            // A cut leaves no more blocks that belong to nobody than one step has.
            file.sync_data()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        // Closed afterwards: a device that nobody has open any more has nothing in memory. On FAT this also writes the table and the length.
        let file = self.begun.take().ok_or(io::ErrorKind::NotFound)?;
        file.sync_all()
    }

    fn read(&mut self, place: Place<'_>, length: u64) -> io::Result<Box<dyn Read + '_>> {
        let file = File::open(self.path(place)?)?;
        // What was synced is dropped from memory, so that it comes from the device. Where the kernel does not, it is no worse than without.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        Ok(Box::new(file.take(length)))
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        names(&self.starting)
    }

    fn programs(&mut self) -> io::Result<Vec<String>> {
        programs(&self.starting)
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.program(name))?.len())
    }

    fn head(&mut self, name: &str, head: &Head) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.program(name))?;
        // The kernel writes the sectors of a file that were changed, and this is one. The time of the change follows with the sector of the directory, when
        // it likes: it says what stands there already.
        file.write_all_at(head, 0)?;
        file.sync_data()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let path = self.program(name);
        let file = OpenOptions::new().write(true).open(&path)?;
        // From the end on, and each step synced: a name that goes before its blocks leaves them to nobody, and there is no check of the file system that
        // would give them back. A chain that a cut has broken cannot be shortened; what is left of it goes with the name.
        let mut length = file.metadata()?.len();
        while length > 0 {
            length = length.saturating_sub(1) / STEP as u64 * STEP as u64;
            if file.set_len(length).and_then(|()| file.sync_all()).is_err() {
                break;
            }
        }
        drop(file);
        fs::remove_file(path)?;
        self.sync_folder()
    }
}
