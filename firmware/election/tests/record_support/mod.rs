//! A whole small election made by hand from SPEC.md: ceremony, ballots, batches, blocks, closings, tally, files.
//!
//! Ceremony and tally are computed here from the formulas, not by the crate, so that the verification is judged by something
//! else than its own twin; and everything can be made to lie before it is signed.
#![allow(dead_code, reason = "each test uses its part")]

pub mod memory;

use std::collections::{BTreeMap, BTreeSet};

use chacha20::ChaCha20Rng;
use election::ballot::{ContestShape, Election, Layout, Secret, ballot_hash, encrypt};
use election::batch::{self, Batch, Draft, Entry, Kind, cast_leaf, kiosk_id, spoiled_leaf};
use election::closing::{Closing, ClosingHasher, Counters, LABEL_STAFF_CLOSE, sign_closing, staff_close_message};
use election::group::{Point, ProjectivePoint, Scalar, random_scalar, scalar_bytes};
use election::hash::{Digest, hash, hash_to_scalar, sha256};
use election::keys::{Keys, TrusteeKey};
use election::ledger::{
    Block, BlockHeader, Certificate, CommitSignature, Decided, Genesis, Raw, Registration, Revocation, StaffCard,
    StaffSignature, Takeover, Transaction, Validators, precommit, transactions_root,
};
use election::manifest::{
    Choice, Contest, Epoch, Kind as ContestKind, Manifest, Mode, Policy, Style, StyleContest, Text, Unit, election_hash,
};
use election::record::{FileName, Files, PublishedBallot, PublishedSpoiled, write_index};
use election::sign::Signer;
use election::signed::Signed;
use election::table::Table6;
use election::wire::{self, Bytes, Seq};
use rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;

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

/// Contest 0 "choose 1 of 2", contest 1 "choose up to 2 of 3"; style 0 has both, style 1 only the second.
pub const SHAPES: [&[ContestShape]; 2] = [
    &[
        ContestShape {
            contest: 0,
            options: 2,
            votes: 1,
        },
        ContestShape {
            contest: 1,
            options: 3,
            votes: 2,
        },
    ],
    &[ContestShape {
        contest: 1,
        options: 3,
        votes: 2,
    }],
];

fn manifest(policy: Policy, epochs: usize) -> Vec<u8> {
    let name = seq_of([Text {
        language: "en",
        text: "Name",
    }]);
    let name = || Seq::from_bytes(&name);
    let choice = |id| Choice {
        id,
        name: name(),
        party: Seq::default(),
    };
    let two = seq_of(["yes", "no"].map(choice));
    let three = seq_of(["x", "y", "z"].map(choice));
    let contest = |id, votes, options| Contest {
        id,
        kind: ContestKind::Candidates,
        votes,
        name: name(),
        text: Seq::default(),
        options: Seq::from_bytes(options),
    };
    let contests = seq_of([contest("measure", 1, &two), contest("council", 2, &three)]);
    let item = |contest| StyleContest { contest, order: &[] };
    let (both, second) = (seq_of([item(0), item(1)]), seq_of([item(1)]));
    let style = |id, contests| Style {
        id,
        units: Seq::default(),
        contests: Seq::from_bytes(contests),
    };
    let styles = seq_of([style("both", &both), style("second", &second)]);
    let languages = seq_of(["en"]);
    let epochs = seq_of((0..epochs).map(|_| Epoch { name: name() }));
    let units = seq_of([Unit {
        id: "town",
        name: name(),
    }]);
    bytes_of(&Manifest {
        version: 1,
        id: "by-hand",
        mode: Mode::Consultation,
        policy,
        first_day: 20261122,
        last_day: 20261123,
        batch: 2,
        small_group: 0,
        languages: Seq::from_bytes(&languages),
        name: name(),
        epochs: Seq::from_bytes(&epochs),
        units: Seq::from_bytes(&units),
        contests: Seq::from_bytes(&contests),
        styles: Seq::from_bytes(&styles),
    })
}

