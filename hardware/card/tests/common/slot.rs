//! A card on a wire, written from ISO/IEC 7816-3 (sections 6, 8, 9, 11) without looking at the reader's side, and a world with
//! a clock of its own around it. Nothing waits for real: time passes when everybody waits.
#![allow(dead_code, reason = "every test file uses another part of it")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use card::t1::{Flaw, Speed};
use card::uart::{Line, Pins, Slot, Wiring};
use embedded_hal::digital::{ErrorType, OutputPin, PinState};
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::digital::Wait;

pub const HERTZ: u32 = 3_571_200;

/// What is on the wire, and when.
#[derive(Default)]
pub struct World {
    now: Cell<u64>,
    /// The moments somebody waits for.
    alarms: RefCell<Vec<u64>>,
    to_reader: RefCell<VecDeque<(u64, u8)>>,
    present: Cell<bool>,
    power: Cell<bool>,
    reset: Cell<bool>,
    /// Speeds the line was set to.
    pub speeds: RefCell<Vec<Speed>>,
    /// Speeds the line can do; empty: all.
    pub slow_line: Cell<bool>,
    pub echo: Cell<bool>,
    pub card: RefCell<Option<Card>>,
    /// What happens to bytes on their way: (to the card?, number of the burst, bytes).
    #[allow(clippy::type_complexity)]
    pub noise: RefCell<Option<Box<dyn FnMut(bool, usize, &mut Vec<u8>)>>>,
    bursts: Cell<usize>,
    /// Power was taken at these moments.
    pub power_offs: Cell<usize>,
    /// What the line has to tell of the characters that came.
    pub flaw: Rc<Cell<Option<Flaw>>>,
    /// When the last character of an answer to reset or to a selection begins: the block guard time counts from there.
    opened: Cell<Option<u64>>,
    /// Bursts that came before its end; the card is dead to what follows.
    pub hurried: Cell<usize>,
    /// How often the line was to forget, with RST low and the card still powered; and otherwise.
    pub forgotten: Cell<(usize, usize)>,
    /// Extra guard times that were asked for.
    pub guards: RefCell<Vec<u8>>,
}

impl World {
    pub fn with(card: Card) -> Rc<Self> {
        let world = Rc::new(Self::default());
        *world.card.borrow_mut() = Some(card);
        world.present.set(true);
        world
    }

    pub fn slot(self: &Rc<Self>) -> Slot<Wire, Detect, Reset, Power, Timer> {
        let wiring = Wiring {
            hertz: HERTZ,
            present: PinState::Low,
            powered: PinState::High,
            echo: self.echo.get(),
        };
        let pins = Pins {
            detect: Detect(self.clone()),
            reset: Reset(self.clone()),
            power: Power(self.clone()),
        };
        Slot::new(Wire(self.clone()), pins, Timer(self.clone()), wiring)
    }

    pub fn pull(&self) {
        self.present.set(false);
        self.to_reader.borrow_mut().clear();
        if let Some(card) = self.card.borrow_mut().as_mut() {
            card.power_cut();
        }
    }

    pub fn insert(&self) {
        self.present.set(true);
    }

    pub fn powered(&self) -> bool {
        self.power.get()
    }

    pub fn micros(&self) -> u64 {
        self.now.get()
    }

    pub fn bursts(&self) -> usize {
        self.bursts.get()
    }

    /// Puts bytes on the wire towards the reader after `delay` microseconds, one a millisecond.
    fn answer(&self, mut bytes: Vec<u8>, delay: u64) {
        let number = self.bursts.get();
        self.bursts.set(number + 1);
        if let Some(noise) = self.noise.borrow_mut().as_mut() {
            noise(false, number, &mut bytes);
        }
        let mut queue = self.to_reader.borrow_mut();
        let start = queue.back().map_or(0, |(at, _)| *at).max(self.now.get() + delay);
        for (index, byte) in bytes.into_iter().enumerate() {
            queue.push_back((start + 1_000 * index as u64, byte));
        }
    }

    /// The answer to reset or to a selection is on its way.
    fn open(&self) {
        self.opened.set(self.to_reader.borrow().back().map(|(at, _)| *at));
    }

    /// Whether a burst comes within 22 bits of that (section 11.4.3), counted at the slower of the speeds before and after.
    fn hurries(&self) -> bool {
        let Some(at) = self.opened.take() else { return false };
        let speed = self.speeds.borrow().last().copied().unwrap_or(Speed::DEFAULT);
        let bits = |speed: Speed| 22 * u64::from(speed.f) * 1_000_000 / (u64::from(speed.d) * u64::from(HERTZ));
        self.now.get() < at + bits(speed).max(bits(Speed::DEFAULT))
    }

