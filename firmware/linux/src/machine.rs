//! The kiosk's ports put together, and the shipped loop running on them: again when it asks to, and again when somebody has done something about
//! what stopped it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use card::x509::X509;
use election::hash::Digest;
use kiosk::ports::{Clock as _, NoUplink, Platform, Ports, Store as _, Uplink};
use kiosk::run::{Config as Setup, Exit};
use kiosk::screen::{Fault, Screen, StaffScreen, Touch, UpdateScreen};
use kiosk::update::{Ask, Offer};
use panel::Panel;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::image;
use crate::lent::{self, Lent};
use crate::log::Log;
use crate::medium::SlotMedium;
use crate::reader::SlotReader;
use crate::signals::PinSignals;
use crate::store::{FileStore, Protection};
use crate::update::pending::pending;
use crate::uplink::TcpUplink;

/// How often an out-of-order kiosk looks whether media, package or exchange folder have changed.
const LOOK: u32 = 1_000;
/// Names of a folder that are looked at for changes.
const NAMES: usize = 256;
/// A machine that was told to start again has so many milliseconds for it.
const GOING_DOWN: u32 = 60_000;

/// This platform as types.
pub struct Linux<U, K>(PhantomData<(U, K)>);

impl<U: Uplink, K: Protection> Platform for Linux<U, K> {
    type Clock = SystemClock;
    type Entropy = SystemEntropy;
    type Panel = Panel;
    type Reader = SlotReader;
    type Certificates = X509;
    type Medium = SlotMedium;
    type Store = FileStore<K>;
    type Signals = PinSignals;
    type Uplink = U;
}

/// Everything but the network.
pub struct Parts<K> {
    /// Time.
    pub clock: SystemClock,
    /// Randomness.
    pub entropy: SystemEntropy,
    /// The panel.
    pub panel: Panel,
    /// The slot for cards.
    pub reader: SlotReader,
    /// Slot of the original.
    pub original: SlotMedium,
    /// Slot of the duplicate.
    pub duplicate: SlotMedium,
    /// Internal memory.
    pub store: FileStore<K>,
    /// Lamp and buzzer.
    pub signals: PinSignals,
}

/// How the kiosk stands, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Runs.
    Running,
    /// Out of order; the panel says why.
    OutOfOrder,
    /// Closed, and staff have ended the run.
    Closed,
}

/// Runs the kiosk until it is closed.
pub async fn run<K: Protection>(
    parts: Parts<K>,
    uplink: Option<TcpUplink>,
    config: Rc<Config>,
    unprotected: bool,
    log: Log,
    standing: Rc<Cell<Standing>>,
) {
    let machine = Machine {
        config,
        unprotected,
        log,
        standing,
    };
    // A kiosk without a network has none by type (A21).
    match uplink {
        Some(uplink) => machine.run(ports(parts, Some(uplink))).await,
        None => machine.run(ports(parts, None::<NoUplink>)).await,
    }
}

fn ports<U: Uplink, K: Protection>(parts: Parts<K>, uplink: Option<U>) -> Ports<Linux<U, K>> {
    Ports {
        clock: parts.clock,
        entropy: parts.entropy,
        panel: parts.panel,
        reader: parts.reader,
        certificates: X509,
        original: parts.original,
        duplicate: parts.duplicate,
        store: parts.store,
        signals: parts.signals,
        uplink,
    }
}

struct Machine {
    config: Rc<Config>,
    unprotected: bool,
    log: Log,
    standing: Rc<Cell<Standing>>,
}

