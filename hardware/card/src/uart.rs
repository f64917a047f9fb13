//! A card slot on a UART: contacts, answer to reset, T=1.
//!
//! The board brings the line ([`Line`]: one wire, 8 bits, even parity, one stop bit and a guard time), three pins ([`Pins`]) and a timer. It also gives the
//! card its clock, on whenever the power pin is on. Nothing here knows what a command means.
//!
//! Time is bounded twice: every byte by the waiting times the card announced, and every exchange by [`PATIENCE`]
//! whatever the card announces or asks for. A card that is pulled out ends an exchange at once.

use core::fmt;

use embassy_futures::select::{Either, Either3, select, select3};
use embedded_hal::digital::{OutputPin, PinState};
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::digital::Wait;
use embedded_io_async::{Read, Write};

use crate::t1::{
    self, Atr, AtrError, Exchange, Fault, Flaw, Frame, Heard, MAX_ATR, MAX_BLOCK, Negotiation, Pps, Protocol, Speed,
    Step,
};
use crate::transmit::{Transmit, TransmitError};

/// Most milliseconds one exchange takes, whatever the card asks for. An RSA signature takes about one second.
pub const PATIENCE: u32 = 20_000;

/// Most milliseconds a whole answer to reset takes (section 8.1: 19,200 bits are the usual limit, two seconds).
const ATR_PATIENCE: u32 = 3_000;

/// Microseconds added to every waiting time, for buffers between the wire and us.
const SLACK: u64 = 5_000;

/// Most stray bytes that are thrown away before we speak. A line that never falls silent is not a card's.
const MAX_STRAY: usize = 1_024;

/// The line to the card's I/O contact.
///
/// Reading must be cancel-safe: a byte that was not returned comes with the next read. What is written must leave without pauses of a
/// character's waiting time, and what comes 22 bits after its last byte must be heard, whatever else the program does meanwhile
/// ([`wire`](crate::wire) does that by interrupts). The card's characters may begin 11 bits apart (TC1 = 255). Bytes with a parity error are
/// dropped or given as they are, and told ([`Line::flaw`]).
pub trait Line: Read + Write {
    /// Makes a bit last [`Speed::f`] / [`Speed::d`] cycles of the card's clock; false, and nothing changed, if the line cannot.
    fn set_speed(&mut self, speed: Speed) -> bool;

    /// From the next [`Line::set_speed`] on so many bits more than 12 lie between the beginnings of two of our characters, as the card has asked (N of TC1).
    fn set_guard(&mut self, extra: u8) {
        // A line without bits, as to an emulator, has none to add.
        let _ = extra;
    }

    /// The card loses its power: stops in the middle of what is being said, and leaves nothing of it and of what came in memory. A PIN may be in
    /// the one, a certificate in the other. Whatever is read or written after that begins anew.
    fn forget(&mut self) {
        // A line without buffers has none to empty.
    }

    /// What was wrong with the characters that came since this was asked last: [`Flaw::Check`] for a parity, [`Flaw::Form`] for one that was lost or had
    /// no end. A line without parity has nothing to tell.
    fn flaw(&mut self) -> Option<Flaw> {
        None
    }
}

/// The other contacts.
pub struct Pins<D, R, P> {
    /// The slot's switch.
    pub detect: D,
    /// RST.
    pub reset: R,
    /// VCC, and with it the clock.
    pub power: P,
}

/// How the board is made.
#[derive(Clone, Copy, Debug)]
pub struct Wiring {
    /// The card's clock, 1 to 5 MHz.
    pub hertz: u32,
    /// Level of `detect` while a card is in.
    pub present: PinState,
    /// Level of `power` that gives power.
    pub powered: PinState,
    /// Whether what we send comes back to us, as on boards that tie both directions to the one wire.
    pub echo: bool,
}

/// Why there is no card to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// What is in the slot does not answer: upside down, dirty, dead, no card at all.
    Mute,
    /// The card answers, but not as this slot needs it.
    Unsuitable(AtrError),
    /// The slot's own electronics fail.
    Io,
}

