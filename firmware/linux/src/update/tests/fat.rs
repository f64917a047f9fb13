//! A FAT file system as sectors: a directory whose long names take several entries, a table of chains, blocks of one sector. Nothing in it is one step
//! but the write of one sector, and a power cut keeps any of those that were not synced, in any order.

use std::sync::atomic::{AtomicU32, Ordering};

/// Entries in a sector of the directory. A disk has 16; fewer tear more names.
const ENTRIES: usize = 4;
/// Words in a sector of the table. A disk has 128.
const WORDS: usize = 4;
/// Sectors of the directory: it does not grow here.
const DIRECTORY: usize = 12;
/// Letters of a long name in an entry.
const LETTERS: usize = 13;
/// Bytes of a sector, which is a block too.
pub const SECTOR: usize = 512;
/// Last of its chain.
const END: u16 = 0xFFFF;

/// No short name is given twice: pieces of a torn long name fit no other.
static SHORT: AtomicU32 = AtomicU32::new(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    Free,
    /// A piece of a long name: of which short one, how many pieces come after this one, its letters.
    Long(u32, usize, String),
    /// The short name, first block (0: none), length.
    Short(u32, u16, usize),
}

type Entries = [Slot; ENTRIES];

/// The write of one sector.
#[derive(Clone)]
pub enum Write {
    Directory(usize, Entries),
    Table(usize, [u16; WORDS]),
    Block(u16, Vec<u8>),
}

/// A file as somebody finds it who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    places: Vec<usize>,
    first: u16,
    length: usize,
}

impl Found {
    pub const fn length(&self) -> usize {
        self.length
    }
}

#[derive(Clone)]
pub struct Fat {
    directory: Vec<Entries>,
    table: Vec<[u16; WORDS]>,
    blocks: Vec<Vec<u8>>,
}

impl Fat {
    pub fn new(blocks: usize) -> Self {
        Self {
            directory: vec![[const { Slot::Free }; ENTRIES]; DIRECTORY],
            table: vec![[0; WORDS]; blocks.div_ceil(WORDS)],
            // What lay there before nobody knows: a program, at worst.
            blocks: vec![[b"MZ", &[0x5A; SECTOR - 2][..]].concat(); blocks],
        }
    }

    pub fn apply(&mut self, write: &Write) {
        match write {
            Write::Directory(at, entries) => self.directory[*at] = entries.clone(),
            Write::Table(at, words) => self.table[*at] = *words,
            Write::Block(at, bytes) => self.blocks[usize::from(*at)].clone_from(bytes),
        }
    }

    fn slot(&self, at: usize) -> &Slot {
        &self.directory[at / ENTRIES][at % ENTRIES]
    }

    fn set(&mut self, at: usize, slot: Slot) -> Write {
        self.directory[at / ENTRIES][at % ENTRIES] = slot;
        Write::Directory(at / ENTRIES, self.directory[at / ENTRIES].clone())
    }

    fn link(&mut self, block: u16, next: u16) -> Write {
        let block = usize::from(block);
        self.table[block / WORDS][block % WORDS] = next;
        Write::Table(block / WORDS, self.table[block / WORDS])
    }

    fn next(&self, block: u16) -> u16 {
        let block = usize::from(block);
        self.table[block / WORDS][block % WORDS]
    }

    /// All files. A short name whose long one is torn is a file of that short name.
    pub fn files(&self) -> Vec<Found> {
        let mut files = Vec::new();
        for at in 0..DIRECTORY * ENTRIES {
            let Slot::Short(own, first, length) = *self.slot(at) else {
                continue;
            };
            let (mut name, mut places) = (String::new(), vec![at]);
            for before in 1..=at {
                match self.slot(at - before) {
                    Slot::Long(of, after, letters) if *of == own && *after == before - 1 => {
                        name.push_str(letters);
                        places.push(at - before);
                    }
                    _ => break,
                }
            }
            // The first letters stand nearest, the last ones end with a zero: without them it is torn.
            if !name.ends_with('\0') {
                (name, places) = (format!("IPPYO-~{own}.EFI"), vec![at]);
            }
            let name = name.trim_end_matches('\0').to_owned();
            files.push(Found {
                name,
                places,
                first,
                length,
            });
        }
        files
    }

    pub fn find(&self, name: &str) -> Option<Found> {
        self.files().into_iter().find(|file| file.name == name)
    }

    /// The blocks of a file, as far as its chain goes, and whether it goes far enough.
    fn chain(&self, file: &Found) -> (Vec<u16>, bool) {
        let wanted = file.length.div_ceil(SECTOR);
        let mut chain = Vec::new();
        let mut block = file.first;
        while block != 0 && block != END && chain.len() < wanted {
            chain.push(block);
            block = self.next(block);
        }
        let whole = chain.len() == wanted;
        (chain, whole)
    }

    /// The blocks from this one on, to the chain's end, however long the file is said to be.
    fn all(&self, first: u16) -> Vec<u16> {
        let mut chain = Vec::new();
        let mut block = first;
        while block != 0 && block != END && !chain.contains(&block) {
            chain.push(block);
            block = self.next(block);
        }
        chain
    }

    /// Blocks that are not free and that no name leads to.
    pub fn lost(&self) -> usize {
        let led: Vec<u16> = self.files().iter().flat_map(|file| self.all(file.first)).collect();
        (2..u16::try_from(self.blocks.len()).unwrap())
            .filter(|block| self.next(*block) != 0 && !led.contains(block))
            .count()
    }

