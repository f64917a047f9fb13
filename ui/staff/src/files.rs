//! Files of the desk: bounded reads, and writes that are whole or not there.
//!
//! A write goes to a temporary name in the same folder, is synced, renamed and the folder synced: a full disk or a
//! power cut leaves the old file or the new one. Secrets are created with mode 0600 before the first byte is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::problem::{Kind, Outcome, Problem};

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// Not there, not readable, too long.
pub fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let file = File::open(path).map_err(|error| io_problem(path, "cannot be opened", &error))?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| io_problem(path, "cannot be read", &error))?;
    if bytes.len() as u64 > limit {
        return Err(
            Problem::new(Kind::Limit, path.display(), format!("is longer than {limit} bytes"))
                .advice("check that this is the right file"),
        );
    }
    Ok(bytes)
}

/// Reads a file of exactly N bytes.
///
/// # Errors
/// As [`read`], and another length.
pub fn read_exact<const N: usize>(path: &Path, what: &str) -> Outcome<[u8; N]> {
    let bytes = read(path, N as u64)?;
    bytes.try_into().map_err(|_| {
        Problem::new(
            Kind::Malformed,
            path.display(),
            format!("is not {what}: it must have {N} bytes"),
        )
        .advice("check that this is the right file, and that it was copied whole")
    })
}

/// Writes a file whole or not at all; an existing one is replaced.
///
/// # Errors
/// Folder not writable, disk full.
pub fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    write_with(path, bytes, 0o644, true)
}

/// Writes a new file whole or not at all; an existing one is left alone and reported.
///
/// # Errors
/// As [`write`], and a file that is already there.
pub fn write_new(path: &Path, bytes: &[u8]) -> Outcome<()> {
    write_with(path, bytes, 0o644, false)
}

/// Writes a new secret with mode 0600. An existing one is never overwritten: a lost key is worse than an error.
///
/// # Errors
/// As [`write_new`].
pub fn write_secret(path: &Path, bytes: &[u8]) -> Outcome<()> {
    destroy_leftovers(path)?;
    write_with(path, bytes, 0o600, false)
}

/// Destroys what a cut in the middle of writing this secret left under its temporary name.
fn destroy_leftovers(path: &Path) -> Outcome<()> {
    let (folder, name) = (folder_of(path), path.file_name().unwrap_or_default().to_string_lossy());
    if !folder.is_dir() {
        return Ok(());
    }
    let begin = format!("{name}.");
    for left in list(&folder)? {
        if left.starts_with(&begin) && left.ends_with(PART) {
            overwrite_and_remove(&folder.join(left))?;
        }
    }
    Ok(())
}

/// End of temporary names.
const PART: &str = ".part";

fn write_with(path: &Path, bytes: &[u8], mode: u32, replace: bool) -> Outcome<()> {
    if !replace && path.exists() {
        return Err(
            Problem::new(Kind::Files, path.display(), "is already there and is not overwritten")
                .advice("move it away, or choose another name"),
        );
    }
    let folder = folder_of(path);
    let name = path
        .file_name()
        .ok_or_else(|| Problem::new(Kind::Usage, path.display(), "names no file"))?;
    let mut temporary = folder.join(name).into_os_string();
    temporary.push(format!(".{}{PART}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = (|| -> io::Result<()> {
        #[cfg(test)]
        power::passes()?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        #[cfg(test)]
        power::passes()?;
        if replace {
            fs::rename(&temporary, path)?;
        } else {
            // A hard link fails where the name exists: two writers cannot both win. File systems of USB sticks have no
            // hard links; there the check above and the rename have to do.
            match fs::hard_link(&temporary, path) {
                Ok(()) => fs::remove_file(&temporary)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) => fs::rename(&temporary, path)?,
            }
        }
        sync_folder(&folder);
        Ok(())
    })();
    #[cfg(test)]
    if power::is_gone() {
        // Nobody tidies up after a cut.
        return written.map_err(|error| io_problem(path, "cannot be written", &error));
    }
    written.map_err(|error| {
        // The half-written temporary file must not stay; whether it can be removed changes nothing for the caller.
        let _ = fs::remove_file(&temporary);
        io_problem(path, "cannot be written", &error)
    })
}

/// Creates a folder with those above it, and checks that it can be written.
///
/// # Errors
/// Cannot be created, or is no folder.
pub fn folder(path: &Path) -> Outcome<()> {
    fs::create_dir_all(path).map_err(|error| io_problem(path, "cannot be created as a folder", &error))
}

/// Creates a folder that only its owner may enter.
///
/// # Errors
/// As [`folder`].
pub fn private_folder(path: &Path) -> Outcome<()> {
    folder(path)?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(|error| io_problem(path, "cannot be closed to others", &error))?;
    Ok(())
}

