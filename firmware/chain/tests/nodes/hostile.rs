//! Kiosks and strangers who lie, against a real network: each lie is refused for what it is, forks are kept over a restart, and an honest
//! kiosk is served all the while.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chain::gateway::client::{Connection, Gateways};
use election::ledger::frame::{MAX_REQUEST, Reply, Request, read_reply, write_request};
use election::ledger::{Raw, Refusal, StaffRefusal};
use serde_json::Value;

use crate::fixture::{batch, digest, id, key, register_with, registration, sign};
use crate::http::get;
use crate::kiosks::{Kiosks, nothing_lost, send, send_surely};
use crate::net::{Net, Plan};

/// What every node says of this transaction.
fn said(net: &Net, transaction: &[u8]) -> Vec<Refusal> {
    let mut buffer = vec![0; transaction.len() + 16];
    let request = write_request(&Request::Submit(Raw(transaction)), &mut buffer).unwrap();
    net.gateways()
        .into_iter()
        .map(|gateway| {
            let reply = Connection::new(gateway, Duration::from_secs(10))
                .exchange(request)
                .unwrap();
            match read_reply(&reply) {
                Ok(Reply::Refused(refusal)) => refusal,
                other => panic!("not refused: {other:?}"),
            }
        })
        .collect()
}

fn refused(net: &Net, transaction: &[u8], expected: Refusal) {
    for refusal in said(net, transaction) {
        assert_eq!(refusal, expected);
    }
}

/// Numbers of the batches of which a node has evidence of a fork.
fn forked(net: &Net, node: usize) -> Vec<u64> {
    let answer: Value = serde_json::from_str(&get(net.places[node].http, "/v1/evidence").1).unwrap();
    let forks = answer["forks"].as_array().unwrap();
    forks.iter().map(|fork| fork["number"].as_u64().unwrap()).collect()
}

fn forks(net: &Net, node: usize) -> usize {
    forked(net, node).len()
}

#[test]
fn h01_every_lie_is_refused_by_every_node_and_forks_are_kept() {
    let mut net = Net::start(&Plan::default());
    let honest = Kiosks::start(&net.world, &net.gateways(), 1, 8, Duration::from_millis(100));
    let mut gateways = Gateways::new(&net.world.genesis, &net.gateways(), Duration::from_secs(10)).unwrap();
    // All nodes are to know it before the next lie: one that is a moment behind may still take what the others refuse.
    let mut put = |transaction: &[u8]| {
        let height = send_surely(&mut gateways, transaction).height;
        net.await_height(&[0, 1, 2, 3], height);
        height
    };
    let (a, spare, other) = (key(21), key(22), key(23));
    let (first, hash) = batch(&a, 0, [0; 32], &["a0"], None);
    let (second, second_hash) = batch(&a, 1, hash, &["a1"], None);

    // Unknown; registered with one signature only, with one card twice, with a card that may not.
    refused(&net, &first, Refusal::UnknownKiosk);
    let body = registration(&a, 1);
    let signature = |card: usize| sign(&net.world.staff[card], &body);
    let mut one_and_a_stranger = [signature(0), sign(&key(9), &body)];
    one_and_a_stranger.sort_by_key(|signature| signature.key.0);
    let mut not_allowed = [signature(0), signature(3)];
    not_allowed.sort_by_key(|signature| signature.key.0);
    for (staff, why) in [
        (vec![signature(0)], StaffRefusal::NotTwo),
        (vec![signature(0), signature(0)], StaffRefusal::OneCardTwice),
        (one_and_a_stranger.to_vec(), StaffRefusal::UnknownCard),
        (not_allowed.to_vec(), StaffRefusal::Role),
    ] {
        refused(&net, &register_with(body, &staff), Refusal::Staff(why));
    }
    for kiosk in [&a, &spare] {
        put(&net.world.register(kiosk, 1));
    }
    put(&net.world.register(&other, 2));

    // Gapped, reordered, replayed, forged, forked.
    refused(&net, &second, Refusal::Gap { expected: 0, got: 1 });
    let height = put(&first);
    put(&second);
    assert_eq!(put(&first), height, "sent again it is where it was");
    let (wrong, _) = batch(&a, 2, hash, &["a2"], None);
    refused(&net, &wrong, Refusal::Predecessor { expected: second_hash });
    let mut forged = batch(&a, 2, second_hash, &["a2"], None).0;
    *forged.last_mut().unwrap() ^= 1;
    refused(&net, &forged, Refusal::Signature);
    let (fork, _) = batch(&a, 1, hash, &["another a1"], None);
    let on_ledger = second_hash;
    refused(&net, &fork, Refusal::Fork { number: 1, on_ledger });
    refused(&net, &fork, Refusal::Fork { number: 1, on_ledger });
    for node in 0..4 {
        assert_eq!(forks(&net, node), 1);
        assert!(net.log(node).contains("ALARM"), "no alarm at node {node}");
    }

    // Takeovers: to itself, to another station, to an unknown one, from an unknown predecessor; then a real one.
    refused(&net, &net.world.takeover(&a, &a, second_hash), Refusal::SameKiosk);
    refused(&net, &net.world.takeover(&a, &other, second_hash), Refusal::Station);
    refused(
        &net,
        &net.world.takeover(&a, &key(24), second_hash),
        Refusal::UnknownKiosk,
    );
    refused(
        &net,
        &net.world.takeover(&a, &spare, digest("x")),
        Refusal::UnknownPredecessor,
    );
    put(&net.world.takeover(&a, &spare, second_hash));
    let (late, _) = batch(&a, 2, second_hash, &["a2"], None);
    refused(&net, &late, Refusal::TakenOver);
    let (fresh, fresh_hash) = batch(&spare, 0, second_hash, &["s0"], None);
    put(&fresh);

    // Closed, and sending on; revoked.
    let (closing, closing_hash) = batch(&spare, 1, fresh_hash, &["s1"], Some(digest("closing")));
    put(&closing);
    let (after, _) = batch(&spare, 2, closing_hash, &["s2"], None);
    refused(&net, &after, Refusal::Closed);
    put(&net.world.revoke(&other, "stolen"));
    refused(&net, &batch(&other, 0, [0; 32], &["o0"], None).0, Refusal::Revoked);
    refused(&net, &net.world.register(&other, 3), Refusal::Registered);

    // Frames that are too long, and ones that never end.
    let mut long = TcpStream::connect(net.places[0].gateway).unwrap();
    long.write_all(&(MAX_REQUEST as u32 + 1).to_be_bytes()).unwrap();
    let mut reply = Vec::new();
    long.read_to_end(&mut reply).unwrap();
    assert_eq!(read_reply(&reply[4..]), Ok(Reply::Unreadable));
    let slow: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(net.places[0].gateway).unwrap();
            stream.write_all(&[0, 0, 1]).unwrap();
            stream
        })
        .collect();
    honest.await_more(5);
    drop(slow);

    // The honest one was served, and all of it is there after a restart, the evidence too.
    let proven = honest.finish();
    for node in 0..4 {
        net.kill(node);
    }
    net.start_all();
    for node in 0..4 {
        assert_eq!(forks(&net, node), 1, "the evidence is gone");
    }
    let report = net.audit();
    assert!(report.one_chain, "{report:#?}");
    for node in 0..4 {
        let ledger = net.ledger(node);
        nothing_lost(&ledger, &proven);
        assert!(ledger.kiosk(&id(&other)).unwrap().revoked);
    }
}

