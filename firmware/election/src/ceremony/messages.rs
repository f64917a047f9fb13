//! The ceremony's messages as bytes, and their signatures.

use serde::{Deserialize, Serialize};

use crate::ceremony::{CeremonyError, Reason, Setup, refuse};
use crate::group::ScalarBytes;
use crate::hash::Digest;
use crate::keys::MAX_TRUSTEES;
use crate::seal::{ENCAPSULATED_LEN, TAG_LEN};
use crate::sign::{self, Signer};
use crate::signed::Signed;
use crate::wire::{self, Bytes, Seq};

/// Label of every ceremony signature; the message begins with its [`Kind`].
const LABEL: &str = "ippyo/1/sign/ceremony";
/// Bytes of the longest reveal: id, number, length, nine coefficients.
pub const MAX_REVEAL_LEN: usize = 32 + 1 + 2 + MAX_TRUSTEES * 97;
/// Bytes of the longest signed message.
pub const MAX_SIGNED_LEN: usize = 2 + MAX_REVEAL_LEN + 64;

/// What a ceremony is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceremony<'a> {
    /// 1.
    pub version: u16,
    /// Random: two ceremonies of the same people are two.
    pub id: [u8; 32],
    /// k.
    pub threshold: u8,
    /// In the order of their numbers, which begin at 1.
    #[serde(borrow)]
    pub trustees: Seq<'a, Trustee<'a>>,
}

/// One trustee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trustee<'a> {
    /// For people.
    pub name: &'a str,
    /// Signs the trustee's messages.
    pub signing: Bytes<33>,
    /// Shares are sealed to it.
    pub sealing: Bytes<33>,
}

/// Round 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// H of the ceremony.
    pub ceremony: Digest,
    /// Sender.
    pub trustee: u8,
    /// H of the reveal's body.
    pub reveal: Digest,
}

/// Round 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reveal<'a> {
    /// H of the ceremony.
    pub ceremony: Digest,
    /// Sender.
    pub trustee: u8,
    /// Exactly k.
    #[serde(borrow)]
    pub coefficients: Seq<'a, Coefficient>,
}

/// A coefficient of the sender's polynomial in the exponent, with the proof of knowing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coefficient {
    /// a_ij·G.
    pub point: Bytes<33>,
    /// c.
    pub challenge: ScalarBytes,
    /// v.
    pub response: ScalarBytes,
}

/// Round 3: a share, sealed to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareMessage {
    /// H of the ceremony.
    pub ceremony: Digest,
    /// i.
    pub from: u8,
    /// l.
    pub to: u8,
    /// HPKE's encapsulated key.
    pub encapsulated: Bytes<ENCAPSULATED_LEN>,
    /// The share and its tag.
    pub sealed: Bytes<{ 32 + TAG_LEN }>,
}

/// Round 4: the sender holds a good share of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// H of the ceremony.
    pub ceremony: Digest,
    /// Sender.
    pub trustee: u8,
    /// H over all commits and reveals.
    pub transcript: Digest,
    /// K.
    pub joint: Bytes<33>,
}

/// Ends a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// H of the ceremony.
    pub ceremony: Digest,
    /// Sender.
    pub trustee: u8,
    /// About whom.
    pub against: u8,
    /// 1 the share could not be opened, 2 it does not fit what was revealed; others are for people to explain.
    pub reason: u8,
}

/// What the record keeps of a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript<'a> {
    /// The bytes of [`Ceremony`].
    pub ceremony: &'a [u8],
    /// Of trustees 1..n.
    #[serde(borrow)]
    pub commits: Seq<'a, Signed<'a>>,
    /// Of trustees 1..n.
    #[serde(borrow)]
    pub reveals: Seq<'a, Signed<'a>>,
    /// Of trustees 1..n.
    #[serde(borrow)]
    pub accepts: Seq<'a, Signed<'a>>,
}

/// First byte of what is signed: one kind of message cannot be shown as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// [`Commit`]
    Commit = 1,
    /// [`Reveal`]
    Reveal = 2,
    /// [`ShareMessage`]
    Share = 3,
    /// [`Accept`]
    Accept = 4,
    /// [`Complaint`]
    Complaint = 5,
}

/// A message that says which ceremony it belongs to and who sent it.
pub(super) trait Sent<'b>: Deserialize<'b> + Serialize {
    const KIND: Kind;
    fn ceremony(&self) -> &Digest;
    fn sender(&self) -> u8;
}

macro_rules! sent {
    ($type:ty, $kind:ident, $sender:ident) => {
        impl<'b> Sent<'b> for $type {
            const KIND: Kind = Kind::$kind;
            fn ceremony(&self) -> &Digest {
                &self.ceremony
            }
            fn sender(&self) -> u8 {
                self.$sender
            }
        }
    };
}
sent!(Commit, Commit, trustee);
sent!(Reveal<'b>, Reveal, trustee);
sent!(ShareMessage, Share, from);
sent!(Accept, Accept, trustee);
sent!(Complaint, Complaint, trustee);

/// Kind || body, as it is signed.
fn message<'o>(kind: Kind, body: &[u8], buffer: &'o mut [u8; 1 + MAX_REVEAL_LEN]) -> Option<&'o [u8]> {
    let (first, rest) = buffer.split_first_mut()?;
    // A fieldless enum with its discriminants written out: the cast is the definition.
    *first = kind as u8;
    rest.get_mut(..body.len())?.copy_from_slice(body);
    buffer.get(..=body.len())
}

/// Signs a body and writes the `Signed` into `out`.
pub(super) fn send<'o>(
    kind: Kind,
    trustee: u8,
    body: &[u8],
    signer: &Signer,
    out: &'o mut [u8],
) -> Result<&'o [u8], CeremonyError> {
    let mut buffer = [0; 1 + MAX_REVEAL_LEN];
    let message = message(kind, body, &mut buffer).ok_or(refuse(trustee, Reason::Buffer))?;
    let signature = signer
        .sign(LABEL, message)
        .map_err(|_| refuse(trustee, Reason::Signature))?;
    let signed = Signed {
        body,
        signature: Bytes(signature),
    };
    wire::encode(&signed, out)
        .map(|bytes| &*bytes)
        .map_err(|_| refuse(trustee, Reason::Buffer))
}

/// Reads a signed message: decodes, finds its sender in the ceremony, checks ceremony and signature.
pub(super) fn receive<'b, T: Sent<'b>>(setup: &Setup<'_>, signed: &Signed<'b>) -> Result<T, CeremonyError> {
    // Before the signature holds it is nobody's message.
    let body: T = wire::decode(signed.body).map_err(|error| refuse(0, Reason::Wire(error)))?;
    let sender = body.sender();
    let trustee = setup.trustee(sender).ok_or(refuse(0, Reason::Stranger))?;
    let mut buffer = [0; 1 + MAX_REVEAL_LEN];
    let message = message(T::KIND, signed.body, &mut buffer).ok_or(refuse(sender, Reason::Buffer))?;
    sign::verify(&trustee.signing.0, LABEL, message, &signed.signature.0)
        .map_err(|_| refuse(sender, Reason::Signature))?;
    if body.ceremony() != setup.hash() {
        return Err(refuse(sender, Reason::OtherCeremony));
    }
    Ok(body)
}
