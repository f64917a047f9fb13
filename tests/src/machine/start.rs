//! The emulator's call: which machine it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::ccid::Reader;
use super::drive::Drive;
use super::qmp::Qmp;
use super::{MEMORY, PATIENCE, QUICK, Running, Screen, TOUCH};
use crate::hands::{Hands, PANEL};
use crate::xvfb::Picture;

/// Where Debian puts the firmware.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
pub(super) const SETTINGS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// What the emulator calls the network card.
pub(super) const CARD: &str = "card";

/// For whoever has not installed it.
const NO_SETPRIV: &str = "setpriv (Debian's util-linux) is missing";
const MISSING: &str = "its program has ended, or is missing: run `tests/run tools`";

/// What the emulator calls the USB controller.
pub(super) const USB: &str = "usb";

/// A kernel that is started without firmware and loader: its file, the initramfs, the command line.
pub(super) struct Kernel {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    pub cmdline: String,
}

/// Switches a machine on.
pub(super) fn start(folder: &Path, disk: &Drive, kernel: Option<&Kernel>) -> Result<Running> {
    let at = |name: &str| folder.join(name).display().to_string();
    for name in ["tpm.sock", "card.sock", "qmp.sock", "serial.sock"] {
        let _ = fs::remove_file(folder.join(name));
    }
    let tpm = with_us("swtpm")
        .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", at("tpm"))])
        .args(["--ctrl", &format!("type=unixio,path={}", at("tpm.sock"))])
        .stdin(Stdio::null())
        .spawn()
        .context(NO_SETPRIV)?;
    let mut tpm = Stopped(Some(tpm));
    wait(&folder.join("tpm.sock"), &mut tpm)?;
    // What it says since this start.
    let log = fs::File::create(folder.join("emulator.log"))?;
    let mut call = with_us("qemu-system-x86_64");
    let mut say = |text: &str| {
        call.args(text.split_whitespace());
    };
    say(
        "-machine q35 -accel tcg,thread=multi -cpu max -smp 2 -nodefaults -no-user-config -display none -vga none -no-reboot",
    );
    say(&format!("-m {MEMORY}"));
    say(&format!(
        "-device virtio-gpu-pci,xres={},yres={}",
        PANEL.width, PANEL.height
    ));
    say(&format!("-device qemu-xhci,id={USB},addr=0x14,p2=15,p3=15"));
    say(&format!("-device usb-tablet,id=touch,bus={USB}.0,port={TOUCH}"));
    say("-device usb-ccid,id=ccid -device ccid-card-passthru,chardev=slot");
    say("-device virtio-rng-pci -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0");
    // A card, a cable, a hub, and behind it the world: 10.0.2.2 is this machine's 127.0.0.1.
    say(
        "-netdev hubport,id=plug,hubid=0 -netdev user,id=world,ipv6=off -netdev hubport,id=socket,hubid=0,netdev=world",
    );
    say(&format!(
        "-device virtio-net-pci,netdev=plug,id={CARD},mac=52:54:00:12:34:56,romfile="
    ));
    // Paths may hold blanks.
    call.args([
        "-chardev",
        &format!("socket,id=slot,path={},server=on,wait=off", at("card.sock")),
    ]);
    call.args(["-chardev", &format!("socket,id=tpm,path={}", at("tpm.sock"))]);
    call.args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp.sock"))]);
    call.args(["-serial", &format!("unix:{},server=on,wait=off", at("serial.sock"))]);
    call.args(["-blockdev", &disk.node().to_string()]);
    let device = format!("virtio-blk-pci,drive={}", disk.node_name());
    match kernel {
        None => {
            call.args(["-device", &format!("{device},bootindex=0")]);
            call.args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={FIRMWARE}")]);
            call.args(["-drive", &format!("if=pflash,format=raw,file={}", at("settings"))]);
        }
        Some(kernel) => {
            call.args(["-device", &device]);
            call.arg("-kernel")
                .arg(&kernel.kernel)
                .arg("-initrd")
                .arg(&kernel.initramfs);
            call.args(["-append", &kernel.cmdline]);
        }
    }
    let process = call
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context(NO_SETPRIV)?;
    let since = Instant::now();
    let mut process = Stopped(Some(process));
    wait(&folder.join("qmp.sock"), &mut process)?;
    wait(&folder.join("card.sock"), &mut process)?;
    let said = || fs::read_to_string(folder.join("emulator.log")).unwrap_or_default();
    let screen = Screen {
        line: Qmp::open(&folder.join("qmp.sock")).with_context(said)?,
        dump: folder.join("screen.ppm"),
        seen: Picture::default(),
        looked: since,
    };
    let mut hands = Hands::new(screen, folder.join("emulator.log"), PATIENCE)?;
    hands.process = process.0.take();
    Ok(Running {
        hands,
        reader: Reader::open(&folder.join("card.sock"))?,
        tpm: tpm.0.take().context("no TPM")?,
        since,
    })
}

/// What ends with whoever calls it, however that ends: with a test that is ended from outside. The kernel ends it when the thread is gone that
/// started it.
fn with_us(program: &str) -> Command {
    let mut call = Command::new("setpriv");
    call.args(["--pdeathsig", "KILL", "--", program]);
    call
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

/// Waits until a program has its socket.
fn wait(socket: &Path, of: &mut Stopped) -> Result<()> {
    let start = Instant::now();
    while !socket.exists() {
        if let Some(process) = &mut of.0 {
            let ended = process.try_wait()?;
            ensure!(ended.is_none(), "{} does not appear: {MISSING}", socket.display());
        }
        ensure!(start.elapsed() < QUICK, "{} does not appear", socket.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
