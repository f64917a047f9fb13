//! What reaches the chain: kiosks that are registered, revoked and taken over, ballots, batches, blocks.

use chacha20::ChaCha20Rng;
use election::ballot::{Layout, Secret, ballot_hash, encrypt};
use election::batch::{self, Batch, Draft, Entry, Kind, cast_leaf, spoiled_leaf};
use election::hash::{Digest, sha256};
use election::ledger::{
    Block, BlockHeader, Certificate, CommitSignature, Decided, Genesis, Raw, Registration, Revocation, StaffSignature,
    Takeover, Transaction, precommit, transactions_root,
};
use election::wire::{Bytes, Seq};
use rand_core::SeedableRng as _;

use super::{Ballot, ByHand, Kiosk, SHAPES, bytes_of, seq_of, signer};

impl ByHand {
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
}

pub fn leaf_of(ballot: &Ballot) -> Digest {
    let hash = ballot_hash(&ballot.bytes);
    match ballot.kind {
        Kind::Cast => cast_leaf(ballot.epoch, &ballot.code, &hash, &ballot.tag),
        Kind::Spoiled => spoiled_leaf(ballot.epoch, &ballot.code, &hash),
    }
}
