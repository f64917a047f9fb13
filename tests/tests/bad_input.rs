//! Bad input at the programs people run: an error that says what to do, an exit code that is not 0, nothing lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use election::sign::Signer;
use host_sim::bundled;
use host_sim::cards::{CardAuthority, Days};
use serde_json::{Value, json};
use tests::programs::{Said, program, run};

fn arguments(text: &str, more: &[&Path]) -> Vec<String> {
    let mut more = more.iter();
    text.split_whitespace()
        .map(|word| match word {
            "{}" => more.next().expect("a path for each {}").display().to_string(),
            word => word.to_string(),
        })
        .collect()
}

fn sim(text: &str, more: &[&Path]) -> Said {
    run("host-sim", &arguments(text, more)).unwrap()
}

fn staff(text: &str, more: &[&Path]) -> Said {
    run("staff", &arguments(text, more)).unwrap()
}

/// Refused with this exit code, and a sentence that holds these words; no panic.
#[track_caller]
fn refused(said: &Said, code: i32, words: &[&str]) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert!(!said.err.contains("panicked"), "{}", said.err);
    for word in words {
        assert!(said.err.contains(word), "{word:?} is not in: {}", said.err);
    }
}

/// Nothing was left behind.
#[track_caller]
fn nothing_in(folder: &Path) {
    let left = std::fs::read_dir(folder).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{} holds {left} files", folder.display());
}

fn kaga() -> Value {
    serde_json::from_slice(&bundled::load("kaga-consultation").unwrap()).unwrap()
}

fn write(path: &Path, value: &Value) {
    std::fs::write(path, serde_json::to_vec(value).unwrap()).unwrap();
}

#[test]
fn definitions_that_cannot_be_used_are_refused_by_simulator_and_desk_alike() {
    type Change = fn(&mut Value);
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("definition.json"), folder.path().join("out"));
    let manifest = folder.path().join("manifest.bin");
    let cases: [(&str, Change, i32, &[&str]); 4] = [
        (
            "schema",
            |v| v["Election"][0]["Contest"][0]["Name"] = json!(7),
            2,
            &["$.Election[0].Contest[0]"],
        ),
        (
            "ranked",
            |v| v["Election"][0]["Contest"][0]["VoteVariation"] = json!("rcv"),
            1,
            &["rcv", "c-specialty"],
        ),
        (
            "write-in",
            |v| v["Election"][0]["Contest"][0]["ContestOption"][0]["IsWriteIn"] = json!(true),
            1,
            &["c-specialty"],
        ),
        (
            "nobody",
            |v| v["Election"][0]["Contest"][0]["ContestOption"][0]["CandidateIds"] = json!(["nobody"]),
            2,
            &["nobody"],
        ),
    ];
    for (name, change, code, words) in cases {
        let mut value = kaga();
        change(&mut value);
        write(&file, &value);
        let desk = staff("import {} --out {}", &[&file, &manifest]);
        assert_eq!(desk.code, Some(code), "{name}: {desk:?}");
        refused(&desk, code, words);
        assert!(!manifest.exists(), "{name}");
        let played = sim("--headless --election {} --voters 3 --out {}", &[&file, &out]);
        refused(&played, 2, words);
        nothing_in(&out);
    }
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("cut", &b"{\"Election\": ["[..]),
        ("no text", &b"\xff\xfe"[..]),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let desk = staff("import {} --out {}", &[&file, &manifest]);
        assert_eq!(desk.code, Some(2), "{what}: {desk:?}");
        refused(
            &sim("--headless --election {} --voters 3 --out {}", &[&file, &out]),
            2,
            &[],
        );
        assert!(!manifest.exists(), "{what}");
        nothing_in(&out);
    }
    let unknown = sim("--headless --election atlantis-2019 --voters 3 --out {}", &[&out]);
    refused(&unknown, 2, &["tsukuba-2015-referendum", "kaga-consultation"]);
}

