//! T=1 against a card written apart from it, over a wire that loses, doubles and flips.

#[path = "common/slot.rs"]
mod slot;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use card::t1::{
    Atr, AtrError, Block, Exchange, Fault, Flaw, Frame, Heard, MAX_ATR, MAX_BLOCKS, Negotiation, Pps, Protocol, Speed,
    Step,
};
use card::uart::{PATIENCE, SlotError};
use card::{Transmit, TransmitError};
use proptest::prelude::*;
use slot::{Card, Manners, World, atr, mirrored, run};

/// Sends one command after a fresh insertion; what came, and how often the card has carried it out.
fn once(world: &Rc<World>, command: &[u8]) -> (Result<Vec<u8>, TransmitError>, usize) {
    let mut slot = world.slot();
    run(world, async {
        slot.wait_insert().await.unwrap();
        let mut response = [0; 258];
        let answer = slot.transmit(command, &mut response).await;
        let answer = answer.map(|length| response[..length].to_vec());
        let executed = world.card.borrow().as_ref().unwrap().executed.clone();
        let count = executed.iter().filter(|done| *done == command).count();
        assert_eq!(count, executed.len(), "the card saw a command that nobody sent");
        (answer, count)
    })
}

fn command(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

#[test]
fn commands_and_responses_of_every_length_cross_in_blocks_of_every_size() {
    for ifsc in [1, 5, 32, 100, 254] {
        for length in [4, 5, 31, 32, 33, 63, 64, 65, 253, 254, 255, 261] {
            let manners = Manners {
                atr: atr(ifsc),
                ifsc: usize::from(ifsc),
                ..Manners::default()
            };
            let world = World::with(Card::mirror(manners));
            let command = command(length);
            assert_eq!(
                once(&world, &command),
                (Ok(mirrored(&command)), 1),
                "IFSC {ifsc}, {length} bytes"
            );
        }
    }
}

#[test]
fn many_exchanges_one_after_the_other_keep_in_step() {
    for knows_ifs in [true, false] {
        let world = World::with(Card::mirror(Manners {
            knows_ifs,
            ..Manners::default()
        }));
        let mut slot = world.slot();
        run(&world, async {
            slot.wait_insert().await.unwrap();
            for length in 4..200 {
                let mut response = [0; 258];
                let command = command(length);
                let length = slot.transmit(&command, &mut response).await.unwrap();
                assert_eq!(response[..length], mirrored(&command));
            }
        });
    }
}

#[test]
fn an_echoing_board_is_understood() {
    let world = World::with(Card::mirror(Manners::default()));
    world.echo.set(true);
    assert_eq!(once(&world, &command(40)), (Ok(mirrored(&command(40))), 1));
}

#[test]
fn a_card_may_change_its_block_size_and_ask_for_time() {
    let manners = Manners {
        extensions: 10,
        changes_ifsc: Some(7),
        ..Manners::default()
    };
    let world = World::with(Card::mirror(manners));
    let mut slot = world.slot();
    run(&world, async {
        slot.wait_insert().await.unwrap();
        for _ in 0..3 {
            let mut response = [0; 258];
            let length = slot.transmit(&command(100), &mut response).await.unwrap();
            assert_eq!(response[..length], mirrored(&command(100)));
        }
    });
}

/// The same bit of two bytes flips: the check character fits, and only the parities tell. What the line says is wrong is asked for again,
/// by the kind of error it was, and the command is carried out once.
#[test]
fn f8_an_answer_whose_parity_was_wrong_is_never_taken() {
    for (told, wanted) in [(Some(Flaw::Check), 0x81), (Some(Flaw::Form), 0x82), (None, 0)] {
        let world = World::with(Card::mirror(Manners::default()));
        let flaw = world.flaw.clone();
        let asked = Rc::new(RefCell::new(Vec::new()));
        let (seen, done) = (asked.clone(), Cell::new(false));
        *world.noise.borrow_mut() = Some(Box::new(move |to_card, _, bytes| {
            if to_card {
                seen.borrow_mut().extend(bytes.get(1).copied());
            } else if bytes.get(1) == Some(&0) && !done.replace(true) {
                bytes[4] ^= 1;
                bytes[5] ^= 1;
                flaw.set(told);
            }
        }));
        let (answer, executed) = once(&world, &command(20));
        assert_eq!(executed, 1);
        let right = answer == Ok(mirrored(&command(20)));
        // Without parity nobody can know.
        assert_eq!(right, told.is_some(), "{told:?}");
        let again = asked.borrow().iter().copied().find(|pcb| pcb & 0xC0 == 0x80);
        assert_eq!(again, told.map(|_| wanted), "{:x?}", asked.borrow());
    }
}

/// A wrong parity in the answer to reset: a second cold reset, then the card is dirty. The guard time that a card asks for is kept, 255 is none.
#[test]
fn f8_an_answer_to_reset_with_a_wrong_parity_is_asked_for_again() {
    for (times, works) in [(1, true), (2, false)] {
        let world = World::with(Card::mirror(Manners::default()));
        let (flaw, left) = (world.flaw.clone(), Cell::new(times));
        *world.noise.borrow_mut() = Some(Box::new(move |_, _, bytes| {
            if bytes.first() == Some(&0x3B) && left.get() > 0 {
                left.set(left.get() - 1);
                flaw.set(Some(Flaw::Check));
            }
        }));
        let mut slot = world.slot();
        let inserted = run(&world, slot.wait_insert());
        let expected = if works {
            Ok(())
        } else {
            Err(SlotError::Unsuitable(AtrError::Check))
        };
        assert_eq!(inserted, expected);
    }
    for (tc1, extra) in [(0, 0), (5, 5), (254, 254), (255, 0)] {
        let mut atr = vec![0x3B, 0xC0, tc1, 0x81, 0x31, 254, 0x45];
        atr.push(atr[1..].iter().fold(0, |a, b| a ^ b));
        let world = World::with(Card::mirror(Manners {
            atr,
            ..Manners::default()
        }));
        assert_eq!(once(&world, &command(9)), (Ok(mirrored(&command(9))), 1));
        assert_eq!(*world.guards.borrow(), [0, extra]);
    }
}

/// The first block comes 22 bits or more after the answer to reset or to a selection, at the slower of the speeds before and after: a card may not
/// yet listen, or be still at the other speed. (The simulated card is dead to one that comes earlier.)
#[test]
fn f8_the_first_block_keeps_the_block_guard_time() {
    for (opening, slow_line) in [
        // T=1 at once.
        (vec![0x3B, 0x80, 0x81, 0x31, 254, 0x45], false),
        // With extra guard time, and the least there is.
        (vec![0x3B, 0xC0, 5, 0x81, 0x31, 254, 0x45], false),
        (vec![0x3B, 0xC0, 255, 0x81, 0x31, 254, 0x45], false),
        // A selection to a speed 16 times as fast, or refused by the line.
        (vec![0x3B, 0x90, 0x95, 0x81, 0x31, 254, 0x45], false),
        (vec![0x3B, 0x90, 0x95, 0x81, 0x31, 254, 0x45], true),
        // Five times slower, by selection and at once.
        (vec![0x3B, 0x90, 0x61, 0x81, 0x31, 254, 0x45], false),
        (vec![0x3B, 0x90, 0x61, 0x91, 0x01, 0x31, 254, 0x45], false),
    ] {
        let mut atr = opening.clone();
        atr.push(atr[1..].iter().fold(0, |a, b| a ^ b));
        let world = World::with(Card::mirror(Manners {
            atr,
            ..Manners::default()
        }));
        world.slow_line.set(slow_line);
        let answer = once(&world, &command(9));
        assert_eq!(world.hurried.get(), 0, "{opening:02x?}");
        assert_eq!(answer, (Ok(mirrored(&command(9))), 1), "{opening:02x?}");
    }
}

/// What can happen to a byte of a block, or to the block.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize, u8),
    Lose(usize),
    Double(usize),
    LoseAll,
    Stray(u8),
}

