//! From a configuration to a running kiosk: devices opened, a window, the loop as its task, an end that leaves nothing behind.

use std::cell::Cell;
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kiosk::ports::Clock as _;
use linux_embedded_hal::CdevPin;
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use panel::slint::{self, CloseRequestResponse, ComponentHandle as _, PhysicalPosition, PhysicalSize};
use panel::{Panel, ui::PanelWindow};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Caught;

use crate::clock::SystemClock;
use crate::config::{Config, Signals};
use crate::entropy::SystemEntropy;
use crate::exchange::Exchange;
use crate::executor::Task;
use crate::log::Log;
use crate::machine::{self, Parts, Standing};
use crate::medium::SlotMedium;
use crate::reader::SlotReader;
use crate::signals::{PinSignals, Pins};
use crate::store::{FileStore, Protection as _};
use crate::tpm::AtRest;
use crate::update::trial::{self, Trial};
use crate::uplink::TcpUplink;
use crate::watchdog::Watchdog;

/// How long a clean end may take before the process ends all the same.
const PATIENCE: Duration = Duration::from_secs(8);
/// Exit code of an end that was not clean.
const CUT_OFF: i32 = 1;

/// A part of the machine that cannot be had.
#[derive(Debug)]
pub struct StartError {
    /// The key of the configuration that names it.
    pub part: &'static str,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.why)
    }
}

impl std::error::Error for StartError {}

pub(crate) fn because<E: fmt::Display>(part: &'static str) -> impl Fn(E) -> StartError {
    move |error| StartError {
        part,
        why: error.to_string(),
    }
}

/// Runs the kiosk until it is closed or told to end; how it stood then.
///
/// # Errors
/// [`StartError`]: nothing ran.
pub fn run(config: Config) -> Result<Standing, StartError> {
    let file = config.log.as_ref().map(|(path, size)| (path.as_path(), *size));
    let log = Log::new(file).map_err(because("log.file"))?;
    let clock = SystemClock::new();
    // The store first: it is what two kiosks must not share.
    let protection = AtRest::new(config.tpm.as_deref(), log.clone());
    let unprotected = !protection.protects();
    let exchange = Exchange::new(config.exchange.clone(), config.station, log.clone());
    let store = FileStore::new(&config.state, protection, exchange).map_err(because("state"))?;
    let socket = config.update.as_ref().map(|update| update.socket.as_path());
    let trial = config.starting.clone().map(|starting| {
        let socket = config.update.as_ref().map(|update| update.socket.clone());
        Arc::new(Trial::new(starting, trial::MARK.into(), config.software, socket))
    });
    let store = store.with_updates(socket).map_err(because("update"))?;
    let store = store.on_trial(trial.clone());
    let entropy = SystemEntropy::new(config.second.as_deref()).map_err(because("randomness.second"))?;
    let signals = signals(config.signals.as_ref())?;
    let watchdog = Watchdog::new(config.watchdog.as_deref()).map_err(because("watchdog.device"))?;
    let uplink = match config.gateways.as_slice() {
        [] => None,
        gateways => Some(TcpUplink::new(gateways, log.clone()).map_err(because("uplink"))?),
    };
    let medium = |name, path: &Path| SlotMedium::new(name, path, log.clone()).map_err(because("media"));
    let (window, panel) = window(config.panel.config(), config.panel.fullscreen, clock)?;
    if config.audio.is_some() || config.keypad.is_some() {
        hear(&config, &panel, &log)?;
    }
    let mut reader = SlotReader::new(config.reader.as_deref(), clock).map_err(because("reader"))?;
    if let Some(trial) = trial {
        reader = reader.telling(comes_up(trial, log.clone()));
    }
    let parts = Parts {
        clock,
        entropy,
        panel,
        reader,
        original: medium("original", &config.media.original)?,
        duplicate: medium("duplicate", &config.media.duplicate)?,
        store,
        signals,
    };
    end_on_signals(&log).map_err(because("signals of the system"))?;
    log.say(&format!(
        "starting: station {}, software {}, {}",
        config.station,
        hex::encode(config.software),
        if uplink.is_some() {
            "with a network"
        } else {
            "without a network"
        }
    ));
    let standing = Rc::new(Cell::new(Standing::Running));
    let told = standing.clone();
    let kiosk = machine::run(parts, uplink, Rc::new(config), unprotected, log.clone(), told);
    let task = Task::start(async move {
        kiosk.await;
        // An error means that the event loop has ended already.
        let _ = slint::quit_event_loop();
    });
    let watchdog = watchdog.start();
    let shown = window.show().and_then(|()| slint::run_event_loop_until_quit());
    // With the task go the card's power, the nonces, the choice; a write that was begun is finished.
    drop(task);
    drop(watchdog);
    shown.map_err(because("panel"))?;
    log.say("ended");
    Ok(standing.get())
}

