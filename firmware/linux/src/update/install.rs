//! Writing an image to the place that does not run, so that a power cut after any step leaves a machine that starts.
//!
//! The order is the whole of it: first every starting program but the running one goes, because what it would start is overwritten next; then
//! root, tree and starting program are written, synced and read back; last, [`switch`], one rename gives the starting program a name that the
//! loader looks at. What a loader would start is whole at every moment, as far as a rename is one step: FAT does not promise that (image/README.md, open).

use std::io::{self, Read};

use election::hash::Digest;
use election::update::{self, Image, TREE_HEAD};
use kiosk::update::Refused;
use sha2::{Digest as _, Sha256};

use super::entries::{self, Entry, FRESH};

/// Bytes that are written at once.
pub const STEP: usize = 256 << 10;

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The root's file system.
    Root,
    /// Its hash tree.
    Tree,
    /// What the firmware starts, under the name [`FRESH`].
    Efi,
}

impl Part {
    /// In the order of writing.
    pub const ALL: [Self; 3] = [Self::Root, Self::Tree, Self::Efi];

    /// Its file on the drive.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Root => "root.squashfs",
            Self::Tree => "root.tree",
            Self::Efi => "kiosk.efi",
        }
    }

    /// What is signed of it.
    #[must_use]
    pub const fn of(self, image: &Image) -> &update::Part {
        match self {
            Self::Root => &image.squashfs,
            Self::Tree => &image.tree,
            Self::Efi => &image.efi,
        }
    }
}

/// The disk, without the place that runs.
pub trait Target {
    /// Bytes of room for a part.
    ///
    /// # Errors
    /// The device's.
    fn room(&mut self, part: Part) -> io::Result<u64>;
    /// Begins a part anew; what the file of [`Part::Efi`] held is gone.
    ///
    /// # Errors
    /// The device's.
    fn begin(&mut self, part: Part) -> io::Result<()>;
    /// Writes the next bytes of the part begun last. They may not be durable yet.
    ///
    /// # Errors
    /// The device's.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Everything written to the part begun last is durable on return.
    ///
    /// # Errors
    /// The device's.
    fn sync(&mut self) -> io::Result<()>;
    /// The first `length` bytes of a part, from the device and not from memory.
    ///
    /// # Errors
    /// The device's.
    fn read(&mut self, part: Part, length: u64) -> io::Result<Box<dyn Read + '_>>;
    /// Names beside the starting programs.
    ///
    /// # Errors
    /// The device's.
    fn names(&mut self) -> io::Result<Vec<String>>;
    /// Removes a name; durable on return.
    ///
    /// # Errors
    /// The device's.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Renames; durable on return, a cut leaves the old or the new name.
    ///
    /// # Errors
    /// The device's.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
}

/// The image's files on the drive.
pub trait Source {
    /// A file.
    ///
    /// # Errors
    /// The drive's.
    fn open(&mut self, part: Part) -> io::Result<Box<dyn Read>>;
}

/// The kiosk is told that the disk fails; what the system said goes to the updater's log.
pub(super) fn disk(error: io::Error) -> Refused {
    eprintln!("disk: {error}");
    Refused::Disk
}

/// How many bytes [`install`] writes and reads back in all.
#[must_use]
pub fn total(image: &Image) -> u64 {
    Part::ALL
        .iter()
        .map(|part| part.of(image).length.saturating_mul(2))
        .sum()
}

/// Whether every part has room.
///
/// # Errors
/// [`Refused::TooLarge`], [`Refused::Disk`].
pub fn fits(target: &mut impl Target, image: &Image) -> Result<(), Refused> {
    for part in Part::ALL {
        if part.of(image).length > target.room(part).map_err(disk)? {
            return Err(Refused::TooLarge);
        }
    }
    Ok(())
}

