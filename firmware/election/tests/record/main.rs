//! Whole election records: one that holds, and every way of lying about one, each named where it lies.

mod ballots;
mod chains;
mod files;
mod holds;
#[path = "../record_support/mod.rs"]
mod record_support;
mod sums;

use election::manifest::Policy;
use election::verify::Broken;
use record_support::memory::verified;
use record_support::{ByHand, Owned};

fn refused(by_hand: &ByHand, owned: &Owned) -> Broken {
    verified(by_hand, owned, |_| Ok(())).expect_err("a lie is refused")
}

/// Three kiosks at two stations, two of which close; two epochs; a duplicate, an overwritten and two spoiled ballots.
/// Tags: 1 votes in both epochs, 2 twice in epoch 0 at two stations.
fn honest() -> ByHand {
    let mut e = ByHand::new(Policy::Last);
    let (a, b, open) = (e.register(1), e.register(2), e.register(2));
    e.seal();
    let first = [e.cast(a, 0, 0, 1, &[0b01, 0b011]), e.cast(a, 0, 0, 2, &[0b10, 0b100])];
    e.spoil(a, 1, 0, &[0b110]);
    e.cast(a, 1, 0, 3, &[0]);
    e.batch(a, 0, &first, None);
    e.seal();
    let second = [e.cast(b, 0, 1, 1, &[0b10, 0b110]), e.cast(b, 1, 1, 4, &[0b001])];
    e.batch(b, 1, &second, None);
    let lost = e.cast(open, 0, 0, 9, &[0b01, 0b001]);
    e.batch(open, 0, &[lost], None);
    e.seal();
    e.cast(b, 0, 1, 5, &[0, 0b101]);
    e.spoil(b, 0, 1, &[0b01, 0b011]);
    e.close(a, 0);
    e.seal();
    e.close(b, 1);
    e.seal();
    e.seal();
    e
}
