//! The ports of a kiosk in memory, in virtual time, with people who act on what they see.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::string::String;
use std::vec;
use std::vec::Vec;

use election::ballot::{PreparedSelection, PreparedSum};
use election::hash::{Digest, sha256};
use election::ledger::frame::{Reply, Request, read_request, write_reply};
use election::ledger::{BlockHeader, CommitProof, CommitSignature, Genesis, Transaction, precommit, transaction_hash};
use election::package::Package;
use election::wire::{Bytes, Seq, SeqWriter};

use super::cards::{BareKeys, Card, Contacts};
use super::desk;
use crate::ballot_box::{self, Layout, Memory, Row, media_for_tests as media};
use crate::ports::*;
use crate::run::{Buffers, Config, Exit, Sizes};
use crate::screen::*;
use crate::session::WrongCard;

/// What somebody comes for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visit {
    Voter {
        card: u8,
        pin: [u8; 4],
        /// Bits a contest.
        choice: [u64; 2],
        how: How,
    },
    Close,
    /// Staff who open the menu and walk away.
    LeaveMenu,
    /// Staff who show one card, look at the question and walk away.
    LeaveQuestion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Cast,
    ChallengeFirst,
    PullCard,
    EndWithoutVote,
}

/// What people saw and did.
#[derive(Default)]
pub struct People {
    pub visits: VecDeque<Visit>,
    /// Staff cards in the order they are put in.
    pub staff: VecDeque<u8>,
    pub done: BTreeMap<u8, [u64; 2]>,
    pub refused: Vec<(u8, WrongCard)>,
    pub staff_refused: Vec<WrongStaffCard>,
    pub restarted: Vec<Restarted>,
    /// PIN tries shown before each try.
    pub tries: Vec<u8>,
    pub last_tries: u32,
    pub challenged: bool,
    pub touched: u64,
    pub opened: Vec<Vec<u8>>,
    pub zero_reports: u32,
    pub closed: Option<(Digest, Vec<&'static str>)>,
    pub codes: Vec<Digest>,
    /// Staff make the closed kiosk ready for another epoch.
    pub retire: bool,
    /// Each time the closed kiosk showed itself: what was unsent, and whether its keys could be forgotten.
    pub retires_offered: Vec<(u32, bool)>,
    pub faults: Vec<(Fault, Option<Recorded>)>,
    /// The tries of a voter's card drop to one as the PIN is typed.
    pub drops: bool,
    pub accepts_last_try: bool,
    /// A voter was told that a PIN was wrong.
    pub wrong: bool,
    /// Staff cards accepted since the menu was opened.
    pub accepted: u32,
    /// How often counts were seen while polls were open.
    pub counts_seen: u32,
    /// When the card was taken out of "done", and when that went from the screen.
    pub taken: Option<u64>,
    pub done_left: Option<u64>,
    /// The voter whose vote was being cast when the power went.
    pub casting: Option<u8>,
    /// What the question before closing said of too few votes.
    pub few: Option<u32>,
    /// What the menu of the open kiosk said of the media's room.
    pub room: Option<Room>,
    /// The voter leaves the card in "done" until the power goes.
    pub lingers: bool,
    /// Why updates were not taken.
    pub updates_refused: Vec<crate::update::Refused>,
    /// Whether they were told with it that the keys had gone.
    pub updates_retired: Vec<bool>,
    /// How often staff were told to switch the machine off and on.
    pub stuck: usize,
    /// Staff go back from the question of a takeover.
    pub declines: bool,
    /// Staff go back from an update that is offered.
    pub goes_back: bool,
    /// Whoever opened the menu has walked away; it is shown again until it closes.
    pub left: bool,
    /// What the menu said before polls opened, each time it was shown.
    pub menus: Vec<Health>,
    /// So often staff only look at it; before each further look something is done to the machine.
    pub waits: Vec<Wait>,
}

/// Something done to the machine.
pub type Wait = std::boxed::Box<dyn Fn(&World)>;

pub struct World {
    pub people: RefCell<People>,
    touches: RefCell<VecDeque<Touch>>,
    kind: Cell<u32>,
    pub slot: Rc<RefCell<Option<Card>>>,
    pub cards: RefCell<BTreeMap<u8, Card>>,
    inside: Cell<Option<u8>>,
    pub now: Cell<u64>,
    alarm: Cell<Option<u64>>,
    pub items: RefCell<BTreeMap<u8, Vec<u8>>>,
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
    /// What the reader says of itself.
    pub reader: Cell<Result<(), ReaderError>>,
    pub space: Cell<Option<Space>>,
    pub celsius: Cell<Option<i16>>,
    /// Who writes updates, if anybody does.
    pub updater: RefCell<Option<super::update::Updater>>,
    pub genesis: RefCell<Vec<u8>>,
    pub stuck: Cell<bool>,
    /// The platform has no memory for preparing ballots.
    pub no_memory: Cell<bool>,
    /// How often a voter looks at a screen before touching it.
    pub slow: Cell<u32>,
    looked: Cell<u32>,
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
            entropy: Cell::new(seed),
            online: Cell::new(true),
            ledger: RefCell::default(),
            lies: Cell::new(0),
            lamp: Cell::new(None),
            lamps: RefCell::default(),
            pictures: Cell::new((0, 0)),
            panel_room: Cell::new(usize::MAX),
            reader: Cell::new(Ok(())),
            space: Cell::new(None),
            celsius: Cell::new(None),
            updater: RefCell::default(),
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

