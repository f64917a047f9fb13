//! An update of the software, before polls are opened: offer, two staff cards, writing, the kiosk's keys, the switch.

use election::hash::Digest;
use election::package::Package;
use election::update::{Approval, LABEL_STAFF_UPDATE};

use super::Stop;
use crate::identity;
use crate::ports::{Clock, Panel, Platform, Store};
use crate::screen::{Screen, StaffAction, StaffScreen, Touch, UpdateScreen};
use crate::staff::{Act, Desk};
use crate::update::{Ask, Offer, Refused, Said};

/// Looks at how far it is, at most: a gigabyte in steps of a few kilobytes.
const LOOKS: u32 = 1 << 20;
/// A machine that was told to start again has so many milliseconds for it; afterwards the loop starts as it stands.
const GOING_DOWN: u32 = 60_000;

/// One attempt. `Ok` if nothing has changed: back to where staff came from.
pub(crate) async fn update<P: Platform>(
    desk: &mut Desk<'_, P>,
    store: &mut P::Store,
    package: &Package<'_>,
    running: &Digest,
) -> Result<(), Stop> {
    let done = attempt(desk, store, package, running).await?;
    // Whatever it was that ended it; whether anybody still listens changes nothing.
    let _ = store.update(Ask::End).await;
    if let Err(why) = done {
        refuse(desk, why, false).await;
    }
    Ok(())
}

/// Whether the software that runs stays: it has come up, because cards have answered. If not, staff are told, and nothing is to be done with it.
pub(crate) async fn kept<P: Platform>(desk: &mut Desk<'_, P>, store: &mut P::Store) -> bool {
    let Err(why) = store.keep().await else {
        return true;
    };
    refuse(desk, why, false).await;
    false
}

/// `retired`: the keys have gone.
pub(crate) async fn refuse<P: Platform>(desk: &mut Desk<'_, P>, why: Refused, retired: bool) {
    let screen = StaffScreen::Update(UpdateScreen::Refused { why, retired });
    desk.ask(&screen).await;
}

async fn attempt<P: Platform>(
    desk: &mut Desk<'_, P>,
    store: &mut P::Store,
    package: &Package<'_>,
    running: &Digest,
) -> Result<Result<(), Refused>, Stop> {
    desk.panel.show(&Screen::Starting);
    let offer = match store.update(Ask::Look).await {
        Ok(Said::Offer(offer)) => offer,
        Ok(_) => return Ok(Err(Refused::Order)),
        Err(why) => return Ok(Err(why)),
    };
    let screen = StaffScreen::Update(UpdateScreen::Offer { offer: &offer });
    if desk.ask(&screen).await != Touch::Confirm {
        return Ok(Ok(()));
    }
    let message = Approval {
        election: package.election(),
        station: package.header.station,
        running,
        image: &offer.image,
        nonce: &offer.nonce,
    }
    .message();
    let act = Act {
        action: StaffAction::Update,
        label: LABEL_STAFF_UPDATE,
        message: &message,
    };
    let Some(staff) = desk.sign(package, &act).await else {
        return Ok(Ok(()));
    };
    if let Err(why) = write(desk, store, &offer, Ask::Install(staff)).await {
        return Ok(Err(why));
    }
    // The new software cannot open this one's keys, and nobody is to find them: they go before the switch. Cut here, the old software starts
    // and is registered again, which is what comes after an update in any case.
    identity::retire(store).await?;
    if let Err(why) = store.update(Ask::Switch).await {
        refuse(desk, why, true).await;
        return Err(Stop::Restart);
    }
    // From here on the next start is into the new software, whoever brings it about: nothing may say that all is as it was, and this software
    // has no more to do.
    let mut way = UpdateScreen::Done { offer: &offer };
    loop {
        desk.ask(&StaffScreen::Update(way)).await;
        desk.panel.show(&Screen::Starting);
        if store.update(Ask::Restart).await.is_ok() {
            break;
        }
        way = UpdateScreen::Stuck { offer: &offer };
    }
    desk.clock.sleep(GOING_DOWN).await;
    Err(Stop::Restart)
}

/// Has the image written, with how far it is on the panel.
async fn write<P: Platform>(
    desk: &mut Desk<'_, P>,
    store: &mut P::Store,
    offer: &Offer,
    first: Ask,
) -> Result<(), Refused> {
    let (mut ask, mut shown) = (first, None);
    for _ in 0..LOOKS {
        match store.update(ask).await? {
            Said::Written => return Ok(()),
            Said::Writing(percent) if shown != Some(percent) => {
                shown = Some(percent);
                let screen = UpdateScreen::Writing { offer, percent };
                desk.panel.show(&Screen::Staff(StaffScreen::Update(screen)));
            }
            Said::Writing(_) => {}
            _ => return Err(Refused::Order),
        }
        ask = Ask::More;
    }
    Err(Refused::Order)
}
