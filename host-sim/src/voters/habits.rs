//! How many people behave how.

/// Parts in a thousand of the voters whose vote counts. The last five are people who come besides them and whose vote does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Type a wrong PIN first; every third of them twice, so that the last-try warning appears.
    pub wrong_pin: u16,
    /// Change a contest at the review.
    pub change_of_mind: u16,
    /// Touch one option too many.
    pub overvote: u16,
    /// Challenge a ballot; every third of them as often as is allowed, and once more.
    pub challenge: u16,
    /// Go back from the code to the review.
    pub second_thoughts: u16,
    /// Call staff in the middle.
    pub call_staff: u16,
    /// Think until the kiosk asks whether they are there.
    pub think_long: u16,
    /// Put the card in the wrong way round first.
    pub upside_down: u16,
    /// End without a vote (with given totals: only those who want nothing in any contest).
    pub without_vote: u16,
    /// Pull the card in the middle and start again.
    pub pull_and_return: u16,
    /// Come back to the same kiosk with the same card.
    pub again_here: u16,
    /// Come to another kiosk with the same card (from two kiosks on).
    pub again_elsewhere: u16,
    /// Vote in each epoch (policy `last`).
    pub again_later: u16,
    /// Pull the card in the middle and go home.
    pub pull_and_go: u16,
    /// Walk away and leave the card in.
    pub walk_away: u16,
    /// Have forgotten the PIN and try until the card is blocked.
    pub forget_pin: u16,
    /// Have a good card that is not on the roll.
    pub not_on_roll: u16,
    /// Have a card whose certificate has run out.
    pub expired: u16,
}

impl Habits {
    /// Everybody knows what they want and does it.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            wrong_pin: 0,
            change_of_mind: 0,
            overvote: 0,
            challenge: 0,
            second_thoughts: 0,
            call_staff: 0,
            think_long: 0,
            upside_down: 0,
            without_vote: 0,
            pull_and_return: 0,
            again_here: 0,
            again_elsewhere: 0,
            again_later: 0,
            pull_and_go: 0,
            walk_away: 0,
            forget_pin: 0,
            not_on_roll: 0,
            expired: 0,
        }
    }

    /// A mixed public: with 119 voters somebody has each habit. Forgotten PINs as Tsukuba saw them.
    #[must_use]
    pub const fn usual() -> Self {
        Self {
            wrong_pin: 60,
            change_of_mind: 80,
            overvote: 40,
            challenge: 40,
            second_thoughts: 20,
            call_staff: 20,
            think_long: 15,
            upside_down: 15,
            without_vote: 20,
            pull_and_return: 15,
            again_here: 15,
            again_elsewhere: 20,
            again_later: 150,
            pull_and_go: 15,
            walk_away: 8,
            forget_pin: 20,
            not_on_roll: 10,
            expired: 10,
        }
    }

    /// How many of `voters` these parts in a thousand are.
    #[must_use]
    pub(super) fn part(parts: u16, voters: u32) -> usize {
        usize::try_from((u64::from(voters) * u64::from(parts) + 500) / 1000).unwrap_or(usize::MAX)
    }
}
