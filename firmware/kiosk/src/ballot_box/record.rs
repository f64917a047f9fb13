//! One ballot in its slot: kind, ballot, tag, CRC. MEDIA.md, "Record".
//!
//! Nothing else: no time, no number, no kiosk, no batch. What is added here is readable by whoever finds the medium.

use election::batch::Kind;
use election::hash::Digest;

use super::frame::{Found, checksum, erased, put, u32_at};
use super::label::RECORD_HEADER;

const MAGIC: [u8; 4] = *b"IPPB";

/// A whole record as it lies in a slot's bytes.
#[derive(Clone, Copy)]
pub struct Record<'b> {
    /// What it is.
    pub kind: Kind,
    /// Zero bytes if spoiled.
    pub tag: [u8; 32],
    /// The encrypted ballot (SPEC.md, section 4).
    pub ballot: &'b [u8],
}

/// Completes a slot whose ballot of `length` bytes already lies behind the header: writes the header, zeros what is left of the last
/// sector, and gives the bytes to be written (whole sectors). `None` if it does not fit.
pub fn seal<'s>(
    slot: &'s mut [u8],
    sector: usize,
    election: &Digest,
    kind: Kind,
    tag: &[u8; 32],
    length: usize,
) -> Option<&'s [u8]> {
    let end = RECORD_HEADER.checked_add(length)?;
    let padded = end.checked_next_multiple_of(sector)?;
    let slot = slot.get_mut(..padded)?;
    slot.get_mut(end..)?.fill(0);
    let (header, body) = slot.split_at_mut_checked(RECORD_HEADER)?;
    header.fill(0);
    let good = put(header, 0, &MAGIC)
        && put(header, 4, &[kind.into()])
        && put(header, 8, &u32::try_from(length).ok()?.to_be_bytes())
        && put(header, 12, tag);
    let crc = checksum(election, header.get(..56)?, body.get(..length)?);
    (good && put(header, 56, &crc)).then_some(slot)
}

/// Reads a slot: all its bytes.
#[must_use]
pub fn read<'s>(slot: &'s [u8], election: &Digest) -> Found<Record<'s>> {
    if erased(slot) {
        return Found::Free;
    }
    whole(slot, election).map_or(Found::Void, Found::Whole)
}

fn whole<'s>(slot: &'s [u8], election: &Digest) -> Option<Record<'s>> {
    let (header, body) = slot.split_at_checked(RECORD_HEADER)?;
    if header.get(..4)? != MAGIC {
        return None;
    }
    let kind = Kind::try_from(*header.get(4)?).ok()?;
    let ballot = body.get(..usize::try_from(u32_at(header, 8)?).ok()?)?;
    if checksum(election, header.get(..56)?, ballot) != header.get(56..)? {
        return None;
    }
    let tag = header.get(12..44)?.try_into().ok()?;
    Some(Record { kind, tag, ballot })
}
