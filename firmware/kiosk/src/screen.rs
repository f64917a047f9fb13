//! What the panel shows and what a touch means. Values only: what is on a screen, with everything the panel needs to draw it and
//! nothing secret beyond it; no pixels, no words (the panel has those, in its languages), no time.
//!
//! The tracking code and the choice never share a screen, but for [`Screen::Opening`] (a spoiled ballot, which is not a vote).
//! No screen holds a PIN, a tag or anything of a card.

use election::hash::Digest;
use election::manifest::{Contest, Epoch, Text};
use election::wire::Seq;

use crate::ballot_box::{Counts, MediaFault, Role};
use crate::form::Form;
use crate::ports::{MediumError, ReaderError, Space};
use crate::session::{PinDigits, Selected, WrongCard};
use crate::update::{Offer, Refused};

/// One screen. The touches a screen offers are named with it; all others do nothing.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Screen<'a> {
    /// Nothing at all: between a voter and the next.
    Blank,
    /// The kiosk is starting: reading media, checking the package. No touch.
    Starting,
    /// Waits for a voter's card. Insert a card; [`Touch::Staff`]`(`[`StaffTouch::Menu`]`)`.
    Idle {
        /// The election's name.
        election: Seq<'a, Text<'a>>,
        /// The station's name.
        station: Seq<'a, Text<'a>>,
    },
    /// A card is in, but it cannot vote. Take it out; then idle again. [`Touch::CallStaff`].
    WrongCard {
        /// Why, and so what to do.
        why: WrongCard,
    },
    /// The PIN pad. [`Touch::Digit`], [`Touch::Clear`], [`Touch::Enter`], [`Touch::CallStaff`]. Taking the card out ends it.
    Pin {
        /// Digits typed so far (how many, never which).
        digits: u8,
        /// Tries left before the card locks, known from the card before each try.
        tries_left: u8,
        /// Whether the last try was wrong.
        wrong: bool,
        /// Whose PIN.
        who: PinOf,
        /// How many digits the PIN of this kind of card has: known before it is asked, and a reminder of which of somebody's numbers it is.
        length: PinDigits,
    },
    /// One try is left, and a wrong one locks the card until a municipal office unlocks it: no digit is taken before
    /// [`Touch::Confirm`]. [`Touch::CallStaff`]; or take the card out.
    LastTry {
        /// Whose PIN.
        who: PinOf,
    },
    /// The card is being checked: a busy indicator. No touch.
    Admitting,
    /// One contest (U5). [`Touch::Option`] selects and deselects, [`Touch::Next`], [`Touch::Back`], [`Touch::CallStaff`],
    /// [`Touch::EndWithoutVote`].
    Contest(ContestScreen<'a>),
    /// More options touched than there are votes: explained, nothing deselected (V13). [`Touch::Confirm`] or [`Touch::Back`] returns.
    Overvote(ContestScreen<'a>),
    /// All contests with what is chosen, before anything is encrypted (A3). [`Touch::Change`] goes back to a contest (U2), [`Touch::Back`],
    /// [`Touch::Confirm`] encrypts, [`Touch::CallStaff`], [`Touch::EndWithoutVote`].
    Review(Review<'a>),
    /// The ballot is being encrypted: a busy indicator. No touch.
    Encrypting,
    /// The encrypted ballot's code, fixed from here on; the choice is not on this screen. [`Touch::Cast`], [`Touch::Challenge`],
    /// [`Touch::Back`] (returns to review, drops this ballot), [`Touch::CallStaff`].
    CastOrChallenge {
        /// The tracking code; its text is `election::ballot`'s (SPEC.md, section 4).
        code: &'a Digest,
        /// How often this voter may still challenge.
        challenges_left: u8,
    },
    /// No more challenges: cast, or call staff. [`Touch::Confirm`] or [`Touch::Back`] returns.
    ChallengesUsedUp,
    /// A record is being written: a busy indicator. No touch.
    Recording,
    /// A challenged ballot is recorded as spoiled and opened, a contest a screen: the only place where code and choice meet.
    /// [`Touch::Next`], [`Touch::Back`]; after the last page [`Touch::Next`] or [`Touch::Confirm`] starts a fresh ballot. [`Touch::CallStaff`].
    Opening(OpeningScreen<'a>),
    /// 「投票しないで終了する」, to be confirmed (A18): it uses up the right to vote. [`Touch::Confirm`], [`Touch::Back`].
    EndWithoutVote,
    /// 完了: the vote is on both media. Take your card (U6). No touch.
    Done,
    /// The card was taken out before the vote was recorded: nothing is recorded, the right to vote is not used up.
    /// [`Touch::Confirm`] or a few seconds.
    Abandoned,
    /// Nobody has touched the panel for long (A20, V6). Any touch returns; nothing is cast or cancelled.
    StillThere,
    /// Nobody answered: locked, the choice hidden. Only staff can go on, by taking the card out: nothing is recorded then. No touch.
    Locked,
    /// The voter calls staff; the choice is hidden before they come near (U9). [`Touch::Back`] or [`Touch::Confirm`] returns.
    CallStaff,
    /// Out of order, for voters and staff to read (F3). No touch; only a restart ends it.
    Fault {
        /// What happened.
        why: Fault,
        /// Whether the vote of the voter who stands here is recorded; `None` if nobody was voting.
        recorded: Option<Recorded>,
    },
    /// What only staff need.
    Staff(StaffScreen<'a>),
}

/// A contest as it is being marked.
#[derive(Clone, Copy)]
pub struct ContestScreen<'a> {
    /// The contest, with names in all languages.
    pub contest: Contest<'a>,
    /// Order of the options on the screen: indices into `contest.options`; empty for the manifest's order.
    pub order: &'a [u8],
    /// This contest's position in the ballot, from 0.
    pub index: u8,
    /// Contests on the ballot.
    pub count: u8,
    /// What is chosen, by index into `contest.options`.
    pub selected: Selected,
    /// Votes that can still be given.
    pub votes_left: u8,
}

/// The whole ballot before it is encrypted.
#[derive(Clone, Copy)]
pub struct Review<'a> {
    /// The ballot's contests.
    pub form: Form<'a>,
    /// What is chosen, a value a contest, in the order of `form`.
    pub selected: &'a [Selected],
}

/// A page of a spoiled ballot's opening.
#[derive(Clone, Copy)]
pub struct OpeningScreen<'a> {
    /// The contest.
    pub contest: Contest<'a>,
    /// Position, from 0.
    pub index: u8,
    /// Pages in all.
    pub count: u8,
    /// What the ballot holds.
    pub selected: Selected,
    /// The spoiled ballot's code.
    pub code: &'a Digest,
    /// What the QR code holds (SPEC.md, section 4).
    pub payload: &'a [u8],
}

/// Whose PIN is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinOf {
    /// The voter's.
    Voter,
    /// The first or second staff member's.
    Staff(u8),
}