/// 2 of 3 trustees, from section 3.
pub struct Trustees {
    pub keys: Vec<u8>,
    pub transcript: Vec<u8>,
    pub joint: ProjectivePoint,
    /// s_l
    pub shares: Vec<Scalar>,
}

const THRESHOLD: usize = 2;
const TRUSTEES: usize = 3;

#[derive(Serialize)]
struct Ceremony<'a> {
    version: u16,
    id: Digest,
    threshold: u8,
    trustees: Seq<'a, Trustee<'a>>,
}

#[derive(Serialize)]
struct Trustee<'a> {
    name: &'a str,
    signing: Bytes<33>,
    sealing: Bytes<33>,
}

fn ceremony(rng: &mut ChaCha20Rng) -> Trustees {
    let names = ["Akagi", "Beppu", "Chiba"];
    let trustees = seq_of((0..TRUSTEES).map(|i| Trustee {
        name: names[i],
        signing: Bytes(signer(40 + i as u8).public_key()),
        sealing: Bytes(signer(50 + i as u8).public_key()),
    }));
    let ceremony = bytes_of(&Ceremony {
        version: 1,
        id: [7; 32],
        threshold: THRESHOLD as u8,
        trustees: Seq::from_bytes(&trustees),
    });
    let id = hash("ippyo/1/ceremony", &[&ceremony]);
    let signed = |trustee: usize, kind: u8, body: Vec<u8>| {
        let message = [&[kind][..], &body].concat();
        let signature = signer(40 + trustee as u8)
            .sign("ippyo/1/sign/ceremony", &message)
            .unwrap();
        (body, Bytes(signature))
    };
    let coefficients: Vec<Vec<Scalar>> = (0..TRUSTEES)
        .map(|_| (0..THRESHOLD).map(|_| random_scalar(rng).unwrap()).collect())
        .collect();
    let g = ProjectivePoint::GENERATOR;
    let mut reveals = Vec::new();
    let mut commits = Vec::new();
    for (i, polynomial) in coefficients.iter().enumerate() {
        let number = [i as u8 + 1];
        let list: Vec<u8> = polynomial
            .iter()
            .enumerate()
            .flat_map(|(j, a)| {
                let c_ij = encoded(g * a);
                let u = random_scalar(rng).unwrap();
                let label = "ippyo/1/ceremony/knowledge";
                let c = hash_to_scalar(label, &[&id, &number, &[j as u8], &c_ij, &encoded(g * u)]);
                let v = u - c * a;
                [&c_ij[..], &scalar_bytes(&c), &scalar_bytes(&v)].concat()
            })
            .collect();
        let body = [&id[..], &number, &bytes_of(&list.len()), &list].concat();
        let commit = [&id[..], &number, &hash("ippyo/1/ceremony/reveal", &[&body])].concat();
        reveals.push(signed(i, 2, body));
        commits.push(signed(i, 1, commit));
    }
    let joint: ProjectivePoint = coefficients.iter().map(|polynomial| g * polynomial[0]).sum();
    let shares: Vec<Scalar> = (1..=TRUSTEES)
        .map(|l| {
            let l = Scalar::from(l as u64);
            coefficients
                .iter()
                .map(|polynomial| polynomial.iter().rev().fold(Scalar::ZERO, |sum, a| sum * l + a))
                .sum()
        })
        .collect();
    let parts: Vec<&[u8]> = commits.iter().chain(&reveals).map(|(body, _)| &body[..]).collect();
    let transcript = hash("ippyo/1/ceremony/transcript", &parts);
    let accepts: Vec<_> = (0..TRUSTEES)
        .map(|i| signed(i, 4, [&id[..], &[i as u8 + 1], &transcript, &encoded(joint)].concat()))
        .collect();
    let list = |messages: &[(Vec<u8>, Bytes<64>)]| {
        let items = messages.iter().map(|(body, signature)| Signed {
            body,
            signature: *signature,
        });
        let items = seq_of(items);
        [bytes_of(&items.len()), items].concat()
    };
    let keys = seq_of((0..TRUSTEES).map(|i| TrusteeKey {
        name: names[i],
        share: Bytes(encoded(g * shares[i])),
    }));
    Trustees {
        keys: bytes_of(&Keys {
            threshold: THRESHOLD as u8,
            joint: Bytes(encoded(joint)),
            trustees: Seq::from_bytes(&keys),
        }),
        transcript: [
            bytes_of(&ceremony.len()),
            ceremony,
            list(&commits),
            list(&reveals),
            list(&accepts),
        ]
        .concat(),
        joint,
        shares,
    }
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

    pub fn staff(&self, seeds: &[u8], label: &str, message: &[u8]) -> Vec<u8> {
        let mut cards: Vec<_> = seeds
            .iter()
            .map(|seed| StaffSignature {
                key: Bytes(signer(*seed).public_key()),
                signature: Bytes(signer(*seed).sign(label, message).unwrap()),
            })
            .collect();
        cards.sort_by_key(|card| card.key);
        seq_of(cards)
    }

    pub fn register(&mut self, station: u16) -> usize {
        let signer = signer(100 + self.kiosks.len() as u8);
        let body = Registration {
            election: self.election,
            kiosk: Bytes(signer.public_key()),
            sealing: Bytes(signer.public_key()),
            station,
            software: [5; 32],
        };
        let staff = self.staff(&[10, 11], "ippyo/1/sign/staff/register", &bytes_of(&body));
        let staff = Seq::from_bytes(&staff);
        self.pending.push(bytes_of(&Transaction::Register { body, staff }));
        self.kiosks.push(Kiosk {
            signer,
            station,
            next: 0,
            previous: [0; 32],
            took_over: None,
            closing: None,
        });
        self.kiosks.len() - 1
    }

    pub fn revoke(&mut self, kiosk: usize) {
        let body = Revocation {
            election: self.election,
            kiosk: self.kiosks[kiosk].id(),
            reason: "stolen",
        };
        let staff = self.staff(&[10, 11], "ippyo/1/sign/staff/revoke", &bytes_of(&body));
        let staff = Seq::from_bytes(&staff);
        self.pending.push(bytes_of(&Transaction::Revoke { body, staff }));
    }

    /// `new` takes the place of `old`, and its ballots.
    pub fn take_over(&mut self, old: usize, new: usize) {
        let predecessor = self.kiosks[old].previous;
        let body = Takeover {
            election: self.election,
            epoch: 0,
            old: self.kiosks[old].id(),
            new: self.kiosks[new].id(),
            predecessor,
            count: 0,
        };
        let staff = self.staff(&[10, 11], "ippyo/1/sign/staff/takeover", &bytes_of(&body));
        let staff = Seq::from_bytes(&staff);
        self.pending.push(bytes_of(&Transaction::Takeover { body, staff }));
        self.kiosks[new].previous = predecessor;
        self.kiosks[new].took_over = Some(old);
        for ballot in self.ballots.iter_mut().filter(|ballot| ballot.kiosk == old) {
            ballot.kiosk = new;
        }
    }

    fn ballot(&mut self, kind: Kind, kiosk: usize, style: usize, epoch: u8, tag: u8, choices: &[u64]) -> usize {
        let layout = Layout::new(style as u16, SHAPES[style]).unwrap();
        let mut bytes = vec![0; layout.ballot_len()];
        let mut secrets: Vec<Secret> = (0..layout.selections()).map(|_| Secret::EMPTY).collect();
        let station = self.kiosks[kiosk].station;
        let mut rng = ChaCha20Rng::from_rng(&mut self.rng);
        let code = encrypt(
            &self.crypto(),
            station,
            &layout,
            choices,
            &mut rng,
            &mut bytes,
            &mut secrets,
        )
        .unwrap();
        let tag = if kind == Kind::Cast { [tag; 32] } else { [0; 32] };
        let mut ballot = Ballot {
            kind,
            kiosk,
            epoch,
            tag,
            bytes,
            code,
            leaf: [0; 32],
            style,
            choices: choices.to_vec(),
        };
        ballot.leaf = leaf_of(&ballot);
        self.ballots.push(ballot);
        self.ballots.len() - 1
    }

    pub fn cast(&mut self, kiosk: usize, style: usize, epoch: u8, tag: u8, choices: &[u64]) -> usize {
        self.ballot(Kind::Cast, kiosk, style, epoch, tag, choices)
    }

    pub fn spoil(&mut self, kiosk: usize, style: usize, epoch: u8, choices: &[u64]) -> usize {
        self.ballot(Kind::Spoiled, kiosk, style, epoch, 0, choices)
    }

    /// A batch of these ballots.
    pub fn batch(&mut self, kiosk: usize, epoch: u8, ballots: &[usize], closing: Option<Digest>) {
        let entries = ballots.iter().map(|ballot| self.ballots[*ballot].entry()).collect();
        self.batch_of(kiosk, epoch, entries, closing);
    }

    pub fn batch_of(&mut self, kiosk: usize, epoch: u8, mut entries: Vec<Entry>, closing: Option<Digest>) {
        entries.sort_by_key(|entry| entry.code);
        let mut out = vec![0; batch::max_len(entries.len())];
        let row = &mut self.kiosks[kiosk];
        let draft = Draft {
            election: self.election,
            epoch,
            number: row.next,
            previous: row.previous,
            audit: [3; 32],
            closing,
        };
        let (bytes, hash) = batch::build(&draft, entries.iter().copied(), &row.signer, &mut out).unwrap();
        row.next += 1;
        row.previous = hash;
        let batch = Batch::read(bytes).unwrap();
        self.pending.push(bytes_of(&Transaction::Batch(batch)));
        self.on_ledger.extend(entries);
    }

    /// Counters as an honest kiosk has them.
    pub fn counters(&self, kiosk: usize, epoch: u8) -> Counters {
        let count = |kind| {
            let of = |ballot: &&Ballot| (ballot.kind, ballot.kiosk, ballot.epoch) == (kind, kiosk, epoch);
            self.ballots.iter().filter(of).count() as u32
        };
        Counters {
            admitted: count(Kind::Cast) + 3,
            recorded: count(Kind::Cast),
            abandoned: 2,
            interrupted: 1,
            spoiled: count(Kind::Spoiled),
            void: 0,
        }
    }

    /// Closes a kiosk: the rest of its ballots leaves in the last batch.
    pub fn close(&mut self, kiosk: usize, epoch: u8) {
        self.close_with(kiosk, epoch, &[10, 11], |closing| closing);
    }

    pub fn close_with(
        &mut self,
        kiosk: usize,
        epoch: u8,
        cards: &[u8],
        change: impl for<'b> FnOnce(Closing<'b>) -> Closing<'b>,
    ) {
        let own = |kind| {
            let mut own: Vec<&Ballot> = self
                .ballots
                .iter()
                .filter(|ballot| (ballot.kind, ballot.kiosk, ballot.epoch) == (kind, kiosk, epoch))
                .collect();
            own.sort_by_key(|ballot| if kind == Kind::Cast { ballot.leaf } else { ballot.code });
            own
        };
        let row = &self.kiosks[kiosk];
        let counters = self.counters(kiosk, epoch);
        let message = staff_close_message(&self.election, &row.id(), epoch);
        let staff = self.staff(cards, LABEL_STAFF_CLOSE, &message);
        let mut closing = change(Closing {
            election: self.election,
            package: [8; 32],
            kiosk: Bytes(row.signer.public_key()),
            station: row.station,
            epoch,
            counters,
            audit: [3; 32],
            hash: [0; 32],
            staff: Seq::from_bytes(&staff),
            signature: Bytes([0; 64]),
        });
        let (cast, spoiled) = (own(Kind::Cast), own(Kind::Spoiled));
        let mut hasher = ClosingHasher::new(&closing.head(), cast.len() as u32, spoiled.len() as u32).unwrap();
        for ballot in &cast {
            hasher.cast(&ballot.leaf).unwrap();
        }
        for ballot in &spoiled {
            hasher.spoiled(&ballot.code).unwrap();
        }
        // A lying kiosk does not use our hasher's checks.
        closing.hash = hasher
            .finish(&closing.counters, &closing.audit)
            .unwrap_or_else(|_| hash("ippyo/1/closing", &[b"a lie"]));
        closing.signature = sign_closing(&closing.hash, &row.signer).unwrap();
        let sent: BTreeSet<Digest> = self.on_ledger.iter().map(|entry| entry.leaf).collect();
        let rest = cast.iter().chain(&spoiled);
        let rest = rest
            .filter(|ballot| !sent.contains(&ballot.leaf))
            .map(|ballot| ballot.entry())
            .collect();
        let (encoded, closing_hash) = (bytes_of(&closing), closing.hash);
        self.kiosks[kiosk].closing = Some(encoded);
        self.batch_of(kiosk, epoch, rest, Some(closing_hash));
    }

    /// Puts the pending transactions into a block.
    pub fn seal(&mut self) {
        let transactions = seq_of(self.pending.iter().map(|transaction| Raw(transaction)));
        self.pending.clear();
        let transactions = Seq::from_bytes(&transactions);
        let genesis = Genesis::read(&self.genesis).unwrap();
        let header = BlockHeader {
            version: 1,
            chain: genesis.chain_id(),
            height: self.blocks.len() as u64 + 1,
            previous: self.tip,
            transactions: transactions_root(transactions).unwrap(),
            validators: genesis.validators.hash(),
        };
        let block = bytes_of(&Block { header, transactions });
        self.tip = header.hash();
        let message = sha256(&precommit(&header.chain, header.height, 0, &self.tip));
        let signatures = seq_of((0..self.validators_signing).map(|i| CommitSignature {
            validator: i as u8,
            signature: Bytes(signer(20 + i as u8).sign_prehash(&message).unwrap()),
        }));
        self.blocks.push(bytes_of(&Decided {
            block: Raw(&block),
            certificate: Certificate {
                height: header.height,
                round: 0,
                block: self.tip,
                signatures: Seq::from_bytes(&signatures),
            },
        }));
    }

    fn is_closed(&self, kiosk: usize) -> bool {
        self.kiosks[kiosk].closing.is_some()
    }

    /// Cast ballots of closed kiosks ascending by code, and spoiled ones.
    pub fn published(&self) -> (Vec<&Ballot>, Vec<&Ballot>) {
        let of = |kind| {
            let mut list: Vec<&Ballot> = self
                .ballots
                .iter()
                .filter(|ballot| ballot.kind == kind && self.is_closed(ballot.kiosk))
                .collect();
            list.sort_by_key(|ballot| ballot.code);
            list
        };
        (of(Kind::Cast), of(Kind::Spoiled))
    }

    /// The codes of a kiosk's cast ballots as they will be published, before it has closed.
    pub fn published_if_closed(&self, kiosk: usize) -> Vec<Digest> {
        let own = |ballot: &&Ballot| ballot.kiosk == kiosk && ballot.kind == Kind::Cast;
        let mut codes: Vec<Digest> = self.ballots.iter().filter(own).map(|ballot| ballot.code).collect();
        codes.sort_unstable();
        codes
    }

    /// Which ballots count, word for word from section 10.
    pub fn counted(&self) -> Vec<&Ballot> {
        let place = |ballot: &Ballot| self.on_ledger.iter().position(|entry| entry.leaf == ballot.leaf);
        let mut best: BTreeMap<Digest, &Ballot> = BTreeMap::new();
        for ballot in self.published().0 {
            let better = |other: &Ballot| match self.policy {
                Policy::Last if ballot.epoch != other.epoch => ballot.epoch > other.epoch,
                _ => place(ballot) < place(other),
            };
            if best.get(&ballot.tag).is_none_or(|other| better(other)) {
                best.insert(ballot.tag, ballot);
            }
        }
        best.into_values().collect()
    }

    /// What the voters whose ballots count chose: for each contest its options, then the no-votes one by one.
    pub fn expected_totals(&self) -> [Vec<u32>; 2] {
        let mut totals = [vec![0; 3], vec![0; 5]];
        for ballot in self.counted() {
            for (shape, choice) in SHAPES[ballot.style].iter().zip(&ballot.choices) {
                let total = &mut totals[usize::from(shape.contest)];
                for option in 0..shape.options {
                    total[usize::from(option)] += (*choice >> option & 1) as u32;
                }
                let unused = u32::from(shape.votes) - choice.count_ones();
                for no_vote in 0..unused {
                    total[usize::from(shape.options) + no_vote as usize] += 1;
                }
            }
        }
        totals
    }

    /// The tally by these trustees, numbered from 1.
    pub fn tally(&mut self, trustees: &[usize]) -> Vec<u8> {
        let counted: Vec<Ballot> = self.counted().into_iter().cloned().collect();
        let totals = self.expected_totals();
        let g = ProjectivePoint::GENERATOR;
        let mut contests = Vec::new();
        for contest in 0..2u16 {
            let with: Vec<&Ballot> = counted
                .iter()
                .filter(|ballot| SHAPES[ballot.style].iter().any(|shape| shape.contest == contest))
                .collect();
            let mut selections = Vec::new();
            for (selection, total) in totals[usize::from(contest)].iter().enumerate() {
                if with.is_empty() {
                    continue;
                }
                let (mut a, mut b) = (ProjectivePoint::IDENTITY, ProjectivePoint::IDENTITY);
                for ballot in &with {
                    let mut at = 35;
                    for shape in SHAPES[ballot.style].iter().take_while(|shape| shape.contest != contest) {
                        at += shape.encoded_len();
                    }
                    at += selection * 294;
                    let point = |at: usize| {
                        let bytes: [u8; 33] = ballot.bytes[at..at + 33].try_into().unwrap();
                        Point::from_bytes(&bytes).unwrap().projective()
                    };
                    a += point(at);
                    b += point(at + 33);
                }
                let decryptions: Vec<u8> = trustees
                    .iter()
                    .flat_map(|l| {
                        let share = self.trustees.shares[l - 1];
                        let m = a * share;
                        let u = random_scalar(&mut self.rng).unwrap();
                        let c = hash_to_scalar(
                            "ippyo/1/decryption",
                            &[
                                &self.election,
                                &[*l as u8],
                                &contest.to_be_bytes(),
                                &[selection as u8],
                                &encoded(g * share),
                                &encoded(a),
                                &encoded(b),
                                &encoded(m),
                                &encoded(g * u),
                                &encoded(a * u),
                            ],
                        );
                        let v = u - c * share;
                        [&[*l as u8][..], &encoded(m), &scalar_bytes(&c), &scalar_bytes(&v)].concat()
                    })
                    .collect();
                selections.extend(encoded(a));
                selections.extend(encoded(b));
                selections.extend(bytes_of(total));
                selections.extend(bytes_of(&decryptions.len()));
                selections.extend(decryptions);
            }
            contests.extend(bytes_of(&contest));
            contests.extend(bytes_of(&(with.len() as u32)));
            contests.extend(bytes_of(&selections.len()));
            contests.extend(selections);
        }
        [
            &self.election[..],
            &bytes_of(&(counted.len() as u32)),
            &bytes_of(&contests.len()),
            &contests,
        ]
        .concat()
    }

    /// What results.json must have (section 10); its form in full is NIST's.
    fn results(&self) -> String {
        let names: [(&str, &[&str]); 2] = [("measure", &["yes", "no"]), ("council", &["x", "y", "z"])];
        let contests: Vec<String> = names
            .iter()
            .zip(self.expected_totals())
            .map(|((contest, options), totals)| {
                let count = |(option, total): (&&str, &u32)| {
                    format!(r#"{{"@id": "{option}", "VoteCounts": [{{"Type": "total", "Count": {total}}}]}}"#)
                };
                let selections: Vec<String> = options.iter().zip(&totals).map(count).collect();
                let unused: u32 = totals.iter().skip(options.len()).sum();
                format!(
                    r#"{{"@id": "{contest}", "ContestSelection": [{}], "OtherCounts": [{{"Undervotes": {unused}}}]}}"#,
                    selections.join(", ")
                )
            })
            .collect();
        format!(r#"{{"Election": [{{"Contest": [{}]}}]}}"#, contests.join(", "))
    }

    /// All files, signed.
    pub fn record(&mut self) -> Owned {
        let (cast, spoiled) = self.published();
        let ballots = seq_of(cast.iter().map(|ballot| self.publish(ballot)));
        let spoiled = seq_of(spoiled.iter().map(|ballot| PublishedSpoiled {
            kiosk: self.kiosks[ballot.kiosk].id(),
            epoch: ballot.epoch,
            ballot: Raw(&ballot.bytes),
        }));
        let mut closings: Vec<(&[u8; 33], &Vec<u8>)> = Vec::new();
        let keys: Vec<[u8; 33]> = self.kiosks.iter().map(|kiosk| kiosk.signer.public_key()).collect();
        for (kiosk, key) in self.kiosks.iter().zip(&keys) {
            if let Some(closing) = &kiosk.closing {
                closings.push((key, closing));
            }
        }
        closings.sort_by_key(|(key, _)| **key);
        let closings = closings
            .iter()
            .flat_map(|(_, closing)| closing.iter().copied())
            .collect();
        let tally = self.tally(&[1, 3]);
        let mut owned = Owned {
            election: self.election,
            files: BTreeMap::from([
                (FileName::Ballots, ballots),
                (FileName::Ceremony, self.trustees.transcript.clone()),
                (FileName::Chain, self.blocks.concat()),
                (FileName::Closings, closings),
                (FileName::Genesis, self.genesis.clone()),
                (FileName::Keys, self.trustees.keys.clone()),
                (FileName::Manifest, self.manifest.clone()),
                (FileName::Report, b"<html>".to_vec()),
                (FileName::Results, self.results().into_bytes()),
                (FileName::Spoiled, spoiled),
                (FileName::Tally, tally),
            ]),
        };
        owned.sign();
        owned
    }

    pub fn publish<'b>(&self, ballot: &'b Ballot) -> PublishedBallot<'b> {
        PublishedBallot {
            kiosk: self.kiosks[ballot.kiosk].id(),
            epoch: ballot.epoch,
            tag: ballot.tag,
            ballot: Raw(&ballot.bytes),
        }
    }

    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

