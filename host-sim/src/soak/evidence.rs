//! What a station's media say at the end of the day, byte by byte, against what its voters did and saw.

use std::collections::BTreeSet;

use election::batch::Batch;
use election::hash::Digest;
use kiosk::ballot_box::{LABELS, RECORD_HEADER, Role};
use kiosk::ports::Item;
use staff::medium::Content;
use staff::report::Report;

use super::laws::{Book, Law};
use super::needles::Needles;
use super::order::Order;
use super::reading::{Reading, election_crc};
use super::shift::Shift;
use crate::truth;
use crate::world::media::Memory;

/// What a station's voters did, summed.
pub struct Truth {
    /// Admitted, abandoned, interrupted.
    pub counts: [u32; 3],
    /// Codes of votes in the order in which they were cast; none is shown to somebody who ends without a vote.
    pub codes: Vec<Option<Digest>>,
    /// Codes of challenged ballots.
    pub spoiled: BTreeSet<Digest>,
    /// Ballots somebody had asked to challenge when the power went.
    pub uncertain: BTreeSet<Digest>,
}

impl Truth {
    /// Of a station.
    #[must_use]
    pub fn of(shift: &Shift) -> Self {
        let mut truth = Self {
            counts: [0; 3],
            codes: Vec::new(),
            spoiled: BTreeSet::new(),
            uncertain: BTreeSet::new(),
        };
        for visit in &shift.visits {
            truth.counts[0] += visit.diary.admitted;
            truth.counts[1] += visit.diary.abandoned;
            truth.counts[2] += visit.interrupted;
            truth.codes.extend(visit.diary.cast.as_ref().map(|cast| cast.code));
            truth
                .spoiled
                .extend(visit.diary.challenges.iter().map(|challenge| challenge.code));
            truth.uncertain.extend(&visit.diary.uncertain);
        }
        truth
    }
}

/// Looks at the media of a station, and at its kiosks' stores.
pub fn examine(shift: &Shift, truth: &Truth, reading: &Reading, needles: &Needles, order: &mut Order) {
    let now = shift.world.executor.time().now();
    let check = |law, holds, what: &dyn Fn() -> String| shift.book.check(law, shift.station, holds, what);
    let mut read = Vec::new();
    for (role, slot) in [Role::Original, Role::Duplicate].into_iter().zip(&shift.machine.slots) {
        let Some(medium) = slot.medium() else { continue };
        let medium = medium.borrow();
        check(
            Law::NothingWrittenNamesACard,
            needles.find(medium.bytes()).is_none(),
            &|| format!("the {role} holds what a card has said"),
        );
        let ill = shift.weather.has_been_ill(role);
        if !medium.is_readable(now) && ill {
            continue;
        }
        match Reading::content(&medium) {
            Ok(content) => read.push((role, ill, medium.durable(), content)),
            Err(error) => check(Law::NoBallotLost, ill, &|| {
                format!("the {role} cannot be read: {error:#}")
            }),
        }
    }
    for medium in &shift.removed {
        let named = needles.find(medium.borrow().bytes()).is_some();
        check(Law::NothingWrittenNamesACard, !named, &|| {
            "a medium taken out holds what a card has said".to_owned()
        });
    }
    for machine in shift.former.iter().chain([&shift.machine]) {
        let named = Item::ALL
            .into_iter()
            .filter_map(|item| machine.items.get(item))
            .any(|bytes| needles.find(&bytes).is_some());
        check(Law::NothingWrittenNamesACard, !named, &|| {
            "a kiosk's store holds what a card has said".to_owned()
        });
    }
    // Each medium that was never ill says everything by itself (F5); the ill one together with it.
    for (role, ill, medium, content) in &read {
        if *ill {
            continue;
        }
        let stands = reading.standing(shift.station, std::iter::once((medium, content)));
        check(Law::AdmittedAddsUp, stands.counts() == truth.counts, &|| {
            format!("the {role} counts {:?}, the voters {:?}", stands.counts(), truth.counts)
        });
        let sum = truth.codes.len() as u64 + u64::from(truth.counts[1]) + u64::from(truth.counts[2]);
        check(
            Law::AdmittedAddsUp,
            u64::from(truth.counts[0]) == sum && stands.cast.len() == truth.codes.len(),
            &|| {
                format!(
                    "{} admitted, {sum} accounted for, {} votes on the {role}",
                    truth.counts[0],
                    stands.cast.len()
                )
            },
        );
        match accounted(medium, content) {
            Ok(()) => check(Law::StorageRevealsNoOrder, true, &String::new),
            Err(what) => check(Law::StorageRevealsNoOrder, false, &|| format!("the {role}: {what}")),
        }
        if *role == Role::Original {
            let slots: Vec<u32> = truth
                .codes
                .iter()
                .filter_map(|code| stands.cast.get(code.as_ref()?).map(|(slot, _)| *slot))
                .collect();
            order.add(&slots, content.label.layout.cast);
        }
    }
    let both = reading.standing(
        shift.station,
        read.iter().map(|(_, _, medium, content)| (medium, content)),
    );
    let lost = truth
        .codes
        .iter()
        .flatten()
        .filter(|code| !both.cast.contains_key(*code))
        .count();
    check(Law::NoBallotLost, lost == 0, &|| {
        format!("{lost} votes that voters saw recorded are on no medium")
    });
    check(Law::NoBallotLost, both.cast.len() >= truth.codes.len(), &|| {
        format!("{} votes stand, {} were recorded", both.cast.len(), truth.codes.len())
    });
    check(
        Law::NoBallotCountedTwice,
        both.cast.len() <= truth.codes.len() && both.differing == 0,
        &|| format!("{} votes stand, {} were recorded", both.cast.len(), truth.codes.len()),
    );
    let unknown = both
        .spoiled
        .iter()
        .filter(|code| !truth.spoiled.contains(*code) && !truth.uncertain.contains(*code))
        .count();
    let missing = truth.spoiled.difference(&both.spoiled).count();
    check(Law::NoBallotLost, unknown == 0 && missing == 0, &|| {
        format!("of the challenged ballots {missing} are missing and {unknown} are nobody's")
    });
    let tags: BTreeSet<&Digest> = both.cast.values().map(|(_, tag)| tag).collect();
    check(Law::NoSecondVote, tags.len() == both.cast.len(), &|| {
        format!("{} votes have {} tags", both.cast.len(), tags.len())
    });
}

