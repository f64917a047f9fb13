//! What stands in the place of the kiosk's program when that runs on a board: it carries what happens in the booth to the board's lines, and
//! what the board says back to the booth.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use election::ledger::frame::MAX_REPLY;
use election::package::Package;
use embassy_futures::block_on;
use embassy_futures::select::{Either, Either3, select, select3, select4};
use kiosk::ports::{Item, Lamp, Panel as _, Signals as _, Sound, Store as _, Uplink};
use kiosk::screen::{PinOf, Screen};
use mcu::line::{Frames, wrap};
use mcu::stand::{self, End, serial, word};
use mcu::store::FlashStore;
use rand_core::Rng as _;

use super::card::CardEnd;
use super::finger::{Finger, Made};
use super::front::Front;
use super::guest::Guest;
use super::image::{Emulation, lock};
use super::memory::{Memory, Ram};
use super::mirror::Mirror;
use crate::world::booth::{Booth, BoothPort, Move};
use crate::world::executor::{Executor, Outside};
use crate::world::machine::{Ended, Setup};
use crate::world::media::{Shared, Slot};
use crate::world::power::Power;
use crate::world::reader::Card;
use crate::world::store::Items;
use crate::world::time::Timeline;
use crate::world::view::{StaffView, View};

/// Longest request that is carried.
const REQUEST: usize = 1 << 18;
/// Bytes of a record, a page and what lies around it: a cut that falls at a boundary of the world falls so many bytes into the write.
const STRIDE: u64 = 700;

/// Everything of a machine that its program needs.
pub(crate) struct Parts {
    pub emulation: Emulation,
    pub executor: Executor,
    pub booth: Booth,
    pub port: BoothPort,
    pub items: Items,
    pub slots: [Slot; 2],
    pub power: Rc<Power>,
    pub package: Rc<[u8]>,
    pub setup: Setup,
    pub rng: chacha20::ChaCha20Rng,
    pub begin: u64,
    pub front: Front,
}

/// A board with what was put into it; when it goes, by itself or with its power, what its flash holds is in the world again.
struct Board {
    guest: Rc<Guest>,
    flash: Flash,
}

/// What the world has put into a board's flash.
struct Flash {
    items: Items,
    slots: [Slot; 2],
    /// What is in the board's slots.
    inside: RefCell<[Option<Shared>; 2]>,
    /// What the store held when we looked last.
    known: RefCell<BTreeMap<Item, Vec<u8>>>,
}

impl Drop for Board {
    fn drop(&mut self) {
        self.guest.kill();
        // A file that cannot be read any more leaves the world as it was: the judges will say what is missing.
        let _ = self.flash.pull(&self.guest.memory);
        let _ = self.flash.media_back(&self.guest.memory);
    }
}

fn prepare(memory: &Memory, parts: &mut Parts, flash: &Flash) -> Result<()> {
    memory.write(stand::PACKAGE, &parts.package)?;
    memory.set(
        word::PACKAGE_LEN,
        u32::try_from(parts.package.len()).unwrap_or(u32::MAX),
    )?;
    memory.set(word::STATION, u32::from(parts.setup.station))?;
    memory.write(stand::CONTROL + word::AUTHORITY, &parts.setup.authority)?;
    memory.set_long(word::BEGIN, parts.begin)?;
    let mut entropy = vec![0; stand::ENTROPY_LEN];
    parts.rng.fill_bytes(&mut entropy);
    memory.write(stand::ENTROPY, &entropy)?;
    flash.push(memory, || Ok(()))
}

impl Board {
    fn push(&self) -> Result<()> {
        // Only while it rests: it reads and writes there too.
        self.flash.push(&self.guest.memory, || self.guest.settle().map(|_| ()))
    }
}

