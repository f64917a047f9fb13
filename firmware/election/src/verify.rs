//! Verification of a whole election record (SPEC.md, section 10), from the files alone.
//!
//! In order: [`Record::open`] (steps 1 to 3: index, manifest, keys, ceremony, and the form of everything else), then
//! [`Record::check`] (steps 4 to 7 and the counted set: chain, leaves, closings), then the expensive part that a caller may spread
//! over processors, [`Checked::check_ballots`] (5 and 6, the proofs) and [`Checked::check_tally`] (8); results.json is compared by
//! whoever can read JSON, with [`Checked::tally`]; [`Checked::check_reception`] (10). Nothing is believed before it is checked,
//! and the first thing that does not hold is named with its file and item. Memory is the caller's: [`Record::sizes`] says how much.

mod ballots;
mod broken;
mod chain;
mod closings;
mod counting;
mod memory;
mod reception;
mod tally;

pub use broken::{Broken, Why};
pub use counting::Status;
pub use memory::{BallotRow, EntryRow, LineRow, Scratch, Sizes, State, StyleRow};
pub use tally::SumLayout;

use crate::ballot::Layout;
use crate::ceremony::verify_transcript;
use crate::closing::Closing;
use crate::hash::Digest;
use crate::keys::Keys;
use crate::ledger::{BatchRow, Block, Decided, Genesis, KioskRow, Transaction};
use crate::manifest::{CheckedManifest, ContestShape, Manifest, election_hash};
use crate::record::{FileName, Files, Index, IndexError, PublishedBallot, PublishedSpoiled};
use crate::sign::PublicKey;
use crate::wire::Seq;

/// What [`Record::check`] is at, for a display of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Replaying blocks.
    Chain,
    /// Finding ballots on the ledger.
    Ballots,
    /// Closings and the counted set.
    Closings,
}

/// A record whose files are the signed ones and decode, with manifest, keys, ceremony and genesis checked.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    files: Files<'a>,
    index: Index<'a>,
    manifest: CheckedManifest<'a>,
    keys: Keys<'a>,
    genesis: Genesis<'a>,
    election: Digest,
    sizes: Sizes,
}

impl<'a> Record<'a> {
    /// Steps 1 to 3, and that every other file decodes. `authority` is whose signature is asked for; without one the record
    /// only says that whoever is named in it signed it.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn open(files: Files<'a>, authority: Option<&PublicKey>) -> Result<Self, Broken> {
        let index_error = |error: IndexError| Broken::new(error.file(), Why::Index(error));
        let index = Index::open(files.index, authority).map_err(index_error)?;
        index.check_files(&files).map_err(index_error)?;
        let manifest =
            Manifest::parse(files.manifest).map_err(|error| Broken::new(FileName::Manifest, Why::Manifest(error)))?;
        let keys = Keys::read(files.keys).map_err(|error| Broken::new(FileName::Keys, Why::Keys(error)))?;
        let election = election_hash(files.manifest, &keys.joint.0);
        if index.election != election {
            return Err(Broken::new(FileName::Index, Why::Election));
        }
        verify_transcript(files.ceremony, files.keys)
            .map_err(|error| Broken::new(FileName::Ceremony, Why::Ceremony(error)))?;
        let genesis =
            Genesis::read(files.genesis).map_err(|error| Broken::new(FileName::Genesis, Why::Genesis(error)))?;
        if genesis.election != election {
            return Err(Broken::new(FileName::Genesis, Why::Election));
        }
        let sizes = sizes(&files, &manifest)?;
        Ok(Self {
            files,
            index,
            manifest,
            keys,
            genesis,
            election,
            sizes,
        })
    }

    /// Election hash.
    #[must_use]
    pub const fn election(&self) -> &Digest {
        &self.election
    }

    /// The authority that signed the record, as it names itself.
    #[must_use]
    pub const fn authority(&self) -> &PublicKey {
        &self.index.authority.0
    }

    /// The manifest.
    #[must_use]
    pub const fn manifest(&self) -> &CheckedManifest<'a> {
        &self.manifest
    }

    /// Joint key and trustees.
    #[must_use]
    pub const fn keys(&self) -> &Keys<'a> {
        &self.keys
    }

    /// Staff cards and validators.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis<'a> {
        &self.genesis
    }

    /// The files.
    #[must_use]
    pub const fn files(&self) -> &Files<'a> {
        &self.files
    }

    /// How much memory [`Record::check`] needs.
    #[must_use]
    pub const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Steps 4 to 7 but the ballots' proofs, and which ballots count. `progress` is told step, done and total.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check<'s>(
        &self,
        scratch: Scratch<'s>,
        progress: &mut dyn FnMut(Step, u32, u32),
    ) -> Result<Checked<'a, 's>, Broken> {
        let mut work = memory::Work::new(scratch, &self.sizes)?;
        memory::fill_styles(&self.manifest, &mut work)?;
        let height = chain::replay(self, &mut work, progress)?;
        ballots::read_all(self, &mut work, progress)?;
        let unclosed = ballots::check_presence(self, &mut work)?;
        progress(Step::Closings, 0, self.sizes.closings);
        closings::check(self, &mut work)?;
        counting::decide(self, &mut work)?;
        progress(Step::Closings, self.sizes.closings, self.sizes.closings);
        Ok(Checked {
            record: *self,
            height,
            unclosed,
            shapes: work.shapes,
            styles: work.styles,
            kiosks: work.kiosks,
            batches: work.batches,
            ballots: work.ballots,
            spoiled: work.spoiled,
        })
    }

    /// The items of closings.bin.
    #[must_use]
    pub const fn closings(&self) -> Seq<'a, Closing<'a>> {
        Seq::from_bytes(self.files.closings)
    }
}

