//! What closed boxes hold, against the chain and the witnesses' words: which ballots belong to a kiosk's closing, and which turned
//! up late.

use std::collections::HashSet;

use election::batch::Kind as EntryKind;
use election::closing::Closing;
use election::hash::Digest;
use election::ledger::Genesis;
use election::words::{ClosingWords, WordsError};

use super::{Input, count};
use crate::ballots::{self, Crypto, Item, Judged};
use crate::ledger_view::LedgerView;
use crate::medium::{BallotBox, Content};
use crate::problem::{Kind, Outcome, Problem};

/// The closings of all boxes, checked against the chain and the typed words; every kiosk that closed must be there, once.
pub(super) fn closings<'a>(
    input: &Input<'a>,
    election: &Digest,
    genesis: &Genesis<'_>,
    ledger: &LedgerView,
) -> Outcome<Vec<(Closing<'a>, &'a BallotBox)>> {
    let mut list: Vec<(Closing<'a>, &'a BallotBox)> = Vec::new();
    for pair in input.boxes {
        let at = format!("medium of kiosk {}", hex::encode(pair.label.kiosk));
        let refuse = |what: String| Problem::new(Kind::Refused, &at, what);
        if pair.label.election != *election {
            return Err(refuse("this medium is of another election".into())
                .advice("take it out; nothing on it belongs to this count"));
        }
        let closing: Closing<'a> =
            election::wire::decode(&pair.closing).map_err(|error| refuse(format!("its closing: {error}")))?;
        let kiosk = closing.kiosk_id();
        if closing.election != *election || kiosk != pair.label.kiosk || closing.epoch != pair.label.epoch {
            return Err(refuse("its closing is of another kiosk, epoch or election".into()));
        }
        if list.iter().any(|(other, _)| other.kiosk == closing.kiosk) {
            return Err(refuse("this kiosk's media were given twice".into()).advice("give each pair of media once"));
        }
        closing
            .check_signatures(genesis)
            .map_err(|error| refuse(error.to_string()))?;
        let on_chain = ledger.closed.iter().find(|closed| closed.kiosk == kiosk);
        match on_chain {
            Some(closed) if closed.hash == closing.hash && closed.epoch == closing.epoch => {}
            Some(_) => {
                return Err(refuse("its closing is not the one on the chain".into())
                    .advice("keep the media and call the election authority"));
            }
            None => {
                return Err(refuse("its closing batch is not on the chain".into())
                    .advice("run `staff anchor` with this medium first"));
            }
        }
        if ledger
            .kiosks
            .get(&kiosk)
            .is_none_or(|row| row.station != closing.station)
        {
            return Err(refuse(
                "it says another station than the kiosk was registered at".into(),
            ));
        }
        let typed = input.words.get(&kiosk).ok_or_else(|| {
            refuse("the closing words that witnesses wrote down were not typed in".into())
                .advice(format!("give --closing {}=\"twelve words\"", &hex::encode(kiosk)[..12]))
        })?;
        let words: ClosingWords = typed.parse().map_err(|error: WordsError| {
            refuse(format!("the closing words: {error}")).advice("type them again from the witnesses' sheet")
        })?;
        if !words.matches(&closing.hash) {
            return Err(refuse("the closing words are not those of this medium".into())
                .advice("compare with the sheet of this very kiosk; if they differ, the box was replaced after closing: do not count it"));
        }
        list.push((closing, pair));
    }
    for closed in &ledger.closed {
        if !list.iter().any(|(closing, _)| closing.kiosk_id() == closed.kiosk) {
            return Err(Problem::new(
                Kind::Refused,
                format!("kiosk {}", hex::encode(closed.kiosk)),
                "it closed on the chain, but its media were not given",
            )
            .advice("bring its original or its duplicate; without it the count would be short"));
        }
    }
    list.sort_by_key(|(closing, _)| (closing.kiosk.0, closing.epoch));
    Ok(list)
}

