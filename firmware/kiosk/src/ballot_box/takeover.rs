//! Takeover: a spare goes on with the surviving medium of the kiosk it replaces (F4).
//!
//! The spare stands there with one fresh, empty medium of its own pair and the surviving one of the old kiosk. One label, written
//! to the surviving medium in one sector, hands it over: before it nothing has changed, after it the two are the spare's pair, and
//! ordinary mounting copies everything to the fresh one. The log, the counters and the records go on; the old kiosk's key is refused from the
//! takeover's transaction on.

use election::batch::Kind;
use election::hash::Digest;
use election::ledger::{Transaction, transaction_hash};

use super::fault::{MediaFault, Role};
use super::frame::Found;
use super::index::{Index, Row};
use super::journal::EntryKind;
use super::label::{LABELS, Label, MAX_LABEL, TakenOver};
use super::mount::{Expected, label_of};
use super::reader::{Reader, ReaderError, SlotState};
use super::{Leaves, Memory};
use crate::ports::Medium;

/// What a takeover would take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Which slot the surviving medium is in.
    pub surviving: Role,
    /// The kiosk that is replaced.
    pub old: Digest,
    /// See [`TakenOver::predecessor`].
    pub predecessor: Digest,
    /// Votes on the surviving medium.
    pub count: u32,
    /// The surviving medium's new label, but for what staff sign.
    label: Label,
}

fn reader_fault(role: Role) -> impl Fn(ReaderError) -> MediaFault {
    move |error| match error {
        ReaderError::Media(fault) => fault,
        ReaderError::Device(error) => MediaFault::Device(role, error),
        ReaderError::Buffer => MediaFault::Sizes,
    }
}

/// Looks whether a takeover is possible with the media that are in; reads only.
///
/// # Errors
/// By name, why not.
pub async fn propose<M: Medium, L: Leaves>(
    original: &mut M,
    duplicate: &mut M,
    expected: &Expected,
    leaves: &L,
    memory: &mut Memory<'_>,
) -> Result<Proposal, MediaFault> {
    let labels = [
        label_of(original, Role::Original).await?,
        label_of(duplicate, Role::Duplicate).await?,
    ];
    let [one, two] = &labels;
    let (surviving, fresh) = match (one.kiosk == expected.kiosk, two.kiosk == expected.kiosk) {
        (true, false) => (Role::Duplicate, Role::Original),
        (false, true) => (Role::Original, Role::Duplicate),
        _ => return Err(MediaFault::NotAPair),
    };
    let (old, new) = if surviving == Role::Original {
        (one, two)
    } else {
        (two, one)
    };
    expected.check(new, fresh)?;
    // The same rules for the surviving medium, but for whose it is.
    Expected {
        kiosk: old.kiosk,
        ..*expected
    }
    .check(old, surviving)?;
    if new.role().is_some_and(|role| role != fresh) {
        return Err(MediaFault::Swapped);
    }
    if new.layout != old.layout {
        return Err(MediaFault::Sizes);
    }
    if new.epoch != old.epoch {
        return Err(MediaFault::OtherEpoch(fresh));
    }
    if !memory.fits(&old.layout, expected.batch) {
        return Err(MediaFault::Sizes);
    }
    let (old_label, new_label) = (*old, *new);
    let (from, to) = match surviving {
        Role::Original => (original, duplicate),
        Role::Duplicate => (duplicate, original),
    };
    empty(
        Reader::open(to).await.map_err(reader_fault(fresh))?,
        fresh,
        memory.scratch,
    )
    .await?;
    let mut reader = Reader::open(from).await.map_err(reader_fault(surviving))?;
    let count = votes(&mut reader, surviving, leaves, memory).await?;
    let predecessor = predecessor(&mut reader, surviving, &old_label, memory.scratch).await?;
    Ok(Proposal {
        surviving,
        old: old_label.kiosk,
        predecessor,
        count,
        label: Label {
            kiosk: expected.kiosk,
            pair: new_label.pair,
            role: surviving as u8,
            takeover: None,
            ..old_label
        },
    })
}

/// A fresh medium holds nothing.
async fn empty<M: Medium>(mut reader: Reader<M>, role: Role, buffer: &mut [u8]) -> Result<(), MediaFault> {
    let used = reader.next(buffer).await.map_err(reader_fault(role))?.is_some();
    if used || reader.torn() > 0 {
        return Err(MediaFault::NotAPair);
    }
    for slot in 0..reader.slots() {
        if !matches!(
            reader.slot(slot, buffer).await.map_err(reader_fault(role))?,
            SlotState::Free
        ) {
            return Err(MediaFault::NotAPair);
        }
    }
    Ok(())
}

