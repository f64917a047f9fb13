//! What can be written on the command line. What it does stands elsewhere.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A validator of the consortium chain: orders kiosks' batches with the other validators and gives kiosks commit proofs.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done; 1 a finding (audit: not one chain; status: a gateway does not answer); 2 wrong \
usage; 3 a file or setting is wrong; 4 the database is damaged or cannot be written; 5 the node had to stop."
)]
pub struct Cli {
    /// Answers as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
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
pub enum Change {
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
pub struct At {
    /// genesis.bin of the election.
    #[arg(long)]
    pub genesis: PathBuf,
    /// A validator's gateway, HOST:PORT; once for each that is to be asked.
    #[arg(long = "gateway", required = true)]
    pub gateways: Vec<String>,
}

#[derive(clap::Args)]
pub struct Init {
    /// The folder.
    pub folder: PathBuf,
    /// A name for logs.
    #[arg(long)]
    pub name: Option<String>,
    /// genesis.bin of the election.
    #[arg(long, conflicts_with = "package")]
    pub genesis: Option<PathBuf>,
    /// A kiosk's election package, whose genesis is taken.
    #[arg(long, requires = "authority")]
    pub package: Option<PathBuf>,
    /// The election authority's key (66 hex digits) with which the package must be signed.
    #[arg(long)]
    pub authority: Option<String>,
    /// The genesis does not name this node: it follows the chain until the validators take it in (`chain-node change`).
    #[arg(long)]
    pub joins: bool,
    /// Where other validators reach this node: /ip4/ADDRESS/tcp/PORT.
    #[arg(long)]
    pub listen: Option<String>,
    /// Another validator: /dns4/NAME/tcp/PORT/p2p/PEER-ID; once for each.
    #[arg(long = "peer")]
    pub peers: Vec<String>,
    /// Where kiosks submit: ADDRESS:PORT, or off.
    #[arg(long)]
    pub gateway: Option<String>,
    /// The read-only interface for the public: ADDRESS:PORT, or off.
    #[arg(long)]
    pub http: Option<String>,
    /// Metrics for the operator: ADDRESS:PORT, or off.
    #[arg(long)]
    pub metrics: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
