//! Scaled by whole numbers: no ink is lost or made, and a picture in its own size is its own pixels.

use election::pictures::pack;
use election::wire::{Seq, SeqWriter};

use super::*;

/// So many pictures as a package has them.
fn many(count: u32, packed: &[u8], use_them: impl FnOnce(&Pictures<'_>)) {
    let clusters: Vec<String> = (0..count)
        .map(|number| String::from(char::from_u32(0x4e00 + number).unwrap()))
        .collect();
    let mut buffer = vec![0; clusters.len() * (packed.len() + 20)];
    let mut list = SeqWriter::new(&mut buffer);
    for cluster in &clusters {
        list.push(&Picture {
            cluster,
            font: 0,
            x: 20,
            y: 30,
            width: 70,
            height: 60,
            packed,
        })
        .unwrap();
    }
    let pictures = list.finish();
    use_them(&Pictures {
        version: 1,
        fonts: Seq::default(),
        pictures,
    });
}

/// A box of full ink, 70 by 60.
fn full() -> Vec<u8> {
    let mut packed = Vec::new();
    pack(&[15; 70 * 60], 70, |byte| packed.push(byte));
    packed
}

/// A board's memory is what it is: what is drawn beforehand is in the same room as the pictures, whatever a package has and wherever its limit is.
#[test]
fn f10_pictures_and_what_is_drawn_of_them_stay_in_their_room() {
    // Longer than any box: as real ones are.
    let packed: Vec<u8> = full().into_iter().cycle().take(600).collect();
    for count in [1, 60, 417] {
        many(count, &packed, |pictures| {
            let needed = usize::try_from(count).unwrap() * (size_of::<Owned>() + 3 + packed.len());
            assert!(Set::new(pictures, needed - 1).is_err());
            for more in [0, 1, 5_000, 14_336, 60_000, 300_000, 1 << 20] {
                let room = needed + more;
                let mut set = Set::new(pictures, room).unwrap();
                let before = set.bytes();
                assert!(before <= room, "{count}, {more}: {before}");
                while set.prepare([24, 33, 56], 4) {}
                assert_eq!(set.bytes(), before, "{count}, {more}: it has grown");
                // With room for all of it, all of it; and never more than there is room for.
                assert!(more < 300_000 || count > 1 || set.keys().len() == 3);
                assert!(set.line("\u{4e00}", 33).is_some());
            }
        });
    }
}

/// No turn is longer than asked, and it ends.
#[test]
fn f10_characters_are_drawn_beforehand_a_few_a_turn() {
    many(10, &full(), |pictures| {
        let mut set = Set::new(pictures, usize::MAX).unwrap();
        let mut turns = Vec::new();
        while set.prepare([24, 33, 33], 4) {
            turns.push(set.keys().len());
        }
        assert_eq!(turns, [4, 8, 12, 16, 20, 20, 20], "an em that comes twice is kept once");
        assert!(!set.prepare([24, 33, 33], 4));
    });
}

/// On a board a character without a picture is a letter of the panel's own, or nothing.
#[test]
fn u3_a_text_is_covered_if_each_of_its_characters_has_a_picture() {
    let set = set("\u{8fbb}\u{e0100}", (20, 30), (70, 60), 15);
    for (text, covered) in [
        ("\u{8fbb}\u{e0100}", true),
        ("\u{8fbb}\u{e0100}\n \u{200b}\u{3000}\u{8fbb}\u{e0100}", true),
        ("", true),
        ("\u{8fbb}", false),
        ("\u{8fbb}\u{e0100}a", false),
    ] {
        assert_eq!(set.covers(text), covered, "{text:?}");
    }
    assert!(!Set::default().covers("a"));
}

/// A set with one picture of `cluster`: a box of `shade`.
fn set(cluster: &str, at: (u8, u8), size: (u8, u8), shade: u8) -> Set {
    set_of(
        cluster,
        at,
        size,
        &vec![shade; usize::from(size.0) * usize::from(size.1)],
    )
}

fn set_of(cluster: &str, at: (u8, u8), size: (u8, u8), pixels: &[u8]) -> Set {
    let mut packed = Vec::new();
    pack(pixels, size.0, |byte| packed.push(byte));
    let mut buffer = vec![0; packed.len() + 100];
    let mut list = SeqWriter::new(&mut buffer);
    list.push(&Picture {
        cluster,
        font: 0,
        x: at.0,
        y: at.1,
        width: size.0,
        height: size.1,
        packed: &packed,
    })
    .unwrap();
    let pictures = list.finish();
    let pictures = Pictures {
        version: 1,
        fonts: Seq::default(),
        pictures,
    };
    let needed = size_of::<Owned>() + cluster.len() + packed.len();
    // To the byte: a board's memory is what it is.
    assert!(Set::new(&pictures, needed - 1).is_err());
    Set::new(&pictures, needed).unwrap()
}

fn ink(mask: &Mask) -> u32 {
    mask.alpha.iter().map(|alpha| u32::from(*alpha)).sum()
}

#[test]
fn u3_ink_is_scaled_exactly_at_every_size() {
    for shade in [4_u8, 15] {
        let set = set("\u{20bb7}", (20, 30), (70, 60), shade);
        for em in 12..140 {
            let mask = set.line("\u{20bb7}", em).unwrap();
            let area = f64::from(70 * 60) * f64::from(em * em) / (96.0 * 96.0);
            let wanted = area * 255.0 * f64::from(shade) / 15.0;
            let found = f64::from(ink(&mask));
            // Each pixel is rounded by a half at most.
            let rounded = f64::from(mask.width * mask.height) * 0.5;
            assert!((found - wanted).abs() <= rounded, "{em}: {found}, {wanted}");
            assert!(
                (found - wanted).abs() <= wanted / 50.0 + 300.0,
                "{em}: {found}, {wanted}"
            );
        }
    }
}

/// The law of SPEC.md, section 7, written out: every pixel of the panel against every pixel of the picture.
#[test]
fn u3_every_pixel_is_the_exact_mean_of_what_lies_under_it() {
    let (at, size) = ((3_u8, 20_u8), (37_u8, 90_u8));
    let mut noise = 1_u32;
    let pixels: Vec<u8> = (0..usize::from(size.0) * usize::from(size.1))
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u8::try_from(noise >> 28).unwrap()
        })
        .collect();
    let set = set_of("\u{20bb7}", at, size, &pixels);
    for em in [12, 17, 33, 95, 97, 130] {
        // Behind another character, the pen is at a pixel that is no multiple of anything.
        let line = "\u{20bb7}\u{3000}\u{20bb7}";
        let mask = set.line(line, em).unwrap();
        let second = text::nearest(text::cell('\u{20bb7}') + text::cell('\u{3000}'), em);
        let baseline = (line_height(em) - em) / 2 + (em * 1802 + 1024) / 2048;
        let overlap = |from: i32, long: i32, other: i32, size: i32| {
            let shared = (from + long).min(other + size) - from.max(other);
            i64::from(shared.max(0))
        };
        for y in 0..mask.height {
            for x in 0..mask.width {
                let mut wanted = 0_u8;
                for pen in [mask.margin, mask.margin + second] {
                    let mut sum = 0;
                    for (row, shades) in (0_i32..).zip(pixels.chunks(usize::from(size.0))) {
                        let top = (i32::from(at.1) + row - i32::from(PEN.1)) * em + baseline * 96;
                        let down = overlap(top, em, y * 96, 96);
                        if down == 0 {
                            continue;
                        }
                        for (column, shade) in (0_i32..).zip(shades) {
                            let left = (i32::from(at.0) + column - i32::from(PEN.0)) * em + pen * 96;
                            sum += i64::from(*shade) * down * overlap(left, em, x * 96, 96);
                        }
                    }
                    let whole = 15 * 96 * 96;
                    wanted = wanted.saturating_add(u8::try_from((sum * 255 + whole / 2) / whole).unwrap());
                }
                let alpha = mask.alpha[usize::try_from(y * mask.width + x).unwrap()];
                assert_eq!(alpha, wanted, "em {em}: {x}, {y}");
            }
        }
    }
    assert!(set.line("\u{20bb7}", 513).is_none() && set.line("\u{20bb7}", 0).is_none());
}

