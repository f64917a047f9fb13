//! The kiosk's firmware for ST's STM32U5G9J-DK2: the shipped loop, session, ballot box and panel. Here are clocks, pins and registers only.
//!
//! **It builds and links and has never run on the board.** hardware/stm32u5g9j-dk2.md has the wiring, the list for the first time, and which
//! lines rest on sheets alone.
#![no_std]
#![no_main]

mod card_line;
mod display;
mod flash;
mod media_slots;
mod panic;
mod ports;
mod signals;
mod touch;

use card::x509::X509;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{bind_interrupts, dma, exti, i2c, interrupt, peripherals, usart};
use embassy_time::Timer;
use kiosk::ports::{Lamp, Ports, Signals as _};
use kiosk::run::{Config, Exit};
use kiosk::screen::Screen;
use mcu::clock::BoardClock;
use mcu::heap::{Arenas, Fenced};
use mcu::lent::Lent;
use mcu::screen::{BoardPanel, Display};
use mcu::store::FlashStore;
use mcu::uplink::SerialUplink;

use crate::flash::{Bank, SetUp};
use crate::ports::{Board, Seen};
use crate::touch::Touchpad;

/// Bytes for the screen.
const SCREENS: usize = 1024 * 1024;
/// Bytes for certificates.
const CERTIFICATES: usize = 64 * 1024;
/// Bytes that wait on the network's line: the longest answer in its frame, which nobody takes while a picture is drawn. Up to a multiple of 256.
const HEARD: usize = (kiosk::line::HEAD + election::ledger::frame::MAX_REPLY + kiosk::line::TAIL).next_multiple_of(256);
/// The watchdog bites after so many microseconds in which no task came to its turn. The longest work without a turn is judging a chain of
/// certificates, some 0.3 s.
const WATCHDOG: u32 = 8_000_000;

#[global_allocator]
static HEAP: Arenas = Arenas::empty();

bind_interrupts!(struct Irqs {
    EXTI0 => exti::InterruptHandler<interrupt::typelevel::EXTI0>;
    EXTI5 => exti::InterruptHandler<interrupt::typelevel::EXTI5>;
    GPDMA1_CHANNEL0 => dma::InterruptHandler<peripherals::GPDMA1_CH0>;
    GPDMA1_CHANNEL1 => dma::InterruptHandler<peripherals::GPDMA1_CH1>;
    GPDMA1_CHANNEL2 => dma::InterruptHandler<peripherals::GPDMA1_CH2>;
    GPDMA1_CHANNEL3 => dma::InterruptHandler<peripherals::GPDMA1_CH3>;
    I2C2_ER => i2c::ErrorInterruptHandler<peripherals::I2C2>;
    I2C2_EV => i2c::EventInterruptHandler<peripherals::I2C2>;
    LTDC => embassy_stm32::ltdc::InterruptHandler<peripherals::LTDC>;
    RNG => embassy_stm32::rng::InterruptHandler<peripherals::RNG>;
    USART1 => usart::BufferedInterruptHandler<peripherals::USART1>;
    USART2 => card_line::InterruptHandler;
});

#[embassy_executor::task]
async fn kiosk_task(mut ports: Ports<Board>, set_up: SetUp, service: bool) {
    let Some(mut lent) = Lent::take() else {
        panic!("memory is lent twice");
    };
    if service && let Some(uplink) = ports.uplink.take() {
        defmt::info!("the desk's line is open, the kiosk does not run");
        ports.signals.lamp(Lamp::Call);
        mcu::desk::serve(&mut ports.store, set_up.station, &mut uplink.release(), &mut lent).await;
    }
    let line = ports.uplink.take();
    ports.uplink = line.and_then(|line| mcu::program::network(set_up.package, &set_up.authority, || line));
    let software = mcu::image::software(flash::BEGIN);
    let config = Config {
        package: set_up.package,
        authority: &set_up.authority,
        station: set_up.station,
        software: &software,
        // Read-out protection keeps a debugger off, not a laboratory: the zero report says so.
        key_unprotected: true,
    };
    let _ = mcu::program::serve(&mut ports, &config, &mut lent, tell).await;
}