/// Creates a folder that must be new or empty.
///
/// # Errors
/// As [`folder`], and a folder with something in it.
pub fn empty_folder(path: &Path) -> Outcome<()> {
    folder(path)?;
    let mut entries = fs::read_dir(path).map_err(|error| io_problem(path, "cannot be listed", &error))?;
    if entries.next().is_some() {
        return Err(Problem::new(Kind::Files, path.display(), "is not empty")
            .advice("give a new folder; nothing that is already there is overwritten"));
    }
    Ok(())
}

/// Names in a folder, ascending; a name that is not UTF-8 is a problem.
///
/// # Errors
/// Not a readable folder.
pub fn list(path: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| io_problem(path, "cannot be listed", &error))? {
        let entry = entry.map_err(|error| io_problem(path, "cannot be listed", &error))?;
        let name = entry.file_name().into_string().map_err(|name| {
            Problem::new(
                Kind::Malformed,
                path.display(),
                format!("holds a file whose name is not UTF-8: {}", name.to_string_lossy()),
            )
        })?;
        names.push(name);
    }
    names.sort();
    Ok(names)
}

/// Overwrites a secret with zeros, syncs and removes it. On flash and journalling file systems remnants can survive:
/// the medium itself has to be destroyed where that matters, and the README says so.
///
/// # Errors
/// The file cannot be opened, written or removed.
pub fn destroy(path: &Path) -> Outcome<()> {
    destroy_leftovers(path)?;
    overwrite_and_remove(path)
}

fn overwrite_and_remove(path: &Path) -> Outcome<()> {
    let destroyed = (|| -> io::Result<()> {
        let length = fs::metadata(path)?.len();
        #[cfg(test)]
        power::passes()?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        let zeros = [0u8; 4096];
        let mut left = length;
        while left > 0 {
            let chunk = left.min(zeros.len() as u64);
            #[allow(clippy::cast_possible_truncation, reason = "at most 4096")]
            file.write_all(&zeros[..chunk as usize])?;
            left -= chunk;
        }
        file.sync_all()?;
        #[cfg(test)]
        power::passes()?;
        fs::remove_file(path)?;
        sync_folder(&folder_of(path));
        Ok(())
    })();
    destroyed.map_err(|error| io_problem(path, "cannot be destroyed", &error))
}

/// A problem of the operating system, with advice where the cause is a common one.
pub fn io_problem(path: &Path, what: &str, error: &io::Error) -> Problem {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "check the name",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a place you may write to, or ask for the rights"
        }
        io::ErrorKind::StorageFull => "free some space and run the command again; nothing half-written was left",
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => "check whether a file or a folder is meant",
        _ => "",
    };
    Problem::new(Kind::Files, path.display(), format!("{what} ({error})")).advice(advice)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn sync_folder(folder: &Path) {
    // Not every file system lets a folder be opened or synced; the file itself is already synced.
    if let Ok(file) = File::open(folder) {
        let _ = file.sync_all();
    }
}

/// Power cuts for tests of this crate: the boundary before and after each write and each removal.
#[cfg(test)]
pub(crate) mod power {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// The power goes after so many more boundaries; `None`: it is back.
    pub fn goes_after(boundaries: Option<u32>) {
        LEFT.set(boundaries);
    }

    /// Whether it is gone.
    pub fn is_gone() -> bool {
        LEFT.get() == Some(0)
    }

    pub(super) fn passes() -> io::Result<()> {
        match LEFT.get() {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                if left == 1 {
                    Err(io::Error::other("the power went"))
                } else {
                    Ok(())
                }
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_closed_to_others_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_secret(&path, b"one").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(write_secret(&path, b"two").unwrap_err().kind, Kind::Files);
        assert_eq!(read(&path, 10).unwrap(), b"one");
        assert_eq!(list(folder.path()).unwrap(), ["key"]);
        destroy(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn f10_a_failed_write_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"x").unwrap();
        // A file cannot replace a folder that has something in it: the rename fails after a whole write.
        assert_eq!(write(&path, b"bytes").unwrap_err().kind, Kind::Files);
        assert_eq!(list(folder.path()).unwrap(), ["taken"]);
        assert_eq!(read(&folder.path().join("no"), 1).unwrap_err().kind, Kind::Files);
        assert_eq!(
            write(&folder.path().join("missing/file"), b"x").unwrap_err().kind,
            Kind::Files
        );
    }

    #[test]
    fn a_longer_file_than_allowed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write(&path, &[0; 33]).unwrap();
        assert_eq!(read(&path, 32).unwrap_err().kind, Kind::Limit);
        assert_eq!(read_exact::<34>(&path, "a key").unwrap_err().kind, Kind::Malformed);
    }
}
