//! The simulator's window: the kiosk's own panel, driven by the shipped loop in real time, and a dock beside it with a deck of cards,
//! the mains switch, the network's cable, the chain and the desk that counts in the evening.
//!
//! One thread: Slint's. The world is a future of it, woken by touches and by time; only the counting at the end is done in another
//! thread, so that the window stays alive.

mod blocks;
mod board;
mod deck;
mod desk;
mod dock;
mod events;
mod places;
pub(crate) mod setup;
mod ui;
pub(crate) mod witness;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::Result;
use kiosk::ports::{Lamp, TooLarge};
use kiosk::screen::{Screen, Touch};
use panel::surface::{float, sync};
use slint::{ComponentHandle as _, VecModel};

use crate::report::Report;
use crate::scenario::{BadInput, Scenario};
use crate::screens::Glass;
use crate::world::booth::{Glass as RealPanel, Noticed};
use crate::world::view::View;

use self::dock::{Click, Picture, Plan};
use self::setup::Station;

/// Most good cards in the deck.
const MOST_CARDS: u32 = 12;
/// Ballots a batch: small, so that one person at the window sees them leave.
const BATCH: u16 = 2;

/// The window's own arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Window {
    #[command(flatten)]
    glass: Glass,
    /// With headphones and a keypad (arrow keys, Enter, R, ?, +, -, Page Up, Page Down, B, digits): what is heard goes to this WAV file, and a list of
    /// clips beside it, ending in .jsonl
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// Speech for `--audio` that `staff speak` has rendered; without it, it is rendered first, in a few minutes
    #[arg(long, value_name = "FILE", requires = "audio")]
    speech: Option<PathBuf>,
    /// Hums instead of speaking, for programs that listen
    #[arg(long, requires = "audio", conflicts_with = "speech", hide = true)]
    hum: bool,
    /// Keeps a file up to date that says where everything stands that can be clicked, for programs that click
    #[arg(long, value_name = "FILE", hide = true)]
    places: Option<PathBuf>,
}

/// How the window ended.
pub enum Closed {
    /// There is none here, and why.
    NoDisplay(String),
    /// Nothing was counted.
    Uncounted,
    /// The day was played to its end.
    Counted(Box<Report>),
}

/// Opens the window and stays until it is closed.
///
/// # Errors
/// [`BadInput`], or what a headless run may meet.
pub fn open(arguments: &Window, scenario: Scenario, voters: Option<u32>, out: Option<&Path>) -> Result<Closed> {
    let (mut config, settings) = (arguments.glass.config()?, arguments.glass.settings()?);
    if let Err(why) = display() {
        return Ok(Closed::NoDisplay(why));
    }
    let voters = voters.unwrap_or(8);
    if !(1..=MOST_CARDS).contains(&voters) {
        return Err(BadInput(format!(
            "--voters: 1 to {MOST_CARDS} cards in the window; more with --headless"
        ))
        .into());
    }
    let mut scenario = scenario.voters(voters).batch(BATCH).outages(Vec::new());
    if let Some(board) = &scenario.board {
        // It has the panel it has.
        config = crate::qemu::CONFIG;
        if arguments.audio.is_some() {
            return Err(BadInput("--audio: the board makes no sound".to_owned()).into());
        }
        let shown = board.shown();
        scenario = scenario.board(shown);
    }
    if let Some(out) = out {
        staff::files::empty_folder(out)?;
    }
    eprintln!("Setting up the station: cards, key ceremony, package, provisioning.");
    let speech = match &arguments.audio {
        Some(_) => Some(crate::by_ear::speech(
            &scenario,
            1,
            arguments.speech.as_deref(),
            arguments.hum,
        )?),
        None => None,
    };
    let station = Station::new(&scenario, speech.as_ref().map(|(section, _)| section.clone()))?;
    let plan = Plan::new(config, station.deck.len());
    let window = match ui::SimulatorWindow::new() {
        Ok(window) => window,
        Err(error) => return Ok(Closed::NoDisplay(format!("No window can be opened ({error})"))),
    };
    let started = Instant::now();
    let milliseconds = move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let surface = ui::PanelSurface::new(window.clone_strong());
    let panel = panel::Panel::new(surface, config, milliseconds).map_err(|error| BadInput(error.to_string()))?;
    panel.set_home(settings);
    let phones = match (&speech, &arguments.audio) {
        (Some((_, script)), Some(audio)) => {
            let recorder = crate::by_ear::Recorder::new(script, Some(audio), milliseconds)?;
            panel.connect_sound(Box::new(recorder.clone()), false);
            Some(recorder)
        }
        _ => None,
    };
    let play = Rc::new(Playing::new(
        window,
        panel,
        plan,
        scenario,
        station,
        arguments,
        (out, phones),
    ));
    play.clone().begin();
    play.run(milliseconds)
}

