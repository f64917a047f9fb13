//! Draws every character of an election once. What decides is the text alone and the fonts' bytes: who has both draws the same section.

use std::collections::BTreeMap;

use election::hash::Digest;
use election::manifest::CheckedManifest;
use election::pictures::{EM, FRAME, MARGIN, MAX_CLUSTER, PEN, Picture, Pictures, VERSION, pack};
use election::wire::Seq;
use panel::text;
use serde::Serialize;
use skrifa::MetadataProvider as _;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::OutlinePen;
use zeno::{Command, Mask, Vector};

use super::fonts::{Face, Fonts};
use super::refused;
use super::said::{Said, said};
use crate::definition::Texts;
use crate::encode::{seq_of, to_bytes};
use crate::problem::{Kind, Outcome, Problem};

/// What was drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Drawn {
    /// The section.
    #[serde(skip)]
    pub section: Vec<u8>,
    /// Characters.
    pub characters: usize,
    /// Characters that are not in the panel's own font.
    pub rare: Vec<String>,
}

/// A picture that owns its pixels.
struct Own {
    font: u8,
    at: (u8, u8),
    size: (u8, u8),
    packed: Vec<u8>,
}

/// Draws every character that a panel shows of an election and of a station's name.
///
/// # Errors
/// By name: a character that no font has, a script whose letters are joined or run from right to left, ink out of its place.
pub fn draw(manifest: &CheckedManifest<'_>, station: &Texts, fonts: &Fonts) -> Outcome<Drawn> {
    let faces = fonts.faces()?;
    let mut drawn: BTreeMap<String, Own> = BTreeMap::new();
    for said in said(manifest, station)? {
        for cluster in said.clusters() {
            if !drawn.contains_key(cluster) {
                let own = one(&faces, &said, cluster)?;
                drawn.insert(cluster.to_owned(), own);
            }
        }
        stands_alone(&faces, &said, &drawn)?;
    }
    let pictures = seq_of(drawn.iter().map(|(cluster, own)| Picture {
        cluster,
        font: own.font,
        x: own.at.0,
        y: own.at.1,
        width: own.size.0,
        height: own.size.1,
        packed: &own.packed,
    }))?;
    let hashes: Vec<Digest> = fonts.list().map(|(hash, _)| hash).collect();
    let hashes = seq_of(hashes)?;
    let section = to_bytes(&Pictures {
        version: VERSION,
        fonts: Seq::from_bytes(&hashes),
        pictures: Seq::from_bytes(&pictures),
    })?;
    // What a kiosk would refuse is not given away.
    Pictures::read(&section).map_err(|error| {
        Problem::new(Kind::Limit, "pictures", error).advice("the election has more characters than a package holds")
    })?;
    Ok(Drawn {
        section,
        characters: drawn.len(),
        rare: drawn
            .iter()
            .filter(|(_, own)| own.font > 0)
            .map(|(cluster, _)| cluster.clone())
            .collect(),
    })
}

/// A text is the sum of its clusters, or it cannot be broken into lines: letters that join their neighbours are another text apart.
fn stands_alone(faces: &[Face<'_>], said: &Said, drawn: &BTreeMap<String, Own>) -> Outcome<()> {
    let font = |cluster: &&str| drawn.get(*cluster).map(|own| usize::from(own.font));
    let clusters: Vec<&str> = said.clusters().collect();
    for run in clusters.chunk_by(|one, other| font(one) == font(other)) {
        let Some((first, face)) = run
            .first()
            .and_then(|first| font(first).and_then(|font| faces.get(font)).map(|face| (*first, face)))
        else {
            continue;
        };
        let ids = |text: &str| {
            face.shape(text)
                .map(|glyphs| glyphs.iter().map(|glyph| glyph.id).collect::<Vec<_>>())
        };
        let apart: Option<Vec<u32>> = run
            .iter()
            .map(|cluster| ids(cluster))
            .collect::<Option<Vec<_>>>()
            .map(|ids| ids.concat());
        if apart.is_none() || ids(&run.concat()) != apart {
            return Err(
                refused(said, first, "begins letters that join, or run from right to left")
                    .advice("panels set letters one by one, from left to right; write it in such a script"),
            );
        }
    }
    Ok(())
}

/// Collects an outline, moved and narrowed, with rows counted downwards as pictures are. (Mirroring is left to nobody else: zeno's bottom
/// origin gives the lower edge of an unmeasured mask as its top.)
struct Pen {
    commands: Vec<Command>,
    x: f32,
    y: f32,
    narrow: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> Vector {
        Vector::new(x * self.narrow + self.x, -(y + self.y))
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.commands.push(Command::MoveTo(self.at(x, y)));
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.commands.push(Command::LineTo(self.at(x, y)));
    }
    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.commands.push(Command::QuadTo(self.at(cx0, cy0), self.at(x, y)));
    }
    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.commands
            .push(Command::CurveTo(self.at(cx0, cy0), self.at(cx1, cy1), self.at(x, y)));
    }
    fn close(&mut self) {
        self.commands.push(Command::Close);
    }
}

/// Units are small whole numbers: a float holds them exactly.
#[allow(clippy::cast_precision_loss)]
const fn float(units: i32) -> f32 {
    units as f32
}

