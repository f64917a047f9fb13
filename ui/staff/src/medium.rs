//! A ballot-box medium read whole at the desk: records, journal, label. Reading changes nothing: media are evidence.

use std::collections::{BTreeMap, HashSet};

use election::ballot::ballot_hash;
use election::batch::Kind as RecordKind;
use election::closing::Closing;
use election::hash::Digest;
use election::ledger::Transaction;
use kiosk::ballot_box::{EntryKind, Label, Reader, Role, SlotState};
use kiosk::ports::Medium;

use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};

/// Batch size for which the buffer is made: the largest a manifest allows.
const LARGEST_BATCH: usize = election::manifest::MAX_BATCH as usize;

/// One ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Slot on the medium.
    pub slot: u32,
    /// Cast or spoiled.
    pub kind: RecordKind,
    /// Zero bytes if spoiled.
    pub tag: Digest,
    /// The encrypted ballot.
    pub ballot: Vec<u8>,
}

/// What a medium holds.
#[derive(Clone, Debug)]
pub struct Content {
    /// The newest label.
    pub label: Label,
    /// All labels, oldest first: more than one after takeovers.
    pub labels: Vec<Label>,
    /// Whole records, by slot.
    pub records: Vec<Record>,
    /// Slots that are written or damaged and not whole.
    pub void: Vec<u32>,
    /// Transactions for the ledger, in order: registration, takeover, batches.
    pub transactions: Vec<Vec<u8>>,
    /// The signed closing.
    pub closing: Option<Vec<u8>>,
    /// Audit events, in order.
    pub events: Vec<Vec<u8>>,
    /// Journal places that cannot be read.
    pub torn: u32,
    /// Journal entries that are missing by their number.
    pub missing: u32,
}

impl Content {
    /// The closing, decoded.
    ///
    /// # Errors
    /// It does not decode.
    pub fn closing(&self) -> Outcome<Option<Closing<'_>>> {
        self.closing
            .as_deref()
            .map(|bytes| {
                election::wire::decode(bytes)
                    .map_err(|error| Problem::new(Kind::Malformed, "closing on the medium", error))
            })
            .transpose()
    }

    /// Batches of this kiosk or those it took over from, with their place in the journal.
    pub fn batches(&self) -> impl Iterator<Item = election::batch::Batch<'_>> {
        self.transactions
            .iter()
            .filter_map(|bytes| match Transaction::read(bytes) {
                Ok(Transaction::Batch(batch)) => Some(batch),
                _ => None,
            })
    }
}

/// Reads a medium. `name` is how messages call it.
///
/// # Errors
/// Not a ballot-box medium, or a device that fails.
pub fn read<M: Medium>(medium: M, name: &str, progress: Progress<'_>) -> Outcome<Content> {
    embassy_futures::block_on(read_async(medium, name, progress))
}

async fn read_async<M: Medium>(medium: M, name: &str, progress: Progress<'_>) -> Outcome<Content> {
    let wrong = |error: kiosk::ballot_box::ReaderError| {
        Problem::new(Kind::Refused, name, error).advice("keep the medium as it is; read the other one of the pair")
    };
    let mut reader = Reader::open(medium).await.map_err(wrong)?;
    let mut labels = Vec::new();
    reader.labels(|label| labels.push(*label)).await.map_err(wrong)?;
    let mut buffer = vec![0; reader.buffer_len(LARGEST_BATCH)];
    let mut content = Content {
        label: *reader.label(),
        labels,
        records: Vec::new(),
        void: Vec::new(),
        transactions: Vec::new(),
        closing: None,
        events: Vec::new(),
        torn: 0,
        missing: 0,
    };
    let mut expected = 0u32;
    while let Some(item) = reader.next(&mut buffer).await.map_err(wrong)? {
        content.missing = content.missing.saturating_add(item.sequence.saturating_sub(expected));
        expected = item.sequence.saturating_add(1);
        let payload = item.payload.to_vec();
        match item.kind {
            EntryKind::Event => content.events.push(payload),
            EntryKind::Transaction => content.transactions.push(payload),
            EntryKind::Proof => {}
            EntryKind::Closing => content.closing = Some(payload),
        }
    }
    content.torn = reader.torn();
    let slots = reader.slots();
    let counter = Counter::new("reading a medium", slots as usize, progress);
    for index in 0..slots {
        match reader.slot(index, &mut buffer).await.map_err(wrong)? {
            SlotState::Free => {}
            SlotState::Void => content.void.push(index),
            SlotState::Whole(record) => content.records.push(Record {
                slot: index,
                kind: record.kind,
                tag: record.tag,
                ballot: record.ballot.to_vec(),
            }),
        }
        counter.step();
    }
    Ok(content)
}

