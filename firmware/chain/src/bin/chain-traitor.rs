//! A validator that breaks its word, for tests of the others: it is the node, but the blocks it proposes hold a transaction that nobody may
//! make. Never installed; `tests/nodes` starts it with a key of a test network.

use std::path::PathBuf;
use std::process::ExitCode;

use chain::engine::config::Folder;
use chain::engine::run::run_with;
use election::ledger::{Block, Raw, transactions_root};
use election::wire::{self, Seq};

/// The block with rubbish as its only transaction, under a root and a hash that fit.
fn bend(block: &[u8]) -> Option<Vec<u8>> {
    let mut header = Block::read(block).ok()?.header;
    let rubbish = Raw(b"a transaction that nobody may make");
    let mut items = vec![0; wire::encoded_len(&rubbish).ok()?];
    wire::encode(&rubbish, &mut items).ok()?;
    let transactions = Seq::from_bytes(&items);
    header.transactions = transactions_root(transactions).ok()?;
    let bent = Block { header, transactions };
    let mut out = vec![0; wire::encoded_len(&bent).ok()?];
    wire::encode(&bent, &mut out).ok()?;
    Some(out)
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Some(folder) = std::env::args().next_back().map(PathBuf::from) else {
        return ExitCode::FAILURE;
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(run_with(&Folder::new(&folder), true, bend)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chain-traitor: {error:#}");
            ExitCode::FAILURE
        }
    }
}
