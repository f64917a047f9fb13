//! The two media: serial NOR parts on plug-in boards, on one SPI bus (the Arduino connector), each with a select line of its own.
//!
//! One bus for both is one cable that can fail for both; the kiosk stops then and says so. A board of one's own gives each its bus.

use embassy_embedded_hal::shared_bus::asynch::spi::SpiDevice;
use embassy_stm32::gpio::Output;
use embassy_stm32::mode::Async;
use embassy_stm32::spi::Spi;
use embassy_stm32::spi::mode::Master;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::Delay;
use embedded_storage_async::nor_flash::ReadNorFlash as _;
use kiosk::ports::{Geometry, Medium, MediumError};
use media::{NorMedium, SpiNor, SpiNorError};

/// The bus.
pub type Bus = Mutex<NoopRawMutex, Spi<'static, Async, Master>>;
type Part = SpiNor<SpiDevice<'static, NoopRawMutex, Spi<'static, Async, Master>, Output<'static>>, Delay>;

enum State {
    /// Nobody there, or nobody asked.
    Empty(Part),
    In(NorMedium<Part>),
    /// Between the two; never seen from outside.
    Moving,
}

/// A slot.
pub struct Slot(State);

impl Slot {
    /// On this bus, with this select line.
    pub fn new(bus: &'static Bus, select: Output<'static>) -> Self {
        Self(State::Empty(SpiNor::new(SpiDevice::new(bus, select), Delay)))
    }

    /// Asks who is there, once after something was put in.
    async fn medium(&mut self) -> Result<&mut NorMedium<Part>, MediumError> {
        if let State::Empty(part) = &mut self.0 {
            part.wake().await.map_err(|error| {
                if error != SpiNorError::Missing {
                    defmt::warn!("medium: {}", defmt::Display2Format(&error));
                }
                MediumError::Missing
            })?;
            // From here to the end nothing is awaited: the future is not dropped while the part moves.
            if let State::Empty(part) = core::mem::replace(&mut self.0, State::Moving) {
                let size = u32::try_from(part.capacity()).map_err(|_| MediumError::Bounds)?;
                self.0 = State::In(NorMedium::new(part, 0, size)?);
            }
        }
        match &mut self.0 {
            State::In(medium) => Ok(medium),
            _ => Err(MediumError::Missing),
        }
    }

    fn forget(&mut self) {
        self.0 = match core::mem::replace(&mut self.0, State::Moving) {
            State::In(medium) => State::Empty(medium.release()),
            other => other,
        };
    }
}

impl Medium for Slot {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        let geometry = self.medium().await?.geometry().await;
        if geometry.is_err() {
            // Pulled out; the next one may be another part.
            self.forget();
        }
        geometry
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        self.medium().await?.read(offset, buffer).await
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        self.medium().await?.write(offset, data).await
    }

    async fn sync(&mut self) -> Result<(), MediumError> {
        self.medium().await?.sync().await
    }
}

/// SCK PA5, MISO PA6, MOSI PB5; original PB11, duplicate PB10. 20 MHz: short cables only.
macro_rules! start {
    ($p:ident) => {{
        use embassy_stm32::gpio::{Level, Output, Speed};
        let mut config = embassy_stm32::spi::Config::default();
        config.frequency = embassy_stm32::time::Hertz(20_000_000);
        let spi = embassy_stm32::spi::Spi::new(
            $p.SPI1,
            $p.PA5,
            $p.PB5,
            $p.PA6,
            $p.GPDMA1_CH0,
            $p.GPDMA1_CH1,
            Irqs,
            config,
        );
        static BUS: static_cell::StaticCell<crate::media_slots::Bus> = static_cell::StaticCell::new();
        let bus: &'static crate::media_slots::Bus = BUS.init(embassy_sync::mutex::Mutex::new(spi));
        (
            crate::media_slots::Slot::new(bus, Output::new($p.PB11, Level::High, Speed::High)),
            crate::media_slots::Slot::new(bus, Output::new($p.PB10, Level::High, Speed::High)),
        )
    }};
}
pub(crate) use start;
