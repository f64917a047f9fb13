//! The one loop: it starts the kiosk, runs polls, talks to the network beside them, closes. The same on Linux, on a microcontroller and in
//! the simulator, where it is a future that somebody polls.
//!
//! The future may be dropped at any await point; that is a power cut, and the next [`run`] finds out what stands. It returns only when
//! there is nothing more to do: closed, out of order, or restart.

mod ahead;
mod closing;
mod judge;
mod names;
mod polls;
mod provision;
mod render;
mod start;
#[cfg(test)]
mod tests;
mod update;
mod uplink;
mod vault;

use election::ballot::{PreparedSelection, PreparedSum, Secret};
use election::batch;
use election::hash::Digest;
use election::manifest::{CheckedManifest, MAX_STYLE_CONTESTS};
use election::opening::opening_len;
use election::sign::PublicKey;
use election::table::Table6;

use crate::ballot_box::{self, Layout, Memory, Row};
use crate::ports::{Platform, Ports};
use crate::screen::{Fault, Recorded};

pub use judge::Judge;

/// What a kiosk was set up with.
#[derive(Clone, Copy)]
pub struct Config<'c> {
    /// The election package, as it lies in memory or flash; `None` if there is none yet.
    pub package: Option<&'c [u8]>,
    /// The election authority whose packages it takes.
    pub authority: &'c PublicKey,
    /// The polling station it stands in.
    pub station: u16,
    /// Hash of the software that runs.
    pub software: &'c Digest,
    /// Whether the kiosk's key lies unprotected (a board without secure element): said on the zero report.
    pub key_unprotected: bool,
}

/// Memory that the platform lends for one run. Sizes: [`Sizes`].
pub struct Buffers<'b> {
    /// The ballot box's.
    pub memory: Memory<'b>,
    /// The ballot as it is written, and a second buffer while mounting.
    pub slot: &'b mut [u8],
    /// Nonces of the ballot in the booth.
    pub secrets: &'b mut [Secret],
    /// What is prepared of a ballot while its voter reads: as many as [`Buffers::secrets`], and one sum a contest. With less than
    /// [`Sizes`] says ballots are encrypted after the choice: slower, and nothing else.
    pub prepared: &'b mut [PreparedSelection],
    /// See [`Buffers::prepared`].
    pub sums: &'b mut [PreparedSum],
    /// An opening's QR code.
    pub opening: &'b mut [u8],
    /// A request to the network.
    pub request: &'b mut [u8],
    /// A reply from it.
    pub reply: &'b mut [u8],
    /// The roll delta.
    pub delta: &'b mut [u8],
    /// Table of the group's generator.
    pub generator: &'b mut Table6,
    /// Table of the joint key.
    pub joint: &'b mut Table6,
}

/// How much memory [`Buffers`] must have, computed from the manifest and the media's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// [`Memory::rows`], in rows of `size_of::<Row>()` bytes.
    pub rows: usize,
    /// [`Memory::used`], bytes.
    pub used: usize,
    /// [`Memory::scratch`] and [`Buffers::slot`], bytes each.
    pub scratch: usize,
    /// [`Memory::entries`], in entries.
    pub entries: usize,
    /// [`Buffers::secrets`] in secrets, and [`Buffers::prepared`] in selections.
    pub secrets: usize,
    /// [`Buffers::sums`], in sums.
    pub sums: usize,
    /// [`Buffers::opening`], bytes.
    pub opening: usize,
    /// [`Buffers::request`], bytes.
    pub request: usize,
    /// [`Buffers::reply`], bytes.
    pub reply: usize,
}

impl Sizes {
    /// The sizes for an election on media of this layout ([`ballot_box::label_of`] reads it).
    #[must_use]
    pub fn new(manifest: &CheckedManifest<'_>, layout: &Layout) -> Self {
        let k = usize::from(manifest.batch);
        let slots = usize::try_from(layout.slots()).unwrap_or(usize::MAX);
        let scratch = ballot_box::buffer_len(layout, k);
        let mut secrets = 0;
        let mut sums = 0;
        let mut contest = 0;
        for style in manifest.styles() {
            let mut selections = 0;
            let mut contests = 0;
            for shape in manifest.shapes(&style).take(MAX_STYLE_CONTESTS) {
                selections += shape.selections();
                contests += 1;
                contest = contest.max(shape.selections());
            }
            secrets = secrets.max(selections);
            sums = sums.max(contests);
        }
        Self {
            rows: slots,
            used: slots.div_ceil(8),
            scratch,
            entries: ballot_box::entries_len(layout, k),
            secrets,
            sums,
            opening: opening_len(contest),
            request: scratch.saturating_add(64),
            reply: election::ledger::frame::MAX_REPLY,
        }
    }

    /// Whether buffers suffice.
    #[must_use]
    pub fn fit(&self, buffers: &Buffers<'_>) -> bool {
        buffers.memory.rows.len() >= self.rows
            && buffers.memory.used.len() >= self.used
            && buffers.memory.scratch.len() >= self.scratch
            && buffers.slot.len() >= self.scratch
            && buffers.memory.entries.len() >= self.entries
            && buffers.secrets.len() >= self.secrets
            && buffers.opening.len() >= self.opening
            && buffers.request.len() >= self.request
            && buffers.reply.len() >= self.reply
    }

    /// Bytes in all, without the two tables and the delta.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.rows * size_of::<Row>()
            + self.used
            + 2 * self.scratch
            + self.entries * size_of::<batch::Entry>()
            + self.secrets * (size_of::<Secret>() + size_of::<PreparedSelection>())
            + self.sums * size_of::<PreparedSum>()
            + self.opening
            + self.request
            + self.reply
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Polls are closed and everything is written; the media can be taken out.
    Closed {
        /// Closing hash.
        hash: Digest,
        /// Transactions that have not left; they leave on the medium.
        unsent: u32,
    },
    /// Something was set up; run again.
    Restart,
    /// Out of order; the last screen says what and stays on the panel. Run again when it is repaired.
    Fault {
        /// What happened.
        fault: Fault,
        /// Whether the vote of whoever stood there is recorded; `None` if nobody was voting.
        recorded: Option<Recorded>,
    },
}

/// Why the loop stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Closed { hash: Digest, unsent: u32 },
    Restart,
    Fault(Fault, Option<Recorded>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault, None)
    }
}

impl From<crate::ports::StoreError> for Stop {
    fn from(_: crate::ports::StoreError) -> Self {
        Self::Fault(Fault::Store, None)
    }
}

impl From<crate::ports::EntropyError> for Stop {
    fn from(_: crate::ports::EntropyError) -> Self {
        Self::Fault(Fault::Entropy, None)
    }
}

/// Runs the kiosk.
pub async fn run<P: Platform>(ports: &mut Ports<P>, config: &Config<'_>, buffers: Buffers<'_>) -> Exit {
    use crate::ports::{Lamp, Panel as _, Signals as _, Sound};
    match start::start(ports, config, buffers).await {
        Stop::Closed { hash, unsent } => Exit::Closed { hash, unsent },
        Stop::Restart => Exit::Restart,
        Stop::Fault(fault, recorded) => {
            ports.panel.show(&crate::screen::Screen::Fault { why: fault, recorded });
            ports.signals.lamp(Lamp::Fault);
            ports.signals.sound(Sound::Fault);
            Exit::Fault { fault, recorded }
        }
    }
}
