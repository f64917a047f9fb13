//! The appliance's program on a display, a card reader and folders of a test's own, seen and touched from outside ([`crate::hands`]).

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::hands::Hands;
pub use crate::hands::PANEL;
use crate::pcscd::{Pcscd, SOCKET};
use crate::programs::program;
use crate::xvfb::Display;

/// How long a picture may take to appear. Bounds a test; how long it took is printed by those who measure.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A running appliance. Ended, by its process id, when dropped.
pub struct Appliance {
    /// Its panel, with fingers on it.
    hands: Hands<Display>,
    /// Its reader.
    pub pcscd: Pcscd,
    /// Its folder: `kiosk.toml`, `state`, `exchange`, `original`, `duplicate`, `kiosk.log`.
    pub folder: PathBuf,
}

impl Deref for Appliance {
    type Target = Hands<Display>;

    fn deref(&self) -> &Self::Target {
        &self.hands
    }
}

impl DerefMut for Appliance {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.hands
    }
}

impl Appliance {
    /// A machine that is not switched on yet. `authority` in hex; `gateway` where it may have a network.
    ///
    /// # Errors
    /// If display or daemon do not start.
    pub fn new(folder: &Path, authority: &str, gateway: Option<&str>) -> Result<Self> {
        let cards = folder.join("cards");
        fs::create_dir_all(&cards)?;
        Self::with_reader(folder, authority, gateway, Pcscd::start(&cards)?)
    }

    /// As [`Appliance::new`], with this daemon.
    ///
    /// # Errors
    /// As [`Appliance::new`].
    pub fn with_reader(folder: &Path, authority: &str, gateway: Option<&str>, pcscd: Pcscd) -> Result<Self> {
        for name in ["display", "exchange", "original", "duplicate"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let uplink = gateway.map_or_else(String::new, |address| format!("[uplink]\ngateways = [\"{address}\"]\n"));
        fs::write(
            folder.join("kiosk.toml"),
            format!(
                "station = 1\nauthority = \"{authority}\"\nstate = \"state\"\nexchange = \"exchange\"\n\
                 [panel]\nwidth = {}\nheight = {}\ndiagonal_mm = {}\n\
                 [media]\noriginal = \"original\"\nduplicate = \"duplicate\"\n\
                 [randomness]\nsecond = \"/dev/urandom\"\n\
                 [log]\nfile = \"kiosk.log\"\n{uplink}",
                PANEL.width, PANEL.height, PANEL.diagonal_mm
            ),
        )?;
        let display = Display::start(&folder.join("display"), PANEL.width, PANEL.height)?;
        Ok(Self {
            hands: Hands::new(display, folder.join("said.log"), PATIENCE)?,
            pcscd,
            folder: folder.to_path_buf(),
        })
    }

    /// Starts the program.
    ///
    /// # Errors
    /// It is not there.
    pub fn switch_on(&mut self) -> Result<()> {
        let said = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("said.log"))?;
        let process = Command::new(program("linux")?)
            .arg("--config")
            .arg(self.folder.join("kiosk.toml"))
            .env("DISPLAY", self.display.name())
            .env(SOCKET, self.pcscd.socket())
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        self.hands.process = Some(process);
        Ok(())
    }

    /// Pulls the plug of the program, as far as a program has one.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.hands.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Asks the program to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// It does not end.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let id = self.hands.process.as_ref().context("not running")?.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &id]).status()?.success(), "kill");
        self.ended()
    }

    /// Waits for the program to end by itself.
    ///
    /// # Errors
    /// It does not.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        let mut process = self.hands.process.take().context("not running")?;
        let start = Instant::now();
        loop {
            if let Some(status) = process.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > PATIENCE {
                process.kill()?;
                process.wait()?;
                bail!("the program does not end: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