    /// What is in a file; `None` if it cannot be read to its end.
    pub fn read(&self, file: &Found) -> Option<Vec<u8>> {
        let (chain, whole) = self.chain(file);
        let mut bytes: Vec<u8> = chain
            .iter()
            .flat_map(|block| self.blocks[usize::from(*block)].clone())
            .collect();
        bytes.truncate(file.length);
        whole.then_some(bytes)
    }

    /// Whether the loader takes a file for a program. The first sector lies where the directory says, whatever the table says; the sections that its
    /// header names are looked into, and none is in a file of one sector.
    pub fn is_program(&self, file: &Found) -> bool {
        file.first != 0 && file.length > SECTOR && self.blocks[usize::from(file.first)].starts_with(b"MZ")
    }

    /// An entry for a name, its pieces before the short one, where there is room.
    fn enter(&mut self, name: &str, first: u16, length: usize) -> Vec<Write> {
        let own = SHORT.fetch_add(1, Ordering::Relaxed);
        let letters: Vec<char> = name.chars().chain(['\0']).collect();
        let pieces: Vec<String> = letters.chunks(LETTERS).map(|piece| piece.iter().collect()).collect();
        let count = pieces.len() + 1;
        let start = (0..=DIRECTORY * ENTRIES - count)
            .find(|start| (*start..start + count).all(|at| *self.slot(at) == Slot::Free))
            .expect("the directory is full");
        let mut writes = Vec::new();
        for (number, piece) in pieces.into_iter().enumerate() {
            let at = start + count - 2 - number;
            writes.push(self.set(at, Slot::Long(own, number, piece)));
        }
        writes.push(self.set(start + count - 1, Slot::Short(own, first, length)));
        writes
    }

    /// A new file without content.
    pub fn create(&mut self, name: &str) -> Vec<Write> {
        assert_eq!(self.find(name), None, "it is there already");
        self.enter(name, 0, 0)
    }

    /// Bytes behind those that are there, in blocks that were free.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Vec<Write> {
        let file = self.find(name).expect("no such file");
        let mut content = self.read(&file).expect("a broken chain");
        let kept = content.len();
        content.extend(bytes);
        let (mut chain, _) = self.chain(&file);
        let mut writes = Vec::new();
        while chain.len() < content.len().div_ceil(SECTOR) {
            let count = u16::try_from(self.blocks.len()).unwrap();
            let free = (2..count).find(|block| self.next(*block) == 0).expect("no room");
            writes.push(self.link(free, END));
            if let Some(last) = chain.last() {
                writes.push(self.link(*last, free));
            }
            chain.push(free);
        }
        for (number, block) in chain.iter().enumerate().skip(kept / SECTOR) {
            let mut sector = content[number * SECTOR..content.len().min((number + 1) * SECTOR)].to_vec();
            sector.resize(SECTOR, 0);
            let write = Write::Block(*block, sector);
            self.apply(&write);
            writes.push(write);
        }
        let Slot::Short(own, ..) = *self.slot(file.places[0]) else {
            panic!("no entry")
        };
        writes.push(self.set(file.places[0], Slot::Short(own, chain[0], content.len())));
        writes
    }

    /// The first sector alone.
    pub fn overwrite(&mut self, name: &str, sector: &[u8; SECTOR]) -> Vec<Write> {
        let file = self.find(name).expect("no such file");
        let write = Write::Block(file.first, sector.to_vec());
        self.apply(&write);
        vec![write]
    }

    /// The last block goes; what is left of the file.
    pub fn shrink(&mut self, name: &str) -> (Vec<Write>, usize) {
        let file = self.find(name).expect("no such file");
        let chain = self.all(file.first);
        let Slot::Short(own, first, length) = *self.slot(file.places[0]) else {
            panic!("no entry")
        };
        let left = length.saturating_sub(1) / SECTOR * SECTOR;
        let kept = left / SECTOR;
        let mut writes = Vec::new();
        for block in chain.iter().skip(kept) {
            writes.push(self.link(*block, 0));
        }
        if let Some(last) = kept.checked_sub(1).and_then(|last| chain.get(last)) {
            writes.push(self.link(*last, END));
        }
        let first = if kept == 0 { 0 } else { first };
        writes.push(self.set(file.places[0], Slot::Short(own, first, left)));
        (writes, left)
    }

    /// The entry as it is, written once more: its time has changed.
    pub fn touch(&mut self, name: &str) -> Write {
        let at = self.find(name).expect("no such file").places[0];
        let slot = self.slot(at).clone();
        self.set(at, slot)
    }

    fn strike(&mut self, file: &Found) -> Vec<Write> {
        file.places.iter().map(|at| self.set(*at, Slot::Free)).collect()
    }

    /// The entry goes, and the blocks as far as the chain goes; one that is free already is left.
    pub fn remove(&mut self, name: &str) -> Vec<Write> {
        let file = self.find(name).expect("no such file");
        let mut writes = self.strike(&file);
        let mut block = file.first;
        while block != 0 && block != END {
            let next = self.next(block);
            if next == 0 {
                break;
            }
            writes.push(self.link(block, 0));
            block = next;
        }
        writes
    }

    /// As the loader does: another entry for the same chain, and the first one goes.
    pub fn rename(&mut self, from: &Found, to: &str) -> Vec<Write> {
        let mut writes = self.enter(to, from.first, from.length);
        writes.extend(self.strike(from));
        writes
    }

    pub fn free(&self) -> usize {
        (2..self.blocks.len())
            .filter(|block| self.next(u16::try_from(*block).unwrap()) == 0)
            .count()
            * SECTOR
    }
}
