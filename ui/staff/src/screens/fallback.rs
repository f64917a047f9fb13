//! Kanji that the panel's own font lacks: Hanazono, of the GlyphWiki project (SIL Open Font License 1.1 or its own, as free), as Debian
//! ships it. With both of its files nearly every kanji of ISO 10646 up to extension F has a form, and 29,772 variation sequences, those
//! of the registers of families and residents among them. It is 50 MB, so it is installed and not bundled; which bytes are meant stands
//! here, so that two desks draw the same pictures of a name.

use std::path::{Path, PathBuf};

use election::hash::Digest;

use super::fonts::Font;
use crate::problem::{Kind, Outcome, Problem};

/// Debian's package.
pub const PACKAGE: &str = "fonts-hanazono";

/// Where it puts them.
const FOLDER: &str = "/usr/share/fonts/truetype/hanazono";

/// Name and SHA-256 of the files of version 20170904: the kanji in use and their sequences, then extension B and later.
const FILES: [(&str, &str); 2] = [
    (
        "HanaMinA.ttf",
        "7ca87559414474848fc513a8d8eb42d5b0f8194c30c2abdfbfedff5398ec88d7",
    ),
    (
        "HanaMinB.ttf",
        "829543436cdf7b4c6730e2af5806fa406f8ddf0d4b656e0cd49c58d4db1c8d3c",
    ),
];

/// The font of full repertoire, where it is.
#[derive(Clone, Debug)]
pub struct Fallback {
    folder: PathBuf,
}

impl Fallback {
    /// Where Debian's package puts it.
    #[must_use]
    pub fn debian() -> Self {
        Self::within(FOLDER)
    }

    /// In another folder, such as that of another distribution.
    #[must_use]
    pub fn within(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = File> {
        FILES.into_iter().map(|(name, hash)| File {
            path: self.folder.join(name),
            hash,
        })
    }
}

/// One of its files.
pub(super) struct File {
    path: PathBuf,
    hash: &'static str,
}

impl File {
    /// Reads it; `None` where it is not installed.
    ///
    /// # Errors
    /// It is another font, or another version of it.
    pub fn load(&self) -> Outcome<Option<Font>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let font = Font::read(&self.path)?;
        self.check(&font.hash).map(|()| Some(font))
    }

    fn check(&self, hash: &Digest) -> Outcome<()> {
        if hex::encode(hash) == self.hash {
            return Ok(());
        }
        Err(another(&self.path, hash))
    }
}

fn another(path: &Path, hash: &Digest) -> Problem {
    Problem::new(
        Kind::Refused,
        path.display(),
        format!(
            "is not the font that this desk knows (its SHA-256 is {})",
            hex::encode(hash)
        ),
    )
    .advice(format!(
        "install {PACKAGE} 20170904, or say that this one is meant: --font {}",
        path.display()
    ))
}
