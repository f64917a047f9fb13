//! Challenged ballots of whole elections: what the kiosk showed as QR codes is checked by both programs against the published record, and
//! every lie is refused by both.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use election::ballot::tracking_code;
use election::closing::Closing;
use election::hash::Digest;
use election::keys::Keys;
use election::manifest::{Manifest, election_hash};
use election::opening::{ENTRY_LEN, HEADER_LEN};
use election::record::PublishedBallot;
use election::wire::Seq;
use host_sim::voters::habits::Habits;
use host_sim::{Scenario, bundled};
use serde_json::Value;
use staff::ballots::Crypto;
use tests::programs::{self, Said};
use tests::verifiers::{Verdict, verify_py};

type Chosen = BTreeMap<String, BTreeSet<String>>;

/// A record, and one folder a challenged ballot with what its voter photographed.
struct Played {
    record: PathBuf,
    photographs: Vec<PathBuf>,
    folder: tempfile::TempDir,
}

/// Everybody challenges, one of them as often as is allowed.
fn play() -> Played {
    /// The third challenger is one who does not stop where it is allowed no more.
    const VOTERS: u32 = 3;
    let folder = tempfile::tempdir().unwrap();
    let (record, photographs) = (folder.path().join("record"), folder.path().join("photographs"));
    let habits = Habits {
        challenge: 1000,
        ..Habits::plain()
    };
    let definition = bundled::load("kaga-consultation").unwrap();
    let scenario = Scenario::new(definition).voters(VOTERS).habits(habits);
    let report = scenario.photographs(&photographs).run(&record).unwrap();
    assert!(report.holds(), "{:#?}", report.wrong);
    let entries = fs::read_dir(&photographs).unwrap();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    assert_eq!(all.len() as u64, report.spoiled);
    assert!(report.spoiled > u64::from(VOTERS), "nobody challenged more than once");
    Played {
        record,
        photographs: all,
        folder,
    }
}

fn code_of(ballot: &Path) -> &str {
    ballot.file_name().unwrap().to_str().unwrap()
}

fn wanted(ballot: &Path) -> Chosen {
    serde_json::from_slice(&fs::read(ballot.join("chosen.json")).unwrap()).unwrap()
}

fn pages(ballot: &Path) -> Vec<PathBuf> {
    let count = fs::read_to_string(ballot.join("codes.txt")).unwrap().lines().count();
    (1..=count)
        .map(|number| ballot.join(format!("contest-{number}.opening")))
        .collect()
}

fn check_opened(record: &Path, arguments: &[&OsStr]) -> Said {
    let all: Vec<&OsStr> = ["check-opened".as_ref(), record.as_os_str()]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    programs::run("staff", &all).unwrap()
}