    fn pin(&self, pin: [u8; 4]) {
        for digit in pin {
            self.touch(Touch::Digit(digit - b'0'));
        }
        self.touch(Touch::Enter);
    }

    /// A voter marks what is missing, or goes on.
    fn mark(&self, screen: &ContestScreen<'_>, wanted: u64) {
        let missing = wanted & !screen.selected.bits();
        if missing == 0 {
            self.touch(Touch::Next);
        } else {
            self.touch(Touch::Option(u8::try_from(missing.trailing_zeros()).unwrap()));
        }
    }

    /// People look at the panel.
    #[allow(clippy::too_many_lines)]
    fn look(&self, screen: &Screen<'_>) {
        let kind = discriminant(screen);
        if self.kind.replace(kind) != kind {
            self.touches.borrow_mut().clear();
        }
        if !self.touches.borrow().is_empty() {
            return;
        }
        let mut people = self.people.borrow_mut();
        if matches!(screen, Screen::Blank) {
            people.done_left = Some(self.now.get());
        }
        people.left &= !matches!(screen, Screen::Idle { .. });
        let visit = people.visits.front().cloned();
        let voter = match &visit {
            Some(Visit::Voter { card, pin, choice, how }) => Some((*card, *pin, *choice, *how)),
            _ => None,
        };
        match screen {
            Screen::Idle { .. } => match visit {
                Some(Visit::Voter { card, .. }) => {
                    drop(people);
                    self.insert(card);
                }
                Some(Visit::Close | Visit::LeaveMenu | Visit::LeaveQuestion) => {
                    people.accepted = 0;
                    self.touch(Touch::Staff(StaffTouch::Menu));
                }
                None => {}
            },
            Screen::Pin {
                digits: 0,
                tries_left,
                who,
                wrong,
                ..
            } => {
                people.tries.push(*tries_left);
                people.wrong |= *wrong && *who == PinOf::Voter;
                if *who == PinOf::Voter && core::mem::take(&mut people.drops) {
                    self.slot.borrow_mut().as_mut().unwrap().tries = 1;
                }
                match who {
                    PinOf::Voter => self.pin(voter.unwrap().1),
                    PinOf::Staff(_) => self.pin(*b"1234"),
                }
            }
            Screen::LastTry { .. } => {
                people.last_tries += 1;
                if people.accepts_last_try {
                    self.touch(Touch::Confirm);
                    return;
                }
                people.visits.pop_front();
                drop(people);
                self.pull();
            }
            Screen::WrongCard { why } => {
                people.refused.push((voter.unwrap().0, *why));
                people.visits.pop_front();
                drop(people);
                self.pull();
            }
            Screen::Contest(contest) => {
                let (_, _, choice, how) = voter.unwrap();
                if how == How::EndWithoutVote {
                    self.touch(Touch::EndWithoutVote);
                } else {
                    self.mark(contest, choice[usize::from(contest.index)]);
                }
            }
            Screen::EndWithoutVote => {
                people.casting = voter.map(|voter| voter.0);
                self.touch(Touch::Confirm);
            }
            Screen::Review(review) => {
                let (_, _, choice, how) = voter.unwrap();
                // A3: what is recorded was shown before.
                assert_eq!(review.selected.iter().map(|s| s.bits()).collect::<Vec<_>>(), choice);
                if how == How::PullCard {
                    people.visits.pop_front();
                    drop(people);
                    self.pull();
                } else {
                    self.touch(Touch::Confirm);
                }
            }
            Screen::CastOrChallenge { code, .. } => {
                let (card, _, _, how) = voter.unwrap();
                if how == How::ChallengeFirst && !people.challenged {
                    people.challenged = true;
                    self.touch(Touch::Challenge);
                } else {
                    people.codes.push(**code);
                    people.casting = Some(card);
                    self.touch(Touch::Cast);
                }
            }
            Screen::Opening(opening) => {
                let choice = voter.unwrap().2[usize::from(opening.index)];
                assert_eq!(opening.selected.bits(), choice);
                let read = election::opening::Opening::parse(opening.payload).unwrap();
                assert_eq!(read.choice(if opening.index == 0 { 3 } else { 4 }), choice);
                people.opened.push(opening.payload.to_vec());
                self.touch(Touch::Next);
            }
            // Still there for a while.
            Screen::Done if self.inside.get().is_none() || (people.lingers && people.taken.is_some()) => {}
            Screen::Done => {
                people.taken = Some(self.now.get());
                let (card, _, choice, how) = voter.unwrap();
                let choice = if how == How::EndWithoutVote { [0; 2] } else { choice };
                people.done.insert(card, choice);
                people.casting = None;
                people.challenged = false;
                people.visits.pop_front();
                let lingers = people.lingers;
                drop(people);
                if !lingers {
                    self.pull();
                }
            }
            Screen::Fault { why, recorded } => people.faults.push((*why, *recorded)),
            Screen::Staff(screen) => self.staff(&mut people, screen),
            _ => {}
        }
    }

