//! Touch that forgives (F9, issue of elderly voters elsewhere) and does not act twice: long presses count, a finger may slip,
//! a double tap is one tap, a palm is none. Pure: what happened when goes in, whether it counts comes out.

use kiosk::screen::Touch;

use crate::scene::Act;

/// Milliseconds after a new picture during which a press was meant for the old one. Longer than [`SAME`]: the buttons that lead on stand at one
/// place on every screen, so the second half of a slow double tap would else act on a screen that nobody has read (A3).
pub const GUARD: u64 = 600;
/// Milliseconds within which the same touch again is the same tap (a trembling finger).
pub const SAME: u64 = 450;
/// The same for keys of the PIN pad, where the same digit twice is meant.
pub const SAME_DIGIT: u64 = 120;
/// Presses at different places within so many milliseconds are a palm or a sleeve.
pub const PALM: u64 = 60;
/// How long a staff button is held.
pub const HOLD: u64 = 2_000;
/// Touches that wait for the kiosk at most; the newest is dropped.
pub const QUEUE: usize = 16;

/// The number of a key's press: a key has no place on the panel, and no box has this number.
pub const KEY: usize = usize::MAX;

/// The filter's memory.
#[derive(Default)]
pub struct Filter {
    down: Option<(usize, u64)>,
    last_press: Option<(usize, u64)>,
    last_act: Option<(Act, u64)>,
    guarded_until: u64,
    fingers_until: u64,
}

impl Filter {
    /// The picture changed: what is pressed or comes at once was meant for the old one.
    pub fn changed(&mut self, now: u64) {
        self.down = None;
        self.guarded_until = now.saturating_add(GUARD);
    }

    /// A key has turned the page under the fingers: what they press was meant for the page before, which was another. The keys themselves know
    /// where they are, for the picture followed them, and go on.
    pub fn turned(&mut self, now: u64) {
        self.down = None;
        self.fingers_until = now.saturating_add(GUARD);
    }

    /// A finger came down on box `id`, or a key ([`KEY`]).
    pub fn pressed(&mut self, id: usize, now: u64) {
        let palm = self.down.is_some()
            || self
                .last_press
                .is_some_and(|(other, at)| other != id && now.saturating_sub(at) < PALM);
        self.last_press = Some((id, now));
        let guarded = now < self.guarded_until || (id != KEY && now < self.fingers_until);
        self.down = (!palm && !guarded).then_some((id, now));
    }

    /// The finger left; `near`: still on the box or not far off. Whether `act` happens.
    pub fn released(&mut self, id: usize, near: bool, act: Act, now: u64) -> bool {
        let Some((down, since)) = self.down.take() else {
            return false;
        };
        if down != id || !near {
            return false;
        }
        if act.held() && now.saturating_sub(since) < HOLD {
            return false;
        }
        let window = if matches!(act, Act::Send(Touch::Digit(_)) | Act::Practice(Touch::Digit(_))) {
            SAME_DIGIT
        } else {
            SAME
        };
        if self
            .last_act
            .is_some_and(|(last, at)| last == act && since.saturating_sub(at) < window)
        {
            return false;
        }
        self.last_act = Some((act, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: Act = Act::Send(Touch::Next);
    const OPTION: Act = Act::Send(Touch::Option(3));

    fn tap(filter: &mut Filter, act: Act, at: u64, long: u64) -> bool {
        filter.pressed(1, at);
        filter.released(1, true, act, at + long)
    }

    #[test]
    fn f9_a_press_of_any_length_counts() {
        for long in [1, 100, 501, 5_000, 60_000] {
            assert!(tap(&mut Filter::default(), NEXT, 1_000, long));
        }
    }

    #[test]
    fn f9_a_double_tap_is_one_tap_but_two_taps_are_two() {
        let mut filter = Filter::default();
        assert!(tap(&mut filter, OPTION, 1_000, 80));
        assert!(!tap(&mut filter, OPTION, 1_200, 80));
        assert!(tap(&mut filter, OPTION, 2_000, 80));
    }

    #[test]
    fn f9_the_same_digit_twice_is_typed_twice() {
        let digit = Act::Send(Touch::Digit(1));
        let mut filter = Filter::default();
        assert!(tap(&mut filter, digit, 1_000, 60));
        assert!(tap(&mut filter, digit, 1_260, 60));
        // A bounce of the same tap is not.
        assert!(!tap(&mut filter, digit, 1_340, 10));
    }

    #[test]
    fn f9_a_touch_for_the_last_picture_does_not_act_on_this_one() {
        let mut filter = Filter::default();
        filter.pressed(1, 900);
        filter.changed(1_000);
        assert!(!filter.released(1, true, NEXT, 1_010));
        assert!(!tap(&mut filter, NEXT, 1_000 + GUARD - 1, 50));
        assert!(tap(&mut filter, NEXT, 1_000 + GUARD, 50));
    }

    #[test]
    fn f9_a_page_that_a_key_turned_is_unread_for_fingers_and_not_for_keys() {
        let mut filter = Filter::default();
        filter.pressed(1, 900);
        filter.turned(1_000);
        assert!(!filter.released(1, true, OPTION, 1_010), "a finger that was down");
        filter.pressed(KEY, 1_000 + GUARD / 2);
        assert!(filter.released(KEY, true, NEXT, 1_000 + GUARD / 2), "the key goes on");
        assert!(!tap(&mut filter, OPTION, 1_000 + GUARD - 1, 50));
        assert!(tap(&mut filter, OPTION, 1_000 + GUARD, 50));
    }

    #[test]
    fn f9_a_palm_touches_nothing() {
        let mut filter = Filter::default();
        filter.pressed(1, 1_000);
        filter.pressed(2, 1_010);
        assert!(!filter.released(1, true, NEXT, 1_200));
        assert!(!filter.released(2, true, OPTION, 1_210));
    }

    #[test]
    fn f9_a_second_touch_while_the_first_is_down_takes_both_back() {
        let mut filter = Filter::default();
        filter.pressed(1, 1_000);
        filter.pressed(2, 1_000 + 5 * PALM);
        assert!(!filter.released(2, true, OPTION, 2_000));
        assert!(!filter.released(1, true, NEXT, 2_100));
    }

    #[test]
    fn f9_a_finger_that_slides_away_takes_its_touch_back() {
        let mut filter = Filter::default();
        filter.pressed(1, 1_000);
        assert!(!filter.released(1, false, NEXT, 1_100));
    }

    #[test]
    fn the_staff_button_wants_two_seconds() {
        let hold = Act::Hold(Touch::Staff(kiosk::screen::StaffTouch::Menu));
        assert!(!tap(&mut Filter::default(), hold, 1_000, HOLD - 1));
        assert!(tap(&mut Filter::default(), hold, 1_000, HOLD));
    }
}
