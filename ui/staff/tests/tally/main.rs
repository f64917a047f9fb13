//! The tally against what the voters did, and against media, words, chains and trustees that lie. Every record that is made is
//! verified from its folder.

mod counted;
mod files;
mod lies;
#[path = "../support/refused.rs"]
mod refused;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use election::batch::Kind as EntryKind;
use election::manifest::{Manifest, Policy};
use staff::progress;
use staff::tally::Tallied;
use staff::verify::{self, Options, Verified};
use support::{KAGA, Town};

fn verified(tallied: &Tallied, town: &Town) -> Verified {
    let options = Options {
        authority: Some(town.authority.public_key()),
        ..Options::default()
    };
    verify::verify(&tallied.record, &options, &progress::silent).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Contest -> option -> votes, counted from bitmaps.
fn count(town: &Town, ballots: &[Vec<u64>]) -> BTreeMap<String, BTreeMap<String, u32>> {
    let manifest = Manifest::parse(&town.manifest).unwrap();
    manifest
        .contests()
        .enumerate()
        .map(|(c, contest)| {
            let options = contest.options.iter().map(Result::unwrap).enumerate();
            let sums = options.map(|(o, option)| {
                let votes = ballots.iter().filter(|ballot| ballot[c] >> o & 1 == 1).count();
                (option.id.to_owned(), u32::try_from(votes).unwrap())
            });
            (contest.id.to_owned(), sums.collect())
        })
        .collect()
}

/// A random valid choice for every contest of style 0 (which has all contests in the definitions used here).
fn choose(town: &mut Town) -> Vec<u64> {
    let shapes: Vec<(u8, u8)> = {
        let manifest = Manifest::parse(&town.manifest).unwrap();
        let style = manifest.style(0).unwrap();
        manifest
            .shapes(&style)
            .map(|shape| (shape.options, shape.votes))
            .collect()
    };
    shapes
        .into_iter()
        .map(|(options, votes)| {
            let mut bits = 0u64;
            for _ in 0..town.random(u64::from(votes) + 1) {
                bits |= 1 << town.random(u64::from(options));
            }
            bits
        })
        .collect()
}

/// Two kiosks with three ballots, closed.
fn small() -> Town {
    let mut town = Town::new(KAGA, Policy::First, 7);
    let (a, b) = (town.kiosk(1, 0), town.kiosk(2, 0));
    for voter in 1..4u8 {
        let choice = choose(&mut town);
        town.vote(if voter == 3 { b } else { a }, EntryKind::Cast, &choice, voter);
    }
    town.close(a);
    town.close(b);
    town
}
