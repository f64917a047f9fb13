//! Mounting a pair: are these the right media (F6), and what stands on them (DESIGN, "The ballot box")?
//!
//! What is whole on either medium stands and is copied to the other; what cannot be read is void, is kept and counted. Everything
//! here may be cut off at any point and begun again.

use election::batch::{self, Kind};
use election::hash::Digest;

use super::fault::{MediaFault, Role};
use super::frame::{self, Found};
use super::index::{Index, Row};
use super::journal::ENTRY_HEADER;
use super::label::{LABELS, Label, Layout, MAX_LABEL};
use super::pair::Pair;
use super::record;
use super::scan::{self, Log, entry_at, sectors};
use super::{BallotBox, Leaves, Memory};
use crate::ports::{Medium, MediumError};
use crate::random::Uniform;

/// What the media must be.
#[derive(Clone, Copy)]
pub struct Expected {
    /// Election hash.
    pub election: Digest,
    /// This kiosk's id.
    pub kiosk: Digest,
    /// Number of this station.
    pub station: u16,
    /// Number of epochs.
    pub epochs: u8,
    /// Bytes of the longest ballot.
    pub ballot: usize,
    /// k.
    pub batch: usize,
}

/// What mounting found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mounted {
    /// Journal entries and records that were copied.
    pub copied: u32,
    /// Journal places that cannot be read.
    pub torn: u32,
    /// Records and entries of which only one copy could be had: the other medium wears out.
    pub single: u32,
}

/// Reads the newest label of a medium.
///
/// # Errors
/// [`MediaFault`], with `role` as the slot it is in.
pub async fn label_of<M: Medium + ?Sized>(medium: &mut M, role: Role) -> Result<Label, MediaFault> {
    let device = |error| MediaFault::Device(role, error);
    let geometry = medium.geometry().await.map_err(device)?;
    let mut bytes = [0; MAX_LABEL];
    // The grain is written in the label itself, so the first label tells where the others are.
    medium.read(0, &mut bytes).await.map_err(device)?;
    let mut newest = match Label::read(&bytes) {
        Found::Whole(Ok(label)) => Some(label),
        Found::Whole(Err(_)) => return Err(MediaFault::Version(role)),
        Found::Free => return Err(MediaFault::Stray(role)),
        Found::Void if bytes.starts_with(b"IPPYOBX1") => return Err(MediaFault::Label(role)),
        Found::Void => return Err(MediaFault::Stray(role)),
    };
    if let Some(layout) = newest.map(|label| label.layout) {
        if layout.size() > geometry.size || !layout.sector.is_multiple_of(geometry.sector.max(1)) {
            return Err(MediaFault::TooSmall(role));
        }
        for index in 1..LABELS {
            read_tolerant(medium, layout.label_offset(index), &mut bytes)
                .await
                .map_err(device)?;
            match Label::read(&bytes) {
                Found::Whole(Ok(label)) => newest = Some(label),
                Found::Whole(Err(_)) => return Err(MediaFault::Version(role)),
                Found::Free | Found::Void => {}
            }
        }
    }
    newest.ok_or(MediaFault::Label(role))
}

/// Reads; a place that cannot be read is as good as damaged.
async fn read_tolerant<M: Medium + ?Sized>(medium: &mut M, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
    match medium.read(offset, buffer).await {
        Err(MediumError::Read) => {
            buffer.fill(0);
            Ok(())
        }
        other => other,
    }
}

impl Expected {
    /// Whether one medium is right for this kiosk.
    ///
    /// # Errors
    /// By name, why not.
    pub fn check(&self, label: &Label, role: Role) -> Result<(), MediaFault> {
        if label.election != self.election {
            return Err(MediaFault::OtherElection(role));
        }
        if label.station != self.station {
            return Err(MediaFault::OtherStation(role));
        }
        if label.epoch >= self.epochs {
            return Err(MediaFault::OtherEpoch(role));
        }
        let needed = self.ballot.saturating_add(super::RECORD_HEADER);
        if label.layout.slot_len() < needed {
            return Err(MediaFault::TooSmall(role));
        }
        if label.kiosk != self.kiosk {
            return Err(MediaFault::OtherKiosk(role));
        }
        Ok(())
    }

