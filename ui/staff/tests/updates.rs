//! An image is signed only if its files belong together, and a drive shows what is on it.

use std::path::Path;

use election::sign::Signer;
use staff::image::{self, FILES, FOLDER, SIGNED};

/// A program for UEFI with these sections.
fn program(sections: &[(&str, &str)]) -> Vec<u8> {
    let mut file = vec![0; 1024];
    file[..2].copy_from_slice(b"MZ");
    file[0x3C] = 0x80;
    file[0x80..0x84].copy_from_slice(b"PE\0\0");
    file[0x86] = u8::try_from(sections.len()).unwrap();
    file[0x94] = 16;
    for (place, (name, text)) in sections.iter().enumerate() {
        let (at, start) = (0x80 + 24 + 16 + 40 * place, file.len());
        file.extend(text.as_bytes());
        file.resize(start + text.len().next_multiple_of(512), 0);
        let length = u32::try_from(file.len() - start).unwrap();
        file[at..at + name.len()].copy_from_slice(name.as_bytes());
        file[at + 16..at + 20].copy_from_slice(&length.to_le_bytes());
        file[at + 20..at + 24].copy_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
    }
    file.extend(b"and its end");
    file
}

fn built(folder: &Path, version: &str) -> [u8; 32] {
    let number = version.strip_prefix("ippyo.version=").unwrap_or("1");
    built_with(
        folder,
        version,
        &[(".osrel", &format!("ID=ippyo\nIMAGE_VERSION={number}\n"))],
    )
}

fn built_with(folder: &Path, version: &str, others: &[(&str, &str)]) -> [u8; 32] {
    let mut tree = vec![0; 12_288];
    tree[..8].copy_from_slice(b"verity\0\0");
    (tree[8], tree[12]) = (1, 1);
    tree[32..38].copy_from_slice(b"sha256");
    tree[64..68].copy_from_slice(&4096_u32.to_le_bytes());
    tree[68..72].copy_from_slice(&4096_u32.to_le_bytes());
    tree[5000] = 9;
    let root = election::update::tree_root(&tree).unwrap();
    let line = format!("ippyo.root={} {version} ro quiet\0", hex::encode(root));
    let efi = program(&[others, &[(".cmdline", &line)]].concat());
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

/// What the loader sorts by is the signed version: with a higher one an image would start before every newer one.
#[test]
fn an_image_of_another_version_to_the_loader_is_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    let release = |text: &'static str| (".osrel", text);
    let cases: [(&[(&str, &str)], bool); 7] = [
        (&[release("ID=ippyo\nIMAGE_VERSION=12\n")], true),
        (&[release("ID=ippyo\nIMAGE_VERSION=99\n")], false),
        (&[release("ID=ippyo\nIMAGE_VERSION=12\nIMAGE_VERSION=99\n")], false),
        (&[release("ID=ippyo\n")], false),
        (&[], false),
        (&[release("IMAGE_VERSION=12\n"), release("IMAGE_VERSION=99\n")], false),
        (
            &[release("IMAGE_VERSION=12\n"), (".cmdline", "ippyo.version=12")],
            false,
        ),
    ];
    for (others, whole) in cases {
        built_with(folder.path(), "ippyo.version=12", others);
        assert_eq!(image::read(folder.path()).is_ok(), whole, "{others:?}");
    }
    // Cut anywhere in its headers it is none, and ends nothing.
    let at = folder.path().join(FILES[2]);
    built(folder.path(), "ippyo.version=12");
    let whole = std::fs::read(&at).unwrap();
    for length in 0..1024 {
        std::fs::write(&at, &whole[..length]).unwrap();
        assert!(image::read(folder.path()).is_err(), "{length}");
    }
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
