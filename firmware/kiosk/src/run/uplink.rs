//! The network beside the polls: the oldest transaction goes out, its commit proof comes back, is verified and written; then the next.
//!
//! Nothing waits for it. It holds the vault only while it reads the media or writes a proof, never while it waits for an answer.

use election::ledger::frame::{Reply, Request, read_reply, write_request};
use election::ledger::{Followed, ProofError, transaction_hash};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;

use super::Stop;
use super::vault::{Vault, housekeeping};
use crate::ballot_box::Unproven;
use crate::ports::{Clock, Medium, Store, Uplink};

/// Between looks when nothing waits.
const IDLE: u32 = 1_000;
/// First and longest pause after a failure; doubled in between.
const PAUSE: u32 = 500;
const LONGEST: u32 = 60_000;
/// Room before a transaction for the frame around it.
const FRAME: usize = 16;

/// Buffers and facts.
pub(crate) struct Line<'l> {
    pub request: &'l mut [u8],
    pub reply: &'l mut [u8],
    /// The chain, and the validators whose proofs are believed.
    pub followed: Followed<'l>,
}

impl Line<'_> {
    /// A proof by validators that are not known: follows the next change of the set, proven by those that are. If there is none, back to the
    /// genesis: the proof may be by an earlier set than a lying gateway has led to. The pause after that bounds what a liar can ask for.
    pub(crate) async fn follow<U: Uplink>(&mut self, uplink: &mut U) -> bool {
        let mut ask = [0; 16];
        let next = self.followed.number().saturating_add(1);
        if let Ok(ask) = write_request(&Request::Change(next), &mut ask)
            && let Ok(length) = uplink.exchange(ask, self.reply).await
            && let Some(Ok(Reply::Change { transaction, proof })) = self.reply.get(..length).map(read_reply)
            && self.followed.follow(transaction.0, &proof).is_ok()
        {
            return true;
        }
        self.followed.restart();
        false
    }
}

/// The frame `Submit(transaction)` around a transaction that lies at [`FRAME`] in `buffer`: as `write_request` would write it, without a second copy.
fn submit(buffer: &mut [u8], length: usize) -> Option<&[u8]> {
    let mut head = [0; FRAME];
    // Version and the variant's number are those of an empty Submit.
    let empty = write_request(&Request::Submit(election::ledger::Raw(&[])), &mut head).ok()?;
    let (prefix, _) = empty.split_at_checked(2)?;
    let mut front = heapless::Vec::<u8, FRAME>::from_slice(prefix).ok()?;
    let mut varint = [0; 10];
    let varint = election::wire::encode(&u32::try_from(length).ok()?, &mut varint).ok()?;
    front.extend_from_slice(varint).ok()?;
    let start = FRAME.checked_sub(front.len())?;
    buffer.get_mut(start..FRAME)?.copy_from_slice(&front);
    buffer.get(start..FRAME.checked_add(length)?)
}

/// Runs for as long as the kiosk does; comes back only when the media fail.
pub(crate) async fn pump<M: Medium, S: Store, U: Uplink, C: Clock>(
    uplink: &mut U,
    vaults: &Mutex<NoopRawMutex, Vault<'_, M, S>>,
    clock: &C,
    line: &mut Line<'_>,
) -> Stop {
    let mut pause = PAUSE;
    loop {
        let pending = {
            let mut vault = vaults.lock().await;
            let out = line.request.get_mut(FRAME..).unwrap_or_default();
            match vault.ballot_box.pending(out).await {
                Ok(pending) => pending,
                Err(broken) => return housekeeping(broken),
            }
        };
        let Some(length) = pending else {
            clock.sleep(IDLE).await;
            continue;
        };
        let end = FRAME.saturating_add(length);
        let hash = transaction_hash(line.request.get(FRAME..end).unwrap_or(&[]));
        let step = async {
            let request = submit(line.request, length).ok_or(())?;
            let length = uplink.exchange(request, line.reply).await.map_err(|_| ())?;
            // Accepted or refused: a refusal may be of something that is on the ledger already. Either way the proof tells.
            let reply = line.reply.get(..length).ok_or(())?;
            if matches!(read_reply(reply), Err(_) | Ok(Reply::Unavailable | Reply::Unreadable)) {
                return Err(());
            }
            let mut ask = [0; 40];
            let ask = write_request(&Request::Proof(hash), &mut ask).map_err(|_| ())?;
            // On demand a validator answers within some 100 ms: ask a few times before falling back to the longer pause.
            for _ in 0..8 {
                let length = uplink.exchange(ask, line.reply).await.map_err(|_| ())?;
                match line.reply.get(..length).map(read_reply) {
                    Some(Ok(Reply::Proof(_))) => return Ok(length),
                    Some(Ok(Reply::NotYet)) => clock.sleep(100).await,
                    _ => return Err(()),
                }
            }
            Err(())
        }
        .await;
        let mut vault = vaults.lock().await;
        // The proof's bytes are what follows version and variant.
        let proof = step.ok().and_then(|length| line.reply.get(2..length));
        let confirmed = match proof {
            Some(proof) => {
                vault
                    .ballot_box
                    .confirm(proof, line.followed.chain(), line.followed.validators())
                    .await
            }
            None => Err(Unproven::Form),
        };
        match confirmed {
            Ok(height) => {
                vault.online = Some(true);
                vault.height = vault.height.max(height);
                pause = PAUSE;
            }
            // Closed: everything stands but this proof. What has not left leaves on the medium, and witnesses go on writing the words down.
            Err(Unproven::Broken(_)) if vault.ballot_box.log().is_finished() => {
                vault.online = Some(false);
                drop(vault);
                return core::future::pending().await;
            }
            Err(Unproven::Broken(broken)) => return housekeeping(broken),
            Err(unproven) => {
                if matches!(unproven, Unproven::Proof(ProofError::Validators)) {
                    drop(vault);
                    if line.follow(uplink).await {
                        continue;
                    }
                    vault = vaults.lock().await;
                }
                vault.online = Some(false);
                drop(vault);
                clock.sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn a_submit_frame_is_the_one_of_the_ledger() {
        for length in [0usize, 1, 127, 128, 5_000, 70_000] {
            let transaction = vec![7u8; length];
            let mut expected = vec![0; length + 32];
            let expected = write_request(&Request::Submit(election::ledger::Raw(&transaction)), &mut expected).unwrap();
            let mut buffer = vec![0; length + 64];
            buffer[FRAME..FRAME + length].copy_from_slice(&transaction);
            assert_eq!(submit(&mut buffer, length).unwrap(), expected);
        }
    }
}