/// Whether there is a display at all.
fn display() -> Result<(), String> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(all(unix, not(target_os = "macos"))) && !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return Err("There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)".to_owned());
    }
    slint::BackendSelector::new()
        .backend_name("winit".into())
        .renderer_name("software".into())
        .select()
        .map_err(|error| format!("The display does not work ({error})"))
}

/// The real panel as the booth knows it.
struct Fitted(panel::Panel);

impl RealPanel for Fitted {
    fn show(&self, screen: &Screen<'_>) {
        self.0.show(screen);
    }

    fn pictures(&self, pictures: &election::pictures::Pictures<'_>) -> Result<(), TooLarge> {
        self.0.pictures(pictures)
    }

    fn clips(&self, clips: Option<&election::clips::Clips<'_>>) {
        self.0.clips(clips);
    }

    fn next(&self) -> Pin<Box<dyn Future<Output = Touch> + '_>> {
        Box::pin(self.0.next())
    }
}

/// Everything while the window is open.
struct Playing {
    window: ui::SimulatorWindow,
    panel: panel::Panel,
    /// The kiosk is a board in an emulator.
    board: Option<board::Board>,
    plan: Plan,
    scenario: Scenario,
    station: RefCell<Station>,
    witness: RefCell<witness::Witness>,
    events: RefCell<events::Events>,
    inserted: Cell<Option<usize>>,
    lamp: Cell<Lamp>,
    closed: Cell<bool>,
    desk: RefCell<desk::Desk>,
    /// What is heard, if there are headphones.
    phones: Option<crate::by_ear::Recorder>,
    plugged: Cell<bool>,
    chain: RefCell<(u64, Vec<String>)>,
    places: RefCell<Option<places::Places>>,
    boxes: Rc<VecModel<ui::DockBox>>,
    texts: Rc<VecModel<ui::DockText>>,
}

impl Playing {
    fn new(
        window: ui::SimulatorWindow,
        panel: panel::Panel,
        plan: Plan,
        scenario: Scenario,
        station: Station,
        arguments: &Window,
        (out, phones): (Option<&Path>, Option<crate::by_ear::Recorder>),
    ) -> Self {
        Self {
            witness: RefCell::new(witness::Witness::new(station.papers.clone(), station.number, 0)),
            events: RefCell::default(),
            inserted: Cell::new(None),
            lamp: Cell::new(Lamp::Off),
            closed: Cell::new(false),
            desk: RefCell::new(desk::Desk::new(out)),
            phones,
            plugged: Cell::new(false),
            chain: RefCell::new((u64::MAX, Vec::new())),
            places: RefCell::new(arguments.places.as_deref().map(places::Places::new)),
            boxes: Rc::default(),
            texts: Rc::default(),
            board: scenario.board.is_some().then(|| board::Board::new(&station.machine)),
            station: RefCell::new(station),
            window,
            panel,
            plan,
            scenario,
        }
    }

    /// Fits the panel into the booth, fills the dock, restarts the kiosk in front of the real panel.
    fn begin(self: Rc<Self>) {
        let data = self.window.global::<ui::DockData<'_>>();
        data.set_boxes(self.boxes.clone().into());
        data.set_texts(self.texts.clone().into());
        data.set_panel_x(float(self.plan.panel.0));
        data.set_panel_y(float(self.plan.panel.1));
        let metrics = *self.panel.metrics();
        data.set_panel_width(float(metrics.width));
        data.set_panel_height(float(metrics.height));
        data.set_dock_x(float(self.plan.dock));
        data.set_full_width(float(self.plan.size.0));
        data.set_full_height(float(self.plan.size.1));
        let playing = Rc::downgrade(&self);
        data.on_clicked(move |id| {
            if let (Some(playing), Some(click)) = (playing.upgrade(), Click::of(id)) {
                playing.clicked(click);
            }
        });
        let playing = Rc::downgrade(&self);
        data.on_key(move |text| {
            let Some(playing) = playing.upgrade() else { return };
            if let (Some(key), true) = (dock::key_of(&text), playing.phones.is_some()) {
                playing.clicked(Click::Key(key));
            }
        });
        let machine = self.station.borrow().machine.clone();
        let playing = Rc::downgrade(&self);
        let watcher: crate::world::booth::Watcher = Rc::new(move |noticed| {
            if let Some(playing) = playing.upgrade() {
                playing.noticed(noticed);
            }
        });
        if self.board.is_some() {
            machine.booth.watch(watcher);
            data.set_is_board(true);
            let playing = Rc::downgrade(&self);
            data.on_finger(move |phase, x, y| {
                if let Some(playing) = playing.upgrade() {
                    playing.finger(phase, x, y);
                }
            });
        } else {
            machine.booth.fit(Rc::new(Fitted(self.panel.clone())), watcher);
        }
        // What is on the panel was drawn before there was one: the kiosk is switched off and on, as in the morning.
        machine.power.cut();
    }

