//! The ceremony over files: k of n, resumable, and whoever misbehaves is named.

#[path = "support/refused.rs"]
mod refused;

use std::fs;
use std::path::{Path, PathBuf};

use chacha20::ChaCha20Rng;
use election::ceremony::{Commits, Dealer, MAX_SIGNED_LEN, Reveals, Setup, verify_transcript};
use election::dlog::{Baby, Dlog};
use election::group::{Point, ProjectivePoint, Scalar};
use election::keys::Keys;
use election::signed::Signed;
use election::tally::{PublicKeys, Statement, choose, open_sum};
use election::wire;
use rand_core::SeedableRng as _;
use refused::refused;
use staff::{Kind, ceremony};

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn folders(root: &Path, count: u8) -> (PathBuf, Vec<PathBuf>) {
    (
        root.join("shared"),
        (1..=count).map(|n| root.join(format!("p{n}"))).collect(),
    )
}

/// Runs up to and with the shares.
fn up_to_shares(root: &Path, count: u8, threshold: u8) -> (PathBuf, Vec<PathBuf>) {
    let (shared, private) = folders(root, count);
    let mut rng = rng(1);
    for (number, private) in (1..).zip(&private) {
        ceremony::join(&shared, private, number, &format!("T{number}"), &mut rng).unwrap();
    }
    ceremony::new(&shared, count, threshold, &mut rng).unwrap();
    for private in &private {
        ceremony::commit(&shared, private, &mut rng).unwrap();
    }
    for private in &private {
        ceremony::reveal(&shared, private).unwrap();
    }
    for private in &private {
        ceremony::share(&shared, private, &mut rng).unwrap();
    }
    (shared, private)
}

/// A sum of `total` votes, encrypted with r = 5.
fn sum(keys: &PublicKeys, total: u32) -> (Point, Point) {
    let r = Scalar::from(5u32);
    let a = ProjectivePoint::GENERATOR * r;
    let b = keys.joint.projective() * (Scalar::from(total) + r);
    (Point::from_projective(&a).unwrap(), Point::from_projective(&b).unwrap())
}

fn decrypts(keys_bytes: &[u8], private: &[&PathBuf]) -> Option<u32> {
    let parsed = Keys::read(keys_bytes).unwrap();
    let keys = PublicKeys::read(&parsed).unwrap();
    let (a, b) = sum(&keys, 42);
    let statement = Statement {
        election: &[3; 32],
        contest: 1,
        selection: 2,
        a,
        b,
    };
    let parts: Vec<_> = private
        .iter()
        .map(|folder| {
            ceremony::read_share(folder, &parsed)
                .unwrap()
                .decrypt(&statement, &mut rng(9))
                .unwrap()
        })
        .collect();
    let chosen = choose(&keys, &statement, parts).ok()?;
    let point = open_sum(&keys, &statement, &chosen.good).unwrap();
    Dlog::new(&keys.joint, &mut [Baby::EMPTY; 8]).find(&point, 100)
}

#[test]
fn every_k_of_n_decrypt_and_no_k_minus_1() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = up_to_shares(root.path(), 3, 2);
    for private in &private {
        ceremony::accept(&shared, private).unwrap();
    }
    let finished = ceremony::finish(&shared).unwrap();
    assert!(finished.written);
    let keys = fs::read(shared.join(ceremony::KEYS)).unwrap();
    let transcript = fs::read(shared.join(ceremony::TRANSCRIPT)).unwrap();
    assert!(verify_transcript(&transcript, &keys).is_ok());
    let p = &private;
    for pair in [[&p[0], &p[1]], [&p[0], &p[2]], [&p[1], &p[2]]] {
        assert_eq!(decrypts(&keys, &pair), Some(42));
    }
    for one in p {
        assert_eq!(decrypts(&keys, &[one]), None);
    }
    // What could give the key away is gone; what is left is closed to others.
    for folder in p {
        assert!(!folder.join("polynomial.secret").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(folder.join(ceremony::SHARE)).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
}

#[test]
fn every_step_may_be_run_again() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = up_to_shares(root.path(), 2, 2);
    let mut rng = rng(7);
    for (number, folder) in (1..).zip(&private) {
        assert!(
            !ceremony::join(&shared, folder, number, &format!("T{number}"), &mut rng)
                .unwrap()
                .written
        );
        assert!(!ceremony::commit(&shared, folder, &mut rng).unwrap().written);
        assert!(!ceremony::reveal(&shared, folder).unwrap().written);
        assert!(!ceremony::share(&shared, folder, &mut rng).unwrap().written);
    }
    assert!(!ceremony::new(&shared, 2, 2, &mut rng).unwrap().written);
    for folder in &private {
        ceremony::accept(&shared, folder).unwrap();
        assert!(!ceremony::accept(&shared, folder).unwrap().written);
    }
    assert!(ceremony::finish(&shared).unwrap().written);
    assert!(!ceremony::finish(&shared).unwrap().written);
}

