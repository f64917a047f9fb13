//! One wire for both directions: who speaks, when we listen again, what was heard (ISO/IEC 7816-3 sections 7 and 11.4).
//!
//! Everything that cannot wait is done in the interrupt of the line's UART: the next byte of a block, listening again after the last one, taking
//! a byte that came. A card may answer 22 bits after our last byte began, which is 10 bits after its end (0.9 ms at the speed every card begins
//! with, 40 microseconds at the fastest that [`clocks`] takes), and it may give a block up whose bytes come too far apart; a task that waits for a picture to be drawn is
//! late for both. Tasks put whole blocks in and take bytes out, whenever they come to it.
//!
//! ```text
//! task: poll_speak(block) -> interrupts: room, byte, room, byte, ... last byte sent -> listen -> bytes, flaws -> task: poll_next, flaw
//! ```
//! Registers are behind [`Uart`], so that this is tried without any (`tests/wire.rs`). Whoever shares a [`Wire`] between interrupt and
//! tasks locks it; no method waits. What this must never know: what the bytes mean.

use core::task::{Poll, Waker};

use zeroize::Zeroize as _;

use crate::t1::{Flaw, MAX_BLOCK, Speed};

/// Bytes that wait for their task: an answer to reset or a block, and some more. A card says nothing after a block before it is answered.
pub const WAITING: usize = 320;

/// Half bits of stop that the UART is to be set to: one bit. With T=1 a card whose TC1 is 255 begins its characters 11 bits apart, in which there is
/// room for ten bits and this one. A receiver that awaits one and a half, as a UART's smartcard mode does for T=0 (the other end may complain
/// there of a parity), looks where the next character begins: it takes that for an error and does not hear the next one.
pub const STOP_HALF_BITS: u8 = 2;

/// Bits that such a UART has to add behind each character of ours, stop bit and all, so that two begin 12 bits and `extra` (N of TC1) apart.
#[must_use]
pub const fn guard(extra: u8) -> u8 {
    extra.saturating_add(1)
}

/// Fewest clocks of the UART in a bit: at 16 MHz the interrupts then have 40 microseconds (10 bits). Cards that know 32 are spoken to more slowly: whoever
/// lowers this has to have measured on the board how late an interrupt comes.
pub const LEAST_CLOCKS: u32 = 64;

/// Clocks of the UART in a bit at this speed, where it has `ratio` in one of the card's; `None` where they would be too few, too many for a register of
/// 16 bits, or wrong by more than half a percent.
#[must_use]
pub const fn clocks(speed: Speed, ratio: u32) -> Option<u32> {
    let (f, d) = (speed.f as u32, speed.d as u32);
    if d == 0 || ratio == 0 || ratio > 1_000 {
        return None;
    }
    let clocks = (f * ratio + d / 2) / d;
    let wrong = (clocks * d).abs_diff(f * ratio);
    if clocks < LEAST_CLOCKS || clocks > 0xFFFF || wrong > f * ratio / 200 {
        return None;
    }
    Some(clocks)
}

/// What a UART says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// A byte that came; it is taken by asking.
    pub heard: Option<u8>,
    /// One came with the wrong parity, whether it is given as [`State::heard`] or kept back.
    pub parity: bool,
    /// One ended without its stop bit.
    pub framing: bool,
    /// One was lost, because the one before had not been taken.
    pub overrun: bool,
    /// It takes one more to send.
    pub room: bool,
    /// The last one it was given has left, stop bits and all. Not true for the one before it: putting a byte ends this.
    pub sent: bool,
}

/// What a UART is to interrupt for, beside bytes that come and what is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nothing else.
    Nothing,
    /// [`State::room`].
    Room,
    /// [`State::sent`].
    Sent,
}

/// The UART of the wire. No method waits.
pub trait Uart {
    /// What there is; bytes and flaws are told once.
    fn state(&mut self) -> State;
    /// Sends a byte: there is room.
    fn put(&mut self, byte: u8);
    /// Whether the receiver hears. On one wire it would hear us, too.
    fn listen(&mut self, on: bool);
    /// What to interrupt for from now on.
    fn ask(&mut self, what: Ask);
}

