//! Two verifiers, written apart from the same SPEC.md, judge the same records.
//!
//! The tests of the Python verifier make well over a hundred records with a maker of their own: some hold, most lie in one
//! place. Here `staff verify` is tried on each of them, and has to say the same, of the same file.

use std::path::Path;

use election::sign::PublicKey;
use serde_json::Value;
use staff::verify::Options;
use tests::verifiers::{Verdict, python, python_folder, verify_staff};

fn options(folder: &Path, expected: &Value) -> Options {
    let authority = expected["authority"].as_str().map(|text| {
        let key: PublicKey = hex::decode(text).unwrap().try_into().unwrap();
        key
    });
    Options {
        authority,
        reception: std::fs::read(folder.join("reception.json")).ok(),
        codes: Vec::new(),
    }
}

/// The test classes whose records are kept.
const CLASSES: [&str; 4] = ["Holds", "Flips", "Ballots", "Books"];

#[test]
fn both_verifiers_say_the_same_of_every_record() {
    let kept = tempfile::tempdir().unwrap();
    let out = python()
        .args(["-m", "unittest", "-q"])
        .args(CLASSES.map(|class| format!("test_verify.{class}")))
        .current_dir(python_folder())
        .env("IPPYO_KEEP_RECORDS", kept.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));

    let mut folders: Vec<_> = std::fs::read_dir(kept.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    let (mut held, mut wrong) = (0, Vec::new());
    for folder in &folders {
        let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let test = expected["test"].as_str().unwrap();
        match (
            verify_staff(&folder.join("record"), &options(folder, &expected)),
            expected["wrong"].as_str(),
        ) {
            (Ok(Verdict::Holds(_)), None) => held += 1,
            (Ok(Verdict::Refused { .. }), Some("any")) => {}
            (Ok(Verdict::Refused { file, .. }), Some("reception counts")) if file.starts_with("reception") => {}
            (Ok(Verdict::Refused { file, .. }), Some(wanted)) if file == wanted => {}
            (verdict, wanted) => wrong.push(format!("{test}: wanted {wanted:?}, got {verdict:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        folders.len(),
        wrong.join("\n")
    );
    assert!(held >= 8 && folders.len() > 150, "{held} of {} hold", folders.len());
}
