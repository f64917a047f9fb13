//! A whole machine that is switched on: the image in an emulator, with a display, a touch panel, a card reader, a TPM and drives, seen and touched
//! from outside ([`crate::hands`]). There is no way into it but these: what a test knows of it, a person in front of it could know.
//!
//! `tests/run tools` installs what it needs (qemu, swtpm, ovmf, mtools); nothing is installed from here.

mod ccid;
pub mod drive;
pub mod inside;
mod qmp;
mod screen;
pub mod set_up;
mod start;
pub mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::hands::{Glass as _, Hands};
use crate::station::AnyCard;
use ccid::Reader;
use drive::Drive;
use inside::Inside;
pub use screen::Screen;
use wire::Wire;

/// How long a picture may take to appear: the emulated machine starts in it, on whatever runs the tests.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a program beside it may take to start or to end.
const QUICK: Duration = Duration::from_secs(30);
/// How long a finger stays: an emulated panel is asked for touches some times a second.
const TAP: Duration = Duration::from_millis(200);
/// Between two looks at the display, each of them a file of three megabytes.
const LOOK: Duration = Duration::from_millis(100);
/// Memory of the machine, in MiB.
pub const MEMORY: u32 = 512;
/// The machine's own address and its network's, as `kiosk.toml` has it.
pub const ADDRESS: &str = "10.0.2.15/24";
/// Where the machine reaches what listens on this one's 127.0.0.1.
pub const WORLD: &str = "10.0.2.2";
/// Ports with a meaning: the touch panel's, the keypad's, and two others. Everything else gets the next one in turn, and never comes so far.
pub const TOUCH: &str = "13";
/// The keypad's.
pub const KEYPAD: &str = "14";
/// Where nothing is expected.
pub const ELSEWHERE: &str = "15";
/// Nor there.
pub const NOWHERE: &str = "12";
/// What `kiosk.toml` has of both: the controller's place is the emulator's call's, and all of the emulator's keyboards, mice and tablets have this one
/// number. It has no touchscreen, and its tablet is one of the panels that have to be named.
pub const PORTS_TOML: &str = "[keypad]\nport = \"0000:00:14.0/14\"\nusb = \"0627:0001\"\n\
                              [touch]\nport = \"0000:00:14.0/13\"\nusb = \"0627:0001\"\n";
/// What the emulator calls a flush that is held back.
const HELD: &str = "held";

/// A machine that is on.
pub struct Running {
    hands: Hands<Screen>,
    reader: Reader,
    tpm: Child,
    /// When the power came.
    pub since: Instant,
}

/// A machine, on or off: what stays when its power goes.
pub struct Machine {
    folder: PathBuf,
    disk: Drive,
}

impl Machine {
    /// A machine with this disk (`kiosk.disk` of the image build), copied, and a TPM of its own; off.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn new(folder: &Path, disk: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("tpm"))?;
        let own = folder.join("disk.drive");
        let copied = Command::new("cp").arg("--sparse=always").arg(disk).arg(&own).status()?;
        ensure!(copied.success(), "{} cannot be copied", disk.display());
        fs::copy(start::SETTINGS, folder.join("settings"))
            .with_context(|| format!("{} is missing: run `tests/run tools`", start::SETTINGS))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            disk: Drive::of(own, "disk"),
        })
    }

    /// Its disk.
    #[must_use]
    pub const fn drive(&self) -> &Drive {
        &self.disk
    }

    /// The file of its disk.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.disk.file().to_path_buf()
    }

    /// Switches it on. Drives are put in with [`Running::plug`].
    ///
    /// # Errors
    /// A program is missing or does not start.
    pub fn switch_on(&self) -> Result<Running> {
        start::start(&self.folder, &self.disk, None)
    }

    /// Switches it on with somebody inside: [`inside`] says how. `image` is the folder of the image build.
    ///
    /// # Errors
    /// As [`Machine::switch_on`], or what is inside does not answer.
    pub fn look_into(&self, image: &Path) -> Result<(Running, Inside)> {
        let kernel = inside::prepare(image, &self.folder)?;
        let running = start::start(&self.folder, &self.disk, Some(&kernel))?;
        let inside = Inside::open(&self.folder.join("serial.sock"))?;
        Ok((running, inside))
    }
}