/// Whether a vote is recorded, when something went wrong (F3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It stands on at least one medium: the voter has voted.
    Yes,
    /// It stands on none: the voter may vote again, on another kiosk or here after the restart.
    No,
    /// It may or may not stand: the voter must not vote again before the restart has told.
    Unknown,
}

/// Why the kiosk is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A medium failed while it was written or read. Restart with both media; if it fails again, take over with a spare.
    Medium(Role, MediumError),
    /// What was written does not read back. The medium lies or dies: take over with a spare.
    ReadBack(Role),
    /// The media are not the ones this kiosk may use.
    Media(MediaFault),
    /// More or fewer votes than admitted voters: no explanation covers it. Keep both media, call the election office.
    Deficit {
        /// admitted - recorded - abandoned - interrupted.
        missing: i64,
    },
    /// Polls are to be opened, but something stands on the media already (A14): use an empty pair.
    NotZero,
    /// A region of the media is full: take over with a spare that has larger media.
    NoRoom,
    /// The random source fails: nothing can be encrypted.
    Entropy,
    /// The internal memory fails.
    Store,
    /// The package does not fit this kiosk.
    Package(crate::identity::PackageFault),
    /// The kiosk's own keys are damaged or cannot be made.
    Identity(crate::identity::IdentityError),
    /// The roll delta in the store is not right.
    Delta(election::roll::RollError),
    /// The buffers the platform gave are too small for this election.
    Buffers,
    /// A statutory election, but this kiosk has a network (A21).
    UplinkInStatutory,
    /// Something that must not happen did. Report it with the log.
    Defect,
}

