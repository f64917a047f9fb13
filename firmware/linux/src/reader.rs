//! The card slot: the PC/SC reader of `card::pcsc`, with a bound on everything that a driver could keep us waiting for.

use card::pcsc::Reader;
use card::{Transmit, TransmitError};
use embassy_futures::select::{Either, select};
use kiosk::ports::{CardReader, Clock as _, ReaderError};

use crate::clock::SystemClock;

/// Longest time for one command. Readers themselves give a card some seconds with extensions; beyond that it is a card that never answers.
pub const PATIENCE: u32 = 15_000;
/// Longest time for all commands to one card: one that answers each of them at the last moment does not keep the voters behind it waiting.
pub const IN_ALL: u64 = 60_000;
/// Longest wait for a card to lose its power. The reader's thread does it in any case, as soon as the driver lets go.
const POWER_DOWN: u32 = 2_000;

/// Longest wait for the daemon to say what is in the slot.
const LOOK: u32 = 1_000;

/// The slot.
pub struct SlotReader {
    reader: Reader,
    clock: SystemClock,
    /// Milliseconds that the card in the slot has taken for its answers; [`IN_ALL`] when it is not asked any more.
    spent: u64,
    told: Option<Box<dyn FnMut()>>,
}

impl SlotReader {
    /// The reader whose name contains `name`, or the first there is; it need not be there yet.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(name: Option<&str>, clock: SystemClock) -> Result<Self, ReaderError> {
        let reader = Reader::open(name).map_err(ours)?;
        Ok(Self {
            reader,
            clock,
            spent: 0,
            told: None,
        })
    }

    /// Whenever a card has answered, `told` is called.
    #[must_use]
    pub fn telling(mut self, told: impl FnMut() + 'static) -> Self {
        self.told = Some(Box::new(told));
        self
    }
}

const fn ours(error: card::pcsc::ReaderError) -> ReaderError {
    match error {
        card::pcsc::ReaderError::Mute => ReaderError::Mute,
        card::pcsc::ReaderError::Gone => ReaderError::Gone,
    }
}

impl CardReader for SlotReader {
    type Link = Self;

    async fn wait_insert(&mut self) -> Result<(), ReaderError> {
        self.reader.wait_insert().await.map_err(ours)?;
        self.spent = 0;
        if let Some(told) = &mut self.told {
            told();
        }
        Ok(())
    }

    async fn wait_removed(&mut self) {
        self.reader.wait_removed().await;
    }

    async fn look(&mut self) -> Result<bool, ReaderError> {
        match select(self.reader.look(), self.clock.sleep(LOOK)).await {
            Either::First(seen) => seen.map_err(ours),
            // A daemon or driver that does not even say what is in the slot.
            Either::Second(()) => Err(ReaderError::Gone),
        }
    }

    fn link(&mut self) -> &mut Self {
        self
    }

    async fn power_down(&mut self) {
        select(self.reader.power_down(), self.clock.sleep(POWER_DOWN)).await;
    }
}

impl Transmit for SlotReader {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        if self.spent >= IN_ALL {
            return Err(TransmitError::Timeout);
        }
        let since = self.clock.milliseconds();
        match select(self.reader.transmit(command, response), self.clock.sleep(PATIENCE)).await {
            Either::First(answer) => {
                self.spent = self
                    .spent
                    .saturating_add(self.clock.milliseconds().saturating_sub(since));
                answer
            }
            Either::Second(()) => {
                // The driver still waits for this answer: nothing more is asked until the card has been out.
                self.spent = IN_ALL;
                Err(TransmitError::Timeout)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f8_a_card_that_does_not_answer_and_a_reader_that_is_gone_are_told_apart() {
        assert_eq!(ours(card::pcsc::ReaderError::Mute), ReaderError::Mute);
        assert_eq!(ours(card::pcsc::ReaderError::Gone), ReaderError::Gone);
    }
}
