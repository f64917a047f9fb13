//! An image as files, small.

use std::io::{self, Cursor, Read};
use std::path::Path;

use election::hash::sha256;
use election::sign::Signer;
use election::signed::Signed;
use election::update::{FORMAT, Image, LABEL_IMAGE, MAX_FILE, Part as Described, TREE_HEAD, tree_root};
use election::wire;

use super::super::install::{Part, Source};
use super::super::offer::{FOLDER, SIGNED};

/// An image as files.
#[derive(Clone)]
pub struct Built {
    pub root: Vec<u8>,
    pub tree: Vec<u8>,
    pub efi: Vec<u8>,
    pub image: Image,
}

impl Built {
    pub fn new(version: u32, size: usize) -> Self {
        let fill = u8::try_from(version).unwrap();
        let root = vec![fill; size];
        let mut tree = vec![fill; 3 * TREE_HEAD];
        tree[..TREE_HEAD / 2].fill(0);
        tree[..8].copy_from_slice(b"verity\0\0");
        (tree[8], tree[12]) = (1, 1);
        tree[32..38].copy_from_slice(b"sha256");
        tree[64..68].copy_from_slice(&4096_u32.to_le_bytes());
        tree[68..72].copy_from_slice(&4096_u32.to_le_bytes());
        let software = tree_root(&tree).unwrap();
        // Four sectors and a piece; the command line is in the second.
        let line = format!("ippyo.root={} ippyo.version={version} ro\0", hex::encode(software));
        let efi = [b"MZ", &[fill; 598][..], line.as_bytes(), &[fill; 1500]].concat();
        let described = |bytes: &[u8]| Described {
            length: bytes.len() as u64,
            sha256: sha256(bytes),
        };
        let image = Image {
            format: FORMAT,
            version,
            root: software,
            squashfs: described(&root),
            tree: described(&tree),
            efi: described(&efi),
        };
        Self { root, tree, efi, image }
    }

    pub fn file(&self, part: Part) -> &[u8] {
        match part {
            Part::Root => &self.root,
            Part::Tree => &self.tree,
            Part::Efi => &self.efi,
        }
    }

    pub fn signed(&self, signer: &Signer) -> Vec<u8> {
        let (mut body, mut out) = ([0; MAX_FILE], [0; MAX_FILE]);
        let body = self.image.body(&mut body).unwrap();
        wire::encode(&Signed::new(body, LABEL_IMAGE, signer).unwrap(), &mut out)
            .unwrap()
            .to_vec()
    }

    pub fn put(&self, folder: &Path, signer: &Signer) {
        let folder = folder.join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(SIGNED), self.signed(signer)).unwrap();
        for part in Part::ALL {
            std::fs::write(folder.join(part.file()), self.file(part)).unwrap();
        }
    }
}

impl Source for Built {
    fn open(&mut self, part: Part) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.file(part).to_vec())))
    }
}
