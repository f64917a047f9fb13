//! The record's files: a byte that is changed, a file that is missing or one too many.

use std::fs;

use proptest::prelude::*;
use staff::verify::{self, Options, Verified};
use staff::{Kind, Outcome, progress};

use crate::small;

/// Names and bytes of a record's files, and the folder they came from.
type RecordFiles = (tempfile::TempDir, Vec<(String, Vec<u8>)>);

/// A record in a folder, made once.
fn record() -> &'static RecordFiles {
    static RECORD: std::sync::OnceLock<RecordFiles> = std::sync::OnceLock::new();
    RECORD.get_or_init(|| {
        let mut town = small();
        let tallied = town.tally().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("record");
        tallied.record.write(&out).unwrap();
        let files = staff::files::list(&out)
            .unwrap()
            .into_iter()
            .map(|name| (name.clone(), fs::read(out.join(name)).unwrap()))
            .collect();
        (folder, files)
    })
}

fn verify_files(files: &[(String, Vec<u8>)]) -> Outcome<Verified> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    verify::verify_folder(folder.path(), &Options::default(), &progress::silent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn one_flipped_byte_anywhere_in_the_record_is_refused(
        file in any::<prop::sample::Index>(),
        position in any::<prop::sample::Index>(),
        bit in 0u8..8,
        cut in prop::bool::weighted(0.2),
    ) {
        let mut files = record().1.clone();
        let file = file.index(files.len());
        let bytes = &mut files[file].1;
        if bytes.is_empty() {
            bytes.push(1);
        } else if cut {
            bytes.truncate(position.index(bytes.len()));
        } else {
            let position = position.index(bytes.len());
            bytes[position] ^= 1 << bit;
        }
        let problem = verify_files(&files).err();
        prop_assert!(problem.is_some(), "{}", files[file].0);
        let problem = problem.unwrap();
        prop_assert_eq!(problem.kind, Kind::Refused);
        prop_assert!(problem.at.contains(&files[file].0) || problem.at.contains("index.bin"), "{}", problem);
    }
}

#[test]
fn files_that_are_missing_or_too_many_are_named() {
    verify_files(&record().1).unwrap();
    for skip in 0..record().1.len() {
        let mut files = record().1.clone();
        let (name, _) = files.remove(skip);
        let problem = verify_files(&files).unwrap_err();
        assert!(problem.at.contains(&name), "{problem}");
    }
    let mut files = record().1.clone();
    files.push(("notes.txt".into(), vec![]));
    assert!(verify_files(&files).unwrap_err().at.contains("notes.txt"));
}