#[test]
fn a_cut_between_share_and_accept_is_made_good() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = up_to_shares(root.path(), 2, 2);
    let polynomial = fs::read(private[0].join("polynomial.secret")).unwrap();
    ceremony::accept(&shared, &private[0]).unwrap();
    // As if the power went after the share was written and before the message left.
    fs::remove_file(shared.join("accept-1.bin")).unwrap();
    fs::write(private[0].join("polynomial.secret"), polynomial).unwrap();
    ceremony::accept(&shared, &private[0]).unwrap();
    ceremony::accept(&shared, &private[1]).unwrap();
    ceremony::finish(&shared).unwrap();
}

#[test]
fn who_is_missing_is_named() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = folders(root.path(), 2);
    let mut rng = rng(2);
    ceremony::join(&shared, &private[0], 1, "A", &mut rng).unwrap();
    refused(ceremony::new(&shared, 2, 2, &mut rng), &["trustee 2", "join-2.bin"]);
    ceremony::join(&shared, &private[1], 2, "B", &mut rng).unwrap();
    ceremony::new(&shared, 2, 2, &mut rng).unwrap();
    refused(ceremony::reveal(&shared, &private[0]), &["commit"]);
    ceremony::commit(&shared, &private[0], &mut rng).unwrap();
    refused(ceremony::reveal(&shared, &private[0]), &["trustee 2", "commit-2.bin"]);
}

#[test]
fn p10_a_key_chosen_after_seeing_the_others_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = folders(root.path(), 2);
    let mut rng = rng(3);
    for (number, folder) in (1..).zip(&private) {
        ceremony::join(&shared, folder, number, &format!("T{number}"), &mut rng).unwrap();
    }
    ceremony::new(&shared, 2, 2, &mut rng).unwrap();
    for folder in &private {
        ceremony::commit(&shared, folder, &mut rng).unwrap();
    }
    ceremony::reveal(&shared, &private[0]).unwrap();
    // Trustee 2 draws another polynomial after seeing the reveal of trustee 1: its own program and the others refuse.
    fs::remove_file(private[1].join("polynomial.secret")).unwrap();
    let (other, folder) = (root.path().join("other"), root.path().join("other-private"));
    fs::create_dir(&other).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::copy(shared.join("definition.bin"), other.join("definition.bin")).unwrap();
    for name in ["signing.key", "sealing.key"] {
        fs::copy(private[1].join(name), folder.join(name)).unwrap();
    }
    ceremony::commit(&other, &folder, &mut rng).unwrap();
    fs::copy(folder.join("polynomial.secret"), private[1].join("polynomial.secret")).unwrap();
    refused(ceremony::reveal(&shared, &private[1]), &["trustee 2"]);
    fs::copy(shared.join("commit-1.bin"), other.join("commit-1.bin")).unwrap();
    ceremony::reveal(&other, &folder).unwrap();
    fs::copy(other.join("reveal-2.bin"), shared.join("reveal-2.bin")).unwrap();
    refused(ceremony::share(&shared, &private[0], &mut rng), &["trustee 2"]);
}