#[test]
fn totals_that_do_not_fit_the_voters_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("totals.json"), folder.path().join("out"));
    let cases = [
        (json!({"c-park": {"o-for": 2, "o-against": 2}}), "c-park"),
        (json!({"c-park": {"o-maybe": 1}}), "o-maybe"),
        (json!({"c-else": {"o-for": 1}}), "c-else"),
        (json!({"c-park": {"o-for": -1}}), "totals"),
        (json!({"c-park": {"o-for": 1.5}}), "totals"),
        (json!([1]), "totals"),
    ];
    for (totals, word) in cases {
        write(&file, &totals);
        let said = sim(
            "--headless --election tsukuba-2015-referendum --voters 3 --totals {} --out {}",
            &[&file, &out],
        );
        refused(&said, 2, &[word]);
        nothing_in(&out);
    }
    let missing = folder.path().join("none.json");
    refused(
        &sim("--headless --voters 3 --totals {} --out {}", &[&missing, &out]),
        2,
        &["none.json"],
    );
}

#[test]
fn numbers_that_make_no_election_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for bad in [
        "--voters 0",
        "--voters -1",
        "--voters many",
        "--kiosks 0",
        "--policy best",
        "--mode secret",
        "--unknown",
    ] {
        let said = sim(&format!("--headless {bad} --out {{}}"), &[&out]);
        assert_eq!(said.code, Some(2), "{bad}: {said:?}");
        nothing_in(&out);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_work_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let below = file.join("record");
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("diary.txt"), "mine").unwrap();
    for out in [&file, &below, &full] {
        let said = sim(
            "--headless --election tsukuba-2015-referendum --voters 3 --out {}",
            &[out],
        );
        refused(&said, 2, &[&out.display().to_string()]);
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(full.join("diary.txt")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(&full).unwrap().count(), 1);
}

#[test]
fn f10_a_disk_that_fills_up_is_said_and_what_is_left_is_no_record() {
    // A limit on the size of files is what a full disk looks like to a program that writes.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("record");
    let said: Said = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"])
        .arg(program("host-sim").unwrap())
        .args([
            "--headless",
            "--election",
            "tsukuba-2015-referendum",
            "--voters",
            "12",
            "--out",
        ])
        .arg(&out)
        .output()
        .unwrap()
        .into();
    assert!(said.code.is_some_and(|code| code != 0), "{said:?}");
    assert!(!said.err.contains("panicked"), "{}", said.err);
    assert!(
        said.err.contains("ballots.bin") || said.err.contains("record"),
        "{}",
        said.err
    );
    let verdict = staff("verify {}", &[&out]);
    assert!(verdict.code.is_some_and(|code| code != 0), "{verdict:?}");
}

#[test]
fn what_is_no_record_is_refused_by_staff_verify() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    refused(&staff("verify {}", &[&folder.path().join("nothing")]), 2, &["nothing"]);
    assert_ne!(staff("verify {}", &[&file]).code, Some(0));
    let strange = staff("verify {}", &[folder.path()]);
    refused(&strange, 1, &["file"]);
    std::fs::remove_file(&file).unwrap();
    refused(&staff("verify {}", &[folder.path()]), 1, &["missing"]);
}

