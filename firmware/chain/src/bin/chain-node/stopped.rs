//! `audit`, `export`, `reset`: what is done with the folder of a node that does not run.

use std::path::{Path, PathBuf};

use chain::engine::audit::audit;
use chain::engine::config::Folder;
use chain::engine::store::Store;
use election::ledger::Genesis;
use serde_json::json;

use crate::outcome::{Failure, Outcome, setting, storage};

/// Judges every block of these again, and whether all have one chain.
pub fn audited(genesis: Option<&Path>, sources: &[PathBuf]) -> Outcome {
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

/// Writes chain.bin.
pub fn export(path: &Path, out: &Path) -> Outcome {
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

/// Puts a damaged database aside.
pub fn reset(path: &Path) -> Outcome {
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