/// What is to be called whenever a card has answered: software on trial has come up with the first one, because somebody has then seen a picture, touched
/// the right place on it, and the reader works; without keys there is no screen that asks for a card. The updater is told, once. If it does not take
/// note of it, the next card is another chance; nothing is registered or opened before it has ([`kiosk::ports::Store::keep`]).
fn comes_up(trial: Arc<Trial>, log: Log) -> impl FnMut() {
    let settled = Arc::new(AtomicBool::new(false));
    move || {
        if settled.swap(true, Ordering::Relaxed) {
            return;
        }
        let (trial, told, settled, own) = (trial.clone(), log.clone(), settled.clone(), settled.clone());
        let thread = std::thread::Builder::new()
            .name("came up".into())
            .spawn(move || match trial.keep() {
                Ok(true) => told.say("this software has come up: it stays"),
                Ok(false) => {}
                Err(error) => {
                    told.say(&format!("nobody takes note that this software has come up: {error}"));
                    settled.store(false, Ordering::Relaxed);
                }
            });
        if let Err(error) = thread {
            log.say(&format!("nobody can be told that this software has come up: {error}"));
            own.store(false, Ordering::Relaxed);
        }
    }
}

/// Headphones and keypad. A device that is missing keeps nobody from voting; only a program that cannot have any is told so at once.
#[cfg(feature = "sound")]
fn hear(config: &Config, panel: &Panel, log: &Log) -> Result<(), StartError> {
    use crate::keypad::{Which, listen};
    let mut jack = None;
    let mut keypad = config.keypad.clone().map(Which::Port);
    if let Some(audio) = &config.audio {
        let headphones = crate::sound::Headphones::new(audio, log.clone()).map_err(because("audio"))?;
        panel.connect_sound(Box::new(headphones), audio.jack.is_none());
        jack = audio.jack.clone().map(Which::Name);
        keypad = keypad.or_else(|| audio.keypad.clone().map(Which::Name));
    }
    listen(panel.clone(), keypad, jack, log).map_err(because("keypad"))
}

#[cfg(not(feature = "sound"))]
fn hear(config: &Config, _: &Panel, _: &Log) -> Result<(), StartError> {
    Err(StartError {
        part: if config.audio.is_some() { "audio" } else { "keypad" },
        why: "this program was built without the feature `sound`".to_owned(),
    })
}

/// A window that is the panel and nothing else.
///
/// # Errors
/// There is no display, or it cannot be a panel.
pub(crate) fn window(
    size: panel::Config,
    fullscreen: bool,
    clock: SystemClock,
) -> Result<(PanelWindow, Panel), StartError> {
    let (window, panel) = Panel::window(size, move || clock.milliseconds()).map_err(because("panel"))?;
    let own = window.window();
    own.set_size(PhysicalSize::new(size.width, size.height));
    own.set_position(PhysicalPosition::new(0, 0));
    own.set_fullscreen(fullscreen);
    // Nobody closes a kiosk by its window.
    own.on_close_requested(|| CloseRequestResponse::KeepWindowShown);
    Ok((window, panel))
}

fn signals(config: Option<&Signals>) -> Result<PinSignals, StartError> {
    let Some(config) = config else {
        return Ok(PinSignals::none());
    };
    let failed = because("signals");
    let mut chip = Chip::new(&config.chip).map_err(failed)?;
    let mut pin = |line: Option<u32>| -> Result<Option<CdevPin>, StartError> {
        let Some(line) = line else { return Ok(None) };
        chip.get_line(line)
            .and_then(|line| line.request(LineRequestFlags::OUTPUT, 0, "ippyo"))
            .and_then(CdevPin::new)
            .map(Some)
            .map_err(|error| StartError {
                part: "signals",
                why: format!("line {line}: {error}"),
            })
    };
    let pins = Pins {
        ready: pin(config.ready)?,
        voting: pin(config.voting)?,
        fault: pin(config.fault)?,
        buzzer: pin(config.buzzer)?,
    };
    PinSignals::new(pins).map_err(because("signals"))
}

/// Ends the event loop when the service manager says so; a process that does not come to an end is ended.
pub(crate) fn end_on_signals(log: &Log) -> std::io::Result<()> {
    let mut caught = Caught::new([SIGTERM, SIGINT, SIGHUP])?;
    let log = log.clone();
    std::thread::Builder::new()
        .name("signals of the system".into())
        .spawn(move || {
            if caught.forever().next().is_none() {
                return;
            }
            log.say("told to end");
            let asked = slint::invoke_from_event_loop(|| {
                let _ = slint::quit_event_loop();
            });
            if asked.is_ok() {
                std::thread::sleep(PATIENCE);
            }
            std::process::exit(CUT_OFF);
        })?;
    Ok(())
}