impl Running {
    /// Puts a drive in.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn plug(&mut self, drive: &Drive) -> Result<()> {
        let name = drive.name();
        let line = &mut self.hands.display.line;
        line.ask("blockdev-add", &drive.node())?;
        line.ask(
            "device_add",
            &json!({"driver": "usb-storage", "id": name, "drive": drive.node_name(), "removable": true}),
        )?;
        Ok(())
    }

    /// Pulls a drive.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn unplug(&mut self, drive: &Drive) -> Result<()> {
        let line = &mut self.hands.display.line;
        line.ask("device_del", &json!({"id": drive.name()}))?;
        let start = Instant::now();
        // The emulator lets go of the file when the machine has let go of the device.
        while line
            .ask("blockdev-del", &json!({"node-name": drive.node_name()}))
            .is_err()
        {
            ensure!(start.elapsed() < QUICK, "the emulator keeps {}", drive.name());
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Puts a card in.
    ///
    /// # Errors
    /// Another one is in, or the reader is gone.
    pub fn insert(&mut self, card: AnyCard) -> Result<()> {
        self.reader.insert(card)
    }

    /// Takes it out.
    ///
    /// # Errors
    /// None is in, or the reader is gone.
    pub fn pull(&mut self) -> Result<AnyCard> {
        self.reader.pull()
    }

    /// Keeps what stands on the display.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn photograph(&mut self, file: &Path) -> Result<()> {
        self.hands.display.picture()?.png(file)
    }

    /// From now on the next flush of this drive is held back: what was written before it is not durable, and nothing comes after it.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn hold(&mut self, drive: &Drive) -> Result<()> {
        let command = format!("qemu-io {} \"break flush_to_disk {HELD}\"", drive.node_name());
        let said = self.hands.display.line.say(&command)?;
        ensure!(said.trim().is_empty(), "{command}: {said}");
        Ok(())
    }

    /// Pulls the plug in the middle of a write, with a card in the slot: when the machine has written, and waits for the flush that is held
    /// back. What it has not flushed, [`Drive::cut`] takes away.
    ///
    /// # Errors
    /// It writes nothing, it cannot be ended, or no card is in.
    pub fn cut_when_held(&mut self) -> Result<AnyCard> {
        self.held()?;
        self.pull_and_cut()
    }

    /// Waits until a flush is held back.
    ///
    /// # Errors
    /// The machine writes nothing.
    pub fn held(&self) -> Result<()> {
        let start = Instant::now();
        while !self.hands.said().contains(&format!("Suspended request '{HELD}'")) {
            ensure!(start.elapsed() < PATIENCE, "nothing is flushed");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Keys of a keyboard pressed together, by the emulator's names. Without a keyboard they go nowhere.
    ///
    /// # Errors
    /// There is no such key.
    pub fn press_keys(&mut self, keys: &[&str]) -> Result<()> {
        let keys: Vec<_> = keys.iter().map(|key| json!({"type": "qcode", "data": key})).collect();
        self.hands
            .display
            .line
            .ask("send-key", &json!({"keys": keys, "hold-time": 100}))?;
        Ok(())
    }

    /// Puts a USB keyboard into a port, by its number. Of several, the one that was put in first gets the keys.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn plug_keyboard(&mut self, name: &str, port: &str) -> Result<()> {
        self.plug_input("usb-kbd", name, port)
    }

    /// Puts a USB mouse (`usb-mouse`) or another panel (`usb-tablet`) into a port.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn plug_input(&mut self, kind: &str, name: &str, port: &str) -> Result<()> {
        let device = json!({"driver": kind, "id": name, "bus": format!("{}.0", start::USB), "port": port});
        self.hands.display.line.ask("device_add", &device)?;
        Ok(())
    }

    /// Pulls what was put in by this name. The panel's own touch controller is `touch`.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn unplug_input(&mut self, name: &str) -> Result<()> {
        self.hands.display.line.ask("device_del", &json!({"id": name}))?;
        Ok(())
    }

    /// Moves whatever mouse the emulator has, and presses its button and lets it go.
    ///
    /// # Errors
    /// The emulator refuses: there is none.
    pub fn move_and_click(&mut self, x: i32, y: i32) -> Result<()> {
        let button = |down: bool| json!([{"type": "btn", "data": {"down": down, "button": "left"}}]);
        let moves = json!([
            {"type": "rel", "data": {"axis": "x", "value": x}},
            {"type": "rel", "data": {"axis": "y", "value": y}},
        ]);
        for events in [moves, button(true), button(false)] {
            let line = &mut self.hands.display.line;
            line.ask("input-send-event", &json!({ "events": events }))?;
        }
        Ok(())
    }

    /// The network's cable, pulled or put in.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn cable(&mut self, there: bool) -> Result<()> {
        self.hands
            .display
            .line
            .ask("set_link", &json!({"name": start::CARD, "up": there}))?;
        Ok(())
    }

    /// The cable out of the world's socket, and its end into a test's hand.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn wire(&mut self, folder: &Path) -> Result<Wire> {
        let (theirs, ours) = (folder.join("wire-machine"), folder.join("wire-test"));
        let wire = Wire::open(&ours, &theirs)?;
        let line = &mut self.hands.display.line;
        for name in ["socket", "world"] {
            line.ask("netdev_del", &json!({"id": name}))?;
        }
        let end = |path: &Path| json!({"type": "unix", "path": path.display().to_string()});
        line.ask(
            "netdev_add",
            &json!({"type": "dgram", "id": "wire", "local": end(&theirs), "remote": end(&ours)}),
        )?;
        line.ask(
            "netdev_add",
            &json!({"type": "hubport", "id": "socket", "hubid": 0, "netdev": "wire"}),
        )?;
        Ok(wire)
    }

    /// Whether the machine was reset since the power came.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub fn was_reset(&mut self) -> Result<bool> {
        let line = &mut self.hands.display.line;
        line.ask("query-status", &json!({}))?;
        Ok(line.events.iter().any(|event| event == "RESET"))
    }

    /// Waits until the machine gives up: it resets itself, which ends the emulator.
    ///
    /// # Errors
    /// It does not.
    pub fn gives_up(&mut self) -> Result<()> {
        let start = Instant::now();
        let process = self.hands.process.as_mut().context("not running")?;
        while process.try_wait()?.is_none() {
            ensure!(start.elapsed() < PATIENCE, "the machine goes on");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Pulls the plug, with a card in the slot. What the machine has not told its drives to keep, [`Drive::cut`] takes away.
    ///
    /// # Errors
    /// It cannot be ended, or no card is in.
    pub fn pull_and_cut(&mut self) -> Result<AnyCard> {
        self.cut()?;
        self.reader.take()
    }

    /// Pulls the plug, with no card in the slot.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn cut(&mut self) -> Result<()> {
        if let Some(mut process) = self.hands.process.take() {
            process.kill()?;
            process.wait()?;
        }
        self.tpm.kill()?;
        self.tpm.wait()?;
        Ok(())
    }
}

impl std::ops::Deref for Running {
    type Target = Hands<Screen>;

    fn deref(&self) -> &Self::Target {
        &self.hands
    }
}

impl std::ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.hands
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in self.hands.process.iter_mut().chain([&mut self.tpm]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
