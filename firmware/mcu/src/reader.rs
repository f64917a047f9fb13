//! A card slot on a UART as the kiosk's reader.

use card::uart::{Line, Slot, SlotError};
use embedded_hal::digital::OutputPin;
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::digital::Wait;
use kiosk::ports::{CardReader, ReaderError};

/// The reader.
pub struct SlotReader<L, D, R, P, T>(pub Slot<L, D, R, P, T>);

impl<L, D, R, P, T> CardReader for SlotReader<L, D, R, P, T>
where
    L: Line,
    D: Wait,
    R: OutputPin,
    P: OutputPin,
    T: DelayNs + Clone,
{
    type Link = Slot<L, D, R, P, T>;

    async fn wait_insert(&mut self) -> Result<(), ReaderError> {
        self.0.wait_insert().await.map_err(|error| match error {
            SlotError::Mute | SlotError::Unsuitable(_) => ReaderError::Mute,
            SlotError::Io => ReaderError::Gone,
        })
    }

    async fn wait_removed(&mut self) {
        self.0.wait_removed().await;
    }

    async fn look(&mut self) -> Result<bool, ReaderError> {
        // The switch in the slot is all that can be asked without power.
        self.0.occupied().await.map_err(|()| ReaderError::Gone)
    }

    fn link(&mut self) -> &mut Self::Link {
        &mut self.0
    }

    async fn power_down(&mut self) {
        self.0.power_down();
    }
}
