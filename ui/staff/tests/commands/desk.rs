//! Exit codes, and a desk that is set up from files.

use std::fs;

use crate::support::KAGA;
use crate::{code, json, path, staff};

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