fn tell(exit: &Exit) {
    match exit {
        Exit::Restart => defmt::info!("set up; starting again"),
        Exit::Closed { hash, unsent } => defmt::info!("closed: {=[u8]:02x}, {} unsent", hash[..], unsent),
        Exit::Fault { fault, .. } => defmt::error!("out of order: {}", defmt::Debug2Format(fault)),
    }
}

#[embassy_executor::task]
async fn screen_task(display: Display, mut glass: Touchpad) {
    display.run(display::pixels(), &mut glass, |_| {}).await;
}

#[embassy_executor::task]
async fn watchdog_task(mut watchdog: IndependentWatchdog<'static, peripherals::IWDG>) {
    loop {
        watchdog.pet();
        Timer::after_millis(1_000).await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    {
        use core::mem::MaybeUninit;
        static mut A: [MaybeUninit<u8>; SCREENS] = [MaybeUninit::uninit(); SCREENS];
        static mut B: [MaybeUninit<u8>; CERTIFICATES] = [MaybeUninit::uninit(); CERTIFICATES];
        // Before the first allocation, once.
        unsafe {
            HEAP.init((&raw mut A as usize, SCREENS), (&raw mut B as usize, CERTIFICATES));
        }
    }
    let p = embassy_stm32::init(display::clocks());
    // Why it starts: power, the watchdog, the brown-out, ourselves (RCC_CSR).
    let reset = embassy_stm32::pac::RCC.csr().read();
    embassy_stm32::pac::RCC.csr().modify(|w| w.set_rmvf(true));
    defmt::info!("started; reset flags {=u32:#010x}", reset.0);
    // From here on: a display, a random source or a touch controller that never answers ends in a new start, not in a dark kiosk.
    let mut watchdog = IndependentWatchdog::new(p.IWDG, WATCHDOG);
    watchdog.unleash();
    // Instructions from flash without it take five times as long.
    embassy_stm32::pac::ICACHE.cr().write(|w| w.set_en(true));

    // 800 x 480 on 108 x 65 mm.
    let config = panel::Config {
        width: display::WIDTH as u32,
        height: display::HEIGHT as u32,
        diagonal_mm: 127,
    };
    let Ok((surface, panel)) = mcu::screen::open(config) else {
        panic!("no display");
    };
    panic::prepare(&surface, &panel);
    let lights = display::start!(p);
    panel.show(&Screen::Starting);

    let glass = touch::start!(p, lights);
    let signals = signals::start!(p);
    let slots = media_slots::start!(p);
    let reader = card_line::start!(p);
    let uplink = {
        static TX: static_cell::StaticCell<[u8; 256]> = static_cell::StaticCell::new();
        static RX: static_cell::StaticCell<[u8; HEARD]> = static_cell::StaticCell::new();
        let config = usart::Config::default(); // 115,200 baud, 8N1
        usart::BufferedUart::new(
            p.USART1,
            p.PA10,
            p.PA9,
            TX.init([0; 256]),
            RX.init([0; HEARD]),
            Irqs,
            config,
        )
        .ok()
    };
    // The blue button, held while the power comes: the desk's line in place of the kiosk. Whoever can reach it has opened the case.
    let service = embassy_stm32::gpio::Input::new(p.PC13, embassy_stm32::gpio::Pull::Down).is_high();
    let bank = Bank::new(p.FLASH);
    let Ok(store) = FlashStore::new(bank) else {
        panic!("the store does not fit its flash");
    };
    let ports = Ports::<Board> {
        // No battery behind the calendar on this board as it is sold: no time, and none is said.
        clock: BoardClock { begin: 0 },
        entropy: ports::Noise(embassy_stm32::rng::Rng::new(p.RNG, Irqs)),
        panel: BoardPanel::new(panel, ports::unseen as Seen),
        reader,
        certificates: Fenced(X509),
        original: slots.0,
        duplicate: slots.1,
        store,
        signals: signals.0,
        uplink: uplink.map(SerialUplink::new),
    };
    match (
        kiosk_task(ports, flash::set_up(), service),
        screen_task(surface, glass),
        signals::sound_task(signals.1),
        watchdog_task(watchdog),
    ) {
        (Ok(kiosk), Ok(screen), Ok(sound), Ok(watchdog)) => {
            spawner.spawn(kiosk);
            spawner.spawn(screen);
            spawner.spawn(sound);
            spawner.spawn(watchdog);
        }
        _ => panic!("no room for the tasks"),
    }
}
