//! A whole small election made by hand from SPEC.md: ceremony, ballots, batches, blocks, closings, tally, files.
//!
//! Ceremony and tally are computed here from the formulas, not by the crate, so that the verification is judged by something
//! else than its own twin; and everything can be made to lie before it is signed.
#![allow(dead_code, reason = "each test uses its part")]

mod ceremony;
pub mod chain;
mod closing;
mod files;
mod manifest;
pub mod memory;
mod tally;

use chacha20::ChaCha20Rng;
use election::ballot::Election;
use election::batch::{Entry, Kind, kiosk_id};
use election::group::{Point, ProjectivePoint};
use election::hash::{Digest, hash};
use election::keys::Keys;
use election::ledger::{Genesis, StaffCard, Validators};
use election::manifest::{Policy, election_hash};
use election::sign::Signer;
use election::table::Table6;
use election::wire::{self, Bytes, Seq};
use rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;

use ceremony::{Trustees, ceremony};
pub use files::{AUTHORITY, Owned};
pub use manifest::SHAPES;
use manifest::manifest;

pub fn bytes_of<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = vec![0; wire::encoded_len(value).unwrap()];
    wire::encode(value, &mut out).unwrap();
    out
}

pub fn seq_of<T: Serialize>(items: impl IntoIterator<Item = T>) -> Vec<u8> {
    items.into_iter().flat_map(|item| bytes_of(&item)).collect()
}

pub fn signer(seed: u8) -> Signer {
    Signer::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

fn encoded(point: ProjectivePoint) -> [u8; 33] {
    Point::from_projective(&point).unwrap().to_bytes()
}

/// A ballot as the kiosk holds it, and what its voter chose.
#[derive(Clone)]
pub struct Ballot {
    pub kind: Kind,
    pub kiosk: usize,
    pub epoch: u8,
    pub tag: Digest,
    pub bytes: Vec<u8>,
    pub code: Digest,
    pub leaf: Digest,
    pub style: usize,
    pub choices: Vec<u64>,
}

impl Ballot {
    pub fn entry(&self) -> Entry {
        Entry {
            kind: self.kind,
            code: self.code,
            leaf: self.leaf,
        }
    }
}

pub struct Kiosk {
    pub signer: Signer,
    pub station: u16,
    pub next: u32,
    pub previous: Digest,
    pub took_over: Option<usize>,
    pub closing: Option<Vec<u8>>,
}

impl Kiosk {
    pub fn id(&self) -> Digest {
        kiosk_id(&self.signer.public_key())
    }
}

pub struct ByHand {
    pub rng: ChaCha20Rng,
    pub policy: Policy,
    pub manifest: Vec<u8>,
    pub trustees: Trustees,
    pub election: Digest,
    pub genesis: Vec<u8>,
    tables: Box<(Table6, Table6)>,
    pub kiosks: Vec<Kiosk>,
    pub ballots: Vec<Ballot>,
    /// Transactions of the block in the making.
    pub pending: Vec<Vec<u8>>,
    pub blocks: Vec<Vec<u8>>,
    tip: Digest,
    /// Places of leaves on the ledger, in order.
    pub on_ledger: Vec<Entry>,
    /// How many of the four validators sign.
    pub validators_signing: usize,
}

/// Validators of the chain.
const VALIDATORS: usize = 4;

impl ByHand {
    pub fn new(policy: Policy) -> Self {
        let mut rng = ChaCha20Rng::from_seed([99; 32]);
        let manifest = manifest(policy, if policy == Policy::First { 1 } else { 2 });
        let trustees = ceremony(&mut rng);
        let joint = encoded(trustees.joint);
        let election = election_hash(&manifest, &joint);
        let staff = seq_of([10, 11].map(|seed| StaffCard {
            key: Bytes(signer(seed).public_key()),
            roles: 3,
            name: "card",
        }));
        let validators: Vec<u8> = (0..VALIDATORS)
            .flat_map(|i| signer(20 + i as u8).public_key())
            .collect();
        let genesis = bytes_of(&Genesis {
            version: 1,
            election,
            staff: Seq::from_bytes(&staff),
            validators: Validators::from_bytes(&validators),
        });
        let tables = Box::new((
            Table6::new(&Point::GENERATOR),
            Table6::new(&Point::from_bytes(&joint).unwrap()),
        ));
        let tip = hash("ippyo/1/genesis", &[&genesis]);
        Self {
            rng,
            policy,
            manifest,
            trustees,
            election,
            genesis,
            tables,
            kiosks: Vec::new(),
            ballots: Vec::new(),
            pending: Vec::new(),
            blocks: Vec::new(),
            tip,
            on_ledger: Vec::new(),
            validators_signing: 3,
        }
    }

    pub fn crypto(&self) -> Election<'_> {
        Election::new(
            self.election,
            self.tables.0.get().unwrap(),
            self.tables.1.get().unwrap(),
        )
        .unwrap()
    }

    /// Takes another election's key and hash, to verify its record.
    pub fn read_keys(&mut self, manifest: &[u8], keys: &[u8]) {
        let keys = Keys::read(keys).unwrap();
        self.election = election_hash(manifest, &keys.joint.0);
        self.tables.1 = Table6::new(&Point::from_bytes(&keys.joint.0).unwrap());
    }

    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }
}
