//! Reads media as the desk does, for the judge: what stands, whatever a kiosk says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use election::ballot::{BallotView, Layout, ballot_hash, tracking_code};
use election::batch::Kind;
use election::hash::Digest;
use election::manifest::{CheckedManifest, ContestShape};
use kiosk::ballot_box::RECORD_HEADER;
use staff::medium::{self, Content};

use crate::world::media::Memory;

/// What codes are computed from.
pub struct Reading {
    election: Digest,
    styles: Vec<Vec<ContestShape>>,
}

/// What stands on one medium, or on both together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Votes by code: slot on the first medium that has them, and the tag.
    pub cast: BTreeMap<Digest, (u32, Digest)>,
    /// Codes of challenged ballots.
    pub spoiled: BTreeSet<Digest>,
    /// Ballots with one code that differ: there must be none.
    pub differing: u32,
    /// Audit events by number.
    pub events: BTreeMap<u32, u8>,
}

impl Standing {
    /// How many events of a kind.
    #[must_use]
    pub fn count(&self, kind: u8) -> u32 {
        u32::try_from(self.events.values().filter(|event| **event == kind).count()).unwrap_or(u32::MAX)
    }

    /// Whether the same votes, challenged ballots and events stand. Not in which slot: what rots on a medium is copied to another free place of it,
    /// also after closing.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let votes = |stands: &Self| -> Vec<(Digest, Digest)> {
            stands.cast.iter().map(|(code, (_, tag))| (*code, *tag)).collect()
        };
        votes(self) == votes(other)
            && (&self.spoiled, self.differing, &self.events) == (&other.spoiled, other.differing, &other.events)
    }

    /// Admitted, abandoned, interrupted.
    #[must_use]
    pub fn counts(&self) -> [u32; 3] {
        [1, 2, 3].map(|kind| self.count(kind))
    }
}

impl Reading {
    /// For an election.
    #[must_use]
    pub fn new(manifest: &CheckedManifest<'_>, election: Digest) -> Self {
        Self {
            election,
            styles: manifest
                .styles()
                .map(|style| manifest.shapes(&style).collect())
                .collect(),
        }
    }

    /// A ballot's code.
    #[must_use]
    pub fn code(&self, station: u16, ballot: &[u8]) -> Option<Digest> {
        let style = BallotView::claimed_style(ballot)?;
        let layout = Layout::new(style, self.styles.get(usize::from(style))?).ok()?;
        let view = BallotView::new(layout, ballot).ok()?;
        Some(tracking_code(&self.election, station, &view))
    }

    /// The code of the ballot in a slot's bytes (MEDIA.md, "Record").
    #[must_use]
    pub fn code_of_slot(&self, station: u16, slot: &[u8]) -> Option<Digest> {
        let length = u32::from_be_bytes(slot.get(8..12)?.try_into().ok()?);
        let ballot = slot.get(RECORD_HEADER..)?.get(..usize::try_from(length).ok()?)?;
        self.code(station, ballot)
    }

    /// A medium as the desk reads it, its durable bytes only.
    ///
    /// # Errors
    /// As the desk.
    pub fn content(medium: &Memory) -> Result<Content> {
        medium::read(medium.durable(), "a medium", &staff::progress::silent).map_err(|problem| anyhow!("{problem}"))
    }

    /// What stands on these media together.
    #[must_use]
    pub fn standing<'c>(&self, station: u16, media: impl Iterator<Item = (&'c Memory, &'c Content)>) -> Standing {
        let mut standing = Standing::default();
        let mut hashes: BTreeMap<Digest, Digest> = BTreeMap::new();
        for (medium, content) in media {
            events(medium, content, &mut standing.events);
            for record in &content.records {
                let Some(code) = self.code(station, &record.ballot) else {
                    standing.differing += 1;
                    continue;
                };
                let hash = ballot_hash(&record.ballot);
                standing.differing += u32::from(*hashes.entry(code).or_insert(hash) != hash);
                if record.kind == Kind::Cast {
                    standing.cast.entry(code).or_insert((record.slot, record.tag));
                } else {
                    standing.spoiled.insert(code);
                }
            }
        }
        standing
    }
}

/// Audit events by their number, read from the bytes: a repeat is the same event. (Whole entries only: the CRC is computed here once more, by another
/// program than the kiosk's.)
fn events(medium: &Memory, content: &Content, events: &mut BTreeMap<u32, u8>) {
    let layout = content.label.layout;
    let sector = layout.sector_len();
    let begin = usize::try_from(layout.journal_offset(0)).unwrap_or(usize::MAX);
    let end = usize::try_from(layout.slot_offset(0)).unwrap_or(0);
    let Some(journal) = medium.bytes().get(begin..end) else {
        return;
    };
    let known = usize::try_from(layout.journal).unwrap_or(0);
    for entry in journal.chunks_exact(sector).take(known) {
        let (Some(b"IPPJ"), Some(1)) = (entry.get(..4), entry.get(4)) else {
            continue;
        };
        let number = |at: usize| {
            entry
                .get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok())
                .map(u32::from_be_bytes)
        };
        let (Some(sequence), Some(length)) = (number(8), number(12)) else {
            continue;
        };
        let Some(payload) = usize::try_from(length)
            .ok()
            .and_then(|length| entry.get(32..32 + length))
        else {
            continue;
        };
        let crc = election_crc(&content.label.election, &entry[..24], payload);
        if entry.get(24..32) == Some(&crc[..]) {
            events.insert(sequence, payload.first().copied().unwrap_or(u8::MAX));
        }
    }
}

/// CRC-64/XZ over election hash, header and payload (MEDIA.md, "Whole").
pub fn election_crc(election: &Digest, header: &[u8], payload: &[u8]) -> [u8; 8] {
    const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;
    let mut crc = u64::MAX;
    for byte in election.iter().chain(header).chain(payload) {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
    }
    (!crc).to_be_bytes()
}
