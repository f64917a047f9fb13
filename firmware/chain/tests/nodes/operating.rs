//! The program as an operator uses it.

use std::process::Command;
use std::time::Duration;

use chain::gateway::client::Gateways;

use crate::fixture::{batch, key, world};
use crate::kiosks::{Kiosks, send_surely};
use crate::net::{NODE, Net, Plan};
use crate::past;

pub fn node(arguments: &[&str]) -> (Option<i32>, serde_json::Value, String) {
    let out = Command::new(NODE).args(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    (
        out.status.code(),
        serde_json::from_str(text.trim()).unwrap_or_default(),
        String::from_utf8_lossy(&out.stderr).into_owned(),
    )
}

#[test]
fn o01_a_node_is_made_in_two_steps_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let at = path.to_str().unwrap();
    let (code, first, _) = node(&["init", at, "--name", "city"]);
    assert_eq!(code, Some(0));
    let (_, again, _) = node(&["init", at]);
    assert_eq!(first, again, "keys and settings stay");
    #[cfg(unix)]
    for name in ["validator.key", "network.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is readable by others");
    }
    // A genesis that does not name it; a peer without its id; no genesis yet.
    let genesis = folder.path().join("genesis.bin");
    std::fs::write(&genesis, world(4).genesis).unwrap();
    let (code, _, said) = node(&["init", at, "--genesis", genesis.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(first["validator"].as_str().unwrap()), "{said}");
    let (code, _, said) = node(&["init", at, "--peer", "/ip4/127.0.0.1/tcp/1"]);
    assert_eq!(code, Some(3), "{said}");
    let (code, _, said) = node(&["run", at]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("genesis.bin"), "{said}");
    assert_eq!(node(&["status", "127.0.0.1:1"]).0, Some(1));
    assert_eq!(node(&["nonsense"]).0, Some(2));
}

#[test]
fn o02_status_export_audit_and_a_clean_end() {
    let mut net = Net::start(&Plan::default());
    let kiosks = Kiosks::start(&net.world, &net.gateways(), 1, 4, Duration::from_millis(50));
    kiosks.await_more(5);
    let proven = kiosks.finish();
    let high = proven.iter().map(|proof| proof.height).max().unwrap();
    net.await_height(&[0, 1, 2, 3], high);
    let gateways: Vec<String> = net.gateways().iter().map(ToString::to_string).collect();
    let arguments: Vec<&str> = ["status"]
        .into_iter()
        .chain(gateways.iter().map(String::as_str))
        .collect();
    let (code, status, _) = node(&arguments);
    assert_eq!(code, Some(0));
    assert_eq!(status["gateways"].as_array().unwrap().len(), 4);
    // A running node's database is its own.
    let out = net.root().join("chain.bin");
    let (at, out) = (
        net.folder(0).to_str().unwrap().to_owned(),
        out.to_str().unwrap().to_owned(),
    );
    assert_eq!(node(&["export", &at, &out]).0, Some(4));
    for index in 0..4 {
        assert_eq!(net.stop(index), Some(0), "{}", net.log(index));
    }
    let (code, exported, said) = node(&["export", &at, &out]);
    assert_eq!(code, Some(0), "{said}");
    assert!(exported["height"].as_u64().unwrap() >= high);
    assert_eq!(node(&["export", &at, &out]).0, Some(3), "it writes over nothing");
    let folders: Vec<String> = (0..4).map(|index| net.folder(index).display().to_string()).collect();
    let mut arguments = vec!["audit"];
    arguments.extend(folders.iter().map(String::as_str));
    let (code, report, _) = node(&arguments);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["one_chain"], true);
    // An auditor's copy is read and not written to.
    let copy = net.root().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["chain.redb", "genesis.bin"] {
        std::fs::copy(net.folder(1).join(name), copy.join(name)).unwrap();
    }
    let base = copy.join("chain.redb");
    let mut mode = std::fs::metadata(&base).unwrap().permissions();
    mode.set_readonly(true);
    std::fs::set_permissions(&base, mode).unwrap();
    let before = std::fs::read(&base).unwrap();
    let (code, report, _) = node(&["audit", copy.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(std::fs::read(&base).unwrap(), before);
    // A file with one bit changed is no chain.
    let mut bytes = std::fs::read(&out).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&out, bytes).unwrap();
    let genesis = format!("{at}/genesis.bin");
    let (code, report, _) = node(&["audit", "--genesis", &genesis, &at, &out]);
    assert_eq!(code, Some(1), "{report}");
}

