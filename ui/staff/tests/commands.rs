//! The program itself: its exit codes, its JSON, and a whole count from files on disk, media and TCP.

#[path = "support/medium.rs"]
mod files_of_a_kiosk;
#[path = "support/node.rs"]
mod node;
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
use node::ValidatorNode;
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

/// An organisation takes the genesis out of a kiosk's package, as DEPLOY.md says: only out of one that the authority has signed, and only if it
/// names the organisation's own key.
#[test]
fn a_validator_node_takes_the_genesis_of_a_signed_package() {
    if std::env::var_os("IPPYO_CHAIN_NODE").is_none() {
        eprintln!("not run: IPPYO_CHAIN_NODE names no validators' program; `tests/run chain` builds it and runs this");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let node = |arguments: &[&str]| {
        let output = Command::new(node::program()).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let town = Town::new(KAGA, Policy::First, 13);
    let checked = election::manifest::Manifest::parse(&town.manifest).unwrap();
    let roll = format!(
        "{},{}\n",
        hex::encode(town.staff[0].public_key()),
        checked.style(0).unwrap().id
    );
    let package = staff::package::build(
        &staff::package::Input {
            manifest: &town.manifest,
            keys: &town.key.keys,
            genesis: &town.genesis,
            secret: &election::tag::ElectionSecret::from_bytes([7; 32]).commitment(&town.election),
            station: 1,
            name: &vec![("ja".into(), "市役所".into()), ("en".into(), "City hall".into())],
            roll: &staff::roll::parse_csv(roll.as_bytes(), Path::new("."), &checked)
                .unwrap()
                .section(),
            authorities: &[vec![0x30, 0]],
            serial: 1,
            pictures: None,
            clips: None,
        },
        &town.authority,
    )
    .unwrap();
    fs::write(at("station.pkg"), &package).unwrap();
    let authority = hex::encode(town.authority.public_key());
    let take = |own: &str, package: &str, authority: &str| {
        node(&["init", &at(own), "--package", &at(package), "--authority", authority])
    };
    fs::create_dir(at("city")).unwrap();
    fs::write(at("city/validator.key"), hex::encode(*town.validator.to_bytes())).unwrap();
    let taken = || fs::read(at("city/genesis.bin")).ok();

    let (code, said) = node(&["init", &at("city"), "--package", &at("station.pkg")]);
    assert_eq!(code, Some(2), "without the authority's key: {said}");
    let (code, said) = take("city", "station.pkg", &hex::encode(town.staff[0].public_key()));
    assert_eq!(code, Some(3), "signed by somebody else");
    assert!(said.contains("station.pkg"), "{said}");
    let mut broken = package;
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    fs::write(at("broken.pkg"), broken).unwrap();
    assert_eq!(take("city", "broken.pkg", &authority).0, Some(3));
    assert_eq!(take("city", "none.pkg", &authority).0, Some(3));
    assert_eq!(take("city", "station.pkg", "12").0, Some(3));
    assert_eq!(taken(), None, "nothing is taken out of what does not hold");
    let (code, said) = take("stranger", "station.pkg", &authority);
    assert_eq!(code, Some(3), "a key that the genesis does not name");
    assert!(said.contains("does not name"), "{said}");

    for _ in 0..2 {
        let (code, said) = take("city", "station.pkg", &authority);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(taken(), Some(town.genesis.clone()));
    }
}
