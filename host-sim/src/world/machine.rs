//! One physical kiosk: its devices, its power switch, and the shipped loop running on it.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use chacha20::ChaCha20Rng;
use election::hash::Digest;
use election::ledger::{Transaction, kiosk_id};
use election::sign::PublicKey;
use kiosk::ballot_box::Role;
#[cfg(feature = "window")]
use kiosk::ports::Clock as _;
use kiosk::ports::{Item, NoUplink, Platform, Ports, Space, Uplink};
use kiosk::run::{Config, Exit};
use kiosk::screen::Fault;

use super::booth::{Booth, BoothPort, Trace};
use super::boundary::Written;
use super::clock::{ClockPort, EntropyPort};
use super::executor::{Executor, Job};
use super::lent::Lent;
use super::media::{Cut, Slot, SlotPort};
use super::network::{GatewayPort, Network, SharedChain};
use super::power::Power;
use super::reader::SlotReader;
use super::seed::Seed;
use super::store::{Items, StorePort};
use super::view::View;
use super::watch::{Watch, Watching};

/// What all kiosks of a world share.
#[derive(Clone)]
pub struct World {
    /// Runs everything.
    pub executor: Executor,
    /// Decides everything random.
    pub seed: Seed,
    /// Seconds since 1970 at the world's beginning.
    pub begin: u64,
    /// The chain behind the network; none in statutory mode, where kiosks have no network by type.
    pub chain: Option<SharedChain>,
    /// Told of every move of a person.
    pub trace: Option<Trace>,
    /// The board that kiosks run on, in an emulator; none: they run here.
    #[cfg(feature = "window")]
    pub board: Option<crate::qemu::Emulation>,
}

/// How a kiosk's program ended.
pub type Ended = Result<(), String>;

/// What a kiosk was set up with before it came to its station.
#[derive(Clone)]
pub struct Setup {
    /// The authority whose packages it takes.
    pub authority: PublicKey,
    /// Its station.
    pub station: u16,
    /// Hash of its software.
    pub software: Digest,
}

/// A kiosk.
pub struct Machine {
    world: World,
    setup: Setup,
    /// Tells kiosks apart in seeds and messages.
    pub name: String,
    /// Where people stand.
    pub booth: Booth,
    /// Internal memory.
    pub items: Items,
    /// Slots for original and duplicate.
    pub slots: [Slot; 2],
    /// Mains.
    pub power: Rc<Power>,
    /// Its network.
    pub network: Network,
    /// The election package that is in.
    pub package: RefCell<Rc<[u8]>>,
    /// Seconds by which its clock is wrong.
    pub clock_error: Rc<Cell<i64>>,
    /// Whether its random source works.
    pub entropy_works: Rc<Cell<bool>>,
    /// Whether its internal memory can be written.
    pub store_works: Rc<Cell<bool>>,
    /// What is left of the disk its internal memory lies on.
    pub disk: Rc<Cell<Option<Space>>>,
    /// Whether a cut tears unsynced sectors, or loses them.
    pub tears: Cell<bool>,
    /// The board's front, if one runs it.
    #[cfg(feature = "window")]
    pub front: crate::qemu::Front,
    watching: Watching,
    starts: Cell<u64>,
    cuts: Cell<u64>,
    program: RefCell<Option<Rc<Job<Ended>>>>,
}

impl Machine {
    /// A kiosk without power, media and package.
    #[must_use]
    pub fn new(world: &World, name: String, setup: Setup, network: Network) -> Rc<Self> {
        Rc::new(Self {
            world: world.clone(),
            setup,
            name,
            booth: Booth::new(world.executor.time().clone(), world.trace.clone()),
            items: Items::default(),
            slots: [Slot::default(), Slot::default()],
            power: Power::new(),
            network,
            package: RefCell::new(Rc::from([])),
            clock_error: Rc::default(),
            entropy_works: Rc::new(Cell::new(true)),
            store_works: Rc::new(Cell::new(true)),
            disk: Rc::new(Cell::new(Some(Space {
                free: 6 << 30,
                size: 8 << 30,
            }))),
            tears: Cell::new(false),
            #[cfg(feature = "window")]
            front: crate::qemu::Front::default(),
            watching: Watching::default(),
            starts: Cell::new(0),
            cuts: Cell::new(0),
            program: RefCell::new(None),
        })
    }

    /// Somebody watches from now on; the first one stays.
    pub fn watch(&self, watch: Rc<dyn Watch>) {
        let _ = self.watching.set(watch);
    }

