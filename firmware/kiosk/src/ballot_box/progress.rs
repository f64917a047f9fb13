//! How far the box of the current epoch had come, kept in the kiosk's own store: it tells an older copy of the media from the media (F6).

use election::hash::Digest;
use election::wire;
use serde::{Deserialize, Serialize};

/// Written at opening, whenever a voter's session has ended and once more when the voter has left, at each batch, at closing, and at every start in between: always after the media,
/// which may therefore be ahead of it (a cut fell between the two) and never behind. Counts alone: no time, no tag, no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Election hash.
    pub election: Digest,
    /// The epoch.
    pub epoch: u8,
    /// The pair of media.
    pub pair: [u8; 16],
    /// Journal entries that stood then; fewer now means an older copy.
    pub entries: u32,
    /// Votes that stood then. An entry stands before its voter's vote does: a copy from between the two lacks a vote and no entry.
    pub cast: u32,
    /// Challenged ballots that stood then.
    pub spoiled: u32,
    /// Voters let in whose end they themselves have read, or staff after a restart. One more on the media is the voter who was in the
    /// booth when the kiosk stopped; that staff have read of them stays unsaid until they have.
    pub told: u32,
    /// Whether polls are closed.
    pub closed: bool,
}

impl Progress {
    /// Longest encoding.
    pub const MAX: usize = 32 + 1 + 16 + 4 * 5 + 1;

    /// Encodes.
    #[must_use]
    pub fn encode<'o>(&self, out: &'o mut [u8; Self::MAX]) -> &'o [u8] {
        wire::encode(self, out).map_or(&[], |bytes| &*bytes)
    }

    /// Decodes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        wire::decode(bytes).ok()
    }
}
