//! The outbox: batches, what else goes to the ledger, commit proofs, the closing. All of it lies in the journal, so that being offline for
//! a day, or for ever (statutory), changes nothing.

use core::fmt;

use election::batch::{self, Draft, Kind};
use election::closing::{Closing, ClosingHasher, ClosingHead, Counters, LABEL_CLOSING, sign_closing};
use election::hash::Digest;
use election::ledger::{CommitProof, StaffSignature, Takeover, Transaction, Validators, transaction_hash};
use election::sign::{self, Signer};
use election::wire::{self, Bytes, SeqWriter};

use super::commit::Broken;
use super::fault::{MediaFault, Role};
use super::journal::{ENTRY_HEADER, EntryKind};
use super::record;
use super::scan::{Walk, entry_at, payload, sectors};
use super::{BallotBox, Counts, Leaves};
use crate::audit::Event;
use crate::ports::Medium;
use crate::random::Uniform;
use crate::screen::{Fault, Recorded};

impl From<Counts> for Counters {
    fn from(counts: Counts) -> Self {
        Self {
            admitted: counts.admitted,
            recorded: counts.recorded,
            abandoned: counts.abandoned,
            interrupted: counts.interrupted,
            spoiled: counts.spoiled,
            void: counts.void,
        }
    }
}

impl From<Counters> for Counts {
    fn from(counters: Counters) -> Self {
        Self {
            admitted: counters.admitted,
            recorded: counters.recorded,
            abandoned: counters.abandoned,
            interrupted: counters.interrupted,
            spoiled: counters.spoiled,
            void: counters.void,
        }
    }
}

/// Why an answer from the network was not taken as a commit proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Nothing waits for a proof, or it is of another transaction.
    NotAwaited,
    /// Not a proof.
    Form,
    /// It does not hold.
    Proof(election::ledger::ProofError),
    /// It holds, but the journal has no room for it: what waits leaves on the medium.
    NoRoom,
    /// It holds, but could not be written.
    Broken(Broken),
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAwaited => f.write_str("a proof of something this kiosk does not wait for"),
            Self::Form => f.write_str("not a commit proof"),
            Self::Proof(error) => error.fmt(f),
            Self::NoRoom => f.write_str("the journal is full: what has not left leaves on the medium"),
            Self::Broken(_) => f.write_str("the proof holds, but the media failed"),
        }
    }
}

impl core::error::Error for Unproven {}

const fn defect() -> Broken {
    Broken {
        fault: Fault::Defect,
        recorded: Recorded::No,
    }
}

const fn buffers() -> Broken {
    Broken {
        fault: Fault::Buffers,
        recorded: Recorded::No,
    }
}

