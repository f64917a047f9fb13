//! A running node: opens the folder, brings the ledger to the tip, starts gateway, public interface and consensus, and ends in order.

use std::fmt::Display;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use election::hash::Digest;
use eyre::{Result, WrapErr as _, eyre};
use malachite::app::config::{
    ConsensusConfig, DiscoveryConfig, NodeConfig, P2pConfig, PubSubProtocol, ValuePayload, ValueSyncConfig,
};
use malachite::app::engine::network::NetworkIdentity;
use malachite::app::types::codec::Codec as _;
use malachite::{ConsensusContext, NetworkContext, NetworkMsg, RequestContext, SyncContext, WalContext, start_engine};
use malachite_signing::Signer as _;

use super::app::{App, Pace};
use super::codec::Postcard;
use super::config::{Config, ConfigError, Folder};
use super::context::Consortium;
use super::http;
use super::node::{Node, SharedNode};
use super::signer::{Judge, Memory, Pen};
use super::store::Store;
use crate::Ledger;
use crate::gateway::limits::{Limits, Rate};
use crate::gateway::server::Server;

/// Longest answer to a node that catches up: a block of the greatest length, and what is around it.
const ANSWER: u64 = 18 << 20;
/// Longest message to all validators. The transport keeps to 4 MiB whatever it is told; blocks travel in pieces.
const MESSAGE: u64 = 4 << 20;

/// Connections to the public's interface, and to the operator's.
const PUBLIC: usize = 128;
const OPERATORS: usize = 16;

/// Time the engine has to stop. What is lost after it was never promised.
const PATIENCE: Duration = Duration::from_secs(3);

/// Time a node has to end in order after its standard input has closed.
const LAST: Duration = Duration::from_secs(30);

