//! The kiosk's firmware for a board that QEMU emulates: the shipped loop, session, ballot box and panel on a Cortex-M33.
//!
//! The executor really sleeps: `wfi` when there is nothing to do, so that an idle kiosk takes no time of the host's processor.
#![no_std]
#![no_main]

mod count;
mod diary;
mod flash;
mod interrupts;
mod log;
mod map;
mod panic;
mod ports;
mod serial;
mod stack;
mod time;

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use card::x509::X509;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{entry, exception};
use embassy_executor::{Spawner, raw};
use kiosk::ballot_box::Role;
use kiosk::ports::Ports;
use kiosk::run::{Config, Exit};
use kiosk::screen::Screen;
use mcu::clock::BoardClock;
use mcu::count::{Event, Work};
use mcu::heap::{Arenas, Fenced};
use mcu::lent::Lent;
use mcu::screen::{BoardPanel, Display};
use mcu::stand::{self, End, Said, word};
use mcu::store::FlashStore;
use mcu::uplink::SerialUplink;
use static_cell::StaticCell;

use crate::flash::{Part, Slot};
use crate::ports::{HostFed, Machine, Seen, Told, Touched, Watched};
use crate::serial::Serial;

/// Bytes for the screen.
const SCREENS: usize = 1024 * 1024;
/// Bytes for certificates.
const CERTIFICATES: usize = 64 * 1024;

#[global_allocator]
static HEAP: Arenas = Arenas::empty();

/// The executor, once it is there.
static EXECUTOR: AtomicPtr<raw::Executor> = AtomicPtr::new(core::ptr::null_mut());

/// A task has something to do, or the host may want to know that we rest: the executor runs, after all other interrupts.
#[unsafe(export_name = "__pender")]
fn pender(_: *mut ()) {
    run_soon();
}

/// See [`pender`].
pub fn run_soon() {
    SCB::set_pendsv();
}

/// The executor runs here, and the program proper does nothing but `wfi`: so it sleeps whenever nothing is to be done, and no interrupt can
/// come between looking and sleeping. (The emulator does not wake from `wfi` for an interrupt that is masked, as a processor would.)
#[exception]
fn PendSV() {
    let executor = EXECUTOR.load(Ordering::Acquire);
    if executor.is_null() {
        return;
    }
    // Nothing else polls it, and this handler is not entered while it runs.
    unsafe { (*executor).poll() };
    critical_section::with(|_| {
        if !SCB::is_pendsv_pending() {
            rest();
        }
    });
}

/// The host has rung: another time, a card in or out.
pub fn bell() {
    let asked = map::get(word::PANIC);
    if asked != 0 {
        // Once only, but where it is not to start again.
        map::set(word::PANIC, if matches!(asked, 2 | 5) { 2 } else { 0 });
        match asked {
            3 => cortex_m::asm::udf(),
            4 | 5 => map::set(word::PANIC, stack::use_up(0)),
            _ => {}
        }
        panic!("asked for by the host");
    }
    ports::CARD_IN.sender().send(map::get(word::CARD_IN) == 1);
    if map::kept() {
        time::alarm();
    }
}

/// The power is gone: nothing happens any more.
pub fn dark() -> ! {
    cortex_m::interrupt::disable();
    serial::send(stand::serial::HOST, &[Said::End as u8, End::Fuse as u8]);
    loop {
        cortex_m::asm::wfi();
    }
}

/// Tells the host, once, that we rest. Interrupts are off.
fn rest() {
    static TOLD: AtomicU32 = AtomicU32::new(u32::MAX);
    static UNTIL: AtomicU32 = AtomicU32::new(0);
    if !map::kept() {
        return;
    }
    let Some(heard) = serial::all_heard() else { return };
    let until = map::get(word::ALARM) ^ map::get(word::ALARM + 4).rotate_left(7) ^ map::get(word::NOW);
    if TOLD.swap(heard, Ordering::Relaxed) == heard && UNTIL.load(Ordering::Relaxed) == until {
        return;
    }
    UNTIL.store(until, Ordering::Relaxed);
    measure();
    let [a, b, c, d] = heard.to_le_bytes();
    serial::send(stand::serial::HOST, &[Said::Rest as u8, a, b, c, d]);
}

/// Deepest stack and fullest arenas, for whoever asks.
fn measure() {
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    // The stack is walked now and then only: that takes longer than resting.
    if LOOKED.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
        map::set(word::STACK[0], stack::deepest() as u32);
    }
    map::set(word::STACK[1], stack::size() as u32);
    for (words, fill) in [
        (word::SCREENS, HEAP.screens()),
        (word::CERTIFICATES, HEAP.certificates()),
    ] {
        map::set(words[0], fill.peak as u32);
        map::set(words[1], fill.size as u32);
    }
}

