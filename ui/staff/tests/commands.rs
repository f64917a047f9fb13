//! The program itself: its exit codes, its JSON, and a whole count from files on disk, media and TCP.

#[path = "support/medium.rs"]
mod files_of_a_kiosk;
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use election::batch::Kind as EntryKind;
use election::manifest::Policy;
use election::words::ClosingWords;
use serde_json::Value;
use staff::keyfile;
use support::{KAGA, Town};

fn staff(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_staff"))
        .args(arguments)
        .output()
        .unwrap()
}

fn code(arguments: &[&str]) -> i32 {
    staff(arguments).status.code().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn exit_codes_say_done_refused_and_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let kaga = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../host-sim/elections/kaga-consultation.json"
    );
    assert_eq!(code(&["import", kaga, "--out", &at("manifest.bin")]), 0);
    // Refused by name.
    let ranked = String::from_utf8(KAGA.to_vec()).unwrap().replacen(
        "\"VotesAllowed\"",
        "\"VoteVariation\": \"rcv\", \"VotesAllowed\"",
        1,
    );
    fs::write(at("ranked.json"), ranked.replace("\"VoteVariation\": \"n-of-m\",", "")).unwrap();
    let output = staff(&["import", &at("ranked.json"), "--out", &at("no.bin")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("rcv") && text.contains("ranked.json") && text.contains("what to do"),
        "{text}"
    );
    assert!(!folder.path().join("no.bin").exists());
    // Bad input and bad calls.
    fs::write(at("cut.json"), &KAGA[..1000]).unwrap();
    assert_eq!(code(&["import", &at("cut.json"), "--out", &at("no.bin")]), 2);
    assert_eq!(code(&["import", &at("missing.json"), "--out", &at("no.bin")]), 2);
    assert_eq!(code(&["import", kaga, "--out", &at("missing/no.bin")]), 2);
    assert_eq!(code(&["import"]), 2);
    assert_eq!(code(&["verify", &at("nowhere")]), 2);
    assert_eq!(code(&["verify", &path(folder.path(), "")]), 1);
    assert_eq!(
        code(&[
            "ceremony",
            "local",
            "--trustees",
            "2",
            "--threshold",
            "3",
            "--out",
            &at("c")
        ]),
        2
    );
    for command in [
        "import",
        "ceremony",
        "roll",
        "authority",
        "genesis",
        "secret",
        "package",
        "provision",
        "anchor",
        "tally",
        "verify",
    ] {
        assert_eq!(code(&[command, "--help"]), 0, "{command}");
    }
}

#[test]
fn a_desk_is_set_up_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let kaga = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../host-sim/elections/kaga-consultation.json"
    );
    let imported = json(&staff(&[
        "import",
        kaga,
        "--out",
        &at("manifest.bin"),
        "--policy",
        "last",
        "--epoch",
        "ja=前,en=Before",
        "--epoch",
        "ja=当日",
        "--json",
    ]));
    assert_eq!(imported["definition"]["epochs"].as_array().unwrap().len(), 2);
    json(&staff(&["ceremony", "local", "--out", &at("c"), "--json"]));
    let authority = json(&staff(&["authority", "new", "--out", &at("authority.key"), "--json"]));
    let authority = authority["public_key"].as_str().unwrap();
    assert_eq!(
        code(&["authority", "new", "--out", &at("authority.key")]),
        2,
        "a key is never overwritten"
    );
    assert_eq!(code(&["secret", "new", "--out", &at("election.secret")]), 0);

    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let mut key = || hex::encode(election::sign::Signer::generate(&mut rng).public_key());
    fs::write(
        at("staff.csv"),
        format!(
            "key,roles,name\n{},polls+provision,山田\n{},provision,佐藤\n{},polls,鈴木\n",
            key(),
            key(),
            key()
        ),
    )
    .unwrap();
    fs::write(at("validators.txt"), format!("# one\n{}\n", key())).unwrap();
    fs::write(
        at("roll.csv"),
        format!("key,style\n{},style-1\n{},style-1\n", key(), key()),
    )
    .unwrap();
    let keys = at("c/shared/keys.bin");
    json(&staff(&[
        "genesis",
        "--manifest",
        &at("manifest.bin"),
        "--keys",
        &keys,
        "--staff",
        &at("staff.csv"),
        "--validators",
        &at("validators.txt"),
        "--out",
        &at("genesis.bin"),
        "--json",
    ]));
    let roll = json(&staff(&[
        "roll",
        "build",
        &at("roll.csv"),
        "--manifest",
        &at("manifest.bin"),
        "--out",
        &at("roll.bin"),
        "--json",
    ]));
    assert_eq!(roll["entries"], 2);
    let delta = json(&staff(&[
        "roll",
        "delta",
        "--manifest",
        &at("manifest.bin"),
        "--keys",
        &keys,
        "--station",
        "1",
        "--serial",
        "2",
        "--remove",
        &at("roll.csv"),
        "--authority",
        &at("authority.key"),
        "--out",
        &at("delta.bin"),
        "--json",
    ]));
    assert_eq!((&delta["added"], &delta["removed"]), (&0.into(), &2.into()));
    // No certificate tool is at hand here: the package's own tests build packages; a file that is none is refused.
    fs::write(at("ca.der"), b"not a certificate").unwrap();
    let output = staff(&[
        "package",
        "build",
        "--manifest",
        &at("manifest.bin"),
        "--keys",
        &keys,
        "--genesis",
        &at("genesis.bin"),
        "--secret",
        &at("election.secret"),
        "--station",
        "1",
        "--name",
        "ja=市役所",
        "--roll",
        &at("roll.bin"),
        "--card-authority",
        &at("ca.der"),
        "--authority",
        &at("authority.key"),
        "--out",
        &at("package.bin"),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("ca.der"));
    assert_eq!(code(&["package", "show", &at("roll.bin"), "--authority", authority]), 1);
    assert_eq!(
        code(&["secret", "destroy", &at("roll.bin")]),
        2,
        "only a secret may be destroyed"
    );
    assert!(folder.path().join("roll.bin").exists());
    assert_eq!(code(&["secret", "destroy", &at("election.secret")]), 0);
    assert!(!folder.path().join("election.secret").exists());
}

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

