//! Updates of a kiosk's software (SPEC.md, section 14): what the authority signs for an image, and what two staff cards sign to have it taken.
//!
//! Pure: where the parts lie, how they are written and what a machine starts is not known here.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, hash, sha256};
use crate::sign::PublicKey;
use crate::signed::{Signed, SignedError};
use crate::wire::{self, WireError};

/// Format of [`Image`].
pub const FORMAT: u16 = 1;
/// Longest signed file.
pub const MAX_FILE: usize = 256;
/// Longest part of an image, bytes. What a machine has room for is less.
pub const MAX_PART: u64 = 1 << 30;
/// Label of the authority's signature over an image.
pub const LABEL_IMAGE: &str = "ippyo/1/sign/image";
/// Label of a staff card's signature that has an image taken.
pub const LABEL_STAFF_UPDATE: &str = "ippyo/1/sign/staff/update";
/// Bytes of a hash tree that [`tree_root`] wants: its head and the block at its top.
pub const TREE_HEAD: usize = 8192;
/// Bytes of the message that staff cards sign.
pub const APPROVAL: usize = 130;

/// A file of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its length in bytes, not 0.
    pub length: u64,
    /// SHA-256 of all of it.
    pub sha256: Digest,
}

/// An image of a kiosk's software.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// [`FORMAT`].
    pub format: u16,
    /// Rises with every image; not 0.
    pub version: u32,
    /// The software hash: the root hash of the hash tree.
    pub root: Digest,
    /// The root's file system.
    pub squashfs: Part,
    /// Its hash tree.
    pub tree: Part,
    /// What the firmware starts: kernel, initramfs and command line.
    pub efi: Part,
}

/// Why an image is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// The file is longer than any.
    TooLong,
    /// It does not decode.
    Wire(WireError),
    /// Another authority's, or changed since.
    Signature(SignedError),
    /// Of a format that this program does not know.
    Format(u16),
    /// A part without bytes or beyond [`MAX_PART`], or version 0.
    Value,
    /// Not newer than what runs.
    Older {
        /// What runs.
        running: u32,
        /// What was offered.
        given: u32,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("it is longer than the description of any image"),
            Self::Wire(error) => error.fmt(f),
            Self::Signature(error) => write!(f, "it is not signed by the authority: {error}"),
            Self::Format(format) => write!(f, "its format {format} is not known: take a newer program"),
            Self::Value => f.write_str("its version is 0, or a part of it is empty or too long"),
            Self::Older { running, given } => {
                write!(f, "it is version {given}, not newer than version {running} which runs")
            }
        }
    }
}

impl core::error::Error for ImageError {}

impl Image {
    /// Reads a signed image.
    ///
    /// # Errors
    /// What does not hold.
    pub fn open(file: &[u8], authority: &PublicKey) -> Result<(Self, Digest), ImageError> {
        if file.len() > MAX_FILE {
            return Err(ImageError::TooLong);
        }
        let body = Signed::open(file, authority, LABEL_IMAGE).map_err(ImageError::Signature)?;
        let image: Self = wire::decode(body).map_err(ImageError::Wire)?;
        image.check()?;
        Ok((image, image_hash(body)))
    }

    /// The file's body, written into `out`.
    ///
    /// # Errors
    /// As [`Image::open`] would refuse it.
    pub fn body<'o>(&self, out: &'o mut [u8; MAX_FILE]) -> Result<&'o [u8], ImageError> {
        self.check()?;
        wire::encode(self, out).map(|used| &*used).map_err(ImageError::Wire)
    }

    /// Whether it may follow the version that runs.
    ///
    /// # Errors
    /// [`ImageError::Older`].
    pub const fn follows(&self, running: u32) -> Result<(), ImageError> {
        if self.version > running {
            Ok(())
        } else {
            Err(ImageError::Older {
                running,
                given: self.version,
            })
        }
    }

    fn check(&self) -> Result<(), ImageError> {
        if self.format != FORMAT {
            return Err(ImageError::Format(self.format));
        }
        let parts = [self.squashfs, self.tree, self.efi];
        if self.version == 0 || parts.iter().any(|part| part.length == 0 || part.length > MAX_PART) {
            return Err(ImageError::Value);
        }
        Ok(())
    }
}

