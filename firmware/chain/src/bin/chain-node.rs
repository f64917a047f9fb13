//! The validator node as a program: `init`, `run`, `status`, `audit`, `export`, `reset`, `local`. Everything it does is in the library.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chain::engine::audit::audit;
use chain::engine::change::{self, ChangeError};
use chain::engine::config::{Config, Folder};
use chain::engine::local;
use chain::engine::store::Store;
use chain::gateway::client::{Connection, Gateways};
use clap::{Parser, Subcommand, ValueEnum};
use election::ledger::Genesis;
use election::ledger::frame::{Reply, Request, read_reply, write_request};
use election::package::Package;
use election::wire;
use serde_json::{Value, json};

/// A validator of the consortium chain: orders kiosks' batches with the other validators and gives kiosks commit proofs.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done; 1 a finding (audit: not one chain; status: a gateway does not answer); 2 wrong \
usage; 3 a file or setting is wrong; 4 the database is damaged or cannot be written; 5 the node had to stop."
)]
struct Cli {
    /// Answers as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a node's folder: keys (once), settings, genesis. Prints what the desk and the other validators need.
    Init(Init),
    /// Runs the node of a folder until SIGTERM or SIGINT.
    Run {
        /// The folder.
        folder: PathBuf,
        /// What to log: error, warn, info, debug, or a filter as tracing has it.
        #[arg(long, default_value = "warn,chain=info")]
        log: String,
        /// How to log.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        log_format: Format,
        /// Ends when standard input ends: for a program that starts nodes.
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Asks gateways how far the chain is.
    Status {
        /// Gateways, host:port.
        #[arg(required = true)]
        gateways: Vec<String>,
    },
    /// Judges every block of stopped nodes' folders (or of chain.bin files) again, and whether all have one chain.
    Audit {
        /// genesis.bin; by default that of the first folder.
        #[arg(long)]
        genesis: Option<PathBuf>,
        /// Folders, or files.
        #[arg(required = true)]
        sources: Vec<PathBuf>,
    },
    /// Writes chain.bin for the election record from a stopped node's folder.
    Export {
        /// The folder.
        folder: PathBuf,
        /// chain.bin; never overwritten.
        out: PathBuf,
    },
    /// Puts a damaged database aside; the node then fetches every block from the others. Keys, and what the key signed, stay.
    Reset {
        /// The folder.
        folder: PathBuf,
    },
    /// Changes the validators: `make` a change, each of more than two thirds of the validators `sign`s it, `send` it. See DEPLOY.md.
    #[command(subcommand)]
    Change(Change),
    /// Several validators on this machine, for trying: runs until standard input closes.
    Local {
        /// A folder for all of them.
        folder: PathBuf,
        /// Number of validators.
        #[arg(long, default_value_t = 4)]
        validators: usize,
        /// genesis.bin that names their keys. Without it: makes keys, prints them one a line for the desk, and ends.
        #[arg(long)]
        genesis: Option<PathBuf>,
    },
}

#[derive(clap::Subcommand)]
enum Change {
    /// Writes a change that nobody has signed yet.
    Make {
        /// The file; never overwritten.
        out: PathBuf,
        #[command(flatten)]
        at: At,
        /// The validator key (66 hex digits) of one that joins; once for each.
        #[arg(long)]
        join: Vec<String>,
        /// The validator key of one that leaves; once for each.
        #[arg(long)]
        leave: Vec<String>,
        /// Blocks from now on after which the new validators decide: time enough to sign and to send. An idle chain makes one every 30 s.
        #[arg(long, default_value_t = 1_000)]
        blocks: u64,
    },
    /// Shows a change, and signs it with the key in a node's folder.
    Sign {
        /// The file; the signature is added to it.
        file: PathBuf,
        /// The node's folder.
        #[arg(long)]
        folder: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Puts a change on the chain.
    Send {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
}

/// Which chain.
#[derive(clap::Args)]
struct At {
    /// genesis.bin of the election.
    #[arg(long)]
    genesis: PathBuf,
    /// A validator's gateway, HOST:PORT; once for each that is to be asked.
    #[arg(long = "gateway", required = true)]
    gateways: Vec<String>,
}

#[derive(clap::Args)]
struct Init {
    /// The folder.
    folder: PathBuf,
    /// A name for logs.
    #[arg(long)]
    name: Option<String>,
    /// genesis.bin of the election.
    #[arg(long, conflicts_with = "package")]
    genesis: Option<PathBuf>,
    /// A kiosk's election package, whose genesis is taken.
    #[arg(long, requires = "authority")]
    package: Option<PathBuf>,
    /// The election authority's key (66 hex digits) with which the package must be signed.
    #[arg(long)]
    authority: Option<String>,
    /// The genesis does not name this node: it follows the chain until the validators take it in (`chain-node change`).
    #[arg(long)]
    joins: bool,
    /// Where other validators reach this node: /ip4/ADDRESS/tcp/PORT.
    #[arg(long)]
    listen: Option<String>,
    /// Another validator: /dns4/NAME/tcp/PORT/p2p/PEER-ID; once for each.
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// Where kiosks submit: ADDRESS:PORT, or off.
    #[arg(long)]
    gateway: Option<String>,
    /// The read-only interface for the public: ADDRESS:PORT, or off.
    #[arg(long)]
    http: Option<String>,
    /// Metrics for the operator: ADDRESS:PORT, or off.
    #[arg(long)]
    metrics: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What went wrong, and the exit code for it.
struct Failure(u8, String);

impl Failure {
    fn file(path: &Path, error: impl std::fmt::Display) -> Self {
        Self(3, format!("{}: {error}", path.display()))
    }
}

fn setting(error: impl std::fmt::Display) -> Failure {
    Failure(3, error.to_string())
}

fn storage(error: impl std::fmt::Display) -> Failure {
    Failure(4, error.to_string())
}

type Outcome = Result<(Value, String, u8), Failure>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Init(init) => init.run(),
        Command::Run {
            folder,
            log,
            log_format,
            until_stdin_closes,
        } => run(&folder, &log, log_format, until_stdin_closes),
        Command::Status { gateways } => status(&gateways),
        Command::Audit { genesis, sources } => audited(genesis.as_deref(), &sources),
        Command::Export { folder, out } => export(&folder, &out),
        Command::Reset { folder } => reset(&folder),
        Command::Change(change) => change.run(),
        Command::Local {
            folder,
            validators,
            genesis,
        } => local_network(&folder, validators, genesis.as_deref()),
    };
    match outcome {
        Ok((value, text, code)) => {
            if cli.json && !value.is_null() {
                println!("{value}");
            } else if !text.is_empty() {
                println!("{}", text.trim_end());
            }
            ExitCode::from(code)
        }
        Err(Failure(code, text)) => {
            if cli.json {
                println!("{}", json!({ "error": text }));
            }
            eprintln!("chain-node: {text}");
            ExitCode::from(code)
        }
    }
}

fn address(text: Option<&str>, default: Option<SocketAddr>) -> Result<Option<SocketAddr>, Failure> {
    match text {
        None => Ok(default),
        Some("off") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| setting(format!("{text} is no ADDRESS:PORT"))),
    }
}

impl Init {
    fn run(&self) -> Outcome {
        std::fs::create_dir_all(&self.folder).map_err(|error| Failure::file(&self.folder, error))?;
        let folder = Folder::new(&self.folder);
        folder.make_secret("validator.key").map_err(setting)?;
        folder.make_secret("network.key").map_err(setting)?;
        let key = folder.validator_key().map_err(setting)?;
        let peer = folder.network_key().map_err(setting)?.public().to_peer_id().to_string();
        if let Some(genesis) = self.genesis()? {
            let joins = self.joins || folder.config().is_ok_and(|config| config.joins);
            folder.place(&genesis, &key, joins).map_err(setting)?;
            let path = folder.file("genesis.bin");
            if path.exists() && std::fs::read(&path).ok().as_ref() != Some(&genesis) {
                return Err(setting(
                    "the folder has another election's genesis.bin; take a new folder",
                ));
            }
            std::fs::write(&path, genesis).map_err(|error| Failure::file(&path, error))?;
        }
        let before = folder.file("node.json").exists().then(|| folder.config()).transpose();
        let before = before.map_err(setting)?;
        let known = before.as_ref();
        let config = Config {
            name: self
                .name
                .clone()
                .or_else(|| known.map(|config| config.name.clone()))
                .unwrap_or_else(|| "validator".into()),
            listen: self
                .listen
                .clone()
                .or_else(|| known.map(|config| config.listen.clone()))
                .unwrap_or_else(|| "/ip4/0.0.0.0/tcp/4701".into()),
            peers: match known {
                Some(config) if self.peers.is_empty() => config.peers.clone(),
                _ => self.peers.clone(),
            },
            gateway: address(
                self.gateway.as_deref(),
                known.map_or_else(|| Some(([0, 0, 0, 0], 4702).into()), |config| config.gateway),
            )?,
            http: address(
                self.http.as_deref(),
                known.map_or_else(|| Some(([127, 0, 0, 1], 4703).into()), |config| config.http),
            )?,
            metrics: address(
                self.metrics.as_deref(),
                known.map_or_else(|| Some(([127, 0, 0, 1], 4704).into()), |config| config.metrics),
            )?,
            empty_block_seconds: known.map_or(30, |config| config.empty_block_seconds),
            propose_milliseconds: known.map_or(1_000, |config| config.propose_milliseconds),
            batches_per_second: known.map_or(20, |config| config.batches_per_second),
            joins: self.joins || known.is_some_and(|config| config.joins),
            connections_per_address: known.map_or(64, |config| config.connections_per_address),
        };
        config.listen().map_err(setting)?;
        config.peers().map_err(setting)?;
        folder.write_config(&config).map_err(setting)?;
        let public = hex::encode(key.public_key());
        let text = format!(
            "validator key (for the desk's list of validators): {public}\npeer id (for the other validators' --peer): {peer}"
        );
        Ok((json!({ "validator": public, "peer": peer, "config": config }), text, 0))
    }