impl Flash {
    /// Media that were put in or taken out, items that the desk has put into the store; `rest` before anything is changed.
    fn push(&self, memory: &Memory, rest: impl Fn() -> Result<()>) -> Result<()> {
        let mut inside = self.inside.borrow_mut();
        for (index, (slot, inside)) in self.slots.iter().zip(inside.iter_mut()).enumerate() {
            let medium = slot.medium();
            let same = match (&medium, &*inside) {
                (Some(one), Some(two)) => Rc::ptr_eq(one, two),
                (None, None) => true,
                _ => false,
            };
            if same {
                continue;
            }
            rest()?;
            let place = stand::MEDIA.get(index).copied().context("two slots")?;
            let length = medium.as_ref().map_or(0, |medium| medium.borrow().bytes().len());
            anyhow::ensure!(
                length <= stand::MEDIUM_LEN,
                "a medium of {length} bytes does not fit into the board"
            );
            if let Some(old) = inside.take() {
                Self::take_back(memory, index, &old)?;
            }
            if let Some(medium) = &medium {
                let mut bytes = medium.borrow().bytes().to_vec();
                bytes.resize(length.next_multiple_of(stand::BLOCK), 0xFF);
                memory.write(place, &bytes)?;
            }
            memory.set(*word::MEDIA.get(index).context("two slots")?, u32::try_from(length)?)?;
            *inside = medium;
        }
        drop(inside);
        let mut known = self.known.borrow_mut();
        let fresh: Vec<(Item, Option<Vec<u8>>)> = Item::ALL
            .into_iter()
            .map(|item| (item, self.items.get(item)))
            .filter(|(item, bytes)| known.get(item) != bytes.as_ref())
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        rest()?;
        let mut store = Self::store(memory)?;
        for (item, bytes) in fresh {
            match bytes {
                Some(bytes) => {
                    block_on(store.write(item, &bytes)).map_err(|error| anyhow::anyhow!("{error}"))?;
                    known.insert(item, bytes);
                }
                None => {
                    block_on(store.erase(item)).map_err(|error| anyhow::anyhow!("{error}"))?;
                    known.remove(&item);
                }
            }
        }
        memory.write(stand::STORE, &store.release().0)?;
        Ok(())
    }

