//! A [`Book`] over memory that the caller provides: for whoever replays a ledger without a heap.

use super::rules::{Book, Full, KioskRow};
use crate::hash::Digest;

/// A batch on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// Kiosk id.
    pub kiosk: Digest,
    /// Its number.
    pub number: u32,
    /// Its hash.
    pub hash: Digest,
}

impl BatchRow {
    /// A row that stands for no batch, to fill a table with.
    pub const EMPTY: Self = Self {
        kiosk: [0; 32],
        number: 0,
        hash: [0; 32],
    };
}

/// Rows in two slices: kiosks sorted by id, batches in the order of the ledger.
///
/// Finding a batch walks the slice; the rules do that only for a takeover and for a batch whose number is used up.
pub struct Tables<'t> {
    kiosks: &'t mut [KioskRow],
    kiosk_count: usize,
    batches: &'t mut [BatchRow],
    batch_count: usize,
}

impl<'t> Tables<'t> {
    /// Empty tables in these slices; what stands in them is written over.
    #[must_use]
    pub const fn new(kiosks: &'t mut [KioskRow], batches: &'t mut [BatchRow]) -> Self {
        Self {
            kiosks,
            kiosk_count: 0,
            batches,
            batch_count: 0,
        }
    }

    /// The kiosks so far, ascending by id.
    #[must_use]
    pub fn kiosks(&self) -> &[KioskRow] {
        self.kiosks.get(..self.kiosk_count).unwrap_or_default()
    }

    /// The batches so far, in the order of the ledger.
    #[must_use]
    pub fn batches(&self) -> &[BatchRow] {
        self.batches.get(..self.batch_count).unwrap_or_default()
    }
}

impl Book for Tables<'_> {
    fn kiosk(&self, id: &Digest) -> Option<KioskRow> {
        let place = self.kiosks().binary_search_by_key(id, |row| row.id).ok()?;
        self.kiosks.get(place).copied()
    }

    fn put_kiosk(&mut self, row: KioskRow) -> Result<(), Full> {
        match self.kiosks().binary_search_by_key(&row.id, |row| row.id) {
            Ok(place) => *self.kiosks.get_mut(place).ok_or(Full)? = row,
            Err(place) => {
                // The unused slot behind the last row turns round to the place of the new one.
                let moved = self.kiosks.get_mut(place..=self.kiosk_count).ok_or(Full)?;
                moved.rotate_right(1);
                *moved.first_mut().ok_or(Full)? = row;
                self.kiosk_count += 1;
            }
        }
        Ok(())
    }

    fn batch(&self, kiosk: &Digest, number: u32) -> Option<Digest> {
        self.batches()
            .iter()
            .find(|row| row.kiosk == *kiosk && row.number == number)
            .map(|row| row.hash)
    }

    fn batch_number(&self, kiosk: &Digest, hash: &Digest) -> Option<u32> {
        self.batches()
            .iter()
            .find(|row| row.kiosk == *kiosk && row.hash == *hash)
            .map(|row| row.number)
    }

    fn put_batch(&mut self, kiosk: &Digest, number: u32, hash: Digest) -> Result<(), Full> {
        *self.batches.get_mut(self.batch_count).ok_or(Full)? = BatchRow {
            kiosk: *kiosk,
            number,
            hash,
        };
        self.batch_count += 1;
        Ok(())
    }
}
