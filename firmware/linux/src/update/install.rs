//! Writing an image to the place that does not run, so that a power cut after any step leaves a machine that starts.
//!
//! The order is the whole of it: first every starting program but the running one goes, because what it would start is overwritten next; then
//! root, tree and starting program are written, synced and read back; last, [`switch`], the starting program gets its first sector. Until then that
//! sector is empty and the file is no program, which the loader passes over whatever its name is. So the one step that counts is the write of one
//! sector that has its place already, and FAT, which keeps no journal, can lose or tear everything else: names, lengths, chains of blocks.
//! For the same reason nothing is ever renamed here, and a program loses its first sector before it loses its name. Sectors that say again what they said
//! (the directory's, with another time; the partition's first one, with its flag of being mounted) are written beside it, old or new after a cut.

use std::io::{self, Cursor, Read};

use election::hash::Digest;
use election::update::{self, Image, TREE_HEAD};
use kiosk::update::Refused;
use sha2::{Digest as _, Sha256};

use super::entries;
use crate::image;

/// Bytes that are written at once.
pub const STEP: usize = 256 << 10;

/// Bytes of a starting program that come last: a sector, which a disk writes whole or not at all. A program begins with [`MAGIC`] in it.
pub const HEAD: usize = 512;
/// The first bytes of every program that the firmware can start.
pub const MAGIC: &[u8] = b"MZ";
/// No program.
pub const NO_HEAD: Head = [0; HEAD];
/// Longest starting program that is copied: room for four is on the partition.
pub(super) const LONGEST: usize = 32 << 20;

/// The first sector of a starting program.
pub type Head = [u8; HEAD];

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The root's file system.
    Root,
    /// Its hash tree.
    Tree,
    /// What the firmware starts.
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

/// A place on the disk.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The root that does not run.
    Root,
    /// Its tree.
    Tree,
    /// A starting program by its name.
    Program(&'a str),
}