    /// Power cuts so far.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts.get()
    }

    fn rng(&self, use_: &str) -> ChaCha20Rng {
        self.world.seed.rng(&format!("{use_} {}", self.name), self.starts.get())
    }

    /// What registered the kiosk, and the id it has by that.
    ///
    /// # Errors
    /// If it is not there, or is no registration.
    pub fn registration(&self) -> Result<(Vec<u8>, Digest)> {
        let registration = self.items.get(Item::Registration);
        let registration = registration.context("the kiosk lost its registration")?;
        let kiosk = match Transaction::read(&registration) {
            Ok(Transaction::Register { body, .. }) => kiosk_id(&body.kiosk.0),
            _ => bail!("the kiosk's registration is none"),
        };
        Ok((registration, kiosk))
    }

    /// Switches the kiosk on; it runs until its program ends or the power goes.
    pub fn switch_on(self: &Rc<Self>) {
        self.starts.set(self.starts.get() + 1);
        self.power.restore();
        let job = Rc::new(match &self.world.chain {
            Some(chain) => {
                let uplink = GatewayPort {
                    network: self.network.clone(),
                    chain: chain.clone(),
                    time: self.world.executor.time().clone(),
                };
                self.start(Some(uplink))
            }
            None => self.start(None::<NoUplink>),
        });
        *self.program.borrow_mut() = Some(job.clone());
        let machine = self.clone();
        let start = self.starts.get();
        let _ = self.world.executor.spawn(async move {
            // A program that has ended leaves its last screen on the panel: that too goes with the power.
            machine.power.failure().await;
            if machine.starts.get() == start {
                job.stop();
                machine.without_power();
            }
        });
    }

    /// Switches the kiosk off, as if its plug were pulled.
    pub async fn switch_off(&self) {
        self.power.cut();
        self.booth.wait_for(|view| *view == View::Dark).await;
    }

    fn without_power(&self) {
        self.cuts.set(self.cuts.get() + 1);
        let mut rng = self.rng("cut");
        for slot in &self.slots {
            if let Some(medium) = slot.medium() {
                let how = if self.tears.get() {
                    Cut::Torn(&mut rng)
                } else {
                    Cut::Lost
                };
                medium.borrow_mut().cut(how);
            }
        }
        self.booth.put(View::Dark);
    }

    /// Waits until the program has ended by itself, and says how.
    pub async fn ended(&self) -> Ended {
        let job = self.program.borrow().clone();
        match job {
            Some(job) => job.wait().await,
            None => Ok(()),
        }
    }

    /// Whether the program that was started last has ended by itself, and well: polls are closed.
    #[must_use]
    pub fn has_closed(&self) -> bool {
        let job = self.program.borrow().clone();
        job.is_some_and(|job| job.peek(Result::is_ok) == Some(true))
    }

    fn start<U: Uplink + 'static>(self: &Rc<Self>, uplink: Option<U>) -> Job<Ended> {
        let time = self.world.executor.time();
        let slot = |role: Role| SlotPort {
            role,
            slots: self.slots.clone(),
            power: self.power.clone(),
            time: time.clone(),
            booth: self.booth.clone(),
            watching: self.watching.clone(),
            written: Written::Other,
        };
        let panel = || BoothPort {
            booth: self.booth.clone(),
            slots: self.slots.clone(),
            watching: self.watching.clone(),
        };
        let ports: Ports<Simulated<U>> = Ports {
            clock: ClockPort {
                time: time.clone(),
                begin: self.world.begin,
                error: self.clock_error.clone(),
                started: time.now(),
            },
            entropy: EntropyPort {
                rng: self.rng("entropy"),
                works: self.entropy_works.clone(),
            },
            panel: panel(),
            reader: SlotReader::new(self.booth.slot.clone(), time.clone(), self.watching.clone()),
            certificates: card::x509::X509,
            original: slot(Role::Original),
            duplicate: slot(Role::Duplicate),
            store: StorePort {
                items: self.items.clone(),
                power: self.power.clone(),
                booth: self.booth.clone(),
                works: self.store_works.clone(),
                space: self.disk.clone(),
            },
            signals: panel(),
            uplink,
        };
        let package = self.package.borrow().clone();
        #[cfg(feature = "window")]
        if let Some(emulation) = &self.world.board
            && (!emulation.alternates || self.starts.get() % 2 == 1)
        {
            let parts = crate::qemu::Parts {
                emulation: emulation.clone(),
                executor: self.world.executor.clone(),
                booth: self.booth.clone(),
                port: ports.panel,
                items: self.items.clone(),
                slots: self.slots.clone(),
                power: self.power.clone(),
                package,
                setup: self.setup.clone(),
                rng: self.rng("entropy"),
                begin: ports.clock.seconds(),
                front: self.front.clone(),
            };
            return self.world.executor.spawn(crate::qemu::program(parts, ports.uplink));
        }
        self.world.executor.spawn(program(ports, package, self.setup.clone()))
    }
}

/// What a platform does: lends memory, runs the loop, runs it again when it asks to.
async fn program<P: Platform>(mut ports: Ports<P>, package: Rc<[u8]>, setup: Setup) -> Ended {
    // Media may come in after the start: then the memory lent was for none, and one more try is made.
    let mut measured_again = false;
    loop {
        let mut lent = Lent::new(&mut ports, &package, &setup.authority).await;
        let config = Config {
            package: (!package.is_empty()).then_some(&*package),
            authority: &setup.authority,
            station: setup.station,
            software: &setup.software,
            key_unprotected: false,
        };
        match kiosk::run::run(&mut ports, &config, lent.lend()).await {
            Exit::Restart => {}
            Exit::Closed { .. } => return Ok(()),
            Exit::Fault {
                fault: Fault::Buffers, ..
            } if !measured_again => measured_again = true,
            Exit::Fault { fault, recorded } => return Err(format!("{fault:?}, vote recorded: {recorded:?}")),
        }
    }
}

struct Simulated<U>(PhantomData<U>);

impl<U: Uplink> Platform for Simulated<U> {
    type Clock = ClockPort;
    type Entropy = EntropyPort;
    type Panel = BoothPort;
    type Reader = SlotReader;
    type Certificates = card::x509::X509;
    type Medium = SlotPort;
    type Store = StorePort;
    type Signals = BoothPort;
    type Uplink = U;
}
