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
use election::sign::Signer;

fn key(path: &str) -> Result<Signer, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
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
    let storage = FileStorage::open(Path::new(folder))?;
    let chain = Chain::open(&std::fs::read(genesis)?, keys, storage)?;
    let server = Server::start(
        TcpListener::bind(address)?,
        Arc::new(Mutex::new(chain)),
        Limits::default(),
    )?;
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
