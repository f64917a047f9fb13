//! A screen as a person sees it: an owned copy of a [`Screen`], with ids instead of pictures and nothing more than is on it.
//! People act on it, traces print it (it holds no PIN), tests compare it.

use election::hash::Digest;
use election::manifest::Contest;
use kiosk::ballot_box::Counts;
use kiosk::screen::{
    ContestScreen, Fault, Health, PinOf, Recorded, Restarted, Screen, StaffAction, StaffScreen, WrongStaffCard,
};
use kiosk::session::{Selected, WrongCard};

/// What is on the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// No power.
    Dark,
    /// See [`Screen::Blank`].
    Blank,
    /// See [`Screen::Starting`].
    Starting,
    /// See [`Screen::Idle`].
    Idle,
    /// See [`Screen::WrongCard`].
    WrongCard(WrongCard),
    /// See [`Screen::Pin`].
    Pin {
        /// Digits typed.
        digits: u8,
        /// Tries left.
        tries_left: u8,
        /// Whether the last try was wrong.
        wrong: bool,
        /// Whose.
        who: PinOf,
    },
    /// See [`Screen::LastTry`].
    LastTry(PinOf),
    /// See [`Screen::Admitting`].
    Admitting,
    /// See [`Screen::Contest`].
    Contest(ContestView),
    /// See [`Screen::Overvote`].
    Overvote(ContestView),
    /// See [`Screen::Review`]: contest id and chosen option ids.
    Review(Vec<(String, Vec<String>)>),
    /// See [`Screen::Encrypting`].
    Encrypting,
    /// See [`Screen::CastOrChallenge`].
    CastOrChallenge {
        /// Tracking code.
        code: Digest,
        /// Challenges left.
        challenges_left: u8,
    },
    /// See [`Screen::ChallengesUsedUp`].
    ChallengesUsedUp,
    /// See [`Screen::Recording`].
    Recording,
    /// See [`Screen::Opening`].
    Opening(OpeningView),
    /// See [`Screen::EndWithoutVote`].
    EndWithoutVote,
    /// See [`Screen::Done`].
    Done,
    /// See [`Screen::Abandoned`].
    Abandoned,
    /// See [`Screen::StillThere`].
    StillThere,
    /// See [`Screen::Locked`].
    Locked,
    /// See [`Screen::CallStaff`].
    CallStaff,
    /// See [`Screen::Fault`].
    Fault {
        /// What happened.
        why: Fault,
        /// Whether the vote stands.
        recorded: Option<Recorded>,
    },
    /// What only staff need.
    Staff(StaffView),
    /// A screen this program does not know.
    Unknown,
}

/// A contest on the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContestView {
    /// NIST's `@id`.
    pub id: String,
    /// Ids of the options, as in the manifest.
    pub options: Vec<String>,
    /// Indices into `options`, in the order on the panel.
    pub order: Vec<u8>,
    /// Position in the ballot, from 0.
    pub index: u8,
    /// Contests on the ballot.
    pub count: u8,
    /// What is chosen, by index into `options`.
    pub selected: Vec<u8>,
    /// Votes left.
    pub votes_left: u8,
}

/// A page of an opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningView {
    /// NIST's `@id` of the contest.
    pub contest: String,
    /// Ids of the chosen options.
    pub selected: Vec<String>,
    /// Page, from 0.
    pub index: u8,
    /// Pages.
    pub count: u8,
    /// The spoiled ballot's code.
    pub code: Digest,
    /// What the QR code holds.
    pub payload: Vec<u8>,
}