/// What goes over the wire. In the beginning it listens; set the UART up alike ([`Wire::reset`]).
pub struct Wire {
    heard: [u8; WAITING],
    first: usize,
    count: usize,
    flaw: Option<Flaw>,
    block: [u8; MAX_BLOCK],
    /// Of the block, what the UART has and how long it is.
    given: usize,
    length: usize,
    speaking: bool,
    waker: Option<Waker>,
}

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}

impl Wire {
    /// A wire on which nothing was said.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heard: [0; WAITING],
            first: 0,
            count: 0,
            flaw: None,
            block: [0; MAX_BLOCK],
            given: 0,
            length: 0,
            speaking: false,
            waker: None,
        }
    }

    /// For the interrupt handler.
    pub fn on_interrupt(&mut self, uart: &mut impl Uart) {
        let state = uart.state();
        if self.speaking {
            // Flaws of what we say ourselves are the card's to find.
            self.go_on(state, uart);
        } else {
            self.take(state);
        }
    }

    fn go_on(&mut self, state: State, uart: &mut impl Uart) {
        if let Some(place) = self.block.get_mut(self.given).filter(|_| self.given < self.length) {
            if state.room {
                uart.put(*place);
                // It may have been a PIN.
                place.zeroize();
                self.given += 1;
                if self.given == self.length {
                    uart.ask(Ask::Sent);
                }
            }
        } else if state.sent {
            // First of all: from here on the card may speak.
            uart.listen(true);
            uart.ask(Ask::Nothing);
            self.speaking = false;
            self.wake();
        }
    }

    fn take(&mut self, state: State) {
        // What is lost is worse than what is garbled.
        if state.overrun || state.framing {
            self.flaw = Some(Flaw::Form);
        } else if state.parity {
            self.flaw = self.flaw.or(Some(Flaw::Check));
        }
        if let Some(byte) = state.heard {
            match self.heard.get_mut((self.first + self.count) % WAITING) {
                Some(place) if self.count < WAITING => {
                    *place = byte;
                    self.count += 1;
                }
                _ => self.flaw = Some(Flaw::Form),
            }
        }
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn wait<T>(&mut self, waker: &Waker) -> Poll<T> {
        self.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Begins to send; how many of these bytes, at most a block's. What was begun before is sent first.
    pub fn poll_speak(&mut self, bytes: &[u8], uart: &mut impl Uart, waker: &Waker) -> Poll<usize> {
        if self.speaking {
            return self.wait(waker);
        }
        let length = bytes.len().min(MAX_BLOCK);
        if length == 0 {
            return Poll::Ready(0);
        }
        for (to, from) in self.block.iter_mut().zip(bytes) {
            *to = *from;
        }
        (self.given, self.length, self.speaking) = (0, length, true);
        uart.listen(false);
        uart.ask(Ask::Room);
        Poll::Ready(length)
    }

    /// Waits until all is sent and the wire listens.
    pub fn poll_quiet(&mut self, waker: &Waker) -> Poll<()> {
        if self.speaking {
            return self.wait(waker);
        }
        Poll::Ready(())
    }

    /// The next byte that was heard.
    pub fn poll_next(&mut self, waker: &Waker) -> Poll<u8> {
        if self.count == 0 {
            return self.wait(waker);
        }
        let place = self.heard.get_mut(self.first);
        let byte = place.map_or(0, core::mem::take);
        self.first = (self.first + 1) % WAITING;
        self.count -= 1;
        Poll::Ready(byte)
    }

    /// What was wrong with what came since this was asked last: [`Flaw::Check`] for parity alone, [`Flaw::Form`] for what was lost.
    pub const fn flaw(&mut self) -> Option<Flaw> {
        self.flaw.take()
    }

    /// Whether nothing of a block or an answer is left in memory.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.block.iter().chain(&self.heard).all(|byte| *byte == 0)
    }

    /// Forgets what was to be sent and what came, and listens: for a line that was set up anew, never ended, or whose card was pulled.
    pub fn reset(&mut self, uart: &mut impl Uart) {
        self.block.zeroize();
        self.heard.zeroize();
        (self.given, self.length, self.speaking) = (0, 0, false);
        (self.first, self.count, self.flaw) = (0, 0, None);
        uart.ask(Ask::Nothing);
        uart.listen(true);
        self.wake();
    }
}
