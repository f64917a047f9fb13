//! A town in memory: kiosks that encrypt real ballots, batches on a real chain, closed boxes. The kiosk's own program is not
//! needed: what the desk gets from it is formats.
#![allow(dead_code, reason = "each test uses its part")]

mod chain;

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use election::ballot::{Layout, Secret, ballot_hash, encrypt};
use election::batch::{self, Draft, Entry, Kind, cast_leaf, spoiled_leaf};
use election::closing::{Closing, ClosingHasher, Counters, LABEL_STAFF_CLOSE, sign_closing, staff_close_message};
use election::hash::Digest;
use election::keys::Keys;
use election::ledger::{Registration, StaffSignature, Takeover, Transaction, kiosk_id, role};
use election::manifest::{Manifest, Policy, election_hash};
use election::sign::Signer;
use election::wire::{Bytes, Seq};
use election::words::ClosingWords;
use kiosk::ballot_box::{Label, Layout as MediumLayout};
use rand_core::{Rng as _, SeedableRng as _};
use staff::ballots::Crypto;
use staff::ceremony::{self, InMemory};
use staff::encode::{seq_of, to_bytes};
use staff::genesis::{self, Staff};
use staff::import::{Options, import_bytes};
use staff::medium::{BallotBox, Content, Record};
use staff::tally::{self, Input, Prepared, Tallied};
use staff::{Outcome, progress};

pub use chain::Chain;

pub const KAGA: &[u8] = include_bytes!("../../../../host-sim/elections/kaga-consultation.json");
pub const COUNTY: &[u8] = include_bytes!("../../../../host-sim/elections/physical_ballot_def_3.json");

pub struct Kiosk {
    pub signer: Signer,
    pub station: u16,
    pub epoch: u8,
    pub records: Vec<Record>,
    pub unsent: Vec<Entry>,
    number: u32,
    previous: Digest,
    pub counters: Counters,
    pub leaves: Vec<Digest>,
    pub spoiled: Vec<Digest>,
    pub closing: Option<Vec<u8>>,
    pub hash: Digest,
    pub transactions: Vec<Vec<u8>>,
}

impl Kiosk {
    pub fn id(&self) -> Digest {
        kiosk_id(&self.signer.public_key())
    }
}

pub struct Town {
    pub manifest: Vec<u8>,
    pub key: InMemory,
    pub genesis: Vec<u8>,
    pub authority: Signer,
    pub validator: Signer,
    pub staff: Vec<Signer>,
    pub election: Digest,
    pub chain: Chain,
    pub kiosks: Vec<Kiosk>,
    pub rng: ChaCha20Rng,
    pub late: Vec<Content>,
    pub reception: Option<Vec<u8>>,
}

impl Town {
    pub fn new(definition: &[u8], policy: Policy, seed: u8) -> Self {
        let key = ceremony::in_memory(&["A", "B", "C"], 2, &mut ChaCha20Rng::from_seed([seed ^ 0xff; 32])).unwrap();
        Self::with_key(definition, policy, seed, key)
    }

