//! What the desk and an auditor do: ceremony, sealing, ledger rules, decryption, the verification of a whole record.

use core::hint::black_box;

use election::ballot::{self, Election};
use election::ceremony::{Commits, Dealer, Setup, verify_transcript};
use election::ledger::{BatchRow, Genesis, KioskRow, Rules, Tables, Transaction};
use election::manifest::ContestShape;
use election::record::{Files, ReceptionCount};
use election::sign::Signer;
use election::table::Table4;
use election::tag::{ElectionSecret, Pseudonym, piv_point};
use election::tally::{SelectionSum, TrusteeSecret};
use election::verify::{BallotRow, EntryRow, LineRow, Record, Scratch, StyleRow, SumLayout};

use crate::inputs::{Counter, bytes, digest, key};

/// Everything here once.
pub fn all() -> bool {
    ledger() & ceremony() & tag() & record().is_some()
}

fn ledger() -> bool {
    let Ok(genesis) = Genesis::read(bytes()) else {
        return false;
    };
    let (mut kiosks, mut batches) = ([KioskRow::EMPTY; 2], [BatchRow::EMPTY; 2]);
    let mut rules = Rules::new(genesis, Tables::new(&mut kiosks, &mut batches));
    Transaction::read(bytes()).is_ok_and(|t| rules.apply(&t).is_ok())
}

fn ceremony() -> bool {
    let dealt = Setup::read(bytes()).is_ok_and(|setup| {
        let mut out = [0; 512];
        let signer = Signer::generate(&mut Counter::new());
        Dealer::generate(&setup, 1, &mut Counter::new()).is_ok_and(|dealer| {
            let one = dealer.commit(&setup, &signer, &mut out).is_ok();
            let commits = Commits::collect(&setup, core::iter::empty());
            let revealed = commits.is_ok_and(|c| dealer.reveal(&setup, &c, &signer, &mut out).is_ok());
            one & revealed
        })
    });
    dealt & verify_transcript(bytes(), bytes()).is_ok()
}

fn tag() -> bool {
    let secret = ElectionSecret::generate(&mut Counter::new());
    let sealed = secret.seal(&digest(), &digest(), &key(), &mut Counter::new());
    piv_point(&digest()).is_ok_and(|z| secret.tag(&Pseudonym::piv(&z)) != digest()) & sealed.is_ok()
}

fn record() -> Option<()> {
    let files = Files {
        index: bytes(),
        manifest: bytes(),
        keys: bytes(),
        ceremony: bytes(),
        genesis: bytes(),
        chain: bytes(),
        ballots: bytes(),
        spoiled: bytes(),
        closings: bytes(),
        tally: bytes(),
        results: bytes(),
        report: bytes(),
        reception: None,
    };
    let record = Record::open(files, Some(&key())).ok()?;
    let (mut shapes, mut styles) = (
        [ContestShape {
            contest: 0,
            options: 2,
            votes: 1,
        }; 2],
        [StyleRow::EMPTY; 2],
    );
    let (mut kiosks, mut lines, mut batches) = ([KioskRow::EMPTY; 2], [LineRow::EMPTY; 2], [BatchRow::EMPTY; 2]);
    let (mut entries, mut order) = ([EntryRow::EMPTY; 2], [0; 2]);
    let (mut ballots, mut spoiled) = ([BallotRow::EMPTY; 2], [BallotRow::EMPTY; 2]);
    let scratch = Scratch {
        shapes: &mut shapes,
        styles: &mut styles,
        kiosks: &mut kiosks,
        lines: &mut lines,
        batches: &mut batches,
        entries: &mut entries,
        ballots: &mut ballots,
        spoiled: &mut spoiled,
        order: &mut order,
    };
    let checked = record.check(scratch, &mut |_, _, _| ()).ok()?;
    let joint = election::group::Point::from_bytes(&record.keys().joint.0).ok()?;
    let (mut g, mut k) = (Table4::EMPTY, Table4::EMPTY);
    let election = Election::new(
        *record.election(),
        g.build(&election::group::Point::GENERATOR),
        k.build(&joint),
    )
    .ok()?;
    let mut terms = [ballot::Term::EMPTY; 32];
    let mut buckets = [ballot::Bucket::EMPTY; 8];
    let mut memory = ballot::Scratch::new(&mut terms, &mut buckets);
    checked
        .check_ballots(&election, election::batch::Kind::Cast, 0, 1, &mut memory)
        .ok()?;
    let layout = SumLayout::new(record.manifest());
    let mut sums = [const { SelectionSum::EMPTY }; 4];
    checked.add_ballots(&layout, 0, 1, &mut sums).ok()?;
    let trustee = TrusteeSecret::from_bytes(1, &digest()).ok()?;
    let statement = checked.statement(&layout, &sums, 0, 0).ok()?;
    black_box(trustee.decrypt(&statement, &mut Counter::new()).ok()?);
    checked.check_tally(&layout, &sums, &mut |_, _| ()).ok()?;
    checked
        .check_reception(&black_box([] as [ReceptionCount; 0]), &mut [0; 2])
        .ok()
}
