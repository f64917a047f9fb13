//! What the log says of the day: polls open, a voter served, polls closed, out of order. Nothing is told of a voter but that one was served,
//! not even whether they voted or ended without a vote, so these lines have no arguments (a test reads them in the image).

use core::sync::atomic::{AtomicU8, Ordering};

use kiosk::screen::{Screen, StaffScreen};

const NOTHING: u8 = 0;
const OPEN: u8 = 1;
const SERVED: u8 = 2;
const CLOSED: u8 = 3;
const FAULT: u8 = 4;

/// What was written last: a screen is shown again and again.
static LAST: AtomicU8 = AtomicU8::new(NOTHING);

/// A screen is shown.
pub fn seen(screen: &Screen<'_>) {
    let now = match screen {
        Screen::Idle { .. } => OPEN,
        Screen::Done => SERVED,
        Screen::Staff(StaffScreen::Closed(_)) => CLOSED,
        Screen::Fault { .. } => FAULT,
        _ => return,
    };
    let before = LAST.swap(now, Ordering::Relaxed);
    if before == now {
        return;
    }
    match now {
        OPEN if before != SERVED => defmt::info!("polls are open"),
        SERVED => defmt::info!("a voter was served"),
        CLOSED => defmt::info!("polls are closed"),
        FAULT => defmt::error!("out of order: the screen says why"),
        _ => {}
    }
}