/// Two batches of one number, each to other validators before either is decided: at most one gets onto the chain, on all nodes the same.
#[test]
fn h02_a_kiosk_that_tells_validators_different_things_splits_nobody() {
    let mut net = Net::start(&Plan::default());
    let mut all = Gateways::new(&net.world.genesis, &net.gateways(), Duration::from_secs(10)).unwrap();
    let kiosk = key(31);
    let registered = send_surely(&mut all, &net.world.register(&kiosk, 1));
    net.await_height(&[0, 1, 2, 3], registered.height);
    let mut previous = [0; 32];
    for number in 0..10 {
        let both = ["x", "y"].map(|name| batch(&kiosk, number, previous, &[&format!("{number} {name}")], None));
        let halves = [&net.gateways()[..2], &net.gateways()[2..]];
        let patience = Instant::now();
        let mut proofs = Vec::new();
        // None means that no node has decided in time: asked again, on a slow machine.
        while proofs.is_empty() {
            assert!(
                patience.elapsed() < Duration::from_secs(300),
                "round {number}: no proof"
            );
            proofs = std::thread::scope(|scope| {
                let threads: Vec<_> = both
                    .iter()
                    .zip(halves)
                    .map(|((bytes, hash), gateways)| {
                        let genesis = &net.world.genesis;
                        scope.spawn(move || {
                            let mut gateways = Gateways::new(genesis, gateways, Duration::from_secs(5)).unwrap();
                            send(&mut gateways, bytes).map(|proven| (*hash, proven.height))
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .filter_map(|thread| thread.join().unwrap())
                    .collect()
            });
        }
        assert_eq!(proofs.len(), 1, "round {number}: one of the two, and not both");
        previous = proofs[0].0;
        net.await_height(&[0, 1, 2, 3], proofs[0].1);
        // Some node was told both: it has the proof that the kiosk's key signed two, and has raised the alarm.
        while !(0..4).any(|node| forked(&net, node).contains(&u64::from(number))) {
            assert!(
                patience.elapsed() < Duration::from_secs(300),
                "round {number}: no evidence"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let report = net.audit();
    assert!(report.one_chain, "{report:#?}");
}
