//! The APDU layer against cards that keep to ISO 7816-4 and cards that do not.

mod common;

use card::apdu::{self, Answer, Command, MAX_LINKS, MAX_PARTS, Status, exchange};
use card::{CardError, Transmit, TransmitError};
use common::{Scripted, answers};
use embassy_futures::block_on;
use proptest::prelude::*;

const READ: Command<'_> = Command::new(0xCB, 0x3F, 0xFF).expecting_data();

#[test]
fn the_four_cases_are_laid_out_as_iso_7816_4_says() {
    let data = [1, 2, 3];
    for (command, bytes) in [
        (Command::new(0x20, 0, 0x80), &[0, 0x20, 0, 0x80][..]),
        (READ, &[0, 0xCB, 0x3F, 0xFF, 0]),
        (
            Command::new(0x20, 0, 0x80).with_data(&data),
            &[0, 0x20, 0, 0x80, 3, 1, 2, 3],
        ),
        (READ.with_data(&data), &[0, 0xCB, 0x3F, 0xFF, 3, 1, 2, 3, 0]),
    ] {
        let mut card = answers(&[&[0x90, 0]]);
        let answer = block_on(exchange(&mut card, &command, &mut []));
        assert_eq!(
            answer,
            Ok(Answer {
                length: 0,
                status: Status::Success
            })
        );
        assert_eq!(card.log, [bytes]);
    }
}

#[test]
fn long_data_goes_out_as_a_chain_and_only_the_last_link_asks_for_an_answer() {
    let data: Vec<u8> = (0..=255).cycle().take(600).collect();
    let mut card = answers(&[&[0x90, 0], &[0x90, 0], &[7, 0x90, 0]]);
    let mut out = [0; 4];
    let answer = block_on(exchange(&mut card, &READ.with_data(&data), &mut out)).unwrap();
    assert_eq!((answer.length, answer.status, out[0]), (1, Status::Success, 7));
    let [first, second, third] = &card.log[..] else {
        panic!("three links")
    };
    assert_eq!(first[..5], [0x10, 0xCB, 0x3F, 0xFF, 255]);
    assert_eq!(first[5..], data[..255]);
    assert_eq!(second[..5], [0x10, 0xCB, 0x3F, 0xFF, 255]);
    assert_eq!(second[5..], data[255..510]);
    assert_eq!(third[..5], [0x00, 0xCB, 0x3F, 0xFF, 90]);
    assert_eq!(third[5..95], data[510..]);
    assert_eq!(third[95..], [0]);
}

#[test]
fn a_refused_link_ends_the_chain() {
    let mut card = answers(&[&[0x68, 0x84]]);
    let answer = block_on(exchange(&mut card, &READ.with_data(&[0; 300]), &mut []));
    assert_eq!(answer.unwrap().status, Status::Other(0x6884));
    assert_eq!(card.log.len(), 1);
}

#[test]
fn a_chain_has_at_most_its_bound_of_links() {
    let most = vec![0; MAX_LINKS * 255];
    let mut card = Scripted::new(|_, _: &[u8]| Ok(vec![0x90, 0]));
    block_on(exchange(&mut card, &READ.with_data(&most), &mut [])).unwrap();
    assert_eq!(card.log.len(), MAX_LINKS);

    let more = vec![0; MAX_LINKS * 255 + 1];
    let mut card = Scripted::new(|_, _: &[u8]| Ok(vec![0x90, 0]));
    let answer = block_on(exchange(&mut card, &READ.with_data(&more), &mut []));
    assert_eq!(answer, Err(CardError::TooLong));
    assert!(card.log.is_empty(), "refused before anything is sent");
}

#[test]
fn announced_data_is_fetched_with_the_length_that_was_announced() {
    let mut card = answers(&[&[1, 2, 0x61, 2], &[3, 4, 0x61, 0], &[5, 0x90, 0]]);
    let mut out = [0; 5];
    let answer = block_on(exchange(&mut card, &READ, &mut out)).unwrap();
    assert_eq!((answer.length, out), (5, [1, 2, 3, 4, 5]));
    assert_eq!(card.log[1], [0, 0xC0, 0, 0, 2]);
    assert_eq!(card.log[2], [0, 0xC0, 0, 0, 0]);
}

#[test]
fn f8_an_endless_answer_ends_at_the_bound() {
    let mut card = Scripted::new(|_, _: &[u8]| Ok(vec![0x61, 0xFF]));
    let answer = block_on(exchange(&mut card, &READ, &mut [0; 4096]));
    assert_eq!(answer, Err(CardError::Endless));
    assert_eq!(card.log.len(), 1 + MAX_PARTS);
}

