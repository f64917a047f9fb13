//! A disk with a cache that a cut loses any part of, and the loader and the initramfs that start from it.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use election::hash::Digest;
use election::update::tree_root;
use kiosk::update::Refused;

use super::super::entries::{self, Entry, FRESH};
use super::super::install::{self, Part, Target};
use super::built::Built;

/// What is on the disk for good.
#[derive(Clone, Default)]
pub struct Stands {
    /// Root and tree of both places.
    pub places: [(Vec<u8>, Vec<u8>); 2],
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A disk that is cut off after so many steps, with a cache of what was not synced.
pub struct Model {
    pub stands: Stands,
    /// Writes since the last sync: part, offset, bytes.
    pub cache: Vec<(Part, usize, Vec<u8>)>,
    pub part: Part,
    pub offset: usize,
    /// The place that is written to.
    pub other: usize,
    pub room: usize,
    pub steps: usize,
    pub cut: usize,
    /// A device that gives back something else than was written.
    pub lies: bool,
}

impl Model {
    pub fn new(old: &Built, cut: usize) -> Self {
        let mut stands = Stands::default();
        stands.places[0] = (old.root.clone(), old.tree.clone());
        stands.places[1] = (vec![0xEE; 9], vec![0xEE; 9]);
        let blessed = Entry {
            short: entries::short(&old.image.root),
            tries: None,
        };
        stands.files.insert(blessed.name(), old.efi.clone());
        Self {
            stands,
            cache: Vec::new(),
            part: Part::Root,
            offset: 0,
            other: 1,
            room: 1 << 20,
            steps: 0,
            cut,
            lies: false,
        }
    }

    pub fn step(&mut self) -> io::Result<()> {
        if self.steps == self.cut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.steps += 1;
        Ok(())
    }

    pub fn place(stands: &mut Stands, other: usize, part: Part) -> &mut Vec<u8> {
        match part {
            Part::Root => &mut stands.places[other].0,
            Part::Tree => &mut stands.places[other].1,
            Part::Efi => stands.files.entry(FRESH.to_owned()).or_default(),
        }
    }

    pub fn apply(stands: &mut Stands, other: usize, (part, offset, bytes): &(Part, usize, Vec<u8>)) {
        let place = Self::place(stands, other, *part);
        let end = offset + bytes.len();
        place.resize(place.len().max(end), 0);
        place[*offset..end].copy_from_slice(bytes);
    }

    /// What a cut may leave: of the unsynced writes each whole, in half, or not at all, by the bits of `luck`.
    pub fn after_cut(&self, mut luck: u64) -> Stands {
        let mut stands = self.stands.clone();
        for (part, offset, bytes) in &self.cache {
            let kept = match luck % 3 {
                0 => bytes.len(),
                1 => bytes.len() / 2,
                _ => 0,
            };
            luck /= 3;
            Self::apply(&mut stands, self.other, &(*part, *offset, bytes[..kept].to_vec()));
        }
        stands
    }
}

impl Target for Model {
    fn room(&mut self, _: Part) -> io::Result<u64> {
        Ok(self.room as u64)
    }
    fn begin(&mut self, part: Part) -> io::Result<()> {
        self.step()?;
        (self.part, self.offset) = (part, 0);
        if part == Part::Efi {
            self.stands.files.insert(FRESH.to_owned(), Vec::new());
        }
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A cut in the middle of a write leaves it in the cache: it may have gone out, or half of it.
        self.cache.push((self.part, self.offset, bytes.to_vec()));
        self.step()?;
        self.offset += bytes.len();
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        for write in std::mem::take(&mut self.cache) {
            Self::apply(&mut self.stands, self.other, &write);
        }
        Ok(())
    }
    fn read(&mut self, part: Part, length: u64) -> io::Result<Box<dyn Read + '_>> {
        assert!(self.cache.is_empty(), "read back before it was durable");
        let mut bytes = Self::place(&mut self.stands, self.other, part).clone();
        if self.lies {
            bytes[0] ^= 1;
        }
        Ok(Box::new(Cursor::new(bytes).take(length)))
    }
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.stands.files.keys().cloned().collect())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step()?;
        self.stands
            .files
            .remove(name)
            .map(|_| ())
            .ok_or(io::ErrorKind::NotFound.into())
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let file = self.stands.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.stands.files.insert(to.to_owned(), file);
        Ok(())
    }
}

/// systemd-boot and our initramfs: one start. The version that runs, `None` if this start fails; the loader's count is on the disk then.
pub fn start(stands: &mut Stands, images: &[&Built]) -> Option<u32> {
    let mut programs: Vec<(bool, std::cmp::Reverse<u32>, String)> = Vec::new();
    for (name, bytes) in &stands.files {
        // The loader looks at every file of this ending, ours or not.
        if !name.ends_with(".efi") {
            continue;
        }
        let entry = Entry::read(name).expect("a name that the loader does not count");
        let version = images
            .iter()
            .find(|built| built.efi == *bytes)
            .expect("half a starting program has a name")
            .image
            .version;
        let out = entry.tries.is_some_and(|(left, _)| left == 0);
        programs.push((out, std::cmp::Reverse(version), name.clone()));
    }
    programs.sort();
    let name = programs.first().expect("nothing to start").2.clone();
    let mut entry = Entry::read(&name).unwrap();
    let bytes = stands.files.remove(&name).unwrap();
    if let Some((left, done)) = entry.tries {
        entry.tries = Some((left.saturating_sub(1), done + 1));
    }
    stands.files.insert(entry.name(), bytes.clone());
    let software: Digest = bytes[..32].try_into().unwrap();
    let built = images.iter().find(|built| built.image.root == software).unwrap();
    let found = stands.places.iter().any(|(root, tree)| {
        tree_root(tree) == Some(software) && root.starts_with(&built.root) && tree.starts_with(&built.tree)
    });
    found.then_some(built.image.version)
}

/// Starts until something runs, as a machine does that is switched on again.
pub fn starts(stands: &mut Stands, images: &[&Built]) -> u32 {
    (0..8)
        .find_map(|_| start(stands, images))
        .expect("the machine does not start any more")
}

pub fn update(model: &mut Model, new: &Built, old: &Built) -> Result<(), Refused> {
    install::install(model, &mut new.clone(), &new.image, &old.image.root, &mut |_| Ok(()))?;
    install::switch(model, &new.image)
}
