//! Where lines break. Done here and not by the graphics library, so that a name stands in the same lines on a laptop and on a
//! microcontroller, nothing is ever cut, and pages can be counted before they are drawn. The font has no kerning: a line is as
//! wide as the sum of its advances.

use alloc::string::String;
use alloc::vec::Vec;

include!(concat!(env!("OUT_DIR"), "/advances.rs"));

/// Advance of a character in units; `None` if the font has no glyph for it.
#[must_use]
pub fn advance(character: char) -> Option<u32> {
    if matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{200b}') {
        return Some(0);
    }
    let code = u32::from(character);
    let index = RUNS.partition_point(|(first, _, _)| *first <= code).checked_sub(1)?;
    let (first, count, advance) = RUNS.get(index)?;
    (code - first < u32::from(*count)).then_some(u32::from(*advance))
}

/// The first character of a text that the bundled font cannot show.
#[must_use]
pub fn missing(text: &str) -> Option<char> {
    text.chars()
        .find(|character| *character != '\n' && advance(*character).is_none())
}

/// Width of a text in pixels, rounded up.
#[must_use]
pub fn width(text: &str, em: i32) -> i32 {
    let units: u64 = text.chars().map(|character| u64::from(cell(character))).sum();
    pixels(units, em)
}

/// How wide a character stands, in units, also one that the font lacks and that is drawn from a picture of the package: an
/// ideograph in a square, a mark on what is before it, anything else in three fifths of a square.
#[must_use]
pub fn cell(character: char) -> u32 {
    advance(character).unwrap_or_else(|| {
        if is_mark(character) {
            0
        } else if is_wide(character) {
            UNITS
        } else {
            UNITS * 3 / 5
        }
    })
}

/// Whether a character is drawn on the one before it, or chooses its form.
#[must_use]
pub fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether nothing is drawn for a character.
#[must_use]
pub fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\u{200b}'
}

/// The pieces of a text that are drawn as one: a character with the marks behind it.
pub fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        let next = behind.find(|character| !is_mark(character)).unwrap_or(behind.len());
        let (cluster, after) = rest.split_at_checked(first.len_utf8() + next)?;
        rest = after;
        Some(cluster)
    })
}

/// The pixel next to so many units.
#[must_use]
pub fn nearest(units: u32, em: i32) -> i32 {
    let half = i64::from(UNITS / 2);
    i32::try_from((i64::from(units) * i64::from(em) + half) / i64::from(UNITS)).unwrap_or(i32::MAX)
}

fn pixels(units: u64, em: i32) -> i32 {
    let em = u64::try_from(em).unwrap_or(0);
    i32::try_from((units * em).div_ceil(u64::from(UNITS))).unwrap_or(i32::MAX)
}

fn is_hiragana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{309f}')
}

/// Characters between which a line may break without a space.
fn is_wide(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff01}'..='\u{ff60}' | '\u{20000}'..='\u{3ffff}')
}

/// Never at the start of a line. A pattern and not a text that is searched: this is asked for every character of every screen.
#[rustfmt::skip]
fn no_start(character: char) -> bool {
    matches!(
        character,
        '、' | '。' | '，' | '．' | '・' | '：' | '；' | '？' | '！' | ')' | ']' | '}' | '）' | '］' | '｝' | '〕' | '〉' | '》' | '」' | '』' | '】'
            | '〟' | 'ー' | 'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' | 'っ' | 'ゃ' | 'ゅ' | 'ょ' | 'ゎ' | 'ァ' | 'ィ' | 'ゥ' | 'ェ' | 'ォ' | 'ッ' | 'ャ' | 'ュ'
            | 'ョ' | 'ヮ' | 'ヵ' | 'ヶ' | '々' | 'ゝ' | 'ゞ' | 'ヽ' | 'ヾ' | '゛' | '゜' | '%' | '％' | ',' | '.' | ':' | ';' | '!' | '?' | '\'' | '"'
    ) || is_mark(character)
}

/// Never at the end of a line.
fn no_end(character: char) -> bool {
    matches!(
        character,
        '(' | '[' | '{' | '（' | '［' | '｛' | '〔' | '〈' | '《' | '「' | '『' | '【' | '〝'
    )
}