fn harm(bytes: &mut Vec<u8>, what: Harm) {
    match what {
        Harm::Flip(at, bit) if at < bytes.len() => bytes[at] ^= 1 << bit,
        Harm::Lose(at) if at < bytes.len() => drop(bytes.remove(at)),
        Harm::Double(at) if at < bytes.len() => bytes.insert(at, bytes[at]),
        Harm::LoseAll => bytes.clear(),
        Harm::Stray(byte) => bytes.push(byte),
        _ => {}
    }
}

/// One harm in one block, everywhere: the answer comes nevertheless, and the command is carried out once.
#[test]
fn one_lost_doubled_or_flipped_byte_anywhere_is_mended_and_no_command_runs_twice() {
    let command = command(70);
    let manners = || Manners {
        atr: atr(32),
        ifsc: 32,
        extensions: 1,
        knows_ifs: false,
        ..Manners::default()
    };
    let quiet = World::with(Card::mirror(manners()));
    assert_eq!(once(&quiet, &command).1, 1);
    let blocks = quiet.bursts();
    assert!(blocks > 12, "{blocks}");
    let mut tried = 0;
    // Burst 0 is the answer to reset, which is read again from a cold reset.
    for block in 0..blocks {
        let harms = (0..37).flat_map(|at| [Harm::Lose(at), Harm::Double(at), Harm::Flip(at, 0), Harm::Flip(at, 5)]);
        for what in harms.chain([Harm::LoseAll, Harm::Stray(0), Harm::Stray(0x3B)]) {
            let world = World::with(Card::mirror(manners()));
            *world.noise.borrow_mut() = Some(Box::new(move |_, number, bytes: &mut Vec<u8>| {
                if number == block {
                    harm(bytes, what);
                }
            }));
            let (answer, count) = once(&world, &command);
            assert_eq!((answer, count), (Ok(mirrored(&command)), 1), "block {block}, {what:?}");
            tried += 1;
        }
    }
    println!("{tried} single harms in {blocks} blocks mended");
}

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (0_usize..40, 0_u8..8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (0_usize..40).prop_map(Harm::Lose),
        (0_usize..40).prop_map(Harm::Double),
        Just(Harm::LoseAll),
    ]
}

