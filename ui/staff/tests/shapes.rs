//! The ceremony and the count over files, from 1 of 1 to 5 of 9: as many are missing at the count as may be, and one who misbehaves is named.

#[path = "support/refused.rs"]
mod refused;
mod support;

use std::fs;
use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use election::batch::Kind as EntryKind;
use election::ceremony::{Commits, Dealer, MAX_SIGNED_LEN, Reveals, Setup};
use election::keys::Keys;
use election::manifest::Policy;
use election::wire;
use rand_core::SeedableRng as _;
use refused::refused;
use staff::ceremony::InMemory;
use staff::{Outcome, ceremony, decrypt, keyfile, progress, tally, verify};
use support::{KAGA, Town};

/// n people in n folders.
struct People {
    root: tempfile::TempDir,
    n: u8,
    rng: ChaCha20Rng,
}

impl People {
    fn name(number: u8) -> String {
        format!("保持者{number}")
    }

    fn shared(&self, name: &str) -> PathBuf {
        self.root.path().join("shared").join(name)
    }

    fn private(&self, number: u8) -> PathBuf {
        self.root.path().join(format!("person-{number}"))
    }

    /// Up to and with the shares.
    fn shared_by(k: u8, n: u8) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut people = Self {
            root,
            n,
            rng: ChaCha20Rng::from_seed([10 * k + n; 32]),
        };
        let shared = people.shared("");
        for number in 1..=n {
            let private = people.private(number);
            ceremony::join(&shared, &private, number, &Self::name(number), &mut people.rng).unwrap();
        }
        ceremony::new(&shared, n, k, &mut people.rng).unwrap();
        for number in 1..=n {
            ceremony::commit(&shared, &people.private(number), &mut people.rng).unwrap();
        }
        for number in 1..=n {
            ceremony::reveal(&shared, &people.private(number)).unwrap();
        }
        for number in 1..=n {
            ceremony::share(&shared, &people.private(number), &mut people.rng).unwrap();
        }
        people
    }

    fn accept(&self, number: u8) -> Outcome<ceremony::StepReport> {
        ceremony::accept(&self.shared(""), &self.private(number))
    }

    fn key(&self) -> InMemory {
        let [keys, transcript] = ["keys.bin", "ceremony.bin"].map(|name| fs::read(self.shared(name)).unwrap());
        let parsed = Keys::read(&keys).unwrap();
        let secret = |number| ceremony::read_share(&self.private(number), &parsed).unwrap();
        let signer = |number| keyfile::read_signer(&self.private(number).join("signing.key")).unwrap();
        InMemory {
            secrets: (1..=self.n).map(secret).collect(),
            signers: (1..=self.n).map(signer).collect(),
            keys: keys.clone(),
            transcript,
        }
    }

    /// The last trustee signs and sends trustee 1 a share of another polynomial than the one it revealed.
    fn last_deals_another_share(&mut self) {
        let definition = fs::read(self.shared("definition.bin")).unwrap();
        let setup = Setup::read(&definition).unwrap();
        let [first, second] = ["commit", "reveal"].map(|kind| -> Vec<Vec<u8>> {
            let read = |number| fs::read(self.shared(&format!("{kind}-{number}.bin"))).unwrap();
            (1..=self.n).map(read).collect()
        });
        let signed = |bytes: &'static Vec<u8>| wire::decode(bytes).unwrap();
        let (first, second): (&'static [_], &'static [_]) = (first.leak(), second.leak());
        let commits = Commits::collect(&setup, first.iter().map(signed)).unwrap();
        let reveals = Reveals::collect(&setup, &commits, second.iter().map(signed)).unwrap();
        let signer = keyfile::read_signer(&self.private(self.n).join("signing.key")).unwrap();
        let other = Dealer::generate(&setup, self.n, &mut self.rng).unwrap();
        let mut out = [0; MAX_SIGNED_LEN];
        let bad = other
            .share(&setup, &reveals, 1, &signer, &mut self.rng, &mut out)
            .unwrap();
        fs::write(self.shared(&format!("share-{}-1.bin", self.n)), bad).unwrap();
    }
}