pub fn leaf_of(ballot: &Ballot) -> Digest {
    let hash = ballot_hash(&ballot.bytes);
    match ballot.kind {
        Kind::Cast => cast_leaf(ballot.epoch, &ballot.code, &hash, &ballot.tag),
        Kind::Spoiled => spoiled_leaf(ballot.epoch, &ballot.code, &hash),
    }
}

/// The authority's seed.
pub const AUTHORITY: u8 = 1;

#[derive(Clone)]
pub struct Owned {
    pub election: Digest,
    pub files: BTreeMap<FileName, Vec<u8>>,
}

impl Owned {
    pub fn get(&self, file: FileName) -> &[u8] {
        self.files.get(&file).map_or(&[], Vec::as_slice)
    }

    pub fn files(&self) -> Files<'_> {
        Files {
            index: self.get(FileName::Index),
            manifest: self.get(FileName::Manifest),
            keys: self.get(FileName::Keys),
            ceremony: self.get(FileName::Ceremony),
            genesis: self.get(FileName::Genesis),
            chain: self.get(FileName::Chain),
            ballots: self.get(FileName::Ballots),
            spoiled: self.get(FileName::Spoiled),
            closings: self.get(FileName::Closings),
            tally: self.get(FileName::Tally),
            results: self.get(FileName::Results),
            report: self.get(FileName::Report),
            reception: self.files.get(&FileName::Reception).map(Vec::as_slice),
        }
    }

    /// A new index over the files as they are: an authority that lies.
    pub fn sign(&mut self) {
        let mut out = [0; 2048];
        let index = write_index(&self.election, &self.files(), &signer(AUTHORITY), &mut out).unwrap();
        let index = index.to_vec();
        self.files.insert(FileName::Index, index);
    }

    pub fn with(&self, file: FileName, bytes: Vec<u8>) -> Self {
        let mut changed = self.clone();
        changed.files.insert(file, bytes);
        changed.sign();
        changed
    }
}
