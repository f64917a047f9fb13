//! The published record as a folder (SPEC.md, section 10): its bytes, and writing it whole.

use std::collections::BTreeMap;
use std::path::Path;

use election::hash::Digest;
use election::record::{FileName, Files, IndexError, write_index};
use election::sign::Signer;

use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// Longest file of a record that is read.
const LONGEST: u64 = 16 << 30;

/// The bytes of a record, by file.
#[derive(Clone, Debug, Default)]
pub struct Record {
    files: BTreeMap<FileName, Vec<u8>>,
}

impl Record {
    /// An empty record, to be filled with [`Record::put`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file in.
    pub fn put(&mut self, file: FileName, bytes: Vec<u8>) {
        self.files.insert(file, bytes);
    }

    /// Reads a folder: every file of a record, and nothing else.
    ///
    /// # Errors
    /// The first file that is missing, that does not belong there, or that cannot be read.
    pub fn read(folder: &Path) -> Outcome<Self> {
        let refuse = |at: &str, what: &str| Err(Problem::new(Kind::Refused, at, what));
        let mut record = Self::new();
        for name in files::list(folder)? {
            let Some(file) = FileName::of(&name) else {
                return refuse(&name, "does not belong into a record");
            };
            let path = folder.join(&name);
            let kind = std::fs::symlink_metadata(&path)
                .map_err(|error| files::io_problem(&path, "cannot be looked at", &error))?;
            if !kind.is_file() {
                return refuse(&name, "is not a plain file");
            }
            record.put(file, files::read(&path, LONGEST)?);
        }
        for file in FileName::ALL {
            if file != FileName::Reception && !record.files.contains_key(&file) {
                return refuse(file.name(), "the file is missing");
            }
        }
        Ok(record)
    }

    /// A file's bytes; none where it is not there.
    #[must_use]
    pub fn get(&self, file: FileName) -> Option<&[u8]> {
        self.files.get(&file).map(Vec::as_slice)
    }

    /// All files as the verification wants them. A file that is missing is empty, and does not decode.
    #[must_use]
    pub fn files(&self) -> Files<'_> {
        let get = |file| self.get(file).unwrap_or_default();
        Files {
            index: get(FileName::Index),
            manifest: get(FileName::Manifest),
            keys: get(FileName::Keys),
            ceremony: get(FileName::Ceremony),
            genesis: get(FileName::Genesis),
            chain: get(FileName::Chain),
            ballots: get(FileName::Ballots),
            spoiled: get(FileName::Spoiled),
            closings: get(FileName::Closings),
            tally: get(FileName::Tally),
            results: get(FileName::Results),
            report: get(FileName::Report),
            reception: self.get(FileName::Reception),
        }
    }

    /// Signs the index over what is in.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign(&mut self, election: &Digest, authority: &Signer) -> Outcome<()> {
        let mut buffer = [0; 4096];
        let index = write_index(election, &self.files(), authority, &mut buffer)
            .map_err(|error: IndexError| Problem::new(Kind::Refused, FileName::Index, error))?
            .to_vec();
        self.put(FileName::Index, index);
        Ok(())
    }

    /// Writes the record into a new or empty folder. The index comes last: a folder without it is no record.
    ///
    /// # Errors
    /// The folder is not empty, cannot be written, or the disk is full; then nothing is left in it.
    pub fn write(&self, folder: &Path) -> Outcome<()> {
        files::empty_folder(folder)?;
        let others = self.files.iter().filter(|(file, _)| **file != FileName::Index);
        let last = self.files.iter().filter(|(file, _)| **file == FileName::Index);
        let written = others
            .chain(last)
            .try_for_each(|(file, bytes)| files::write_new(&folder.join(file.name()), bytes));
        if written.is_err() {
            // The folder was empty before: what stands there now is ours, and half a record must not stay.
            for file in FileName::ALL {
                let _ = std::fs::remove_file(folder.join(file.name()));
            }
        }
        written
    }
}