/// After it a reader pauses.
fn pauses_after(character: char) -> bool {
    matches!(
        character,
        '、' | '。'
            | '，'
            | '．'
            | '：'
            | '；'
            | '？'
            | '！'
            | '）'
            | '］'
            | '｝'
            | '〕'
            | '〉'
            | '》'
            | '」'
            | '』'
            | '】'
            | '・'
    )
}

/// How good a place between two characters is to break: 0 not at all, 1 allowed, 2 where a reader would pause.
fn place(before: char, after: char) -> u8 {
    if before == ' ' || before == '\u{200b}' {
        return 2;
    }
    if no_start(after) || no_end(before) || after == ' ' {
        return 0;
    }
    if matches!(before, '-' | '/') && after.is_alphanumeric() {
        return 1;
    }
    if !is_wide(before) && !is_wide(after) {
        return 0;
    }
    let pause = pauses_after(before) || no_end(after) || (is_hiragana(before) && !is_hiragana(after));
    if pause { 2 } else { 1 }
}

/// Breaks a text into lines of at most `max` pixels. A word that is wider than a line is broken where the line ends: nothing
/// is cut, ever. A single character wider than `max` stands alone. U+200B marks where a reader pauses; it is not drawn.
#[must_use]
pub fn lines(text: &str, em: i32, max: i32) -> Vec<String> {
    text.split('\n')
        .flat_map(|paragraph| {
            let measured = measured(paragraph);
            written(&measured, room(em, max))
        })
        .collect()
}