    fn genesis(&self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(path) = &self.genesis {
            let bytes = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
            Genesis::read(&bytes).map_err(|error| Failure::file(path, error))?;
            return Ok(Some(bytes));
        }
        let (Some(path), Some(authority)) = (&self.package, &self.authority) else {
            return Ok(None);
        };
        let mut key = [0; 33];
        hex::decode_to_slice(authority, &mut key).map_err(|_| setting("--authority: write 66 hex digits"))?;
        let bytes = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
        let package = Package::open(&bytes, &key).map_err(|error| Failure::file(path, error))?;
        let mut genesis = vec![0; wire::encoded_len(&package.genesis).map_err(setting)?];
        wire::encode(&package.genesis, &mut genesis).map_err(setting)?;
        Ok(Some(genesis))
    }
}

fn run(folder: &Path, log: &str, format: Format, stdin: bool) -> Outcome {
    let filter = tracing_subscriber::EnvFilter::try_new(log).map_err(|error| setting(format!("--log: {error}")))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        Format::Text => logs.with_ansi(false).init(),
        Format::Json => logs.json().init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure(5, error.to_string()))?;
    let ended = runtime.block_on(chain::engine::run::run(&Folder::new(folder), stdin));
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(_) => Ok((Value::Null, String::new(), 0)),
        Err(error) => {
            let text = format!("{error:#}");
            let code = if error.is::<chain::engine::config::ConfigError>() {
                3
            } else if error.is::<chain::engine::store::StoreError>() || error.is::<chain::engine::node::CommitError>() {
                4
            } else {
                5
            };
            tracing::error!(error = %text, "the node stops");
            Err(Failure(code, text))
        }
    }
}

