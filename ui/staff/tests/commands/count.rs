//! A whole count from files on disk, media and TCP: anchored through a validator, counted, verified.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use election::batch::Kind as EntryKind;
use election::manifest::Policy;
use election::words::ClosingWords;
use serde_json::Value;
use staff::keyfile;

use crate::node::ValidatorNode;
use crate::support::{self, KAGA, Town};
use crate::{code, files_of_a_kiosk, json, path, staff};

/// Answers gateway frames over TCP until the listener is dropped with the process.
fn serve(town: &Arc<Mutex<Town>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let town = Arc::clone(town);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 4];
            while stream.read_exact(&mut length).is_ok() {
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                let reply = town.lock().unwrap().chain.answer(&request);
                stream
                    .write_all(&u32::try_from(reply.len()).unwrap().to_be_bytes())
                    .unwrap();
                stream.write_all(&reply).unwrap();
            }
        }
    });
    address
}

/// Who orders what is anchored.
enum Validator {
    /// Answers in this process at this address.
    Here(String, Arc<Mutex<Town>>),
    /// A program of its own.
    Program(ValidatorNode),
}

impl Validator {
    fn gateway(&self) -> String {
        match self {
            Self::Here(address, _) => address.clone(),
            Self::Program(node) => node.gateway.clone(),
        }
    }

    /// chain.bin.
    fn export(&mut self) -> Vec<u8> {
        match self {
            Self::Here(_, town) => town.lock().unwrap().chain.bytes.clone(),
            Self::Program(node) => node.export(),
        }
    }
}

#[test]
fn a21_a_count_from_media_that_were_never_online() {
    count_from_media(|_, town| Validator::Here(serve(town), Arc::clone(town)));
}

/// The same with the validator's own program: a dead one is named, one that was killed has kept everything.
#[test]
fn a21_a_count_from_media_that_are_anchored_through_a_validator_node() {
    if std::env::var_os("IPPYO_CHAIN_NODE").is_none() {
        eprintln!("not run: IPPYO_CHAIN_NODE names no validators' program; `tests/run chain` builds it and runs this");
        return;
    }
    count_from_media(|folder, town| Validator::Program(ValidatorNode::start(folder, &town.lock().unwrap())));
}

