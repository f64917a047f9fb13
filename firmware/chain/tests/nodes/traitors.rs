//! One validator of four does what it likes, and loads that are legal and large: the chain goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use chain::gateway::client::{Connection, Gateways};
use election::ledger::frame::{Reply, Request, read_reply, write_request};
use election::ledger::{Raw, transaction_hash};

use crate::fixture::{batch, key};
use crate::kiosks::{Kiosks, nothing_lost, send_surely};
use crate::net::{Net, Plan, TRAITOR};

/// Three honest validators, and a fourth that leads nothing before block 48 and does this beside its duty.
fn with_traitor(mischief: &str, files: &[(&str, &[u8])]) -> Net {
    let mut net = Net::new(&Plan::default());
    std::fs::write(net.folder(3).join("mischief"), mischief).unwrap();
    for (name, bytes) in files {
        std::fs::write(net.folder(3).join(name), bytes).unwrap();
    }
    for index in 0..3 {
        net.start_one(index);
    }
    net.start_as(3, Path::new(TRAITOR));
    for index in 0..4 {
        net.await_gateway(index);
    }
    net
}

fn settle(mut net: Net, kiosks: Kiosks) {
    let proven = kiosks.finish();
    let high = proven.iter().map(|proof| proof.height).max().unwrap();
    net.await_height(&[0, 1, 2, 3], high);
    let report = net.audit();
    assert!(report.one_chain, "{report:#?}");
    for index in 0..4 {
        nothing_lost(&net.ledger(index), &proven);
    }
}

#[test]
fn h03_a_validator_that_does_not_lead_takes_no_leaders_place() {
    let net = with_traitor("stuff", &[]);
    let kiosks = Kiosks::start(&net.world, &net.gateways()[..3], 2, 8, Duration::from_millis(50));
    kiosks.await_more(30);
    // It leads one of the four rounds that may come next, and has two blocks there: no more of its junk was judged.
    let heights = net.tip(0).unwrap() + 2;
    let junk: u64 = (0..3).map(|index| net.metric(index, "invalid_blocks")).sum();
    assert!(junk > 0, "it never sent any");
    assert!(
        junk <= 3 * 2 * heights,
        "{junk} of its blocks were judged in {heights} heights"
    );
    settle(net, kiosks);
}

/// A batch of so many entries.
fn large(kiosk: u8, number: u32, previous: [u8; 32], entries: usize) -> (Vec<u8>, [u8; 32]) {
    let names: Vec<String> = (0..entries).map(|entry| format!("{kiosk} {number} {entry}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    batch(&key(kiosk), number, previous, &names, None)
}

#[test]
fn h04_the_largest_batch_and_a_backlog_longer_than_a_message_are_decided() {
    let mut net = Net::start(&Plan::default());
    let honest = Kiosks::start(&net.world, &net.gateways(), 1, 8, Duration::from_millis(100));
    let mut gateways = Gateways::new(&net.world.genesis, &net.gateways(), Duration::from_secs(30)).unwrap();
    for kiosk in 11..=14 {
        let height = send_surely(&mut gateways, &net.world.register(&key(kiosk), 1)).height;
        net.await_height(&[0, 1, 2, 3], height);
    }
    // One is away and fetches it later.
    net.kill(3);
    let (longest, _) = large(11, 0, [0; 32], 65_536);
    assert!(longest.len() > 4 << 20);
    let mut proven = vec![send_surely(&mut gateways, &longest)];
    net.start_one(3);
    net.await_gateway(3);
    net.await_height(&[3], proven[0].height);

    // Two are away: nothing is decided, and batches come all the same.
    net.kill(2);
    net.kill(3);
    let backlog: Vec<Vec<u8>> = (12..=14).map(|kiosk| large(kiosk, 0, [0; 32], 30_000).0).collect();
    assert!(backlog.iter().map(Vec::len).sum::<usize>() > 4 << 20);
    for transaction in &backlog {
        let mut buffer = vec![0; transaction.len() + 16];
        let request = write_request(&Request::Submit(Raw(transaction)), &mut buffer).unwrap();
        for node in 0..2 {
            let patience = Instant::now();
            loop {
                let reply = Connection::new(net.places[node].gateway, Duration::from_secs(30)).exchange(request);
                if reply.is_ok_and(|reply| read_reply(&reply) == Ok(Reply::Accepted(transaction_hash(transaction)))) {
                    break;
                }
                assert!(
                    patience.elapsed() < Duration::from_secs(300),
                    "node {node} takes it not"
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
    for node in [2, 3] {
        net.start_one(node);
        net.await_gateway(node);
    }
    proven.extend(
        backlog
            .iter()
            .map(|transaction| send_surely(&mut gateways, transaction)),
    );
    honest.await_more(5);
    let high = proven.iter().map(|proof| proof.height).max().unwrap();
    net.await_height(&[0, 1, 2, 3], high);
    proven.extend(honest.finish());
    let high = proven.iter().map(|proof| proof.height).max().unwrap();
    net.await_height(&[0, 1, 2, 3], high);
    assert!(net.audit().one_chain);
    for index in 0..4 {
        nothing_lost(&net.ledger(index), &proven);
    }
}

#[test]
fn h05_no_single_validator_drives_the_chain_when_nobody_waits() {
    let net = with_traitor("drive", &[]);
    let kiosks = Kiosks::start(&net.world, &net.gateways()[..3], 1, 4, Duration::from_millis(50));
    kiosks.await_more(3);
    kiosks.finish();
    let from = net.tip(0).unwrap();
    std::thread::sleep(Duration::from_secs(6));
    let driven = net.tip(0).unwrap().saturating_sub(from);
    assert!(driven <= 8, "{driven} empty blocks in six seconds");
}

#[test]
fn h06_rubbish_passed_on_by_a_validator_stops_nobody() {
    let mut bad = batch(&key(1), 0, [0; 32], &["x"], None).0;
    *bad.last_mut().unwrap() ^= 1;
    let net = with_traitor("flood", &[("bad.bin", &bad)]);
    let kiosks = Kiosks::start(&net.world, &net.gateways()[..3], 2, 8, Duration::from_millis(50));
    let from = Instant::now();
    kiosks.await_more(30);
    let refused: u64 = (0..3).map(|index| net.metric(index, "refused")).sum();
    assert!(refused > 0, "it never sent any");
    let lists = 3 * 2 * (from.elapsed().as_secs() + 30);
    assert!(refused <= lists, "{refused} judged, of {lists} lists at most");
    settle(net, kiosks);
}