    /// Whether the two are this kiosk's pair, each in its slot.
    fn pair(&self, original: &Label, duplicate: &Label) -> Result<(), MediaFault> {
        self.check(original, Role::Original)?;
        self.check(duplicate, Role::Duplicate)?;
        match (original.role(), duplicate.role()) {
            (Some(Role::Original), Some(Role::Duplicate)) => {}
            // A spare's own media hold nobody's votes: it starts only with the surviving medium of the kiosk it replaces.
            (None, _) => return Err(MediaFault::Spare(Role::Original)),
            (_, None) => return Err(MediaFault::Spare(Role::Duplicate)),
            (Some(Role::Duplicate), Some(Role::Original)) => return Err(MediaFault::Swapped),
            (Some(_), Some(_)) if original.pair == duplicate.pair => return Err(MediaFault::Twice),
            _ => return Err(MediaFault::NotAPair),
        }
        if original.pair != duplicate.pair || original.epoch != duplicate.epoch {
            return Err(MediaFault::NotAPair);
        }
        if original.layout != duplicate.layout {
            return Err(MediaFault::Sizes);
        }
        Ok(())
    }
}

/// A single that waits to be repaired: entry number, where it is whole, which medium lacks it.
type Single = (u32, u32, Role);

struct Mount<'b, 's, M, L> {
    media: Pair<M>,
    label: Label,
    leaves: L,
    index: Index<'b>,
    a: &'b mut [u8],
    b: &'s mut [u8],
    entries: &'b mut [batch::Entry],
    log: Log,
    found: Mounted,
    void: u32,
    singles: heapless::Vec<Single, 16>,
}

impl<'b, M: Medium, L: Leaves> BallotBox<'b, M, L> {
    /// Mounts a pair. `spare` is a second buffer as large as `memory.scratch`, needed for this call only.
    ///
    /// # Errors
    /// [`MediaFault`], by name; nothing was written then unless recovery had begun.
    pub async fn mount<R: Uniform + ?Sized>(
        mut original: M,
        mut duplicate: M,
        expected: &Expected,
        leaves: L,
        memory: Memory<'b>,
        spare: &mut [u8],
        rng: &mut R,
    ) -> Result<(Self, Mounted), MediaFault> {
        let label = label_of(&mut original, Role::Original).await?;
        let other = label_of(&mut duplicate, Role::Duplicate).await?;
        expected.pair(&label, &other)?;
        // A takeover is said on the surviving medium only; it belongs to the pair.
        let label = Label {
            takeover: label.takeover.or(other.takeover),
            ..label
        };
        let media = Pair {
            original,
            duplicate,
            lost: None,
        };
        Self::mounted(media, label, expected, leaves, memory, spare, rng).await
    }

    /// Mounts a closed box of which one medium cannot be used any more: nobody can vote, so that what is left to do, the signed closing and
    /// the last batch, may stand on one alone. The other place is never touched.
    ///
    /// # Errors
    /// As [`BallotBox::mount`]; the device's fault of the lost medium if the surviving one does not say that polls are closed.
    pub async fn mount_alone<R: Uniform + ?Sized>(
        (original, duplicate): (M, M),
        lost: Role,
        expected: &Expected,
        leaves: L,
        memory: Memory<'b>,
        spare: &mut [u8],
        rng: &mut R,
    ) -> Result<(Self, Mounted), MediaFault> {
        let role = lost.other();
        let mut media = Pair {
            original,
            duplicate,
            lost: Some(lost),
        };
        let label = label_of(media.at(role), role).await?;
        expected.check(&label, role)?;
        match label.role() {
            Some(is) if is == role => {}
            Some(_) => return Err(MediaFault::Swapped),
            None => return Err(MediaFault::Spare(role)),
        }
        let (ballot_box, found) = Self::mounted(media, label, expected, leaves, memory, spare, rng).await?;
        if ballot_box.log.is_closed() {
            Ok((ballot_box, found))
        } else {
            Err(MediaFault::Device(lost, MediumError::Missing))
        }
    }

    async fn mounted<R: Uniform + ?Sized>(
        media: Pair<M>,
        label: Label,
        expected: &Expected,
        leaves: L,
        memory: Memory<'b>,
        spare: &mut [u8],
        rng: &mut R,
    ) -> Result<(Self, Mounted), MediaFault> {
        if !memory.fits(&label.layout, expected.batch) || spare.len() < super::buffer_len(&label.layout, expected.batch)
        {
            return Err(MediaFault::Sizes);
        }
        let slots = usize::try_from(label.layout.slots()).unwrap_or(usize::MAX);
        let rows = memory.rows.get_mut(..slots).ok_or(MediaFault::Sizes)?;
        let mut mount = Mount {
            media,
            label,
            leaves,
            index: Index::new(rows, memory.used),
            a: memory.scratch,
            b: spare,
            entries: memory.entries,
            log: Log::new(),
            found: Mounted::default(),
            void: 0,
            singles: heapless::Vec::new(),
        };
        mount.slots().await?;
        mount.journal().await?;
        mount.repair_journal().await?;
        mount.repair_slots(rng).await?;
        let (layout, election, kiosk) = (mount.label.layout, mount.label.election, mount.label.kiosk);
        let Mount {
            media, index, log, a, ..
        } = &mut mount;
        scan::outbox(media, &layout, &election, &kiosk, log, index, a).await?;
        let found = mount.found;
        Ok((
            Self {
                media: mount.media,
                label: mount.label,
                leaves: mount.leaves,
                index: mount.index,
                scratch: mount.a,
                entries: mount.entries,
                log: mount.log,
                void: mount.void,
                batch: expected.batch,
                broken: false,
            },
            found,
        ))
    }
}

