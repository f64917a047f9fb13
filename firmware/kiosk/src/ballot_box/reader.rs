//! One medium alone: formatting it, and reading it at the desk (anchor, tally), for a takeover, or as evidence. Never writes but to format.

use core::fmt;

use election::hash::Digest;

use super::fault::{MediaFault, Role};
use super::frame::{Found, erased};
use super::journal::{EntryHead, EntryKind};
use super::label::{LABELS, Label, Layout, MAX_LABEL};
use super::mount::label_of;
use super::pair::Pair;
use super::record::{self, Record};
use super::scan::{entry_at, payload, sectors};
use crate::audit::Event;
use crate::ports::{Medium, MediumError};

/// Why a medium cannot be read at the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderError {
    /// Not a ballot-box medium, or a damaged label.
    Media(MediaFault),
    /// The device fails.
    Device(MediumError),
    /// The caller's buffer is too small.
    Buffer,
}

impl fmt::Display for ReaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Media(fault) => fault.fmt(f),
            Self::Device(error) => error.fmt(f),
            Self::Buffer => f.write_str("the buffer is smaller than a slot or an entry of this medium"),
        }
    }
}

impl core::error::Error for ReaderError {}

impl From<MediumError> for ReaderError {
    fn from(error: MediumError) -> Self {
        Self::Device(error)
    }
}

/// Writes the first label of an erased medium, which must read as 0xFF bytes everywhere. `sector` is a buffer of one sector.
///
/// # Errors
/// [`MediaFault::TooSmall`] for less than [`Layout::size`] bytes or a larger grain; [`MediaFault::Differ`] with the first sector that is not
/// erased; the device's error.
pub async fn format<M: Medium + ?Sized>(medium: &mut M, label: &Label, sector: &mut [u8]) -> Result<(), MediaFault> {
    let role = label.role().unwrap_or(Role::Original);
    let device = |error| MediaFault::Device(role, error);
    let layout = label.layout;
    let geometry = medium.geometry().await.map_err(device)?;
    if !layout.valid() || geometry.size < layout.size() || !layout.sector.is_multiple_of(geometry.sector.max(1)) {
        return Err(MediaFault::TooSmall(role));
    }
    let sector = sector
        .get_mut(..layout.sector_len())
        .ok_or(MediaFault::TooSmall(role))?;
    let count = u32::try_from(layout.size() / u64::from(layout.sector)).map_err(|_| MediaFault::TooSmall(role))?;
    for place in 0..count {
        medium
            .read(u64::from(place) * u64::from(layout.sector), sector)
            .await
            .map_err(device)?;
        if !erased(sector) {
            return Err(MediaFault::Differ { place });
        }
    }
    if !label.write(sector) {
        return Err(MediaFault::TooSmall(role));
    }
    medium.write(0, sector).await.map_err(device)?;
    medium.sync().await.map_err(device)
}

/// Whether a medium of this election and kiosk says that its polls are closed; also where the pair cannot be mounted.
///
/// # Errors
/// [`ReaderError`].
pub async fn closed_by<M: Medium>(
    medium: M,
    election: &Digest,
    kiosk: &Digest,
    buffer: &mut [u8],
) -> Result<bool, ReaderError> {
    let mut reader = Reader::open(medium).await?;
    if reader.label.election != *election || reader.label.kiosk != *kiosk {
        return Ok(false);
    }
    while let Some(item) = reader.next(buffer).await? {
        if item.kind == EntryKind::Event
            && let Ok(Event::Closed { .. }) = election::wire::decode(item.payload)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A journal entry as read.
#[derive(Clone, Copy)]
pub struct Item<'b> {
    /// What it is.
    pub kind: EntryKind,
    /// Its number.
    pub sequence: u32,
    /// [`crate::audit::Event`], `Transaction`, transaction hash [32] and `CommitProof`, or `Closing`.
    pub payload: &'b [u8],
}

/// What stands in a slot.
pub enum SlotState<'b> {
    /// Never written.
    Free,
    /// A whole record.
    Whole(Record<'b>),
    /// Written or damaged, and not whole.
    Void,
}

/// A medium with a label.
pub struct Reader<M> {
    media: Pair<NoSecond<M>>,
    label: Label,
    position: u32,
    sequence: u32,
    torn: u32,
}

/// A pair of which only the original is there, so that one set of functions reads both.
enum NoSecond<M> {
    Medium(M),
    Nothing,
}

impl<M: Medium> Medium for NoSecond<M> {
    async fn geometry(&mut self) -> Result<crate::ports::Geometry, MediumError> {
        match self {
            Self::Medium(medium) => medium.geometry().await,
            Self::Nothing => Err(MediumError::Missing),
        }
    }
    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        match self {
            Self::Medium(medium) => medium.read(offset, buffer).await,
            Self::Nothing => Err(MediumError::Missing),
        }
    }
    async fn write(&mut self, _: u64, _: &[u8]) -> Result<(), MediumError> {
        Err(MediumError::Write)
    }
    async fn sync(&mut self) -> Result<(), MediumError> {
        Err(MediumError::Write)
    }
}