    fn hear(&self, mut bytes: Vec<u8>) {
        let number = self.bursts.get();
        self.bursts.set(number + 1);
        if self.echo.get() {
            let now = self.now.get();
            self.to_reader
                .borrow_mut()
                .extend(bytes.iter().map(|byte| (now, *byte)));
        }
        if let Some(noise) = self.noise.borrow_mut().as_mut() {
            noise(true, number, &mut bytes);
        }
        if !self.power.get() || !self.reset.get() || !self.present.get() || bytes.is_empty() {
            return;
        }
        if self.hurries() {
            self.hurried.set(self.hurried.get() + 1);
            if let Some(card) = self.card.borrow_mut().as_mut() {
                card.dead = true;
            }
            return;
        }
        let answer = self.card.borrow_mut().as_mut().and_then(|card| card.burst(&bytes));
        if let Some((answer, delay)) = answer {
            let selection = answer.first() == Some(&0xFF);
            // Not before the block guard time.
            self.answer(answer, delay + 2_500);
            if selection {
                self.open();
            }
        }
    }
}

/// Runs a future; when it waits, time jumps to the next moment somebody waits for. Panics if nobody waits for any (a hang).
pub fn run<F: Future>(world: &World, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000_000 {
        world.alarms.borrow_mut().clear();
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        let next = world.alarms.borrow().iter().min().copied();
        let next = next.expect("everybody waits for ever");
        world.now.set(next.max(world.now.get()));
    }
    panic!("no end")
}

#[derive(Clone)]
pub struct Timer(Rc<World>);

impl DelayNs for Timer {
    async fn delay_ns(&mut self, ns: u32) {
        self.delay_us(ns.div_ceil(1_000)).await;
    }

    async fn delay_us(&mut self, us: u32) {
        let end = self.0.now.get() + u64::from(us);
        poll_fn(|_| {
            if self.0.now.get() >= end {
                return Poll::Ready(());
            }
            self.0.alarms.borrow_mut().push(end);
            Poll::Pending
        })
        .await;
    }

    async fn delay_ms(&mut self, ms: u32) {
        self.delay_us(ms * 1_000).await;
    }
}

pub struct Wire(Rc<World>);

impl embedded_io_async::ErrorType for Wire {
    type Error = Infallible;
}

impl embedded_io_async::Read for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let mut queue = self.0.to_reader.borrow_mut();
            match queue.front() {
                Some((at, byte)) if *at <= self.0.now.get() => {
                    buffer[0] = *byte;
                    queue.pop_front();
                    Poll::Ready(Ok(1))
                }
                Some((at, _)) => {
                    self.0.alarms.borrow_mut().push(*at);
                    Poll::Pending
                }
                None => Poll::Pending,
            }
        })
        .await
    }
}

impl embedded_io_async::Write for Wire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.hear(bytes.to_vec());
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Line for Wire {
    fn set_speed(&mut self, speed: Speed) -> bool {
        if self.0.slow_line.get() && speed != Speed::DEFAULT {
            return false;
        }
        self.0.speeds.borrow_mut().push(speed);
        true
    }

    fn set_guard(&mut self, extra: u8) {
        self.0.guards.borrow_mut().push(extra);
    }

    fn forget(&mut self) {
        let (ordered, other) = self.0.forgotten.get();
        let in_order = self.0.power.get() && !self.0.reset.get();
        self.0
            .forgotten
            .set((ordered + usize::from(in_order), other + usize::from(!in_order)));
    }

    fn flaw(&mut self) -> Option<Flaw> {
        self.0.flaw.take()
    }
}

/// The slot's switch: low while a card is in.
pub struct Detect(Rc<World>);
pub struct Reset(Rc<World>);
pub struct Power(Rc<World>);

impl ErrorType for Detect {
    type Error = Infallible;
}
impl ErrorType for Reset {
    type Error = Infallible;
}
impl ErrorType for Power {
    type Error = Infallible;
}

impl Detect {
    async fn until(&self, present: bool) -> Result<(), Infallible> {
        poll_fn(|_| {
            if self.0.present.get() == present {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

impl Wait for Detect {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        self.until(false).await
    }
    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        self.until(true).await
    }
    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.until(false).await
    }
    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.until(true).await
    }
    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        let present = self.0.present.get();
        self.until(!present).await
    }
}

