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
    let named = word(efi, ROOT).ok_or_else(|| refused(&at, "names no software hash, or two"))?;
    if named != hex::encode(root) {
        return Err(refused(
            &at,
            format!("starts the software {named}, and the tree is of {}", hex::encode(root)),
        )
        .advice("take the three files of one build"));
    }
    let version = word(efi, VERSION)
        .and_then(|text| text.parse().ok())
        .filter(|version| *version > 0);
    let version = version.ok_or_else(|| refused(&at, "names no version").advice("build the image with --version"))?;
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