#[test]
fn u3_in_its_own_size_a_picture_is_its_own_pixels() {
    let em = i32::from(EM);
    let mask = set("\u{20bb7}", (20, 30), (70, 60), 15).line("\u{20bb7}", em).unwrap();
    let (width, margin) = (mask.width, mask.margin);
    let top = (line_height(em) - em) / 2 + (em * 1802 + 1024) / 2048 + 30 - i32::from(PEN.1);
    for y in 0..mask.height {
        for x in 0..width {
            let inside = (margin + 8..margin + 78).contains(&x) && (top..top + 60).contains(&y);
            let alpha = mask.alpha[usize::try_from(y * width + x).unwrap()];
            assert_eq!(alpha, if inside { 255 } else { 0 }, "{x}, {y}");
        }
    }
}

#[test]
fn u3_a_line_with_one_character_without_a_picture_is_the_fonts() {
    let set = set("\u{8fbb}\u{e0100}", (20, 30), (70, 60), 15);
    assert!(set.line("\u{8fbb}\u{e0100} \u{3000}\u{8fbb}\u{e0100}", 30).is_some());
    // Another sequence is another character.
    assert!(set.line("\u{8fbb}", 30).is_none());
    assert!(set.line("\u{8fbb}\u{e0101}", 30).is_none());
}
