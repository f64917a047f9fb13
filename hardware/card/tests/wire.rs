//! The wire against a UART and a card in bits: whenever interrupts and tasks come to it, no byte is lost, none is ours, and what was garbled is told.
//!
//! The UART is written after ST's manual RM0456 (smartcard mode, guard time, `TCBGT`; where it looks for a stop bit), the card after ISO/IEC 7816-3: it
//! answers 22 bits after our last byte began at the earliest, with characters 11 bits apart. A receiver that is switched on while a byte passes,
//! or is not done with the one before, hears nothing of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use card::t1::{Flaw, MAX_BLOCK, Speed};
use card::wire::{Ask, STOP_HALF_BITS, State, Uart, WAITING, Wire};
use proptest::prelude::*;

/// Steps of time in a bit.
const BIT: u64 = 8;
/// Latest that the interrupt may come: the card's first byte begins 22 bits after our last one, which ends after 11.
const LATEST: u64 = 10 * BIT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    None,
    /// Wrong parity, the byte is given.
    Parity,
    /// Wrong parity, the byte is kept back.
    Dropped,
    /// No stop bit.
    Framing,
}

#[derive(Clone, Debug)]
struct Turn {
    say: Vec<u8>,
    /// Bits from the beginning of our last byte to that of the card's first.
    after: u64,
    /// The card's bytes and the bits from one's beginning to the next one's.
    answer: Vec<(u8, Harm, u64)>,
}

/// A character that comes.
#[derive(Clone, Copy)]
struct Receiving {
    begun: u64,
    byte: u8,
    harm: Harm,
    /// The next one began where its stop bit is looked for.
    broken: bool,
}

/// UART, wire and card.
#[derive(Default)]
struct World {
    now: u64,
    /// Half bits of stop.
    stop: u64,
    /// Bits added behind our characters.
    guard: u64,
    ask: Option<Ask>,
    listens: bool,
    data: Option<u8>,
    shifting: Option<(u64, u8)>,
    next_start: u64,
    sent: bool,
    state: State,
    receiving: Option<Receiving>,
    turns: VecDeque<Turn>,
    /// What the card has heard of the present turn, and when each began.
    got: Vec<(u64, u8)>,
    /// All blocks that it has heard.
    blocks: Vec<Vec<u8>>,
    /// Longest and shortest time between two of our bytes.
    gaps: Vec<u64>,
    saying: VecDeque<(u64, u8, Harm)>,
}

impl World {
    /// Of a card that has asked for so much extra guard time.
    fn new(turns: &[Turn], extra: u8) -> Self {
        Self {
            stop: STOP_HALF_BITS.into(),
            guard: card::wire::guard(extra).into(),
            listens: true,
            turns: turns.to_vec().into(),
            ..Self::default()
        }
    }

    fn pending(&self) -> bool {
        let state = &self.state;
        let heard = state.heard.is_some() || state.parity || state.framing || state.overrun;
        heard
            || match self.ask {
                Some(Ask::Room) => self.data.is_none(),
                Some(Ask::Sent) => self.sent,
                _ => false,
            }
    }

    /// Whether nothing will happen by itself any more.
    fn still(&self) -> bool {
        !self.pending()
            && self.data.is_none()
            && self.shifting.is_none()
            && self.receiving.is_none()
            && self.saying.is_empty()
    }

    /// Steps from the beginning of a character to the end of its stop.
    fn whole(&self) -> u64 {
        10 * BIT + self.stop * BIT / 2
    }

    /// Steps from the beginning of a character to where its stop bit was looked for the last time, of 16 in a bit: the 10th time, or the 18th; and until it is
    /// given and the receiver awaits the next one.
    fn looked_and_given(&self) -> (u64, u64) {
        if self.stop == 2 {
            (10 * BIT + 10 * BIT / 16, 10 * BIT + 10 * BIT / 16)
        } else {
            (10 * BIT + 18 * BIT / 16, self.whole())
        }
    }