impl Machine {
    async fn run<U: Uplink, K: Protection>(self, mut ports: Ports<Linux<U, K>>) {
        // Media may be put in after the start, when the memory lent was for none: one more try is made then.
        let mut measured_again = false;
        loop {
            self.standing.set(Standing::Running);
            if let Some(offer) = self.switched() {
                self.log
                    .say("another software starts next: nothing is done with this one");
                stuck(&mut ports, &offer).await;
            }
            let package = ports.store.package().await;
            let layouts = lent::layouts(&mut ports.original, &mut ports.duplicate).await;
            let mut lent = Lent::new(&layouts, package.as_deref().unwrap_or(&[]), &self.config.authority);
            let setup = Setup {
                package: package.as_deref(),
                authority: &self.config.authority,
                station: self.config.station,
                software: &self.config.software,
                key_unprotected: self.unprotected,
            };
            let exit = kiosk::run::run(&mut ports, &setup, lent.lend()).await;
            // Whatever comes now, the media can be taken out.
            ports.original.close().await;
            ports.duplicate.close().await;
            match exit {
                Exit::Restart => {
                    self.log.say("set up; starting again");
                    measured_again = false;
                }
                Exit::Closed { hash, unsent } => {
                    self.closed(&hash, unsent);
                    return;
                }
                Exit::Fault {
                    fault: Fault::Buffers, ..
                } if !measured_again => measured_again = true,
                Exit::Fault { fault, recorded } => {
                    measured_again = false;
                    self.standing.set(Standing::OutOfOrder);
                    let vote = recorded.map_or_else(String::new, |recorded| format!("; vote recorded: {recorded:?}"));
                    self.log.say(&format!("out of order: {fault:?}{vote}"));
                    self.changed(&ports.clock).await;
                    self.log.say("something was changed; starting again");
                }
            }
        }
    }

    /// What was switched to, if the machine has not been started again since.
    fn switched(&self) -> Option<Offer> {
        let update = self.config.update.as_ref()?;
        pending(&update.starting, &self.config.software, image::version())
    }

    fn closed(&self, hash: &Digest, unsent: u32) {
        self.log
            .say(&format!("closed: {}, {unsent} transactions unsent", hex::encode(hash)));
        self.standing.set(Standing::Closed);
    }

    /// Waits until somebody has changed what is in the slots or on the exchange folder.
    async fn changed(&self, clock: &SystemClock) {
        let before = self.seen();
        loop {
            clock.sleep(LOOK).await;
            if self.seen() != before {
                // A drive is being mounted, a file copied: let it come to rest.
                clock.sleep(LOOK).await;
                return;
            }
        }
    }

    fn seen(&self) -> Vec<Seen> {
        let config = &self.config;
        let places = [
            Some(&config.media.original),
            Some(&config.media.duplicate),
            config.exchange.as_ref(),
        ];
        places.into_iter().flatten().flat_map(|place| look(place)).collect()
    }
}

/// Until somebody switches the machine off and on, or it starts again when told to.
async fn stuck<U: Uplink, K: Protection>(ports: &mut Ports<Linux<U, K>>, offer: &Offer) {
    let screen = Screen::Staff(StaffScreen::Update(UpdateScreen::Stuck { offer }));
    loop {
        ports.panel.show(&screen);
        while ports.panel.next().await != Touch::Confirm {}
        ports.panel.show(&Screen::Starting);
        // A machine that goes down does so under this screen.
        if ports.store.update(Ask::Restart).await.is_ok() {
            ports.clock.sleep(GOING_DOWN).await;
        }
    }
}

/// A file as far as a change of it matters: path, length, time of change.
type Seen = (PathBuf, Option<(u64, SystemTime)>);

fn look(place: &Path) -> Vec<Seen> {
    let state = |path: PathBuf| {
        let metadata = path.metadata().ok();
        let state = metadata.map(|data| (data.len(), data.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
        (path, state)
    };
    let mut list: Vec<Seen> = std::fs::read_dir(place)
        .into_iter()
        .flatten()
        .take(NAMES)
        .filter_map(|entry| Some(state(entry.ok()?.path())))
        .collect();
    list.push((
        place.to_path_buf(),
        place.exists().then_some((0, SystemTime::UNIX_EPOCH)),
    ));
    list.sort();
    list
}