proptest! {
    /// However bad the wire: an answer that comes is the right one, no command runs twice, and once the wire is good again the next
    /// card, or the same one, works.
    #[test]
    fn f8_a_bad_wire_gives_the_right_answer_or_none_and_no_command_runs_twice(
        list in prop::collection::vec(prop::option::weighted(0.4, harms()), 1..60),
        length in 4_usize..100,
        extensions in 0_usize..3,
    ) {
        let manners = Manners { atr: atr(32), ifsc: 32, extensions, ..Manners::default() };
        let world = World::with(Card::mirror(manners));
        let mut slot = world.slot();
        let command = command(length);
        run(&world, async {
            if slot.wait_insert().await.is_err() {
                return Ok(());
            }
            let before = world.bursts();
            let list = list.clone();
            *world.noise.borrow_mut() = Some(Box::new(move |_, number, bytes: &mut Vec<u8>| {
                if let Some(Some(what)) = list.get(number - before) {
                    harm(bytes, *what);
                }
            }));
            let mut response = [0; 258];
            let answer = slot.transmit(&command, &mut response).await;
            let executed = world.card.borrow().as_ref().unwrap().executed.len();
            prop_assert!(executed <= 1);
            if let Ok(length) = answer {
                prop_assert_eq!(&response[..length], &mirrored(&command)[..]);
                prop_assert_eq!(executed, 1);
            }
            *world.noise.borrow_mut() = None;
            prop_assert_eq!(slot.wait_insert().await, Ok(()));
            let length = slot.transmit(&command, &mut response).await;
            prop_assert_eq!(length.map(|length| response[..length].to_vec()), Ok(mirrored(&command)));
            Ok(())
        })?;
    }

    #[test]
    fn f8_any_bytes_as_atr_and_block_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Block::read(&bytes);
        for end in 0..=bytes.len().min(40) {
            if let Ok(Some(atr)) = Atr::read(&bytes[..end]) {
                prop_assert!(atr.bytes().len() <= end && end <= MAX_ATR);
                prop_assert!(atr.historical().len() <= 15 && (1..=254).contains(&atr.ifsc));
                let _ = atr.negotiation();
            }
        }
        if bytes.len() > MAX_ATR {
            prop_assert!(!matches!(Atr::read(&bytes[..MAX_ATR]), Ok(None)), "it has to know by then");
        }
        let _ = Pps::t1(bytes.first().copied()).confirmed(&bytes);
    }

    /// A card that says anything at all, often well formed: the exchange ends, within its bounds.
    #[test]
    fn f8_no_card_keeps_an_exchange_going_without_end(
        blocks in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..4), 0_u8..10), 1..40),
        length in 0_usize..262,
        ifsc in 1_u8..255,
    ) {
        let command = command(length);
        let mut protocol = Protocol::new(ifsc);
        let mut exchange = Exchange::new(&mut protocol, &command);
        let (mut frame, mut response) = (Frame::default(), [0; 258]);
        let mut step = exchange.start(&mut frame);
        let mut sent = 0;
        let mut turn = blocks.iter().cycle();
        while let Ok(Step::Send { .. }) = step {
            sent += 1;
            prop_assert!(sent <= MAX_BLOCKS);
            prop_assert!(Block::read(frame.bytes()).is_ok());
            let (pcb, information, mood) = turn.next().unwrap();
            // Mostly kinds that exist, so that it gets deeper.
            let pcb = match mood {
                0..=2 => [0x00, 0x40, 0x20, 0x60][usize::from(pcb % 4)],
                3..=4 => [0x80, 0x90, 0x81, 0x92][usize::from(pcb % 4)],
                5..=6 => 0xC0 | (pcb % 4),
                7..=8 => 0xE0 | (pcb % 4),
                _ => *pcb,
            };
            let mut bytes = vec![0, pcb, u8::try_from(information.len()).unwrap()];
            bytes.extend_from_slice(information);
            bytes.push(bytes.iter().fold(0, |a, b| a ^ b));
            let heard = if *mood == 9 { Heard::Silence } else { Heard::Bytes(&bytes) };
            step = exchange.next(heard, &mut frame, &mut response);
        }
    }
}

