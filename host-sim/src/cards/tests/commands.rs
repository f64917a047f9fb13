//! How a card is talked to: habits of honest cards, objects in pages, commands in a chain, commands that are half right.

use card::{MAX_OBJECT, Piv, Slot};
use embassy_futures::block_on;
use proptest::prelude::*;

use super::super::*;
use super::{PIN, admit, authority, base, pin, voter};

#[test]
fn honest_cards_of_every_habit_are_understood() {
    let root = authority(1);
    for longest_aid in [11, 9, 5] {
        for template in [true, false] {
            for page in [16, 127, 256] {
                let mut card = voter(&root, 1).with_quirks(Quirks {
                    longest_aid,
                    template,
                    page,
                    verify_reset: false,
                });
                let expected = card.shared_point(&base(3)).unwrap();
                let admitted = block_on(admit(&mut card, PIN, &base(3), 1)).unwrap();
                assert_eq!(admitted.1, expected);
            }
        }
    }
}

#[test]
fn certificates_come_over_in_pages_and_objects_readers_ask_for_are_there() {
    let root = authority(1);
    let mut card = voter(&root, 1);
    let mut get = |name: &[u8]| {
        let data = [&[0x5C, u8::try_from(name.len()).unwrap()], name].concat();
        let command = card::apdu::Command::new(0xCB, 0x3F, 0xFF)
            .with_data(&data)
            .expecting_data();
        let mut out = [0; MAX_OBJECT];
        block_on(Piv::select(&mut card)).unwrap();
        let answer = block_on(card::apdu::exchange(&mut card, &command, &mut out)).unwrap();
        (answer.status.word(), out[..answer.length].to_vec())
    };
    for (name, tag, contains) in [
        (&[0x5F, 0xC1, 0x05][..], 0x53, 0x70),
        (&[0x5F, 0xC1, 0x0B], 0x53, 0x70),
        (&[0x5F, 0xC1, 0x02], 0x53, 0x34),
        (&[0x5F, 0xC1, 0x07], 0x53, 0xF0),
        (&[0x7E], 0x7E, 0x4F),
    ] {
        let (word, object) = get(name);
        assert_eq!(word, 0x9000, "{name:02X?}");
        let contents = card::tlv::only(&object, tag).unwrap();
        assert!(card::tlv::find(contents, contains).unwrap().is_some());
    }
    assert_eq!(get(&[0x5F, 0xC1, 0x0C]), (0x6A82, vec![]));
    assert!(card.certificate(Slot::KeyManagement).len() > 256, "more than one page");
}

#[test]
fn a_chained_command_is_collected_and_a_broken_chain_dropped() {
    let mut card = voter(&authority(1), 1);
    block_on(async {
        let mut piv = Piv::select(&mut card).await.unwrap();
        piv.verify(&pin(PIN)).await.unwrap();
    });
    let template = [&[0x7C, 36, 0x82, 0, 0x81, 32][..], &[1; 32]].concat();
    let (head, tail) = template.split_at(20);
    let link = |class, instruction, data: &[u8]| {
        [
            &[class, instruction, 0x11, 0x9A, u8::try_from(data.len()).unwrap()],
            data,
            &[0],
        ]
        .concat()
    };
    assert_eq!(card.apdu(&link(0x10, 0x87, head)).unwrap(), [0x90, 0]);
    let signed = card.apdu(&link(0x00, 0x87, tail)).unwrap();
    assert!(signed.ends_with(&[0x90, 0]) && signed.len() > 60);
    // Another command in between: the first part is gone.
    assert_eq!(card.apdu(&link(0x10, 0x87, head)).unwrap(), [0x90, 0]);
    assert_eq!(card.apdu(&[0, 0x20, 0, 0x80]).unwrap(), [0x90, 0]);
    assert_eq!(card.apdu(&link(0x00, 0x87, tail)).unwrap(), [0x6A, 0x80]);
    // An endless chain.
    let refused = (0..100).find_map(|_| {
        let answer = card.apdu(&link(0x10, 0x87, &[0; 255])).unwrap();
        (answer != [0x90, 0]).then_some(answer)
    });
    assert_eq!(refused, Some(vec![0x67, 0]));
}

/// Commands that are half right.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::sample::select(vec![
        vec![0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08],
        vec![
            0x00, 0x20, 0x00, 0x80, 0x08, 0x31, 0x32, 0x33, 0x34, 0xFF, 0xFF, 0xFF, 0xFF,
        ],
        vec![0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x05, 0x00],
        vec![0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03],
        vec![0x00, 0xC0, 0x00, 0x00],
        vec![0x10, 0x87, 0x11, 0x9A],
        vec![0x00, 0x87, 0x11, 0x9D, 0x47, 0x7C, 0x45, 0x82, 0x00, 0x85, 0x41],
        vec![],
    ]);
    let rest = prop_oneof![
        2 => Just(vec![]),
        1 => prop::collection::vec(any::<u8>(), 0..90),
    ];
    (header, rest).prop_map(|(header, rest)| [header, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_command_makes_the_virtual_card_panic(
        commands in prop::collection::vec(command(), 1..20),
    ) {
        let mut card = voter(&authority(1), 1);
        for command in commands {
            let answer = card.apdu(&command).unwrap();
            prop_assert!((2..=258).contains(&answer.len()));
        }
    }
}