impl<M: Medium, L: Leaves> BallotBox<'_, M, L> {
    /// Whether a batch is due: 2k votes have not left, so that nobody standing there can match the k that leave to voters.
    #[must_use]
    pub fn batch_due(&self, k: usize) -> bool {
        self.log.is_open() && k > 0 && self.index.unsent() >= k.saturating_mul(2)
    }

    /// Draws k of the unsent votes at random and writes them as a signed batch.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn write_batch<R: Uniform + ?Sized>(
        &mut self,
        k: usize,
        signer: &Signer,
        rng: &mut R,
    ) -> Result<(), Broken> {
        let mut left = u32::try_from(self.index.unsent()).map_err(|_| defect())?;
        let mut wanted = u32::try_from(k).map_err(|_| defect())?;
        let ordinal = self.log.outbox.batches.saturating_add(1);
        let mut count = 0;
        // Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): every k of the unsent with the same probability.
        for at in 0..self.index.rows().len() {
            let Some(row) = self.index.rows().get(at).copied() else {
                continue;
            };
            if row.kind != Kind::Cast || row.batch != 0 || wanted == 0 {
                continue;
            }
            let draw = rng.below(left).ok_or_else(defect)?;
            left = left.saturating_sub(1);
            if draw >= wanted {
                continue;
            }
            wanted -= 1;
            self.entry_of(at, count).await?;
            count += 1;
        }
        if count != k {
            return Err(defect());
        }
        self.sign_batch(count, ordinal, None, signer).await
    }

    /// Makes the batch entry of row `at` in place `to` of the entries buffer, from the record on the media.
    async fn entry_of(&mut self, at: usize, to: usize) -> Result<(), Broken> {
        let row = self.index.rows().get(at).copied().ok_or_else(defect)?;
        let layout = self.label.layout;
        let offset = layout.slot_offset(row.slot);
        for role in [Role::Original, Role::Duplicate] {
            let slot = self.scratch.get_mut(..layout.slot_len()).ok_or_else(buffers)?;
            let read = self.media.read(role, offset, slot).await;
            if !read.map_err(|error| Broken {
                fault: Fault::Medium(role, error),
                recorded: Recorded::No,
            })? {
                continue;
            }
            let leaf = record::read(slot, &self.label.election)
                .whole()
                .and_then(|record| self.leaves.leaf(record.kind, record.ballot, &record.tag))
                .filter(|leaf| leaf.leaf == row.leaf);
            if let Some(leaf) = leaf {
                *self.entries.get_mut(to).ok_or_else(buffers)? = batch::Entry {
                    kind: row.kind,
                    code: leaf.code,
                    leaf: leaf.leaf,
                };
                return Ok(());
            }
        }
        // It was whole when it was written or mounted.
        Err(Broken {
            fault: Fault::ReadBack(Role::Original),
            recorded: Recorded::No,
        })
    }

    /// Signs and writes a batch of the first `count` entries, and marks their rows.
    async fn sign_batch(
        &mut self,
        count: usize,
        ordinal: u32,
        closing: Option<Digest>,
        signer: &Signer,
    ) -> Result<(), Broken> {
        let entries = self.entries.get_mut(..count).ok_or_else(buffers)?;
        entries.sort_unstable_by_key(|entry| entry.code);
        let draft = Draft {
            election: self.label.election,
            epoch: self.label.epoch,
            number: self.log.outbox.next,
            previous: self.log.outbox.previous,
            audit: self.log.head,
            closing,
        };
        let body = self.scratch.get_mut(ENTRY_HEADER..).ok_or_else(buffers)?;
        let (discriminant, out) = body.split_first_mut().ok_or_else(buffers)?;
        // `Transaction::Batch` (SPEC.md, section 9), written around the batch, which is too large for a second buffer.
        *discriminant = 3;
        let (bytes, hash) = batch::build(&draft, entries.iter().copied(), signer, out).map_err(|_| buffers())?;
        let length = bytes.len().saturating_add(1);
        let place = self.entry(EntryKind::Transaction, length).await?;
        for entry in self.entries.get(..count).unwrap_or(&[]) {
            if let Some(row) = self.index.find_leaf(&entry.leaf) {
                row.batch = ordinal;
            }
        }
        let outbox = &mut self.log.outbox;
        outbox.batches = ordinal;
        outbox.next = outbox.next.saturating_add(1);
        outbox.previous = hash;
        outbox.newest = Some(hash);
        outbox.ended = closing.is_some();
        outbox.pending = outbox.pending.saturating_add(1);
        outbox.first = outbox.first.or(Some(place));
        Ok(())
    }

    /// Writes the kiosk's registration, and what a takeover says, unless they stand already: they go to the ledger before any batch.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn announce(&mut self, registration: &[u8]) -> Result<(), Broken> {
        if !self.log.outbox.registered {
            self.log.outbox.pending = 0;
            self.log.outbox.first = None;
            self.transaction(registration).await?;
            self.log.outbox.registered = true;
        }
        let Some(taken) = self.label.takeover else {
            return Ok(());
        };
        let new = self.label.kiosk;
        if self.log.taken != Some(new) {
            self.append(&Event::TakenOver {
                seconds: taken.seconds,
                old: taken.old,
                new,
                recorded: taken.count,
            })
            .await?;
        }
        if !self.log.outbox.taken_over {
            let body = Takeover {
                election: self.label.election,
                epoch: self.label.epoch,
                old: taken.old,
                new,
                predecessor: taken.predecessor,
                count: taken.count,
            };
            let mut staff = [0; 2 * 97];
            let mut writer = SeqWriter::new(&mut staff);
            for signature in taken.staff {
                writer.push(&signature).map_err(|_| defect())?;
            }
            let staff = writer.finish();
            let mut bytes = [0; 512];
            let bytes = wire::encode(&Transaction::Takeover { body, staff }, &mut bytes).map_err(|_| defect())?;
            self.transaction(bytes).await?;
            // The rows of this row of batches begin anew: see `scan::outbox`, which the next mounting runs.
            self.log.outbox.taken_over = true;
            self.rescan().await?;
        }
        Ok(())
    }

    async fn transaction(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let body = self.scratch.get_mut(ENTRY_HEADER..).ok_or_else(buffers)?;
        if !super::frame::put(body, 0, bytes) {
            return Err(buffers());
        }
        let place = self.entry(EntryKind::Transaction, bytes.len()).await?;
        let outbox = &mut self.log.outbox;
        outbox.pending = outbox.pending.saturating_add(1);
        outbox.first = outbox.first.or(Some(place));
        Ok(())
    }

    /// Works the outbox out of the journal again.
    async fn rescan(&mut self) -> Result<(), Broken> {
        let (layout, election, me) = (self.label.layout, self.label.election, self.label.kiosk);
        super::scan::outbox(
            &mut self.media,
            &layout,
            &election,
            &me,
            &mut self.log,
            &mut self.index,
            self.scratch,
        )
        .await
        .map_err(|fault| Broken {
            fault: Fault::Media(fault),
            recorded: Recorded::No,
        })
    }

    /// The oldest transaction without a commit proof, copied to the front of `out`.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn pending(&mut self, out: &mut [u8]) -> Result<Option<usize>, Broken> {
        let Some((_, head)) = self.first_pending().await? else {
            return Ok(None);
        };
        let bytes = payload(self.scratch, &head);
        if super::frame::put(out, 0, bytes) {
            Ok(Some(bytes.len()))
        } else {
            Err(buffers())
        }
    }

    /// Reads the oldest pending transaction into the scratch buffer.
    async fn first_pending(&mut self) -> Result<Option<(u32, super::journal::EntryHead)>, Broken> {
        let Some(first) = self.log.outbox.first else {
            return Ok(None);
        };
        let (layout, election) = (self.label.layout, self.label.election);
        for role in [Role::Original, Role::Duplicate] {
            let found = entry_at(&mut self.media, role, &layout, &election, first, self.scratch).await;
            let found = found.map_err(|error| Broken {
                fault: Fault::Medium(role, error),
                recorded: Recorded::No,
            })?;
            if let Some(head) = found.whole() {
                return Ok(Some((first, head)));
            }
        }
        Err(defect())
    }

    /// Takes a commit proof of the oldest pending transaction: verified here, and only then is the transaction done with.
    ///
    /// # Errors
    /// [`Unproven`]; the transaction stays in the outbox.
    pub async fn confirm(&mut self, proof: &[u8], chain: &Digest, validators: Validators<'_>) -> Result<u64, Unproven> {
        let read: CommitProof<'_> = wire::decode(proof).map_err(|_| Unproven::Form)?;
        let Some((place, head)) = self.first_pending().await.map_err(Unproven::Broken)? else {
            return Err(Unproven::NotAwaited);
        };
        let transaction = payload(self.scratch, &head);
        read.verify(chain, validators, transaction).map_err(Unproven::Proof)?;
        let hash = transaction_hash(transaction);
        let batch = match Transaction::read(transaction) {
            Ok(Transaction::Batch(batch)) => Some(batch.header.hash()),
            _ => None,
        };
        let length = proof.len().saturating_add(hash.len());
        let sector = self.label.layout.sector_len().max(1);
        let needed = length.saturating_add(ENTRY_HEADER).div_ceil(sector);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        // While polls are open, what the closing needs comes first.
        let kept = if self.log.is_closed() { 0 } else { super::SPARE };
        if needed.saturating_add(kept) > self.room() {
            return Err(Unproven::NoRoom);
        }
        let body = self.scratch.get_mut(ENTRY_HEADER..).unwrap_or_default();
        if !super::frame::put(body, 0, &hash) || !super::frame::put(body, hash.len(), proof) {
            return Err(Unproven::Broken(buffers()));
        }
        self.entry(EntryKind::Proof, length).await.map_err(Unproven::Broken)?;
        let (layout, election, end) = (self.label.layout, self.label.election, self.log.end);
        if let Some(batch) = batch {
            self.log.outbox.proven = batch;
        }
        self.log.outbox.pending = self.log.outbox.pending.saturating_sub(1);
        self.log.outbox.first = None;
        let mut walk = Walk::from(
            place.saturating_add(sectors(&head, &layout)),
            head.sequence.saturating_add(1),
        );
        while self.log.outbox.pending > 0 {
            let next = walk
                .next(&mut self.media, &layout, &election, end, self.scratch)
                .await
                .map_err(|error| {
                    Unproven::Broken(Broken {
                        fault: Fault::Medium(Role::Original, error),
                        recorded: Recorded::No,
                    })
                })?;
            match next {
                Some((at, head)) if head.kind == EntryKind::Transaction => {
                    self.log.outbox.first = Some(at);
                    break;
                }
                Some(_) => {}
                None => return Err(Unproven::Broken(defect())),
            }
        }
        Ok(read.header.height)
    }

    /// Makes the closing of a closed box complete: the closing hash, the kiosk's signature, the last batch. May be called again after a cut.
    /// What is signed and stands is what is given, shown and sent: a slot that becomes unreadable afterwards is in [`BallotBox::counts`]
    /// and never in the hash.
    ///
    /// # Errors
    /// [`Broken`]; [`MediaFault::Log`] if a closing stands that this kiosk has not signed.
    pub async fn finish(&mut self, package: &Digest, signer: &Signer) -> Result<Digest, Broken> {
        let Some(staff) = self.log.closed else {
            return Err(defect());
        };
        let hash = if let Some(signed) = self.log.closing {
            sign::verify(&signer.public_key(), LABEL_CLOSING, &signed.hash, &signed.signature.0).map_err(|_| {
                Broken {
                    fault: Fault::Media(MediaFault::Log),
                    recorded: Recorded::No,
                }
            })?;
            signed.hash
        } else {
            let (counts, hash) = self.closing_hash(package).await?;
            self.write_closing(package, counts, hash, &staff, signer).await?;
            hash
        };
        if !self.log.outbox.ended {
            let mut count = 0;
            for at in 0..self.index.rows().len() {
                let Some(row) = self.index.rows().get(at).copied() else {
                    continue;
                };
                if row.kind == Kind::Spoiled || row.batch == 0 {
                    self.entry_of(at, count).await?;
                    count += 1;
                }
            }
            let ordinal = self.log.outbox.batches.saturating_add(1);
            self.sign_batch(count, ordinal, Some(hash), signer).await?;
        }
        Ok(hash)
    }

    async fn write_closing(
        &mut self,
        package: &Digest,
        counts: Counts,
        hash: Digest,
        staff: &[StaffSignature; 2],
        signer: &Signer,
    ) -> Result<(), Broken> {
        let mut pair = [0; 2 * 97];
        let mut writer = SeqWriter::new(&mut pair);
        for signature in staff {
            writer.push(signature).map_err(|_| defect())?;
        }
        let closing = Closing {
            election: self.label.election,
            package: *package,
            kiosk: Bytes(signer.public_key()),
            station: self.label.station,
            epoch: self.label.epoch,
            counters: counts.into(),
            audit: self.log.head,
            hash,
            staff: writer.finish(),
            signature: sign_closing(&hash, signer).map_err(|_| defect())?,
        };
        let body = self.scratch.get_mut(ENTRY_HEADER..).ok_or_else(buffers)?;
        let length = wire::encode(&closing, body).map_err(|_| buffers())?.len();
        self.entry(EntryKind::Closing, length).await.map(|_| ())
    }

    /// The closing hash over what the box holds (SPEC.md, section 8).
    async fn closing_hash(&mut self, package: &Digest) -> Result<(Counts, Digest), Broken> {
        let counts = self.counts();
        let head = ClosingHead {
            election: self.label.election,
            package: *package,
            kiosk: self.label.kiosk,
            epoch: self.label.epoch,
        };
        self.index.rows_mut().sort_unstable_by_key(|row| (row.kind, row.leaf));
        let mut spoiled = 0;
        for at in 0..self.index.rows().len() {
            if self.index.rows().get(at).is_some_and(|row| row.kind == Kind::Spoiled) {
                self.entry_of(at, spoiled).await?;
                spoiled += 1;
            }
        }
        let codes = self.entries.get_mut(..spoiled).ok_or_else(buffers)?;
        codes.sort_unstable_by_key(|entry| entry.code);
        let deficit = |_| Broken {
            fault: Fault::Deficit {
                missing: counts.deficit(),
            },
            recorded: Recorded::No,
        };
        let mut hasher = ClosingHasher::new(&head, counts.recorded, counts.spoiled).map_err(deficit)?;
        for row in self.index.rows().iter().filter(|row| row.kind == Kind::Cast) {
            hasher.cast(&row.leaf).map_err(deficit)?;
        }
        for entry in self.entries.get(..spoiled).unwrap_or(&[]) {
            hasher.spoiled(&entry.code).map_err(deficit)?;
        }
        let hash = hasher.finish(&counts.into(), &self.log.head).map_err(deficit)?;
        Ok((counts, hash))
    }
}