/// What identifies a signed image: `H("ippyo/1/image", body)`.
#[must_use]
pub fn image_hash(body: &[u8]) -> Digest {
    hash("ippyo/1/image", &[body])
}

/// What two staff cards approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval<'a> {
    /// Election hash: the roster that the cards are of.
    pub election: &'a Digest,
    /// The station.
    pub station: u16,
    /// The software that runs now.
    pub running: &'a Digest,
    /// [`image_hash`] of what is to run.
    pub image: &'a Digest,
    /// Drawn by whoever writes the image, for this one time: a signature of another day or kiosk is worth nothing.
    pub nonce: &'a Digest,
}

impl Approval<'_> {
    /// The message that a staff card signs.
    #[must_use]
    pub fn message(&self) -> [u8; APPROVAL] {
        let mut out = [0; APPROVAL];
        let station = self.station.to_be_bytes();
        let parts = [&self.election[..], &station, self.running, self.image, self.nonce];
        for (to, from) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        out
    }
}

/// The root hash that a hash tree stands for, from its first [`TREE_HEAD`] bytes: SHA-256 over its salt and the block at its top. `None` if it is no
/// tree of the one kind that is used (format 1, SHA-256, blocks of 4096 bytes both).
#[must_use]
pub fn tree_root(head: &[u8]) -> Option<Digest> {
    let at = |start: usize, length: usize| head.get(start..start.checked_add(length)?);
    let word = |start| Some(u32::from_le_bytes(at(start, 4)?.try_into().ok()?));
    let mut name = [0; 32];
    for (to, from) in name.iter_mut().zip(b"sha256") {
        *to = *from;
    }
    let known = at(0, 8)? == b"verity\0\0"
        && (word(8)?, word(12)?) == (1, 1)
        && at(32, 32)? == name
        && (word(64)?, word(68)?) == (4096, 4096);
    let length = usize::from(u16::from_le_bytes(at(80, 2)?.try_into().ok()?));
    if !known || length > 256 {
        return None;
    }
    let mut bytes = [0; 256 + 4096];
    let input = bytes.get_mut(..length.checked_add(4096)?)?;
    for (to, from) in input.iter_mut().zip(at(88, length)?.iter().chain(at(4096, 4096)?)) {
        *to = *from;
    }
    Some(sha256(input))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Signer;
    use std::vec::Vec;

    const PART: Part = Part {
        length: 4096,
        sha256: [3; 32],
    };
    const IMAGE: Image = Image {
        format: FORMAT,
        version: 7,
        root: [9; 32],
        squashfs: PART,
        tree: PART,
        efi: PART,
    };

    fn signed(image: &Image, key: u8, label: &str) -> Vec<u8> {
        let (mut body, mut out) = ([0; MAX_FILE], [0; MAX_FILE]);
        let body = wire::encode(image, &mut body).unwrap();
        let signer = Signer::from_bytes(&[key; 32]).unwrap();
        wire::encode(&Signed::new(body, label, &signer).unwrap(), &mut out)
            .unwrap()
            .to_vec()
    }

    #[test]
    fn an_image_is_read_if_the_authority_signed_it_as_one_and_every_changed_byte_is_found() {
        let authority = Signer::from_bytes(&[1; 32]).unwrap().public_key();
        let file = signed(&IMAGE, 1, LABEL_IMAGE);
        let (image, hash) = Image::open(&file, &authority).unwrap();
        assert_eq!(image, IMAGE);
        let mut body = [0; MAX_FILE];
        assert_eq!(hash, image_hash(IMAGE.body(&mut body).unwrap()));
        for other in [signed(&IMAGE, 2, LABEL_IMAGE), signed(&IMAGE, 1, crate::package::LABEL)] {
            assert!(matches!(Image::open(&other, &authority), Err(ImageError::Signature(_))));
        }
        for place in 0..file.len() {
            let mut changed = file.clone();
            changed[place] ^= 1;
            assert!(Image::open(&changed, &authority).is_err(), "byte {place}");
            assert!(Image::open(&file[..place], &authority).is_err(), "cut at {place}");
        }
        assert_eq!(Image::open(&[0; MAX_FILE + 1], &authority), Err(ImageError::TooLong));
    }

    #[test]
    fn what_the_authority_should_not_have_signed_is_refused_too() {
        let authority = Signer::from_bytes(&[1; 32]).unwrap().public_key();
        let empty = Part { length: 0, ..PART };
        let long = Part {
            length: MAX_PART + 1,
            ..PART
        };
        for (image, why) in [
            (Image { format: 2, ..IMAGE }, ImageError::Format(2)),
            (Image { version: 0, ..IMAGE }, ImageError::Value),
            (
                Image {
                    squashfs: empty,
                    ..IMAGE
                },
                ImageError::Value,
            ),
            (Image { tree: long, ..IMAGE }, ImageError::Value),
            (Image { efi: empty, ..IMAGE }, ImageError::Value),
        ] {
            assert_eq!(Image::open(&signed(&image, 1, LABEL_IMAGE), &authority), Err(why));
            assert_eq!(image.body(&mut [0; MAX_FILE]), Err(why));
        }
        assert_eq!(IMAGE.follows(6), Ok(()));
        for running in [7, 8] {
            assert_eq!(IMAGE.follows(running), Err(ImageError::Older { running, given: 7 }));
        }
    }

    #[test]
    fn an_approval_says_what_of_which_and_for_which_time() {
        let (one, two) = ([1; 32], [2; 32]);
        let approval = Approval {
            election: &one,
            station: 3,
            running: &one,
            image: &one,
            nonce: &one,
        };
        let message = approval.message();
        assert_eq!(message.len(), 32 + 2 + 32 + 32 + 32);
        for other in [
            Approval {
                election: &two,
                ..approval
            },
            Approval { station: 4, ..approval },
            Approval {
                running: &two,
                ..approval
            },
            Approval {
                image: &two,
                ..approval
            },
            Approval {
                nonce: &two,
                ..approval
            },
        ] {
            assert_ne!(other.message(), message);
        }
    }

    /// Against `veritysetup format`, cryptsetup 2.6.1: `head -c 1048576 /dev/zero`, `--salt=aabbcc`.
    #[test]
    fn the_top_of_a_tree_gives_the_root_hash_that_veritysetup_prints() {
        let zeros = [0_u8; 4096];
        let mut block = hex_of("aabbcc");
        block.extend(zeros);
        let leaf = sha256(&block);
        let mut head = std::vec![0_u8; TREE_HEAD];
        head[..8].copy_from_slice(b"verity\0\0");
        head[8] = 1;
        head[12] = 1;
        head[32..38].copy_from_slice(b"sha256");
        head[64..68].copy_from_slice(&4096_u32.to_le_bytes());
        head[68..72].copy_from_slice(&4096_u32.to_le_bytes());
        head[80] = 3;
        head[88..91].copy_from_slice(&hex_of("aabbcc"));
        // 256 blocks are two blocks of hashes under one at the top.
        let mut full = hex_of("aabbcc");
        (0..128).for_each(|_| full.extend(leaf));
        let middle = sha256(&full);
        head[4096..4128].copy_from_slice(&middle);
        head[4128..4160].copy_from_slice(&middle);
        let printed = hex_of(VERITYSETUP);
        assert_eq!(tree_root(&head).unwrap().to_vec(), printed);
        for (place, why) in [
            (0, "magic"),
            (8, "format"),
            (12, "kind"),
            (32, "hash"),
            (65, "block"),
            (69, "block"),
            (81, "salt"),
        ] {
            let mut other = head.clone();
            other[place] ^= 0x40;
            assert_eq!(tree_root(&other), None, "{why}");
        }
        assert_eq!(tree_root(&head[..TREE_HEAD - 1]), None);
        let mut other = head.clone();
        other[TREE_HEAD - 1] ^= 1;
        assert_ne!(tree_root(&other).unwrap().to_vec(), printed);
    }

    fn hex_of(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    const VERITYSETUP: &str = "9bf8394f538b91df85784d68d8fc5a2537787611a274c7db0f71ab164e865124";
}
