//! Fingers on the glass, as bytes of a serial line: a mark, what happens, where, a check. A byte that is lost costs one event at most.

/// Begins an event.
const MARK: u8 = 0xA5;
/// Bytes of an event.
pub const LEN: usize = 7;

/// What a finger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Comes down.
    Down,
    /// Moves while down.
    Move,
    /// Leaves.
    Up,
}

/// One event, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finger {
    /// What happens.
    pub phase: Phase,
    /// Across.
    pub x: u16,
    /// Down.
    pub y: u16,
}

impl Finger {
    /// As it travels.
    #[must_use]
    pub fn encode(self) -> [u8; LEN] {
        let phase = match self.phase {
            Phase::Down => 1,
            Phase::Move => 2,
            Phase::Up => 3,
        };
        let ([x0, x1], [y0, y1]) = (self.x.to_le_bytes(), self.y.to_le_bytes());
        [MARK, phase, x0, x1, y0, y1, MARK ^ phase ^ x0 ^ x1 ^ y0 ^ y1]
    }
}

/// Collects events from bytes as they come.
#[derive(Default)]
pub struct Fingers {
    bytes: [u8; LEN],
    at: usize,
}

impl Fingers {
    /// Takes a byte; the event that it completes. What is no event is passed over up to the next mark.
    pub fn push(&mut self, byte: u8) -> Option<Finger> {
        if self.at == 0 && byte != MARK {
            return None;
        }
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = byte;
        }
        self.at += 1;
        if self.at < LEN {
            return None;
        }
        self.at = 0;
        let [_, phase, x0, x1, y0, y1, _] = self.bytes;
        if self.bytes.iter().fold(0, |sum, byte| sum ^ byte) != 0 {
            return None;
        }
        let phase = match phase {
            1 => Phase::Down,
            2 => Phase::Move,
            3 => Phase::Up,
            _ => return None,
        };
        Some(Finger {
            phase,
            x: u16::from_le_bytes([x0, x1]),
            y: u16::from_le_bytes([y0, y1]),
        })
    }
}

/// Far from every box: a finger that leaves there touches nothing.
const AWAY: u16 = u16::MAX;

/// All that a glass feels at once, as the one finger that the panel knows. More than one place is a palm or a sleeve: what had begun is taken back, and
/// nothing counts before the glass is clear again.
#[derive(Default)]
pub struct Hand {
    down: Option<(u16, u16)>,
    palm: bool,
}

impl Hand {
    /// The glass feels these places now; `large`: it says itself that this is no finger. What that means, in this order.
    pub fn felt(&mut self, places: &[(u16, u16)], large: bool) -> [Option<Finger>; 2] {
        let finger = |phase, (x, y)| Some(Finger { phase, x, y });
        self.palm = (self.palm && !places.is_empty()) || large || places.len() > 1;
        if self.palm {
            let taken_back = [Phase::Move, Phase::Up].map(|phase| finger(phase, (AWAY, AWAY)));
            return self.down.take().map_or([None, None], |_| taken_back);
        }
        let place = places.first().copied();
        let one = match (core::mem::replace(&mut self.down, place), place) {
            (None, Some(place)) => finger(Phase::Down, place),
            (Some(before), Some(place)) if before != place => finger(Phase::Move, place),
            (Some(before), None) => finger(Phase::Up, before),
            _ => None,
        };
        [one, None]
    }

    /// Whether something is down, finger or palm.
    #[must_use]
    pub const fn touched(&self) -> bool {
        self.palm || self.down.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f9_events_come_through_and_garbage_between_them_costs_none_that_follows_two_later() {
        let one = Finger {
            phase: Phase::Down,
            x: 799,
            y: 0xA5A5,
        };
        let mut fingers = Fingers::default();
        let mut feed = |bytes: &[u8]| bytes.iter().filter_map(|byte| fingers.push(*byte)).last();
        assert_eq!(feed(&one.encode()), Some(one));
        assert_eq!(feed(&[0, 1, 2]), None);
        assert_eq!(feed(&one.encode()), Some(one));
        // A truncated event swallows at most what follows it at once.
        assert_eq!(feed(&one.encode()[..3]), None);
        let _ = feed(&one.encode());
        let _ = feed(&[0; LEN]);
        assert_eq!(feed(&one.encode()), Some(one));
    }

    /// What one finger does comes through as it is; of several nothing counts, not even when all but one have left.
    #[test]
    fn f9_several_places_at_once_are_a_palm_and_take_a_touch_back() {
        let mut hand = Hand::default();
        let one = |phase, x, y| [Some(Finger { phase, x, y }), None];
        let (nothing, back) = (
            [None, None],
            [Phase::Move, Phase::Up].map(|phase| {
                Some(Finger {
                    phase,
                    x: AWAY,
                    y: AWAY,
                })
            }),
        );
        assert_eq!(hand.felt(&[(10, 20)], false), one(Phase::Down, 10, 20));
        assert_eq!(hand.felt(&[(10, 20)], false), nothing);
        assert_eq!(hand.felt(&[(11, 20)], false), one(Phase::Move, 11, 20));
        assert_eq!(hand.felt(&[], false), one(Phase::Up, 11, 20));
        assert!(!hand.touched());
        // A palm that lands at once, and leaves finger by finger.
        assert_eq!(hand.felt(&[(10, 20), (300, 20), (5, 5)], false), nothing);
        assert_eq!(hand.felt(&[(10, 20)], false), nothing);
        assert!(hand.touched());
        assert_eq!(hand.felt(&[], false), nothing);
        // A second place while a finger is down takes it back.
        assert_eq!(hand.felt(&[(10, 20)], false), one(Phase::Down, 10, 20));
        assert_eq!(hand.felt(&[(10, 20), (300, 20)], false), back);
        assert_eq!(hand.felt(&[(10, 20)], false), nothing);
        assert_eq!(hand.felt(&[], false), nothing);
        // So does a glass that feels something large.
        assert_eq!(hand.felt(&[(10, 20)], false), one(Phase::Down, 10, 20));
        assert_eq!(hand.felt(&[(10, 20)], true), back);
        assert_eq!(hand.felt(&[(10, 20)], false), nothing);
        assert_eq!(hand.felt(&[], false), nothing);
        assert_eq!(hand.felt(&[(10, 20)], false), one(Phase::Down, 10, 20));
    }
}
