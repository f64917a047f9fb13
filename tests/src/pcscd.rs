//! A PC/SC daemon of a test's own, with the virtual readers of vsmartcard: no other program's cards, no other program's daemon.
//!
//! `tests/run tools` installs what it needs (pcscd, vsmartcard-vpcd); nothing is installed from here.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use host_sim::cards::{Chip, vpcd};
use serde_json::Value;

use crate::programs::program;

/// The driver of the virtual readers, where Debian puts it.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// The environment variable by which PC/SC clients find a daemon.
pub const SOCKET: &str = "PCSCLITE_CSOCK_NAME";

/// How long anything may take to appear: it ends a test that hangs, and no machine is that slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// What stands between the daemon and the driver for a reader that can be unplugged.
const CABLE: &str = include_str!("cable.c");

/// A running daemon with two empty readers. Stopped, by its process id, when dropped.
pub struct Pcscd {
    daemon: Option<Child>,
    folder: PathBuf,
    port: u16,
}

impl Pcscd {
    /// Starts one in `folder`, which has to be empty and short (a socket's path has at most 107 bytes).
    ///
    /// # Errors
    /// If something that `tests/run tools` installs is missing, or the daemon does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, Path::new(DRIVER))
    }

    /// As [`Pcscd::start`], with readers that can be unplugged while the daemon runs: [`Pcscd::unplug`].
    ///
    /// # Errors
    /// As [`Pcscd::start`]; no C compiler.
    pub fn with_cable(folder: &Path) -> Result<Self> {
        let (source, library) = (folder.join("cable.c"), folder.join("libcable.so"));
        fs::write(&source, CABLE)?;
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-I/usr/include/PCSC"])
            .arg(format!("-DDRIVER=\"{DRIVER}\""))
            .arg("-o")
            .args([&library, &source])
            .arg("-ldl")
            .status()
            .context("cc is missing: run `tests/run tools`")?;
        ensure!(status.success(), "the cable does not compile: run `tests/run tools`");
        Self::start_with(folder, &library)
    }

    fn start_with(folder: &Path, driver: &Path) -> Result<Self> {
        ensure!(
            Path::new(DRIVER).is_file(),
            "{DRIVER} is missing: run `tests/run tools`"
        );
        let mut pcscd = Self {
            daemon: None,
            folder: folder.to_path_buf(),
            port: free_ports()?,
        };
        let readers = folder.join("reader.conf.d");
        fs::create_dir_all(&readers)?;
        let port = pcscd.port;
        fs::write(
            readers.join("vpcd"),
            format!(
                "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{port}\nLIBPATH {}\nCHANNELID {port}\n",
                driver.display()
            ),
        )?;
        pcscd.launch()?;
        Ok(pcscd)
    }

    fn launch(&mut self) -> Result<()> {
        let socket = self.socket();
        let _ = fs::remove_file(&socket);
        // The daemon takes its socket as a service manager hands it over: as descriptor 3, with its own process id beside it.
        let listener = UnixListener::bind(&socket).context("the daemon's socket")?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("pcscd.log"))?;
        let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; \
                      PATH=$PATH:/usr/sbin; exec pcscd --foreground --config \"$1\"";
        let daemon = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(self.folder.join("reader.conf.d"))
            .env("IPPYO_UNPLUGGED", self.cable())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .spawn()
            .context("sh")?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Kills the daemon, as a crash would.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill()?;
            daemon.wait()?;
        }
        Ok(())
    }

    /// Starts it again with the same readers, under the same socket.
    ///
    /// # Errors
    /// As [`Pcscd::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.launch()
    }

    fn cable(&self) -> PathBuf {
        self.folder.join("unplugged")
    }

    /// Pulls the readers' cable: from now on the driver answers what a driver answers for a USB device that has gone, and the daemon, which
    /// goes on, tells its clients so. Only with [`Pcscd::with_cable`]. What this does not do is what udev does then: take the reader off the
    /// daemon's list; [`Pcscd::without_reader`] is a daemon with nothing on its list.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn unplug(&mut self) -> Result<()> {
        Ok(fs::write(self.cable(), [])?)
    }

    /// Puts it back.
    ///
    /// # Errors
    /// It was not out.
    pub fn plug(&mut self) -> Result<()> {
        Ok(fs::remove_file(self.cable())?)
    }

    /// Starts the daemon again as it is on a machine without a reader: it runs, and has none on its list.
    ///
    /// # Errors
    /// As [`Pcscd::start`].
    pub fn without_reader(&mut self) -> Result<()> {
        self.kill()?;
        fs::rename(self.folder.join("reader.conf.d/vpcd"), self.folder.join("no-reader"))?;
        self.launch()
    }

    /// Starts it again with the reader: this daemon looks for readers of this kind only when it starts.
    ///
    /// # Errors
    /// As [`Pcscd::start`].
    pub fn with_reader(&mut self) -> Result<()> {
        fs::rename(self.folder.join("no-reader"), self.folder.join("reader.conf.d/vpcd"))?;
        self.restart()
    }

    /// What clients have in [`SOCKET`].
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("comm")
    }

    /// A card into one of the two readers, 0 or 1.
    ///
    /// # Errors
    /// If the daemon's reader does not listen in time.
    pub fn insert(&mut self, reader: u16, chip: impl Chip + Send + 'static) -> Result<vpcd::Inserted> {
        ensure!(reader < 2, "two readers");
        let start = Instant::now();
        loop {
            if let Ok(listener) = std::net::TcpStream::connect(("127.0.0.1", self.port + reader)) {
                return vpcd::insert_by(listener, Box::new(chip)).context("a card into the virtual reader");
            }
            if let Some(status) = self.daemon.as_mut().and_then(|d| d.try_wait().ok().flatten()) {
                bail!("pcscd ended with {status}: {}", self.log());
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "the virtual reader does not listen: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the daemon has seen that nothing is in its readers: a card that comes before would be taken for the one that has gone.
    ///
    /// # Errors
    /// If it does not see that in time.
    pub fn emptied(&self) -> Result<()> {
        // Asked by a program of its own: clients find their daemon by an environment variable, which this one cannot set for itself.
        let staff = program("staff")?;
        let start = Instant::now();
        loop {
            let asked = Command::new(&staff)
                .args(["card", "list", "--json"])
                .env(SOCKET, self.socket())
                .output()?;
            let readers: Value = serde_json::from_slice(&asked.stdout).unwrap_or_default();
            let empty = |reader: &Value| reader["content"] == "empty";
            if readers
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(empty))
            {
                return Ok(());
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "the daemon still sees a card: {readers}: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the daemon said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("pcscd.log")).unwrap_or_default()
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Two ports in a row that nobody uses now.
fn free_ports() -> Result<u16> {
    for _ in 0..50 {
        let first = TcpListener::bind(("0.0.0.0", 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("0.0.0.0", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two free ports in a row")
}
