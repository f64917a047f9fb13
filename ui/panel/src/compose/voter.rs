//! What voters see.

use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use card::CertificateError;
use election::hash::Digest;
use election::manifest::Contest;
use kiosk::screen::{ContestScreen, OpeningScreen, PinOf, Review, Screen, StaffTouch, Touch};
use kiosk::session::{PinDigits, Selected, WrongCard};

use super::kind;
use crate::qr::Code;
use crate::scene::{Act, Block, Part, Scene, Shape};
use crate::words::{Say, Word};

pub(super) fn voter(screen: &Screen<'_>) -> Scene {
    match screen {
        Screen::Starting => notice(kind::STARTING, "starting", Word::StartingTitle).text(Word::StartingBody),
        Screen::Idle { election, station } => idle(Say::from(*election), Say::from(*station)),
        // Nothing is wrong with the card, if there is one.
        Screen::WrongCard {
            why: WrongCard::ReaderGone,
        } => with_call(
            Scene::new(kind::WRONG_CARD, "wrong-card", Shape::Flow, Word::WrongReaderTitle)
                .block(Block::Alarm(Word::WrongReader.into())),
        ),
        Screen::WrongCard { why } => with_call(
            Scene::new(kind::WRONG_CARD, "wrong-card", Shape::Flow, wrong_title(*why))
                .block(Block::Alarm(wrong(*why).into()))
                .text(Word::TakeCard),
        ),
        Screen::Pin {
            digits,
            tries_left,
            wrong,
            who,
            length,
        } => pin(*digits, *tries_left, *wrong, *who, *length),
        Screen::LastTry { who } => with_call(
            Scene::new(kind::LAST_TRY, "last-try", Shape::Flow, Word::LastTitle)
                .block(Block::Alarm(Word::LastBody.into()))
                .text(Word::LastDoubt)
                .touch(Part::Forward, Word::LastGo, Touch::Confirm),
        )
        .over(who_says(*who)),
        Screen::Admitting => notice(kind::ADMITTING, "admitting", Word::AdmittingTitle).text(Word::AdmittingBody),
        Screen::Contest(contest) => ballot(contest),
        Screen::Overvote(screen) => overvote(screen),
        Screen::Review(review) => self::review(review),
        Screen::Encrypting => notice(kind::ENCRYPTING, "encrypting", Word::EncryptingTitle).text(Word::EncryptingBody),
        Screen::CastOrChallenge { code, challenges_left } => cast(code, *challenges_left),
        Screen::ChallengesUsedUp => with_call(
            Scene::new(kind::USED_UP, "challenges-used-up", Shape::Flow, Word::UsedTitle)
                .text(Word::UsedBody)
                .touch(Part::Forward, Word::Ok, Touch::Confirm),
        ),
        Screen::Recording => notice(kind::RECORDING, "recording", Word::RecordingTitle).text(Word::RecordingBody),
        Screen::Opening(opening) => self::opening(opening),
        Screen::EndWithoutVote => with_call(
            Scene::new(kind::END, "end-without-vote", Shape::Flow, Word::EndTitle)
                .block(Block::Alarm(Word::EndBody.into()))
                // Going on with the vote is what leads on here; ending stands apart.
                .touch(Part::Forward, Word::EndBack, Touch::Back)
                .touch(Part::Aside, Word::EndGo, Touch::Confirm),
        ),
        Screen::Done => notice(kind::DONE, "done", Word::DoneTitle)
            .text(Word::DoneBody)
            .text(Word::DoneCard),
        Screen::Abandoned => Scene::new(kind::ABANDONED, "abandoned", Shape::Notice, Word::AbandonedTitle)
            .text(Word::AbandonedBody)
            .touch(Part::Forward, Word::Ok, Touch::Confirm),
        Screen::StillThere => {
            let mut scene = notice(kind::STILL_THERE, "still-there", Word::StillTitle).text(Word::StillBody);
            // Any touch returns; Back never casts, cancels or changes anything on any screen under this one.
            scene.anywhere = Some(Act::Send(Touch::Back));
            scene
        }
        Screen::Locked => notice(kind::LOCKED, "locked", Word::LockedTitle)
            .text(Word::LockedBody)
            .block(Block::Small(Word::LockedStaff.into())),
        Screen::CallStaff => with_display(
            Scene::new(kind::CALL_STAFF, "call-staff", Shape::Notice, Word::CalledTitle)
                .text(Word::CalledBody)
                .touch(Part::Forward, Word::CalledBack, Touch::Back),
        ),
        // A screen of a newer kiosk: never a blank panel.
        _ => notice(kind::LOCKED, "unknown", Word::LockedTitle),
    }
}

