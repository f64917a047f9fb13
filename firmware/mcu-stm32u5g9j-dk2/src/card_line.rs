//! The line to the card: USART2 in smartcard mode (RM0456, "USART smartcard mode"; ISO/IEC 7816-3). The interface chip (ST8034 or the like) shifts levels;
//! PA4 gives it the card's clock.
//!
//! Who speaks and when the receiver is on is [`card::wire`]'s, which runs in this USART's interrupt and is tried on a host: here are its registers,
//! and a task's side of it. The kernel's clock is the 16 MHz oscillator: divided by four the card gets 4 MHz, and a bit lasts `4 F / D` of ours.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;

use card::t1::{Flaw, MAX_BLOCK, Speed};
use card::uart::{Line, Pins, Slot, Wiring};
use card::wire::{Ask, STOP_HALF_BITS, State, Uart, Wire};
use embassy_stm32::exti::ExtiInput;
use embassy_stm32::gpio::{Flex, Output};
use embassy_stm32::interrupt::typelevel::{Handler, USART2};
use embassy_stm32::mode::Async;
use embassy_stm32::pac;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::{Delay, Duration, with_timeout};
use embedded_hal::digital::PinState;
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};
use mcu::reader::SlotReader;

/// Of the card.
const HERTZ: u32 = 4_000_000;
/// Clocks of the USART in one of the card's.
const RATIO: u32 = 4;
/// Bits from one character's beginning to the next one's, at least.
const CHARACTER: u32 = 12;
/// As the wire was tried with.
const STOP: pac::usart::vals::Stop = match STOP_HALF_BITS {
    2 => pac::usart::vals::Stop::STOP1,
    3 => pac::usart::vals::Stop::STOP1P5,
    _ => panic!("a stop that this line does not know"),
};
/// Longer than a block by this, and the line is out of order: a clock that has stopped.
const SLACK: Duration = Duration::from_millis(100);

/// In `CR3`: interrupt when the last character has left, before its guard time. In `ISR`: it has. The library's registers do not name them.
const TCBGTIE: u32 = 1 << 24;
const TCBGT: u32 = 1 << 25;

static WIRE: Mutex<CriticalSectionRawMutex, RefCell<Wire>> = Mutex::new(RefCell::new(Wire::new()));

/// With the wire and its registers, alone.
fn wire<T>(with: impl FnOnce(&mut Wire, &mut Usart) -> T) -> T {
    WIRE.lock(|wire| with(&mut wire.borrow_mut(), &mut Usart))
}

/// The registers.
struct Usart;

impl Uart for Usart {
    fn state(&mut self) -> State {
        let usart = pac::USART2;
        let status = usart.isr().read();
        let state = State {
            heard: status.rxne().then(|| usart.rdr().read().0 as u8),
            parity: status.pe(),
            framing: status.fe(),
            overrun: status.ore(),
            room: status.txe(),
            // With a guard time of ten bits and more the second comes after the card has begun.
            sent: status.0 & TCBGT != 0 || status.tc(),
        };
        usart.icr().write(|w| {
            w.set_ore(status.ore());
            w.set_pe(status.pe());
            w.set_fe(status.fe());
            w.set_ne(status.ne());
        });
        state
    }

    fn put(&mut self, byte: u8) {
        // Ends TC and TCBGT, too.
        pac::USART2.tdr().write(|w| w.0 = byte.into());
    }

    fn listen(&mut self, on: bool) {
        pac::USART2.cr1().modify(|w| w.set_re(on));
    }

    fn ask(&mut self, what: Ask) {
        let usart = pac::USART2;
        usart.cr1().modify(|w| {
            w.set_txeie(what == Ask::Room);
            w.set_tcie(what == Ask::Sent);
        });
        usart.cr3().modify(|w| {
            w.0 &= !TCBGTIE;
            if what == Ask::Sent {
                w.0 |= TCBGTIE;
            }
        });
    }
}

/// A byte has come, has left, or was wrong.
pub struct InterruptHandler;

impl Handler<USART2> for InterruptHandler {
    unsafe fn on_interrupt() {
        wire(|wire, usart| wire.on_interrupt(usart));
    }
}

/// How characters follow one another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pace {
    /// Clocks of the USART in a bit.
    clocks: u32,
    /// Bits between characters beyond [`CHARACTER`].
    guard: u8,
}

/// The line.
pub struct CardLine {
    _io: Flex<'static>,
    _clock: Flex<'static>,
    guard: u8,
    wanted: Pace,
    /// What the registers hold.
    set: Option<Pace>,
}

