//! A disk with a cache that a cut loses any part of, and the loader and the initramfs that start from it.

use std::cmp::Reverse;
use std::io::{self, Cursor, Read};

use election::update::tree_root;
use kiosk::update::Refused;

use super::super::entries::{self, Entry};
use super::super::install::{self, Head, NO_HEAD, Part, Place, Target};
use super::super::retreat;
use super::built::Built;
use super::fat::{self, Fat};

/// Blocks of the partition for starting: programs of the tests have five.
const BLOCKS: usize = 40;

/// What is on the disk for good.
#[derive(Clone)]
pub struct Stands {
    /// Root and tree of both places.
    pub places: [(Vec<u8>, Vec<u8>); 2],
    pub fat: Fat,
    /// Whether the firmware's FAT driver can rename.
    pub renames: bool,
}

impl Stands {
    /// A file that has been there for long.
    pub fn put(&mut self, name: &str, bytes: &[u8]) {
        self.fat.create(name);
        self.fat.append(name, bytes);
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.fat.files().into_iter().map(|file| file.name).collect();
        names.sort();
        names
    }
}

/// What is not durable yet.
enum Cached {
    Place(Part, usize, Vec<u8>),
    Sector(fat::Write),
}

/// A disk that is cut off after so many steps, with a cache of what was not synced.
pub struct Model {
    pub stands: Stands,
    /// The file system as the running system sees it.
    now: Fat,
    cache: Vec<Cached>,
    begun: Option<Begun>,
    /// The place that is written to.
    pub other: usize,
    pub room: usize,
    pub steps: usize,
    pub cut: usize,
    /// A device that gives back something else than was written.
    pub lies: bool,
}

enum Begun {
    Place(Part, usize),
    Program(String),
}

impl Model {
    pub fn new(old: &Built, cut: usize) -> Self {
        let mut stands = Stands {
            places: [(old.root.clone(), old.tree.clone()), (vec![0xEE; 9], vec![0xEE; 9])],
            fat: Fat::new(BLOCKS),
            renames: true,
        };
        stands.put(&entries::blessed(&old.image.root), &old.efi);
        Self::of(stands, cut)
    }

    /// Of what stands there; the first place runs.
    pub fn of(stands: Stands, cut: usize) -> Self {
        Self {
            now: stands.fat.clone(),
            stands,
            cache: Vec::new(),
            begun: None,
            other: 1,
            room: 1 << 20,
            steps: 0,
            cut,
            lies: false,
        }
    }

    /// The second place runs, and the first is written.
    pub fn second(mut self) -> Self {
        self.other = 0;
        self
    }

    /// A file as the running system sees it.
    pub fn now_read(&self, name: &str) -> Vec<u8> {
        let file = self.now.find(name).unwrap();
        self.now.read(&file).unwrap()
    }

    fn step(&mut self) -> io::Result<()> {
        if self.steps == self.cut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.steps += 1;
        Ok(())
    }

    fn note(&mut self, writes: Vec<fat::Write>) {
        self.cache.extend(writes.into_iter().map(Cached::Sector));
    }

    /// What is in the cache may have gone out when the cut comes, in any part; after the step it has.
    fn durable(&mut self, writes: Vec<fat::Write>) -> io::Result<()> {
        self.note(writes);
        self.sync_all()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.step()?;
        self.stands = self.after_cut(&mut |_| 0);
        self.cache.clear();
        Ok(())
    }

    /// What a cut may leave: of the unsynced writes each whole (0), in half (1) or not at all (2), as `luck` says; a sector is never written in half.
    pub fn after_cut(&self, luck: &mut dyn FnMut(usize) -> u64) -> Stands {
        let mut stands = self.stands.clone();
        for (number, write) in self.cache.iter().enumerate() {
            match (write, luck(number)) {
                (Cached::Sector(write), 0) => stands.fat.apply(write),
                (Cached::Place(part, offset, bytes), kept @ (0 | 1)) => {
                    let bytes = if kept == 0 { bytes } else { &bytes[..bytes.len() / 2] };
                    let place = place(&mut stands, self.other, *part);
                    let end = offset + bytes.len();
                    place.resize(place.len().max(end), 0);
                    place[*offset..end].copy_from_slice(bytes);
                }
                _ => {}
            }
        }
        stands
    }
}

/// Luck number so and so: all, nothing, and then any.
pub fn luck(seed: u64) -> impl FnMut(usize) -> u64 {
    move |number| match seed {
        0 => 0,
        1 => 2,
        _ => {
            let mut mixed = (seed << 20 | number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed ^ mixed >> 27) % 3
        }
    }
}

fn place(stands: &mut Stands, other: usize, part: Part) -> &mut Vec<u8> {
    match part {
        Part::Root => &mut stands.places[other].0,
        Part::Tree => &mut stands.places[other].1,
        Part::Efi => panic!("no place of its own"),
    }
}

const fn part(place: Place<'_>) -> Option<Part> {
    match place {
        Place::Root => Some(Part::Root),
        Place::Tree => Some(Part::Tree),
        Place::Program(_) => None,
    }
}

