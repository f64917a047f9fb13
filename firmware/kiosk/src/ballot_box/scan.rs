//! The journal read from the media: what the log counted, and what waits to leave.

use election::closing::{Closing, Counters};
use election::hash::Digest;
use election::ledger::{StaffSignature, Transaction, transaction_hash};
use election::wire::{self, Bytes};

use super::fault::{MediaFault, Role};
use super::frame::{Found, erased};
use super::index::Index;
use super::journal::{self, ENTRY_HEADER, EntryHead, EntryKind};
use super::label::Layout;
use super::pair::Pair;
use crate::audit::{self, Event};
use crate::ports::{Medium, MediumError};

/// Who the last voter event was about, for staff after a restart (F2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastVoter {
    /// Nobody was ever admitted, or the last one left without a vote.
    Nobody,
    /// Admitted.
    Admitted,
    /// Cut off.
    Interrupted,
}

/// What a signed closing says: the hash whose words witnesses wrote down, and the counts that are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Closing hash.
    pub hash: Digest,
    /// Counts as they were then.
    pub counters: Counters,
    /// The kiosk's, over the hash.
    pub signature: Bytes<64>,
}

/// What the journal says.
#[derive(Clone, Debug)]
pub struct Log {
    /// First journal sector that was never used.
    pub(super) end: u32,
    /// Number of the next entry.
    pub(super) sequence: u32,
    pub(super) head: Digest,
    pub(super) admitted: u32,
    pub(super) abandoned: u32,
    pub(super) interrupted: u32,
    pub(super) last: LastVoter,
    pub(super) opened: Option<[u8; 32]>,
    pub(super) closed: Option<[StaffSignature; 2]>,
    pub(super) closing: Option<Signed>,
    /// A kiosk has taken over since: staff close once more, for that one.
    pub(super) inherited_closed: bool,
    /// The kiosk that took over last, and how many voters had been let in by then.
    pub(super) taken: Option<Digest>,
    pub(super) inherited: u32,
    /// Transaction hash of the newest commit proof.
    pub(super) proven: Option<Digest>,
    pub(super) outbox: Outbox,
}

/// What waits to leave, and where the kiosk's row of batches stands.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Batches in the journal, of all kiosks that had it.
    pub(super) batches: u32,
    /// Number of this kiosk's next batch and the hash before it.
    pub(super) next: u32,
    pub(super) previous: Digest,
    /// Whether this kiosk's closing batch is there.
    pub(super) ended: bool,
    /// Whether this kiosk's registration and takeover are there.
    pub(super) registered: bool,
    pub(super) taken_over: bool,
    /// Transactions without proof, and where the first lies.
    pub(super) pending: u32,
    pub(super) first: Option<u32>,
    /// Newest batch of all, and the newest with a proof: what a takeover may build on.
    pub(super) newest: Option<Digest>,
    pub(super) proven: Digest,
}

impl Log {
    pub(super) const fn new() -> Self {
        Self {
            end: 0,
            sequence: 0,
            head: audit::EMPTY,
            admitted: 0,
            abandoned: 0,
            interrupted: 0,
            last: LastVoter::Nobody,
            opened: None,
            closed: None,
            closing: None,
            inherited_closed: false,
            taken: None,
            inherited: 0,
            proven: None,
            outbox: Outbox {
                batches: 0,
                next: 0,
                previous: [0; 32],
                ended: false,
                registered: false,
                taken_over: false,
                pending: 0,
                first: None,
                newest: None,
                proven: [0; 32],
            },
        }
    }

    /// The head of the audit log. It never comes back: each event makes another.
    #[must_use]
    pub const fn head(&self) -> &Digest {
        &self.head
    }