/// The staff's screens.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum StaffScreen<'a> {
    /// What can be done now. [`StaffTouch::Open`], [`StaffTouch::Update`] (of a machine that takes updates), [`StaffTouch::Close`] as far as `phase` allows,
    /// [`Touch::Back`] while polls are open. A takeover begins without a touch: with the surviving medium in at the start.
    Menu {
        /// Where the kiosk stands.
        phase: Phase,
        /// How it is.
        health: Health,
    },
    /// The kiosk made its keys: staff compare this with the desk. [`Touch::Confirm`] asks for two staff cards, [`StaffTouch::Update`] where
    /// a machine takes updates.
    Provision {
        /// The kiosk's id (SPEC.md, section 8).
        kiosk: &'a Digest,
        /// Hash of the software.
        software: &'a Digest,
    },
    /// Registered; waits until the desk has put the sealed election secret in. [`Touch::Confirm`] looks again.
    AwaitSecret {
        /// Whether one was there that did not fit.
        refused: bool,
    },
    /// Names the epoch of the media before opening (DESIGN, "Tag"). [`StaffTouch::Epoch`] with its number, [`Touch::Back`].
    ChooseEpoch {
        /// All epochs.
        epochs: Seq<'a, Epoch<'a>>,
        /// Whether the last answer was not the epoch of these media.
        wrong: bool,
    },
    /// Put the first (1) or second (2) staff card in. [`Touch::Back`].
    InsertCard {
        /// For what.
        action: StaffAction,
        /// 1 or 2.
        number: u8,
    },
    /// That card does not do. Take it out.
    CardRefused {
        /// Why.
        why: WrongStaffCard,
    },
    /// Take the staff card out.
    TakeCard,
    /// The zero report (A14), to be printed or written down before polls open. [`Touch::Confirm`], [`Touch::Back`].
    ZeroReport(ZeroReport<'a>),
    /// What a restart found (F2). [`Touch::Confirm`].
    Restarted(Restarted),
    /// The surviving medium of another kiosk is in: take over from it? [`Touch::Confirm`], [`Touch::Back`]: the medium is another
    /// kiosk's then, and nothing else is done with it.
    TakeOver {
        /// Kiosk that is replaced.
        old: &'a Digest,
        /// Votes on the surviving medium.
        recorded: u32,
    },
    /// Close now? No vote is possible afterwards. Only behind the first staff card; left alone, the kiosk goes back to idle.
    /// [`Touch::Confirm`] asks for the second card, [`Touch::Back`].
    ConfirmClose {
        /// What the box holds.
        counts: Counts,
        /// k, if there are votes and fewer than that: whoever stands there could match the closing batch to voters. Hand the box over to a
        /// spare before closing.
        few: Option<u32>,
    },
    /// Closed: witnesses write the words down. [`Touch::Confirm`] ends the run. Where `retire` says so,
    /// [`StaffTouch::Retire`] forgets the keys, so that the kiosk can be registered for the next epoch.
    Closed(ClosedScreen<'a>),
    /// An update of the software, before polls are open.
    Update(UpdateScreen<'a>),
}

/// The way of an update.
#[derive(Clone, Copy)]
pub enum UpdateScreen<'a> {
    /// This image would be taken: staff compare its hash with what the authority has published. Afterwards the kiosk has to be registered
    /// again. [`Touch::Confirm`] asks for two staff cards, [`Touch::Back`].
    Offer {
        /// The image.
        offer: &'a Offer,
    },
    /// It is being written. No touch.
    Writing {
        /// The image.
        offer: &'a Offer,
        /// How far, in hundredths.
        percent: u8,
    },
    /// It is in place. [`Touch::Confirm`] starts the machine again.
    Done {
        /// The image.
        offer: &'a Offer,
    },
    /// It is in place, but the machine does not start again by itself: staff switch it off and on. [`Touch::Confirm`] tries again.
    Stuck {
        /// The image.
        offer: &'a Offer,
    },
    /// Not taken; what runs stays. [`Touch::Confirm`] returns.
    Refused {
        /// Why.
        why: Refused,
        /// Whether the kiosk's keys had gone by then: it is registered again, with new media and a new secret.
        retired: bool,
    },
}

/// Where the kiosk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Has no registration for this election.
    Unprovisioned,
    /// Registered, not opened.
    NotOpened,
    /// Polls are open.
    Open,
    /// Closed for good.
    Closed,
}