/// Every byte of a medium is accounted for (MEDIA.md): labels, whole entries, whole records, zeros behind them (as far as the power
/// lasted), erased places; what is torn lies inside a place that is counted void or torn. Nothing else stands there that could tell an order.
fn accounted(medium: &Memory, content: &Content) -> Result<(), String> {
    let layout = content.label.layout;
    let sector = layout.sector_len();
    let bytes = medium.bytes();
    let erased = |part: &[u8]| part.iter().all(|byte| *byte == 0xFF);
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let labels = bytes
        .chunks(sector)
        .take(LABELS as usize)
        .filter(|label| !erased(label))
        .count();
    if labels > content.labels.len() + 1 {
        return Err(format!(
            "{labels} label places are written, {} hold labels",
            content.labels.len()
        ));
    }
    let journal = bytes
        .get(at(layout.journal_offset(0))..at(layout.slot_offset(0)))
        .unwrap_or_default();
    let mut torn = 0;
    let mut position = 0;
    while let Some(rest) = journal.get(position..).filter(|rest| !rest.is_empty()) {
        let Some((payload, padding)) = entry(rest, sector, &content.label.election) else {
            torn += u32::from(!erased(&rest[..sector]));
            position += sector;
            continue;
        };
        if !unfinished(padding) {
            return Err(format!("an entry at {position} holds more than itself"));
        }
        if rest[4] == 1 && payload.first().is_some_and(|kind| (1..=4).contains(kind)) && payload.len() != 1 {
            return Err(format!("a voter's event has {} bytes", payload.len()));
        }
        position += 32 + payload.len() + padding.len();
    }
    if torn != content.torn {
        return Err(format!(
            "{torn} journal places are no entries, the desk counts {}",
            content.torn
        ));
    }
    let used: BTreeSet<u32> = content
        .records
        .iter()
        .map(|record| record.slot)
        .chain(content.void.iter().copied())
        .collect();
    for slot in 0..layout.slots() {
        let start = at(layout.slot_offset(slot));
        let place = bytes.get(start..start + layout.slot_len()).unwrap_or_default();
        if !used.contains(&slot) && !erased(place) {
            return Err(format!("slot {slot} is neither free nor used"));
        }
    }
    for record in &content.records {
        let start = at(layout.slot_offset(record.slot));
        let place = bytes.get(start..start + layout.slot_len()).unwrap_or_default();
        let end = RECORD_HEADER + record.ballot.len();
        let (padding, rest) = place.split_at(end.next_multiple_of(sector).min(place.len()));
        let quiet = unfinished(&padding[end.min(padding.len())..]) && erased(rest);
        let header = place.get(5..8) == Some(&[0; 3]) && place.get(44..56) == Some(&[0; 12]);
        if !quiet || !header {
            return Err(format!("slot {} holds more than its record", record.slot));
        }
    }
    if !content.batches().all(|batch| sorted(&batch)) {
        return Err("a batch's entries are not sorted by code".to_owned());
    }
    Ok(())
}

