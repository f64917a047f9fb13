//! A medium's label: whose it is and how it is laid out. MEDIA.md, "Label" and "Layout".

use election::hash::Digest;
use election::ledger::StaffSignature;
use election::manifest::CheckedManifest;
use election::wire;
use serde::{Deserialize, Serialize};

use super::fault::Role;
use super::frame::{self, Found, erased, put};

/// Version of the format.
pub const VERSION: u16 = 1;
/// Label places: the first is written at formatting, one more at each takeover.
pub const LABELS: u32 = 8;
/// The role of a medium that takes the place of whichever medium of another kiosk is lost: alone or beside its like it is no ballot box.
pub const SPARE_ROLE: u8 = 2;
const MAGIC: [u8; 8] = *b"IPPYOBX1";
const HEADER: usize = 32;
/// Bytes that hold the largest label with its header; every sector is at least as large.
pub const MAX_LABEL: usize = 512;

/// A label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Election hash.
    pub election: Digest,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Number of the polling station.
    pub station: u16,
    /// The epoch it is for.
    pub epoch: u8,
    /// The same random bytes on both media of a pair, on no others.
    pub pair: [u8; 16],
    /// 0 original, 1 duplicate, [`SPARE_ROLE`].
    pub role: u8,
    /// How it is laid out.
    pub layout: Layout,
    /// Who it was taken over from.
    pub takeover: Option<TakenOver>,
}

/// What a takeover says, signed by two staff cards: enough to make the ledger's transaction again after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOver {
    /// The kiosk that is replaced.
    pub old: Digest,
    /// Last batch of it that the surviving medium holds a commit proof of; zero bytes if none.
    pub predecessor: Digest,
    /// Votes on the surviving medium.
    pub count: u32,
    /// Seconds since 1970.
    pub seconds: u64,
    /// Ascending by key.
    pub staff: [StaffSignature; 2],
}

impl Label {
    /// Its role; `None` for a spare medium.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match self.role {
            0 => Some(Role::Original),
            1 => Some(Role::Duplicate),
            _ => None,
        }
    }

    /// Writes the label to the front of a sector and zeros behind it; false if the sector is too small.
    #[must_use]
    pub fn write(&self, sector: &mut [u8]) -> bool {
        sector.fill(0);
        let Some((header, body)) = sector.split_at_mut_checked(HEADER) else {
            return false;
        };
        let Ok(payload) = wire::encode(self, body) else {
            return false;
        };
        let Ok(length) = u16::try_from(payload.len()) else {
            return false;
        };
        let good =
            put(header, 0, &MAGIC) && put(header, 8, &VERSION.to_be_bytes()) && put(header, 10, &length.to_be_bytes());
        let crc = frame::checksum(&[0; 32], header.get(..24).unwrap_or(&[]), payload);
        good && put(header, 24, &crc)
    }

    /// Reads a label place.
    #[must_use]
    pub fn read(sector: &[u8]) -> Found<Result<Self, UnknownVersion>> {
        if erased(sector) {
            return Found::Free;
        }
        Self::whole(sector).map_or(Found::Void, Found::Whole)
    }

    fn whole(sector: &[u8]) -> Option<Result<Self, UnknownVersion>> {
        let (header, body) = sector.split_at_checked(HEADER)?;
        if header.get(..8)? != MAGIC {
            return None;
        }
        if header.get(8..10)? != VERSION.to_be_bytes() {
            return Some(Err(UnknownVersion));
        }
        let length = u16::from_be_bytes(header.get(10..12)?.try_into().ok()?);
        let payload = body.get(..usize::from(length))?;
        if frame::checksum(&[0; 32], header.get(..24)?, payload) != header.get(24..)? {
            return None;
        }
        let label: Self = wire::decode(payload).ok()?;
        label.layout.valid().then_some(Ok(label))
    }
}

/// A label of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVersion;

