//! The audit log's events and their hash chain (SPEC.md, section 8).
//!
//! What voters do has no time; what staff do has. No event holds a choice, a card, a style or a PIN, and none says which record it
//! belongs to: the log counts, it does not connect.

use election::hash::{Digest, hash};
use election::ledger::StaffSignature;
use election::wire::{self, WireError};
use serde::{Deserialize, Serialize};

/// An event. The encoding (postcard) is what the log's head is made of: discriminants are frozen in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// 0: polls opened. Staff signed `ippyo/1/sign/staff/open`.
    Opened {
        /// Seconds since 1970 by the kiosk's clock.
        seconds: u64,
        /// The epoch.
        epoch: u8,
        /// Hash of the software.
        software: Digest,
        /// Package hash.
        package: Digest,
        /// Two different staff cards, ascending by key.
        staff: [StaffSignature; 2],
    },
    /// 1: a voter was admitted.
    Admitted,
    /// 2: an admitted voter left without a record.
    Abandoned,
    /// 3: an admitted voter's session was cut off before a record stood; found at the next start.
    Interrupted,
    /// 4: the kiosk started with these media. No time: a voter may be standing there.
    Started,
    /// 5: this kiosk took the box over from another one; counters and log go on.
    TakenOver {
        /// Seconds since 1970.
        seconds: u64,
        /// The kiosk that is replaced.
        old: Digest,
        /// The kiosk that replaces it.
        new: Digest,
        /// Votes that stood on the surviving medium.
        recorded: u32,
    },
    /// 6: polls closed. Staff signed `ippyo/1/sign/staff/close`. Nothing is recorded after it.
    Closed {
        /// Seconds since 1970.
        seconds: u64,
        /// Two different staff cards, ascending by key.
        staff: [StaffSignature; 2],
    },
}

impl Event {
    /// Longest encoding, in bytes: `Opened`.
    pub const MAX: usize = 1 + 10 + 1 + 32 + 32 + 2 * 97;

    /// Encodes.
    ///
    /// # Errors
    /// [`WireError::BufferTooSmall`].
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], WireError> {
        wire::encode(self, out).map(|bytes| &*bytes)
    }
}

/// The head of an empty log.
pub const EMPTY: Digest = [0; 32];

/// The head after one more event.
#[must_use]
pub fn advance(head: &Digest, event: &[u8]) -> Digest {
    hash("ippyo/1/audit", &[head, event])
}
