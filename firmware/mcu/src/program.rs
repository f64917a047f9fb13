//! The shipped loop on a board: run, and again when it asks to.

use election::manifest::Mode;
use election::package::Package;
use election::sign::PublicKey;
use kiosk::ports::{Platform, Ports};
use kiosk::run::{Config, Exit};

use crate::lent::Lent;

/// The board's network, unless the package is of a statutory election: then there is none, nothing is said on its line, and what comes on it is
/// heard by nobody. One image serves both. A package that does not hold is refused by the loop, with or without a network.
pub fn network<U>(package: Option<&[u8]>, authority: &PublicKey, line: impl FnOnce() -> U) -> Option<U> {
    let statutory = package
        .and_then(|bytes| Package::open(bytes, authority).ok())
        .is_some_and(|package| package.manifest.mode == Mode::Statutory);
    (!statutory).then(line)
}

/// Runs the kiosk until it is closed or out of order. Out of order the last screen stays, and only taking the power ends it: whoever repairs
/// something on a board switches it off first. `told` hears how each run ended.
pub async fn serve<P: Platform>(
    ports: &mut Ports<P>,
    config: &Config<'_>,
    lent: &mut Lent,
    mut told: impl FnMut(&Exit),
) -> Exit {
    loop {
        let exit = kiosk::run::run(ports, config, lent.lend()).await;
        told(&exit);
        if exit != Exit::Restart {
            return exit;
        }
    }
}
