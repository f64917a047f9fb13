//! Writing into the box: a session's record, an event, an entry for the ledger. Nothing is said to be done before both media have it.

use election::batch::Kind;

use super::durable::Durable;
use super::fault::Role;
use super::frame::{Found, put};
use super::index::Row;
use super::journal::{self, ENTRY_HEADER, EntryKind};
use super::label::RECORD_HEADER;
use super::pair::WriteFault;
use super::record;
use super::scan::{LastVoter, entry_at, payload};
use super::{BallotBox, Leaves};
use crate::audit::Event;
use crate::ports::Medium;
use crate::random::Uniform;
use crate::screen::{Fault, Recorded};
use crate::session::{Outcome, Record, Then};

/// A write that failed: the kiosk halts and says this (F3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What happened.
    pub fault: Fault,
    /// Whether the vote of whoever stands there is recorded.
    pub recorded: Recorded,
}

impl Broken {
    const fn no(fault: Fault) -> Self {
        Self {
            fault,
            recorded: Recorded::No,
        }
    }

    fn write(fault: WriteFault, record: bool) -> Self {
        Self {
            fault: fault
                .error
                .map_or(Fault::ReadBack(fault.role), |error| Fault::Medium(fault.role, error)),
            recorded: match (record, fault.original_done) {
                (true, true) => Recorded::Yes,
                // What a medium that failed holds is known after a restart.
                (true, false) => Recorded::Unknown,
                (false, _) => Recorded::No,
            },
        }
    }
}

