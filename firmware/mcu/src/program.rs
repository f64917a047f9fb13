//! The shipped loop on a board: run, and again when it asks to.

use kiosk::ports::{Platform, Ports};
use kiosk::run::{Config, Exit};

use crate::lent::Lent;

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