pub(super) struct ClosingSet<'a> {
    pub cast: Vec<(Item<'a>, Judged)>,
    pub spoiled: Vec<(Item<'a>, Judged)>,
    pub late: u32,
}

/// The ballots a kiosk closed with: those on its medium that stand in its batches (or in those of the kiosk whose place it
/// took). The closing hash says whether that is all of them.
pub(super) fn closing_set<'a>(
    closing: &Closing<'_>,
    pair: &'a BallotBox,
    crypto: &Crypto,
    ledger: &LedgerView,
) -> Outcome<ClosingSet<'a>> {
    let kiosk = closing.kiosk_id();
    let at = format!("medium of kiosk {}", hex::encode(kiosk));
    let line = ledger.line(&kiosk);
    let entered: HashSet<(EntryKindNumber, Digest, Digest)> = ledger
        .rows
        .iter()
        .filter(|row| row.epoch == closing.epoch && line.contains(&row.kiosk))
        .map(|row| (u8::from(row.kind), row.code, row.leaf))
        .collect();
    let mut set = ClosingSet {
        cast: Vec::new(),
        spoiled: Vec::new(),
        late: 0,
    };
    for kind in [EntryKind::Cast, EntryKind::Spoiled] {
        // What is no ballot of this election at all cannot have a leaf on the chain: it is listed with what turned up late.
        let items: Vec<Item<'a>> = pair
            .records
            .iter()
            .filter(|record| record.kind == kind && crypto.view(&record.ballot).is_ok())
            .map(|record| Item {
                kiosk,
                epoch: closing.epoch,
                tag: record.tag,
                ballot: &record.ballot,
            })
            .collect();
        let judged = ballots::look(kind, &at, &items, crypto, ledger)?;
        for (item, judged) in items.into_iter().zip(judged) {
            if !entered.contains(&(kind.into(), judged.code, judged.leaf)) {
                continue;
            }
            match kind {
                EntryKind::Cast => set.cast.push((item, judged)),
                EntryKind::Spoiled => set.spoiled.push((item, judged)),
            }
        }
    }
    set.late = count(pair.records.len() - set.cast.len() - set.spoiled.len());
    let mut leaves: Vec<Digest> = set.cast.iter().map(|(_, judged)| judged.leaf).collect();
    let mut codes: Vec<Digest> = set.spoiled.iter().map(|(_, judged)| judged.code).collect();
    leaves.sort_unstable();
    codes.sort_unstable();
    closing
        .check_hash(leaves.iter().copied(), codes.iter().copied())
        .map_err(|error| {
            Problem::new(
                Kind::Refused,
                at,
                format!(
                    "the medium does not hold what the kiosk closed with: {error} ({} cast ballots found, {} closed; {} spoiled found, {} closed)",
                    leaves.len(),
                    closing.counters.recorded,
                    codes.len(),
                    closing.counters.spoiled
                ),
            )
            .advice("give both media of the pair; if a ballot is missing on both, look for another medium of this station")
        })?;
    Ok(set)
}

type EntryKindNumber = u8;

/// Each code once over all kiosks: a copied ballot is refused (pitfall 5).
pub(super) fn check_codes(cast: &[(Item<'_>, Judged)], spoiled: &[(Item<'_>, Judged)]) -> Outcome<()> {
    let mut all: Vec<(&Digest, &Digest)> = cast
        .iter()
        .chain(spoiled)
        .map(|(item, judged)| (&judged.code, &item.kiosk))
        .collect();
    all.sort_unstable();
    for pair in all.windows(2) {
        if let [(code, first), (again, second)] = pair
            && code == again
        {
            return Err(Problem::new(
                Kind::Refused,
                format!("kiosks {} and {}", hex::encode(first), hex::encode(second)),
                format!(
                    "both hold the ballot with the code {}",
                    election::ballot::code_text(code)
                ),
            )
            .advice("no two kiosks can have one ballot: keep both and their media as evidence"));
        }
    }
    Ok(())
}

/// Ballots of a medium that turned up late and that no closing set has.
pub(super) fn turned_up(
    content: &Content,
    crypto: &Crypto,
    ledger: &LedgerView,
    cast: &[(Item<'_>, Judged)],
) -> Outcome<u32> {
    // A spare that failed before it came to the chain has copied ballots and no row there; a code needs the station alone.
    let label = &content.label;
    let known = |row: &&Digest| ledger.kiosks.get(*row).is_some_and(|row| row.station == label.station);
    let kiosk = match ledger.kiosks.contains_key(&label.kiosk) {
        true => label.kiosk,
        false => ledger.kiosks.keys().find(known).copied().unwrap_or(label.kiosk),
    };
    let items: Vec<Item<'_>> = content
        .records
        .iter()
        .filter(|record| record.kind == EntryKind::Cast && crypto.view(&record.ballot).is_ok())
        .map(|record| Item {
            kiosk,
            epoch: label.epoch,
            tag: record.tag,
            ballot: &record.ballot,
        })
        .collect();
    let at = format!("late medium of kiosk {}", hex::encode(content.label.kiosk));
    let judged = ballots::look(EntryKind::Cast, &at, &items, crypto, ledger)?;
    let published: HashSet<&Digest> = cast.iter().map(|(_, judged)| &judged.leaf).collect();
    Ok(count(
        judged.iter().filter(|judged| !published.contains(&judged.leaf)).count(),
    ))
}
