//! Trustees decrypt on machines of their own, over files: three people in three folders, one of them missing or misbehaving in each way,
//! and nobody decrypts two different counts of one election.

#[path = "support/refused.rs"]
mod refused;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use chacha20::ChaCha20Rng;
use election::batch::Kind as EntryKind;
use election::manifest::Policy;
use election::sign::Signer;
use election::signed::Signed;
use election::tally::{CommitParts, RevealParts, Round, commitment, sign_round};
use election::wire::{self, Seq};
use rand_core::SeedableRng as _;
use refused::refused;
use staff::decrypt::{self, Collected, StepReport};
use staff::encode::to_bytes;
use staff::tally::Prepared;
use staff::{Outcome, keyfile, progress, tally};
use support::{KAGA, Town};

const CHOICES: [[u64; 3]; 4] = [[1, 1, 1], [2, 1, 0], [1, 2, 1], [1, 1, 1]];

struct Count {
    town: Town,
    root: tempfile::TempDir,
}

impl Count {
    /// A closed kiosk with `votes` votes, and a private folder a trustee.
    fn new(votes: usize) -> Self {
        let mut town = Town::new(KAGA, Policy::First, 21);
        let kiosk = town.kiosk(1, 0);
        for (tag, choice) in (1..).zip(&CHOICES[..votes]) {
            town.vote(kiosk, EntryKind::Cast, choice, tag);
        }
        town.vote(kiosk, EntryKind::Spoiled, &CHOICES[0], 0);
        town.close(kiosk);
        let root = tempfile::tempdir().unwrap();
        let count = Self { town, root };
        for (number, (secret, signer)) in (1..).zip(count.town.key.secrets.iter().zip(&count.town.key.signers)) {
            let folder = count.private(number);
            fs::create_dir(&folder).unwrap();
            keyfile::write_secret(&folder.join("share.secret"), &secret.to_bytes()).unwrap();
            keyfile::write_secret(&folder.join("signing.key"), &signer.to_bytes()).unwrap();
        }
        count
    }

    fn private(&self, trustee: u8) -> PathBuf {
        self.root.path().join(format!("trustee-{trustee}"))
    }

    fn shared(&self) -> PathBuf {
        self.root.path().join("shared")
    }

