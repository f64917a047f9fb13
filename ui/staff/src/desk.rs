//! The files that several commands read: manifest, joint key, election hash.

use std::path::Path;

use election::hash::Digest;
use election::keys::Keys;
use election::manifest::{CheckedManifest, MAX_MANIFEST, Manifest, election_hash as hash_of};

use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// Longest keys.bin: nine trustees with their names.
const LONGEST_KEYS: u64 = 64 << 10;

/// Reads a manifest's bytes.
///
/// # Errors
/// Not there, or longer than a manifest may be.
pub fn read_manifest(path: &Path) -> Outcome<Vec<u8>> {
    files::read(path, MAX_MANIFEST as u64)
}

/// Checks every rule of a manifest.
///
/// # Errors
/// The first rule that does not hold, with the file's name.
pub fn parse_manifest<'b>(bytes: &'b [u8], path: &Path) -> Outcome<CheckedManifest<'b>> {
    Manifest::parse(bytes).map_err(|error| {
        Problem::new(Kind::Malformed, path.display(), error)
            .advice("import the definition again, or copy the file again")
    })
}

/// The election hash of a manifest and the keys of a ceremony.
///
/// # Errors
/// keys.bin is broken.
pub fn election_hash(manifest: &[u8], keys: &Path) -> Outcome<Digest> {
    let bytes = read_keys(keys)?;
    Ok(hash_of(manifest, &parse_keys(&bytes, keys)?.joint.0))
}

/// Reads keys.bin.
///
/// # Errors
/// Not there, too long.
pub fn read_keys(path: &Path) -> Outcome<Vec<u8>> {
    files::read(path, LONGEST_KEYS)
}

/// Reads the joint key and the trustees' keys.
///
/// # Errors
/// What does not hold.
pub fn parse_keys<'b>(bytes: &'b [u8], path: &Path) -> Outcome<Keys<'b>> {
    Keys::read(bytes).map_err(|error| {
        Problem::new(Kind::Malformed, path.display(), error)
            .advice("use the keys.bin that the ceremony wrote, copied whole")
    })
}