impl At {
    fn connect(&self) -> Result<Gateways, Failure> {
        let genesis = std::fs::read(&self.genesis).map_err(|error| Failure::file(&self.genesis, error))?;
        let addresses = self
            .gateways
            .iter()
            .map(|gateway| resolve(gateway).map_err(|error| setting(format!("{gateway} {error}"))))
            .collect::<Result<Vec<_>, _>>()?;
        Gateways::new(&genesis, &addresses, Duration::from_secs(10))
            .map_err(|error| Failure::file(&self.genesis, error))
    }
}

fn keys(list: &[String]) -> Result<Vec<[u8; 33]>, Failure> {
    list.iter()
        .map(|text| {
            let mut key = [0; 33];
            hex::decode_to_slice(text, &mut key)
                .map_err(|_| setting(format!("{text} is no validator key (66 hex digits)")))?;
            Ok(key)
        })
        .collect()
}

fn change_failed(error: ChangeError) -> Failure {
    Failure(1, error.to_string())
}

impl Change {
    fn run(&self) -> Outcome {
        match self {
            Self::Make {
                out,
                at,
                join,
                leave,
                blocks,
            } => {
                let file =
                    change::make(&mut at.connect()?, &keys(join)?, &keys(leave)?, *blocks).map_err(change_failed)?;
                std::fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(out)
                    .and_then(|mut out| std::io::Write::write_all(&mut out, &file))
                    .map_err(|error| Failure::file(out, error))?;
                shown(&file)
            }
            Self::Sign { file, folder, at } => {
                let bytes = std::fs::read(file).map_err(|error| Failure::file(file, error))?;
                let key = Folder::new(folder).validator_key().map_err(setting)?;
                let signed = change::sign(&mut at.connect()?, &key, &bytes).map_err(change_failed)?;
                std::fs::write(file, &signed).map_err(|error| Failure::file(file, error))?;
                shown(&signed)
            }
            Self::Send { file, at } => {
                let bytes = std::fs::read(file).map_err(|error| Failure::file(file, error))?;
                let height = change::send(&mut at.connect()?, &bytes, 6).map_err(change_failed)?;
                let (value, text, code) = shown(&bytes)?;
                Ok((
                    json!({ "height": height, "change": value }),
                    format!("decided in block {height}\n{text}"),
                    code,
                ))
            }
        }
    }
}