/// As [`lines`], with lines of about the same length: for titles, buttons and names.
#[must_use]
pub fn balanced(text: &str, em: i32, max: i32) -> Vec<String> {
    if text.contains('\n') {
        return lines(text, em, max);
    }
    let measured = measured(text);
    let greedy = Shape::of(&measured, room(em, max), usize::MAX);
    if greedy.lines < 2 {
        return written(&measured, room(em, max));
    }
    // The narrowest width that needs no more lines and breaks in no worse places.
    let good = |max: i32| {
        let shape = Shape::of(&measured, room(em, max), greedy.lines);
        shape.lines <= greedy.lines && shape.worst >= greedy.worst && shape.pauses >= greedy.pauses
    };
    let (mut low, mut high) = (em, max);
    while low < high {
        let middle = low + (high - low) / 2;
        if good(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    written(&measured, room(em, if good(high) { high } else { max }))
}

/// A character as lines are broken.
struct Glyph {
    character: char,
    units: u32,
    /// How good a place before it is to break: see [`place`].
    before: u8,
}

/// A paragraph, measured once, however many widths are tried.
struct Measured {
    glyphs: Vec<Glyph>,
    /// A pause not further back than one in so many characters beats a break inside a word.
    back: usize,
}

fn measured(paragraph: &str) -> Measured {
    // A text with marks is broken at its marks; guesses are for texts without.
    let marked = paragraph.contains('\u{200b}');
    let mut last = None;
    let glyphs = paragraph
        .chars()
        .map(|character| {
            let before = last.map_or(0, |last| match place(last, character) {
                2 if marked && !matches!(last, '\u{200b}' | ' ' | '。' | '、') => 1,
                place => place,
            });
            last = Some(character);
            Glyph {
                character,
                units: cell(character),
                before,
            }
        })
        .collect();
    Measured {
        glyphs,
        back: if marked { 4 } else { 2 },
    }
}

/// How many units a line of `max` pixels takes; `None` if not even none.
fn room(em: i32, max: i32) -> Option<u64> {
    let (max, em) = (u64::try_from(max).ok()?, u64::try_from(em).unwrap_or(0));
    Some((max * u64::from(UNITS)).checked_div(em).unwrap_or(u64::MAX))
}

/// The lines of a paragraph: from where to where, and how good a place the end is. An empty paragraph has one.
fn broken(text: &Measured, room: Option<u64>) -> impl Iterator<Item = (usize, usize, u8)> {
    let (text, back) = (text.glyphs.as_slice(), text.back);
    let mut start = 0;
    let mut empty = text.is_empty();
    core::iter::from_fn(move || {
        if core::mem::take(&mut empty) {
            return Some((0, 0, 2));
        }
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let (length, place) = line_end(rest, back, room);
        let from = start;
        let end = start + length;
        let spaces = text.get(end..).unwrap_or_default();
        start = end + spaces.iter().take_while(|glyph| glyph.character == ' ').count();
        Some((from, end, place))
    })
}

fn written(text: &Measured, room: Option<u64>) -> Vec<String> {
    broken(text, room)
        .map(|(start, end, _)| {
            let mut line: String = text
                .glyphs
                .get(start..end)
                .unwrap_or_default()
                .iter()
                .map(|glyph| glyph.character)
                .filter(|character| *character != '\u{200b}')
                .collect();
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
}

/// What becomes of a paragraph at a width, without its lines.
struct Shape {
    lines: usize,
    /// How bad the worst line end is; the last line's end is none.
    worst: u8,
    /// At how many line ends a reader would pause.
    pauses: usize,
}

impl Shape {
    /// Ends early with more than `most` lines.
    fn of(text: &Measured, room: Option<u64>, most: usize) -> Self {
        let mut shape = Self {
            lines: 0,
            worst: 2,
            pauses: 0,
        };
        let mut last = 2;
        for (_, _, place) in broken(text, room) {
            shape.worst = shape.worst.min(last);
            last = place;
            shape.lines += 1;
            shape.pauses += usize::from(place == 2);
            if shape.lines > most {
                break;
            }
        }
        shape
    }
}

/// How many characters the first line takes, at least one, and how good a place its end is.
fn line_end(text: &[Glyph], back: usize, room: Option<u64>) -> (usize, u8) {
    let (mut units, mut allowed, mut pause) = (0_u64, 0, 0);
    for (index, glyph) in text.iter().enumerate() {
        if index > 0 {
            match glyph.before {
                2 => (allowed, pause) = (index, index),
                1 => allowed = index,
                _ => {}
            }
        }
        units += u64::from(glyph.units);
        // Trailing spaces may hang over the edge: they are not drawn.
        if glyph.character != ' ' && room.is_none_or(|room| units > room) {
            // A pause not too far back beats a break inside a word.
            return match (pause, allowed) {
                (pause, _) if pause * back > index => (pause, 2),
                (_, allowed) if allowed > 0 => (allowed, 1),
                _ => (index.max(1), 0),
            };
        }
    }
    (text.len(), 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 5] = [
        "「投票しないで終了する」を押すと、この投票ではもう投票できません。(本当です)",
        "City Council Member At Large Supercalifragilisticexpialidocious-Longname",
        "髙橋﨑 辻󠄀 ブロッコリー",
        "a",
        "",
    ];

    /// U3: whatever the width, no character is lost, and a line is wider than allowed only if it is one character.
    #[test]
    fn u3_nothing_is_cut_at_any_width() {
        for text in TEXTS {
            for max in 1..900 {
                for lines in [lines(text, 30, max), balanced(text, 30, max)] {
                    let joined: String = lines.concat().chars().filter(|c| *c != ' ').collect();
                    let wanted: String = text.chars().filter(|c| *c != ' ').collect();
                    assert_eq!(joined, wanted);
                    for line in &lines {
                        let drawn = line.chars().filter(|c| advance(*c) != Some(0)).count();
                        assert!(width(line, 30) <= max || drawn <= 1, "{line} at {max}");
                    }
                }
            }
        }
    }

    #[test]
    fn u3_lines_do_not_start_with_a_full_stop_or_end_with_a_bracket() {
        for max in 90..900 {
            for line in lines(TEXTS[0], 30, max) {
                assert!(!line.starts_with(['、', '。', '」', ')', 'っ']), "{line} at {max}");
                assert!(!line.ends_with(['「', '(']), "{line} at {max}");
            }
        }
    }

    #[test]
    fn u3_latin_words_stay_whole_while_they_fit() {
        assert_eq!(lines("City Council Member", 20, 160), ["City Council", "Member"]);
    }

    #[test]
    fn u3_a_character_and_its_marks_are_one_cluster() {
        let found: Vec<&str> = clusters("\u{8fbb}\u{e0100}a\u{302}\u{303}\u{20bb7}").collect();
        assert_eq!(found, ["\u{8fbb}\u{e0100}", "a\u{302}\u{303}", "\u{20bb7}"]);
        // A mark without anything before it stands alone.
        assert_eq!(clusters("\u{301}b").collect::<Vec<_>>(), ["\u{301}", "b"]);
    }

    #[test]
    fn a_character_without_a_glyph_is_named() {
        assert_eq!(missing("加賀市 Kaga 髙﨑"), None);
        assert_eq!(missing("吉と𠮷"), Some('𠮷'));
    }
}
