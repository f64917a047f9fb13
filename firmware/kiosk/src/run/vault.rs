//! What the voters' side and the network's side of the loop share, one at a time: the ballot box and the internal store.

use election::hash::Digest;
use election::sign::Signer;

use super::Stop;
use super::judge::Judge;
use crate::ballot_box::{BallotBox, Broken, Progress};
use crate::ports::{Item, Medium, ReaderError, Store};
use crate::random::Random;
use crate::screen::Health;

/// The shared state, behind an async mutex.
pub(crate) struct Vault<'v, M, S> {
    pub ballot_box: BallotBox<'v, M, Judge<'v>>,
    pub store: &'v mut S,
    /// Whether the last exchange went through; `None` if there is no network by type.
    pub online: Option<bool>,
    /// Newest block a proof was seen for.
    pub height: u64,
    /// See [`Progress::told`].
    pub told: u32,
}

/// What the vault does not have and staff want to know.
pub(crate) struct About {
    pub seconds: u64,
    pub reader: Result<bool, ReaderError>,
    pub celsius: Option<i16>,
}

/// A failed write stops the kiosk; nobody was voting if it was not a voter's record.
pub(crate) const fn housekeeping(broken: Broken) -> Stop {
    Stop::Fault(broken.fault, None)
}

impl<M: Medium, S: Store> Vault<'_, M, S> {
    /// How the kiosk is, asked of each part now. Without `counts`, for whoever comes to the panel while polls are open, without a card: nothing
    /// that tells how many have voted (A14).
    pub(crate) async fn health(&mut self, counts: bool, about: About) -> Health {
        let counted = |number: u32| if counts { number } else { 0 };
        Health {
            counts: counts.then(|| self.ballot_box.counts()),
            free: counted(self.ballot_box.free()),
            free_spoiled: counted(self.ballot_box.free_spoiled()),
            room: self.ballot_box.room_left(),
            unsent: counted(self.ballot_box.log().pending()),
            online: self.online,
            height: self.height,
            seconds: about.seconds,
            media: self.ballot_box.look().await,
            reader: about.reader,
            disk: self.store.space().await,
            celsius: about.celsius,
        }
    }

    /// Remembers in the kiosk's own store how far the box has come (F6).
    pub(crate) async fn remember(&mut self) -> Result<(), Stop> {
        let label = *self.ballot_box.label();
        let counts = self.ballot_box.counts();
        let progress = Progress {
            election: label.election,
            epoch: label.epoch,
            pair: label.pair,
            entries: self.ballot_box.log().entries(),
            cast: counts.recorded,
            spoiled: counts.spoiled,
            told: self.told,
            closed: self.ballot_box.log().is_closed(),
        };
        let mut out = [0; Progress::MAX];
        self.store.write(Item::Progress, progress.encode(&mut out)).await?;
        Ok(())
    }

    /// Nobody is in the booth who would still have to be told what became of their vote (F2).
    pub(crate) async fn told(&mut self) -> Result<(), Stop> {
        let admitted = self.ballot_box.counts().admitted;
        if self.told == admitted {
            return Ok(());
        }
        self.told = admitted;
        self.remember().await
    }

    /// Writes the batches that are due: between voters, never while one waits.
    pub(crate) async fn batches(&mut self, k: usize, signer: &Signer, random: &mut Random) -> Result<(), Stop> {
        let mut written = false;
        // Each batch takes k votes: the loop ends.
        while self.ballot_box.batch_due(k) {
            self.ballot_box
                .write_batch(k, signer, random)
                .await
                .map_err(housekeeping)?;
            written = true;
        }
        if written { self.remember().await } else { Ok(()) }
    }

    /// Completes a closing; gives the closing hash. May be repeated.
    pub(crate) async fn finish(&mut self, package: &Digest, signer: &Signer) -> Result<Digest, Stop> {
        let hash = self.ballot_box.finish(package, signer).await.map_err(housekeeping)?;
        self.remember().await?;
        Ok(hash)
    }
}