/// Writes everything but the switch. `running` is the software that runs; `far` is told how many bytes of [`total`] are done, and ends the writing if it fails.
///
/// # Errors
/// [`Refused`]; what runs starts as before.
pub fn install(
    target: &mut impl Target,
    source: &mut impl Source,
    image: &Image,
    running: &Digest,
    far: &mut dyn FnMut(u64) -> Result<(), Refused>,
) -> Result<(), Refused> {
    if image.root == *running {
        return Err(Refused::Older);
    }
    clear(target, running)?;
    fits(target, image)?;
    let mut done = 0;
    for part in Part::ALL {
        let signed = part.of(image);
        let mut file = source.open(part).map_err(|_| Refused::DriveGone)?;
        target.begin(part).map_err(disk)?;
        copy(file.as_mut(), signed, Refused::DriveGone, &mut done, far, |bytes| {
            target.write(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull => Refused::TooLarge,
                _ => Refused::Disk,
            })
        })
        .and_then(|held| if held { Ok(()) } else { Err(Refused::Changed) })?;
        target.sync().map_err(disk)?;
        let mut back = target.read(part, signed.length).map_err(disk)?;
        let held = copy(back.as_mut(), signed, Refused::Disk, &mut done, far, |_| Ok(()))?;
        if !held {
            return Err(Refused::Disk);
        }
    }
    // A tree of another root would never be found at the start: better said now.
    let mut head = vec![0; TREE_HEAD];
    let length = image.tree.length.min(TREE_HEAD as u64);
    let mut tree = target.read(Part::Tree, length).map_err(disk)?;
    if tree.read_exact(&mut head).is_err() || update::tree_root(&head) != Some(image.root) {
        return Err(Refused::Changed);
    }
    Ok(())
}

/// Gives the new starting program its name: from here on the loader starts it, three times at most until it is blessed.
///
/// # Errors
/// [`Refused::Disk`].
pub fn switch(target: &mut impl Target, image: &Image) -> Result<(), Refused> {
    let name = entries::fresh(&image.root);
    target.rename(FRESH, &name).map_err(disk)?;
    let there = target.names().map_err(disk)?.contains(&name);
    if there { Ok(()) } else { Err(Refused::Disk) }
}

/// Every starting program but the running one goes. Without that one there is nothing to fall back to, and nothing is touched.
fn clear(target: &mut impl Target, running: &Digest) -> Result<(), Refused> {
    let names = target.names().map_err(disk)?;
    let running = entries::short(running);
    let runs = |name: &String| Entry::read(name).is_some_and(|entry| entry.short == running);
    let mut own = names
        .iter()
        .filter(|name| runs(name))
        .filter_map(|name| Entry::read(name))
        .peekable();
    if own.peek().is_none() {
        return Err(Refused::Disk);
    }
    // What runs must have come up: an image on trial is no ground to stand on.
    if own.any(|entry| entry.tries.is_some()) {
        return Err(Refused::Order);
    }
    for name in names.iter().filter(|name| !runs(name)) {
        target.remove(name).map_err(disk)?;
    }
    Ok(())
}

/// Passes a part's bytes on, never more than are signed; whether they are the signed ones.
fn copy(
    from: &mut dyn Read,
    signed: &update::Part,
    broken: Refused,
    done: &mut u64,
    far: &mut dyn FnMut(u64) -> Result<(), Refused>,
    mut to: impl FnMut(&[u8]) -> Result<(), Refused>,
) -> Result<bool, Refused> {
    let mut hasher = Sha256::new();
    let mut left = signed.length;
    let mut buffer = vec![0; STEP];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(STEP).min(STEP);
        let Some(bytes) = buffer.get_mut(..wanted) else {
            return Ok(false);
        };
        match from.read_exact(bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && broken == Refused::DriveGone => {
                return Ok(false);
            }
            Err(_) => return Err(broken),
        }
        hasher.update(&*bytes);
        to(bytes)?;
        let step = wanted as u64;
        left = left.saturating_sub(step);
        *done = done.saturating_add(step);
        far(*done)?;
    }
    let digest: Digest = hasher.finalize().into();
    Ok(digest == signed.sha256)
}