/// A staff screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaffView {
    /// See [`StaffScreen::Menu`].
    Menu {
        /// Where the kiosk stands.
        phase: kiosk::screen::Phase,
        /// How it is.
        health: Health,
    },
    /// See [`StaffScreen::Provision`].
    Provision {
        /// Kiosk id.
        kiosk: Digest,
        /// Software hash.
        software: Digest,
    },
    /// See [`StaffScreen::AwaitSecret`].
    AwaitSecret {
        /// Whether one did not fit.
        refused: bool,
    },
    /// See [`StaffScreen::ChooseEpoch`].
    ChooseEpoch {
        /// How many there are.
        epochs: u8,
        /// Whether the last answer was wrong.
        wrong: bool,
    },
    /// See [`StaffScreen::InsertCard`].
    InsertCard {
        /// For what.
        action: StaffAction,
        /// 1 or 2.
        number: u8,
    },
    /// See [`StaffScreen::CardRefused`].
    CardRefused(WrongStaffCard),
    /// See [`StaffScreen::TakeCard`].
    TakeCard,
    /// See [`StaffScreen::ZeroReport`].
    ZeroReport(ZeroReportView),
    /// See [`StaffScreen::Restarted`].
    Restarted(Restarted),
    /// See [`StaffScreen::TakeOver`].
    TakeOver {
        /// Kiosk that is replaced.
        old: Digest,
        /// Votes on the surviving medium.
        recorded: u32,
    },
    /// See [`StaffScreen::ConfirmClose`].
    ConfirmClose(Counts),
    /// See [`StaffScreen::Closed`].
    Closed {
        /// Closing hash.
        hash: Digest,
        /// Its words.
        words: Vec<String>,
        /// What the box holds.
        counts: Counts,
        /// What has not left.
        unsent: u32,
    },
    /// A screen this program does not know.
    Unknown,
}

/// What is printed before polls open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeroReportView {
    /// Epoch.
    pub epoch: u8,
    /// Election hash.
    pub election: Digest,
    /// Package hash.
    pub package: Digest,
    /// Software hash.
    pub software: Digest,
    /// Kiosk id.
    pub kiosk: Digest,
    /// Votes in the box.
    pub recorded: u32,
    /// Places for votes.
    pub capacity: u32,
}

impl View {
    /// Looks at a screen.
    #[must_use]
    pub fn of(screen: &Screen<'_>) -> Self {
        match screen {
            Screen::Blank => Self::Blank,
            Screen::Starting => Self::Starting,
            Screen::Idle { .. } => Self::Idle,
            Screen::WrongCard { why } => Self::WrongCard(*why),
            Screen::Pin {
                digits,
                tries_left,
                wrong,
                who,
                ..
            } => Self::Pin {
                digits: *digits,
                tries_left: *tries_left,
                wrong: *wrong,
                who: *who,
            },
            Screen::LastTry { who } => Self::LastTry(*who),
            Screen::Admitting => Self::Admitting,
            Screen::Contest(contest) => Self::Contest(contest_view(contest)),
            Screen::Overvote(contest) => Self::Overvote(contest_view(contest)),
            Screen::Review(review) => Self::Review(
                review
                    .form
                    .contests()
                    .zip(review.selected)
                    .map(|(item, selected)| (item.contest.id.to_owned(), chosen(&item.contest, *selected)))
                    .collect(),
            ),
            Screen::Encrypting => Self::Encrypting,
            Screen::CastOrChallenge { code, challenges_left } => Self::CastOrChallenge {
                code: **code,
                challenges_left: *challenges_left,
            },
            Screen::ChallengesUsedUp => Self::ChallengesUsedUp,
            Screen::Recording => Self::Recording,
            Screen::Opening(opening) => Self::Opening(OpeningView {
                contest: opening.contest.id.to_owned(),
                selected: chosen(&opening.contest, opening.selected),
                index: opening.index,
                count: opening.count,
                code: *opening.code,
                payload: opening.payload.to_vec(),
            }),
            Screen::EndWithoutVote => Self::EndWithoutVote,
            Screen::Done => Self::Done,
            Screen::Abandoned => Self::Abandoned,
            Screen::StillThere => Self::StillThere,
            Screen::Locked => Self::Locked,
            Screen::CallStaff => Self::CallStaff,
            Screen::Fault { why, recorded } => Self::Fault {
                why: *why,
                recorded: *recorded,
            },
            Screen::Staff(staff) => Self::Staff(StaffView::of(staff)),
            _ => Self::Unknown,
        }
    }

