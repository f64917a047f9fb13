//! Who orders the batches of this world: keys at hand in one ledger, or validators as processes of their own on a consensus engine.
//!
//! The simulator knows the engine only as a program (`chain-node`), which it builds and starts; what it gets from it are the frames that a
//! kiosk gets, and at the end `chain.bin` after an audit over all validators.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use chain::Chain;
use chain::gateway::client::{Connection, Gateways};
use chain::storage::MemoryStorage;
use election::ledger::frame::{MAX_REPLY, Reply, Request, read_reply, write_reply, write_request};
use election::sign::Signer;
use serde_json::Value;
use tempfile::TempDir;

/// How long a validator has for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long validators have to start.
const START: Duration = Duration::from_secs(60);

/// Who orders the batches.
pub enum Ledger {
    /// One ledger in this process, all validators' keys at hand.
    Embedded(Box<Chain<MemoryStorage>>),
    /// Validators as processes.
    Processes(Box<Validators>),
}

/// The ledger does not give its blocks.
#[derive(Debug)]
pub struct LedgerError(String);

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LedgerError {}

impl Ledger {
    /// Answers a kiosk's frame.
    pub fn answer<'r>(&mut self, request: &[u8], reply: &'r mut [u8; MAX_REPLY]) -> &'r [u8] {
        match self {
            Self::Embedded(chain) => chain::gateway::handle(chain.as_mut(), request, reply),
            Self::Processes(validators) => validators.answer(request, reply),
        }
    }

    /// Height of the newest block, if the ledger is in this process: validators that are processes are not asked in passing.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        match self {
            Self::Embedded(chain) => Some(chain.ledger().height()),
            Self::Processes(_) => None,
        }
    }

    /// The validators that are processes: the height of each, none for one that does not answer. Empty if there are none.
    #[must_use]
    pub fn heights(&self) -> Vec<Option<u64>> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Processes(validators) => validators.heights(),
        }
    }

    /// Kills a validator, or starts it again.
    pub fn toggle(&mut self, index: usize) {
        if let Self::Processes(validators) = self {
            validators.toggle(index);
        }
    }

    /// The last validator leaves: from that height on the others decide without it. Only inside the simulator: processes have keys of their own,
    /// and a command for it (`chain-node change`).
    ///
    /// # Errors
    /// [`LedgerError`]: the change is refused, or the validators are processes.
    pub fn last_leaves(&mut self, from: u64) -> Result<(), LedgerError> {
        let Self::Embedded(chain) = self else {
            return Err(LedgerError(
                "validators that are processes change by `chain-node change`".into(),
            ));
        };
        let now = chain.ledger().sets().newest();
        let mut keys: Vec<_> = (0..=u8::MAX).map_while(|index| now.key(index)).collect();
        keys.pop();
        chain
            .change_validators(&keys, from)
            .map(|_| ())
            .map_err(|error| LedgerError(error.to_string()))
    }

    /// `chain.bin`. Validators that are processes end with it, and are audited: all must have one chain.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn export(&mut self) -> Result<Vec<u8>, LedgerError> {
        match self {
            Self::Embedded(chain) => chain.export().map_err(|error| LedgerError(error.to_string())),
            Self::Processes(validators) => validators.export().map_err(|error| LedgerError(format!("{error:#}"))),
        }
    }
}

/// Validators as processes. They end when this does.
pub struct Validators {
    program: PathBuf,
    folder: TempDir,
    folders: Vec<PathBuf>,
    child: Child,
    /// While it is open they run.
    input: Option<ChildStdin>,
    gateways: Gateways,
    watch: Watch,
    exported: Option<Vec<u8>>,
}

/// Builds the validators' program, or takes the one that `IPPYO_CHAIN_NODE` names.
///
/// # Errors
/// It does not build.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("IPPYO_CHAIN_NODE") {
        return Ok(path.into());
    }
    eprintln!("building chain-node, the validators' program (some minutes the first time)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let out = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "-p",
            "chain",
            "--features",
            "engine",
            "--profile",
            "node",
        ])
        .args(["--bins", "--message-format", "json-render-diagnostics"])
        .current_dir(top)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run; build chain-node elsewhere and name it with IPPYO_CHAIN_NODE")?;
    if !out.status.success() {
        bail!("chain-node does not build");
    }
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_stem().is_some_and(|name| name == "chain-node"))
        .context("cargo does not say where chain-node is")
}

