//! The kiosk's ports on this machine.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU8, Ordering};

use card::uart::{Pins, Wiring};
use card::x509::X509;
use election::manifest::Texts;
use election::pictures::Pictures;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::Watch;
use embedded_hal::digital::{ErrorType, OutputPin, PinState};
use embedded_hal_async::digital::Wait;
use kiosk::ports::{Entropy, EntropyError, Lamp, Panel, Platform, Signals, Sound, TooLarge};
use kiosk::screen::{PinOf, Screen, Touch};
use mcu::clock::BoardClock;
use mcu::count::{Event, Work};
use mcu::finger::{Finger, Fingers};
use mcu::heap::Fenced;
use mcu::reader::SlotReader;
use mcu::screen::{BoardPanel, Glass};
use mcu::sight::{self, kind};
use mcu::stand::{self, Said, serial, word};
use mcu::store::FlashStore;
use mcu::uplink::SerialUplink;
use zeroize::Zeroize as _;

use crate::count::{self, For};
use crate::flash::{Part, Slot};
use crate::map;
use crate::serial::{Serial, send};

/// This machine as types.
pub struct Machine;

/// What tells the host of screens.
pub type Seen = fn(&Screen<'_>);

impl Platform for Machine {
    type Clock = BoardClock;
    type Entropy = HostFed;
    type Panel = Watched;
    type Reader = SlotReader<Serial, Detect, Contact, Contact, embassy_time::Delay>;
    type Certificates = Fenced<X509>;
    type Medium = Slot;
    type Store = FlashStore<Part>;
    type Signals = Told;
    type Uplink = SerialUplink<Serial>;
}

/// The port to the panel, with what it takes counted apart.
pub struct Watched(pub BoardPanel<Seen>);

impl Panel for Watched {
    fn show(&mut self, screen: &Screen<'_>) {
        let _page = For::new(Work::Page);
        self.0.show(screen);
    }

    fn pictures(&mut self, pictures: &Pictures<'_>) -> Result<(), TooLarge> {
        let _page = For::new(Work::Page);
        self.0.pictures(pictures)
    }

    fn draws(&self, texts: Texts<'_>) -> bool {
        self.0.draws(texts)
    }

    async fn next(&mut self) -> Touch {
        self.0.next().await
    }
}

/// Randomness from the host: **a stand-in**, because an emulator has no source of its own. No board that one can buy has this type.
pub struct HostFed;

impl Entropy for HostFed {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let used = map::get(word::ENTROPY_USED) as usize;
        let end = used
            .checked_add(bytes.len())
            .filter(|end| *end <= stand::ENTROPY_LEN)
            .ok_or(EntropyError)?;
        for (at, byte) in (used..end).zip(bytes.iter_mut()) {
            let place = map::byte(stand::ENTROPY + at);
            unsafe {
                *byte = place.read_volatile();
                // Used once: it is not to be found afterwards.
                place.write_volatile(0);
            }
        }
        map::set(word::ENTROPY_USED, end as u32);
        Ok(())
    }
}

/// Whether a card is in; told by the bell.
pub static CARD_IN: Watch<CriticalSectionRawMutex, bool, 4> = Watch::new();

/// The slot's switch.
pub struct Detect;

impl ErrorType for Detect {
    type Error = Infallible;
}

async fn until(wanted: bool) {
    // As many receivers as there are waits that overlap: the slot's own, and one in an exchange.
    if let Some(mut receiver) = CARD_IN.receiver() {
        receiver.changed_and(|present| *present == wanted).await;
    } else {
        core::future::pending::<()>().await;
    }
}

impl Wait for Detect {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        if map::get(word::CARD_IN) != 1 {
            until(true).await;
        }
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        if map::get(word::CARD_IN) == 1 {
            until(false).await;
        }
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_low().await?;
        self.wait_for_high().await
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_high().await?;
        self.wait_for_low().await
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        let present = map::get(word::CARD_IN) == 1;
        until(!present).await;
        Ok(())
    }
}

static CONTACTS: AtomicU8 = AtomicU8::new(0);

/// A contact of the slot that we drive: power (1) or reset (2).
pub struct Contact(u8);

impl ErrorType for Contact {
    type Error = Infallible;
}

impl Contact {
    fn set(&self, high: bool) {
        let before = CONTACTS.load(Ordering::Relaxed);
        let after = if high { before | self.0 } else { before & !self.0 };
        CONTACTS.store(after, Ordering::Relaxed);
        if before != after {
            send(serial::HOST, &[Said::Contacts as u8, after]);
        }
    }
}

impl OutputPin for Contact {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}

/// The card slot.
pub fn reader() -> SlotReader<Serial, Detect, Contact, Contact, embassy_time::Delay> {
    let wiring = Wiring {
        hertz: 3_571_200,
        present: PinState::High,
        powered: PinState::High,
        echo: false,
    };
    let pins = Pins {
        detect: Detect,
        reset: Contact(2),
        power: Contact(1),
    };
    SlotReader(card::uart::Slot::new(
        Serial(serial::CARD),
        pins,
        embassy_time::Delay,
        wiring,
    ))
}

/// Lamp and sound, as the host hears them.
pub struct Told;

impl Signals for Told {
    fn lamp(&mut self, lamp: Lamp) {
        send(serial::HOST, &[Said::Lamp as u8, lamp as u8]);
    }

    fn sound(&mut self, sound: Sound) {
        send(serial::HOST, &[Said::Sound as u8, sound as u8]);
    }
}

/// Tells the host which screen is shown.
pub fn seen(screen: &Screen<'_>) {
    crate::diary::seen(screen);
    let _told = For::new(Work::Stand);
    let mut bytes = [0; sight::MOST];
    let length = sight::write(screen, &mut bytes).min(sight::MOST);
    // Staff's PINs are asked on the voters' screen, but behind work of minutes.
    let staff = matches!(
        screen,
        Screen::Pin {
            who: PinOf::Staff(_),
            ..
        }
    );
    count::happened(Event::Screen(if staff { kind::INSERT } else { bytes[0] }));
    let [low, high, ..] = length.to_le_bytes();
    send(serial::HOST, &[Said::Screen as u8, low, high]);
    send(serial::HOST, &bytes[..length]);
    bytes.zeroize();
}

/// The glass.
#[derive(Default)]
pub struct Touched(Fingers);

impl Glass for Touched {
    async fn next(&mut self) -> Finger {
        loop {
            // A byte at a time: what was read is kept here when the future is dropped.
            let byte = Serial(serial::TOUCH).byte().await;
            if let Some(finger) = self.0.push(byte) {
                let [_, phase, ..] = finger.encode();
                count::happened(Event::Finger(phase));
                return finger;
            }
        }
    }
}