impl Target for Model {
    fn room(&mut self, part: Part) -> io::Result<u64> {
        Ok(match part {
            Part::Efi => self.now.free() as u64,
            _ => self.room as u64,
        })
    }
    fn begin(&mut self, place: Place<'_>) -> io::Result<()> {
        let Place::Program(name) = place else {
            self.begun = part(place).map(|part| Begun::Place(part, 0));
            return self.step();
        };
        self.begun = Some(Begun::Program(name.to_owned()));
        let mut writes = self.now.create(name);
        writes.extend(self.now.append(name, &NO_HEAD));
        self.durable(writes)
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A cut in the middle of a write leaves it in the cache: it may have gone out, or half of it.
        match self.begun.as_mut().unwrap() {
            Begun::Place(part, offset) => {
                self.cache.push(Cached::Place(*part, *offset, bytes.to_vec()));
                *offset += bytes.len();
            }
            Begun::Program(name) => {
                // A step of the model has one block.
                let name = name.clone();
                for block in bytes.chunks(fat::SECTOR) {
                    let writes = self.now.append(&name, block);
                    self.durable(writes)?;
                }
                return Ok(());
            }
        }
        self.step()
    }
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
    fn read(&mut self, from: Place<'_>, length: u64) -> io::Result<Box<dyn Read + '_>> {
        assert!(self.cache.is_empty(), "read back before it was durable");
        let mut bytes = match (from, part(from)) {
            (_, Some(part)) => place(&mut self.stands, self.other, part).clone(),
            (Place::Program(name), _) => {
                let file = self.now.find(name).ok_or(io::ErrorKind::NotFound)?;
                self.now.read(&file).ok_or(io::ErrorKind::InvalidData)?
            }
            _ => unreachable!(),
        };
        if self.lies {
            bytes[0] ^= 1;
        }
        Ok(Box::new(Cursor::new(bytes).take(length)))
    }
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.now.files().into_iter().map(|file| file.name).collect())
    }
    fn programs(&mut self) -> io::Result<Vec<String>> {
        let files = self.now.files().into_iter();
        let programs = files.filter(|file| self.now.is_program(file));
        Ok(programs.map(|file| file.name).collect())
    }
    fn head(&mut self, name: &str, head: &Head) -> io::Result<()> {
        let mut writes = self.now.overwrite(name, head);
        // The sector of the directory comes with it or later, or never.
        writes.push(self.now.touch(name));
        self.durable(writes)
    }
    fn length(&mut self, name: &str) -> io::Result<u64> {
        Ok(self.now.find(name).ok_or(io::ErrorKind::NotFound)?.length() as u64)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut left = self.length(name)?;
        while left > 0 {
            let (writes, less) = self.now.shrink(name);
            self.durable(writes)?;
            left = less as u64;
        }
        let writes = self.now.remove(name);
        self.durable(writes)
    }
}

/// How a start went.
#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    Runs(u32),
    Fails,
}

/// systemd-boot and our initramfs: one start. The loader's count is on the disk then, or, with a `cut`, what that leaves of it.
pub fn start(stands: &mut Stands, images: &[&Built], cut: Option<u64>) -> Start {
    let mut programs = Vec::new();
    for file in stands.fat.files() {
        // The loader looks at every file of this ending, ours or not, that is a program.
        if !file.name.to_ascii_lowercase().ends_with(".efi") || !stands.fat.is_program(&file) {
            continue;
        }
        let bytes = stands.fat.read(&file).expect("the loader cannot read a program");
        let built = images.iter().find(|built| built.efi == bytes);
        let built = *built.expect("half a starting program has a first sector");
        let tries = Entry::read(&file.name).and_then(|entry| entry.tries);
        let out = tries.is_some_and(|(left, _)| left == 0);
        programs.push((out, Reverse(built.image.version), file.name.clone(), file, built));
    }
    programs.sort_by(|one, two| (one.0, one.1, &one.2).cmp(&(two.0, two.1, &two.2)));
    let (.., file, built) = programs.first().expect("nothing to start");
    let mut counted = false;
    if let Some(mut entry) = Entry::read(&file.name)
        && let Some((left, done)) = entry.tries
    {
        entry.tries = Some((left.saturating_sub(1), done + 1));
        let before = stands.fat.clone();
        // Where a cut has left both names, the firmware refuses to give the second one again, and the loader goes on without.
        let there = !stands.renames || stands.fat.find(&entry.name()).is_some();
        let writes = if there {
            Vec::new()
        } else {
            stands.fat.rename(file, &entry.name())
        };
        if let Some(seed) = cut {
            stands.fat = before;
            let mut luck = luck(seed);
            for (number, write) in writes.iter().enumerate() {
                if luck(number) == 0 {
                    stands.fat.apply(write);
                }
            }
            return Start::Fails;
        }
        counted = !there;
    }
    let found = stands.places.iter().any(|(root, tree)| {
        tree_root(tree) == Some(built.image.root) && root.starts_with(&built.root) && tree.starts_with(&built.tree)
    });
    if found {
        Start::Runs(built.image.version)
    } else {
        // The initramfs knows from the loader whether tries are counted (`give-way`, which does the same as this).
        if !counted {
            let mut model = Model::of(stands.clone(), usize::MAX);
            retreat::give_way(&mut model, &built.image.root).expect("the disk");
            *stands = model.stands;
        }
        Start::Fails
    }
}

/// Starts until something runs, as a machine does that is switched on again.
pub fn starts(stands: &mut Stands, images: &[&Built]) -> u32 {
    for _ in 0..8 {
        if let Start::Runs(version) = start(stands, images, None) {
            return version;
        }
    }
    panic!("the machine does not start any more");
}

pub fn update(model: &mut Model, new: &Built, old: &Built) -> Result<(), Refused> {
    let head = install::install(model, &mut new.clone(), &new.image, &old.image.root, &mut |_| Ok(()))?;
    install::switch(model, &new.image, &head)
}
