//! A switch that was made before this program started: the next start is another software's.
//!
//! The old software must not be registered or open polls then, because at the next power cut the new one would stand there without its keys.

use std::path::Path;

use election::hash::Digest;
use kiosk::update::Offer;

use super::{disk, entries};
use crate::{image, store};

/// Longest starting program that is looked into.
const LONGEST: usize = 64 << 20;

/// What starts next, if it is not this software. Version and hash are what its command line says; 0 and the hash's first digits if it says none.
#[must_use]
pub fn pending(starting: &Path, software: &Digest, version: u32) -> Option<Offer> {
    let programs = disk::programs(starting).ok()?;
    let name = entries::pending(&programs, software)?;
    let line = store::read(&starting.join(disk::PROGRAMS).join(name), LONGEST)
        .ok()
        .flatten()
        .and_then(|bytes| image::line_of(&bytes))
        .unwrap_or_default();
    let named = image::parse(&line).ok().flatten();
    Some(Offer {
        version: image::version_of(&line),
        running: version,
        software: named.unwrap_or_else(|| digits(name)),
        image: [0; 32],
        nonce: [0; 32],
    })
}

/// The digits in a name, and zeros.
fn digits(name: &str) -> Digest {
    let mut software = [0; 32];
    let short = entries::Entry::read(name).and_then(|entry| hex::decode(entry.short).ok());
    for (place, byte) in software.iter_mut().zip(short.unwrap_or_default()) {
        *place = byte;
    }
    software
}