/// What the engine asks of a configuration.
#[derive(Clone)]
struct Engine {
    name: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl NodeConfig for Engine {
    fn moniker(&self) -> &str {
        &self.name
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

fn engine(config: &Config, chain: &str) -> Result<Engine> {
    let bytes = |count: u64| format!("{count} B").parse();
    let size = |count| bytes(count).map_err(|error: String| eyre!(error));
    let mut p2p = P2pConfig {
        listen_addr: config.listen()?,
        persistent_peers: config.peers()?,
        // Whoever is not in the list is not spoken with.
        persistent_peers_only: true,
        discovery: DiscoveryConfig {
            enabled: false,
            // Four nodes on one machine, each connecting to each and trying again, are no attack.
            max_connections_per_ip: 256,
            ip_throttle_duration: Duration::from_millis(1),
            ..DiscoveryConfig::default()
        },
        protocol: PubSubProtocol::Broadcast,
        pubsub_max_size: size(MESSAGE)?,
        rpc_max_size: size(ANSWER)?,
        ..P2pConfig::default()
    };
    // Nodes of two chains never understand each other, whatever an operator's list says.
    p2p.protocol_names.consensus = format!("/ippyo/{chain}/consensus/1");
    p2p.protocol_names.sync = format!("/ippyo/{chain}/sync/1");
    p2p.protocol_names.validator_proof = format!("/ippyo/{chain}/validator/1");
    Ok(Engine {
        name: config.name.clone(),
        consensus: ConsensusConfig {
            enabled: true,
            p2p,
            value_payload: ValuePayload::ProposalAndParts,
            ..ConsensusConfig::default()
        },
        sync: ValueSyncConfig {
            status_update_interval: Duration::from_secs(2),
            request_timeout: Duration::from_secs(5),
            max_response_size: size(ANSWER)?,
            batch_size: 32,
            max_inbound_requests_per_window: 1_000,
            ..ValueSyncConfig::default()
        },
    })
}

/// Why a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked to.
    Asked,
}

/// Runs the node of a folder until it is asked to end: by SIGTERM, by SIGINT, or, if `stdin`, by the end of its standard input.
///
/// # Errors
/// What keeps it from starting, or makes it wrong to go on.
pub async fn run(folder: &Folder, stdin: bool) -> Result<End> {
    let honest = Mischief {
        bend: |_| None,
        besides: |_| {},
    };
    run_with(folder, stdin, honest).await
}

/// What a validator does beside its duty: in tests of the others only.
#[derive(Clone, Copy)]
pub struct Mischief {
    /// Makes another block of each that this node proposes. None leaves it as it is.
    pub bend: fn(&[u8]) -> Option<Vec<u8>>,
    /// Called once, when the node is about to work.
    pub besides: fn(Inside),
}

/// What [`Mischief::besides`] is given.
pub struct Inside {
    /// To the other validators.
    pub network: tokio::sync::mpsc::Sender<NetworkMsg<Consortium>>,
    /// The node.
    pub node: SharedNode,
    /// Its key.
    pub pen: Pen,
    /// The chain.
    pub chain: Digest,
}

/// [`run`], with mischief.
///
/// # Errors
/// As [`run`].
pub async fn run_with(folder: &Folder, stdin: bool, mischief: Mischief) -> Result<End> {
    let config = folder.config()?;
    let genesis = folder.genesis()?;
    let key = folder.validator_key()?;
    let (address, chain) = folder.place(&genesis, &key, config.joins)?;
    let public = key.public_key();
    let mut ledger = Ledger::new(&genesis).map_err(|error| eyre!("genesis.bin: {error}"))?;
    let store = Store::open(&folder.file("chain.redb"), &chain)?;
    store.replay(&mut ledger)?;
    // Behind the database's lock: a second process must not touch the file. A key whose folder has a past does not begin without a memory.
    let fresh = ledger.height() == 0 && !folder.file("wal").exists();
    let signed = folder.file("signed.bin");
    let memory = Memory::open(&signed, fresh).map_err(|error| ConfigError::File(signed, error.to_string()))?;
    tracing::info!(name = %config.name, validator = %address, chain = %hex::encode(chain), height = ledger.height(), "the ledger is open");
    let node: SharedNode = Arc::new(Node::new(ledger, store));

    let judge = Judge::new(chain);
    let pen = Pen::new(chain, address, key, memory);
    let network = folder.network_key()?;
    let peer = network.public().to_peer_id();
    let proof = pen
        .sign_validator_proof(public.to_vec(), peer.to_bytes())
        .await
        .map_err(|error| eyre!("the validator's key does not sign: {error}"))?;
    let proof = Postcard.encode(&proof).wrap_err("the proof of being a validator")?;
    let identity = NetworkIdentity::new_validator(config.name.clone(), network, address.to_string(), proof);
    let short = hex::encode(chain.get(..8).unwrap_or_default());
    let (mut channels, handle) = start_engine(
        Consortium,
        engine(&config, &short)?,
        WalContext::new(folder.file("wal"), Postcard),
        NetworkContext::new(identity, Postcard),
        ConsensusContext::new_validator(address, Box::new(judge.clone()), Box::new(pen.clone())),
        SyncContext::new(Postcard),
        RequestContext::new(16),
    )
    .await?;

    let gateway = config.gateway.map(|at| start_gateway(at, &node, &config)).transpose()?;
    if let Some(server) = &gateway {
        tracing::info!(address = %server.address(), "the gateway is open");
    }
    let gateway = Arc::new(gateway);
    let mut services = Vec::new();
    for (at, places, router) in [
        (config.http, PUBLIC, http::public(node.clone())),
        (config.metrics, OPERATORS, http::metrics(node.clone(), gateway.clone())),
    ] {
        if let Some(at) = at {
            services.push(http::serve(at, places, router).await.wrap_err_with(|| at.to_string())?);
        }
    }

    let pace = Pace {
        empty: Duration::from_secs(config.empty_block_seconds),
        propose: Duration::from_millis(config.propose_milliseconds),
    };
    (mischief.besides)(Inside {
        network: channels.network.clone(),
        node: node.clone(),
        pen: pen.clone(),
        chain,
    });
    let mut app = App::new(node.clone(), judge, pen, pace, mischief.bend)?;
    let ended = tokio::select! {
        ended = app.run(&mut channels) => ended.map(|()| End::Asked),
        () = end_of_input(stdin) => Ok(End::Asked),
        asked = asked_to_end() => asked.map(|()| End::Asked),
    };
    // Kiosks first: what they were told is durable already, and a closed connection sends them elsewhere.
    drop(gateway);
    for service in services {
        service.abort();
    }
    let stopped = handle.actor.stop_and_wait(None, Some(PATIENCE)).await;
    if let Err(error) = stopped {
        tracing::warn!(%error, "the engine does not stop in time");
    }
    tracing::info!(height = node.ledger().height(), "ended");
    ended
}

fn start_gateway(at: std::net::SocketAddr, node: &SharedNode, config: &Config) -> Result<Server> {
    let limits = Limits {
        per_address: config.connections_per_address,
        batches: Rate {
            burst: config.batches_per_second.saturating_mul(3),
            per_second: config.batches_per_second,
        },
        ..Limits::default()
    };
    let wrong = |error: &dyn Display| eyre!("the gateway at {at}: {error}");
    let listener = TcpListener::bind(at).map_err(|error| wrong(&error))?;
    Server::start(listener, node.clone(), limits).map_err(|error| wrong(&error))
}

async fn asked_to_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Comes back when standard input ends; never, if nobody asked for it.
async fn end_of_input(asked: bool) {
    let (closed, end) = tokio::sync::oneshot::channel::<()>();
    if asked {
        // A thread, because a read of standard input cannot be given up; it ends with the process.
        let _ = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = closed.send(());
            // Whoever closed it waits, or is gone: a node that does not end in order ends all the same. What it promised is durable.
            std::thread::sleep(LAST);
            std::process::exit(5);
        });
        let _ = end.await;
    } else {
        let _keep = closed;
        std::future::pending::<()>().await;
    }
}
