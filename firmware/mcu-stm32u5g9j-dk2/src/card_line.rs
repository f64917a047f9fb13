//! The line to the card: USART2 in smartcard mode (RM0456, "USART smartcard mode"; ISO/IEC 7816-3). The interface chip (ST8034 or the like) shifts levels;
//! PA4 gives it the card's clock.
//!
//! The kernel's clock is the 16 MHz oscillator: divided by four the card gets 4 MHz, and a bit lasts `4 F / D` of ours.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU32, Ordering};

use card::t1::Speed;
use card::uart::{Line, Pins, Slot, Wiring};
use embassy_stm32::exti::ExtiInput;
use embassy_stm32::gpio::{Flex, Output};
use embassy_stm32::interrupt::typelevel::{Handler, USART2};
use embassy_stm32::mode::Async;
use embassy_stm32::pac;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Delay, Timer};
use embedded_hal::digital::PinState;
use embedded_io_async::{ErrorType, Read, Write};
use mcu::reader::SlotReader;

/// Of the card.
const HERTZ: u32 = 4_000_000;
/// Clocks of the USART in one of the card's.
const RATIO: u32 = 4;
/// Bytes that wait: an answer to reset, or what a block may bring while another task draws.
const WAITING: usize = 320;

static HEARD: Channel<CriticalSectionRawMutex, u8, WAITING> = Channel::new();
/// Microseconds of a byte at the present speed.
static BYTE: AtomicU32 = AtomicU32::new(1_116);

/// A byte has come.
pub struct InterruptHandler;

impl Handler<USART2> for InterruptHandler {
    unsafe fn on_interrupt() {
        let usart = pac::USART2;
        let status = usart.isr().read();
        if status.rxne() {
            // The check of the block finds what came with a wrong parity; a byte too much is lost as on a line.
            let _ = HEARD.try_send(usart.rdr().read().0 as u8);
        }
        usart.icr().write(|w| {
            w.set_ore(true);
            w.set_pe(true);
            w.set_fe(true);
            w.set_ne(true);
        });
    }
}

/// The line.
pub struct CardLine {
    _io: Flex<'static>,
    _clock: Flex<'static>,
}

impl CardLine {
    /// On these pins, which are set already.
    pub fn new(io: Flex<'static>, clock: Flex<'static>) -> Self {
        let usart = pac::USART2;
        usart.cr1().write(|_| {});
        // Divided by twice this value.
        usart.gtpr().write(|w| {
            w.set_psc((RATIO / 2) as u8);
            w.set_gt(2);
        });
        usart.cr2().write(|w| {
            w.set_clken(true);
            w.set_lbcl(true);
            w.set_stop(pac::usart::vals::Stop::STOP1P5);
        });
        // T=1 has no answer to a wrong parity on the line: no NACK.
        usart.cr3().write(|w| w.set_scen(true));
        let line = Self { _io: io, _clock: clock };
        line.divide(372 * RATIO);
        line
    }

    fn divide(&self, clocks: u32) {
        let usart = pac::USART2;
        usart.cr1().modify(|w| w.set_ue(false));
        usart.brr().write(|w| w.0 = clocks);
        usart.cr1().write(|w| {
            // Eight bits and the even parity.
            w.set_m0(pac::usart::vals::M0::BIT9);
            w.set_pce(true);
            w.set_ps(pac::usart::vals::Ps::EVEN);
            w.set_rxneie(true);
            w.set_re(true);
            w.set_te(true);
            w.set_ue(true);
        });
        BYTE.store(12 * clocks / (RATIO * HERTZ / 1_000_000) + 1, Ordering::Relaxed);
    }
}

impl ErrorType for CardLine {
    type Error = Infallible;
}

impl Read for CardLine {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        *first = HEARD.receive().await;
        Ok(1)
    }
}

impl Write for CardLine {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let Some(byte) = bytes.first() else { return Ok(0) };
        let usart = pac::USART2;
        // On one wire we would hear ourselves.
        usart.cr1().modify(|w| w.set_re(false));
        usart.tdr().write(|w| w.0 = (*byte).into());
        // As long as a byte and its guard time take, then until the register says so; bounded, for a clock that has stopped.
        for _ in 0..64 {
            Timer::after_micros(BYTE.load(Ordering::Relaxed).into()).await;
            if usart.isr().read().tc() {
                break;
            }
        }
        usart.cr1().modify(|w| w.set_re(true));
        Ok(1)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Line for CardLine {
    fn set_speed(&mut self, speed: Speed) -> bool {
        let (f, d) = (u32::from(speed.f), u32::from(speed.d));
        if d == 0 {
            return false;
        }
        let clocks = (f * RATIO + d / 2) / d;
        // The register's least, and within half a percent of the true length.
        let wrong = (clocks * d).abs_diff(f * RATIO);
        if !(16..=0xFFFF).contains(&clocks) || wrong * 200 > f * RATIO {
            return false;
        }
        self.divide(clocks);
        true
    }
}

/// The slot: card switch PA0 (high while a card is in), reset PA7, power PC3 (high is on).
pub fn reader(
    line: CardLine,
    detect: ExtiInput<'static, Async>,
    reset: Output<'static>,
    power: Output<'static>,
) -> SlotReader<CardLine, ExtiInput<'static, Async>, Output<'static>, Output<'static>, Delay> {
    let wiring = Wiring {
        hertz: HERTZ,
        present: PinState::High,
        powered: PinState::High,
        echo: false,
    };
    let pins = Pins { detect, reset, power };
    SlotReader(Slot::new(line, pins, Delay, wiring))
}

/// I/O PA2, clock PA4.
macro_rules! start {
    ($p:ident) => {{
        use embassy_stm32::gpio::{AfType, Flex, Level, Output, OutputType, Pull, Speed};
        embassy_stm32::rcc::enable_and_reset::<embassy_stm32::peripherals::USART2>();
        let mut io = Flex::new($p.PA2);
        io.set_as_af_unchecked(7, AfType::output_pull(OutputType::OpenDrain, Speed::Medium, Pull::Up));
        let mut clock = Flex::new($p.PA4);
        clock.set_as_af_unchecked(7, AfType::output(OutputType::PushPull, Speed::Medium));
        let line = crate::card_line::CardLine::new(io, clock);
        // The handler is bound above; nothing else speaks to this line.
        unsafe {
            use embassy_stm32::interrupt::typelevel::Interrupt as _;
            embassy_stm32::interrupt::typelevel::USART2::enable();
        }
        let detect = embassy_stm32::exti::ExtiInput::new($p.PA0, $p.EXTI0, Pull::Down, Irqs);
        crate::card_line::reader(
            line,
            detect,
            Output::new($p.PA7, Level::Low, Speed::Low),
            Output::new($p.PC3, Level::Low, Speed::Low),
        )
    }};
}
pub(crate) use start;