    fn staff(&self, people: &mut People, screen: &StaffScreen<'_>) {
        match screen {
            StaffScreen::Menu {
                phase: Phase::NotOpened,
                health,
            } => {
                people.menus.push(*health);
                match people.waits.pop() {
                    Some(happens) => happens(self),
                    None => self.touch(Touch::Staff(StaffTouch::Open)),
                }
            }
            StaffScreen::Menu { health, .. } => {
                people.room = Some(health.room);
                // A14: nothing to read a count from.
                assert_eq!(
                    (health.counts, health.free, health.free_spoiled, health.unsent),
                    (None, 0, 0, 0)
                );
                if people.visits.front() == Some(&Visit::LeaveMenu) {
                    people.visits.pop_front();
                    people.left = true;
                } else if !people.left {
                    self.touch(Touch::Staff(StaffTouch::Close));
                }
            }
            StaffScreen::ConfirmClose { few, .. } => {
                assert_eq!(people.accepted, 1, "counts before a staff card");
                people.few = *few;
                people.counts_seen += 1;
                if people.visits.front() == Some(&Visit::LeaveQuestion) {
                    people.visits.pop_front();
                } else {
                    self.touch(Touch::Confirm);
                }
            }
            StaffScreen::AwaitSecret { .. } => {
                let request = self.items.borrow().get(&(Item::Request as u8)).cloned().unwrap();
                let sealed = desk::sealed(&request);
                self.items.borrow_mut().insert(Item::Secret as u8, sealed);
                self.touch(Touch::Confirm);
            }
            StaffScreen::ChooseEpoch { .. } => self.touch(Touch::Staff(StaffTouch::Epoch(0))),
            StaffScreen::InsertCard { number, .. } => {
                let card = people
                    .staff
                    .pop_front()
                    .unwrap_or(desk::STAFF[usize::from(*number - 1)]);
                self.insert(card);
            }
            StaffScreen::CardRefused { why } => {
                people.staff_refused.push(*why);
                self.pull();
            }
            StaffScreen::TakeCard => {
                people.accepted += 1;
                self.pull();
            }
            StaffScreen::ZeroReport(report) => {
                assert_eq!(report.software, &desk::SOFTWARE);
                people.zero_reports += 1;
                self.touch(Touch::Confirm);
            }
            StaffScreen::Restarted(restarted) => {
                people.restarted.push(*restarted);
                self.touch(Touch::Confirm);
            }
            StaffScreen::TakeOver { .. } if people.declines => self.touch(Touch::Back),
            StaffScreen::Provision { .. } | StaffScreen::TakeOver { .. } => self.touch(Touch::Confirm),
            StaffScreen::Update(UpdateScreen::Offer { .. }) if people.goes_back => self.touch(Touch::Back),
            StaffScreen::Update(UpdateScreen::Offer { .. } | UpdateScreen::Done { .. }) => self.touch(Touch::Confirm),
            StaffScreen::Update(UpdateScreen::Writing { .. }) => {}
            StaffScreen::Update(UpdateScreen::Stuck { .. }) => {
                people.stuck += 1;
                self.touch(Touch::Confirm);
            }
            StaffScreen::Update(UpdateScreen::Refused { why, retired }) => {
                people.updates_refused.push(*why);
                people.updates_retired.push(*retired);
                self.touch(Touch::Confirm);
            }
            StaffScreen::Closed(closed) => {
                // Only now: a cut before this leaves the polls to be closed once more.
                if people.visits.front() == Some(&Visit::Close) {
                    people.visits.pop_front();
                }
                people.closed = Some((*closed.hash, closed.words.to_vec()));
                people.retires_offered.push((closed.unsent, closed.retire));
                if closed.retire && core::mem::take(&mut people.retire) {
                    self.touch(Touch::Staff(StaffTouch::Retire));
                    return;
                }
                // Staff wait for the network where there is one.
                if closed.unsent == 0 || !self.online.get() {
                    self.touch(Touch::Confirm);
                }
            }
        }
    }

