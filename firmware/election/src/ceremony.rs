//! The key ceremony (SPEC.md, section 3): n trustees make a joint key of which k are needed to decrypt.
//!
//! Everybody commits before anybody shows a key, and proves to know what is shown: nobody can choose a key after seeing the
//! others', so no trustee ends up with the joint key alone (a rogue key). The order is in the types: a
//! [`Dealer`] reveals only against a complete [`Commits`], deals shares only against complete [`Reveals`]. Every refusal
//! names the trustee. How messages travel is not known here.

mod deal;
mod messages;
mod rounds;
mod setup;
mod transcript;

pub use deal::{Dealer, MAX_DEALER_LEN};
pub use messages::{
    Accept, Ceremony, Coefficient, Commit, Complaint, Kind, MAX_REVEAL_LEN, MAX_SIGNED_LEN, Reveal, ShareMessage,
    Transcript, Trustee,
};
pub use rounds::{Commits, Outcome, Reveals, Share, check_accepts, own_share, read_complaint};
pub use setup::Setup;
pub use transcript::{keys, verify_transcript};

use core::fmt;

use crate::wire::WireError;

/// A refusal: who, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeremonyError {
    /// The trustee whose message (or entry) does not hold, from 1; 0 where it is nobody's.
    pub trustee: u8,
    /// What does not hold.
    pub reason: Reason,
}

/// What does not hold in a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A message does not decode.
    Wire(WireError),
    /// Not version 1.
    Version,
    /// Not 1 <= k <= n <= 9.
    Threshold,
    /// The trustee's name is empty or too long, or another trustee's.
    Name,
    /// A signing or sealing key is no point, or another trustee's.
    Key,
    /// The trustee's message is missing.
    Missing,
    /// The trustee sent two of what is sent once.
    Twice,
    /// The message says it is from somebody who is not in the ceremony.
    Stranger,
    /// The signature is not this trustee's over this message.
    Signature,
    /// The message belongs to another ceremony: other names, keys, threshold or id.
    OtherCeremony,
    /// What was revealed is not what was committed to.
    NotCommitted,
    /// Not exactly k coefficients.
    Coefficients,
    /// The coefficient of this index is no point.
    Coefficient(u8),
    /// The trustee does not prove to know the coefficient of this index.
    Knowledge(u8),
    /// A share cannot be opened by the receiver.
    Sealed,
    /// A share does not fit what its sender revealed: complain, and the ceremony ends.
    Share,
    /// The secret that was read back is not one of this ceremony's size.
    Secret,
    /// The trustee accepted another transcript or another key.
    Accepted,
    /// The published keys are not those of the transcript.
    Keys,
    /// The random source is broken.
    Randomness,
    /// A sum of keys is the identity: start again.
    Degenerate,
    /// A buffer is too small, or a list has another length than the ceremony.
    Buffer,
}

impl fmt::Display for CeremonyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trustee == 0 {
            f.write_str("the ceremony: ")?;
        } else {
            write!(f, "trustee {}: ", self.trustee)?;
        }
        match self.reason {
            Reason::Wire(error) => error.fmt(f),
            Reason::Version => f.write_str("the version is not known"),
            Reason::Threshold => f.write_str("there must be 1 to 9 trustees and not more needed than there are"),
            Reason::Name => f.write_str("the name is empty, too long or given twice"),
            Reason::Key => f.write_str("a signing or sealing key is no key or belongs to two trustees"),
            Reason::Missing => f.write_str("a message is missing"),
            Reason::Twice => f.write_str("two messages where there is one"),
            Reason::Stranger => f.write_str("a message is from somebody who is not in this ceremony"),
            Reason::Signature => f.write_str("the signature does not hold"),
            Reason::OtherCeremony => f.write_str("the message belongs to another ceremony"),
            Reason::NotCommitted => f.write_str("what was revealed is not what was committed to"),
            Reason::Coefficients => f.write_str("not as many coefficients as are needed to decrypt"),
            Reason::Coefficient(index) => write!(f, "coefficient {index} is not a point of the group"),
            Reason::Knowledge(index) => write!(f, "the proof of knowing coefficient {index} does not hold"),
            Reason::Sealed => f.write_str("the share cannot be opened"),
            Reason::Share => f.write_str("the share does not fit what was revealed: complain and start again"),
            Reason::Secret => f.write_str("the kept secret is not of this ceremony"),
            Reason::Accepted => f.write_str("another transcript or key was accepted"),
            Reason::Keys => f.write_str("the published keys are not those of the transcript"),
            Reason::Randomness => f.write_str("the random source is broken"),
            Reason::Degenerate => f.write_str("the keys cancel one another: start again"),
            Reason::Buffer => f.write_str("a buffer or a list has the wrong length"),
        }
    }
}

impl core::error::Error for CeremonyError {}

/// An error about `trustee`.
pub(crate) const fn refuse(trustee: u8, reason: Reason) -> CeremonyError {
    CeremonyError { trustee, reason }
}