impl Validators {
    /// Starts a validator for each key, on this machine, and waits until all answer.
    ///
    /// # Errors
    /// The program does not build, start or answer.
    pub fn start(genesis: &[u8], keys: &[Signer]) -> Result<Self> {
        let program = program()?;
        let folder = TempDir::new()?;
        for (index, key) in keys.iter().enumerate() {
            let own = folder.path().join(format!("v{index}"));
            std::fs::create_dir(&own)?;
            std::fs::write(own.join("validator.key"), hex::encode(*key.to_bytes()))?;
        }
        let known = folder.path().join("genesis.bin");
        std::fs::write(&known, genesis)?;
        let mut child = Command::new(&program)
            .arg("local")
            .arg(folder.path())
            .args(["--validators", &keys.len().to_string(), "--genesis"])
            .arg(&known)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let input = child.stdin.take();
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let places: Vec<Value> = serde_json::from_str(&line).context("chain-node does not say where it listens")?;
        let field = |place: &Value, name: &str| place.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut addresses: Vec<SocketAddr> = Vec::new();
        let mut folders = Vec::new();
        for place in &places {
            addresses.push(field(place, "gateway").context("no gateway")?.parse()?);
            folders.push(PathBuf::from(field(place, "folder").context("no folder")?));
        }
        let gateways =
            Gateways::new(genesis, &addresses, PATIENCE).map_err(|error| anyhow::anyhow!("the genesis: {error}"))?;
        let watch = Watch::over(addresses.clone())?;
        let validators = Self {
            watch,
            program,
            folder,
            folders,
            child,
            input,
            gateways,
            exported: None,
        };
        let begun = Instant::now();
        for (index, address) in addresses.iter().enumerate() {
            while tip(*address).is_none() {
                if begun.elapsed() > START {
                    let log = std::fs::read_to_string(validators.folders[index].join("node.log")).unwrap_or_default();
                    bail!("validator {index} does not answer: {log}");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(validators)
    }

    /// The height that each says it has; none for one that does not answer. Read in passing: another thread asks.
    #[must_use]
    pub fn heights(&self) -> Vec<Option<u64>> {
        self.watch
            .heights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Kills one (kill -9) that answers, or starts one that does not.
    pub fn toggle(&mut self, index: usize) {
        let what = match self.heights().get(index) {
            Some(Some(_)) => "kill",
            Some(None) => "start",
            None => return,
        };
        if let Some(input) = &mut self.input {
            // If the program has ended nothing can be killed or started, and every validator is shown as stopped.
            let _ = writeln!(input, "{what} {index}").and_then(|()| input.flush());
        }
    }

    fn answer<'r>(&mut self, request: &[u8], reply: &'r mut [u8; MAX_REPLY]) -> &'r [u8] {
        match self.gateways.exchange(request) {
            Some(answer) if answer.len() <= reply.len() => {
                let place = &mut reply[..answer.len()];
                place.copy_from_slice(&answer);
                place
            }
            _ => write_reply(&Reply::Unavailable, reply).unwrap_or_default(),
        }
    }

    fn export(&mut self) -> Result<Vec<u8>> {
        if let Some(bytes) = &self.exported {
            return Ok(bytes.clone());
        }
        // They end in order when their input ends.
        drop(self.input.take());
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the validators did not end in order: {status}");
        }
        let mut audit = Command::new(&self.program);
        let audit = audit.arg("audit").args(&self.folders).output()?;
        if !audit.status.success() {
            bail!(
                "the audit over all validators: {}",
                String::from_utf8_lossy(&audit.stdout)
            );
        }
        let mut longest = Vec::new();
        for (index, folder) in self.folders.iter().enumerate() {
            let out = self.folder.path().join(format!("chain-{index}.bin"));
            let done = Command::new(&self.program)
                .arg("export")
                .arg(folder)
                .arg(&out)
                .output()?;
            if !done.status.success() {
                bail!("export: {}", String::from_utf8_lossy(&done.stderr));
            }
            let bytes = std::fs::read(out)?;
            if bytes.len() > longest.len() {
                longest = bytes;
            }
        }
        self.exported = Some(longest.clone());
        Ok(longest)
    }
}

impl Drop for Validators {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// A thread that asks each validator for its height, so that nobody who draws a window waits for one that is dead.
struct Watch {
    heights: Arc<Mutex<Vec<Option<u64>>>>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    fn over(addresses: Vec<SocketAddr>) -> Result<Self> {
        let heights = Arc::new(Mutex::new(vec![None; addresses.len()]));
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Self {
            heights: heights.clone(),
            stop: stop.clone(),
        };
        std::thread::Builder::new().name("validators".into()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let new: Vec<_> = addresses.iter().map(|address| tip(*address)).collect();
                *heights.lock().unwrap_or_else(PoisonError::into_inner) = new;
                std::thread::sleep(Duration::from_millis(300));
            }
        })?;
        Ok(watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How far a validator is; none if it does not answer.
fn tip(address: SocketAddr) -> Option<u64> {
    let mut buffer = [0; 16];
    let request = write_request(&Request::Tip, &mut buffer).ok()?;
    let reply = Connection::new(address, PATIENCE).exchange(request).ok()?;
    match read_reply(&reply) {
        Ok(Reply::Tip { height, .. }) => Some(height),
        _ => None,
    }
}