    fn prepared<T>(&mut self, then: impl FnOnce(&Prepared<'_>, &Town) -> T) -> T {
        let (boxes, words) = (self.town.boxes(), self.town.words());
        self.town.prepare(&boxes, &words, then).unwrap()
    }

    fn publish(&mut self) {
        let shared = self.shared();
        self.prepared(|prepared, town| {
            decrypt::publish(&shared, &tally::draft(prepared, &town.authority).unwrap()).unwrap();
        });
    }

    fn commit(&self, trustee: u8) -> Outcome<StepReport> {
        let mut rng = ChaCha20Rng::from_seed([trustee; 32]);
        let authority = Some(self.town.authority.public_key());
        decrypt::commit(
            &self.shared(),
            &self.private(trustee),
            authority,
            &mut rng,
            &progress::silent,
        )
    }

    fn reveal(&self, trustee: u8) -> Outcome<StepReport> {
        decrypt::reveal(&self.shared(), &self.private(trustee))
    }

    fn both(&self, trustees: &[u8]) {
        for trustee in trustees {
            self.commit(*trustee).unwrap();
        }
        for trustee in trustees {
            self.reveal(*trustee).unwrap();
        }
    }

    fn collect(&mut self) -> Outcome<Collected> {
        let shared = self.shared();
        self.prepared(|prepared, town| {
            let draft = tally::draft(prepared, &town.authority).unwrap();
            decrypt::collect(
                &shared,
                &draft,
                prepared.election(),
                prepared.sums(),
                prepared.threshold(),
            )
        })
    }

    /// Totals of what the trustees sent, and whose parts were bad.
    fn finish(&mut self) -> (u32, Vec<u8>) {
        let parts = self.collect().unwrap().parts;
        self.prepared(|prepared, town| {
            let tallied = tally::finish(prepared, &parts, &town.authority, &progress::silent).unwrap();
            let options = staff::verify::Options::default();
            let verified = staff::verify::verify(&tallied.record, &options, &progress::silent).unwrap();
            (verified.counted, tallied.bad_trustees)
        })
    }

    fn left_out(&mut self) -> Vec<(u8, String)> {
        let left = self.collect().unwrap().left_out;
        left.into_iter().map(|one| (one.trustee, one.why)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[test]
fn any_k_trustees_decrypt_each_from_its_own_folder_and_one_may_be_missing() {
    for pair in [[1, 2], [1, 3], [2, 3]] {
        let mut count = Count::new(4);
        count.publish();
        refused(
            count.collect(),
            &["0 trustees have decrypted", "trustee 3 (C): no commit yet"],
        );
        // Nobody reveals before k have committed.
        count.commit(pair[0]).unwrap();
        refused(
            count.reveal(pair[0]),
            &["1 trustees have committed, 2 are needed", "no commit yet"],
        );
        let report = count.commit(pair[1]).unwrap();
        assert_eq!((report.counted, report.written), (Some(4), true));
        count.reveal(pair[0]).unwrap();
        refused(count.collect(), &["no reveal yet"]);
        count.reveal(pair[1]).unwrap();
        // Again is no error, changes nothing.
        assert!(!count.commit(pair[0]).unwrap().written && !count.reveal(pair[1]).unwrap().written);
        assert_eq!(count.finish(), (4, vec![]));
        let missing = (1..=3).find(|number| !pair.contains(number)).unwrap();
        assert_eq!(count.left_out(), [(missing, "no commit yet".to_owned())]);
    }
}

/// Pitfall 19: two tallies that differ by one ballot would show how its voter voted.
#[test]
fn p19_a_trustee_decrypts_no_second_count_of_the_same_election() {
    let mut three = Count::new(3);
    three.publish();
    three.both(&[1, 2]);
    assert_eq!(three.finish(), (3, vec![]));
    // The same election and trustees, one ballot more.
    let mut four = Count::new(4);
    four.publish();
    for trustee in [1, 2] {
        fs::remove_dir_all(four.private(trustee)).unwrap();
        copy(&three.private(trustee), &four.private(trustee));
        refused(
            four.commit(trustee),
            &["decrypted other sums of this election", "decrypted-"],
        );
    }
    refused(four.collect(), &["0 trustees have decrypted"]);
    // Also if they bring their folders to the desk; and what was committed to for the one count is nothing for the other.
    let (election, sums) = four.prepared(|prepared, _| {
        (
            *prepared.election(),
            decrypt::hash_of(prepared.election(), prepared.sums()),
        )
    });
    refused(
        decrypt::pin(&four.private(1), &election, &sums),
        &["decrypts no second ones"],
    );
    for name in ["commit-1.bin", "reveal-1.bin", "commit-2.bin", "reveal-2.bin"] {
        fs::copy(three.shared().join(name), four.shared().join(name)).unwrap();
    }
    refused(
        four.collect(),
        &["trustee 1 (A): it has committed to parts of other sums"],
    );
    // The very same count once more is none: it shows nothing new.
    assert!(!three.commit(1).unwrap().written);
}

/// The trustee does not believe the desk: only a draft that holds is decrypted, and only its counted ballots.
#[test]
fn a_draft_that_does_not_hold_is_not_decrypted() {
    let mut count = Count::new(3);
    count.publish();
    let draft = count.shared().join("draft");
    let good = fs::read(draft.join("ballots.bin")).unwrap();
    let mut bad = good.clone();
    bad[200] ^= 1;
    fs::write(draft.join("ballots.bin"), &bad).unwrap();
    refused(count.commit(1), &["ballots.bin"]);
    // One ballot left out, and everything signed anew by the desk: the ledger knows of three.
    fs::write(draft.join("ballots.bin"), &good).unwrap();
    let mut record = staff::record::Record::read(&draft).unwrap();
    let item = good.len() / 3;
    record.put(election::record::FileName::Ballots, good[..2 * item].to_vec());
    let election = count.prepared(|prepared, _| *prepared.election());
    record.sign(&election, &count.town.authority).unwrap();
    fs::remove_dir_all(&draft).unwrap();
    record.write(&draft).unwrap();
    refused(count.commit(1), &["ballots.bin", "not published"]);
    assert!(!count.shared().join("commit-1.bin").exists());
    let pinned = fs::read_dir(count.private(1)).unwrap();
    assert_eq!(pinned.count(), 2, "nothing is noted of a draft that does not hold");
    // Signed by somebody else than the authority that the trustee knows.
    record.put(election::record::FileName::Ballots, good);
    record
        .sign(&election, &Signer::generate(&mut ChaCha20Rng::from_seed([9; 32])))
        .unwrap();
    fs::remove_dir_all(&draft).unwrap();
    record.write(&draft).unwrap();
    refused(count.commit(1), &["index.bin"]);
}

/// A message of trustee 3 that is signed by it, with whatever content.
fn forge<T: serde::Serialize>(count: &Count, round: Round, body: &T) -> Vec<u8> {
    let body = to_bytes(body).unwrap();
    to_bytes(&sign_round(round, &body, &count.town.key.signers[2]).unwrap()).unwrap()
}

#[test]
fn p11_whoever_misbehaves_at_the_count_is_named_and_two_good_ones_still_count() {
    let mut count = Count::new(4);
    count.publish();
    count.both(&[1, 2, 3]);
    assert!(count.left_out().is_empty());
    let (commit, reveal) = (count.shared().join("commit-3.bin"), count.shared().join("reveal-3.bin"));
    let (good_commit, good_reveal) = (fs::read(&commit).unwrap(), fs::read(&reveal).unwrap());
    let body = wire::decode::<Signed<'_>>(&good_reveal).unwrap().body;
    let honest: RevealParts<'_> = wire::decode(body).unwrap();
    let parts: Vec<_> = honest.parts.iter().map(Result::unwrap).collect();
    let mut bent = parts.clone();
    bent[0].point = parts[1].point;
    let list = |parts: &[_]| staff::encode::seq_of(parts).unwrap();
    let (bent, short) = (list(&bent), list(&parts[1..]));
    let revealing = |parts| RevealParts {
        parts: Seq::from_bytes(parts),
        ..honest
    };
    let committing = |body: &RevealParts<'_>| CommitParts {
        election: honest.election,
        sums: honest.sums,
        trustee: 3,
        reveal: commitment(&to_bytes(body).unwrap()),
    };
    let mut flipped = good_reveal.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cases: [(&str, Vec<u8>, Vec<u8>); 6] = [
        // Parts chosen after seeing the others'.
        (
            "not what it committed to",
            good_commit.clone(),
            forge(&count, Round::Reveal, &revealing(&bent)),
        ),
        (
            "one part of its own for each sum",
            forge(&count, Round::Commit, &committing(&revealing(&short))),
            forge(&count, Round::Reveal, &revealing(&short)),
        ),
        ("its reveal is not signed by it", good_commit.clone(), flipped),
        // A message of another round, or of another trustee, in its place.
        (
            "its commit is not signed by it",
            good_reveal.clone(),
            good_reveal.clone(),
        ),
        (
            "its commit is not signed by it",
            fs::read(count.shared().join("commit-1.bin")).unwrap(),
            good_reveal.clone(),
        ),
        ("is not a message", good_commit.clone(), b"nonsense".to_vec()),
    ];
    for (why, bad_commit, bad_reveal) in cases {
        fs::write(&commit, bad_commit).unwrap();
        fs::write(&reveal, bad_reveal).unwrap();
        let left = count.left_out();
        assert!(
            matches!(&left[..], [(3, said)] if said.contains(why)),
            "{why}: {left:?}"
        );
        assert_eq!(count.finish(), (4, vec![]), "{why}");
    }
    // Committed to and revealed as it should be, but the part is wrong: its proof says so, the count names it.
    fs::write(&commit, forge(&count, Round::Commit, &committing(&revealing(&bent)))).unwrap();
    fs::write(&reveal, forge(&count, Round::Reveal, &revealing(&bent))).unwrap();
    assert!(count.left_out().is_empty());
    assert_eq!(count.finish(), (4, vec![3]));
    // With it and only one good one there is no count, and both are named.
    fs::remove_file(count.shared().join("reveal-2.bin")).unwrap();
    let parts = count.collect().unwrap().parts;
    count.prepared(|prepared, town| {
        refused(
            tally::finish(prepared, &parts, &town.authority, &progress::silent),
            &["1 good"],
        );
    });
}

#[test]
fn a_foreign_folder_is_refused() {
    let mut count = Count::new(3);
    count.publish();
    let folder = count.private(2);
    fs::remove_file(folder.join("signing.key")).unwrap();
    keyfile::write_secret(&folder.join("signing.key"), &count.town.key.signers[0].to_bytes()).unwrap();
    refused(count.commit(2), &["not this trustee's key"]);
    refused(count.reveal(3), &["has not committed"]);
}
