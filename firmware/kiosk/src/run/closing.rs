//! After closing: the hash and its words for witnesses, while the outbox empties. A closed kiosk comes here at every start (A11).

use election::package::Package;
use election::sign::Signer;
use election::words::ClosingWords;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;

use super::Stop;
use super::vault::Vault;
use crate::ports::{Clock, Lamp, Panel, Platform, Signals};
use crate::screen::{ClosedScreen, Screen, StaffScreen, StaffTouch, Touch};
use crate::staff::Desk;

/// How often the number of unsent transactions on the screen is looked at.
const LOOK: u32 = 1_000;

pub(crate) async fn closed<P: Platform>(
    desk: &mut Desk<'_, P>,
    vault: &Mutex<NoopRawMutex, Vault<'_, &mut P::Medium, P::Store>>,
    package: &Package<'_>,
    signer: &Signer,
) -> Result<Stop, Stop> {
    desk.signals.lamp(Lamp::Off);
    desk.panel.show(&Screen::Starting);
    let hash = {
        let mut vault = vault.lock().await;
        // Closed with the package that polls were opened with, also if a newer one came since.
        let opened = vault.ballot_box.log().opened_with().copied().unwrap_or(package.hash);
        vault.finish(&opened, signer).await?
    };
    let mut words = [""; election::words::WORDS];
    for (place, word) in words.iter_mut().zip(ClosingWords::of(&hash).words()) {
        *place = word;
    }
    let mut shown = None;
    loop {
        let (counts, void, lost, unsent) = {
            let vault = vault.lock().await;
            let ballot_box = &vault.ballot_box;
            let now = ballot_box.counts();
            // What is in the hash; whatever became unreadable since is said beside it.
            let signed = ballot_box.log().closing().map_or(now, |signed| signed.counters.into());
            let later = now.void.saturating_sub(signed.void);
            (signed, later, ballot_box.lost(), ballot_box.log().pending())
        };
        if shown != Some(unsent) {
            shown = Some(unsent);
            desk.panel.show(&Screen::Staff(StaffScreen::Closed(ClosedScreen {
                hash: &hash,
                words: &words,
                counts,
                void,
                lost,
                unsent,
            })));
        }
        match select(desk.panel.next(), desk.clock.sleep(LOOK)).await {
            Either::First(Touch::Confirm) => return Ok(Stop::Closed { hash, unsent }),
            Either::First(Touch::Staff(StaffTouch::Retire)) => {
                let mut vault = vault.lock().await;
                // With a network the keys are kept until everything has left: only they say whose it is.
                if unsent == 0 || vault.online.is_none() {
                    crate::identity::retire(vault.store).await?;
                    return Ok(Stop::Restart);
                }
            }
            _ => {}
        }
    }
}
