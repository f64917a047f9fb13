//! Who takes part in a ceremony, read and checked.

use crate::ceremony::messages::{Ceremony, Trustee};
use crate::ceremony::{CeremonyError, Reason, refuse};
use crate::group::Point;
use crate::hash::{Digest, hash};
use crate::keys::{MAX_NAME, MAX_TRUSTEES};
use crate::wire;

/// A ceremony's definition that holds its rules.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    bytes: &'a [u8],
    hash: Digest,
    threshold: u8,
    trustees: heapless::Vec<Trustee<'a>, MAX_TRUSTEES>,
}

impl<'a> Setup<'a> {
    /// Reads the bytes of a [`Ceremony`].
    ///
    /// # Errors
    /// What does not hold; the trustee where it is one's entry.
    pub fn read(bytes: &'a [u8]) -> Result<Self, CeremonyError> {
        let ceremony: Ceremony<'a> = wire::decode(bytes).map_err(|error| refuse(0, Reason::Wire(error)))?;
        if ceremony.version != 1 {
            return Err(refuse(0, Reason::Version));
        }
        let mut trustees = heapless::Vec::<Trustee<'a>, MAX_TRUSTEES>::new();
        for (number, trustee) in (1u8..).zip(ceremony.trustees.iter()) {
            let trustee = trustee.map_err(|error| refuse(number, Reason::Wire(error)))?;
            if trustee.name.is_empty()
                || trustee.name.len() > MAX_NAME
                || trustees.iter().any(|other| other.name == trustee.name)
            {
                return Err(refuse(number, Reason::Name));
            }
            // One key in two hands would make two trustees one person.
            let taken = |key: &[u8; 33]| {
                trustees
                    .iter()
                    .any(|other| other.signing.0 == *key || other.sealing.0 == *key)
            };
            let (signing, sealing) = (&trustee.signing.0, &trustee.sealing.0);
            let points = Point::from_bytes(signing).is_ok() && Point::from_bytes(sealing).is_ok();
            if !points || taken(signing) || taken(sealing) {
                return Err(refuse(number, Reason::Key));
            }
            trustees.push(trustee).map_err(|_| refuse(0, Reason::Threshold))?;
        }
        if ceremony.threshold == 0 || usize::from(ceremony.threshold) > trustees.len() {
            return Err(refuse(0, Reason::Threshold));
        }
        Ok(Self {
            bytes,
            hash: hash("ippyo/1/ceremony", &[bytes]),
            threshold: ceremony.threshold,
            trustees,
        })
    }

    /// The bytes it was read from.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// H of the ceremony: the `ceremony` of every message.
    #[must_use]
    pub const fn hash(&self) -> &Digest {
        &self.hash
    }

    /// k.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }

    /// n.
    #[must_use]
    pub fn count(&self) -> u8 {
        u8::try_from(self.trustees.len()).unwrap_or(u8::MAX)
    }

    /// The trustees in the order of their numbers.
    #[must_use]
    pub fn trustees(&self) -> &[Trustee<'a>] {
        &self.trustees
    }

    /// The trustee of a number from 1.
    #[must_use]
    pub fn trustee(&self, number: u8) -> Option<&Trustee<'a>> {
        self.trustees.get(usize::from(number).checked_sub(1)?)
    }
}
