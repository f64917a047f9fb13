//! The public's interface: what it says is what the chain holds, and strangers cannot move it.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use chain::gateway::client::Gateways;
use election::ledger::{CommitProof, Genesis, transaction_hash};
use election::wire;
use serde_json::Value;

use crate::fixture::{batch, digest, id, key};
use crate::http::{get, request};
use crate::kiosks::send_surely;
use crate::net::{Net, Plan};

pub fn json(address: SocketAddr, path: &str) -> Value {
    let (status, body) = get(address, path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

pub fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_public_finds_a_code_with_a_proof_that_two_programs_verify() {
    let net = Net::start(&Plan::default());
    let mut gateways = Gateways::new(&net.world.genesis, &net.gateways(), Duration::from_secs(10)).unwrap();
    let kiosk = key(1);
    let (first, _) = batch(&kiosk, 0, [0; 32], &["a", "b", "c"], None);
    for transaction in [&net.world.register(&kiosk, 7), &first] {
        let proven = send_surely(&mut gateways, transaction);
        // Another node than the one that answered the kiosk may be a moment behind.
        net.await_height(&[0, 1, 2, 3], proven.height);
    }
    let http = net.places[1].http;
    let code = hex_of(&digest("b"));
    let answer = json(http, &format!("/v1/codes/{code}"));
    let place = &answer["places"][0];
    let transaction = bytes_of(&place["transaction"]);
    assert_eq!(transaction, first);
    let proof = bytes_of(&place["proof"]);
    let proof: CommitProof<'_> = wire::decode(&proof).unwrap();
    let genesis = json(http, "/v1/genesis");
    let genesis = bytes_of(&genesis["bytes"]);
    assert_eq!(genesis, net.world.genesis);
    let view = Genesis::read(&genesis).unwrap();
    proof.verify(&view.chain_id(), view.validators, &transaction).unwrap();
    assert_eq!(place["kiosk"], hex_of(&id(&kiosk)));
    assert_eq!(place["cast"], "cast");

    // The same by the Python verifier, which knows the specification and nothing of this program.
    let folder = tempfile::tempdir().unwrap();
    let (query, known) = (folder.path().join("code.json"), folder.path().join("genesis.bin"));
    std::fs::write(&query, answer.to_string()).unwrap();
    std::fs::write(&known, &genesis).unwrap();
    let verifier = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/verifier/code.py");
    let run = |query: &std::path::Path| {
        std::process::Command::new("python3")
            .args([verifier, "--genesis"])
            .arg(&known)
            .arg(query)
            .arg(&code)
            .output()
            .unwrap()
    };
    let out = run(&query);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // One digit of the proof changed: refused.
    let proof = place["proof"].as_str().unwrap();
    let end = proof.len() - 100;
    let flipped = if proof.as_bytes()[end] == b'0' { "1" } else { "0" };
    let bent = format!("{}{flipped}{}", &proof[..end], &proof[end + 1..]);
    std::fs::write(&query, answer.to_string().replace(proof, &bent)).unwrap();
    assert_eq!(run(&query).status.code(), Some(1));

    let hash = hex_of(&transaction_hash(&first));
    assert_eq!(json(http, &format!("/v1/transactions/{hash}"))["kind"], "batch");
    assert_eq!(json(http, "/v1/kiosks")["kiosks"][0]["station"], 7);
    let batches = json(http, &format!("/v1/batches?kiosk={}", hex_of(&id(&kiosk))));
    let batch = batches["batches"][0]["batch"].as_str().unwrap();
    assert_eq!(
        json(http, &format!("/v1/batches/{batch}"))["entries"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let height = json(http, "/v1/status")["height"].as_u64().unwrap();
    assert_eq!(
        json(http, "/v1/headers")["headers"].as_array().unwrap().len() as u64,
        height
    );
    assert_eq!(json(http, &format!("/v1/blocks/{height}"))["height"], height);
    assert!(json(http, "/v1/evidence")["forks"].as_array().unwrap().is_empty());

    for (path, status) in [
        (format!("/v1/codes/{}", hex_of(&digest("nobody's"))), 404),
        ("/v1/codes/xyz".to_owned(), 400),
        (format!("/v1/blocks/{}", height + 1_000), 404),
        ("/v1/blocks/-1".to_owned(), 400),
        (
            "/v1/headers?from=18446744073709551615&count=18446744073709551615".to_owned(),
            200,
        ),
        ("/v1/batches?kiosk=00".to_owned(), 400),
        ("/".to_owned(), 404),
        ("/metrics".to_owned(), 404),
    ] {
        assert_eq!(get(http, &path).0, status, "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(request(http, method, "/v1/status").0, 405, "{method}");
    }
    assert_eq!(net.metric(1, "height"), height);
}

#[test]
fn the_public_interface_can_be_switched_off() {
    let net = Net::start(&Plan {
        change: |config| config.http = None,
        ..Plan::default()
    });
    assert!(TcpStream::connect(net.places[0].http).is_err());
}

#[test]
fn silent_strangers_at_the_publics_port_keep_neither_kiosks_nor_the_public_out() {
    let mut net = Net::new(&Plan::default());
    // More strangers than the process may have files.
    net.start_under(0, "ulimit -n 256; exec");
    for index in 1..4 {
        net.start_one(index);
    }
    for index in 0..4 {
        net.await_gateway(index);
    }
    let http = net.places[0].http;
    let silent: Vec<TcpStream> = (0..300).filter_map(|_| TcpStream::connect(http).ok()).collect();
    assert!(silent.len() > 250);
    let mut gateways = Gateways::new(&net.world.genesis, &net.gateways()[..1], Duration::from_secs(10)).unwrap();
    send_surely(&mut gateways, &net.world.register(&key(1), 1));
    assert!(net.tip(0).is_some(), "the gateway answers nobody");
    // Silence ends by itself: the public has its turn, with the strangers still there.
    assert_eq!(json(http, "/v1/status")["kiosks"], 1);
    drop(silent);
}

#[test]
fn a_code_that_was_said_very_often_has_a_short_answer() {
    let net = Net::start(&Plan::default());
    let mut gateways = Gateways::new(&net.world.genesis, &net.gateways(), Duration::from_secs(10)).unwrap();
    let kiosk = key(1);
    let mut height = send_surely(&mut gateways, &net.world.register(&kiosk, 7)).height;
    let mut previous = [0; 32];
    for number in 0..20 {
        net.await_height(&[0, 1, 2, 3], height);
        let (again, hash) = batch(&kiosk, number, previous, &["a"], None);
        (height, previous) = (send_surely(&mut gateways, &again).height, hash);
    }
    net.await_height(&[0], height);
    let answer = json(net.places[0].http, &format!("/v1/codes/{}", hex_of(&digest("a"))));
    assert_eq!(answer["total"], 20);
    assert_eq!(answer["places"].as_array().unwrap().len(), 16);
}