    /// Whether polls were opened with these media.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.opened.is_some() && self.closed.is_none()
    }

    /// Whether polls are closed (A11).
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// The staff who closed.
    #[must_use]
    pub const fn closed_by(&self) -> Option<&[StaffSignature; 2]> {
        self.closed.as_ref()
    }

    /// Whether the signed closing and the closing batch stand too.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.closing.is_some() && self.outbox.ended
    }

    /// The signed closing, if it stands. What is signed never changes, whatever becomes unreadable afterwards.
    #[must_use]
    pub const fn closing(&self) -> Option<&Signed> {
        self.closing.as_ref()
    }

    /// The kiosk that took over last.
    #[must_use]
    pub const fn taken_by(&self) -> Option<&Digest> {
        self.taken.as_ref()
    }

    /// Hash of the package polls were opened with.
    #[must_use]
    pub const fn opened_with(&self) -> Option<&[u8; 32]> {
        self.opened.as_ref()
    }

    /// Journal entries.
    #[must_use]
    pub const fn entries(&self) -> u32 {
        self.sequence
    }

    /// Transactions without a commit proof.
    #[must_use]
    pub const fn pending(&self) -> u32 {
        self.outbox.pending
    }

    /// Voters whom the kiosks before the last takeover let in.
    #[must_use]
    pub const fn inherited(&self) -> u32 {
        self.inherited
    }

    /// See [`LastVoter`].
    #[must_use]
    pub const fn last_voter(&self) -> LastVoter {
        self.last
    }

    /// Takes an entry in, in its order. False if it is one that cannot stand there.
    #[must_use]
    pub(super) fn take(&mut self, kind: EntryKind, payload: &[u8]) -> bool {
        let Some(sequence) = self.sequence.checked_add(1) else {
            return false;
        };
        match kind {
            EntryKind::Event => {
                let Ok(event) = wire::decode::<Event>(payload) else {
                    return false;
                };
                self.head = audit::advance(&self.head, payload);
                match event {
                    Event::Opened { package, .. } => self.opened = Some(package),
                    Event::Admitted => {
                        self.admitted += 1;
                        self.last = LastVoter::Admitted;
                    }
                    Event::Abandoned => {
                        self.abandoned += 1;
                        self.last = LastVoter::Nobody;
                    }
                    Event::Interrupted => {
                        self.interrupted += 1;
                        self.last = LastVoter::Interrupted;
                    }
                    Event::Closed { staff, .. } => {
                        self.closed = Some(staff);
                        self.inherited_closed = false;
                    }
                    Event::TakenOver { new, .. } => {
                        self.taken = Some(new);
                        self.inherited = self.admitted;
                        // Closed stays closed; but what the former kiosk signed has left nowhere and was shown to nobody (see `propose`).
                        self.inherited_closed = self.closed.is_some();
                        self.closing = None;
                    }
                    Event::Started => {}
                }
            }
            EntryKind::Transaction => {}
            EntryKind::Proof => {
                let Some(hash) = payload.get(..32).and_then(|hash| hash.try_into().ok()) else {
                    return false;
                };
                self.proven = Some(hash);
            }
            EntryKind::Closing => {
                let Ok(closing) = wire::decode::<Closing<'_>>(payload) else {
                    return false;
                };
                self.closing = Some(Signed {
                    hash: closing.hash,
                    counters: closing.counters,
                    signature: closing.signature,
                });
            }
        }
        self.sequence = sequence;
        true
    }
}

/// Looks at one medium's journal at sector `position`: reads the entry there into `buffer`.
pub async fn entry_at<M: Medium>(
    media: &mut Pair<M>,
    role: Role,
    layout: &Layout,
    election: &Digest,
    position: u32,
    buffer: &mut [u8],
) -> Result<Found<EntryHead>, MediumError> {
    let sector = layout.sector_len();
    let offset = layout.journal_offset(position);
    let Some(first) = buffer.get_mut(..sector) else {
        return Err(MediumError::Bounds);
    };
    if !media.read(role, offset, first).await? {
        return Ok(Found::Void);
    }
    if erased(first) {
        return Ok(Found::Free);
    }
    let Some(padded) = EntryHead::look(first).and_then(|head| head.padded(sector)) else {
        return Ok(Found::Void);
    };
    let room = usize::try_from(layout.journal.saturating_sub(position))
        .unwrap_or(0)
        .saturating_mul(sector);
    if padded > room {
        return Ok(Found::Void);
    }
    let Some(all) = buffer.get_mut(..padded) else {
        return Ok(Found::Void);
    };
    if let Some(rest) = all.get_mut(sector..).filter(|rest| !rest.is_empty()) {
        let at = offset + u64::from(layout.sector);
        if !media.read(role, at, rest).await? {
            return Ok(Found::Void);
        }
    }
    Ok(journal::whole(all, election).map_or(Found::Void, |(head, _)| Found::Whole(head)))
}

/// Sectors of an entry.
pub fn sectors(head: &EntryHead, layout: &Layout) -> u32 {
    head.padded(layout.sector_len())
        .map(|bytes| bytes / layout.sector_len().max(1))
        .and_then(|sectors| u32::try_from(sectors).ok())
        .unwrap_or(1)
        .max(1)
}

/// Walks the entries in order over both media: what is whole on either stands, repeats are skipped.
pub struct Walk {
    position: u32,
    sequence: u32,
}

impl Walk {
    pub const fn new() -> Self {
        Self {
            position: 0,
            sequence: 0,
        }
    }

    /// Goes on from a known place; `sequence` is the next number there.
    pub const fn from(position: u32, sequence: u32) -> Self {
        Self { position, sequence }
    }