    /// What kind of screen it is: touches meant for one kind must not act on another.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Dark => 0,
            Self::Blank => 1,
            Self::Starting => 2,
            Self::Idle => 3,
            Self::WrongCard(_) => 4,
            Self::Pin { .. } => 5,
            Self::LastTry(_) => 6,
            Self::Admitting => 7,
            Self::Contest(_) => 8,
            Self::Overvote(_) => 9,
            Self::Review(_) => 10,
            Self::Encrypting => 11,
            Self::CastOrChallenge { .. } => 12,
            Self::ChallengesUsedUp => 13,
            Self::Recording => 14,
            Self::Opening(_) => 15,
            Self::EndWithoutVote => 16,
            Self::Done => 17,
            Self::Abandoned => 18,
            Self::StillThere => 19,
            Self::Locked => 20,
            Self::CallStaff => 21,
            Self::Fault { .. } => 22,
            Self::Unknown => 23,
            Self::Staff(staff) => 32 + staff.kind(),
        }
    }

    /// Whether the person in front of it is inside the booth: admitted, and nothing recorded yet.
    #[must_use]
    pub const fn is_voting(&self) -> bool {
        matches!(
            self,
            Self::Contest(_)
                | Self::Overvote(_)
                | Self::Review(_)
                | Self::Encrypting
                | Self::CastOrChallenge { .. }
                | Self::ChallengesUsedUp
                | Self::Recording
                | Self::Opening(_)
                | Self::EndWithoutVote
                | Self::StillThere
                | Self::Locked
                | Self::CallStaff
        )
    }
}

impl StaffView {
    fn of(screen: &StaffScreen<'_>) -> Self {
        match screen {
            StaffScreen::Menu { phase, health } => Self::Menu {
                phase: *phase,
                health: *health,
            },
            StaffScreen::Provision { kiosk, software } => Self::Provision {
                kiosk: **kiosk,
                software: **software,
            },
            StaffScreen::AwaitSecret { refused } => Self::AwaitSecret { refused: *refused },
            StaffScreen::ChooseEpoch { epochs, wrong } => Self::ChooseEpoch {
                epochs: u8::try_from(epochs.count()).unwrap_or(u8::MAX),
                wrong: *wrong,
            },
            StaffScreen::InsertCard { action, number } => Self::InsertCard {
                action: *action,
                number: *number,
            },
            StaffScreen::CardRefused { why } => Self::CardRefused(*why),
            StaffScreen::TakeCard => Self::TakeCard,
            StaffScreen::ZeroReport(report) => Self::ZeroReport(ZeroReportView {
                epoch: report.epoch,
                election: *report.hash,
                package: *report.package,
                software: *report.software,
                kiosk: *report.kiosk,
                recorded: report.recorded,
                capacity: report.capacity,
            }),
            StaffScreen::Restarted(found) => Self::Restarted(*found),
            StaffScreen::TakeOver { old, recorded } => Self::TakeOver {
                old: **old,
                recorded: *recorded,
            },
            StaffScreen::ConfirmClose { counts, .. } => Self::ConfirmClose(*counts),
            StaffScreen::Closed(closed) => Self::Closed {
                hash: *closed.hash,
                words: closed.words.iter().map(|word| (*word).to_owned()).collect(),
                counts: closed.counts,
                unsent: closed.unsent,
            },
            _ => Self::Unknown,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Menu { .. } => 0,
            Self::Provision { .. } => 1,
            Self::AwaitSecret { .. } => 2,
            Self::ChooseEpoch { .. } => 3,
            Self::InsertCard { .. } => 4,
            Self::CardRefused(_) => 5,
            Self::TakeCard => 6,
            Self::ZeroReport(_) => 7,
            Self::Restarted(_) => 8,
            Self::TakeOver { .. } => 9,
            Self::ConfirmClose(_) => 10,
            Self::Closed { .. } => 11,
            Self::Unknown => 12,
        }
    }
}

fn contest_view(screen: &ContestScreen<'_>) -> ContestView {
    let options: Vec<String> = screen
        .contest
        .options
        .iter()
        .map_while(Result::ok)
        .map(|option| option.id.to_owned())
        .collect();
    let all = 0..u8::try_from(options.len()).unwrap_or(u8::MAX);
    ContestView {
        id: screen.contest.id.to_owned(),
        order: if screen.order.is_empty() {
            all.clone().collect()
        } else {
            screen.order.to_vec()
        },
        options,
        index: screen.index,
        count: screen.count,
        selected: all.filter(|index| screen.selected.has(*index)).collect(),
        votes_left: screen.votes_left,
    }
}

fn chosen(contest: &Contest<'_>, selected: Selected) -> Vec<String> {
    contest
        .options
        .iter()
        .map_while(Result::ok)
        .zip(0..)
        .filter(|(_, index)| selected.has(*index))
        .map(|(option, _)| option.id.to_owned())
        .collect()
}
