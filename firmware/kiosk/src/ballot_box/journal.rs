//! Entries of the journal: audit events, transactions for the ledger, their commit proofs, the signed closing. MEDIA.md, "Journal".
//!
//! Append-only and numbered. An entry begins at a sector; a repeat of an entry (same number) repairs a medium on which the first was
//! torn.

use election::hash::Digest;

use super::frame::{checksum, cleaned, put, u32_at};

const MAGIC: [u8; 4] = *b"IPPJ";
/// Bytes before the payload.
pub const ENTRY_HEADER: usize = 32;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// An audit event ([`crate::audit::Event`]); these alone make the log's head.
    Event = 1,
    /// A transaction for the ledger (SPEC.md, section 9).
    Transaction = 2,
    /// The commit proof of the oldest transaction that has none.
    Proof = 3,
    /// The signed closing (SPEC.md, section 8).
    Closing = 4,
}

/// The header of an entry that looks like one; whether it is whole shows the CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHead {
    /// What it is.
    pub kind: EntryKind,
    /// Its number, from 0.
    pub sequence: u32,
    /// Bytes of its payload.
    pub length: usize,
}

impl EntryHead {
    /// Bytes with header, in whole sectors.
    #[must_use]
    pub fn padded(&self, sector: usize) -> Option<usize> {
        self.length.checked_add(ENTRY_HEADER)?.checked_next_multiple_of(sector)
    }

    /// The whole sectors of an entry that lies in `buffer`, to be written again.
    pub fn copy<'s>(&self, buffer: &'s mut [u8], sector: usize) -> Option<&'s [u8]> {
        cleaned(buffer, self.length.checked_add(ENTRY_HEADER)?, sector)
    }

    /// Looks at the front of a sector.
    #[must_use]
    pub fn look(sector: &[u8]) -> Option<Self> {
        if sector.get(..4)? != MAGIC {
            return None;
        }
        let kind = match sector.get(4)? {
            1 => EntryKind::Event,
            2 => EntryKind::Transaction,
            3 => EntryKind::Proof,
            4 => EntryKind::Closing,
            _ => return None,
        };
        Some(Self {
            kind,
            sequence: u32_at(sector, 8)?,
            length: usize::try_from(u32_at(sector, 12)?).ok()?,
        })
    }
}

/// Completes an entry whose payload already lies behind the header; gives whole sectors to be written.
pub fn seal<'s>(
    buffer: &'s mut [u8],
    sector: usize,
    election: &Digest,
    kind: EntryKind,
    sequence: u32,
    length: usize,
) -> Option<&'s [u8]> {
    let end = ENTRY_HEADER.checked_add(length)?;
    let buffer = buffer.get_mut(..end.checked_next_multiple_of(sector)?)?;
    buffer.get_mut(end..)?.fill(0);
    let (header, body) = buffer.split_at_mut_checked(ENTRY_HEADER)?;
    header.fill(0);
    let good = put(header, 0, &MAGIC)
        && put(header, 4, &[kind as u8])
        && put(header, 8, &sequence.to_be_bytes())
        && put(header, 12, &u32::try_from(length).ok()?.to_be_bytes());
    let crc = checksum(election, header.get(..24)?, body.get(..length)?);
    (good && put(header, 24, &crc)).then_some(buffer)
}

/// The payload of a whole entry.
#[must_use]
pub fn whole<'s>(bytes: &'s [u8], election: &Digest) -> Option<(EntryHead, &'s [u8])> {
    let head = EntryHead::look(bytes)?;
    let (header, body) = bytes.split_at_checked(ENTRY_HEADER)?;
    let payload = body.get(..head.length)?;
    (checksum(election, header.get(..24)?, payload) == header.get(24..)?).then_some((head, payload))
}
