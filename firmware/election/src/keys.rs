//! `Keys` of SPEC.md, section 3: the joint key and what is needed to check trustees' decryptions.
//!
//! Public values only. That they come from a ceremony is shown by its transcript, in the record.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::group::Point;
use crate::wire::{self, Bytes, Seq, WireError};

/// Most trustees.
pub const MAX_TRUSTEES: usize = 9;
/// Bytes of a trustee's name.
pub const MAX_NAME: usize = 64;

/// The public outcome of a key ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys<'a> {
    /// k: so many trustees decrypt.
    pub threshold: u8,
    /// K, the key that ballots are encrypted to.
    pub joint: Bytes<33>,
    /// In the order of their numbers, which begin at 1.
    #[serde(borrow)]
    pub trustees: Seq<'a, TrusteeKey<'a>>,
}

/// One trustee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrusteeKey<'a> {
    /// For reports.
    pub name: &'a str,
    /// S_l = s_l·G.
    pub share: Bytes<33>,
}

/// Why keys were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// They do not decode.
    Wire(WireError),
    /// Not 1 <= k <= n <= 9.
    Threshold,
    /// The joint key is not a point.
    Joint,
    /// A trustee's key is not a point, or the name is empty or too long. Trustees count from 1.
    Trustee(u8),
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "the election keys: {error}"),
            Self::Threshold => write!(
                f,
                "there must be 1 to {MAX_TRUSTEES} trustees and not more needed than there are"
            ),
            Self::Joint => f.write_str("the joint key is not a point of the group"),
            Self::Trustee(number) => write!(f, "trustee {number} has a bad key or no proper name"),
        }
    }
}

impl core::error::Error for KeysError {}

impl<'a> Keys<'a> {
    /// Reads keys and checks every rule for them.
    ///
    /// # Errors
    /// What does not hold.
    pub fn read(bytes: &'a [u8]) -> Result<Self, KeysError> {
        let keys: Self = wire::decode(bytes).map_err(KeysError::Wire)?;
        if Point::from_bytes(&keys.joint.0).is_err() {
            return Err(KeysError::Joint);
        }
        let mut count = 0u8;
        for trustee in keys.trustees.iter() {
            let trustee = trustee.map_err(KeysError::Wire)?;
            if usize::from(count) >= MAX_TRUSTEES {
                return Err(KeysError::Threshold);
            }
            count += 1;
            let named = !trustee.name.is_empty() && trustee.name.len() <= MAX_NAME;
            if !named || Point::from_bytes(&trustee.share.0).is_err() {
                return Err(KeysError::Trustee(count));
            }
        }
        if !(1..=count).contains(&keys.threshold) {
            return Err(KeysError::Threshold);
        }
        Ok(keys)
    }

    /// n.
    #[must_use]
    pub fn trustee_count(&self) -> u8 {
        u8::try_from(self.trustees.count()).unwrap_or(u8::MAX)
    }

    /// The trustee of a number from 1.
    #[must_use]
    pub fn trustee(&self, number: u8) -> Option<TrusteeKey<'a>> {
        let index = usize::from(number).checked_sub(1)?;
        self.trustees.get(index).ok().flatten()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::vec::Vec;

    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::manifest::tests::bytes_of;
    use crate::sign::Signer;

    fn point(seed: u8) -> [u8; 33] {
        Signer::generate(&mut ChaCha20Rng::from_seed([seed; 32])).public_key()
    }

    /// Keys that were never in a ceremony: good enough where only their form matters.
    pub(crate) fn plain_keys(threshold: u8, joint: [u8; 33], trustees: &[(&str, [u8; 33])]) -> Vec<u8> {
        let trustees: Vec<u8> = trustees
            .iter()
            .flat_map(|(name, share)| {
                bytes_of(&TrusteeKey {
                    name,
                    share: Bytes(*share),
                })
            })
            .collect();
        bytes_of(&Keys {
            threshold,
            joint: Bytes(joint),
            trustees: Seq::from_bytes(&trustees),
        })
    }

    #[test]
    fn each_rule_of_the_keys_is_refused() {
        let good = point(1);
        let read = |bytes: Vec<u8>| Keys::read(&bytes).map(|keys| keys.trustee_count());
        assert_eq!(read(plain_keys(1, good, &[("a", good), ("b", good)])), Ok(2));
        assert_eq!(read(plain_keys(0, good, &[("a", good)])), Err(KeysError::Threshold));
        assert_eq!(read(plain_keys(2, good, &[("a", good)])), Err(KeysError::Threshold));
        assert_eq!(read(plain_keys(1, good, &[])), Err(KeysError::Threshold));
        assert_eq!(read(plain_keys(1, good, &[("a", good); 10])), Err(KeysError::Threshold));
        assert_eq!(
            read(plain_keys(1, good, &[("a", good), ("", good)])),
            Err(KeysError::Trustee(2))
        );
        let long = std::string::String::from_utf8(std::vec![b'a'; 65]).unwrap();
        assert_eq!(read(plain_keys(1, good, &[(&long, good)])), Err(KeysError::Trustee(1)));
        for tag in [0, 1, 4, 5, 6] {
            let mut bad = good;
            bad[0] = tag;
            assert_eq!(read(plain_keys(1, bad, &[("a", good)])), Err(KeysError::Joint));
            assert_eq!(read(plain_keys(1, good, &[("a", bad)])), Err(KeysError::Trustee(1)));
        }
        assert!(matches!(read(std::vec![1, 2]), Err(KeysError::Wire(_))));
    }

    proptest::proptest! {
        #[test]
        fn hostile_keys_are_refused_or_hold_every_rule(
            place: proptest::sample::Index,
            byte: u8,
            tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100),
        ) {
            let mut bytes = plain_keys(2, point(1), &[("a", point(2)), ("b", point(3)), ("c", point(4))]);
            let place = place.index(bytes.len());
            bytes[place] = byte;
            for bytes in [&bytes, &[&bytes[..place], &tail].concat()] {
                if let Ok(keys) = Keys::read(bytes) {
                    proptest::prop_assert_eq!(&bytes_of(&keys), bytes);
                    proptest::prop_assert!((1..=keys.trustee_count()).contains(&keys.threshold));
                    proptest::prop_assert!(keys.trustee(keys.threshold).is_some() && keys.trustee(0).is_none());
                }
            }
        }
    }
}
