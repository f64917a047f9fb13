//! What staff see: counts and health, never a vote.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

use election::hash::Digest;
use kiosk::ballot_box::{Counts, Role};
use kiosk::ports::{ReaderError, Space};
use kiosk::screen::{
    ClosedScreen, Health, Phase, Recorded, Restarted, Room, StaffAction, StaffScreen, StaffTouch, Touch, UpdateScreen,
    WrongStaffCard, ZeroReport,
};
use kiosk::update::{Offer, Refused};

use super::fault::{medium_error, of, role};
use super::kind::STAFF;
use crate::scene::{Act, Block, Part, Scene, Shape};
use crate::words::{Say, Word};

pub(super) fn staff(screen: &StaffScreen<'_>) -> Scene {
    let flow = |offset, name, title: Word| Scene::new(STAFF + offset, name, Shape::Flow, title);
    let scene = match screen {
        StaffScreen::Menu { phase, health } => menu(*phase, health),
        StaffScreen::Provision { kiosk, software } => flow(1, "staff-provision", Word::ProvisionTitle)
            .text(Word::ProvisionBody)
            .block(digest(Word::ProvisionKiosk, kiosk))
            .block(digest(Word::ProvisionSoftware, software))
            .touch(Part::Forward, Word::ProvisionGo, Touch::Confirm),
        StaffScreen::AwaitSecret { refused } => {
            let mut scene = flow(2, "staff-await-secret", Word::AwaitTitle);
            if *refused {
                scene = scene.block(Block::Alarm(Word::AwaitRefused.into()));
            }
            scene
                .text(Word::AwaitBody)
                .touch(Part::Forward, Word::AwaitGo, Touch::Confirm)
        }
        StaffScreen::ChooseEpoch { epochs, wrong } => {
            let mut scene = flow(3, "staff-choose-epoch", Word::EpochTitle);
            if *wrong {
                scene = scene.block(Block::Alarm(Word::EpochWrong.into()));
            }
            scene = scene.text(Word::EpochBody);
            for (number, epoch) in (0_u8..).zip(epochs.iter().map_while(Result::ok)) {
                scene = scene.block(row(Say::from(epoch.name), StaffTouch::Epoch(number)));
            }
            scene.touch(Part::Back, Word::Back, Touch::Back)
        }
        StaffScreen::InsertCard { action, number } => {
            let title = Say::with(Word::InsertTitle, &[("n", i64::from(*number))]);
            Scene::new(STAFF + 4, "staff-insert-card", Shape::Flow, title)
                .text(match action {
                    StaffAction::Provision => Word::InsertProvision,
                    StaffAction::Open => Word::InsertOpen,
                    StaffAction::Close => Word::InsertClose,
                    StaffAction::CloseAgain => Word::InsertCloseAgain,
                    StaffAction::TakeOver => Word::InsertTakeOver,
                    StaffAction::Update => Word::InsertUpdate,
                })
                .touch(Part::Back, Word::Back, Touch::Back)
        }
        StaffScreen::CardRefused { why } => flow(5, "staff-card-refused", Word::RefusedTitle)
            .block(Block::Alarm(refused(*why).into()))
            .text(Word::TakeTitle),
        StaffScreen::TakeCard => Scene::new(STAFF + 6, "staff-take-card", Shape::Notice, Word::TakeTitle),
        StaffScreen::ZeroReport(report) => zero(report),
        StaffScreen::Restarted(found) => restarted(found),
        StaffScreen::TakeOver { old, recorded } => flow(9, "staff-take-over", Word::TakeoverTitle)
            .block(Block::Alarm(Word::TakeoverBody.into()))
            .block(pair(Word::TakeoverRecorded, u64::from(*recorded)))
            .block(digest(Word::TakeoverOld, old))
            .touch(Part::Forward, Word::TakeoverGo, Touch::Confirm)
            .touch(Part::Back, Word::Back, Touch::Back),
        StaffScreen::ConfirmClose { counts, few } => {
            let mut scene =
                flow(10, "staff-confirm-close", Word::CloseTitle).block(Block::Alarm(Word::CloseBody.into()));
            if let Some(k) = few {
                scene = scene.block(Block::Alarm(Say::with(Word::CloseFew, &[("n", i64::from(*k))])));
            }
            with_counts(scene, counts)
        }
        .touch(Part::Forward, Word::CloseGo, Touch::Confirm)
        .touch(Part::Back, Word::Back, Touch::Back),
        StaffScreen::Closed(closed) => self::closed(closed),
        StaffScreen::Update(way) => update(way),
        _ => Scene::new(STAFF + 31, "staff-unknown", Shape::Notice, Word::StaffTitle),
    };
    scene.button(Part::Always, Word::Display, Act::Settings)
}