const fn device(role: Role) -> impl Fn(MediumError) -> MediaFault {
    move |error| MediaFault::Device(role, error)
}

/// A write that failed while recovering: the medium cannot be relied on.
fn written(role: Role) -> impl Fn(Option<MediumError>) -> MediaFault {
    move |error| MediaFault::Device(role, error.unwrap_or(MediumError::Write))
}

impl<M: Medium, L: Leaves> Mount<'_, '_, M, L> {
    async fn slots(&mut self) -> Result<(), MediaFault> {
        let layout = self.label.layout;
        let (cast, length) = (layout.range(Kind::Cast), layout.slot_len());
        for slot in 0..layout.slots() {
            let offset = layout.slot_offset(slot);
            let (a, b) = (self.a.get_mut(..length), self.b.get_mut(..length));
            let (Some(a), Some(b)) = (a, b) else {
                return Err(MediaFault::Sizes);
            };
            let election = &self.label.election;
            let one = slot_at(&mut self.media, Role::Original, offset, a, election).await?;
            let two = slot_at(&mut self.media, Role::Duplicate, offset, b, election).await?;
            if matches!((&one, &two), (Found::Free, Found::Free)) {
                continue;
            }
            self.index.mark_used(slot);
            let (original, duplicate) = (matches!(one, Found::Whole(_)), matches!(two, Found::Whole(_)));
            let record = match (one.whole(), two.whole()) {
                (Some(one), Some(two)) => {
                    if one.kind != two.kind || one.tag != two.tag || one.ballot != two.ballot {
                        return Err(MediaFault::Differ { place: slot });
                    }
                    Some(one)
                }
                (one, two) => one.or(two),
            };
            let in_place = record.filter(|record| (record.kind == Kind::Cast) == cast.contains(&slot));
            let leaf = in_place.and_then(|record| {
                let leaf = self.leaves.leaf(record.kind, record.ballot, &record.tag)?;
                Some((record, leaf.leaf))
            });
            let Some((record, leaf)) = leaf else {
                self.void += 1;
                continue;
            };
            if let Some(row) = self.index.find_leaf(&leaf) {
                // The repair of a record whose first copy on one medium cannot be read.
                row.original |= original;
                row.duplicate |= duplicate;
                continue;
            }
            let row = Row {
                tag: record.tag,
                leaf,
                slot,
                batch: 0,
                kind: record.kind,
                original,
                duplicate,
            };
            if !self.index.push(row) {
                return Err(MediaFault::Sizes);
            }
        }
        Ok(())
    }

    async fn journal(&mut self) -> Result<(), MediaFault> {
        let layout = self.label.layout;
        let election = self.label.election;
        let mut position = 0;
        // At most one round a sector of the journal. All of it is read: a medium that reorders writes may have left something behind a gap.
        while position < layout.journal {
            let one = entry_at(&mut self.media, Role::Original, &layout, &election, position, self.a)
                .await
                .map_err(device(Role::Original))?;
            let two = entry_at(&mut self.media, Role::Duplicate, &layout, &election, position, self.b)
                .await
                .map_err(device(Role::Duplicate))?;
            let (head, holder) = match (one, two) {
                (Found::Free, Found::Free) => {
                    position += 1;
                    continue;
                }
                (Found::Whole(head), Found::Whole(other)) => {
                    let length = ENTRY_HEADER.saturating_add(head.length);
                    if head != other || self.a.get(..length) != self.b.get(..length) {
                        return Err(MediaFault::Differ { place: position });
                    }
                    (head, None)
                }
                (Found::Whole(head), _) => (head, Some(Role::Original)),
                (_, Found::Whole(head)) => (head, Some(Role::Duplicate)),
                _ => {
                    // One bad reading of an erased place far behind the end would leave no room for the rest of the day.
                    if self.reads_erased(position).await? {
                        position += 1;
                        continue;
                    }
                    self.found.torn += 1;
                    position += 1;
                    self.log.end = position;
                    continue;
                }
            };
            let at = position;
            position = position.saturating_add(sectors(&head, &layout));
            self.log.end = position;
            let in_order = head.sequence == self.log.sequence;
            if head.sequence > self.log.sequence {
                return Err(MediaFault::Log);
            }
            if !in_order {
                // A repeat: it repairs the medium it is on.
                self.singles
                    .retain(|(number, _, lacks)| *number != head.sequence || holder.is_some_and(|has| has != *lacks));
                continue;
            }
            let bytes = if holder == Some(Role::Duplicate) {
                &mut *self.b
            } else {
                &mut *self.a
            };
            let payload = scan::payload(bytes, &head);
            if !self.log.take(head.kind, payload) {
                return Err(MediaFault::Log);
            }
            if let Some(has) = holder {
                let lacks = has.other();
                let offset = layout.journal_offset(at);
                let bytes = head.copy(bytes, layout.sector_len()).ok_or(MediaFault::Sizes)?;
                if self
                    .media
                    .is_free(lacks, offset, bytes.len())
                    .await
                    .map_err(device(lacks))?
                {
                    self.media
                        .write_one(lacks, offset, bytes)
                        .await
                        .map_err(written(lacks))?;
                    self.found.copied += 1;
                } else if self.singles.push((head.sequence, at, lacks)).is_err() {
                    self.found.single += 1;
                }
            }
        }
        Ok(())
    }

