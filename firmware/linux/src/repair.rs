//! A kiosk that cannot begin says on its display why, to whoever sets it up, and tries again: when the configuration has changed, and every half
//! minute where a part is missing. Only where a service manager runs it; at a terminal the program says it there and ends.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use panel::compose::{Repair, Wrong};
use panel::slint::{self, ComponentHandle as _, Timer, TimerMode};

use crate::clock::SystemClock;
use crate::config::ConfigError;
use crate::display;
use crate::log::Log;
use crate::program::{self, StartError, because};
use crate::watchdog::Watchdog;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long it stands there until a part that could not be had is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Whether nobody reads what this program writes.
#[must_use]
pub fn wanted() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Shows what is wrong with the configuration until the file changes.
///
/// # Errors
/// There is no display.
pub fn config(file: &Path, error: &ConfigError) -> Result<(), StartError> {
    let what = match error {
        ConfigError::Read(error) if error.kind() == std::io::ErrorKind::NotFound => Wrong::Missing,
        ConfigError::Read(_) | ConfigError::TooLong => Wrong::Unreadable,
        ConfigError::Toml { line: Some(line), .. } => Wrong::Line(*line),
        ConfigError::Toml { line: None, .. } => Wrong::Unreadable,
        ConfigError::Image => Wrong::Key("software"),
        ConfigError::Value { key, .. } => Wrong::Key(key),
    };
    let said = match error {
        ConfigError::Toml { error, .. } => error.message().to_owned(),
        ConfigError::Value { why, .. } => why.clone(),
        other => other.to_string(),
    };
    show(file, what, &said, None)
}

/// Shows what part of the machine cannot be had, for a while or until the file changes.
///
/// # Errors
/// There is no display.
pub fn part(file: &Path, error: &StartError) -> Result<(), StartError> {
    show(file, Wrong::Part(error.part), &error.why, Some(AGAIN))
}

fn show(file: &Path, what: Wrong<'_>, said: &str, again: Option<Duration>) -> Result<(), StartError> {
    let clock = SystemClock::new();
    // A window system has its own idea of sizes.
    let size = if cfg!(feature = "kms") {
        display::connected()
    } else {
        display::USUAL
    };
    let (window, panel) = program::window(size, true, clock)?;
    panel.repair(&Repair {
        file: &file.display().to_string(),
        what,
        said,
    });
    let log = Log::new(None).map_err(because("log"))?;
    program::end_on_signals(&log).map_err(because("signals of the system"))?;
    let watchdog = Watchdog::new(None).map_err(because("watchdog"))?.start();
    let (before, since) = (state(file), Instant::now());
    let (timer, path) = (Timer::default(), file.to_path_buf());
    timer.start(TimerMode::Repeated, LOOK, move || {
        if state(&path) != before || again.is_some_and(|again| since.elapsed() > again) {
            // An error means that the event loop has ended already.
            let _ = slint::quit_event_loop();
        }
    });
    let shown = window.show().and_then(|()| slint::run_event_loop_until_quit());
    drop(watchdog);
    shown.map_err(because("panel"))
}

/// A file as far as a change of it matters.
fn state(file: &Path) -> Option<(u64, Option<SystemTime>)> {
    let data = file.metadata().ok()?;
    Some((data.len(), data.modified().ok()))
}