impl Scene {
    fn over(mut self, above: Option<Say>) -> Self {
        self.above = above;
        self
    }
}

fn notice(kind: u16, name: &'static str, title: Word) -> Scene {
    Scene::new(kind, name, Shape::Notice, title)
}

fn with_display(scene: Scene) -> Scene {
    scene.button(Part::Always, Word::Display, Act::Settings)
}

pub(super) fn with_call(scene: Scene) -> Scene {
    with_display(scene.touch(Part::Always, Word::Call, Touch::CallStaff))
}

fn idle(election: Say, station: Say) -> Scene {
    let mut scene = Scene::new(kind::IDLE, "idle", Shape::Notice, Word::IdleTitle)
        .text(Word::IdleBody)
        .block(Block::Small(station))
        .button(Part::Always, Word::Display, Act::Settings)
        .button(Part::Back, Word::IdleStaff, Act::Hold(Touch::Staff(StaffTouch::Menu)));
    scene.above = Some(election);
    scene
}

/// Where it is the machine that cannot, nothing is said against the card.
const fn wrong_title(why: WrongCard) -> Word {
    match why {
        WrongCard::Full => Word::WrongFullTitle,
        _ => Word::WrongTitle,
    }
}

fn wrong(why: WrongCard) -> Word {
    match why {
        WrongCard::Mute => Word::WrongMute,
        WrongCard::ReaderGone => Word::WrongReader,
        WrongCard::Unsuitable => Word::WrongUnsuitable,
        WrongCard::Unreadable => Word::WrongUnreadable,
        WrongCard::Blocked => Word::WrongBlocked,
        WrongCard::Certificate(error) => certificate(error),
        WrongCard::NotProven => Word::WrongNotProven,
        WrongCard::NotOnRoll => Word::WrongNotOnRoll,
        WrongCard::Voted => Word::WrongVoted,
        WrongCard::Full => Word::WrongFull,
        _ => Word::WrongUnreadable,
    }
}

pub(super) fn certificate(error: CertificateError) -> Word {
    match error {
        CertificateError::Expired => Word::WrongExpired,
        CertificateError::NotYetValid => Word::WrongNotYet,
        CertificateError::UnknownIssuer => Word::WrongIssuer,
        _ => Word::WrongCertificate,
    }
}

fn who_says(who: PinOf) -> Option<Say> {
    match who {
        PinOf::Voter => None,
        PinOf::Staff(number) => Some(Say::with(Word::PinStaff, &[("n", i64::from(number))])),
    }
}

fn pin(digits: u8, tries_left: u8, wrong: bool, who: PinOf, length: PinDigits) -> Scene {
    let shape = Shape::Pad {
        typed: digits,
        practice: false,
    };
    let mut scene = Scene::new(kind::PIN, "pin", shape, Word::PinTitle);
    scene.above = who_says(who);
    if wrong {
        scene = scene.block(Block::Alarm(Word::PinWrong.into()));
    }
    let (fewest, most) = (i64::from(length.fewest), i64::from(length.most));
    let length = if fewest == most {
        Say::with(Word::PinLength, &[("n", fewest)])
    } else {
        Say::with(Word::PinLengths, &[("n", fewest), ("m", most)])
    };
    let tries = Say::with(Word::PinTries, &[("n", i64::from(tries_left))]);
    with_call(
        scene
            .block(Block::Small(tries))
            .block(Block::Small(length))
            .block(Block::Small(Word::PinHelp.into())),
    )
}