    /// With the key of another ceremony.
    pub fn with_key(definition: &[u8], policy: Policy, seed: u8, key: InMemory) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let options = Options {
            policy,
            ..Options::default()
        };
        let manifest = import_bytes(definition, &options).unwrap().manifest;
        let joint = Keys::read(&key.keys).unwrap().joint.0;
        let election = election_hash(&manifest, &joint);
        let staff: Vec<Signer> = (0..2).map(|_| Signer::generate(&mut rng)).collect();
        let roster: Vec<Staff> = staff
            .iter()
            .map(|signer| Staff {
                key: signer.public_key(),
                roles: role::POLLS | role::PROVISIONS,
                name: "staff".into(),
            })
            .collect();
        let validator = Signer::generate(&mut rng);
        let genesis = genesis::build(&election, &roster, &[validator.public_key()]).unwrap();
        let chain = Chain::new(&genesis, validator.clone());
        Self {
            manifest,
            key,
            genesis,
            authority: Signer::generate(&mut rng),
            validator,
            staff,
            election,
            chain,
            kiosks: Vec::new(),
            rng,
            late: Vec::new(),
            reception: None,
        }
    }

    /// Two staff signatures, ascending by key.
    fn pair(&self, label: &str, message: &[u8]) -> Vec<u8> {
        let mut list: Vec<StaffSignature> = self
            .staff
            .iter()
            .map(|signer| StaffSignature {
                key: Bytes(signer.public_key()),
                signature: Bytes(signer.sign(label, message).unwrap()),
            })
            .collect();
        list.sort_by_key(|signature| signature.key.0);
        seq_of(list).unwrap()
    }

    pub fn submit(&mut self, transaction: &Transaction<'_>) {
        self.chain.submit(&to_bytes(transaction).unwrap());
    }

    /// Registers a kiosk and gives its index.
    pub fn kiosk(&mut self, station: u16, epoch: u8) -> usize {
        let signer = Signer::generate(&mut self.rng);
        let body = Registration {
            election: self.election,
            kiosk: Bytes(signer.public_key()),
            sealing: Bytes(Signer::generate(&mut self.rng).public_key()),
            station,
            software: [1; 32],
        };
        let staff = self.pair("ippyo/1/sign/staff/register", &to_bytes(&body).unwrap());
        let registration = to_bytes(&Transaction::Register {
            body,
            staff: Seq::from_bytes(&staff),
        })
        .unwrap();
        self.chain.submit(&registration);
        self.kiosks.push(Kiosk {
            signer,
            station,
            epoch,
            records: Vec::new(),
            unsent: Vec::new(),
            number: 0,
            previous: [0; 32],
            counters: Counters::default(),
            leaves: Vec::new(),
            spoiled: Vec::new(),
            closing: None,
            hash: [0; 32],
            transactions: vec![registration],
        });
        self.kiosks.len() - 1
    }

    /// A ballot of style 0: one bitmap a contest. Gives its code.
    pub fn vote(&mut self, kiosk: usize, kind: Kind, choices: &[u64], tag: u8) -> Digest {
        let manifest = Manifest::parse(&self.manifest).unwrap();
        let joint = Keys::read(&self.key.keys).unwrap().joint.0;
        let crypto = Crypto::new(&manifest, self.election, &joint).unwrap();
        let layout: Layout<'_> = crypto.layout(0).unwrap();
        let mut ballot = vec![0; layout.ballot_len()];
        let mut secrets: Vec<Secret> = (0..layout.selections()).map(|_| Secret::EMPTY).collect();
        let at = &mut self.kiosks[kiosk];
        let code = encrypt(
            &crypto.election().unwrap(),
            at.station,
            &layout,
            choices,
            &mut self.rng,
            &mut ballot,
            &mut secrets,
        )
        .unwrap();
        let tag = match kind {
            Kind::Cast => [tag; 32],
            Kind::Spoiled => [0; 32],
        };
        let hash = ballot_hash(&ballot);
        let leaf = match kind {
            Kind::Cast => cast_leaf(at.epoch, &code, &hash, &tag),
            Kind::Spoiled => spoiled_leaf(at.epoch, &code, &hash),
        };
        match kind {
            Kind::Cast => {
                at.leaves.push(leaf);
                at.counters.admitted += 1;
                at.counters.recorded += 1;
            }
            Kind::Spoiled => {
                at.spoiled.push(code);
                at.counters.spoiled += 1;
            }
        }
        at.unsent.push(Entry { kind, code, leaf });
        at.records.push(Record {
            slot: u32::try_from(at.records.len()).unwrap(),
            kind,
            tag,
            ballot,
        });
        code
    }

    /// Sends all unsent entries.
    pub fn batch(&mut self, kiosk: usize, closing: Option<Digest>) {
        let at = &mut self.kiosks[kiosk];
        at.unsent.sort_by_key(|entry| entry.code);
        let draft = Draft {
            election: self.election,
            epoch: at.epoch,
            number: at.number,
            previous: at.previous,
            audit: [at.number as u8; 32],
            closing,
        };
        let mut out = vec![0; batch::max_len(at.unsent.len())];
        let (bytes, hash) = batch::build(&draft, at.unsent.iter().copied(), &at.signer, &mut out).unwrap();
        let Ok(batch) = batch::Batch::read(bytes) else {
            panic!("a batch")
        };
        let transaction = to_bytes(&Transaction::Batch(batch)).unwrap();
        at.transactions.push(transaction.clone());
        at.unsent.clear();
        at.number += 1;
        at.previous = hash;
        self.chain.submit(&transaction);
    }

    /// The spare takes the box over: records, counters, leaves.
    pub fn take_over(&mut self, old: usize, new: usize) {
        let body = Takeover {
            election: self.election,
            epoch: self.kiosks[old].epoch,
            old: self.kiosks[old].id(),
            new: self.kiosks[new].id(),
            predecessor: self.kiosks[old].previous,
            count: self.kiosks[old].counters.recorded,
        };
        let staff = self.pair("ippyo/1/sign/staff/takeover", &to_bytes(&body).unwrap());
        self.submit(&Transaction::Takeover {
            body,
            staff: Seq::from_bytes(&staff),
        });
        let from = &self.kiosks[old];
        let (records, unsent, counters, leaves, spoiled, previous) = (
            from.records.clone(),
            from.unsent.clone(),
            from.counters,
            from.leaves.clone(),
            from.spoiled.clone(),
            from.previous,
        );
        let to = &mut self.kiosks[new];
        (to.records, to.unsent, to.counters, to.leaves, to.spoiled, to.previous) =
            (records, unsent, counters, leaves, spoiled, previous);
    }

    pub fn close(&mut self, kiosk: usize) {
        let package = [9; 32];
        let at = &mut self.kiosks[kiosk];
        let audit = [at.number as u8; 32];
        let head = election::closing::ClosingHead {
            election: self.election,
            package,
            kiosk: at.id(),
            epoch: at.epoch,
        };
        at.leaves.sort_unstable();
        at.spoiled.sort_unstable();
        let count = |length: usize| u32::try_from(length).unwrap();
        let mut hasher = ClosingHasher::new(&head, count(at.leaves.len()), count(at.spoiled.len())).unwrap();
        for leaf in &at.leaves {
            hasher.cast(leaf).unwrap();
        }
        for code in &at.spoiled {
            hasher.spoiled(code).unwrap();
        }
        let hash = hasher.finish(&at.counters, &audit).unwrap();
        at.hash = hash;
        let message = staff_close_message(&self.election, &at.id(), at.epoch);
        let staff = self.pair(LABEL_STAFF_CLOSE, &message);
        let at = &mut self.kiosks[kiosk];
        let closing = Closing {
            election: self.election,
            package,
            kiosk: Bytes(at.signer.public_key()),
            station: at.station,
            epoch: at.epoch,
            counters: at.counters,
            audit,
            hash,
            staff: Seq::from_bytes(&staff),
            signature: sign_closing(&hash, &at.signer).unwrap(),
        };
        at.closing = Some(to_bytes(&closing).unwrap());
        self.batch(kiosk, Some(hash));
    }

    pub fn label(&self, kiosk: usize, role: u8) -> Label {
        let at = &self.kiosks[kiosk];
        Label {
            election: self.election,
            kiosk: at.id(),
            station: at.station,
            epoch: at.epoch,
            pair: [kiosk as u8; 16],
            role,
            layout: MediumLayout {
                sector: 4096,
                journal: 64,
                slot: 8,
                cast: 64,
                spoiled: 16,
            },
            takeover: None,
        }
    }

    pub fn content(&self, kiosk: usize, role: u8) -> Content {
        Content {
            label: self.label(kiosk, role),
            labels: Vec::new(),
            records: self.kiosks[kiosk].records.clone(),
            void: Vec::new(),
            transactions: self.kiosks[kiosk].transactions.clone(),
            closing: self.kiosks[kiosk].closing.clone(),
            events: Vec::new(),
            torn: 0,
            missing: 0,
        }
    }

    pub fn boxes(&self) -> Vec<BallotBox> {
        (0..self.kiosks.len())
            .filter(|kiosk| self.kiosks[*kiosk].closing.is_some())
            .map(|kiosk| staff::medium::join(Ok(self.content(kiosk, 0)), Ok(self.content(kiosk, 1)), "pair").unwrap())
            .collect()
    }

    pub fn words(&self) -> BTreeMap<Digest, String> {
        self.kiosks
            .iter()
            .filter(|kiosk| kiosk.closing.is_some())
            .map(|kiosk| (kiosk.id(), ClosingWords::of(&kiosk.hash).to_string()))
            .collect()
    }

    /// Prepares with these boxes and words, and hands the result to `then`.
    pub fn prepare<T>(
        &mut self,
        boxes: &[BallotBox],
        words: &BTreeMap<Digest, String>,
        then: impl FnOnce(&Prepared<'_>, &Town) -> T,
    ) -> Outcome<T> {
        let chain = self.chain.bytes.clone();
        let prepared = tally::prepare(
            Input {
                manifest: &self.manifest,
                keys: &self.key.keys,
                ceremony: &self.key.transcript,
                genesis: &self.genesis,
                chain: &chain,
                boxes,
                late: &self.late,
                words,
                reception: self.reception.as_deref(),
                reissued: Some(0),
                generated: "2026-11-22T20:00:00+09:00",
            },
            &progress::silent,
        )?;
        Ok(then(&prepared, self))
    }

    pub fn tally(&mut self) -> Outcome<Tallied> {
        let (boxes, words) = (self.boxes(), self.words());
        self.prepare(&boxes, &words, |prepared, town| {
            let mut rng = ChaCha20Rng::from_seed([77; 32]);
            let parts: Vec<_> = town
                .key
                .secrets
                .iter()
                .skip(1)
                .map(|secret| tally::decrypt(prepared, secret, &mut rng).unwrap())
                .collect();
            tally::finish(prepared, &parts, &town.authority, &progress::silent)
        })?
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }
}
