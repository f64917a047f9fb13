//! A node's folder: `node.json`, `genesis.bin`, the keys, the database.
//!
//! `validator.key` is the P-256 key that the genesis names; `network.key` is the Ed25519 key of the encrypted connections between nodes. Both
//! are secret, one line of hex, readable by their owner only.

use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use election::hash::Digest;
use election::ledger::Genesis;
use election::sign::Signer;
use malachite::app::net::{Multiaddr, PeerId};
use malachite::app::types::Keypair;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::context::Address;
use crate::validator::place;

/// `node.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A name for logs and metrics.
    pub name: String,
    /// Where other validators reach this node, as a multiaddress: `/ip4/0.0.0.0/tcp/4701`.
    pub listen: String,
    /// The other validators: `/dns4/chain.example/tcp/4701/p2p/12D3...`. Nobody else is spoken with.
    pub peers: Vec<String>,
    /// Where kiosks submit; none for a node without a gateway.
    pub gateway: Option<SocketAddr>,
    /// The read-only interface for the public; none switches it off.
    pub http: Option<SocketAddr>,
    /// Metrics for the operator; none switches them off.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Seconds between blocks when there is nothing to decide.
    #[serde(default = "empty_block_seconds")]
    pub empty_block_seconds: u64,
    /// Milliseconds a leader has for its proposal.
    #[serde(default = "propose_milliseconds")]
    pub propose_milliseconds: u64,
    /// Batches a second that one kiosk may submit, over a burst of three times as many.
    #[serde(default = "batches_per_second")]
    pub batches_per_second: u32,
    /// This node's key is not in the genesis: it follows the chain, and decides from the height on at which a change of the validators
    /// takes it in.
    #[serde(default)]
    pub joins: bool,
    /// Connections from one address to the gateway.
    #[serde(default = "connections_per_address")]
    pub connections_per_address: usize,
}

const fn empty_block_seconds() -> u64 {
    30
}

const fn propose_milliseconds() -> u64 {
    1_000
}

const fn batches_per_second() -> u32 {
    20
}

const fn connections_per_address() -> usize {
    64
}

/// Why a folder is no node's.
#[derive(Debug)]
pub enum ConfigError {
    /// A file.
    File(PathBuf, String),
    /// A field of node.json.
    Field(&'static str, String),
    /// The genesis does not name this node's key, and it is not said to join.
    NotInSet(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Field(name, error) => write!(f, "node.json: {name}: {error}"),
            Self::NotInSet(key) => write!(
                f,
                "genesis.bin does not name this node's key {key}: give it to the desk before the genesis is made, take the right folder, or (if the validators are to take it in) say `init --joins`"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at a path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads a file of up to so many bytes.
    ///
    /// # Errors
    /// [`ConfigError::File`].
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, ConfigError> {
        let path = self.file(name);
        let wrong = |error: String| ConfigError::File(path.clone(), error);
        let length = std::fs::metadata(&path)
            .map_err(|error| wrong(error.to_string()))?
            .len();
        if length > most {
            return Err(wrong(format!("has {length} bytes, {most} are expected at most")));
        }
        std::fs::read(&path).map_err(|error| wrong(error.to_string()))
    }

    /// `node.json`.
    ///
    /// # Errors
    /// The file; a field that cannot be.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let bytes = self.read("node.json", 1 << 20)?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| ConfigError::File(self.file("node.json"), error.to_string()))?;
        config.listen()?;
        config.peers()?;
        if config.propose_milliseconds < 50 || config.empty_block_seconds == 0 {
            return Err(ConfigError::Field(
                "propose_milliseconds",
                "a leader needs 50 ms at least, and a pace is above 0".into(),
            ));
        }
        Ok(config)
    }

    /// Writes `node.json`.
    ///
    /// # Errors
    /// The file.
    pub fn write_config(&self, config: &Config) -> Result<(), ConfigError> {
        let path = self.file("node.json");
        let wrong = |error: String| ConfigError::File(path.clone(), error);
        let mut text = serde_json::to_vec_pretty(config).map_err(|error| wrong(error.to_string()))?;
        text.push(b'\n');
        std::fs::write(&path, text).map_err(|error| wrong(error.to_string()))
    }

    /// `genesis.bin`, checked.
    ///
    /// # Errors
    /// The file, the genesis.
    pub fn genesis(&self) -> Result<Vec<u8>, ConfigError> {
        let bytes = self.read("genesis.bin", 1 << 20)?;
        Genesis::read(&bytes).map_err(|error| ConfigError::File(self.file("genesis.bin"), error.to_string()))?;
        Ok(bytes)
    }

    /// The validator's key.
    ///
    /// # Errors
    /// The file.
    pub fn validator_key(&self) -> Result<Signer, ConfigError> {
        let secret = self.secret("validator.key")?;
        Signer::from_bytes(&secret).map_err(|error| ConfigError::File(self.file("validator.key"), error.to_string()))
    }

    /// The key of the network.
    ///
    /// # Errors
    /// The file.
    pub fn network_key(&self) -> Result<Keypair, ConfigError> {
        let mut secret = self.secret("network.key")?;
        Keypair::ed25519_from_bytes(secret.as_mut_slice())
            .map_err(|error| ConfigError::File(self.file("network.key"), error.to_string()))
    }

    fn secret(&self, name: &str) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
        let text = Zeroizing::new(self.read(name, 256)?);
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii(), secret.as_mut()).map_err(|_| {
            ConfigError::File(
                self.file(name),
                "is not a secret key (one line of 64 hex digits)".into(),
            )
        })?;
        Ok(secret)
    }

