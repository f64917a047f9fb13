//! A joint key that nobody has shared: for packages that are built and never counted with.

use election::group::Point;
use election::keys::{Keys, TrusteeKey};
use election::wire::{Bytes, Seq};
use staff::encode::{seq_of, to_bytes};

/// The keys file of one trustee whose share is the joint key.
pub fn of_one_trustee(joint: [u8; 33]) -> Vec<u8> {
    assert!(Point::from_bytes(&joint).is_ok());
    let trustees = seq_of([TrusteeKey {
        name: "T",
        share: Bytes(joint),
    }])
    .unwrap();
    to_bytes(&Keys {
        threshold: 1,
        joint: Bytes(joint),
        trustees: Seq::from_bytes(&trustees),
    })
    .unwrap()
}