/// Sizes of the regions, one after the other: labels, journal, cast slots, spoiled slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Grain of every write, a power of two from 512 to 65,536.
    pub sector: u32,
    /// Sectors of the journal.
    pub journal: u32,
    /// Sectors of a slot.
    pub slot: u32,
    /// Slots for votes.
    pub cast: u32,
    /// Slots for challenged ballots.
    pub spoiled: u32,
}

/// Bytes before the ballot in a slot.
pub const RECORD_HEADER: usize = 64;
/// Most entries that the last batch may hold: the batch format's own bound is far above.
const JOURNAL_SPARE: u32 = 96;

impl Layout {
    /// A layout for an election: room for `cast` votes and `spoiled` challenges, and a journal that cannot run out before them.
    #[must_use]
    pub fn plan(manifest: &CheckedManifest<'_>, sector: u32, cast: u32, spoiled: u32) -> Option<Self> {
        let k = u32::from(manifest.batch).max(1);
        let bytes = u32::try_from(manifest.max_ballot_len()).ok()?;
        let slot = u32::try_from(RECORD_HEADER).ok()?.checked_add(bytes)?.div_ceil(sector);
        let batch = (1024 + 65 * k).div_ceil(sector);
        let last = 1024u32
            .checked_add(65u32.checked_mul(k.checked_mul(2)?.checked_add(spoiled)?)?)?
            .div_ceil(sector);
        let proof = u32::try_from(election::ledger::MAX_PROOF).ok()?.div_ceil(sector);
        // Three events a vote (admitted; and one abandoned or interrupted with its own admission for every second voter), a
        // batch and a proof for every k votes, the last batch, and a spare for staff, restarts and repairs.
        let journal = cast
            .checked_mul(3)?
            .checked_add((cast / k).checked_add(2)?.checked_mul(batch + proof)?)?
            .checked_add(last)?
            .checked_add(JOURNAL_SPARE.checked_mul(2)?)?;
        let layout = Self {
            sector,
            journal,
            slot,
            cast,
            spoiled,
        };
        layout.valid().then_some(layout)
    }

    /// Whether the numbers can be worked with.
    #[must_use]
    pub fn valid(&self) -> bool {
        self.sector.is_power_of_two()
            && (512..=65_536).contains(&self.sector)
            && self.journal >= 16
            && self.cast >= 1
            && self.slot >= 1
            && self.slot.checked_mul(self.sector).is_some()
            && self.journal.checked_mul(self.sector).is_some()
            && self.cast <= 65_536
            && self.spoiled <= 16_384
    }

    /// Bytes of a slot.
    #[must_use]
    pub fn slot_len(&self) -> usize {
        self.slot
            .checked_mul(self.sector)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(0)
    }

    /// Bytes of a sector.
    #[must_use]
    pub fn sector_len(&self) -> usize {
        usize::try_from(self.sector).unwrap_or(0)
    }

    /// All slots.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        self.cast.saturating_add(self.spoiled)
    }

    /// Bytes of a medium.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.slot_offset(self.slots())
    }

    /// Where label place `index` begins.
    #[must_use]
    pub fn label_offset(&self, index: u32) -> u64 {
        u64::from(self.sector) * u64::from(index)
    }

    /// Where journal sector `position` begins.
    #[must_use]
    pub fn journal_offset(&self, position: u32) -> u64 {
        u64::from(self.sector) * (u64::from(LABELS) + u64::from(position))
    }

    /// Where slot `index` begins: cast slots first, then the spoiled ones.
    #[must_use]
    pub fn slot_offset(&self, index: u32) -> u64 {
        self.journal_offset(self.journal) + u64::from(self.sector) * u64::from(self.slot) * u64::from(index)
    }

    /// The slots of a kind.
    #[must_use]
    pub const fn range(&self, kind: super::Kind) -> core::ops::Range<u32> {
        match kind {
            super::Kind::Cast => 0..self.cast,
            super::Kind::Spoiled => self.cast..self.slots(),
        }
    }
}
