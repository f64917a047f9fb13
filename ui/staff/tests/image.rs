//! An image is signed only if its files belong together, and a drive shows what is on it.

use std::path::Path;

use election::sign::Signer;
use staff::image::{self, FILES, FOLDER, SIGNED};

fn built(folder: &Path, version: &str) -> [u8; 32] {
    let mut tree = vec![0; 12_288];
    tree[..8].copy_from_slice(b"verity\0\0");
    (tree[8], tree[12]) = (1, 1);
    tree[32..38].copy_from_slice(b"sha256");
    tree[64..68].copy_from_slice(&4096_u32.to_le_bytes());
    tree[68..72].copy_from_slice(&4096_u32.to_le_bytes());
    tree[5000] = 9;
    let root = election::update::tree_root(&tree).unwrap();
    let line = format!("ippyo.root={} {version} ro quiet\0", hex::encode(root));
    let efi = [b"MZ program ", line.as_bytes(), b"and its end"].concat();
    for (name, bytes) in FILES.iter().zip([vec![5; 70_000], tree, efi]) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    root
}

#[test]
fn an_image_is_signed_onto_a_drive_and_every_change_on_the_drive_is_seen() {
    let (folder, drive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = built(folder.path(), "ippyo.version=12");
    let signer = Signer::from_bytes(&[4; 32]).unwrap();
    let files = image::read(folder.path()).unwrap();
    let signed = image::sign(&files, &signer, drive.path()).unwrap();
    assert_eq!((signed.version, signed.software), (12, root));
    assert_eq!(image::show(drive.path(), &signer.public_key()).unwrap(), signed);
    let other = Signer::from_bytes(&[5; 32]).unwrap().public_key();
    assert!(
        image::show(drive.path(), &other)
            .unwrap_err()
            .to_string()
            .contains("not signed by the authority")
    );
    for name in FILES.into_iter().chain([SIGNED]) {
        let path = drive.path().join(FOLDER).join(name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let problem = image::show(drive.path(), &signer.public_key()).unwrap_err();
        assert_eq!(problem.kind.exit_code(), 1, "{name}: {problem}");
        std::fs::write(&path, good).unwrap();
    }
    // Signed again over what lies there, as a newer image is.
    image::sign(&files, &signer, drive.path()).unwrap();
}

#[test]
fn files_of_two_builds_or_without_a_version_are_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    for version in [
        "",
        "ippyo.version=0",
        "ippyo.version=x",
        "ippyo.version=1 ippyo.version=2",
    ] {
        built(folder.path(), version);
        assert!(image::read(folder.path()).is_err(), "{version}");
    }
    built(folder.path(), "ippyo.version=1");
    let tree = folder.path().join(FILES[1]);
    let mut other = std::fs::read(&tree).unwrap();
    other[5001] = 1;
    std::fs::write(&tree, other).unwrap();
    let problem = image::read(folder.path()).map(|_| ()).unwrap_err();
    assert!(problem.to_string().contains("the tree is of"), "{problem}");
    std::fs::write(&tree, b"no tree").unwrap();
    assert!(image::read(folder.path()).is_err());
    std::fs::remove_file(&tree).unwrap();
    assert!(image::read(folder.path()).is_err());
}
