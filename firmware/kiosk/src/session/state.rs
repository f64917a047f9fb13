//! The session's states.

use election::hash::Digest;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{PinDigits, WrongCard};

/// Contests on one ballot (SPEC.md, section 2).
pub const MAX_CONTESTS: usize = 64;
/// Longest PIN.
pub const PIN_MAX: usize = 8;
/// Shortest PIN that is sent to a card at all.
pub const PIN_MIN: usize = 4;

/// HMAC(E, pseudonym): the mark of a card in this election. No `Debug`: whoever has it and E's box can see whether a card has voted.
#[derive(Clone, Copy, Zeroize)]
pub struct Tag(pub [u8; 32]);

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl Eq for Tag {}

/// Options chosen in one contest: bit i is option i. At most 60 (SPEC.md, section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Zeroize)]
pub struct Selected(u64);

impl Selected {
    /// Nothing chosen.
    pub const NONE: Self = Self(0);

    /// Whether option `index` is chosen.
    #[must_use]
    pub const fn has(self, index: u8) -> bool {
        index < 64 && self.0 >> index & 1 == 1
    }

    /// How many are chosen.
    #[must_use]
    pub const fn count(self) -> u8 {
        // At most 64.
        self.0.count_ones().to_le_bytes()[0]
    }

    /// With option `index` flipped; indices from 64 on change nothing.
    #[must_use]
    pub const fn toggled(self, index: u8) -> Self {
        if index < 64 { Self(self.0 ^ 1 << index) } else { self }
    }

    /// The bits, option 0 lowest.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// Numbers of a ballot style: all that the machine needs to know of the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    contests: heapless::Vec<(u8, u8), MAX_CONTESTS>,
}

impl Shape {
    /// Contests as (options m, votes n).
    pub fn new(contests: impl IntoIterator<Item = (u8, u8)>) -> Option<Self> {
        let mut shape = Self::default();
        for contest in contests {
            shape.contests.push(contest).ok()?;
        }
        Some(shape)
    }

    /// Contests on the ballot.
    #[must_use]
    pub fn len(&self) -> u8 {
        // At most MAX_CONTESTS.
        u8::try_from(self.contests.len()).unwrap_or(0)
    }

    /// Whether there is no contest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contests.is_empty()
    }

    /// Options and votes of a contest.
    #[must_use]
    pub fn contest(&self, index: u8) -> Option<(u8, u8)> {
        self.contests.get(usize::from(index)).copied()
    }
}

/// The session. `serial` counts outcomes, so that the proof of one cannot unlock another.
pub struct State {
    pub(super) serial: u32,
    pub(super) phase: Phase,
}

impl State {
    /// Nobody is there.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            serial: 0,
            phase: Phase::Idle,
        }
    }

    /// Where the session stands.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The voter's booth, between admission and the end.
    #[must_use]
    pub fn voting(&self) -> Option<&Voting> {
        match &self.phase {
            Phase::Voting(voting) => Some(voting),
            _ => None,
        }
    }

    /// After how many milliseconds without input [`super::Input::Timeout`] is due (A20, V6: 2 to 5 minutes, then an alert of 20 to 45 s).
    #[must_use]
    pub fn timeout(&self) -> Option<u32> {
        match &self.phase {
            Phase::Idle | Phase::Probing | Phase::Admitting => None,
            Phase::Refused(WrongCard::ReaderGone) => Some(5_000),
            Phase::Refused(_) | Phase::Done => Some(20_000),
            Phase::Pin(_) => Some(60_000),
            Phase::Abandoned => Some(8_000),
            Phase::Leaving => Some(3_000),
            Phase::Blank => Some(1_500),
            Phase::Voting(voting) => match voting.aside {
                Aside::None => Some(150_000),
                Aside::StillThere => Some(30_000),
                Aside::CallStaff | Aside::Locked => None,
            },
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the session stands.
// The voter's booth is the state that matters; boxing it is not possible without a heap.
#[allow(clippy::large_enum_variant)]
pub enum Phase {
    /// Waits for a card.
    Idle,
    /// A card is in and is asked what it is.
    Probing,
    /// A card is in that cannot vote.
    Refused(WrongCard),
    /// The PIN is being typed.
    Pin(PinEntry),
    /// The card is being checked with the PIN.
    Admitting,
    /// Admitted; the card is forgotten.
    Voting(Voting),
    /// The card was taken out before a vote was recorded.
    Abandoned,
    /// The vote is recorded; the card is still in.
    Done,
    /// As before, and the card is out: whoever pulled it while casting must still be able to read that the vote is recorded (U6).
    Leaving,
    /// Between voters.
    Blank,
}

/// Digits typed so far. Wiped when dropped; no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PinEntry {
    pub(super) digits: [u8; PIN_MAX],
    pub(super) typed: u8,
    pub(super) tries_left: u8,
    pub(super) wrong: bool,
    #[zeroize(skip)]
    pub(super) length: PinDigits,
    /// Whether the warning before the last try was accepted.
    pub(super) accepted: bool,
}

impl PinEntry {
    /// An empty pad.
    #[must_use]
    pub const fn new(tries_left: u8, wrong: bool, length: PinDigits) -> Self {
        Self {
            digits: [0; PIN_MAX],
            typed: 0,
            length,
            tries_left,
            wrong,
            accepted: false,
        }
    }

    /// How many digits are typed.
    #[must_use]
    pub const fn typed(&self) -> u8 {
        self.typed
    }

    /// Tries left on the card.
    #[must_use]
    pub const fn tries_left(&self) -> u8 {
        self.tries_left
    }

    /// How many digits the PIN of this kind of card has.
    #[must_use]
    pub const fn length(&self) -> PinDigits {
        self.length
    }

    /// Whether the last try was wrong.
    #[must_use]
    pub const fn wrong(&self) -> bool {
        self.wrong
    }

    /// Whether the warning before the last try stands in the way.
    #[must_use]
    pub const fn warns(&self) -> bool {
        self.tries_left <= 1 && !self.accepted
    }

    /// Accepts the warning.
    pub const fn accept(&mut self) {
        self.accepted = true;
    }

    /// Whether the warning was shown and accepted.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.accepted
    }

    /// Types a digit; more than the card's PIN has are ignored.
    pub fn type_digit(&mut self, digit: u8) {
        if self.typed >= self.length.most {
            return;
        }
        if let (0..=9, Some(place)) = (digit, self.digits.get_mut(usize::from(self.typed))) {
            *place = b'0' + digit;
            self.typed += 1;
        }
    }

    /// Takes all digits back.
    pub fn clear(&mut self) {
        self.digits.zeroize();
        self.typed = 0;
    }

    /// Whether a card may be asked at all.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.typed >= self.length.fewest && usize::from(self.typed) >= PIN_MIN && !self.warns()
    }

    /// The PIN, for the card alone.
    #[must_use]
    pub fn pin(&self) -> Option<card::Pin> {
        card::Pin::new(self.digits.get(..usize::from(self.typed))?).ok()
    }
}

