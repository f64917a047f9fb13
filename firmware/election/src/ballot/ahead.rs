//! A whole ballot prepared while its voter reads: one selection a step, so that a small processor still answers every touch.
//!
//! What is prepared is for one ballot of one style and for nothing else. It is burnt when it is used, when the voter goes, when something
//! fails, and when its memory is given back: it lives in lent memory only, and what is found there at the beginning is burnt unread. A tuple
//! that came back from anywhere would repeat a nonce, and one nonce in two ballots shows both votes.

use core::slice;

use rand_core::CryptoRng;
use zeroize::Zeroize as _;

use crate::ballot::encrypt::{EncryptError, Secret, encrypt, encrypt_prepared};
use crate::ballot::prepared::{PreparedSelection, PreparedSum, Sums, prepare_chunk};
use crate::ballot::{Election, Layout};
use crate::group::{Secrets, Series};
use crate::hash::Digest;

/// The ballot that is being prepared, in lent memory. Too little memory for a style prepares nothing, and its ballots are encrypted whole.
pub struct Ahead<'m> {
    slots: &'m mut [PreparedSelection],
    sums: &'m mut [PreparedSum],
    /// The style it is for; `None` while nothing is prepared.
    style: Option<u16>,
    /// The contest that comes next, its first slot, and how many of its selections are ready.
    contest: usize,
    first: usize,
    ready: usize,
    running: Sums,
    series: Series,
}

impl<'m> Ahead<'m> {
    /// Burns whatever the memory holds.
    pub fn new(slots: &'m mut [PreparedSelection], sums: &'m mut [PreparedSum]) -> Self {
        let mut ahead = Self {
            slots,
            sums,
            style: None,
            contest: 0,
            first: 0,
            ready: 0,
            running: Sums::EMPTY,
            series: Series::BEGIN,
        };
        ahead.burn();
        ahead
    }

    /// Whether the memory is enough for this layout.
    #[must_use]
    pub const fn fits(&self, layout: &Layout<'_>) -> bool {
        self.slots.len() >= layout.selections() && self.sums.len() >= layout.shapes().len()
    }

    /// Whether a ballot of this style is being prepared, or ready.
    #[must_use]
    pub fn is_begun(&self, layout: &Layout<'_>) -> bool {
        self.style == Some(layout.style())
    }

    /// Burns what there is and begins a ballot. The generator must have been bound before to something that never comes back.
    ///
    /// # Errors
    /// [`EncryptError::Output`]: too little memory.
    pub fn begin(&mut self, layout: &Layout<'_>) -> Result<(), EncryptError> {
        self.burn();
        if !self.fits(layout) {
            return Err(EncryptError::Output);
        }
        self.style = Some(layout.style());
        Ok(())
    }

    /// Prepares one selection, or closes a contest with its sum: at most six fixed-base multiplications. Gives whether there is more.
    ///
    /// # Errors
    /// [`EncryptError::Burnt`] if no ballot of this layout was begun, [`EncryptError::Randomness`]; then everything is burnt.
    pub fn step<R: CryptoRng + ?Sized>(
        &mut self,
        election: &Election<'_>,
        layout: &Layout<'_>,
        rng: &mut R,
    ) -> Result<bool, EncryptError> {
        let stepped = self.next(election, layout, rng);
        if stepped.is_err() {
            self.burn();
        }
        stepped
    }

    fn next<R: CryptoRng + ?Sized>(
        &mut self,
        election: &Election<'_>,
        layout: &Layout<'_>,
        rng: &mut R,
    ) -> Result<bool, EncryptError> {
        if !self.is_begun(layout) {
            return Err(EncryptError::Burnt);
        }
        let Some(shape) = layout.shapes().get(self.contest) else {
            return Ok(false);
        };
        let mut secrets = Secrets::resume(rng, &self.series);
        if self.ready < shape.selections() {
            let slot = self.slots.get_mut(self.first.saturating_add(self.ready));
            let slot = slot.ok_or(EncryptError::Output)?;
            prepare_chunk(election, slice::from_mut(slot), &mut self.running, &mut secrets)?;
            self.ready = self.ready.saturating_add(1);
        } else {
            let sum = self.sums.get_mut(self.contest).ok_or(EncryptError::Output)?;
            *sum = self.running.prepare(election, shape.votes, &mut secrets)?;
            self.running = Sums::EMPTY;
            self.first = self.first.saturating_add(self.ready);
            self.ready = 0;
            self.contest = self.contest.saturating_add(1);
        }
        self.series = secrets.pause();
        Ok(self.contest < layout.shapes().len())
    }

    /// Encrypts as [`encrypt()`] does, with what is prepared; what is missing of it is prepared now, and without memory the whole ballot is
    /// encrypted now. Everything is burnt afterwards.
    ///
    /// # Errors
    /// As [`encrypt()`].
    #[expect(clippy::too_many_arguments, reason = "each is lent by somebody else")]
    pub fn encrypt<R: CryptoRng + ?Sized>(
        &mut self,
        election: &Election<'_>,
        station: u16,
        layout: &Layout<'_>,
        choices: &[u64],
        rng: &mut R,
        out: &mut [u8],
        secrets: &mut [Secret],
    ) -> Result<Digest, EncryptError> {
        if !self.is_begun(layout) && self.begin(layout).is_err() {
            return encrypt(election, station, layout, choices, rng, out, secrets);
        }
        let encrypted = self.finish(election, layout, rng).and_then(|(slots, sums)| {
            encrypt_prepared(election, station, layout, choices, rng, slots, sums, out, secrets)
        });
        self.burn();
        if encrypted.is_err() {
            out.zeroize();
            secrets.iter_mut().zeroize();
        }
        encrypted
    }

    fn finish<R: CryptoRng + ?Sized>(
        &mut self,
        election: &Election<'_>,
        layout: &Layout<'_>,
        rng: &mut R,
    ) -> Result<(&mut [PreparedSelection], &mut [PreparedSum]), EncryptError> {
        while self.step(election, layout, rng)? {}
        let slots = self.slots.get_mut(..layout.selections());
        let sums = self.sums.get_mut(..layout.shapes().len());
        slots.zip(sums).ok_or(EncryptError::Output)
    }

    /// Zeroizes everything that is prepared.
    pub fn burn(&mut self) {
        self.slots.iter_mut().zeroize();
        self.sums.iter_mut().zeroize();
        self.running.zeroize();
        self.series.zeroize();
        self.style = None;
        self.contest = 0;
        self.first = 0;
        self.ready = 0;
    }

    /// Selections that are ready, for whoever measures.
    #[must_use]
    pub const fn ready(&self) -> usize {
        self.first.saturating_add(self.ready)
    }
}

/// The memory is lent and outlives this.
impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.burn();
    }
}