#[test]
fn o03_a_stranger_is_not_spoken_with() {
    // A fifth process with a validator's key, whose network key is on nobody's list.
    let mut net = Net::new(&Plan {
        twins: vec![3],
        ..Plan::default()
    });
    for index in 0..4 {
        let folder = chain::engine::config::Folder::new(net.folder(index));
        let mut config = folder.config().unwrap();
        let stranger = net.places[4].peer.clone();
        config.peers.retain(|peer| !peer.ends_with(&stranger));
        folder.write_config(&config).unwrap();
    }
    net.start_all();
    let gateways = &net.gateways()[..4];
    let kiosks = Kiosks::start(&net.world, gateways, 1, 4, Duration::from_millis(50));
    kiosks.await_more(10);
    kiosks.finish();
    // It has started and tried: its gateway answers, and it has asked the others more than once.
    net.await_gateway(4);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(net.tip(4), Some(0), "it was given blocks");
}

#[test]
fn o04_one_validator_that_a_kiosk_reaches_is_enough() {
    let net = Net::start(&Plan::default());
    let mut gateways = Gateways::new(&net.world.genesis, &net.gateways()[2..3], Duration::from_secs(10)).unwrap();
    let register = net.world.register(&key(1), 1);
    assert!(send_surely(&mut gateways, &register).height > 0, "{}", net.log(2));
    let (first, _) = batch(&key(1), 0, [0; 32], &["a"], None);
    assert!(send_surely(&mut gateways, &first).height > 0, "{}", net.log(2));
}

#[test]
fn o05_an_idle_chain_makes_few_blocks() {
    let net = Net::start(&Plan::default());
    std::thread::sleep(Duration::from_secs(5));
    let from = net.tip(0).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert!(net.tip(0).unwrap() <= from + 1);
}

#[test]
fn o06_a_node_with_nothing_catches_up_though_nobody_waits_for_a_block() {
    // An empty block comes every 30 s and votes are said again every 2 s: a node that took one block at such an occasion would need half an
    // hour for these, and the others' patience ends after 300 s. It is killed on its way, too.
    let mut net = Net::new(&Plan::default());
    past::write(&net, 1_000);
    for index in 0..3 {
        net.start_one(index);
    }
    for index in 0..3 {
        net.await_gateway(index);
    }
    net.start_one(3);
    net.await_height(&[3], 100);
    net.kill(3);
    net.start_one(3);
    net.await_height(&[3], 1_000);
    let kiosks = Kiosks::start(&net.world, &net.gateways()[3..], 1, 4, Duration::from_millis(50));
    kiosks.await_more(2);
    kiosks.finish();
    assert!(net.audit().one_chain);
}

#[test]
fn o07_a_key_without_its_memory_signs_nothing_and_a_second_process_touches_nothing() {
    let mut net = Net::start(&Plan::default());
    let kiosks = Kiosks::start(&net.world, &net.gateways(), 1, 4, Duration::from_millis(50));
    kiosks.await_more(3);
    kiosks.finish();
    // A folder without a block tells nothing of what its key has signed: a node that lags is waited for.
    net.await_height(&[3], net.tip(0).unwrap());
    assert_eq!(net.stop(3), Some(0));
    let at = net.folder(3).to_str().unwrap().to_owned();
    let (signed, base) = (net.folder(3).join("signed.bin"), net.folder(3).join("chain.redb"));
    // What looks like a record being written by a process that has the database open.
    let good = std::fs::read(&signed).unwrap();
    let half = [&good[..], &[7; 20]].concat();
    std::fs::write(&signed, &half).unwrap();
    let id = *chain::Ledger::new(&net.world.genesis).unwrap().id();
    let open = chain::engine::store::Store::open(&base, &id).unwrap();
    assert_eq!(node(&["run", &at]).0, Some(4));
    assert_eq!(std::fs::read(&signed).unwrap(), half);
    drop(open);
    // Missing, emptied, damaged: never started, and systemd does not try again. Also when the database was put aside.
    let mut damaged = good.clone();
    damaged[30] ^= 1;
    for (bytes, reset) in [
        (None, false),
        (Some(&[][..]), false),
        (Some(&damaged[..]), false),
        (None, true),
    ] {
        match bytes {
            None => std::fs::remove_file(&signed).unwrap(),
            Some(bytes) => std::fs::write(&signed, bytes).unwrap(),
        }
        if reset {
            assert_eq!(node(&["reset", &at]).0, Some(0));
        }
        let (code, _, said) = node(&["run", &at]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("signed.bin") && said.contains("must not sign"), "{said}");
        std::fs::write(&signed, &good).unwrap();
    }
    net.start_one(3);
    net.await_height(&[3], net.tip(0).unwrap());
}