    /// The next entry, its payload behind [`ENTRY_HEADER`] in `buffer`, and where it lies. At most as many rounds as there are
    /// sectors before `end`.
    pub async fn next<M: Medium>(
        &mut self,
        media: &mut Pair<M>,
        layout: &Layout,
        election: &Digest,
        end: u32,
        buffer: &mut [u8],
    ) -> Result<Option<(u32, EntryHead)>, MediumError> {
        while self.position < end {
            let mut found = None;
            for role in [Role::Original, Role::Duplicate] {
                if let Found::Whole(head) = entry_at(media, role, layout, election, self.position, buffer).await? {
                    found = Some(head);
                    break;
                }
            }
            let at = self.position;
            let Some(head) = found else {
                self.position += 1;
                continue;
            };
            self.position = self.position.saturating_add(sectors(&head, layout));
            if head.sequence == self.sequence {
                self.sequence = self.sequence.saturating_add(1);
                return Ok(Some((at, head)));
            }
        }
        Ok(None)
    }
}

/// The payload that [`Walk::next`] left in `buffer`.
pub fn payload<'s>(buffer: &'s [u8], head: &EntryHead) -> &'s [u8] {
    buffer
        .get(ENTRY_HEADER..)
        .and_then(|body| body.get(..head.length))
        .unwrap_or(&[])
}

/// Works the outbox out of the transactions, and marks the rows that have left. `me` is the kiosk whose label the media bear.
pub async fn outbox<M: Medium>(
    media: &mut Pair<M>,
    layout: &Layout,
    election: &Digest,
    me: &Digest,
    log: &mut Log,
    index: &mut Index<'_>,
    buffer: &mut [u8],
) -> Result<(), MediaFault> {
    let device = |error| MediaFault::Device(Role::Original, error);
    let mut walk = Walk::new();
    let mut out = Outbox::default();
    while let Some((at, head)) = walk
        .next(media, layout, election, log.end, buffer)
        .await
        .map_err(device)?
    {
        if head.kind != EntryKind::Transaction {
            continue;
        }
        let bytes = payload(buffer, &head);
        let hash = transaction_hash(bytes);
        let mut batch_hash = None;
        let mut takeover = None;
        match Transaction::read(bytes).map_err(|_| MediaFault::Log)? {
            Transaction::Register { body, .. } => {
                if election::ledger::kiosk_id(&body.kiosk.0) == *me {
                    // What kiosks before this one left unsent is refused now; it leaves again in this kiosk's batches.
                    out.registered = true;
                    out.pending = 0;
                    out.first = None;
                }
            }
            Transaction::Takeover { body, .. } => takeover = Some(body),
            Transaction::Batch(batch) => {
                let this = batch.header.hash();
                out.batches += 1;
                let (ordinal, kind) = (out.batches, election::batch::Kind::Cast);
                for entry in batch
                    .entries
                    .iter()
                    .map_while(Result::ok)
                    .filter(|entry| entry.kind == kind)
                {
                    if let Some(row) = index.find_leaf(&entry.leaf) {
                        row.batch = ordinal;
                    }
                }
                if batch.header.kiosk == *me {
                    out.next = batch.header.number.saturating_add(1);
                    out.previous = this;
                    out.ended |= batch.header.closing.is_some();
                }
                batch_hash = Some(this);
            }
            Transaction::Revoke { .. } | Transaction::Validators { .. } => return Err(MediaFault::Log),
        }
        out.pending += 1;
        out.first = out.first.or(Some(at));
        if batch_hash.is_some() {
            out.newest = batch_hash;
        }
        if log.proven == Some(hash) {
            out.pending = 0;
            out.first = None;
            if let Some(batch) = out.newest {
                out.proven = batch;
            }
        }
        if let Some(body) = takeover {
            // Batches behind the predecessor may or may not be on the ledger: their entries leave once more.
            let kept = batch_ordinal(media, layout, election, at, &body.predecessor, buffer)
                .await
                .map_err(device)?;
            for row in index.rows_mut().iter_mut().filter(|row| row.batch > kept) {
                row.batch = 0;
            }
            out.newest = None;
            out.proven = body.predecessor;
            if body.new == *me {
                out.taken_over = true;
                out.next = 0;
                out.previous = body.predecessor;
            }
        }
    }
    log.outbox = out;
    Ok(())
}

/// Which batch of the journal before `end` has this hash, counted from 1; 0 if none.
async fn batch_ordinal<M: Medium>(
    media: &mut Pair<M>,
    layout: &Layout,
    election: &Digest,
    end: u32,
    hash: &Digest,
    buffer: &mut [u8],
) -> Result<u32, MediumError> {
    let mut walk = Walk::new();
    let mut ordinal = 0;
    while let Some((_, head)) = walk.next(media, layout, election, end, buffer).await? {
        if head.kind == EntryKind::Transaction
            && let Ok(Transaction::Batch(batch)) = Transaction::read(payload(buffer, &head))
        {
            ordinal += 1;
            if batch.header.hash() == *hash {
                return Ok(ordinal);
            }
        }
    }
    Ok(0)
}
