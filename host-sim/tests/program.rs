//! The program itself: exit codes, JSON, and errors that say what to do.

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-sim"))
        .args(arguments)
        .output()
        .unwrap()
}

fn refused(arguments: &[&str], wanted: &[&str]) {
    let output = run(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(wanted.iter().all(|part| error.contains(part)), "{arguments:?}: {error}");
}

#[test]
fn the_summary_is_json_and_the_record_is_where_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("record");
    let trace = folder.path().join("trace");
    let output = run(&[
        "--headless",
        "--election",
        "tsukuba-2015-referendum",
        "--voters",
        "4",
        "--trace",
        trace.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in [
        "election",
        "voters",
        "admitted",
        "recorded",
        "spoiled",
        "abandoned",
        "refused",
        "duplicates",
        "overwritten",
        "batches",
        "chain_height",
        "validators",
        "target",
        "totals",
        "no_votes",
        "verified",
        "seconds",
    ] {
        assert!(summary.get(name).is_some(), "{name}");
    }
    assert_eq!(
        (summary["voters"].as_u64(), summary["target"].as_str()),
        (Some(4), Some("host"))
    );
    assert_eq!(summary["verified"].as_bool(), Some(true));
    let votes: u64 = summary["totals"]["c-park"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(serde_json::Value::as_u64)
        .sum();
    assert_eq!(votes + summary["no_votes"]["c-park"].as_u64().unwrap(), 4);
    assert!(out.join("index.bin").exists());
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("CastOrChallenge") && !trace.contains("Digit("));
}

#[test]
fn bad_input_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let write = |name: &str, text: &str| {
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    let out = path("record");
    refused(
        &["--election", "no-such", "--out", &out],
        &["no-such", "kaga-consultation", "nist-county"],
    );
    refused(&["--voters", "0", "--out", &out], &["--voters"]);
    refused(&["--voters", "many"], &["--voters"]);
    refused(&["--kiosks", "0", "--out", &out], &["--kiosks"]);
    let totals = |text: &str, wanted: &[&str]| {
        let file = write("totals.json", text);
        refused(
            &[
                "--election",
                "tsukuba-2015-referendum",
                "--voters",
                "9",
                "--totals",
                &file,
                "--out",
                &out,
            ],
            wanted,
        );
    };
    totals("{\"c-park\": ", &["totals.json", "JSON"]);
    totals("{\"c-park\": {\"o-for\": -1}}", &["totals.json"]);
    totals("{\"c-zoo\": {}}", &["c-zoo", "c-park"]);
    totals("{\"c-park\": {\"o-maybe\": 1}}", &["o-maybe", "o-for"]);
    totals("{\"c-park\": {\"o-for\": 10}}", &["o-for", "only 9 voters"]);
    totals(
        "{\"c-park\": {\"o-for\": 9, \"o-against\": 1}}",
        &["c-park", "at most 9"],
    );
    let broken = write("broken.json", "{\"@type\": \"BallotDefinition.BallotDefinition\"}");
    refused(&["--election", &broken, "--out", &out], &["what to do"]);
    let full = folder.path().to_str().unwrap();
    refused(&["--voters", "2", "--out", full], &["not empty"]);
    assert!(Path::new(&broken).exists(), "nothing that was there is lost");
    refused(&["--voters", "2", "--out", "/proc/no-record"], &["cannot be created"]);
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Exit codes"));
}

/// `screens` says what has no room, names it, and does not pass; pictures are there to look at all the same.
#[cfg(feature = "window")]
#[test]
fn u3_screens_say_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let definition = include_str!("../elections/kaga-consultation.json");
    let cases = [
        // Paged on this panel; no station of the promised ones has one page for it.
        ("加賀市政策に関する意向投票", "the election's name", false),
        // An option is never parted, so it has no room here either.
        ("九谷焼", "option o-s1, name", true),
    ];
    for (number, (text, whose, here)) in cases.into_iter().enumerate() {
        let file = folder.path().join(format!("{number}.json"));
        std::fs::write(&file, definition.replacen(text, &"長い名前".repeat(120), 1)).unwrap();
        let out = folder.path().join(format!("{number}"));
        let output = run(&[
            "screens",
            "--election",
            file.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
            "--size",
            "800x480",
            "--diagonal",
            "7",
            "--json",
        ]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("does not fit") && error.contains(whose), "{error}");
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let over = |one: &&serde_json::Value| one["overflow"] == true;
        let found: Vec<&serde_json::Value> = list.as_array().unwrap().iter().filter(over).collect();
        assert_eq!(!found.is_empty(), here, "{found:?}");
        for one in list.as_array().unwrap() {
            assert!(out.join(one["png"].as_str().unwrap()).exists());
        }
        for own in ["settings", "other", "dark"] {
            let is = |one: &serde_json::Value| one["screen"].as_str().is_some_and(|name| name.starts_with(own));
            assert!(list.as_array().unwrap().iter().any(is), "{own}");
        }
    }
}

#[test]
fn an_id_that_appears_twice_in_the_totals_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let totals = folder.path().join("totals.json");
    std::fs::write(&totals, r#"{"c-park": {"o-for": 10, "o-for": 3}}"#).unwrap();
    refused(
        &[
            "--headless",
            "--election",
            "tsukuba-2015-referendum",
            "--totals",
            totals.to_str().unwrap(),
        ],
        &["o-for appears twice", "each id once"],
    );
}

#[test]
fn a_full_disk_behind_the_output_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_host-sim"))
        .args([
            "--headless",
            "--election",
            "tsukuba-2015-referendum",
            "--voters",
            "2",
            "--json",
            "--out",
        ])
        .arg(folder.path().join("record"))
        .stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("standard output cannot be written"), "{error}");
}
