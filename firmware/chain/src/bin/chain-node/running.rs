//! `run` and `local`: one node, or several on this machine.

use std::path::Path;
use std::time::Duration;

use chain::engine::config::Folder;
use chain::engine::local;
use election::ledger::Genesis;
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::outcome::{Failure, Outcome, setting};

/// The node of a folder, until it is told to end.
pub fn run(folder: &Path, log: &str, format: Format, stdin: bool) -> Outcome {
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

/// Several validators on this machine, until standard input closes.
pub fn local_network(root: &Path, count: usize, genesis: Option<&Path>) -> Outcome {
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