    fn store(memory: &Memory) -> Result<FlashStore<Ram>> {
        let flash = Ram(memory.read(stand::STORE, stand::STORE_LEN)?);
        FlashStore::new(flash).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// What the board has written into its store.
    fn pull(&self, memory: &Memory) -> Result<()> {
        let mut store = Self::store(memory)?;
        let mut buffer = vec![0; mcu::store::LONGEST];
        let mut known = self.known.borrow_mut();
        for item in Item::ALL {
            let length = block_on(store.read(item, &mut buffer)).map_err(|error| anyhow::anyhow!("{error}"))?;
            match length.and_then(|length| buffer.get(..length)) {
                Some(bytes) => {
                    self.items.put(item, bytes);
                    known.insert(item, bytes.to_vec());
                }
                None => {
                    self.items.remove(item);
                    known.remove(&item);
                }
            }
        }
        Ok(())
    }

    fn take_back(memory: &Memory, index: usize, medium: &Shared) -> Result<()> {
        let mut medium = medium.borrow_mut();
        let place = stand::MEDIA.get(index).copied().context("two slots")?;
        let bytes = memory.read(place, medium.bytes().len())?;
        medium.replace(bytes);
        Ok(())
    }

    fn media_back(&self, memory: &Memory) -> Result<()> {
        for (index, medium) in self.inside.borrow_mut().iter_mut().enumerate() {
            if let Some(medium) = medium.take() {
                Self::take_back(memory, index, &medium)?;
            }
        }
        Ok(())
    }
}

/// Runs a board until its program ends or the future is dropped, which is a power cut.
pub(crate) async fn program<U: Uplink>(parts: Parts, uplink: Option<U>) -> Ended {
    match run(parts, uplink).await {
        Ok(ended) => ended,
        Err(error) => Err(format!("{error:#}")),
    }
}

async fn run<U: Uplink>(mut parts: Parts, uplink: Option<U>) -> Result<Ended> {
    let time = parts.executor.time().clone();
    let emulation = parts.emulation.clone();
    let flash = Flash {
        items: parts.items.clone(),
        slots: parts.slots.clone(),
        inside: RefCell::default(),
        known: RefCell::default(),
    };
    let guest = Guest::start(&emulation, time.clone(), |memory| prepare(memory, &mut parts, &flash))?;
    let board = Board {
        guest: guest.clone(),
        flash,
    };
    let outside: Rc<dyn Outside> = guest.clone();
    parts.executor.beside(&outside);
    // Nothing is sent before the firmware listens.
    if let Either::Second(why) = select(guest.rested(), guest.failed()).await {
        anyhow::bail!(why);
    }
    let mirror = if emulation.shown {
        Mirror::laid(time.clone())?
    } else {
        Mirror::drawn(time.now())?
    };
    let finger = Rc::new(Finger::new(guest.clone(), time.clone(), mirror));
    let _standing = parts.front.stand(&finger);
    let package = Package::open(&parts.package, &parts.setup.authority).ok();
    if let Some(pictures) = package.as_ref().and_then(|package| package.pictures.as_ref()) {
        // The board may refuse them, and says so; the mirror has memory for all.
        let _ = finger.panel().pictures(pictures);
    }
    let port = RefCell::new(parts.port);
    let ended = Cell::new(None);
    let idle = emulation.idle.as_deref();
    let screens = screens(&board, &finger, &port, package.as_ref(), &parts.power, &ended, idle);
    let hands = hands(&board, &finger, &parts.booth, &emulation, &parts.power);
    let failed = async { Err(anyhow::anyhow!(guest.failed().await)) };
    let lines = select3(cards(&guest, &parts.booth), network(&guest, uplink), failed);
    let clock = alarms(&guest, &time);
    let over = match select4(screens, hands, lines, clock).await {
        embassy_futures::select::Either4::First(over) => over,
        embassy_futures::select::Either4::Second(over) => over.map(|()| Ok(())),
        embassy_futures::select::Either4::Third(
            Either3::First(over) | Either3::Second(over) | Either3::Third(over),
        ) => over.map(|()| Ok(())),
        embassy_futures::select::Either4::Fourth(over) => over.map(|()| Ok(())),
    };
    drop(board);
    over
}

/// Screens, lamp and sounds, in the order they come.
async fn screens(
    board: &Board,
    finger: &Finger,
    port: &RefCell<BoothPort>,
    package: Option<&Package<'_>>,
    power: &Power,
    ended: &Cell<Option<Ended>>,
    idle: Option<&Mutex<Vec<u8>>>,
) -> Result<Ended> {
    let guest = &board.guest;
    loop {
        let next = guest.changed.wait_for(|| {
            let mut heard = guest.heard.borrow_mut();
            while let Some(lamp) = heard.lamps.pop_front() {
                port.borrow_mut().lamp(lamp_of(lamp));
            }
            while let Some(sound) = heard.sounds.pop_front() {
                port.borrow_mut().sound(sound_of(sound));
            }
            match heard.screens.pop_front() {
                Some(screen) => Some(Ok(screen)),
                None => heard.ends.pop_front().map(Err),
            }
        });
        match next.await {
            Ok(bytes) => {
                let show = |screen: &Screen<'_>| {
                    finger.show(screen);
                    let view = View::of(screen);
                    if matches!(
                        &view,
                        View::Staff(StaffView::AwaitSecret { .. } | StaffView::Closed { .. })
                    ) {
                        board.flash.pull(&guest.memory)?;
                    }
                    if let View::Fault { why, recorded } = &view {
                        ended.set(Some(Err(format!("{why:?}, vote recorded: {recorded:?}"))));
                    }
                    if let (View::Idle, Some(idle)) = (&view, idle)
                        && lock(idle).is_empty()
                    {
                        *lock(idle) = guest.memory.read(0, stand::SIZE)?;
                    }
                    port.borrow_mut().show(screen);
                    Ok::<(), anyhow::Error>(())
                };
                mcu::sight::show(&bytes, package, show)??;
            }
            Err(end) if end == End::Closed as u8 => return Ok(Ok(())),
            Err(end) if end == End::Fault as u8 => {
                return Ok(ended.take().unwrap_or_else(|| Err("the board is out of order".into())));
            }
            Err(end) if end == End::Fuse as u8 => {
                // The world does the rest: this future is dropped.
                power.cut();
                std::future::pending::<()>().await;
            }
            Err(_) => {
                let message = guest.panic_message()?.unwrap_or_default();
                eprintln!("the board panicked and starts again: {message}");
            }
        }
    }
}

fn lamp_of(byte: u8) -> Lamp {
    let all = [
        Lamp::Off,
        Lamp::Ready,
        Lamp::Voting,
        Lamp::Finished,
        Lamp::Call,
        Lamp::Fault,
    ];
    all.into_iter().find(|lamp| *lamp as u8 == byte).unwrap_or(Lamp::Fault)
}

fn sound_of(byte: u8) -> Sound {
    let all = [Sound::Done, Sound::Refused, Sound::Call, Sound::Fault];
    all.into_iter()
        .find(|sound| *sound as u8 == byte)
        .unwrap_or(Sound::Fault)
}

