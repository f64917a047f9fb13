//! A ballot-box medium as a file, written by hand from firmware/kiosk/MEDIA.md: the desk's reader is judged by the page, not by the
//! kiosk's own writer.

use std::path::Path;

use crc::{CRC_64_XZ, Crc};
use election::batch::Kind;
use staff::encode::to_bytes;
use staff::medium::Content;

const CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);

fn checksum(election: &[u8; 32], header: &[u8], payload: &[u8]) -> [u8; 8] {
    let mut digest = CRC.digest();
    digest.update(election);
    digest.update(header);
    digest.update(payload);
    digest.finalize().to_be_bytes()
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// Header with its CRC at `crc_at`, payload, zeros up to the sector's end.
fn framed(election: &[u8; 32], mut header: Vec<u8>, crc_at: usize, payload: &[u8], sector: usize) -> Vec<u8> {
    let crc = checksum(election, &header[..crc_at], payload);
    put(&mut header, crc_at, &crc);
    header.extend(payload);
    header.resize(header.len().next_multiple_of(sector), 0);
    header
}

/// Writes the medium of this content.
pub fn write(path: &Path, content: &Content) {
    let label = &content.label;
    let layout = &label.layout;
    let sector = layout.sector as usize;
    let mut bytes = vec![0xFFu8; usize::try_from(layout.size()).unwrap()];

    let encoded = to_bytes(label).unwrap();
    let mut header = vec![0; 32];
    put(&mut header, 0, b"IPPYOBX1");
    put(&mut header, 8, &1u16.to_be_bytes());
    put(&mut header, 10, &u16::try_from(encoded.len()).unwrap().to_be_bytes());
    put(&mut bytes, 0, &framed(&[0; 32], header, 24, &encoded, sector));

    let mut at = 8 * sector;
    let entries = content
        .transactions
        .iter()
        .map(|bytes| (2u8, bytes))
        .chain(content.closing.iter().map(|bytes| (4, bytes)));
    for (number, (kind, payload)) in (0u32..).zip(entries) {
        let mut header = vec![0; 32];
        put(&mut header, 0, b"IPPJ");
        header[4] = kind;
        put(&mut header, 8, &number.to_be_bytes());
        put(&mut header, 12, &u32::try_from(payload.len()).unwrap().to_be_bytes());
        let entry = framed(&label.election, header, 24, payload, sector);
        put(&mut bytes, at, &entry);
        at += entry.len();
    }
    let slots = (8 + layout.journal as usize) * sector;
    let slot = layout.slot as usize * sector;
    let (mut cast, mut spoiled) = (0, layout.cast as usize);
    for record in &content.records {
        let place = match record.kind {
            Kind::Cast => &mut cast,
            Kind::Spoiled => &mut spoiled,
        };
        let mut header = vec![0; 64];
        put(&mut header, 0, b"IPPB");
        header[4] = record.kind.into();
        put(
            &mut header,
            8,
            &u32::try_from(record.ballot.len()).unwrap().to_be_bytes(),
        );
        put(&mut header, 12, &record.tag);
        let entry = framed(&label.election, header, 56, &record.ballot, sector);
        assert!(entry.len() <= slot);
        put(&mut bytes, slots + *place * slot, &entry);
        *place += 1;
    }
    std::fs::write(path, bytes).unwrap();
}