    fn step(&mut self) {
        self.now += 1;
        if let Some((start, _)) = self.shifting
            && self.now >= start + self.whole()
        {
            self.shifting = None;
            self.sent = self.data.is_none();
        }
        if self.shifting.is_none()
            && self.now >= self.next_start
            && let Some(byte) = self.data.take()
        {
            self.shifting = Some((self.now, byte));
            self.next_start = self.now + self.whole() + self.guard * BIT;
            self.on_the_wire(byte, Harm::None);
            self.card_hears(byte);
        }
        if let Some((at, byte, harm)) = self.saying.front().copied()
            && at == self.now
        {
            self.saying.pop_front();
            assert!(self.shifting.is_none(), "both speak at once");
            self.on_the_wire(byte, harm);
        }
        if let Some(Receiving {
            begun,
            byte,
            harm,
            broken,
        }) = self.receiving
            && self.now >= begun + self.looked_and_given().1
        {
            self.receiving = None;
            self.state.parity |= matches!(harm, Harm::Parity | Harm::Dropped);
            self.state.framing |= harm == Harm::Framing || broken;
            if harm != Harm::Dropped {
                if self.state.heard.is_some() {
                    self.state.overrun = true;
                } else {
                    self.state.heard = Some(byte);
                }
            }
        }
    }

    fn on_the_wire(&mut self, byte: u8, harm: Harm) {
        let looked = self.looked_and_given().0;
        if let Some(before) = &mut self.receiving {
            before.broken |= self.now <= before.begun + looked;
        } else if self.listens {
            self.receiving = Some(Receiving {
                begun: self.now,
                byte,
                harm,
                broken: false,
            });
        }
    }

    fn card_hears(&mut self, byte: u8) {
        if let Some((before, _)) = self.got.last() {
            self.gaps.push(self.now - before);
        }
        self.got.push((self.now, byte));
        let Some(turn) = self.turns.front() else { return };
        if self.got.len() < turn.say.len() {
            return;
        }
        let turn = self.turns.pop_front().unwrap();
        self.blocks.push(self.got.drain(..).map(|(_, byte)| byte).collect());
        let mut at = self.now + turn.after * BIT;
        for (byte, harm, bits) in turn.answer {
            self.saying.push_back((at, byte, harm));
            at += bits * BIT;
        }
    }
}

impl World {
    /// Switched off and on: what was under way is discarded, also by the card, which is another one or none.
    fn set_up(&mut self) {
        (self.data, self.shifting, self.receiving, self.sent) = (None, None, None, false);
        self.state = State::default();
        self.saying.clear();
        self.got.clear();
        self.listens = false;
    }
}

impl Uart for World {
    fn state(&mut self) -> State {
        State {
            room: self.data.is_none(),
            sent: self.sent,
            ..std::mem::take(&mut self.state)
        }
    }

    fn put(&mut self, byte: u8) {
        assert!(self.data.is_none(), "no room for another byte");
        (self.data, self.sent) = (Some(byte), false);
    }

    fn listen(&mut self, on: bool) {
        self.listens = on;
        if !on {
            self.receiving = None;
        }
    }