impl<M: Medium, L: Leaves> BallotBox<'_, M, L> {
    /// What is in the two slots at this moment, original and duplicate, for staff: its size in bytes, or why it cannot be read.
    pub async fn look(&mut self) -> [Result<u64, crate::ports::MediumError>; 2] {
        self.media.look().await
    }

    /// Makes an outcome's record durable and gives what follows. For a ballot, `slot` holds it behind [`RECORD_HEADER`] bytes,
    /// `length` bytes long.
    ///
    /// # Errors
    /// [`Broken`]: nothing follows; the box takes nothing more until it is mounted again.
    pub async fn commit<R: Uniform + ?Sized>(
        &mut self,
        outcome: Outcome,
        slot: &mut [u8],
        length: usize,
        rng: &mut R,
    ) -> Result<Then, Broken> {
        match outcome.record() {
            None => {}
            Some(Record::Admitted) => self.append(&Event::Admitted).await?,
            Some(Record::Abandoned) => self.append(&Event::Abandoned).await?,
            Some(Record::Cast(tag)) => self.put(Kind::Cast, &tag.0, slot, length, rng).await?,
            Some(Record::Spoiled) => self.put(Kind::Spoiled, &[0; 32], slot, length, rng).await?,
        }
        let proof = Durable::new(outcome.ticket());
        outcome.release(proof).map_err(|_| Broken::no(Fault::Defect))
    }

    /// The deficit rule, at every start: 0 goes on; 1 is a voter who was cut off, and is logged; anything else halts. Also logs
    /// the start itself while polls are open.
    ///
    /// # Errors
    /// [`Fault::Deficit`], or a failing write.
    pub async fn settle(&mut self) -> Result<(), Broken> {
        let missing = self.counts().deficit();
        match missing {
            0 => {}
            1 if self.log.is_open() => self.append(&Event::Interrupted).await?,
            _ => return Err(Broken::no(Fault::Deficit { missing })),
        }
        // A kiosk that starts again and again must not fill the journal that its closing needs.
        if self.log.is_open() && self.free() > 0 {
            self.append(&Event::Started).await?;
        }
        Ok(())
    }

    /// Whether the vote of the voter who was admitted last is recorded (F2); `None` if nobody was, or the last one left.
    /// Asked after [`BallotBox::settle`].
    #[must_use]
    pub const fn last_voter(&self) -> Option<Recorded> {
        match self.log.last {
            LastVoter::Nobody => None,
            LastVoter::Admitted => Some(Recorded::Yes),
            LastVoter::Interrupted => Some(Recorded::No),
        }
    }

    /// After a closing that failed: whether the event stands on one medium all the same. What is whole on either stands.
    pub async fn closed_on_one(&mut self) -> bool {
        let (layout, election, place) = (self.label.layout, self.label.election, self.log.end);
        for role in [Role::Original, Role::Duplicate] {
            let found = entry_at(&mut self.media, role, &layout, &election, place, self.scratch).await;
            if let Ok(Found::Whole(head)) = found
                && head.kind == EntryKind::Event
                && let Ok(Event::Closed { .. }) = election::wire::decode(payload(self.scratch, &head))
            {
                return true;
            }
        }
        false
    }

    /// Appends an event to the audit log.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn append(&mut self, event: &Event) -> Result<(), Broken> {
        let allowed = match event {
            Event::Admitted | Event::Abandoned | Event::Interrupted => self.log.is_open(),
            Event::Closed { .. } => self.log.is_open() || self.log.inherited_closed,
            Event::Opened { .. } => self.log.opened.is_none() && self.log.closed.is_none(),
            Event::Started => self.log.closed.is_none(),
            Event::TakenOver { .. } => !self.log.outbox.ended,
        };
        // Closed is closed (A11), and nobody votes before polls are open: also for a loop that forgot to ask.
        if !allowed {
            return Err(Broken::no(Fault::Defect));
        }
        let mut bytes = [0; Event::MAX];
        let payload = event.encode(&mut bytes).map_err(|_| Broken::no(Fault::Defect))?;
        let body = self.scratch.get_mut(ENTRY_HEADER..).unwrap_or_default();
        if !put(body, 0, payload) {
            return Err(Broken::no(Fault::Buffers));
        }
        self.entry(EntryKind::Event, payload.len()).await.map(|_| ())
    }

    /// Appends the entry whose payload lies behind [`ENTRY_HEADER`] bytes in the scratch buffer; gives its place.
    pub(super) async fn entry(&mut self, kind: EntryKind, length: usize) -> Result<u32, Broken> {
        if self.broken {
            return Err(Broken::no(Fault::Defect));
        }
        let layout = self.label.layout;
        let election = self.label.election;
        let sequence = self.log.sequence;
        let bytes = journal::seal(self.scratch, layout.sector_len(), &election, kind, sequence, length);
        let bytes = bytes.ok_or(Broken::no(Fault::Buffers))?;
        let sectors = bytes.len() / layout.sector_len().max(1);
        let place = self.log.end;
        let end = u32::try_from(sectors)
            .ok()
            .and_then(|sectors| place.checked_add(sectors));
        let end = end
            .filter(|end| *end <= layout.journal)
            .ok_or(Broken::no(Fault::NoRoom))?;
        self.broken = true;
        self.media
            .write_both(layout.journal_offset(place), bytes)
            .await
            .map_err(|fault| Broken::write(fault, false))?;
        self.broken = false;
        self.log.end = end;
        let payload = bytes
            .get(ENTRY_HEADER..ENTRY_HEADER.saturating_add(length))
            .unwrap_or(&[]);
        if self.log.take(kind, payload) {
            Ok(place)
        } else {
            self.broken = true;
            Err(Broken::no(Fault::Defect))
        }
    }

    /// Puts a ballot into a random free slot.
    async fn put<R: Uniform + ?Sized>(
        &mut self,
        kind: Kind,
        tag: &[u8; 32],
        slot: &mut [u8],
        length: usize,
        rng: &mut R,
    ) -> Result<(), Broken> {
        let layout = self.label.layout;
        // Behind the lock of `broken` there is no second attempt: a ballot written twice would be two records.
        if self.broken || !self.log.is_open() {
            return Err(Broken::no(Fault::Defect));
        }
        let ballot = RECORD_HEADER
            .checked_add(length)
            .and_then(|end| slot.get(RECORD_HEADER..end))
            .ok_or(Broken::no(Fault::Buffers))?;
        let leaf = self.leaves.leaf(kind, ballot, tag).ok_or(Broken::no(Fault::Defect))?;
        if kind == Kind::Cast && self.index.has_tag(tag) {
            return Err(Broken::no(Fault::Defect));
        }
        let place = self
            .index
            .draw(layout.range(kind), rng)
            .ok_or(Broken::no(Fault::NoRoom))?;
        let bytes = record::seal(slot, layout.sector_len(), &self.label.election, kind, tag, length)
            .filter(|bytes| bytes.len() <= layout.slot_len())
            .ok_or(Broken::no(Fault::Buffers))?;
        let cast = kind == Kind::Cast;
        self.broken = true;
        self.index.mark_used(place);
        self.media
            .write_both(layout.slot_offset(place), bytes)
            .await
            .map_err(|fault| Broken::write(fault, cast))?;
        self.broken = false;
        let row = Row {
            tag: *tag,
            leaf: leaf.leaf,
            slot: place,
            batch: 0,
            kind,
            original: true,
            duplicate: true,
        };
        if self.index.push(row) {
            Ok(())
        } else {
            // It stands on both media; only memory is too small. The restart reads it.
            self.broken = true;
            Err(Broken {
                fault: Fault::Buffers,
                recorded: if cast { Recorded::Yes } else { Recorded::No },
            })
        }
    }
}