/// From `join` to a verified record; only the last k of n come to the count, and with one fewer there is none.
fn key_and_count(k: u8, n: u8) {
    let people = People::shared_by(k, n);
    for number in 1..=n {
        people.accept(number).unwrap();
    }
    ceremony::finish(&people.shared("")).unwrap();
    let mut town = Town::with_key(KAGA, Policy::First, 40 + k, people.key());
    let kiosk = town.kiosk(1, 0);
    for (voter, choice) in (1..).zip([[1, 1, 1], [2, 1, 0], [1, 2, 1]]) {
        town.vote(kiosk, EntryKind::Cast, &choice, voter);
    }
    town.close(kiosk);
    let (boxes, words) = (town.boxes(), town.words());
    let count = people.root.path().join("count");
    town.prepare(&boxes, &words, |prepared, town| {
        let draft = tally::draft(prepared, &town.authority).unwrap();
        decrypt::publish(&count, &draft).unwrap();
        let collect = || {
            decrypt::collect(
                &count,
                &draft,
                prepared.election(),
                prepared.sums(),
                prepared.threshold(),
            )
        };
        let here: Vec<u8> = (n - k + 1..=n).collect();
        for number in &here {
            if *number == n && k > 1 {
                // One fewer than k: nobody reveals.
                refused(
                    decrypt::reveal(&count, &people.private(here[0])),
                    &[&format!("{} trustees have committed, {k} are needed", k - 1)],
                );
            }
            let mut rng = ChaCha20Rng::from_seed([*number; 32]);
            let known = Some(town.authority.public_key());
            decrypt::commit(&count, &people.private(*number), known, &mut rng, &progress::silent).unwrap();
        }
        for number in &here {
            refused(collect(), &[&format!("{k} are needed")]);
            decrypt::reveal(&count, &people.private(*number)).unwrap();
        }
        let collected = collect().unwrap();
        let missing: Vec<(u8, String)> = (1..=n - k).map(|number| (number, People::name(number))).collect();
        let left: Vec<_> = collected
            .left_out
            .iter()
            .map(|left| (left.trustee, left.name.clone()))
            .collect();
        assert_eq!(left, missing);
        let tallied = tally::finish(prepared, &collected.parts, &town.authority, &progress::silent).unwrap();
        let verified = verify::verify(&tallied.record, &verify::Options::default(), &progress::silent).unwrap();
        assert_eq!((verified.counted, tallied.bad_trustees), (3, vec![]));
    })
    .unwrap();
}

/// One bad share of a whole ceremony is laid to whoever dealt it, and no key stands.
fn who_deals_a_bad_share_is_named(k: u8, n: u8) {
    let mut people = People::shared_by(k, n);
    people.last_deals_another_share();
    let (number, name) = (format!("trustee {n}"), People::name(n));
    refused(people.accept(1), &[&number, &name]);
    for other in 2..=n {
        refused(people.accept(other), &["trustee 1 complains", &number]);
    }
    refused(ceremony::finish(&people.shared("")), &["complains"]);
    assert!(!people.shared("keys.bin").exists());
}

#[test]
fn one_of_one_makes_a_key_and_counts() {
    key_and_count(1, 1);
}

#[test]
fn two_of_three_make_a_key_and_count_without_the_third() {
    key_and_count(2, 3);
}

#[test]
fn three_of_five_make_a_key_and_count_without_two() {
    key_and_count(3, 5);
}

#[test]
fn five_of_nine_make_a_key_and_count_without_four() {
    key_and_count(5, 9);
}

#[test]
fn p11_in_every_shape_who_deals_a_bad_share_is_named() {
    for (k, n) in [(1, 2), (2, 3), (3, 5), (5, 9)] {
        who_deals_a_bad_share_is_named(k, n);
    }
}
