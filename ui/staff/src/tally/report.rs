//! The report of a tally: sums and counters, by kiosk and by station.

use std::collections::{BTreeMap, BTreeSet};

use election::closing::{Closing, Counters};
use election::keys::Keys;
use election::manifest::{Mode, Policy};
use election::record::FileName;
use election::words::ClosingWords;

use super::finish::Opened;
use super::{Prepared, count};
use crate::ballots::Fate;
use crate::medium::BallotBox;
use crate::problem::{Kind, Outcome, Problem};
use crate::report::{self, Ballots, KioskReport, Report, StationReport};

pub(super) fn make_report(prepared: &Prepared<'_>, totals: &[(u32, Vec<u32>)], opened: &[Opened]) -> Outcome<Report> {
    let manifest = &prepared.manifest;
    let mut kiosks: Vec<KioskReport> = prepared
        .closings
        .iter()
        .map(|(closing, pair)| kiosk_report(prepared, closing, pair))
        .collect();
    kiosks.sort_by_key(|kiosk| (kiosk.station, kiosk.epoch, kiosk.kiosk.clone()));
    let mut stations: BTreeMap<u16, u32> = BTreeMap::new();
    let mut sum = Ballots::default();
    for kiosk in &kiosks {
        *stations.entry(kiosk.station).or_default() += kiosk.recorded;
        sum.admitted += kiosk.admitted;
        sum.recorded += kiosk.recorded;
        sum.abandoned += kiosk.abandoned;
        sum.interrupted += kiosk.interrupted;
        sum.spoiled += kiosk.spoiled;
        sum.void += kiosk.void;
        sum.counted += kiosk.counted;
        sum.duplicates += kiosk.duplicates;
        sum.overwritten += kiosk.overwritten;
    }
    sum.late = prepared.late.values().sum();
    let used: BTreeSet<u8> = opened
        .iter()
        .flat_map(|opened| opened.decryptions.iter().map(|part| part.trustee))
        .collect();
    let keys = Keys::read(prepared.input.keys).map_err(|error| Problem::new(Kind::Refused, FileName::Keys, error))?;
    Ok(Report {
        id: manifest.id.to_owned(),
        election: hex::encode(prepared.election),
        name: report::texts(manifest.name),
        mode: match manifest.mode {
            Mode::Consultation => "consultation",
            Mode::Statutory => "statutory",
        },
        policy: match manifest.policy {
            Policy::First => "first",
            Policy::Last => "last",
        },
        first_day: manifest.first_day,
        last_day: manifest.last_day,
        generated: prepared.input.generated.to_owned(),
        epochs: manifest.epochs().map(|epoch| report::texts(epoch.name)).collect(),
        units: manifest
            .units
            .iter()
            .map_while(Result::ok)
            .map(|unit| (unit.id.to_owned(), report::texts(unit.name)))
            .collect(),
        ballots: sum,
        contests: report::contests(manifest, totals),
        stations: stations
            .into_iter()
            .map(|(station, recorded)| StationReport {
                station,
                recorded,
                below_small_group: recorded < manifest.small_group,
            })
            .collect(),
        kiosks,
        small_group: manifest.small_group,
        reissued: prepared.input.reissued,
        trustees: used
            .iter()
            .filter_map(|number| keys.trustee(*number))
            .map(|trustee| trustee.name.to_owned())
            .collect(),
        trustees_total: usize::from(keys.trustee_count()),
        chain_height: prepared.ledger.height,
        validators: prepared.ledger.validators,
        batches: prepared.ledger.batches,
    })
}

fn kiosk_report(prepared: &Prepared<'_>, closing: &Closing<'_>, pair: &BallotBox) -> KioskReport {
    let kiosk = closing.kiosk_id();
    let fates = |fate: Fate| {
        count(
            prepared
                .cast
                .iter()
                .filter(|(item, judged)| item.kiosk == kiosk && item.epoch == closing.epoch && judged.fate == fate)
                .count(),
        )
    };
    let Counters {
        admitted,
        recorded,
        abandoned,
        interrupted,
        spoiled,
        void,
    } = closing.counters;
    KioskReport {
        kiosk: hex::encode(kiosk),
        station: closing.station,
        epoch: closing.epoch,
        admitted,
        recorded,
        abandoned,
        interrupted,
        spoiled,
        void,
        counted: fates(Fate::Counted),
        duplicates: fates(Fate::Duplicate),
        overwritten: fates(Fate::Overwritten),
        late: prepared.late.get(&kiosk).copied().unwrap_or(0),
        from_duplicate: pair.from_duplicate,
        words: ClosingWords::of(&closing.hash).to_string(),
    }
}