    fn run(self: Rc<Self>, milliseconds: impl Fn() -> u64 + 'static) -> Result<Closed> {
        let executor = self.station.borrow().world.executor.clone();
        let begin = executor.time().now();
        let timer = slint::Timer::default();
        let playing = self.clone();
        let mut switched_on = false;
        let world = poll_fn(move |context| {
            let now = begin + milliseconds();
            let next = executor.turn(now, context.waker());
            let machine = playing.station.borrow().machine.clone();
            if !switched_on {
                switched_on = true;
                machine.switch_on();
                context.waker().wake_by_ref();
            }
            playing.refresh();
            // The clock in the dock moves once a second; a count is looked at more often.
            let longest = if playing.desk.borrow().counts() { 50 } else { 500 };
            let wait = next.map_or(longest, |next| next.saturating_sub(now).clamp(1, longest));
            let waker = context.waker().clone();
            timer.start(slint::TimerMode::SingleShot, Duration::from_millis(wait), move || {
                waker.wake_by_ref();
            });
            Poll::<()>::Pending
        });
        slint::spawn_local(world).map_err(|error| anyhow::anyhow!("the window: {error}"))?;
        self.window
            .run()
            .map_err(|error| anyhow::anyhow!("the window: {error}"))?;
        if let Some(phones) = &self.phones {
            phones.finish()?;
        }
        Ok(match self.desk.borrow_mut().take_report() {
            Some(report) => Closed::Counted(Box::new(report)),
            None => Closed::Uncounted,
        })
    }

    /// Time of day at the station, Japanese time.
    fn clock(&self) -> String {
        let station = self.station.borrow();
        let seconds = station.world.begin + station.world.executor.time().now() / 1000 + 9 * 3600;
        let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{hours:02}:{minutes:02}:{seconds:02}")
    }

    fn say(&self, text: impl Into<String>) {
        let clock = self.clock();
        self.events.borrow_mut().say(&clock, text);
    }

    fn noticed(&self, noticed: Noticed<'_>) {
        match noticed {
            Noticed::View(view) => {
                self.witness.borrow_mut().sees(view);
                let clock = self.clock();
                self.events.borrow_mut().view(&clock, view);
            }
            Noticed::Touch(touch, view) => self.witness.borrow_mut().touched(touch, view),
            Noticed::Lamp(lamp) => self.lamp.set(lamp),
            Noticed::Sound(sound) => self.say(events::sound(sound)),
        }
    }

    fn clicked(&self, click: Click) {
        let machine = self.station.borrow().machine.clone();
        match click {
            Click::Card(card) if self.inserted.get().is_none() => self.insert(card),
            Click::Card(_) | Click::Pull => self.pull(),
            Click::Power if machine.power.is_out() => {
                self.say("the power is back");
                machine.switch_on();
            }
            Click::Power => {
                self.say("the power is cut");
                self.closed.set(false);
                machine.power.cut();
            }
            Click::Network => {
                let plugged = !machine.network.is_plugged();
                machine.network.plug(plugged);
                self.say(if plugged {
                    "the network is back"
                } else {
                    "the network is unplugged"
                });
            }
            Click::Count => self.count(),
            Click::Headphones => {
                self.plugged.set(!self.plugged.get());
                self.panel.headphones(self.plugged.get());
            }
            Click::Key(key) => self.panel.key(key),
            Click::Validator(index) => {
                let station = self.station.borrow();
                let alive = matches!(station.chain.borrow().heights().get(index), Some(Some(_)));
                station.chain.borrow_mut().toggle(index);
                drop(station);
                let number = index + 1;
                self.say(if alive {
                    format!("validator {number} is killed")
                } else {
                    format!("validator {number} is started")
                });
            }
        }
        self.refresh();
    }

    /// A finger on the board's glass: it goes down the board's line, and the booth hears what the kiosk makes of it.
    fn finger(&self, phase: i32, x: f32, y: f32) {
        let machine = self.station.borrow().machine.clone();
        let Some(board) = &self.board else { return };
        match board.finger(phase, x, y) {
            Ok(touches) => touches.into_iter().for_each(|touch| machine.booth.felt(touch)),
            Err(error) => self.say(format!("the board does not feel it: {error:#}")),
        }
    }