/// What two staff cards are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaffAction {
    /// Register this kiosk.
    Provision,
    /// Open polls.
    Open,
    /// Close polls.
    Close,
    /// Close polls once more, on the spare: the former kiosk stopped between their signatures and its own.
    CloseAgain,
    /// Take over from another kiosk.
    TakeOver,
    /// Have an update of the software written.
    Update,
}

/// Why a staff card was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrongStaffCard {
    /// Not a card that can sign, or unreadable.
    Unreadable,
    /// Not on the list of staff cards.
    NotStaff,
    /// On the list, but without the right for this.
    NoRight,
    /// The same card as before: a second person is needed.
    SameCard,
    /// Its PIN is blocked.
    Blocked,
    /// Its certificate does not hold.
    Certificate(card::CertificateError),
    /// It did not sign as its certificate says.
    BadSignature,
}

/// The kiosk's state for staff; never a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// What the box holds; `None` before it is mounted, and while polls are open (A14): without it the next three are 0 and say nothing.
    pub counts: Option<Counts>,
    /// Free places for votes.
    pub free: u32,
    /// Free places for challenged ballots.
    pub free_spoiled: u32,
    /// How much room is left, without a number: also shown while polls are open.
    pub room: Room,
    /// Batches and other transactions that wait for a commit proof.
    pub unsent: u32,
    /// The network: `None` if there is none by type, else whether the last exchange went through.
    pub online: Option<bool>,
    /// Height of the newest block that a proof was seen for.
    pub height: u64,
    /// The clock, in seconds since 1970, for staff to compare.
    pub seconds: u64,
    /// What is in the slots for media at this moment, original and duplicate: its size in bytes, or what is wrong with it.
    pub media: [Result<u64, MediumError>; 2],
    /// The card reader: whether something is in its slot, or what is wrong with it.
    pub reader: Result<bool, ReaderError>,
    /// The kiosk's own disk, where it has one.
    pub disk: Option<Space>,
    /// The warmest place inside, in degrees Celsius, where something measures.
    pub celsius: Option<i16>,
}

impl Health {
    /// From so many degrees Celsius on staff are told that the machine is hot: boards of this kind slow down at 80 to 85.
    pub const HOT: i16 = 75;

    /// Whether staff are to be told that it is hot.
    #[must_use]
    pub const fn is_hot(&self) -> bool {
        matches!(self.celsius, Some(celsius) if celsius >= Self::HOT)
    }
}

/// How much room the media have left for votes, as far as may be said without a staff card (A14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Enough.
    Enough,
    /// A tenth or less: prepare a spare with larger media.
    Low,
    /// None: nobody is admitted any more. Close, or take over with a spare that has larger media.
    Full,
}

/// The zero report.
#[derive(Clone, Copy)]
pub struct ZeroReport<'a> {
    /// The election's name.
    pub election: Seq<'a, Text<'a>>,
    /// The station's name.
    pub station: Seq<'a, Text<'a>>,
    /// The epoch that is opened.
    pub epoch: u8,
    /// Election hash.
    pub hash: &'a Digest,
    /// Package hash.
    pub package: &'a Digest,
    /// Hash of the software.
    pub software: &'a Digest,
    /// Kiosk id.
    pub kiosk: &'a Digest,
    /// Votes on original and duplicate: 0 and 0, or no report. After a takeover the votes taken over.
    pub recorded: u32,
    /// Places for votes.
    pub capacity: u32,
    /// Voters on the station's roll, to compare with `capacity` times the station's kiosks.
    pub voters: u32,
    /// Whether the kiosk's key lies in memory without protection (a microcontroller without secure element).
    pub key_unprotected: bool,
}

/// What a restart found on the media (F2): no choice, no card, and no count of votes, because no staff card was shown yet (A14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// Whether the vote of the voter who was in the booth when the kiosk stopped stands; `None` if nobody was: whoever came before
    /// has read "done" and taken the card, or has left without a vote. After a takeover: of the voter whom the former kiosk let in
    /// last, whose end nobody remembers.
    pub voter: Option<Recorded>,
    /// Whether the box was taken over from another kiosk since.
    pub taken_over: bool,
    /// Whether something was copied because only one medium had it.
    pub copied: bool,
    /// Unreadable places, kept and counted.
    pub void: u32,
}