/// Touches of whoever stands there. Every second voter reads another language.
async fn hands(board: &Board, finger: &Finger, booth: &Booth, emulation: &Emulation, power: &Power) -> Result<()> {
    let mut voters = 0_u32;
    let mut spoken = false;
    loop {
        let touch = booth.next_touch().await;
        board.push()?;
        if let Some(boundaries) = power.planned() {
            let bytes = u32::try_from(boundaries * STRIDE + 1)?;
            board.guest.memory.set(word::FUSE, bytes)?;
        }
        let pin = |view: &View| {
            matches!(
                view,
                View::Pin {
                    who: PinOf::Voter,
                    digits: 0,
                    ..
                }
            )
        };
        if pin(&booth.view()) {
            if !spoken {
                spoken = true;
                voters += 1;
                if voters.is_multiple_of(2) && !finger.language("en").await? {
                    lock(&emulation.missed).push("another language in front of the PIN pad".to_owned());
                }
            }
        } else if !matches!(*booth.view(), View::Pin { .. }) {
            // Nobody touches an idle screen: the first touch behind the PIN pad tells that the next PIN is another voter's.
            spoken = false;
        }
        let view = booth.view();
        if finger.touch(touch, &emulation.album).await? == Made::NotOffered {
            let missed = format!("{:?} in front of {view:?}", Move::Touch(touch));
            eprintln!("no button of the board's screen gives {missed}");
            lock(&emulation.missed).push(missed);
        }
    }
}

/// The card slot: what is in it, its contacts, its line.
async fn cards(guest: &Guest, booth: &Booth) -> Result<()> {
    let mut inside: Option<Card> = None;
    let mut contacts = 0;
    let mut end: Option<CardEnd> = None;
    loop {
        enum Next {
            Contacts(u8),
            Byte(u8),
        }
        let heard = guest.changed.wait_for(|| {
            let mut heard = guest.heard.borrow_mut();
            let contacts = heard.contacts.pop_front().map(Next::Contacts);
            contacts.or_else(|| heard.card.pop_front().map(Next::Byte))
        });
        match select(heard, booth.slot.other_than(inside.as_ref())).await {
            Either::First(Next::Contacts(now)) => {
                let powered = now & 1 == 1;
                let rose = now & 2 == 2 && contacts & 2 == 0;
                contacts = now;
                if !powered || now & 2 == 0 {
                    end = None;
                    if let Some(card) = &inside {
                        card.chip().borrow_mut().reset();
                    }
                } else if rose && let Some(card) = inside.as_ref().filter(|card| card.answers()) {
                    let (card, atr) = CardEnd::reset(card.chip());
                    end = Some(card);
                    guest.send(serial::CARD, &atr)?;
                }
            }
            Either::First(Next::Byte(byte)) => {
                if let Some(answer) = end.as_mut().and_then(|end| end.push(byte)) {
                    guest.send(serial::CARD, &answer)?;
                }
            }
            Either::Second(card) => {
                end = None;
                inside = card;
                guest.memory.set(word::CARD_IN, u32::from(inside.is_some()))?;
                guest.ring()?;
            }
        }
    }
}

/// Frames of the network.
async fn network<U: Uplink>(guest: &Guest, mut uplink: Option<U>) -> Result<()> {
    let mut frames = Frames::default();
    let mut request = vec![0; REQUEST];
    let mut reply = vec![0; MAX_REPLY];
    loop {
        let (number, length) = guest
            .changed
            .wait_for(|| {
                let mut heard = guest.heard.borrow_mut();
                while let Some(byte) = heard.uplink.pop_front() {
                    if let Some(frame) = frames.push(byte, &mut request) {
                        return Some(frame);
                    }
                }
                None
            })
            .await;
        let Some(uplink) = &mut uplink else { continue };
        let request = request.get(..length).unwrap_or_default();
        // No network, no answer.
        let Ok(length) = uplink.exchange(request, &mut reply).await else {
            continue;
        };
        let reply = reply.get(..length).unwrap_or_default();
        if let Some((head, tail)) = wrap(number, reply) {
            guest.send(serial::UPLINK, &[&head[..], reply, &tail].concat())?;
        }
    }
}

/// Wakes the board when its time has come.
async fn alarms(guest: &Guest, time: &Rc<Timeline>) -> Result<()> {
    loop {
        // Looked at anew whenever the board has said something: it says when it rests.
        let alarm = Cell::new(guest.alarm()?);
        let other = guest.changed.wait_for(|| {
            let now = guest.alarm().ok().flatten();
            (now != alarm.get()).then_some(())
        });
        match alarm.get() {
            Some(at) => {
                if let Either::Second(()) = select(other, time.until(at)).await {
                    guest.ring()?;
                    guest.rested().await;
                }
            }
            None => other.await,
        }
    }
}
