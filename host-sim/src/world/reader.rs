//! The card slot of a kiosk, and cards as things that are in it or in somebody's hand.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use card::{Transmit, TransmitError};
use kiosk::ports::{CardReader, ReaderError};

use super::notify::Notify;
use super::time::Timeline;
use super::watch::Watching;
use crate::cards::Chip;

/// A card. Clones are the same card.
#[derive(Clone)]
pub struct Card {
    chip: Rc<RefCell<dyn Chip>>,
    /// Whether it can be powered at all; false for a postcard, or a card upside down.
    answers: bool,
}

impl Card {
    /// A card with this chip.
    pub fn new(chip: impl Chip + 'static) -> Self {
        Self::shared(Rc::new(RefCell::new(chip)))
    }

    /// A card whose chip somebody else keeps a hand on (to count tries, to block it).
    #[must_use]
    pub fn shared(chip: Rc<RefCell<dyn Chip>>) -> Self {
        Self { chip, answers: true }
    }

    /// Its chip, for whoever has the card in hand and a reader at home.
    #[must_use]
    pub fn chip(&self) -> Rc<RefCell<dyn Chip>> {
        self.chip.clone()
    }

    /// Whether it can be powered at all.
    #[must_use]
    pub const fn answers(&self) -> bool {
        self.answers
    }

    fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.chip, &other.chip) && self.answers == other.answers
    }

    /// Something in the shape of a card: a postcard, a point card.
    #[must_use]
    pub fn cardboard() -> Self {
        Self {
            chip: Rc::new(RefCell::new(Cardboard)),
            answers: false,
        }
    }

    /// The same card, put in the wrong way round.
    #[must_use]
    pub fn upside_down(&self) -> Self {
        Self {
            chip: self.chip.clone(),
            answers: false,
        }
    }
}

/// No chip at all.
struct Cardboard;

impl Chip for Cardboard {
    fn reset(&mut self) {}

    fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
        Err(TransmitError::Timeout)
    }
}

/// The slot. Clones are the same one.
#[derive(Clone, Default)]
pub struct CardSlot {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    card: RefCell<Option<Card>>,
    /// The reader's cable is out.
    unplugged: Cell<bool>,
    changed: Notify,
}

impl CardSlot {
    /// Puts a card in; one that is still in is given back.
    pub fn insert(&self, card: Card) -> Option<Card> {
        card.chip.borrow_mut().reset();
        let old = self.inner.card.replace(Some(card));
        self.inner.changed.notify();
        old
    }

    /// Pulls the card out.
    pub fn pull(&self) -> Option<Card> {
        let card = self.inner.card.take();
        if let Some(card) = &card {
            card.chip.borrow_mut().reset();
        }
        self.inner.changed.notify();
        card
    }

    /// Waits until something else is in than this, or nothing any more.
    pub async fn other_than(&self, old: Option<&Card>) -> Option<Card> {
        let changed = &self.inner.changed;
        changed
            .wait_for(|| {
                let card = self.inner.card.borrow();
                let same = match (&*card, old) {
                    (Some(one), Some(two)) => one.is(two),
                    (None, None) => true,
                    _ => false,
                };
                (!same).then(|| card.clone())
            })
            .await
    }

    /// Pulls the reader's cable out, or puts it back. A card that is in is gone for the kiosk meanwhile.
    pub fn unplug(&self, out: bool) {
        self.inner.unplugged.set(out);
        if let Some(card) = &*self.inner.card.borrow() {
            card.chip.borrow_mut().reset();
        }
        self.inner.changed.notify();
    }

    /// Whether the reader's cable is out.
    #[must_use]
    pub fn unplugged(&self) -> bool {
        self.inner.unplugged.get()
    }

    /// Whether something is in.
    #[must_use]
    pub fn occupied(&self) -> bool {
        self.inner.card.borrow().is_some()
    }
}

/// The kiosk's port to the slot.
pub struct SlotReader {
    link: Link,
}

impl SlotReader {
    pub(super) const fn new(slot: CardSlot, time: Rc<Timeline>, watching: Watching) -> Self {
        Self {
            link: Link { slot, time, watching },
        }
    }
}

impl CardReader for SlotReader {
    type Link = Link;

    async fn wait_insert(&mut self) -> Result<(), ReaderError> {
        let inner = &self.link.slot.inner;
        let found = || {
            if inner.unplugged.get() {
                return Some(Err(ReaderError::Gone));
            }
            let card = inner.card.borrow();
            card.as_ref()
                .map(|card| if card.answers { Ok(()) } else { Err(ReaderError::Mute) })
        };
        inner.changed.wait_for(found).await
    }

    async fn wait_removed(&mut self) {
        let inner = &self.link.slot.inner;
        inner
            .changed
            .wait_for(|| (inner.unplugged.get() || inner.card.borrow().is_none()).then_some(()))
            .await;
    }

    async fn look(&mut self) -> Result<bool, ReaderError> {
        let inner = &self.link.slot.inner;
        if inner.unplugged.get() {
            return Err(ReaderError::Gone);
        }
        match &*inner.card.borrow() {
            Some(card) if !card.answers => Err(ReaderError::Mute),
            card => Ok(card.is_some()),
        }
    }

    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    async fn power_down(&mut self) {
        if let Some(card) = &*self.link.slot.inner.card.borrow() {
            card.chip.borrow_mut().reset();
        }
    }
}

/// Milliseconds an APDU takes on a contact reader.
const APDU: u64 = 15;

/// The way to the card that is in.
pub struct Link {
    slot: CardSlot,
    time: Rc<Timeline>,
    watching: Watching,
}

impl Transmit for Link {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        self.time.sleep(APDU).await;
        if self.slot.unplugged() {
            return Err(TransmitError::Io);
        }
        let card = self.slot.inner.card.borrow().clone().ok_or(TransmitError::Removed)?;
        if !card.answers {
            return Err(TransmitError::Timeout);
        }
        let answer = card.chip.borrow_mut().apdu(command)?;
        if let Some(watch) = self.watching.get() {
            watch.heard(&answer);
        }
        response
            .get_mut(..answer.len())
            .ok_or(TransmitError::TooLong)?
            .copy_from_slice(&answer);
        Ok(answer.len())
    }
}