#[test]
fn f8_a_card_that_asks_for_time_for_ever_is_given_up() {
    for slow in [0, 1_000_000] {
        let world = World::with(Card::mirror(Manners {
            extensions: usize::MAX,
            slow,
            ..Manners::default()
        }));
        let begin = world.micros();
        assert_eq!(once(&world, &command(4)).0, Err(TransmitError::Timeout));
        let took = (world.micros() - begin) / 1_000;
        assert!(took <= u64::from(PATIENCE) + 1_000, "{took} ms");
        assert!(world.power_offs.get() >= 1, "the power has to be taken from it");
    }
}

#[test]
fn f8_a_card_that_dribbles_its_answer_is_given_up() {
    // One-byte blocks, each after nearly the whole waiting time: 258 of them would take seven minutes.
    let manners = Manners {
        knows_ifs: false,
        slow: 1_500_000,
        ..Manners::default()
    };
    let world = World::with(Card::new(manners, |_| vec![7; 258]));
    *world.noise.borrow_mut() = None;
    let begin = world.micros();
    let answer = once(&world, &command(4)).0;
    let took = (world.micros() - begin) / 1_000;
    assert!(answer.is_ok() || answer == Err(TransmitError::Timeout));
    assert!(took <= u64::from(PATIENCE) + 1_000, "{took} ms");
}

