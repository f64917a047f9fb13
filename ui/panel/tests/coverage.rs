//! The bundled font shows every text of this room and of the bundled elections: by shaping, as the renderer does, and by the
//! table that the layout uses; the two agree.
#![cfg(feature = "std")]

mod common;

use harfrust::{FontRef, ShaperData, UnicodeBuffer};
use panel::words::LANGUAGES;

struct Shaper<'a> {
    font: FontRef<'a>,
    data: ShaperData,
}

impl Shaper<'static> {
    fn new() -> Self {
        let font = FontRef::from_index(panel::font::BYTES, 0).expect("the bundled font");
        let data = ShaperData::new(&font);
        Self { font, data }
    }

    /// Whether every glyph of a line is there, and its width in units.
    fn shape(&self, text: &str) -> (bool, i64) {
        let shaper = self.data.shaper(&self.font).build();
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let glyphs = shaper.shape(buffer, harfrust::ShapeOptions::new());
        let whole = glyphs.glyph_infos().iter().all(|glyph| glyph.glyph_id != 0);
        (
            whole,
            glyphs
                .glyph_positions()
                .iter()
                .map(|position| i64::from(position.x_advance))
                .sum(),
        )
    }
}

/// All lines of a text, without the marks that are never drawn.
fn lines(text: &str) -> impl Iterator<Item = String> {
    text.replace('\u{200b}', "")
        .lines()
        .map(String::from)
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn every_text_of_this_room_can_be_shown() {
    let shaper = Shaper::new();
    for language in &LANGUAGES {
        for text in language.all().chain([language.name]) {
            for line in lines(text) {
                assert!(shaper.shape(&line).0, "{}: {line}", language.tag);
                assert_eq!(panel::font::missing(&line), None, "{}: {line}", language.tag);
            }
        }
    }
}

#[test]
fn u3_every_text_of_the_bundled_elections_can_be_shown() {
    let shaper = Shaper::new();
    let texts = common::bundled();
    assert!(texts.len() > 100, "the bundled elections have texts");
    for (file, language, text) in texts {
        for line in lines(&text) {
            let line = line.replace('\t', " ");
            assert!(shaper.shape(&line).0, "{file}, {language}: {line}");
            assert_eq!(panel::font::missing(&line), None, "{file}, {language}: {line}");
        }
    }
}

/// The layout's table says what shaping says: present or missing, and how wide.
#[test]
fn the_table_of_advances_agrees_with_shaping() {
    let shaper = Shaper::new();
    let samples = [
        "加賀市",
        "髙﨑",
        "𠮷",
        "Kaga City Hall, 3 of 12",
        "ブロッコリー",
        "(あと3回)。",
        "●●●",
        "辻",
        "😀",
        "ção é à",
    ];
    for text in samples
        .into_iter()
        .map(String::from)
        .chain(LANGUAGES.iter().flat_map(|language| language.all().flat_map(lines)))
    {
        let (whole, width) = shaper.shape(&text);
        assert_eq!(whole, panel::font::missing(&text).is_none(), "{text}");
        if whole {
            let table: i64 = text.chars().filter_map(panel::text::advance).map(i64::from).sum();
            // What the font draws may be narrower (ligatures), never wider than its room.
            assert!(width <= table, "{text}: drawn {width}, counted {table}");
        }
    }
}

/// A definition's name that the font lacks is named, so that a desk can refuse it.
#[test]
fn a_name_that_cannot_be_shown_is_named() {
    assert_eq!(panel::font::missing("𠮷田"), Some('𠮷'));
    assert!(!Shaper::new().shape("𠮷田").0);
}
