//! The ports of a kiosk in memory, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::vec::Vec;

use super::cards::{BareKeys, Card, Contacts};
use super::people::People;
use crate::ballot_box::media_for_tests as media;
use crate::ports::*;
use crate::screen::*;

/// Something done to the machine.
pub type Wait = std::boxed::Box<dyn Fn(&World)>;

pub struct World {
    pub people: RefCell<People>,
    pub(super) touches: RefCell<VecDeque<Touch>>,
    pub(super) kind: Cell<u32>,
    pub slot: Rc<RefCell<Option<Card>>>,
    pub cards: RefCell<BTreeMap<u8, Card>>,
    pub(super) inside: Cell<Option<u8>>,
    pub now: Cell<u64>,
    pub(super) alarm: Cell<Option<u64>>,
    pub items: RefCell<BTreeMap<u8, Vec<u8>>>,
    /// What is said of an item that is there, instead of its content; until it is erased.
    pub unreadable: RefCell<BTreeMap<u8, StoreError>>,
    pub entropy: Cell<u64>,
    pub online: Cell<bool>,
    /// Decided transactions.
    pub ledger: RefCell<Vec<Vec<u8>>>,
    pub lies: Cell<u32>,
    pub lamp: Cell<Option<Lamp>>,
    /// Everything the lamp has said, each change once.
    pub lamps: RefCell<Vec<Lamp>>,
    /// How many pictures of characters the panel was told of, and how often.
    pub pictures: Cell<(usize, u32)>,
    /// Bytes of pictures the panel has memory for.
    pub panel_room: Cell<usize>,
    /// A text that the panel would leave blank.
    pub blank: RefCell<Option<std::string::String>>,
    /// What the reader says of itself.
    pub reader: Cell<Result<(), ReaderError>>,
    pub space: Cell<Option<Space>>,
    pub celsius: Cell<Option<i16>>,
    /// Who writes updates, if anybody does.
    pub updater: RefCell<Option<super::update::Updater>>,
    /// What is said when the software is to be kept, and how often it was asked for; then it is kept.
    pub trial: RefCell<VecDeque<crate::update::Refused>>,
    pub kept: Cell<u32>,
    pub genesis: RefCell<Vec<u8>>,
    pub stuck: Cell<bool>,
    /// The platform has no memory for preparing ballots.
    pub no_memory: Cell<bool>,
    /// How often a voter looks at a screen before touching it.
    pub slow: Cell<u32>,
    pub(super) looked: Cell<u32>,
}

impl World {
    pub fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self {
            people: RefCell::default(),
            touches: RefCell::default(),
            kind: Cell::new(0),
            slot: Rc::default(),
            cards: RefCell::default(),
            inside: Cell::new(None),
            now: Cell::new(0),
            alarm: Cell::new(None),
            items: RefCell::default(),
            unreadable: RefCell::default(),
            entropy: Cell::new(seed),
            online: Cell::new(true),
            ledger: RefCell::default(),
            lies: Cell::new(0),
            lamp: Cell::new(None),
            lamps: RefCell::default(),
            pictures: Cell::new((0, 0)),
            blank: RefCell::default(),
            panel_room: Cell::new(usize::MAX),
            reader: Cell::new(Ok(())),
            space: Cell::new(None),
            celsius: Cell::new(None),
            updater: RefCell::default(),
            trial: RefCell::default(),
            kept: Cell::new(0),
            genesis: RefCell::default(),
            stuck: Cell::new(false),
            no_memory: Cell::new(false),
            slow: Cell::new(0),
            looked: Cell::new(0),
        })
    }

    pub fn insert(&self, number: u8) {
        assert!(self.inside.get().is_none(), "one card at a time");
        let card = self
            .cards
            .borrow()
            .get(&number)
            .cloned()
            .unwrap_or_else(|| Card::new(number));
        *self.slot.borrow_mut() = Some(card);
        self.inside.set(Some(number));
    }

    pub fn pull(&self) {
        if let (Some(number), Some(mut card)) = (self.inside.take(), self.slot.borrow_mut().take()) {
            card.verified = false;
            self.cards.borrow_mut().insert(number, card);
        }
    }

    pub fn touch(&self, touch: Touch) {
        self.touches.borrow_mut().push_back(touch);
    }
}

/// A port onto the world.
#[derive(Clone)]
pub struct Port(pub Rc<World>);

impl Clock for Port {
    fn seconds(&self) -> u64 {
        1_700_000_000 + self.0.now.get() / 1000
    }
    fn milliseconds(&self) -> u64 {
        self.0.now.get()
    }
    async fn sleep(&self, milliseconds: u32) {
        let due = self.0.now.get() + u64::from(milliseconds);
        core::future::poll_fn(|_| {
            if self.0.now.get() >= due {
                return core::task::Poll::Ready(());
            }
            let alarm = self.0.alarm.get().map_or(due, |alarm| alarm.min(due));
            self.0.alarm.set(Some(alarm));
            core::task::Poll::Pending
        })
        .await;
    }
}