/// Walks every list once: what decodes here cannot fail to decode later, and is counted.
fn sizes(files: &Files<'_>, manifest: &CheckedManifest<'_>) -> Result<Sizes, Broken> {
    let mut sizes = Sizes {
        styles: u32::from(manifest.style_count()),
        ..Sizes::default()
    };
    for style in manifest.styles() {
        sizes.shapes = sizes.shapes.saturating_add(count(style.contests.count()));
    }
    for (item, decided) in (0u32..).zip(Seq::<Decided<'_>>::from_bytes(files.chain).iter()) {
        let at = |why| Broken::item(FileName::Chain, item, why);
        let decided = decided.map_err(|error| at(Why::Wire(error)))?;
        let block = Block::read(decided.block.0).map_err(|error| at(Why::Block(error)))?;
        sizes.blocks = sizes.blocks.saturating_add(1);
        for (index, transaction) in (0u32..).zip(block.transactions.iter()) {
            let transaction = transaction.map_err(|error| at(Why::Wire(error)))?;
            match Transaction::read(transaction.0).map_err(|refusal| at(Why::Transaction { index, refusal }))? {
                Transaction::Register { .. } => sizes.kiosks = sizes.kiosks.saturating_add(1),
                Transaction::Batch(batch) => {
                    sizes.batches = sizes.batches.saturating_add(1);
                    sizes.entries = sizes.entries.saturating_add(count(batch.entries.as_bytes().len() / 65));
                }
                Transaction::Revoke { .. } | Transaction::Takeover { .. } | Transaction::Validators { .. } => {}
            }
        }
    }
    sizes.ballots = items::<PublishedBallot<'_>>(FileName::Ballots, files.ballots)?;
    sizes.spoiled = items::<PublishedSpoiled<'_>>(FileName::Spoiled, files.spoiled)?;
    sizes.closings = items::<Closing<'_>>(FileName::Closings, files.closings)?;
    Ok(sizes)
}

/// Number of items of a file; all decode.
fn items<'b, T: serde::Deserialize<'b> + serde::Serialize>(file: FileName, bytes: &'b [u8]) -> Result<u32, Broken> {
    let mut number = 0u32;
    for item in Seq::<T>::from_bytes(bytes).iter() {
        item.map_err(|error| Broken::item(file, number, Why::Wire(error)))?;
        number = number.checked_add(1).ok_or(Broken::new(file, Why::TooMany))?;
    }
    Ok(number)
}

/// Counts of things in memory are far below 2^32; where they were not, the tables would be refused as too small.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// An index into a slice.
fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// A record that holds, but for the proofs of ballots, the tally, and results.json.
pub struct Checked<'a, 's> {
    record: Record<'a>,
    height: u64,
    unclosed: u32,
    shapes: &'s [ContestShape],
    styles: &'s [StyleRow],
    kiosks: &'s [KioskRow],
    batches: &'s [BatchRow],
    ballots: &'s [BallotRow],
    spoiled: &'s [BallotRow],
}

impl<'a, 's> Checked<'a, 's> {
    /// What was checked.
    #[must_use]
    pub const fn record(&self) -> &Record<'a> {
        &self.record
    }

    /// Height of the chain.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// Entries on the ledger of kiosks that never closed: they do not count, and a report lists them.
    #[must_use]
    pub const fn unclosed_entries(&self) -> u32 {
        self.unclosed
    }

    /// The kiosks, ascending by id.
    #[must_use]
    pub const fn kiosks(&self) -> &'s [KioskRow] {
        self.kiosks
    }

    /// The batches in the order of the ledger.
    #[must_use]
    pub const fn batches(&self) -> &'s [BatchRow] {
        self.batches
    }

    /// The published cast ballots, ascending by tracking code.
    #[must_use]
    pub const fn ballots(&self) -> &'s [BallotRow] {
        self.ballots
    }

    /// The published spoiled ballots, ascending by tracking code.
    #[must_use]
    pub const fn spoiled(&self) -> &'s [BallotRow] {
        self.spoiled
    }

    /// The kiosk that closed with a ballot.
    #[must_use]
    pub fn kiosk_of(&self, row: &BallotRow) -> Option<&'s KioskRow> {
        self.kiosks.get(at(row.kiosk))
    }

    /// The layout of a style.
    #[must_use]
    pub fn layout(&self, style: u16) -> Option<Layout<'s>> {
        memory::layout(self.styles, self.shapes, style)
    }
}
