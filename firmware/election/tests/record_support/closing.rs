//! How a kiosk closes, honest or not.

use std::collections::BTreeSet;

use election::batch::Kind;
use election::closing::{Closing, ClosingHasher, Counters, LABEL_STAFF_CLOSE, sign_closing, staff_close_message};
use election::hash::{Digest, hash};
use election::wire::{Bytes, Seq};

use super::{Ballot, ByHand, bytes_of};

impl ByHand {
    /// Counters as an honest kiosk has them.
    pub fn counters(&self, kiosk: usize, epoch: u8) -> Counters {
        let count = |kind| {
            let of = |ballot: &&Ballot| (ballot.kind, ballot.kiosk, ballot.epoch) == (kind, kiosk, epoch);
            self.ballots.iter().filter(of).count() as u32
        };
        Counters {
            admitted: count(Kind::Cast) + 3,
            recorded: count(Kind::Cast),
            abandoned: 2,
            interrupted: 1,
            spoiled: count(Kind::Spoiled),
            void: 0,
        }
    }

    /// Closes a kiosk: the rest of its ballots leaves in the last batch.
    pub fn close(&mut self, kiosk: usize, epoch: u8) {
        self.close_with(kiosk, epoch, &[10, 11], |closing| closing);
    }

    pub fn close_with(
        &mut self,
        kiosk: usize,
        epoch: u8,
        cards: &[u8],
        change: impl for<'b> FnOnce(Closing<'b>) -> Closing<'b>,
    ) {
        let own = |kind| {
            let mut own: Vec<&Ballot> = self
                .ballots
                .iter()
                .filter(|ballot| (ballot.kind, ballot.kiosk, ballot.epoch) == (kind, kiosk, epoch))
                .collect();
            own.sort_by_key(|ballot| if kind == Kind::Cast { ballot.leaf } else { ballot.code });
            own
        };
        let row = &self.kiosks[kiosk];
        let counters = self.counters(kiosk, epoch);
        let message = staff_close_message(&self.election, &row.id(), epoch);
        let staff = self.staff(cards, LABEL_STAFF_CLOSE, &message);
        let mut closing = change(Closing {
            election: self.election,
            package: [8; 32],
            kiosk: Bytes(row.signer.public_key()),
            station: row.station,
            epoch,
            counters,
            audit: [3; 32],
            hash: [0; 32],
            staff: Seq::from_bytes(&staff),
            signature: Bytes([0; 64]),
        });
        let (cast, spoiled) = (own(Kind::Cast), own(Kind::Spoiled));
        let mut hasher = ClosingHasher::new(&closing.head(), cast.len() as u32, spoiled.len() as u32).unwrap();
        for ballot in &cast {
            hasher.cast(&ballot.leaf).unwrap();
        }
        for ballot in &spoiled {
            hasher.spoiled(&ballot.code).unwrap();
        }
        // A lying kiosk does not use our hasher's checks.
        closing.hash = hasher
            .finish(&closing.counters, &closing.audit)
            .unwrap_or_else(|_| hash("ippyo/1/closing", &[b"a lie"]));
        closing.signature = sign_closing(&closing.hash, &row.signer).unwrap();
        let sent: BTreeSet<Digest> = self.on_ledger.iter().map(|entry| entry.leaf).collect();
        let rest = cast.iter().chain(&spoiled);
        let rest = rest
            .filter(|ballot| !sent.contains(&ballot.leaf))
            .map(|ballot| ballot.entry())
            .collect();
        let (encoded, closing_hash) = (bytes_of(&closing), closing.hash);
        self.kiosks[kiosk].closing = Some(encoded);
        self.batch_of(kiosk, epoch, rest, Some(closing_hash));
    }
}
