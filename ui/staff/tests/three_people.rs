//! The ceremony and the count by three people in three folders, by the commands they type; one of them misbehaves in each way and is
//! named.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chacha20::ChaCha20Rng;
use election::batch::Kind as EntryKind;
use election::ceremony::{Commits, Dealer, MAX_SIGNED_LEN, Reveals, Setup};
use election::keys::Keys;
use election::manifest::Policy;
use election::wire;
use election::words::ClosingWords;
use rand_core::SeedableRng as _;
use staff::ceremony::InMemory;
use staff::{ceremony, keyfile};
use support::{KAGA, Town};

#[path = "support/medium.rs"]
mod files_of_a_kiosk;

const NAMES: [&str; 3] = ["山田", "佐藤", "鈴木"];

struct People {
    root: tempfile::TempDir,
}

impl People {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn shared(&self, name: &str) -> PathBuf {
        self.at("shared").join(name)
    }

    fn private(&self, person: usize) -> PathBuf {
        self.at(&format!("person-{person}"))
    }

    /// Somebody types a step of the ceremony. Gives the exit code and all that was said.
    fn types(&self, step: &str, person: usize, more: &[&str]) -> (i32, String) {
        let (shared, private) = (self.at("shared"), self.private(person));
        let mut call = vec!["ceremony", step, "--shared", shared.to_str().unwrap()];
        if !matches!(step, "new" | "finish") {
            call.extend(["--private", private.to_str().unwrap()]);
        }
        call.extend(more);
        staff(&call)
    }

    fn does(&self, step: &str, person: usize, more: &[&str]) {
        let (code, said) = self.types(step, person, more);
        assert_eq!(code, 0, "{step} of {person}: {said}");
    }

