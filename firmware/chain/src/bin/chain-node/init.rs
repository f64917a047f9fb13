//! `init`: a node's folder.

use std::net::SocketAddr;

use chain::engine::config::{Config, Folder};
use election::ledger::Genesis;
use election::package::Package;
use election::wire;
use serde_json::json;

use crate::arguments::Init;
use crate::outcome::{Failure, Outcome, setting};

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
    pub fn run(&self) -> Outcome {
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