#[test]
fn f8_a_mute_a_deaf_and_an_endless_card_are_errors() {
    let world = World::with(Card::mirror(Manners {
        atr: vec![],
        ..Manners::default()
    }));
    let mut slot = world.slot();
    assert_eq!(run(&world, slot.wait_insert()), Err(SlotError::Mute));

    let world = World::with(Card::mirror(Manners {
        deaf: true,
        ..Manners::default()
    }));
    assert_eq!(once(&world, &command(4)), (Err(TransmitError::Timeout), 0));

    let world = World::with(Card::new(Manners::default(), |_| vec![7; 259]));
    assert_eq!(once(&world, &command(4)), (Err(TransmitError::TooLong), 1));

    let world = World::with(Card::new(
        Manners {
            aborts: true,
            ..Manners::default()
        },
        |_| vec![7; 258],
    ));
    assert_eq!(once(&world, &command(4)), (Err(TransmitError::Protocol), 1));
}

/// Upside down, the I/O contact lies on something else: nothing comes, or the line is held down, or it floats.
#[test]
fn f8_a_dead_card_and_one_the_wrong_way_round_say_so_and_the_next_one_works() {
    for line in [vec![], vec![0; 33], vec![0xFF; 40], vec![0x00, 0x3B, 0x80, 0x01]] {
        let world = World::with(Card::mirror(Manners {
            atr: line.clone(),
            ..Manners::default()
        }));
        let mut slot = world.slot();
        let begin = world.micros();
        let refused = run(&world, slot.wait_insert()).unwrap_err();
        assert_eq!(refused, SlotError::Mute, "{line:02X?}");
        assert!(refused.to_string().contains("which way round"), "{refused}");
        // Two tries of three seconds at most, and no power is left on it.
        assert!(world.micros() - begin < 8_000_000, "{line:02X?}");
        assert!(!world.powered());
        let mut response = [0; 258];
        assert_eq!(
            run(&world, slot.transmit(&command(4), &mut response)),
            Err(TransmitError::Removed)
        );
        // The switch of the slot says when it is out.
        world.pull();
        run(&world, slot.wait_removed());
        *world.card.borrow_mut() = Some(Card::mirror(Manners::default()));
        world.insert();
        run(&world, async {
            slot.wait_insert().await.unwrap();
            let length = slot.transmit(&command(40), &mut response).await.unwrap();
            assert_eq!(response[..length], mirrored(&command(40)));
        });
    }
}

#[test]
fn f8_a_card_pulled_out_at_any_block_is_noticed_at_once_and_works_when_it_comes_back() {
    let blocks = {
        let world = World::with(Card::mirror(Manners {
            knows_ifs: false,
            ..Manners::default()
        }));
        once(&world, &command(100)).0.unwrap();
        world.bursts()
    };
    for block in 1..blocks {
        let world = World::with(Card::mirror(Manners {
            knows_ifs: false,
            ..Manners::default()
        }));
        let mut slot = world.slot();
        let puller = world.clone();
        let pulled = Cell::new(false);
        *world.noise.borrow_mut() = Some(Box::new(move |_, number, bytes: &mut Vec<u8>| {
            if number == block && !pulled.replace(true) {
                bytes.clear();
                puller.insert();
                PULL.with(|pull| pull.set(true));
            }
        }));
        run(&world, async {
            slot.wait_insert().await.unwrap();
            let mut response = [0; 258];
            let sent = command(100);
            let (forgotten, _) = world.forgotten.get();
            let answer = {
                let mut transmit = Box::pin(slot.transmit(&sent, &mut response));
                std::future::poll_fn(|context| {
                    let poll = transmit.as_mut().poll(context);
                    if PULL.with(|pull| pull.replace(false)) {
                        world.pull();
                        return transmit.as_mut().poll(context);
                    }
                    poll
                })
                .await
            };
            assert_eq!(answer, Err(TransmitError::Removed), "block {block}");
            // Whoever comes next, and if nobody does: nothing of the command and the answer stays in the line.
            assert_eq!(world.forgotten.get().0, forgotten + 1, "block {block}");
            assert_eq!(
                slot.transmit(&command(4), &mut response).await,
                Err(TransmitError::Removed)
            );
            slot.wait_removed().await;
            world.insert();
            slot.wait_insert().await.unwrap();
            let length = slot.transmit(&command(4), &mut response).await.unwrap();
            assert_eq!(response[..length], mirrored(&command(4)));
        });
    }
}