fn one(faces: &[Face<'_>], said: &Said, cluster: &str) -> Outcome<Own> {
    if cluster.len() > MAX_CLUSTER {
        return Err(refused(said, cluster, "has too many marks"));
    }
    let Some((number, face)) = (0_u8..).zip(faces).find(|(_, face)| face.has(cluster)) else {
        return Err(refused(said, cluster, "is in none of the fonts").advice(format!(
            "install Debian's {} (nearly all kanji there are), or give a font that has it with --font FILE",
            super::fallback::PACKAGE
        )));
    };
    let glyphs = face.shape(cluster).unwrap_or_default();
    let em = f32::from(EM);
    let scale = em / face.units();
    let cell: u32 = cluster.chars().map(text::cell).sum();
    let cell =
        f32::from(u16::try_from(cell).unwrap_or(u16::MAX)) * em / f32::from(u16::try_from(text::UNITS).unwrap_or(1));
    let advance: f32 = glyphs.iter().map(|glyph| float(glyph.advance) * scale).sum();
    // The panel's own font fills its cells; a glyph of another stands in the middle, narrowed if need be.
    let narrow = if number > 0 && advance > cell && cell > 0.0 {
        cell / advance
    } else {
        1.0
    };
    let mut pen = Pen {
        commands: Vec::new(),
        x: 0.0,
        y: 0.0,
        narrow,
    };
    let mut x = if number > 0 {
        (cell - advance * narrow) / 2.0
    } else {
        0.0
    };
    let outlines = face.font.outline_glyphs();
    for glyph in &glyphs {
        pen.x = x + float(glyph.x) * scale * narrow;
        pen.y = float(glyph.y) * scale;
        if let Some(outline) = outlines.get(skrifa::GlyphId::new(glyph.id)) {
            outline
                .draw((Size::new(em), LocationRef::default()), &mut pen)
                .map_err(|error| refused(said, cluster, &format!("cannot be drawn: {error}")))?;
        }
        x += float(glyph.advance) * scale * narrow;
    }
    let (alpha, placed) = Mask::new(&pen.commands).render();
    place(&alpha, placed, cell)
        .map(|(at, size, pixels)| {
            let mut packed = Vec::new();
            pack(&pixels, size.0, |byte| packed.push(byte));
            Own {
                font: number,
                at,
                size,
                packed,
            }
        })
        .ok_or_else(|| refused(said, cluster, "draws nothing, or out of its place"))
}

/// Cuts a drawing to its ink, in sixteen shades, and puts it into the frame.
#[allow(clippy::type_complexity)] // Place, size and pixels, used in the next lines only.
fn place(alpha: &[u8], placed: zeno::Placement, cell: f32) -> Option<((u8, u8), (u8, u8), Vec<u8>)> {
    let width = usize::try_from(placed.width).ok().filter(|width| *width > 0)?;
    let shade = |alpha: u8| u8::try_from((u32::from(alpha) * 15 + 127) / 255).unwrap_or(15);
    let ink = |place: &usize| alpha.get(*place).is_some_and(|alpha| shade(*alpha) > 0);
    let places = || (0..alpha.len()).filter(ink);
    let (left, right) = (
        places().map(|place| place % width).min()?,
        places().map(|place| place % width).max()?,
    );
    let (top, bottom) = (
        places().map(|place| place / width).min()?,
        places().map(|place| place / width).max()?,
    );
    let pixels: Vec<u8> = alpha
        .chunks(width)
        .skip(top)
        .take(bottom - top + 1)
        .flat_map(|row| row.iter().skip(left).take(right - left + 1))
        .map(|alpha| shade(*alpha))
        .collect();
    let size = (
        u8::try_from(right - left + 1).ok()?,
        u8::try_from(bottom - top + 1).ok()?,
    );
    let at = (
        u8::try_from(i32::from(PEN.0) + placed.left + i32::try_from(left).ok()?).ok()?,
        u8::try_from(i32::from(PEN.1) + placed.top + i32::try_from(top).ok()?).ok()?,
    );
    let end = (f32::from(at.0) + f32::from(size.0), u32::from(at.1) + u32::from(size.1));
    let room = f32::from(PEN.0) + cell.ceil() + f32::from(MARGIN);
    (end.0 <= room && end.0 <= f32::from(FRAME.0) && end.1 <= u32::from(FRAME.1)).then_some((at, size, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(cluster: &str) -> Own {
        let fonts = Fonts::bundled();
        let said = Said {
            place: "here".into(),
            text: cluster.into(),
        };
        one(&fonts.faces().unwrap(), &said, cluster).unwrap()
    }

    /// Pixels row by row.
    fn rows(own: &Own) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        let picture = Picture {
            cluster: "",
            font: 0,
            x: own.at.0,
            y: own.at.1,
            width: own.size.0,
            height: own.size.1,
            packed: &own.packed,
        };
        picture.rows(|_, row| rows.push(row.to_vec())).unwrap();
        rows
    }

    #[test]
    fn u3_letters_stand_upright_on_the_baseline() {
        // A capital L has its foot at the bottom, on the baseline or, as this font has it, a little below.
        let letter = picture("L");
        let rows = rows(&letter);
        let ink = |row: &Vec<u8>| row.iter().filter(|shade| **shade > 7).count();
        assert!(ink(&rows[1]) * 2 < ink(&rows[rows.len() - 2]));
        assert!((PEN.1..PEN.1 + 4).contains(&(letter.at.1 + letter.size.1)));
        assert!(letter.size.1 > EM / 2 && letter.size.1 < EM);
        assert!(letter.at.0 >= PEN.0);
        // A comma hangs below it, a hyphen floats above, a kanji fills most of its square.
        assert!(picture(",").at.1 + picture(",").size.1 > PEN.1 + 4);
        assert!(picture("-").at.1 + picture("-").size.1 < PEN.1 - 10);
        let kanji = picture("\u{4e9c}");
        assert!(kanji.size.0 > EM / 4 * 3 && kanji.size.1 > EM / 4 * 3);
    }
}
