//! A validator that breaks its word, for tests of the others: it is the node, but does what a file `mischief` in its folder says; without
//! one the blocks it proposes hold a transaction that nobody may make. Never installed; `tests/nodes` starts it with a key of a test network.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use chain::engine::config::Folder;
use chain::engine::context::{BlockPart, Part, Signature};
use chain::engine::parts::Whole;
use chain::engine::run::{Inside, Mischief, run_with};
use election::ledger::{Block, BlockHeader, Raw, transactions_root};
use election::wire::{self, Seq};
use malachite::NetworkMsg;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use serde::Serialize;

fn encoded<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut out = vec![0; wire::encoded_len(value).ok()?];
    wire::encode(value, &mut out).ok()?;
    Some(out)
}

/// The block with rubbish as its only transaction, under a root and a hash that fit.
fn bend(block: &[u8]) -> Option<Vec<u8>> {
    let mut header = Block::read(block).ok()?.header;
    let items = encoded(&Raw(b"a transaction that nobody may make"))?;
    let transactions = Seq::from_bytes(&items);
    header.transactions = transactions_root(transactions).ok()?;
    encoded(&Block { header, transactions })
}

/// An empty block of a height that follows nothing, another one for every number.
fn junk(inside: &Inside, height: u64, number: u64) -> Option<Vec<u8>> {
    let transactions = Seq::from_bytes(&[]);
    let mut previous = [7; 32];
    previous.first_chunk_mut::<8>()?.copy_from_slice(&number.to_be_bytes());
    let header = BlockHeader {
        version: 1,
        chain: inside.chain,
        height,
        previous,
        transactions: transactions_root(transactions).ok()?,
        validators: [0; 32],
    };
    encoded(&Block { header, transactions })
}

async fn publish(inside: &Inside, number: u64, part: Part) {
    let id = StreamId::new(Bytes::copy_from_slice(&number.to_be_bytes()));
    let message = StreamMessage::new(id, 0, StreamContent::Data(part));
    let _ = inside.network.send(NetworkMsg::PublishProposalPart(message)).await;
}

/// Junk as a block of a height and round, in its own name.
async fn propose_junk(inside: &Inside, number: u64, height: u64, round: u32) {
    let whole = junk(inside, height, number).map(|block| Whole {
        height,
        round,
        valid_round: None,
        proposer: inside.pen.address(),
        block: block.into(),
        signatures: vec![Signature([0; 64])],
    });
    let pieces: Vec<BlockPart> = whole.iter().flat_map(Whole::pieces).collect();
    for mut piece in pieces {
        if inside.pen.part(&mut piece).is_ok() {
            publish(inside, number, Part::Block(piece)).await;
        }
    }
}

/// Two junk blocks for every round of every height, before their leaders propose.
fn stuff(inside: Inside) {
    tokio::spawn(async move {
        let (mut number, mut done) = (1 << 40, 0);
        loop {
            let next = inside.node.ledger().height().saturating_add(1);
            if next > done {
                done = next;
                for height in [next, next.saturating_add(1)] {
                    for round in 0..20 {
                        for _ in 0..2 {
                            number += 1;
                            propose_junk(&inside, number, height, round).await;
                        }
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

/// A block of a height that never comes, a hundred times a second: the others are to believe that somebody waits.
fn drive(inside: Inside) {
    tokio::spawn(async move {
        let mut number = 1 << 40;
        loop {
            number += 1;
            propose_junk(&inside, number, u64::MAX, 0).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

/// Lists of a batch that does not hold (the file `bad.bin` of its folder), as many as a message carries, twice a second.
fn flood(inside: Inside) {
    let Some(bad) = std::env::args()
        .next_back()
        .and_then(|folder| std::fs::read(PathBuf::from(folder).join("bad.bin")).ok())
    else {
        return;
    };
    let bad = Bytes::from(bad);
    tokio::spawn(async move {
        let mut number = 1 << 40;
        loop {
            number += 1;
            let count = (39 << 20) / 10 / (bad.len() + 8);
            publish(&inside, number, Part::Transactions(vec![bad.clone(); count])).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Some(folder) = std::env::args().next_back().map(PathBuf::from) else {
        return ExitCode::FAILURE;
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return ExitCode::FAILURE;
    };
    let said = std::fs::read_to_string(folder.join("mischief")).unwrap_or_default();
    let honest: fn(&[u8]) -> Option<Vec<u8>> = |_| None;
    let (bend, besides): (_, fn(Inside)) = match said.as_str() {
        "" => (bend as fn(&[u8]) -> Option<Vec<u8>>, |_| {}),
        "stuff" => (honest, stuff),
        "drive" => (honest, drive),
        "flood" => (honest, flood),
        other => {
            eprintln!("chain-traitor: there is no mischief named {other}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run_with(&Folder::new(&folder), true, Mischief { bend, besides })) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chain-traitor: {error:#}");
            ExitCode::FAILURE
        }
    }
}