/// The row that begins an update, on the two screens that come before polls.
pub(super) fn with_update(screen: &StaffScreen<'_>, mut scene: Scene) -> Scene {
    let before = matches!(
        screen,
        StaffScreen::Provision { .. }
            | StaffScreen::Menu {
                phase: Phase::NotOpened,
                ..
            }
    );
    if before {
        let place = scene.body.iter().rposition(|block| matches!(block, Block::Row { .. }));
        let row = row(Word::StaffDoUpdate.into(), StaffTouch::Update);
        scene
            .body
            .insert(place.map_or(scene.body.len(), |place| place + 1), row);
    }
    scene
}

fn update(way: &UpdateScreen<'_>) -> Scene {
    let flow = |offset, name, title: Word| Scene::new(STAFF + offset, name, Shape::Flow, title);
    let about = |scene: Scene, offer: &Offer| {
        scene
            .block(pair(Word::UpdateVersion, u64::from(offer.version)))
            .block(digest(Word::UpdateSoftware, &offer.software))
    };
    match way {
        UpdateScreen::Offer { offer } => about(
            flow(12, "staff-update", Word::UpdateTitle).text(Word::UpdateBody),
            offer,
        )
        .block(pair(Word::UpdateRunning, u64::from(offer.running)))
        .block(Block::Alarm(Word::UpdateAfter.into()))
        .touch(Part::Forward, Word::UpdateGo, Touch::Confirm)
        .touch(Part::Back, Word::Back, Touch::Back),
        UpdateScreen::Writing { offer, percent } => {
            let far = Say::with(Word::UpdateFar, &[("n", i64::from(*percent))]);
            let scene = flow(13, "staff-update-writing", Word::UpdateWriting).block(Block::Heading(far));
            about(scene.text(Word::UpdateLeave), offer)
        }
        UpdateScreen::Done { offer } => about(
            flow(14, "staff-update-done", Word::UpdateDone).text(Word::UpdateThen),
            offer,
        )
        .block(Block::Alarm(Word::UpdateBack.into()))
        .touch(Part::Forward, Word::UpdateRestart, Touch::Confirm),
        UpdateScreen::Stuck { offer } => about(
            flow(16, "staff-update-stuck", Word::UpdateDone).block(Block::Alarm(Word::UpdateStuck.into())),
            offer,
        )
        .block(Block::Alarm(Word::UpdateBack.into()))
        .touch(Part::Forward, Word::UpdateRestart, Touch::Confirm),
        UpdateScreen::Refused {
            why: Refused::Trial, ..
        } => flow(15, "staff-update-trial", Word::UpdateTrial)
            .block(Block::Alarm(Word::UpdateKept.into()))
            .touch(Part::Forward, Word::Ok, Touch::Confirm),
        UpdateScreen::Refused { why, retired } => {
            let mut scene = flow(15, "staff-update-refused", Word::UpdateRefused)
                .block(Block::Alarm(no_update(*why).into()))
                .text(Word::UpdateStays);
            if *retired {
                scene = scene.block(Block::Alarm(Word::UpdateRetired.into()));
            }
            scene.touch(Part::Forward, Word::Ok, Touch::Confirm)
        }
    }
}