/// A whole entry in front of this (MEDIA.md, "Journal"): payload, and what is behind it up to the sector's end.
fn entry<'b>(rest: &'b [u8], sector: usize, election: &Digest) -> Option<(&'b [u8], &'b [u8])> {
    let header = rest.get(..32)?;
    let length = u32::from_be_bytes(header[12..16].try_into().ok()?);
    let end = usize::try_from(length).ok()?.checked_add(32)?;
    let place = rest.get(..end.checked_next_multiple_of(sector)?)?;
    let (whole, padding) = place.split_at_checked(end)?;
    (header[..4] == *b"IPPJ" && header[24..] == election_crc(election, &header[..24], &whole[32..]))
        .then_some((&whole[32..], padding))
}

/// Zeros, and erased from where the power went: what stands behind the last byte that means something.
fn unfinished(padding: &[u8]) -> bool {
    let zeros = padding.iter().take_while(|byte| **byte == 0).count();
    padding[zeros..].iter().all(|byte| *byte == 0xFF)
}

fn sorted(batch: &Batch<'_>) -> bool {
    let codes: Vec<Digest> = batch
        .entries
        .iter()
        .map_while(Result::ok)
        .map(|entry| entry.code)
        .collect();
    codes.windows(2).all(|pair| pair[0] < pair[1])
}

/// Compares the tally with what the voters did.
pub fn tally(book: &Book, truth: &truth::Truth, report: &Report) {
    let same = |law, what: &str, desk: u64, voters: u64| {
        book.check(law, 0, desk == voters, || {
            format!("{what}: the tally says {desk}, the voters say {voters}")
        });
    };
    let ballots = &report.ballots;
    same(
        Law::NoBallotLost,
        "recorded",
        u64::from(ballots.recorded),
        truth.recorded,
    );
    same(
        Law::NoBallotCountedTwice,
        "counted",
        u64::from(ballots.counted),
        truth.counted,
    );
    same(
        Law::NoBallotCountedTwice,
        "duplicates",
        u64::from(ballots.duplicates),
        truth.duplicates,
    );
    same(Law::NoBallotLost, "spoiled", u64::from(ballots.spoiled), truth.spoiled);
    same(
        Law::AdmittedAddsUp,
        "admitted",
        u64::from(ballots.admitted),
        truth.admitted,
    );
    same(
        Law::AdmittedAddsUp,
        "abandoned",
        u64::from(ballots.abandoned),
        truth.abandoned,
    );
    same(
        Law::AdmittedAddsUp,
        "interrupted",
        u64::from(ballots.interrupted),
        truth.interrupted,
    );
    for contest in &report.contests {
        let options = truth.totals.get(&contest.id);
        for option in &contest.options {
            let voters = options
                .and_then(|options| options.get(&option.id))
                .copied()
                .unwrap_or(0);
            let what = format!("{}, {}", contest.id, option.id);
            same(Law::TotalsAreTheVoters, &what, u64::from(option.total), voters);
        }
        let unused = truth.no_votes.get(&contest.id).copied().unwrap_or(0);
        same(
            Law::TotalsAreTheVoters,
            &format!("{}, no votes", contest.id),
            contest.no_votes,
            unused,
        );
    }
    for wrong in &truth.wrong {
        book.check(Law::TotalsAreTheVoters, 0, false, || wrong.clone());
    }
}
