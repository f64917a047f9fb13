//! From the kiosk's `Screen` values to scenes: which words, which buttons, in which order. No choice is made here that the
//! session makes; a screen this room does not know yet calls staff.

mod fault;
mod practice;
mod repair;
mod settings;
mod staff;
mod voter;

use kiosk::screen::Screen;

use crate::scene::{Scene, Shape};
use crate::words::Say;

pub use practice::practice;
pub use repair::{Repair, Wrong, repair};
pub use settings::{Settings, other, settings, settings_over};

/// Kinds of screens. Two screens of one kind are the same place for a finger: touches queued for one may act on the other.
/// The contest's position is part of it.
pub(crate) mod kind {
    pub const BLANK: u16 = 0;
    pub const STARTING: u16 = 1;
    pub const IDLE: u16 = 2;
    pub const WRONG_CARD: u16 = 3;
    pub const PIN: u16 = 4;
    pub const LAST_TRY: u16 = 5;
    pub const ADMITTING: u16 = 6;
    pub const OVERVOTE: u16 = 7;
    pub const REVIEW: u16 = 8;
    pub const ENCRYPTING: u16 = 9;
    pub const CAST: u16 = 10;
    pub const USED_UP: u16 = 11;
    pub const RECORDING: u16 = 12;
    pub const END: u16 = 13;
    pub const DONE: u16 = 14;
    pub const ABANDONED: u16 = 15;
    pub const STILL_THERE: u16 = 16;
    pub const LOCKED: u16 = 17;
    pub const CALL_STAFF: u16 = 18;
    pub const FAULT: u16 = 19;
    pub const STAFF: u16 = 32;
    pub const PRACTICE: u16 = 128;
    pub const CONTEST: u16 = 256;
    pub const OPENING: u16 = 512;
}

/// Whether a voter stands there whose patience the kiosk measures.
pub(crate) const fn voting(kind: u16) -> bool {
    matches!(kind, kind::PIN..=kind::USED_UP | kind::END | kind::STILL_THERE) || kind >= kind::CONTEST
}

/// Whether the kiosk answers a call for staff with a screen of its own there, which hides what is chosen.
pub(crate) const fn holds_choice(kind: u16) -> bool {
    matches!(
        kind,
        kind::OVERVOTE | kind::REVIEW | kind::CAST | kind::USED_UP | kind::END
    ) || kind >= kind::CONTEST
}

/// Whether staff come to this screen, and nothing of a ballot stands there: they find no dark kiosk, also where a voter has switched the
/// picture off.
pub(crate) const fn for_staff(kind: u16) -> bool {
    matches!(kind, kind::LOCKED | kind::CALL_STAFF | kind::FAULT) || (kind >= kind::STAFF && kind < kind::PRACTICE)
}

/// A screen of staff's with the row that begins an update, where one may begin.
#[must_use]
pub fn with_update(screen: &Screen<'_>, scene: Scene) -> Scene {
    match screen {
        Screen::Staff(screen) => staff::with_update(screen, scene),
        _ => scene,
    }
}

/// The scene of a screen.
#[must_use]
pub fn scene(screen: &Screen<'_>) -> Scene {
    match screen {
        Screen::Fault { why, recorded } => fault::fault(*why, *recorded),
        Screen::Staff(staff) => staff::staff(staff),
        Screen::Blank => Scene::new(kind::BLANK, "blank", Shape::Blank, Say::plain("")),
        screen => voter::voter(screen),
    }
}
