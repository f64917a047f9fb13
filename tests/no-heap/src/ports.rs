//! A platform that answers nothing useful: it only has the types of one. No other program may use it.

use core::hint::black_box;

use card::{CardPublicKey, CertificateError, CertificateVerifier, Date, KeyUse, Transmit, TransmitError};
use kiosk::ports::{
    CardReader, Clock, Entropy, EntropyError, Geometry, Item, Lamp, Medium, MediumError, Panel, Platform, ReaderError,
    Signals, Sound, Store, StoreError, Uplink, UplinkError,
};
use kiosk::screen::{Screen, Touch};

/// Nothing is behind any port.
pub struct Nothing;

/// The platform.
pub struct Bare;

impl Platform for Bare {
    type Clock = Nothing;
    type Entropy = Nothing;
    type Panel = Nothing;
    type Reader = Nothing;
    type Certificates = Nothing;
    type Medium = Nothing;
    type Store = Nothing;
    type Signals = Nothing;
    type Uplink = Nothing;
}

impl Clock for Nothing {
    fn seconds(&self) -> u64 {
        black_box(0)
    }
    fn milliseconds(&self) -> u64 {
        black_box(0)
    }
    async fn sleep(&self, milliseconds: u32) {
        black_box(milliseconds);
    }
}

impl Entropy for Nothing {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        black_box(bytes);
        black_box(Ok(()))
    }
}

impl Panel for Nothing {
    fn show(&mut self, screen: &Screen<'_>) {
        black_box(screen);
    }
    async fn next(&mut self) -> Touch {
        black_box(Touch::Next)
    }
}

impl CardReader for Nothing {
    type Link = Self;
    async fn wait_insert(&mut self) -> Result<(), ReaderError> {
        black_box(Ok(()))
    }
    async fn wait_removed(&mut self) {}
    async fn look(&mut self) -> Result<bool, ReaderError> {
        black_box(Ok(true))
    }
    fn link(&mut self) -> &mut Self {
        self
    }
    async fn power_down(&mut self) {}
}

impl Transmit for Nothing {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        black_box((command, response));
        black_box(Ok(2))
    }
}

impl CertificateVerifier for Nothing {
    fn verify(
        &self,
        certificate: &[u8],
        authorities: &mut dyn Iterator<Item = &[u8]>,
        usage: KeyUse,
        at: Date,
    ) -> Result<CardPublicKey, CertificateError> {
        black_box((certificate, authorities.next(), usage, at));
        black_box(Err(CertificateError::Malformed))
    }
}

impl Medium for Nothing {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        black_box(Ok(Geometry {
            size: 1 << 20,
            sector: 512,
        }))
    }
    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        black_box((offset, buffer));
        black_box(Ok(()))
    }
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        black_box((offset, data));
        black_box(Ok(()))
    }
    async fn sync(&mut self) -> Result<(), MediumError> {
        black_box(Ok(()))
    }
}

impl Store for Nothing {
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        black_box((item, buffer));
        black_box(Ok(None))
    }
    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        black_box((item, bytes));
        black_box(Ok(()))
    }
    async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        black_box(item);
        black_box(Ok(()))
    }
}

impl Signals for Nothing {
    fn lamp(&mut self, lamp: Lamp) {
        black_box(lamp);
    }
    fn sound(&mut self, sound: Sound) {
        black_box(sound);
    }
}

impl Uplink for Nothing {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        black_box((request, reply));
        black_box(Ok(0))
    }
}
