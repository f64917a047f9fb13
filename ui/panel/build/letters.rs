//! The letters of a board that has no outlines: of each how far a point is from its edge, 32 points an em. `src/pen.rs` draws any size from it.

use std::fs;
use std::path::Path;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// Points an em. At fewer, strokes of a kanji are lost between two points.
const FIELD: i32 = 32;
/// Steps of a distance a point: 3 points are as far as a byte reaches.
const STEPS: f64 = 40.0;

/// An outline as straight pieces, in points, downwards.
struct Outline {
    scale: f64,
    begin: (f64, f64),
    at: (f64, f64),
    pieces: Vec<[f64; 4]>,
}

impl Outline {
    fn place(&self, x: f32, y: f32) -> (f64, f64) {
        (f64::from(x) * self.scale, -f64::from(y) * self.scale)
    }

    fn to(&mut self, next: (f64, f64)) {
        self.pieces.push([self.at.0, self.at.1, next.0, next.1]);
        self.at = next;
    }

    /// How far a point is from the edge; more than 0 inside.
    fn distance(&self, x: f64, y: f64) -> f64 {
        let (mut nearest, mut turns) = (f64::MAX, 0);
        for [ax, ay, bx, by] in &self.pieces {
            let (dx, dy) = (bx - ax, by - ay);
            let length = dx * dx + dy * dy;
            let along = if length > 0.0 {
                (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let (ox, oy) = (ax + along * dx - x, ay + along * dy - y);
            nearest = nearest.min(ox * ox + oy * oy);
            let side = dx * (y - ay) - (x - ax) * dy;
            if *ay <= y && *by > y && side > 0.0 {
                turns += 1;
            } else if *ay > y && *by <= y && side < 0.0 {
                turns -= 1;
            }
        }
        if turns == 0 { -nearest.sqrt() } else { nearest.sqrt() }
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = self.place(x, y);
        self.begin = self.at;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let next = self.place(x, y);
        self.to(next);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (from, over, to) = (self.at, self.place(x1, y1), self.place(x, y));
        for piece in 1..=6 {
            let t = f64::from(piece) / 6.0;
            let mix = |a: f64, b: f64, c: f64| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
            self.to((mix(from.0, over.0, to.0), mix(from.1, over.1, to.1)));
        }
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (from, one, two, to) = (self.at, self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        for piece in 1..=8 {
            let t = f64::from(piece) / 8.0;
            let mix = |a: f64, b: f64, c: f64, d: f64| {
                let s = 1.0 - t;
                s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d
            };
            self.to((mix(from.0, one.0, two.0, to.0), mix(from.1, one.1, two.1, to.1)));
        }
    }

    fn close(&mut self) {
        let begin = self.begin;
        self.to(begin);
    }
}

/// Writes `letters.rs` and `letters.bin` for these characters, ascending.
pub fn write(font: &str, characters: &[char], out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let data = fs::read(font)?;
    let face = Face::parse(&data, 0)?;
    let mut fields: Vec<u8> = Vec::new();
    let mut list = String::new();
    let mut count = 0;
    for character in characters {
        let Some(glyph) = face.glyph_index(*character).filter(|glyph| *glyph != GlyphId(0)) else {
            continue;
        };
        let mut outline = Outline {
            scale: f64::from(FIELD) / f64::from(face.units_per_em()),
            begin: (0.0, 0.0),
            at: (0.0, 0.0),
            pieces: Vec::new(),
        };
        // A space has none.
        let Some(bounds) = face.outline_glyph(glyph, &mut outline) else {
            continue;
        };
        let points = |units: i16| f64::from(units) * outline.scale;
        // A point more around: ink begins between two points.
        let (left, top) = (
            points(bounds.x_min).floor() - 1.0,
            (-points(bounds.y_max)).floor() - 1.0,
        );
        let (right, bottom) = (points(bounds.x_max).ceil() + 1.0, (-points(bounds.y_min)).ceil() + 1.0);
        let (width, height) = ((right - left) as usize + 1, (bottom - top) as usize + 1);
        list += &format!(
            "    Letter {{ character: {character:?}, left: {left}, top: {top}, width: {width}, height: {height}, at: {} }},\n",
            fields.len()
        );
        for row in 0..height {
            for column in 0..width {
                let distance = outline.distance(left + column as f64, top + row as f64);
                fields.push(((distance * STEPS).round().clamp(-127.0, 127.0) as i8).cast_unsigned());
            }
        }
        count += 1;
    }
    fs::write(out.join("letters.bin"), fields)?;
    fs::write(
        out.join("letters.rs"),
        format!(
            "const FIELD: i32 = {FIELD};\nconst STEPS: i32 = {STEPS};\nstatic LETTERS: [Letter; {count}] = [\n{list}];\nstatic FIELDS: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/letters.bin\"));\n"
        ),
    )?;
    Ok(())
}