    /// The validator: one block a transaction.
    fn ask(&self, request: &[u8], reply: &mut [u8]) -> usize {
        match read_request(request).unwrap() {
            Request::Submit(transaction) => {
                Transaction::read(transaction.0).unwrap();
                let mut ledger = self.ledger.borrow_mut();
                if !ledger.iter().any(|known| known == transaction.0) {
                    ledger.push(transaction.0.to_vec());
                }
                write_reply(&Reply::Accepted(transaction_hash(transaction.0)), reply)
                    .unwrap()
                    .len()
            }
            Request::Proof(hash) => {
                let ledger = self.ledger.borrow();
                let Some(at) = ledger.iter().position(|known| transaction_hash(known) == hash) else {
                    return write_reply(&Reply::NotYet, reply).unwrap().len();
                };
                let genesis = self.genesis.borrow();
                let genesis = Genesis::read(&genesis).unwrap();
                // A liar shows the proof of something else.
                let lie = self.lies.get() > 0;
                self.lies.set(self.lies.get().saturating_sub(1));
                let shown = if lie { b"something else" } else { &ledger[at][..] };
                let header = BlockHeader {
                    version: 1,
                    chain: genesis.chain_id(),
                    height: u64::try_from(at).unwrap() + 1,
                    previous: [0; 32],
                    transactions: election::merkle::leaf(shown),
                    validators: genesis.validators.hash(),
                };
                let bytes = precommit(&header.chain, header.height, 0, &header.hash());
                let signature = desk::validator().sign_prehash(&sha256(&bytes)).unwrap();
                let mut list = [0; 128];
                let mut writer = SeqWriter::new(&mut list);
                writer
                    .push(&CommitSignature {
                        validator: 0,
                        signature: Bytes(signature),
                    })
                    .unwrap();
                let proof = CommitProof {
                    header,
                    round: 0,
                    signatures: writer.finish(),
                    index: 0,
                    count: 1,
                    path: Seq::default(),
                };
                write_reply(&Reply::Proof(proof), reply).unwrap().len()
            }
            Request::Tip | Request::Change(_) => panic!("nobody asks"),
        }
    }
}

fn discriminant(screen: &Screen<'_>) -> u32 {
    let (outer, inner) = match screen {
        Screen::Staff(staff) => (
            std::mem::discriminant(screen),
            std::format!("{:?}", std::mem::discriminant(staff)),
        ),
        _ => (std::mem::discriminant(screen), String::new()),
    };
    let text = std::format!("{outer:?}{inner}");
    text.bytes()
        .fold(7, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)))
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

pub struct Reader(Rc<World>, Contacts);

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

/// A kiosk's machine: media and store outlive runs.
pub struct Machine {
    pub world: Rc<World>,
    pub package: Vec<u8>,
    pub media: [media::Faulty; 2],
    pub with_uplink: bool,
    pub layout: Layout,
}

/// How a run went.
#[derive(Debug, PartialEq, Eq)]
pub enum Ran {
    Ended(Exit),
    /// The power went.
    Cut,
    /// Nothing happens any more: everybody waits.
    Waiting,
}

pub fn layout(package: &[u8]) -> Layout {
    layout_for(package, 16)
}

pub fn layout_for(package: &[u8], cast: u32) -> Layout {
    let package = Package::open(package, &desk::authority().public_key()).unwrap();
    Layout::plan(&package.manifest, 512, cast, 6).unwrap()
}