#[embassy_executor::task]
async fn kiosk_task(panel: panel::Panel) {
    let station = map::get(word::STATION) as u16;
    let length = map::get(word::PACKAGE_LEN) as usize;
    let package = (length > 0).then(|| map::region(stand::PACKAGE, length.min(stand::PACKAGE_LEN)));
    let mut authority = [0; 33];
    authority.copy_from_slice(map::region(stand::CONTROL + word::AUTHORITY, 33));
    let software = mcu::image::software(map::FLASH);
    let (Some(mut lent), Ok(store)) = (Lent::take(), FlashStore::new(Part::new(stand::STORE, stand::STORE_LEN))) else {
        panic!("memory is lent twice, or the store does not fit its flash");
    };
    let mut ports = Ports::<Machine> {
        clock: BoardClock {
            begin: map::get_long(word::BEGIN),
        },
        entropy: HostFed,
        panel: Watched(BoardPanel::new(panel, ports::seen as Seen)),
        reader: ports::reader(),
        certificates: Fenced(X509),
        original: Slot(Role::Original),
        duplicate: Slot(Role::Duplicate),
        store,
        signals: Told,
        uplink: mcu::program::network(package, &authority, || SerialUplink::new(Serial(stand::serial::UPLINK))),
    };
    let config = Config {
        package,
        authority: &authority,
        station,
        software: &software,
        key_unprotected: true,
    };
    defmt::info!(
        "station {}, package {} bytes, software {=[u8]:02x}",
        station,
        length,
        software[..8]
    );
    let exit = count::counted(Work::Kiosk, mcu::program::serve(&mut ports, &config, &mut lent, tell)).await;
    let end = match exit {
        Exit::Closed { .. } => End::Closed,
        _ => End::Fault,
    };
    measure();
    serial::send(stand::serial::HOST, &[Said::End as u8, end as u8]);
}

fn tell(exit: &Exit) {
    let (screens, certificates) = (HEAP.screens(), HEAP.certificates());
    defmt::info!(
        "stack {}/{} bytes, screens {}/{}, certificates {}/{}",
        stack::deepest(),
        stack::size(),
        screens.peak,
        screens.size,
        certificates.peak,
        certificates.size
    );
    match exit {
        Exit::Restart => defmt::info!("set up; starting again"),
        Exit::Closed { hash, unsent } => defmt::info!("closed: {=[u8]:02x}, {} unsent", hash[..], unsent),
        Exit::Fault { fault, .. } => defmt::error!("out of order: {}", defmt::Debug2Format(fault)),
    }
}

#[embassy_executor::task]
async fn screen_task(display: Display) {
    let mut glass = Touched::default();
    let drawn = |pixels| {
        map::set(word::FRAMES, map::get(word::FRAMES).wrapping_add(1));
        count::happened(Event::Picture(pixels));
    };
    count::counted(Work::Picture, display.run(map::pixels(), &mut glass, drawn)).await;
}

#[entry]
fn main() -> ! {
    stack::paint();
    serial::start();
    time::start();
    interrupts::enable();
    {
        use core::mem::MaybeUninit;
        static mut A: [MaybeUninit<u8>; SCREENS] = [MaybeUninit::uninit(); SCREENS];
        static mut B: [MaybeUninit<u8>; CERTIFICATES] = [MaybeUninit::uninit(); CERTIFICATES];
        // Before the first allocation, once.
        unsafe {
            HEAP.init((&raw mut A as usize, SCREENS), (&raw mut B as usize, CERTIFICATES));
        }
    }
    map::set_long(word::ALARM, u64::MAX);
    defmt::info!("started; restarts by ourselves: {}", map::get(word::RESTARTS));
    let config = panel::Config {
        width: stand::WIDTH as u32,
        height: stand::HEIGHT as u32,
        diagonal_mm: stand::DIAGONAL_MM,
    };
    let Ok((display, panel)) = mcu::screen::open(config) else {
        panic!("no display");
    };
    panic::prepare(&display, &panel);
    panel.show(&Screen::Starting);
    static PLACE: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor = PLACE.init(raw::Executor::new(core::ptr::null_mut()));
    let spawner: Spawner = executor.spawner();
    match (screen_task(display), kiosk_task(panel)) {
        (Ok(screen), Ok(kiosk)) => {
            spawner.spawn(screen);
            spawner.spawn(kiosk);
        }
        _ => panic!("no room for the tasks"),
    }
    EXECUTOR.store(core::ptr::from_ref(executor).cast_mut(), Ordering::Release);
    run_soon();
    loop {
        cortex_m::asm::wfi();
    }
}
