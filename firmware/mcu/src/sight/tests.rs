//! What is written is read as the same screen: written again it is the same bytes. (Screens with names of an election are read with its package;
//! every election on an emulated board shows them.)

use proptest::prelude::*;

use super::*;

fn bytes(screen: &Screen<'_>) -> std::vec::Vec<u8> {
    let mut bytes = [0; MOST];
    let length = write(screen, &mut bytes);
    bytes.get(..length).expect("it fits").to_vec()
}

fn comes_back(screen: &Screen<'_>) {
    let written = bytes(screen);
    let again = show(&written, None, bytes).expect("it is read");
    assert_eq!(again, written);
    // What is cut off is not read as another screen; the last byte of it is looked at too.
    if written.len() > 1 {
        let cut = written.get(..written.len() - 1).expect("shorter");
        assert!(show(cut, None, |_| ()).is_err(), "{written:?}");
    }
}

#[test]
fn every_screen_without_names_comes_back_as_it_was() {
    let plain = [
        Screen::Blank,
        Screen::Starting,
        Screen::Admitting,
        Screen::Encrypting,
        Screen::ChallengesUsedUp,
        Screen::Recording,
        Screen::EndWithoutVote,
        Screen::Done,
        Screen::Abandoned,
        Screen::StillThere,
        Screen::Locked,
        Screen::CallStaff,
    ];
    let mut kinds: std::vec::Vec<u8> = plain
        .iter()
        .filter_map(|screen| bytes(screen).first().copied())
        .collect();
    plain.iter().for_each(comes_back);
    kinds.dedup();
    assert_eq!(kinds.len(), plain.len(), "no two are the same");
    for why in WRONG {
        comes_back(&Screen::WrongCard { why: *why });
    }
    for why in CERTIFICATE {
        comes_back(&Screen::WrongCard {
            why: WrongCard::Certificate(*why),
        });
    }
    for recorded in RECORDED {
        for role in ROLES {
            comes_back(&Screen::Fault {
                why: Fault::ReadBack(*role),
                recorded: *recorded,
            });
            for error in ERRORS {
                comes_back(&Screen::Fault {
                    why: Fault::Medium(*role, *error),
                    recorded: *recorded,
                });
            }
        }
        for why in FAULTS.iter().chain(&[Fault::Deficit { missing: -3 }]) {
            comes_back(&Screen::Fault {
                why: *why,
                recorded: *recorded,
            });
        }
    }
    for who in [PinOf::Voter, PinOf::Staff(1), PinOf::Staff(2)] {
        comes_back(&Screen::LastTry { who });
        for wrong in [false, true] {
            comes_back(&Screen::Pin {
                digits: 3,
                tries_left: 2,
                wrong,
                who,
                length: PinDigits { fewest: 4, most: 8 },
            });
        }
    }
    comes_back(&Screen::CastOrChallenge {
        code: &[0xA5; 32],
        challenges_left: 3,
    });
    let words: std::vec::Vec<&str> = ClosingWords::of(&[7; 32]).words().collect();
    comes_back(&Screen::Staff(StaffScreen::Closed(ClosedScreen {
        hash: &[7; 32],
        words: words.first_chunk().unwrap(),
        counts: Counts {
            admitted: 9,
            recorded: 8,
            abandoned: 1,
            interrupted: 0,
            spoiled: 2,
            void: 1,
        },
        void: 1,
        lost: Some(Role::Duplicate),
        unsent: 4,
        retire: true,
    })));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_a_screen_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = show(&bytes, None, |_| ());
    }
}