/// `chosen` by contest, from either program's list.
fn chosen(list: &Value) -> Chosen {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |one: &Value| {
        let options = one["chosen"].as_array().unwrap().iter().map(text).collect();
        (text(&one["contest"]), options)
    };
    list.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn p14_both_programs_read_from_the_qr_codes_what_every_challenger_chose() {
    let played = play();
    let (json, file, hex): (&OsStr, &OsStr, &OsStr) = ("--json".as_ref(), "--file".as_ref(), "--hex".as_ref());
    for ballot in &played.photographs {
        let (pages, lines) = (pages(ballot), ballot.join("codes.txt"));
        let texts = fs::read_to_string(&lines).unwrap();
        // As photographs of all contests, as a file of what a scanner typed, and as text on the command line.
        let photographs = [json, file]
            .into_iter()
            .chain(pages.iter().map(|page| page.as_os_str()));
        let typed = [json]
            .into_iter()
            .chain(texts.lines().flat_map(|line| [hex, line.as_ref()]));
        for arguments in [
            photographs.collect(),
            vec![json, file, lines.as_os_str()],
            typed.collect(),
        ] {
            let said = check_opened(&played.record, &arguments);
            assert_eq!(said.code, Some(0), "{}", said.err);
            let found: Value = serde_json::from_str(&said.out).unwrap();
            assert_eq!(chosen(&found["contests"]), wanted(ballot));
            let codes = found["contests"].as_array().unwrap();
            assert!(codes.iter().all(|one| one["code"] == code_of(ballot)));
            assert_eq!(found["not_shown"].as_array().unwrap().len(), 0);
        }
    }
    // The other program, all of them in one run.
    let all: Vec<_> = played.photographs.iter().flat_map(|ballot| pages(ballot)).collect();
    let arguments: Vec<&OsStr> = all
        .iter()
        .flat_map(|page| ["--opening".as_ref(), page.as_os_str()])
        .collect();
    let found = verify_py(&played.record, &arguments).unwrap().summary().unwrap();
    let mut by_code: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in found["openings"].as_array().unwrap() {
        let code = one["code"].as_str().unwrap().to_owned();
        by_code.entry(code).or_default().push(one.clone());
    }
    assert_eq!(by_code.len(), played.photographs.len());
    for ballot in &played.photographs {
        assert_eq!(chosen(&Value::from(by_code[code_of(ballot)].clone())), wanted(ballot));
    }
    // A contest that the kiosk did not show is named; people read names.
    let first = &pages(&played.photographs[0])[0];
    let said = check_opened(&played.record, &[file, first.as_os_str()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.contains("was not looked at") && said.out.contains("is spoiled"),
        "{}",
        said.out
    );
}

/// The code of a ballot that was cast and published.
fn a_cast_code(record: &Path) -> Digest {
    let [manifest, keys, closings, ballots] =
        ["manifest.bin", "keys.bin", "closings.bin", "ballots.bin"].map(|name| fs::read(record.join(name)).unwrap());
    let checked = Manifest::parse(&manifest).unwrap();
    let joint = Keys::read(&keys).unwrap().joint.0;
    let hash = election_hash(&manifest, &joint);
    let crypto = Crypto::new(&checked, hash, &joint).unwrap();
    let closing = Seq::<Closing<'_>>::from_bytes(&closings)
        .iter()
        .next()
        .unwrap()
        .unwrap();
    let cast = Seq::<PublishedBallot<'_>>::from_bytes(&ballots)
        .iter()
        .next()
        .unwrap()
        .unwrap();
    tracking_code(&hash, closing.station, &crypto.view(cast.ballot.0).unwrap())
}

#[test]
fn p14_lies_about_a_challenged_ballot_are_refused_by_both_programs() {
    let played = play();
    let page = pages(&played.photographs[0]).remove(0);
    let good = fs::read(&page).unwrap();
    let another = fs::read(pages(played.photographs.last().unwrap()).remove(0)).unwrap();
    assert_ne!(another[4..36], good[4..36]);
    let cast = a_cast_code(&played.record);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let votes = || (HEADER_LEN..good.len()).step_by(ENTRY_LEN);
    let one = votes().find(|at| good[*at] == 1).unwrap();
    let zero = votes().find(|at| good[*at] == 0).unwrap();
    let lies: [(&str, Vec<u8>, i32, &str); 10] = [
        // The kiosk encrypted another choice than the one it shows: the sum is right, the ciphertext is not.
        ("choice", with(&|b| b.swap(one, zero)), 1, "not encrypted as shown"),
        ("one vote more", with(&|b| b[zero] = 1), 1, "not encrypted as shown"),
        (
            "nonce",
            with(&|b| b[HEADER_LEN + ENTRY_LEN - 1] ^= 1),
            1,
            "not encrypted as shown",
        ),
        // The nonces of one ballot under the code of another one.
        (
            "ballot",
            with(&|b| b[4..36].copy_from_slice(&another[4..36])),
            1,
            "not encrypted as shown",
        ),
        // Opened and cast all the same; opened and kept back.
        ("cast", with(&|b| b[4..36].copy_from_slice(&cast)), 1, "was cast"),
        ("unpublished", with(&|b| b[20] ^= 1), 1, "not among the spoiled"),
        ("contest", with(&|b| b[36] = 40), 1, "no such contest"),
        ("a vote of two", with(&|b| b[one] = 2), 2, "impossible value"),
        ("cut", good[..good.len() - 1].to_vec(), 2, "not the opening"),
        ("nonsense", b"thank you for voting".to_vec(), 2, "not the opening"),
    ];
    let file = played.folder.path().join("lie");
    for (name, lie, code, words) in lies {
        fs::write(&file, &lie).unwrap();
        let said = check_opened(&played.record, &["--file".as_ref(), file.as_os_str()]);
        assert_eq!(said.code, Some(code), "{name}: {}{}", said.out, said.err);
        assert!(said.err.contains(words) && said.out.is_empty(), "{name}: {}", said.err);
        let theirs = verify_py(&played.record, &["--opening".as_ref(), file.as_os_str()]).unwrap();
        assert!(matches!(theirs, Verdict::Refused { .. }), "{name}: {theirs:?}");
    }
    // Beside a lie nothing good is said of the rest.
    fs::write(&file, with(&|b| b.swap(one, zero))).unwrap();
    let said = check_opened(&played.record, &["--file".as_ref(), page.as_os_str(), file.as_os_str()]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
}
