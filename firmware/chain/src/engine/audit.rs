//! The audit over all nodes: every block of each is judged again from the genesis on, and all must have one chain.
//!
//! It believes no node: a node's own word for its height, its proofs or its health is not asked for.

use std::path::Path;

use election::hash::Digest;
use election::ledger::Decided;
use election::wire;
use serde::Serialize;

use super::config::Folder;
use super::store::{Store, StoreError};
use crate::Ledger;

/// What was found at one node.
#[derive(Clone, Debug, Serialize)]
pub struct Audited {
    /// Its folder or file.
    pub source: String,
    /// Blocks that hold.
    pub height: u64,
    /// Hash of the last one, hex.
    pub tip: String,
    /// Batches in them.
    pub batches: usize,
    /// Kiosks registered.
    pub kiosks: usize,
    /// What does not hold behind that height.
    pub damaged: Option<String>,
    #[serde(skip)]
    hashes: Vec<Digest>,
}

/// What was found over all.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Each node.
    pub nodes: Vec<Audited>,
    /// Height up to which all have the same blocks.
    pub common: u64,
    /// The first height at which two have different blocks.
    pub fork: Option<u64>,
    /// No fork and no damage.
    pub one_chain: bool,
}

/// Audits folders of stopped nodes, and files `chain.bin`.
///
/// # Errors
/// A genesis that does not hold, a source that cannot be opened.
pub fn audit(genesis: &[u8], sources: &[&Path]) -> Result<Report, String> {
    let nodes = sources
        .iter()
        .map(|source| audit_one(genesis, source))
        .collect::<Result<Vec<_>, _>>()?;
    let longest = nodes.iter().map(|node| node.hashes.len()).max().unwrap_or(0);
    let fork = (0..longest).find(|height| {
        let mut there = nodes.iter().filter_map(|node| node.hashes.get(*height));
        let first = there.next();
        there.any(|other| Some(other) != first)
    });
    let shortest = nodes.iter().map(|node| node.hashes.len()).min().unwrap_or(0);
    let common = fork.map_or(shortest, |fork| fork.min(shortest));
    let height = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Ok(Report {
        common: height(common),
        fork: fork.map(|at| height(at).saturating_add(1)),
        one_chain: fork.is_none() && nodes.iter().all(|node| node.damaged.is_none()),
        nodes,
    })
}

fn audit_one(genesis: &[u8], source: &Path) -> Result<Audited, String> {
    let name = source.display().to_string();
    let at = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let mut ledger = Ledger::new(genesis).map_err(|error| at(&error))?;
    let mut hashes = Vec::new();
    let mut damaged = None;
    let mut apply = |ledger: &mut Ledger, bytes: &[u8]| -> Result<(), String> {
        let decided: Decided<'_> = wire::decode(bytes).map_err(|error| error.to_string())?;
        ledger
            .apply(decided.block.0, &decided.certificate)
            .map_err(|error| error.to_string())?;
        hashes.push(ledger.tip());
        Ok(())
    };
    if source.is_dir() {
        let path = Folder::new(source).file("chain.redb");
        if !path.exists() {
            return Err(at(&"there is no chain.redb in it"));
        }
        let id = *ledger.id();
        let walked = Store::read(&path, &id, |height, bytes| {
            apply(&mut ledger, bytes).map_err(|why| StoreError::Damaged { height, why })
        });
        match walked {
            Ok(()) => {}
            Err(error @ StoreError::OtherChain) => return Err(at(&error)),
            Err(error) => damaged = Some(error.to_string()),
        }
    } else {
        let bytes = std::fs::read(source).map_err(|error| at(&error))?;
        let mut rest = &bytes[..];
        while !rest.is_empty() && damaged.is_none() {
            match wire::take::<Decided<'_>>(rest) {
                Ok((_, after)) => {
                    let used = rest.len().saturating_sub(after.len());
                    damaged = apply(&mut ledger, rest.get(..used).unwrap_or_default()).err();
                    rest = after;
                }
                Err(error) => damaged = Some(error.to_string()),
            }
        }
    }
    Ok(Audited {
        source: name,
        height: ledger.height(),
        tip: hex::encode(ledger.tip()),
        batches: ledger.batch_count(),
        kiosks: ledger.kiosks().count(),
        damaged,
        hashes,
    })
}
