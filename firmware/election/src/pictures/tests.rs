//! Packed pictures come back as they were; any other bytes are refused, and none is read in two ways.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::manifest::tests::{bytes_of, seq_of};

fn packed(pixels: &[u8], width: u8) -> Vec<u8> {
    let mut out = Vec::new();
    pack(pixels, width, |byte| out.push(byte));
    out
}

fn unpacked(bytes: &[u8], width: u8, height: u8) -> Result<Vec<u8>, PictureError> {
    let mut out = Vec::new();
    let mut next = 0;
    pack::unpack(bytes, width, height, |row, pixels| {
        assert_eq!(row, next);
        next += 1;
        out.extend_from_slice(pixels);
    })?;
    Ok(out)
}

fn section(pictures: &[Picture<'_>]) -> Vec<u8> {
    let (fonts, pictures) = (seq_of([[7_u8; 32]]), seq_of(pictures.iter()));
    bytes_of(&Pictures {
        version: VERSION,
        fonts: Seq::from_bytes(&fonts),
        pictures: Seq::from_bytes(&pictures),
    })
}

const GOOD: Picture<'_> = Picture {
    cluster: "\u{8fbb}\u{e0100}",
    font: 0,
    x: 12,
    y: 10,
    width: 2,
    height: 2,
    // Ink, nothing; the same below.
    packed: &[0xf0, 0x02],
};

/// Pictures like those of characters: bars of ink with shaded edges.
fn bars() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (
        1..=FRAME.0,
        1..=FRAME.1,
        prop::collection::vec((any::<u8>(), 1..40_u16), 1..60),
    )
        .prop_map(|(width, height, bars)| {
            let size = usize::from(width) * usize::from(height);
            let mut pixels: Vec<u8> = bars
                .iter()
                .cycle()
                .flat_map(|(shade, long)| std::iter::repeat_n(shade & 15, usize::from(*long)))
                .take(size)
                .collect();
            let half = pixels.len() / 2 / usize::from(width) * usize::from(width);
            pixels.copy_within(..half, half);
            (width, pixels)
        })
}

proptest! {
    #[test]
    fn pixels_come_back_as_they_were((width, pixels) in bars()) {
        let height = u8::try_from(pixels.len() / usize::from(width)).unwrap();
        let bytes = packed(&pixels, width);
        prop_assert_eq!(unpacked(&bytes, width, height).unwrap(), pixels.clone());
        // Neither a byte less nor one more.
        prop_assert!(unpacked(&bytes[..bytes.len() - 1], width, height).is_err());
        prop_assert!(unpacked(&[&bytes[..], &[0]].concat(), width, height).is_err());
    }

    /// Hostile bytes end, stay in the frame, and have one form only.
    #[test]
    fn what_is_unpacked_packs_to_the_same_bytes(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xf_u8), Just(0xf0)], 0..40),
        width in 1..=FRAME.0,
        height in 1..=8_u8,
    ) {
        if let Ok(pixels) = unpacked(&bytes, width, height) {
            prop_assert_eq!(pixels.len(), usize::from(width) * usize::from(height));
            prop_assert_eq!(packed(&pixels, width), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Pictures::read(&bytes);
    }
}

#[test]
fn a_section_is_read_as_it_was_written() {
    let bytes = section(&[Picture { cluster: "a", ..GOOD }, GOOD]);
    let read = Pictures::read(&bytes).unwrap();
    assert_eq!(read.pictures.count(), 2);
    assert_eq!(read.pictures.get(1), Ok(Some(GOOD)));
    assert_eq!(unpacked(GOOD.packed, 2, 2).unwrap(), [15, 0, 15, 0]);
}

#[test]
fn every_rule_of_the_section_is_checked() {
    let refused = |picture: Picture<'_>| Pictures::read(&section(&[picture])).unwrap_err();
    assert_eq!(refused(Picture { cluster: "", ..GOOD }), PictureError::Cluster);
    assert_eq!(
        refused(Picture {
            cluster: &"a".repeat(33),
            ..GOOD
        }),
        PictureError::Cluster
    );
    assert_eq!(refused(Picture { font: 1, ..GOOD }), PictureError::Font);
    assert_eq!(refused(Picture { width: 0, ..GOOD }), PictureError::Frame);
    assert_eq!(refused(Picture { x: 239, ..GOOD }), PictureError::Frame);
    assert_eq!(refused(Picture { y: 133, ..GOOD }), PictureError::Frame);
    assert_eq!(refused(Picture { x: 255, ..GOOD }), PictureError::Frame);
    // One pixel short, one too many, a run cut in two, a long run without its length.
    for packed in [&[0xf0, 0x01][..], &[0xf0, 0x03], &[0xf0, 0x00, 0x01], &[0xf0, 0x0f]] {
        assert_eq!(refused(Picture { packed, ..GOOD }), PictureError::Packed);
    }
    assert_eq!(Pictures::read(&section(&[GOOD, GOOD])), Err(PictureError::Cluster));
    let mut other = section(&[GOOD]);
    other[0] = 2;
    assert_eq!(Pictures::read(&other), Err(PictureError::Version(2)));
    let none = bytes_of(&Pictures {
        version: VERSION,
        fonts: Seq::default(),
        pictures: Seq::default(),
    });
    assert_eq!(Pictures::read(&none), Err(PictureError::Size));
    assert!(matches!(
        Pictures::read(&section(&[GOOD])[1..]),
        Err(PictureError::Wire(_) | PictureError::Version(_))
    ));
}