impl CardLine {
    /// On these pins, which are set already.
    pub fn new(io: Flex<'static>, clock: Flex<'static>) -> Self {
        let mut line = Self {
            _io: io,
            _clock: clock,
            guard: 0,
            wanted: Pace {
                clocks: 372 * RATIO,
                guard: 0,
            },
            set: None,
        };
        line.settle();
        line
    }

    /// Sets the registers up, if they are not: the USART has to be off for it, and with it the card's clock for a moment.
    fn settle(&mut self) {
        if self.set == Some(self.wanted) {
            return;
        }
        let Pace { clocks, guard } = self.wanted;
        wire(|wire, usart| {
            let registers = pac::USART2;
            registers.cr1().write(|_| {});
            // The clock is divided by twice this value; the guard time counts from the end of the stop.
            registers.gtpr().write(|w| {
                w.set_psc((RATIO / 2) as u8);
                w.set_gt(card::wire::guard(guard));
            });
            registers.cr2().write(|w| {
                w.set_clken(true);
                w.set_lbcl(true);
                w.set_stop(STOP);
            });
            // T=1 has no answer to a wrong parity on the line: no NACK. Framing errors and overruns interrupt.
            registers.cr3().write(|w| {
                w.set_scen(true);
                w.set_eie(true);
            });
            registers.brr().write(|w| w.0 = clocks);
            registers.cr1().write(|w| {
                // Eight bits and the even parity, whose errors interrupt, also where the byte is kept back.
                w.set_m0(pac::usart::vals::M0::BIT9);
                w.set_pce(true);
                w.set_ps(pac::usart::vals::Ps::EVEN);
                w.set_peie(true);
                w.set_rxneie(true);
                w.set_te(true);
                w.set_ue(true);
            });
            wire.reset(usart);
        });
        self.set = Some(self.wanted);
    }

    /// Longest that a block takes.
    fn patience(&self) -> Duration {
        let bits = MAX_BLOCK as u64 * u64::from(CHARACTER + u32::from(self.wanted.guard));
        Duration::from_micros(bits * u64::from(self.wanted.clocks) / u64::from(RATIO * HERTZ / 1_000_000)) + SLACK
    }

    /// It does not end: once more from the beginning, for whoever comes next.
    fn stuck(&mut self) -> Stuck {
        self.set = None;
        self.settle();
        Stuck
    }
}

/// The line does not take what is to be said.
#[derive(Debug)]
pub struct Stuck;

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the card's line is stuck")
    }
}

impl core::error::Error for Stuck {}

impl Error for Stuck {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

impl ErrorType for CardLine {
    type Error = Stuck;
}

impl Read for CardLine {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stuck> {
        self.settle();
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        *first = poll_fn(|context| wire(|wire, _| wire.poll_next(context.waker()))).await;
        Ok(1)
    }
}

impl Write for CardLine {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Stuck> {
        self.settle();
        let speak = poll_fn(|context| wire(|wire, usart| wire.poll_speak(bytes, usart, context.waker())));
        with_timeout(self.patience(), speak).await.map_err(|_| self.stuck())
    }

    async fn flush(&mut self) -> Result<(), Stuck> {
        let quiet = poll_fn(|context| wire(|wire, _| wire.poll_quiet(context.waker())));
        with_timeout(self.patience(), quiet).await.map_err(|_| self.stuck())
    }
}

impl Line for CardLine {
    fn set_speed(&mut self, speed: Speed) -> bool {
        let Some(clocks) = card::wire::clocks(speed, RATIO) else {
            return false;
        };
        // Not before it is needed: a speed that is only asked about stops no clock.
        self.wanted = Pace {
            clocks,
            guard: self.guard,
        };
        true
    }

    fn set_guard(&mut self, extra: u8) {
        self.guard = extra;
    }

    fn forget(&mut self) {
        // Also where the pace stays: off, so that what the registers hold does not leave, and on with a receiver that hears.
        self.set = None;
        self.settle();
    }

    fn flaw(&mut self) -> Option<Flaw> {
        wire(|wire, _| wire.flaw())
    }
}

/// The slot: card switch PA0 (high while a card is in), reset PA7, power PC3 (CMDVCC: low is on).
pub fn reader(
    line: CardLine,
    detect: ExtiInput<'static, Async>,
    reset: Output<'static>,
    power: Output<'static>,
) -> SlotReader<CardLine, ExtiInput<'static, Async>, Output<'static>, Output<'static>, Delay> {
    let wiring = Wiring {
        hertz: HERTZ,
        present: PinState::High,
        powered: PinState::Low,
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
            Output::new($p.PC3, Level::High, Speed::Low),
        )
    }};
}
pub(crate) use start;