thread_local! {
    static PULL: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn an_exchange_that_was_dropped_is_not_mistaken_for_the_next_one() {
    let manners = Manners {
        slow: 500_000,
        ..Manners::default()
    };
    let world = World::with(Card::mirror(manners));
    let mut slot = world.slot();
    run(&world, async {
        slot.wait_insert().await.unwrap();
        let mut response = [0; 258];
        {
            let sent = command(90);
            let mut transmit = Box::pin(slot.transmit(&sent, &mut response));
            let mut rounds = 0;
            std::future::poll_fn(|context| {
                rounds += 1;
                let _ = transmit.as_mut().poll(context);
                if rounds == 8 {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
        }
        let length = slot.transmit(&command(5), &mut response).await.unwrap();
        assert_eq!(response[..length], mirrored(&command(5)));
    });
}

use std::future::Future as _;

#[test]
fn answers_to_reset_are_read_as_the_standard_says() {
    let read = |bytes: &[u8]| Atr::read(bytes);
    // My Number cards and PIV cards as OpenSC knows them.
    let jpki = [0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14];
    let atr = read(&jpki).unwrap().unwrap();
    assert_eq!((atr.ifsc, atr.bwi, atr.cwi, atr.guard), (254, 4, 5, 255));
    assert_eq!(atr.negotiation(), Negotiation::Straight(Speed::DEFAULT));
    assert_eq!(atr.bytes(), jpki);
    for end in 0..jpki.len() {
        assert_eq!(read(&jpki[..end]), Ok(None));
    }
    let mut bad = jpki;
    bad[8] ^= 1;
    assert_eq!(read(&bad), Err(AtrError::Check));
    let piv = [
        0x3B, 0x8D, 0x80, 0x01, 0x80, 0xFB, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0xCD,
    ];
    let atr = read(&piv).unwrap().unwrap();
    assert!(!atr.starts_with_t1());
    assert_eq!(
        (atr.historical().len(), atr.negotiation()),
        (13, Negotiation::Select(0x11))
    );

    assert_eq!(read(&[0x3B, 0x00]), Err(AtrError::NoT1));
    assert_eq!(read(&[0x3F]), Err(AtrError::InverseConvention));
    assert_eq!(read(&[0x03]), Err(AtrError::InverseConvention));
    assert_eq!(read(&[0x00]), Err(AtrError::NotAnAtr));
    // Specific mode for T=0; CRC; reserved IFSC.
    let with_check = |mut bytes: Vec<u8>| {
        bytes.push(bytes[1..].iter().fold(0, |a, b| a ^ b));
        bytes
    };
    assert_eq!(
        read(&with_check(vec![0x3B, 0x80, 0x91, 0x00, 0x41, 0x00])),
        Err(AtrError::NoT1)
    );
    assert_eq!(
        read(&with_check(vec![0x3B, 0x80, 0x81, 0x41, 0x01])),
        Err(AtrError::Crc)
    );
    assert_eq!(
        read(&with_check(vec![0x3B, 0x80, 0x81, 0x11, 0xFF])),
        Err(AtrError::Reserved)
    );
    // Faster: Fi 512, Di 32, T=1 only, negotiable.
    let fast = read(&with_check(vec![0x3B, 0x90, 0x96, 0x81, 0x31, 0xFE, 0x45]))
        .unwrap()
        .unwrap();
    assert_eq!(fast.negotiation(), Negotiation::Select(0x96));
    assert_eq!(Speed::decode(0x96), Some(Speed { f: 512, d: 32 }));
    // 372 cycles at 3.5712 MHz are 9,600 bits a second: 960 * 2^4 bits are 1.6 s, and 11 more.
    assert_eq!(fast.block_waiting(Speed::DEFAULT, slot::HERTZ), 1_600_000 + 1_146);
}

#[test]
fn the_protocol_is_selected_where_it_has_to_be_and_faster_where_both_can() {
    let with_check = |mut bytes: Vec<u8>| {
        bytes.push(bytes[1..].iter().fold(0, |a, b| a ^ b));
        bytes
    };
    let fast = Speed { f: 512, d: 32 };
    let t1_fast = with_check(vec![0x3B, 0x90, 0x96, 0x81, 0x31, 0xFE, 0x45]);
    // T=0 first, then T=1.
    let both = with_check(vec![0x3B, 0x80, 0x80, 0x31, 0xFE, 0x45]);
    let both = {
        let mut b = both;
        b[2] = 0x80;
        b[3] = 0x31;
        with_check(b[..b.len() - 1].to_vec())
    };
    for (atr, slow_line, selection, last) in [
        (t1_fast.clone(), false, None, fast),
        (t1_fast.clone(), true, None, Speed::DEFAULT),
        // The card takes T=1 but not the speed.
        (t1_fast.clone(), false, Some(vec![0xFF, 0x01, 0xFE]), Speed::DEFAULT),
        // Nonsense to the selection: reset, and slow.
        (t1_fast, false, Some(vec![0xFF, 0x10, 0x00]), Speed::DEFAULT),
        (both, false, None, Speed::DEFAULT),
    ] {
        let world = World::with(Card::mirror(Manners {
            atr,
            selection,
            ..Manners::default()
        }));
        world.slow_line.set(slow_line);
        assert_eq!(once(&world, &command(20)), (Ok(mirrored(&command(20))), 1));
        assert_eq!(world.speeds.borrow().last(), Some(&last));
    }
}

/// The same card, asked by a reader's T=1 that others wrote: the card is no mirror image of our own mistakes.
/// (That library puts no response together from several blocks, so responses here fit one.)
#[test]
fn a_foreign_reader_understands_the_card_of_these_tests() {
    thread_local! {
        static CARD: RefCell<Option<Card>> = const { RefCell::new(None) };
        static BACK: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
    }
    fn read(_: Option<&()>, buffer: &mut [u8]) -> Result<usize, ()> {
        BACK.with_borrow_mut(|back| {
            let count = buffer.len().min(back.len());
            for (to, from) in buffer.iter_mut().zip(back.drain(..count)) {
                *to = from;
            }
            Ok(count)
        })
    }
    fn write(_: Option<&()>, bytes: &[u8]) -> Result<usize, ()> {
        let answer = CARD.with_borrow_mut(|card| card.as_mut().unwrap().burst(bytes));
        BACK.set(answer.map(|(bytes, _)| bytes).unwrap_or_default());
        Ok(bytes.len())
    }
    for length in [4, 10, 28, 60, 200] {
        for extensions in [0, 3] {
            let manners = Manners {
                extensions,
                ifsc: 32,
                ..Manners::default()
            };
            let mut card = Card::new(manners, |command| vec![command.len().to_le_bytes()[0], 0x90, 0x00]);
            card.power_up();
            CARD.set(Some(card));
            let command = command(length);
            let mut response = [0; 258];
            let mut reader = iso7816_tx::TransmissionBuilder::<(), ()>::new()
                .set_read_cb(read)
                .set_write_cb(write)
                .set_sleep_cb(|_| ())
                .set_nad(0, 0)
                .build();
            let answer = reader.transmit(&command, &mut response).unwrap();
            assert_eq!(answer, [length.to_le_bytes()[0], 0x90, 0x00]);
            CARD.with_borrow(|card| assert_eq!(card.as_ref().unwrap().executed[..], [&command[..]]));
        }
    }
}

#[test]
fn a_fault_says_what_to_do() {
    for fault in [
        Fault::Mute,
        Fault::Lost,
        Fault::Resynchronised,
        Fault::Aborted,
        Fault::Endless,
        Fault::TooLong,
    ] {
        assert!(!fault.to_string().is_empty());
    }
}
