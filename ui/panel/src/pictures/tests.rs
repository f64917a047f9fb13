//! Scaled by whole numbers: no ink is lost or made, and a picture in its own size is its own pixels.

use election::pictures::pack;
use election::wire::{Seq, SeqWriter};

use super::*;

/// A set with one picture of `character`: a box of `shade`.
fn set(cluster: &str, at: (u8, u8), size: (u8, u8), shade: u8) -> Set {
    let mut packed = Vec::new();
    let pixels = vec![shade; usize::from(size.0) * usize::from(size.1)];
    pack(&pixels, size.0, |byte| packed.push(byte));
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
    Set::new(&Pictures {
        version: 1,
        fonts: Seq::default(),
        pictures,
    })
    .unwrap()
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
