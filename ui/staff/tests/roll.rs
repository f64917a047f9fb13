//! The roll: cards in, hashes out, nothing twice.

use std::path::Path;

use chacha20::ChaCha20Rng;
use election::manifest::Manifest;
use election::roll::{Delta, ENTRY_LEN};
use election::sign::Signer;
use proptest::prelude::*;
use rand_core::SeedableRng as _;
use staff::import::{Options, import_bytes};
use staff::{Kind, keyfile, roll};

const KAGA: &[u8] = include_bytes!("../../../host-sim/elections/kaga-consultation.json");

fn manifest() -> Vec<u8> {
    import_bytes(KAGA, &Options::default()).unwrap().manifest
}

fn keys(count: usize) -> Vec<String> {
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    (0..count)
        .map(|_| hex::encode(Signer::generate(&mut rng).public_key()))
        .collect()
}

#[test]
fn a_table_becomes_ascending_entries() {
    let bytes = manifest();
    let manifest = Manifest::parse(&bytes).unwrap();
    let style = manifest.style(0).unwrap().id;
    let mut csv = String::from("key,style\n# a comment\n");
    for key in keys(20) {
        csv.push_str(&format!("{key}, {style}\n"));
    }
    let roll = roll::parse_csv(csv.as_bytes(), Path::new("."), &manifest).unwrap();
    let section = roll.section();
    assert_eq!(section.len(), 20 * ENTRY_LEN);
    let entries: Vec<&[u8]> = section.chunks(ENTRY_LEN).collect();
    assert!(entries.windows(2).all(|pair| pair[0][..32] < pair[1][..32]));
    assert_eq!(roll.report(&manifest).styles[style], 20);
}

#[test]
fn broken_tables_name_the_line() {
    let bytes = manifest();
    let manifest = Manifest::parse(&bytes).unwrap();
    let style = manifest.style(0).unwrap().id;
    let k = keys(2);
    let cases = [
        (
            format!("{0},{style}\n{1},{style}\n{0},{style}\n", k[0], k[1]),
            Kind::Reference,
            "line 3",
        ),
        (format!("{},nowhere\n", k[0]), Kind::Reference, "line 1"),
        (format!("{}\n", k[0]), Kind::Malformed, "line 1"),
        (format!("{},{style},Yamada Taro\n", k[0]), Kind::Malformed, "line 1"),
        (format!("02{},{style}\n", "ff".repeat(32)), Kind::Malformed, "line 1"),
    ];
    for (csv, kind, line) in cases {
        let problem = roll::parse_csv(csv.as_bytes(), Path::new("."), &manifest).unwrap_err();
        assert_eq!(problem.kind, kind, "{problem}");
        assert_eq!(problem.at, line, "{problem}");
    }
    // The same key written in its longer form is the same card.
    let point = p256::PublicKey::from_sec1_bytes(&hex::decode(&k[0]).unwrap()).unwrap();
    let long = hex::encode(p256::elliptic_curve::sec1::ToSec1Point::to_sec1_point(&point, false).as_bytes());
    let csv = format!("{},{style}\n{long},{style}\n", k[0]);
    assert_eq!(
        roll::parse_csv(csv.as_bytes(), Path::new("."), &manifest)
            .unwrap_err()
            .at,
        "line 2"
    );
}

#[test]
fn a_delta_is_signed_and_ascending() {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let authority = Signer::generate(&mut rng);
    let changes = roll::Changes::from([([3; 32], Some(1)), ([1; 32], None)]);
    let bytes = roll::delta(&[9; 32], 7, 2, &changes, &authority).unwrap();
    let delta = Delta::open(&bytes, &authority.public_key(), &[9; 32], 7, 2).unwrap();
    assert_eq!((delta.station, delta.serial), (7, 2));
    let entries: Vec<_> = delta.entries.iter().map(Result::unwrap).collect();
    assert_eq!(entries[0].entry, [1; 32]);
    assert_eq!(entries[1].style, Some(1));
    let other = Signer::generate(&mut rng).public_key();
    assert!(Delta::open(&bytes, &other, &[9; 32], 7, 2).is_err());
}

#[test]
fn a_secret_key_file_comes_back_and_a_cut_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.key");
    let signer = keyfile::create(&path, &mut ChaCha20Rng::from_seed([6; 32])).unwrap();
    assert_eq!(keyfile::read_signer(&path).unwrap().public_key(), signer.public_key());
    let cut = folder.path().join("cut.key");
    std::fs::write(&cut, &std::fs::read(&path).unwrap()[..40]).unwrap();
    let problem = keyfile::read_signer(&cut).err().unwrap();
    assert_eq!(problem.kind, Kind::Malformed);
}

proptest! {
    #[test]
    fn hostile_tables_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let manifest_bytes = manifest();
        let manifest = Manifest::parse(&manifest_bytes).unwrap();
        let _ = roll::parse_csv(&bytes, Path::new("/nonexistent"), &manifest);
    }
}
