//! One flipped byte anywhere in a record of the simulator, and both verifiers refuse, naming the file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use election::record::FileName;
use election::sign::Signer;
use host_sim::voters::habits::Habits;
use host_sim::{Scenario, bundled};
use staff::record::Record;
use staff::verify::Options;
use tests::verifiers::{Verdict, verify_py, verify_staff};

/// A record with everything in it: a duplicate, spoiled ballots, two kiosks, reception's counts. Played once.
fn record() -> &'static Path {
    static RECORD: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = RECORD.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let habits = Habits {
            challenge: 250,
            again_elsewhere: 250,
            ..Habits::plain()
        };
        let report = Scenario::new(bundled::load("tsukuba-2015-referendum").unwrap())
            .voters(16)
            .kiosks(2)
            .habits(habits)
            .run(&path)
            .unwrap();
        assert!(
            report.holds() && report.spoiled > 0 && report.duplicates > 0,
            "{report:?}"
        );
        (folder, path)
    });
    path
}

/// Seeds the positions. Another one: IPPYO_TEST_SEED=number.
fn rng() -> ChaCha20Rng {
    let seed = std::env::var("IPPYO_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(20_261_122);
    eprintln!("IPPYO_TEST_SEED={seed}");
    ChaCha20Rng::seed_from_u64(seed)
}

fn below(rng: &mut ChaCha20Rng, end: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(end).unwrap()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A copy of the record with one file replaced.
fn bent(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for other in names(record()) {
        std::fs::copy(record().join(&other), folder.path().join(&other)).unwrap();
    }
    std::fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

fn flipped(rng: &mut ChaCha20Rng, bytes: &[u8]) -> (usize, Vec<u8>) {
    let at = below(rng, bytes.len());
    let mut out = bytes.to_vec();
    out[at] ^= 1 << below(rng, 8);
    (at, out)
}

/// What both say of a bent file.
fn both(folder: &Path) -> [(&'static str, Verdict); 2] {
    [
        ("staff verify", verify_staff(folder, &Options::default()).unwrap()),
        ("verify.py", verify_py::<&str>(folder, &[]).unwrap()),
    ]
}

#[test]
fn a_flipped_byte_in_any_file_is_refused_by_both_and_the_file_is_named() {
    let mut rng = rng();
    let files = names(record());
    assert_eq!(files.len(), 13, "{files:?}");
    for name in &files {
        let good = std::fs::read(record().join(name)).unwrap();
        let mut lies: Vec<(String, Vec<u8>)> = (0..4)
            .map(|_| {
                let (at, bytes) = flipped(&mut rng, &good);
                (format!("byte {at} flipped"), bytes)
            })
            .collect();
        let cut = below(&mut rng, good.len());
        lies.push((format!("cut at {cut}"), good[..cut].to_vec()));
        lies.push(("a byte more".to_string(), [&good[..], b"\n"].concat()));
        for (what, bytes) in lies {
            let folder = bent(name, &bytes);
            for (who, verdict) in both(folder.path()) {
                let file = verdict
                    .file()
                    .unwrap_or_else(|| panic!("{who} lets pass: {name}, {what}"));
                if name != "index.bin" {
                    assert_eq!(file, name, "{who}: {what}: {verdict:?}");
                }
            }
        }
    }
}

#[test]
fn a_missing_or_strange_file_is_refused_by_both() {
    for name in names(record()) {
        let folder = bent(&name, b"");
        std::fs::remove_file(folder.path().join(&name)).unwrap();
        for (who, verdict) in both(folder.path()) {
            assert_eq!(verdict.file(), Some(name.as_str()), "{who}: {verdict:?}");
        }
    }
    let folder = bent("notes.txt", b"hello");
    for (who, verdict) in both(folder.path()) {
        assert_eq!(verdict.file(), Some("notes.txt"), "{who}: {verdict:?}");
    }
}

#[test]
fn a_record_signed_anew_by_somebody_else_still_holds_nothing_back() {
    // Whoever signs the index again (here somebody who is not the authority) cannot hide a changed byte of what is bound.
    let mut rng = rng();
    let election = staff::verify::verify_folder(record(), &Options::default(), &staff::progress::silent).unwrap();
    let eh: [u8; 32] = hex::decode(election.election_hash).unwrap().try_into().unwrap();
    let thief = Signer::generate(&mut rng);
    for name in names(record())
        .iter()
        .filter(|n| n.ends_with(".bin") && *n != "index.bin")
    {
        let good = std::fs::read(record().join(name)).unwrap();
        for _ in 0..3 {
            let (at, bytes) = flipped(&mut rng, &good);
            let mut copy = Record::read(record()).unwrap();
            copy.put(FileName::of(name).unwrap(), bytes);
            copy.sign(&eh, &thief).unwrap();
            let folder = tempfile::tempdir().unwrap();
            copy.write(folder.path()).unwrap();
            for (who, verdict) in both(folder.path()) {
                assert!(verdict.file().is_some(), "{who} lets pass: {name}, byte {at}");
            }
        }
    }
    // Unbent it verifies, but not as the authority's.
    let mut copy = Record::read(record()).unwrap();
    copy.sign(&eh, &thief).unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy.write(folder.path()).unwrap();
    assert_eq!(both(folder.path()).map(|(_, v)| v.file().is_none()), [true, true]);
    let authority: [u8; 33] = hex::decode(election.authority).unwrap().try_into().unwrap();
    let asked = Options {
        authority: Some(authority),
        ..Options::default()
    };
    assert_eq!(verify_staff(folder.path(), &asked).unwrap().file(), Some("index.bin"));
    let asked = verify_py(folder.path(), &["--authority", &hex::encode(authority)]).unwrap();
    assert_eq!(asked.file(), Some("index.bin"));
}
