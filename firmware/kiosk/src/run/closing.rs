//! After closing: the hash and its words for witnesses, while the outbox empties. A closed kiosk comes here at every start (A11).

use election::closing::{LABEL_STAFF_CLOSE, staff_close_message};
use election::ledger::StaffSignature;
use election::package::Package;
use election::sign::{self, Signer};
use election::words::ClosingWords;
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;

use super::Stop;
use super::vault::{Vault, housekeeping};
use crate::audit::Event;
use crate::ballot_box::Label;
use crate::ports::{Clock, Lamp, Panel, Platform, Signals};
use crate::screen::{ClosedScreen, Screen, StaffAction, StaffScreen, StaffTouch, Touch};
use crate::staff::{Act, Desk};

/// How often the number of unsent transactions on the screen is looked at.
const LOOK: u32 = 1_000;

/// Whether the two who closed signed for this kiosk, and not for one that it took over from.
pub(crate) fn is_for(package: &Package<'_>, label: &Label, staff: &[StaffSignature; 2]) -> bool {
    let message = staff_close_message(package.election(), &label.kiosk, label.epoch);
    staff
        .iter()
        .all(|card| sign::verify(&card.key.0, LABEL_STAFF_CLOSE, &message, &card.signature.0).is_ok())
}

/// Two staff cards close a box once more that was taken over from a kiosk which had not come to the end of closing it. Nobody can vote before,
/// meanwhile or afterwards, and there is no way around it: only with their signatures for this kiosk the desk can count it.
pub(crate) async fn again<P: Platform>(
    desk: &mut Desk<'_, P>,
    vault: &Mutex<NoopRawMutex, Vault<'_, &mut P::Medium, P::Store>>,
    package: &Package<'_>,
) -> Result<(), Stop> {
    desk.signals.lamp(Lamp::Call);
    let label = *vault.lock().await.ballot_box.label();
    let message = staff_close_message(package.election(), &label.kiosk, label.epoch);
    let act = Act {
        action: StaffAction::CloseAgain,
        label: LABEL_STAFF_CLOSE,
        message: &message,
    };
    // Until they do: the screen asks for the first card again.
    let staff = loop {
        if let Some(staff) = desk.sign(package, &act).await {
            break staff;
        }
    };
    let closed = Event::Closed {
        seconds: desk.clock.seconds(),
        staff,
    };
    desk.panel.show(&Screen::Starting);
    yield_now().await;
    let mut vault = vault.lock().await;
    vault.ballot_box.append(&closed).await.map_err(housekeeping)?;
    vault.remember().await
}

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
        let (counts, void, lost, unsent, retire) = {
            let vault = vault.lock().await;
            let ballot_box = &vault.ballot_box;
            let now = ballot_box.counts();
            // What is in the hash; whatever became unreadable since is said beside it.
            let signed = ballot_box.log().closing().map_or(now, |signed| signed.counters.into());
            let later = now.void.saturating_sub(signed.void);
            let unsent = ballot_box.log().pending();
            // With a network the keys are kept until everything has left: only they say whose it is.
            let retire = unsent == 0 || vault.online.is_none();
            (signed, later, ballot_box.lost(), unsent, retire)
        };
        let screen = StaffScreen::Closed(ClosedScreen {
            hash: &hash,
            words: &words,
            counts,
            void,
            lost,
            unsent,
            retire,
        });
        if shown != Some(unsent) {
            shown = Some(unsent);
            desk.panel.show(&Screen::Staff(screen));
        }
        match select(desk.panel.next(), desk.clock.sleep(LOOK)).await {
            Either::First(Touch::Confirm) => return Ok(Stop::Closed { hash, unsent }),
            Either::First(touch @ Touch::Staff(StaffTouch::Retire)) if screen.takes(touch) => {
                crate::identity::retire(vault.lock().await.store).await?;
                return Ok(Stop::Restart);
            }
            _ => {}
        }
    }
}
