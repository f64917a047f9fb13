//! What the loop does while a voter reads: it prepares their ballot, a selection at a time.
//!
//! Between two selections the loop looks at the panel and the card: no touch waits for more than one. It begins only when the admission stands
//! in the audit log, and binds the nonces to its head: whatever a source of randomness gives after another boot, a head does not come back.
//! While a tracking code is on the screen no nonce is drawn. Nothing of it is written anywhere.

use election::ballot::{Ahead, Election, EncryptError, Layout};
use election::package::Package;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;

use super::Stop;
use super::judge::shapes;
use super::vault::Vault;
use crate::ports::{Entropy, Medium, Store};
use crate::random::Random;
use crate::screen::{Fault, Recorded};
use crate::session::{Place, State};

/// Turns that a screen is given to be drawn, where nothing else gives way to it. Who was woken first need not run first, and the screen's own task gives way
/// twice after a finger has left.
const TURNS: usize = 4;

/// What preparing needs and does not change.
pub(super) struct Reading<'r, 'v, M: Medium, S: Store> {
    pub package: &'r Package<'r>,
    pub election: &'r Election<'r>,
    pub vault: &'r Mutex<NoopRawMutex, Vault<'v, M, S>>,
}

impl<M: Medium, S: Store> Reading<'_, '_, M, S> {
    /// Prepares as much as the voter leaves time for: at most one ballot. May be dropped at any await point and goes on where it was.
    ///
    /// # Errors
    /// [`Fault::Entropy`]: the source of randomness failed; nothing is recorded of whoever stands there.
    pub async fn prepare<E: Entropy>(
        &self,
        state: &State,
        ahead: &mut Ahead<'_>,
        entropy: &mut E,
        random: &mut Random,
    ) -> Result<(), Stop> {
        let Some(voting) = state.voting() else { return Ok(()) };
        let reads = matches!(
            voting.place(),
            Place::Contest { .. } | Place::Review | Place::Ending { .. }
        );
        if reads {
            self.all(voting.style(), ahead, entropy, random).await?;
        }
        Ok(())
    }

    /// Prepares what the voter has left no time for, a selection a turn, so that the screen that says so is drawn meanwhile and nothing stands still
    /// for seconds. Without memory to prepare in, only the screen gets its turn.
    ///
    /// # Errors
    /// As [`Reading::prepare`].
    pub async fn finish<E: Entropy>(
        &self,
        style: u16,
        ahead: &mut Ahead<'_>,
        entropy: &mut E,
        random: &mut Random,
    ) -> Result<(), Stop> {
        if !self.all(style, ahead, entropy, random).await? {
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Gives whether there was memory for it.
    async fn all<E: Entropy>(
        &self,
        style: u16,
        ahead: &mut Ahead<'_>,
        entropy: &mut E,
        random: &mut Random,
    ) -> Result<bool, Stop> {
        let during = |fault| Stop::Fault(fault, Some(Recorded::No));
        let Some(shapes) = shapes(&self.package.manifest, style) else {
            return Ok(false);
        };
        let layout = Layout::new(style, &shapes).map_err(|_| during(Fault::Defect))?;
        if !ahead.is_begun(&layout) {
            if !ahead.fits(&layout) {
                return Ok(false);
            }
            let head = *self.vault.lock().await.ballot_box.log().head();
            random.reseed(entropy).map_err(|_| during(Fault::Entropy))?;
            random.bind(&head);
            ahead.begin(&layout).map_err(|_| during(Fault::Defect))?;
        }
        loop {
            // The panel and the card first.
            yield_now().await;
            let more = ahead.step(self.election, &layout, random);
            if !more.map_err(|error| during(fault(error)))? {
                return Ok(true);
            }
        }
    }
}

/// What a voter's ballot that cannot be encrypted means.
pub(super) const fn fault(error: EncryptError) -> Fault {
    match error {
        EncryptError::Randomness => Fault::Entropy,
        _ => Fault::Defect,
    }
}
