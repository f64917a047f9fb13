//! Several validators on one machine, for developers, the simulator and tests: folders, keys, ports, processes.
//!
//! All keys lie in one place, so it is nothing for a real election.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::config::{Config, ConfigError, Folder};

/// Where one validator of a local network is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
    /// For the other validators.
    pub listen: SocketAddr,
    /// For kiosks.
    pub gateway: SocketAddr,
    /// For the public.
    pub http: SocketAddr,
    /// For the operator.
    pub metrics: SocketAddr,
    /// Its id on the network of validators.
    pub peer: String,
}

/// Makes keys for so many validators, `v0`, `v1`, ... and gives their public keys in that order: they belong in the genesis.
///
/// # Errors
/// The files.
pub fn make_keys(root: &Path, count: usize) -> Result<Vec<[u8; 33]>, ConfigError> {
    (0..count)
        .map(|index| {
            let folder = member(root, index)?;
            Ok(folder.validator_key()?.public_key())
        })
        .collect()
}

fn path(root: &Path, index: usize) -> PathBuf {
    root.join(format!("v{index}"))
}

fn member(root: &Path, index: usize) -> Result<Folder, ConfigError> {
    let path = path(root, index);
    std::fs::create_dir_all(&path).map_err(|error| ConfigError::File(path.clone(), error.to_string()))?;
    let folder = Folder::new(&path);
    folder.make_secret("validator.key")?;
    folder.make_secret("network.key")?;
    Ok(folder)
}

/// A port that is free now.
fn free() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Lays out the folders of a network whose keys are in `v0`, `v1`, ... and writes `network.json`. A network that was laid out before keeps
/// its ports. `change` may set what the configuration has by default.
///
/// # Errors
/// The files, the ports.
pub fn lay_out(
    root: &Path,
    genesis: &[u8],
    count: usize,
    change: impl Fn(&mut Config),
) -> Result<Vec<Place>, ConfigError> {
    let listing = root.join("network.json");
    let at = |error: String| ConfigError::File(listing.clone(), error);
    if listing.exists() {
        let bytes = std::fs::read(&listing).map_err(|error| at(error.to_string()))?;
        return serde_json::from_slice(&bytes).map_err(|error| at(error.to_string()));
    }
    let mut places = Vec::new();
    // Held until all are chosen, so that none is given twice.
    let mut held = Vec::new();
    for index in 0..count {
        let folder = member(root, index)?;
        let mut port = || -> Result<SocketAddr, ConfigError> {
            let (listener, address) = free().map_err(|error| at(error.to_string()))?;
            held.push(listener);
            Ok(address)
        };
        places.push(Place {
            listen: port()?,
            gateway: port()?,
            http: port()?,
            metrics: port()?,
            peer: folder.network_key()?.public().to_peer_id().to_string(),
            folder: path(root, index),
        });
    }
    drop(held);
    for (index, place) in places.iter().enumerate() {
        let folder = Folder::new(&place.folder);
        let file = folder.file("genesis.bin");
        std::fs::write(&file, genesis).map_err(|error| ConfigError::File(file, error.to_string()))?;
        let address = |listen: &SocketAddr| format!("/ip4/{}/tcp/{}", listen.ip(), listen.port());
        let mut config = Config {
            name: format!("v{index}"),
            listen: address(&place.listen),
            peers: places
                .iter()
                .filter(|other| other.peer != place.peer)
                .map(|other| format!("{}/p2p/{}", address(&other.listen), other.peer))
                .collect(),
            gateway: Some(place.gateway),
            http: Some(place.http),
            metrics: Some(place.metrics),
            empty_block_seconds: 30,
            propose_milliseconds: 1_000,
            batches_per_second: 1_000,
            joins: false,
            connections_per_address: 256,
        };
        change(&mut config);
        folder.write_config(&config)?;
    }
    let mut text = serde_json::to_vec_pretty(&places).map_err(|error| at(error.to_string()))?;
    text.push(b'\n');
    std::fs::write(&listing, text).map_err(|error| at(error.to_string()))?;
    Ok(places)
}

/// Starts the node of a folder as a process of its own. It ends in order when its standard input closes, so also when this process ends.
///
/// # Errors
/// The program, the log file.
pub fn start(program: &Path, folder: &Path) -> std::io::Result<Child> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("node.log"))?;
    Command::new(program)
        .args(["run", "--until-stdin-closes"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
}

/// Runs all until standard input closes or a signal comes; says in one JSON line where they are. A line `kill 2` on standard input ends
/// the third one at once (kill -9), `start 2` starts it again.
///
/// # Errors
/// A program that does not start.
pub fn run(program: &Path, places: &[Place]) -> std::io::Result<()> {
    let mut children = places
        .iter()
        .map(|place| start(program, &place.folder).map(Some))
        .collect::<std::io::Result<Vec<_>>>()?;
    println!("{}", serde_json::to_string(places)?);
    let mut line = String::new();
    let mut input = BufReader::new(std::io::stdin());
    // Whatever else is written is ignored. Ctrl-C reaches the children of a terminal as well.
    while input.read_line(&mut line)? > 0 {
        if let Some((what, index)) = line.trim().split_once(' ')
            && let Ok(index) = index.parse::<usize>()
            && let (Some(child), Some(place)) = (children.get_mut(index), places.get(index))
        {
            match what {
                "kill" => {
                    if let Some(mut child) = child.take() {
                        child.kill()?;
                        child.wait()?;
                    }
                }
                "start" if child.is_none() => *child = Some(start(program, &place.folder)?),
                _ => {}
            }
        }
        line.clear();
    }
    for child in children.iter_mut().flatten() {
        drop(child.stdin.take());
    }
    for child in children.iter_mut().flatten() {
        child.wait()?;
    }
    Ok(())
}