#[test]
fn p11_a_bad_share_is_attributed_and_ends_the_ceremony() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = up_to_shares(root.path(), 3, 2);
    // A share that is not for this trustee is a misplaced file, not a reason to end the ceremony.
    let good = fs::read(shared.join("share-2-1.bin")).unwrap();
    fs::copy(shared.join("share-2-3.bin"), shared.join("share-2-1.bin")).unwrap();
    refused(ceremony::accept(&shared, &private[0]), &["trustee 2"]);
    assert!(!shared.join("complaint-1.bin").exists());
    fs::write(shared.join("share-2-1.bin"), good).unwrap();
    // Trustee 2 signs a share of another polynomial than the one it revealed.
    let definition = fs::read(shared.join("definition.bin")).unwrap();
    let setup = Setup::read(&definition).unwrap();
    let read = |kind: &str| -> Vec<Vec<u8>> {
        (1..=3)
            .map(|n| fs::read(shared.join(format!("{kind}-{n}.bin"))).unwrap())
            .collect()
    };
    let (first, second) = (read("commit"), read("reveal"));
    let signed = |list: &'static [Vec<u8>]| list.iter().map(|bytes| wire::decode::<Signed<'_>>(bytes).unwrap());
    let (first, second): (&'static [_], &'static [_]) = (first.leak(), second.leak());
    let commits = Commits::collect(&setup, signed(first)).unwrap();
    let reveals = Reveals::collect(&setup, &commits, signed(second)).unwrap();
    let signer = staff::keyfile::read_signer(&private[1].join("signing.key")).unwrap();
    let mut out = [0; MAX_SIGNED_LEN];
    let bad = Dealer::generate(&setup, 2, &mut rng(99)).unwrap();
    let bad = bad.share(&setup, &reveals, 1, &signer, &mut rng(98), &mut out).unwrap();
    fs::write(shared.join("share-2-1.bin"), bad).unwrap();
    refused(ceremony::accept(&shared, &private[0]), &["trustee 2"]);
    // Nobody else accepts after a complaint, and nothing is finished.
    assert!(shared.join("complaint-1.bin").exists());
    refused(
        ceremony::accept(&shared, &private[2]),
        &["trustee 1 complains", "trustee 2"],
    );
    refused(ceremony::finish(&shared), &["complains"]);
}

#[test]
fn a_changed_definition_is_noticed_by_who_committed_to_it() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = up_to_shares(root.path(), 2, 2);
    let mut bytes = fs::read(shared.join("definition.bin")).unwrap();
    bytes[5] ^= 1;
    fs::write(shared.join("definition.bin"), bytes).unwrap();
    refused(ceremony::accept(&shared, &private[0]), &["definition"]);
}

#[test]
fn any_flipped_byte_in_a_message_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let (shared, private) = up_to_shares(root.path(), 2, 2);
    for (file, who) in [
        ("commit-2.bin", "trustee 2"),
        ("reveal-2.bin", "trustee 2"),
        ("share-2-1.bin", "trustee 2"),
    ] {
        let good = fs::read(shared.join(file)).unwrap();
        for position in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[position] ^= 0x10;
            fs::write(shared.join(file), &bad).unwrap();
            refused(ceremony::accept(&shared, &private[0]), &[who]);
            // Damage on the way is nobody's fault: the ceremony goes on when the file is whole again.
            assert!(!shared.join("complaint-1.bin").exists());
        }
        fs::write(shared.join(file), &good[..good.len() - 1]).unwrap();
        refused(ceremony::accept(&shared, &private[0]), &[who]);
        fs::write(shared.join(file), good).unwrap();
    }
    ceremony::accept(&shared, &private[0]).unwrap();
}

#[test]
fn an_unwritable_folder_is_a_clear_error() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"x").unwrap();
    let problem = ceremony::join(&file, &root.path().join("p"), 1, "A", &mut rng(1)).unwrap_err();
    assert_eq!(problem.kind, Kind::Files);
    assert!(problem.at.ends_with("file"), "{problem}");
}

#[test]
fn in_memory_is_the_same_ceremony() {
    let done = ceremony::in_memory(&["A", "B", "C"], 2, &mut rng(4)).unwrap();
    assert!(verify_transcript(&done.transcript, &done.keys).is_ok());
    assert_eq!(done.secrets.len(), 3);
    let root = tempfile::tempdir().unwrap();
    let reports = ceremony::local(root.path(), 1, 1, &mut rng(5)).unwrap();
    assert_eq!(reports.last().unwrap().step, "finish");
}