/// What a change says, for whoever is to sign it.
fn shown(file: &[u8]) -> Outcome {
    let (body, signatures) = change::read(file).map_err(change_failed)?;
    let keys: Vec<String> = body.validators.as_bytes().chunks(33).map(hex::encode).collect();
    let signed: Vec<u8> = signatures.iter().map(|one| one.validator).collect();
    let text = format!(
        "change {} of the validators of chain {}\nfrom block {} on these {} decide:\n  {}\nsigned so far by validators {signed:?} of those before",
        body.number,
        hex::encode(body.chain),
        body.from,
        keys.len(),
        keys.join("\n  "),
    );
    let value = json!({ "number": body.number, "chain": hex::encode(body.chain), "from": body.from, "validators": keys, "signed": signed });
    Ok((value, text, 0))
}

fn resolve(gateway: &str) -> Result<SocketAddr, String> {
    let mut all = gateway.to_socket_addrs().map_err(|_| "is no host:port")?;
    all.next().ok_or_else(|| "is no host:port".into())
}

fn tip(gateway: &str) -> Result<(u64, String), String> {
    let address = resolve(gateway)?;
    let mut buffer = [0; 16];
    let request = write_request(&Request::Tip, &mut buffer).map_err(|error| error.to_string())?;
    let reply = Connection::new(address, Duration::from_secs(5))
        .exchange(request)
        .map_err(|error| error.to_string())?;
    match read_reply(&reply) {
        Ok(Reply::Tip { height, block }) => Ok((height, hex::encode(block))),
        _ => Err("gives the wrong kind of answer".into()),
    }
}