    fn is_refused(&self, step: &str, person: usize, words: &[&str]) {
        let (code, said) = self.types(step, person, &[]);
        assert_eq!(code, 1, "{step} of {person}: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    }

    fn all(&self, step: &str) {
        for person in 1..=3 {
            self.does(step, person, &[]);
        }
    }

    /// Everybody has joined, and the ceremony is defined.
    fn defined() -> Self {
        let people = Self::new();
        for (person, name) in (1..).zip(NAMES) {
            people.does("join", person, &["--number", &person.to_string(), "--name", name]);
        }
        people.does("new", 1, &["--trustees", "3", "--threshold", "2"]);
        people
    }

    fn shared_by() -> Self {
        let people = Self::defined();
        for step in ["commit", "reveal", "share"] {
            people.all(step);
        }
        people
    }

    fn key(&self) -> InMemory {
        let [keys, transcript] = ["keys.bin", "ceremony.bin"].map(|name| fs::read(self.shared(name)).unwrap());
        let parsed = Keys::read(&keys).unwrap();
        let secrets = (1..=3).map(|person| ceremony::read_share(&self.private(person), &parsed).unwrap());
        let signers = (1..=3).map(|person| keyfile::read_signer(&self.private(person).join("signing.key")).unwrap());
        InMemory {
            secrets: secrets.collect(),
            signers: signers.collect(),
            keys: keys.clone(),
            transcript,
        }
    }
}

fn staff(call: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_staff")).args(call).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn whoever_is_missing_or_sends_something_bent_is_named_in_each_round() {
    let people = People::defined();
    people.is_refused("reveal", 1, &["commit"]);
    people.does("commit", 1, &[]);
    people.does("commit", 2, &[]);
    people.is_refused("reveal", 1, &["trustee 3", "commit-3.bin", "not there yet"]);
    people.does("commit", 3, &[]);
    // Signed by nobody.
    let file = people.shared("commit-3.bin");
    let good = fs::read(&file).unwrap();
    flip(&file);
    people.is_refused("reveal", 1, &["trustee 3", "鈴木"]);
    // Somebody else's message under their name.
    fs::copy(people.shared("commit-2.bin"), &file).unwrap();
    people.is_refused("reveal", 1, &["trustee 3", "somebody else"]);
    fs::write(&file, good).unwrap();
    people.all("reveal");
    let file = people.shared("reveal-3.bin");
    let good = fs::read(&file).unwrap();
    flip(&file);
    people.is_refused("share", 2, &["trustee 3", "鈴木"]);
    fs::write(&file, good).unwrap();
    people.all("share");
    fs::remove_file(people.shared("share-3-1.bin")).unwrap();
    people.is_refused("accept", 1, &["trustee 3", "share-3-1.bin", "not there yet"]);
    // The definition, after everybody has seen its words.
    flip(&people.shared("definition.bin"));
    people.is_refused("accept", 2, &["not the definition this trustee committed to"]);
}

#[test]
fn p10_who_draws_another_key_after_the_reveals_of_the_others_is_named() {
    let people = People::defined();
    people.all("commit");
    people.does("reveal", 1, &[]);
    people.does("reveal", 2, &[]);
    // 鈴木 has seen both, and plays the first round again elsewhere, with another polynomial and the same keys.
    let (other, private) = (people.at("elsewhere"), people.at("person-3-elsewhere"));
    fs::create_dir_all(&other).unwrap();
    fs::create_dir_all(&private).unwrap();
    for name in ["definition.bin", "commit-1.bin", "commit-2.bin"] {
        fs::copy(people.shared(name), other.join(name)).unwrap();
    }
    for name in ["signing.key", "sealing.key"] {
        fs::copy(people.private(3).join(name), private.join(name)).unwrap();
    }
    for step in ["commit", "reveal"] {
        let folders = [&other, &private].map(|folder| folder.to_str().unwrap());
        let (code, said) = staff(&["ceremony", step, "--shared", folders[0], "--private", folders[1]]);
        assert_eq!(code, 0, "{said}");
    }
    fs::copy(other.join("reveal-3.bin"), people.shared("reveal-3.bin")).unwrap();
    people.is_refused("share", 1, &["trustee 3", "鈴木"]);
    people.is_refused("share", 2, &["trustee 3", "鈴木"]);
    assert!(!people.shared("share-1-2.bin").exists());
}

#[test]
fn p11_who_deals_a_share_that_does_not_fit_is_named_and_the_ceremony_ends_for_all() {
    let people = People::shared_by();
    let definition = fs::read(people.shared("definition.bin")).unwrap();
    let setup = Setup::read(&definition).unwrap();
    let read = |kind: &str| -> Vec<Vec<u8>> {
        (1..=3)
            .map(|n| fs::read(people.shared(&format!("{kind}-{n}.bin"))).unwrap())
            .collect()
    };
    let (first, second) = (read("commit"), read("reveal"));
    let commits = Commits::collect(&setup, first.iter().map(|bytes| wire::decode(bytes).unwrap())).unwrap();
    let reveals = Reveals::collect(
        &setup,
        &commits,
        second.iter().map(|bytes| wire::decode(bytes).unwrap()),
    )
    .unwrap();
    let signer = keyfile::read_signer(&people.private(3).join("signing.key")).unwrap();
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let other = Dealer::generate(&setup, 3, &mut rng).unwrap();
    let mut out = [0; MAX_SIGNED_LEN];
    let bad = other.share(&setup, &reveals, 1, &signer, &mut rng, &mut out).unwrap();
    fs::write(people.shared("share-3-1.bin"), bad).unwrap();
    people.is_refused("accept", 1, &["trustee 3", "鈴木", "begin a new one together"]);
    people.is_refused("accept", 2, &["trustee 3", "trustee 1 complains"]);
    people.is_refused("finish", 2, &["trustee 3", "trustee 1 complains"]);
    assert!(!people.shared("keys.bin").exists());
}

/// From the first `join` to a verified record: 佐藤 is not there at the count.
#[test]
fn three_people_make_a_key_and_two_of_them_count_with_it() {
    let people = People::shared_by();
    people.all("accept");
    people.does("finish", 1, &[]);
    let key = people.key();
    for (name, bytes) in [("keys.bin", &key.keys), ("ceremony.bin", &key.transcript)] {
        fs::write(people.at(name), bytes).unwrap();
    }
    let mut town = Town::with_key(KAGA, Policy::First, 31, key);
    let kiosk = town.kiosk(1, 0);
    for voter in 1..4 {
        town.vote(kiosk, EntryKind::Cast, &[1, 1, 1], voter);
    }
    town.close(kiosk);
    files_of_a_kiosk::write(&people.at("original"), &town.content(kiosk, 0));
    files_of_a_kiosk::write(&people.at("duplicate"), &town.content(kiosk, 1));
    fs::write(people.at("manifest.bin"), &town.manifest).unwrap();
    fs::write(people.at("genesis.bin"), &town.genesis).unwrap();
    fs::write(people.at("chain.bin"), &town.chain.bytes).unwrap();
    keyfile::write_secret(&people.at("authority.key"), &town.authority.to_bytes()).unwrap();
    let words = ClosingWords::of(&town.kiosks[kiosk].hash);
    let closing = format!("{}={words}", &hex::encode(town.kiosks[kiosk].id())[..8]);
    let at = |name: &str| people.at(name).to_str().unwrap().to_owned();
    let media = format!("{},{}", at("original"), at("duplicate"));
    let files = ["manifest", "keys", "ceremony", "genesis", "chain"]
        .map(|name| (format!("--{name}"), at(&format!("{name}.bin"))));
    let (authority, count, record) = (at("authority.key"), at("count"), at("record"));
    let mut tally = vec![
        "tally",
        "--media",
        &media,
        "--closing",
        &closing,
        "--authority",
        &authority,
    ];
    tally.extend(["--decryptions", &count, "--out", &record]);
    tally.extend(files.iter().flat_map(|(name, file)| [name.as_str(), file.as_str()]));

    let (code, said) = staff(&tally);
    assert!(code == 0 && said.contains("nothing is decrypted yet"), "{said}");
    assert!(!people.at("record/index.bin").exists());
    let (code, said) = staff(&tally);
    assert!(code == 1 && said.contains("trustee 2 (佐藤): no commit yet"), "{said}");
    let trustee = |step: &str, person: usize| {
        let private = people.private(person);
        staff(&[
            "decrypt",
            step,
            "--shared",
            &count,
            "--private",
            private.to_str().unwrap(),
        ])
    };
    let (code, said) = trustee("commit", 1);
    assert!(code == 0 && said.contains("3 ballots count"), "{said}");
    let (code, said) = trustee("reveal", 1);
    assert!(code == 1 && said.contains("trustee 3 (鈴木): no commit yet"), "{said}");
    assert_eq!(trustee("commit", 3).0, 0);
    assert_eq!((trustee("reveal", 1).0, trustee("reveal", 3).0), (0, 0));
    let (code, said) = staff(&tally);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("The record of") && said.contains("nothing of trustee 2 (佐藤) was used: no commit yet"),
        "{said}"
    );
    assert_eq!(staff(&["verify", &record]).0, 0);
}