/// A desk with everything that a package needs, made by the commands of `staff`.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn must(&self, text: &str, names: &[&str]) -> Said {
        let paths: Vec<PathBuf> = names.iter().map(|n| self.path(n)).collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let said = staff(text, &paths);
        assert_eq!(said.code, Some(0), "staff {text}: {said:?}");
        said
    }

    fn new(election: &str, seed: u64) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut key = || hex::encode(Signer::generate(&mut rng).public_key());
        std::fs::write(desk.path("definition.json"), bundled::load(election).unwrap()).unwrap();
        desk.must("import {} --out {}", &["definition.json", "manifest.bin"]);
        desk.must("ceremony local --trustees 3 --threshold 2 --out {}", &["ceremony"]);
        desk.must("authority new --out {}", &["authority.key"]);
        desk.must("secret new --out {}", &["secret.key"]);
        let staff = format!(
            "key,roles,name\n{},polls+provision,甲\n{},polls+provision,乙\n",
            key(),
            key()
        );
        std::fs::write(desk.path("staff.csv"), staff).unwrap();
        std::fs::write(desk.path("validators.txt"), format!("{}\n", key())).unwrap();
        let bytes = std::fs::read(desk.path("manifest.bin")).unwrap();
        let manifest = election::manifest::Manifest::parse(&bytes).unwrap();
        let style = manifest.style(0).unwrap().id;
        let roll: String = (0..4).map(|_| format!("{},{style}\n", key())).collect();
        std::fs::write(desk.path("roll.csv"), format!("key,style\n{roll}")).unwrap();
        let days = Days::new(20_000_101, 20_491_231).unwrap();
        let authority = CardAuthority::new("test cards", days, &mut rng).unwrap();
        std::fs::write(desk.path("cards.der"), authority.certificate()).unwrap();
        let keys = desk.keys();
        desk.must(
            "genesis --manifest {} --keys {} --staff {} --validators {} --out {}",
            &["manifest.bin", &keys, "staff.csv", "validators.txt", "genesis.bin"],
        );
        desk.must(
            "roll build --manifest {} {} --out {}",
            &["manifest.bin", "roll.csv", "roll.bin"],
        );
        desk
    }

    /// keys.bin, wherever the ceremony put it.
    fn keys(&self) -> String {
        let found = ["ceremony/shared/keys.bin", "ceremony/keys.bin"]
            .into_iter()
            .find(|n| self.path(n).exists());
        found.expect("the ceremony writes keys.bin").to_string()
    }

    fn package(&self, out: &str) -> Vec<u8> {
        self.must(
            "package build --manifest {} --keys {} --genesis {} --secret {} --station 1 --name ja=第一,en=First \
             --roll {} --card-authority {} --authority {} --out {}",
            &[
                "manifest.bin",
                &self.keys(),
                "genesis.bin",
                "secret.key",
                "roll.bin",
                "cards.der",
                "authority.key",
                out,
            ],
        );
        std::fs::read(self.path(out)).unwrap()
    }
}

#[test]
fn f6_a_package_that_was_cut_changed_or_signed_by_another_desk_is_refused() {
    let (desk, other) = (
        Desk::new("tsukuba-2015-referendum", 1),
        Desk::new("tsukuba-2015-referendum", 2),
    );
    let good = desk.package("good.package");
    let theirs = other.package("theirs.package");
    let show = |desk: &Desk, name: &str| -> Value {
        serde_json::from_str(&desk.must("package show {} --json", &[name]).out).unwrap()
    };
    let (ours, others) = (show(&desk, "good.package"), show(&other, "theirs.package"));
    assert_eq!(ours["station"], json!(1));
    assert_ne!(ours["election"], others["election"]);

    let lie = desk.path("lie.package");
    let mut lies: Vec<Vec<u8>> = (0..24)
        .map(|i| {
            let mut bytes = good.clone();
            let at = (i * 7919 + 13) % bytes.len();
            bytes[at] ^= 1 << (i % 8);
            bytes
        })
        .collect();
    lies.extend([
        good[..good.len() - 1].to_vec(),
        good[..good.len() / 2].to_vec(),
        good[..3].to_vec(),
        Vec::new(),
        [&good[..], b"\0"].concat(),
    ]);
    for (number, bytes) in lies.iter().enumerate() {
        std::fs::write(&lie, bytes).unwrap();
        let said = staff("package show {}", &[&lie]);
        assert!(said.code == Some(1) || said.code == Some(2), "lie {number}: {said:?}");
        refused(&said, said.code.unwrap(), &["lie.package"]);
    }
    // Another desk's package is whole, but not the authority's that was asked for.
    std::fs::write(&lie, &theirs).unwrap();
    let key = ours["authority"].as_str().unwrap();
    refused(
        &staff(&format!("package show {{}} --authority {key}"), &[&lie]),
        1,
        &["lie.package", "authority"],
    );
    std::fs::write(&lie, &good).unwrap();
    assert_eq!(
        staff(&format!("package show {{}} --authority {key}"), &[&lie]).code,
        Some(0)
    );
}