/// The options in the order of the screen, with their index in the manifest.
fn options<'a>(
    contest: &Contest<'a>,
    order: &'a [u8],
) -> impl Iterator<Item = (u8, election::manifest::Choice<'a>)> + use<'a> {
    let all: Vec<_> = (0_u8..).zip(contest.options.iter().map_while(Result::ok)).collect();
    let order: Vec<u8> = if order.is_empty() {
        all.iter().map(|(index, _)| *index).collect()
    } else {
        order.to_vec()
    };
    order
        .into_iter()
        .filter_map(move |index| all.get(usize::from(index)).copied())
}

/// A contest to be marked.
pub(super) struct Sheet {
    /// Its position, and how many there are.
    pub place: (u8, u8),
    pub name: Say,
    pub text: Option<Say>,
    pub votes: u8,
    pub left: u8,
    /// Index, name, party, chosen.
    pub options: Vec<(u8, Say, Option<Say>, bool)>,
}

fn ballot(screen: &ContestScreen<'_>) -> Scene {
    let contest = &screen.contest;
    sheet(Sheet {
        place: (screen.index, screen.count),
        name: Say::from(contest.name),
        text: (!contest.text.is_empty()).then(|| Say::from(contest.text)),
        votes: contest.votes,
        left: screen.votes_left,
        options: options(contest, screen.order)
            .map(|(index, option)| {
                let party = (!option.party.is_empty()).then(|| Say::from(option.party));
                (index, Say::from(option.name), party, screen.selected.has(index))
            })
            .collect(),
    })
}

pub(super) fn sheet(sheet: Sheet) -> Scene {
    let (index, count) = sheet.place;
    let mut scene = Scene::new(kind::CONTEST + u16::from(index), "contest", Shape::Flow, sheet.name);
    if count > 1 {
        let place = [("n", i64::from(index) + 1), ("m", i64::from(count))];
        scene.above = Some(Say::with(Word::ContestNumber, &place));
    }
    if let Some(text) = sheet.text {
        scene = scene.text(text);
    }
    scene = scene.block(Block::Small(how_many(sheet.votes)));
    for (option, name, sub, chosen) in sheet.options {
        scene = scene.block(Block::Option {
            act: Act::Send(Touch::Option(option)),
            name,
            sub,
            chosen,
        });
    }
    scene.status = Some(if sheet.left == 0 {
        Word::ContestFull.into()
    } else {
        Say::with(Word::ContestLeft, &[("n", i64::from(sheet.left))])
    });
    with_call(
        scene
            .touch(Part::Forward, Word::Next, Touch::Next)
            .touch(Part::Back, Word::Back, Touch::Back),
    )
    .touch(Part::Always, Word::EndButton, Touch::EndWithoutVote)
    .without_back_on_first(index)
}

impl Scene {
    /// The first contest has nothing before it.
    fn without_back_on_first(mut self, index: u8) -> Self {
        if index == 0 {
            self.buttons.retain(|button| button.part != Part::Back);
        }
        self
    }
}

fn how_many(votes: u8) -> Say {
    if votes == 1 {
        Word::ContestOne.into()
    } else {
        Say::with(Word::ContestMany, &[("n", i64::from(votes))])
    }
}

fn overvote(screen: &ContestScreen<'_>) -> Scene {
    let kept = chosen(&screen.contest, screen.order, screen.selected);
    over(screen.contest.votes, kept)
}

pub(super) fn over(votes: u8, kept: Vec<Say>) -> Scene {
    let votes = [("n", i64::from(votes))];
    let mut scene = Scene::new(
        kind::OVERVOTE,
        "overvote",
        Shape::Flow,
        Say::with(Word::OverTitle, &votes),
    )
    .text(Say::with(Word::OverBody, &votes))
    .block(Block::Small(Word::OverKept.into()));
    for name in kept {
        scene = scene.block(Block::Name(name));
    }
    with_call(scene.touch(Part::Forward, Word::OverOk, Touch::Confirm))
}

/// The names of what is chosen; where another option has the same name, or sounds the same, its party too.
fn chosen(contest: &Contest<'_>, order: &[u8], selected: Selected) -> Vec<Say> {
    let all: Vec<(u8, Say, Say)> = options(contest, order)
        .map(|(index, option)| (index, Say::from(option.name), Say::from(option.party)))
        .collect();
    let mut out = Vec::new();
    for (index, name, party) in all.iter().filter(|(index, ..)| selected.has(*index)) {
        out.push(name.clone());
        let twin = |other: &&(u8, Say, Say)| other.0 != *index && other.1.shares(name);
        if *party != Say::Texts(Vec::new()) && all.iter().any(|other| twin(&other)) {
            out.push(party.clone());
        }
    }
    out
}

fn review(review: &Review<'_>) -> Scene {
    let rows = review.form.contests().zip(review.selected).map(|(item, selected)| {
        (
            Say::from(item.contest.name),
            chosen(&item.contest, item.order, *selected),
            item.contest.votes.saturating_sub(selected.count()),
        )
    });
    overview(rows)
}

/// The review of contests: name, what is chosen, votes left.
pub(super) fn overview(rows: impl Iterator<Item = (Say, Vec<Say>, u8)>) -> Scene {
    let mut scene =
        Scene::new(kind::REVIEW, "review", Shape::Flow, Word::ReviewTitle).block(Block::Small(Word::ReviewBody.into()));
    for (position, (name, mut values, left)) in (0_u8..).zip(rows) {
        if values.is_empty() {
            values = vec![Word::ReviewNone.into()];
        }
        scene = scene.block(Block::Row {
            act: Act::Send(Touch::Change(position)),
            label: Some(name),
            values,
            note: (left > 0).then(|| Say::with(Word::ReviewUnder, &[("n", i64::from(left))])),
        });
    }
    with_call(
        scene
            .touch(Part::Forward, Word::ReviewGo, Touch::Confirm)
            .touch(Part::Back, Word::Back, Touch::Back),
    )
    .touch(Part::Always, Word::EndButton, Touch::EndWithoutVote)
}

/// The tracking code as groups that stay whole, and as text for the QR code.
fn code_block(code: &Digest) -> (Vec<Say>, Option<Code>) {
    let text = election::ballot::code_text(code).to_string();
    let groups: Vec<&str> = text.split('-').collect();
    // Two groups a line, the hyphens kept, so that a line copied by hand is a piece of the code.
    let lines = groups.chunks(2).map(|pair| Say::Plain(pair.join("-"))).collect();
    (lines, Code::text(&text))
}

fn cast(code: &Digest, challenges_left: u8) -> Scene {
    let (lines, picture) = code_block(code);
    let mut scene = Scene::new(kind::CAST, "cast-or-challenge", Shape::Flow, Word::CastTitle).text(Word::CastBody);
    scene = scene.block(Block::Heading(Word::CastCode.into()));
    scene = match picture {
        Some(picture) => scene.block(Block::Qr(picture, lines)),
        None => scene.block(Block::Groups(lines)),
    };
    scene = scene.block(Block::Small(Word::CastCodeHelp.into()));
    scene = scene.block(Block::Small(if challenges_left > 0 {
        Say::with(Word::CastChallengeHelp, &[("n", i64::from(challenges_left))])
    } else {
        Word::CastChallengeNone.into()
    }));
    with_call(
        scene
            .touch(Part::Forward, Word::CastGo, Touch::Cast)
            .touch(Part::Aside, Word::CastChallenge, Touch::Challenge)
            .touch(Part::Back, Word::CastBack, Touch::Back),
    )
}

fn opening(screen: &OpeningScreen<'_>) -> Scene {
    let mut scene = Scene::new(
        kind::OPENING + u16::from(screen.index),
        "opening",
        Shape::Flow,
        Word::OpeningTitle,
    )
    .block(Block::Alarm(Word::OpeningBody.into()))
    .block(Block::Small(Say::from(screen.contest.name)));
    if screen.count > 1 {
        let place = [("n", i64::from(screen.index) + 1), ("m", i64::from(screen.count))];
        scene.above = Some(Say::with(Word::ContestNumber, &place));
    }
    let mut values = chosen(&screen.contest, &[], screen.selected);
    if values.is_empty() {
        values = vec![Word::OpeningNone.into()];
    }
    scene = scene.block(Block::Heading(Word::OpeningHeld.into()));
    for value in values {
        scene = scene.text(value);
    }
    let (lines, _) = code_block(screen.code);
    if let Some(picture) = Code::bytes(screen.payload) {
        scene = scene.block(Block::Qr(picture, vec![Word::OpeningHelp.into()]));
    }
    scene = scene
        .block(Block::Heading(Word::OpeningCode.into()))
        .block(Block::Groups(lines));
    let last = screen.index.saturating_add(1) >= screen.count;
    let forward = if last { Word::OpeningFinish } else { Word::OpeningNext };
    with_call(
        scene
            .touch(Part::Forward, forward, Touch::Next)
            .touch(Part::Back, Word::Back, Touch::Back),
    )
    .without_back_on_first(screen.index)
}
