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
}
