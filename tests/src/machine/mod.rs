//! A whole machine that is switched on: the image in an emulator, with a display, a touch panel, a card reader, a TPM and drives, seen and touched
//! from outside ([`crate::hands`]). There is no way into it but these: what a test knows of it, a person in front of it could know.
//!
//! `tests/run tools` installs what it needs (qemu, swtpm, ovmf, mtools); nothing is installed from here.

mod ccid;
pub mod drive;
mod qmp;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::hands::{Glass, Hands, PANEL};
use crate::station::AnyCard;
use crate::xvfb::Picture;
use ccid::Reader;
use drive::Drive;
use qmp::Qmp;

/// How long a picture may take to appear: the emulated machine starts in it.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long a program beside it may take to start or to end.
const QUICK: Duration = Duration::from_secs(30);
/// How long a finger stays: an emulated panel is asked for touches some times a second.
const TAP: Duration = Duration::from_millis(200);
/// Between two looks at the display, each of them a file of three megabytes.
const LOOK: Duration = Duration::from_millis(100);
/// Where Debian puts the firmware.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const SETTINGS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// Memory of the machine, in MiB.
pub const MEMORY: u32 = 512;

/// The display and the touch panel of a machine.
pub struct Screen {
    line: Qmp,
    dump: PathBuf,
    seen: Picture,
    looked: Instant,
}

impl Screen {
    fn look(&mut self) -> Result<()> {
        std::thread::sleep(LOOK.saturating_sub(self.looked.elapsed()));
        self.looked = Instant::now();
        let file = self.dump.display().to_string();
        self.line.ask("screendump", &json!({ "filename": file }))?;
        if let Some(picture) = decoded(&fs::read(&self.dump)?) {
            self.seen = picture;
        }
        Ok(())
    }

    fn pointer(&mut self, events: &serde_json::Value) -> Result<()> {
        self.line.ask("input-send-event", &json!({ "events": events }))?;
        Ok(())
    }
}

impl Glass for Screen {
    fn picture(&mut self) -> Result<&Picture> {
        self.look()?;
        Ok(&self.seen)
    }

    fn press(&mut self, x: i32, y: i32) -> Result<()> {
        // The tablet's own units, from one edge to the other.
        let scaled = |at: i32, size: u32| (i64::from(at) * 2 + 1) * 0x7FFF / (i64::from(size) * 2);
        self.pointer(&json!([
            {"type": "abs", "data": {"axis": "x", "value": scaled(x, PANEL.width)}},
            {"type": "abs", "data": {"axis": "y", "value": scaled(y, PANEL.height)}},
        ]))?;
        self.pointer(&json!([{"type": "btn", "data": {"down": true, "button": "left"}}]))
    }

    fn release(&mut self) -> Result<()> {
        self.pointer(&json!([{"type": "btn", "data": {"down": false, "button": "left"}}]))
    }

    fn touch(&mut self, x: i32, y: i32, long: Duration) -> Result<()> {
        self.press(x, y)?;
        std::thread::sleep(long.max(TAP));
        self.release()
    }
}

/// A picture in the emulator's format (PPM), if it is one of the panel's size.
fn decoded(bytes: &[u8]) -> Option<Picture> {
    let head = format!("P6\n{} {}\n255\n", PANEL.width, PANEL.height);
    let pixels = bytes.strip_prefix(head.as_bytes())?;
    let (width, height) = (PANEL.width as usize, PANEL.height as usize);
    let pixels: Vec<u32> = pixels
        .as_chunks::<3>()
        .0
        .iter()
        .map(|[red, green, blue]| u32::from_be_bytes([0, *red, *green, *blue]))
        .collect();
    (pixels.len() == width * height).then_some(Picture { width, height, pixels })
}

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
        fs::copy(SETTINGS, folder.join("settings"))
            .with_context(|| format!("{SETTINGS} is missing: run `tests/run tools`"))?;
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
        let at = |name: &str| self.folder.join(name).display().to_string();
        for name in ["tpm.sock", "card.sock", "qmp.sock"] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        let tpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", at("tpm"))])
            .args(["--ctrl", &format!("type=unixio,path={}", at("tpm.sock"))])
            .stdin(Stdio::null())
            .spawn()
            .context("swtpm is missing: run `tests/run tools`")?;
        let mut tpm = Stopped(Some(tpm));
        wait(&self.folder.join("tpm.sock"))?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("emulator.log"))?;
        let process = Command::new("qemu-system-x86_64")
            .args([
                "-machine",
                "q35",
                "-accel",
                "tcg,thread=multi",
                "-cpu",
                "max",
                "-smp",
                "2",
                "-m",
                &MEMORY.to_string(),
            ])
            .args([
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-vga",
                "none",
                "-nic",
                "none",
            ])
            .args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={FIRMWARE}")])
            .args(["-drive", &format!("if=pflash,format=raw,file={}", at("settings"))])
            .args(["-blockdev", &self.disk.node().to_string()])
            .args([
                "-device",
                &format!("virtio-blk-pci,drive={},bootindex=0", self.disk.node_name()),
            ])
            .args([
                "-device",
                &format!("virtio-gpu-pci,xres={},yres={}", PANEL.width, PANEL.height),
            ])
            .args([
                "-device",
                "qemu-xhci,p2=8,p3=8",
                "-device",
                "usb-tablet",
                "-device",
                "usb-ccid,id=ccid",
            ])
            .args([
                "-chardev",
                &format!("socket,id=card,path={},server=on,wait=off", at("card.sock")),
            ])
            .args(["-device", "ccid-card-passthru,chardev=card"])
            .args(["-chardev", &format!("socket,id=tpm,path={}", at("tpm.sock"))])
            .args([
                "-tpmdev",
                "emulator,id=tpm0,chardev=tpm",
                "-device",
                "tpm-crb,tpmdev=tpm0",
            ])
            .args([
                "-device",
                "virtio-rng-pci",
                "-serial",
                &format!("file:{}", at("serial.log")),
            ])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp.sock"))])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("qemu-system-x86_64 is missing: run `tests/run tools`")?;
        let since = Instant::now();
        let mut process = Stopped(Some(process));
        wait(&self.folder.join("qmp.sock"))?;
        wait(&self.folder.join("card.sock"))?;
        let screen = Screen {
            line: Qmp::open(&self.folder.join("qmp.sock"))?,
            dump: self.folder.join("screen.ppm"),
            seen: Picture::default(),
            looked: since,
        };
        let mut hands = Hands::new(screen, self.folder.join("emulator.log"), PATIENCE)?;
        hands.process = process.0.take();
        Ok(Running {
            hands,
            reader: Reader::open(&self.folder.join("card.sock"))?,
            tpm: tpm.0.take().context("no TPM")?,
            since,
        })
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

    /// Pulls the plug, with a card in the slot. What the machine has not told its drives to keep, [`Drive::cut`] takes away.
    ///
    /// # Errors
    /// It cannot be ended, or no card is in.
    pub fn pull_and_cut(&mut self) -> Result<AnyCard> {
        if let Some(mut process) = self.hands.process.take() {
            process.kill()?;
            process.wait()?;
        }
        self.tpm.kill()?;
        self.tpm.wait()?;
        self.reader.take()
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

/// A program that is stopped if what comes after it does not start.
struct Stopped(Option<Child>);

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn wait(socket: &Path) -> Result<()> {
    let start = Instant::now();
    while !socket.exists() {
        ensure!(start.elapsed() < QUICK, "{} does not appear", socket.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