/// The disk, without the place that runs. Errors are the device's.
pub trait Target {
    /// Bytes of room for a part.
    ///
    /// # Errors
    /// The device's.
    fn room(&mut self, part: Part) -> io::Result<u64>;
    /// Begins a place anew. A starting program must not be there yet; it begins with [`NO_HEAD`], which is durable on return, and what is written goes
    /// behind it.
    ///
    /// # Errors
    /// The device's.
    fn begin(&mut self, place: Place<'_>) -> io::Result<()>;
    /// Writes the next bytes of the place begun last. They may not be durable yet, but of a starting program no more than [`STEP`] are not.
    ///
    /// # Errors
    /// The device's.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Everything written to the place begun last is durable on return.
    ///
    /// # Errors
    /// The device's.
    fn sync(&mut self) -> io::Result<()>;
    /// The first `length` bytes of a place, from the device and not from memory.
    ///
    /// # Errors
    /// The device's.
    fn read(&mut self, place: Place<'_>, length: u64) -> io::Result<Box<dyn Read + '_>>;
    /// Names beside the starting programs.
    ///
    /// # Errors
    /// The device's.
    fn names(&mut self) -> io::Result<Vec<String>>;
    /// Those of them that are programs: with a first sector.
    ///
    /// # Errors
    /// The device's.
    fn programs(&mut self) -> io::Result<Vec<String>>;
    /// Bytes of a name that is there.
    ///
    /// # Errors
    /// The device's.
    fn length(&mut self, name: &str) -> io::Result<u64>;
    /// Writes the first sector of a program that is there, in one write of one sector; durable on return.
    ///
    /// # Errors
    /// The device's.
    fn head(&mut self, name: &str, head: &Head) -> io::Result<()>;
    /// Removes a name and gives back its blocks, a step at a time; durable on return.
    ///
    /// # Errors
    /// The device's.
    fn remove(&mut self, name: &str) -> io::Result<()>;
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

/// Whether every part has room, the starting program twice: [`bless`] copies it. Beside what runs, all that is there goes first.
///
/// # Errors
/// [`Refused::TooLarge`], [`Refused::Disk`].
pub fn fits(target: &mut impl Target, image: &Image, running: &Digest) -> Result<(), Refused> {
    let mut goes = 0_u64;
    let runs = entries::blessed(running);
    for name in target.names().map_err(disk)?.iter().filter(|name| **name != runs) {
        goes = goes.saturating_add(target.length(name).map_err(disk)?);
    }
    for part in Part::ALL {
        let length = part.of(image).length;
        let (needed, most) = match part {
            Part::Root | Part::Tree => (length, u64::MAX),
            Part::Efi => (length.saturating_mul(2).saturating_sub(goes), LONGEST as u64),
        };
        if length > most || needed > target.room(part).map_err(disk)? {
            return Err(Refused::TooLarge);
        }
    }
    Ok(())
}

/// Writes everything but the starting program's first sector, which it returns for [`switch`]. `running` is the software that runs; `far` is told how
/// many bytes of [`total`] are done, and ends the writing if it fails.
///
/// # Errors
/// [`Refused`]; what runs starts as before.
pub fn install(
    target: &mut impl Target,
    source: &mut impl Source,
    image: &Image,
    running: &Digest,
    far: &mut dyn FnMut(u64) -> Result<(), Refused>,
) -> Result<Head, Refused> {
    if image.root == *running {
        return Err(Refused::Older);
    }
    clear(target, running)?;
    fits(target, image, running)?;
    let name = entries::fresh(&image.root);
    let (mut done, mut kept) = (0, None);
    for part in Part::ALL {
        let signed = part.of(image);
        let place = match part {
            Part::Root => Place::Root,
            Part::Tree => Place::Tree,
            Part::Efi => Place::Program(&name),
        };
        let mut file = source.open(part).map_err(|_| Refused::DriveGone)?;
        target.begin(place).map_err(disk)?;
        copy(file.as_mut(), signed, Refused::DriveGone, &mut done, far, |bytes| {
            let bytes = match (part, kept) {
                (Part::Efi, None) => {
                    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(Refused::Changed)?;
                    kept = Some(*head);
                    rest
                }
                _ => bytes,
            };
            target.write(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull => Refused::TooLarge,
                _ => Refused::Disk,
            })
        })
        .and_then(|held| if held { Ok(()) } else { Err(Refused::Changed) })?;
        target.sync().map_err(disk)?;
        let mut back = target.read(place, signed.length).map_err(disk)?;
        let mut back: Box<dyn Read> = match kept {
            Some(head) if part == Part::Efi => Box::new(Cursor::new(head).chain(behind(back)?)),
            _ => Box::new(back.as_mut()),
        };
        let held = copy(back.as_mut(), signed, Refused::Disk, &mut done, far, |_| Ok(()))?;
        if !held {
            return Err(Refused::Disk);
        }
    }
    // A tree of another root would never be found at the start: better said now.
    let mut head = vec![0; TREE_HEAD];
    let length = image.tree.length.min(TREE_HEAD as u64);
    let mut tree = target.read(Place::Tree, length).map_err(disk)?;
    if tree.read_exact(&mut head).is_err() || update::tree_root(&head) != Some(image.root) {
        return Err(Refused::Changed);
    }
    kept.filter(|head| head.starts_with(MAGIC)).ok_or(Refused::Changed)
}

/// What a program holds behind its empty first sector.
fn behind(mut program: Box<dyn Read + '_>) -> Result<Box<dyn Read + '_>, Refused> {
    let mut head = [1; HEAD];
    match program.read_exact(&mut head) {
        Ok(()) if head == NO_HEAD => Ok(program),
        _ => Err(Refused::Disk),
    }
}

/// Gives the new starting program its first sector: from here on the loader starts it, three times at most until it is blessed.
///
/// # Errors
/// [`Refused::Disk`].
pub fn switch(target: &mut impl Target, image: &Image, head: &Head) -> Result<(), Refused> {
    let name = entries::fresh(&image.root);
    target.head(&name, head).map_err(disk)?;
    let there = target.programs().map_err(disk)?.contains(&name);
    if there { Ok(()) } else { Err(Refused::Disk) }
}

/// What runs has come up: it gets a name without a count of tries, as a copy, and only then its name with one goes. A cut leaves one of them or both,
/// and both are the same program. A rename would not do: the loader has renamed that name at each start, and if one of these was cut, two names may
/// share one chain of blocks.
///
/// # Errors
/// [`Refused`]: it is on trial as before.
pub fn bless(target: &mut impl Target, running: &Digest) -> Result<(), Refused> {
    let programs = target.programs().map_err(disk)?;
    let to = entries::blessed(running);
    if !programs.contains(&to) {
        let from = programs.iter().filter(|name| entries::may_be(name, running));
        let mut found = None;
        for from in from {
            let mut bytes = Vec::new();
            let mut file = target.read(Place::Program(from), LONGEST as u64).map_err(disk)?;
            // A name whose blocks are gone is not what runs.
            if file.read_to_end(&mut bytes).is_ok() && image::named_in(&bytes) == Some(*running) {
                found = Some(bytes);
                break;
            }
        }
        let bytes = found.ok_or(Refused::Disk)?;
        let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(Refused::Disk)?;
        // What a cut has left of a file may stand on blocks that count as free: it goes before any are given out, or it would take them with it later.
        for name in target
            .names()
            .map_err(disk)?
            .iter()
            .filter(|name| !programs.contains(name))
        {
            take_away(target, name, false)?;
        }
        target.begin(Place::Program(&to)).map_err(disk)?;
        for bytes in rest.chunks(STEP) {
            target.write(bytes).map_err(disk)?;
        }
        target.sync().map_err(disk)?;
        let mut back = Vec::new();
        let file = target.read(Place::Program(&to), bytes.len() as u64).map_err(disk)?;
        behind(file)?.read_to_end(&mut back).map_err(disk)?;
        if back != rest {
            return Err(Refused::Disk);
        }
        target.head(&to, head).map_err(disk)?;
    }
    for name in programs
        .iter()
        .filter(|name| **name != to && entries::is_of(name, running))
    {
        take_away(target, name, true)?;
    }
    Ok(())
}

/// A program loses its first sector first: what a cut leaves of its name is no program then.
fn take_away(target: &mut impl Target, name: &str, program: bool) -> Result<(), Refused> {
    if program {
        target.head(name, &NO_HEAD).map_err(disk)?;
    }
    target.remove(name).map_err(disk)
}

/// Every starting program but the running one goes, and what cuts have left of files, before blocks are given out. Without that one there is nothing to fall back to, and nothing is touched.
fn clear(target: &mut impl Target, running: &Digest) -> Result<(), Refused> {
    let programs = target.programs().map_err(disk)?;
    let runs = entries::blessed(running);
    if !programs.contains(&runs) {
        // What runs must have come up: an image on trial is no ground to stand on.
        let tried = programs.iter().any(|name| entries::is_of(name, running));
        return Err(if tried { Refused::Order } else { Refused::Disk });
    }
    for name in target.names().map_err(disk)?.iter().filter(|name| **name != runs) {
        take_away(target, name, programs.contains(name))?;
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