const fn no_update(why: Refused) -> Word {
    match why {
        Refused::Nobody => Word::UpdateNobody,
        Refused::NoDrive => Word::UpdateNoDrive,
        Refused::Unsigned => Word::UpdateUnsigned,
        Refused::Older => Word::UpdateOlder,
        Refused::TooLarge => Word::UpdateTooLarge,
        Refused::Changed => Word::UpdateChanged,
        Refused::DriveGone => Word::UpdateDriveGone,
        Refused::Approval => Word::UpdateApproval,
        Refused::Open => Word::UpdateOpen,
        Refused::Disk => Word::UpdateDisk,
        Refused::Order => Word::UpdateOrder,
        Refused::Trial => Word::UpdateKept,
    }
}

fn row(say: Say, touch: StaffTouch) -> Block {
    Block::Row {
        act: Act::Send(Touch::Staff(touch)),
        label: None,
        values: vec![say],
        note: None,
    }
}

fn pair(word: Word, number: u64) -> Block {
    Block::Pair(word.into(), Say::number(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// A hash for people who compare: all of it, in groups of four.
fn digest(word: Word, digest: &Digest) -> Block {
    let mut text = String::new();
    for (index, byte) in digest.iter().enumerate() {
        if index > 0 && index % 2 == 0 {
            text.push(' ');
        }
        let _ = write!(text, "{byte:02x}");
    }
    Block::Pair(word.into(), Say::Plain(text))
}

fn with_counts(scene: Scene, counts: &Counts) -> Scene {
    let rows = [
        (Word::StaffAdmitted, counts.admitted),
        (Word::StaffRecorded, counts.recorded),
        (Word::StaffAbandoned, counts.abandoned),
        (Word::StaffInterrupted, counts.interrupted),
        (Word::StaffSpoiled, counts.spoiled),
        (Word::StaffVoid, counts.void),
    ];
    rows.into_iter().fold(scene, |scene, (word, number)| {
        scene.block(pair(word, u64::from(number)))
    })
}

fn menu(phase: Phase, health: &Health) -> Scene {
    let state = match phase {
        Phase::Unprovisioned => Word::StaffUnprovisioned,
        Phase::NotOpened => Word::StaffNotOpened,
        Phase::Open => Word::StaffOpen,
        Phase::Closed => Word::StaffClosed,
    };
    let mut scene = Scene::new(STAFF, "staff-menu", Shape::Flow, state);
    scene.above = Some(Word::StaffTitle.into());
    // What cannot wait comes before what can be done: the room for votes by name. The rest stands behind it, so that rows move little; but the
    // first page of a small panel may end before, so how many there are is said first of all.
    let room = match health.room {
        Room::Enough => None,
        Room::Low => Some(Word::StaffRoomLow),
        Room::Full => Some(Word::StaffRoomFull),
    };
    let waiting = warnings(health);
    if !waiting.is_empty() {
        let number = waiting.len().saturating_add(usize::from(room.is_some()));
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let attention = Say::with(Word::StaffAttention, &[("n", number)]);
        scene = scene.block(Block::Alarm(attention));
    }
    if let Some(room) = room {
        scene = scene.block(Block::Alarm(room.into()));
    }
    if phase == Phase::NotOpened {
        scene = scene.block(row(Word::StaffDoOpen.into(), StaffTouch::Open));
    }
    // Never while polls are open or after: nobody shall take practice for voting on this machine.
    if matches!(phase, Phase::Unprovisioned | Phase::NotOpened) {
        scene = scene.block(Block::Row {
            act: Act::StartPractice,
            label: None,
            values: vec![Word::PracticeDo.into()],
            note: None,
        });
    }
    if phase == Phase::NotOpened {
        // No touch begins it: the kiosk asks by itself when it starts with such a medium.
        scene = scene.block(Block::Small(Word::StaffTakeOver.into()));
    }
    if phase == Phase::Open {
        scene = scene.block(row(Word::StaffDoClose.into(), StaffTouch::Close));
    }
    scene.body.extend(waiting.into_iter().map(Block::Alarm));
    scene = parts(scene, health);
    scene = match &health.counts {
        Some(counts) => with_counts(scene, counts)
            .block(pair(Word::StaffFree, u64::from(health.free)))
            .block(pair(Word::StaffFreeSpoiled, u64::from(health.free_spoiled)))
            .block(pair(Word::StaffUnsent, u64::from(health.unsent))),
        // A14: nothing is counted out before a staff card was shown.
        None if phase == Phase::Open => scene,
        None => scene.block(Block::Small(Word::StaffNotMounted.into())),
    };
    let network = match health.online {
        None => Word::StaffNetworkNone,
        Some(true) => Word::StaffNetworkOn,
        Some(false) => Word::StaffNetworkOff,
    };
    scene = scene
        .block(Block::Pair(Word::StaffNetwork.into(), network.into()))
        .block(pair(Word::StaffHeight, health.height))
        .block(Block::Pair(Word::StaffClock.into(), Say::Plain(clock(health.seconds))));
    if phase == Phase::Open {
        scene = scene.touch(Part::Back, Word::Back, Touch::Back);
    }
    scene
}

/// What somebody has to do something about, while the kiosk goes on. How many there are stands before what can be done; they themselves stand
/// behind it.
fn warnings(health: &Health) -> Vec<Say> {
    let mut out = Vec::new();
    for (on, medium) in [Role::Original, Role::Duplicate].into_iter().zip(&health.media) {
        if let Err(error) = medium {
            let what = [("role", role(on)), ("what", medium_error(*error).into())];
            out.push(Say::Word(Word::StaffMediumFails, what.into()));
        }
    }
    let others = [
        (health.reader == Err(ReaderError::Gone), Word::StaffReaderFails),
        (health.disk.is_some_and(Space::is_low), Word::StaffDiskLow),
        (health.is_hot(), Word::StaffHot),
    ];
    let said = others.into_iter().filter(|(fails, _)| *fails);
    out.extend(said.map(|(_, word)| word.into()));
    out
}

/// Each part by its name and how it is: always as many lines, also where nothing is known of one.
fn parts(mut scene: Scene, health: &Health) -> Scene {
    // What people compare with the label of a medium, and never more than there is.
    let megabytes = |bytes: u64| i64::try_from(bytes >> 20).unwrap_or(i64::MAX);
    for (on, medium) in [Role::Original, Role::Duplicate].into_iter().zip(&health.media) {
        let how = match medium {
            Ok(size) => Say::with(Word::StaffMediumIn, &[("n", megabytes(*size))]),
            Err(error) => medium_error(*error).into(),
        };
        scene = scene.block(Block::Pair(role(on), how));
    }
    let reader = match health.reader {
        Ok(false) => Word::StaffReaderEmpty,
        Ok(true) => Word::StaffReaderCard,
        Err(ReaderError::Mute) => Word::StaffReaderMute,
        Err(_) => Word::StaffReaderGone,
    };
    let disk = health.disk.map_or_else(
        || Word::StaffNotMeasured.into(),
        |Space { free, size }| {
            let room = [("n", megabytes(free)), ("m", megabytes(size))];
            Say::with(Word::StaffDiskFree, &room)
        },
    );
    let warm = health.celsius.map_or_else(
        || Word::StaffNotMeasured.into(),
        |celsius| Say::with(Word::StaffCelsius, &[("n", i64::from(celsius))]),
    );
    scene
        .block(Block::Pair(Word::StaffReader.into(), reader.into()))
        .block(Block::Pair(Word::StaffDisk.into(), disk))
        .block(Block::Pair(Word::StaffTemperature.into(), warm))
}

/// A time as people in Japan read it: `2026-11-22 09:00` (UTC+9). Days to a date by the proleptic Gregorian calendar.
fn clock(seconds: u64) -> String {
    let local = seconds.saturating_add(9 * 3_600);
    let (days, rest) = (local / 86_400, local % 86_400);
    // Howard Hinnant's civil_from_days, eras of 400 years from 0000-03-01.
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}",
        rest / 3_600,
        rest % 3_600 / 60
    )
}

fn refused(why: WrongStaffCard) -> Word {
    match why {
        WrongStaffCard::Unreadable => Word::RefusedUnreadable,
        WrongStaffCard::NotStaff => Word::RefusedNotStaff,
        WrongStaffCard::NoRight => Word::RefusedNoRight,
        WrongStaffCard::SameCard => Word::RefusedSameCard,
        WrongStaffCard::Blocked => Word::RefusedBlocked,
        WrongStaffCard::Certificate(error) => super::voter::certificate(error),
        WrongStaffCard::BadSignature => Word::RefusedSignature,
        _ => Word::RefusedUnreadable,
    }
}

fn zero(report: &ZeroReport<'_>) -> Scene {
    let mut scene = Scene::new(STAFF + 7, "staff-zero-report", Shape::Flow, Word::ZeroTitle)
        .text(Word::ZeroBody)
        .block(pair(Word::ZeroRecorded, u64::from(report.recorded)))
        .block(pair(Word::ZeroCapacity, u64::from(report.capacity)))
        .block(pair(Word::ZeroVoters, u64::from(report.voters)))
        .block(pair(Word::ZeroEpoch, u64::from(report.epoch) + 1))
        .block(Block::Small(Say::from(report.station)))
        .block(digest(Word::ZeroHash, report.hash))
        .block(digest(Word::ZeroPackage, report.package))
        .block(digest(Word::ZeroSoftware, report.software))
        .block(digest(Word::ZeroKiosk, report.kiosk));
    scene.above = Some(Say::from(report.election));
    if report.key_unprotected {
        scene = scene.block(Block::Alarm(Word::ZeroUnprotected.into()));
    }
    scene
        .touch(Part::Forward, Word::ZeroGo, Touch::Confirm)
        .touch(Part::Back, Word::Back, Touch::Back)
}

fn restarted(found: &Restarted) -> Scene {
    // First what became of the vote and what to do about it; then the media. No count: nobody has shown a staff card (A14).
    let voter = match (found.voter, found.taken_over) {
        (Some(Recorded::Yes), false) => Word::RestartedYes,
        (Some(Recorded::No), false) => Word::RestartedNo,
        (Some(Recorded::Yes), true) => Word::RestartedTakenYes,
        (Some(Recorded::No), true) => Word::RestartedTakenNo,
        (Some(Recorded::Unknown), _) => Word::RestartedUnknown,
        (None, _) => Word::RestartedNobody,
    };
    let mut scene =
        Scene::new(STAFF + 8, "staff-restarted", Shape::Flow, Word::RestartedTitle).block(Block::Alarm(voter.into()));
    if found.copied {
        scene = scene.text(Word::RestartedCopied);
    }
    if found.void > 0 {
        scene = scene.text(Say::with(Word::RestartedVoid, &[("n", i64::from(found.void))]));
    }
    scene.touch(Part::Forward, Word::Ok, Touch::Confirm)
}

fn closed(screen: &ClosedScreen<'_>) -> Scene {
    let words: Vec<Say> = screen
        .words
        .iter()
        .enumerate()
        .map(|(index, word)| Say::Plain(format!("{} {word}", index + 1)))
        .collect();
    let mut scene = Scene::new(STAFF + 11, "staff-closed", Shape::Flow, Word::ClosedTitle);
    if let Some(lost) = screen.lost {
        scene = scene.block(Block::Alarm(of(Word::ClosedAlone, lost)));
    }
    scene = scene.text(Word::ClosedBody).block(Block::Words(words));
    if screen.void > 0 {
        scene = scene.text(Say::with(Word::RestartedVoid, &[("n", i64::from(screen.void))]));
    }
    scene = with_counts(scene, &screen.counts)
        .block(pair(Word::ClosedUnsent, u64::from(screen.unsent)))
        .block(digest(Word::ClosedHash, screen.hash));
    if screen.retire {
        // It takes the words from the screen and the keys from the kiosk: behind all else, and held.
        scene = scene.block(Block::Row {
            act: Act::Hold(Touch::Staff(StaffTouch::Retire)),
            label: Some(Word::ClosedRetire.into()),
            values: vec![Word::ClosedRetireHold.into()],
            note: Some(Word::ClosedRetireNote.into()),
        });
    }
    scene.touch(Part::Forward, Word::ClosedGo, Touch::Confirm)
}