/// The booth of an admitted voter. Wiped when dropped: it is where the choice is.
pub struct Voting {
    pub(super) tag: Tag,
    pub(super) style: u16,
    pub(super) shape: Shape,
    pub(super) selected: [Selected; MAX_CONTESTS],
    pub(super) challenges_left: u8,
    pub(super) place: Place,
    pub(super) aside: Aside,
}

impl Drop for Voting {
    fn drop(&mut self) {
        self.tag.zeroize();
        self.selected.zeroize();
    }
}

impl Voting {
    /// The ballot style.
    #[must_use]
    pub const fn style(&self) -> u16 {
        self.style
    }

    /// The ballot's numbers.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What is chosen, a value a contest.
    #[must_use]
    pub fn selected(&self) -> &[Selected] {
        self.selected.get(..usize::from(self.shape.len())).unwrap_or(&[])
    }

    /// What is chosen in a contest.
    #[must_use]
    pub fn chosen(&self, index: u8) -> Selected {
        self.selected().get(usize::from(index)).copied().unwrap_or_default()
    }

    /// Challenges left.
    #[must_use]
    pub const fn challenges_left(&self) -> u8 {
        self.challenges_left
    }

    /// The place in the ballot.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The place, borrowed: its code can be shown without a copy.
    #[must_use]
    pub const fn place_ref(&self) -> &Place {
        &self.place
    }

    /// What lies over it.
    #[must_use]
    pub const fn aside(&self) -> Aside {
        self.aside
    }
}

/// Where in the ballot a voter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a contest.
    Contest {
        /// Which.
        index: u8,
        /// Whether "next" leads back to the review.
        changing: bool,
        /// Whether the overvote is being explained.
        overvote: bool,
    },
    /// At the review.
    Review,
    /// Asked whether to end without a vote.
    Ending {
        /// The contest to go back to; `None` for the review.
        contest: Option<u8>,
        /// As in [`Place::Contest`].
        changing: bool,
    },
    /// The ballot is being encrypted; `ending` if it is then cast at once, as a ballot of no-votes.
    Encrypting {
        /// Whether the voter ends without a vote.
        ending: bool,
    },
    /// Encrypted: cast or challenge.
    Sealed {
        /// Its tracking code.
        code: Digest,
        /// Whether "no more challenges" is being explained.
        used_up: bool,
    },
    /// A spoiled ballot is being shown.
    Opening {
        /// Its tracking code.
        code: Digest,
        /// Page, that is contest.
        page: u8,
    },
}

/// What lies over the place and hides the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// Nothing.
    None,
    /// Staff are called.
    CallStaff,
    /// "Are you still there?"
    StillThere,
    /// Nobody was. Only taking the card out goes on.
    Locked,
}