/// Different votes on the surviving medium.
async fn votes<M: Medium, L: Leaves>(
    reader: &mut Reader<M>,
    role: Role,
    leaves: &L,
    memory: &mut Memory<'_>,
) -> Result<u32, MediaFault> {
    let mut index = Index::new(memory.rows, memory.used);
    for slot in 0..reader.slots() {
        let state = reader.slot(slot, memory.scratch).await.map_err(reader_fault(role))?;
        let SlotState::Whole(record) = state else { continue };
        if record.kind != Kind::Cast {
            continue;
        }
        let Some(leaf) = leaves.leaf(record.kind, record.ballot, &record.tag) else {
            continue;
        };
        if index.find_leaf(&leaf.leaf).is_none() {
            let row = Row {
                leaf: leaf.leaf,
                slot,
                ..Row::EMPTY
            };
            if !index.push(row) {
                return Err(MediaFault::Sizes);
            }
        }
    }
    Ok(index.count(Kind::Cast))
}

/// The newest batch of the old kiosk that the surviving medium holds a commit proof of. Where the old kiosk has no batch at all, what it
/// took over with itself; else zero bytes.
async fn predecessor<M: Medium>(
    reader: &mut Reader<M>,
    role: Role,
    old: &Label,
    buffer: &mut [u8],
) -> Result<Digest, MediaFault> {
    let mut batches = 0u32;
    let mut proof: Option<Digest> = None;
    reader.rewind();
    while let Some(item) = reader.next(buffer).await.map_err(reader_fault(role))? {
        match item.kind {
            EntryKind::Closing | EntryKind::Event => {}
            EntryKind::Proof => proof = item.payload.get(..32).and_then(|hash| hash.try_into().ok()),
            EntryKind::Transaction => {
                let Ok(Transaction::Batch(batch)) = Transaction::read(item.payload) else {
                    continue;
                };
                // The last batch is written before witnesses see the words: with it the box is complete and can be counted. Without it, also
                // where polls are closed or the closing is signed, nobody has seen anything that the spare could not say anew.
                if batch.header.closing.is_some() {
                    return Err(MediaFault::Closed);
                }
                if batch.header.kiosk == old.kiosk {
                    batches += 1;
                }
            }
        }
    }
    if batches == 0 {
        return Ok(old.takeover.map_or([0; 32], |taken| taken.predecessor));
    }
    let mut newest = [0; 32];
    reader.rewind();
    while let Some(item) = reader.next(buffer).await.map_err(reader_fault(role))? {
        if item.kind != EntryKind::Transaction {
            continue;
        }
        if let Ok(Transaction::Batch(batch)) = Transaction::read(item.payload)
            && batch.header.kiosk == old.kiosk
        {
            newest = batch.header.hash();
        }
        if Some(transaction_hash(item.payload)) == proof {
            return Ok(newest);
        }
    }
    Ok([0; 32])
}

impl Proposal {
    /// The surviving medium's epoch.
    #[must_use]
    pub const fn epoch(&self) -> u8 {
        self.label.epoch
    }
}

/// Gives a spare medium the role of the slot it is in, by one more label. Before [`rebind`]: a cut between the two leaves a fresh medium
/// of the spare's, with which the takeover begins again.
///
/// # Errors
/// As [`rebind`].
pub async fn adopt<M: Medium>(medium: &mut M, proposal: &Proposal, buffer: &mut [u8]) -> Result<(), MediaFault> {
    let role = proposal.surviving.other();
    let label = label_of(medium, role).await?;
    if label.role().is_some() {
        return Ok(());
    }
    let label = Label {
        role: role as u8,
        ..label
    };
    write_label(medium, role, &label, buffer).await
}

/// Writes the label that hands the surviving medium over. Afterwards the kiosk restarts and mounts.
///
/// # Errors
/// [`MediaFault`]; [`MediaFault::Label`] if there is no free label place.
pub async fn rebind<M: Medium>(
    medium: &mut M,
    proposal: &Proposal,
    taken: &TakenOver,
    buffer: &mut [u8],
) -> Result<(), MediaFault> {
    let label = Label {
        takeover: Some(*taken),
        ..proposal.label
    };
    write_label(medium, proposal.surviving, &label, buffer).await
}

/// Writes a label into the next free label place.
async fn write_label<M: Medium>(
    medium: &mut M,
    role: Role,
    label: &Label,
    buffer: &mut [u8],
) -> Result<(), MediaFault> {
    let device = |error| MediaFault::Device(role, error);
    let layout = label.layout;
    let sector = buffer.get_mut(..layout.sector_len()).ok_or(MediaFault::Sizes)?;
    for index in 1..LABELS {
        let mut place = [0; MAX_LABEL];
        medium
            .read(layout.label_offset(index), &mut place)
            .await
            .map_err(device)?;
        if !matches!(Label::read(&place), Found::Free) {
            continue;
        }
        if !label.write(sector) {
            return Err(MediaFault::Sizes);
        }
        medium.write(layout.label_offset(index), sector).await.map_err(device)?;
        return medium.sync().await.map_err(device);
    }
    Err(MediaFault::Label(role))
}
