//! The kiosk's ports on this board.

use card::x509::X509;
use embassy_stm32::exti::ExtiInput;
use embassy_stm32::gpio::Output;
use embassy_stm32::mode::Async;
use embassy_stm32::peripherals::RNG;
use embassy_stm32::rng::Rng;
use embassy_stm32::usart::BufferedUart;
use kiosk::ports::{Entropy, EntropyError, Platform};
use kiosk::screen::Screen;
use mcu::clock::BoardClock;
use mcu::heap::Fenced;
use mcu::reader::SlotReader;
use mcu::screen::BoardPanel;
use mcu::store::FlashStore;
use mcu::uplink::SerialUplink;

use crate::card_line::CardLine;
use crate::flash::Bank;
use crate::media_slots::Slot;
use crate::signals::Lights;

/// This board as types.
pub struct Board;

/// Nobody is told of screens.
pub type Seen = fn(&Screen<'_>);

/// See [`Seen`].
pub fn unseen(_: &Screen<'_>) {}

impl Platform for Board {
    type Clock = BoardClock;
    type Entropy = Noise;
    type Panel = BoardPanel<Seen>;
    type Reader =
        SlotReader<CardLine, ExtiInput<'static, Async>, Output<'static>, Output<'static>, embassy_time::Delay>;
    type Certificates = Fenced<X509>;
    type Medium = Slot;
    type Store = FlashStore<Bank>;
    type Signals = Lights;
    type Uplink = SerialUplink<BufferedUart<'static>>;
}

/// The chip's generator (RM0456, section "true random number generator"): configuration A of AN4230, with its health tests.
pub struct Noise(pub Rng<'static, RNG>);

impl Entropy for Noise {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let registers = embassy_stm32::pac::RNG;
        for chunk in bytes.chunks_mut(4) {
            // Ready within 100 clocks of its own; a generator that is not after a million of ours is broken.
            let mut patience = 1_000_000_u32;
            let status = loop {
                let status = registers.sr().read();
                if status.drdy() || status.seis() || status.ceis() {
                    break status;
                }
                patience = patience.checked_sub(1).ok_or(EntropyError)?;
            };
            if status.seis() || status.ceis() || !status.drdy() {
                return Err(EntropyError);
            }
            let word = registers.dr().read();
            // The manual: zero may be an error that came between the two looks.
            if word == 0 {
                return Err(EntropyError);
            }
            for (to, from) in chunk.iter_mut().zip(word.to_ne_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}