fn status(gateways: &[String]) -> Outcome {
    let mut list = Vec::new();
    let mut text = String::new();
    let mut code = 0;
    for gateway in gateways {
        match tip(gateway) {
            Ok((height, block)) => {
                text.push_str(&format!("{gateway}: height {height}, block {block}\n"));
                list.push(json!({ "gateway": gateway, "height": height, "block": block }));
            }
            Err(error) => {
                code = 1;
                text.push_str(&format!("{gateway}: {error}\n"));
                list.push(json!({ "gateway": gateway, "error": error }));
            }
        }
    }
    Ok((json!({ "gateways": list }), text, code))
}

fn audited(genesis: Option<&Path>, sources: &[PathBuf]) -> Outcome {
    let default = sources.first().map(|folder| folder.join("genesis.bin"));
    let path = genesis
        .or(default.as_deref())
        .ok_or_else(|| setting("nothing to audit"))?;
    let genesis = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
    let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    let report = audit(&genesis, &sources).map_err(setting)?;
    let mut text = String::new();
    for node in &report.nodes {
        text.push_str(&format!(
            "{}: {} blocks, {} batches, {} kiosks, tip {}{}\n",
            node.source,
            node.height,
            node.batches,
            node.kiosks,
            node.tip,
            node.damaged
                .as_ref()
                .map_or_else(String::new, |why| format!("; DAMAGED: {why}"))
        ));
    }
    text.push_str(&match (report.fork, report.one_chain) {
        (Some(height), _) => format!("FORK at block {height}: two nodes have different decided blocks"),
        (None, true) => format!("one chain; all have blocks 1 to {}", report.common),
        (None, false) => format!("no fork up to block {}, but a node is damaged", report.common),
    });
    let code = u8::from(!report.one_chain);
    Ok((serde_json::to_value(&report).map_err(setting)?, text, code))
}

fn export(path: &Path, out: &Path) -> Outcome {
    let folder = Folder::new(path);
    let genesis = folder.genesis().map_err(setting)?;
    let chain = Genesis::read(&genesis).map_err(setting)?.chain_id();
    let store = Store::open(&folder.file("chain.redb"), &chain).map_err(storage)?;
    let mut ledger = chain::Ledger::new(&genesis).map_err(setting)?;
    store.replay(&mut ledger).map_err(storage)?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(out)
        .map_err(|error| Failure::file(out, error))?;
    store
        .each_decided::<chain::engine::store::StoreError>(|_, bytes| {
            std::io::Write::write_all(&mut file, bytes)
                .map_err(|error| chain::engine::store::StoreError::Database(error.to_string()))
        })
        .map_err(storage)?;
    file.sync_all().map_err(|error| Failure::file(out, error))?;
    let text = format!("{}: blocks 1 to {}", out.display(), ledger.height());
    Ok((
        json!({ "height": ledger.height(), "tip": hex::encode(ledger.tip()) }),
        text,
        0,
    ))
}

fn reset(path: &Path) -> Outcome {
    let from = path.join("chain.redb");
    let to = (0..1_000)
        .map(|number| path.join(format!("chain.redb.aside-{number}")))
        .find(|to| !to.exists())
        .ok_or_else(|| setting("too many databases were put aside already"))?;
    std::fs::rename(&from, &to).map_err(|error| Failure::file(&from, error))?;
    let text = format!(
        "put aside as {}; start the node, it fetches the blocks from the others",
        to.display()
    );
    Ok((json!({ "aside": to }), text, 0))
}

fn local_network(root: &Path, count: usize, genesis: Option<&Path>) -> Outcome {
    let keys = local::make_keys(root, count).map_err(setting)?;
    let Some(path) = genesis else {
        let lines: Vec<String> = keys.iter().map(hex::encode).collect();
        return Ok((json!({ "validators": lines }), lines.join("\n"), 0));
    };
    let genesis = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
    Genesis::read(&genesis).map_err(|error| Failure::file(path, error))?;
    let places = local::lay_out(root, &genesis, count, |_| {}).map_err(setting)?;
    let program = std::env::current_exe().map_err(setting)?;
    local::run(&program, &places).map_err(|error| Failure(5, error.to_string()))?;
    Ok((Value::Null, String::new(), 0))
}
