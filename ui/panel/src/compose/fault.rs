//! Out of order: first what it means for the voter, then what staff do (F3, F6).

use alloc::vec;

use election::package::PackageError;
use kiosk::ballot_box::{MediaFault, Role};
use kiosk::identity::PackageFault;
use kiosk::ports::MediumError;
use kiosk::screen::{Fault, Recorded};

use super::kind;
use crate::scene::{Block, Scene, Shape};
use crate::words::{Say, Word};

pub(super) fn fault(why: Fault, recorded: Option<Recorded>) -> Scene {
    let mut scene = Scene::new(kind::FAULT, "fault", Shape::Flow, Word::FaultTitle);
    if let Some(recorded) = recorded {
        scene = scene.block(Block::Alarm(
            match recorded {
                Recorded::Yes => Word::FaultYes,
                Recorded::No => Word::FaultNo,
                Recorded::Unknown => Word::FaultUnknown,
            }
            .into(),
        ));
    }
    scene.block(Block::Heading(Word::FaultStaff.into())).text(reason(why))
}

pub(super) fn role(role: Role) -> Say {
    match role {
        Role::Original => Word::RoleOriginal,
        Role::Duplicate => Word::RoleDuplicate,
    }
    .into()
}

pub(super) fn of(word: Word, on: Role) -> Say {
    Say::Word(word, vec![("role", role(on))])
}

pub(super) fn medium_error(error: MediumError) -> Word {
    match error {
        MediumError::Missing => Word::MediumMissing,
        MediumError::Read => Word::MediumRead,
        MediumError::Write => Word::MediumWrite,
        MediumError::Full => Word::MediumFull,
        MediumError::Busy => Word::MediumBusy,
        _ => Word::MediumBounds,
    }
}

fn medium(on: Role, error: MediumError) -> Say {
    let what = medium_error(error);
    Say::Word(Word::FaultMedium, vec![("role", role(on)), ("what", what.into())])
}

fn reason(why: Fault) -> Say {
    match why {
        Fault::Medium(role, error) => medium(role, error),
        Fault::ReadBack(role) => of(Word::FaultReadBack, role),
        Fault::Media(fault) => media(fault),
        Fault::Deficit { missing } => Say::with(Word::FaultDeficit, &[("n", missing)]),
        Fault::NotZero => Word::FaultNotZero.into(),
        Fault::NoRoom => Word::FaultNoRoom.into(),
        Fault::Entropy => Word::FaultEntropy.into(),
        Fault::Store => Word::FaultStore.into(),
        Fault::Package(fault) => match fault {
            PackageFault::Missing => Word::PackageMissing,
            PackageFault::Registration => Word::PackageOtherElection,
            PackageFault::Refused(error) => package(error),
            _ => Word::PackageBroken,
        }
        .into(),
        Fault::Identity(_) => Word::FaultIdentity.into(),
        Fault::Delta(_) => Word::FaultDelta.into(),
        Fault::Buffers => Word::FaultBuffers.into(),
        Fault::UplinkInStatutory => Word::FaultUplink.into(),
        _ => Word::FaultDefect.into(),
    }
}

/// What staff can do about a package; the log has the exact reason.
fn package(error: PackageError) -> Word {
    match error {
        PackageError::Truncated
        | PackageError::Authority
        | PackageError::Signature(_)
        | PackageError::SectionHash(_) => Word::PackageUnsigned,
        PackageError::OtherStation { .. } => Word::PackageOtherStation,
        PackageError::Older { .. } => Word::PackageOlder,
        _ => Word::PackageBroken,
    }
}

fn media(fault: MediaFault) -> Say {
    match fault {
        MediaFault::Device(role, error) => medium(role, error),
        MediaFault::Stray(role) => of(Word::MediaStray, role),
        MediaFault::Version(role) => of(Word::MediaVersion, role),
        MediaFault::Label(role) => of(Word::MediaLabel, role),
        MediaFault::OtherElection(role) => of(Word::MediaOtherElection, role),
        MediaFault::OtherStation(role) => of(Word::MediaOtherStation, role),
        MediaFault::OtherKiosk(role) => of(Word::MediaOtherKiosk, role),
        MediaFault::OtherEpoch(role) => of(Word::MediaOtherEpoch, role),
        MediaFault::Swapped => Word::MediaSwapped.into(),
        MediaFault::Twice => Word::MediaTwice.into(),
        MediaFault::NotAPair => Word::MediaNotAPair.into(),
        MediaFault::Sizes => Word::MediaSizes.into(),
        MediaFault::OtherPair => Word::MediaOtherPair.into(),
        MediaFault::Older => Word::MediaOlder.into(),
        MediaFault::Differ { place } => Say::with(Word::MediaDiffer, &[("n", i64::from(place))]),
        MediaFault::Log => Word::MediaLog.into(),
        MediaFault::TooSmall(role) => of(Word::MediaTooSmall, role),
        MediaFault::Closed => Word::MediaClosed.into(),
        MediaFault::Spare(role) => of(Word::MediaSpare, role),
        _ => Word::MediaOther.into(),
    }
}
