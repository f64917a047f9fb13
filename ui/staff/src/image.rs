//! Images of a kiosk's software (SPEC.md, section 14): what the authority signs after somebody has built one, and what is on a drive.
//!
//! What an image holds is the builder's; here it is only seen that its three files belong together.

use std::path::Path;

use election::hash::{Digest, sha256};
use election::sign::{PublicKey, Signer};
use election::update::{FORMAT, Image, LABEL_IMAGE, MAX_FILE, MAX_PART, Part, image_hash, tree_root};
use serde::Serialize;

use crate::encode;
use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// The folder on the exchange drive.
pub const FOLDER: &str = "update";
/// The signed description in it.
pub const SIGNED: &str = "image.bin";
/// The image's files, in the order of [`Image`].
pub const FILES: [&str; 3] = ["root.squashfs", "root.tree", "kiosk.efi"];
/// The words of the command line that say what the image is.
const ROOT: &[u8] = b"ippyo.root=";
const VERSION: &[u8] = b"ippyo.version=";
/// The line of the description in a starting program that says its version.
const RELEASE: &[u8] = b"IMAGE_VERSION=";

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its version.
    pub version: u32,
    /// The software hash, as zero reports show it.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub software: Digest,
    /// The hash that staff cards sign (SPEC.md, section 14).
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub image: Digest,
    /// Bytes of the three files together.
    pub bytes: u64,
}

/// The three files of an image, as one.
pub struct Built {
    files: [Vec<u8>; 3],
    /// What would be signed.
    pub image: Image,
}

fn refused(at: &Path, what: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::Refused, at.display(), what)
}

/// Reads a built image, and sees that the files belong together: the tree's root hash is the one that the starting program opens.
///
/// # Errors
/// A file that is missing, too long or not of this image.
pub fn read(folder: &Path) -> Outcome<Built> {
    let mut files: [Vec<u8>; 3] = [const { Vec::new() }; 3];
    for (place, name) in files.iter_mut().zip(FILES) {
        *place = files::read(&folder.join(name), MAX_PART)?;
    }
    let [_, tree, efi] = &files;
    let root = tree_root(tree).ok_or_else(|| refused(&folder.join(FILES[1]), "is no hash tree of an image"))?;
    let at = folder.join(FILES[2]);
    let line = section(efi, b".cmdline").ok_or_else(|| refused(&at, "has no command line, or two"))?;
    let named = word(line, ROOT).ok_or_else(|| refused(&at, "names no software hash, or two"))?;
    if named != hex::encode(root) {
        return Err(refused(
            &at,
            format!("starts the software {named}, and the tree is of {}", hex::encode(root)),
        )
        .advice("take the three files of one build"));
    }
    let version = word(line, VERSION)
        .and_then(|text| text.parse().ok())
        .filter(|version| *version > 0);
    let version = version.ok_or_else(|| refused(&at, "names no version").advice("build the image with --version"))?;
    // The loader takes the highest of these: another one than the signed would start before newer images, or after older ones.
    if section(efi, b".osrel").and_then(release) != Some(version) {
        return Err(refused(&at, format!("is not of version {version} to the loader")).advice("build the image anew"));
    }
    let described = |bytes: &[u8]| Part {
        length: bytes.len() as u64,
        sha256: sha256(bytes),
    };
    let image = Image {
        format: FORMAT,
        version,
        root,
        squashfs: described(&files[0]),
        tree: described(tree),
        efi: described(efi),
    };
    Ok(Built { files, image })
}

