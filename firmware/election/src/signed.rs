//! `Signed` of SPEC.md, section 3: bytes and a signature over them, for everything that travels as one signed message.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::sign::{self, PublicKey, SignError, Signer};
use crate::wire::{self, Bytes, WireError};

/// A body and the signature over it. What the body is, and under which label it is signed, is the reader's to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<'b> {
    /// What is signed.
    pub body: &'b [u8],
    /// Over the body, or over what the format says.
    pub signature: Bytes<64>,
}

/// Why a signed message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedError {
    /// The bytes are no signed message.
    Wire(WireError),
    /// The signature does not hold.
    Sign(SignError),
}

impl fmt::Display for SignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Sign(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SignedError {}

impl<'b> Signed<'b> {
    /// Reads a message whose signature is over its body, and gives the body.
    ///
    /// # Errors
    /// What does not hold.
    pub fn open(bytes: &'b [u8], key: &PublicKey, label: &str) -> Result<&'b [u8], SignedError> {
        let signed: Self = wire::decode(bytes).map_err(SignedError::Wire)?;
        sign::verify(key, label, signed.body, &signed.signature.0).map_err(SignedError::Sign)?;
        Ok(signed.body)
    }

    /// Signs a body.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn new(body: &'b [u8], label: &str, signer: &Signer) -> Result<Self, SignError> {
        Ok(Self {
            body,
            signature: Bytes(signer.sign(label, body)?),
        })
    }
}
