//! The rules of the ledger: which transaction may follow the ones before.
//!
//! A transaction is refused only for format, key, number or predecessor. The rules know no tag and no ballot, so one double voter
//! cannot block an honest kiosk. They are the same for a validator that makes a block, a node that replays one and whoever verifies
//! the published record; if they differed anywhere, honest nodes would part ways.
//!
//! Every change makes its own repetition impossible (a kiosk is registered once, revoked once, replaced once, a batch number is used
//! once), so a replay needs no list of all transactions seen.

use super::change::Standing;
use super::genesis::Genesis;
use super::refusal::Refusal;
use super::transaction::{Registration, Revocation, Takeover, Transaction, check_body};
use crate::batch::{Batch, BatchError, kiosk_id};
use crate::hash::Digest;
use crate::sign::{self, PublicKey};

/// What the ledger knows of a kiosk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KioskRow {
    /// Kiosk id.
    pub id: Digest,
    /// Its signing key.
    pub key: PublicKey,
    /// Its polling station.
    pub station: u16,
    /// Number of the batch that comes next.
    pub next: u32,
    /// What `previous` of the batch that comes next must hold.
    pub previous: Digest,
    /// The closing hash of its last batch; nothing follows that.
    pub closed: Option<Digest>,
    /// Two staff cards ended it.
    pub revoked: bool,
    /// The kiosk that took its place.
    pub successor: Option<Digest>,
    /// The kiosk whose place it took.
    pub took_over: Option<Digest>,
}

impl KioskRow {
    /// A row that stands for no kiosk, to fill a table with.
    pub const EMPTY: Self = Self::new([0; 32], [0; 33], 0);

    /// A kiosk just registered.
    const fn new(id: Digest, key: PublicKey, station: u16) -> Self {
        Self {
            id,
            key,
            station,
            next: 0,
            previous: [0; 32],
            closed: None,
            revoked: false,
            successor: None,
            took_over: None,
        }
    }

    /// Why nothing of this kiosk is taken any more.
    ///
    /// # Errors
    /// [`Refusal::Revoked`], [`Refusal::TakenOver`], [`Refusal::Closed`].
    pub const fn check_open(&self) -> Result<(), Refusal> {
        if self.revoked {
            Err(Refusal::Revoked)
        } else if self.successor.is_some() {
            Err(Refusal::TakenOver)
        } else if self.closed.is_some() {
            Err(Refusal::Closed)
        } else {
            Ok(())
        }
    }
}

/// A [`Book`] has no room for another row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where the rows are kept: [`super::Tables`] over memory of the caller, or maps in `firmware/chain`.
pub trait Book {
    /// The row of a kiosk.
    fn kiosk(&self, id: &Digest) -> Option<KioskRow>;

    /// Writes a row, over the one of the same id if there is one.
    ///
    /// # Errors
    /// [`Full`], for a new id only; nothing is changed then.
    fn put_kiosk(&mut self, row: KioskRow) -> Result<(), Full>;

    /// The hash of a kiosk's batch.
    fn batch(&self, kiosk: &Digest, number: u32) -> Option<Digest>;

    /// The number of a kiosk's batch.
    fn batch_number(&self, kiosk: &Digest, hash: &Digest) -> Option<u32>;

    /// Adds a batch.
    ///
    /// # Errors
    /// [`Full`]; nothing is changed then.
    fn put_batch(&mut self, kiosk: &Digest, number: u32, hash: Digest) -> Result<(), Full>;
}

/// What a transaction changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A kiosk is registered.
    Registered {
        /// Kiosk id.
        kiosk: Digest,
    },
    /// A kiosk is revoked.
    Revoked {
        /// Kiosk id.
        kiosk: Digest,
    },
    /// A kiosk took another's place.
    TakenOver {
        /// The kiosk replaced.
        old: Digest,
        /// The spare.
        new: Digest,
    },
    /// A batch is on the ledger.
    Batch {
        /// Kiosk id.
        kiosk: Digest,
        /// Its number.
        number: u32,
        /// Its hash.
        hash: Digest,
        /// The closing hash, if it ends the kiosk's row.
        closing: Option<Digest>,
    },
    /// The validators change.
    Validators {
        /// Number of the change.
        number: u32,
        /// Height of the first block that the new set decides.
        from: u64,
    },
}

