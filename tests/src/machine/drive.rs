//! Drives as a person carries them: a file with a FAT file system and a name. While one is in a machine, every write and every flush is noted in a
//! log beside it (the emulator's `blklogwrites`), so that a power cut can take away what was not flushed.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const SECTOR: u64 = 512;
/// First word of a log (`dm-log-writes`).
const MAGIC: u64 = 0x006A_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// A drive.
pub struct Drive {
    file: PathBuf,
    name: &'static str,
}

/// What a power cut took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Writes that are there.
    pub kept: usize,
    /// Writes that had not been flushed.
    pub lost: usize,
    /// Flushes in the log.
    pub flushes: usize,
}

impl Drive {
    /// A new one of so many megabytes, with this label.
    ///
    /// # Errors
    /// mtools is missing.
    pub fn new(folder: &Path, name: &'static str, label: &str, megabytes: u32) -> Result<Self> {
        let file = folder.join(format!("{name}.drive"));
        fs::File::create(&file)?.set_len(u64::from(megabytes) << 20)?;
        tool("mkfs.vfat", &["-n", label, &file.display().to_string()])?;
        Ok(Self { file, name })
    }

    /// One that is there, as the file `NAME.drive`.
    #[must_use]
    pub(super) const fn of(file: PathBuf, name: &'static str) -> Self {
        Self { file, name }
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the machine calls it.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    pub(super) fn node_name(&self) -> String {
        format!("{}-node", self.name)
    }

    fn log(&self) -> PathBuf {
        self.file.with_extension("log")
    }

    /// Names in a folder of the partition that begins at `offset` of a disk (as mtools say it: `1M`), sorted.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn names_in(&self, offset: &str, folder: &str) -> Result<Vec<String>> {
        let text = tool("mdir", &["-b", "-i", &self.partition(offset), &format!("::{folder}")])?;
        let names = text.lines().filter_map(|line| line.rsplit_once('/'));
        let mut names: Vec<String> = names.map(|(_, name)| name.to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// A file from such a partition.
    ///
    /// # Errors
    /// There is no such file.
    pub fn get_in(&self, offset: &str, name: &str, to: &Path) -> Result<()> {
        let to = to.display().to_string();
        tool(
            "mcopy",
            &["-o", "-n", "-i", &self.partition(offset), &format!("::{name}"), &to],
        )?;
        Ok(())
    }

    /// A file into it; not while the disk is in a machine.
    ///
    /// # Errors
    /// It does not fit.
    pub fn put_in(&self, offset: &str, from: &Path, name: &str) -> Result<()> {
        let from = from.display().to_string();
        tool(
            "mcopy",
            &["-o", "-i", &self.partition(offset), &from, &format!("::{name}")],
        )?;
        Ok(())
    }

    fn partition(&self, offset: &str) -> String {
        format!("{}@@{offset}", self.file.display())
    }

    fn before(&self) -> PathBuf {
        self.file.with_extension("before")
    }

    /// How the emulator is told of it. From here on writes are noted, and a flush can be held back (`Running::hold`).
    pub(super) fn node(&self) -> Value {
        let _ = fs::copy(&self.file, self.before());
        let _ = fs::File::create(self.log());
        let noted = json!({
            "driver": "blklogwrites", "log-sector-size": SECTOR,
            "file": {"driver": "file", "filename": self.file.display().to_string()},
            "log": {"driver": "file", "filename": self.log().display().to_string()},
        });
        // The plain one on top is where the emulator looks whether a flush is to be held back.
        json!({"driver": "raw", "node-name": self.node_name(), "file": {"driver": "blkdebug", "image": noted}})
    }

    /// A file onto it; not while it is in a machine.
    ///
    /// # Errors
    /// It does not fit.
    pub fn put(&self, from: &Path, name: &str) -> Result<()> {
        tool(
            "mcopy",
            &[
                "-o",
                "-i",
                &self.file.display().to_string(),
                &from.display().to_string(),
                &format!("::{name}"),
            ],
        )?;
        Ok(())
    }

    /// A folder onto it, with what is in it; not while it is in a machine.
    ///
    /// # Errors
    /// It does not fit.
    pub fn put_folder(&self, from: &Path) -> Result<()> {
        let (file, from) = (self.file.display().to_string(), from.display().to_string());
        tool("mcopy", &["-s", "-o", "-i", &file, &from, "::"])?;
        Ok(())
    }

    /// A file from it; not while it is in a machine.
    ///
    /// # Errors
    /// There is no such file.
    pub fn get(&self, name: &str, to: &Path) -> Result<()> {
        tool(
            "mcopy",
            &[
                "-o",
                "-n",
                "-i",
                &self.file.display().to_string(),
                &format!("::{name}"),
                &to.display().to_string(),
            ],
        )?;
        Ok(())
    }

    /// Names of the files on it.
    ///
    /// # Errors
    /// It has no file system.
    pub fn names(&self) -> Result<Vec<String>> {
        let text = tool("mdir", &["-b", "-i", &self.file.display().to_string(), "::"])?;
        Ok(text
            .lines()
            .filter_map(|line| line.strip_prefix("::/"))
            .map(str::to_owned)
            .collect())
    }

    /// The power has gone while it was in a machine: of what was written since, only what was flushed is there.
    ///
    /// # Errors
    /// The log is not one.
    pub fn cut(&self) -> Result<Lost> {
        let lost = self.replay(&self.before(), |_| false)?;
        fs::rename(self.before(), &self.file)?;
        Ok(lost)
    }

    /// How it would be, as another file, if the power had gone just before the first write that `last` says is one, by its bytes.
    ///
    /// # Errors
    /// The log is not one.
    pub fn cut_before(&self, to: &Path, last: impl FnMut(&[u8]) -> bool) -> Result<Lost> {
        let copied = Command::new("cp")
            .arg("--sparse=always")
            .arg(self.before())
            .arg(to)
            .status()?;
        ensure!(copied.success(), "{} cannot be copied", self.before().display());
        self.replay(to, last)
    }

    fn replay(&self, target: &Path, mut last: impl FnMut(&[u8]) -> bool) -> Result<Lost> {
        let mut log = fs::File::open(self.log())?;
        let end = log.metadata()?.len();
        let mut head = [0; 24];
        log.read_exact(&mut head).context("an empty log")?;
        log.to_sector()?;
        ensure!(word(&head, 0) == MAGIC, "not a log of writes");
        let mut target = fs::OpenOptions::new().write(true).open(target)?;
        let mut waiting: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut lost = Lost::default();
        // The head's count of entries is written at flushes only: what was never flushed comes after them, as far as the log goes.
        while log.stream_position()? + SECTOR <= end {
            let mut entry = [0; 32];
            log.read_exact(&mut entry)?;
            let (sector, count, flags) = (word(&entry, 0), word(&entry, 1), word(&entry, 2));
            log.to_sector()?;
            if (count, flags) == (0, 0) || (flags & DISCARD == 0 && log.stream_position()? + count * SECTOR > end) {
                // The emulator was ended while it wrote this one.
                break;
            }
            let mut data = Vec::new();
            if flags & DISCARD == 0 {
                data = vec![0; usize::try_from(count * SECTOR)?];
                log.read_exact(&mut data)?;
            }
            if last(&data) {
                break;
            }
            if flags & FLUSH != 0 {
                lost.flushes += 1;
                lost.kept += waiting.len();
                for (sector, data) in waiting.drain(..) {
                    write(&mut target, sector, &data)?;
                }
            }
            if flags & FUA != 0 {
                lost.kept += 1;
                write(&mut target, sector, &data)?;
            } else if !data.is_empty() {
                waiting.push((sector, data));
            }
        }
        lost.lost = waiting.len();
        Ok(lost)
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .as_chunks::<8>()
        .0
        .get(at)
        .map_or(0, |word| u64::from_le_bytes(*word))
}

fn write(target: &mut fs::File, sector: u64, data: &[u8]) -> Result<()> {
    target.seek(SeekFrom::Start(sector * SECTOR))?;
    Ok(target.write_all(data)?)
}

/// What is left of a sector is skipped.
trait Sectors {
    fn to_sector(&mut self) -> Result<()>;
}

impl Sectors for fs::File {
    fn to_sector(&mut self) -> Result<()> {
        let at = self.stream_position()?;
        self.seek(SeekFrom::Start(at.next_multiple_of(SECTOR)))?;
        Ok(())
    }
}

fn tool(program: &str, arguments: &[&str]) -> Result<String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let said = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("MTOOLS_SKIP_CHECK", "1")
        .output()
        .with_context(|| format!("{program} is missing: run `tests/run tools`"))?;
    ensure!(
        said.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    Ok(String::from_utf8(said.stdout)?)
}