    /// Makes a secret key where there is none.
    ///
    /// # Errors
    /// The file, the system's random source.
    pub fn make_secret(&self, name: &str) -> Result<(), ConfigError> {
        let path = self.file(name);
        if path.exists() {
            return Ok(());
        }
        let wrong = |error: String| ConfigError::File(path.clone(), error);
        let mut secret = Zeroizing::new([0; 32]);
        // A P-256 key is below the order of the group: nearly all 32 bytes are.
        loop {
            getrandom::fill(secret.as_mut()).map_err(|error| wrong(error.to_string()))?;
            if Signer::from_bytes(&secret).is_ok() {
                break;
            }
        }
        let mut line = Zeroizing::new([0; 65]);
        let (digits, end) = line.split_at_mut(64);
        hex::encode_to_slice(secret.as_ref(), digits).map_err(|error| wrong(error.to_string()))?;
        end.fill(b'\n');
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| wrong(error.to_string()))?;
        file.write_all(line.as_ref())
            .and_then(|()| file.sync_all())
            .map_err(|error| wrong(error.to_string()))
    }

    /// This node's address, and the chain id.
    ///
    /// # Errors
    /// [`ConfigError::NotInSet`].
    pub fn place(&self, genesis: &[u8], key: &Signer, joins: bool) -> Result<(Address, Digest), ConfigError> {
        let public = key.public_key();
        let not_in_set = || ConfigError::NotInSet(hex::encode(public));
        let genesis = Genesis::read(genesis).map_err(|_| not_in_set())?;
        if joins || place(genesis.validators, &public).is_some() {
            Ok((Address(public), genesis.chain_id()))
        } else {
            Err(not_in_set())
        }
    }
}

impl Config {
    /// Where to listen.
    ///
    /// # Errors
    /// Not a TCP multiaddress.
    pub fn listen(&self) -> Result<Multiaddr, ConfigError> {
        if !self.listen.contains("/tcp/") {
            return Err(ConfigError::Field("listen", "write /ip4/ADDRESS/tcp/PORT".into()));
        }
        self.listen
            .parse()
            .map_err(|error| ConfigError::Field("listen", format!("{error}")))
    }

    /// The other validators.
    ///
    /// # Errors
    /// A multiaddress without the peer's id: it could be anybody's.
    pub fn peers(&self) -> Result<Vec<Multiaddr>, ConfigError> {
        self.peers
            .iter()
            .map(|peer| {
                let id = peer.rsplit_once("/p2p/").map(|(_, id)| id.parse::<PeerId>());
                if !matches!(id, Some(Ok(_))) {
                    return Err(ConfigError::Field(
                        "peers",
                        format!("{peer} does not end in /p2p/ and the peer's id, as its `chain-node init` prints it"),
                    ));
                }
                peer.parse()
                    .map_err(|error| ConfigError::Field("peers", format!("{peer}: {error}")))
            })
            .collect()
    }
}
