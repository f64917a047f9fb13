//! Practice (U10): the voter's path on a made-up ballot, before polls open. Pure, and the panel's alone: no touch of it leaves the
//! panel, so that there is no ballot, no card, no key and no record that could ever count. The kiosk's own session cannot be
//! practised with, because its effects come only in exchange for records that stand on the media.
//!
//! Must never know: what a kiosk or an election is.

use kiosk::screen::Touch;
use kiosk::session::Selected;

/// Contests of the made-up ballot: votes of each. All have [`OPTIONS`] options.
pub const CONTESTS: [u8; 2] = [1, 2];
/// Options of each contest.
pub const OPTIONS: u8 = 4;
/// Digits that are wanted: any.
pub const DIGITS: u8 = 4;

/// Where somebody who practises stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What this is.
    Start,
    /// Digits, any; how many were typed.
    Pin(u8),
    /// A contest.
    Contest(u8),
    /// One option too many was touched there.
    Over(u8),
    /// The review.
    Review,
    /// Cast, or choose again.
    Sealed,
    /// End without a vote? Or back to where one was.
    Ending(Back),
    /// Staff are called; the choice is hidden.
    Called(Back),
    /// The end.
    Done,
}

/// Where an aside returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// The digits.
    Pin,
    /// A contest.
    Contest(u8),
    /// The review.
    Review,
    /// Cast.
    Sealed,
}

impl Back {
    const fn place(self) -> Place {
        match self {
            Self::Pin => Place::Pin(0),
            Self::Contest(index) => Place::Contest(index),
            Self::Review => Place::Review,
            Self::Sealed => Place::Sealed,
        }
    }
}

/// Somebody's practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Practice {
    /// Where.
    pub place: Place,
    /// What is chosen.
    pub selected: [Selected; CONTESTS.len()],
}

impl Default for Practice {
    fn default() -> Self {
        Self {
            place: Place::Start,
            selected: [Selected::NONE; CONTESTS.len()],
        }
    }
}

impl Practice {
    /// Votes of a contest, and what is chosen there.
    #[must_use]
    pub fn contest(&self, index: u8) -> (u8, Selected) {
        let place = usize::from(index);
        let votes = CONTESTS.get(place).copied().unwrap_or(0);
        (votes, self.selected.get(place).copied().unwrap_or(Selected::NONE))
    }

    /// Every place once, with something chosen: for rendered lists.
    #[must_use]
    pub fn every() -> [Self; 10] {
        let first = Selected::NONE.toggled(0);
        let at = |place| Self {
            place,
            selected: [first, first.toggled(1)],
        };
        [
            at(Place::Start),
            at(Place::Pin(2)),
            at(Place::Contest(0)),
            at(Place::Contest(1)),
            at(Place::Over(1)),
            at(Place::Review),
            at(Place::Sealed),
            at(Place::Ending(Back::Review)),
            at(Place::Called(Back::Review)),
            at(Place::Done),
        ]
    }

    /// After a touch; what a place does not offer changes nothing.
    #[must_use]
    pub fn touched(self, touch: Touch) -> Self {
        let mut next = self;
        let last = u8::try_from(CONTESTS.len()).unwrap_or(u8::MAX).saturating_sub(1);
        next.place = match (self.place, touch) {
            (Place::Start, Touch::Next) => {
                next.selected = Self::default().selected;
                Place::Pin(0)
            }
            (Place::Pin(typed), Touch::Digit(_)) => Place::Pin(typed.saturating_add(1).min(DIGITS)),
            (Place::Pin(_), Touch::Clear) => Place::Pin(0),
            (Place::Pin(DIGITS), Touch::Enter) => Place::Contest(0),
            (Place::Pin(_), Touch::CallStaff) => Place::Called(Back::Pin),
            (Place::Contest(index), Touch::Option(option)) if option < OPTIONS => {
                let (votes, selected) = self.contest(index);
                let wanted = selected.toggled(option);
                if wanted.count() > votes {
                    Place::Over(index)
                } else {
                    if let Some(own) = next.selected.get_mut(usize::from(index)) {
                        *own = wanted;
                    }
                    self.place
                }
            }
            (Place::Over(index), Touch::Confirm) => Place::Contest(index),
            // Back from staff one stands where one was before what was explained or asked.
            (Place::Over(index), Touch::CallStaff) => Place::Called(Back::Contest(index)),
            (Place::Ending(back), Touch::CallStaff) => Place::Called(back),
            (Place::Contest(index), Touch::Next) if index < last => Place::Contest(index + 1),
            (Place::Contest(_), Touch::Next) => Place::Review,
            (Place::Contest(index), Touch::Back) => Place::Contest(index.saturating_sub(1)),
            (Place::Contest(index), Touch::CallStaff) => Place::Called(Back::Contest(index)),
            (Place::Contest(index), Touch::EndWithoutVote) => Place::Ending(Back::Contest(index)),
            (Place::Review, Touch::Change(index)) if index <= last => Place::Contest(index),
            (Place::Review, Touch::Back) => Place::Contest(last),
            (Place::Review, Touch::Confirm) => Place::Sealed,
            (Place::Review, Touch::CallStaff) => Place::Called(Back::Review),
            (Place::Review, Touch::EndWithoutVote) => Place::Ending(Back::Review),
            (Place::Sealed, Touch::Back) => Place::Review,
            (Place::Sealed, Touch::CallStaff) => Place::Called(Back::Sealed),
            (Place::Sealed, Touch::Cast) | (Place::Ending(_), Touch::Confirm) => Place::Done,
            (Place::Ending(back) | Place::Called(back), Touch::Back) => back.place(),
            (Place::Done, Touch::Next) => return Self::default(),
            (place, _) => place,
        };
        next
    }

    /// Whether the picture is another place for a finger.
    #[must_use]
    pub fn moved(&self, to: &Self) -> bool {
        match (self.place, to.place) {
            (Place::Pin(_), Place::Pin(_)) => false,
            (from, to) => from != to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(touches: &[Touch]) -> Practice {
        touches
            .iter()
            .fold(Practice::default(), |practice, touch| practice.touched(*touch))
    }

    const TO_BALLOT: [Touch; 6] = [
        Touch::Next,
        Touch::Digit(1),
        Touch::Digit(1),
        Touch::Digit(1),
        Touch::Digit(1),
        Touch::Enter,
    ];

    #[test]
    fn u10_v13_one_too_many_is_explained_and_changes_nothing() {
        let ballot = after(&TO_BALLOT).touched(Touch::Option(0));
        let over = ballot.touched(Touch::Option(1));
        assert_eq!((over.place, over.selected), (Place::Over(0), ballot.selected));
        assert_eq!(over.touched(Touch::Confirm), ballot);
    }

    #[test]
    fn u10_fewer_digits_do_not_enter() {
        assert_eq!(after(&TO_BALLOT[..4]).touched(Touch::Enter).place, Place::Pin(3));
    }

    #[test]
    fn u10_the_next_one_starts_with_nothing_chosen() {
        let done = [Touch::Option(2), Touch::Next, Touch::Next, Touch::Confirm, Touch::Cast]
            .iter()
            .fold(after(&TO_BALLOT), |practice, touch| practice.touched(*touch));
        assert_eq!(done.place, Place::Done);
        assert_eq!(done.touched(Touch::Next), Practice::default());
    }
}