/// A pair as the tally uses it: the original, and what only the duplicate has (requirement A8).
#[derive(Clone, Debug)]
pub struct BallotBox {
    /// Label of the pair.
    pub label: Label,
    /// Closing of the kiosk, signed.
    pub closing: Vec<u8>,
    /// Records, each once.
    pub records: Vec<Record>,
    /// How many of them could be read from the duplicate only.
    pub from_duplicate: u32,
}

/// Puts the media of a pair together.
///
/// # Errors
/// No medium is readable, the two are not of one pair, or there is no closing on either.
pub fn join(original: Outcome<Content>, duplicate: Outcome<Content>, name: &str) -> Outcome<BallotBox> {
    let (first, second) = match (original, duplicate) {
        (Ok(original), Ok(duplicate)) => {
            check_pair(&original, &duplicate, name)?;
            (original, Some(duplicate))
        }
        (Ok(only), Err(_)) => (only, None),
        (Err(_), Ok(duplicate)) => return from_one(duplicate, name, true),
        (Err(original), Err(duplicate)) => {
            return Err(Problem::new(
                Kind::Refused,
                name,
                format!("neither medium can be read: {original}; {duplicate}"),
            )
            .advice("keep both media; look for a spare that took the box over"));
        }
    };
    let Some(second) = second else {
        return from_one(first, name, false);
    };
    let mut seen = HashSet::new();
    let mut records: BTreeMap<u32, Record> = once(first.records, &mut seen)
        .map(|record| (record.slot, record))
        .collect();
    let mut from_duplicate = 0;
    for record in second.records {
        if let Some(other) = records.get(&record.slot)
            && *other != record
            && !seen.contains(&identity(&record))
        {
            return Err(Problem::new(
                Kind::Refused,
                name,
                format!("original and duplicate hold different ballots in slot {}", record.slot),
            )
            .advice("keep both media as evidence and call the election authority; no kiosk writes this"));
        }
        if seen.insert(identity(&record)) {
            from_duplicate += 1;
            records.insert(record.slot, record);
        }
    }
    let closing = first.closing.or(second.closing).ok_or_else(|| not_closed(name))?;
    Ok(BallotBox {
        label: first.label,
        closing,
        records: records.into_values().collect(),
        from_duplicate,
    })
}

/// What makes two records the same one: kind, tag and ballot, wherever they lie.
type Identity = (u8, Digest, Digest);

fn identity(record: &Record) -> Identity {
    (record.kind.into(), record.tag, ballot_hash(&record.ballot))
}

/// Each record once. A kiosk that finds a copy torn writes it again into another free slot of that medium: the same ballot then lies
/// in two slots of a pair, and must neither count twice nor make the box look as if it held too much.
fn once(records: Vec<Record>, seen: &mut HashSet<Identity>) -> impl Iterator<Item = Record> {
    records.into_iter().filter(|record| seen.insert(identity(record)))
}

fn from_one(content: Content, name: &str, duplicate: bool) -> Outcome<BallotBox> {
    let records: Vec<Record> = once(content.records, &mut HashSet::new()).collect();
    let from_duplicate = if duplicate {
        u32::try_from(records.len()).unwrap_or(u32::MAX)
    } else {
        0
    };
    Ok(BallotBox {
        label: content.label,
        closing: content.closing.ok_or_else(|| not_closed(name))?,
        records,
        from_duplicate,
    })
}

fn not_closed(name: &str) -> Problem {
    Problem::new(Kind::Refused, name, "the kiosk of this medium was not closed")
        .advice("close the polls at the kiosk, or let a spare take the box over and close it there")
}

fn check_pair(original: &Content, duplicate: &Content, name: &str) -> Outcome<()> {
    let refuse = |what: &str| {
        Err(Problem::new(Kind::Refused, name, what)
            .advice("put original and duplicate of one kiosk together, the original first"))
    };
    if original.label.pair != duplicate.label.pair {
        return refuse("the two media are not of one pair");
    }
    match (original.label.role(), duplicate.label.role()) {
        (Some(Role::Original), Some(Role::Duplicate)) => Ok(()),
        (Some(Role::Duplicate), Some(Role::Original)) => refuse("original and duplicate are swapped"),
        _ => refuse("this is twice the same medium"),
    }
}