    fn insert(&self, card: usize) {
        let station = self.station.borrow();
        let Some(held) = station.deck.get(card) else { return };
        if let Some((citizen, style)) = held.voter {
            self.witness.borrow_mut().inserted(citizen, style);
        }
        let (name, plastic, slot) = (held.name.clone(), held.card.clone(), station.machine.booth.slot.clone());
        drop(station);
        self.inserted.set(Some(card));
        self.say(format!("{name}: card in"));
        slot.insert(plastic);
    }

    fn pull(&self) {
        let Some(card) = self.inserted.take() else { return };
        let station = self.station.borrow();
        let name = station.deck.get(card).map(|held| held.name.clone()).unwrap_or_default();
        let booth = station.machine.booth.clone();
        drop(station);
        self.witness.borrow_mut().pulled(&booth.view());
        self.say(format!("{name}: card out"));
        booth.slot.pull();
    }

    fn count(&self) {
        let count = self
            .station
            .borrow_mut()
            .count(&self.scenario, &mut self.witness.borrow_mut());
        self.desk.borrow_mut().begin(count, self.scenario.clone());
        self.say("the media come to the desk");
    }

    fn refresh(&self) {
        let machine = self.station.borrow().machine.clone();
        if !self.closed.get() && machine.has_closed() {
            self.closed.set(true);
        }
        let powered = !machine.power.is_out() && *machine.booth.view() != View::Dark;
        let clock = self.clock();
        let mut desk = self.desk.borrow_mut();
        desk.look();
        if let Some(phones) = &self.phones {
            // Time passes for the file too; nobody reads along.
            let _ = phones.heard();
        }
        let station = self.station.borrow();
        let witness = self.witness.borrow();
        let voted: Vec<bool> = station
            .deck
            .iter()
            .map(|held| held.voter.is_some_and(|(citizen, _)| witness.has_voted(citizen)))
            .collect();
        let height = station.chain.borrow().height();
        let mut chain = self.chain.borrow_mut();
        if let Some(height) = height
            && chain.0 != height
        {
            *chain = (height, blocks::latest(&station.chain, dock::BLOCKS));
        }
        let validators = station.chain.borrow().heights();
        let stage = desk.stage(self.closed.get());
        let counted = match &stage {
            dock::Stage::Counted(holds, _) => Some(*holds),
            _ => None,
        };
        let (boxes, texts) = self.plan.rows(&Picture {
            deck: &station.deck,
            name: &station.name,
            clock: &clock,
            inserted: self.inserted.get(),
            voted: &voted,
            powered,
            plugged: station.world.chain.is_some().then(|| machine.network.is_plugged()),
            lamp: if powered { lamp(self.lamp.get()).0 } else { "no power" },
            blocks: &chain.1,
            validators: &validators,
            batch: BATCH,
            phones: self.phones.is_some().then(|| self.plugged.get()),
            events: self.events.borrow().lines().cloned().collect(),
            stage,
        });
        if let Some(places) = &mut *self.places.borrow_mut() {
            // Where the board's buttons stand says the panel beside it; what is drawn there is the board's own business.
            let panel = self
                .board
                .as_ref()
                .map_or(Some(self.panel.clone()), board::Board::panel);
            places.update(&self.plan, panel.as_ref(), &boxes, &station.deck, powered, counted);
        }
        sync(&self.boxes, boxes);
        sync(&self.texts, texts);
        let data = self.window.global::<ui::DockData<'_>>();
        data.set_powered(powered);
        if !powered {
            // What stood there, a choice perhaps, does not come back with the power.
            data.set_board(slint::Image::default());
        }
        match self.board.as_ref().map_or(Ok(None), board::Board::picture) {
            Ok(Some(picture)) => data.set_board(picture),
            Ok(None) => {}
            // Its memory is a file; one that cannot be read is the board's end, and that is told by its program.
            Err(error) => eprintln!("the board's picture: {error:#}"),
        }
        let [red, green, blue] = if powered { lamp(self.lamp.get()).1 } else { DARK };
        data.set_lamp(slint::Color::from_rgb_u8(red, green, blue));
    }
}

const DARK: [u8; 3] = [0x2a, 0x30, 0x36];

/// What the lamp says (U7), and how it shines.
const fn lamp(lamp: Lamp) -> (&'static str, [u8; 3]) {
    match lamp {
        Lamp::Off => ("lamp off: not open", DARK),
        Lamp::Ready => ("ready for a voter", [0x4c, 0xc2, 0xa0]),
        Lamp::Voting => ("somebody is voting", [0x5b, 0xa3, 0xe0]),
        Lamp::Finished => ("finished: take the card", [0xf0, 0xf0, 0xf0]),
        Lamp::Call => ("staff are called", [0xe0, 0xa8, 0x4a]),
        Lamp::Fault => ("out of order", [0xe0, 0x4a, 0x4a]),
    }
}
