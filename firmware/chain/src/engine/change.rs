//! Changing the validators, as their operators do it: one makes the change, each signs it with its own key, one sends it.
//!
//! The file that goes round is the transaction itself, with the signatures so far. Who signs sees what it is, and believes nobody for the
//! set that is changed: changes before are followed from the genesis, each with its proof.

use std::fmt;

use election::ledger::frame::{Reply, Request, read_reply, write_request};
use election::ledger::{CommitSignature, Raw, SetChange, SetRefusal, Transaction, Validators, transaction_hash};
use election::sign::{PublicKey, SignError, Signer};
use election::wire::{Seq, WireError};

use crate::gateway::client::Gateways;
use crate::ledger::append;
use crate::validator::place;

/// Why a change is not made, signed or sent.
#[derive(Debug)]
pub enum ChangeError {
    /// No gateway says how far the chain is, or gives a proof.
    NoAnswer,
    /// The file holds no change of validators.
    NoChange,
    /// This key is to leave, but is no validator's.
    NotThere(PublicKey),
    /// This node's key is none of the set that is changed: it has nothing to sign.
    NotInSet,
    /// A signature in the file does not hold.
    Signature(u8),
    /// The change itself.
    Refused(SetRefusal),
    /// The ledger.
    Ledger(election::ledger::Refusal),
    /// The key.
    Key(SignError),
    /// It cannot be encoded.
    Wire(WireError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => {
                f.write_str("no gateway answers with what is asked, or with a proof that holds; try again, or others")
            }
            Self::NoChange => f.write_str("this file holds no change of validators"),
            Self::NotThere(key) => write!(f, "{} is no validator's key", hex::encode(key)),
            Self::NotInSet => f.write_str("this node's key is not in the set that is changed: it has nothing to sign"),
            Self::Signature(index) => write!(f, "the signature of validator {index} in the file does not hold"),
            Self::Refused(why) => why.fmt(f),
            Self::Ledger(why) => why.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Wire(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

fn encode(body: SetChange<'_>, signatures: &[CommitSignature]) -> Result<Vec<u8>, ChangeError> {
    let mut items = Vec::new();
    for one in signatures {
        append(&mut items, one).map_err(ChangeError::Wire)?;
    }
    let signatures = Seq::from_bytes(&items);
    let mut out = Vec::new();
    append(&mut out, &Transaction::Validators { body, signatures }).map_err(ChangeError::Wire)?;
    Ok(out)
}

/// A change and its signatures, from the file that goes round.
///
/// # Errors
/// [`ChangeError::NoChange`].
pub fn read(file: &[u8]) -> Result<(SetChange<'_>, Vec<CommitSignature>), ChangeError> {
    match Transaction::read(file) {
        Ok(Transaction::Validators { body, signatures }) => {
            let signatures = signatures.iter().collect::<Result<_, _>>();
            Ok((body, signatures.map_err(|_| ChangeError::NoChange)?))
        }
        _ => Err(ChangeError::NoChange),
    }
}

/// Makes a change that nobody has signed yet: these keys join at the end, those leave, so many blocks from now.
///
/// # Errors
/// [`ChangeError`].
pub fn make(
    gateways: &mut Gateways,
    join: &[PublicKey],
    leave: &[PublicKey],
    blocks: u64,
) -> Result<Vec<u8>, ChangeError> {
    gateways.follow();
    let mut buffer = [0; 16];
    let request = write_request(&Request::Tip, &mut buffer)
        .map_err(ChangeError::Wire)?
        .to_vec();
    let reply = gateways.exchange(&request).ok_or(ChangeError::NoAnswer)?;
    let Ok(Reply::Tip { height, .. }) = read_reply(&reply) else {
        return Err(ChangeError::NoAnswer);
    };
    let sets = gateways.sets();
    let old = sets.newest();
    if let Some(key) = leave.iter().find(|key| place(old, key).is_none()) {
        return Err(ChangeError::NotThere(*key));
    }
    let mut keys: Vec<u8> = Vec::new();
    let (before, _) = old.as_bytes().as_chunks::<33>();
    for key in before.iter().filter(|key| !leave.contains(key)).chain(join) {
        keys.extend_from_slice(key);
    }
    let body = SetChange {
        chain: *sets.chain(),
        number: sets.changes().saturating_add(1),
        from: height.saturating_add(blocks),
        previous: old.hash(),
        validators: Validators::from_bytes(&keys),
    };
    body.check(sets.chain(), body.number, old)
        .map_err(ChangeError::Refused)?;
    encode(body, &[])
}

/// Adds this validator's signature.
///
/// # Errors
/// [`ChangeError`].
pub fn sign(gateways: &mut Gateways, key: &Signer, file: &[u8]) -> Result<Vec<u8>, ChangeError> {
    gateways.follow();
    let (body, mut signatures) = read(file)?;
    let sets = gateways.sets();
    let old = sets.newest();
    body.check(sets.chain(), sets.changes().saturating_add(1), old)
        .map_err(ChangeError::Refused)?;
    let own = place(old, &key.public_key()).ok_or(ChangeError::NotInSet)?;
    for one in &signatures {
        body.check_one(old, one)
            .map_err(|_| ChangeError::Signature(one.validator))?;
    }
    signatures.retain(|one| one.validator != own);
    signatures.push(body.sign(own, key).map_err(ChangeError::Key)?);
    signatures.sort_by_key(|one| one.validator);
    encode(body, &signatures)
}

/// Puts the change on the chain and gives the height of its block, proven.
///
/// # Errors
/// [`ChangeError`].
pub fn send(gateways: &mut Gateways, file: &[u8], tries: u32) -> Result<u64, ChangeError> {
    read(file)?;
    let hash = transaction_hash(file);
    for _ in 0..tries {
        let mut buffer = vec![0; file.len().saturating_add(16)];
        let request = write_request(&Request::Submit(Raw(file)), &mut buffer).map_err(ChangeError::Wire)?;
        let Some(reply) = gateways.exchange(request) else {
            continue;
        };
        if let Ok(Reply::Refused(why)) = read_reply(&reply) {
            return Err(ChangeError::Ledger(why));
        }
        let mut buffer = [0; 40];
        let request = write_request(&Request::Proof(hash), &mut buffer).map_err(ChangeError::Wire)?;
        let Some(reply) = gateways.exchange(request) else {
            continue;
        };
        if let Ok(Reply::Proof(proof)) = read_reply(&reply)
            && gateways.sets().prove(&proof, file)
        {
            return Ok(proof.header.height);
        }
    }
    Err(ChangeError::NoAnswer)
}
