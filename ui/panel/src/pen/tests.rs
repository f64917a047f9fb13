//! Laws of the pen: parts are the whole, ink is as high as computed, no character is missing.

use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::layout::Align;
use crate::words::LANGUAGES;

/// A pixel is how much ink it has.
struct Grey;

impl Ink for Grey {
    type Pixel = u8;

    fn whole(&self, pixel: &mut u8) {
        *pixel = u8::MAX;
    }

    fn some(&self, pixel: &mut u8, alpha: u8) {
        // Ink laid twice is darker, as on a display.
        *pixel = pixel.saturating_add(alpha);
    }
}

const INKS: Inks<'static, Grey> = Inks {
    letters: &Grey,
    on_primary: &Grey,
    codes: &Grey,
};

const WIDTH: usize = 400;
const HEIGHT: usize = 120;
const ALL: Clip = Clip {
    left: 0,
    top: 0,
    right: 400,
    bottom: 120,
};

fn page(text: &str, em: i32, align: Align) -> Page {
    let line = Line {
        x: 60,
        y: 20,
        width: 300,
        height: line_height(em),
        em,
        align,
        on_primary: false,
        text: text.to_string(),
        says: "".to_string(),
        picture: None,
    };
    let code = crate::qr::Code::text("0123-4567").expect("short enough");
    let side = 2 * (code.size() + 2 * QUIET);
    Page {
        texts: vec![line],
        pictures: vec![Picture {
            x: 330,
            y: 40,
            side,
            code,
            says: "".to_string(),
        }],
        ..Page::default()
    }
}

fn written(page: &Page, clips: &[Clip]) -> Vec<u8> {
    let mut pixels = vec![0; WIDTH * HEIGHT];
    for clip in clips {
        write(page, &INKS, *clip, &mut pixels, WIDTH);
    }
    pixels
}

/// A picture is drawn anew in parts: whatever they are, together they are the picture.
#[test]
fn a_page_in_parts_is_the_page() {
    for align in [Align::Left, Align::Centre, Align::Right] {
        for em in [24, 33, 56] {
            let page = page("投票 Agj()●", em, align);
            let whole = written(&page, &[ALL]);
            assert!(whole.contains(&u8::MAX) && whole.iter().any(|ink| (1..255).contains(ink)));
            for size in [7, 50, 133] {
                let mut parts = Vec::new();
                for top in (0..ALL.bottom).step_by(size) {
                    for left in (0..ALL.right).step_by(size) {
                        let size = i32::try_from(size).expect("small");
                        parts.push(Clip {
                            left,
                            top,
                            right: left + size,
                            bottom: top + size,
                        });
                    }
                }
                assert_eq!(written(&page, &parts), whole);
            }
        }
    }
}

/// V3: ink is as high as computed, stands in its line, and no size, however odd, ends in a panic.
#[test]
fn v3_a_capital_is_as_high_as_computed() {
    for em in 20..64 {
        let mut page = page("H", em, Align::Left);
        page.pictures.clear();
        let pixels = written(&page, &[ALL]);
        let inked = pixels
            .chunks(WIDTH)
            .filter(|row| row.iter().any(|ink| *ink > 127))
            .count();
        let wanted = text::CAPITAL.cast_signed() * em;
        let found = i32::try_from(inked).expect("small") * text::UNITS.cast_signed();
        assert!(
            (wanted - found).abs() <= text::UNITS.cast_signed(),
            "{em}: {inked} rows"
        );
    }
    for em in [-3, 0, 1, 2, 5, 200, 600, 1_024, 5_000] {
        written(&page("投H", em, Align::Centre), &[ALL]);
    }
}

/// A character without a letter would be blank on a board, silently.
#[test]
fn every_character_of_every_language_has_a_letter() {
    for language in &LANGUAGES {
        let texts = language.all().chain([language.name]);
        for character in texts.flat_map(|text| text.chars()).chain(" !~\"\\●×".chars()) {
            let letter = LETTERS.binary_search_by_key(&character, |letter| letter.character);
            assert!(
                letter.is_ok() || text::is_blank(character),
                "{character} in {}",
                language.tag
            );
        }
    }
    assert!(LETTERS.is_sorted_by_key(|letter| letter.character));
    assert!(LETTERS.iter().all(|letter| usize::from(letter.width) < WIDEST));
}
