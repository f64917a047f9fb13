//! A screen as a few bytes, beside its pixels: what the people of a simulator see of a board inside an emulator, because they do not read
//! pixels. It says no more than the picture does, and no board outside an emulator writes it.
//!
//! Written with [`write`], turned into the very [`Screen`] again by [`show`], with the package for the names.

use election::hash::Digest;
use election::package::Package;
use election::words::ClosingWords;
use kiosk::ballot_box::{Counts, Role};
use kiosk::form::Form;
use kiosk::ports::{MediumError, ReaderError, Space};
use kiosk::screen::{
    ClosedScreen, ContestScreen, Fault, Health, OpeningScreen, Phase, PinOf, Recorded, Restarted, Review, Room, Screen,
    StaffAction, StaffScreen, WrongStaffCard, ZeroReport,
};
use kiosk::session::{PinDigits, Selected, WrongCard};

/// Most bytes of a screen.
pub const MOST: usize = 4_096;

mod read;
mod write;

pub use read::{Unseen, show};
pub use write::write;

/// Values of an enumeration by their place in a list.
macro_rules! listed {
    ($name:ident: $type:ty = [$($value:expr),* $(,)?]) => {
        const $name: &[$type] = &[$($value),*];
    };
}

listed!(WRONG: WrongCard = [
    WrongCard::Mute, WrongCard::ReaderGone, WrongCard::Unsuitable, WrongCard::Unreadable, WrongCard::Blocked,
    WrongCard::NotProven, WrongCard::NotOnRoll, WrongCard::Voted, WrongCard::Full,
]);
listed!(CERTIFICATE: card::CertificateError = [
    card::CertificateError::Expired, card::CertificateError::NotYetValid, card::CertificateError::UnknownIssuer,
    card::CertificateError::BadSignature, card::CertificateError::IssuerNotValid, card::CertificateError::NotAnAuthority,
    card::CertificateError::WrongUsage, card::CertificateError::UnknownCriticalExtension,
    card::CertificateError::UnsupportedKey, card::CertificateError::UnsupportedSignature, card::CertificateError::TooLong,
    card::CertificateError::TooManyAuthorities, card::CertificateError::Malformed,
]);
listed!(WRONG_STAFF: WrongStaffCard = [
    WrongStaffCard::Unreadable, WrongStaffCard::NotStaff, WrongStaffCard::NoRight, WrongStaffCard::SameCard,
    WrongStaffCard::Blocked, WrongStaffCard::BadSignature,
]);
listed!(ACTIONS: StaffAction = [
    StaffAction::Provision, StaffAction::Open, StaffAction::Close, StaffAction::CloseAgain, StaffAction::TakeOver, StaffAction::Update,
]);
listed!(PHASES: Phase = [Phase::Unprovisioned, Phase::NotOpened, Phase::Open, Phase::Closed]);
listed!(ROOMS: Room = [Room::Enough, Room::Low, Room::Full]);
listed!(RECORDED: Option<Recorded> = [None, Some(Recorded::Yes), Some(Recorded::No), Some(Recorded::Unknown)]);
listed!(ROLES: Role = [Role::Original, Role::Duplicate]);
listed!(ERRORS: MediumError = [
    MediumError::Missing, MediumError::Read, MediumError::Write, MediumError::Full, MediumError::Busy, MediumError::Bounds,
]);
listed!(READER: Result<bool, ReaderError> = [Ok(false), Ok(true), Err(ReaderError::Mute), Err(ReaderError::Gone)]);
// The faults that a screen of numbers can tell apart; all others are said in words beside it.
listed!(FAULTS: Fault = [
    Fault::NotZero, Fault::NoRoom, Fault::Entropy, Fault::Store, Fault::Buffers, Fault::UplinkInStatutory, Fault::Defect,
    Fault::Package(kiosk::identity::PackageFault::Missing), Fault::Package(kiosk::identity::PackageFault::Registration),
    Fault::Media(kiosk::ballot_box::MediaFault::Swapped), Fault::Media(kiosk::ballot_box::MediaFault::Twice),
    Fault::Media(kiosk::ballot_box::MediaFault::NotAPair), Fault::Media(kiosk::ballot_box::MediaFault::Older),
    Fault::Media(kiosk::ballot_box::MediaFault::OtherPair), Fault::Media(kiosk::ballot_box::MediaFault::Log),
    Fault::Media(kiosk::ballot_box::MediaFault::Closed),
]);

/// Kinds of screens, the first byte.
#[allow(missing_docs)] // Named as the screens are.
pub mod kind {
    pub const BLANK: u8 = 0;
    pub const STARTING: u8 = 1;
    pub const IDLE: u8 = 2;
    pub const WRONG_CARD: u8 = 3;
    pub const PIN: u8 = 4;
    pub const LAST_TRY: u8 = 5;
    pub const ADMITTING: u8 = 6;
    pub const CONTEST: u8 = 7;
    pub const OVERVOTE: u8 = 8;
    pub const REVIEW: u8 = 9;
    pub const ENCRYPTING: u8 = 10;
    pub const CODE: u8 = 11;
    pub const USED_UP: u8 = 12;
    pub const RECORDING: u8 = 13;
    pub const OPENING: u8 = 14;
    pub const WITHOUT: u8 = 15;
    pub const DONE: u8 = 16;
    pub const ABANDONED: u8 = 17;
    pub const STILL_THERE: u8 = 18;
    pub const LOCKED: u8 = 19;
    pub const CALL: u8 = 20;
    pub const FAULT: u8 = 21;
    pub const MENU: u8 = 32;
    pub const PROVISION: u8 = 33;
    pub const AWAIT: u8 = 34;
    pub const EPOCH: u8 = 35;
    pub const INSERT: u8 = 36;
    pub const REFUSED: u8 = 37;
    pub const TAKE: u8 = 38;
    pub const ZERO: u8 = 39;
    pub const RESTARTED: u8 = 40;
    pub const TAKE_OVER: u8 = 41;
    pub const CONFIRM_CLOSE: u8 = 42;
    pub const CLOSED: u8 = 43;
    pub const UNKNOWN: u8 = 255;
}

#[cfg(test)]
mod tests;