/// What holds while a card has power.
struct Session {
    protocol: Protocol,
    block_waiting: u64,
    character_waiting: u64,
    guard: u64,
}

/// A card slot.
pub struct Slot<L, D, R, P, T> {
    line: L,
    pins: Pins<D, R, P>,
    delay: T,
    wiring: Wiring,
    session: Option<Session>,
}

impl<L, D, R, P, T> Slot<L, D, R, P, T>
where
    L: Line,
    D: Wait,
    R: OutputPin,
    P: OutputPin,
    T: DelayNs + Clone,
{
    /// A slot without power. `delay` is cloned for waits that overlap.
    pub fn new(line: L, pins: Pins<D, R, P>, delay: T, wiring: Wiring) -> Self {
        let mut slot = Self {
            line,
            pins,
            delay,
            wiring,
            session: None,
        };
        slot.power_down();
        slot
    }

    /// Waits until a card is in, and gives it power; at once if that is so already. May be dropped.
    ///
    /// # Errors
    /// [`SlotError`].
    pub async fn wait_insert(&mut self) -> Result<(), SlotError> {
        self.wait_presence(true).await.map_err(|()| SlotError::Io)?;
        if self.session.is_some() {
            return Ok(());
        }
        // Contacts bounce while the card slides in.
        self.delay.delay_ms(50).await;
        self.wait_presence(true).await.map_err(|()| SlotError::Io)?;
        self.activate().await.map(|_| ())
    }

    /// Waits until no card is in, and takes the power away; at once if none is. May be dropped.
    pub async fn wait_removed(&mut self) {
        // A broken switch counts as no card: nobody may be kept waiting by it.
        let _ = self.wait_presence(false).await;
        self.power_down();
    }

    /// Whether something is in the slot, by its switch alone: no card gets power.
    ///
    /// # Errors
    /// The switch cannot be read.
    pub async fn occupied(&mut self) -> Result<bool, ()> {
        let mut patience = self.delay.clone();
        // A level that is there already is not waited for.
        match select(self.wait_presence(true), patience.delay_ms(2)).await {
            Either::First(seen) => seen.map(|()| true),
            Either::Second(()) => Ok(false),
        }
    }

    /// Takes the card's power: it forgets everything, and so does the line. RST falls first, then clock and I/O end, then the power (section 6.4).
    pub fn power_down(&mut self) {
        self.session = None;
        // Pins of a microcontroller do not fail; if one does, there is nothing else to try.
        let _ = self.pins.reset.set_low();
        self.line.forget();
        let _ = self.pins.power.set_state(!self.wiring.powered);
    }

    /// A cold reset: power off and on, answer to reset, protocol and speed. At most two tries.
    ///
    /// # Errors
    /// [`SlotError`]; then the card has no power.
    pub async fn activate(&mut self) -> Result<Atr, SlotError> {
        let mut result = self.activate_once(true).await;
        // The first answer may be garbled by contacts that still settle; a refused speed is not asked for again.
        if result.is_err() && !matches!(result, Err(SlotError::Io)) {
            result = self.activate_once(false).await;
        }
        if result.is_err() {
            self.power_down();
        }
        result
    }

    async fn activate_once(&mut self, fast: bool) -> Result<Atr, SlotError> {
        self.power_down();
        self.line.set_guard(0);
        if !self.line.set_speed(Speed::DEFAULT) {
            return Err(SlotError::Io);
        }
        self.delay.delay_ms(20).await;
        self.pins
            .power
            .set_state(self.wiring.powered)
            .map_err(|_| SlotError::Io)?;
        // At least 400 clock cycles before RST rises (section 6.2.2); regulators take longer.
        self.delay.delay_ms(10).await;
        self.silence(0).await.map_err(|()| SlotError::Io)?;
        // The line of a card without power is no line.
        let _ = self.line.flaw();
        self.pins.reset.set_high().map_err(|_| SlotError::Io)?;
        let mut patience = self.delay.clone();
        let read = self.read_atr();
        let atr = match select(read, patience.delay_ms(ATR_PATIENCE)).await {
            Either::First(atr) => atr?,
            Either::Second(()) => return Err(SlotError::Unsuitable(AtrError::TooLong)),
        };
        if self.line.flaw().is_some() {
            return Err(SlotError::Unsuitable(AtrError::Check));
        }
        let hertz = self.wiring.hertz;
        // Nothing is said, and nothing of the line changes (its clock may stop for that), while the card's last character is on it.
        let guard = Speed::DEFAULT.micros(22, hertz);
        self.pause(guard).await;
        // 255 asks for the least there is.
        self.line.set_guard(if atr.guard == 255 { 0 } else { atr.guard });
        let speed = self.negotiate(&atr, fast).await?;
        // The first block keeps the block guard time after whatever came before it, whose speed may have been the other one; and after that once more
        // with the speed that holds from now on, which the line may have set only now.
        let guard = guard.max(speed.micros(22, hertz));
        self.pause(guard).await;
        self.silence(guard).await.map_err(|()| SlotError::Io)?;
        self.session = Some(Session {
            protocol: Protocol::new(atr.ifsc),
            block_waiting: atr.block_waiting(speed, hertz) + SLACK,
            character_waiting: atr.character_waiting(speed, hertz) + SLACK,
            // Block guard time (section 11.4.3).
            guard: speed.micros(22, hertz),
        });
        Ok(atr)
    }

    async fn read_atr(&mut self) -> Result<Atr, SlotError> {
        let mut bytes = [0; MAX_ATR];
        // The first character comes within 40,000 clock cycles of RST (section 6.2.2), the others within 9,600 bits.
        let hertz = self.wiring.hertz;
        let mut wait = Speed { f: 40_000, d: 1 }.micros(1, hertz) + 10 * SLACK;
        for index in 0..MAX_ATR {
            let byte = match self.byte(wait).await {
                Ok(Some(byte)) => byte,
                Ok(None) => return Err(SlotError::Mute),
                Err(()) => return Err(SlotError::Io),
            };
            wait = Speed::DEFAULT.micros(9_600, hertz) + SLACK;
            if let Some(place) = bytes.get_mut(index) {
                *place = byte;
            }
            let so_far = bytes.get(..=index).unwrap_or_default();
            match Atr::read(so_far) {
                Ok(Some(atr)) => return Ok(atr),
                Ok(None) => {}
                // The contact that lies on ours is another one: a level, and noise, that no card ever begins with.
                Err(AtrError::NotAnAtr) => return Err(SlotError::Mute),
                Err(error) => return Err(SlotError::Unsuitable(error)),
            }
        }
        Err(SlotError::Unsuitable(AtrError::TooLong))
    }

    /// Selects T=1, and a faster speed if card and line know one (section 6.3.1).
    async fn negotiate(&mut self, atr: &Atr, fast: bool) -> Result<Speed, SlotError> {
        let ta1 = match atr.negotiation() {
            Negotiation::Straight(speed) if self.line.set_speed(speed) => return Ok(speed),
            Negotiation::Straight(_) => return Err(SlotError::Unsuitable(AtrError::Reserved)),
            Negotiation::Select(ta1) => ta1,
        };
        // Whether the line can is found out before the card is told.
        let possible = fast && Speed::decode(ta1).is_some_and(|speed| self.line.set_speed(speed));
        if !self.line.set_speed(Speed::DEFAULT) {
            return Err(SlotError::Io);
        }
        if !possible && atr.starts_with_t1() {
            return Ok(Speed::DEFAULT);
        }
        let request = Pps::t1(possible.then_some(ta1));
        let speed = self.select_protocol(&request).await?;
        if self.line.set_speed(speed) {
            Ok(speed)
        } else {
            Err(SlotError::Io)
        }
    }

    async fn select_protocol(&mut self, request: &Pps) -> Result<Speed, SlotError> {
        let hertz = self.wiring.hertz;
        self.send(request.bytes(), Speed::DEFAULT.micros(22, hertz))
            .await
            .map_err(|()| SlotError::Io)?;
        let mut answer = [0; 6];
        let mut length = 2;
        let mut at = 0;
        // At most 6 rounds: Pps::length says no more.
        while at < length {
            let byte = self
                .byte(Speed::DEFAULT.micros(9_600, hertz) + SLACK)
                .await
                .map_err(|()| SlotError::Io)?;
            let byte = byte.ok_or(SlotError::Mute)?;
            if let Some(place) = answer.get_mut(at) {
                *place = byte;
            }
            at += 1;
            length = Pps::length(answer.get(..at).unwrap_or_default());
        }
        if self.line.flaw().is_some() {
            return Err(SlotError::Mute);
        }
        request
            .confirmed(answer.get(..at).unwrap_or_default())
            .map_err(|_| SlotError::Mute)
    }

    async fn wait_presence(&mut self, present: bool) -> Result<(), ()> {
        wait_presence(&mut self.pins.detect, self.wiring.present, present).await
    }

    async fn byte(&mut self, micros: u64) -> Result<Option<u8>, ()> {
        byte(&mut self.line, &mut self.delay, micros).await
    }

    async fn pause(&mut self, micros: u64) {
        self.delay.delay_us(u32::try_from(micros).unwrap_or(u32::MAX)).await;
    }

    async fn silence(&mut self, micros: u64) -> Result<(), ()> {
        silence(&mut self.line, &mut self.delay, micros).await
    }

    async fn send(&mut self, bytes: &[u8], guard: u64) -> Result<(), ()> {
        send(&mut self.line, &mut self.delay, &self.wiring, bytes, guard).await
    }
}

