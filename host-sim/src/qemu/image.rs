//! The firmware as a file, and how to start it: built here, from the one folder of firmware/ that can be emulated.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};

use super::counts::Counts;
use super::picture::Album;

/// File of a board's folder that says how it is emulated: one argument a line, places in braces.
const DESCRIPTION: &str = "emulator.txt";

/// A board that can be started. Clones are the same one.
#[derive(Clone)]
pub struct Emulation {
    /// The firmware, an ELF file.
    pub image: PathBuf,
    /// Program and arguments, with places in braces.
    pub arguments: Vec<String>,
    /// The pictures that were compared.
    pub album: Arc<Mutex<Album>>,
    /// What boards have logged, a start each, as it came.
    pub logs: Arc<Mutex<Vec<Vec<u8>>>>,
    /// What people wanted to touch and no button of the board's screen gives.
    pub missed: Arc<Mutex<Vec<String>>>,
    /// A window shows the board: nothing is compared.
    pub shown: bool,
    /// Every other start of a kiosk is on a board, the others are in this process.
    pub alternates: bool,
    /// What the boards measured of themselves.
    pub measured: Arc<Mutex<Measured>>,
    /// What a board's memory holds when it shows the idle screen for the first time, if somebody wants to go on from there.
    pub idle: Option<Arc<Mutex<Vec<u8>>>>,
    /// Instructions, where they are counted: then the emulator runs one a nanosecond.
    pub counts: Option<Arc<Mutex<Counts>>>,
}

impl Emulation {
    /// The same, counting instructions.
    #[must_use]
    pub fn counting(&self) -> Self {
        let mut counting = self.clone();
        let behind_the_program = counting.arguments.len().min(1);
        counting.arguments.splice(
            behind_the_program..behind_the_program,
            ["-icount".into(), "shift=0".into()],
        );
        counting.counts = Some(Arc::default());
        counting
    }

    /// The same, for a window that shows the board.
    #[must_use]
    pub fn shown(&self) -> Self {
        Self {
            shown: true,
            ..self.clone()
        }
    }

    /// The same, keeping what a board's memory holds at its first idle screen.
    #[must_use]
    pub fn remembering(&self) -> Self {
        Self {
            idle: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// The same, for kiosks that change between a board and this process at every start.
    #[must_use]
    pub fn alternating(&self) -> Self {
        Self {
            alternates: true,
            ..self.clone()
        }
    }
}

/// A value that a panic of somebody else's thread leaves as it is.
pub fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a board measures of itself, the most of all starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Deepest stack and its size, bytes.
    pub stack: [u32; 2],
    /// Fullest heap of the screen and its size, bytes.
    pub screens: [u32; 2],
    /// Fullest heap of certificates and its size, bytes.
    pub certificates: [u32; 2],
    /// Pictures drawn.
    pub frames: u32,
    /// Restarts by the board itself after a panic.
    pub restarts: u32,
    /// Starts.
    pub starts: u32,
}

impl Measured {
    /// With one more board's.
    pub fn add(&mut self, one: &Self) {
        for (mine, theirs) in [
            (&mut self.stack, one.stack),
            (&mut self.screens, one.screens),
            (&mut self.certificates, one.certificates),
        ] {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine = theirs.max(*mine);
            }
        }
        self.frames += one.frames;
        self.restarts += one.restarts;
        self.starts += 1;
    }
}

fn firmware() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware")
}

/// The folder of the board that can be emulated.
fn board() -> Result<PathBuf> {
    let folders = std::fs::read_dir(firmware()).context("firmware/ cannot be read")?;
    let found = folders.filter_map(|entry| Some(entry.ok()?.path()));
    let found = found.filter(|folder| folder.join(DESCRIPTION).is_file()).min();
    found.context("no board of firmware/ says how it is emulated")
}

/// The description without its remarks.
fn arguments(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Builds the firmware, or takes the one that `IPPYO_FIRMWARE` names.
///
/// # Errors
/// It does not build, or there is no emulator.
pub fn emulation(pictures: Option<&Path>) -> Result<Emulation> {
    let board = board()?;
    let text = std::fs::read_to_string(board.join(DESCRIPTION))?;
    let arguments = arguments(&text);
    let program = arguments
        .first()
        .context("the description of the board names no emulator")?;
    let found = Command::new(program).arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        bail!("{program} is missing: install the package qemu-system-arm (or the like)");
    }
    Ok(Emulation {
        image: match std::env::var_os("IPPYO_FIRMWARE") {
            Some(image) => image.into(),
            None => build("the firmware", &board, &["--release"])?,
        },
        arguments,
        album: Arc::new(Mutex::new(Album::new(pictures)?)),
        logs: Arc::default(),
        missed: Arc::default(),
        shown: false,
        alternates: false,
        measured: Arc::default(),
        idle: None,
        counts: None,
    })
}

/// Builds the program in a folder, and says so, because it takes minutes the first time.
///
/// # Errors
/// It does not build.
pub(super) fn build(what: &str, folder: &Path, arguments: &[&str]) -> Result<PathBuf> {
    eprintln!("building {what} (some minutes the first time)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| firmware().join("../target"), PathBuf::from);
    let out = Command::new(cargo)
        // In its folder: its own settings name the processor.
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--locked", "--message-format", "json-render-diagnostics"])
        .args(arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo does not start")?;
    if !out.status.success() {
        bail!("{what} does not build");
    }
    let messages = String::from_utf8_lossy(&out.stdout);
    let mut images = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    images.next_back().context("cargo built no program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_board_says_how_it_is_emulated_and_names_all_its_places() {
        let text = std::fs::read_to_string(board().unwrap().join(DESCRIPTION)).unwrap();
        let all = arguments(&text).join("\n");
        for place in [
            "{memory}", "{log}", "{touch}", "{card}", "{uplink}", "{host}", "{image}",
        ] {
            assert_eq!(all.matches(place).count(), 1, "{place}");
        }
        assert_eq!(arguments("# a\n\n b \nc"), ["b", "c"]);
    }
}
