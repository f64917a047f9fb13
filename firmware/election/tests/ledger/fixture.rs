//! An election small enough to hold in the head: three staff cards, some validators, kiosks with keys by number.
//! Also used by the tests of `firmware/chain`.
#![allow(dead_code)]

use election::batch::{Draft, Entry, Kind, build, kiosk_id, max_len};
use election::hash::{Digest, hash, sha256};
use election::ledger::{
    Block, BlockHeader, CommitSignature, Genesis, MAX_BODY, PAIR, Raw, Registration, Revocation, StaffBody, StaffCard,
    StaffSignature, Takeover, Transaction, Validators, precommit, role, staff_pair,
};
use election::merkle;
use election::sign::Signer;
use election::wire::{self, Bytes, Seq};
use serde::Serialize;

/// The election of all these tests.
pub const ELECTION: Digest = [0xe1; 32];

/// A key by number.
pub fn key(number: u8) -> Signer {
    Signer::from_bytes(&sha256(&[number])).unwrap()
}

/// Some digest by name.
pub fn digest(name: &str) -> Digest {
    hash("ippyo/1/test", &[name.as_bytes()])
}

/// Any encoding.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = vec![0; wire::encoded_len(value).unwrap()];
    wire::encode(value, &mut out).unwrap();
    out
}

/// Items one after the other, as `Seq` holds them.
pub fn items<T: Serialize>(items: &[T]) -> Vec<u8> {
    items.iter().flat_map(encode).collect()
}

/// Staff, validators and the genesis that names them.
pub struct World {
    /// Cards 0 and 1 do everything, 2 provisions only, 3 opens and closes only.
    pub staff: Vec<Signer>,
    pub validators: Vec<Signer>,
    pub genesis: Vec<u8>,
}

pub fn world(validators: u8) -> World {
    let staff: Vec<Signer> = (200..204).map(key).collect();
    let validators: Vec<Signer> = (100..100 + validators).map(key).collect();
    let roles = [
        role::POLLS | role::PROVISIONS,
        role::POLLS | role::PROVISIONS,
        role::PROVISIONS,
        role::POLLS,
    ];
    let cards: Vec<StaffCard<'_>> = staff
        .iter()
        .zip(roles)
        .zip(["佐藤", "鈴木", "高橋", "田中"])
        .map(|((card, roles), name)| StaffCard {
            key: Bytes(card.public_key()),
            roles,
            name,
        })
        .collect();
    let genesis = genesis_of(&cards, &validators);
    World {
        staff,
        validators,
        genesis,
    }
}