async fn wait_presence<D: Wait>(detect: &mut D, level: PinState, present: bool) -> Result<(), ()> {
    let high = (level == PinState::High) == present;
    let waited = if high {
        detect.wait_for_high().await
    } else {
        detect.wait_for_low().await
    };
    waited.map_err(|_| ())
}

/// One byte, or `None` after so many microseconds.
async fn byte<L: Line, T: DelayNs>(line: &mut L, delay: &mut T, micros: u64) -> Result<Option<u8>, ()> {
    let mut byte = [0];
    let micros = u32::try_from(micros).unwrap_or(u32::MAX);
    match select(line.read(&mut byte), delay.delay_us(micros)).await {
        Either::First(Ok(1)) => Ok(Some(byte[0])),
        Either::First(_) => Err(()),
        Either::Second(()) => Ok(None),
    }
}

/// Waits until nothing has come for so long.
async fn silence<L: Line, T: DelayNs>(line: &mut L, delay: &mut T, micros: u64) -> Result<(), ()> {
    for _ in 0..MAX_STRAY {
        if byte(line, delay, micros).await?.is_none() {
            return Ok(());
        }
    }
    Err(())
}

async fn send<L: Line, T: DelayNs>(
    line: &mut L,
    delay: &mut T,
    wiring: &Wiring,
    bytes: &[u8],
    guard: u64,
) -> Result<(), ()> {
    silence(line, delay, guard).await?;
    let _ = line.flaw();
    line.write_all(bytes).await.map_err(|_| ())?;
    line.flush().await.map_err(|_| ())?;
    if wiring.echo {
        for _ in bytes {
            // What comes back differs only if the card spoke at the same time; its block is lost then, and asked for again.
            if byte(line, delay, SLACK).await?.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// What came as an answer: a block, or bytes that stopped or cannot be one.
async fn listen<L: Line, T: DelayNs>(
    line: &mut L,
    delay: &mut T,
    session: &Session,
    waits: u8,
    block: &mut [u8; MAX_BLOCK + 1],
) -> Result<usize, ()> {
    let mut wait = session.block_waiting.saturating_mul(u64::from(waits));
    let mut at = 0;
    // Ends: a block has at most MAX_BLOCK bytes.
    while let Some(place) = block.get_mut(at) {
        let Some(next) = byte(line, delay, wait).await? else {
            return Ok(at);
        };
        wait = session.character_waiting;
        *place = next;
        at += 1;
        match t1::length(block.get(..at).unwrap_or_default()) {
            Some(length) if at >= 3 && at == length => {
                // A card is silent for 22 bits after a block. A byte more means that one was doubled, which the check
                // character alone may not notice: then what came is not a block.
                let Some(more) = byte(line, delay, session.guard).await? else {
                    return Ok(at);
                };
                if let Some(place) = block.get_mut(at) {
                    *place = more;
                }
                return Ok(at + 1);
            }
            Some(_) => {}
            None => {
                silence(line, delay, session.character_waiting).await?;
                return Ok(at);
            }
        }
    }
    Ok(at)
}

impl<L, D, R, P, T> Transmit for Slot<L, D, R, P, T>
where
    L: Line,
    D: Wait,
    R: OutputPin,
    P: OutputPin,
    T: DelayNs + Clone,
{
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let Some(session) = &mut self.session else {
            return Err(TransmitError::Removed);
        };
        let mut patience = self.delay.clone();
        let (line, delay, wiring) = (&mut self.line, &mut self.delay, &self.wiring);
        let exchange = async {
            let mut protocol = session.protocol.clone();
            // Stands if this future is dropped before the end.
            session.protocol.cut_off();
            let mut frame = Frame::default();
            let mut block = zeroize::Zeroizing::new([0; MAX_BLOCK + 1]);
            let result = {
                let mut exchange = Exchange::new(&mut protocol, command);
                let mut step = exchange.start(&mut frame);
                loop {
                    match step {
                        Ok(Step::Done { length }) => break Ok(length),
                        Err(fault) => break Err(Some(fault)),
                        Ok(Step::Send { waits }) => {
                            let io = async {
                                send(line, delay, wiring, frame.bytes(), 0).await?;
                                listen(line, delay, session, waits, &mut block).await
                            };
                            let Ok(length) = io.await else { break Err(None) };
                            let bytes = block.get(..length).unwrap_or_default();
                            let heard = match line.flaw() {
                                Some(flaw) => Heard::Flawed(flaw),
                                None if bytes.is_empty() => Heard::Silence,
                                None => Heard::Bytes(bytes),
                            };
                            let block = match heard {
                                Heard::Bytes(bytes) => t1::Block::read(bytes).is_ok(),
                                Heard::Flawed(_) => false,
                                Heard::Silence => true,
                            };
                            if !block {
                                // Let the rest of a garbled block pass, so that it is not taken for the next one.
                                if silence(line, delay, session.character_waiting).await.is_err() {
                                    break Err(None);
                                }
                            }
                            step = exchange.next(heard, &mut frame, response);
                        }
                    }
                }
            };
            session.protocol = protocol;
            result
        };
        let removed = wait_presence(&mut self.pins.detect, self.wiring.present, false);
        let result = match select3(exchange, patience.delay_ms(PATIENCE), removed).await {
            Either3::First(Ok(length)) => return Ok(length),
            Either3::First(Err(Some(fault))) => Err(fault),
            Either3::First(Err(None)) => {
                self.power_down();
                return Err(TransmitError::Io);
            }
            Either3::Second(()) => Err(Fault::Endless),
            Either3::Third(_) => {
                self.power_down();
                return Err(TransmitError::Removed);
            }
        };
        // After these the card is in step again, or gets there with the next exchange; after any other it must not keep
        // a verified PIN that nobody can make it forget.
        if !matches!(result, Err(Fault::Resynchronised | Fault::Aborted)) {
            self.power_down();
        }
        result.map_err(|fault| match fault {
            Fault::Mute | Fault::Endless => TransmitError::Timeout,
            Fault::TooLong => TransmitError::TooLong,
            Fault::Lost | Fault::Resynchronised | Fault::Aborted => TransmitError::Protocol,
        })
    }
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mute => f.write_str("what is in the slot does not answer: check which way round it is"),
            Self::Unsuitable(error) => error.fmt(f),
            Self::Io => f.write_str("the card slot does not work: call staff"),
        }
    }
}

impl core::error::Error for SlotError {}