/// Statutory: everything leaves on media, is anchored by the program through a validator's gateway, and counted.
fn count_from_media(start: impl FnOnce(&Path, &Arc<Mutex<Town>>) -> Validator) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let mut town = Town::new(KAGA, Policy::First, 11);
    let kiosk = town.kiosk(1, 0);
    let mut codes = Vec::new();
    for voter in 1..4 {
        codes.push(town.vote(kiosk, EntryKind::Cast, &[1, 1, 1], voter));
    }
    town.vote(kiosk, EntryKind::Spoiled, &[2, 2, 2], 0);
    town.batch(kiosk, None);
    town.close(kiosk);
    files_of_a_kiosk::write(&folder.path().join("original"), &town.content(kiosk, 0));
    files_of_a_kiosk::write(&folder.path().join("duplicate"), &town.content(kiosk, 1));
    fs::write(at("manifest.bin"), &town.manifest).unwrap();
    fs::write(at("keys.bin"), &town.key.keys).unwrap();
    fs::write(at("ceremony.bin"), &town.key.transcript).unwrap();
    fs::write(at("genesis.bin"), &town.genesis).unwrap();
    keyfile::write_secret(&folder.path().join("authority.key"), &town.authority.to_bytes()).unwrap();
    keyfile::write_election_secret(&folder.path().join("election.secret"), &[5; 32]).unwrap();
    for (number, secret) in town.key.secrets.iter().enumerate() {
        fs::create_dir(at(&format!("t{number}"))).unwrap();
        keyfile::write_secret(
            &folder.path().join(format!("t{number}/share.secret")),
            &secret.to_bytes(),
        )
        .unwrap();
    }
    let words = ClosingWords::of(&town.kiosks[kiosk].hash).to_string();
    let closing = format!("{}={words}", &hex::encode(town.kiosks[kiosk].id())[..8]);
    let authority = hex::encode(town.authority.public_key());

    // Nothing is on the chain yet: everything comes from the medium.
    let genesis = town.genesis.clone();
    town.chain = support::Chain::new(&genesis, town.validator.clone());
    let town = Arc::new(Mutex::new(town));
    let mut validator = start(folder.path(), &town);
    let gateway = validator.gateway();
    let call = |medium: &str, gateway: &str| {
        let (medium, genesis) = (at(medium), at("genesis.bin"));
        staff(&["anchor", &medium, "--genesis", &genesis, "--gateway", gateway, "--json"])
    };
    // Nobody there, or a name that is none: said, with what to do; nothing is lost by it.
    for nobody in ["127.0.0.1:1", "nowhere.invalid:4702", "nonsense"] {
        let output = call("original", nobody);
        assert_eq!(output.status.code(), Some(2), "{nobody}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(nobody) && said.contains("run anchor again"), "{said}");
    }
    let anchored = json(&call("original", &gateway));
    assert_eq!(
        (&anchored["batches"], &anchored["entries"], &anchored["closed"]),
        (&2.into(), &4.into(), &true.into())
    );
    let heights: Vec<u64> = anchored["anchored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["height"].as_u64().unwrap())
        .collect();
    assert_eq!(heights.len(), 3);
    assert!(
        heights.is_sorted_by(|before, after| before < after),
        "one is proven before the next one is sent: {heights:?}"
    );
    // Again is no error and changes nothing: also after the validator was killed.
    if let Validator::Program(node) = &mut validator {
        node.kill();
        let output = call("duplicate", &gateway);
        assert_eq!(output.status.code(), Some(2), "a dead validator");
        assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"));
        node.start_again();
    }
    let again = json(&call("duplicate", &gateway));
    assert_eq!(again["anchored"], anchored["anchored"]);
    fs::write(at("chain.bin"), validator.export()).unwrap();

    let media = format!("{},{}", at("original"), at("duplicate"));
    let names = [
        "manifest.bin",
        "keys.bin",
        "ceremony.bin",
        "genesis.bin",
        "chain.bin",
        "authority.key",
        "election.secret",
        "t0",
        "t2",
        "record",
    ]
    .map(at);
    let [
        manifest,
        keys,
        ceremony,
        genesis,
        chain,
        key,
        secret,
        first,
        third,
        record,
    ] = &names;
    let mut call = vec![
        "tally",
        "--manifest",
        manifest,
        "--keys",
        keys,
        "--ceremony",
        ceremony,
        "--genesis",
        genesis,
        "--chain",
        chain,
        "--media",
        &media,
        "--authority",
        key,
        "--secret",
        secret,
        "--out",
        record,
        "--json",
    ];
    call.extend(["--trustee", first, "--trustee", third]);
    assert_eq!(code(&call), 1, "without the closing words nothing is counted");
    assert!(!folder.path().join("record/index.bin").exists());
    assert!(folder.path().join("election.secret").exists());
    call.extend(["--closing", &closing]);
    let tallied = json(&staff(&call));
    assert_eq!(tallied["report"]["ballots"]["counted"], 3);
    assert_eq!(tallied["verified"]["holds"], true);
    assert_eq!(tallied["secret_destroyed"], true);
    assert!(!folder.path().join("election.secret").exists());
    assert_eq!(code(&call), 2, "a record is not written over another");

    let code_text = election::ballot::code_text(&codes[0]).to_string();
    let verified = json(&staff(&[
        "verify",
        record,
        "--authority",
        &authority,
        "--code",
        &code_text,
        "--json",
    ]));
    assert_eq!(verified["codes"][&code_text], "counted");
    assert_eq!(code(&["verify", record, "--code", "nonsense"]), 2);
    let other = hex::encode(town.lock().unwrap().staff[0].public_key());
    assert_eq!(code(&["verify", record, "--authority", &other]), 1);
    let ballots = folder.path().join("record/ballots.bin");
    let mut bytes = fs::read(&ballots).unwrap();
    bytes[100] ^= 1;
    fs::write(&ballots, bytes).unwrap();
    let output = staff(&["verify", record, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["holds"], report["at"].as_str().unwrap()),
        (&false.into(), "ballots.bin")
    );
}