#[test]
fn f8_an_answer_beyond_the_buffer_is_refused_not_cut() {
    let mut card = Scripted::new(|_, _: &[u8]| Ok([&[0; 256][..], &[0x61, 0xFF]].concat()));
    let mut out = [0; 1000];
    assert_eq!(block_on(exchange(&mut card, &READ, &mut out)), Err(CardError::TooLong));
    assert_eq!(card.log.len(), 4);

    let mut card = answers(&[&[1, 0x90, 0]]);
    let status_only = Command::new(0x20, 0, 0x80);
    assert_eq!(
        block_on(exchange(&mut card, &status_only, &mut [])),
        Err(CardError::TooLong)
    );
}

#[test]
fn a_wrong_length_is_corrected_once() {
    let mut card = answers(&[&[0x6C, 3], &[1, 2, 3, 0x90, 0]]);
    let mut out = [0; 3];
    let answer = block_on(exchange(&mut card, &READ.with_data(&[9]), &mut out)).unwrap();
    assert_eq!((answer.length, out), (3, [1, 2, 3]));
    assert_eq!(card.log[1], [0, 0xCB, 0x3F, 0xFF, 1, 9, 3]);

    let mut card = Scripted::new(|_, _: &[u8]| Ok(vec![0x6C, 3]));
    let answer = block_on(exchange(&mut card, &READ, &mut out)).unwrap();
    assert_eq!(answer.status, Status::WrongLength(3));
    assert_eq!(card.log.len(), 2);
}

#[test]
fn f8_a_command_with_a_pin_is_never_sent_twice() {
    for word in [[0x6C, 8], [0x63, 0xC2], [0x67, 0], [0x6F, 0]] {
        let mut card = Scripted::new(|_, _: &[u8]| Ok(word.to_vec()));
        let pin = [0x31; 8];
        let verify = Command::new(0x20, 0, 0x80).with_data(&pin);
        block_on(exchange(&mut card, &verify, &mut [])).unwrap();
        assert_eq!(card.log.len(), 1, "{word:02X?}");
    }
}

#[test]
fn f8_an_answer_without_a_status_word_is_refused() {
    for short in [&[][..], &[0x90]] {
        let mut card = answers(&[short]);
        assert_eq!(block_on(exchange(&mut card, &READ, &mut [])), Err(CardError::Malformed));
    }
}

#[test]
fn f8_a_transport_that_lies_about_the_length_is_refused() {
    struct Liar(usize);
    impl Transmit for Liar {
        async fn transmit(&mut self, _: &[u8], _: &mut [u8]) -> Result<usize, TransmitError> {
            Ok(self.0)
        }
    }
    for length in [apdu::MAX_RESPONSE + 1, usize::MAX] {
        assert_eq!(
            block_on(exchange(&mut Liar(length), &READ, &mut [0; 4096])),
            Err(CardError::Malformed)
        );
    }
}

#[test]
fn status_words_mean_what_a_person_can_do() {
    for (word, status) in [
        ([0x90, 0x00], Status::Success),
        ([0x63, 0xC3], Status::WrongPin { tries_left: 3 }),
        ([0x63, 0xC1], Status::WrongPin { tries_left: 1 }),
        ([0x63, 0xC0], Status::Blocked),
        ([0x69, 0x83], Status::Blocked),
        ([0x69, 0x84], Status::Blocked),
        ([0x69, 0x82], Status::SecurityStatus),
        ([0x6A, 0x82], Status::NotFound),
        ([0x6A, 0x88], Status::NotFound),
        ([0x63, 0x00], Status::Other(0x6300)),
        ([0x90, 0x01], Status::Other(0x9001)),
        ([0x6D, 0x00], Status::Other(0x6D00)),
    ] {
        assert_eq!(Status::decode(word[0], word[1]), status);
    }
}

proptest! {
    #[test]
    fn f8_hostile_answers_end_within_the_bound(
        list in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..40), prop::sample::select(vec![0x61, 0x6C, 0x90, 0x63, 0x00]), any::<u8>()),
            1..20,
        ),
        room in 0usize..600,
    ) {
        let mut card = Scripted::new(|index, _: &[u8]| {
            let (data, sw1, sw2) = &list[index % list.len()];
            Ok([&data[..], &[*sw1, *sw2]].concat())
        });
        let mut out = vec![0; room];
        if let Ok(answer) = block_on(exchange(&mut card, &READ, &mut out)) {
            prop_assert!(answer.length <= room);
            prop_assert!(!matches!(answer.status, Status::More(_)));
        }
        prop_assert!(card.log.len() <= MAX_PARTS + 2);
        prop_assert!(card.log.iter().all(|command| command.len() <= apdu::MAX_COMMAND));
    }

    #[test]
    fn every_status_word_survives_decoding_in_meaning(sw1: u8, sw2: u8) {
        let status = Status::decode(sw1, sw2);
        let [a, b] = status.word().to_be_bytes();
        prop_assert_eq!(Status::decode(a, b), status);
    }
}