#[test]
fn a21_a_count_from_media_that_were_never_online() {
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
    let gateway = serve(&town);
    let anchored = json(&staff(&[
        "anchor",
        &at("original"),
        "--genesis",
        &at("genesis.bin"),
        "--gateway",
        &gateway,
        "--json",
    ]));
    assert_eq!(
        (&anchored["batches"], &anchored["entries"], &anchored["closed"]),
        (&2.into(), &4.into(), &true.into())
    );
    assert_eq!(anchored["anchored"][2]["height"], 3);
    // Again is no error and changes nothing.
    let again = json(&staff(&[
        "anchor",
        &at("duplicate"),
        "--genesis",
        &at("genesis.bin"),
        "--gateway",
        &gateway,
        "--json",
    ]));
    assert_eq!(again["anchored"], anchored["anchored"]);
    fs::write(at("chain.bin"), &town.lock().unwrap().chain.bytes).unwrap();

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

/// A medium says whose it is; a pair is checked place by place; what is damaged, swapped or somebody else's is refused by name.
#[test]
fn f6_a_medium_is_inspected_and_a_pair_checked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let mut town = Town::new(KAGA, Policy::First, 12);
    let kiosk = town.kiosk(1, 0);
    for voter in 1..4 {
        town.vote(kiosk, EntryKind::Cast, &[1, 1, 1], voter);
    }
    town.vote(kiosk, EntryKind::Spoiled, &[2, 2, 2], 0);
    town.batch(kiosk, None);
    town.close(kiosk);
    files_of_a_kiosk::write(&folder.path().join("original"), &town.content(kiosk, 0));
    files_of_a_kiosk::write(&folder.path().join("duplicate"), &town.content(kiosk, 1));
    let shown = json(&staff(&["medium", "inspect", &at("duplicate"), "--json"]));
    assert_eq!(shown["role"], "duplicate");
    assert_eq!((&shown["station"], &shown["state"]), (&1.into(), &"closed".into()));
    assert_eq!(
        (
            &shown["holds"]["votes"],
            &shown["holds"]["challenged"],
            &shown["holds"]["void"]
        ),
        (&3.into(), &1.into(), &0.into())
    );
    let status = |arguments: &[&str]| staff(arguments).status.code();
    assert_eq!(status(&["medium", "check", &at("original"), &at("duplicate")]), Some(0));
    assert_eq!(
        status(&["medium", "check", &at("duplicate"), &at("original")]),
        Some(1),
        "swapped"
    );
    assert_eq!(
        status(&["medium", "check", &at("original"), &at("original")]),
        Some(1),
        "twice"
    );
    assert_eq!(status(&["medium", "inspect", &at("nothing")]), Some(2));
    fs::write(at("stray"), vec![0; 1 << 20]).unwrap();
    assert_eq!(status(&["medium", "inspect", &at("stray")]), Some(1));
    // While polls are open a medium says nothing of what it holds (A14).
    let mut open = town.content(kiosk, 0);
    open.closing = None;
    files_of_a_kiosk::write(&folder.path().join("new"), &open);
    assert_eq!(
        json(&staff(&["medium", "inspect", &at("new"), "--json"]))["state"],
        "new"
    );
    // One byte of a vote on the duplicate.
    let mut bytes = fs::read(at("duplicate")).unwrap();
    let place = bytes.windows(4).position(|piece| piece == b"IPPB").unwrap();
    bytes[place + 200] ^= 1;
    fs::write(at("duplicate"), bytes).unwrap();
    let checked = staff(&["medium", "check", &at("original"), &at("duplicate"), "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&report[1]["void"], &report[1]["lacks"]), (&1.into(), &1.into()));
    assert_eq!((&report[0]["void"], &report[0]["lacks"]), (&0.into(), &0.into()));
}