    fn ask(&mut self, what: Ask) {
        self.ask = Some(what);
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Shared = Rc<RefCell<(Wire, World)>>;

/// Runs a task that is polled only when it was woken, and late; interrupts are late, too. Lateness comes from the lists, round and round.
fn run(shared: &Shared, task: impl Future<Output = ()>, interrupts: &[u64], tasks: &[u64]) {
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut task = pin!(task);
    let mut context = Context::from_waker(&waker);
    let (mut interrupts, mut tasks) = (interrupts.iter().cycle(), tasks.iter().cycle());
    let (mut interrupt, mut turn) = (None, None);
    for _ in 0..20_000_000_u64 {
        let now = {
            let (wire, world) = &mut *shared.borrow_mut();
            if world.pending() && interrupt.is_none() {
                interrupt = Some(world.now + interrupts.next().unwrap());
            }
            if interrupt.is_some_and(|at| world.now >= at) {
                interrupt = None;
                if world.pending() {
                    wire.on_interrupt(world);
                }
            }
            world.now
        };
        if flag.0.load(Ordering::Relaxed) && turn.is_none() {
            turn = Some(now + tasks.next().unwrap());
        }
        if turn.is_some_and(|at| now >= at) {
            turn = None;
            flag.0.store(false, Ordering::Relaxed);
            if task.as_mut().poll(&mut context).is_ready() {
                return;
            }
        }
        let (_, world) = &mut *shared.borrow_mut();
        let rests = world.still() && interrupt.is_none() && turn.is_none() && !flag.0.load(Ordering::Relaxed);
        assert!(!rests, "everybody waits for ever");
        world.step();
    }
    panic!("no end");
}

async fn speak(shared: &Shared, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let taken = poll_fn(|context| {
            let (wire, world) = &mut *shared.borrow_mut();
            wire.poll_speak(bytes, world, context.waker())
        });
        bytes = &bytes[taken.await..];
    }
}

async fn quiet(shared: &Shared) {
    poll_fn(|context| shared.borrow_mut().0.poll_quiet(context.waker())).await;
}

async fn next(shared: &Shared) -> u8 {
    poll_fn(|context| shared.borrow_mut().0.poll_next(context.waker())).await
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        12 => Just(Harm::None),
        1 => Just(Harm::Parity),
        1 => Just(Harm::Dropped),
        1 => Just(Harm::Framing),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let say = proptest::collection::vec(any::<u8>(), 1..24);
    let answer = proptest::collection::vec((any::<u8>(), harm(), 11..40_u64), 1..24);
    (say, 22..60_u64, answer).prop_map(|(say, after, mut answer)| {
        // The task knows by the last byte that all have come.
        if let Some((_, harm, _)) = answer.last_mut()
            && *harm == Harm::Dropped
        {
            *harm = Harm::Parity;
        }
        Turn { say, after, answer }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// A renderer may hold the task for seconds: the interrupts alone keep the times of the standard. Every byte of ours arrives, in time; every byte
    /// of the card's is read, in order, also one that comes at the first moment it may; none of ours is; what was garbled is named.
    #[test]
    fn f8_no_byte_is_lost_however_late_tasks_and_interrupts_come(
        turns in proptest::collection::vec(turn(), 1..4),
        extra in prop_oneof![Just(0_u8), 0..255_u8],
        interrupts in proptest::collection::vec(0..LATEST, 1..40),
        tasks in proptest::collection::vec(0..3_000 * BIT, 1..40),
    ) {
        let shared = Rc::new(RefCell::new((Wire::new(), World::new(&turns, extra))));
        run(&shared, async {
            for turn in &turns {
                speak(&shared, &turn.say).await;
                quiet(&shared).await;
                let given = turn.answer.iter().filter(|(_, harm, _)| *harm != Harm::Dropped);
                for (byte, _, _) in given {
                    assert_eq!(next(&shared).await, *byte);
                }
                let harmed = |which: &[Harm]| turn.answer.iter().any(|(_, harm, _)| which.contains(harm));
                let flaw = if harmed(&[Harm::Framing]) {
                    Some(Flaw::Form)
                } else {
                    harmed(&[Harm::Parity, Harm::Dropped]).then_some(Flaw::Check)
                };
                assert_eq!(shared.borrow_mut().0.flaw(), flaw);
            }
        }, &interrupts, &tasks);
        let (_, world) = &*shared.borrow();
        let said: Vec<Vec<u8>> = turns.iter().map(|turn| turn.say.clone()).collect();
        prop_assert_eq!(&world.blocks, &said);
        let least = (12 + u64::from(extra)) * BIT;
        prop_assert!(world.gaps.iter().all(|gap| (least..=least + LATEST + 1).contains(gap)), "{:?}", world.gaps);
    }

    /// An interrupt that comes too late for a byte loses it; then it is told, and the block is asked for again.
    #[test]
    fn f8_what_an_interrupt_is_too_late_for_is_told(
        answer in proptest::collection::vec(any::<u8>(), 1..60),
        late in proptest::collection::vec(0..60 * BIT, 1..60),
    ) {
        let turn = Turn { say: vec![1], after: 22, answer: answer.iter().map(|byte| (*byte, Harm::None, 11)).collect() };
        let shared = Rc::new(RefCell::new((Wire::new(), World::new(&[turn], 0))));
        run(&shared, async {
            speak(&shared, &[1]).await;
            quiet(&shared).await;
        }, &[0], &[0]);
        let (wire, world) = &mut *shared.borrow_mut();
        let mut late = late.iter().cycle();
        while !world.still() {
            world.step();
            if world.pending() {
                for _ in 0..*late.next().unwrap() {
                    world.step();
                }
                wire.on_interrupt(world);
            }
        }
        let mut heard = Vec::new();
        while let std::task::Poll::Ready(byte) = wire.poll_next(Waker::noop()) {
            heard.push(byte);
        }
        let flaw = wire.flaw();
        prop_assert!(if heard == answer { flaw.is_none() } else { flaw == Some(Flaw::Form) }, "{:?} {:?}", heard, flaw);
    }
}

/// A card with TC1 = 255, as My Number cards are: its characters begin 11 bits apart. One stop bit hears them all; where one and a half are awaited, as in
/// a smartcard mode made for T=0, every other one is lost.
#[test]
fn f8_characters_without_guard_time_are_heard_with_the_stop_that_is_set() {
    let answer: Vec<u8> = (0..21).collect();
    for (stop, heard_whole) in [(STOP_HALF_BITS.into(), true), (3, false)] {
        let turn = Turn {
            say: vec![7],
            after: 22,
            answer: answer.iter().map(|byte| (*byte, Harm::None, 11)).collect(),
        };
        let mut world = World::new(&[turn], 0);
        world.stop = stop;
        let shared = Rc::new(RefCell::new((Wire::new(), world)));
        run(
            &shared,
            async {
                speak(&shared, &[7]).await;
                quiet(&shared).await;
            },
            &[0],
            &[0],
        );
        let (wire, world) = &mut *shared.borrow_mut();
        while !world.still() {
            world.step();
            if world.pending() {
                wire.on_interrupt(world);
            }
        }
        let mut heard = Vec::new();
        while let std::task::Poll::Ready(byte) = wire.poll_next(Waker::noop()) {
            heard.push(byte);
        }
        if heard_whole {
            assert_eq!((&heard, wire.flaw()), (&answer, None));
        } else {
            assert_eq!((heard.len(), wire.flaw()), (11, Some(Flaw::Form)));
        }
    }
}

/// No speed is taken at which an interrupt would have less than 40 microseconds to turn the line round, and no other length of a bit than the card's.
#[test]
fn f8_no_speed_is_taken_that_leaves_the_interrupt_less_time_than_it_has() {
    const MEGAHERTZ: u32 = 16;
    let mut taken = 0;
    for byte in 0..=255 {
        let Some(speed) = Speed::decode(byte) else { continue };
        let (f, d) = (u32::from(speed.f), u32::from(speed.d));
        match card::wire::clocks(speed, 4) {
            Some(clocks) => {
                taken += 1;
                assert!(clocks * 10 >= 40 * MEGAHERTZ, "{speed:?}: {clocks}");
                assert!((clocks * d).abs_diff(4 * f) * 200 <= 4 * f, "{speed:?}: {clocks}");
            }
            // Too fast, or no whole number is near enough.
            None => {
                let near = (4 * f + d / 2) / d;
                assert!(near < 64 || (near * d).abs_diff(4 * f) * 200 > 4 * f, "{speed:?}");
            }
        }
    }
    assert!(taken > 50, "{taken}");
    assert_eq!(card::wire::clocks(Speed::DEFAULT, 4), Some(1_488));
    assert_eq!(card::wire::clocks(Speed { f: 512, d: 32 }, 4), Some(64));
    assert_eq!(card::wire::clocks(Speed { f: 512, d: 64 }, 4), None);
}

/// A card that never stops fills what there is, and that is told.
#[test]
fn f8_a_card_that_never_stops_fills_no_more_than_there_is() {
    let answer = (0..400_u64)
        .map(|n| (u8::try_from(n % 251).unwrap(), Harm::None, 12))
        .collect();
    let turn = Turn {
        say: vec![7],
        after: 22,
        answer,
    };
    let shared = Rc::new(RefCell::new((Wire::new(), World::new(&[turn], 0))));
    run(
        &shared,
        async {
            speak(&shared, &[7]).await;
            quiet(&shared).await;
        },
        &[0],
        &[0],
    );
    let (wire, world) = &mut *shared.borrow_mut();
    while !world.still() {
        world.step();
        if world.pending() {
            wire.on_interrupt(world);
        }
    }
    for n in 0..WAITING {
        assert_eq!(
            wire.poll_next(Waker::noop()),
            std::task::Poll::Ready(u8::try_from(n % 251).unwrap())
        );
    }
    assert!(wire.poll_next(Waker::noop()).is_pending());
    assert_eq!((wire.flaw(), wire.flaw()), (Some(Flaw::Form), None));
}

/// A card that is pulled at any moment of a block or an answer: no byte more of the block leaves, nothing of either stays in memory, and the next card is
/// heard, though nothing of the line's pace has changed.
#[test]
fn f8_of_a_pulled_card_nothing_is_said_and_nothing_stays() {
    let (say, answer) = ([0x31; 20], [0x55; 20]);
    let turn = || Turn {
        say: say.to_vec(),
        after: 22,
        answer: answer.iter().map(|byte| (*byte, Harm::None, 12)).collect(),
    };
    let (mut in_block, mut in_answer) = (0, 0);
    for moment in (0..600 * BIT).step_by(7) {
        let mut world = World::new(&[turn()], 0);
        let mut wire = Wire::new();
        assert!(wire.poll_speak(&say, &mut world, Waker::noop()).is_ready());
        while world.now < moment {
            world.step();
            if world.pending() {
                wire.on_interrupt(&mut world);
            }
        }
        // What `Line::forget` does on a board.
        let something = usize::from(!wire.is_blank());
        if world.blocks.is_empty() {
            in_block += something;
        } else {
            in_answer += something;
        }
        world.set_up();
        wire.reset(&mut world);
        assert!(wire.is_blank(), "{moment}");
        world.turns = [turn()].into();
        for _ in 0..100 * BIT {
            world.step();
            if world.pending() {
                wire.on_interrupt(&mut world);
            }
        }
        assert!(world.got.is_empty(), "a byte went on at {moment}");
        let at = world.now + 1;
        world.saying.push_back((at, 0x3B, Harm::None));
        while !world.still() {
            world.step();
            if world.pending() {
                wire.on_interrupt(&mut world);
            }
        }
        assert_eq!(wire.poll_next(Waker::noop()), std::task::Poll::Ready(0x3B), "{moment}");
        assert!(wire.is_blank() && wire.flaw().is_none());
    }
    assert!(in_block > 100 && in_answer > 100, "{in_block} {in_answer}");
}

/// A task that went away in the middle of a block: it leaves whole, and the next one after it. More than a block is taken in parts.
#[test]
fn f8_blocks_leave_whole_one_after_the_other() {
    let long: Vec<u8> = (0..MAX_BLOCK + 9).map(|n| u8::try_from(n % 250).unwrap()).collect();
    let said = [vec![1, 2, 3, 4, 5], long];
    let turns: Vec<Turn> = said
        .iter()
        .map(|say| Turn {
            say: say.clone(),
            after: 30,
            answer: vec![(9, Harm::None, 12)],
        })
        .collect();
    let shared = Rc::new(RefCell::new((Wire::new(), World::new(&turns, 2))));
    // Nobody waits for the end of the first.
    run(&shared, speak(&shared, &said[0]), &[3], &[0]);
    run(
        &shared,
        async {
            quiet(&shared).await;
            assert_eq!(next(&shared).await, 9);
            speak(&shared, &said[1]).await;
            quiet(&shared).await;
            assert_eq!(next(&shared).await, 9);
        },
        &[3],
        &[200],
    );
    assert_eq!(shared.borrow().1.blocks, said);
    // A line that is set up anew has forgotten all, and listens.
    let (wire, world) = &mut *shared.borrow_mut();
    assert!(wire.poll_speak(&[1, 2], world, Waker::noop()).is_ready());
    assert!(!world.listens);
    wire.reset(world);
    assert!(world.listens && world.ask == Some(Ask::Nothing));
    assert!(wire.poll_quiet(Waker::noop()).is_ready());
    assert!(wire.poll_next(Waker::noop()).is_pending());
}