impl Machine {
    /// Runs until it ends, the power goes or nothing happens for an hour.
    pub fn run(&self) -> Ran {
        let authority = desk::authority().public_key();
        let other;
        let package = match Package::open(&self.package, &authority) {
            Ok(package) => package,
            // A kiosk refuses it before any size of it matters.
            Err(_) => {
                other = desk::package(election::manifest::Mode::Consultation, 1);
                Package::open(&other, &authority).unwrap()
            }
        };
        let sizes = Sizes::new(&package.manifest, &self.layout);
        let config = Config {
            package: Some(&self.package),
            authority: &authority,
            station: desk::STATION,
            software: &desk::SOFTWARE,
            key_unprotected: false,
        };
        let mut rows = vec![Row::EMPTY; sizes.rows];
        let mut used = vec![0; sizes.used];
        let mut scratch = vec![0; sizes.scratch];
        let entry = election::batch::Entry {
            kind: ballot_box::Kind::Cast,
            code: [0; 32],
            leaf: [0; 32],
        };
        let mut entries = vec![entry; sizes.entries];
        let mut slot = vec![0; sizes.scratch];
        let mut secrets: Vec<election::ballot::Secret> =
            (0..sizes.secrets).map(|_| election::ballot::Secret::EMPTY).collect();
        let mut prepared: Vec<PreparedSelection> = (0..sizes.secrets).map(|_| PreparedSelection::EMPTY).collect();
        let mut sums: Vec<PreparedSum> = (0..sizes.sums).map(|_| PreparedSum::EMPTY).collect();
        prepared.truncate(if self.world.no_memory.get() { 1 } else { usize::MAX });
        let (mut opening, mut request) = (vec![0; sizes.opening], vec![0; sizes.request]);
        let (mut reply, mut delta) = (vec![0; sizes.reply], vec![0; 4096]);
        let (mut generator, mut joint) = (
            std::boxed::Box::new(election::table::Table6::EMPTY),
            std::boxed::Box::new(election::table::Table6::EMPTY),
        );
        let buffers = Buffers {
            memory: Memory {
                rows: &mut rows,
                used: &mut used,
                scratch: &mut scratch,
                entries: &mut entries,
            },
            slot: &mut slot,
            secrets: &mut secrets,
            prepared: &mut prepared,
            sums: &mut sums,
            opening: &mut opening,
            request: &mut request,
            reply: &mut reply,
            delta: &mut delta,
            generator: &mut generator,
            joint: &mut joint,
        };
        let world = &self.world;
        let mut ports = Ports::<Test> {
            clock: Port(world.clone()),
            entropy: Port(world.clone()),
            panel: Port(world.clone()),
            reader: Reader(world.clone(), Contacts(world.slot.clone())),
            certificates: BareKeys,
            original: self.media[0].clone(),
            duplicate: self.media[1].clone(),
            store: Port(world.clone()),
            signals: Port(world.clone()),
            uplink: self.with_uplink.then(|| Port(world.clone())),
        };
        world.kind.set(0);
        world.touches.borrow_mut().clear();
        let mut future = std::boxed::Box::pin(crate::run::run(&mut ports, &config, buffers));
        let mut context = core::task::Context::from_waker(core::task::Waker::noop());
        let start = world.now.get();
        let mut quiet = 0;
        let ran = loop {
            world.alarm.set(None);
            let touched = world.people.borrow().touched;
            if let core::task::Poll::Ready(exit) = future.as_mut().poll(&mut context) {
                break Ran::Ended(exit);
            }
            if self.media[0].power.borrow().left == Some(0) && self.media[0].power.borrow().gone {
                break Ran::Cut;
            }
            let busy = world.people.borrow().touched != touched || !world.touches.borrow().is_empty();
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet > 2 {
                match world.alarm.get() {
                    Some(alarm) if alarm < start + 86_400_000 && quiet < 5_000 => world.now.set(alarm),
                    _ => break Ran::Waiting,
                }
            }
        };
        // Invariant 7, however it ended: nothing that opens a ballot stays in the platform's memory.
        drop(future);
        assert!(
            secrets.iter().all(election::ballot::Secret::is_empty),
            "nonces stayed: {ran:?}"
        );
        assert!(opening.iter().all(|byte| *byte == 0), "an opening stayed: {ran:?}");
        assert!(
            !prepared.iter().any(PreparedSelection::is_fresh),
            "a prepared selection stayed: {ran:?}"
        );
        ran
    }

    /// The power goes and comes back; whoever stood there takes the card out.
    pub fn power_cycle(&self) {
        for medium in &self.media {
            medium.fail_power();
        }
        let mut power = self.media[0].power.borrow_mut();
        power.left = None;
        power.gone = false;
        drop(power);
        self.world.pull();
    }
}
