//! Step 4: the chain from height 1, every certificate, every transaction by the ledger's rules.

use super::memory::{EntryRow, LineRow, Work};
use super::{Broken, Record, Step, Why, count};
use crate::ledger::{Applied, Block, Decided, Rules, Standing, Tables, Transaction};
use crate::record::FileName;
use crate::wire::Seq;

/// Replays the chain into the tables and gives its height.
pub(super) fn replay(
    record: &Record<'_>,
    work: &mut Work<'_>,
    progress: &mut dyn FnMut(Step, u32, u32),
) -> Result<u64, Broken> {
    list_kiosks(record, work)?;
    let chain = record.genesis.chain_id();
    let mut standing = Standing::genesis(record.genesis.validators);
    let mut rules = Rules::new(record.genesis, Tables::new(&mut *work.kiosks, &mut *work.batches));
    let mut entries = work.entries.iter_mut();
    let (mut height, mut previous) = (0u64, chain);
    let (mut place, mut batches) = (0u32, 0u32);
    for (item, decided) in (0u32..).zip(Seq::<Decided<'_>>::from_bytes(record.files.chain).iter()) {
        let at = |why| Broken::item(FileName::Chain, item, why);
        let decided = decided.map_err(|error| at(Why::Wire(error)))?;
        let block = Block::read(decided.block.0).map_err(|error| at(Why::Block(error)))?;
        // Below the number of items in memory.
        height = height.saturating_add(1);
        previous = block
            .check(&chain, height, &previous, &standing.validators().hash())
            .map_err(|error| at(Why::Block(error)))?;
        decided
            .certificate
            .verify(&block.header, standing.validators())
            .map_err(|error| at(Why::Certificate(error)))?;
        rules.begin(standing);
        for (index, transaction) in (0u32..).zip(block.transactions.iter()) {
            let refused = |refusal| at(Why::Transaction { index, refusal });
            let bytes = transaction.map_err(|error| at(Why::Wire(error)))?;
            let transaction = Transaction::read(bytes.0).map_err(refused)?;
            let applied = rules.apply(&transaction).map_err(refused)?;
            standing.note(&transaction, &applied);
            let (Transaction::Batch(batch), Applied::Batch { kiosk, closing, .. }) = (transaction, applied) else {
                continue;
            };
            if closing.is_some()
                && let Ok(line) = work.lines.binary_search_by_key(&kiosk, |row| row.id)
                && let Some(line) = work.lines.get_mut(line)
            {
                line.epoch = Some(batch.header.epoch);
            }
            for entry in batch.entries.iter() {
                let entry = entry.map_err(|error| at(Why::Wire(error)))?;
                *entries.next().ok_or(Broken::scratch(FileName::Chain))? = EntryRow {
                    code: entry.code,
                    leaf: entry.leaf,
                    kind: entry.kind,
                    place,
                    batch: batches,
                    epoch: batch.header.epoch,
                    published: false,
                };
                place = place.saturating_add(1);
            }
            batches = batches.saturating_add(1);
        }
        standing.advance();
        progress(Step::Chain, item.saturating_add(1), record.sizes.blocks);
    }
    work.entries
        .sort_unstable_by(|a, b| a.key().cmp(&b.key()).then(a.place.cmp(&b.place)));
    mark_closed_lines(work);
    Ok(height)
}

/// Fills the lines with the ids of all registrations, sorted: the very kiosks the ledger's table will hold, if it accepts them all.
fn list_kiosks(record: &Record<'_>, work: &mut Work<'_>) -> Result<(), Broken> {
    let mut lines = work.lines.iter_mut();
    for decided in Seq::<Decided<'_>>::from_bytes(record.files.chain)
        .iter()
        .map_while(Result::ok)
    {
        let Ok(block) = Block::read(decided.block.0) else { break };
        for transaction in block.transactions.iter().map_while(Result::ok) {
            if let Ok(Transaction::Register { body, .. }) = Transaction::read(transaction.0) {
                *lines.next().ok_or(Broken::scratch(FileName::Chain))? = LineRow {
                    id: crate::batch::kiosk_id(&body.kiosk.0),
                    epoch: None,
                    closed: false,
                };
            }
        }
    }
    work.lines.sort_unstable_by_key(|row| row.id);
    Ok(())
}

/// Marks each kiosk that closed, and those whose place it took, as far back as it goes.
fn mark_closed_lines(work: &mut Work<'_>) {
    for start in 0..count(work.kiosks.len()) {
        let mut next = Some(start).filter(|index| {
            work.kiosks
                .get(super::at(*index))
                .is_some_and(|row| row.closed.is_some())
        });
        // The rules let nobody take over from a kiosk that was taken over: there is no ring. The bound holds all the same.
        for _ in 0..work.kiosks.len() {
            let Some(index) = next else { break };
            if let Some(line) = work.lines.get_mut(super::at(index)) {
                line.closed = true;
            }
            let before = work.kiosks.get(super::at(index)).and_then(|row| row.took_over);
            next = before.and_then(|id| work.kiosk(&id));
        }
    }
}