    /// Whether a journal sector reads as erased on both media when it is read again.
    async fn reads_erased(&mut self, position: u32) -> Result<bool, MediaFault> {
        let layout = self.label.layout;
        for role in [Role::Original, Role::Duplicate] {
            let free = self
                .media
                .is_free(role, layout.journal_offset(position), layout.sector_len());
            if !free.await.map_err(device(role))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Entries that one medium lost are written again behind the end, on that medium alone.
    async fn repair_journal(&mut self) -> Result<(), MediaFault> {
        let (layout, election) = (self.label.layout, self.label.election);
        for (_, position, lacks) in core::mem::take(&mut self.singles) {
            let has = lacks.other();
            let head = entry_at(&mut self.media, has, &layout, &election, position, self.a)
                .await
                .map_err(device(has))?
                .whole()
                .ok_or(MediaFault::Log)?;
            let next = self.log.end.saturating_add(sectors(&head, &layout));
            if next > layout.journal {
                self.found.single += 1;
                continue;
            }
            let bytes = head.copy(self.a, layout.sector_len()).ok_or(MediaFault::Sizes)?;
            let offset = layout.journal_offset(self.log.end);
            self.media
                .write_one(lacks, offset, bytes)
                .await
                .map_err(written(lacks))?;
            self.log.end = next;
            self.found.copied += 1;
        }
        Ok(())
    }

    /// Records that one medium lacks are copied: to the same slot if it is erased there, else to another free one.
    async fn repair_slots<R: Uniform + ?Sized>(&mut self, rng: &mut R) -> Result<(), MediaFault> {
        let layout = self.label.layout;
        for at in 0..self.index.rows().len() {
            let Some(row) = self.index.rows().get(at).copied() else {
                continue;
            };
            let Some(lacks) = [Role::Original, Role::Duplicate]
                .into_iter()
                .find(|role| !row.on(*role))
            else {
                continue;
            };
            let has = lacks.other();
            let slot = self.a.get_mut(..layout.slot_len()).ok_or(MediaFault::Sizes)?;
            let election = &self.label.election;
            let record = slot_at(&mut self.media, has, layout.slot_offset(row.slot), slot, election)
                .await?
                .whole()
                .ok_or(MediaFault::Differ { place: row.slot })?;
            let end = super::RECORD_HEADER.saturating_add(record.ballot.len());
            let bytes = frame::cleaned(self.a, end, layout.sector_len()).ok_or(MediaFault::Sizes)?;
            let offset = layout.slot_offset(row.slot);
            let mut target = Some(row.slot);
            if !self
                .media
                .is_free(lacks, offset, layout.slot_len())
                .await
                .map_err(device(lacks))?
            {
                target = self.index.draw(layout.range(row.kind), rng);
            }
            let Some(target) = target else {
                self.found.single += 1;
                continue;
            };
            self.media
                .write_one(lacks, layout.slot_offset(target), bytes)
                .await
                .map_err(written(lacks))?;
            self.index.mark_used(target);
            if let Some(row) = self.index.rows_mut().get_mut(at) {
                row.set_on(lacks);
            }
            self.found.copied += 1;
        }
        Ok(())
    }
}

async fn slot_at<'s, M: Medium>(
    media: &mut Pair<M>,
    role: Role,
    offset: u64,
    buffer: &'s mut [u8],
    election: &Digest,
) -> Result<Found<record::Record<'s>>, MediaFault> {
    if !media.read(role, offset, buffer).await.map_err(device(role))? {
        return Ok(Found::Void);
    }
    Ok(record::read(buffer, election))
}

/// Looks at an unmounted medium's layout, for memory to be measured.
impl Label {
    /// The layout.
    #[must_use]
    pub const fn sizes(&self) -> &Layout {
        &self.layout
    }
}