/// The one section of this name of a program for UEFI (PE: <https://learn.microsoft.com/windows/win32/debug/pe-format>), with what fills it up.
fn section<'a>(program: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let number = |at: usize, length: usize| -> Option<usize> {
        let bytes = program.get(at..at.checked_add(length)?)?;
        bytes.iter().rev().try_fold(0_usize, |sum, byte| {
            sum.checked_mul(256)?.checked_add(usize::from(*byte))
        })
    };
    let header = number(0x3C, 4)?;
    if !program.starts_with(b"MZ") || program.get(header..header.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    let count = number(header.checked_add(6)?, 2)?;
    let table = header
        .checked_add(24)?
        .checked_add(number(header.checked_add(20)?, 2)?)?;
    let mut found = None;
    for place in 0..count {
        let at = table.checked_add(place.checked_mul(40)?)?;
        let called = program.get(at..at.checked_add(8)?)?;
        if called
            .strip_prefix(name)
            .is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
        {
            let start = number(at.checked_add(20)?, 4)?;
            let bytes = program.get(start..start.checked_add(number(at.checked_add(16)?, 4)?)?)?;
            if found.replace(bytes).is_some() {
                return None;
            }
        }
    }
    found
}

/// The version in the description that the loader sorts by.
fn release(text: &[u8]) -> Option<u32> {
    let text = text.split(|byte| *byte == 0).next()?;
    let lines = text.split(|byte| *byte == b'\n');
    let mut versions = lines.filter_map(|line| line.strip_prefix(RELEASE));
    let (version, None) = (versions.next()?, versions.next()) else {
        return None;
    };
    std::str::from_utf8(version).ok()?.parse().ok()
}

/// What follows the one place of this word, up to a space or a zero byte.
fn word(bytes: &[u8], word: &[u8]) -> Option<String> {
    let mut places = bytes
        .windows(word.len())
        .enumerate()
        .filter(|(_, window)| *window == word);
    let (place, None) = (places.next()?.0, places.next()) else {
        return None;
    };
    let rest = bytes.get(place.checked_add(word.len())?..)?;
    let end = rest.iter().take(80).position(|byte| matches!(byte, b' ' | 0))?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

/// Signs an image and puts it onto a drive: the description last, so that half a copy is none.
///
/// # Errors
/// The drive cannot be written.
pub fn sign(built: &Built, authority: &Signer, drive: &Path) -> Outcome<Shown> {
    let mut body = [0; MAX_FILE];
    let body = built.image.body(&mut body);
    let body = body.map_err(|error| Problem::new(Kind::Limit, "the image", error))?;
    let signed = encode::signed(LABEL_IMAGE, body, authority)?;
    let folder = drive.join(FOLDER);
    files::folder(&folder)?;
    let description = folder.join(SIGNED);
    if description.exists() {
        std::fs::remove_file(&description)
            .map_err(|error| files::io_problem(&description, "cannot be replaced", &error))?;
    }
    for (bytes, name) in built.files.iter().zip(FILES) {
        files::write(&folder.join(name), bytes)?;
    }
    files::write(&description, &signed)?;
    Ok(shown(&built.image, image_hash(body)))
}

fn shown(image: &Image, hash: Digest) -> Shown {
    Shown {
        version: image.version,
        software: image.root,
        image: hash,
        bytes: [image.squashfs, image.tree, image.efi]
            .iter()
            .map(|part| part.length)
            .sum(),
    }
}

/// What lies on a drive, as a kiosk of this authority would judge it.
///
/// # Errors
/// Not signed by this authority, or a file is not the one that was signed.
pub fn show(drive: &Path, authority: &PublicKey) -> Outcome<Shown> {
    let folder = drive.join(FOLDER);
    let at = folder.join(SIGNED);
    let bytes = files::read(&at, MAX_FILE as u64)?;
    let (image, hash) = Image::open(&bytes, authority).map_err(|error| refused(&at, error))?;
    let built = read(&folder)?;
    for ((name, signed), found) in FILES.iter().zip([image.squashfs, image.tree, image.efi]).zip([
        built.image.squashfs,
        built.image.tree,
        built.image.efi,
    ]) {
        if signed != found {
            return Err(
                refused(&folder.join(name), "is not the file that was signed").advice("copy it onto the drive again")
            );
        }
    }
    if built.image != image {
        return Err(refused(
            &at,
            "describes another version or software than its files hold",
        ));
    }
    Ok(shown(&image, hash))
}
