//! The fonts of the desk: the one that panels have, then those that the clerk names, then for names one of full repertoire of which every
//! byte is known ([`Fallback`]); never one that happens to be on the machine.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use election::hash::{Digest, sha256};
use election::manifest::CheckedManifest;
use election::pictures::MAX_FONTS;
use harfrust::{Feature, FontRef, ShapeOptions, ShaperData, Tag, UnicodeBuffer};
use skrifa::MetadataProvider as _;

use super::fallback::Fallback;
use super::said::{Said, said};
use crate::definition::Texts;
use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// Longest font file: collections for all of East Asia have 20 to 60 MB.
const LONGEST: u64 = 256 << 20;

pub(super) struct Font {
    bytes: Cow<'static, [u8]>,
    pub(super) hash: Digest,
    name: String,
}

impl Font {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let bytes = files::read(path, LONGEST)?;
        let font = FontRef::from_index(&bytes, 0).map_err(|error| {
            Problem::new(Kind::Malformed, path.display(), format!("is not a font: {error}"))
                .advice("give an OpenType font or collection (.ttf, .otf, .ttc)")
        })?;
        let name = font
            .localized_strings(skrifa::string::StringId::FULL_NAME)
            .english_or_first()
            .map_or_else(|| path.display().to_string(), |name| name.to_string());
        let hash = sha256(&bytes);
        Ok(Self {
            bytes: Cow::Owned(bytes),
            hash,
            name,
        })
    }
}

/// Fonts in the order in which they are asked.
pub struct Fonts(Vec<Font>);

impl Fonts {
    /// The panel's own font alone.
    #[must_use]
    pub fn bundled() -> Self {
        Self(vec![Font {
            bytes: Cow::Borrowed(panel::font::BYTES),
            hash: sha256(panel::font::BYTES),
            name: panel::font::FAMILY.into(),
        }])
    }

    /// And the fonts of these files (of a collection its first), for what those before lack.
    ///
    /// # Errors
    /// A file that is no font; too many.
    pub fn with_files<P: AsRef<Path>>(paths: &[P]) -> Outcome<Self> {
        let mut fonts = Self::bundled();
        for path in paths {
            let path = path.as_ref();
            fonts.0.push(Font::read(path)?);
        }
        if fonts.0.len() > MAX_FONTS {
            return Err(Problem::new(
                Kind::Limit,
                "--font",
                format!("at most {} fonts beside the panel's own", MAX_FONTS - 1),
            ));
        }
        Ok(fonts)
    }

    /// These fonts and, for the characters of an election and a station's name that none of them has, those of [`Fallback`] that do: what
    /// is not needed is not taken, so that the same definition and the same `--font`s give the same bytes on every machine, or are refused.
    ///
    /// # Errors
    /// As [`Fonts::with_files`]; a font of the fallback that is not the one that is meant.
    pub fn for_names<P: AsRef<Path>>(
        paths: &[P],
        manifest: &CheckedManifest<'_>,
        station: &Texts,
        fallback: &Fallback,
    ) -> Outcome<Self> {
        let mut fonts = Self::with_files(paths)?;
        let said = said(manifest, station)?;
        let clusters: BTreeSet<&str> = said.iter().flat_map(Said::clusters).collect();
        for file in fallback.files() {
            if fonts.lacks(&clusters)?.is_empty() || fonts.0.len() >= MAX_FONTS {
                break;
            }
            let Some(font) = file.load()? else { continue };
            let lacking = fonts.lacks(&clusters)?.len();
            fonts.0.push(font);
            if fonts.lacks(&clusters)?.len() == lacking {
                fonts.0.pop();
            }
        }
        Ok(fonts)
    }

    /// The characters that no font has.
    fn lacks<'c>(&self, clusters: &BTreeSet<&'c str>) -> Outcome<Vec<&'c str>> {
        let faces = self.faces()?;
        let lacks = |cluster: &&&str| !faces.iter().any(|face| face.has(cluster));
        Ok(clusters.iter().filter(lacks).copied().collect())
    }

    /// Hash and name of each file.
    pub fn list(&self) -> impl Iterator<Item = (Digest, &str)> {
        self.0.iter().map(|font| (font.hash, font.name.as_str()))
    }

    /// Opened for shaping.
    pub(super) fn faces(&self) -> Outcome<Vec<Face<'_>>> {
        self.0
            .iter()
            .map(|font| {
                let face = FontRef::from_index(&font.bytes, 0);
                let font = face.map_err(|error| Problem::new(Kind::Malformed, &font.name, error))?;
                Ok(Face {
                    data: ShaperData::new(&font),
                    font,
                })
            })
            .collect()
    }
}

/// A font that shapes.
pub(super) struct Face<'a> {
    pub font: FontRef<'a>,
    data: ShaperData,
}

/// A glyph and where it stands, in units of its font.
#[derive(Clone, Copy)]
pub(super) struct Glyph {
    pub id: u32,
    pub x: i32,
    pub y: i32,
    pub advance: i32,
}

impl Face<'_> {
    /// Units of the em.
    pub fn units(&self) -> f32 {
        let size = skrifa::instance::Size::unscaled();
        f32::from(
            self.font
                .metrics(size, skrifa::instance::LocationRef::default())
                .units_per_em,
        )
    }

    /// Whether the font has every character of a cluster, and every form that a selector in it chooses.
    pub fn has(&self, cluster: &str) -> bool {
        let map = self.font.charmap();
        let mut before = None;
        cluster.chars().all(|character| {
            let selector = matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
            if selector {
                before.is_some_and(|before: char| map.map_variant(before, character).is_some())
            } else {
                before = Some(character);
                map.map(character).is_some_and(|glyph| glyph.to_u32() != 0)
            }
        })
    }

    /// The glyphs of a text from left to right; `None` where the script is written another way. What the panel's layout does not know,
    /// kerning and ligatures, is off.
    pub fn shape(&self, text: &str) -> Option<Vec<Glyph>> {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        if buffer.direction() != harfrust::Direction::LeftToRight {
            return None;
        }
        let off: Vec<Feature> = [b"kern", b"liga", b"clig", b"calt"]
            .map(|tag| Feature::new(Tag::new(tag), 0, ..))
            .to_vec();
        let shaper = self.data.shaper(&self.font).build();
        let shaped = shaper.shape(buffer, ShapeOptions::new().features(&off));
        Some(
            shaped
                .glyph_infos()
                .iter()
                .zip(shaped.glyph_positions())
                .map(|(info, position)| Glyph {
                    id: info.glyph_id,
                    x: position.x_offset,
                    y: position.y_offset,
                    advance: position.x_advance,
                })
                .collect(),
        )
    }
}
