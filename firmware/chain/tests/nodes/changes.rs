//! The validators change while kiosks vote: one joins, one leaves, each time signed by those before. Who knows only the genesis follows.

use std::time::Duration;

use chain::gateway::client::Gateways;

use crate::fixture::{batch, digest, key};
use crate::kiosks::{Kiosks, nothing_lost, send_surely};
use crate::net::{Net, Plan};
use crate::operating::node;
use crate::public::{hex_of, json};

/// Makes a change by the program, has these nodes sign it, sends it, and waits for it on these nodes. Gives the height from which it stands.
/// Kiosks drive some blocks a second, and every command costs some: a change that comes too late is void, and made anew with more time.
fn change(net: &Net, name: &str, what: &str, who: u8, signers: &[usize], everywhere: &[usize]) -> u64 {
    [40, 200, 1_000]
        .iter()
        .find_map(|blocks| change_within(net, &format!("{name}-{blocks}"), what, who, signers, *blocks))
        .inspect(|from| net.await_height(everywhere, from + 2))
        .expect("a thousand blocks are time enough")
}

/// The same with so many blocks of time; none if that was too short.
fn change_within(net: &Net, name: &str, what: &str, who: u8, signers: &[usize], blocks: u64) -> Option<u64> {
    let file = net.root().join(name).display().to_string();
    let genesis = format!("{}/genesis.bin", net.folder(0).display());
    let at: Vec<String> = net.gateways()[..4]
        .iter()
        .flat_map(|gateway| ["--gateway".to_owned(), gateway.to_string()])
        .chain(["--genesis".to_owned(), genesis])
        .collect();
    let run = |first: &[&str]| {
        let rest: Vec<&str> = first.iter().copied().chain(at.iter().map(String::as_str)).collect();
        node(&rest)
    };
    let member = hex_of(&key(100 + who).public_key());
    let blocks = blocks.to_string();
    let (code, made, said) = run(&["change", "make", &file, what, &member, "--blocks", &blocks]);
    assert_eq!(code, Some(0), "{said}");
    let few = &signers[..signers.len() - 1];
    for signer in few {
        let (code, _, said) = run(&[
            "change",
            "sign",
            &file,
            "--folder",
            net.folder(*signer).to_str().unwrap(),
        ]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, _, said) = run(&["change", "send", &file]);
    assert_eq!(code, Some(1), "it was sent with one signature too few");
    let late = |said: &str| said.contains("a height that is over");
    if late(&said) {
        return None;
    }
    assert!(said.contains("two thirds"), "{said}");
    let last = net.folder(signers[signers.len() - 1]).to_str().unwrap();
    let (code, signed, said) = run(&["change", "sign", &file, "--folder", last]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(signed["signed"].as_array().unwrap().len(), signers.len());
    let from = made["from"].as_u64().unwrap();
    let (code, sent, said) = run(&["change", "send", &file]);
    // Refused as too late, or taken by the gateway and late in the block.
    if code == Some(1) && (late(&said) || net.tip(0).is_some_and(|tip| tip + 1 >= from)) {
        return None;
    }
    assert_eq!(code, Some(0), "{said}");
    assert!(sent["height"].as_u64().unwrap() < from);
    Some(from)
}

#[test]
fn n10_a_fifth_joins_one_leaves_and_the_chain_goes_on() {
    let mut net = Net::start(&Plan {
        twins: vec![4],
        change: |config| config.joins = config.name == "v4",
        ..Plan::default()
    });
    let all = [0, 1, 2, 3, 4];
    let kiosks = Kiosks::start(&net.world, &net.gateways(), 2, 4, Duration::from_millis(50));
    kiosks.await_more(5);

    // It follows the chain before it decides anything.
    net.await_height(&all, 3);
    let joined = change(&net, "join", "--join", 4, &[0, 1, 3], &all);
    assert_eq!(json(net.places[2].http, "/v1/status")["validators"], 5);
    // Of five four must sign: without one of the old ones the new one's vote is needed.
    net.kill(0);
    kiosks.await_more(10);
    let here = net.tip(4).unwrap();
    let header = json(net.places[4].http, &format!("/v1/blocks/{here}"));
    let signed: Vec<u64> = header["signed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_u64().unwrap())
        .collect();
    assert!(signed.contains(&4) && !signed.contains(&0), "{signed:?}");
    net.start_one(0);
    net.await_gateway(0);

    let left = change(&net, "leave", "--leave", 1, &[0, 2, 3, 4], &all);
    assert!(left > joined);
    // Of the four that are left three must sign: were the one that left still one of five, these three could not decide.
    net.kill(1);
    net.kill(0);
    kiosks.await_more(10);
    // Killed and started again they know who decides.
    for index in [2, 3, 4] {
        net.kill(index);
    }
    net.start_all();
    kiosks.await_more(10);
    let proven = kiosks.finish();

    // Who knows the genesis only follows both changes, by proofs; so does the Python verifier for a code decided after them.
    let mut late = Gateways::new(&net.world.genesis, &net.gateways(), Duration::from_secs(10)).unwrap();
    let (first, _) = batch(&key(40), 0, [0; 32], &["after"], None);
    send_surely(&mut late, &net.world.register(&key(40), 9));
    let last = send_surely(&mut late, &first);
    assert!(last.height > left);
    assert_eq!(late.sets().changes(), 2);
    net.await_height(&all, last.height);
    let code = hex_of(&digest("after"));
    let answer = json(net.places[1].http, &format!("/v1/codes/{code}"));
    let (query, verifier) = (
        net.root().join("code.json"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/verifier/code.py"),
    );
    let verified = |answer: &serde_json::Value| {
        std::fs::write(&query, answer.to_string()).unwrap();
        let out = std::process::Command::new("python3")
            .args([verifier, "--genesis"])
            .arg(net.folder(0).join("genesis.bin"))
            .arg(&query)
            .arg(&code)
            .output()
            .unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    assert_eq!(verified(&answer), (Some(0), String::new()));
    let mut untold = answer.clone();
    untold["changes"].as_array_mut().unwrap().pop();
    let (code, said) = verified(&untold);
    assert_eq!(code, Some(1), "it believes validators it was not led to");
    assert!(said.contains("validators"), "{said}");

    // All five have one chain, with every proof in it.
    let report = net.audit();
    assert!(report.one_chain, "{report:#?}");
    for index in all {
        let ledger = net.ledger(index);
        nothing_lost(&ledger, &proven);
        assert_eq!(ledger.sets().changes(), 2);
        assert_eq!(
            ledger.header(joined).unwrap().validators,
            ledger.sets().at(joined).hash()
        );
        assert_ne!(
            ledger.header(joined - 1).unwrap().validators,
            ledger.header(joined).unwrap().validators
        );
    }
}
