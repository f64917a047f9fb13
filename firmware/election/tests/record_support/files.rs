//! The files of the record, and an authority that signs whatever they hold.

use std::collections::BTreeMap;

use election::hash::Digest;
use election::ledger::Raw;
use election::record::{FileName, Files, PublishedBallot, PublishedSpoiled, write_index};

use super::{Ballot, ByHand, seq_of, signer};

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

impl ByHand {
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
}