/// What a transaction that was found good is about to change.
enum Change {
    One(KioskRow, Applied),
    Two(KioskRow, KioskRow, Applied),
    Batch(KioskRow, u32, Digest, Applied),
    Validators(Applied),
}

/// The rules over a book.
pub struct Rules<'g, B> {
    genesis: Genesis<'g>,
    standing: Standing<'g>,
    book: B,
}

impl<'g, B: Book> Rules<'g, B> {
    /// The rules of this genesis (which [`Genesis::read`] has checked) over the rows so far.
    #[must_use]
    pub const fn new(genesis: Genesis<'g>, book: B) -> Self {
        Self {
            genesis,
            standing: Standing::genesis(genesis.validators),
            book,
        }
    }

    /// Says which block is judged next and who decides it; without it that is block 1 and the set of the genesis.
    pub const fn begin(&mut self, standing: Standing<'g>) {
        self.standing = standing;
    }

    /// The rows.
    #[must_use]
    pub const fn book(&self) -> &B {
        &self.book
    }

    /// The rows, when the rules are not needed any more.
    #[must_use]
    pub fn into_book(self) -> B {
        self.book
    }

    /// Whether the transaction may come next. Changes nothing.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, transaction: &Transaction<'_>) -> Result<(), Refusal> {
        self.judge(transaction).map(|_| ())
    }

    /// Applies a transaction.
    ///
    /// # Errors
    /// Why it may not come next; nothing is changed then.
    pub fn apply(&mut self, transaction: &Transaction<'_>) -> Result<Applied, Refusal> {
        match self.judge(transaction)? {
            Change::One(row, applied) => {
                self.book.put_kiosk(row).map_err(|Full| Refusal::Full)?;
                Ok(applied)
            }
            // Both rows exist already, so neither write can find the book full.
            Change::Two(first, second, applied) => {
                self.book.put_kiosk(first).map_err(|Full| Refusal::Full)?;
                self.book.put_kiosk(second).map_err(|Full| Refusal::Full)?;
                Ok(applied)
            }
            Change::Batch(row, number, hash, applied) => {
                self.book
                    .put_batch(&row.id, number, hash)
                    .map_err(|Full| Refusal::Full)?;
                self.book.put_kiosk(row).map_err(|Full| Refusal::Full)?;
                Ok(applied)
            }
            Change::Validators(applied) => {
                self.standing.taken(&applied);
                Ok(applied)
            }
        }
    }

    fn judge(&self, transaction: &Transaction<'_>) -> Result<Change, Refusal> {
        match transaction {
            Transaction::Register { body, staff } => {
                self.judge_registration(body)?;
                check_body(&self.genesis, body, *staff)?;
                let kiosk = kiosk_id(&body.kiosk.0);
                if self.book.kiosk(&kiosk).is_some() {
                    return Err(Refusal::Registered);
                }
                let row = KioskRow::new(kiosk, body.kiosk.0, body.station);
                Ok(Change::One(row, Applied::Registered { kiosk }))
            }
            Transaction::Revoke { body, staff } => {
                let mut row = self.judge_revocation(body)?;
                check_body(&self.genesis, body, *staff)?;
                if row.revoked {
                    return Err(Refusal::Repeated);
                }
                row.revoked = true;
                Ok(Change::One(row, Applied::Revoked { kiosk: row.id }))
            }
            Transaction::Takeover { body, staff } => {
                self.of_this_election(&body.election)?;
                check_body(&self.genesis, body, *staff)?;
                let (old, new) = self.judge_takeover(body)?;
                let applied = Applied::TakenOver {
                    old: old.id,
                    new: new.id,
                };
                Ok(Change::Two(old, new, applied))
            }
            Transaction::Batch(batch) => self.judge_batch(batch),
            Transaction::Validators { body, signatures } => {
                self.standing
                    .judge(&self.genesis.chain_id(), body, *signatures)
                    .map_err(Refusal::Validators)?;
                Ok(Change::Validators(Applied::Validators {
                    number: body.number,
                    from: body.from,
                }))
            }
        }
    }

    fn of_this_election(&self, election: &Digest) -> Result<(), Refusal> {
        if *election == self.genesis.election {
            Ok(())
        } else {
            Err(Refusal::Election)
        }
    }

    fn judge_registration(&self, body: &Registration) -> Result<(), Refusal> {
        self.of_this_election(&body.election)?;
        for key in [&body.kiosk.0, &body.sealing.0] {
            sign::public_key(key).map_err(|_| Refusal::Key)?;
        }
        Ok(())
    }

    fn judge_revocation(&self, body: &Revocation<'_>) -> Result<KioskRow, Refusal> {
        self.of_this_election(&body.election)?;
        if body.reason.len() > super::transaction::MAX_REASON {
            return Err(Refusal::TooLong);
        }
        self.book.kiosk(&body.kiosk).ok_or(Refusal::UnknownKiosk)
    }

    fn judge_takeover(&self, body: &Takeover) -> Result<(KioskRow, KioskRow), Refusal> {
        if body.old == body.new {
            return Err(Refusal::SameKiosk);
        }
        let mut old = self.book.kiosk(&body.old).ok_or(Refusal::UnknownKiosk)?;
        let mut new = self.book.kiosk(&body.new).ok_or(Refusal::UnknownKiosk)?;
        old.check_open()?;
        new.check_open()?;
        if old.station != new.station {
            return Err(Refusal::Station);
        }
        if new.next != 0 || new.took_over.is_some() {
            return Err(Refusal::SpareInUse);
        }
        if !self.is_predecessor(&old, &body.predecessor) {
            return Err(Refusal::UnknownPredecessor);
        }
        old.successor = Some(new.id);
        new.took_over = Some(old.id);
        new.previous = body.predecessor;
        Ok((old, new))
    }

    /// Zero bytes, a batch of the old kiosk, or what its next batch would name: its last one, or the predecessor it inherited itself (a
    /// spare that fails before its first batch: the medium still names the batch of the kiosk before).
    fn is_predecessor(&self, old: &KioskRow, predecessor: &Digest) -> bool {
        *predecessor == [0; 32]
            || *predecessor == old.previous
            || self.book.batch_number(&old.id, predecessor).is_some()
    }

    fn judge_batch(&self, batch: &Batch<'_>) -> Result<Change, Refusal> {
        let header = &batch.header;
        self.of_this_election(&header.election)?;
        let mut row = self.book.kiosk(&header.kiosk).ok_or(Refusal::UnknownKiosk)?;
        // The signature first: hashing 65,536 entries is work that only a registered kiosk may ask for.
        batch.check_signature(&row.key).map_err(|_| Refusal::Signature)?;
        batch.check_entries().map_err(|error| match error {
            BatchError::TooMany => Refusal::TooLong,
            _ => Refusal::Batch,
        })?;
        let hash = header.hash();
        // Before the rest: a fork is evidence also against a kiosk whose row has ended.
        if header.number < row.next {
            return Err(match self.book.batch(&row.id, header.number) {
                Some(on_ledger) if on_ledger != hash => Refusal::Fork {
                    number: header.number,
                    on_ledger,
                },
                _ => Refusal::Repeated,
            });
        }
        row.check_open()?;
        if header.number != row.next {
            return Err(Refusal::Gap {
                expected: row.next,
                got: header.number,
            });
        }
        if header.previous != row.previous {
            return Err(Refusal::Predecessor { expected: row.previous });
        }
        // The last number is never used up: nothing could follow it, and no kiosk gets there.
        row.next = header.number.checked_add(1).ok_or(Refusal::Batch)?;
        row.previous = hash;
        row.closed = header.closing;
        let applied = Applied::Batch {
            kiosk: row.id,
            number: header.number,
            hash,
            closing: header.closing,
        };
        Ok(Change::Batch(row, header.number, hash, applied))
    }
}