impl OutputPin for Reset {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.reset.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let rose = !self.0.reset.replace(true);
        if rose && self.0.power.get() && self.0.present.get() {
            let atr = self.0.card.borrow_mut().as_mut().and_then(Card::reset);
            if let Some(atr) = atr {
                self.0.answer(atr, 200);
                self.0.open();
            }
        }
        Ok(())
    }
}

impl OutputPin for Power {
    fn set_low(&mut self) -> Result<(), Infallible> {
        if self.0.power.replace(false) {
            self.0.power_offs.set(self.0.power_offs.get() + 1);
        }
        self.0.to_reader.borrow_mut().clear();
        if let Some(card) = self.0.card.borrow_mut().as_mut() {
            card.power_cut();
        }
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.power.set(true);
        Ok(())
    }
}

/// How a card behaves beside the rules.
#[derive(Clone)]
pub struct Manners {
    pub atr: Vec<u8>,
    pub ifsc: usize,
    /// Asks so often for more time before each answer.
    pub extensions: usize,
    /// Microseconds it takes for each answer.
    pub slow: u64,
    /// Asks for this IFSC before its answer.
    pub changes_ifsc: Option<u8>,
    /// Breaks its own chain off after the first block.
    pub aborts: bool,
    /// Confirms the request for IFSD.
    pub knows_ifs: bool,
    /// Does not answer blocks at all.
    pub deaf: bool,
    /// What it answers to a selection: the request unless it says otherwise.
    pub selection: Option<Vec<u8>>,
}

/// TS; T0: TD1 follows; TD1: T=1, TD2 follows; TD2: T=1, TA3 and TB3 follow; IFSC; BWI 4, CWI 5; check.
pub fn atr(ifsc: u8) -> Vec<u8> {
    let mut bytes = vec![0x3B, 0x80, 0x81, 0x31, ifsc, 0x45];
    bytes.push(bytes[1..].iter().fold(0, |a, b| a ^ b));
    bytes
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            atr: atr(254),
            ifsc: 254,
            extensions: 0,
            slow: 0,
            changes_ifsc: None,
            aborts: false,
            knows_ifs: true,
            deaf: false,
            selection: None,
        }
    }
}

type Chip = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

/// The card's side.
pub struct Card {
    manners: Manners,
    chip: Chip,
    /// Commands the chip has carried out.
    pub executed: Vec<Vec<u8>>,
    fresh: bool,
    selected: bool,
    ns: u8,
    nr: u8,
    ifsd: usize,
    command: Vec<u8>,
    response: Vec<u8>,
    /// The block sent last, to be sent again.
    last: Vec<u8>,
    extensions_left: usize,
    ifsc_asked: bool,
    aborted: bool,
    dead: bool,
}

impl Card {
    pub fn new(manners: Manners, chip: impl FnMut(&[u8]) -> Vec<u8> + 'static) -> Self {
        Self {
            manners,
            chip: Box::new(chip),
            executed: vec![],
            fresh: true,
            selected: false,
            ns: 0,
            nr: 0,
            ifsd: 32,
            command: vec![],
            response: vec![],
            last: vec![],
            extensions_left: 0,
            ifsc_asked: false,
            aborted: false,
            dead: true,
        }
    }

    /// A card that answers a command with its bytes the other way round and 90 00.
    pub fn mirror(manners: Manners) -> Self {
        Self::new(manners, mirrored)
    }

    /// Power and reset without a wire.
    pub fn power_up(&mut self) {
        let _ = self.reset();
    }

    fn power_cut(&mut self) {
        self.dead = true;
    }

    fn reset(&mut self) -> Option<Vec<u8>> {
        self.initial();
        self.fresh = true;
        self.selected = false;
        self.dead = false;
        (!self.manners.atr.is_empty()).then(|| self.manners.atr.clone())
    }

    fn initial(&mut self) {
        (self.ns, self.nr, self.ifsd) = (0, 0, 32);
        self.command.clear();
        self.response.clear();
        self.last.clear();
        self.ifsc_asked = false;
        self.aborted = false;
    }

    /// What comes back for one burst of characters, and after how many microseconds.
    pub fn burst(&mut self, bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
        if self.dead || self.manners.deaf {
            return None;
        }
        if std::mem::take(&mut self.fresh) && bytes.first() == Some(&0xFF) {
            self.selected = true;
            return Some((self.manners.selection.clone().unwrap_or_else(|| bytes.to_vec()), 0));
        }
        let (answer, delay) = match Self::well_formed(bytes) {
            Some((pcb, information)) => self.block(pcb, information),
            None => (self.complain(), 0),
        };
        // A complaint changes nothing: what was sent before it is still what may be asked for again.
        if answer[1] & 0xC0 != 0x80 || answer[1] & 3 == 0 {
            self.last.clone_from(&answer);
        }
        Some((answer, delay))
    }