/// The end of the day.
#[derive(Clone, Copy)]
pub struct ClosedScreen<'a> {
    /// Closing hash.
    pub hash: &'a Digest,
    /// Its 12 words, for witnesses.
    pub words: &'a [&'static str; 12],
    /// What the box held when it was closed: these counts are in the hash.
    pub counts: Counts,
    /// Slots that became unreadable since; not in the hash, to be reported beside it.
    pub void: u32,
    /// The medium that could not be used any more, if the other one was closed alone.
    pub lost: Option<Role>,
    /// Transactions that have not left yet; they can leave on the medium.
    pub unsent: u32,
    /// Whether the keys may be forgotten: everything has left, or there is no network by type.
    pub retire: bool,
}

impl StaffScreen<'_> {
    /// Whether a touch does something here. The loop waits for these and no other; a panel offers these and no other
    /// ([`StaffTouch::Update`] where a machine takes updates).
    #[must_use]
    pub fn takes(&self, touch: Touch) -> bool {
        let one_of = |wanted: &[Touch]| wanted.contains(&touch);
        match self {
            Self::Menu { phase, .. } => match phase {
                Phase::NotOpened => one_of(&[Touch::Staff(StaffTouch::Open), Touch::Staff(StaffTouch::Update)]),
                Phase::Open => one_of(&[Touch::Staff(StaffTouch::Close), Touch::Back]),
                Phase::Unprovisioned | Phase::Closed => false,
            },
            Self::Provision { .. } => one_of(&[Touch::Confirm, Touch::Staff(StaffTouch::Update)]),
            Self::ChooseEpoch { epochs, .. } => match touch {
                Touch::Staff(StaffTouch::Epoch(epoch)) => usize::from(epoch) < epochs.iter().count(),
                other => other == Touch::Back,
            },
            Self::InsertCard { .. } => touch == Touch::Back,
            Self::CardRefused { .. } | Self::TakeCard | Self::Update(UpdateScreen::Writing { .. }) => false,
            Self::AwaitSecret { .. }
            | Self::Restarted(_)
            | Self::Update(UpdateScreen::Done { .. } | UpdateScreen::Stuck { .. } | UpdateScreen::Refused { .. }) => {
                touch == Touch::Confirm
            }
            Self::ZeroReport(_)
            | Self::TakeOver { .. }
            | Self::ConfirmClose { .. }
            | Self::Update(UpdateScreen::Offer { .. }) => one_of(&[Touch::Confirm, Touch::Back]),
            Self::Closed(closed) => {
                touch == Touch::Confirm || closed.retire && touch == Touch::Staff(StaffTouch::Retire)
            }
        }
    }
}

/// A touch, by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Touch {
    /// A digit of the PIN, 0 to 9.
    Digit(u8),
    /// Takes the digits back.
    Clear,
    /// The PIN is complete.
    Enter,
    /// An option of the contest shown, by index into its options in the manifest.
    Option(u8),
    /// Onward.
    Next,
    /// Back.
    Back,
    /// From the review to a contest, by its position.
    Change(u8),
    /// Cast this ballot.
    Cast,
    /// Challenge this ballot.
    Challenge,
    /// End without a vote.
    EndWithoutVote,
    /// Yes.
    Confirm,
    /// Call staff.
    CallStaff,
    /// Somebody is there, and does nothing that the kiosk need know: listens, turns pages. Changes nothing but that waiting for a touch
    /// begins anew (A20).
    Here,
    /// Staff's.
    Staff(StaffTouch),
}

/// Staff's touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StaffTouch {
    /// Opens the staff menu from the idle screen (the panel asks for a long press in a corner).
    Menu,
    /// Open polls.
    Open,
    /// Close polls.
    Close,
    /// Make a closed kiosk ready for another epoch.
    Retire,
    /// The epoch's number.
    Epoch(u8),
    /// Update the software, before polls are opened or the kiosk is registered.
    Update,
}
