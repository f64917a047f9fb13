//! Which ballots count, and their tally from the formulas of sections 3 and 10.

use std::collections::BTreeMap;

use election::batch::Kind;
use election::group::{Point, ProjectivePoint, random_scalar, scalar_bytes};
use election::hash::{Digest, hash_to_scalar};
use election::manifest::Policy;

use super::{Ballot, ByHand, SHAPES, bytes_of, encoded};

impl ByHand {
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
}