impl Entropy for Port {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for byte in bytes {
            if !self.0.stuck.get() {
                let next = self
                    .0
                    .entropy
                    .get()
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(99);
                self.0.entropy.set(next);
            }
            *byte = self.0.entropy.get().to_be_bytes()[0];
        }
        Ok(())
    }
}

impl Panel for Port {
    fn show(&mut self, screen: &Screen<'_>) {
        self.0.look(screen);
    }
    fn pictures(&mut self, pictures: &election::pictures::Pictures<'_>) -> Result<(), TooLarge> {
        if pictures.pictures.as_bytes().len() > self.0.panel_room.get() {
            return Err(TooLarge);
        }
        let (_, times) = self.0.pictures.get();
        self.0.pictures.set((pictures.pictures.count(), times + 1));
        Ok(())
    }
    fn draws(&self, texts: election::manifest::Texts<'_>) -> bool {
        let blank = self.0.blank.borrow();
        blank
            .as_ref()
            .is_none_or(|blank| texts.iter().map_while(Result::ok).all(|text| text.text != blank))
    }
    async fn next(&mut self) -> Touch {
        core::future::poll_fn(|_| {
            let looked = self.0.looked.get();
            if !self.0.touches.borrow().is_empty() && looked < self.0.slow.get() {
                self.0.looked.set(looked + 1);
                return core::task::Poll::Pending;
            }
            match self.0.touches.borrow_mut().pop_front() {
                Some(touch) => {
                    self.0.looked.set(0);
                    let mut people = self.0.people.borrow_mut();
                    people.touched += 1;
                    core::task::Poll::Ready(touch)
                }
                None => core::task::Poll::Pending,
            }
        })
        .await
    }
}

pub struct Reader(pub Rc<World>, pub Contacts);

impl CardReader for Reader {
    type Link = Contacts;
    async fn wait_insert(&mut self) -> Result<(), ReaderError> {
        core::future::poll_fn(|_| {
            if self.0.inside.get().is_some() {
                core::task::Poll::Ready(Ok(()))
            } else {
                core::task::Poll::Pending
            }
        })
        .await
    }
    async fn wait_removed(&mut self) {
        core::future::poll_fn(|_| {
            if self.0.inside.get().is_none() {
                core::task::Poll::Ready(())
            } else {
                core::task::Poll::Pending
            }
        })
        .await;
    }
    async fn look(&mut self) -> Result<bool, ReaderError> {
        self.0.reader.get().map(|()| self.0.inside.get().is_some())
    }
    fn link(&mut self) -> &mut Contacts {
        &mut self.1
    }
    async fn power_down(&mut self) {
        if let Some(card) = self.0.slot.borrow_mut().as_mut() {
            card.verified = false;
        }
    }
}

impl Store for Port {
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let items = self.0.items.borrow();
        let Some(bytes) = items.get(&(item as u8)) else {
            return Ok(None);
        };
        if let Some(error) = self.0.unreadable.borrow().get(&(item as u8)) {
            return Err(*error);
        }
        buffer
            .get_mut(..bytes.len())
            .ok_or(StoreError::TooLong)?
            .copy_from_slice(bytes);
        Ok(Some(bytes.len()))
    }
    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.items.borrow_mut().insert(item as u8, bytes.to_vec());
        Ok(())
    }
    async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        self.0.items.borrow_mut().remove(&(item as u8));
        self.0.unreadable.borrow_mut().remove(&(item as u8));
        Ok(())
    }
    async fn space(&mut self) -> Option<Space> {
        self.0.space.get()
    }
    fn updates(&self) -> bool {
        self.0.updater.borrow().is_some()
    }
    async fn update(&mut self, ask: crate::update::Ask) -> Result<crate::update::Said, crate::update::Refused> {
        let items = self.0.items.borrow().keys().copied().collect();
        let mut updater = self.0.updater.borrow_mut();
        updater
            .as_mut()
            .map_or(Err(crate::update::Refused::Nobody), |updater| updater.ask(ask, items))
    }
    async fn keep(&mut self) -> Result<(), crate::update::Refused> {
        self.0.kept.set(self.0.kept.get() + 1);
        self.0.trial.borrow_mut().pop_front().map_or(Ok(()), Err)
    }
}

impl Signals for Port {
    fn lamp(&mut self, lamp: Lamp) {
        if self.0.lamp.replace(Some(lamp)) != Some(lamp) {
            self.0.lamps.borrow_mut().push(lamp);
        }
    }
    fn sound(&mut self, _: Sound) {}
    fn celsius(&mut self) -> Option<i16> {
        self.0.celsius.get()
    }
}

impl Uplink for Port {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        self.sleep(3).await;
        if !self.0.online.get() {
            return Err(UplinkError);
        }
        Ok(self.0.ask(request, reply))
    }
}

pub struct Test;
impl Platform for Test {
    type Clock = Port;
    type Entropy = Port;
    type Panel = Port;
    type Reader = Reader;
    type Certificates = BareKeys;
    type Medium = media::Faulty;
    type Store = Port;
    type Signals = Port;
    type Uplink = Port;
}
