//! What an auditor checks: that the published keys come from a ceremony in which everything held.

use crate::ceremony::messages::Transcript;
use crate::ceremony::rounds::{Commits, Outcome, Reveals, check_accepts};
use crate::ceremony::{CeremonyError, Reason, Setup, refuse};
use crate::keys::{Keys, TrusteeKey};
use crate::signed::Signed;
use crate::wire::{self, Bytes, Seq, SeqWriter};

/// The messages of a round, which in a transcript are in the order of their senders.
fn round<'b>(list: &Seq<'b, Signed<'b>>) -> Result<heapless::Vec<Signed<'b>, 9>, CeremonyError> {
    let mut messages = heapless::Vec::new();
    for message in list.iter() {
        let message = message.map_err(|error| refuse(0, Reason::Wire(error)))?;
        messages.push(message).map_err(|_| refuse(0, Reason::Buffer))?;
    }
    Ok(messages)
}

/// Whether the messages are from trustees 1..n in this order: a transcript has one form.
fn in_order(messages: &[Signed<'_>]) -> bool {
    (1u8..).zip(messages).all(|(number, message)| {
        // Every message begins with the ceremony's hash and its sender.
        message.body.get(32) == Some(&number)
    })
}

/// Checks a whole ceremony from its transcript, and that `keys` (the bytes of `Keys`) is what it came to.
///
/// # Errors
/// The first thing that does not hold, and whose it is.
pub fn verify_transcript(transcript: &[u8], keys: &[u8]) -> Result<Outcome, CeremonyError> {
    let transcript: Transcript<'_> = wire::decode(transcript).map_err(|error| refuse(0, Reason::Wire(error)))?;
    let setup = Setup::read(transcript.ceremony)?;
    let [commits, reveals, accepts] = [
        round(&transcript.commits)?,
        round(&transcript.reveals)?,
        round(&transcript.accepts)?,
    ];
    if ![&commits, &reveals, &accepts].iter().all(|messages| in_order(messages)) {
        return Err(refuse(0, Reason::Buffer));
    }
    let commits = Commits::collect(&setup, commits)?;
    let reveals = Reveals::collect(&setup, &commits, reveals)?;
    let outcome = Outcome::new(&setup, &commits, &reveals)?;
    check_accepts(&setup, &outcome, accepts)?;
    let mut buffer = [0; MAX_KEYS_LIST];
    let expected = self::keys(&setup, &outcome, &mut buffer)?;
    let keys: Keys<'_> = wire::decode(keys).map_err(|_| refuse(0, Reason::Keys))?;
    if keys == expected {
        Ok(outcome)
    } else {
        Err(refuse(0, Reason::Keys))
    }
}

/// Bytes of the longest list of trustees' keys.
const MAX_KEYS_LIST: usize = 9 * (1 + crate::keys::MAX_NAME + 33);

/// `Keys` of an outcome; `buffer` holds the list of trustees (at most 9 times 98 bytes).
///
/// # Errors
/// [`Reason::Buffer`].
pub fn keys<'o>(setup: &Setup<'_>, outcome: &Outcome, buffer: &'o mut [u8]) -> Result<Keys<'o>, CeremonyError> {
    let mut writer = SeqWriter::new(buffer);
    for (trustee, share) in setup.trustees().iter().zip(&outcome.keys.shares) {
        writer
            .push(&TrusteeKey {
                name: trustee.name,
                share: Bytes(share.to_bytes()),
            })
            .map_err(|_| refuse(0, Reason::Buffer))?;
    }
    Ok(Keys {
        threshold: outcome.keys.threshold,
        joint: Bytes(outcome.keys.joint.to_bytes()),
        trustees: writer.finish(),
    })
}
