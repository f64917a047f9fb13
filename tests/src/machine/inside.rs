//! Somebody inside the machine, to see what nobody outside can: which programs run, what is open, what was mounted. In the image there is nothing
//! that could say it, so this start is another one: the image's kernel, root and command line, and its initramfs with a second archive behind
//! it, in which the first program also leaves a shell that reads commands from the serial line. What is looked at is the shipped root; the way
//! in is in no image.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::PATIENCE;
use super::start::Kernel;
use crate::tree;

/// The last words of the image's first program.
const HANDS_OVER: &str = "exec busybox switch_root";
/// What is put in front of them: the shell, in the root that is about to run, with its own program in memory.
const LEAVES: &str = "busybox mknod /dev/null c 1 3
busybox mount -t tmpfs -o nodev,mode=755 run /new/run
busybox cp /bin/busybox /look /new/run/
busybox setsid busybox chroot /new /run/busybox sh /run/look &
";
/// What that shell does. Every answer ends with how its command ended.
const LOOK: &str = "exec </dev/ttyS0 >/dev/ttyS0 2>&1
/run/busybox stty raw -echo
PATH=/run
look() { /run/busybox \"$@\"; }
echo '=ready='
while read -r line; do eval \"$line\"; echo \"=$?=\"; done
";

/// Kernel, longer initramfs and command line for such a start, in `folder`.
pub(super) fn prepare(image: &Path, folder: &Path) -> Result<Kernel> {
    let init = fs::read_to_string(tree::root().join("firmware/linux/image/initramfs/init"))?;
    ensure!(
        init.matches(HANDS_OVER).count() == 1,
        "the first program does not hand over once"
    );
    let init = init.replace(HANDS_OVER, &format!("{LEAVES}{HANDS_OVER}"));
    let mut archive = fs::read(image.join("initramfs"))?;
    archive.resize(archive.len().next_multiple_of(4), 0);
    for (name, mode, data) in [
        ("init", 0o100_755, init.as_str()),
        ("look", 0o100_755, LOOK),
        ("TRAILER!!!", 0, ""),
    ] {
        entry(&mut archive, name, mode, data.as_bytes());
    }
    let initramfs = folder.join("initramfs");
    fs::write(&initramfs, archive)?;
    Ok(Kernel {
        kernel: image.join("kernel"),
        initramfs,
        cmdline: fs::read_to_string(image.join("cmdline"))?.trim().to_owned(),
    })
}

/// A file in the kernel's format of archives (newc).
fn entry(archive: &mut Vec<u8>, name: &str, mode: usize, data: &[u8]) {
    let fields = [0, mode, 0, 0, 1, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0];
    archive.extend(b"070701");
    for field in fields {
        archive.extend(format!("{field:08X}").bytes());
    }
    archive.extend(name.bytes().chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(data);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// The shell's line.
pub struct Inside {
    line: UnixStream,
}

impl Inside {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let line = UnixStream::connect(path).context("the serial line")?;
        line.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut inside = Self { line };
        inside.until("=ready=\n")?;
        Ok(inside)
    }

    /// What a command prints. Programs are busybox's: `look ls /run`.
    ///
    /// # Errors
    /// It ends with something else than 0, or not at all.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.line, "{command}")?;
        let said = self.until("=\n")?;
        let (text, code) = said.trim_end_matches("=\n").rsplit_once('=').context("no end")?;
        ensure!(code == "0", "{command}: {code}: {text}");
        Ok(text.to_owned())
    }

    fn until(&mut self, end: &str) -> Result<String> {
        let start = Instant::now();
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        while !text.ends_with(end.as_bytes()) {
            match self.line.read(&mut piece) {
                Ok(0) => anyhow::bail!("the serial line ends: {}", String::from_utf8_lossy(&text)),
                Ok(count) => text.extend(&piece[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(error.into()),
            }
            let text = || String::from_utf8_lossy(&text);
            ensure!(start.elapsed() < PATIENCE, "nothing more from inside: {}", text());
        }
        Ok(String::from_utf8(text)?)
    }
}
