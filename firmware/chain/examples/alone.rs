//! A chain of one process with a gateway, for trying a kiosk: no engine, the validators' keys at hand, nothing of it for a real election.
//!
//! `cargo run -p chain --example alone -- FOLDER 127.0.0.1:4700 GENESIS KEY...`: FOLDER keeps the chain, GENESIS is `genesis.bin` of the
//! election package, each KEY a validator's secret (one line of 64 hex digits), more than two thirds of them.

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chain::Chain;
use chain::gateway::limits::Limits;
use chain::gateway::server::Server;
use chain::storage::FileStorage;
use election::ledger::Genesis;
use election::sign::Signer;

/// Names the file in what went wrong with it.
fn read(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{path}: {error}"))
}

fn key(path: &str) -> Result<Signer, Box<dyn std::error::Error>> {
    let text = String::from_utf8(read(path)?).unwrap_or_default();
    let text = text.trim();
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(format!("{path} is not one line of 64 hex digits").into());
    }
    for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16)?;
    }
    Ok(Signer::from_bytes(&key)?)
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [folder, address, genesis, keys @ ..] = arguments else {
        return Err("usage: alone FOLDER ADDRESS GENESIS KEY...".into());
    };
    let keys = keys.iter().map(|path| key(path)).collect::<Result<Vec<_>, _>>()?;
    let bytes = read(genesis)?;
    let named = Genesis::read(&bytes).map_err(|error| format!("{genesis}: {error}"))?;
    if !named.validators.decides(keys.len()) {
        return Err(format!(
            "{} keys of {} validators decide nothing: give more than two thirds",
            keys.len(),
            named.validators.count()
        )
        .into());
    }
    let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error} (ADDRESS is IP:PORT)"))?;
    let storage = FileStorage::open(Path::new(folder))?;
    let chain = Chain::open(&bytes, keys, storage)?;
    let server = Server::start(listener, Arc::new(Mutex::new(chain)), Limits::default())?;
    println!("gateway {}", server.address());
    loop {
        std::thread::sleep(Duration::from_secs(3_600));
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alone: {error}");
            ExitCode::FAILURE
        }
    }
}
