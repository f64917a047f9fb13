//! The chain's latest blocks in a line each.

use election::ledger::{Block, Decided, Transaction};
use election::wire::{decode, take};

use crate::world::network::SharedChain;

/// The newest `most` blocks, newest first: height, what is in it, how its hash begins.
#[must_use]
pub fn latest(chain: &SharedChain, most: usize) -> Vec<String> {
    let Ok(bytes) = chain.borrow_mut().export() else {
        return Vec::new();
    };
    let mut rest = &*bytes;
    let mut lines = Vec::new();
    while let Ok((decided, after)) = take::<Decided<'_>>(rest) {
        rest = after;
        let Ok(block) = decode::<Block<'_>>(decided.block.0) else {
            break;
        };
        let what: Vec<String> = block
            .transactions
            .iter()
            .map_while(Result::ok)
            .filter_map(|transaction| Transaction::read(transaction.0).ok().map(|known| told(&known)))
            .collect();
        let hash = hex::encode(block.header.hash().get(..4).unwrap_or_default());
        lines.push(format!("#{}  {}  {hash}", block.header.height, what.join(", ")));
        if rest.is_empty() {
            break;
        }
    }
    lines.reverse();
    lines.truncate(most);
    lines
}

fn told(transaction: &Transaction<'_>) -> String {
    match transaction {
        Transaction::Register { body, .. } => format!("station {} registered", body.station),
        Transaction::Revoke { .. } => "a kiosk revoked".to_owned(),
        Transaction::Takeover { .. } => "a spare takes over".to_owned(),
        Transaction::Validators { body, .. } => {
            format!("{} validators from block {}", body.validators.count(), body.from)
        }
        Transaction::Batch(batch) => {
            let count = batch.header.count;
            let ballots = if count == 1 { "ballot" } else { "ballots" };
            let last = if batch.header.closing.is_some() {
                ", closing"
            } else {
                ""
            };
            format!("batch {}: {count} {ballots}{last}", batch.header.number)
        }
    }
}
