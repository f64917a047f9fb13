//! Anchoring: what a kiosk could not send itself leaves on its medium and is submitted here (statutory mode, a day without a
//! network). The desk adds nothing and can leave nothing out unseen: batches are numbered and signed by the kiosk.

use election::hash::Digest;
use election::ledger::{Transaction, transaction_hash};
use serde::Serialize;

use crate::medium::Content;
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};

/// Where transactions go: the embedded chain, or a consortium's gateway.
pub trait Submit {
    /// Puts transactions on the chain in this order. One that is on it already is fine.
    ///
    /// # Errors
    /// The first that is refused, or a chain that does not answer.
    fn submit(&mut self, transactions: &[&[u8]]) -> Outcome<Vec<Anchored>>;
}

/// A transaction on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Anchored {
    /// Its hash.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub transaction: Digest,
    /// Height of its block.
    pub height: u64,
}

/// What anchoring did.
#[derive(Clone, Debug, Serialize)]
pub struct AnchorReport {
    /// Kiosk id.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub kiosk: Digest,
    /// Registrations, takeovers and revocations.
    pub staff_transactions: usize,
    /// Batches.
    pub batches: usize,
    /// Entries in them.
    pub entries: u64,
    /// Whether the closing batch is among them.
    pub closed: bool,
    /// Where they stand now.
    pub anchored: Vec<Anchored>,
}

impl<S: chain::storage::Storage> Submit for chain::Chain<S> {
    fn submit(&mut self, transactions: &[&[u8]]) -> Outcome<Vec<Anchored>> {
        self.submit_all(transactions)
            .into_iter()
            .enumerate()
            .map(|(index, result)| {
                result
                    .map(|receipt| Anchored {
                        transaction: receipt.transaction,
                        height: receipt.height,
                    })
                    .map_err(|error| {
                        Problem::new(Kind::Refused, format!("transaction {index} of the medium"), error)
                            .advice("keep the medium; what was accepted before stays on the chain, run anchor again after the cause is mended")
                    })
            })
            .collect()
    }
}

/// Submits what a medium holds. `first` are transactions kept elsewhere (the registration in the kiosk's store), submitted before.
///
/// # Errors
/// The journal has a gap, a transaction is broken, or the chain refuses one.
pub fn anchor(content: &Content, first: &[Vec<u8>], chain: &mut dyn Submit, progress: Progress<'_>) -> Outcome<AnchorReport> {
    let kiosk = content.label.kiosk;
    let mut report = AnchorReport {
        kiosk,
        staff_transactions: 0,
        batches: 0,
        entries: 0,
        closed: false,
        anchored: Vec::new(),
    };
    let mut all: Vec<&[u8]> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for bytes in first.iter().chain(&content.transactions) {
        let transaction = Transaction::read(bytes).map_err(|error| {
            Problem::new(Kind::Malformed, format!("medium of kiosk {}", hex::encode(kiosk)), error).advice("read the duplicate instead")
        })?;
        if !seen.insert(transaction_hash(bytes)) {
            continue;
        }
        match &transaction {
            Transaction::Batch(batch) => {
                report.batches += 1;
                report.entries += u64::from(batch.header.count);
                report.closed |= batch.header.closing.is_some();
            }
            _ => report.staff_transactions += 1,
        }
        all.push(bytes);
    }
    let counter = Counter::new("anchoring", all.len(), progress);
    for transactions in all.chunks(64) {
        report.anchored.extend(chain.submit(transactions)?);
        for _ in transactions {
            counter.step();
        }
    }
    Ok(report)
}
