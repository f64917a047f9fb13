//! What a kiosk does with a voter's choice: package, encryption, proofs, opening, batch, closing.

use core::hint::black_box;

use election::ballot::{self, Election, Layout, Scratch, Secret, Term};
use election::batch::{self, Draft, Entry};
use election::closing::{ClosingHasher, ClosingHead, Counters};
use election::group::Point;
use election::ledger::CommitProof;
use election::manifest::ContestShape;
use election::opening::{self, Opening};
use election::package::{Package, SectionStream, SignedHeader};
use election::sign::{self, Signer};
use election::table::Table4;
use election::wire::Bytes;
use election::words::ClosingWords;

use crate::inputs::{Counter, bytes, digest, key, signature};

const LENGTH: usize = 35 + 3 * 294 + 98;

pub fn all() -> bool {
    package() & ballot() & batches() & closing()
}

fn package() -> bool {
    let opened = Package::open(bytes(), &key()).is_ok_and(|p| p.roll.style(&digest()).is_some());
    let streamed = SignedHeader::open(bytes(), &key()).is_ok_and(|signed| {
        let mut stream = SectionStream::new(&signed);
        stream.feed(bytes()).is_ok() && stream.finish().is_ok()
    });
    opened & streamed
}

fn ballot() -> bool {
    let (mut g, mut k) = (Table4::EMPTY, Table4::EMPTY);
    let Ok(joint) = Point::from_bytes(&key()) else {
        return false;
    };
    let (g, k) = (g.build(&Point::GENERATOR), k.build(&joint));
    let Ok(election) = Election::new(digest(), g, k) else {
        return false;
    };
    let shapes = [ContestShape {
        contest: 0,
        options: 2,
        votes: 1,
    }];
    let Ok(layout) = Layout::new(0, &shapes) else {
        return false;
    };
    let mut out = [0; LENGTH];
    let mut secrets = [Secret::EMPTY, Secret::EMPTY, Secret::EMPTY];
    let Ok(code) = ballot::encrypt(
        &election,
        1,
        &layout,
        &black_box([1]),
        &mut Counter::new(),
        &mut out,
        &mut secrets,
    ) else {
        return false;
    };
    let mut opened = [0; opening::opening_len(3)];
    let Ok(view) = ballot::verify(&election, layout, &out) else {
        return false;
    };
    let mut terms = [Term::EMPTY; 32];
    let mut buckets = [black_box(ballot::Bucket::EMPTY); 8];
    let together = ballot::verify_batch(&election, &[view], &mut Scratch::new(&mut terms, &mut buckets)).is_ok();
    let shown = opening::write(&code, 0, &secrets, &mut opened).is_ok()
        && Opening::parse(&opened).is_ok_and(|o| o.verify(&election, 1, &view).is_ok());
    together & shown
}

fn batches() -> bool {
    let signer = Signer::generate(&mut Counter::new());
    let draft = Draft {
        election: digest(),
        epoch: 0,
        number: 0,
        previous: digest(),
        audit: digest(),
        closing: None,
    };
    let entry = Entry {
        kind: black_box(batch::Kind::Cast),
        code: digest(),
        leaf: digest(),
    };
    let mut out = [0; batch::max_len(1)];
    let built = batch::build(&draft, core::iter::once(entry), &signer, &mut out)
        .is_ok_and(|(raw, _)| batch::Batch::read(raw).is_ok_and(|b| b.check(&signer.public_key()).is_ok()));
    let proven = election::wire::decode::<CommitProof<'_>>(bytes()).is_ok_and(|proof| {
        let validators = election::ledger::Validators::from_bytes(bytes());
        proof.verify(&digest(), validators, bytes()).is_ok()
    });
    built & proven & sign::verify(&key(), "x", bytes(), &signature()).is_ok()
}

fn closing() -> bool {
    let head = ClosingHead {
        election: digest(),
        package: digest(),
        kiosk: digest(),
        epoch: 0,
    };
    let counters = Counters {
        admitted: 1,
        recorded: 1,
        abandoned: 0,
        interrupted: 0,
        spoiled: 0,
        void: 0,
    };
    let Ok(mut hasher) = ClosingHasher::new(&head, 1, 0) else {
        return false;
    };
    if hasher.cast(&digest()).is_err() {
        return false;
    }
    let Ok(hash) = hasher.finish(&counters, &digest()) else {
        return false;
    };
    let signed = election::closing::sign_closing(&hash, &Signer::generate(&mut Counter::new()));
    let Bytes(raw) = signed.unwrap_or(Bytes(signature()));
    ClosingWords::of(&hash).matches(&hash) & (raw[0] == 0)
}