    fn well_formed(bytes: &[u8]) -> Option<(u8, &[u8])> {
        let n = bytes.len();
        let whole = n >= 4 && bytes[0] == 0 && bytes[2] != 255 && usize::from(bytes[2]) == n - 4;
        (whole && bytes.iter().fold(0, |a, b| a ^ b) == 0).then(|| (bytes[1], &bytes[3..n - 1]))
    }

    /// Invalid block: a request is repeated, anything else asked for again (rules 7.1 to 7.3).
    fn complain(&self) -> Vec<u8> {
        match self.last.get(1) {
            Some(pcb) if pcb & 0xE0 == 0xC0 => self.last.clone(),
            _ => frame(0x80 | self.nr << 4 | 1, &[]),
        }
    }

    fn block(&mut self, pcb: u8, information: &[u8]) -> (Vec<u8>, u64) {
        let quick = |bytes| (bytes, 0);
        match pcb {
            0xC0 => {
                self.initial();
                quick(frame(0xE0, &[]))
            }
            0xC1 if self.manners.knows_ifs && information.len() == 1 => {
                self.ifsd = usize::from(information[0]);
                quick(frame(0xE1, information))
            }
            // Confirmation of what was asked before the answer.
            0xE1 | 0xE3 if self.last.get(1).is_some_and(|last| *last == pcb & !0x20) => self.proceed(),
            0xE2 if self.aborted => quick(frame(0x80 | self.nr << 4, &[])),
            0x80..=0xBF => {
                let expects = pcb >> 4 & 1;
                let last = self.last.get(1).copied().unwrap_or(0x80);
                if last & 0xE0 == 0xC0 || last & 0xE0 == 0xE0 {
                    return quick(self.last.clone());
                }
                if last & 0x80 != 0 {
                    // Our last was a receipt; the reader wants something else than we have.
                    return quick(frame(0x80 | self.nr << 4, &[]));
                }
                // Our last was an information block.
                if expects == last >> 6 & 1 {
                    return quick(self.last.clone());
                }
                if last & 0x20 != 0 {
                    if self.manners.aborts {
                        self.aborted = true;
                        self.response.clear();
                        return quick(frame(0xC2, &[]));
                    }
                    return self.next_block();
                }
                quick(frame(0x80 | self.nr << 4 | 2, &[]))
            }
            0x00..=0x7F if pcb & 0x1F == 0 => {
                if pcb >> 6 & 1 != self.nr {
                    return quick(frame(0x80 | self.nr << 4 | 2, &[]));
                }
                self.nr ^= 1;
                self.command.extend_from_slice(information);
                if information.len() > self.manners.ifsc {
                    return quick(self.complain());
                }
                if pcb & 0x20 != 0 {
                    return quick(frame(0x80 | self.nr << 4, &[]));
                }
                let command = std::mem::take(&mut self.command);
                self.response = (self.chip)(&command);
                self.executed.push(command);
                self.extensions_left = self.manners.extensions;
                self.proceed()
            }
            _ => quick(frame(0x80 | self.nr << 4 | 2, &[])),
        }
    }

    /// Requests of its own first, then the answer.
    fn proceed(&mut self) -> (Vec<u8>, u64) {
        if self.extensions_left > 0 {
            self.extensions_left -= 1;
            return (frame(0xC3, &[2]), self.manners.slow);
        }
        if let (Some(ifsc), false) = (self.manners.changes_ifsc, self.ifsc_asked) {
            self.ifsc_asked = true;
            self.manners.ifsc = usize::from(ifsc);
            return (frame(0xC1, &[ifsc]), 0);
        }
        self.next_block()
    }

    fn next_block(&mut self) -> (Vec<u8>, u64) {
        let count = self.response.len().min(self.ifsd);
        let part: Vec<u8> = self.response.drain(..count).collect();
        let more = u8::from(!self.response.is_empty());
        let block = frame(self.ns << 6 | more << 5, &part);
        self.ns ^= 1;
        (block, self.manners.slow)
    }
}

pub fn mirrored(command: &[u8]) -> Vec<u8> {
    command.iter().rev().take(256).copied().chain([0x90, 0x00]).collect()
}

fn frame(pcb: u8, information: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, pcb, u8::try_from(information.len()).unwrap()];
    bytes.extend_from_slice(information);
    bytes.push(bytes.iter().fold(0, |a, b| a ^ b));
    bytes
}