impl<M: Medium> Reader<M> {
    /// Opens a medium, whatever kiosk it is of.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn open(mut medium: M) -> Result<Self, ReaderError> {
        let label = label_of(&mut medium, Role::Original)
            .await
            .map_err(ReaderError::Media)?;
        Ok(Self {
            media: Pair {
                original: NoSecond::Medium(medium),
                duplicate: NoSecond::Nothing,
                lost: None,
            },
            label,
            position: 0,
            sequence: 0,
            torn: 0,
        })
    }

    /// The newest label.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// Bytes that a buffer for [`Reader::slot`] and [`Reader::next`] must have at most.
    #[must_use]
    pub fn buffer_len(&self, k: usize) -> usize {
        super::buffer_len(&self.label.layout, k)
    }

    /// All labels of the medium, oldest first: more than one after takeovers.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn labels(&mut self, mut each: impl FnMut(&Label)) -> Result<(), ReaderError> {
        let mut bytes = [0; MAX_LABEL];
        for index in 0..LABELS {
            let offset = self.label.layout.label_offset(index);
            if self.media.read(Role::Original, offset, &mut bytes).await?
                && let Found::Whole(Ok(label)) = Label::read(&bytes)
            {
                each(&label);
            }
        }
        Ok(())
    }

    /// The next journal entry, in order, repeats left out; `None` at the end. Journal places that cannot be read are passed over and
    /// counted in [`Reader::torn`]; a missing number shows in [`Item::sequence`].
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Option<Item<'b>>, ReaderError> {
        let layout = self.label.layout;
        if buffer.len() < layout.sector_len() {
            return Err(ReaderError::Buffer);
        }
        while self.position < layout.journal {
            let found = entry_at(
                &mut self.media,
                Role::Original,
                &layout,
                &self.label.election,
                self.position,
                buffer,
            )
            .await?;
            match found {
                Found::Free => self.position += 1,
                Found::Void => {
                    self.torn += 1;
                    self.position += 1;
                }
                Found::Whole(head) => {
                    self.position = self.position.saturating_add(sectors(&head, &layout));
                    if head.sequence >= self.sequence {
                        self.sequence = head.sequence.saturating_add(1);
                        return Ok(Some(Self::item(buffer, &head)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn item<'b>(buffer: &'b [u8], head: &EntryHead) -> Item<'b> {
        Item {
            kind: head.kind,
            sequence: head.sequence,
            payload: payload(buffer, head),
        }
    }

    /// Journal places passed over so far.
    #[must_use]
    pub const fn torn(&self) -> u32 {
        self.torn
    }

    /// Begins with the journal again.
    pub const fn rewind(&mut self) {
        self.position = 0;
        self.sequence = 0;
        self.torn = 0;
    }

    /// Number of slots.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        self.label.layout.slots()
    }

    /// What stands in a slot; `buffer` holds at least [`Layout::slot_len`] bytes.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn slot<'b>(&mut self, index: u32, buffer: &'b mut [u8]) -> Result<SlotState<'b>, ReaderError> {
        let layout: Layout = self.label.layout;
        if index >= layout.slots() {
            return Ok(SlotState::Free);
        }
        let election: Digest = self.label.election;
        let bytes = buffer.get_mut(..layout.slot_len()).ok_or(ReaderError::Buffer)?;
        if !self
            .media
            .read(Role::Original, layout.slot_offset(index), bytes)
            .await?
        {
            return Ok(SlotState::Void);
        }
        Ok(match record::read(bytes, &election) {
            Found::Free => SlotState::Free,
            Found::Whole(record) => SlotState::Whole(record),
            Found::Void => SlotState::Void,
        })
    }
}
