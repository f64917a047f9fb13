//! The memory lent to the loop, of fixed size: a package or a medium that needs more is refused by the loop, which says so
//! (`Fault::Buffers`), and a board with more memory takes it.

use election::ballot::{PreparedSelection, PreparedSum, Secret};
use election::batch;
use election::ledger::frame::MAX_REPLY;
use election::table::Table6;
use kiosk::ballot_box::{Memory, Row};
use kiosk::run::Buffers;
use static_cell::ConstStaticCell;

/// Slots of the largest medium: so many votes and challenged ballots.
pub const ROWS: usize = 2_048;
/// Longest ballot, record or batch.
pub const SCRATCH: usize = 49_152;
/// Entries of the largest batch: a closing one.
pub const ENTRIES: usize = 1_024;
/// Selections of the largest ballot style.
pub const SELECTIONS: usize = 128;
/// Contests of a ballot style.
pub const SUMS: usize = 24;
/// Longest opening of a contest.
pub const OPENING: usize = 4_096;
/// Longest roll delta.
pub const DELTA: usize = 65_536;

const ENTRY: batch::Entry = batch::Entry {
    kind: batch::Kind::Cast,
    code: [0; 32],
    leaf: [0; 32],
};

static ROWS_CELL: ConstStaticCell<[Row; ROWS]> = ConstStaticCell::new([Row::EMPTY; ROWS]);
static USED_CELL: ConstStaticCell<[u8; ROWS / 8]> = ConstStaticCell::new([0; ROWS / 8]);
static SCRATCH_CELL: ConstStaticCell<[u8; SCRATCH]> = ConstStaticCell::new([0; SCRATCH]);
static ENTRIES_CELL: ConstStaticCell<[batch::Entry; ENTRIES]> = ConstStaticCell::new([ENTRY; ENTRIES]);
static SLOT_CELL: ConstStaticCell<[u8; SCRATCH]> = ConstStaticCell::new([0; SCRATCH]);
static SECRETS_CELL: ConstStaticCell<[Secret; SELECTIONS]> =
    ConstStaticCell::new([const { Secret::EMPTY }; SELECTIONS]);
static PREPARED_CELL: ConstStaticCell<[PreparedSelection; SELECTIONS]> =
    ConstStaticCell::new([const { PreparedSelection::EMPTY }; SELECTIONS]);
static SUMS_CELL: ConstStaticCell<[PreparedSum; SUMS]> = ConstStaticCell::new([const { PreparedSum::EMPTY }; SUMS]);
static OPENING_CELL: ConstStaticCell<[u8; OPENING]> = ConstStaticCell::new([0; OPENING]);
static REQUEST_CELL: ConstStaticCell<[u8; SCRATCH + 64]> = ConstStaticCell::new([0; SCRATCH + 64]);
static REPLY_CELL: ConstStaticCell<[u8; MAX_REPLY]> = ConstStaticCell::new([0; MAX_REPLY]);
static DELTA_CELL: ConstStaticCell<[u8; DELTA]> = ConstStaticCell::new([0; DELTA]);
static TABLES_CELL: ConstStaticCell<[Table6; 2]> = ConstStaticCell::new([Table6::EMPTY; 2]);

/// All of it.
pub struct Lent {
    rows: &'static mut [Row],
    used: &'static mut [u8],
    scratch: &'static mut [u8],
    entries: &'static mut [batch::Entry],
    slot: &'static mut [u8],
    secrets: &'static mut [Secret],
    prepared: &'static mut [PreparedSelection],
    sums: &'static mut [PreparedSum],
    opening: &'static mut [u8],
    request: &'static mut [u8],
    reply: &'static mut [u8],
    delta: &'static mut [u8],
    tables: &'static mut [Table6; 2],
}

impl Lent {
    /// Takes it; `None` the second time.
    #[must_use]
    pub fn take() -> Option<Self> {
        Some(Self {
            rows: ROWS_CELL.try_take()?,
            used: USED_CELL.try_take()?,
            scratch: SCRATCH_CELL.try_take()?,
            entries: ENTRIES_CELL.try_take()?,
            slot: SLOT_CELL.try_take()?,
            secrets: SECRETS_CELL.try_take()?,
            prepared: PREPARED_CELL.try_take()?,
            sums: SUMS_CELL.try_take()?,
            opening: OPENING_CELL.try_take()?,
            request: REQUEST_CELL.try_take()?,
            reply: REPLY_CELL.try_take()?,
            delta: DELTA_CELL.try_take()?,
            tables: TABLES_CELL.try_take()?,
        })
    }

    /// Lends it for one run.
    pub fn lend(&mut self) -> Buffers<'_> {
        let [generator, joint] = &mut *self.tables;
        Buffers {
            memory: Memory {
                rows: self.rows,
                used: self.used,
                scratch: self.scratch,
                entries: self.entries,
            },
            slot: self.slot,
            secrets: self.secrets,
            prepared: self.prepared,
            sums: self.sums,
            opening: self.opening,
            request: self.request,
            reply: self.reply,
            delta: self.delta,
            generator,
            joint,
        }
    }
}