pub fn genesis_of(cards: &[StaffCard<'_>], validators: &[Signer]) -> Vec<u8> {
    let keys: Vec<u8> = validators.iter().flat_map(Signer::public_key).collect();
    encode(&Genesis {
        version: 1,
        election: ELECTION,
        staff: Seq::from_bytes(&items(cards)),
        validators: Validators::from_bytes(&keys),
    })
}

/// A staff signature on a body.
pub fn sign<B: StaffBody>(card: &Signer, body: &B) -> StaffSignature {
    let mut buffer = [0; MAX_BODY];
    let message = body.message(&mut buffer).unwrap();
    StaffSignature {
        key: Bytes(card.public_key()),
        signature: Bytes(card.sign(B::LABEL, message).unwrap()),
    }
}

pub fn registration(kiosk: &Signer, station: u16) -> Registration {
    Registration {
        election: ELECTION,
        kiosk: Bytes(kiosk.public_key()),
        sealing: Bytes(key(99).public_key()),
        station,
        software: digest("software"),
    }
}

/// A registration with whatever signatures.
pub fn register_with(body: Registration, staff: &[StaffSignature]) -> Vec<u8> {
    let staff = items(staff);
    encode(&Transaction::Register {
        body,
        staff: Seq::from_bytes(&staff),
    })
}

impl World {
    pub fn genesis(&self) -> Genesis<'_> {
        Genesis::read(&self.genesis).unwrap()
    }

    fn pair<B: StaffBody>(&self, body: &B, out: &mut [u8; PAIR]) {
        let _ = staff_pair([sign(&self.staff[0], body), sign(&self.staff[1], body)], out);
    }

    pub fn register(&self, kiosk: &Signer, station: u16) -> Vec<u8> {
        let body = registration(kiosk, station);
        let mut pair = [0; PAIR];
        self.pair(&body, &mut pair);
        let staff = Seq::from_bytes(&pair);
        encode(&Transaction::Register { body, staff })
    }

    pub fn revoke(&self, kiosk: &Signer, reason: &str) -> Vec<u8> {
        let body = Revocation {
            election: ELECTION,
            kiosk: id(kiosk),
            reason,
        };
        let mut pair = [0; PAIR];
        self.pair(&body, &mut pair);
        let staff = Seq::from_bytes(&pair);
        encode(&Transaction::Revoke { body, staff })
    }

    pub fn takeover(&self, old: &Signer, new: &Signer, predecessor: Digest) -> Vec<u8> {
        let body = Takeover {
            election: ELECTION,
            epoch: 0,
            old: id(old),
            new: id(new),
            predecessor,
            count: 3,
        };
        let mut pair = [0; PAIR];
        self.pair(&body, &mut pair);
        let staff = Seq::from_bytes(&pair);
        encode(&Transaction::Takeover { body, staff })
    }

    /// Precommits of these validators for a block, one after the other.
    pub fn votes(&self, header: &BlockHeader, round: u32, who: &[u8]) -> Vec<u8> {
        let message = precommit(&header.chain, header.height, round, &header.hash());
        let votes: Vec<CommitSignature> = who
            .iter()
            .map(|index| CommitSignature {
                validator: *index,
                signature: Bytes(
                    self.validators[usize::from(*index)]
                        .sign_prehash(&sha256(&message))
                        .unwrap(),
                ),
            })
            .collect();
        items(&votes)
    }

    /// The block of these transactions at height 1.
    pub fn block(&self, transactions: &[Vec<u8>]) -> (BlockHeader, Vec<u8>) {
        let chain = self.genesis().chain_id();
        let header = BlockHeader {
            version: 1,
            chain,
            height: 1,
            previous: chain,
            transactions: merkle::root(transactions.iter().map(|bytes| merkle::leaf(bytes))),
            validators: self.genesis().validators.hash(),
        };
        let raw: Vec<Raw<'_>> = transactions.iter().map(|bytes| Raw(bytes)).collect();
        let block = encode(&Block {
            header,
            transactions: Seq::from_bytes(&items(&raw)),
        });
        (header, block)
    }
}

pub fn id(kiosk: &Signer) -> Digest {
    kiosk_id(&kiosk.public_key())
}

pub fn entries(names: &[&str]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = names
        .iter()
        .map(|name| Entry {
            kind: Kind::Cast,
            code: digest(name),
            leaf: digest(&format!("leaf of {name}")),
        })
        .collect();
    entries.sort_by_key(|entry| entry.code);
    entries
}

/// A batch of the first epoch; gives the transaction and the batch hash.
pub fn batch(
    kiosk: &Signer,
    number: u32,
    previous: Digest,
    names: &[&str],
    closing: Option<Digest>,
) -> (Vec<u8>, Digest) {
    let draft = Draft {
        election: ELECTION,
        epoch: 0,
        number,
        previous,
        audit: digest("audit"),
        closing,
    };
    let entries = entries(names);
    let mut out = vec![0; max_len(entries.len())];
    let (bytes, hash) = build(&draft, entries.iter().copied(), kiosk, &mut out).unwrap();
    let transaction = encode(&Transaction::Batch(wire::decode(bytes).unwrap()));
    (transaction, hash)
}
